"""A stream's timers: one at a time, for what the stream is waiting for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from hunchensocket_tx.settings import Settings

__all__ = ["Vigil", "Watched"]


class Watched(Protocol):
    """What a vigil asks of a stream."""

    def is_listening(self) -> bool:
        """Tell whether bytes of the peer would be noticed now."""

    def is_busy(self) -> bool:
        """Tell whether the peer may be waiting for us."""

    def read_ahead(self) -> None:
        """Read, though what is read cannot be handled yet, so that signs of life are seen."""

    def send_keepalive_ping(self) -> None:
        """Ask the peer for a sign of life."""

    def give_up(self, reason: str) -> None:
        """Close, as the peer shows none."""


class Vigil:
    """Watches over one stream: the opening handshake, then signs of life, then the closing handshake.

    It sets a timer seldom and looks, when that fires, how long it has been quiet; bytes only leave their time.

    :param pings: whether the protocol version has pings.

    :ivar last_received: when the last byte came, in the clock's seconds.
    :ivar last_sent: when the last bytes were given to a transport that takes them.
    :ivar minds_sending: whether that has to be told.
    """

    __slots__ = (
        "_clock",
        "_pings",
        "_settings",
        "_timer",
        "_watched",
        "last_received",
        "last_sent",
        "minds_sending",
    )

    def __init__(self, clock: IReactorTime, settings: Settings, pings: bool, watched: Watched) -> None:
        self._clock = clock
        self._settings = settings
        self._pings = pings and settings.ping_interval > 0
        self._watched = watched
        self.minds_sending = not self._pings
        self._timer: IDelayedCall | None = None
        self.last_received = self.last_sent = clock.seconds()

    def now(self) -> float:
        """Return the clock's seconds."""
        return self._clock.seconds()

    def wait(self, seconds: float, then: Callable[[], None]) -> None:
        """Watch for one thing: call a function when the time is over, instead of all that was watched for."""
        self.stop()
        self._timer = self._clock.callLater(seconds, then)

    def stop(self) -> None:
        """Watch no more."""
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def end(self) -> None:
        """Watch no more, and let go of what was watched."""
        self.stop()
        del self._watched

    def watch_life(self) -> None:
        """Watch for signs of life, with pings where the version has them."""
        self.stop()
        if self._pings:
            self._watch_interval()
        elif self._settings.websocket_timeout:
            self._watch_idleness()

    def _watch_interval(self) -> None:
        interval = self._settings.ping_interval
        quiet = self.now() - self.last_received
        if not self._watched.is_listening():
            quiet = 0.0
            self._watched.read_ahead()
        if quiet < interval:
            self.wait(interval - quiet, self._watch_interval)
            return
        self._watched.send_keepalive_ping()
        if self._settings.ping_timeout:
            self._wait_for_answer(self.now())
        else:
            self.wait(interval, self._watch_interval)

    def _wait_for_answer(self, pinged: float) -> None:
        """Look for the answer to a ping no later than at the next interval, and at the end of the timeout."""
        timeout = self._settings.ping_timeout
        left = pinged + timeout - self.now()
        if pinged != self.now() and (self.last_received >= pinged or not self._watched.is_listening()):
            self._watch_interval()
        elif left > 0:
            self.wait(min(left, self._settings.ping_interval), lambda: self._wait_for_answer(pinged))
        else:
            self._watched.give_up(f"no byte came within {timeout:g} seconds of a ping")

    def _watch_idleness(self) -> None:
        limit = self._settings.websocket_timeout
        quiet = self.now() - max(self.last_received, self.last_sent)
        if self._watched.is_busy():
            quiet = 0.0
            self._watched.read_ahead()
        if quiet < limit:
            self.wait(limit - quiet, self._watch_idleness)
        else:
            self._watched.give_up(f"no byte was sent for {limit:g} seconds")
