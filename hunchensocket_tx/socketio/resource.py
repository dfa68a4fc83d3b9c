"""SocketIOResource and EngineIOResource: what one hangs on a path of a twisted.web site."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from os import PathLike, fspath
from typing import Any, Protocol

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request
from twisted.web.static import File

from hunchensocket_tx.resource import WebSocketResource
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.socketio.engine.server import EngineServer
from hunchensocket_tx.socketio.first.server import FirstServer
from hunchensocket_tx.socketio.server import SocketIO
from hunchensocket_tx.socketio.session import Session, SessionListener, SessionOpened
from hunchensocket_tx.socketio.settings import SocketIOSettings
from hunchensocket_tx.socketio.wire.packets import Packet
from hunchensocket_tx.takeover import render_other
from hunchensocket_tx.wire.events import Message

__all__ = ["EngineIOResource", "SocketIOResource"]


class _Server(Protocol):
    """The sessions of some generations."""

    @property
    def sessions(self) -> Mapping[str, Session]:
        """All that are open, by their ids."""

    def render(self, request: Request) -> Any:
        """Answer what is no WebSocket."""

    def dispatch(self, request: Request) -> Any:
        """Take a WebSocket, or refuse it; a dispatcher."""

    def close(self, reason: str) -> Deferred[None]:
        """End all sessions."""


class EngineIOResource(WebSocketResource):
    """Serves sessions of Engine.IO 3 and 4, over polling and WebSockets, for messages other than Socket.IO's::

        def echo(session):
            return session.send_message

        root.putChild(b"engine.io", EngineIOResource(echo))

    :param opened: called with each new :class:`Session`; returns what is called with each message of its client
        (str or bytes), or a :class:`SessionListener`, which is told of the end, too.
    :param engine: timers and limits of sessions.
    :param settings: those of WebSockets, and which ``origins`` may connect, over whatever transport. Their pings,
        compression and the limit to their messages are those of sessions, and slow peers are closed.
    :param reactor: where timers run; the global reactor by default.
    :param changes: single settings of WebSockets, as ``origins="*"``.
    """

    def __init__(
        self,
        opened: Callable[[Session], SessionListener | Callable[[Message], object]],
        *,
        engine: SocketIOSettings | None = None,
        settings: Settings | None = None,
        reactor: IReactorTime | None = None,
        **changes: Any,
    ) -> None:
        engine = engine or SocketIOSettings()
        of_sessions: dict[str, Any] = {
            "compression": engine.compression,
            "max_message_size": engine.max_http_buffer_size,
            "slow_peers": "close",  # as a packet may be several messages, of which none must be missing
            "ping_interval": 0,  # sessions have heartbeats of their own
            "websocket_timeout": 0,
        }
        limits = replace(settings or Settings(), **{**changes, **of_sessions})
        super().__init__(self._dispatch, fallback=_Polling(self), settings=limits, reactor=reactor)
        self._servers: list[_Server] = [EngineServer(engine, limits, self._clock, self._listening(opened))]

    def _listening(
        self, opened: Callable[[Session], SessionListener | Callable[[Message], object]]
    ) -> SessionOpened:
        def listener_of(session: Session) -> SessionListener:
            listener: Any = opened(session)
            listening: Any = listener if hasattr(listener, "session_closed") else _Handler(listener)
            return listening  # type: ignore[no-any-return]

        return listener_of

    @property
    def sessions(self) -> list[Session]:
        """All that are open, of whatever generation."""
        return [session for server in self._servers for session in server.sessions.values()]

    def close_all(self, code: int = 1001, reason: str = "going away") -> Deferred[Any]:
        """End all sessions, and then close what WebSockets are left.

        :returns: a Deferred that fires when all have been told, or time is over.
        """
        ended: Deferred[Any] = DeferredList([server.close("server shutting down") for server in self._servers])
        ended.addCallback(self._wait_a_turn)
        return DeferredList([ended, super().close_all(code, reason)])

    def answer(self, request: Request) -> Any:
        """Answer a request that asks for no WebSocket."""
        if self._stopped and not self.sessions:  # else somebody may come for the last packets
            request.setResponseCode(503)
            request.setHeader(b"retry-after", b"5")
            return b"the server is going away\n"
        return self._server_for(request).render(request)

    def _wait_a_turn(self, _: object) -> Deferred[None]:
        """Wait for the reactor to write the last answers to those who poll."""
        turned: Deferred[None] = Deferred()
        self._clock.callLater(0, lambda: turned.callback(None))
        return turned

    def _dispatch(self, request: Request) -> Any:
        return self._server_for(request).dispatch(request)

    def _server_for(self, request: Request) -> _Server:
        return self._servers[0]


class SocketIOResource(EngineIOResource):
    """Serves a :class:`SocketIO` to clients of all generations, from 0.7 to 4.x; hang it on ``socket.io``.

    :param io: the application.
    :param client: a folder with the JavaScript client, which is served beside it, as ``/socket.io/socket.io.js``.
    :param settings: those of WebSockets, and which ``origins`` may connect, over whatever transport.
    :param reactor: where timers run; the global reactor by default.
    :param changes: single settings of WebSockets, as ``origins="*"``.
    """

    def __init__(
        self,
        io: SocketIO,
        *,
        client: str | PathLike[str] | None = None,
        settings: Settings | None = None,
        reactor: IReactorTime | None = None,
        **changes: Any,
    ) -> None:
        super().__init__(io.session_opened, engine=io.settings, settings=settings, reactor=reactor, **changes)
        if 1 in io.settings.protocols:
            self._servers.append(FirstServer(io.settings, self.settings, self._clock, io.session_opened))
        io.serve_by(self)
        self._client: IResource | None = File(fspath(client)) if client is not None else None

    def answer(self, request: Request) -> Any:
        """Answer a request that asks for no WebSocket: of a session, or for the client."""
        if self._client is not None and _names_a_file(request):
            render_other(request, self._client)
            return NOT_DONE_YET
        return super().answer(request)

    def _server_for(self, request: Request) -> _Server:
        first_segment = request.postpath[0] if request.postpath else b""
        by_path = first_segment.isdigit() and b"EIO" not in (request.args or {})
        return self._servers[-1] if by_path else self._servers[0]


class _Handler:
    """A listener that is a function of a message."""

    __slots__ = ("message_received",)

    def __init__(self, handler: Callable[[Message], object]) -> None:
        self.message_received = handler

    def packet_received(self, packet: Packet) -> None:
        """Engine.IO has none."""

    def session_closed(self, reason: str) -> None:
        """Who gives a function does not mind."""


class _Polling(Resource):
    """What an EngineIOResource does beside WebSockets."""

    isLeaf = True  # noqa: N815

    def __init__(self, owner: EngineIOResource) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._owner = owner

    def render(self, request: Request) -> Any:
        """Answer any request (IResource)."""
        return self._owner.answer(request)


def _names_a_file(request: Request) -> bool:
    """Whether the path goes on with a name, and not with the number of a protocol."""
    name = request.postpath[0] if request.postpath else b""
    return bool(name) and not name.isdigit() and b"EIO" not in (request.args or {})
