"""SocketIO: what an application talks to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, overload

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime

from hunchensocket_tx.socketio.adapter import Adapter
from hunchensocket_tx.socketio.broadcasting import Broadcasting
from hunchensocket_tx.socketio.calling import Handler, settled
from hunchensocket_tx.socketio.connection import Connection
from hunchensocket_tx.socketio.listeners import Event, H
from hunchensocket_tx.socketio.memory_adapter import MemoryAdapter
from hunchensocket_tx.socketio.namespace import Namespace
from hunchensocket_tx.socketio.operators import BroadcastOperator
from hunchensocket_tx.socketio.parent_namespace import Matching, ParentNamespace
from hunchensocket_tx.socketio.session import Session
from hunchensocket_tx.socketio.settings import SocketIOSettings
from hunchensocket_tx.socketio.wire.first import FIRST
from hunchensocket_tx.socketio.wire.json_packets import json_parser
from hunchensocket_tx.socketio.wire.packets import Parser
from hunchensocket_tx.timers import Timers
from hunchensocket_tx.wire.events import Message

__all__ = ["SocketIO"]


class Closing(Protocol):
    """What has sessions, as a SocketIOResource has."""

    def close_all(self) -> Deferred[Any]:
        """End all sessions."""


class SocketIO(Broadcasting):
    """A server for the clients of socket.io, of all generations, whatever it hangs on::

        io = SocketIO()

        @io.on("connection")
        def connection(socket):
            @socket.on("say")
            def say(room, text):
                io.to(room).emit("said", text)
                return "done"

            socket.join("lobby")

        root.putChild(b"socket.io", SocketIOResource(io))

    What is said to it is said to its namespace ``/``; :meth:`of` returns others.

    :param settings: limits, timers, generations.
    :param adapter: makes what knows the rooms of a namespace.
    :param reactor: where timers run; the global reactor by default.
    :param changes: single settings, as ``ping_interval=10``.
    :raises InvalidSetting: if one makes no sense.

    :ivar settings: the same.
    :ivar clock: where timers run.
    :ivar namespaces: those that there are, by their names.
    """

    def __init__(
        self,
        settings: SocketIOSettings | None = None,
        *,
        adapter: Callable[[Namespace], Adapter] = MemoryAdapter,
        reactor: IReactorTime | None = None,
        **changes: Any,
    ) -> None:
        self.settings = replace(settings or SocketIOSettings(), **changes)
        if reactor is None:
            from twisted.internet import reactor as the_reactor

            reactor = IReactorTime(the_reactor)
        self.clock = Timers(reactor)
        self.new_adapter = adapter
        self.namespaces: dict[str, Namespace] = {}
        self._parents: list[ParentNamespace] = []
        self._serving: list[Closing] = []
        self._closed = False
        self._parsers = {
            protocol: tuple(_parser(kind, protocol, self.settings) for kind in self.settings.parsers)
            for protocol in (3, 4)
        }
        self._parsers[1] = (FIRST,)
        self.namespaces["/"] = self._main = Namespace(self, "/")

    @property
    def sockets(self) -> Namespace:
        """The namespace ``/``, whose ``sockets`` are those that are connected to it."""
        return self._main

    def everybody(self) -> BroadcastOperator:
        """Return an operator that means all sockets of the namespace ``/``."""
        return BroadcastOperator(self._main)

    # Namespaces

    def of(self, name: str | Matching) -> Namespace:
        """Return a namespace; it is made if it is not there.

        :param name: its name, with or without a slash in front; or what says which namespaces are made when
            clients ask for them: a pattern that the whole name matches, slash and all, or a function that takes
            the name and what the client gives as ``auth``, and returns whether there is one, or a
            Deferred or coroutine of that. These inherit handlers and middleware of what is returned then; it is
            for middleware to say which clients may connect, as nobody else is asked once they are there.
        """
        if not isinstance(name, str):
            parent = ParentNamespace(self, name)
            self._parents.append(parent)
            return parent
        name = name if name.startswith("/") else f"/{name}"
        known = self.namespaces.get(name)
        if known is not None:
            return known
        for parent in self._parents:
            if parent.matches(name, None):
                return parent.child(name)
        namespace = Namespace(self, name)
        self.add_namespace(namespace)
        return namespace

    def add_namespace(self, namespace: Namespace) -> None:
        """Have a new namespace be found, and tell handlers of ``new_namespace`` of it."""
        self.namespaces[namespace.name] = namespace
        self._main.call_handlers("new_namespace", namespace)

    async def find_namespace(self, name: str, auth: dict[str, Any]) -> Namespace | None:
        """Make a namespace that a client asks for, if there may be one of that name.

        :param auth: what it gives.
        :raises Exception: what a function has raised that was to say so.
        """
        for parent in tuple(self._parents):
            if await settled(parent.matches(name, auth)):
                return parent.child(name)
        return None

    # What is said of the namespace "/"

    @overload
    def on(self, event: Event, handler: H) -> H: ...

    @overload
    def on(self, event: Event) -> Callable[[H], H]: ...

    def on(self, event: Event, handler: Any = None) -> Any:
        """Have a handler called whenever an event of ``/`` happens; ``@io.on("connection")`` above a function does
        it, too.

        :param event: ``connection`` (socket), ``new_namespace`` (namespace), or what other servers send.
        :param handler: may return a Deferred or coroutine. Of a socket, events wait until it is done.
        :returns: the handler.
        """
        return self._main.on(event) if handler is None else self._main.on(event, handler)

    @overload
    def once(self, event: Event, handler: H) -> H: ...

    @overload
    def once(self, event: Event) -> Callable[[H], H]: ...

    def once(self, event: Event, handler: Any = None) -> Any:
        """Have a handler called when an event of ``/`` happens for the first time; as :meth:`on`, else."""
        return self._main.once(event) if handler is None else self._main.once(event, handler)

    def off(self, event: Event | None = None, handler: Handler | None = None) -> None:
        """Do not call a handler any more; see :meth:`Namespace.off`."""
        self._main.off(event, handler)

    def use(self, middleware: H) -> H:
        """Have a function asked about each client that wants to connect to ``/``; see :meth:`Namespace.use`."""
        return self._main.use(middleware)

    def server_side_emit(self, event: str, *arguments: Any) -> None:
        """Send an event to all other servers; see :meth:`Namespace.server_side_emit`."""
        self._main.server_side_emit(event, *arguments)

    def server_side_emit_with_ack(
        self, event: str, *arguments: Any, timeout: float | None = None
    ) -> Deferred[list[Any]]:
        """Send an event to all other servers, and collect what they answer; see
        :meth:`Namespace.server_side_emit_with_ack`."""
        return self._main.server_side_emit_with_ack(event, *arguments, timeout=timeout)

    # Sessions

    def session_opened(self, session: Session) -> Connection:
        """Take a new client (SessionOpened); returns who listens to its session."""
        connection = Connection(self, session, self._parsers[session.protocol][0])
        if self._closed:
            connection.close("server shutting down")
        else:
            connection.open()
        return connection

    def parser_for(self, protocol: int, message: Message) -> Parser:
        """Return what reads the packets of a client whose first message this is.

        :param protocol: its session's.
        """
        parsers = self._parsers[protocol]
        if protocol == 4 and len(parsers) > 1:
            kind = "msgpack" if isinstance(message, bytes) else "json"
            return parsers[list(self.settings.parsers).index(kind)]
        return parsers[0]

    def serve_by(self, serving: Closing) -> None:
        """Have the sessions of something ended by :meth:`close`; resources say so of themselves."""
        self._serving.append(serving)

    def close(self) -> Deferred[None]:
        """Disconnect all clients, with the reason ``server shutting down``, and take no more.

        :returns: a Deferred that fires when they have been told, or time is over.
        """
        self._closed = True
        ended = DeferredList([serving.close_all() for serving in self._serving], consumeErrors=True)
        for namespace in tuple(self.namespaces.values()):
            for socket in tuple(namespace.sockets.values()):
                socket.shut_down()
        return ended.addCallback(self._forget)

    def _forget(self, _: object) -> None:
        for namespace in self.namespaces.values():
            namespace.adapter.close()


def _parser(kind: str, protocol: int, settings: SocketIOSettings) -> Parser:
    if kind == "json":
        return json_parser(protocol, settings.max_attachments, settings.max_packet_size)
    from hunchensocket_tx.socketio.wire.msgpack_packets import msgpack_parser  # needs an extra

    return msgpack_parser(protocol, settings.max_attachments, settings.max_packet_size)
