"""Tests of hunchensocket_tx.socketio.engine.request_exchange: which connections twisted.web has to give up."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase
from twisted.web.http import combinedLogFormatter
from twisted.web.resource import EncodingResourceWrapper, Resource
from twisted.web.server import GzipEncoderFactory, Site

from hunchensocket_tx import Settings, WebSocketFactory
from hunchensocket_tx.lane_transport import LaneTransport
from hunchensocket_tx.socketio.engine.polling_connection import PollingConnection
from tests.harness import serve_tls, turns_until
from tests.socketio.engine_support import EngineResource, Opened
from tests.socketio.test_engine_polling import PollingTests
from tests.socketio.test_engine_session import EndingTests as SessionEndingTests
from tests.support import RawClient, connect, serve

HANDSHAKE = b"GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n"
OTHER = b"GET /other HTTP/1.1\r\nHost: x\r\n\r\n"


class Page(Resource):
    """A page of some size."""

    isLeaf = True  # noqa: N815

    def render(self, request: Any) -> bytes:
        return b"page" * 50_000


class Strict(Resource):
    """Adds a field to all answers."""

    def __init__(self, inner: Resource) -> None:
        super().__init__()
        self.inner = inner

    def getChild(self, path: bytes, request: Any) -> Any:
        request.setHeader(b"strict-transport-security", b"max-age=1")
        return self.inner.getChildWithDefault(path, request)


class KeptPollingTests(PollingTests):
    """All that polling does, on connections that are kept: most of it goes past twisted.web."""

    keeps_connections = True


class LeftPollingTests(PollingTests):
    """Likewise where that is not wanted."""

    keeps_connections = True

    def serve(self, opened: Opened | None = None, **settings: Any) -> None:
        super().serve(opened, lean_polling=False, **settings)


class KeptSessionTests(SessionEndingTests):
    """How sessions end, on connections that are kept."""

    keeps_connections = True


class KeptTests(TestCase):
    """Real connections."""

    def setUp(self) -> None:
        self.made: list[PollingConnection] = []
        make = PollingConnection.makeConnection

        def note(connection: PollingConnection, transport: Any) -> None:
            self.made.append(connection)
            make(connection, transport)

        self.patch(PollingConnection, "makeConnection", note)

    def site(self, kind: Any = Site, *, lean: bool = True, **settings: Any) -> Any:
        """Return a site with sessions that echo, and a page."""
        limits = Settings(compression=False, **settings)
        resource = EngineResource(Opened(echo=True), limits=limits, lean_polling=lean)
        self.addCleanup(self.end_sessions, resource)
        root = Resource()
        root.putChild(b"engine.io", resource)
        root.putChild(b"other", Page())
        self.logged: list[bytes] = []
        site: Any = kind(root) if kind is Site else kind(root=root)
        site.log = lambda request: self.logged.append(request.method)
        return site

    def end_sessions(self, resource: EngineResource) -> None:
        """Have no timers of sessions left."""
        for session in tuple(resource.engine.sessions.values()):
            session.lose("server shutting down")

    async def begin(self, client: RawClient, *, first: bytes = HANDSHAKE) -> None:
        """Open a session."""
        client.write(first)
        await client.until(lambda data: b"maxPayload" in data)
        start = client.data.index(b'"sid":"') + 7
        self.sid = client.data[start : client.data.index(b'"', start)]
        client.data = b""

    def get(self) -> bytes:
        return b"GET /engine.io/?EIO=4&transport=polling&sid=%b HTTP/1.1\r\nHost: x\r\n\r\n" % self.sid

    def post(self, text: bytes) -> bytes:
        head = self.get().replace(b"GET", b"POST")[:-2] + b"Content-Length: %d\r\n\r\n" % (len(text) + 1)
        return head + b"4" + text

    async def echo(self, client: RawClient) -> None:
        """Send a message to and fro."""
        for text in (b"one", b"two"):
            client.data = b""
            client.write(self.post(text))
            await client.until(b"ok")
            client.write(self.get())
            await client.until(b"4" + text)

    async def test_a_connection_on_which_a_client_polls_is_kept(self) -> None:
        for kind in (Site, WebSocketFactory):
            with self.subTest(kind=kind.__name__):
                client = await connect(self, await serve(self, self.site(kind, fast_lane=True)))
                await self.begin(client)
                await self.echo(client)
                self.assertIsInstance(self.made.pop().transport, LaneTransport)
                self.assertEqual(self.logged, [b"GET", b"POST", b"GET", b"POST", b"GET"])

    async def test_each_answer_is_logged_and_has_what_others_add(self) -> None:
        site = self.site()
        site.resource = Strict(site.resource)
        lines: list[str] = []
        site.log = lambda request: lines.append(combinedLogFormatter("[now]", request))
        client = await connect(self, await serve(self, site))
        await self.begin(client)
        await self.echo(client)
        self.assertIn(b"\r\nStrict-Transport-Security: max-age=1\r\n", client.data)
        answers = [line.split('"')[3:5] for line in lines[1:3]]
        self.assertEqual(
            answers,
            [
                [f"POST /engine.io/?EIO=4&transport=polling&sid={self.sid.decode()} HTTP/1.1", " 200 2 "],
                [f"GET /engine.io/?EIO=4&transport=polling&sid={self.sid.decode()} HTTP/1.1", " 200 4 "],
            ],
        )
        self.assertTrue(all(line.startswith('"127.0.0.1" ') for line in lines), lines)

    async def test_so_it_is_with_tls(self) -> None:
        port, endpoint = await serve_tls(self, self.site())
        client = await connect(self, port, endpoint)
        await self.begin(client)
        await self.echo(client)
        self.assertEqual(len(self.made), 1)
        await self.page(client)
        await self.echo(client)

    async def page(self, client: RawClient) -> None:
        """Have a page served on the same connection."""
        client.data = b""
        client.write(OTHER)
        await client.until(lambda data: data.endswith(b"page" * 50_000))

    async def test_other_requests_on_it_are_served_as_ever(self) -> None:
        for kind in (Site, WebSocketFactory):
            with self.subTest(kind=kind.__name__):
                client = await connect(self, await serve(self, self.site(kind)))
                await self.begin(client)
                for _ in range(3):
                    await self.echo(client)
                    await self.page(client)

    async def test_a_client_that_has_sent_more_already_is_not_kept(self) -> None:
        client = await connect(self, await serve(self, self.site()))
        client.write(HANDSHAKE * 3)
        await client.until(lambda data: data.count(b"maxPayload") == 3)
        self.assertEqual(len(self.made), 1)
        self.assertEqual(self.logged, [b"GET"] * 3)

    async def test_so_it_is_without_the_fast_lane(self) -> None:
        client = await connect(self, await serve(self, self.site(fast_lane=False)))
        await self.begin(client)
        for _ in range(3):
            await self.echo(client)
            await self.page(client)
        self.assertEqual(len(self.made), 3)
        self.assertNotIsInstance(self.made[0].transport, LaneTransport)

    async def test_nobody_is_if_that_is_not_wanted(self) -> None:
        client = await connect(self, await serve(self, self.site(lean=False)))
        await self.begin(client)
        await self.echo(client)
        self.assertEqual(self.made, [])

    async def test_who_closes_is_not(self) -> None:
        for first in (
            HANDSHAKE.replace(b"Host", b"Connection: close\r\nHost"),
            HANDSHAKE.replace(b"HTTP/1.1", b"HTTP/1.0"),
        ):
            client = await connect(self, await serve(self, self.site()))
            await self.begin(client, first=first)
            await client.closed
        self.assertEqual(self.made, [])

    async def test_an_answer_that_is_encoded_comes_to_its_end(self) -> None:
        site = self.site()
        inner = site.resource.children[b"engine.io"]
        site.resource.putChild(b"engine.io", EncodingResourceWrapper(inner, [GzipEncoderFactory()]))
        client = await connect(self, await serve(self, site))
        client.write(HANDSHAKE.replace(b"Host", b"Accept-Encoding: gzip\r\nHost"))
        await client.until(lambda data: data.endswith(b"\r\n0\r\n\r\n"))
        self.assertEqual(self.made, [])

    async def test_a_client_that_leaves_is_noticed(self) -> None:
        client = await connect(self, await serve(self, self.site()))
        await self.begin(client)
        client.write(self.get())
        await turns_until(lambda: bool(self.made))
        client.abort()
        await client.closed
