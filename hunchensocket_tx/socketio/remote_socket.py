"""Sockets of other processes, as far as these tell of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any

from twisted.internet.defer import Deferred

from hunchensocket_tx.socketio.adapter import Audience, Local, Space
from hunchensocket_tx.socketio.errors import SocketDisconnected
from hunchensocket_tx.socketio.handshake import Handshake
from hunchensocket_tx.socketio.operators import BroadcastOperator

__all__ = ["RemoteSocket", "details_of"]


def details_of(socket: Local) -> dict[str, Any]:
    """Return what other servers are told of a socket, those of Node.js among them: JSON, as far as ``data`` is."""
    return {
        "id": socket.id,
        "handshake": socket.handshake.as_dict(),
        "rooms": sorted(socket.rooms),
        "data": socket.data,
    }


def _handshake_of(facts: Mapping[str, Any]) -> Handshake:
    """Return the handshake that another server tells of."""
    headers: Mapping[str, str | list[str]] = facts.get("headers") or {}
    fields = tuple(
        (name.lower().encode("latin-1", "replace"), str(value).encode("latin-1", "replace"))
        for name, values in headers.items()
        for value in (values if isinstance(values, list) else [values])
    )
    return Handshake(
        fields,
        str(facts.get("address") or ""),
        float(facts.get("issued") or 0) / 1000,
        bool(facts.get("secure")),
        str(facts.get("url") or ""),
        facts.get("auth") or {},
    )


class RemoteSocket:
    """A socket of another process: what is known of it, and what can be done to it from here.

    :param namespace: the one of this process that has the same name.
    :param details: as :func:`details_of` returns them, at the other process or at a server of Node.js.

    :ivar id: its id.
    :ivar handshake: how its client introduced itself.
    :ivar rooms: those that it was in when this was asked for.
    :ivar data: the application's, as of then; changes do not reach the other process.
    :raises ValueError: if there is no id in the details.
    """

    __slots__ = ("_operator", "data", "handshake", "id", "rooms")

    def __init__(self, namespace: Space, details: Mapping[str, Any]) -> None:
        sid = details.get("id")
        if not isinstance(sid, str):
            raise ValueError(f"a socket has an id, other than {sid!r}")
        self.id = sid
        self.handshake = _handshake_of(details.get("handshake") or {})
        self.rooms = frozenset(map(str, details.get("rooms") or ()))
        self.data = details.get("data")
        self._operator = BroadcastOperator(namespace, Audience(frozenset({sid})))

    def __repr__(self) -> str:
        return f"<RemoteSocket {self.id}>"

    def emit(self, event: str, *arguments: Any) -> None:
        """Send an event to it (see :meth:`BroadcastOperator.emit`)."""
        self._operator.emit(event, *arguments)

    def send(self, *arguments: Any) -> None:
        """Send the event ``message`` to it."""
        self._operator.send(*arguments)

    def timeout(self, seconds: float) -> RemoteSocket:
        """Return the same, for an :meth:`emit_with_ack` that waits so long."""
        limited = copy(self)
        limited._operator = self._operator.timeout(seconds)
        return limited

    def emit_with_ack(self, event: str, *arguments: Any) -> Deferred[Any]:
        """Send an event to it, and wait for its answer.

        :returns: the answer's first value.
        :raises AckTimeout: through the Deferred, if ``timeout`` was given, and it does not answer in time.
        :raises SocketDisconnected: through the Deferred, if it is gone.
        """
        return self._operator.emit_with_ack(event, *arguments).addCallback(_only)

    def join(self, *rooms: str | Iterable[str]) -> None:
        """Put it into rooms."""
        self._operator.sockets_join(*rooms)

    def leave(self, *rooms: str | Iterable[str]) -> None:
        """Take it out of rooms."""
        self._operator.sockets_leave(*rooms)

    def disconnect(self, close: bool = False) -> None:
        """Disconnect it (see :meth:`BroadcastOperator.disconnect_sockets`)."""
        self._operator.disconnect_sockets(close)


def _only(answers: list[Any]) -> Any:
    if not answers:
        raise SocketDisconnected("the socket disconnected before it answered")
    return answers[0]
