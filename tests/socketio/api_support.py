"""What tests of the API need: clients of all generations without a network."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from hunchensocket_tx.socketio.connection import Connection
from hunchensocket_tx.socketio.handshake import Handshake
from hunchensocket_tx.socketio.server import SocketIO
from hunchensocket_tx.socketio.session import Outgoing, Session
from hunchensocket_tx.socketio.socket import Socket
from hunchensocket_tx.socketio.wire.first import split, understand
from hunchensocket_tx.wire.events import Message

LATEST, SECOND, FIRST = 4, 3, 1
"""Generations of clients: 3.x and 4.x; 1.x and 2.x; those before."""


class RecordingSession(Session):
    """A session that remembers what is sent."""

    def __init__(self, sid: str, protocol: int) -> None:
        fields = ((b"host", b"example.org"),)
        super().__init__(sid, protocol, Handshake(fields, "192.0.2.1", 1.0, False, "/socket.io/?EIO=4&a=b"))
        self.sent: list[Message] = []
        self.outgoing: list[Outgoing] = []
        self.closed_for: str | None = None
        self.writable = True
        self.transport = "polling"

    @property
    def transport_name(self) -> str:
        return self.transport

    @property
    def is_open(self) -> bool:
        return self.closed_for is None

    @property
    def is_writable(self) -> bool:
        return self.is_open and self.writable

    def send(self, outgoing: Outgoing) -> None:
        if self.is_open:
            self.outgoing.append(outgoing)
            self.sent.extend(outgoing.messages)

    def close(self, reason: str) -> None:
        if self.is_open:
            self.closed_for = reason
            listener = getattr(self, "listener", None)
            if listener is not None:
                listener.session_closed(reason)


class Client:
    """A client without a network.

    :param generation: its session's protocol.
    """

    count = 0

    def __init__(self, io: SocketIO, generation: int = LATEST, *namespaces: str) -> None:
        Client.count += 1
        self.session = RecordingSession(f"session{Client.count}", generation)
        self.connection: Connection = io.session_opened(self.session)
        if self.session.closed_for is None:
            self.session.listener = self.connection
        for namespace in namespaces:
            self.says("0" if namespace == "/" else f"0{namespace},")

    def says(self, *messages: Message) -> None:
        """Send messages."""
        for message in messages:
            if self.session.protocol == FIRST:
                assert isinstance(message, str)
                packet = understand(split(message))
                if packet is not None:
                    self.connection.packet_received(packet)
            else:
                self.connection.message_received(message)

    def got(self) -> list[Message]:
        """Return what has come since the last time."""
        sent, self.session.sent = self.session.sent, []
        return sent

    def vanishes(self, reason: str = "transport close") -> None:
        """Be gone."""
        self.session.close(reason)

    def socket(self, namespace: str = "/") -> Socket:
        """Return what the server has of it."""
        return self.connection.sockets[namespace]


def new_io(**changes: Any) -> tuple[SocketIO, Clock]:
    """Return a server, and the clock it runs on."""
    clock = Clock()
    return SocketIO(reactor=clock, **changes), clock


class ThreeClientsCase(TestCase):
    """Tests of what several get: the first is in the rooms a, b and c, the second in a."""

    def setUp(self) -> None:
        self.io, self.clock = new_io()
        self.one, self.two, self.three = (Client(self.io, LATEST, "/") for _ in range(3))
        self.one.socket().join("a", ["b", "c"])
        self.two.socket().join("a")
        self.got()

    def got(self) -> list[bool]:
        """Return who has got something."""
        return [bool(client.got()) for client in (self.one, self.two, self.three)]
