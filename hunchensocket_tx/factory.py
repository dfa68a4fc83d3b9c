"""WebSocketFactory: the protocol factory for an endpoint, with WebSockets for some and HTTP for the rest."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import IResource
from twisted.web.server import Site

from hunchensocket_tx.cascade import Dispatcher
from hunchensocket_tx.resource import WebSocketResource
from hunchensocket_tx.settings import Settings

__all__ = ["WebSocketFactory"]


class WebSocketFactory(Site):
    """A site whose dispatchers are asked about WebSockets on all paths, in front of an ordinary root resource.

    :param dispatchers: asked in order; without any, those of :data:`websocket_handlers` are.
    :param root: serves all other requests, and WebSockets that no dispatcher takes.
    :param settings: limits, timers, origins, versions; the defaults are safe.
    :param reactor: where timers run; the global reactor by default.
    :param changes: single settings, as ``origins="*"``.

    :ivar websockets: the resource that holds the open streams.
    """

    def __init__(
        self,
        *dispatchers: Dispatcher,
        root: IResource | None = None,
        settings: Settings | None = None,
        reactor: IReactorTime | None = None,
        **changes: Any,
    ) -> None:
        self.websockets = WebSocketResource(
            *dispatchers, fallback=root, settings=settings, reactor=reactor, **changes
        )
        super().__init__(self.websockets, reactor=reactor)  # type: ignore[no-untyped-call]

    def close_all(self, code: int = 1001, reason: str = "going away") -> Deferred[Any]:
        """Close all open WebSockets; see :meth:`WebSocketResource.close_all`."""
        return self.websockets.close_all(code, reason)
