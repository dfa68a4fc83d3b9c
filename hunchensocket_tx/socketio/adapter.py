"""Who is in which room, and how packets reach them: the interface, so that machines can share it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.defer import Deferred

from hunchensocket_tx.socketio.wire.packets import Packet

if TYPE_CHECKING:
    from hunchensocket_tx.socketio.namespace import Namespace

__all__ = ["Adapter", "Audience", "Flags"]


class Audience(NamedTuple):
    """Whom something is for: who is in one of the rooms (without any: all), and in none of the others."""

    rooms: frozenset[str] = frozenset()
    but: frozenset[str] = frozenset()


class Flags(NamedTuple):
    """How a packet is sent.

    :ivar volatile: not at all, where it cannot leave at once.
    :ivar compress: whether it may be compressed.
    :ivar local: only to clients of this process.
    :ivar timeout: seconds to wait for answers, or None for as long as it takes.
    """

    volatile: bool = False
    compress: bool = True
    local: bool = False
    timeout: float | None = None


class Adapter(ABC):
    """The rooms of one namespace.

    :param namespace: that one; its ``sockets`` are those that are connected in this process.
    """

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace

    # What one process knows

    @abstractmethod
    def join(self, sid: str, rooms: Iterable[str]) -> None:
        """Put a socket into rooms."""

    @abstractmethod
    def leave(self, sid: str, room: str) -> None:
        """Take a socket out of a room."""

    @abstractmethod
    def leave_all(self, sid: str) -> None:
        """Take a socket out of all rooms, as it is gone."""

    @abstractmethod
    def rooms_of(self, sid: str) -> frozenset[str]:
        """Return the rooms a socket is in."""

    @abstractmethod
    def local_members(self, audience: Audience) -> Iterable[str]:
        """Return the ids of the sockets of this process that are meant, each once."""

    # What concerns all processes

    @abstractmethod
    def broadcast(self, packet: Packet, audience: Audience, flags: Flags) -> None:
        """Send an event to all who are meant."""

    @abstractmethod
    def broadcast_with_ack(
        self,
        packet: Packet,
        audience: Audience,
        flags: Flags,
        on_count: Callable[[int], None],
        on_answer: Callable[[list[Any]], None],
    ) -> None:
        """Send an event to all who are meant, and collect their answers.

        :param on_count: called, once or more, with a number of sockets that were asked.
        :param on_answer: called with each answer's values.
        """

    @abstractmethod
    def fetch_sockets(self, audience: Audience, flags: Flags) -> Deferred[list[Any]]:
        """Return the sockets that are meant: of this process as they are, of others as RemoteSockets."""

    @abstractmethod
    def sockets_join(self, audience: Audience, flags: Flags, rooms: Iterable[str]) -> None:
        """Put all who are meant into rooms."""

    @abstractmethod
    def sockets_leave(self, audience: Audience, flags: Flags, rooms: Iterable[str]) -> None:
        """Take all who are meant out of rooms."""

    @abstractmethod
    def disconnect_sockets(self, audience: Audience, flags: Flags, close: bool) -> None:
        """Disconnect all who are meant."""

    @abstractmethod
    def server_side_emit(self, arguments: list[Any]) -> None:
        """Send an event to the other servers of this namespace."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything, as the namespace is gone."""
