"""service.py in this process: what each option does to what is served, over real sockets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.application.service import IService, IServiceCollection
from twisted.trial.unittest import TestCase
from twisted.web.http import Request

from hunchensocket_tx import Accept, EndpointAcceptor, Reject
from hunchensocket_tx.service import makeService
from tests.harness import header_fields
from tests.support import RawClient, connect, frame_76, open_76, request_76
from tests.test_service import parse

HERE = __name__


def shouting(request: Request) -> Accept:
    """Send each message back in upper case; a dispatcher, to be named by ``--handler``."""
    return Accept(lambda stream, mutex: lambda text: stream.send(text.upper()))


def forbidding(request: Request) -> Reject:
    """Take nobody; a dispatcher."""
    return Reject(403)


class ServingTests(TestCase):
    """What the service of a command line serves."""

    def setUp(self) -> None:
        # --handler puts the current folder there
        self.patch(sys, "path", list(sys.path))

    async def served(self, *arguments: str) -> Any:
        """Start the service of a command line on a free port; return its address."""
        service = makeService(parse("--port", "0", "--interface", "127.0.0.1", *arguments))
        service.privilegedStartService()
        service.startService()
        self.addCleanup(service.stopService)
        self.service: IService = service
        services: list[Any] = list(IServiceCollection(service))
        acceptors = [one for one in services if isinstance(one, EndpointAcceptor)]
        self.addresses: list[Any] = [acceptor.address for acceptor in acceptors]
        return self.addresses[-1]

    async def get(self, address: Any, path: str) -> RawClient:
        """Ask for a page; return the client when the server has closed."""
        client = await connect(self, address)
        client.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        await client.closed
        return client

    async def upgrade(self, address: Any, path: str, **changes: Any) -> RawClient:
        """Ask for a WebSocket; return the client when it has the head of the answer."""
        client = await connect(self, address)
        client.write(request_76(address, path, **changes))
        await client.until(b"\r\n\r\n")
        return client

    async def assert_answers(self, address: Any, path: str, text: str, answer: str) -> None:
        """Check that a WebSocket answers a message with another."""
        client = await open_76(self, address, path)
        client.write(frame_76(text))
        await client.until(frame_76(answer))
        self.assertEqual(client.data, frame_76(answer))

    def folder(self, **files: str) -> str:
        """Return a folder with these files."""
        folder = Path(self.mktemp())
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
        return str(folder)

    async def test_the_built_in_site_has_a_page_and_an_echo(self) -> None:
        address = await self.served()
        page = await self.get(address, "/")
        self.assertEqual(page.status, 200)
        self.assertIn(b"<title>hunchensocket_tx", page.body)
        await self.assert_answers(address, "/echo", "Hello", "Hello")

    async def test_a_root_is_served_in_place_of_the_page(self) -> None:
        address = await self.served("--root", self.folder(hello="from the folder"))
        self.assertEqual((await self.get(address, "/hello")).body, b"from the folder")
        self.assertNotIn(b"<title>hunchensocket_tx", (await self.get(address, "/")).body)

    async def test_a_root_keeps_the_echo(self) -> None:
        address = await self.served("--root", self.folder())
        await self.assert_answers(address, "/echo", "Hello", "Hello")

    async def test_a_handler_is_asked_on_all_paths(self) -> None:
        address = await self.served("--handler", f"{HERE}.shouting")
        for path in ("/", "/chat", "/chat/room?seat=1"):
            await self.assert_answers(address, path, "Hello", "HELLO")

    async def test_a_handler_takes_the_place_of_the_built_in_site(self) -> None:
        address = await self.served("--handler", f"{HERE}.forbidding")
        self.assertEqual((await self.upgrade(address, "/echo")).status, 403)
        self.assertNotIn(b"<title>hunchensocket_tx", (await self.get(address, "/")).body)

    async def test_a_handler_is_asked_at_and_below_its_path(self) -> None:
        for option in ("/chat", "/chat/"):
            address = await self.served("--handler", f"{HERE}.shouting", "--path", option)
            for path in ("/chat", "/chat/", "/chat/room", "/chat?seat=1"):
                await self.assert_answers(address, path, "Hello", "HELLO")

    async def test_a_handler_is_not_asked_beside_its_path(self) -> None:
        address = await self.served("--handler", f"{HERE}.shouting", "--path", "/chat")
        for path in ("/", "/chats", "/cha", "/other/chat"):
            self.assertEqual((await self.upgrade(address, path)).status, 404, path)

    async def test_a_page_beside_the_path_of_a_handler_is_not_found(self) -> None:
        address = await self.served("--handler", f"{HERE}.shouting", "--path", "/chat")
        self.assertEqual((await self.get(address, "/chat")).status, 426)
        self.assertEqual((await self.get(address, "/elsewhere")).status, 404)

    async def test_a_root_is_served_beside_a_handler(self) -> None:
        folder = self.folder(hello="from the folder")
        address = await self.served("--handler", f"{HERE}.shouting", "--path", "/chat", "--root", folder)
        self.assertEqual((await self.get(address, "/hello")).body, b"from the folder")
        self.assertEqual((await self.get(address, "/nothing")).status, 404)
        await self.assert_answers(address, "/chat", "Hello", "HELLO")

    async def test_nothing_behind_a_handshake_that_nobody_takes_is_read_as_a_request(self) -> None:
        """Key3 and frames are no HTTP: a failed handshake ends the connection (HIXIE76.md section 3)."""
        for options in ((), ("--root", self.folder()), ("--handler", f"{HERE}.shouting", "--path", "/chat")):
            address = await self.served(*options)
            client = await connect(self, address)
            rest = b"TP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            client.write(request_76(address, "/nothing", key3=b"GET / HT") + rest)
            await client.until(b"\r\n\r\n")
            await client.closed
            self.assertEqual(client.status, 404)
            self.assertEqual(client.data.count(b"HTTP/1.1 "), 1, options)

    async def test_only_pages_of_this_server_may_connect(self) -> None:
        address = await self.served()
        refused = await self.upgrade(address, "/echo", origin="https://www.example.com")
        self.assertEqual(refused.status, 403)

    async def test_named_origins_may_connect_and_no_others(self) -> None:
        named = ("https://www.example.com", "http://example.net:8080")
        address = await self.served(*(word for origin in named for word in ("--origin", origin)))
        for origin in named:
            self.assertEqual((await self.upgrade(address, "/echo", origin=origin)).status, 101, origin)
        for origin in ("http://www.example.com", f"http://127.0.0.1:{address.port}"):
            self.assertEqual((await self.upgrade(address, "/echo", origin=origin)).status, 403, origin)

    async def test_a_star_lets_pages_of_all_origins_connect(self) -> None:
        address = await self.served("--origin", "*")
        accepted = await self.upgrade(address, "/echo", origin="https://www.example.com")
        self.assertEqual(accepted.status, 101)

    async def test_the_largest_message_holds_for_the_built_in_site_and_for_handlers(self) -> None:
        for more in ((), ("--handler", f"{HERE}.shouting")):
            address = await self.served("--max-message-size", "4", *more)
            await self.assert_answers(address, "/echo", "1234", "1234")
            client = await open_76(self, address, "/echo")
            client.write(frame_76("12345"))
            await client.closed
            self.assertEqual(client.data, b"\xff\x00")

    async def test_a_quiet_websocket_is_closed_after_the_timeout(self) -> None:
        address = await self.served("--timeout", "0.01")
        client = await open_76(self, address, "/echo")
        await client.until(b"\xff\x00")

    async def test_an_external_url_is_where_clients_are_told_to_be(self) -> None:
        address = await self.served("--external-url", "wss://www.example.com")
        client = await self.upgrade(address, "/echo", origin="https://www.example.com")
        self.assertEqual(header_fields(client)["sec-websocket-location"], ["wss://www.example.com/echo"])

    async def test_a_trusted_proxy_tells_how_clients_come(self) -> None:
        for options, location in ((("--trusted-proxy", "127.0.0.0/8"), "wss"), ((), "ws")):
            address = await self.served(*options, "--origin", "*")
            client = await self.upgrade(address, "/echo", x_forwarded_proto="https")
            self.assertEqual(
                header_fields(client)["sec-websocket-location"], [f"{location}://127.0.0.1:{address.port}/echo"]
            )

    async def test_legacy_over_tls_only_refuses_hixie_76_without_tls(self) -> None:
        address = await self.served("--legacy-over-tls-only")
        self.assertEqual((await self.upgrade(address, "/echo")).status, 403)

    async def test_all_endpoints_share_the_chat_room(self) -> None:
        await self.served("--listen", "tcp:0:interface=127.0.0.1")
        self.assertEqual(len({address.port for address in self.addresses}), 2)
        speaker, listener = [await open_76(self, address, "/chat") for address in self.addresses]
        speaker.write(frame_76("hello"))
        await listener.until(frame_76("hello"))

    async def test_stopping_closes_open_websockets(self) -> None:
        for more in ((), ("--handler", f"{HERE}.shouting")):
            address = await self.served(*more)
            client = await open_76(self, address, "/echo")
            stopped = self.service.stopService()
            await client.until(b"\xff\x00")
            client.write(b"\xff\x00")
            await client.closed
            await stopped
