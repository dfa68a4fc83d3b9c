"""One connection: a codec between a transport and an application, with its states, timers and buffers."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IReactorTime, ITransport
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from hunchensocket_tx.errors import ConnectionClosed
from hunchensocket_tx.intake import Intake
from hunchensocket_tx.outflow import Outflow
from hunchensocket_tx.pings import Pings
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.takeover import half_close
from hunchensocket_tx.vigil import Vigil
from hunchensocket_tx.wire.events import (
    Closed,
    CloseReason,
    Codec,
    Event,
    Failed,
    Opened,
    Piece,
    Ping,
    Pong,
    Reply,
)

__all__ = ["Connection", "State"]

CONTROL_PERIOD = 1.0
"""Seconds for which the setting ``max_control_frames`` counts."""


class State(Enum):
    """The life of a connection, in order."""

    CONNECTING = "the opening handshake is not complete"
    OPEN = "messages may be sent"
    CLOSING = "the closing handshake has begun"
    CLOSED = "the transport is gone"


def _size(event: Event) -> int:
    """Return the bytes that an event takes, about."""
    data = event.data if isinstance(event, (Piece, Reply)) else event
    return len(data) if isinstance(data, (str, bytes)) else 0


@implementer(IProtocol, IHalfCloseableProtocol)
class Connection:
    """What a transport sees of a WebSocket. Applications see :class:`WebSocketStream`.

    :param codec: the protocol state.
    :param settings: limits and timers.
    :param clock: where timers run.

    :ivar bytes_sent: how many, behind the head of the opening handshake.
    """

    _log = Logger()

    def __init__(self, codec: Codec, settings: Settings, clock: IReactorTime) -> None:
        self.bytes_sent = 0
        self._codec = codec
        self._settings = settings
        self._clock = clock
        self._state = State.CONNECTING
        self._end: CloseReason | None = None
        self._closed_waiters: list[Deferred[CloseReason]] = []
        self._opened: Callable[[], Deferred[Any] | None] = lambda: None
        self._intake = Intake(self._handle, self._rested)
        self._pings = Pings(clock)
        self._vigil = Vigil(clock, settings, codec.has_control_frames, self)
        self._reading = True
        self._input_ended = False
        self._all_sent = False  # what we had to say is out of our hands
        self._leaving = False  # as soon as it is
        self._bounded = False  # the time is, that a handler has after the peer's end
        self._refilling = False
        self._reading_ahead = False  # of a handler that has been busy for long
        self._patience = settings.max_message_size  # bytes to read ahead of a busy handler, for an answer
        self._control_period_end = 0.0
        self._transport: Any = None
        self._outflow: Outflow
        self._peer: Any = None
        self._host: Any = None

    def attach(
        self, opened: Callable[[], Deferred[Any] | None], deliver: Callable[[Any], Deferred[Any] | None]
    ) -> None:
        """Set whom to tell that the WebSocket is open, and whom to give its messages.

        Each is called in order, one at a time; if it returns a Deferred, which must not fail, reading pauses
        until that fires.
        """
        self._opened = opened
        self._intake.deliver = deliver

    # What the transport calls

    def makeConnection(self, transport: ITransport) -> None:
        """Start on a transport (IProtocol); the opening handshake's head is written to it already or next."""
        self._transport = transport
        self._peer = transport.getPeer()
        self._host = transport.getHost()
        self._outflow = Outflow(
            transport, self._clock, self._settings.send_timeout, self._outflow_changed, self._outflow_stuck
        )
        self._vigil.wait(self._settings.handshake_timeout, self._handshake_timed_out)

    def connectionMade(self) -> None:
        """Nothing more than ``makeConnection`` does (IProtocol)."""

    def dataReceived(self, data: bytes) -> None:
        """Take what arrived (IProtocol)."""
        now = self._vigil.last_received = self._vigil.now()
        if now >= self._control_period_end:
            self._control_period_end = now + CONTROL_PERIOD
            self._codec.control_budget = self._settings.max_control_frames
        self._take(data)

    def _take(self, data: bytes) -> None:
        waiting = not self._intake.is_done
        events = self._handle_at_once(self._codec.receive(data))
        if waiting:
            self._patience -= max(len(data), sum(map(_size, events)))
        self._intake.add(events)
        if self._state is State.CLOSING:
            self._hasten_end()
        elif self._intake.has_end and not self._intake.is_done and not self._bounded:
            self._bounded = True  # the peer will not wait for ever for a busy handler's last words
            self._vigil.wait(self._settings.closing_timeout, self._hasten_end)

    def _handle_at_once(self, events: list[Event]) -> list[Event]:
        """Handle pings and pongs, also if a handler is busy, which may be waiting for them; return the others."""
        others: list[Event] = []
        for event in events:
            if isinstance(event, Pong):
                self._pings.answer(event.payload)
            elif isinstance(event, Ping):
                if others and isinstance(others[-1], Reply):
                    self._reply(others.pop())
            else:
                others.append(event)
        return others

    def readConnectionLost(self) -> None:
        """The peer will send nothing more; what it sent is handled and answered yet (IHalfCloseableProtocol)."""
        self._input_ended = True
        self._intake.run()
        if not self._intake.is_done and not self._bounded and self._settings.websocket_timeout:
            self._bounded = True
            self._vigil.wait(self._settings.websocket_timeout, self.abort)

    def writeConnectionLost(self) -> None:
        """Our side is closed, as we wanted (IHalfCloseableProtocol)."""
        self._all_sent = True

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The transport is gone (IProtocol). Messages that came before are delivered nevertheless."""
        if self._end is None:
            end, _ = self._intake.take_end()
            code, words = (end.code, end.reason) if end is not None else (1006, reason.getErrorMessage())
            self._end = CloseReason(code, words, False)
        self._state = State.CLOSED
        self._input_ended = True
        self._vigil.stop()
        self._let_go(self._connection_closed())
        self._intake.paused = self._intake.blocked = False
        self._intake.run()
        waiters, self._closed_waiters = self._closed_waiters, []
        for waiter in waiters:
            if not waiter.called:  # another one may have cancelled it
                waiter.callback(self._end)

    # Sending

    def _write(self, data: bytes) -> None:
        self.bytes_sent += len(data)
        if not self._outflow.full:
            self._vigil.last_sent = self._vigil.now()
        self._outflow.write(data)

    def _outflow_changed(self) -> None:
        """Handle no messages, which might be answered, until what was sent is on its way."""
        self._intake.blocked = self._outflow.full and self._state is State.OPEN
        self._vigil.last_sent = self._vigil.now()
        if self._state is State.CLOSING:
            self._vigil.wait(self._settings.closing_timeout, self._closing_timed_out)  # something was taken
            if self._leaving and self._outflow.released:
                self._leave()
        self._intake.run()

    def _outflow_stuck(self) -> None:
        """Drop a peer that takes nothing; a Close frame would not reach it either."""
        self._end = CloseReason(1013, f"the peer took nothing for {self._settings.send_timeout:g} seconds", False)
        self._log.info("{stream}: {reason}", stream=self, reason=self._end.reason)
        self.abort()

    # Receiving

    def _handle(self, event: Event) -> Deferred[Any] | None:
        if isinstance(event, Reply):
            self._reply(event)
        elif isinstance(event, Opened):
            self._state = State.OPEN
            self._vigil.watch_life()
            return self._opened()
        elif isinstance(event, Closed):
            self._drop(CloseReason(event.code, event.reason, True))
            self._finish_input()
        elif isinstance(event, Failed):
            self._log.info("{stream} failed: {code} {reason}", stream=self, code=event.code, reason=event.reason)
            self._write(self._codec.close(event.code, event.reason))
            self._drop(CloseReason(event.code, event.reason, False))
            self._finish_input()
        return None

    def _reply(self, event: Event) -> None:
        if isinstance(event, Reply) and self._state is not State.CLOSING:  # nothing follows our Close
            self._write(event.data)

    def _rested(self) -> None:
        if self._refilling:
            return
        self._refilling = True
        try:
            while self._intake.is_done and self._codec.has_more:
                self._take(b"")
        finally:
            self._refilling = False
        if self._intake.is_done:
            self._patience = self._settings.max_message_size
            self._reading_ahead = False
            if self._input_ended:
                self._finish_input()
        self._update_reading()

    def _update_reading(self) -> None:
        """Read if what is read can be handled; or ahead, to some bound, for the peer's Ping, Pong or end in it."""
        ahead = self._state is State.CLOSING or self._pings.are_waiting or self._reading_ahead
        patient = ahead and self._patience > 0 and not self._codec.has_more
        wanted = patient or not (self._intake.paused or self._intake.busy or self._intake.blocked)
        if wanted == self._reading or self._state is State.CLOSED or self._transport is None:
            return
        self._reading = wanted
        if wanted:
            self._vigil.last_received = self._vigil.now()
            self._transport.resumeProducing()
        else:
            self._transport.pauseProducing()

    def _finish_input(self) -> None:
        """No message will come any more."""
        if self._input_ended and self._state is not State.CLOSED:
            if self._state is State.OPEN:
                self._write(self._codec.close(1000, ""))
            self._drop(CloseReason(1006, "the peer ended TCP without a closing handshake", False))
        self._intake.end(self._connection_closed())

    # Ending

    def abort(self) -> None:
        """Drop the connection at once, with whatever is still to be sent."""
        if self._state is not State.CLOSED:
            self._state = State.CLOSING
            self._intake.clear()
            self._let_go(self._connection_closed())
            self._transport.abortConnection()

    def _start_closing(self, code: int, reason: str) -> None:
        """Start the closing handshake of an open connection, and wait for the peer's answer."""
        self._write(self._codec.close(code, reason))
        self._state = State.CLOSING
        self._let_go(ConnectionClosed(code, reason, False))
        self._vigil.wait(self._settings.closing_timeout, self._closing_timed_out)
        if self._codec.has_closing_handshake:
            self._hasten_end()
        else:
            self._drop(CloseReason(1006, reason, False))
        self._intake.blocked = False
        self._intake.run()

    def _hasten_end(self) -> None:
        """Complete the closing handshake at once if the peer has closed, though a handler is busy yet."""
        end, answer = self._intake.take_end()
        if end is not None:
            if answer is not None:
                self._write(answer.data)
            self._drop(CloseReason(end.code, end.reason, True))

    def _drop(self, end: CloseReason) -> None:
        """Leave the transport once all is sent, or when nothing was taken for the closing timeout.

        Our side closes first and reading goes on, since closing with unread input would make the kernel reset
        the connection, and the peer would lose what it has not read yet.
        """
        if self._state is State.CLOSED:
            return
        self._state = State.CLOSING
        self._end = self._end or end
        self._let_go(self._connection_closed())
        self._vigil.wait(self._settings.closing_timeout, self._closing_timed_out)
        self._leaving = True
        if self._outflow.released:
            self._leave()

    def _leave(self) -> None:
        if self._input_ended:
            self._transport.loseConnection()
        else:
            half_close(self._transport)

    def _closing_timed_out(self) -> None:
        """Wait no longer: let the kernel send what it has if it has got all, else drop the connection."""
        if self._all_sent:
            self._transport.loseConnection()
        else:
            self.abort()

    def _let_go(self, error: ConnectionClosed) -> None:
        """Tell those who wait for something of this connection that it will not come."""
        self._outflow.close(error)
        self._pings.close(error)

    def _forget_waiter(self, waiter: Deferred[CloseReason]) -> None:
        if waiter in self._closed_waiters:
            self._closed_waiters.remove(waiter)

    def _connection_closed(self) -> ConnectionClosed:
        end = self._end or CloseReason(1006, "", False)
        return ConnectionClosed(end.code, end.reason, end.clean)

    def _handshake_timed_out(self) -> None:
        self._log.info("{stream}: its opening handshake was not complete in time", stream=self)
        self._end = CloseReason(1006, "the opening handshake was not complete in time", False)
        self.abort()

    # What the vigil asks

    def is_listening(self) -> bool:
        """Tell whether bytes of the peer would be noticed now."""
        return self._reading and not self._outflow.full

    def is_busy(self) -> bool:
        """Tell whether the peer may be waiting for us, as what it sent cannot be handled yet."""
        return self._intake.busy or self._intake.paused or self._intake.blocked

    def read_ahead(self) -> None:
        """Read on though a handler is busy, to some bound, so that the peer's pings and its end are seen."""
        self._reading_ahead = True
        self._update_reading()

    def send_keepalive_ping(self) -> None:
        """Ask the peer for a sign of life."""
        self._write(self._codec.ping(b""))

    def give_up(self, reason: str) -> None:
        """Close, as the peer shows none."""
        self._log.info("{stream} is given up: {reason}", stream=self, reason=reason)
        self._end = CloseReason(1006, reason, False)
        self._start_closing(1001, reason)
