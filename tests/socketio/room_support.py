"""Stand-ins for a namespace and its sockets, for those who test rooms and broadcasts alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock

from hunchensocket_tx.socketio.memory_adapter import MemoryAdapter
from hunchensocket_tx.socketio.settings import SocketIOSettings
from hunchensocket_tx.timers import Timers


class Member:
    """A socket that remembers what it was told."""

    def __init__(self, sid: str) -> None:
        self.id = sid
        self.connected = True
        self.got: list[list[Any]] = []
        self.encodings: list[dict[Any, Any]] = []
        self.flags: list[Any] = []
        self.asking: dict[int, Any] = {}
        self.disconnected: bool | None = None
        self.then: Any = None

    def deliver(self, packet: Any, encodings: dict[Any, Any], flags: Any) -> None:
        self.got.append(packet.data)
        self.encodings.append(encodings)
        self.flags.append(flags)
        if self.then is not None:
            self.then()

    def ask(self, data: list[Any], encodings: dict[Any, Any], flags: Any, on_answer: Any) -> int:
        self.got.append(data)
        self.asking[len(self.got)] = on_answer
        return len(self.got)

    def forget_ack(self, ack_id: int) -> None:
        self.asking.pop(ack_id, None)

    def answer(self, values: list[Any] | None) -> None:
        """Answer what was asked first, or (None) be gone."""
        self.asking.pop(next(iter(self.asking)))(values)

    def disconnect(self, close: bool = False) -> None:
        self.disconnected = close


class Hall:
    """A namespace with members, and its adapter.

    :param changes: settings.
    """

    def __init__(self, *sids: str, **changes: Any) -> None:
        self.clock = Clock()
        self.name = "/hall"
        self.io = SimpleNamespace(settings=SocketIOSettings(**changes), clock=Timers(self.clock))
        self.sockets: dict[str, Any] = {}
        self.adapter = MemoryAdapter(self)
        for sid in sids:
            self.enter(sid)

    def enter(self, sid: str, *rooms: str) -> Member:
        """Have a socket connect."""
        member = self.sockets[sid] = Member(sid)
        self.adapter.join(sid, (sid, *rooms))
        return member

    def leave(self, sid: str) -> None:
        """Have a socket disconnect."""
        del self.sockets[sid]
        self.adapter.leave_all(sid)

    def heard(self) -> dict[str, list[Any]]:
        """Return what each has got, without those that got nothing."""
        return {sid: member.got for sid, member in self.sockets.items() if member.got}
