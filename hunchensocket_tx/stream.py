"""WebSocketStream: one WebSocket, as handlers see it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Literal

from cryptography import x509
from twisted.internet.defer import Deferred, DeferredLock, fail, succeed
from twisted.internet.interfaces import IAddress, IConsumer, IProducer, IPushProducer, IReactorTime
from twisted.python.failure import Failure
from twisted.web.server import Request
from zope.interface import implementer

from hunchensocket_tx.connection import Connection
from hunchensocket_tx.errors import ConnectionClosed, InvalidCloseCode, UnsupportedMessage
from hunchensocket_tx.intake import ignore
from hunchensocket_tx.kept_request import KeptRequest
from hunchensocket_tx.outgoing import OutgoingMessage
from hunchensocket_tx.pings import Pings
from hunchensocket_tx.sender import SMALL, State
from hunchensocket_tx.server_tls import peer_certificate
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.answer import Answer
from hunchensocket_tx.wire.events import CloseReason, Codec, Message

__all__ = ["WebSocketStream"]

OPEN = State.OPEN

LARGE = 16384
"""Characters or bytes of a message that one does not gladly copy."""


@implementer(IConsumer, IPushProducer)
class WebSocketStream(Connection):
    """One WebSocket. Handlers get it once it is open; ``send`` and ``close`` are what they need most.

    As a producer (``pauseProducing``, ``resumeProducing``) it is the reading side; as a consumer
    (``registerProducer``, ``write``) it takes messages to send, and pauses their producer while the
    transport's buffer is full.

    :ivar subprotocol: the one agreed upon, or None.
    :ivar extensions: those agreed upon, as in the header field; empty for none.
    :ivar secure: whether the client's side of the connection is TLS, also if a trusted proxy ended it.
    :ivar mutex: the lock for sequences of messages that others must not come between.
    :ivar answer: at a client, the head of the server's answer to the opening handshake; None at a server.
    """

    __slots__ = ("_kept_request", "_postponed", "extensions", "mutex", "secure", "subprotocol")

    answer: Answer | None = None
    _message_lock: DeferredLock | None = None
    _postponed_size = 0

    def __init__(
        self,
        codec: Codec,
        settings: Settings,
        clock: IReactorTime,
        *,
        request: Request | None = None,
        subprotocol: str | None = None,
        extensions: str = "",
        secure: bool = False,
        peer: IAddress | None = None,
    ) -> None:
        super().__init__(codec, settings, clock)
        self._peer = peer
        self._kept_request = None if request is None else KeptRequest(request)
        self.subprotocol = subprotocol
        self.extensions = extensions
        self.secure = secure
        self.mutex = DeferredLock()
        self._postponed: list[bytes] | None = None  # while a message is sent part by part

    def __repr__(self) -> str:
        return f"<WebSocketStream version={self.version} peer={self.peer} {self._state.name.lower()}>"

    @property
    def version(self) -> int:
        """The protocol version: 13, 8, 7, 76 or 75."""
        return self._codec.version

    @property
    def is_open(self) -> bool:
        """Whether messages may be sent: the opening handshake is complete, and no closing one has begun."""
        return self._state is State.OPEN

    @property
    def is_writable(self) -> bool:
        """Whether a message that is sent now leaves at once: it is open, and nothing has to go before."""
        return self._state is OPEN and self._postponed is None and not self._is_full

    @property
    def request(self) -> Request | None:
        """The twisted.web request that opened it; None at a client.

        Once the handshake handler is done, it is made again from its head, unless the application has kept it
        somewhere: what was hung on it is gone then.
        """
        return None if self._kept_request is None else self._kept_request.get(self)

    @property
    def peer(self) -> IAddress:
        """The other end's address; a client's as a trusted proxy tells it, mostly without a port (0) then."""
        peer: IAddress = self._peer
        return peer

    @property
    def host(self) -> IAddress:
        """Our end's address."""
        host: IAddress = self._host or self._transport.getHost()
        return host

    @property
    def peer_certificate(self) -> x509.Certificate | None:
        """What the peer has shown in TLS: a client, if it was asked for it; a server, always.

        None without one, without TLS, and once the connection is gone.
        """
        return peer_certificate(self._transport)

    # Sending

    def send(self, message: Message, *, compress: bool = True) -> bool:
        """Send a message: str as text, bytes as binary. It is never torn, nor mixed with another.

        :param compress: whether to compress it, if that was agreed upon and no message in parts is under way. Say
            False for secrets that travel together with what an attacker may choose: the length would tell (RFC
            7692 section 8).
        :returns: whether it was taken. It is not if the WebSocket is closing or closed, which is no error, as
            the peer may leave at any time; nor if the setting ``slow_peers`` is against it.
        :raises UnsupportedMessage: if this connection's version has no such kind of message.
        """
        outflow = self._outflow
        if self._state is OPEN and self._postponed is None and (outflow is None or not outflow.full):
            try:
                large = len(message) > LARGE
            except TypeError:  # it is no message at all, as the codec is going to say
                large = False
            if large:
                self._send_large(message, compress)
                self.messages_sent += 1
                return True
            data = self._codec.encode(message, compress=compress)
            self.messages_sent += 1
            if len(data) <= SMALL:  # what _write does, without another call for each message
                self.bytes_sent += len(data)
                if self._vigil.minds_sending:
                    self._vigil.last_sent = self._clock.seconds()
                self._transport.write(data)
            else:
                self._write(data)
            return True
        if not self.can_send(self._settings.slow_peers):
            return False
        self._send_whole(self._codec.encode(message, compress=self._may_compress(compress)))
        self.messages_sent += 1
        return True

    def _send_large(self, message: Message, compress: bool) -> None:
        """Send a message without a copy of it, if its frame is nothing but a head and its payload."""
        split = self._codec.split(message, compress=compress)
        if split is None:
            self._write(self._codec.encode(message, compress=compress))
        else:
            self._write_large(*split)

    def message(self, *, compress: bool = True) -> OutgoingMessage:
        """Return a context for sending one message part by part; see :class:`OutgoingMessage`."""
        return OutgoingMessage(self, compress)

    def ping(self) -> Deferred[float]:
        """Ask the peer for a sign of life.

        :returns: a Deferred of the seconds that it took. It fails with :class:`ConnectionClosed` if the WebSocket
            closes, with Twisted's ``TimeoutError`` if no answer comes within ``ping_timeout``.
        :raises UnsupportedMessage: if this connection's version has no pings, as hixie-76.
        """
        if not self._codec.has_control_frames:
            raise UnsupportedMessage(f"hixie-{self.version} has no ping")
        if self._state is not State.OPEN:
            return fail(self._connection_closed())
        if self._pings is None:
            self._pings = Pings(self._clock)
        payload, answered = self._pings.prepare()
        self._write(self._codec.ping(payload))
        self._update_reading()
        if self._settings.ping_timeout:
            answered.addTimeout(self._settings.ping_timeout, self._clock)
        return answered

    def drained(self) -> Deferred[None]:
        """Return a Deferred that fires when little is left to send, now if so.

        It fails with :class:`ConnectionClosed` if the WebSocket closes instead.
        """
        if self._state is State.OPEN or self._outflow is not None:
            return self._control_outflow().drained()
        return fail(self._connection_closed())

    def write(self, data: Message) -> None:
        """Send what a registered producer produces, each piece as a message (IConsumer)."""
        self.send(data)

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Attach a producer of messages, push (streaming) or pull; it pauses while the buffer is full (IConsumer).

        :raises RuntimeError: if there is one already.
        """
        self._control_outflow().register(producer, streaming)

    def unregisterProducer(self) -> None:
        """Detach the producer (IConsumer)."""
        if self._outflow is not None:
            self._outflow.unregister()

    # Receiving

    def receive(self) -> Deferred[Message]:
        """Return a Deferred of the next message, in a :func:`conversation`.

        It fails with :class:`ConnectionClosed` after the last one.
        """
        return self.inbox.get()

    def __aiter__(self) -> WebSocketStream:
        """Iterate over messages until there are none any more, however it ended: :meth:`when_closed` tells."""
        return self

    async def __anext__(self) -> Message:
        message = self.inbox.take()
        if message is not None:
            return message
        try:
            return await self.inbox.get()
        except ConnectionClosed:
            raise StopAsyncIteration from None

    def pauseProducing(self) -> None:
        """Stop reading and delivering messages (IPushProducer)."""
        self._paused = True
        self._update_reading()

    def resumeProducing(self) -> None:
        """Go on reading and delivering (IPushProducer)."""
        self._paused = False
        self._go_on()

    def stopProducing(self) -> None:
        """Close, as nobody wants to read any more (IPushProducer)."""
        self.close(1001)

    # Ending

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Start the closing handshake, once what was sent before is on its way. Later calls do nothing.

        A message that is being sent in parts is cut off, and what was sent behind it is not sent any more.

        :param code: close code (RFC 6455 section 7.4); not sent by versions that have none (hixie-76).
        :param reason: words for the peer, of which 123 bytes are sent; likewise.
        :raises InvalidCloseCode: if the version has codes, and this one must not be sent.
        """
        if self._state is State.CONNECTING or (self._postponed is not None and not self._codec.has_control_frames):
            self.abort()  # there is no way to say it
        elif self._state is State.OPEN:
            if code == 1005 and self._codec.has_control_frames:
                raise InvalidCloseCode("1005 cannot be sent: it stands for no code in reports")
            self._start_closing(code, reason)

    def close_once_open(self, code: int, reason: str) -> None:
        """Close, or let the opening handshake be completed first, of which no handler is told then.

        It has no more time for that than a closing handshake has.
        """
        if self._state is State.CONNECTING:
            self._vigil.wait(min(self._settings.closing_timeout, self._settings.handshake_timeout), self.abort)
            self.attach(lambda: self._start_closing(code, reason), ignore)
        else:
            self.close(code, reason)

    def when_closed(self) -> Deferred[CloseReason]:
        """Return a Deferred that fires, and never fails, when the connection is gone."""
        if self._state is State.CLOSED and self._end is not None:
            return succeed(self._end)
        waiter: Deferred[CloseReason] = Deferred(self._forget_waiter)
        if self._closed_waiters is None:
            self._closed_waiters = []
        self._closed_waiters.append(waiter)
        return waiter

    def let_request_go(self) -> None:
        """Keep no more of the request that opened it than its head."""
        if self._kept_request is not None:
            self._kept_request.let_go()

    def finish_request(self, reason: Failure | None) -> None:
        """End the request that opened it, with its line in the access log.

        :param reason: why the connection ended, if it was not a clean end.
        """
        if self._kept_request is not None:
            self._kept_request.finish(self, self.bytes_sent, reason)

    # What broadcasts and messages in parts use

    def send_shared(
        self,
        message: Message,
        shared: dict[Hashable, bytes],
        compress: bool,
        slow_peers: Literal["close", "drop", "wait"],
    ) -> bool:
        """Send a message that others get, too; see :meth:`send`.

        :param shared: its bytes, as far as they were made for others, by what they depend on; may be added to.
        :param slow_peers: what to do if the buffer is full, in place of the setting.
        """
        usual = self._state is OPEN and self._postponed is None and not self._is_full
        if not usual and not self.can_send(slow_peers):
            return False
        variant = self._codec.variant(type(message), self._may_compress(compress))
        data = shared.get(variant)
        if data is None:
            data = self._codec.encode(message, compress=self._may_compress(compress))
            if variant is not None:  # else they are this stream's alone
                shared[variant] = data
        if usual:
            self._write(data)
        else:
            self._send_whole(data)
        self.messages_sent += 1
        return True

    def begin_message(self) -> Deferred[object]:
        """Postpone what is sent, as a message is going to be sent part by part.

        :returns: a Deferred that fires when it may begin, as another may be under way.
        """
        self._message_lock = self._message_lock or DeferredLock()
        return self._message_lock.acquire().addCallback(self._begin_message)

    def send_part(self, data: Message, *, final: bool, compress: bool) -> None:
        """Send a part of the message that was begun; drop it if the WebSocket is closing."""
        if self._state is State.OPEN:
            self._write(self._codec.encode_part(data, final=final, compress=compress))

    def end_message(self, *, complete: bool) -> None:
        """Send what was postponed; close the WebSocket if the message cannot be completed."""
        if complete:
            self.messages_sent += 1
        else:
            self.close(1011, "a message could not be completed")
        postponed, self._postponed, self._postponed_size = self._postponed or [], None, 0
        if postponed and self._state is State.OPEN:
            self._write(b"".join(postponed))
        if self._message_lock is not None:
            self._message_lock.release()

    def _may_compress(self, wanted: bool) -> bool:
        """Tell whether the compressor is free; what follows a message in parts does without it."""
        return wanted and self._postponed is None

    def _send_whole(self, data: bytes) -> None:
        """Write a message's bytes, behind the message that is being sent in parts if there is one."""
        if self._postponed is None:
            self._write(data)
        else:
            self._postponed.append(data)
            self._postponed_size += len(data)

    def _begin_message(self, _: object) -> None:
        self._postponed = []

    def can_send(self, slow_peers: Literal["close", "drop", "wait"]) -> bool:
        """Tell whether a message may be sent now; if the peer is too slow for it, treat it as told."""
        if self._state is not State.OPEN:
            return False
        held = self._outflow.held if self._outflow is not None else 0
        waiting = held + self._postponed_size
        if slow_peers == "wait" or waiting < self._settings.max_send_buffer:
            return True
        if slow_peers == "close":
            reason = f"over {self._settings.max_send_buffer} bytes wait to be sent"
            self._log.info("{stream} is too slow: {reason}", stream=self, reason=reason)
            self._end = CloseReason(1013, reason, False)
            self._state = State.CLOSING  # before those are told who wait for the buffer to get low
            self._control_outflow().close(self._connection_closed(), discard=True)
            if self._codec.has_control_frames or self._message_lock is None:
                self._start_closing(1013, reason)
            else:
                self.abort()  # what was discarded may end a message, and on hixie nothing can be said within one
        return False
