"""TalliedStream: a server's WebSocket, which tells a tally what happens to it seldom, and counts the rest."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, Literal

from twisted.internet.defer import Deferred

from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.tally import Tally
from hunchensocket_tx.wire.events import Event, Opened, Pong

__all__ = ["TalliedStream"]


class TalliedStream(WebSocketStream):
    """A stream that is counted, and whose peer may not send more than ``max_message_rate``.

    :ivar tally: where it is counted.

    The others are those of :class:`~hunchensocket_tx.tally.Counted`.
    """

    __slots__ = ("_allowance", "_allowed_at", "_pinged", "counted_as", "number", "started", "tally")

    def __init__(
        self,
        *arguments: Any,
        tally: Tally,
        counted_as: str | None,
        started: float,
        **others: Any,
    ) -> None:
        super().__init__(*arguments, **others)
        self.tally = tally
        self.counted_as = counted_as
        self.started = started
        self.number = 0
        self._pinged: float | None = None  # when a keepalive ping was sent that is not answered yet
        self._allowance = self._burst
        self._allowed_at = started

    @property
    def client(self) -> str | None:
        """The client's IP address, as told by a trusted proxy if there is one; None on unix sockets."""
        return getattr(self.peer, "host", None)

    @property
    def send_buffer(self) -> int:
        """Bytes that wait for the transport to take them."""
        return (self._outflow.held if self._outflow is not None else 0) + self._postponed_size

    def attach(
        self,
        opened: Callable[[], Deferred[Any] | None] | None,
        deliver: Callable[[Any], Deferred[Any] | None],
        ahead: bool = False,
    ) -> None:
        """Set whom to tell of what; see :meth:`Connection.attach`."""
        if opened is not None and self._settings.max_message_rate:
            limited = deliver

            def deliver(message: Any) -> Deferred[Any] | None:
                return limited(message) if self._is_allowed() else None

        super().attach(opened, deliver, ahead)

    # What is counted

    def _handle_event(self, event: Event) -> Deferred[Any] | None:
        if isinstance(event, Opened):
            self.tally.opened(self, self._clock.seconds())
        elif isinstance(event, Pong) and self._pinged is not None:
            self.tally.ping_seconds.add(self._clock.seconds() - self._pinged)
            self._pinged = None
        return super()._handle_event(event)

    def send_keepalive_ping(self) -> None:
        """Ask the peer for a sign of life."""
        self._pinged = self._clock.seconds()
        super().send_keepalive_ping()

    def ping(self) -> Deferred[float]:
        """Ask the peer for a sign of life; see :meth:`WebSocketStream.ping`."""
        answered = super().ping()
        self._pinged = self._clock.seconds()
        return answered

    def can_send(self, slow_peers: Literal["close", "drop", "wait"]) -> bool:
        """Tell whether a message may be sent now; see :meth:`WebSocketStream.can_send`."""
        was_open = self.is_open
        taken = super().can_send(slow_peers)
        if was_open and not taken:
            self.tally.slow[slow_peers] += 1
        return taken

    def _outflow_stuck(self) -> None:
        self.tally.slow["stuck"] += 1
        super()._outflow_stuck()

    # The rate of messages

    @property
    def _burst(self) -> float:
        """Messages that may come at once: as many as in a second."""
        return max(1.0, self._settings.max_message_rate)

    def _is_allowed(self) -> bool:
        """Tell whether a message may come now; if not, close with 1008 (RFC 6455 section 7.4.1)."""
        rate = self._settings.max_message_rate
        now = self._clock.seconds()
        self._allowance = min(self._burst, self._allowance + (now - self._allowed_at) * rate)
        self._allowed_at = now
        if self._allowance >= 1:
            self._allowance -= 1
            return True
        if self.is_open:
            self._allowance = -inf  # whatever comes until it is closed
            self.tally.refused[1008, "max_message_rate"] += 1
            reason = f"over {rate:g} messages in a second"
            self._log.info("{stream} sends too much: {reason}", stream=self, reason=reason)
            self.close(1008, reason)
        return False
