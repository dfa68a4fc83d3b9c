"""A resource that has the sessions of one server, as SocketIOResource has those of several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import Resource
from twisted.web.server import Request

from hunchensocket_tx import Settings, WebSocketResource
from hunchensocket_tx.socketio.session import Session
from hunchensocket_tx.socketio.settings import SocketIOSettings


class SessionsResource(WebSocketResource):
    """Serves the sessions of some generations, and nothing else.

    :param make: makes the server, as EngineServer and FirstServer are made.
    """

    def __init__(
        self,
        make: Callable[..., Any],
        opened: Callable[[Session], Any],
        reactor: IReactorTime | None = None,
        *,
        limits: Settings | None = None,
        **settings: Any,
    ) -> None:
        chosen = SocketIOSettings(**settings)
        limits = replace(
            limits or Settings(),
            compression=False,
            ping_interval=0,
            websocket_timeout=0,
            max_message_size=chosen.max_http_buffer_size,
        )
        super().__init__(
            lambda request: self.session_server.dispatch(request),
            fallback=_Rest(self),
            settings=limits,
            reactor=reactor,
        )
        self.session_server = make(chosen, limits, self._clock, opened)

    def _dispatch(self, request: Request) -> Any:
        return self.session_server.dispatch(request)


class _Rest(Resource):
    isLeaf = True  # noqa: N815

    def __init__(self, owner: SessionsResource) -> None:
        super().__init__()
        self.owner = owner

    def render(self, request: Request) -> Any:
        return self.owner.session_server.render(request)
