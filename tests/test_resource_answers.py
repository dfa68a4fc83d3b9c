"""The head of the answer by which WebSocketResource accepts."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase
from twisted.web.http import Request

from hunchensocket_tx import (
    Accept,
    WebSocketResource,
    WebSocketStream,
)
from tests.harness import echo, serve_tls, silent, turns_until
from tests.support import connect, request_76, serve


class AnsweringCase(TestCase):
    """Opens WebSockets and looks at the head of the answer."""

    async def head_of(self, resource: WebSocketResource, path: str = "/", **changes: Any) -> list[str]:
        """Open a WebSocket; return the lines of the answer's head."""
        address = await serve(self, resource)
        client = await connect(self, address)
        client.write(request_76(address, path, **changes))
        await client.until(b"\r\n\r\n")
        return client.head.decode("latin-1").split("\r\n")[:-2]

    def values(self, head: list[str], name: str) -> list[str]:
        """Return the values of a field in a head; names compare without case."""
        pairs = [line.partition(": ") for line in head[1:]]
        return [value for found, _, value in pairs if found.lower() == name.lower()]


class AnswerTests(AnsweringCase):
    """Section 5.2 of hybi-00, steps 10 to 12: the head of the answer."""

    async def test_it_is_what_hixie_76_clients_compare_with(self) -> None:
        head = await self.head_of(
            WebSocketResource(echo), "/demo", host="example.com", origin="http://example.com"
        )
        self.assertEqual(head[0], "HTTP/1.1 101 WebSocket Protocol Handshake")
        self.assertEqual(
            sorted(head[1:]),
            [
                "Connection: Upgrade",
                "Sec-WebSocket-Location: ws://example.com/demo",
                "Sec-WebSocket-Origin: http://example.com",
                "Upgrade: WebSocket",
            ],
        )

    async def test_headers_of_accept_are_in_it(self) -> None:
        headers = [("X-One", "1"), ("X-Two", "2"), ("X-Two", "3")]
        head = await self.head_of(WebSocketResource(lambda request: Accept(silent, headers=headers)))
        self.assertEqual((self.values(head, "X-One"), self.values(head, "X-Two")), (["1"], ["2", "3"]))

    async def test_cookies_of_accept_and_of_the_request_are_in_it(self) -> None:
        def dispatcher(request: Request) -> Accept:
            request.addCookie(b"from", b"request")
            return Accept(silent, headers={"Set-Cookie": "from=accept"})

        head = await self.head_of(WebSocketResource(dispatcher))
        self.assertEqual(sorted(self.values(head, "Set-Cookie")), ["from=accept", "from=request"])

    async def test_headers_that_a_dispatcher_set_on_the_request_are_in_it(self) -> None:
        def dispatcher(request: Request) -> Any:
            request.setHeader(b"x-served-by", b"me")
            return silent

        head = await self.head_of(WebSocketResource(dispatcher))
        self.assertEqual(self.values(head, "X-Served-By"), ["me"])

    async def test_headers_that_would_break_the_answer_are_left_out(self) -> None:
        def dispatcher(request: Request) -> Any:
            for name in (b"content-length", b"transfer-encoding", b"connection", b"upgrade"):
                request.setHeader(name, b"8")
            request.setHeader(b"sec-websocket-location", b"ws://evil.example/")
            return silent

        head = await self.head_of(WebSocketResource(dispatcher))
        self.assertEqual(len(head), 5, head)
        self.assertNotIn("8", [value for line in head for value in line.split(": ")])

    async def test_the_agreed_subprotocol_is_in_it(self) -> None:
        agreed: list[str | None] = []

        def handshake(stream: WebSocketStream, mutex: object) -> None:
            agreed.append(stream.subprotocol)

        address = await serve(self, WebSocketResource(lambda request: Accept(handshake, subprotocol="chat")))
        client = await connect(self, address)
        client.write(request_76(address, sec_websocket_protocol="chat"))
        await turns_until(lambda: bool(agreed))
        await client.until(b"\r\n\r\n")
        self.assertEqual(agreed, ["chat"])
        self.assertEqual(client.head.count(b"\r\nSec-WebSocket-Protocol: chat\r\n"), 1)

    async def test_no_subprotocol_is_in_it_unless_agreed(self) -> None:
        head = await self.head_of(WebSocketResource(echo), sec_websocket_protocol="chat")
        self.assertEqual(self.values(head, "Sec-WebSocket-Protocol"), [])

    async def test_hixie_75_has_its_first_three_lines_exactly(self) -> None:
        head = await self.head_of(
            WebSocketResource(echo, versions=[75]), sec_websocket_key1=None, sec_websocket_key2=None, key3=b""
        )
        first = ["HTTP/1.1 101 Web Socket Protocol Handshake", "Upgrade: WebSocket", "Connection: Upgrade"]
        self.assertEqual(head[:3], first)


