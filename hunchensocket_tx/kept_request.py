"""What is kept of a request while its WebSocket is open: its head, of which the request can be made again."""

from __future__ import annotations

import weakref
from typing import Any, Protocol

from cryptography import x509
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure
from twisted.web.http import SWITCHING
from twisted.web.server import Request

from hunchensocket_tx.bounded_request import BoundedRequest
from hunchensocket_tx.head_request import HeadRequest
from hunchensocket_tx.takeover import finish

__all__ = ["KeptRequest"]


class Ends(Protocol):
    """The ends of a connection."""

    @property
    def peer(self) -> IAddress:
        """The client's address."""

    @property
    def host(self) -> IAddress:
        """Ours."""

    @property
    def peer_certificate(self) -> x509.Certificate | None:
        """What the client has shown in TLS."""


class KeptRequest:
    """A request that opened a WebSocket, and the little that is kept of it when it has done that.

    :param request: not answered yet.
    """

    __slots__ = ("_head", "_notifications", "_prepath_size", "_request", "_secure", "_site")

    def __init__(self, request: Request) -> None:
        self._request: Any = request
        self._head = b""
        self._notifications: list[Any] | None = None
        self._prepath_size = 0
        self._secure = False
        self._site: Any = None

    def let_go(self) -> None:
        """Keep the head only, unless somebody waits for the request to be finished, or its class is their own."""
        request = self._request
        if self._head or request.notifications or type(request) not in (Request, BoundedRequest, HeadRequest):
            return
        if isinstance(request, HeadRequest) and request.is_untouched:
            self._head = request.head
        else:
            lines = [b" ".join((request.method, request.uri, request.clientproto))]
            for name, values in request.requestHeaders.getAllRawHeaders():
                lines += [name + b": " + value for value in values]
            self._head = b"\r\n".join(lines)
            self._prepath_size = len(getattr(request, "prepath", ()))
        self._secure = bool(request.isSecure())
        self._site = getattr(request.channel, "factory", None)
        self._request = weakref.ref(request, self._forget)

    def _forget(self, _: object) -> None:
        self._request = None

    def get(self, ends: Ends) -> Request:
        """Return the request: itself, or one that is made of its head if nobody has kept it."""
        if not self._head:
            kept: Request = self._request
            return kept
        request: Request | None = self._request() if self._request is not None else None
        if request is None:
            channel = _PastChannel(self._site, ends, self._secure)
            request = HeadRequest(self._head, channel, self._prepath_size)
            request.startedWriting = 1
            request.code = SWITCHING
            request.notifications = self._notifications = self._notifications or []  # who waits is not forgotten
            self._request = weakref.ref(request, self._forget)
        return request

    def finish(self, ends: Ends, sent: int, reason: Failure | None) -> None:
        """End the request; see :func:`takeover.finish`."""
        finish(self.get(ends), sent, reason)


class _PastChannel:
    """What a request that was made again takes for its channel."""

    transport = None

    def __init__(self, site: Any, ends: Ends, secure: bool) -> None:
        self.factory = self.site = site
        self._ends = ends
        self._secure = secure

    def getPeer(self) -> IAddress:
        return self._ends.peer

    def getHost(self) -> IAddress:
        return self._ends.host

    @property
    def peer_certificate(self) -> x509.Certificate | None:
        return self._ends.peer_certificate

    def isSecure(self) -> bool:
        return self._secure
