"""nginx, HAProxy and Apache in front of our server, each with its recipe in ``docs/examples``."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from hunchensocket_tx import HandshakeRefused, WebSocketStream
from hunchensocket_tx.connection import Connection
from tests.harness import answered_76, turns
from tests.interop import behind
from tests.support import KEY3, frame_76, request_76

CLOSE_76 = b"\xff\x00"

TELL = """
def dispatcher(request):
    def handshake(stream, mutex):
        stream.send(request.getClientAddress().host)
        return stream.send
    return handshake
"""
"""Tells each client who it is."""

LARGE = "Größe " * 80_000


class Recipes(behind.BehindProxy):
    """What has to work behind each of them."""

    async def assert_conversation(self, stream: WebSocketStream, *messages: str | bytes) -> None:
        """Check that messages come back, and that the end is clean."""
        for message in messages:
            stream.send(message)
        for message in messages:
            self.assertTrue(await stream.receive() == message)
        stream.close()
        self.assertTrue((await stream.when_closed()).clean)

    async def in_both_lanes(self) -> Any:
        """Yield twice, with the proxy in front of a server with the fast lane, and of one without."""
        for lane in (True, False):
            await self.serve(fast_lane=lane)
            yield lane

    async def test_rfc_6455_goes_through_compressed(self) -> None:
        async for _ in self.in_both_lanes():
            stream = await self.call()
            self.assertIn("permessage-deflate", stream.extensions)
            await self.assert_conversation(stream, "hello", b"\x00\xff", LARGE, LARGE.encode())

    async def test_the_drafts_of_rfc_6455_go_through(self) -> None:
        async for _ in self.in_both_lanes():
            for version in (8, 7):
                await self.assert_conversation(await self.call(version=version), "hello", b"\x00\xff", LARGE)

    async def test_hixie_76_goes_through(self) -> None:
        async for _ in self.in_both_lanes():
            await self.assert_conversation(await self.call(version=76), "hello", "", LARGE)

    async def test_key3_may_come_with_the_head(self) -> None:
        async for _ in self.in_both_lanes():
            await self.converse_76(b"", KEY3 + frame_76("at once"), "at once")

    async def test_key3_may_be_withheld_until_the_101(self) -> None:
        async for _ in self.in_both_lanes():
            await self.converse_76(KEY3, b"")

    async def converse_76(self, later: bytes, key3: bytes, *early: str) -> None:
        """Have a conversation of hixie-76 that sends some bytes once there is the 101, others with the head."""
        client, address = await self.raw()
        client.write(request_76(address, key3=key3))
        await client.until(b"\r\n\r\n")
        self.assertEqual(client.status, 101)
        client.write(later)
        await answered_76(client)
        client.write(frame_76(LARGE))
        await client.until(lambda data: data.endswith(frame_76(LARGE)))
        self.assertTrue(client.data == b"".join(map(frame_76, [*early, LARGE])))
        client.data = b""
        client.write(CLOSE_76)
        await client.closed
        self.assertEqual(client.data, CLOSE_76)

    async def test_a_head_of_hixie_76_may_come_in_pieces(self) -> None:
        await self.serve()
        client, address = await self.raw()
        transport: Any = client.transport
        transport.setTcpNoDelay(True)
        for byte in request_76(address):
            client.write(bytes([byte]))
            await turns(2)
        await answered_76(client)

    async def test_the_server_may_close_hixie_76(self) -> None:
        await self.serve()
        stream = await self.call(version=76)
        self.echo.streams[0].close()
        self.assertTrue((await stream.when_closed()).clean)

    async def test_with_tls_at_the_proxy_pages_of_this_server_may_connect(self) -> None:
        await self.serve(secure=True)
        for version in (13, 76):
            own = f"https://localhost:{self.port}"
            await self.assert_conversation(await self.call(version=version, origin=own), "hello", LARGE)
        self.assertEqual([stream.secure for stream in self.echo.streams], [True, True])

    async def test_with_tls_at_the_proxy_pages_without_tls_may_not(self) -> None:
        await self.serve(secure=True)
        for version in (13, 76):
            for origin in (f"http://localhost:{self.port}", "https://elsewhere.example"):
                refused: Any = await self.assertFailure(
                    Deferred.fromCoroutine(self.call(version=version, origin=origin)), HandshakeRefused
                )
                self.assertEqual(refused.status, 403)

    async def test_it_is_told_who_the_client_is(self) -> None:
        await self.serve()
        for version in (13, 76):
            stream = await self.call(version=version)
            await self.assert_conversation(stream, "hello")
        told: list[Any] = [*self.echo.clients, *(stream.peer for stream in self.echo.streams)]
        self.assertEqual([address.host for address in told], [behind.CLIENT] * 4)

    async def test_what_the_client_says_of_itself_is_not_believed(self) -> None:
        await self.serve()
        invented = {
            "Forwarded": "for=192.0.2.1;proto=https;host=evil.example",
            "X-Forwarded-For": "192.0.2.1",
            "X-Forwarded-Host": "evil.example",
            "X-Forwarded-Proto": "https",
        }
        for version in (13, 76):
            own = f"http://localhost:{self.port}"
            await self.assert_conversation(await self.call(version=version, origin=own, headers=invented), "hello")
        told: list[Any] = [*self.echo.clients]
        self.assertEqual([address.host for address in told], [behind.CLIENT] * 2)
        self.assertEqual([stream.secure for stream in self.echo.streams], [False, False])

    async def test_twistd_as_the_recipe_starts_it_is_told_who_the_client_is(self) -> None:
        program = await self.serve_by_twistd(TELL)
        for version in (13, 76):
            stream = await self.call(version=version, origin=f"https://localhost:{self.port}")
            self.assertEqual(await stream.receive(), behind.CLIENT)
            await self.assert_conversation(stream, "hello")
        line = f'"{behind.CLIENT}" - - '.encode()
        await program.until(lambda: program.out.count(line) == 2)

    idle: dict[str, str] = {}
    """What to replace in the recipe for two seconds of patience with idle connections."""

    async def test_pings_keep_an_idle_websocket_open(self) -> None:
        self.changes = self.idle
        pings, enough = [0], Deferred[None]()
        ping = Connection.send_keepalive_ping

        def count(stream: Connection) -> None:
            ping(stream)
            pings[0] += 1
            if pings[0] == 10:
                enough.callback(None)

        self.patch(Connection, "send_keepalive_ping", count)
        await self.serve(ping_interval=0.25)
        stream = await self.call()
        await enough
        await self.assert_conversation(stream, "still there")

    async def test_hixie_76_which_has_none_is_dropped_when_the_proxy_loses_patience(self) -> None:
        self.changes = self.idle
        await self.serve(ping_interval=0.25)
        stream = await self.call(version=76)
        self.assertFalse((await stream.when_closed()).clean)


class NginxTests(behind.Nginx, Recipes):
    """nginx: all versions."""

    idle = {"proxy_read_timeout 1h": "proxy_read_timeout 2s"}


class HAProxyTests(behind.HAProxy, Recipes):
    """HAProxy: HTTP for most, with hixie-76 told apart."""

    idle = {"timeout tunnel 1h": "timeout tunnel 2s"}


class HAProxyTCPTests(behind.HAProxy, Recipes):
    """HAProxy that passes on bytes, behind version 2 of the PROXY protocol."""

    recipe = "haproxy-tcp.cfg"
    endpoints = {"127.0.0.1:8081": "haproxy:tcp:0:interface=127.0.0.1"}
    idle = {"timeout client 1h": "timeout client 2s", "timeout server 1h": "timeout server 2s"}


class ApacheTests(behind.Apache, Recipes):
    """Apache: all versions."""

    idle = {"timeout=3600": "timeout=2"}


del Recipes
