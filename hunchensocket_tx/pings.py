"""Pings that are under way, and who waits for their answers."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from hunchensocket_tx.errors import ConnectionClosed

__all__ = ["Pings"]


class Pings:
    """The pings of one stream, in the order in which they were sent.

    An answer counts for the earlier ones, too, as a peer may answer the latest alone (RFC 6455 section 5.5.3).
    """

    __slots__ = ("_clock", "_count", "_waiting")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._count = 0
        self._waiting: dict[bytes, tuple[float, Deferred[float]]] = {}

    def prepare(self) -> tuple[bytes, Deferred[float]]:
        """Return the payload of a new ping, and a Deferred of the seconds until its answer."""
        self._count += 1
        payload = self._count.to_bytes(4, "big")

        def forget(_: object) -> None:
            self._waiting.pop(payload, None)

        answered: Deferred[float] = Deferred(forget)
        self._waiting[payload] = self._clock.seconds(), answered
        return payload, answered

    @property
    def are_waiting(self) -> bool:
        """Whether an answer is outstanding."""
        return bool(self._waiting)

    def answer(self, payload: bytes) -> None:
        """Take a pong; one that nobody waits for is ignored."""
        if payload not in self._waiting:
            return
        now = self._clock.seconds()
        for sent in tuple(self._waiting):
            waiting = self._waiting.pop(sent, None)  # who is answered may have cancelled another
            if waiting is not None:
                started, answered = waiting
                answered.callback(now - started)
            if sent == payload:
                return

    def close(self, error: ConnectionClosed) -> None:
        """Fail all who wait."""
        while self._waiting:
            _, answered = self._waiting.pop(next(iter(self._waiting)))
            answered.errback(error)
