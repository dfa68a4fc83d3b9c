"""Timers for many connections on one of the reactor's: nearly every connection has one, and hardly any fires."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

__all__ = ["Timer", "Timers"]

FEW = 64
"""Cancelled timers that are not worth being looked for."""


class Timer:
    """A call that is to be made; of IDelayedCall, it has what connections need."""

    __slots__ = ("_call", "_timers", "due")

    def __init__(self, timers: Timers, due: float, call: Callable[[], Any]) -> None:
        self._timers = timers
        self._call: Callable[[], Any] | None = call
        self.due = due

    def __lt__(self, other: Timer) -> bool:
        return self.due < other.due

    def active(self) -> bool:
        """Tell whether the call is still to be made."""
        return self._call is not None

    def cancel(self) -> None:
        """Do not make the call; it must be active."""
        self._call = None
        self._timers.cancelled()

    def fire(self) -> None:
        """Make the call, if it was not cancelled."""
        call, self._call = self._call, None
        if call is not None:
            call()


class Timers:
    """A clock whose ``callLater`` is lighter than that of the one it runs on.

    :param clock: usually the reactor.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self.seconds = clock.seconds
        self._clock = clock
        self._heap: list[Timer] = []
        self._cancelled = 0  # of those in the heap
        self._wake: IDelayedCall | None = None
        self._waking = 0.0  # when that is to be

    def callLater(self, delay: float, call: Callable[[], Any]) -> Timer:
        """Call a function after some seconds (as IReactorTime)."""
        timer = Timer(self, self.seconds() + delay, call)
        heappush(self._heap, timer)
        if self._heap[0] is timer:
            self._set_wake()
        return timer

    def cancelled(self) -> None:
        """Forget cancelled timers, now and then; when all are, no call of the clock's is left over."""
        self._cancelled += 1
        if self._cancelled == len(self._heap) or self._cancelled > max(FEW, len(self._heap) // 4):
            self._heap = [timer for timer in self._heap if timer.active()]
            heapify(self._heap)
            self._cancelled = 0
            self._set_wake()

    def _set_wake(self) -> None:
        """Be called when the first timer is due."""
        wake, self._wake = self._wake, None
        if wake is not None and wake.active():
            wake.cancel()
        while self._heap and not self._heap[0].active():
            heappop(self._heap)
            self._cancelled -= 1
        if self._heap:
            self._waking = self._heap[0].due
            self._wake = self._clock.callLater(max(0, self._waking - self.seconds()), self._fire)

    def _fire(self) -> None:
        now = max(self.seconds(), self._waking)  # the clock may be a rounding error too early
        while self._heap and self._heap[0].due <= now:
            timer = heappop(self._heap)
            self._cancelled -= not timer.active()
            try:
                timer.fire()
            except BaseException:  # as the reactor does: it must not keep the others from being called
                self._log.failure("a timer's call failed")
        self._set_wake()
