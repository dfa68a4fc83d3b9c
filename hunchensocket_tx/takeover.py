"""Takes an HTTP/1.1 connection out of twisted.web's hands: the one module that touches its private parts.

What it relies on, each with a test in ``tests/test_takeover.py``:

- ``request.channel`` is the ``HTTPChannel``; ``channel.transport`` is what the channel writes to.
- While a request is being handled, the channel keeps what arrives in ``_dataBuffer``, and behind that in the
  buffer of ``LineReceiver`` (``clearLineBuffer``); once full it stops reading from the transport.
- The channel is the transport's push producer, and has an idle timer (``setTimeout``).
- ``channel.persistent`` decides whether another request is served after this one.
- The transport's reader is a ``_GenericHTTPChannelProtocol`` in front of the channel: it is
  ``wrappedProtocol`` of a ``ProtocolWrapper`` (TLS, PROXY protocol) and ``protocol`` of any other transport.
- ``_channel`` of that reader is the channel. It receives a request's head while it is in ``line_mode`` and not
  ``_handlingRequest``, and ``_receivedHeaderSize`` or LineReceiver's ``_buffer`` is not empty.
- ``request._encoder`` encodes the answer; resources with an encoder provide ``_IEncodingResource``.
- What a transport has still to send is in its ``dataBuffer`` and ``_tempDataBuffer``.
- ``request.notifications`` are the Deferreds of ``notifyFinish``; ``channel.factory.log`` writes the access log.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IProtocol,
    IReactorTime,
    ISSLTransport,
    ITCPTransport,
    ITransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, _GenericHTTPChannelProtocol
from twisted.web.resource import IResource, _IEncodingResource, getChildForRequest
from twisted.web.server import Request
from zope.interface import implementer

from hunchensocket_tx.errors import NotUpgradable

__all__ = [
    "answer_and_close",
    "finish",
    "half_close",
    "has_line_for_itself",
    "has_sent_all",
    "limit_head_time",
    "redirect",
    "render_other",
    "serve_no_more",
    "take_over",
]

_log = Logger()


def take_over(request: Request, protocol: IProtocol) -> bytes:
    """Make a protocol the reader of a request's connection, in place of twisted.web.

    It can be done at any moment between the request's arrival and the first byte of its answer. Afterwards
    the transport (TCP, TLS, unix, or a wrapper of these) calls the protocol itself. ``protocol`` is not told:
    connect it to ``request.transport`` once that is convenient, within this turn of the reactor.

    :returns: the bytes that arrived behind the request so far.
    :raises NotUpgradable: if the client is gone, if the answer has begun, or if this is not HTTP/1.1.
    """
    channel: Any = request.channel
    if channel is None:
        raise NotUpgradable("the client is gone")
    if request.startedWriting:
        raise NotUpgradable("the answer to this request has begun already")
    if hasattr(channel, "take_over"):  # one of ours, which knows how
        early: bytes = channel.take_over(protocol)
        return early
    if not isinstance(channel, HTTPChannel):
        raise NotUpgradable(
            f"only connections of HTTP/1.1 can be taken over, not those of {type(channel).__name__}"
        )
    transport: Any = channel.transport
    channel.setTimeout(None)
    _stop_watching(channel)
    transport.unregisterProducer()
    early = b"".join([*channel._dataBuffer, channel.clearLineBuffer()])
    channel._dataBuffer = []
    channel.requests.clear()  # it would keep the request, which keeps the channel
    redirect(transport, protocol)
    # A transport of another kind goes on calling the channel; so may a caller that is in the midst of it.
    channel.dataReceived = protocol.dataReceived  # type: ignore[method-assign]
    channel.connectionLost = protocol.connectionLost  # type: ignore[method-assign]
    transport.resumeProducing()  # the channel may have stopped reading, as its buffer was full
    return early


def redirect(transport: Any, protocol: IProtocol) -> None:
    """Let what a transport reads reach a protocol, without another one between them if possible."""
    reader = transport if isinstance(transport, ProtocolWrapper) else getattr(transport, "protocol", None)
    if isinstance(reader, ProtocolWrapper):
        reader.wrappedProtocol = protocol
    elif isinstance(reader, (HTTPChannel, _GenericHTTPChannelProtocol)) or hasattr(reader, "take_over"):
        transport.protocol = protocol  # else it is somebody's own, who calls the channel


def has_sent_all(transport: ITransport) -> bool:
    """Tell whether a TCP transport has nothing left to send; False also if that cannot be known."""
    return getattr(transport, "dataBuffer", None) == b"" and getattr(transport, "_tempDataBuffer", None) == []


def limit_head_time(protocol: IProtocol, clock: IReactorTime, seconds: float) -> None:
    """Drop a connection whose client takes too long over the head of a request, one drip at a time.

    twisted.web's own timer starts anew with each byte.

    :param protocol: what a Site's ``buildProtocol`` returned.
    :param seconds: how long a head may take; it is dropped before it takes twice as long.
    """
    channel = getattr(protocol, "_channel", protocol)
    if isinstance(channel, HTTPChannel):
        _HeadWatch(protocol, channel, clock, seconds)


class _HeadWatch:
    """Looks at times whether a channel is still receiving the same head as before."""

    def __init__(self, reader: IProtocol, channel: HTTPChannel, clock: IReactorTime, seconds: float) -> None:
        self._reader = reader
        self._channel = channel
        self._clock = clock
        self._seconds = seconds
        self._complete = 0  # heads that were received in full
        self._seen: int | None = None  # that number, when a head was being received at the last look
        self._timer = clock.callLater(seconds, self._look)
        self._lost = channel.connectionLost
        self._head_received = channel.allHeadersReceived
        channel.connectionLost = self._connection_lost  # type: ignore[method-assign]
        channel.allHeadersReceived = self._count_head  # type: ignore[method-assign]

    def stop(self) -> None:
        """Watch no more, and leave the channel as it was."""
        if self._timer.active():
            self._timer.cancel()
        if "allHeadersReceived" in self._channel.__dict__:
            del self._channel.allHeadersReceived, self._channel.connectionLost

    def _connection_lost(self, reason: Failure) -> None:
        self.stop()
        self._lost(reason)  # type: ignore[no-untyped-call]

    def _count_head(self) -> None:
        self._complete += 1
        self._head_received()  # type: ignore[no-untyped-call]

    def _look(self) -> None:
        if getattr(self._reader, "_channel", self._channel) is not self._channel:
            return  # it turned out to be HTTP/2
        receiving = self._is_receiving_head()
        if receiving and self._seen == self._complete:
            _log.info("{peer} took too long over the head of a request", peer=self._channel.getPeer())
            transport: Any = self._channel.transport
            transport.abortConnection()
            return
        self._seen = self._complete if receiving else None
        self._timer = self._clock.callLater(self._seconds, self._look)

    def _is_receiving_head(self) -> bool:
        channel = self._channel
        if channel._handlingRequest or not channel.line_mode:
            return False
        return bool(channel._receivedHeaderSize or channel._buffer)


def _stop_watching(channel: HTTPChannel) -> None:
    watch = getattr(channel.connectionLost, "__self__", None)
    if isinstance(watch, _HeadWatch):
        watch.stop()


def finish(request: Request, sent: int, reason: Failure | None) -> None:
    """End a request whose connection was taken over: write its access log line, fire its ``notifyFinish``.

    The status is what ``request.code`` says.

    :param sent: bytes of the answer behind its head, for the log.
    :param reason: why the connection ended, if it was not a clean end.
    """
    request.sentLength = sent
    factory = getattr(request.channel, "factory", None)
    if factory is not None:
        factory.log(request)
    request.finished = 1
    if reason is None:
        waiting, request.notifications = request.notifications, []
        for deferred in waiting:
            deferred.callback(None)
    request.connectionLost(reason or Failure(connectionDone.value))


def serve_no_more(request: Request) -> None:
    """Have the connection closed after the answer, and what is behind the request dropped."""
    if isinstance(request.channel, HTTPChannel):
        request.channel.persistent = 0


def has_line_for_itself(request: Request) -> bool:
    """Tell whether a request came over HTTP/1.1, others may follow on its connection, and none has come yet.

    Not so if its answer is encoded (such as by gzip), as twisted.web has to end that.
    """
    channel: Any = request.channel
    if not isinstance(channel, HTTPChannel) or not channel.persistent or getattr(request, "_encoder", None):
        return False
    return not any(channel._dataBuffer) and not channel._buffer


def render_other(request: Request, resource: IResource) -> None:
    """Let another resource, or the child of it that the rest of the path names, answer a request.

    As a Site would, this heeds an encoder (such as gzip) that is wrapped around the resource.
    """
    child = getChildForRequest(resource, request)
    if _IEncodingResource.providedBy(child):
        request._encoder = child.getEncoder(request)
    request.render(child)


def answer_and_close(request: Request, body: bytes, clock: IReactorTime, timeout: float) -> None:
    """Answer a request whose status and headers are set, then close, whatever else the client sends.

    Upgraded bytes (key3) may still be on their way: they are read and dropped until the client closes or the
    time is over, since closing with unread input makes the kernel reset the connection, and the answer lost.

    :param timeout: seconds to wait for the client.
    """
    serve_no_more(request)
    request.setHeader(b"content-length", b"%d" % len(body))
    channel: Any = request.channel
    if not isinstance(channel, HTTPChannel) and not hasattr(
        channel, "take_over"
    ):  # HTTP/2 has no connection to close for one request
        request.write(body)
        request.finish()
        return
    request.setHeader(b"connection", b"close")
    drain = _Drain(request, clock, timeout, len(body))
    take_over(request, drain)
    request.write(body)
    drain.makeConnection(channel.transport)  # type: ignore[no-untyped-call]


def half_close(transport: ITransport) -> None:
    """Send what is buffered, then the end of our side, and go on reading; plain TCP and unix sockets only.

    TLS says good-bye in both directions at once, and reads on until the peer has done so too.
    """
    if ISSLTransport.providedBy(transport) or not ITCPTransport.providedBy(transport):
        transport.loseConnection()
    else:
        transport.loseWriteConnection()


@implementer(IHalfCloseableProtocol)
class _Drain(Protocol):
    """Reads and drops until the peer closes or the time is over."""

    def __init__(self, request: Request, clock: IReactorTime, timeout: float, sent: int) -> None:
        self._request = request
        self._sent = sent
        self._timer = clock.callLater(timeout, self._abort)

    def connectionMade(self) -> None:
        """Close our side."""
        assert self.transport is not None
        half_close(self.transport)

    def readConnectionLost(self) -> None:
        """Close, as the peer has done so."""
        assert self.transport is not None
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Nothing more to do: our side is closed, as wanted."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End the request."""
        if self._timer.active():
            self._timer.cancel()
        finish(self._request, self._sent, None)
        del self._request  # whose channel keeps this object

    def _abort(self) -> None:
        transport: Any = self.transport
        transport.abortConnection()
