"""Other styles, as thin adapters on the cascade: a conversation, and any Twisted byte-stream protocol."""

from __future__ import annotations

from base64 import b64decode, b64encode
from codecs import getincrementaldecoder
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Literal

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.error import ConnectionLost
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

__all__ = ["Adapter", "conversation", "protocol_handler"]

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
        return stream.inbox.put

    return Adapter(handshake)


def protocol_handler(
    factory: IProtocolFactory, encoding: Literal["utf-8", "base64", "binary"] | None = None
) -> Adapter:
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
        transport = _StreamTransport(stream, protocol, encoding or _natural_encoding(stream))
        protocol.makeConnection(transport)
        return transport.received

    return Adapter(handshake)


def _natural_encoding(stream: WebSocketStream) -> str:
    if stream.subprotocol == "base64":
        return "base64"
    return "utf-8" if stream.version in (75, 76) else "binary"


@implementer(ITransport, IConsumer, IPushProducer)
class _StreamTransport:
    """A WebSocket as the transport of a byte-stream protocol."""

    disconnecting = False

    def __init__(self, stream: WebSocketStream, protocol: IProtocol, encoding: str) -> None:
        self._stream = stream
        self._protocol = protocol
        self._encoding = encoding
        self._lost = False
        self._has_producer = False
        self._decoder = getincrementaldecoder("utf-8")()
        stream.when_closed().addCallback(self._closed)

    def received(self, message: Message) -> None:
        """Give a message's bytes to the protocol, as its message handler."""
        data = message.encode() if isinstance(message, str) else message
        if self._encoding == "base64" and isinstance(message, str):
            try:
                data = b64decode(data, validate=True)
            except ValueError:
                self._stream.close(1007, "this is not base64")
                return
        if not self._lost:
            self._protocol.dataReceived(data)

    def write(self, data: bytes) -> None:
        """Send bytes as one message, or keep the start of a character until its end comes."""
        if not data:
            return
        if self._encoding == "binary":
            self._stream.send(data)
        elif self._encoding == "base64":
            self._stream.send(b64encode(data).decode())
        else:
            try:
                text = self._decoder.decode(data)
            except UnicodeDecodeError:
                _log.error(
                    "{protocol} wrote bytes that are not UTF-8 to {stream}, which carries them as text: have "
                    "protocol_handler encode them in base64",
                    protocol=self._protocol,
                    stream=self._stream,
                )
                self._stream.close(1011, "this cannot be sent as text")
                return
            if text:
                self._stream.send(text)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send bytes as one message."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Close the WebSocket, once a producer that is registered has finished."""
        self.disconnecting = True
        if not self._has_producer:
            self._stream.close()

    def abortConnection(self) -> None:
        """Drop the connection."""
        self.disconnecting = True
        self._stream.abort()

    def getPeer(self) -> IAddress:
        """Return the other end's address."""
        return self._stream.peer

    def getHost(self) -> IAddress:
        """Return our end's address."""
        return self._stream.host

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Attach a producer."""
        self._has_producer = True
        self._stream.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Detach the producer."""
        self._has_producer = False
        self._stream.unregisterProducer()
        if self.disconnecting:
            self._stream.close()

    def pauseProducing(self) -> None:
        """Stop reading."""
        self._stream.pauseProducing()

    def resumeProducing(self) -> None:
        """Go on reading."""
        self._stream.resumeProducing()

    def stopProducing(self) -> None:
        """Close, as nobody reads any more."""
        self._stream.stopProducing()

    def _closed(self, end: CloseReason) -> None:
        self._lost = True
        reason = connectionDone if end.clean else Failure(ConnectionLost(f"{end.code} {end.reason}"))
        self._protocol.connectionLost(reason)
