"""xhr-polling and jsonp-polling of protocol 1, at a real site."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from hunchensocket_tx import Settings
from tests.socketio.first_support import Answer, ask, begin, event, outgoing, packets, shake_hands
from tests.socketio.test_first_server import ServerCase
from tests.support import RawClient


class PollingCase(ServerCase):
    """Has a client that polls."""

    name = "xhr-polling"
    query = ""

    async def open(self, limits: Settings | None = None, **settings: Any) -> None:
        """Serve, and begin a session whose ``1::`` is read."""
        self.address = await self.serve(limits, **settings)
        self.sid = await shake_hands(self, self.address)
        self.path = f"1/{self.name}/{self.sid}{self.query}"
        self.session = self.opened.last.session
        self.assertIn("1::", (await self.get()).text)

    async def get(self) -> Answer:
        """Poll."""
        return await ask(self, self.address, self.path)

    async def post(self, body: str, **fields: str) -> Answer:
        """Send a payload."""
        return await ask(self, self.address, self.path, body.encode(), **fields)

    async def wait(self) -> RawClient:
        """Poll, and return when the server knows."""
        client = await begin(self, self.address, self.path)
        while not self.session.is_writable:
            await ask(self, self.address, "0/")
        return client

    def say(self, *texts: str) -> None:
        """Send messages to the client."""
        for text in texts:
            self.session.send(outgoing(event("message", text)))


class XHRTests(PollingCase):
    """A GET waits for packets, a POST brings some."""

    async def test_a_poll_waits_for_something_to_say(self) -> None:
        await self.open()
        self.assertEqual(self.session.transport_name, "xhr-polling")
        client = await self.wait()
        self.say("€😀:x")
        await client.closed
        answer = Answer(client.data)
        self.assertEqual((answer.status, answer.text), (200, "3:::€😀:x"))
        self.assertEqual(answer.fields["content-type"], "text/plain; charset=UTF-8")
        self.assertEqual(answer.fields["cache-control"], "no-store")

    async def test_several_packets_are_framed(self) -> None:
        await self.open()
        self.say("a", "😀", "c")
        answer = await self.get()
        self.assertEqual(answer.text, "\ufffd5\ufffd3:::a\ufffd6\ufffd3:::😀\ufffd5\ufffd3:::c")

    async def test_a_poll_without_anything_to_say_is_answered_in_the_end(self) -> None:
        await self.open()
        client = await self.wait()
        self.clock.advance(20)
        await client.closed
        self.assertEqual(Answer(client.data).text, "8::")
        self.assertTrue(self.session.is_open)

    async def test_posts_bring_packets(self) -> None:
        await self.open()
        one = '5:1+::{"name":"echo","args":["€😀"]}'
        for body in (one, f"\ufffd{len(one) + 1}\ufffd{one}\ufffd5\ufffd3:::x", ""):
            answer = await self.post(body, Content_Type="text/plain;charset=UTF-8")
            self.assertEqual((answer.status, answer.text), (200, "1"))
            self.assertEqual(answer.fields["content-type"], "text/plain; charset=UTF-8")
        answers = packets(await self.get())
        self.assertEqual(answers, ['6:::1+["\\u20ac\\ud83d\\ude00"]'] * 2)
        self.assertEqual(self.opened.last.packets[-1], event("message", "x"))

    async def test_a_post_is_answered_while_a_poll_waits(self) -> None:
        await self.open()
        client = await self.wait()
        self.assertEqual((await self.post("3:::x")).text, "1")
        self.assertTrue(self.session.is_writable)
        await self.post('5:::{"name":"echo"}')
        await client.closed
        self.assertEqual(Answer(client.data).text, '5:::{"name":"echo"}')

    async def test_a_character_may_come_in_pieces(self) -> None:
        await self.open()
        body = "3:::€".encode()
        client = await begin(self, self.address, self.path, method="POST", Content_Length=str(len(body)))
        client.write(body[:-1])
        await ask(self, self.address, "0/")
        client.write(body[-1:])
        await client.closed
        self.assertEqual(self.opened.last.packets, [event("message", "€")])

    async def test_a_newer_poll_replaces_the_older(self) -> None:
        await self.open()
        old = await self.wait()
        new = await begin(self, self.address, self.path)
        await old.closed
        self.assertEqual(Answer(old.data).text, "8::")
        self.say("x")
        await new.closed
        self.assertEqual(Answer(new.data).text, "3:::x")

    async def test_a_client_that_leaves_may_come_back(self) -> None:
        await self.open()
        client = await self.wait()
        client.abort()
        while self.session.is_writable:
            await ask(self, self.address, "0/")
        self.say("x")
        self.assertEqual((await self.get()).text, "3:::x")

    async def test_a_client_that_leaves_for_long_is_gone(self) -> None:
        await self.open()
        client = await self.wait()
        client.abort()
        while self.session.is_writable:
            await ask(self, self.address, "0/")
        self.clock.advance(60)
        self.assertEqual(self.opened.last.reasons, ["transport close"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual((await self.get()).text, "7:::1+0")

    async def test_too_large_posts_are_refused(self) -> None:
        await self.open(max_http_buffer_size=100)
        self.assertEqual((await self.post("3:::" + "x" * 97)).status, 413)
        self.assertEqual((await self.post("3:::" + "x" * 96)).status, 200)
        self.assertEqual(len(self.opened.last.packets), 1)

    async def test_what_is_no_payload_is_refused_and_told(self) -> None:
        for body, over in (
            (b"\xff", False),
            (b"\xef\xbf\xbd9\xef\xbf\xbd2::", False),
            (b"nonsense", True),
            (b"5:::{", True),
        ):
            await self.open()
            self.assertEqual((await ask(self, self.address, self.path, body)).status, 400)
            self.assertEqual(self.opened.last.reasons, ["parse error"] if over else [])
            if over:
                self.assertEqual((await self.get()).text, "0::")

    async def test_a_client_that_polls_is_told_of_the_end(self) -> None:
        await self.open()
        client = await self.wait()
        await self.post('5:::{"name":"close"}')
        await client.closed
        self.assertEqual(Answer(client.data).text, "0::")
        self.assertEqual(self.opened.last.reasons, ["server namespace disconnect"])
        self.assertEqual(self.resource.first.sessions, {})

    async def test_a_client_may_say_that_it_leaves(self) -> None:
        await self.open()
        self.assertEqual((await self.post("0::")).text, "1")
        self.assertEqual(self.opened.last.reasons, ["client namespace disconnect"])


class JSONPTests(PollingCase):
    """Answers are scripts, POSTs are forms."""

    name = "jsonp-polling"
    query = "?t=1&i=7"

    async def test_answers_are_scripts(self) -> None:
        await self.open()
        self.assertEqual(self.session.transport_name, "jsonp-polling")
        client = await self.wait()
        self.say('"</script>\u2028😀')
        await client.closed
        answer = Answer(client.data)
        self.assertEqual(answer.fields["content-type"], "text/javascript; charset=UTF-8")
        self.assertEqual(answer.fields["x-xss-protection"], "0")
        self.assertRegex(answer.text, r"\Aio\.j\[7\]\(.*\);\Z")
        self.assertTrue(answer.text.isascii())
        self.assertNotIn("</", answer.text)
        self.assertEqual(json.loads(answer.text[len("io.j[7](") : -2]), '3:::"</script>\u2028😀')

    async def test_a_poll_is_never_answered_with_nothing(self) -> None:
        await self.open()
        old = await self.wait()
        new = await begin(self, self.address, self.path)
        await old.closed
        self.clock.advance(20)
        await new.closed
        for client in (old, new):
            self.assertEqual(Answer(client.data).text, 'io.j[7]("8::");')

    async def test_posts_are_forms(self) -> None:
        await self.open()
        for payload, got in (
            ("3:::a+b\r\n€😀&d=", "a+b\r\n€😀&d="),
            ("\ufffd6\ufffd3:::😀\ufffd5\ufffd3:::b", "b"),
            ("3:::\ud83d\ude00\ud800", "😀\ufffd"),
        ):
            body = f"d={quote(json.dumps(payload))}"
            answer = await self.post(body, Content_Type="application/x-www-form-urlencoded")
            self.assertEqual((answer.status, answer.text), (200, "1"))
            self.assertEqual(self.opened.last.packets[-1], event("message", got))

    async def test_what_is_no_such_form_is_refused(self) -> None:
        await self.open()
        for body in ("", "d=", "d=1", "d=x", "e=%22%22", "3:::x", "d=%22%FF%22"):
            answer = await self.post(body, Content_Type="application/x-www-form-urlencoded")
            self.assertEqual(answer.status, 400)
        self.assertTrue(self.session.is_open)

    async def test_a_poll_names_its_function(self) -> None:
        await self.open()
        for query in ("", "?i=", "?i=x", "?i=1%5D%28"):
            answer = await ask(self, self.address, f"1/jsonp-polling/{self.sid}{query}")
            self.assertEqual(answer.status, 400)