class LocationTests(AnsweringCase):
    """Section 5.2 step 1 to 3 of hybi-00: the address that the client compares with its own."""

    async def check(self, expected: str, path: str = "/", *, settings: Any = None, **changes: Any) -> None:
        """Check the location in the answer; the origin does not matter here."""
        resource = WebSocketResource(echo, **{"origins": "*", **(settings or {})})
        head = await self.head_of(resource, path, **changes)
        self.assertEqual(self.values(head, "Sec-WebSocket-Location"), [expected])

    async def test_it_has_the_host_and_port_that_the_client_used(self) -> None:
        await self.check("ws://example.com:8080/", host="example.com:8080")

    async def test_it_has_no_port_if_that_is_the_default_one(self) -> None:
        await self.check("ws://example.com/", host="example.com:80")

    async def test_it_keeps_the_default_port_of_the_other_scheme(self) -> None:
        await self.check("ws://example.com:443/", host="example.com:443")

    async def test_its_host_is_in_lower_case(self) -> None:
        await self.check("ws://example.com/", host="EXAMPLE.com")

    async def test_it_has_the_request_s_target_as_sent(self) -> None:
        target = "/A%20b/../c//d?room=%c3%a4&x=a+b&&y=/?"
        await self.check(f"ws://example.com{target}", target, host="example.com")

    async def test_it_is_the_external_url_with_the_target_behind(self) -> None:
        settings = {"external_url": "wss://www.example.com/app"}
        await self.check("wss://www.example.com/app/chat?x=1", "/chat?x=1", settings=settings)

    async def test_it_is_what_a_trusted_proxy_says(self) -> None:
        await self.check(
            "wss://www.example.com/chat",
            "/chat",
            settings={"trusted_proxies": ["127.0.0.1"]},
            x_forwarded_proto="https",
            x_forwarded_host="www.example.com",
        )

    async def test_it_is_what_the_forwarded_field_of_a_trusted_proxy_says(self) -> None:
        await self.check(
            "wss://www.example.com/",
            settings={"trusted_proxies": ["127.0.0.0/8"]},
            forwarded='for=192.0.2.7;proto=https;host="www.example.com"',
        )

    async def test_others_than_trusted_proxies_are_not_believed(self) -> None:
        for proxies in ([], ["192.0.2.0/24"]):
            await self.check(
                "ws://example.com/",
                settings={"trusted_proxies": proxies},
                host="example.com",
                x_forwarded_proto="https",
                x_forwarded_host="www.example.com",
                forwarded="proto=https;host=www.example.com",
            )

    async def test_it_is_wss_over_tls(self) -> None:
        address, endpoint = await serve_tls(self, WebSocketResource(echo))
        for host, shown in (("a.example:443", "a.example"), ("a.example:8443", "a.example:8443")):
            client = await connect(self, address, endpoint)
            client.write(request_76(address, "/x", host=host, origin=f"https://{host}"))
            await client.until(b"\r\n\r\n")
            self.assertIn(f"\r\nSec-WebSocket-Location: wss://{shown}/x\r\n".encode(), client.head)
