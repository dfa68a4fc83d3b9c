"""cli.py as users run it: ``python -m hunchensocket_tx``, a process of its own."""

from __future__ import annotations

import shlex
import sys
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

from twisted.internet import reactor, task
from twisted.internet.defer import Deferred

from hunchensocket_tx import CloseReason
from hunchensocket_tx.cli import main
from tests.client_support import ClientCase, field, http_answer, tell_end
from tests.harness import Issued, PemFolder
from tests.processes import CHECKOUT, Program, TwistdCase, start

COMMAND = (sys.executable, "-m", "hunchensocket_tx", "--proxy", "none")


class CliCase(ClientCase):
    """Runs the program in a folder of its own."""

    timeout = 120  # in seconds, as a machine may have other things to do

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir(parents=True)

    def call(self, *options: str) -> Program:
        """Start it with a pipe at each end."""
        return start(self, *COMMAND, *options, folder=str(self.folder))

    async def say(self, text: str | bytes, *options: str) -> Program:
        """Give it all its input at once; return it when it has ended cleanly."""
        program = self.call(*options)
        program.write(text.encode() if isinstance(text, str) else text)
        end_input(program)
        self.assertEqual(await program.ended, 0, program.said)
        return program

    async def assert_fails(self, status: int, *options: str, words: tuple[str, ...]) -> None:
        """Check that it ends with this status and one line, which has these words."""
        program = self.call(*options)
        end_input(program)
        self.assertEqual(await program.ended, status, program.said)
        self.assertEqual(program.out, b"")
        self.assertEqual(program.err.count(b"\n"), 1, program.said)
        for word in ("hunchensocket_tx: ", *words):
            self.assertIn(word, program.err.decode())


def end_input(program: Program) -> None:
    """Close its standard input."""
    transport = program.transport
    transport.closeStdin()  # type: ignore[union-attr]


class TwistdTests(CliCase, TwistdCase):
    """With ``twistd hunchensocket``, in each version."""

    async def url(self, path: str) -> str:
        """Serve the built-in site; return a URL of it."""
        address = await self.listening().address()
        return f"ws://127.0.0.1:{address.port}{path}"

    async def check_echo(self, version: int) -> None:
        """Check that lines come back, also the last one without a newline."""
        program = await self.say("Grüße\n//slash\n\nlast", await self.url("/echo"), "--version", str(version))
        self.assertEqual(program.out.decode(), "Grüße\n/slash\n\nlast\n")
        self.assertIn(f"open: version {version}, subprotocol none, extensions ", program.err.decode())
        self.assertIn("closed cleanly: ", program.err.decode())

    async def test_version_13_echoes(self) -> None:
        await self.check_echo(13)

    async def test_version_8_echoes(self) -> None:
        await self.check_echo(8)

    async def test_version_7_echoes(self) -> None:
        await self.check_echo(7)

    async def test_version_76_echoes(self) -> None:
        await self.check_echo(76)

    async def test_bytes_come_and_go_as_hex(self) -> None:
        program = await self.say("/binary 00ff10\n", await self.url("/echo"))
        self.assertEqual(program.out, b"/binary 00 ff 10\n")

    async def test_it_shows_what_the_server_says_before_it_closes(self) -> None:
        program = self.call(await self.url("/about"))
        self.assertEqual(await program.ended, 0)
        self.assertIn(b"RFC 6455", program.out)

    async def test_compression_can_be_left_out(self) -> None:
        url = await self.url("/about")
        self.assertIn(b"permessage-deflate", (await self.say("", url)).out)
        self.assertIn(b"extensions: none", (await self.say("", url, "--no-compression")).out)

    async def test_more_than_the_pipes_hold_comes_back_in_order(self) -> None:
        lines = "".join(f"{number}\n" for number in range(100_000))
        program = await self.say(lines, await self.url("/echo"))
        self.assertEqual(program.out.decode(), lines)

    async def test_files_can_be_at_both_ends(self) -> None:
        url = await self.url("/echo")
        self.write("in", "first\nsecond\n")
        command = f"{shlex.join(COMMAND)} {url} <in >out 2>/dev/null"
        self.assertEqual(await start(self, "/bin/sh", "-c", command, folder=str(self.folder)).ended, 0)
        self.assertEqual((self.folder / "out").read_text(), "first\nsecond\n")

    async def test_no_reader_any_more_is_no_error(self) -> None:
        url = await self.url("/echo")
        program = start(
            self, "/bin/sh", "-c", f"yes | {shlex.join(COMMAND)} {url} | head -1", folder=str(self.folder)
        )
        await program.ended
        self.assertEqual(program.out, b"y\n")
        self.assertIn(b"closed cleanly: 1001", program.err)

    async def test_a_terminal_can_be_at_both_ends(self) -> None:
        program = Program()
        command = (*COMMAND, await self.url("/echo"))
        environment = {"PYTHONPATH": str(CHECKOUT)}
        reactor.spawnProcess(program, command[0], command, environment, usePTY=True)
        await program.until(lambda: b"open: " in program.out)
        program.write(b"/binary 41\n")
        await program.until(lambda: program.out.count(b"/binary 41") == 2)  # the terminal's echo, and the server's
        program.write(b"\x04")  # Ctrl-D
        self.assertEqual(await program.ended, 0, program.said)


