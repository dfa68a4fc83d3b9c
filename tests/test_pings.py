"""Tests of hunchensocket_tx.pings."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.errors import ConnectionClosed
from hunchensocket_tx.pings import Pings

END = ConnectionClosed(1006, "gone", False)


class PingsTestCase(SynchronousTestCase):
    """Gives each test the pings of a stream."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.pings = Pings(self.clock)


class AnswerTest(PingsTestCase):
    """Pongs answer pings (RFC 6455 section 5.5.3)."""

    def test_an_answer_comes_to_the_seconds_since_its_ping(self) -> None:
        self.clock.advance(100)
        payload, answered = self.pings.prepare()
        self.clock.advance(1.5)
        self.assertNoResult(answered)
        self.pings.answer(payload)
        self.assertEqual(self.successResultOf(answered), 1.5)

    def test_payloads_differ_and_fit_into_a_control_frame(self) -> None:
        payloads = {self.pings.prepare()[0] for _ in range(1000)}
        self.assertEqual(len(payloads), 1000)
        self.assertTrue(all(0 < len(payload) <= 125 for payload in payloads))

    def test_an_answer_counts_for_earlier_pings_too(self) -> None:
        waiting = []
        for _ in range(3):
            waiting.append(self.pings.prepare())
            self.clock.advance(1)
        self.pings.answer(waiting[2][0])
        self.assertEqual([self.successResultOf(answered) for _, answered in waiting], [3, 2, 1])

    def test_an_answer_does_not_count_for_later_pings(self) -> None:
        (first, _), (later, answered) = self.pings.prepare(), self.pings.prepare()
        self.pings.answer(first)
        self.assertNoResult(answered)
        self.pings.answer(later)
        self.successResultOf(answered)

    def test_pongs_that_nobody_waits_for_are_ignored(self) -> None:
        payload, answered = self.pings.prepare()
        for other in (b"", b"unasked", payload + b"\0"):
            self.pings.answer(other)
        self.assertNoResult(answered)

    def test_a_second_pong_is_ignored(self) -> None:
        first, answered = self.pings.prepare()
        self.pings.answer(first)
        self.successResultOf(answered)
        _, waiting = self.pings.prepare()
        self.pings.answer(first)
        self.assertNoResult(waiting)

    def test_who_is_answered_may_ping_again(self) -> None:
        again: list[Deferred[float]] = []
        payload, answered = self.pings.prepare()
        answered.addCallback(lambda _: again.append(self.pings.prepare()[1]))
        self.pings.answer(payload)
        self.assertNoResult(again[0])

    def test_one_may_be_given_up(self) -> None:
        (_, given_up), (payload, answered) = self.pings.prepare(), self.pings.prepare()
        given_up.cancel()
        self.failureResultOf(given_up, CancelledError)
        self.pings.answer(payload)
        self.successResultOf(answered)

    def test_the_answer_to_one_that_was_given_up_is_ignored(self) -> None:
        payload, given_up = self.pings.prepare()
        given_up.cancel()
        self.failureResultOf(given_up, CancelledError)
        self.pings.answer(payload)

    def test_who_is_answered_may_give_others_up(self) -> None:
        (_, first), (_, second), (payload, third) = (self.pings.prepare() for _ in range(3))
        first.addCallback(lambda _: second.cancel())
        self.pings.answer(payload)
        self.failureResultOf(second, CancelledError)
        self.successResultOf(third)


class CloseTest(PingsTestCase):
    """No answers come any more once the connection is closed."""

    def test_all_who_wait_fail(self) -> None:
        waiting = [self.pings.prepare()[1] for _ in range(2)]
        self.pings.close(END)
        for answered in waiting:
            self.assertIs(self.failureResultOf(answered, ConnectionClosed).value, END)

    def test_closing_again_does_no_harm(self) -> None:
        _, answered = self.pings.prepare()
        self.pings.close(END)
        self.pings.close(END)
        self.failureResultOf(answered, ConnectionClosed)

    def test_who_fails_may_give_others_up(self) -> None:
        (_, first), (_, second), (_, third) = (self.pings.prepare() for _ in range(3))
        first.addErrback(lambda _: second.cancel())
        self.pings.close(END)
        self.failureResultOf(second, CancelledError)
        self.failureResultOf(third, ConnectionClosed)
