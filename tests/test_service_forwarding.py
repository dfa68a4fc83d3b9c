"""``twistd hunchensocket --forward``: a process between real clients and real services."""

from __future__ import annotations

import os
import re
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx import CloseReason, HandshakeRefused, WebSocketStream
from hunchensocket_tx.tls import server_options
from tests.client_support import VERSIONS, ClientCase
from tests.harness import Issued, PemFolder, turns
from tests.processes import Program, TwistdCase, start
from tests.proxy_support import Echo, HalfListener, Listener, listen, tls_pair
from tests.support import frame_76, open_76
from tests.test_service import parse

MIB = 1 << 20

LARGE = Random(6).randbytes(MIB) * 48
"""More than the kernel's buffers on the way; not all zeros, and quick to make."""

ROOM = 6 * MIB
"""Bytes by which the process may grow meanwhile; it is about one mebibyte, and would be tens."""


class ForwardingCase(TwistdCase, ClientCase):
    """Tests with targets in this process, and ``twistd`` between them and clients."""

    timeout = 60

    async def targets(self, kind: type[Listener] = HalfListener) -> tuple[int, list[Listener]]:
        """Serve targets; return the port, and a list of the targets once clients come."""
        made: list[Listener] = []

        def build() -> Listener:
            made.append(kind())
            return made[-1]

        return await listen(self, build), made

    async def url(self, *options: str) -> str:
        """Start it with these options; return the URL without a path."""
        self.program = self.listening(*options)
        return f"ws://127.0.0.1:{(await self.program.address()).port}"

    async def forwarded(
        self, kind: type[Listener] = HalfListener, **options: Any
    ) -> tuple[WebSocketStream, Listener]:
        """Start it, and a target; return both ends of a bridge.

        :param options: of the client.
        """
        port, targets = await self.targets(kind)
        client = await self.connect(await self.url("--forward", f"127.0.0.1:{port}"), **options)
        client.send(b"!")
        await client.drained()
        while not targets:
            await turns()
        target = targets[0]
        await target.until(lambda: target.data == b"!")
        target.data = b""
        return client, target

    async def end_of(self, client: WebSocketStream) -> CloseReason:
        """Return how a WebSocket ends."""
        client.inbox.discard()
        return await client.when_closed()


class BridgeTests(ForwardingCase):
    """Bytes between clients and services."""

    async def test_every_version_reaches_an_echo_over_tcp(self) -> None:
        url = await self.url("--forward", f"127.0.0.1:{await listen(self, Echo)}")
        for version in VERSIONS:
            offered = ["base64"] if version == 76 else ["binary"]
            client = await self.connect(url, version=version, subprotocols=offered)
            text = b64encode(b"\x00\xff").decode()
            message = text if version == 76 else b"\x00\xff"
            client.send(message)
            self.assertEqual(await client.receive(), message)
            self.assertEqual(client.subprotocol, offered[0])

    async def test_a_raw_client_of_hixie_speaks_base64(self) -> None:
        program = self.listening("--forward", f"127.0.0.1:{await listen(self, Echo)}")
        client = await open_76(self, await program.address(), sec_websocket_protocol="base64")
        client.write(frame_76("/wA="))
        await client.until(frame_76("/wA="))

    async def test_a_unix_socket_is_reached(self) -> None:
        path = os.path.relpath(self.folder / "target.sock")  # a unix socket's name must not be long
        port: Any = await serverFromString(reactor, f"unix:{path}").listen(Factory.forProtocol(Echo))
        self.addCleanup(port.stopListening)
        client = await self.connect(await self.url("--forward", "unix:target.sock", "--path", "/echo") + "/echo")
        client.send(b"hello")
        self.assertEqual(await client.receive(), b"hello")

    async def test_an_http_server_is_a_service_like_any_other(self) -> None:
        self.write("page.txt", "from Python's http.server")
        command = (sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "0")
        server = start(self, *command, folder=str(self.folder))
        await server.until(lambda: re.search(rb"port (\d+)", server.out) is not None)
        [port] = re.findall(r"port (\d+)", server.said)
        client = await self.connect(await self.url("--forward", f"127.0.0.1:{port}"))
        client.send(b"GET /page.txt HTTP/1.0\r\n\r\n")
        answer = b"".join([message async for message in client if isinstance(message, bytes)])
        self.assertTrue(answer.startswith(b"HTTP/1.0 200 OK\r\n"), answer)
        self.assertTrue(answer.endswith(b"\r\n\r\nfrom Python's http.server"), answer)
        self.assertEqual((await client.when_closed()).code, 1000)

    async def test_a_target_may_speak_tls(self) -> None:
        issued = Issued()
        tls = server_options(PemFolder(self.mktemp()).write("both", issued.pem, issued.key_pem()))
        target = f"tls:localhost:{await listen(self, Echo, tls)}:trustRoots=roots"
        (self.folder / "roots").mkdir()
        self.write("roots/root.pem", issued.pem.decode())
        client = await self.connect(await self.url("--forward", target))
        client.send(b"hello")
        self.assertEqual(await client.receive(), b"hello")

    async def test_a_target_whose_certificate_is_not_trusted_is_told(self) -> None:
        tls, _ = tls_pair(self)
        client = await self.connect(await self.url("--forward", f"tls:localhost:{await listen(self, Echo, tls)}"))
        self.assertEqual((await self.end_of(client)).code, 1014)
        await self.program.until(lambda: "certificate verify failed" in self.program.said)

    async def test_a_subprotocol_of_the_target_is_agreed_upon(self) -> None:
        target = f"127.0.0.1:{await listen(self, Echo)}"
        url = await self.url("--forward", target, "--forward-subprotocol", "mqtt")
        client = await self.connect(url, subprotocols=["mqttv3.1", "mqtt"])
        self.assertEqual(client.subprotocol, "mqtt")


