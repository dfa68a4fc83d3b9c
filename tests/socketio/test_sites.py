"""The API with real sessions: a site on a port, and clients of all generations at once."""

from __future__ import annotations

import json
import re
from io import BytesIO
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, FileBodyProducer, readBody
from twisted.web.resource import Resource
from twisted.web.server import Site

from hunchensocket_tx import WebSocketStream, connect
from hunchensocket_tx.socketio.errors import ConnectRefused
from hunchensocket_tx.socketio.resource import SocketIOResource
from hunchensocket_tx.socketio.server import SocketIO
from hunchensocket_tx.socketio.socket import Socket
from tests.socketio.api_support import LATEST, SECOND


class SiteTests(TestCase):
    """What the first example does."""

    def setUp(self) -> None:
        self.io = io = SocketIO(max_namespaces=3)
        self.reasons: list[str] = []
        self.left: Deferred[None] = Deferred()

        @io.on("connection")
        def connection(socket: Socket) -> None:
            @socket.on("say")
            def say(room: str, text: str) -> str:
                io.to(room).emit("said", text)
                return "done"

            @socket.on("ask")
            async def ask() -> Any:
                return await socket.emit_with_ack("who")

            @socket.on("disconnect")
            def disconnect(reason: str) -> None:
                self.reasons.append(reason)
                if not io.of("/").sockets:
                    self.left.callback(None)

            socket.join("lobby")

        @io.of("/admin").use
        def refuse(socket: Socket) -> None:
            raise ConnectRefused("Not authorized")

        root = Resource()
        self.resource = SocketIOResource(io)
        root.putChild(b"socket.io", self.resource)
        port: Any = reactor.listenTCP(0, Site(root), interface="127.0.0.1")  # type: ignore[arg-type]
        self.addCleanup(port.stopListening)
        self.addCleanup(self.resource.stop)
        self.host = f"127.0.0.1:{port.getHost().port}"

    async def open(self, path: str) -> WebSocketStream:
        stream = await connect(f"ws://{self.host}/socket.io/{path}")
        self.addCleanup(stream.abort)
        return stream

    async def http(self, path: str, body: str | None = None) -> str:
        agent: Any = Agent(reactor)
        url = f"http://{self.host}/socket.io/{path}".encode()
        if body is None:
            answer = await agent.request(b"GET", url)
        else:
            answer = await agent.request(b"POST", url, None, FileBodyProducer(BytesIO(body.encode())))
        content: bytes = await readBody(answer)
        return content.decode()

    async def latest(self) -> WebSocketStream:
        stream = await self.open("?EIO=4&transport=websocket")
        await stream.receive()
        stream.send("40")
        self.assertTrue(str(await stream.receive()).startswith('40{"sid":'))
        while not all(socket.listeners("say") for socket in self.io.of("/").sockets.values()):
            await deferLater(reactor, 0, lambda: None)
        return stream

    async def second(self) -> WebSocketStream:
        stream = await self.open("?EIO=3&transport=websocket")
        await stream.receive()
        self.assertEqual(await stream.receive(), "40")
        return stream

    async def first(self) -> WebSocketStream:
        sid = (await self.http("1/?t=1")).partition(":")[0]
        stream = await self.open(f"1/websocket/{sid}")
        self.assertEqual(await stream.receive(), "1::")
        return stream

    async def test_one_of_each_generation_hears_what_the_other_says(self) -> None:
        latest, second, first = await self.latest(), await self.second(), await self.first()
        first.send('5:1+::{"name":"say","args":["lobby","grüß"]}')
        self.assertEqual(await first.receive(), '5:::{"name":"said","args":["gr\\u00fc\\u00df"]}')
        self.assertEqual(await first.receive(), '6:::1+["done"]')
        for stream in (latest, second):
            self.assertEqual(await stream.receive(), '42["said","gr\\u00fc\\u00df"]')
            stream.send('4212["ask"]')
            self.assertEqual(await stream.receive(), '420["who"]')
            stream.send('430["it is me"]')
            self.assertEqual(await stream.receive(), '4312["it is me"]')

    async def test_a_client_that_polls(self) -> None:
        opened = await self.http("?EIO=4&transport=polling")
        session = "?EIO=4&transport=polling&sid=" + json.loads(opened[1:])["sid"]
        self.assertEqual(await self.http(session, "40\x1e40/admin,"), "ok")
        connected, refused = (await self.http(session)).split("\x1e")
        self.assertTrue(connected.startswith('40{"sid":'))
        self.assertEqual(refused, '44/admin,{"message":"Not authorized"}')
        waiting = self.http(session)
        await self.http(session, '421["say","lobby",1]')
        self.assertEqual(await waiting, '42["said",1]\x1e431["done"]')
        await self.http(session, "1")
        self.assertEqual(self.reasons, ["transport close"])

    async def polling(self, generation: int, asks: str = "") -> str:
        """Return the URL of a new session that polls."""
        opened = await self.http(f"?EIO={generation}&transport=polling&b64=1")
        sid = json.loads(opened[opened.index("{") : opened.index("}") + 1])["sid"]
        url = f"?EIO={generation}&transport=polling&b64=1&sid={sid}"
        if asks:
            await self.http(url, asks)
            self.assertTrue((await self.http(url)).startswith("40"))
        return url

    async def test_there_is_a_most_of_namespaces(self) -> None:
        url = await self.polling(LATEST, "40")
        self.io.of(re.compile("/."))
        await self.http(url, "40/a,\x1e40/b,\x1e40/c,\x1e42/a,[1]")
        answers = (await self.http(url)).split("\x1e")
        self.assertEqual([answer[:5] for answer in answers], ["40/a,", "40/b,", "44/c,"])
        self.assertEqual(answers[2], '44/c,{"message":"Too many namespaces"}')

    def get(self, url: str) -> Deferred[str]:
        return Deferred.fromCoroutine(self.http(url))

    async def poll(self, url: str) -> Deferred[str]:
        """Have a GET wait; returns a Deferred of its answer."""
        (session,) = self.resource.sessions
        answered = self.get(url)
        while not session.is_writable:
            await deferLater(reactor, 0, lambda: None)
        return answered

    async def test_who_polls_is_told_before_the_session_ends(self) -> None:
        """By an answer of its own, as clients see the end of a session at once, and events later."""
        for generation, told, closed in ((LATEST, "41", "1"), (SECOND, "2:41", "1:1")):
            for waits in (True, False):
                url = await self.polling(generation, "40" if generation == LATEST else "")
                (socket,) = self.io.of("/").sockets.values()
                waiting = await self.poll(url) if waits else None
                self.left = Deferred()
                socket.disconnect(close=True)
                self.assertEqual(await (waiting or self.get(url)), told)
                self.assertEqual(await self.http(url), closed)
                self.assertEqual(self.resource.sessions, [])

    async def test_who_polls_is_told_that_the_server_closes(self) -> None:
        url = await self.polling(LATEST, "40")
        waiting = await self.poll(url)
        await self.io.close()
        self.assertEqual(await waiting, "1")
        self.assertEqual(self.reasons, ["server shutting down"])

    async def test_who_polls_is_told_that_it_is_refused_and_may_stay(self) -> None:
        url = await self.polling(SECOND)
        waiting = await self.poll(url)
        await self.http(url, "11:40/admin?a,")
        self.assertEqual(await waiting, '25:44/admin,"Not authorized"')
        waiting = await self.poll(url)
        await self.http(url, '19:42["say","lobby",1]')
        self.assertEqual(await waiting, '12:42["said",1]')

    async def test_an_older_client_is_connected_in_the_first_answer(self) -> None:
        opened = await self.http("?EIO=3&transport=polling&b64=1")
        self.assertTrue(opened.endswith("2:40"), opened)
        (socket,) = self.io.of("/").sockets.values()
        await self.http(f"?EIO=3&transport=polling&sid={socket.id}", "1:1")
        self.assertEqual(self.reasons, ["transport close"])

    async def test_disconnect_reasons(self) -> None:
        latest, second, gone = await self.latest(), await self.second(), await self.latest()
        latest.send("41")
        gone.send("4nonsense")
        second.close()
        await self.left
        self.assertEqual(sorted(self.reasons), ["client namespace disconnect", "parse error", "transport close"])
        await gone.when_closed()

    async def test_the_server_closes(self) -> None:
        streams = [await self.latest(), await self.second(), await self.first()]
        self.io.serve_by(self.resource)
        await self.io.close()
        await gatherResults([stream.when_closed() for stream in streams])
        self.assertEqual(self.reasons, ["server shutting down"] * 3)
        self.assertEqual(self.resource.sessions, [])

    async def test_the_server_closes_one(self) -> None:
        stream = await self.latest()
        (socket,) = self.io.of("/").sockets.values()
        socket.disconnect(close=True)
        self.assertEqual(await stream.receive(), "41")
        await stream.when_closed()
        self.assertEqual(self.reasons, ["server namespace disconnect"])
        self.assertEqual(self.resource.sessions, [])
