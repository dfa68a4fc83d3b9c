"""One connection: a codec between a transport and an application, with its states, timers and buffers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import interfaces
from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from hunchensocket_tx.errors import ConnectionClosed
from hunchensocket_tx.intake import Pending, ignore
from hunchensocket_tx.pings import Pings
from hunchensocket_tx.sender import Owner, Sender, State
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
    Ping,
    Pong,
    Reply,
    size_of,
)

__all__ = ["Connection"]

CONTROL_PERIOD = 1.0  # seconds for which the setting ``max_control_frames`` counts
UNCLEAN = CloseReason(1006, "the peer ended TCP without a closing handshake", False)


@implementer(interfaces.IProtocol, interfaces.IHalfCloseableProtocol)
class Connection(Sender):
    """What a transport sees of a WebSocket. Applications see :class:`WebSocketStream`.

    :param codec: the protocol state.
    :param settings: limits and timers.
    :param clock: where timers run.

    :ivar owner: told when it ends, before others are.
    """

    _log = Logger()
    __slots__ = ("__weakref__", "_control_period_end", "_opened", "_patience", "_peer", "_reading", "owner")

    # What has to be set in the life of few streams, or at its end:
    _all_sent = False  # what we had to say is out of our hands
    _bounded = False  # the time is, that a handler has after the peer's end
    _closed_waiters: list[Deferred[CloseReason]] | None = None
    _end: CloseReason | None = None
    _host: Any = None
    _input_ended = False
    _leaving = False  # as soon as all is sent
    _pings: Pings | None = None
    _reading_ahead = False  # of a handler that has been busy for long
    _reads_ahead = False  # of a handler that is busy at all
    _refilling = False

    def __init__(self, codec: Codec, settings: Settings, clock: interfaces.IReactorTime) -> None:
        super().__init__(codec, settings, clock)
        self.owner: Owner | None = None
        self._vigil = Vigil(clock, settings, codec.has_control_frames, self)
        self._opened: Callable[[], Deferred[Any] | None] | None = None
        self._reading = True
        self._patience = settings.max_message_size  # bytes to read ahead of a busy handler, for an answer
        self._control_period_end = 0.0
        self._peer: Any = None

    def attach(
        self, opened: Callable[[], Pending] | None, deliver: Callable[[Any], Pending], ahead: bool = False
    ) -> None:
        """Set whom to tell that the WebSocket is open, and whom to give its messages.

        Each is called in order, one at a time; if it returns a Deferred, which must not fail, reading pauses
        until that fires, or goes on ``ahead`` to some bound.
        """
        if ahead:
            self._reads_ahead = True
        self._opened = opened
        self._deliver = deliver

    # What the transport calls

    def makeConnection(self, transport: interfaces.ITransport) -> None:
        """Start on a transport (IProtocol); the opening handshake's head is written to it already or next."""
        self._transport = transport
        self._peer = self._peer or transport.getPeer()
        if not hasattr(transport, "offer"):  # Twisted's tell a producer only, and forget who they are in the end
            self._control_outflow()
            self._host = transport.getHost()
        if not self._codec.opens_at_once:
            self._vigil.wait(self._settings.handshake_timeout, self._handshake_timed_out)

    def connectionMade(self) -> None:
        """Nothing more (IProtocol)."""

    def dataReceived(self, data: bytes) -> None:
        """Take what arrived (IProtocol)."""
        self.bytes_received += len(data)
        now = self._vigil.last_received = self._clock.seconds()
        if now >= self._control_period_end:
            self._control_period_end = now + CONTROL_PERIOD
            self._codec.control_budget = self._settings.max_control_frames
        if self._calm and not self._running:
            events = self._codec.receive(data)
            self._calm = not self._codec.has_more
            events.reverse()
            self._events = events
            self._go_on()
            if self._events is not None:
                self._keep_waiting()
        else:
            self._take(data)

    def _take(self, data: bytes) -> None:
        events = self._codec.receive(data)
        if self._events is not None or self._busy:
            events = self._handle_at_once(events)
            self._patience -= max(len(data), sum(map(size_of, events)))
        self._take_in(events)
        if self._events is not None:
            self._keep_waiting()

    def _keep_waiting(self) -> None:
        """Look at what has to wait for a handler that takes its time: pings are not to wait, nor is the end."""
        waiting, self._events = self._events, None
        if waiting is not None:
            waiting.reverse()
            self._take_in(self._handle_at_once(waiting))
        if self._state is State.CLOSING or self._reads_ahead:
            self._hasten_end()
        elif self._has_end and not self._bounded:
            self._bounded = True  # the peer will not wait for ever for a busy handler's last words
            self._vigil.wait(self._settings.closing_timeout, self._hasten_end)

    def _handle_at_once(self, events: list[Event]) -> list[Event]:
        """Handle pings and pongs, also if a handler is busy, which may be waiting for them; return the others."""
        others: list[Event] = []
        for event in events:
            if isinstance(event, Pong):
                self._handle_event(event)
            elif isinstance(event, Ping):
                if others and isinstance(others[-1], Reply):
                    self._reply(others.pop())
            else:
                others.append(event)
        return others

    def readConnectionLost(self) -> None:
        """The peer will send nothing more; what it sent is handled and answered yet (IHalfCloseableProtocol)."""
        self._input_ended = True
        self._calm = False
        self._go_on()
        if not self._is_idle and (self._reads_ahead or (self._leaving and self._is_released)):
            self._hasten_end()  # nobody is at work, or can say anything; what came is delivered nevertheless
            self._drop(UNCLEAN)
        elif not self._is_idle and not self._bounded and self._settings.websocket_timeout:
            self._bounded = True
            self._vigil.wait(self._settings.websocket_timeout, self.abort)

    def writeConnectionLost(self) -> None:
        """Our side is closed, as wanted (IHalfCloseableProtocol)."""
        self._all_sent = True

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The transport is gone (IProtocol). Messages that came before are delivered nevertheless."""
        if self._state is State.CLOSED:
            return
        end, _ = self._take_end()
        code, words = (end.code, end.reason) if end is not None else (1006, reason.getErrorMessage())
        self._end = self._end or CloseReason(code, words, False)
        self._state = State.CLOSED
        self._input_ended = True
        self._calm = False
        self._vigil.end()
        self._let_go()
        if self._outflow is not None:
            self._outflow.end()
        self._paused = self._blocked = False
        self._go_on()
        owner, self.owner = self.owner, None
        if owner is not None:
            owner.stream_ended(self, self._end)
        waiters, self._closed_waiters = self._closed_waiters, None
        for waiter in waiters or ():
            if not waiter.called:  # another one may have cancelled it
                waiter.callback(self._end)

    def _outflow_changed(self) -> None:
        """Handle no messages, which might be answered, until what was sent is on its way.

        But at a client do: two ends that both wait for the other to read would wait for ever.
        """
        self._blocked = self._is_full and self._state is State.OPEN and not self._codec.is_client
        self._calm = False
        self._vigil.last_sent = self._vigil.now()
        if self._state is State.CLOSING:
            self._vigil.wait(self._settings.closing_timeout, self._closing_timed_out)  # something was taken
            if self._leaving and self._is_released:
                self._leave()
        self._go_on()

    def _outflow_stuck(self) -> None:
        """Drop a peer that takes nothing; a Close frame would not reach it either."""
        self._end = CloseReason(1013, f"the peer took nothing for {self._settings.send_timeout:g} seconds", False)
        self._log.info("{stream}: {reason}", stream=self, reason=self._end.reason)
        self.abort()

    # Receiving

    def _handle_event(self, event: Event) -> Deferred[Any] | None:
        if isinstance(event, Reply):
            self._reply(event)
        elif isinstance(event, Opened):
            self._state = State.OPEN
            self._vigil.watch_life()
            opened, self._opened = self._opened, None
            return opened() if opened is not None else None
        elif isinstance(event, Pong):
            if self._pings is not None:
                self._pings.answer(event.payload)
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
        if self._codec.has_more:
            self._refill()
        if self._is_idle:
            self._patience = self._settings.max_message_size
            if self._reading_ahead:
                self._reading_ahead = False
            if self._input_ended:
                self._finish_input()
            if self._state is State.CLOSED:
                self.attach(None, ignore)  # who handles messages knows us, too
        self._update_reading()

    def _refill(self) -> None:
        """Have the codec make more of what it has got already."""
        self._refilling = True
        try:
            while self._is_idle and self._codec.has_more:
                self._take(b"")
        finally:
            self._refilling = False

    def _update_reading(self) -> None:
        """Read if what is read can be handled; or ahead, to some bound, for the peer's Ping, Pong or end in it."""
        pinging = self._pings is not None and self._pings.are_waiting
        ahead = self._state is State.CLOSING or pinging or self._reading_ahead or self._reads_ahead
        patient = ahead and self._patience > 0 and not self._codec.has_more
        held = self._paused or self._busy or self._blocked
        wanted = patient or not held
        usual = self._state is State.OPEN and self._patience == self._settings.max_message_size
        self._calm = usual and not (held or self._input_ended or self._reading_ahead or self._codec.has_more)
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
            self._drop(UNCLEAN)
        if self._no_more is None:
            self._end_intake(self._connection_closed())

    # Ending

    def abort(self) -> None:
        """Drop the connection at once, with whatever is still to be sent."""
        if self._state is not State.CLOSED:
            self._state = State.CLOSING
            self._drop_events()
            self._let_go()
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
        self._blocked = False
        self._go_on()

    def _hasten_end(self) -> None:
        """Complete the closing handshake at once if the peer has closed, though a handler is busy yet."""
        end, answer = self._take_end()
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
        self._let_go()
        if not self._leaving:
            self._vigil.wait(self._settings.closing_timeout, self._closing_timed_out)
            self._leaving = True
        if self._is_released:
            self._leave()

    def _leave(self) -> None:
        if self._input_ended:
            self._transport.loseConnection()
        elif self._codec.is_client and self._end is not None and self._end.clean:
            # The server closes first (RFC 6455 section 7.1.1).
            self._all_sent = not interfaces.ISSLTransport.providedBy(self._transport)
        else:
            half_close(self._transport)

    def _closing_timed_out(self) -> None:
        """Wait no longer: let the kernel send what it has if it has got all, else drop the connection."""
        self._transport.loseConnection() if self._all_sent else self.abort()

    def _let_go(self, error: ConnectionClosed | None = None) -> None:
        """Tell those who wait for something of this connection that it will not come."""
        if self._outflow is not None:
            self._outflow.close(error or self._connection_closed())
        if self._pings is not None:
            self._pings.close(error or self._connection_closed())

    def _forget_waiter(self, waiter: Deferred[CloseReason]) -> None:
        if self._closed_waiters is not None and waiter in self._closed_waiters:
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
        return self._reading and not self._is_full

    def is_busy(self) -> bool:
        """Tell whether the peer may be waiting for us, as what it sent cannot be handled yet."""
        return self._busy or self._paused or self._blocked

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
