"""Timers: many on one of the reactor's, and each as if it were one of those."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.timers import FEW, Timer, Timers
from tests.wire_support import properties

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.integers(0, 20), st.sampled_from(["", "again", "fail", "cancel"])),
        st.tuples(st.just("cancel"), st.integers(0, 4), st.just("")),
        st.tuples(st.just("advance"), st.integers(0, 9), st.just("")),
    ),
    max_size=40,
)
"""What happens to a clock: a number is of seconds, or of the timer to cancel."""


def timers_in_memory() -> int:
    """Count them all, whoever has them."""
    return sum(isinstance(each, Timer) for each in gc.get_objects())


class Run:
    """Does the same steps on a clock of any kind, and writes down what is called when."""

    def __init__(self, driver: Clock, clock: Any) -> None:
        self.driver = driver
        self.clock = clock
        self.calls: list[tuple[float, int]] = []
        self.timers: list[Any] = []

    def call_later(self, seconds: int, then: str) -> None:
        number = len(self.timers)
        # No two at one time: which comes first then is not said, nor by the reactor.
        self.timers.append(self.clock.callLater(seconds + number / 1024, lambda: self.called(number, then)))

    def called(self, number: int, then: str) -> None:
        self.calls.append((self.driver.seconds(), number))
        if then == "again":
            self.call_later(3, "")
        elif then == "cancel":
            self.cancel(number + 1)
        elif then == "fail":
            raise ZeroDivisionError

    def cancel(self, number: int) -> None:
        if number < len(self.timers) and self.timers[number].active():
            self.timers[number].cancel()

    def step(self, kind: str, number: int, then: str) -> None:
        if kind == "call":
            self.call_later(number, then)
        elif kind == "cancel":
            self.cancel(number)
        else:
            self.driver.advance(number)

    @property
    def active(self) -> list[bool]:
        return [timer.active() for timer in self.timers]


class ModelTest(SynchronousTestCase):
    """They behave as those of the clock itself."""

    @given(STEPS)
    @properties
    def test_the_same_is_called_at_the_same_time(self, steps: list[tuple[str, int, str]]) -> None:
        plain, driver = Clock(), Clock()
        expected, ours = Run(plain, plain), Run(driver, Timers(driver))
        for kind, number, then in [*steps, ("advance", 1000, "")]:
            then = "" if then == "fail" else then  # a Clock lets errors through, unlike a reactor
            expected.step(kind, number, then)
            ours.step(kind, number, then)
            self.assertEqual(ours.calls, expected.calls)
            self.assertEqual(ours.active, expected.active)
            self.assertLessEqual(len(driver.getDelayedCalls()), 1)
            if not any(ours.active):
                self.assertEqual(driver.getDelayedCalls(), [])

    @given(STEPS)
    @properties
    def test_those_that_fail_keep_no_other_from_being_called(self, steps: list[tuple[str, int, str]]) -> None:
        driver, other_driver = Clock(), Clock()
        failing, fine = Run(driver, Timers(driver)), Run(other_driver, Timers(other_driver))
        for kind, number, then in [*steps, ("advance", 1000, "")]:
            failing.step(kind, number, then)
            fine.step(kind, number, "" if then == "fail" else then)
        self.assertEqual(failing.calls, fine.calls)
        self.flushLoggedErrors(ZeroDivisionError)


class TimersTest(SynchronousTestCase):
    """What a timer does."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.timers = Timers(self.clock)
        self.called: list[Any] = []

    def later(self, seconds: float, name: object = None) -> Timer:
        """Have a name written down."""
        return self.timers.callLater(seconds, lambda: self.called.append(seconds if name is None else name))

    def test_they_tell_the_clock_s_time(self) -> None:
        self.clock.advance(3)
        self.assertEqual(self.timers.seconds(), 3)

    def test_each_is_called_when_it_is_due_and_once(self) -> None:
        for seconds in (3, 1, 2, 5, 4):
            self.later(seconds)
        for second in range(1, 8):
            self.clock.advance(1)
            self.assertEqual(self.called, [1, 2, 3, 4, 5][:second])

    def test_those_that_are_late_are_called_in_order(self) -> None:
        for seconds in (3, 1, 2):
            self.later(seconds)
        self.clock.advance(10)
        self.assertEqual(self.called, [1, 2, 3])

    def test_it_is_active_until_it_is_called(self) -> None:
        seen: list[bool] = []
        timer = self.timers.callLater(1, lambda: seen.append(timer.active()))
        self.assertTrue(timer.active())
        self.clock.advance(1)
        self.assertEqual((seen, timer.active()), ([False], False))

    def test_one_that_is_cancelled_is_not_called(self) -> None:
        first, _, third = self.later(1), self.later(2), self.later(3)
        first.cancel()
        third.cancel()
        self.assertEqual((first.active(), third.active()), (False, False))
        self.clock.advance(10)
        self.assertEqual(self.called, [2])

    def test_one_may_be_cancelled_by_one_that_is_due_at_the_same_moment(self) -> None:
        timers: list[Timer] = []

        def cancel_other(other: int) -> None:
            self.called.append(other)
            timers[other].cancel()

        timers += [
            self.timers.callLater(1, lambda: cancel_other(1)),
            self.timers.callLater(1, lambda: cancel_other(0)),
        ]
        self.clock.advance(1)
        self.assertEqual(len(self.called), 1)

    def test_it_may_be_armed_again_from_within(self) -> None:
        def again() -> None:
            self.called.append(self.clock.seconds())
            self.timers.callLater(2, again)

        self.timers.callLater(2, again)
        self.clock.pump([1] * 7)
        self.assertEqual(self.called, [2, 4, 6])

    def test_one_without_delay_is_called_in_the_next_turn(self) -> None:
        self.later(0)
        self.assertEqual(self.called, [])
        self.clock.advance(0)
        self.assertEqual(self.called, [0])

    def test_an_error_is_logged_and_keeps_no_other_from_being_called(self) -> None:
        for error in (ZeroDivisionError, SystemExit, KeyboardInterrupt):
            with self.subTest(error=error):
                self.called.clear()

                def fail(error: type[BaseException] = error) -> None:
                    raise error

                self.timers.callLater(1, fail)
                self.later(1, "same")
                self.later(2, "later")
                self.clock.pump([1, 1, 1])
                self.assertEqual(sorted(self.called), ["later", "same"])
                self.assertEqual(len(self.flushLoggedErrors(error)), 1)

    def test_the_clock_has_one_call_for_many(self) -> None:
        for seconds in range(100, 0, -1):
            self.later(seconds)
        self.assertEqual([call.getTime() for call in self.clock.getDelayedCalls()], [1])

    def test_the_clock_has_no_call_when_all_are_cancelled(self) -> None:
        for count in (1, 2, FEW, 3 * FEW):
            timers = [self.later(seconds) for seconds in range(1, count + 1)]
            for timer in timers:
                timer.cancel()
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_clock_has_no_call_when_some_were_called_and_the_others_cancelled(self) -> None:
        for cancelled_first in (True, False):
            timers = [self.later(seconds) for seconds in range(1, 11)]
            if cancelled_first:
                for timer in timers[5:]:
                    timer.cancel()
            self.clock.advance(5)
            if not cancelled_first:
                for timer in timers[5:]:
                    timer.cancel()
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_those_that_are_cancelled_do_not_pile_up(self) -> None:
        self.later(1000)
        before = timers_in_memory()
        for _ in range(20 * FEW):
            self.later(100).cancel()
        self.assertLess(timers_in_memory() - before, 2 * FEW)

    def test_what_one_would_have_called_is_let_go_at_once(self) -> None:
        class Thing:
            def called(self) -> None:
                """Do nothing."""

        enabled = gc.isenabled()
        gc.disable()
        try:
            thing = Thing()
            gone = weakref.ref(thing)
            self.later(1000)
            timer = self.timers.callLater(1, thing.called)
            timer.cancel()
            fired = self.timers.callLater(1, thing.called)
            self.clock.advance(1)
            del thing
            self.assertEqual((gone(), fired.active()), (None, False))
        finally:
            if enabled:
                gc.enable()

    def test_a_deferred_s_timeout_works_with_it(self) -> None:
        late: Deferred[None] = Deferred()
        late.addTimeout(5, self.timers)  # type: ignore[arg-type]
        in_time: Deferred[None] = Deferred()
        in_time.addTimeout(5, self.timers)  # type: ignore[arg-type]
        in_time.callback(None)
        self.assertNoResult(late)
        self.clock.advance(5)
        self.failureResultOf(late, DeferredTimeout)
        self.successResultOf(in_time)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class RoundingTests(SynchronousTestCase):
    """Sums of floats are not exact: a clock may be a little too early for what it was told to do."""

    def test_a_timer_is_called_though_the_clock_is_a_rounding_error_before_it(self) -> None:
        clock = Clock()
        timers = Timers(clock)
        calls: list[float] = []
        clock.advance(0.20374028446252357)
        timers.callLater(0.7312778994837473, lambda: calls.append(clock.seconds()))
        clock.rightNow = now = 0.2566318115068485
        timers.callLater(0, lambda: None)
        clock.advance(0)  # from now on, the clock is to wake for the first one
        due = 0.9350181839462709
        wake = now + (due - now)
        self.assertLess(wake, due)
        clock.rightNow = wake
        clock.advance(0)
        self.assertEqual(calls, [wake])
