"""Rooms in the memory of one process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, succeed

from hunchensocket_tx.socketio.adapter import (
    Adapter,
    Audience,
    Flags,
    KeptSession,
    Local,
    RestoredSession,
    Space,
)
from hunchensocket_tx.socketio.errors import UnserializableData
from hunchensocket_tx.socketio.recovery import Recovery
from hunchensocket_tx.socketio.session import Outgoing
from hunchensocket_tx.socketio.wire.packets import Packet, PacketType, Parser

__all__ = ["MemoryAdapter"]


class MemoryAdapter(Adapter):
    """The rooms of one namespace, for one process that knows of no other.

    Adapters between processes build on it: with ``flags.local`` it does what a message of another asks for.
    """

    def __init__(self, namespace: Space) -> None:
        super().__init__(namespace)
        # Dicts without values are sets that keep their order: who came first gets everything first, and memory is
        # gone through as it was laid out. That a socket is in its own room is known without two of them for each.
        self._members: dict[str, dict[str, None]] = {}  # of rooms; an empty one is none
        self._rooms: dict[str, dict[str, None]] = {}  # of sockets
        self._own: set[str] = set()
        settings = namespace.io.settings
        self._recovery: Recovery | None = None
        if settings.recovery_window:
            self._recovery = Recovery(
                settings.recovery_window, namespace.io.clock, settings.max_sessions, settings.recovery_events
            )

    # Who is where

    def join(self, sid: str, rooms: Iterable[str]) -> None:
        """Put a socket into rooms."""
        for room in rooms:
            if room == sid:
                self._own.add(sid)
            else:
                self._rooms.setdefault(sid, {})[room] = None
                self._members.setdefault(room, {})[sid] = None

    def leave(self, sid: str, room: str) -> None:
        """Take a socket out of a room, if it is in there."""
        if room == sid:
            self._own.discard(sid)
            return
        rooms = self._rooms.get(sid)
        if rooms is not None and room in rooms:
            del rooms[room]
            if not rooms:
                del self._rooms[sid]
            self._forget_member(room, sid)

    def leave_all(self, sid: str) -> None:
        """Take a socket out of all rooms, as it is gone."""
        self._own.discard(sid)
        for room in self._rooms.pop(sid, ()):
            self._forget_member(room, sid)

    def _forget_member(self, room: str, sid: str) -> None:
        members = self._members[room]
        del members[sid]
        if not members:
            del self._members[room]

    def rooms_of(self, sid: str) -> frozenset[str]:
        """Return the rooms a socket is in."""
        rooms = frozenset(self._rooms.get(sid, ()))
        return rooms | {sid} if sid in self._own else rooms

    def local_rooms(self) -> Iterable[str]:
        """Return the rooms that have a member, each once; every socket's own are among them."""
        return self._own.union(self._members)

    def local_members(self, audience: Audience) -> Iterable[str]:
        """Return the ids of the sockets that are meant, each once; later changes do not matter."""
        rooms, but = audience
        members: Iterable[str] = self._members_of(rooms) if rooms else list(self.namespace.sockets)
        if not but:
            return members
        others = self._members_of(but)
        return [sid for sid in members if sid not in others]

    def _members_of(self, rooms: frozenset[str]) -> dict[str, None]:
        """Return who is in one of the rooms, in a dict of the caller's own."""
        found: dict[str, None] = {}
        for room in rooms:
            if room in self._own:
                found[room] = None
            members = self._members.get(room)
            if members is not None:
                found.update(members)
        return found

    def _local_sockets(self, audience: Audience) -> Iterable[Local]:
        """Return the sockets that are meant; those that are not connected yet, or no longer, are none."""
        if not audience.rooms and not audience.but:
            return list(self.namespace.sockets.values())
        found = map(self.namespace.sockets.get, self.local_members(audience))
        return [socket for socket in found if socket is not None]

    # What is sent

    def broadcast(self, packet: Packet, audience: Audience, flags: Flags) -> None:
        """Send an event to all who are meant; it is written once for each parser.

        Where sockets can come back, it gets one more argument: the offset by which clients tell what they have.

        :raises UnserializableData: if it has what cannot be written.
        """
        recovery = self._recovery
        if recovery is None or flags.volatile or packet.id is not None or packet.type is not PacketType.EVENT:
            self._deliver(packet, {}, audience, flags)
            return
        held = recovery.hold(packet, audience)
        try:
            self._deliver(held.packet, held.encodings, audience, flags)
        except UnserializableData:
            recovery.drop(held)
            raise

    def _deliver(
        self, packet: Packet, encodings: dict[Parser, Outgoing], audience: Audience, flags: Flags
    ) -> None:
        for socket in self._local_sockets(audience):
            socket.deliver(packet, encodings, flags)

    def broadcast_with_ack(
        self, packet: Packet, audience: Audience, flags: Flags, on_answer: Callable[[list[Any]], None]
    ) -> Deferred[None]:
        """Send an event to all who are meant, and collect their answers (see :class:`Adapter`)."""
        return Inquiry(on_answer).ask(packet, self._local_sockets(audience), flags)

    # What else is done with those who are meant

    def fetch_sockets(self, audience: Audience, flags: Flags) -> Deferred[list[Any]]:
        """Return the sockets that are meant."""
        return succeed(list(self._local_sockets(audience)))

    def sockets_join(self, audience: Audience, flags: Flags, rooms: Iterable[str]) -> None:
        """Put all who are meant into rooms."""
        rooms = tuple(rooms)
        for sid in self.local_members(audience):
            self.join(sid, rooms)

    def sockets_leave(self, audience: Audience, flags: Flags, rooms: Iterable[str]) -> None:
        """Take all who are meant out of rooms."""
        rooms = tuple(rooms)
        for sid in self.local_members(audience):
            for room in rooms:
                self.leave(sid, room)

    def disconnect_sockets(self, audience: Audience, flags: Flags, close: bool) -> None:
        """Disconnect all who are meant."""
        for socket in self._local_sockets(audience):
            socket.disconnect(close)

    def server_side_emit(self, arguments: list[Any]) -> None:
        """Do nothing: there are no other servers."""

    def server_side_emit_with_ack(self, arguments: list[Any], timeout: float | None) -> Deferred[list[Any]]:
        """Return no answers at once: there are no other servers."""
        return succeed([])

    # Who comes back

    def keep_session(self, session: KeptSession) -> None:
        """Keep a socket that was cut off for the setting ``recovery_window``, if that is not 0."""
        if self._recovery is not None:
            self._recovery.keep(session)

    def restore_session(self, pid: str, offset: str) -> Deferred[RestoredSession | None]:
        """Return what was kept, once, with what was missed (see :class:`Adapter`)."""
        return succeed(None if self._recovery is None else self._recovery.restore(pid, offset))

    def close(self) -> None:
        """Forget all."""
        for known in (self._members, self._rooms, self._own):
            known.clear()
        if self._recovery is not None:
            self._recovery.close()
            self._recovery = None  # what is sent afterwards, to nobody, must not start its timer again


