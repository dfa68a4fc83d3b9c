"""The lean way to an opening handshake: one pass over the head of a request that asks for an upgrade.

twisted.web's channel reads a head line by line, and prepares for whatever HTTP request may follow. For one that
asks for an upgrade beyond doubt, this reader makes a request at a fraction of the cost. All else, whatever is
unusual included, it leaves to a channel of twisted.web, with every byte that has come.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.interfaces import IAddress, IProtocol, ISSLTransport, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.server import Request, Site

from hunchensocket_tx.head_request import HeadRequest
from hunchensocket_tx.takeover import half_close, redirect

__all__ = ["HeadReader"]

MAX_HEAD = 16384
"""Bytes of a head, as in twisted.web."""

MAX_FIELDS = 500
"""Likewise."""

MAX_EARLY = 65536
"""Bytes to read behind a head while its request is being decided upon."""

_METHOD = b"GET "
_FIRST_LINE = re.compile(rb"GET [!-~]+ HTTP/1\.1\r\n")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e\x80-\xff]*)\r\n")
_MEANS_A_BODY = frozenset({b"content-length", b"transfer-encoding", b"expect", b"trailer"})


class HeadReader(Protocol):
    """Reads the head of a connection's first request; stands in for its channel if that asks for an upgrade.

    :param site: whose resources are to answer.
    :param make_channel: makes a channel of twisted.web for what is no such request.
    :param clock: where the timer runs.
    :param patience: seconds that a client may be silent at first; None for ever.
    :param timeout: seconds that a head may take from its first byte on.
    """

    _log = Logger()

    def __init__(
        self,
        site: Site,
        make_channel: Callable[[], IProtocol],
        clock: Any,
        patience: float | None,
        timeout: float,
    ) -> None:
        self.site = self.factory = site
        self._make_channel = make_channel
        self._clock = clock
        self._timeout = timeout
        self._timer = None if patience is None else clock.callLater(patience, self._timed_out)
        self._head = b""
        self._request: Request | None = None

    # What the transport calls

    def connectionMade(self) -> None:
        """Have small packets sent at once (IProtocol)."""
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)

    def dataReceived(self, data: bytes) -> None:
        """Take what arrived (IProtocol)."""
        started = bool(self._head)
        self._head += data
        if self._request is not None:
            if len(self._head) > MAX_EARLY:
                self._transport.pauseProducing()
            return
        end = self._head.find(b"\r\n\r\n") + 2
        if end < 2:
            if len(self._head) > MAX_HEAD or not _METHOD.startswith(self._head[: len(_METHOD)]):
                self._leave_to_a_channel()
            elif not started:
                self._stop_timer()
                self._timer = self._clock.callLater(self._timeout, self._timed_out)
            return
        usual = end <= MAX_HEAD and _asks_for_an_upgrade(self._head, end)
        if not usual or getattr(self.transport, "negotiatedProtocol", None) == b"h2":
            self._leave_to_a_channel()
            return
        self._stop_timer()
        head, self._head = self._head[: end - 2], self._head[end + 2 :]
        self._serve(head)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The client left while its request was being decided upon, or before (IProtocol)."""
        self._stop_timer()
        if getattr(self._request, "channel", None) is self:
            self._request.connectionLost(reason)

    # What a request asks of its channel

    def getPeer(self) -> IAddress:
        """Return the client's address."""
        return self._transport.getPeer()  # type: ignore[no-any-return]

    def getHost(self) -> IAddress:
        """Return our address."""
        return self._transport.getHost()  # type: ignore[no-any-return]

    def isSecure(self) -> bool:
        """Tell whether this is TLS."""
        return ISSLTransport.providedBy(self.transport)

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        """Write the head of an answer."""
        lines = [b" ".join((version, code, reason))]
        lines += [name + b": " + value for name, values in headers.getAllRawHeaders() for value in values]
        self._transport.write(b"\r\n".join([*lines, b"", b""]))

    def write(self, data: bytes) -> None:
        """Write what follows it."""
        self._transport.write(data)

    def writeSequence(self, sequence: Iterable[bytes]) -> None:
        """Likewise."""
        self._transport.writeSequence(sequence)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Let a producer write it."""
        self._transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """It is done."""
        self._transport.unregisterProducer()

    def requestDone(self, request: Request) -> None:
        """Close, as what follows an attempt to upgrade is no HTTP."""
        self._timer = self._clock.callLater(self._timeout, self._transport.abortConnection)
        self.dataReceived = _drop  # type: ignore[method-assign]
        self._transport.resumeProducing()
        half_close(self._transport)

    def loseConnection(self) -> None:
        """Close."""
        self._transport.loseConnection()

    # What a takeover asks of it

    def take_over(self, protocol: IProtocol) -> bytes:
        """Let a protocol have the connection; return what has come behind the head."""
        self._leave_to(protocol)
        self._transport.resumeProducing()
        early, self._head = self._head, b""
        self._request = None  # it keeps this object
        return early

    @property
    def _transport(self) -> Any:
        return self.transport

    def _serve(self, head: bytes) -> None:
        site, root = self.site, self.site.resource
        if site.requestFactory is not Request:
            request = site.requestFactory(self)
            self._request = request
            made = HeadRequest(head, self)
            request.requestHeaders = made.requestHeaders
            request.received_cookies = made.received_cookies
            request.content = made.content
            request.requestReceived(made.method, made.uri, made.clientproto)
            return
        request = self._request = HeadRequest(head, self)
        if root.isLeaf and request.path != b"*":  # what is in its way with a site's
            try:
                request.render(root)  # type: ignore[no-untyped-call]
            except BaseException:
                request.processingFailed(Failure())  # type: ignore[no-untyped-call]
        else:
            request.process()  # type: ignore[no-untyped-call]

    def _leave_to_a_channel(self) -> None:
        self._stop_timer()
        channel: Any = self._make_channel()
        self._leave_to(channel)
        head, self._head = self._head, b""
        channel.makeConnection(self._transport)
        channel.dataReceived(head)

    def _leave_to(self, protocol: IProtocol) -> None:
        redirect(self._transport, protocol)
        # A transport of another kind goes on calling this object.
        self.dataReceived = protocol.dataReceived  # type: ignore[method-assign]
        self.connectionLost = protocol.connectionLost  # type: ignore[method-assign,assignment]

    def _timed_out(self) -> None:
        self._log.info("{peer} took too long over the head of a request", peer=self.getPeer())
        self._transport.abortConnection()

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()


def _drop(data: bytes) -> None:
    """Read nothing into it."""


def _asks_for_an_upgrade(data: bytes, end: int) -> bool:
    """Tell whether a head asks for an upgrade, and has nothing unusual.

    :param end: where the empty line starts that ends it.
    """
    first = _FIRST_LINE.match(data)
    if first is None:
        return False
    position, upgrade, count = first.end(), False, 0
    while position < end:
        match = _FIELD.match(data, position, end)
        if match is None:
            return False
        position = match.end()
        name = match[1].lower()
        if name in _MEANS_A_BODY:
            return False
        count += 1
        if name == b"connection" and b"close" in match[2].lower():
            return False
        upgrade = upgrade or (name == b"upgrade" and b"websocket" in match[2].lower())
    return upgrade and count <= MAX_FIELDS
