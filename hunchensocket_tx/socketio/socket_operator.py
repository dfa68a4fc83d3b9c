"""Saying how something is sent to one client, and then sending it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred

from hunchensocket_tx.socketio.adapter import Audience, Flags
from hunchensocket_tx.socketio.calling import Handler
from hunchensocket_tx.socketio.member import Member
from hunchensocket_tx.socketio.operators import BroadcastOperator, event_data

__all__ = ["SocketOperator"]


class SocketOperator:
    """How something is sent to one client; with the words for rooms, to others, in the same way.

    It never changes: each word returns a new one.

    :param socket: the client.
    :param flags: how.
    """

    __slots__ = ("_flags", "_socket")

    def __init__(self, socket: Member, flags: Flags) -> None:
        self._socket = socket
        self._flags = flags

    # How

    @property
    def volatile(self) -> SocketOperator:
        """Not at all, if the client is not ready to get more."""
        return SocketOperator(self._socket, self._flags._replace(volatile=True))

    def compress(self, compress: bool) -> SocketOperator:
        """Say whether it may be compressed; it may, unless told otherwise."""
        return SocketOperator(self._socket, self._flags._replace(compress=compress))

    def timeout(self, seconds: float) -> SocketOperator:
        """Wait so long for an answer."""
        return SocketOperator(self._socket, self._flags._replace(timeout=seconds))

    # What

    def emit(self, event: str, *arguments: Any, ack: Handler | None = None) -> None:
        """Send an event; as :meth:`Socket.emit`.

        :param ack: with a :meth:`timeout`, it is called in any case: first with None, or with AckTimeout or
            SocketDisconnected; and with the values of the answer.
        """
        self._socket.send_event(event_data(event, arguments), self._flags, ack)

    def send(self, *arguments: Any, ack: Handler | None = None) -> None:
        """Send an event that is named ``message``; as :meth:`emit`."""
        self._socket.send_event(["message", *arguments], self._flags, ack)

    def emit_with_ack(self, event: str, *arguments: Any) -> Deferred[Any]:
        """Send an event and ask for an answer; as :meth:`Socket.emit_with_ack`.

        :raises AckTimeout: through the Deferred, if it does not come in time.
        """
        return self._socket.ask_event(event_data(event, arguments), self._flags)

    # To others

    def to(self, *rooms: str | Iterable[str]) -> BroadcastOperator:
        """To all who are in one of the rooms, but not to this client."""
        return self.broadcast.to(*rooms)

    in_ = to

    def except_(self, *rooms: str | Iterable[str]) -> BroadcastOperator:
        """To all who are not in one of the rooms, and not to this client."""
        return self.broadcast.except_(*rooms)

    @property
    def broadcast(self) -> BroadcastOperator:
        """To all others in the namespace."""
        audience = Audience(but=frozenset((self._socket.id,)))
        return BroadcastOperator(self._socket.namespace, audience, self._flags)

    @property
    def local(self) -> BroadcastOperator:
        """To all others in the namespace who are connected to this process."""
        return self.broadcast.local
