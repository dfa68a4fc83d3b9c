"""What is kept of sockets that were cut off, and of what they missed."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.socketio.adapter import EVERYBODY, Audience, KeptSession
from hunchensocket_tx.socketio.recovery import RECOVERABLE_REASONS, Recovery, new_private_id
from hunchensocket_tx.socketio.wire.packets import Packet, PacketType
from hunchensocket_tx.timers import Timers
from tests.wire_support import properties


def meant(rooms: str = "", but: str = "") -> Audience:
    """Return an audience of rooms with names of one letter."""
    return Audience(frozenset(rooms), frozenset(but))


class RecoveryTests(SynchronousTestCase):
    """With a window of 60 s, 3 sockets and 5 events at most."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.recovery = Recovery(60, Timers(self.clock), 3, 5)

    def say(self, *arguments: Any, to: Audience = EVERYBODY) -> str:
        """Hold an event; return its offset."""
        packet = Packet(PacketType.EVENT, "/", ["said", *arguments])
        return str(self.recovery.hold(packet, to).packet.data[-1])

    def cut(self, pid: str, rooms: str = "") -> None:
        """Keep a socket whose id is that of its private id, in capital letters."""
        self.recovery.keep(KeptSession(pid, pid.upper(), frozenset(rooms) | {pid.upper()}, {"of": pid}))

    def back(self, pid: str, offset: str) -> list[Any] | None:
        """Return what a socket that comes back has missed, without offsets; None if it cannot."""
        restored = self.recovery.restore(pid, offset)
        return None if restored is None else [missed.packet.data[1:-1] for missed in restored.missed]

    def test_what_came_after_the_offset_was_missed(self) -> None:
        self.say(1)
        offset = self.say(2)
        self.say(3)
        self.cut("a")
        self.say(4)
        self.assertEqual(self.back("a", offset), [[3], [4]])

    def test_what_was_for_others_was_not_missed(self) -> None:
        offset = self.say()
        self.cut("a", "xy")
        self.say(1, to=meant("x"))
        self.say(2, to=meant("z"))
        self.say(3, to=meant("zA"))
        self.say(4, to=meant("x", "y"))
        self.say(5, to=meant("", "z"))
        self.assertEqual(self.back("a", offset), [[1], [3], [5]])

    def test_the_session_is_as_it_was(self) -> None:
        offset = self.say()
        session = KeptSession("a", "A", frozenset("Ax"), object())
        self.recovery.keep(session)
        restored = self.recovery.restore("a", offset)
        assert restored is not None
        self.assertIs(restored.session, session)

    def test_nobody_comes_back_twice(self) -> None:
        offset = self.say()
        self.cut("a")
        self.assertEqual(self.back("a", offset), [])
        self.assertIsNone(self.back("a", offset))

    def test_strangers_do_not_come_back(self) -> None:
        offset = self.say()
        self.cut("a")
        for pid, claimed in (("b", offset), ("A", offset), ("", offset)):
            self.assertIsNone(self.back(pid, claimed))

    def test_offsets_that_are_none_of_ours_are_refused(self) -> None:
        offset = self.say()
        name = offset.partition(".")[0]
        wrong = [
            "",
            ".",
            name,
            f"{name}.",
            f"{name}.2",
            f"{name}.-1",
            f"{name}.1.1",
            f"{name}. 1",
            f"{name}.\u00b9",
        ]
        wrong += [f"{name}.{'1' * 5000}", "x.1", f"{name}x.1", offset.upper() + "0", "\ud800.1"]
        for claimed in wrong:
            self.cut("a")
            self.assertIsNone(self.back("a", claimed), claimed)

    @properties
    @given(st.text())
    def test_no_text_is_an_offset_by_chance(self, text: str) -> None:
        self.say()
        self.cut("a")
        self.assertIsNone(self.back("a", text))

    def test_an_offset_of_another_process_is_not_known(self) -> None:
        offset = self.say()
        self.recovery = Recovery(60, Timers(self.clock), 3, 5)
        self.say()
        self.cut("a")
        self.assertIsNone(self.back("a", offset))

    def test_the_window_is_over(self) -> None:
        offset = self.say()
        self.cut("a")
        self.clock.advance(30)
        self.cut("b")
        self.clock.advance(29)
        self.cut("c")
        self.say(2)
        self.clock.advance(1)
        self.assertIsNone(self.back("a", offset))
        self.assertEqual(self.back("b", offset), [[2]])

    def test_who_has_got_all_comes_back_even_if_that_is_long_ago(self) -> None:
        offset = self.say()
        self.clock.advance(1000)
        self.cut("a")
        self.assertEqual(self.back("a", offset), [])

    def test_who_may_have_missed_what_is_dropped_does_not_come_back(self) -> None:
        offset = self.say()
        self.say(2)
        self.clock.advance(61)
        self.cut("a")
        self.assertIsNone(self.back("a", offset))

    def test_only_so_many_events_are_kept(self) -> None:
        offsets = [self.say(number) for number in range(7)]
        self.cut("a")
        self.cut("b")
        self.assertEqual(len(self.recovery), 5 + 2)
        self.assertIsNone(self.back("a", offsets[0]))
        self.assertEqual(self.back("b", offsets[1]), [[2], [3], [4], [5], [6]])

    def test_only_so_many_sockets_are_kept(self) -> None:
        offset = self.say()
        for pid in "abcd":
            self.cut(pid)
        self.assertEqual([self.back(pid, offset) for pid in "abcd"], [None, [], [], []])

    def test_there_is_one_timer_and_in_the_end_nothing_is_kept(self) -> None:
        for number in range(5):
            self.say(number)
            self.cut("a")
            self.clock.advance(1)
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.pump([10] * 12)
        self.assertEqual(len(self.recovery), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_could_not_be_sent_is_missed_by_nobody(self) -> None:
        offset = self.say()
        self.recovery.drop(self.recovery.hold(Packet(PacketType.EVENT, "/", ["said", "NaN"]), EVERYBODY))
        self.say(2)
        self.cut("a")
        self.assertEqual(self.back("a", offset), [[2]])

    def test_closing_forgets_all(self) -> None:
        self.recovery.close()
        offset = self.say()
        self.cut("a")
        self.recovery.close()
        self.assertIsNone(self.back("a", offset))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class NameTests(SynchronousTestCase):
    """Ids and reasons."""

    def test_private_ids_differ(self) -> None:
        self.assertEqual(len({new_private_id() for _ in range(100)}), 100)

    def test_who_went_on_purpose_does_not_come_back(self) -> None:
        for reason in ("client namespace disconnect", "server namespace disconnect", "parse error"):
            self.assertNotIn(reason, RECOVERABLE_REASONS)
