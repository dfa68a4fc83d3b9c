"""Who is in which room, and how packets reach them: the interface, so that machines can share it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from twisted.internet.defer import Deferred, succeed

from hunchensocket_tx.socketio.handshake import Handshake
from hunchensocket_tx.socketio.session import Outgoing
from hunchensocket_tx.socketio.settings import SocketIOSettings
from hunchensocket_tx.socketio.wire.packets import Packet, Parser
from hunchensocket_tx.timers import Timers

__all__ = [
    "EVERYBODY",
    "USUAL",
    "Adapter",
    "Audience",
    "Flags",
    "KeptSession",
    "Local",
    "Missed",
    "RestoredSession",
    "Server",
    "Space",
]


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


EVERYBODY = Audience()
USUAL = Flags()


class KeptSession(NamedTuple):
    """What is kept of a socket that was cut off, so that it can come back.

    :ivar pid: its private id, which only its client knows.
    :ivar sid: its id.
    :ivar rooms: those that it was in; its own, named by its id, among them.
    :ivar data: the application's.
    """

    pid: str
    sid: str
    rooms: frozenset[str]
    data: Any


class Missed(NamedTuple):
    """An event that a socket did not get while it was away.

    :ivar encodings: how parsers have written it, as ``Socket.deliver`` takes them; all who missed it share them.
    """

    packet: Packet
    encodings: dict[Parser, Outgoing]


class RestoredSession(NamedTuple):
    """A socket that comes back: what was kept of it, and what it missed, oldest first."""

    session: KeptSession
    missed: list[Missed]


class Server(Protocol):
    """A SocketIO, as far as all below it need one."""

    @property
    def settings(self) -> SocketIOSettings:
        """Limits, timers, generations."""

    @property
    def clock(self) -> Timers:
        """Where timers run."""


class Local(Protocol):
    """A socket of this process, as adapters see it."""

    @property
    def id(self) -> str:
        """Its name, which is that of a room, too."""

    @property
    def handshake(self) -> Handshake:
        """How its client introduced itself."""

    @property
    def rooms(self) -> frozenset[str]:
        """Those that it is in."""

    @property
    def data(self) -> Any:
        """The application's."""

    @property
    def connected(self) -> bool:
        """Whether events may be sent."""

    def deliver(self, packet: Packet, encodings: dict[Any, Outgoing], flags: Flags) -> None:
        """Send a packet that others get, too (see :class:`Member`)."""

    def ask(
        self,
        data: list[Any],
        encodings: dict[Any, Outgoing],
        flags: Flags,
        taker: Callable[[list[Any] | Exception], object],
    ) -> int:
        """Send an event that others get, too, and ask for an answer (see :class:`Member`)."""

    def forget_ack(self, ack_id: int) -> None:
        """Do not wait for an answer any more."""

    def disconnect(self, close: bool = False) -> None:
        """Disconnect it (see :class:`Socket`)."""


class Space(Protocol):
    """A namespace, as adapters and operators see it."""

    @property
    def name(self) -> str:
        """Its name, with a slash in front."""

    @property
    def io(self) -> Server:
        """The server that it is of."""

    @property
    def adapter(self) -> Adapter:
        """What knows who is in which room."""

    @property
    def sockets(self) -> Mapping[str, Local]:
        """Those that are connected in this process, by their ids."""


class Adapter(ABC):
    """The rooms of one namespace.

    What concerns all processes takes effect in this one at once, or when it comes back from where they meet;
    callers count on neither. With ``flags.local``, it concerns this process alone.

    :param namespace: that one; its ``sockets`` are those that are connected in this process.
    """

    def __init__(self, namespace: Space) -> None:
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
        """Return the ids of the sockets of this process that are meant, each once; later changes do not matter."""

    @abstractmethod
    def local_rooms(self) -> Iterable[str]:
        """Return the rooms that sockets of this process are in, each once; every socket's own are among them."""

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
        on_answer: Callable[[list[Any]], None],
    ) -> Deferred[None]:
        """Send an event to all who are meant, and collect their answers.

        Who looks after ``flags.timeout`` is the caller; other processes have to be told of it.

        :param on_answer: called with each answer's values.
        :returns: fires when all who were asked have answered, or disconnected; to be cancelled by who waits no
            longer: nothing is called then, and nothing left over.
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
        """Send an event to the other servers, whose ``namespace.server_event_received`` takes it.

        :param arguments: its name, and its arguments.
        """

    @abstractmethod
    def server_side_emit_with_ack(self, arguments: list[Any], timeout: float | None) -> Deferred[list[Any]]:
        """Send an event to the other servers, and collect what ``namespace.server_event_received`` returns there.

        :param timeout: seconds to wait for their answers, or None for as long as the adapter finds right.
        :returns: one value of each.
        :raises AckTimeout: through the Deferred, with what came, if not all have answered in time.
        """

    # Sockets that come back (connection state recovery, Socket.IO protocol 5)

    def keep_session(self, session: KeptSession) -> None:  # noqa: B027 - not all can
        """Keep a socket that was cut off, for some time; an adapter that cannot do so forgets it."""

    def restore_session(self, pid: str, offset: str) -> Deferred[RestoredSession | None]:
        """Return what was kept, once, with what was missed; or None if that is not known in full.

        :param pid: what the client says is its private id.
        :param offset: what the client says was at the end of the last event it got.
        """
        return succeed(None)

    @abstractmethod
    def close(self) -> None:
        """Let go of everything, as the namespace is gone."""
