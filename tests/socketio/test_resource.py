"""Tests of hunchensocket_tx.socketio.resource: who gets which request, with plain HTTP and WebSockets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, readBody
from twisted.web.resource import Resource
from twisted.web.server import Site

from hunchensocket_tx import HandshakeRefused, Settings, WebSocketStream, connect
from hunchensocket_tx.socketio import EngineIOResource, Session, SocketIO, SocketIOResource
from hunchensocket_tx.wire.events import Message


class ResourceCase(TestCase):
    """Tests with a site on a port of its own."""

    def serve(self, path: bytes, resource: Resource) -> None:
        """Hang a resource on a path of a site, and listen."""
        root = Resource()
        root.putChild(path, resource)
        listening: Any = reactor
        port = listening.listenTCP(0, Site(root), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        if isinstance(resource, EngineIOResource):
            self.addCleanup(resource.stop)
        self.host = f"127.0.0.1:{port.getHost().port}"

    async def get(self, path: str, method: bytes = b"GET") -> tuple[int, bytes]:
        """Return status and body of an answer."""
        agent: Any = Agent(reactor)
        answer = await agent.request(method, f"http://{self.host}{path}".encode())
        return answer.code, await readBody(answer)

    async def open(self, path: str, **options: Any) -> WebSocketStream:
        """Open a WebSocket."""
        stream = await connect(f"ws://{self.host}{path}", **options)
        self.addCleanup(stream.abort)
        return stream

    async def refusal(self, path: str) -> HandshakeRefused:
        """Return how a WebSocket is refused."""
        with self.assertRaises(HandshakeRefused) as raised:
            await connect(f"ws://{self.host}{path}")
        refused: HandshakeRefused = raised.exception
        return refused


class SocketIOResourceTests(ResourceCase):
    """All generations at one path."""

    def setUp(self) -> None:
        self.io = SocketIO()
        self.resource = SocketIOResource(self.io, closing_timeout=0.1)
        self.serve(b"socket.io", self.resource)

    async def test_engine_io_is_known_by_the_query(self) -> None:
        for number, path in ((4, "/socket.io/?EIO=4"), (3, "/socket.io/?EIO=3"), (3, "/socket.io?EIO=2")):
            with self.subTest(path=path):
                status, body = await self.get(f"{path}&transport=polling")
                self.assertEqual(status, 200)
                self.assertIn(b'"sid"', body)
                self.assertEqual(self.resource.sessions[-1].protocol, number)

    async def test_protocol_1_is_known_by_the_path(self) -> None:
        status, body = await self.get("/socket.io/1/?t=1")
        self.assertEqual(status, 200)
        self.assertEqual(body.partition(b":")[2], b"60:60:websocket,htmlfile,xhr-polling,jsonp-polling")
        self.assertEqual([session.protocol for session in self.resource.sessions], [1])

    async def test_without_either_it_is_no_client_of_socket_io(self) -> None:
        status, body = await self.get("/socket.io/?transport=polling")
        self.assertEqual(status, 400)
        self.assertEqual(json.loads(body)["code"], 5)

    async def test_websockets_of_unknown_versions_are_refused_before_they_are_open(self) -> None:
        refused = await self.refusal("/socket.io/?EIO=5&transport=websocket")
        self.assertEqual(refused.status, 400)
        self.assertEqual(json.loads(refused.body)["code"], 5)

    async def test_websockets_of_all_generations_are_served(self) -> None:
        stream = await self.open("/socket.io/?EIO=4&transport=websocket")
        self.assertEqual(str(await stream.receive())[:7], '0{"sid"')
        stream = await self.open("/socket.io/?EIO=3&transport=websocket", version=76)
        self.assertEqual([str(await stream.receive())[:2] for _ in range(2)], ["0{", "40"])
        _, body = await self.get("/socket.io/1/")
        stream = await self.open(f"/socket.io/1/websocket/{body.partition(b':')[0].decode()}", version=76)
        self.assertEqual(await stream.receive(), "1::")

    async def test_when_it_stops_sessions_end_and_none_begins(self) -> None:
        _, body = await self.get("/socket.io/?EIO=4&transport=polling")
        sid = json.loads(body[1:])["sid"]
        stream = await self.open("/socket.io/?EIO=4&transport=websocket")
        await stream.receive()
        polled = ensureDeferred(self.get(f"/socket.io/?EIO=4&transport=polling&sid={sid}"))
        await self.get("/socket.io/?EIO=4&transport=polling&sid=unknown")  # the one before it has arrived, too
        stopped = self.resource.stop()
        self.assertEqual(await polled, (200, b"1"))
        self.assertTrue((await stream.when_closed()).clean)
        await stopped
        self.assertEqual(self.resource.sessions, [])
        self.assertEqual((await self.get("/socket.io/?EIO=4&transport=polling"))[0], 503)
        self.assertEqual((await self.refusal("/socket.io/?EIO=4&transport=websocket")).status, 503)


class SomeProtocolsTests(ResourceCase):
    """Not all generations need be served."""

    async def test_what_is_not_wanted_is_refused(self) -> None:
        self.serve(b"socket.io", SocketIOResource(SocketIO(protocols=[4]), closing_timeout=0.1))
        self.assertEqual((await self.get("/socket.io/1/"))[0], 400)
        self.assertEqual((await self.get("/socket.io/?EIO=3&transport=polling"))[0], 400)
        self.assertEqual((await self.get("/socket.io/?EIO=4&transport=polling"))[0], 200)


class ClientTests(ResourceCase):
    """The JavaScript client beside the server."""

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "socket.io.js").write_text("io = 1;")
        self.serve(b"socket.io", SocketIOResource(SocketIO(), client=folder, closing_timeout=0.1))

    async def test_it_is_served_by_its_name(self) -> None:
        self.assertEqual(await self.get("/socket.io/socket.io.js"), (200, b"io = 1;"))
        self.assertEqual((await self.get("/socket.io/other.js"))[0], 404)

    async def test_sessions_are_served_yet(self) -> None:
        self.assertEqual((await self.get("/socket.io/?EIO=4&transport=polling"))[0], 200)
        self.assertEqual((await self.get("/socket.io/1/"))[0], 200)

    async def test_the_folder_is_not_listed(self) -> None:
        self.assertEqual((await self.get("/socket.io/"))[0], 400)


class EngineIOResourceTests(ResourceCase):
    """Engine.IO without Socket.IO."""

    async def test_a_function_takes_messages(self) -> None:
        def echo(session: Session) -> Any:
            return session.send_message

        self.serve(b"engine.io", EngineIOResource(echo))
        stream = await self.open("/engine.io/?EIO=4&transport=websocket")
        await stream.receive()
        sent: list[Message] = ["4hello", b"\x00\x01"]
        for message in sent:
            stream.send(message)
        self.assertEqual([await stream.receive() for _ in sent], sent)

    def test_slow_clients_are_closed_whatever_is_said_of_other_websockets(self) -> None:
        for slow_peers in ("drop", "wait"):
            resource = EngineIOResource(
                lambda session: session.send_message, settings=Settings(slow_peers=slow_peers)
            )
            self.assertEqual(resource.settings.slow_peers, "close")

    async def test_a_listener_is_told_of_the_end(self) -> None:
        ends: list[str] = []

        class Listener:
            def message_received(self, message: Message) -> None:
                raise AssertionError("nothing was sent")

            def packet_received(self, packet: Any) -> None:
                raise AssertionError("Engine.IO has none")

            def session_closed(self, reason: str) -> None:
                ends.append(reason)

        resource = EngineIOResource(lambda session: Listener())
        self.serve(b"engine.io", resource)
        stream = await self.open("/engine.io/?EIO=4&transport=websocket")
        await stream.receive()
        await resource.stop()
        self.assertEqual(ends, ["server shutting down"])
