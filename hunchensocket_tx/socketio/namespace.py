"""Namespaces: what clients connect to, many of them over one session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from hunchensocket_tx.errors import MisuseError
from hunchensocket_tx.socketio.adapter import Adapter
from hunchensocket_tx.socketio.broadcasting import Broadcasting
from hunchensocket_tx.socketio.calling import Handler, call_all, settled
from hunchensocket_tx.socketio.listeners import H, Listeners
from hunchensocket_tx.socketio.member import Member
from hunchensocket_tx.socketio.operators import BroadcastOperator, event_data

if TYPE_CHECKING:
    from hunchensocket_tx.socketio.parent_namespace import ParentNamespace
    from hunchensocket_tx.socketio.server import SocketIO
    from hunchensocket_tx.socketio.socket import Socket

__all__ = ["OWN_EVENTS", "Namespace"]

OWN_EVENTS = frozenset({"connect", "connection", "new_namespace"})
"""Events of namespaces that happen in a server, so that no other one may send them."""


class Namespace(Listeners, Broadcasting):
    """Sockets that are together, with rooms, handlers and middleware of their own.

    Events: ``connection`` (socket), also as ``connect``; and what other servers send by :meth:`server_side_emit`.

    :param io: the server.
    :param name: with a slash in front.
    :param parent: that which it was made by on demand, if it was.

    :ivar sockets: those that are connected in this process, by their ids.
    :ivar adapter: knows who is in which room.
    :ivar middleware: who is asked whether a client may connect.
    """

    def __init__(self, io: SocketIO, name: str, parent: ParentNamespace | None = None) -> None:
        super().__init__()
        self.io = io
        self.name = name
        self.sockets: dict[str, Socket] = {}
        self.middleware: tuple[Handler, ...] = ()
        self.expected = 0  # clients of which it is not decided yet whether they may connect
        self._parent = parent
        if parent is not None:
            self.middleware = parent.middleware
            self.inherit(parent)
        self.adapter: Adapter = self._new_adapter()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def _new_adapter(self) -> Adapter:
        return self.io.new_adapter(self)

    def everybody(self) -> BroadcastOperator:
        """Return an operator that means all sockets of the namespace."""
        return BroadcastOperator(self)

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

    def greet(self, socket: Member) -> Deferred[Any] | None:
        """Call the handlers of ``connection``; a Deferred tells when they have done, if they take their time."""
        handlers = self._listeners.get("connect", ()) + self._listeners.get("connection", ())
        greeted = call_all(handlers, ("connection", socket))
        return greeted if isinstance(greeted, Deferred) else None

    def add(self, socket: Socket) -> None:
        """Take a socket in that has connected."""
        self.sockets[socket.id] = socket
        self.adapter.join(socket.id, (socket.id,))

    def remove(self, socket: Member) -> None:
        """Take a socket out: it has disconnected, or may not connect at all."""
        self.adapter.leave_all(socket.id)
        if self.sockets.pop(socket.id, None) is not None:
            self.drop_if_empty()

    def drop_if_empty(self) -> None:
        """Be forgotten if nobody is here, and it was made on demand, and settings say so."""
        if self._parent is None or self.sockets or self.expected or not self.io.settings.drop_empty_namespaces:
            return
        if self.io.namespaces.pop(self.name, None) is not None:
            self._parent.children.discard(self)
            self.adapter.close()
