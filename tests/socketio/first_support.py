"""What tests of protocol 1 need: a resource with a FirstServer, listeners that remember, and clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.trial.unittest import TestCase

from hunchensocket_tx import Settings
from hunchensocket_tx.socketio.first.server import FirstServer
from hunchensocket_tx.socketio.first.session import FirstSession
from hunchensocket_tx.socketio.handshake import Handshake
from hunchensocket_tx.socketio.session import Outgoing, Session
from hunchensocket_tx.socketio.settings import SocketIOSettings
from hunchensocket_tx.socketio.wire.first import FIRST, decode_payload
from hunchensocket_tx.socketio.wire.packets import Packet, PacketType
from hunchensocket_tx.wire.events import Message
from tests.socketio.sessions_support import SessionsResource
from tests.support import RawClient, connect

CONNECT = PacketType.CONNECT
DISCONNECT = PacketType.DISCONNECT
EVENT = PacketType.EVENT
ACK = PacketType.ACK


def outgoing(packet: Packet, *, shared: bool = False) -> Outgoing:
    """Return a packet on its way."""
    return Outgoing(FIRST.encode(packet), shared=shared)


def event(*data: Any, namespace: str = "/", id: int | None = None) -> Packet:  # noqa: A002
    """Return an event."""
    return Packet(EVENT, namespace, list(data), id)


class Listener:
    """Remembers what a session tells; connects namespaces, and answers ``echo``, as a server would."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.packets: list[Packet] = []
        self.reasons: list[str] = []
        self.closed: Deferred[str] = Deferred()
        session.send(outgoing(Packet(CONNECT)))

    def message_received(self, message: Message) -> None:
        raise AssertionError("this is of Engine.IO")

    def packet_received(self, packet: Packet) -> None:
        self.packets.append(packet)
        if packet.type is CONNECT:
            refused = packet.namespace == "/forbidden"
            kind = PacketType.CONNECT_ERROR if refused else CONNECT
            self.session.send(outgoing(Packet(kind, packet.namespace, {"message": "no"})))
        elif packet.type is EVENT and packet.data[0] == "echo":
            if packet.id is None:
                self.session.send(outgoing(packet))
            else:
                self.session.send(outgoing(Packet(ACK, packet.namespace, packet.data[1:], packet.id)))
        elif packet.type is EVENT and packet.data[0] == "close":
            self.session.close("server namespace disconnect")

    def session_closed(self, reason: str) -> None:
        self.reasons.append(reason)
        self.closed.callback(reason)


class Opened:
    """Gives each session a listener.

    :param then: called with each new session, before it has a listener.
    """

    def __init__(self, then: Callable[[Session], Any] = lambda _: None) -> None:
        self.then = then
        self.listeners: list[Listener] = []

    def __call__(self, session: Session) -> Listener:
        self.then(session)
        self.listeners.append(Listener(session))
        return self.listeners[-1]

    @property
    def last(self) -> Listener:
        """That of the newest session."""
        return self.listeners[-1]


class FirstResource(SessionsResource):
    """Serves sessions of protocol 1, and nothing else; its path is that of ``socket.io``."""

    def __init__(
        self, opened: Callable[[Session], Any], reactor: IReactorTime | None = None, **settings: Any
    ) -> None:
        super().__init__(FirstServer, opened, reactor, **settings)
        self.first: FirstServer = self.session_server


class Answer:
    """An HTTP answer.

    :ivar fields: names in lower case.
    """

    def __init__(self, data: bytes) -> None:
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split(" ")[1])
        self.fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        self.body = body

    @property
    def text(self) -> str:
        """The body, as text."""
        return self.body.decode("utf-8")


async def begin(
    case: TestCase, address: Any, path: str, body: bytes | None = None, method: str | None = None, **fields: str
) -> RawClient:
    """Send a request below ``/socket.io/``, and return who waits for the answer.

    :param body: of a POST; None for a GET.
    """
    client = await connect(case, address)
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    method = method or ("GET" if body is None else "POST")
    head = [f"{method} /socket.io/{path} HTTP/1.1", f"Host: 127.0.0.1:{address.port}", "Connection: close"]
    client.write("\r\n".join([*head, *lines, "", ""]).encode("latin-1") + (body or b""))
    return client


async def ask(case: TestCase, address: Any, path: str, body: bytes | None = None, **fields: str) -> Answer:
    """Send a request below ``/socket.io/``, and return the answer."""
    client = await begin(case, address, path, body, **fields)
    await client.closed
    return Answer(client.data)


async def shake_hands(case: TestCase, address: Any) -> str:
    """Begin a session; return its id."""
    answer = await ask(case, address, "1/")
    case.assertEqual(answer.status, 200)
    return answer.text.split(":")[0]


class Way:
    """A transport that remembers.

    :param lasts: whether it goes on when something was sent, as a WebSocket does.
    """

    is_ready = True
    is_writable = True

    def __init__(self, name: str = "websocket", *, lasts: bool = True) -> None:
        self.name = name
        self.lasts = lasts
        self.payloads: list[list[str]] = []
        self.is_closed = False

    @property
    def sent(self) -> list[str]:
        """All packets."""
        return [packet for payload in self.payloads for packet in payload]

    def send(self, outgoing: Outgoing) -> None:
        assert self.lasts
        self.payloads.append([str(outgoing.messages[0])])

    def send_all(self, packets: list[str]) -> None:
        assert packets and not self.is_closed
        self.payloads.append(packets)

    def close(self) -> None:
        assert not self.is_closed
        self.is_closed = True


def new_session(
    clock: Any, forget: Callable[[FirstSession], None], limits: Settings | None = None, **settings: Any
) -> FirstSession:
    """Return a session that has no listener yet."""
    handshake = Handshake((), "127.0.0.1", 0.0, False, "/socket.io/1/")
    return FirstSession("abc", handshake, SocketIOSettings(**settings), limits or Settings(), clock, forget)


def packets(answer: Answer) -> list[str]:
    """Return the packets of an answer."""
    return decode_payload(answer.text)
