"""WebSocketFactory: the protocol factory for an endpoint, with WebSockets for some and HTTP for the rest."""

from __future__ import annotations

import select
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.logger import Logger
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from hunchensocket_tx import speedups
from hunchensocket_tx.bounded_request import BoundedRequest
from hunchensocket_tx.cascade import Dispatcher
from hunchensocket_tx.client_address import set_client_address
from hunchensocket_tx.head_reader import HeadReader
from hunchensocket_tx.resource import WebSocketResource, is_attempt
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.takeover import limit_head_time, serve_no_more
from hunchensocket_tx.timers import Timers

__all__ = ["GuardedSite", "WebSocketFactory"]


class GuardedSite(Site):
    """A site that is safe to have WebSockets on any of its paths.

    It drops clients who take longer than ``handshake_timeout`` over the head of a request, and closes connections
    on which a WebSocket was asked for in vain. Bodies of requests are bounded by ``max_body_size``.

    :param root: the root resource.
    :param settings: gives these.
    :param reactor: where timers run; the global reactor by default.
    :param log_path: file for the access log; Twisted's log by default.
    """

    _log = Logger()

    def __init__(
        self,
        root: IResource,
        settings: Settings,
        reactor: IReactorTime | None = None,
        log_path: str | None = None,
    ) -> None:
        super().__init__(root, reactor=reactor, logPath=log_path)  # type: ignore[no-untyped-call]
        self._settings = settings
        self._timers: Any = Timers(self.reactor)

    def startFactory(self) -> None:
        """Say what it runs on, as it begins to listen (IProtocolFactory)."""
        super().startFactory()
        lane = "on" if self._settings.fast_lane and hasattr(select, "epoll") else "off"
        self._log.debug("codecs: {codecs}; fast lane: {lane}", codecs=speedups.in_use, lane=lane)

    def getResourceFor(self, request: Request) -> IResource:
        """Find the resource for a request (Site); after an attempt at a WebSocket, serve no other.

        If it fails, what follows is not HTTP, whoever it was that answered.
        """
        set_client_address(request, self._settings)
        if not isinstance(request.channel, HeadReader) and is_attempt(request.requestHeaders):
            serve_no_more(request)
        return super().getResourceFor(request)  # type: ignore[no-untyped-call,no-any-return]

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Return a protocol for a connection (IProtocolFactory)."""
        make_channel = partial(self._build_channel, addr)
        return HeadReader(self, make_channel, self._timers, self.timeOut, self._settings.handshake_timeout)

    def _build_channel(self, addr: IAddress | None) -> Any:
        channel = super().buildProtocol(addr)  # type: ignore[no-untyped-call]
        if self._settings.max_body_size and self.requestFactory is Request:  # a HeadReader's have no bodies
            channel.requestFactory = partial(BoundedRequest, self._settings.max_body_size)
        limit_head_time(channel, self._timers, self._settings.handshake_timeout)
        return channel


class WebSocketFactory(GuardedSite):
    """A site whose dispatchers are asked about WebSockets on all paths, in front of an ordinary root resource.

    :param dispatchers: asked in order; without any, those of :data:`websocket_handlers` are.
    :param root: serves all other requests, and WebSockets that no dispatcher takes.
    :param settings: limits, timers, origins, versions; the defaults are safe.
    :param reactor: where timers run; the global reactor by default.
    :param log_path: file for the access log; Twisted's log by default.
    :param changes: single settings, as ``origins="*"``.

    :ivar websockets: the resource that holds the open streams.
    """

    def __init__(
        self,
        *dispatchers: Dispatcher,
        root: IResource | None = None,
        settings: Settings | None = None,
        reactor: IReactorTime | None = None,
        log_path: str | None = None,
        **changes: Any,
    ) -> None:
        self.websockets = WebSocketResource(
            *dispatchers, fallback=root, settings=settings, reactor=reactor, **changes
        )
        super().__init__(self.websockets, self.websockets.settings, reactor, log_path)

    def close_all(self, code: int = 1001, reason: str = "going away") -> Deferred[Any]:
        """Close all open WebSockets; see :meth:`WebSocketResource.close_all`."""
        return self.websockets.close_all(code, reason)
