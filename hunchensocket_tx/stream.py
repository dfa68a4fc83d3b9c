"""WebSocketStream: one WebSocket, as handlers see it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Literal

from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.internet.interfaces import IAddress, IConsumer, IProducer, IPushProducer, IReactorTime
from twisted.web.server import Request
from zope.interface import implementer

from hunchensocket_tx.connection import Connection, State
from hunchensocket_tx.errors import ConnectionClosed, InvalidCloseCode, UnsupportedMessage
from hunchensocket_tx.inbox import Inbox
from hunchensocket_tx.outgoing import OutgoingMessage
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.events import CloseReason, Codec, Message

__all__ = ["WebSocketStream"]


@implementer(IConsumer, IPushProducer)
class WebSocketStream(Connection):
    """One WebSocket. Handlers get it once it is open; ``send`` and ``close`` are what they need most.

    As a producer (``pauseProducing``, ``resumeProducing``) it is the reading side; as a consumer
    (``registerProducer``, ``write``) it takes messages to send, and pauses their producer while the
    transport's buffer is full.

    :ivar request: the twisted.web request that opened it.
    :ivar version: the protocol version: 13, 8, 7, 76 or 75.
    :ivar subprotocol: the one agreed upon, or None.
    :ivar extensions: those agreed upon, as in the header field; empty for none.
    :ivar secure: whether the client's side of the connection is TLS, also if a trusted proxy ended it.
    :ivar mutex: the lock for sequences of messages that others must not come between.
    """

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
    ) -> None:
        super().__init__(codec, settings, clock)
        self.request = request
        self.version = codec.version
        self.subprotocol = subprotocol
        self.extensions = extensions
        self.secure = secure
        self.mutex = DeferredLock()
        self._message_lock: DeferredLock | None = None
        self._postponed: list[bytes] | None = None  # while a message is sent part by part
        self._postponed_size = 0

    def __repr__(self) -> str:
        return f"<WebSocketStream version={self.version} peer={self.peer} {self._state.name.lower()}>"

    @property
    def is_open(self) -> bool:
        """Whether messages may be sent: the opening handshake is complete, and no closing one has begun."""
        return self._state is State.OPEN

    @property
    def peer(self) -> IAddress:
        """The other end's address."""
        peer: IAddress = self._peer
        return peer

    @property
    def host(self) -> IAddress:
        """Our end's address."""
        host: IAddress = self._host
        return host

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
        if not self.can_send(self._settings.slow_peers):
            return False
        self._send_whole(self.encode(message, compress))
        return True

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
            return self._pings.refuse(self._connection_closed())
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
        return self._intake.inbox

    def receive(self) -> Deferred[Message]:
        """Return a Deferred of the next message, in a :func:`conversation`.

        It fails with :class:`ConnectionClosed` after the last one.
        """
        return self.inbox.get()

    def __aiter__(self) -> WebSocketStream:
        """Iterate over messages until there are none any more, however it ended: :meth:`when_closed` tells."""
        return self

    async def __anext__(self) -> Message:
        try:
            return await self.receive()
        except ConnectionClosed:
            raise StopAsyncIteration from None

    def pauseProducing(self) -> None:
        """Stop reading and delivering messages (IPushProducer)."""
        self._intake.paused = True
        self._update_reading()

    def resumeProducing(self) -> None:
        """Go on reading and delivering (IPushProducer)."""
        self._intake.paused = False
        self._intake.run()

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

    def when_closed(self) -> Deferred[CloseReason]:
        """Return a Deferred that fires, and never fails, when the connection is gone."""
        if self._state is State.CLOSED and self._end is not None:
            return succeed(self._end)
        waiter: Deferred[CloseReason] = Deferred(self._forget_waiter)
        self._closed_waiters.append(waiter)
        return waiter

    # What broadcasts and messages in parts use

    def variant(self, message: Message, compress: bool) -> Hashable:
        """Return a value that is equal for streams on which a message is the same bytes; None if on no other."""
        return self._codec.variant(type(message), self._may_compress(compress))

    def encode(self, message: Message, compress: bool) -> bytes:
        """Return the bytes of a message, for all streams of this one's variant.

        :raises UnsupportedMessage: if this connection's version has no such kind of message.
        """
        return self._codec.encode(message, compress=self._may_compress(compress))

    def send_encoded(self, message: Message, data: bytes, slow_peers: Literal["close", "drop", "wait"]) -> bool:
        """Send a message of which the bytes are known; see :meth:`send`.

        :param slow_peers: what to do if the buffer is full, in place of the setting.
        """
        if not self.can_send(slow_peers):
            return False
        self._send_whole(data)
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
        if not complete:
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
        waiting = self._outflow.held + self._postponed_size
        if slow_peers == "wait" or waiting < self._settings.max_send_buffer:
            return True
        if slow_peers == "close":
            reason = f"over {self._settings.max_send_buffer} bytes wait to be sent"
            self._log.info("{stream} is too slow: {reason}", stream=self, reason=reason)
            self._end = CloseReason(1013, reason, False)
            self._state = State.CLOSING  # before those are told who wait for the buffer to get low
            self._outflow.close(self._connection_closed(), discard=True)
            if self._codec.has_control_frames or self._message_lock is None:
                self._start_closing(1013, reason)
            else:
                self.abort()  # what was discarded may end a message, and on hixie nothing can be said within one
        return False
