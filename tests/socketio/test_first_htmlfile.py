"""htmlfile of protocol 1, at a real site and with a client that does not read."""

from __future__ import annotations

import json
import re

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel

from hunchensocket_tx.socketio.first.htmlfile import HtmlFile, script
from tests.socketio.first_support import Listener, begin, event, new_session, outgoing, shake_hands
from tests.socketio.test_first_polling import PollingCase
from tests.support import RawClient


def scripts(client: RawClient) -> list[str]:
    """Return the payloads that have come."""
    return [json.loads(text) for text in re.findall(r"<script>_\((.*?)\);</script>", client.data.decode())]


class HtmlFileTests(PollingCase):
    """One GET is answered bit by bit."""

    name = "htmlfile"

    async def open_document(self) -> RawClient:
        """Begin a session with a document."""
        self.address = await self.serve()
        self.sid = await shake_hands(self, self.address)
        self.path = f"1/htmlfile/{self.sid}"
        self.session = self.opened.last.session
        client = await begin(self, self.address, self.path)
        await client.until(b'_("1::")')
        return client

    async def test_a_document_begins_with_what_the_client_calls(self) -> None:
        client = await self.open_document()
        self.assertIn(b"Content-Type: text/html; charset=UTF-8\r\n", client.head)
        self.assertIn(b"Transfer-Encoding: chunked\r\n", client.head)
        self.assertIn(
            b"<html><body><script>var _ = function (msg) { parent.s._(msg, document); };</script>" + b" " * 174,
            client.body,
        )
        self.assertEqual(self.session.transport_name, "htmlfile")
        self.assertTrue(self.session.is_writable)

    async def test_each_payload_is_a_script(self) -> None:
        client = await self.open_document()
        self.say("a", "</script>€😀\u2028")
        await client.until(b"u2028")
        self.assertIn(b'_("3:::\\u003c\\/script>\\u20ac\\ud83d\\ude00\\u2028");', client.data)
        await self.post('5:::{"name":"echo","args":["x\\/y"]}')
        await client.until(b"x\\/y")
        self.assertEqual(
            scripts(client),
            ["1::", "3:::a", "3:::</script>€😀\u2028", '5:::{"name":"echo","args":["x/y"]}'],
        )

    async def test_there_are_heartbeats(self) -> None:
        client = await self.open_document()
        self.clock.advance(25)
        await client.until(b'_("2::")')
        self.assertEqual((await self.post("2::")).text, "1")
        self.clock.advance(25)
        self.clock.advance(35)
        self.assertTrue(self.session.is_open)
        self.clock.advance(25)
        await client.closed
        self.assertEqual(self.opened.last.reasons, ["ping timeout"])

    async def test_a_newer_document_replaces_the_older(self) -> None:
        old = await self.open_document()
        new = await begin(self, self.address, self.path)
        await old.closed
        self.assertTrue(old.data.endswith(b"0\r\n\r\n"))
        self.say("x")
        await new.until(b"3:::x")

    async def test_the_end_is_told(self) -> None:
        client = await self.open_document()
        self.session.close("forced close")
        await client.closed
        self.assertEqual(scripts(client), ["1::", "0::"])
        self.assertTrue(client.data.endswith(b"0\r\n\r\n"))

    async def test_a_client_that_is_cut_off_is_gone_in_time(self) -> None:
        client = await self.open_document()
        client.abort()
        while self.session.is_writable:
            await self.post("8::")
        self.clock.advance(60)
        self.assertEqual(self.opened.last.reasons, ["transport close"])


class BackpressureTests(SynchronousTestCase):
    """A client that reads too slowly."""

    def setUp(self) -> None:
        self.session = new_session(Clock(), lambda session: None)
        self.listener = Listener(self.session)
        self.session.begin(self.listener)
        self.channel = DummyChannel()
        self.request = Request(self.channel, False)
        self.request.method, self.request.clientproto = b"GET", b"HTTP/1.1"
        self.document = HtmlFile(self.request, self.session)
        self.session.attach(self.document)

    def written(self) -> bytes:
        """Return what has been written."""
        data: bytes = self.channel.transport.written.getvalue()
        return data

    def test_packets_wait_while_the_connection_is_full(self) -> None:
        self.document.pauseProducing()
        before = self.written()
        for text in ("a", "b"):
            self.session.send(outgoing(event("message", text)))
        self.assertEqual(self.written(), before)
        self.assertFalse(self.session.is_writable)
        self.document.resumeProducing()
        self.assertTrue(self.written().endswith(script("\ufffd5\ufffd3:::a\ufffd5\ufffd3:::b") + b"\r\n"))
        self.assertTrue(self.session.is_writable)

    def test_nothing_happens_when_it_is_over(self) -> None:
        self.session.close("forced close")
        written = self.written()
        self.document.pauseProducing()
        self.document.resumeProducing()
        self.document.stopProducing()
        self.document.send(outgoing(event("message", "x")))
        self.document.close()
        self.assertEqual(self.written(), written)
        self.assertIsNone(self.request.producer)
