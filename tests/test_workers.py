"""Tests of ``twistd hunchensocket --workers`` (hunchensocket_tx.service.workers): processes, and real clients."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress as suppressing
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import DeferredList, ensureDeferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx import ClientTLS, ConnectionClosed, WebSocketStream
from hunchensocket_tx import connect as connect_ours
from hunchensocket_tx.service import Options
from hunchensocket_tx.service.worker import VARIABLE, Orders
from tests.harness import Issued, answered_76
from tests.processes import Program, TwistdCase
from tests.support import connect, request_76

HANDLER = """
import os

def tell(request):
    "Say which process this is; then echo."
    def handshake(stream, mutex):
        stream.send(str(os.getpid()))
        return lambda text: stream.send(text) and None
    return handshake
"""

IS_PROCESS = re.compile(rb"worker (\d+) is process (\d+)\n")


def serving(program: Program) -> int:
    """Return how often a worker has begun to serve."""
    return len(re.findall(rb"worker \d+ serves\n", program.out))


def processes(program: Program) -> dict[int, int]:
    """Return the process of each worker that is there, by the worker's number."""
    return {int(number): int(pid) for number, pid in IS_PROCESS.findall(program.out)}


class WorkerOptionTests(SynchronousTestCase):
    """Whoever gets it wrong is told so."""

    def complaint(self, *arguments: str) -> str:
        """Return what is said about a wrong command line."""
        with self.assertRaises(SystemExit) as raised:
            Options().parseOptions(arguments)
        return str(raised.exception.code)

    def test_workers_are_a_number_of_processes(self) -> None:
        self.assertIn("--workers: give a number of processes, not 'many'", self.complaint("--workers", "many"))
        for value in ("0", "-1", "513"):
            with self.subTest(value=value):
                self.assertIn("--workers: give a number from 1 to 512, not", self.complaint("--workers", value))

    def test_counters_cannot_be_shared(self) -> None:
        for endpoint in ("0", "tcp:9090", "unix:/run/metrics"):
            with self.subTest(endpoint):
                complaint = self.complaint("--workers", "2", "--metrics", endpoint)
                self.assertIn("--metrics: each worker counts for itself; give the port number", complaint)

    def test_without_it_this_process_serves(self) -> None:
        options = Options()
        options.parseOptions([])
        self.assertIsNone(options.worker_count)
        self.assertIsNone(options.orders)

    def test_a_worker_starts_none(self) -> None:
        self.patch(os, "environ", {**os.environ})
        Orders(2, (("tcp", "80", ""),)).put(os.environ)
        options = Options()
        options.parseOptions(["--workers", "3"])
        self.assertIsNone(options.worker_count)
        self.assertEqual(options.orders, Orders(2, (("tcp", "80", ""),)))
        self.assertNotIn(VARIABLE, os.environ)

    def test_a_worker_is_started_as_its_supervisor_was(self) -> None:
        options: Any = Options()
        options.parent = {"reactor": "poll"}
        options.parseOptions(["--workers", "3", "--port", "0"])
        command, folder = options.worker_command()
        self.assertEqual(command[:2], [sys.executable, "-c"])
        self.assertEqual(command[-6:], ["--reactor=poll", "hunchensocket", "--workers", "3", "--port", "0"])
        self.assertEqual(folder, os.getcwd())


