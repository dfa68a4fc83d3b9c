"""Tests of hunchensocket_tx.bounded_request, on a real site."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Request

from hunchensocket_tx import Settings
from hunchensocket_tx.bounded_request import PATIENCE
from hunchensocket_tx.factory import GuardedSite
from tests.support import RawClient, connect

LIMIT = 1000


class Length(Resource):
    """Tells how many bytes came, and which fields of a form."""

    isLeaf = True  # noqa: N815

    def render(self, request: Request) -> bytes:
        """Answer."""
        content: Any = request.content
        return b"%d %d" % (len(content.read()), len(request.args or {}))


class BodyTests(TestCase):
    """Bodies of all sizes."""

    async def asked(self, head: str, *parts: bytes) -> RawClient:
        """Send a POST; return the client once the server has closed."""
        site = GuardedSite(Length(), Settings(max_body_size=LIMIT))
        listening: Any = reactor
        port = listening.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        client = await connect(self, port.getHost())
        client.write(f"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\n\r\n".encode())
        for part in parts:
            client.write(part)
        await client.closed
        return client

    async def test_what_is_within_the_limit_arrives(self) -> None:
        client = await self.asked(f"Content-Length: {LIMIT}", b"x" * LIMIT)
        self.assertTrue(client.data.endswith(b"\r\n\r\n1000 0"), client.data)

    async def test_chunks_within_the_limit_arrive(self) -> None:
        client = await self.asked("Transfer-Encoding: chunked", b"3\r\nabc\r\n", b"4\r\ndefg\r\n", b"0\r\n\r\n")
        self.assertTrue(client.data.startswith(b"HTTP/1.1 200"), client.data)
        self.assertIn(b"7 0", client.data)

    async def test_more_is_answered_with_413_and_the_limit(self) -> None:
        client = await self.asked(f"Content-Length: {LIMIT + 1}", b"x" * (LIMIT + 1))
        self.assertTrue(client.data.startswith(b"HTTP/1.1 413 Request Entity Too Large\r\n"), client.data)
        self.assertIn(b"may have 1000 bytes", client.data)

    async def test_more_in_chunks_is_answered_so_too(self) -> None:
        chunk = b"%x\r\n%s\r\n" % (600, b"x" * 600)
        client = await self.asked("Transfer-Encoding: chunked", chunk, chunk, chunk, b"0\r\n\r\n")
        self.assertTrue(client.data.startswith(b"HTTP/1.1 413"), client.data)

    async def test_a_form_that_is_too_large_is_not_parsed(self) -> None:
        head = f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {5 * LIMIT}"
        client = await self.asked(head, b"a=b&x" * LIMIT)
        self.assertTrue(client.data.startswith(b"HTTP/1.1 413"), client.data)

    async def test_one_without_end_is_dropped(self) -> None:
        head = f"Content-Length: {1000 * LIMIT}"
        client = await self.asked(head, b"x" * (PATIENCE + 1) * LIMIT)
        self.assertEqual(client.data, b"")
