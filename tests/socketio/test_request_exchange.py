"""Tests of hunchensocket_tx.socketio.engine.request_exchange: which connections twisted.web has to give up."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from hunchensocket_tx import Settings, WebSocketFactory
from hunchensocket_tx.lane_transport import LaneTransport
from hunchensocket_tx.socketio.engine.polling_connection import PollingConnection
from tests.harness import serve_tls, turns_until
from tests.socketio.engine_support import EngineResource, Opened
from tests.support import RawClient, connect, serve

HANDSHAKE = b"GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n"
OTHER = b"GET /other HTTP/1.1\r\nHost: x\r\n\r\n"


class Page(Resource):
    """A page of some size."""

    isLeaf = True  # noqa: N815

    def render(self, request: Any) -> bytes:
        return b"page" * 50_000


class KeptTests(TestCase):
    """Real connections."""

    def setUp(self) -> None:
        self.made: list[PollingConnection] = []
        make = PollingConnection.makeConnection

        def note(connection: PollingConnection, transport: Any) -> None:
            self.made.append(connection)
            make(connection, transport)

        self.patch(PollingConnection, "makeConnection", note)

    def site(self, kind: Any = Site, **settings: Any) -> Any:
        """Return a site with sessions that echo, and a page."""
        resource = EngineResource(Opened(echo=True), limits=Settings(compression=False, **settings))
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
                client = await connect(self, await serve(self, self.site(kind)))
                await self.begin(client)
                await self.echo(client)
                self.assertIsInstance(self.made.pop().transport, LaneTransport)
                self.assertEqual(self.logged, [b"GET"])

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

    async def test_nobody_is_without_the_fast_lane(self) -> None:
        client = await connect(self, await serve(self, self.site(fast_lane=False)))
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

    async def test_a_client_that_leaves_is_noticed(self) -> None:
        client = await connect(self, await serve(self, self.site()))
        await self.begin(client)
        client.write(self.get())
        await turns_until(lambda: bool(self.made))
        client.abort()
        await client.closed
