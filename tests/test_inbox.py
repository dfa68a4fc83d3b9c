"""Tests of hunchensocket_tx.inbox."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.internet.defer import TimeoutError as TookTooLong
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.errors import ConnectionClosed, MisuseError
from hunchensocket_tx.inbox import Inbox
from hunchensocket_tx.wire.events import Message

END = ConnectionClosed(1005, "", True)


class GivingTest(SynchronousTestCase):
    """Messages find who asks for them, in order and each once."""

    def setUp(self) -> None:
        self.inbox = Inbox()

    def test_a_message_that_came_first_is_given_to_who_asks(self) -> None:
        self.inbox.put("a")
        self.assertEqual(self.successResultOf(self.inbox.get()), "a")

    def test_an_empty_message_is_a_message(self) -> None:
        for empty in ("", b""):
            self.inbox.put(empty)
            self.assertEqual(self.successResultOf(self.inbox.get()), empty)

    def test_a_message_is_done_with_when_the_next_is_asked_for(self) -> None:
        done = self.inbox.put("a")
        assert done is not None
        self.inbox.get()
        self.assertNoResult(done)
        self.inbox.get()
        self.successResultOf(done)

    def test_who_asks_first_waits_for_the_message(self) -> None:
        asked = self.inbox.get()
        self.assertNoResult(asked)
        done = self.inbox.put("a")
        assert done is not None
        self.assertNoResult(done)
        self.assertEqual(self.successResultOf(asked), "a")

    def test_a_message_is_given_once(self) -> None:
        self.inbox.put("a")
        self.inbox.get()
        self.assertNoResult(self.inbox.get())

    def test_the_next_message_may_be_put_in_as_soon_as_one_is_taken(self) -> None:
        taken = self.inbox.put("a")
        assert taken is not None
        taken.addCallback(lambda _: self.inbox.put("b"))
        self.assertEqual(self.successResultOf(self.inbox.get()), "a")
        self.assertEqual(self.successResultOf(self.inbox.get()), "b")

    def test_who_is_given_a_message_may_ask_for_the_next_at_once(self) -> None:
        got: list[object] = []

        def take(message: object) -> None:
            got.append(message)
            self.inbox.get().addCallback(take)

        self.inbox.get().addCallback(take)
        for message in ("a", b"b", "c"):
            self.assertIsNone(self.inbox.put(message))
        self.assertEqual(got, ["a", b"b", "c"])

    def test_only_one_can_wait(self) -> None:
        first = self.inbox.get()
        with self.assertRaisesRegex(MisuseError, "waiting"):
            self.inbox.get()
        self.inbox.put("a")
        self.assertEqual(self.successResultOf(first), "a")

    def test_no_message_is_lost_to_who_gave_up(self) -> None:
        given_up = self.inbox.get()
        given_up.cancel()
        self.failureResultOf(given_up, CancelledError)
        self.inbox.put("a")
        self.assertEqual(self.successResultOf(self.inbox.get()), "a")

    def test_asking_may_time_out_and_be_repeated(self) -> None:
        clock = Clock()
        asked = self.inbox.get().addTimeout(1, clock)
        clock.advance(1)
        self.failureResultOf(asked, TookTooLong)
        again = self.inbox.get()
        self.inbox.put("a")
        self.assertEqual(self.successResultOf(again), "a")


class SourceTest(SynchronousTestCase):
    """Messages that have come already need not be put in."""

    def setUp(self) -> None:
        self.inbox = Inbox()
        self.at_hand: list[Message] = []
        self.inbox.source = lambda: self.at_hand.pop(0) if self.at_hand else None

    def test_nothing_is_taken_from_it_before_a_message_was_put_in(self) -> None:
        self.at_hand = ["b"]
        asked = self.inbox.get()
        self.assertNoResult(asked)
        self.inbox.put("a")
        self.assertEqual(self.successResultOf(asked), "a")
        self.assertEqual(self.successResultOf(self.inbox.get()), "b")

    def test_what_was_put_in_comes_first(self) -> None:
        self.inbox.put("")
        self.at_hand = ["b", ""]
        self.assertEqual([self.inbox.take() for _ in range(4)], ["", "b", "", None])

    def test_a_message_that_was_put_in_is_done_with_when_there_is_none_at_hand(self) -> None:
        self.at_hand = ["b"]
        done = self.inbox.put("a")
        assert done is not None
        for expected in "ab":
            self.assertEqual(self.successResultOf(self.inbox.get()), expected)
            self.assertNoResult(done)
        asked = self.inbox.get()
        self.successResultOf(done)
        self.at_hand = ["c"]
        self.assertIsNone(self.inbox.take())
        self.assertNoResult(asked)

    def test_after_discarding_nothing_is_taken_from_it(self) -> None:
        self.inbox.put("a")
        self.at_hand = ["b"]
        self.inbox.discard()
        self.assertIsNone(self.inbox.take())

    def test_the_messages_at_hand_are_given_before_the_end_is_told(self) -> None:
        self.inbox.put("a")
        self.at_hand = ["b"]
        self.inbox.end(END)
        for expected in "ab":
            self.assertEqual(self.successResultOf(self.inbox.get()), expected)
        self.failureResultOf(self.inbox.get(), ConnectionClosed)


class EndingTest(SynchronousTestCase):
    """There is an end, after the last message."""

    def setUp(self) -> None:
        self.inbox = Inbox()

    def test_who_waits_is_told_of_the_end(self) -> None:
        asked = self.inbox.get()
        self.inbox.end(END)
        self.assertIs(self.failureResultOf(asked, ConnectionClosed).value, END)

    def test_who_asks_after_the_end_is_told_each_time(self) -> None:
        self.inbox.end(END)
        for _ in range(2):
            self.failureResultOf(self.inbox.get(), ConnectionClosed)

    def test_the_last_message_is_given_before_the_end_is_told(self) -> None:
        self.inbox.put("last")
        self.inbox.end(END)
        self.assertEqual(self.successResultOf(self.inbox.get()), "last")
        self.failureResultOf(self.inbox.get(), ConnectionClosed)

    def test_the_end_may_be_told_twice(self) -> None:
        asked = self.inbox.get()
        self.inbox.end(END)
        self.inbox.end(END)
        self.failureResultOf(asked, ConnectionClosed)

    def test_discarding_lets_go_of_the_message_at_hand(self) -> None:
        taken = self.inbox.put("a")
        assert taken is not None
        self.inbox.discard()
        self.successResultOf(taken)

    def test_after_discarding_no_message_waits(self) -> None:
        self.inbox.discard()
        self.assertIsNone(self.inbox.put("a"))
