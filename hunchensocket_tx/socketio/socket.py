"""A client in a namespace, as the application sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred

from hunchensocket_tx.socketio.adapter import USUAL, Audience, Flags
from hunchensocket_tx.socketio.calling import Handler
from hunchensocket_tx.socketio.listeners import H, Listeners
from hunchensocket_tx.socketio.member import Home, Member
from hunchensocket_tx.socketio.operators import BroadcastOperator, event_data, room_names
from hunchensocket_tx.socketio.socket_operator import SocketOperator

__all__ = ["Socket", "SocketHome"]


class SocketHome(Listeners, Home):
    """A namespace, as applications see that of a socket."""

    sockets: Mapping[str, Socket]


class Socket(Member):
    """A client in a namespace: what handlers of ``connection`` get, and send events to.

    Its events are handled one at a time and in order, also behind handlers of ``connection``; answers and the
    end are not held up by handlers, so these may wait for answers. When it is over, events that still wait are
    dropped. What a handler of an event returns answers the client, if that asked: one value, also None, or
    several or none as a tuple; of several handlers, the first that returns something else than None. If it fails,
    that is logged, and nothing is answered; nor is it where :data:`NO_ANSWER` is returned.

    Events of its own: ``disconnecting`` (reason), when it is still in its rooms; ``disconnect`` (reason), when it
    has left them; ``error`` (exception), when a middleware has refused an event.

    :ivar id: its name, which is new with each connection; the client knows it by the same.
    :ivar namespace: that which it is in.
    :ivar handshake: how the client introduced itself; its ``auth`` is what it gave for this namespace.
    :ivar connected: whether events may be sent and will come.
    :ivar recovered: whether it was cut off and came back, with its id, rooms and data as they were.
    """

    __slots__ = ("__weakref__",)

    namespace: SocketHome

    def __repr__(self) -> str:
        return f"<Socket of {self.handshake.address} in {self.namespace.name}>"

    @property
    def data(self) -> Any:
        """What the application wants to remember of it: a dict, unless something else is assigned."""
        if self._data is None:
            self._data = {}
        return self._data

    @data.setter
    def data(self, data: Any) -> None:
        self._data = data

    @property
    def rooms(self) -> frozenset[str]:
        """The rooms it is in; one is its own, named by its id."""
        return self.namespace.adapter.rooms_of(self.id)

    @property
    def transport_name(self) -> str:
        """The transport it uses now: ``polling`` or ``websocket``; more names with clients before 1.0."""
        return self._connection.session.transport_name

    @property
    def protocol(self) -> int:
        """Its generation: 1 is that of clients before 1.0; 3, Engine.IO 3, of 1.x and 2.x; 4 of 3.x and newer."""
        return self._connection.session.protocol

    # To this client

    def emit(self, event: str, *arguments: Any, ack: Handler | None = None) -> None:
        """Send an event; nothing happens if it is not connected any more.

        :param event: any name but the reserved ones (Socket.IO protocol 5).
        :param arguments: JSON values; bytes may be among and in them, but not for clients before 1.0.
        :param ack: called with the values of the client's answer as arguments, when it comes; it asks for one.
        :raises MisuseError: if the name is no str, or Socket.IO's own.
        :raises UnserializableData: if the arguments cannot be written.
        """
        self.send_event(event_data(event, arguments), USUAL, ack)

    def send(self, *arguments: Any, ack: Handler | None = None) -> None:
        """Send an event that is named ``message``; as :meth:`emit`."""
        self.send_event(["message", *arguments], USUAL, ack)

    def emit_with_ack(self, event: str, *arguments: Any) -> Deferred[Any]:
        """Send an event and ask for an answer.

        :returns: a Deferred of the answer's first value, or None if it has none. It fails with
            :class:`SocketDisconnected` if there will be none; to limit the time, see :meth:`timeout`.
        :raises MisuseError: as :meth:`emit`.
        """
        return self.ask_event(event_data(event, arguments), USUAL)

    @property
    def volatile(self) -> SocketOperator:
        """To this client, unless it is not ready to get more: for what will be out of date soon."""
        return SocketOperator(self, Flags(volatile=True))

    def compress(self, compress: bool) -> SocketOperator:
        """To this client; whether compressed, where that is possible at all."""
        return SocketOperator(self, Flags(compress=compress))

    def timeout(self, seconds: float) -> SocketOperator:
        """To this client; an answer that takes longer is none.

        ``emit_with_ack`` fails with :class:`AckTimeout` then; an ``ack`` of ``emit`` is called in any case: first
        with None, or with what went wrong; and with the values of the answer.
        """
        return SocketOperator(self, Flags(timeout=seconds))

    # To others

    def to(self, *rooms: str | Iterable[str]) -> BroadcastOperator:
        """To all who are in one of the rooms, but not to this client."""
        return self.broadcast.to(*rooms)

    def in_(self, *rooms: str | Iterable[str]) -> BroadcastOperator:
        """The same as :meth:`to`."""
        return self.broadcast.to(*rooms)

    def except_(self, *rooms: str | Iterable[str]) -> BroadcastOperator:
        """To all who are not in one of the rooms, and not to this client."""
        return self.broadcast.except_(*rooms)

    @property
    def broadcast(self) -> BroadcastOperator:
        """To all others in the namespace."""
        return BroadcastOperator(self.namespace, Audience(but=frozenset((self.id,))))

    @property
    def local(self) -> BroadcastOperator:
        """To all others in the namespace who are connected to this process."""
        return self.broadcast.local

    def join(self, *rooms: str | Iterable[str]) -> None:
        """Go into rooms; nothing happens if it is not connected any more."""
        if self.connected or self.is_expected:
            self.namespace.adapter.join(self.id, room_names(rooms))

    def leave(self, *rooms: str | Iterable[str]) -> None:
        """Leave rooms."""
        for room in room_names(rooms):
            self.namespace.adapter.leave(self.id, room)

    def disconnect(self, close: bool = False) -> None:
        """Disconnect it, with the reason ``server namespace disconnect``; it is gone when this returns.

        :param close: whether to disconnect the client from all its namespaces, and to end its session.
        """
        if close and not self.is_expected and self.id not in self.namespace.sockets:
            return  # it is over, but the client may be in other namespaces still
        if close or (self.connected and self.protocol == 1 and self.namespace.name == "/"):
            self._connection.disconnect()  # before 1.0, nobody can leave "/" and stay
        elif self.connected:
            self.dismiss()

    # Who may send what

    def use(self, middleware: H) -> H:
        """Have a function asked about each event before its handlers; a decorator, too.

        :param middleware: takes a list, the event's name and arguments, which it may change. If it raises, or a
            Deferred or coroutine that it returns fails, there is no such event, and ``error`` instead; what nobody
            handles is logged.
        :returns: the function.
        """
        hooks = self._hooked()
        hooks.middleware = (*hooks.middleware, middleware)
        return middleware
