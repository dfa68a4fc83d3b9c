"""Tests of the options that limit clients (hunchensocket_tx.service.limit_options)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx import HandshakeRefused, WebSocketStream, connect
from hunchensocket_tx.service import Options
from tests import support
from tests.processes import TwistdCase
from tests.support import request_76

HANDLERS = """
import os
from twisted.internet.defer import Deferred

def never(request):
    return Deferred()

def flood(request):
    def handshake(stream, mutex):
        def message(text):
            for _ in range(100):
                if not stream.send(os.urandom(1_000_000)):  # which cannot be compressed
                    return
        return message
    return handshake
"""


class OptionTests(SynchronousTestCase):
    """Options become settings."""

    def test_they_are_settings_of_the_same_name(self) -> None:
        options = Options()
        options.parseOptions(
            [
                *("--max-connections=5", "--max-connections-per-address=4", "--max-handshakes=3"),
                *("--max-message-rate=2.5", "--max-send-buffer=1000", "--slow-peers=drop"),
            ]
        )
        settings = options.settings
        self.assertEqual((settings.max_connections, settings.max_connections_per_address), (5, 4))
        self.assertEqual((settings.max_handshakes, settings.max_message_rate), (3, 2.5))
        self.assertEqual((settings.max_send_buffer, settings.slow_peers), (1000, "drop"))

    def test_whoever_gets_one_wrong_is_told_which_and_how(self) -> None:
        for option, value, expected in (
            ("max-connections", "many", "give a number, 0 for no limit, not 'many'"),
            ("max-connections-per-address", "-1", "give a number of 0 or more, not -1"),
            ("max-handshakes", "1.5", "give a number, 0 for no limit, not '1.5'"),
            ("max-message-rate", "-1", "give a number of messages a second of 0 or more, not -1.0"),
            ("max-message-rate", "nan", "give a number of messages a second of 0 or more, not nan"),
            ("max-send-buffer", "0", "give a number of bytes of 1 or more, not 0"),
            ("slow-peers", "kick", "give 'close', 'drop' or 'wait', not 'kick'"),
        ):
            with self.subTest(option=option, value=value):
                with self.assertRaises(SystemExit) as raised:
                    Options().parseOptions([f"--{option}={value}"])
                self.assertEqual(raised.exception.code, f"twistd hunchensocket: --{option}: {expected}")


class TwistdTests(TwistdCase):
    """``twistd`` keeps to them."""

    async def serve(self, *options: str) -> str:
        """Start it; return its URL."""
        self.address = await self.listening(*options).address()
        return f"ws://127.0.0.1:{self.address.port}"

    async def open(self, url: str, **options: Any) -> WebSocketStream:
        stream: WebSocketStream = await connect(url, **options)
        self.addCleanup(stream.when_closed)
        self.addCleanup(stream.abort)
        return stream

    async def assert_refused(self, url: str) -> None:
        error: Any = await self.assertFailure(connect(url, in_turn=False), HandshakeRefused)
        self.assertEqual((error.status, error.headers["retry-after"]), (503, ("5",)))

    async def test_connections_are_limited_all_paths_together(self) -> None:
        url = await self.serve("--max-connections", "2")
        await self.open(f"{url}/echo")
        await self.open(f"{url}/chat", version=76)
        await self.assert_refused(f"{url}/about")

    async def test_connections_of_one_address_are_limited(self) -> None:
        url = await self.serve("--max-connections-per-address", "1")
        await self.open(f"{url}/echo")
        await self.assert_refused(f"{url}/chat")

    async def test_clients_of_a_trusted_proxy_are_told_apart(self) -> None:
        url = await self.serve("--max-connections-per-address", "1", "--trusted-proxy", "127.0.0.1")
        for client in ("192.0.2.1", "192.0.2.2"):
            await self.open(f"{url}/echo", headers={"X-Forwarded-For": client})
        error: Any = await self.assertFailure(
            connect(f"{url}/echo", headers={"X-Forwarded-For": "192.0.2.1"}), HandshakeRefused
        )
        self.assertEqual(error.status, 503)

    async def test_handshakes_are_limited(self) -> None:
        url = await self.serve("--max-handshakes", "1")
        client = await support.connect(self, self.address)
        client.write(request_76(self.address, "/echo", key3=b""))
        await client.until(b"\r\n\r\n")
        await self.assert_refused(f"{url}/echo")

    async def test_handshakes_that_a_handler_decides_on_are_limited(self) -> None:
        self.write("slow.py", HANDLERS)
        url = await self.serve("--max-handshakes", "1", "--handler", "slow.never")
        client = await support.connect(self, self.address)
        client.write(request_76(self.address))
        await self.assert_refused(url)

    async def test_who_sends_too_much_is_closed_with_1008(self) -> None:
        url = await self.serve("--max-message-rate", "5")
        stream = await self.open(f"{url}/echo")
        for _ in range(50):
            stream.send("hello")
        async for message in stream:
            self.assertEqual(message, "hello")
        self.assertEqual((await stream.when_closed()).code, 1008)

    async def test_who_reads_too_slowly_is_closed(self) -> None:
        self.write("fast.py", HANDLERS)
        program = self.listening("--max-send-buffer", "1000", "--handler", "fast.flood")
        stream = await self.open(f"ws://127.0.0.1:{(await program.address()).port}")
        stream.send("go")
        stream.pauseProducing()
        await program.until(lambda: b"is too slow" in program.out)
        stream.resumeProducing()
        received = 0
        async for _ in stream:
            received += 1
        self.assertEqual((await stream.when_closed()).code, 1013)
        self.assertLess(received, 100)
