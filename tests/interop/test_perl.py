"""Perl's Protocol::WebSocket, which speaks hixie-76 (as draft-ietf-hybi-00) and -75, against the built-in site."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from twisted.trial.unittest import TestCase

from hunchensocket_tx import CloseReason, Settings
from tests.processes import Program, start, unavailable
from tests.test_demo import serve_demo

SCRIPT = Path(__file__).with_name("echo_client.pl")

MESSAGES = ["Hello", "", "Grüße, 世界 😀", "\x00\n\r", "x" * 5000, "", "last"]


def missing() -> str | None:
    """Return what this machine lacks to run the client, or None."""
    perl = shutil.which("perl")
    if perl is None:
        return "there is no perl"
    check = subprocess.run([perl, "-MProtocol::WebSocket", "-e1"], capture_output=True, check=False)
    return "Perl has no Protocol::WebSocket (Debian: libprotocol-websocket-perl)" if check.returncode else None


class PerlCase(TestCase):
    """Runs the client against the built-in site."""

    def setUp(self) -> None:
        if lack := missing():
            unavailable(lack)

    async def run_client(
        self, version: str, how: str, *messages: str, settings: Settings | None = None
    ) -> Program:
        """Start the client on the echo."""
        self.address, (self.echo, _) = await serve_demo(self, settings)
        self.url = f"ws://127.0.0.1:{self.address.port}/echo"
        hexadecimal = [message.encode().hex() for message in messages]
        command = [shutil.which("perl") or "perl", str(SCRIPT), self.url, version, how, *hexadecimal]
        return start(self, *command, folder=".")

    async def assert_says(self, program: Program, *lines: str) -> None:
        """Check all that the client says until its orderly end."""
        status = await program.ended
        self.assertEqual(program.out.decode().splitlines(), list(lines), program.said)
        self.assertEqual((program.err, status), (b"", 0))


def echoed(messages: list[str]) -> list[str]:
    """Return the lines with which the client tells of messages."""
    return [f"message {message.encode().hex()}" for message in messages]


class Hixie76Tests(PerlCase):
    """hybi-00 sections 1.2, 1.4, 5.2 and 5.3, as Protocol::WebSocket understands them."""

    version = "draft-ietf-hybi-00"

    async def test_messages_come_back_and_it_closes(self) -> None:
        program = await self.run_client(self.version, "close", *MESSAGES)
        await self.assert_says(program, f"open {self.version} {self.url}", *echoed(MESSAGES), *("close", "eof"))

    async def test_its_handshake_is_right_whatever_its_random_keys_are(self) -> None:
        for _ in range(20):
            program = await self.run_client(self.version, "close")
            await self.assert_says(program, f"open {self.version} {self.url}", "close", "eof")

    async def test_it_is_closed_by_the_server(self) -> None:
        program = await self.run_client(self.version, "wait", "Hello")
        await program.until(lambda: b"waiting\n" in program.out)
        [stream] = self.echo.streams
        closed = stream.when_closed()
        self.echo.close_all()
        await self.assert_says(
            program, f"open {self.version} {self.url}", *echoed(["Hello"]), *("waiting", "close", "eof")
        )
        self.assertEqual(await closed, CloseReason(1005, "", True))

    async def test_it_drops_tcp(self) -> None:
        program = await self.run_client(self.version, "drop", "Hello")
        await self.assert_says(program, f"open {self.version} {self.url}", *echoed(["Hello"]), *("close",))


class Hixie75Tests(PerlCase):
    """hixie-75, which has neither keys nor a closing handshake, and is off unless it is asked for."""

    version = "draft-hixie-75"

    async def test_messages_come_back_and_it_closes_tcp(self) -> None:
        program = await self.run_client(self.version, "drop", *MESSAGES, settings=Settings(versions=[76, 75]))
        await self.assert_says(program, f"open {self.version} {self.url}", *echoed(MESSAGES), "eof")

    async def test_it_is_refused_by_default(self) -> None:
        program = await self.run_client(self.version, "drop", "Hello")
        self.assertGreater(await program.ended, 0)
        self.assertIn(b"HTTP/1.1 400", program.err)
        self.assertEqual(program.out, b"")