class ServerTests(CliCase):
    """What servers in this process are told, and tell."""

    async def ending(self) -> tuple[str, Deferred[CloseReason]]:
        """Serve what says nothing; return its URL, and a Deferred of how the first WebSocket ends."""
        ended: Deferred[CloseReason] = Deferred()
        return await self.serve_websockets(tell_end(ended)), ended

    async def opened(self, *options: str) -> Program:
        """Start it; return it when it is open."""
        program = self.call(*options)
        await program.until(lambda: b"open: " in program.err)
        return program

    async def test_ctrl_c_closes_with_1000(self) -> None:
        url, ended = await self.ending()
        program = await self.opened(url)
        program.signal("INT")
        self.assertEqual(await program.ended, 0, program.said)
        self.assertEqual(await ended, CloseReason(1000, "", True))
        self.assertTrue(program.err.endswith(b"closed cleanly: 1000\n"))

    async def test_ctrl_c_gives_up_a_handshake(self) -> None:
        asked: Deferred[None] = Deferred()
        site = await self.scripted(lambda request: asked.callback(None))
        program = self.call(f"ws://127.0.0.1:{site.port}/")
        await asked
        program.signal("INT")
        self.assertEqual(await program.ended, 1)
        self.assertIn(b"given up", program.err)

    async def test_close_has_a_code_and_a_reason(self) -> None:
        url, ended = await self.ending()
        program = await self.opened(url)
        program.write(b"/close 4001 that is enough\n")
        self.assertEqual(await program.ended, 0, program.said)
        self.assertEqual(await ended, CloseReason(4001, "that is enough", True))
        self.assertIn(b"closed cleanly: 4001\n", program.err)

    async def test_a_server_s_close_is_shown(self) -> None:
        url = await self.serve_websockets(lambda request: lambda stream, mutex: stream.close(4002, "\x1b[2Jwhy"))
        program = self.call(url)
        self.assertEqual(await program.ended, 0, program.said)
        self.assertIn(b"closed cleanly: 4002 \\x1b[2Jwhy\n", program.err)

    async def test_a_connection_that_is_cut_is_an_error(self) -> None:
        url = await self.serve_websockets(lambda request: lambda stream, mutex: lambda text: stream.abort())
        program = await self.opened(url)
        program.write(b"cut it\n")
        self.assertEqual(await program.ended, 1)
        self.assertIn(b"closed without a closing handshake: 1006 ", program.err)

    async def test_answers_that_take_a_while_are_waited_for(self) -> None:
        def handshake(stream: object, mutex: object) -> object:
            async def message(text: str) -> None:
                await task.deferLater(reactor, 0.05, stream.send, text.upper())  # type: ignore[attr-defined]

            return message

        program = await self.say("one\ntwo\n", await self.serve_websockets(lambda request: handshake))
        self.assertEqual(program.out, b"ONE\nTWO\n")

    async def test_a_line_that_was_not_sent_is_an_error(self) -> None:
        program = self.call(await self.serve_websockets())
        program.write(b"/nonsense\nsense\n")
        end_input(program)
        self.assertEqual(await program.ended, 1)
        self.assertEqual(program.out, b"sense\n")
        self.assertIn(b"/nonsense is no command", program.err)

    async def test_pings_are_timed(self) -> None:
        for options in (("--ping", "1000"), ()):
            program = await self.opened(await self.serve_websockets(), *options)
            if not options:
                program.write(b"/ping\n")
            await program.until(lambda said=program: b" ms\n" in said.err)  # type: ignore[misc]
            self.assertRegex(program.err, rb"pong after [\d.]+ ms\n")
            end_input(program)
            self.assertEqual(await program.ended, 0, program.said)

    async def test_the_request_is_as_the_options_say(self) -> None:
        site = await self.scripted(lambda request: http_answer("403 Forbidden"))
        program = self.call(
            *(f"ws://me:secret@127.0.0.1:{site.port}/path?query", "--origin", "http://www.example.com"),
            *("--subprotocol", "chat", "--subprotocol", "echo", "--header", "X-One: 1", "--header", "X-Two:2"),
            *("--user-agent", "by hand"),
        )
        self.assertEqual(await program.ended, 1)
        [request] = site.requests
        self.assertTrue(request.startswith(b"GET /path?query HTTP/1.1\r\n"))
        for name, value in (
            ("Origin", "http://www.example.com"),
            ("Sec-WebSocket-Protocol", "chat, echo"),
            ("X-One", "1"),
            ("X-Two", "2"),
            ("User-Agent", "by hand"),
            ("Authorization", "Basic bWU6c2VjcmV0"),
        ):
            self.assertEqual(field(request, name), value)

    async def test_a_large_message_needs_an_option(self) -> None:
        def greet(stream: object, mutex: object) -> None:
            stream.send("x" * 1_500_000)  # type: ignore[attr-defined]
            stream.close()  # type: ignore[attr-defined]

        url = await self.serve_websockets(lambda request: greet)
        program = self.call(url)
        self.assertEqual(await program.ended, 1)
        self.assertIn(b"1009", program.err)
        program = await self.say("", url, "--max-message-size", "2000000")
        self.assertEqual(len(program.out), 1_500_001)


