"""What dispatchers say together: at once if none of them takes its time, else later (hunchensocket_tx.cascade)."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.cascade import Accept, Dispatcher, Reject, decide
from tests.harness import silent
from tests.test_cascade import in_each_way
from tests.wire_support import properties

ANSWERS: list[Any] = [None, silent, Accept(silent, "chat"), Reject(401)]

WAYS = list(in_each_way(None))

MANY = 500

context: ContextVar[str] = ContextVar("of a test", default="outside")


class DecideTest(SynchronousTestCase):
    """The first that decides, decides."""

    request: Any = object()

    def decide(self, *dispatchers: Dispatcher) -> Any:
        return decide(self.request, dispatchers)

    @given(st.lists(st.tuples(st.sampled_from(ANSWERS), st.sampled_from(WAYS)), max_size=5))
    @properties
    def test_it_is_the_first_that_is_not_none_whoever_takes_their_time(
        self, answers: list[tuple[Any, str]]
    ) -> None:
        asked: list[int] = []

        def dispatcher(number: int, answer: Any, way: str) -> Callable[[Any], Any]:
            def asking(request: Any) -> Any:
                self.assertIs(request, self.request)
                asked.append(number)
                return in_each_way(answer)[way](request)

            return asking

        decision = self.decide(*(dispatcher(number, *answer) for number, answer in enumerate(answers)))
        first = next((number for number, (answer, _) in enumerate(answers) if answer is not None), len(answers))
        self.assertEqual(asked, list(range(min(first + 1, len(answers)))))
        self.assertEqual(isinstance(decision, Deferred), any(answers[number][1] != "value" for number in asked))
        if isinstance(decision, Deferred):
            decision = self.successResultOf(decision)
        expected = answers[first][0] if first < len(answers) else None
        self.assertEqual(decision, Accept(expected) if expected is silent else expected)

    def test_an_error_is_raised_at_once_by_those_who_take_no_time(self) -> None:
        self.assertRaises(ZeroDivisionError, self.decide, lambda request: None, lambda request: 1 // 0)
        self.assertRaises(TypeError, self.decide, lambda request: None, lambda request: 42)

    def test_an_error_comes_later_of_those_who_take_some(self) -> None:
        async def fails(request: Any) -> Any:
            return 1 // 0

        async def confused(request: Any) -> Any:
            return 42

        self.failureResultOf(self.decide(fails, lambda request: silent), ZeroDivisionError)
        self.failureResultOf(self.decide(confused, lambda request: silent), TypeError)
        self.failureResultOf(self.decide(lambda request: succeed(None), lambda request: 1 // 0), ZeroDivisionError)
        self.failureResultOf(self.decide(lambda request: succeed(None), lambda request: 42), TypeError)

    def test_the_error_names_who_has_answered_so(self) -> None:
        def confused(request: Any) -> Any:
            return 42

        later = self.failureResultOf(self.decide(lambda request: succeed(None), confused), TypeError).value
        for text in (str(later), str(self.assertRaises(TypeError, self.decide, confused))):
            self.assertIn("confused", text)

    def test_to_cancel_it_cancels_the_one_who_is_being_asked(self) -> None:
        cancelled: list[Any] = []
        pending: Deferred[Any] = Deferred(cancelled.append)
        asked: list[Any] = []
        decision = self.decide(lambda request: succeed(None), lambda request: pending, asked.append)
        decision.cancel()
        self.failureResultOf(decision, CancelledError)
        self.assertEqual((cancelled, asked), ([pending], []))

    def test_one_that_is_a_coroutine_sees_the_context_of_the_caller(self) -> None:
        seen: list[str] = []

        async def dispatcher(request: Any) -> None:
            seen.append(context.get())

        token = context.set("inside")
        self.decide(dispatcher, dispatcher)
        context.reset(token)
        self.assertEqual(seen, ["inside", "inside"])

    def test_there_may_be_many(self) -> None:
        for way in WAYS:
            with self.subTest(way=way):
                nobody = in_each_way(None)[way]
                decision = self.decide(*[nobody] * MANY, lambda request: succeed(silent))
                self.assertEqual(self.successResultOf(decision), Accept(silent))