def two_free_ports() -> int:
    """Return the first of two neighbours that were free a moment ago."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            with suppressing(OSError, OverflowError):
                other.bind(("127.0.0.1", port + 1))
                return port


class WorkersCase(TwistdCase):
    """Tests that run workers."""

    def setUp(self) -> None:
        super().setUp()
        self.write("handlers.py", HANDLER)

    async def workers(self, count: int, *options: str) -> Program:
        """Start so many workers, and wait until they serve."""
        program = self.twistd("--workers", str(count), "--handler", "handlers.tell", *options)
        await program.until(lambda: serving(program) >= count)
        return program

    async def on_port(self, count: int, *options: str) -> tuple[Program, str]:
        """Start so many workers on a free port; return that as a URL, too."""
        program = await self.workers(count, "--port", "0", "--interface", "127.0.0.1", *options)
        return program, f"ws://127.0.0.1:{(await program.address()).port}/"

    async def open(self, url: str, **options: Any) -> tuple[WebSocketStream, int]:
        """Connect; return the stream, and which process is at its other end."""
        stream = await connect_ours(url, in_turn=False, **options)
        self.addCleanup(stream.abort)
        return stream, int(await stream.receive())

    async def open_at_each(self, url: str, program: Program, count: int) -> dict[int, list[WebSocketStream]]:
        """Connect until each worker has so many clients; return them by process."""
        streams: dict[int, list[WebSocketStream]] = {pid: [] for pid in processes(program).values()}
        while min(map(len, streams.values())) < count:
            opening = [ensureDeferred(self.open(url)) for _ in range(20)]
            for _, (stream, pid) in await DeferredList(opening, fireOnOneErrback=True):
                streams[pid].append(stream)
        return streams

    async def assert_echoes(self, stream: WebSocketStream, text: str = "hello") -> None:
        """Check that a message comes back."""
        stream.send(text)
        self.assertEqual(await stream.receive(), text)


class ServingTests(WorkersCase):
    """What several processes serve together."""

    async def test_each_tells_its_own_counters_on_a_port_of_its_own(self) -> None:
        first = two_free_ports()
        _, url = await self.on_port(2, "--metrics", str(first))
        await self.open(url)
        counted = []
        for port in (first, first + 1):
            client = await connect(self, IPv4Address("TCP", "127.0.0.1", port))
            client.write(b"GET /metrics HTTP/1.0\r\n\r\n")
            await client.closed
            counted.append(client.body.count(b'hunchensocket_connections{version="13"} 1.0\n'))
        self.assertEqual(sorted(counted), [0, 1])

    async def test_each_worker_takes_connections(self) -> None:
        program, url = await self.on_port(3)
        streams = await self.open_at_each(url, program, 1)
        self.assertEqual(len(streams), 3)
        for several in streams.values():
            await self.assert_echoes(several[0])

    async def test_tls_is_served_too(self) -> None:
        issued = Issued()
        self.write("certificate.pem", issued.pem.decode())
        self.write("key.pem", issued.key_pem().decode())
        program = await self.workers(
            2,
            *("--ssl-port", "0", "--interface", "127.0.0.1"),
            *("--certificate", "certificate.pem", "--private-key", "key.pem"),
        )
        url = f"wss://127.0.0.1:{(await program.address()).port}/"
        stream, _ = await self.open(url, tls=ClientTLS(self.folder / "certificate.pem", server_name="localhost"))
        await self.assert_echoes(stream)

    async def test_a_unix_socket_keeps_its_mode_and_is_removed_in_the_end(self) -> None:
        program = await self.workers(2, "--listen", "unix:ws.sock:mode=600")
        path = self.folder / "ws.sock"
        client = await connect(self, None, UNIXClientEndpoint(reactor, os.path.relpath(path)))
        client.write(request_76(IPv4Address("TCP", "127.0.0.1", 80), "/"))
        await answered_76(client)
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        os.kill(processes(program)[1], signal.SIGTERM)
        await program.until(lambda: serving(program) == 3)
        self.assertTrue(path.exists())
        program.signal("TERM")
        self.assertEqual(await program.ended, 0)
        self.assertFalse(path.exists())

    async def test_what_cannot_be_shared_is_said_in_one_line(self) -> None:
        program = self.twistd("--workers", "2", "--listen", "stdio:")
        self.assertEqual(await program.ended, 1)
        self.assertIn("--listen stdio:: workers cannot share such an endpoint", program.said)
        self.assertNotIn("Traceback", program.said)


class DyingTests(WorkersCase):
    """A worker that dies hurts nobody but its own clients, and those not for long."""

    async def chat(self, stream: WebSocketStream, until: Callable[[], bool]) -> int:
        """Send and receive without a break; return how many messages came back."""
        count = 0
        while not until():
            await self.assert_echoes(stream, str(count))
            count += 1
        return count

    async def test_a_worker_is_killed_under_load(self) -> None:
        program, url = await self.on_port(3)
        streams = await self.open_at_each(url, program, 10)
        victim = processes(program)[1]
        killed = streams.pop(victim)
        others = [stream for several in streams.values() for stream in several]
        chats = [ensureDeferred(self.chat(stream, lambda: serving(program) > 3)) for stream in others]
        dying = [ensureDeferred(self.chat(stream, lambda: False)) for stream in killed]
        await self.assert_echoes((await self.open(url))[0])
        os.kill(victim, signal.SIGKILL)
        for ended, error in await DeferredList(dying, consumeErrors=True):
            self.assertFalse(ended)
            cast(Failure, error).trap(ConnectionClosed)
        again = await DeferredList([ensureDeferred(self.open(url)) for _ in killed], fireOnOneErrback=True)
        self.assertEqual(len(again), len(killed))
        for _, (stream, pid) in again:
            await self.assert_echoes(stream)
            self.assertNotEqual(pid, victim)
        counts = await DeferredList(chats, fireOnOneErrback=True)
        self.assertEqual(len(counts), len(others))
        self.assertGreater(min(count for _, count in counts), 0)
        self.assertIn("was ended by SIGKILL", program.said)
        self.assertEqual(set(processes(program).values()) & set(streams), set(streams))
        self.assertNotIn(victim, processes(program).values())

    async def test_a_worker_that_cannot_start_is_told_and_the_others_serve_on(self) -> None:
        program, url = await self.on_port(2)
        self.write("handlers.py", "raise RuntimeError('what a pity')")
        os.kill(processes(program)[1], signal.SIGKILL)
        complaint = b"worker 1: twistd hunchensocket: --handler: 'handlers.tell' cannot be imported: what a pity"
        await program.until(lambda: program.out.count(complaint) == 2)
        await program.until(lambda: b"ended with status 1" in program.out and b"in 0.2 s" in program.out)
        stream, pid = await self.open(url)
        self.assertEqual(pid, processes(program)[2])
        self.write("handlers.py", HANDLER)
        await program.until(lambda: serving(program) == 3)
        await self.assert_echoes(stream)


class EndingTests(WorkersCase):
    """Signals to the supervisor are for all; without it, nobody goes on."""

    async def assert_closed(self, stream: WebSocketStream) -> None:
        """Check that a stream is closed as by a server that restarts."""
        with self.assertRaises(ConnectionClosed) as closed:
            await stream.receive()
        self.assertEqual((closed.exception.code, closed.exception.clean), (1001, True))

    async def test_a_signal_stops_all_in_order(self) -> None:
        for name in ("TERM", "INT"):
            with self.subTest(signal=name):
                program, url = await self.on_port(2)
                streams = await self.open_at_each(url, program, 2)
                program.signal(name)
                for several in streams.values():
                    for stream in several:
                        await self.assert_closed(stream)
                self.assertEqual(await program.ended, 0)
                self.assertEqual(program.out.count(b"Server Shut Down."), 3)
                self.assertNotIn("Traceback", program.said)
                for pid in streams:
                    self.assertRaises(ProcessLookupError, os.kill, pid, 0)

    async def test_a_signal_while_stopping_hurries(self) -> None:
        program, _ = await self.on_port(1, "--stop-timeout", "3600")
        client = await connect(self, await program.address())
        client.write(request_76(await program.address(), "/"))
        await client.until(b"\x00")  # and it will not answer the closing
        program.signal("TERM")
        await program.until(lambda: b"1 WebSockets open" in program.out)
        program.signal("TERM")
        self.assertEqual(await program.ended, 0)

    async def test_sighup_reaches_the_workers(self) -> None:
        program, url = await self.on_port(2)
        streams = await self.open_at_each(url, program, 1)
        program.signal("HUP")
        await program.until(lambda: b"SIGHUP: passed on" in program.out)
        for several in streams.values():
            await self.assert_echoes(several[0])

    async def test_a_certificate_is_renewed_in_all_workers(self) -> None:
        certificate = self.folder / "certificate.pem"

        def issue() -> None:
            issued = Issued()
            certificate.write_bytes(issued.pem + issued.key_pem())

        issue()
        program = await self.workers(
            2, "--ssl-port", "0", "--interface", "127.0.0.1", "--certificate", str(certificate)
        )
        url = f"wss://127.0.0.1:{(await program.address()).port}/"
        issue()
        program.signal("HUP")
        await program.until(lambda: program.out.count(b"TLS has read its certificates again") >= 2)
        for _ in range(10):
            stream, _ = await self.open(url, tls=ClientTLS(certificate, server_name="localhost"))
            await self.assert_echoes(stream)

    async def test_workers_end_in_order_when_their_supervisor_is_gone(self) -> None:
        program, url = await self.on_port(2)
        streams = await self.open_at_each(url, program, 1)
        program.signal("KILL")
        self.assertEqual(await program.ended, -signal.SIGKILL)
        for several in streams.values():
            await self.assert_closed(several[0])
