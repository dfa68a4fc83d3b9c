"""The words by which one says to whom something goes: the same on a server and on a namespace."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred

from hunchensocket_tx.socketio.operators import Answered, BroadcastOperator

__all__ = ["Broadcasting"]


class Broadcasting(ABC):
    """Something with sockets: what is said here goes to all of them, or to those that are named."""

    __slots__ = ()

    @abstractmethod
    def everybody(self) -> BroadcastOperator:
        """Return an operator that means all sockets."""

    def to(self, *rooms: str | Iterable[str]) -> BroadcastOperator:
        """Mean who is in one of these rooms; a socket's id is a room, too.

        :param rooms: names, or several at once as an iterable.
        """
        return self.everybody().to(*rooms)

    def in_(self, *rooms: str | Iterable[str]) -> BroadcastOperator:
        """The same as :meth:`to`."""
        return self.everybody().to(*rooms)

    def except_(self, *rooms: str | Iterable[str]) -> BroadcastOperator:
        """Mean who is in none of these rooms."""
        return self.everybody().except_(*rooms)

    @property
    def local(self) -> BroadcastOperator:
        """Mean sockets of this process only."""
        return self.everybody().local

    @property
    def volatile(self) -> BroadcastOperator:
        """Leave out those to whom it cannot be sent at once."""
        return self.everybody().volatile

    def compress(self, compress: bool) -> BroadcastOperator:
        """Say whether it may be compressed; it may, unless told otherwise."""
        return self.everybody().compress(compress)

    def timeout(self, seconds: float) -> BroadcastOperator:
        """Wait so long for answers."""
        return self.everybody().timeout(seconds)

    def emit(self, event: str, *arguments: Any, ack: Answered | None = None) -> None:
        """Send an event to all; see :meth:`BroadcastOperator.emit`."""
        self.everybody().emit(event, *arguments, ack=ack)

    def send(self, *arguments: Any) -> None:
        """Send the event ``message`` to all."""
        self.everybody().send(*arguments)

    def emit_with_ack(self, event: str, *arguments: Any) -> Deferred[list[Any]]:
        """Send an event to all, and collect their answers; see :meth:`BroadcastOperator.emit_with_ack`."""
        return self.everybody().emit_with_ack(event, *arguments)

    def fetch_sockets(self) -> Deferred[list[Any]]:
        """Return all: Sockets of this process, and RemoteSockets of others."""
        return self.everybody().fetch_sockets()

    def sockets_join(self, *rooms: str | Iterable[str]) -> None:
        """Put all into rooms."""
        self.everybody().sockets_join(*rooms)

    def sockets_leave(self, *rooms: str | Iterable[str]) -> None:
        """Take all out of rooms."""
        self.everybody().sockets_leave(*rooms)

    def disconnect_sockets(self, close: bool = False) -> None:
        """Disconnect all, with the reason ``server namespace disconnect``.

        :param close: whether from all namespaces, by ending their sessions.
        """
        self.everybody().disconnect_sockets(close)
