"""The lean way of polling: a connection on which a client polls, out of twisted.web's hands.

twisted.web takes some two hundred microseconds for a request, whatever it is about, and keeps some kilobytes while
it waits. Nearly all requests of a polling client are alike but for a few bytes: here, what its fields mean for the
answer is found out once, and then remembered by the very bytes.

Only what is known beyond doubt is served here: GETs and small POSTs of sessions that poll, with usual fields. For
anything else, other requests that a browser makes on the same connection among it, twisted.web gets the connection
back, with every byte that has come.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
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
from twisted.web.server import Request
from zope.interface import implementer

from hunchensocket_tx.client_address import set_client_address
from hunchensocket_tx.head_request import HeadRequest
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.socketio.answers import TEXT
from hunchensocket_tx.socketio.cors import admit_page
from hunchensocket_tx.socketio.engine.exchange import Exchange
from hunchensocket_tx.socketio.engine.lean_http import (
    Head,
    Unusual,
    content_type_of,
    field_lines,
    make_answer,
    read_head,
)
from hunchensocket_tx.socketio.engine.polling import PollingTransport
from hunchensocket_tx.socketio.settings import SocketIOSettings
from hunchensocket_tx.takeover import redirect
from hunchensocket_tx.timers import Timer, Timers

__all__ = ["PollingConnection", "PollingOwner"]

MAX_BODY = 65536
"""Bytes of a POST to serve here: larger ones twisted.web collects better."""

MAX_EARLY = 65536
"""Bytes to read behind a request that waits for its answer."""

MAX_KNOWN = 4
"""Heads to remember: a client has one for GETs and one for POSTs."""

OWN_FIELDS = b"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
"""Of each answer, as :func:`prepare_answer` sets them."""

NOT_OF_OTHERS = frozenset(
    {
        b"cache-control",
        b"connection",
        b"content-length",
        b"content-type",
        b"date",
        b"server",
        b"set-cookie",
        b"vary",
        b"x-content-type-options",
    }
)
"""Fields of an answer that are its own."""


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


class _Known(NamedTuple):
    """What is known of all requests with the same fields.

    :ivar asked: those, but for the length of the body.
    :ivar content_type: of what a POST brings.
    :ivar answered: fields of the answer.
    """

    asked: bytes
    content_type: str
    answered: bytes


class _Logged:
    """What the access log is told of: a request of twisted.web's as soon as somebody looks into it.

    :param head: of the request.
    """

    __slots__ = ("_connection", "_head", "_request", "code", "sentLength")

    def __init__(self, head: bytes, connection: PollingConnection, status: int, sent: int) -> None:
        self._head = head
        self._connection = connection
        self._request: HeadRequest | None = None
        self.code = status
        self.sentLength = sent

    def __getattr__(self, name: str) -> Any:
        if self._request is None:
            self._request = self._connection.request_of(self._head)
        return getattr(self._request, name)


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
        "_line",
        "_lost",
        "_owner",
        "_path",
        "_reads",
        "_serving",
        "_successor",
        "_timer",
        "_under_way",
        "_with_all",
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
        self._with_all = _fields_of_others(request)
        self._line = b""
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

    def request_of(self, head: bytes) -> HeadRequest:
        """Return a request as twisted.web has it."""
        request = HeadRequest(head, self)
        set_client_address(request, self._owner.limits)
        return request

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
        self.transport.write(make_answer(status, known.answered, content_type, body))
        self.site.log(_Logged(self._line + known.asked, self, status, len(body)))
        if self._data and self._reads and not self._serving:
            self.transport.resumeProducing()
            self._serve()

    # Requests

    def _serve(self) -> None:
        """Serve the requests that are complete, one after the other."""
        self._serving = True
        try:
            while self._data and self._under_way is None and self._reads and self._serve_next():
                pass
        except Unusual:
            self._give_back()
        finally:
            self._serving = False

    def _serve_next(self) -> bool:
        """Serve a request; return whether one was complete.

        :raises Unusual: if it is not to be served here.
        """
        data = self._data
        head = read_head(data)
        if head is None:
            return False
        polling = self._polling_of(head.parameters) if head.path == self._path else None
        if polling is None:
            raise Unusual
        known = self._know(head)
        if head.body_size is None:
            self._data = data[head.size :]
            self._line, self._under_way = head.line, known
            polling.poll(self)
            return True
        if head.body_size > min(MAX_BODY, self._owner.settings.max_http_buffer_size):
            raise Unusual
        end = head.size + head.body_size
        if len(data) < end:
            return False
        self._data = data[end:]
        self._line, self._under_way = head.line, known
        polling.receive(self, data[head.size : end], known.content_type)
        return True

    def _polling_of(self, parameters: dict[bytes, bytes]) -> PollingTransport | None:
        """Return the polling of the session that a query names, if it is one, and wants no scripts."""
        if b"j" in parameters or parameters.get(b"transport") != b"polling":
            return None
        return self._owner.polling_of(parameters.get(b"sid", b"").decode("latin-1"))

    def _know(self, head: Head) -> _Known:
        """Return what is known of requests with the same fields.

        :raises Unusual: if they are not to be served here.
        """
        known = self._known.get(head.fields)
        if known is None:
            known = self._find_out(head)
            if len(self._known) == MAX_KNOWN:
                self._known.clear()
            self._known[head.fields] = known
        return known

    def _find_out(self, head: Head) -> _Known:
        content_type = content_type_of(head.fields)
        request = self.request_of(head.line + head.fields)
        if admit_page(request, self._owner.settings, self._owner.limits) is not None:
            raise Unusual
        request.responseHeaders.removeHeader(b"date")
        lines = field_lines(request.responseHeaders.getAllRawHeaders())
        return _Known(head.fields, content_type, b"".join((lines, self._with_all, OWN_FIELDS)))

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


def _fields_of_others(request: Request) -> bytes:
    """Return what resources above, say with ``Strict-Transport-Security``, add to an answer."""
    fields = request.responseHeaders.getAllRawHeaders()
    return field_lines(
        (name, values)
        for name, values in fields
        if name.lower() not in NOT_OF_OTHERS and not name.lower().startswith(b"access-control-")
    )
