"""What tests of Engine.IO need: a resource with an EngineServer, and a listener that remembers what it is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from hunchensocket_tx import Settings, WebSocketStream
from hunchensocket_tx.socketio.engine.server import FIRST_PACKET_DELAY, EngineServer
from hunchensocket_tx.socketio.engine.session import EngineSession
from hunchensocket_tx.socketio.session import Outgoing, Session
from hunchensocket_tx.socketio.wire.packets import Packet
from hunchensocket_tx.testing import MemoryServer
from hunchensocket_tx.wire.events import CloseReason, Message
from tests.socketio.sessions_support import SessionsResource


class Listener:
    """Remembers what a session tells, and sends messages back if it is to echo."""

    def __init__(self, session: Session, *, echo: bool = False) -> None:
        self.session = session
        self.echo = echo
        self.messages: list[Message] = []
        self.reasons: list[str] = []
        self.closed: Deferred[str] = Deferred()

    def message_received(self, message: Message) -> None:
        self.messages.append(message)
        if self.echo:
            self.session.send(Outgoing((message,)))

    def packet_received(self, packet: Packet) -> None:
        raise AssertionError("this is of protocol 1")

    def session_closed(self, reason: str) -> None:
        self.reasons.append(reason)
        self.closed.callback(reason)


class Opened:
    """Gives each session a listener.

    :param then: called with each new session, before it has a listener.
    """

    def __init__(self, *, echo: bool = False, then: Callable[[Session], Any] = lambda _: None) -> None:
        self.echo = echo
        self.then = then
        self.listeners: list[Listener] = []

    def __call__(self, session: Session) -> Listener:
        listener = Listener(session, echo=self.echo)
        self.listeners.append(listener)
        self.then(session)
        return listener

    @property
    def last(self) -> Listener:
        """That of the newest session."""
        return self.listeners[-1]


class EngineResource(SessionsResource):
    """Serves sessions of Engine.IO, and nothing else."""

    def __init__(
        self, opened: Callable[[Session], Any], reactor: IReactorTime | None = None, **settings: Any
    ) -> None:
        super().__init__(EngineServer, opened, reactor, **settings)
        self.engine: EngineServer = self.session_server


class Exchange(Protocol):
    """A connection of its own with one HTTP request, and the answer when it has come."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._next: Exchange | None = None
        self.data = b""
        self.lost = False

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        if self._next is not None:
            self._next.dataReceived(data)
        else:
            self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = True
        if self._next is not None:
            self._next.connectionLost(reason)

    def go_on(self, exchange: Exchange) -> None:
        """Use the connection for another request."""
        self._next = exchange
        exchange.makeConnection(self.transport)

    def drop(self) -> None:
        """Close the connection."""
        transport: Any = self.transport
        transport.abortConnection()

    @property
    def answered(self) -> bool:
        """Whether the whole answer is there."""
        _, end, body = self.data.partition(b"\r\n\r\n")
        return bool(end) and len(body) == int(self.fields.get("content-length", 0))

    @property
    def status(self) -> int:
        """Of the answer; 0 as long as there is none."""
        return int(self.data.split(b" ", 2)[1]) if self.answered else 0

    @property
    def fields(self) -> dict[str, str]:
        """The header fields of the answer; names in lower case."""
        lines = self.data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    @property
    def body(self) -> bytes:
        """Of the answer."""
        return self.data.partition(b"\r\n\r\n")[2]

    @property
    def json(self) -> Any:
        """What the answer's body says."""
        return json.loads(self.body)


class Socket:
    """A client's WebSocket, and what has come over it."""

    def __init__(self, memory: MemoryServer, target: str, **options: Any) -> None:
        self.messages: list[Message] = []
        self.ends: list[CloseReason] = []
        self._memory = memory
        self.stream: WebSocketStream = memory.result(memory.connect(target, self._opened, **options))
        self.stream.when_closed().addCallback(self.ends.append)
        memory.advance(FIRST_PACKET_DELAY)

    def _opened(self, stream: WebSocketStream, mutex: object) -> Callable[[Message], None]:
        return self.messages.append

    def send(self, *messages: Message) -> None:
        """Send messages, in one piece, and let the server answer."""
        for message in messages:
            self.stream.send(message)
        self._memory.settle()

    def take(self) -> list[Message]:
        """Return what has come since this was asked last."""
        taken, self.messages[:] = list(self.messages), []
        return taken

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return bool(self.ends)


