"""WebSocketStream: one WebSocket, from its transport's bytes to its messages and back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IDelayedCall,
    IHalfCloseableProtocol,
    IProducer,
    IProtocol,
    IPushProducer,
    IReactorTime,
    ITransport,
)
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import Request
from zope.interface import implementer

from hunchensocket_tx.errors import ConnectionClosed
from hunchensocket_tx.inbox import Inbox
from hunchensocket_tx.outflow import Outflow
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.takeover import half_close
from hunchensocket_tx.wire.events import Closed, CloseReason, Codec, Event, Failed, Message, Opened, Reply

__all__ = ["WebSocketStream"]


class _State(Enum):
    CONNECTING = "the opening handshake is not complete"
    OPEN = "messages may be sent"
    CLOSING = "the closing handshake has begun"
    CLOSED = "the transport is gone"


@implementer(IProtocol, IHalfCloseableProtocol, IConsumer, IPushProducer)
class WebSocketStream:
    """One WebSocket. Handlers get it once it is open; ``send`` and ``close`` are what they need most.

    As a producer (``pauseProducing``, ``resumeProducing``) it is the reading side; as a consumer
    (``registerProducer``, ``write``) it takes messages to send, and pauses their producer while the
    transport's buffer is full.

    :ivar request: the twisted.web request that opened it.
    :ivar version: the protocol version, 76 or 75.
    :ivar subprotocol: the one agreed upon, or None.
    :ivar mutex: the lock for sequences of messages that others must not come between.
    :ivar secure: whether the client's side of the connection is TLS, also if a trusted proxy ended it.
    """

    _log = Logger()

    def __init__(
        self,
        codec: Codec,
        settings: Settings,
        clock: IReactorTime,
        *,
        request: Request | None = None,
        subprotocol: str | None = None,
        secure: bool = False,
    ) -> None:
        self.request = request
        self.version = codec.version
        self.subprotocol = subprotocol
        self.secure = secure
        self.bytes_sent = 0
        self.mutex = DeferredLock()
        self._codec = codec
        self._settings = settings
        self._clock = clock
        self._state = _State.CONNECTING
        self._end: CloseReason | None = None
        self._closed_waiters: list[Deferred[CloseReason]] = []
        self._events: deque[Event] = deque()
        self._opened: Callable[[], Deferred[Any] | None] = lambda: None
        self._deliver: Callable[[Message], Deferred[Any] | None] = lambda message: None
        self._inbox: Inbox | None = None
        self._pumping = False
        self._busy = False  # a handler is not done yet
        self._paused = False  # by the application
        self._reading = True
        self._input_ended = False
        self._patience = settings.max_message_size  # bytes to read for a busy handler while closing
        self._last_byte = clock.seconds()
        self._timer: IDelayedCall | None = None
        self._transport: Any = None
        self._outflow: Outflow

    def __repr__(self) -> str:
        return f"<WebSocketStream version={self.version} peer={self.peer} {self._state.name.lower()}>"

    @property
    def peer(self) -> IAddress:
        """The other end's address."""
        return self._peer

    @property
    def host(self) -> IAddress:
        """Our end's address."""
        return self._host

    # Sending

    def send(self, message: Message) -> bool:
        """Send a message: str as text, bytes as binary. It is never torn, nor mixed with another.

        :returns: whether it was taken. It is not if the WebSocket is closing or closed; as with any Twisted
            transport, that is no error, since the peer may leave at any time.
        :raises UnsupportedMessage: if this connection's version has no such kind of message.
        """
        data = self._codec.encode(message)
        if self._state is not _State.OPEN:
            return False
        self._write(data)
        return True

    def drained(self) -> Deferred[None]:
        """Return a Deferred that fires when little is left to send, now if so.

        It fails with :class:`ConnectionClosed` if the WebSocket closes instead.
        """
        return self._outflow.drained()

    def write(self, data: Message) -> None:
        """Send what a registered producer produces, each piece as a message (IConsumer)."""
        self.send(data)

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Attach a producer of messages, push (streaming) or pull; it pauses while the buffer is full (IConsumer).

        :raises RuntimeError: if there is one already.
        """
        self._outflow.register(producer, streaming)

    def unregisterProducer(self) -> None:
        """Detach the producer (IConsumer)."""
        self._outflow.unregister()

    # Receiving

    @property
    def inbox(self) -> Inbox:
        """Where messages wait to be asked for, if its ``put`` is the message handler."""
        if self._inbox is None:
            self._inbox = Inbox()
        return self._inbox

    def receive(self) -> Deferred[Message]:
        """Return a Deferred of the next message, in a :func:`conversation`.

        It fails with :class:`ConnectionClosed` after the last one.
        """
        return self.inbox.get()

    def __aiter__(self) -> WebSocketStream:
        return self

    async def __anext__(self) -> Message:
        try:
            return await self.receive()
        except ConnectionClosed:
            raise StopAsyncIteration from None

    def pauseProducing(self) -> None:
        """Stop reading and delivering messages (IPushProducer)."""
        self._paused = True
        self._update_reading()

    def resumeProducing(self) -> None:
        """Go on reading and delivering (IPushProducer)."""
        self._paused = False
        self._pump()

    def stopProducing(self) -> None:
        """Close, as nobody wants to read any more (IPushProducer)."""
        self.close(1001)

    # Ending

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Start the closing handshake, once what was sent before is on its way. Later calls do nothing.

        :param code: close code; not sent by versions that have none (hixie-76).
        :param reason: words for the peer; likewise.
        """
        if self._state is _State.CONNECTING:
            self.abort()
        elif self._state is _State.OPEN:
            self._state = _State.CLOSING
            self._write(self._codec.close(code, reason))
            self._outflow.close(ConnectionClosed(code, reason, False))
            self._set_timer(self._settings.closing_timeout, self.abort)
            if not self._codec.has_closing_handshake:
                self._drop(CloseReason(1006, reason, False))
            self._update_reading()

    def abort(self) -> None:
        """Drop the connection at once, with whatever is still to be sent."""
        if self._state is not _State.CLOSED:
            self._events.clear()
            self._transport.abortConnection()

    def when_closed(self) -> Deferred[CloseReason]:
        """Return a Deferred that fires, and never fails, when the connection is gone."""
        if self._state is _State.CLOSED and self._end is not None:
            return succeed(self._end)
        waiter: Deferred[CloseReason] = Deferred(self._closed_waiters.remove)
        self._closed_waiters.append(waiter)
        return waiter

    # What the cascade, or a client, sets up

    def attach(
        self, opened: Callable[[], Deferred[Any] | None], deliver: Callable[[Message], Deferred[Any] | None]
    ) -> None:
        """Set whom to tell that the WebSocket is open, and whom to give its messages.

        Each is called in order, one at a time; if it returns a Deferred, which must not fail, reading pauses
        until that fires.
        """
        self._opened = opened
        self._deliver = deliver

    # What the transport calls

    def makeConnection(self, transport: ITransport) -> None:
        """Start on a transport (IProtocol); the opening handshake's head is written to it already or next."""
        self._transport = transport
        self._peer = transport.getPeer()
        self._host = transport.getHost()
        self._outflow = Outflow(transport)
        self._set_timer(self._settings.handshake_timeout, self._handshake_timed_out)

    def connectionMade(self) -> None:
        """Nothing more than ``makeConnection`` does (IProtocol)."""

    def dataReceived(self, data: bytes) -> None:
        """Take what arrived (IProtocol)."""
        self._last_byte = self._clock.seconds()
        if self._state is _State.CLOSING:
            self._patience -= len(data)
        self._events.extend(self._codec.receive(data))
        self._pump()

    def readConnectionLost(self) -> None:
        """The peer will send nothing more; what it sent is handled and answered yet (IHalfCloseableProtocol)."""
        self._input_ended = True
        self._pump()

    def writeConnectionLost(self) -> None:
        """Our side is closed, as we wanted (IHalfCloseableProtocol)."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The transport is gone (IProtocol). Messages that came before are delivered nevertheless."""
        if self._end is None:
            self._end = CloseReason(1006, reason.getErrorMessage(), False)
        self._state = _State.CLOSED
        self._input_ended = True
        self._set_timer(0, None)
        self._outflow.close(self._connection_closed())
        waiters, self._closed_waiters = self._closed_waiters, []
        for waiter in waiters:
            waiter.callback(self._end)
        self._pump()

    # Inside

    def _write(self, data: bytes) -> None:
        self.bytes_sent += len(data)
        if not self._outflow.full:
            self._last_byte = self._clock.seconds()
        self._transport.write(data)

    def _pump(self) -> None:
        """Handle events in order, one at a time, until there are none or a handler takes its time."""
        if self._pumping:
            return
        self._pumping = True
        try:
            while self._events and not self._busy and not self._paused:
                self._handle(self._events.popleft())
        finally:
            self._pumping = False
        if self._input_ended and not self._events and not self._busy:
            self._finish_input()
        self._update_reading()

    def _handle(self, event: Event) -> None:
        pending = None
        if isinstance(event, (str, bytes)):
            pending = self._deliver(event)
        elif isinstance(event, Reply):
            self._write(event.data)
        elif isinstance(event, Opened):
            self._state = _State.OPEN
            self._watch_idleness()
            pending = self._opened()
        elif isinstance(event, Closed):
            self._drop(CloseReason(event.code, event.reason, True))
            self._finish_input()
        elif isinstance(event, Failed):
            self._fail(event)
        if pending is not None:
            self._busy = True
            pending.addBoth(self._go_on)

    def _go_on(self, result: object) -> None:
        self._busy = False
        if isinstance(result, Failure):
            self._log.failure("a handler of {stream} let an error pass", result, stream=self)
        self._pump()

    def _update_reading(self) -> None:
        """Read if what is read can be handled; and, to find the peer's answer, while closing."""
        patient = self._state is _State.CLOSING and self._patience > 0
        wanted = not self._paused and (not self._busy or patient)
        if wanted == self._reading or self._state is _State.CLOSED or self._transport is None:
            return
        self._reading = wanted
        if wanted:
            self._last_byte = self._clock.seconds()
            self._transport.resumeProducing()
        else:
            self._transport.pauseProducing()

    def _drop(self, end: CloseReason, *, reading_on: bool = False) -> None:
        """Leave the transport once all is sent; not later than the closing timeout."""
        if self._state is _State.CLOSED:
            return
        self._state = _State.CLOSING
        self._end = self._end or end
        self._outflow.close(self._connection_closed())
        self._set_timer(self._settings.closing_timeout, self.abort)
        if reading_on:
            half_close(self._transport)
        else:
            self._transport.loseConnection()

    def _fail(self, event: Failed) -> None:
        """Tell the peer what it did wrong, and listen no more."""
        self._log.info("{stream} failed: {code} {reason}", stream=self, code=event.code, reason=event.reason)
        self._write(self._codec.close(event.code, event.reason))
        self._drop(CloseReason(event.code, event.reason, False), reading_on=True)
        self._finish_input()

    def _finish_input(self) -> None:
        """No message will come any more."""
        if self._inbox is not None:
            self._inbox.end(self._connection_closed())
        if self._input_ended and self._state is not _State.CLOSED:
            if self._state is _State.OPEN:
                self._write(self._codec.close(1000, ""))
            self._drop(CloseReason(1006, "the peer ended TCP without a closing handshake", False))

    def _connection_closed(self) -> ConnectionClosed:
        end = self._end or CloseReason(1006, "", False)
        return ConnectionClosed(end.code, end.reason, end.clean)

    # Timers: one at a time, for the state that the stream is in

    def _set_timer(self, seconds: float, function: Callable[[], None] | None) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = self._clock.callLater(seconds, function) if function is not None else None

    def _handshake_timed_out(self) -> None:
        self._log.info("{stream}: its opening handshake was not complete in time", stream=self)
        self._end = CloseReason(1006, "the opening handshake was not complete in time", False)
        self.abort()

    def _watch_idleness(self) -> None:
        limit = self._settings.websocket_timeout
        quiet = self._clock.seconds() - self._last_byte if self._reading else 0.0
        if not limit:
            self._set_timer(0, None)
        elif quiet < limit:
            self._set_timer(limit - quiet, self._watch_idleness)
        else:
            self.close(1001, f"nothing was sent for {limit:g} seconds")
