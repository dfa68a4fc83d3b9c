"""Namespaces that are made on demand: all that have names of some form, or of which a function says so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from hunchensocket_tx.socketio.adapter import Adapter, Audience, Flags
from hunchensocket_tx.socketio.namespace import Namespace, Owner
from hunchensocket_tx.socketio.wire.packets import Packet

__all__ = ["ChildNamespace", "Matching", "ParentNamespace"]

Matching = re.Pattern[str] | Callable[[str, dict[str, Any]], Any]
"""Says which names are meant: a pattern that they match from end to end, or a function that takes a name and what
the client gives as ``auth``, and returns a bool, or a Deferred or coroutine of one."""


class ParentNamespace(Namespace):
    """What all namespaces of one kind inherit, when a client asks for the first time: handlers and middleware.

    No socket is in it, but what is said to it goes to those of all its children.

    :param matching: says which names are meant.

    :ivar children: the namespaces that there are.
    """

    def __init__(self, io: Owner, matching: Matching) -> None:
        self.children: set[Namespace] = set()
        self._matching = matching
        name = matching.pattern if isinstance(matching, re.Pattern) else getattr(matching, "__name__", "function")
        super().__init__(io, name)

    def _new_adapter(self) -> Adapter:
        return _OfChildren(self)

    def matches(self, name: str, auth: dict[str, Any] | None) -> Any:
        """Tell whether a name is meant.

        :param auth: what a client gives; None if it is no client that asks: functions are not called then.
        :returns: a bool, or a Deferred or coroutine of one.
        """
        if isinstance(self._matching, re.Pattern):
            return self._matching.fullmatch(name) is not None
        return auth is not None and self._matching(name, auth)

    def child(self, name: str) -> Namespace:
        """Return the namespace of that name; it is made if it is not there."""
        namespace = self.io.namespaces.get(name)
        if namespace is None:
            namespace = ChildNamespace(self, name)
            self.children.add(namespace)
            self.io.add_namespace(namespace)
        return namespace


class ChildNamespace(Namespace):
    """A namespace that was made on demand.

    :param parent: what it inherits from.
    """

    def __init__(self, parent: ParentNamespace, name: str) -> None:
        super().__init__(parent.io, name)
        self._parent = parent
        self.middleware = parent.middleware
        self.inherit(parent)

    def drop_if_empty(self) -> None:
        """Be forgotten if nobody is here, and settings say so."""
        if self.sockets or self.expected or not self.io.settings.drop_empty_namespaces:
            return
        if self.io.namespaces.pop(self.name, None) is not None:
            self._parent.children.discard(self)
            self.adapter.close()


class _OfChildren(Adapter):
    """Who is in which room of any child."""

    namespace: ParentNamespace

    def _adapters(self) -> list[Adapter]:
        return [child.adapter for child in self.namespace.children]

    def join(self, sid: str, rooms: Iterable[str]) -> None:
        """Nobody is here."""

    def leave(self, sid: str, room: str) -> None:
        """Nobody is here."""

    def leave_all(self, sid: str) -> None:
        """Nobody is here."""

    def rooms_of(self, sid: str) -> frozenset[str]:
        """Return the rooms a socket of any child is in."""
        return frozenset().union(*(adapter.rooms_of(sid) for adapter in self._adapters()))

    def local_members(self, audience: Audience) -> Iterable[str]:
        """Return the ids of the sockets of all children that are meant."""
        return [sid for adapter in self._adapters() for sid in adapter.local_members(audience)]

    def local_rooms(self) -> Iterable[str]:
        """Return the rooms of all children, each once."""
        return {room for adapter in self._adapters() for room in adapter.local_rooms()}

    def broadcast(self, packet: Packet, audience: Audience, flags: Flags) -> None:
        """Send an event to all who are meant."""
        for adapter in self._adapters():
            adapter.broadcast(packet._replace(namespace=adapter.namespace.name), audience, flags)

    def broadcast_with_ack(
        self, packet: Packet, audience: Audience, flags: Flags, on_answer: Callable[[list[Any]], None]
    ) -> Deferred[None]:
        """Send an event to all who are meant, and collect their answers."""
        asked = [
            adapter.broadcast_with_ack(
                packet._replace(namespace=adapter.namespace.name), audience, flags, on_answer
            )
            for adapter in self._adapters()
        ]
        return gatherResults(asked, consumeErrors=True).addCallback(_nothing)

    def fetch_sockets(self, audience: Audience, flags: Flags) -> Deferred[list[Any]]:
        """Return the sockets of all children that are meant."""
        fetched = [adapter.fetch_sockets(audience, flags) for adapter in self._adapters()]
        return gatherResults(fetched, consumeErrors=True).addCallback(_joined)

    def sockets_join(self, audience: Audience, flags: Flags, rooms: Iterable[str]) -> None:
        """Put all who are meant into rooms."""
        for adapter in self._adapters():
            adapter.sockets_join(audience, flags, rooms)

    def sockets_leave(self, audience: Audience, flags: Flags, rooms: Iterable[str]) -> None:
        """Take all who are meant out of rooms."""
        for adapter in self._adapters():
            adapter.sockets_leave(audience, flags, rooms)

    def disconnect_sockets(self, audience: Audience, flags: Flags, close: bool) -> None:
        """Disconnect all who are meant."""
        for adapter in self._adapters():
            adapter.disconnect_sockets(audience, flags, close)

    def server_side_emit(self, arguments: list[Any]) -> None:
        """Send an event to the children at other servers."""
        for adapter in self._adapters():
            adapter.server_side_emit(arguments)

    def server_side_emit_with_ack(self, arguments: list[Any], timeout: float | None) -> Deferred[list[Any]]:
        """Send an event to the children at other servers, and collect what they answer."""
        asked = [adapter.server_side_emit_with_ack(arguments, timeout) for adapter in self._adapters()]
        return gatherResults(asked, consumeErrors=True).addCallback(_joined)

    def close(self) -> None:
        """Nothing is kept here."""


def _joined(lists: list[list[Any]]) -> list[Any]:
    return [item for items in lists for item in items]


def _nothing(_: object) -> None:
    """What many have fired with does not matter."""
