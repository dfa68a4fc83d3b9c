"""What our client is to manage with every server. Test modules make classes of these, for each server one."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from hunchensocket_tx import CloseReason, DeflateOffer, HandshakeRefused, WebSocketStream, connect
from hunchensocket_tx.wire.events import Message
from tests.interop.clients import PATIENCE
from tests.interop.conversations import BYTES, MEBIBYTE, TEXT
from tests.processes import Program, start

LINE = "What is said again is said shorter. "


class Calls(TestCase):
    """Calls of every version, hixie-76 included, to a server of this machine that each test starts."""

    timeout = PATIENCE

    version = 13
    farewell = CloseReason(4001, "enough, für heute", True)
    """How the end is told when the server closes ..."""
    goodbye: tuple[Any, ...] = (4002, "bis später")
    """... and what the server says that it was told when the client does."""

    def command(self) -> list[str]:
        """Return the command that starts the server; skip the test if something is missing."""
        raise NotImplementedError

    def setUp(self) -> None:
        self._server: Program | None = None

    def _facts(self, name: str) -> list[Any]:
        """Return what the server has said of one kind."""
        assert self._server is not None
        *lines, _ = self._server.out.split(b"\n")
        facts = [json.loads(line) for line in lines]
        return [fact[name] for fact in facts if name in fact]

    async def server_says(self, name: str) -> Any:
        """Wait until the server has said something; return the last of it."""
        assert self._server is not None
        await self._server.until(lambda: bool(self._facts(name)))
        return self._facts(name)[-1]

    async def url(self, path: str) -> str:
        """Start the server, if it is not there yet; return a URL of it."""
        if self._server is None:
            self._server = start(self, *self.command(), folder=".")
        return f"ws://127.0.0.1:{await self.server_says('port')}/{path}"

    async def call(self, path: str = "echo", *, version: int = 0, **options: Any) -> WebSocketStream:
        """Call the server; if the WebSocket is open after the test, it is dropped."""
        stream = await connect(await self.url(path), proxy=None, version=version or self.version, **options)

        def drop() -> Deferred[CloseReason]:
            stream.abort()
            return stream.when_closed()

        self.addCleanup(drop)
        return stream

    async def check_echo(self, stream: WebSocketStream, *messages: Message) -> None:
        """Send messages, and see them come back, and the closing handshake after them."""
        for message in messages:
            self.assertTrue(stream.send(message))
        for message in messages:
            self.assertEqual(await stream.receive(), message)
        stream.close(1000)
        self.assertTrue((await stream.when_closed()).clean)

    async def test_text_comes_back(self) -> None:
        await self.check_echo(await self.call(), "hello", TEXT, "a" * 126, "é" * 40000)

    async def test_empty_text_comes_back(self) -> None:
        await self.check_echo(await self.call(), "", "between", "")

    async def test_text_of_one_mebibyte_comes_back(self) -> None:
        await self.check_echo(await self.call(), "é" * (MEBIBYTE // 2))

    async def test_a_thousand_messages_come_back_in_order(self) -> None:
        await self.check_echo(await self.call(), *[f"number {number}" for number in range(1000)])

    async def test_the_servers_close_is_told(self) -> None:
        stream = await self.call("leave")
        self.assertEqual(await stream.when_closed(), self.farewell)

    async def test_the_server_is_told_of_the_clients_close(self) -> None:
        stream = await self.call()
        stream.close(4002, "bis später")
        self.assertTrue((await stream.when_closed()).clean)
        self.assertEqual(tuple(await self.server_says("closed")), self.goodbye)

    async def test_a_path_where_nothing_is_is_told_with_its_status(self) -> None:
        connecting = connect(await self.url("nowhere"), proxy=None, version=self.version)
        refusal: Any = await self.assertFailure(connecting, HandshakeRefused)
        self.assertEqual(refusal.status, 404)


class HybiCalls(Calls):
    """Calls of RFC 6455."""

    echoed_code = 4002
    """The code with which the server answers a close with 4002."""

    async def test_binary_comes_back(self) -> None:
        await self.check_echo(await self.call(), b"hello", BYTES, BYTES * 257, b"", b"\xff")

    async def test_binary_of_one_mebibyte_comes_back(self) -> None:
        await self.check_echo(await self.call(), BYTES * (MEBIBYTE // 256))

    async def test_what_is_sent_in_parts_is_put_together(self) -> None:
        stream = await self.call()
        async with stream.message() as outgoing:
            for part in ("Grü", "ße", " 🌍"):
                await outgoing.write(part)
        self.assertEqual(await stream.receive(), "Grüße 🌍")

    async def test_the_server_answers_a_ping(self) -> None:
        stream = await self.call()
        self.assertGreater(await stream.ping(), 0)
        await self.check_echo(stream, "yes")

    async def test_the_server_gets_answers_to_its_pings(self) -> None:
        stream = await self.call("ping")
        self.assertEqual(await stream.receive(), "you live")

    async def test_the_code_of_an_answer_to_a_close_is_told(self) -> None:
        stream = await self.call()
        stream.close(4002, "bis später")
        self.assertEqual((await stream.when_closed()).code, self.echoed_code)

    async def test_the_server_is_told_that_a_message_is_too_long(self) -> None:
        stream = await self.call(max_message_size=1000)
        stream.send("a" * 1001)
        self.assertEqual((await stream.when_closed()).code, 1009)
        self.assertEqual((await self.server_says("closed"))[0], 1009)

    async def test_a_subprotocol_is_agreed_upon(self) -> None:
        stream = await self.call(subprotocols=["other", "v1.example"])
        self.assertEqual(stream.subprotocol, "v1.example")

    async def test_without_an_offer_nothing_is_compressed(self) -> None:
        stream = await self.call(compression=False)
        await self.check_echo(stream, "a" * 10000)
        self.assertEqual(stream.extensions, "")
        self.assertGreater(stream.bytes_sent, 10000)


class DraftCalls(HybiCalls):
    """Calls to servers that take older versions, too."""

    drafts: tuple[int, ...] = (8, 7)

    async def test_its_older_versions_are_spoken(self) -> None:
        for draft in self.drafts:
            stream = await self.call(
                version=draft, origin="http://127.0.0.1", subprotocols=["other", "v1.example"]
            )
            self.assertEqual((stream.version, stream.subprotocol), (draft, "v1.example"))
            await stream.ping()
            await self.check_echo(stream, TEXT, BYTES, "", "é" * (MEBIBYTE // 2))
            stream = await self.call("leave", version=draft)
            self.assertEqual(await stream.when_closed(), self.farewell)


class FragmentingCalls(HybiCalls):
    """Calls to servers that can send fragments."""

    async def test_what_the_server_sends_in_fragments_is_put_together(self) -> None:
        await self.check_echo(await self.call("parts"), TEXT, BYTES)


class DeflatingCalls(HybiCalls):
    """Calls to servers that have permessage-deflate (RFC 7692)."""

    async def check_deflate(self, **options: Any) -> WebSocketStream:
        """See that compression is agreed upon, and that compressed messages come back."""
        stream = await self.call(**options)
        self.assertEqual(stream.extensions.partition(";")[0], "permessage-deflate")
        await self.check_echo(
            stream, *[LINE * times for times in (1, 100, 100, 1000)], BYTES * 1000, b"", TEXT * 20
        )
        self.assertLess(stream.bytes_sent, 20000)
        return stream

    async def test_what_is_offered_by_default_is_agreed_upon(self) -> None:
        await self.check_deflate()

    async def test_the_largest_windows_are_agreed_upon(self) -> None:
        await self.check_deflate(compression_window_bits=15)

    async def test_windows_that_are_forgotten_are_agreed_upon(self) -> None:
        stream = await self.check_deflate(compression_context_takeover=False)
        self.assertIn("server_no_context_takeover", stream.extensions)

    async def test_a_small_window_of_the_servers_is_agreed_upon(self) -> None:
        stream = await self.check_deflate(offers=[DeflateOffer(server_max_window_bits=9)])
        self.assertIn("server_max_window_bits=9", stream.extensions)

    async def test_a_compressed_mebibyte_comes_back(self) -> None:
        await self.check_echo(await self.call(), BYTES * (MEBIBYTE // 256), "é" * (MEBIBYTE // 2))


class HixieCalls(Calls):
    """Calls of hixie-76, which has text only, and a closing handshake without words."""

    version = 76
    farewell = CloseReason(1005, "", True)
    goodbye: tuple[Any, ...] = (1005, "")

    async def test_the_handshake_succeeds_whatever_the_keys_are(self) -> None:
        for _ in range(50):
            await self.check_echo(await self.call(), TEXT)