class EndTests(ForwardingCase):
    """Each end is told how the other one has ended."""

    async def test_a_target_that_closes_its_side_ends_it_behind_all_it_said(self) -> None:
        client, target = await self.forwarded(compression=False)
        target.transport.write(LARGE[:MIB])
        target.transport.loseWriteConnection()
        received = b"".join([message async for message in client if isinstance(message, bytes)])
        self.assertEqual(received, LARGE[:MIB])
        self.assertEqual(await client.when_closed(), CloseReason(1000, "", True))
        await target.until(lambda: "read lost" in target.events)
        target.transport.loseConnection()

    async def test_a_target_that_resets_is_told(self) -> None:
        client, target = await self.forwarded()
        target.transport.abortConnection()
        self.assertEqual(
            await self.end_of(client), CloseReason(1014, "the connection to the target was lost", True)
        )

    async def test_a_target_that_refuses_is_told_and_logged_with_its_address(self) -> None:
        listening: Any = await serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(Factory())
        target = f"127.0.0.1:{listening.getHost().port}"
        await listening.stopListening()
        client = await self.connect(await self.url("--forward", target))
        self.assertEqual(await self.end_of(client), CloseReason(1014, "the target refuses connections", True))
        await self.program.until(lambda: f"cannot reach {target}" in self.program.said)

    async def test_a_target_that_does_not_answer_is_given_up(self) -> None:
        target = f"ws:host=127.0.0.1:port={await listen(self, Protocol)}"  # a server that says nothing is none
        client = await self.connect(await self.url("--forward", target, "--forward-timeout", "0.1"))
        self.assertEqual(await self.end_of(client), CloseReason(1014, "the target did not answer in time", True))

    async def test_the_target_gets_all_before_the_clients_end(self) -> None:
        client, target = await self.forwarded(compression=False)
        for begin in range(0, 4 * MIB, MIB // 2):
            client.send(LARGE[begin : begin + MIB // 2])
        client.close()
        await target.until(lambda: "read lost" in target.events)
        self.assertEqual(target.data, LARGE[: 4 * MIB])
        target.transport.loseConnection()

    async def test_a_client_that_vanishes_resets_the_target(self) -> None:
        client, target = await self.forwarded()
        client.abort()
        await target.lost
        self.assertNotIn("read lost", target.events)

    async def test_sigterm_closes_both_ends(self) -> None:
        client, target = await self.forwarded(Listener)
        self.program.signal("TERM")
        self.assertEqual((await self.end_of(client)).code, 1001)
        await target.lost
        await self.program.shut_down()


class SlowTarget(HalfListener):
    """Reads a bit, and then nothing for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.digest = sha256()
        self.size = 0

    def dataReceived(self, data: bytes) -> None:
        self.digest.update(data)
        self.size += len(data)
        self.data = data
        self.transport.pauseProducing()
        reactor_time: Any = reactor
        reactor_time.callLater(0, reactor_time.callLater, 0, self.transport.resumeProducing)
        self.happened("data")


class SlownessTests(ForwardingCase):
    """Much passes through, and little is kept."""

    def memory(self) -> int:
        """Return the memory that the process has, in bytes, and have :meth:`peak` count from now on."""
        transport: Any = self.program.transport
        (Path("/proc") / str(transport.pid) / "clear_refs").write_text("5")
        return self.peak()

    def peak(self) -> int:
        """Return the most memory that the process has had, in bytes."""
        transport: Any = self.program.transport
        status = Path(f"/proc/{transport.pid}/status").read_text()
        [kibibytes] = re.findall(r"VmHWM:\s+(\d+) kB", status)
        return int(kibibytes) * 1024

    async def test_a_slow_reader_gets_much_and_the_process_keeps_little(self) -> None:
        client, target = await self.forwarded(compression=False)
        before = self.memory()
        target.transport.write(LARGE)
        digest, size = sha256(), 0
        while size < len(LARGE):
            message = await client.receive()
            assert isinstance(message, bytes)
            digest.update(message)
            size += len(message)
            await turns(2)
        self.assertEqual(digest.digest(), sha256(LARGE).digest())
        self.assertLess(self.peak() - before, ROOM)

    async def test_a_slow_target_gets_much_and_the_process_keeps_little(self) -> None:
        client, target = await self.forwarded(SlowTarget, compression=False)
        assert isinstance(target, SlowTarget)
        before, target.digest, target.size = self.memory(), sha256(), 0
        for begin in range(0, len(LARGE), MIB // 2):
            client.send(LARGE[begin : begin + MIB // 2])
            await client.drained()
        await target.until(lambda: target.size == len(LARGE))
        self.assertEqual(target.digest.digest(), sha256(LARGE).digest())
        self.assertLess(self.peak() - before, ROOM)

    async def test_ten_mebibytes_come_back_from_an_echo_over_hixie(self) -> None:
        url = await self.url("--forward", f"127.0.0.1:{await listen(self, Echo)}")
        client = await self.connect(url, version=76, subprotocols=["base64"])
        data, received = LARGE[: 10 * MIB], bytearray()
        for begin in range(0, len(data), 49152):
            client.send(b64encode(data[begin : begin + 49152]).decode())
        while len(received) < len(data):
            received += b64decode(await client.receive())
        self.assertEqual(bytes(received), data)


class TokenTests(ForwardingCase):
    """A file of tokens."""

    async def refusal(self, url: str) -> HandshakeRefused:
        """Return the refusal of a WebSocket."""
        connecting: Deferred[Any] = self.connect(url)
        refusal: HandshakeRefused = await self.assertFailure(connecting, HandshakeRefused)
        return refusal

    async def test_path_and_query_name_the_token(self) -> None:
        self.write("tokens", f"echo: 127.0.0.1:{await listen(self, Echo)}\n")
        url = await self.url("--forward-tokens", "tokens", "--path", "/vnc")
        for target in ("/vnc/echo", "/vnc?token=echo", "/vnc/other?token=echo"):
            client = await self.connect(url + target)
            client.send(b"hello")
            self.assertEqual(await client.receive(), b"hello")
        for target in ("/vnc/other", "/vnc", "/vnc/echo?token=other"):
            refusal = await self.refusal(url + target)
            self.assertEqual(refusal.status, 404)
            self.assertIn(b"token", refusal.body)

    async def test_a_file_that_changes_is_read_again(self) -> None:
        line = f"echo: 127.0.0.1:{await listen(self, Echo)}\n"
        self.write("tokens", "# none yet\n")
        url = await self.url("--forward-tokens", "tokens")
        self.assertEqual((await self.refusal(f"{url}/echo")).status, 404)
        self.write("tokens", line)
        client = await self.connect(f"{url}/echo")
        client.send(b"hello")
        self.assertEqual(await client.receive(), b"hello")
        self.write("tokens", "nonsense\n")
        await self.connect(f"{url}/echo")
        await self.program.until(lambda: "tokens, line 1: write 'token: host:port'" in self.program.said)


class WrongOptionTests(SynchronousTestCase):
    """Whoever gets an option wrong is told in one line which one, and what would be right."""

    def assert_told(self, arguments: list[str], *words: str) -> None:
        """Check that a complaint is one line with these words in it."""
        with self.assertRaises(SystemExit) as raised:
            parse(*arguments)
        line = str(raised.exception.code)
        self.assertNotIn("\n", line)
        for word in ("twistd hunchensocket: ", *words):
            self.assertIn(word, line)

    def test_a_target_that_is_none_is_told(self) -> None:
        for target in ("", "localhost", "nonsense:x", "localhost:99999"):
            self.assert_told(["--forward", target], "--forward:", repr(target))

    def test_tokens_that_are_not_there_are_told(self) -> None:
        self.assert_told(["--forward-tokens", "/no/such/file"], "--forward-tokens:", "/no/such/file")

    def test_a_wrong_token_file_is_told_with_the_line(self) -> None:
        Path("wrong").write_text("nonsense\n")
        self.assert_told(
            ["--forward-tokens", "wrong"], "--forward-tokens: wrong, line 1: write 'token: host:port'"
        )

    def test_a_timeout_is_a_number_of_seconds_over_0(self) -> None:
        for value in ("0", "-1", "5s", "nan", "inf", ""):
            arguments = ["--forward", "localhost:1", "--forward-timeout", value]
            self.assert_told(arguments, "--forward-timeout:", "seconds")

    def test_only_one_says_what_is_served(self) -> None:
        targets = {"--handler": "os.getcwd", "--forward": "localhost:1", "--forward-tokens": __file__}
        for one in targets:
            for other in targets:
                if one != other:
                    self.assert_told([one, targets[one], other, targets[other]], one, other, "give one of them")

    def test_options_of_forwarding_are_for_that(self) -> None:
        for option in ("--forward-timeout", "--forward-subprotocol"):
            self.assert_told([option, "5"], f"{option}: ", "--forward-tokens")


class WrongOptionProcessTests(TwistdCase):
    """The process ends with that line, too."""

    async def told(self, program: Program, judge: Callable[[str], bool]) -> None:
        self.assertEqual(await program.ended, 1)
        [line] = program.err.decode().splitlines()
        self.assertTrue(judge(line), line)

    async def test_a_handler_and_a_target_exclude_each_other(self) -> None:
        program = self.listening("--handler", "os.getcwd", "--forward", "localhost:5900")
        await self.told(program, lambda line: "--handler and --forward: " in line)