class TLSTests(CliCase):
    """With TLS."""

    async def test_roots_can_be_named(self) -> None:
        url, roots = await self.serve_tls()
        program = await self.say("hello\n", url, "--trust-roots", str(Path(roots).resolve()))
        self.assertEqual(program.out, b"hello\n")

    async def test_a_certificate_nobody_knows_is_refused_with_the_option_that_mends_it(self) -> None:
        url, _ = await self.serve_tls()
        await self.assert_fails(1, url, words=("--trust-roots ca.pem",))

    async def test_we_may_have_a_certificate(self) -> None:
        ours = Issued("client")
        options, roots = self.tls_options(Issued(), trusted=ours)
        folder = PemFolder(self.mktemp())
        certificate, key = folder.write("own", ours.pem), folder.write("key", ours.key_pem())
        site = await self.scripted(lambda request: http_answer("404 Not Found"), tls=options)
        named = ("--trust-roots", roots, "--certificate", certificate, "--private-key", key)
        resolved = (word if word.startswith("--") else str(Path(word).resolve()) for word in named)
        await self.assert_fails(1, f"wss://localhost:{site.port}/", *resolved, words=("404",))


class WrongUseTests(CliCase):
    """Each gets one line, and the mend in it."""

    async def test_nobody_listens(self) -> None:
        await self.assert_fails(1, "ws://127.0.0.1:1/", words=("nobody listens",))

    async def test_a_server_that_does_not_answer(self) -> None:
        site = await self.scripted(lambda request: None)
        url = f"ws://127.0.0.1:{site.port}/"
        await self.assert_fails(1, url, "--timeout", "0.01", words=("--timeout",))

    async def test_a_version_that_the_server_does_not_speak(self) -> None:
        url = await self.serve_websockets(versions=[76])
        await self.assert_fails(1, url, words=("--version 76",))

    def test_options_that_cannot_be(self) -> None:
        url = "ws://127.0.0.1:1/"
        for options, words in (
            ((), ("url",)),
            ((url, "--version", "12"), ("--version", "13, 8, 7, 76")),
            ((url, "--header", "nonsense"), ("--header", "'Name: value'")),
            ((url, "--header", "Host: x"), ("--header", "Host")),
            ((url, "--timeout", "0"), ("--timeout", "more than 0")),
            ((url, "--wait", "x"), ("--wait", "seconds")),
            ((url, "--ping", "inf"), ("--ping", "seconds")),
            ((url, "--ping", "1", "--version", "76"), ("--ping", "hixie-76")),
            ((url, "--max-message-size", "0"), ("--max-message-size", "bytes")),
            ((url, "--subprotocol", "a", "--subprotocol", "b", "--version", "76"), ("--subprotocol", "one only")),
        ):
            with self.subTest(options=options), redirect_stderr(StringIO()) as said:
                self.assertEqual(self.assertRaises(SystemExit, main, options).code, 2)
                self.assertEqual(said.getvalue().count("\n"), 1)
                for word in words:
                    self.assertIn(word, said.getvalue())

    async def test_options_that_are_wrong_when_they_are_used(self) -> None:
        url = "ws://127.0.0.1:1/"
        for options, words in (
            ((url, "--nonsense"), ("--nonsense",)),
            ((url, "--subprotocol", "a b"), ("'a b'", "subprotocol")),
            ((url, "--proxy", "ftp://x"), ("proxy", "http")),
            (("http://127.0.0.1/",), ("write ws",)),
            (("wss://localhost:1/", "--trust-roots", "nothing.pem"), ("--trust-roots: nothing.pem",)),
            (("wss://localhost:1/", "--private-key", "key.pem"), ("--private-key: name the certificate",)),
        ):
            with self.subTest(options=options):
                await self.assert_fails(2, *options, words=words)

    async def test_a_closed_input(self) -> None:
        command = f"{shlex.join(COMMAND)} ws://127.0.0.1:1/ <&-"
        program = start(self, "/bin/sh", "-c", command, folder=str(self.folder))
        self.assertEqual(await program.ended, 2)
        self.assertIn(b"/dev/null", program.err)

    async def test_help_lists_options_and_commands(self) -> None:
        program = self.call("--help")
        self.assertEqual(await program.ended, 0)
        for word in (b"--trust-roots", b"/binary", b"exit status"):
            self.assertIn(word, program.out)
