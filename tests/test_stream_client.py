"""The closing handshake at a client: the server ends TCP first (RFC 6455 section 7.1.1), and nobody resets it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from hunchensocket_tx import ClientTLS, WebSocketStream, conversation
from tests.client_support import LANES, ClientCase, ScriptedServer, ScriptedSite, switching
from tests.harness import Issued, turns

CLOSE = b"\x88\x02\x03\xe8"
"""A server's Close frame with 1000."""


def has_close(server: ScriptedServer) -> bool:
    """Tell whether a client's Close frame with a code has come."""
    return b"\x88\x82" in server.data


class ClosingTests(ClientCase):
    """With the lane, without it, and over TLS."""

    async def each(self, answer: bytes = b"", **changes: Any) -> Any:
        """Yield a name, the site and the stream for each kind of transport; with bytes behind the 101."""
        options, roots = self.tls_options(Issued())
        for name, tls, lane in (("lane", None, True), ("no lane", None, False), ("TLS", options, True)):
            with self.subTest(name):
                site: ScriptedSite = await self.scripted(lambda request: switching(request) + answer, tls=tls)
                url = f"wss://localhost:{site.port}" if tls else f"ws://127.0.0.1:{site.port}"
                stream = await self.connect(url, tls=ClientTLS(roots), fast_lane=lane, **changes)
                yield site.servers[0], stream

    async def test_the_client_begins_and_the_server_ends_tcp(self) -> None:
        async for server, stream in self.each():
            stream.close()
            await server.until(lambda server=server: has_close(server))
            server.transport.write(CLOSE)
            await turns(20)
            self.assertFalse(server.lost.called)
            self.assertNoResult(stream.when_closed())
            server.transport.loseConnection()
            end = await stream.when_closed()
            self.assertEqual((end.code, end.clean), (1000, True))

    async def test_the_server_begins_and_ends_tcp(self) -> None:
        async for server, stream in self.each(CLOSE):
            await server.until(lambda server=server: has_close(server))
            await turns(20)
            self.assertFalse(server.lost.called)
            server.transport.loseConnection()
            end = await stream.when_closed()
            self.assertEqual((end.code, end.clean), (1000, True))

    async def test_a_server_that_does_not_end_tcp_is_left_after_the_timeout(self) -> None:
        async for server, stream in self.each(CLOSE, closing_timeout=0.05):
            end = await stream.when_closed()
            self.assertEqual((end.code, end.clean), (1000, True))
            await server.lost

    async def test_a_server_that_does_not_answer_is_left_after_the_timeout(self) -> None:
        async for server, stream in self.each(closing_timeout=0.05):
            stream.close()
            end = await stream.when_closed()
            self.assertEqual((end.code, end.clean), (1006, False))
            await server.lost

    async def test_a_message_that_was_taken_does_not_hold_the_end_up(self) -> None:
        """Nobody asks for another one; that the first is dealt with is not known."""
        async for server, stream in self.each(b"\x81\x01a"):
            self.assertEqual(await stream.receive(), "a")
            stream.close()
            await server.until(lambda server=server: has_close(server))
            server.transport.write(CLOSE)
            server.transport.loseConnection()
            self.assertTrue((await stream.when_closed()).clean)

    async def test_a_close_frame_is_answered_at_once_though_nobody_asks_for_what_was_before_it(self) -> None:
        async for server, stream in self.each(b"\x81\x01a\x81\x01b" + CLOSE, closing_timeout=60):
            self.assertEqual(await stream.receive(), "a")
            await server.until(lambda server=server: has_close(server))
            server.transport.loseConnection()
            self.assertTrue((await stream.when_closed()).clean)
            self.assertEqual([message async for message in stream], ["b"])

    async def test_who_took_a_message_and_waits_for_the_end_learns_of_it_without_a_close_frame(self) -> None:
        async for server, stream in self.each(b"\x81\x01a\x81\x01b"):
            self.assertEqual(await stream.receive(), "a")
            server.transport.loseConnection()
            end = await stream.when_closed()
            self.assertEqual((end.code, end.clean), (1006, False))
            self.assertEqual([message async for message in stream], ["b"])

    async def test_nothing_is_reset(self) -> None:
        """Of our own server and client, whoever begins."""
        for begins in ("client", "server"):
            for lane in LANES:
                with self.subTest(begins=begins, lane=lane):
                    ended: Deferred[Any] = Deferred()

                    @conversation
                    async def talk(stream: WebSocketStream, begins: str = begins, ended: Any = ended) -> None:
                        stream.when_closed().chainDeferred(ended)
                        if begins == "client":
                            await stream.receive()

                    stream = await self.connect(await self.serve_websockets(talk), fast_lane=lane)
                    if begins == "client":
                        stream.close()
                    self.assertTrue((await stream.when_closed()).clean)
                    self.assertTrue((await ended).clean)
