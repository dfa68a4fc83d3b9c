"""Answers that a client owes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from hunchensocket_tx.socketio.calling import Handler, call_all
from hunchensocket_tx.socketio.errors import AckTimeout, SocketDisconnected
from hunchensocket_tx.timers import Timer, Timers

__all__ = ["Acks", "Taker"]

Taker = Callable[[list[Any] | Exception], object]
"""Takes the values of an answer, or why there will be none: SocketDisconnected, or AckTimeout."""


class Acks:
    """The answers that one socket waits for, by the ids of the events that ask for them.

    :param clock: where timeouts run.
    """

    __slots__ = ("_clock", "_closed", "_last", "_takers", "_timers")

    def __init__(self, clock: Timers) -> None:
        self._clock = clock
        self._last = -1
        self._closed = False
        self._takers: dict[int, Taker | Deferred[Any]] = {}
        self._timers: dict[int, Timer] = {}

    def new_id(self) -> int:
        """Return the id for an event; they count from 0 (Socket.IO protocols 3 to 5)."""
        self._last += 1
        return self._last

    def take(self, ack_id: int, taker: Taker) -> None:
        """Have a function called with an answer's values, or with the reason why there are none."""
        self._take(ack_id, taker, None)

    def call(self, ack_id: int, handler: Handler, timeout: float | None) -> None:
        """Have a handler called with an answer's values as arguments.

        :param timeout: seconds after which the answer is not taken any more. With a limit, the handler's first
            argument is None, or what went wrong; without one (None), it is not called if no answer comes.
        """
        self._take(ack_id, partial(_call if timeout is None else _call_in_any_case, handler), timeout)

    def wait(self, ack_id: int, timeout: float | None) -> Deferred[Any]:
        """Return a Deferred of the first value of an answer; None if it has none.

        :param timeout: seconds after which it fails with :class:`AckTimeout`; None for never.
        :returns: it fails with :class:`SocketDisconnected` if the socket disconnects before, and may be cancelled.
        """
        answered: Deferred[Any] = Deferred(partial(self._cancelled, ack_id))
        self._take(ack_id, answered, timeout)
        return answered

    def forget(self, ack_id: int) -> Taker | Deferred[Any] | None:
        """Do not wait for an answer any more.

        :returns: who has waited for it, if somebody has.
        """
        timer = self._timers.pop(ack_id, None)
        if timer is not None and timer.active():
            timer.cancel()
        return self._takers.pop(ack_id, None)

    def answer(self, ack_id: int, values: list[Any]) -> None:
        """Hand an answer over; one that nobody waits for is ignored."""
        taker = self.forget(ack_id)
        if isinstance(taker, Deferred):
            taker.callback(values[0] if values else None)
        elif taker is not None:
            taker(values)

    def close(self) -> None:
        """Tell all who wait that the socket disconnected."""
        self._closed = True
        while self._takers:
            _fail(self.forget(next(iter(self._takers))), _disconnected())

    def _take(self, ack_id: int, taker: Taker | Deferred[Any], timeout: float | None) -> None:
        if self._closed:  # by the very event that asks, as too much waited for the client already
            _fail(taker, _disconnected())
            return
        self._takers[ack_id] = taker
        if timeout is not None:
            self._timers[ack_id] = self._clock.callLater(timeout, partial(self._expired, ack_id))

    def _expired(self, ack_id: int) -> None:
        _fail(self.forget(ack_id), AckTimeout("the client has not answered in time"))

    def _cancelled(self, ack_id: int, _: object) -> None:
        self.forget(ack_id)


def _disconnected() -> SocketDisconnected:
    return SocketDisconnected("the socket disconnected before it answered")


def _fail(taker: Taker | Deferred[Any] | None, error: Exception) -> None:
    if isinstance(taker, Deferred):
        taker.errback(error)
    elif taker is not None:
        taker(error)


def _call(handler: Handler, answer: list[Any] | Exception) -> None:
    if isinstance(answer, list):
        call_all((handler,), ("", *answer))


def _call_in_any_case(handler: Handler, answer: list[Any] | Exception) -> None:
    call_all((handler,), ("", None, *answer) if isinstance(answer, list) else ("", answer))
