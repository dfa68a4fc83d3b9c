"""Other styles, as thin adapters on the cascade: a conversation, and any Twisted byte-stream protocol."""

from __future__ import annotations

from base64 import b64decode, b64encode
from codecs import getincrementaldecoder
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Literal

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.error import ConnectionAborted, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IProducer,
    IProtocol,
    IProtocolFactory,
    IPushProducer,
    ITransport,
)
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import Request
from zope.interface import implementer

from hunchensocket_tx.cascade import HandshakeHandler, MessageHandler
from hunchensocket_tx.errors import ConnectionClosed
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.wire.events import CloseReason, Message

__all__ = ["Adapter", "Encoding", "StreamTransport", "conversation", "protocol_handler"]

Encoding = Literal["utf-8", "base64", "binary"]
"""How a stream of bytes travels in messages; see :func:`protocol_handler`."""

PORTION = 49152
"""Bytes of a stream in one message at most: 64 KiB as base64. More than ``max_message_size``, 1 MiB by default,
would not be accepted; protocols do write that much at once."""

ERRORS = frozenset(range(1002, 3000)) - {1005}
"""Close codes that tell of an error (RFC 6455 section 7.4); 1005 says that there was none."""

_log = Logger()


class Adapter:
    """A handshake handler that is also a dispatcher: asked about a request, it takes it."""

    def __init__(self, handshake: HandshakeHandler) -> None:
        self._handshake = handshake

    def __call__(self, request_or_stream: Request | WebSocketStream, mutex: DeferredLock | None = None) -> Any:
        """Take any request, by returning itself, or run the handshake handler."""
        if isinstance(request_or_stream, WebSocketStream):
            return self._handshake(request_or_stream, mutex or request_or_stream.mutex)
        return self


def conversation(talk: Callable[[WebSocketStream], Coroutine[Any, Any, object]]) -> Adapter:
    """Make a dispatcher (or handshake handler) of a coroutine function that talks with one peer.

    ::

        @conversation
        async def shout(stream):
            async for message in stream:
                stream.send(message.upper())

    The WebSocket is closed when it returns, with 1011 if it raises. ``async for`` ends when the peer closes.
    Reading waits for who asks for messages; if nobody will, say so with ``stream.inbox.discard()``.
    """

    def handshake(stream: WebSocketStream, mutex: DeferredLock) -> MessageHandler:
        def finished(_: object) -> None:
            stream.inbox.discard()
            stream.close()

        def failed(failure: Failure) -> None:
            stream.inbox.discard()
            if stream.is_open or not failure.check(ConnectionClosed):
                _log.failure("the conversation on {stream} failed; it is closed", failure, stream=stream)
            stream.close(1011, "internal error")

        Deferred.fromCoroutine(talk(stream)).addCallbacks(finished, failed)
        return stream.into_inbox()

    return Adapter(handshake)


def protocol_handler(factory: IProtocolFactory, encoding: Encoding | None = None) -> Adapter:
    """Make a dispatcher (or handshake handler) that runs a Twisted byte-stream protocol over each WebSocket.

    :param factory: its ``buildProtocol`` is called with the peer's address; None refuses.
    :param encoding: how bytes travel: as ``"binary"`` messages, as text in ``"utf-8"`` (for line protocols)
        or as text in ``"base64"`` (for any). By default base64 if that is the subprotocol, else UTF-8 on
        hixie-76, which has no binary messages.
    """

    def handshake(stream: WebSocketStream, mutex: DeferredLock) -> MessageHandler | None:
        protocol = factory.buildProtocol(stream.peer)
        if protocol is None:
            stream.close(1013, "not now")
            return None
        return StreamTransport(stream, protocol, encoding).start()

    return Adapter(handshake)


def _natural_encoding(stream: WebSocketStream) -> Encoding:
    if stream.subprotocol == "base64":
        return "base64"
    return "utf-8" if stream.version in (75, 76) else "binary"


