"""What docs/ says of Socket.IO is served, and talked to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from types import ModuleType
from typing import Any
from urllib.request import urlopen

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.web.resource import Resource
from twisted.web.server import Site

from hunchensocket_tx.socketio import SocketIO, SocketIOResource
from tests.client_support import ClientCase
from tests.processes import CHECKOUT
from tests.socketio.packet_client import ADDRESS, PacketClient
from tests.support import serve
from tests.test_docs import DOCS, blocks, run


class Flask:
    """As much of Flask as the page on it needs."""

    def __init__(self, name: str) -> None:
        self._view: Callable[[str], str]

    def route(self, rule: str) -> Callable[[Callable[[str], str]], None]:
        """Have a function called with the last segment of the path."""
        return lambda view: setattr(self, "_view", view)

    def __call__(self, environ: dict[str, str], start_response: Callable[..., object]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [self._view(environ["PATH_INFO"].rpartition("/")[2]).encode()]


FLASK = ModuleType("flask")
FLASK.Flask = Flask  # type: ignore[attr-defined]


def fetch(url: str) -> bytes:
    """Return what is at an address; not to be called in the reactor's thread."""
    with urlopen(url) as answer:
        return bytes(answer.read())


class PageCase(ClientCase):
    """Serves what a page has."""

    port: int

    def program(self, page: str, mark: str) -> dict[str, Any]:
        """Run what a page has with a mark; return its names."""
        names = run("".join(text for found, text in blocks(DOCS / page) if found == mark), page)
        names["print"] = lambda *_: None
        return names

    async def serve(self, io: SocketIO, site: Site | None = None) -> None:
        """Serve an application, at its usual place or where its site has it."""
        if site is None:
            root = Resource()
            root.putChild(b"socket.io", SocketIOResource(io))
            site = Site(root)
        self.port = (await serve(self, site)).port
        self.addCleanup(io.close)

    async def client(self, auth: object = None, namespace: str = "/") -> PacketClient:
        """Return a client that is connected."""
        client = await self.stranger(namespace)
        self.assertEqual(await client.connect(auth), "0", client.facts)
        return client

    async def stranger(self, namespace: str = "/") -> PacketClient:
        """Return a client that is not."""
        stream = await self.connect(ADDRESS.format(self.port))
        client = PacketClient(stream, namespace)
        self.addCleanup(client.leave)
        return client


class TutorialTests(PageCase):
    """The tutorial."""

    async def setUp(self) -> None:  # type: ignore[override]
        self.names = self.program("socketio.rst", "runs")
        await self.serve(self.names["io"], self.names["site"])

    async def test_it_shouts(self) -> None:
        anna = await self.client({"name": "Anna"})
        self.assertEqual(await anna.ask("shout", "hello"), ["HELLO"])

    async def test_rooms(self) -> None:
        anna, bert, cleo = [await self.client({"name": name}) for name in ("Anna", "Bert", "Cleo")]
        self.assertEqual(await anna.ask("enter", "x"), [["Anna"]])
        (present,) = await bert.ask("enter", "x")
        self.assertEqual(sorted(present), ["Anna", "Bert"])
        self.assertEqual(await anna.heard(), ["entered", "x", "Bert"])
        cleo.emit("say", "x", "nobody hears this")
        self.assertEqual(await cleo.ask("shout", ""), [""])
        bert.emit("say", "x", "hello")
        for client in (anna, bert):
            self.assertEqual(await client.heard(), ["said", "x", "Bert", "hello"])

    async def test_votes(self) -> None:
        anna, bert = [await self.client({"name": name}) for name in ("Anna", "Bert")]
        await anna.ask("enter", "x")
        await bert.ask("enter", "x")
        await anna.heard()
        votes = Deferred.fromCoroutine(self.names["vote"]("x", "tea?"))
        for client, vote in ((anna, "yes"), (bert, "no")):
            self.assertEqual(await client.answer(0, vote), ["vote", "tea?"])
        self.assertEqual(await votes, 1)

    async def test_namespaces(self) -> None:
        game = await self.client(namespace="/game-7")
        self.assertEqual(await game.heard(), ["players", 1])
        stranger = await self.stranger("/play")
        self.assertEqual(await stranger.connect(), "4")
        self.assertEqual(stranger.facts, {"message": "Invalid namespace"})

    async def test_who_may_not_connect_is_told_so(self) -> None:
        nobody = await self.stranger()
        self.assertEqual(await nobody.connect(), "4")
        self.assertEqual(nobody.facts, {"message": "say who you are", "data": {"missing": "name"}})
        stranger = await self.stranger("/admin")
        self.assertEqual(await stranger.connect({"token": "please"}), "4")
        await self.client({"token": "sesame"}, "/admin")

    async def test_the_layer_below_echoes(self) -> None:
        stream = await self.connect(ADDRESS.format(self.port).replace("socket.io", "engine.io"))
        await stream.receive()
        stream.send("4hello")
        self.assertEqual(await stream.receive(), "4hello")
        stream.abort()