class Inquiry:
    """Sockets that are asked the same, and have not all answered.

    :param on_answer: called with the values of each answer.
    """

    __slots__ = ("_asked", "_done", "_on_answer", "_waiting")

    def __init__(self, on_answer: Callable[[list[Any]], None]) -> None:
        self._on_answer = on_answer
        self._asked: list[tuple[Local, int]] = []
        self._waiting = 1  # for the asking itself to end
        self._done: Deferred[None] = Deferred(self._forget)

    def ask(self, packet: Packet, sockets: Iterable[Local], flags: Flags) -> Deferred[None]:
        """Send an event to all.

        :returns: fires when no answer is due any more; to be cancelled by who does not want the rest.
        :raises UnserializableData: if it has what cannot be written.
        """
        encodings: dict[Any, Outgoing] = {}
        try:
            for socket in sockets:
                if not socket.connected:
                    continue  # what was sent to another has ended it
                self._waiting += 1
                self._asked.append((socket, socket.ask(packet.data, encodings, flags, self._answered)))
        except UnserializableData:
            self._forget()
            raise
        self._one_less()
        return self._done

    def _answered(self, answer: list[Any] | Exception) -> None:
        """Take an answer, or notice that there will be none, as the socket disconnected."""
        if isinstance(answer, list):
            self._on_answer(answer)
        self._one_less()

    def _one_less(self) -> None:
        self._waiting -= 1
        if not self._waiting:
            self._asked.clear()
            self._done.callback(None)

    def _forget(self, _: object = None) -> None:
        for socket, ack_id in self._asked:
            socket.forget_ack(ack_id)
        self._asked.clear()