@implementer(ITransport, IConsumer, IPushProducer)
class StreamTransport:
    """A WebSocket as the transport of a byte-stream protocol.

    Once ``loseConnection`` or ``abortConnection`` was called, nothing more is delivered, as with TCP. The protocol
    is told of the end with ``ConnectionDone`` after a closing handshake without an error, ``ConnectionAborted`` if
    it has aborted, ``ConnectionLost`` otherwise, with the close code and the peer's words.

    A WebSocket cannot be half-closed. Writes are limited as messages are, by ``max_send_buffer``, which a protocol
    that writes without a producer might reach; bytes that cannot be sent end the connection, as what follows would
    make no sense without them.

    :param stream: an open one.
    :param protocol: it gets the bytes.
    :param encoding: how they travel; see :func:`protocol_handler`.

    :ivar stream: the WebSocket.
    :ivar disconnecting: whether it is to be closed, as protocols ask.
    """

    disconnecting = False

    def __init__(self, stream: WebSocketStream, protocol: IProtocol, encoding: Encoding | None = None) -> None:
        self.stream = stream
        self._protocol = protocol
        self._encoding = encoding or _natural_encoding(stream)
        self._aborted = False
        self._lost = False
        self._has_producer = False
        self._decoder = getincrementaldecoder("utf-8")()

    def start(self) -> MessageHandler:
        """Connect the protocol; return the stream's message handler."""
        self.stream.when_closed().addCallback(self._closed)
        self._protocol.makeConnection(self)
        return self.received

    def received(self, message: Message) -> None:
        """Give a message's bytes to the protocol, as its message handler."""
        if self._lost or self.disconnecting:
            return
        data = message.encode() if isinstance(message, str) else message
        if self._encoding == "base64" and isinstance(message, str):
            try:
                data = b64decode(data, validate=True)
            except ValueError:
                self.stream.close(1007, "this is not base64")
                return
        self._protocol.dataReceived(data)

    def write(self, data: bytes) -> None:
        """Send bytes as a message, or as several if they are many; keep the start of a character until its end."""
        for start in range(0, len(data), PORTION):
            message = self._encode(data[start : start + PORTION])
            if message and not self._send(message, begun=start > 0):
                break

    def _encode(self, data: bytes) -> Message:
        if self._encoding == "binary":
            return data
        if self._encoding == "base64":
            return b64encode(data).decode()
        try:
            return self._decoder.decode(data)
        except UnicodeDecodeError:
            _log.error(
                "{protocol} wrote bytes that are not UTF-8 to {stream}, which carries them as text: have them "
                "encoded in base64, by protocol_handler or the endpoint",
                protocol=self._protocol,
                stream=self.stream,
            )
            self.stream.close(1011, "this cannot be sent as text")
            return ""

    def _send(self, message: Message, *, begun: bool) -> bool:
        """Send a message; what continues a write is sent though the buffer be full, as a write is one thing."""
        if begun:
            return self.stream.send_shared(message, {}, True, "wait")
        taken = self.stream.send(message)
        if not taken and self.stream.is_open:
            self.stream.close(1013, "bytes were dropped")
        return taken

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send bytes, joined."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Close the WebSocket, once a producer that is registered has finished."""
        self.disconnecting = True
        if not self._has_producer:
            self.stream.close()

    def abortConnection(self) -> None:
        """Drop the connection."""
        self.disconnecting = self._aborted = True
        self.stream.abort()

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing to do, as small messages are never delayed; SSH's protocols do not ask whether this is TCP."""

    def getPeer(self) -> IAddress:
        """Return the other end's address."""
        return self.stream.peer

    def getHost(self) -> IAddress:
        """Return our end's address."""
        return self.stream.host

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Attach a producer."""
        self._has_producer = True
        self.stream.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Detach the producer."""
        self._has_producer = False
        self.stream.unregisterProducer()
        if self.disconnecting:
            self.stream.close()

    def pauseProducing(self) -> None:
        """Stop reading."""
        self.stream.pauseProducing()

    def resumeProducing(self) -> None:
        """Go on reading."""
        self.stream.resumeProducing()

    def stopProducing(self) -> None:
        """Close, as nobody reads any more."""
        self.loseConnection()

    def _closed(self, end: CloseReason) -> None:
        self._lost = True
        if self._aborted:
            reason = Failure(ConnectionAborted())
        elif end.clean and end.code not in ERRORS:
            reason = connectionDone
        else:
            reason = Failure(ConnectionLost(f"{end.code} {end.reason}"))
        self._protocol.connectionLost(reason)
