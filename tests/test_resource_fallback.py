"""What WebSocketResource answers to requests that are not for a WebSocket, itself or by its fallback."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase
from twisted.web.resource import EncodingResourceWrapper, Resource
from twisted.web.server import NOT_DONE_YET, GzipEncoderFactory
from twisted.web.static import Data

from hunchensocket_tx import WebSocketResource
from tests.harness import echo, header_fields, turns
from tests.support import RawClient, connect, frame_76, open_76, request_76, serve


class PlainRequestTests(TestCase):
    """Requests that do not ask for a WebSocket."""

    async def ask(self, resource: Resource, method: str = "GET", path: str = "/") -> RawClient:
        """Send a plain request; return when it is answered."""
        address = await serve(self, resource)
        client = await connect(self, address)
        client.write(f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        await client.closed
        return client

    async def test_get_is_told_that_this_is_a_websocket(self) -> None:
        client = await self.ask(WebSocketResource(echo))
        self.assertEqual((client.status, header_fields(client)["upgrade"]), (426, ["websocket"]))
        self.assertIn(b"WebSocket", client.body)
        self.assertTrue(client.data.startswith(b"HTTP/1.1 426 Upgrade Required\r\n"))

    async def test_head_is_answered_without_a_body(self) -> None:
        client = await self.ask(WebSocketResource(echo), "HEAD")
        self.assertEqual((client.status, client.body), (426, b""))

    async def test_other_methods_are_not_allowed(self) -> None:
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            with self.subTest(method=method):
                client = await self.ask(WebSocketResource(echo), method)
                self.assertEqual((client.status, header_fields(client)["allow"]), (405, ["GET"]))

    async def test_the_connection_serves_another_request_afterwards(self) -> None:
        client = await connect(self, await serve(self, WebSocketResource(echo)))
        client.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
        await client.until(lambda data: data.count(b"HTTP/1.1 426 ") == 2)
        self.assertFalse(client.is_closed)

    async def test_no_dispatcher_is_asked(self) -> None:
        asked: list[Any] = []
        await self.ask(WebSocketResource(asked.append))
        self.assertEqual(asked, [])


class Leaf(Resource):
    """A page at and below its path that says what it sees."""

    isLeaf = True  # noqa: N815

    def render_GET(self, request: Any) -> bytes:
        """Name the paths before and behind."""
        return b"%r %r" % (request.prepath, request.postpath)


class FallbackTests(TestCase):
    """A resource with a fallback for what is not for a WebSocket, and for those that nobody takes."""

    async def ask(self, fallback: Resource, path: str, upgrade: bool = False, method: str = "GET") -> RawClient:
        """Ask a site that has a WebSocketResource, with a fallback, below ``/chat``."""
        root = Resource()
        root.putChild(b"chat", WebSocketResource(lambda request: None, fallback=fallback))
        address = await serve(self, root)
        client = await connect(self, address)
        plain = f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
        client.write(request_76(address, path) if upgrade else plain)
        await client.closed
        return client

    def page(self, *, below: bytes) -> Resource:
        """Return a resource with a page below it."""
        parent = Resource()
        parent.putChild(below, Data(b"a page", "text/plain"))
        return parent

    async def test_a_leaf_serves_plain_requests(self) -> None:
        client = await self.ask(Leaf(), "/chat/a/b")
        self.assertEqual((client.status, client.body), (200, b"[b'chat'] [b'a', b'b']"))

    async def test_a_leaf_serves_websockets_that_nobody_takes(self) -> None:
        client = await self.ask(Leaf(), "/chat/a/b", upgrade=True)
        self.assertEqual(client.status, 200)
        self.assertIn(b"[b'chat'] [b'a', b'b']", client.body)

    async def test_children_of_the_fallback_are_found(self) -> None:
        client = await self.ask(self.page(below=b"page"), "/chat/page")
        self.assertEqual((client.status, client.body), (200, b"a page"))

    async def test_children_of_the_fallback_are_found_by_websockets_that_nobody_takes(self) -> None:
        client = await self.ask(self.page(below=b"page"), "/chat/page", upgrade=True)
        self.assertIn(b"a page", client.body)

    async def test_an_unknown_child_is_404(self) -> None:
        for upgrade in (False, True):
            with self.subTest(upgrade=upgrade):
                client = await self.ask(self.page(below=b"page"), "/chat/nothing", upgrade)
                self.assertEqual(client.status, 404)

    async def test_key3_is_not_another_request_of_the_fallback(self) -> None:
        client = await self.ask(Leaf(), "/chat", upgrade=True)
        self.assertEqual(client.data.count(b"HTTP/1.1 "), 1)

    async def test_a_deferred_answer_of_the_fallback_is_complete(self) -> None:
        requests: list[Any] = []

        class Slow(Resource):
            isLeaf = True  # noqa: N815

            def render_GET(self, request: Any) -> int:
                requests.append(request)
                return NOT_DONE_YET

        root = WebSocketResource(lambda request: None, fallback=Slow())
        address = await serve(self, root)
        client = await connect(self, address)
        client.write(request_76(address))
        await turns()
        requests[0].write(b"at last")
        requests[0].finish()
        await client.closed
        self.assertIn(b"at last", client.body)

    async def test_a_method_that_the_fallback_does_not_have_is_405(self) -> None:
        class PostOnly(Resource):
            isLeaf = True  # noqa: N815

            def render_POST(self, request: Any) -> bytes:
                return b"posted"

        for upgrade in (False, True):
            with self.subTest(upgrade=upgrade):
                self.assertEqual((await self.ask(PostOnly(), "/chat", upgrade)).status, 405)

    async def test_an_exception_in_the_fallback_is_500_and_logged_once(self) -> None:
        class Broken(Resource):
            isLeaf = True  # noqa: N815

            def render_GET(self, request: Any) -> bytes:
                raise ZeroDivisionError("secret")

        for upgrade in (False, True):
            with self.subTest(upgrade=upgrade):
                client = await self.ask(Broken(), "/chat", upgrade)
                self.assertEqual(client.status, 500)
                self.assertNotIn(b"secret", client.data)
                self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_head_is_answered_without_a_body(self) -> None:
        client = await self.ask(Leaf(), "/chat", method="HEAD")
        self.assertEqual((client.status, client.body), (200, b""))

    async def test_a_fallback_that_compresses_does_so(self) -> None:
        fallback = EncodingResourceWrapper(Leaf(), [GzipEncoderFactory()])
        address = await serve(self, WebSocketResource(echo, fallback=fallback))
        client = await connect(self, address)
        client.write(b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n")
        await client.closed
        self.assertEqual(client.status, 200)
        self.assertEqual(header_fields(client).get("content-encoding"), ["gzip"])

    async def test_a_websocket_below_the_fallback_is_found(self) -> None:
        parent = Resource()
        parent.putChild(b"room", WebSocketResource(echo))
        address = await serve(self, WebSocketResource(lambda request: None, fallback=parent))
        client = await open_76(self, address, "/room")
        client.write(frame_76("hello"))
        await client.until(frame_76("hello"))
