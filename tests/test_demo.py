"""demo/: the echo and the chat room of the built-in site, and its page."""

from __future__ import annotations

import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase, TestCase

from hunchensocket_tx import Settings, WebSocketResource
from hunchensocket_tx.demo import ChatRoom, add_demo, demo_page
from tests.socketio.api_support import LATEST, Client, new_io
from tests.support import RawClient, connect, frame_76, open_76, request_76, serve

QUOTED_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/', re.DOTALL)


async def serve_demo(case: TestCase, settings: Settings | None = None) -> tuple[Any, list[WebSocketResource]]:
    """Serve the built-in site; return its address and the resources of echo and chat."""
    root = demo_page()
    resources = add_demo(root, settings or Settings())
    return await serve(case, root), resources[:2]


async def get(case: TestCase, path: str) -> RawClient:
    """Ask the built-in site for a page; return the client when the server has closed."""
    address, _ = await serve_demo(case)
    client = await connect(case, address)
    client.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    await client.closed
    return client


class EchoTests(TestCase):
    """``/echo`` returns each message as it came."""

    async def test_messages_come_back_as_they_came_and_in_order(self) -> None:
        address, _ = await serve_demo(self)
        client = await open_76(self, address, "/echo")
        sent = b"".join(map(frame_76, ["one", "", "Grüße, 世界 😀", "\x00", "x" * 70000, "last"]))
        client.write(sent)
        await client.until(frame_76("last"))
        self.assertEqual(client.data, sent)

    async def test_nobody_else_gets_them(self) -> None:
        address, _ = await serve_demo(self)
        speaker, other = await open_76(self, address, "/echo"), await open_76(self, address, "/echo")
        speaker.write(frame_76("hello"))
        await speaker.until(frame_76("hello"))
        other.write(frame_76("mine"))
        await other.until(frame_76("mine"))
        self.assertEqual(other.data, frame_76("mine"))


class ChatTests(TestCase):
    """``/chat`` sends each message to everyone who is there."""

    async def setUp(self) -> None:  # type: ignore[override]
        self.address, (_, self.chat) = await serve_demo(self)

    async def enter(self) -> RawClient:
        """Enter the room."""
        return await open_76(self, self.address, "/chat")

    async def leave(self, client: RawClient) -> None:
        """Leave it with a closing handshake."""
        client.write(b"\xff\x00")
        await client.closed

    async def test_of_what_clients_of_socket_io_send_only_messages_are_passed_on(self) -> None:
        io, _ = new_io()
        ChatRoom(io)
        client = Client(io, LATEST, "/")
        client.got()
        client.says('2["message"]', '2["message",{"no":1}]', '2["message","one",2,"three"]')
        self.assertEqual(client.got(), ['2["message","one"]', '2["message","three"]'])

    async def test_all_who_are_there_get_a_message_its_sender_included(self) -> None:
        clients = [await self.enter() for _ in range(3)]
        clients[0].write(frame_76("hello"))
        for client in clients:
            await client.until(frame_76("hello"))
            self.assertEqual(client.data, frame_76("hello"))

    async def test_all_get_the_messages_of_all_in_one_order(self) -> None:
        clients = [await self.enter() for _ in range(3)]
        for number, client in enumerate(clients):
            client.write(frame_76(f"from {number}"))
        for client in clients:
            await client.until(lambda data: data.count(b"\xff") == 3)
        self.assertEqual(len({client.data for client in clients}), 1)
        for number in range(3):
            self.assertIn(frame_76(f"from {number}"), clients[0].data)

    async def test_who_has_left_does_not_get_any(self) -> None:
        stays, leaves = await self.enter(), await self.enter()
        await self.leave(leaves)
        stays.write(frame_76("alone"))
        await stays.until(frame_76("alone"))
        self.assertEqual(leaves.data, b"\xff\x00")

    async def test_who_vanishes_is_no_trouble_for_the_others(self) -> None:
        stays, vanishes = await self.enter(), await self.enter()
        vanishes.abort()
        await vanishes.closed
        for text in ("one", "two"):
            stays.write(frame_76(text))
            await stays.until(frame_76(text))

    async def test_who_comes_later_does_not_get_what_was_said(self) -> None:
        first = await self.enter()
        first.write(frame_76("early"))
        await first.until(frame_76("early"))
        second = await self.enter()
        first.write(frame_76("late"))
        await second.until(frame_76("late"))
        self.assertEqual(second.data, frame_76("late"))

    async def test_nothing_is_kept_of_who_has_left(self) -> None:
        client = await self.enter()
        [stream] = self.chat.streams
        gone = stream.when_closed()
        await self.leave(client)
        await gone
        self.assertEqual(self.chat.streams, set())

    async def test_two_sites_have_two_rooms(self) -> None:
        elsewhere, _ = await serve_demo(self)
        here, there = await self.enter(), await open_76(self, elsewhere, "/chat")
        for client, text in ((here, "here"), (there, "there")):
            client.write(frame_76(text))
            await client.until(frame_76(text))
            self.assertEqual(client.data, frame_76(text))


