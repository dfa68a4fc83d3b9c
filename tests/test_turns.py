"""turns.py: one at a time, in order, however many wait."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.turns import Turn


class TurnTest(SynchronousTestCase):
    """Who waits for what."""

    def setUp(self) -> None:
        self.turn = Turn()
        self.told: list[object] = []

    async def take(self, name: object, until: Deferred[None] | None = None) -> None:
        async with self.turn:
            self.told.append(name)
            if until is not None:
                await until

    def start(self, name: object, until: Deferred[None] | None = None) -> Deferred[None]:
        return Deferred.fromCoroutine(self.take(name, until))

    def test_a_free_one_is_taken_at_once(self) -> None:
        self.successResultOf(self.start("a"))
        self.successResultOf(self.start("b"))
        self.assertEqual(self.told, ["a", "b"])

    def test_the_others_wait_and_have_it_in_order(self) -> None:
        first, second = Deferred[None](), Deferred[None]()
        waiting = [self.start("a", first), self.start("b", second), self.start("c")]
        self.assertEqual(self.told, ["a"])
        first.callback(None)
        self.assertEqual(self.told, ["a", "b"])
        second.callback(None)
        self.assertEqual(self.told, ["a", "b", "c"])
        for one in waiting:
            self.successResultOf(one)

    def test_a_failure_hands_it_on(self) -> None:
        first = Deferred[None]()
        failing, next_one = self.start("a", first), self.start("b")
        first.errback(ZeroDivisionError())
        self.failureResultOf(failing, ZeroDivisionError)
        self.successResultOf(next_one)

    def test_who_gives_its_place_up_is_not_called(self) -> None:
        first = Deferred[None]()
        self.start("a", first)
        given_up, other = self.start("b"), self.start("c")
        given_up.cancel()
        self.failureResultOf(given_up, CancelledError)
        first.callback(None)
        self.successResultOf(other)
        self.assertEqual(self.told, ["a", "c"])

    def test_thousands_that_are_done_at_once_do_not_exceed_the_stack(self) -> None:
        first = Deferred[None]()
        self.start("a", first)
        waiting = [self.start(number) for number in range(5000)]
        first.callback(None)
        for one in waiting:
            self.successResultOf(one)
        self.assertEqual(self.told, ["a", *range(5000)])
        self.successResultOf(self.start("b"))