class ExampleTests(PageCase):
    """docs/examples/socketio_chat.py."""

    async def setUp(self) -> None:  # type: ignore[override]
        path = CHECKOUT / "docs" / "examples" / "socketio_chat.py"
        await self.serve(run(path.read_text("utf-8"), "socketio_chat")["io"])

    async def test_two_chat(self) -> None:
        anna, bert = [await self.client({"name": name}) for name in ("Anna", "Bert")]
        self.assertEqual(await anna.ask("enter", "lobby"), [["Anna"]])
        self.assertEqual(await bert.ask("enter", "lobby"), [["Anna", "Bert"]])
        self.assertEqual((await anna.heard())[:3], ["entered", "lobby", "Bert"])
        bert.emit("typing", "lobby")
        self.assertEqual(await anna.heard(), ["typing", "lobby", "Bert"])
        anna.emit("say", "lobby", "hello")
        for client in (anna, bert):
            self.assertEqual((await client.heard())[:4], ["said", "lobby", "Anna", "hello"])
        bert.leave()
        self.assertEqual((await anna.heard())[:3], ["left", "lobby", "Bert"])

    async def test_who_sends_nonsense_gets_nothing(self) -> None:
        for auth in (None, {"name": ""}, {"name": 1}, {"name": "x" * 41}):
            stranger = await self.stranger()
            self.assertEqual(await stranger.connect(auth), "4")
        anna = await self.client({"name": "Anna"})
        self.assertEqual(await anna.ask("enter", {"a": 1}), [[]])
        self.assertEqual(await anna.ask("say", "lobby", "hello"), [False])
        await anna.ask("enter", "lobby")
        self.assertEqual(await anna.ask("say", "lobby", 1), [False])


class MovingTests(PageCase):
    """What the pages on moving have as ``after``."""

    async def test_from_python_socketio(self) -> None:
        names = self.program("howto/python-socketio.rst", "after")
        await self.serve(names["io"], names["site"])
        anna, bert = [await self.client({"name": name}) for name in ("Anna", "Bert")]
        self.assertEqual(await anna.ask("enter", "x"), ["welcome"])
        self.assertEqual(await bert.ask("enter", "x"), ["welcome"])
        self.assertEqual(await anna.heard(), ["entered", "Bert"])
        bert.emit("say", "x", "hello")
        self.assertEqual(await anna.heard(), ["said", "x", "hello"])
        stranger = await self.stranger()
        self.assertEqual(await stranger.connect(), "4")
        self.assertEqual(stranger.facts, {"message": "say who you are"})

    async def test_from_flask_socketio(self) -> None:
        if find_spec("flask") is None:
            self.patch(sys, "modules", {**sys.modules, "flask": FLASK})
        names = self.program("howto/flask-socketio.rst", "after")
        await self.serve(names["io"], names["site"])
        anna, bert = [await self.client({"name": name}) for name in ("Anna", "Bert")]
        self.assertEqual(await anna.ask("read"), ["welcome"])
        self.assertEqual(await bert.heard(), ["reading", "Anna"])
        self.assertEqual(await deferToThread(fetch, f"http://127.0.0.1:{self.port}/news/hello"), b"sent")
        self.assertEqual(await anna.heard(), ["news", "hello"])
