"""The lean way of polling: a connection on which a client polls, out of twisted.web's hands.

twisted.web takes some two hundred microseconds for a request, whatever it is about, and keeps some kilobytes while
it waits. Nearly all requests of a polling client are alike but for a few bytes: here, what its fields mean for the
answer is found out once, and then remembered by the very bytes.

Only what is known beyond doubt is served here: GETs and small POSTs of sessions that poll, with usual fields. For
anything else, other requests that a browser makes on the same connection among it, twisted.web gets the connection
back, with every byte that has come.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from time import time
from typing import Any, NamedTuple, Protocol

from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import RESPONSES, datetimeToString
from twisted.web.server import Request
from zope.interface import implementer

from hunchensocket_tx.head_request import HeadRequest
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.socketio.answers import TEXT
from hunchensocket_tx.socketio.cors import admit_page
from hunchensocket_tx.socketio.engine.exchange import Exchange
from hunchensocket_tx.socketio.engine.polling import PollingTransport
from hunchensocket_tx.socketio.settings import SocketIOSettings
from hunchensocket_tx.takeover import redirect
from hunchensocket_tx.timers import Timer, Timers

__all__ = ["PollingConnection", "PollingOwner"]

MAX_HEAD = 16384
"""Bytes of a head, as in twisted.web."""

MAX_BODY = 65536
"""Bytes of a POST to serve here: larger ones twisted.web collects better."""

MAX_EARLY = 65536
"""Bytes to read behind a request that waits for its answer."""

MAX_KNOWN = 4
"""Heads to remember: a client has one for GETs and one for POSTs."""

MAX_DIGITS = 9

_LINE = re.compile(rb"(GET|POST) ([!->@-~]+)\?([!-~]+) HTTP/1\.1\r\n")
_FIELD = re.compile(rb"\r\n([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*([\t\x20-\x7e\x80-\xff]*)")
_LENGTHS = (b"\r\nContent-Length: ", b"\r\ncontent-length: ")
_UNUSUAL = frozenset({b"content-length", b"transfer-encoding", b"expect", b"trailer", b"upgrade"})


class PollingOwner(Protocol):
    """Who has the sessions."""

    @property
    def settings(self) -> SocketIOSettings:
        """Limits to what clients send."""

    @property
    def limits(self) -> Settings:
        """Which origins may connect."""

    def polling_of(self, sid: str) -> PollingTransport | None:
        """Return the polling of a session, if it is in use."""


class _Unusual(Exception):
    """twisted.web is to serve a request."""


class _Known(NamedTuple):
    """What is known of all requests with the same fields.

    :ivar content_type: of what a POST brings.
    :ivar fields: of the answer.
    """

    content_type: str
    fields: bytes


class _Parts(NamedTuple):
    """A request that is complete.

    :ivar size: how many bytes it has.
    """

    polling: PollingTransport
    known: _Known
    body: bytes | None
    size: int


@implementer(IProtocol, IPushProducer)
class PollingConnection:
    """A connection whose first request has been answered; an exchange itself, one at a time.

    :param owner: whose sessions are polled.
    :param request: that first one, which twisted.web has served.
    """

    index: str | None = None  # no scripts here

    __slots__ = (
        "_data",
        "_is_idle",
        "_known",
        "_lost",
        "_owner",
        "_path",
        "_reads",
        "_serving",
        "_successor",
        "_timer",
        "_under_way",
        "site",
        "transport",
    )

    def __init__(self, owner: PollingOwner, request: Request) -> None:
        self.site: Any = request.site
        self.transport: Any = None
        self._owner = owner
        self._path: bytes = request.path
        self._timer: Timer | None = None
        self._is_idle = False  # no answer was sent since the last look
        self._data = b""
        self._known: dict[bytes, _Known] = {}
        self._under_way: _Known | None = None  # what is to be answered
        self._lost: Callable[[Exchange], None] | None = None
        self._reads = True  # the client takes its answers
        self._serving = False
        self._successor: IProtocol | None = None

    # What the transport calls

    def makeConnection(self, transport: Any) -> None:
        """Take the transport (IProtocol)."""
        self.transport = transport
        transport.registerProducer(self, True)
        self._look()

    def connectionMade(self) -> None:
        """Nothing is left to do then (IProtocol)."""

    def dataReceived(self, data: bytes) -> None:
        """Take what arrived (IProtocol)."""
        if self._successor is not None:
            self._successor.dataReceived(data)
            return
        self._data = self._data + data if self._data else data
        if self._under_way is None:
            self._serve()
        elif len(self._data) > MAX_EARLY:
            self.transport.pauseProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The client left (IProtocol)."""
        self._stop_timer()
        if self._successor is not None:
            self._successor.connectionLost(reason)
        self._under_way = None
        self._data = b""
        lost, self._lost = self._lost, None
        if lost is not None:
            lost(self)

    def pauseProducing(self) -> None:
        """Serve no more until the client has taken its answers (IPushProducer)."""
        self._reads = False
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Go on (IPushProducer)."""
        self._reads = True
        self.transport.resumeProducing()
        self._serve()

    def stopProducing(self) -> None:
        """The connection ends, which is told in another way, too (IPushProducer)."""

    # What a request asks of its channel

    def getPeer(self) -> IAddress:
        """Return the client's address."""
        return self.transport.getPeer()  # type: ignore[no-any-return]

    def getHost(self) -> IAddress:
        """Return our address."""
        return self.transport.getHost()  # type: ignore[no-any-return]

    def isSecure(self) -> bool:
        """Tell whether this is TLS."""
        return ISSLTransport.providedBy(self.transport)

    # What polling asks of an exchange

    def when_lost(self, lost: Callable[[Exchange], None]) -> None:
        """Have a function called if the client leaves before it is answered (Exchange)."""
        self._lost = lost

    def answer(self, body: bytes, content_type: bytes = TEXT, status: int = 200) -> None:
        """Answer the request that is under way (Exchange)."""
        known, self._under_way = self._under_way, None
        if known is None:
            return  # the client is gone
        self._lost = None
        self._is_idle = False
        self.transport.write(
            b"HTTP/1.1 %d %b\r\n%b%bContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (status, RESPONSES[status], known.fields, _date(), content_type, len(body), body)
        )
        if self._data and self._reads and not self._serving:
            self.transport.resumeProducing()
            self._serve()

    # Requests

    def _serve(self) -> None:
        """Serve the requests that are complete, one after the other."""
        self._serving = True
        try:
            while self._data and self._under_way is None and self._reads:
                parts = self._take_apart(self._data)
                if parts is None:
                    break
                self._data = self._data[parts.size :]
                self._under_way = parts.known
                if parts.body is None:
                    parts.polling.poll(self)
                else:
                    parts.polling.receive(self, parts.body, parts.known.content_type)
        except _Unusual:
            self._give_back()
        finally:
            self._serving = False

    def _take_apart(self, data: bytes) -> _Parts | None:
        """Return the first request, as soon as it is complete.

        :raises _Unusual: if it is not to be served here.
        """
        end = data.find(b"\r\n\r\n") + 4
        line = _LINE.match(data)
        if end < 4 or line is None:
            if len(data) > MAX_HEAD or end >= 4:
                raise _Unusual
            return None
        method, path, query = line.groups()
        polling = self._polling_of(query) if path == self._path else None
        if polling is None or end > MAX_HEAD:
            raise _Unusual
        if method == b"GET":
            return _Parts(polling, self._know(data, data[line.end() - 2 : end - 4]), None, end)
        size, fields = _without_length(data, line.end() - 2, end - 4)
        if size > min(MAX_BODY, self._owner.settings.max_http_buffer_size):
            raise _Unusual
        known = self._know(data, fields)
        if len(data) < end + size:
            return None
        return _Parts(polling, known, data[end : end + size], end + size)

    def _polling_of(self, query: bytes) -> PollingTransport | None:
        """Return the polling of the session that a query names, if it is one."""
        parameters = {name: value for name, _, value in [pair.partition(b"=") for pair in query.split(b"&")]}
        if b"j" in parameters or b";" in query or parameters.get(b"transport") != b"polling":
            return None
        return self._owner.polling_of(parameters.get(b"sid", b"").decode("latin-1"))

    def _know(self, data: bytes, fields: bytes) -> _Known:
        """Return what is known of requests with such fields.

        :param fields: each behind a CR LF.
        :raises _Unusual: if they are not to be served here.
        """
        known = self._known.get(fields)
        if known is None:
            known = self._find_out(data, fields)
            if len(self._known) == MAX_KNOWN:
                self._known.clear()
            self._known[fields] = known
        return known

    def _find_out(self, data: bytes, fields: bytes) -> _Known:
        position, content_type = 0, ""
        while position < len(fields):
            match = _FIELD.match(fields, position)
            if match is None:
                raise _Unusual
            position = match.end()
            name, value = match[1].lower(), match[2]
            if name in _UNUSUAL or (name == b"connection" and value.strip().lower() != b"keep-alive"):
                raise _Unusual
            if name == b"content-type":
                content_type = value.strip(b" \t").decode("latin-1")
        request = HeadRequest(data[: data.index(b"\r\n")] + fields, self)
        if admit_page(request, self._owner.settings, self._owner.limits) is not None:
            raise _Unusual
        request.responseHeaders.removeHeader(b"date")
        lines = [
            b"%b: %b\r\n" % (name, value)
            for name, values in request.responseHeaders.getAllRawHeaders()
            for value in values
        ]
        return _Known(
            content_type, b"".join([*lines, b"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"])
        )

    def _give_back(self) -> None:
        """Let twisted.web serve what has come, and what will."""
        self._stop_timer()
        transport = self.transport
        transport.unregisterProducer()
        successor: Any = self.site.buildProtocol(transport.getPeer())
        self._successor = successor
        if getattr(transport, "protocol", None) is self:
            transport.protocol = successor
        else:
            redirect(transport, successor)
        data, self._data = self._data, b""
        successor.makeConnection(transport)
        successor.dataReceived(data)

    # Time

    def _look(self) -> None:
        """Close, if no request has come since the last look, or only a part of one."""
        seconds = self.site.timeOut
        if self._is_idle and self._under_way is None:
            self.transport.loseConnection()
        elif seconds:
            self._is_idle = True
            self._timer = _timers(self.site.reactor).callLater(seconds, self._look)

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()


@lru_cache(maxsize=16)
def _timers(reactor: IReactorTime) -> Timers:
    """Return the timers of all connections on a reactor."""
    return Timers(reactor)


def _without_length(data: bytes, start: int, end: int) -> tuple[int, bytes]:
    """Return the length of a body, and the fields but for the one that says so.

    :param start: where the fields start, each behind a CR LF.
    :param end: where they end.
    :raises _Unusual: if there is no such field, as it is usually written.
    """
    for name in _LENGTHS:
        found = data.find(name, start, end)
        if found >= 0:
            break
    else:
        raise _Unusual
    rest = data.index(b"\r\n", found + len(name))
    digits = data[found + len(name) : rest]
    if not digits.isdigit() or len(digits) > MAX_DIGITS:
        raise _Unusual
    return int(digits), data[start:found] + data[rest:end]


_dated = (0, b"")


def _date() -> bytes:
    """Return the field that says when an answer was made."""
    global _dated
    now = int(time())
    if now != _dated[0]:
        _dated = now, b"Date: %b\r\n" % datetimeToString()
    return _dated[1]
