"""Namespaces: what clients connect to, many of them over one session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from hunchensocket_tx.errors import MisuseError
from hunchensocket_tx.socketio.adapter import Adapter, Server
from hunchensocket_tx.socketio.calling import Handler, call_all, settled
from hunchensocket_tx.socketio.listeners import H
from hunchensocket_tx.socketio.member import Member
from hunchensocket_tx.socketio.operators import event_data
from hunchensocket_tx.socketio.socket import Socket, SocketHome

__all__ = ["OWN_EVENTS", "Namespace", "Owner"]

OWN_EVENTS = frozenset({"connect", "connection", "new_namespace"})
"""Events of namespaces that happen in a server, so that no other one may send them."""


class Owner(Server, Protocol):
    """A SocketIO, as its namespaces see it."""

    @property
    def namespaces(self) -> dict[str, Namespace]:
        """Those that there are, by their names."""

    @property
    def new_adapter(self) -> Callable[[Namespace], Adapter]:
        """Makes what knows the rooms of a namespace."""

    def add_namespace(self, namespace: Namespace) -> None:
        """Have a new namespace be found."""


class Namespace(SocketHome):
    """Sockets that are together, with rooms, handlers and middleware of their own.

    Events: ``connection`` (socket), also as ``connect``; and what other servers send by :meth:`server_side_emit`.

    :param io: the server.
    :param name: with a slash in front.

    :ivar sockets: those that are connected in this process, by their ids.
    :ivar adapter: knows who is in which room.
    :ivar middleware: who is asked whether a client may connect.
    """

    io: Owner
    sockets: dict[str, Socket]

    def __init__(self, io: Owner, name: str) -> None:
        super().__init__()
        self.io = io
        self.name = name
        self.sockets = {}
        self.middleware: tuple[Handler, ...] = ()
        self.expected = 0  # clients of which it is not decided yet whether they may connect
        self.adapter = self._new_adapter()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def _new_adapter(self) -> Adapter:
        return self.io.new_adapter(self)

    def use(self, middleware: H) -> H:
        """Have a function asked about each client that wants to connect; a decorator, too.

        They are asked in the order in which they were added, until one refuses.

        :param middleware: takes the socket, which is not connected yet; may return a Deferred or coroutine. To
            refuse, it raises :class:`ConnectRefused`, of which the client is told; of other exceptions, it is not.
        :returns: the function.
        """
        self.middleware = (*self.middleware, middleware)
        return middleware

    def server_side_emit(self, event: str, *arguments: Any) -> None:
        """Send an event to this namespace of all other servers, where handlers that ``on`` has added get it.

        :raises MisuseError: if the event is one of those that happen in a server, as ``connection``.
        """
        self.adapter.server_side_emit(self._server_side(event, arguments))

    def server_side_emit_with_ack(
        self, event: str, *arguments: Any, timeout: float | None = None
    ) -> Deferred[list[Any]]:
        """Send an event as :meth:`server_side_emit`, and collect what its handlers there return.

        :param timeout: seconds to wait, or None for as long as the adapter finds right.
        :returns: a Deferred of one value of each server.
        :raises AckTimeout: through the Deferred, with what came, if not all have answered in time.
        """
        return self.adapter.server_side_emit_with_ack(self._server_side(event, arguments), timeout)

    def _server_side(self, event: str, arguments: tuple[Any, ...]) -> list[Any]:
        if event in OWN_EVENTS:
            raise MisuseError(f"{event!r} happens in each server by itself: give your event another name")
        return event_data(event, arguments)

    # For adapters, connections and sockets

    def server_event_received(self, data: list[Any]) -> Any:
        """Handle what another server has sent: an event's name, and its arguments.

        :returns: what answers it (see :func:`call_all`).
        """
        if data[0] in OWN_EVENTS:
            return None
        return self.call_handlers(*data)

    async def ask_middleware(self, socket: Socket) -> None:
        """Ask whether a client may connect.

        :raises Exception: that by which a middleware refuses it.
        """
        for middleware in self.middleware:
            await settled(middleware(socket))

    def greet(self, member: Member) -> Deferred[Any] | None:
        """Call the handlers of ``connection``; a Deferred tells when they have done, if they take their time."""
        handlers = self._listeners.get("connect", ()) + self._listeners.get("connection", ())
        greeted = call_all(handlers, ("connection", member))
        return greeted if isinstance(greeted, Deferred) else None

    def add(self, socket: Socket) -> None:
        """Take a socket in that has connected."""
        self.sockets[socket.id] = socket
        self.adapter.join(socket.id, (socket.id,))

    def remove(self, member: Member) -> None:
        """Take a socket out: it has disconnected, or may not connect at all."""
        self.adapter.leave_all(member.id)
        if self.sockets.pop(member.id, None) is not None:
            self.drop_if_empty()

    def drop_if_empty(self) -> None:
        """Stay: only namespaces that are made on demand may go."""