class SettingsTests(TestCase):
    """Both follow the settings that ``add_demo`` was given."""

    async def test_the_origins_that_may_connect_are_those_of_the_settings(self) -> None:
        address, _ = await serve_demo(self, Settings(origins=["https://www.example.com"]))
        for path in ("/echo", "/chat"):
            for origin, status in (("https://www.example.com", 101), ("https://example.net", 403)):
                client = await connect(self, address)
                client.write(request_76(address, path, origin=origin))
                await client.until(b"\r\n\r\n")
                self.assertEqual(client.status, status)


class PageTests(TestCase):
    """The page at ``/``."""

    async def test_it_is_html_in_utf_8(self) -> None:
        page = await get(self, "/")
        self.assertEqual(page.status, 200)
        self.assertIn(b"content-type: text/html; charset=utf-8\r\n", page.head.lower())
        self.assertTrue(page.body.decode("utf-8").startswith("<!DOCTYPE html>"))

    async def test_other_pages_are_not_found(self) -> None:
        self.assertEqual((await get(self, "/elsewhere")).status, 404)

    async def test_a_browser_that_opens_the_echo_as_a_page_is_told_what_it_is(self) -> None:
        page = await get(self, "/echo")
        self.assertEqual(page.status, 426)
        self.assertIn(b"WebSocket", page.body)


class ScriptTests(SynchronousTestCase):
    """The page's script runs in the browsers of 2010, which know ECMAScript 3 and a little of 5."""

    def setUp(self) -> None:
        self.page = demo_page().children[b""].data.decode("utf-8")
        scripts = re.findall(r"<script[^>]*>(.*?)</script>", self.page, re.DOTALL)
        self.code = QUOTED_OR_COMMENT.sub('""', "\n".join(scripts))

    def test_there_is_a_script_that_opens_websockets(self) -> None:
        self.assertIn("window.WebSocket", self.code)

    def test_it_uses_nothing_that_browsers_of_2010_cannot_parse(self) -> None:
        for name, pattern in {
            "a template string": r"`",
            "an arrow function": r"=>",
            "a keyword of ES6 or later": r"\b(?:const|let|class|async|await|yield|import|export|extends)\b",
            "a spread or rest": r"\.\.\.",
            "for-of": r"\bfor\s*\([^;)]*\bof\b",
            "a default parameter": r"\bfunction\b[^(]*\([^)]*=",
            "optional chaining or ??": r"\?\.[^0-9]|\?\?",
            "a trailing comma": r",\s*[}\])]",
            "a reserved word as a name": r"\.(?:catch|class|default|delete|finally|for|in|new|return|super)\b",
            "a getter or setter": r"\b[gs]et\s+\w+\s*\(",
        }.items():
            with self.subTest(name=name):
                self.assertIsNone(re.search(pattern, self.code), name)

    def test_it_calls_nothing_that_browsers_of_2010_do_not_have(self) -> None:
        for name in ("Promise", "fetch", "Symbol", "Map", "Set", "Object.assign", "addEventListener", "classList"):
            with self.subTest(name=name):
                self.assertNotRegex(self.code, rf"\b{re.escape(name)}\b")

    def test_nothing_is_loaded_from_elsewhere(self) -> None:
        self.assertIsNone(re.search(r"""(?:src|href)\s*=\s*["'](?!data:|#)|@import|url\(""", self.page))

    def test_the_addresses_it_connects_to_are_the_site_s(self) -> None:
        self.assertEqual(set(re.findall(r'makePanel\("(\w+)"\)', self.page)), {"echo", "chat"})