class EngineCase(SynchronousTestCase):
    """Tests with a server and clients in memory, on a clock; every exchange is real HTTP or WebSocket."""

    keeps_connections = False
    """Whether requests are made on connections of earlier ones, if those are answered."""

    def serve(
        self,
        opened: Opened | None = None,
        *,
        limits: Settings | None = None,
        **settings: Any,
    ) -> None:
        """Start a server; without ``opened``, it remembers what it is told, and sends nothing of itself."""
        self.opened = opened or Opened()
        self.memory = MemoryServer()
        self.clock = self.memory.clock
        self.resource = EngineResource(self.opened, self.clock, limits=limits, **settings)
        self.engine = self.resource.engine
        root = Resource()
        root.putChild(b"engine.io", self.resource)
        self.memory = MemoryServer(factory=Site(root, reactor=self.clock), clock=self.clock)
        self._kept: list[Exchange] = []

    def request(self, method: str, query: str, body: bytes | str = b"", **fields: str) -> Exchange:
        """Send an HTTP request on a connection of its own, and let the server answer."""
        data = body.encode() if isinstance(body, str) else body
        lines = [f"{method} /engine.io/?{query} HTTP/1.1", "Host: localhost", f"Content-Length: {len(data)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        exchange = Exchange("\r\n".join([*lines, "", ""]).encode() + data)
        free = [other for other in self._kept if other.answered and not other.lost]
        if free and self.keeps_connections:
            self._kept.remove(free[0])
            free[0].go_on(exchange)
        else:
            self.memory.result(self.memory.endpoint.connect(Factory.forProtocol(lambda: exchange)))
        self._kept.append(exchange)
        self.memory.settle()
        return exchange

    def handshake(self, protocol: int = 4, more: str = "", **fields: str) -> str:
        """Open a session on polling; return the query of its other requests."""
        answer = self.request("GET", f"EIO={protocol}&transport=polling{more}", **fields)
        self.assertEqual(answer.status, 200, answer.data)
        text = answer.body.decode().replace("\\", "")  # which scripts have
        sid = json.loads(text[text.index("{") : text.index("}") + 1])["sid"]
        return f"EIO={protocol}&transport=polling&sid={sid}{more}"

    def get(self, session: str, **fields: str) -> Exchange:
        """Poll."""
        return self.request("GET", session, **fields)

    def post(self, session: str, body: bytes | str, **fields: str) -> Exchange:
        """Send a payload."""
        return self.request("POST", session, body, **{"Content_Type": "text/plain;charset=UTF-8", **fields})

    def websocket(self, protocol: int = 4, more: str = "", **options: Any) -> Socket:
        """Open a session on a WebSocket."""
        return Socket(self.memory, f"/engine.io/?EIO={protocol}&transport=websocket{more}", **options)

    def probe(self, session: str, **options: Any) -> Socket:
        """Open a WebSocket beside a session's polling."""
        query = session.replace("transport=polling", "transport=websocket")
        return Socket(self.memory, f"/engine.io/?{query}", **options)

    @property
    def session(self) -> EngineSession:
        """The newest session."""
        session = self.opened.last.session
        assert isinstance(session, EngineSession)
        return session

    def send(self, *messages: Message, shared: bool = False) -> None:
        """Send a packet to the newest session."""
        self.session.send(Outgoing(messages, shared=shared))
        self.memory.settle()

    def assert_over(self, reason: str) -> None:
        """Check that the newest session is over, that this was told once, and that nothing is left of it."""
        self.assertEqual(self.opened.last.reasons, [reason])
        self.assertFalse(self.session.is_open)
        self.assertEqual(self.engine.sessions, {})
        self.assertEqual(self.session_timers(), [])

    def session_timers(self) -> list[Any]:
        """Return what timers sessions have; those of streams and of HTTP are others'."""
        return [timer for timer in self.resource._clock._heap if timer.active()]
