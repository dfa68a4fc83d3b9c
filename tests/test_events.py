"""Tests of hunchensocket_tx.wire.events: the values; what yields them is tested with the codecs."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.wire.events import Closed, CloseReason, Failed, Opened, Piece, Ping, Pong, Reply

EVENTS = (Opened(), Reply(b"a"), Piece("a", True), Ping(b"a"), Pong(b"a"), Closed(), Failed(1002, "why"))


class ValueTests(SynchronousTestCase):
    def test_events_of_the_same_content_are_equal_and_others_are_not(self) -> None:
        self.assertEqual(Failed(1002, "why"), Failed(1002, "why"))
        self.assertNotEqual(Failed(1002, "why"), Failed(1007, "why"))
        self.assertNotEqual(Ping(b"a"), Pong(b"a"))
        self.assertEqual(len(set(EVENTS)), len(EVENTS))

    def test_they_cannot_be_changed(self) -> None:
        for event in (*EVENTS, CloseReason(1000, "", True)):
            for name in event.__slots__:
                with self.subTest(event=event, name=name), self.assertRaises(FrozenInstanceError):
                    setattr(event, name, None)

    def test_a_close_without_a_code_is_1005(self) -> None:
        self.assertEqual((Closed().code, Closed().reason), (1005, ""))
