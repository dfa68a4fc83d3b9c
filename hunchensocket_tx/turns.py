"""Turns: who may do something now, of those who must not do it at once."""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred, succeed

__all__ = ["Turn"]


class Turn:
    """A lock that is handed on in a loop.

    A DeferredLock calls the next one within ``release``; if that one is done at once, as with an error, the next
    is called within that, and a hundred of them exceed Python's stack: then the lock is never released.

    It is an asynchronous context.
    """

    def __init__(self) -> None:
        self._taken = False
        self._handing_on = False
        self._waiting: deque[Deferred[None]] = deque()

    def __aenter__(self) -> Deferred[None]:
        """Return a Deferred that fires when it is our turn; cancelling it gives the place up."""
        if not self._taken:
            self._taken = True
            return succeed(None)
        place: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(place)
        return place

    def __aexit__(self, *_: object) -> Deferred[None]:
        """Hand it on."""
        self._taken = False
        if not self._handing_on:
            self._hand_on()
        return succeed(None)

    def _hand_on(self) -> None:
        self._handing_on = True
        try:
            while self._waiting and not self._taken:
                self._taken = True
                self._waiting.popleft().callback(None)
        finally:
            self._handing_on = False
