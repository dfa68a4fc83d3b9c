"""Tests of the orderly end (hunchensocket_tx.service.stopping), in this process and of ``twistd`` as a process."""

from __future__ import annotations

import signal
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import ConnectError
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.server import Site

from hunchensocket_tx import ClientTLS, CloseReason, WebSocketResource, WebSocketStream
from hunchensocket_tx import connect as connect_ours
from hunchensocket_tx.acceptor import EndpointAcceptor
from hunchensocket_tx.service import Options
from hunchensocket_tx.service.stopping import GracefulService
from tests.harness import Issued, PatientClient, connect_as, echo
from tests.processes import Program, TwistdCase
from tests.support import RESPONSE, RawClient, connect, frame_76, open_76, request_76

CLOSING = b"\xff\x00"

LARGE = 15_000_000
"""Bytes that no socket's buffers hold; a bit less than the setting ``max_send_buffer``."""

HANDLERS = f"""
from twisted.internet.defer import Deferred

def never(request):
    return Deferred()

def large(request):
    return lambda stream, mutex: stream.send("x" * {LARGE}) and None
"""


class StopOptionTests(SynchronousTestCase):
    """Whoever gets an option wrong is told which one."""

    def complaint(self, *arguments: str) -> str:
        """Return what is said about a wrong command line."""
        with self.assertRaises(SystemExit) as raised:
            Options().parseOptions(arguments)
        return str(raised.exception.code)

    def test_a_timeout_is_a_number_of_seconds_from_0_on(self) -> None:
        for value in ("soon", "-1", "nan", "inf"):
            with self.subTest(value=value):
                complaint = self.complaint("--stop-timeout", value)
                self.assertIn("--stop-timeout: give a number of seconds", complaint)
                self.assertIn(value, complaint)

    def test_a_reason_has_to_fit_into_a_frame(self) -> None:
        self.assertIn("--stop-reason: it has 124 bytes in UTF-8; 123", self.complaint("--stop-reason", "ü" * 62))
        options = Options()
        options.parseOptions(["--stop-reason", "ü" * 61 + "!"])
        self.assertEqual(len(options["stop-reason"].encode()), 123)

    def test_a_reason_is_utf_8(self) -> None:
        self.assertIn("--stop-reason: '\\udcff' is not UTF-8", self.complaint("--stop-reason", "\udcff"))

    def test_there_are_defaults(self) -> None:
        options = Options()
        options.parseOptions([])
        self.assertEqual((options.stop_timeout, options["stop-reason"]), (8.0, "the server is restarting"))


class GracefulServiceTests(TestCase):
    """How long it waits, and what it does to the handlers of signals."""

    def setUp(self) -> None:
        self.clock: Any = MemoryReactorClock()
        self.resource = WebSocketResource(echo, reactor=self.clock, closing_timeout=1000)
        for number in (signal.SIGTERM, signal.SIGINT):
            self.addCleanup(signal.signal, number, signal.getsignal(number))

    def start(self) -> Any:
        """Return a service that was started, which waits 7 seconds for those at ``self.address``."""
        service: Any = GracefulService([self.resource], 7, self.clock)
        endpoint = serverFromString(reactor, "tcp:0:interface=127.0.0.1")
        acceptor: Any = EndpointAcceptor(endpoint, Site(self.resource), self.resource)
        acceptor.setServiceParent(service)
        service.privilegedStartService()
        service.startService()
        self.clock.run()
        self.address = acceptor.address
        self.addCleanup(lambda: service.stopService() if service.running else None)
        return service

    async def test_it_waits_for_who_answers(self) -> None:
        service = self.start()
        client = await open_76(self, self.address)
        stopped = service.stopService()
        await client.until(CLOSING)
        self.clock.advance(6.9)
        self.assertNoResult(stopped)
        client.write(CLOSING)
        await stopped
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_who_does_not_answer_is_dropped_in_the_end(self) -> None:
        service = self.start()
        client = await open_76(self, self.address)
        stopped = service.stopService()
        await client.until(CLOSING)
        self.clock.advance(7.1)
        await stopped
        await client.closed

    async def test_who_was_refused_is_waited_for_no_longer_either(self) -> None:
        service = self.start()
        client = await connect_as(self, PatientClient(), self.address)  # who does not close the connection
        client.write(request_76(self.address, origin="http://example.net"))
        await client.server_done
        self.assertEqual(client.status, 403)
        stopped = service.stopService()
        self.clock.advance(6.9)
        self.assertNoResult(stopped)
        self.clock.advance(0.2)
        await stopped

    async def test_handlers_of_signals_are_as_before_when_it_has_stopped(self) -> None:
        def before(number: int, frame: object) -> None:
            """Handle a signal."""

        signal.signal(signal.SIGTERM, before)
        service = self.start()
        self.assertNotEqual(signal.getsignal(signal.SIGTERM), before)
        await service.stopService()
        self.assertEqual(signal.getsignal(signal.SIGTERM), before)

    async def test_a_signal_that_is_ignored_stays_so(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.start()
        self.assertEqual(signal.getsignal(signal.SIGINT), signal.SIG_IGN)


class StoppingCase(TwistdCase):
    """Tests that end a ``twistd``."""

    async def assert_ends(self, program: Program) -> None:
        """Check that a program ends in order, and with status 0."""
        await program.shut_down()
        self.assertEqual(await program.ended, 0)

    async def open(self, program: Program, path: str = "/echo", **options: Any) -> WebSocketStream:
        """Open a WebSocket to it with our client."""
        return await connect_ours(f"ws://127.0.0.1:{(await program.address()).port}{path}", **options)


class SignalTests(StoppingCase):
    """SIGTERM and SIGINT."""

    async def test_each_signal_ends_it_with_status_0(self) -> None:
        for name in ("TERM", "INT"):
            with self.subTest(signal=name):
                program = self.listening()
                await program.address()
                program.signal(name)
                self.assertEqual(await program.ended, 0)

    async def test_clients_are_told_that_the_server_restarts(self) -> None:
        program = self.listening()
        streams = [await self.open(program, version=version) for version in (13, 8, 7)]
        program.signal("TERM")
        for stream in streams:
            self.assertEqual(await stream.when_closed(), CloseReason(1001, "the server is restarting", True))
        await self.assert_ends(program)

    async def test_clients_may_be_told_something_else(self) -> None:
        program = self.listening("--stop-reason", "bis später")
        stream = await self.open(program)
        program.signal("TERM")
        self.assertEqual(await stream.when_closed(), CloseReason(1001, "bis später", True))

    async def test_a_second_signal_ends_the_waiting(self) -> None:
        program = self.listening("--stop-timeout", "3600")
        client = await open_76(self, await program.address(), "/echo")
        program.signal("TERM")
        await client.until(CLOSING)
        program.signal("TERM")
        await self.assert_ends(program)
        self.assertIn("SIGTERM while stopping: 1 WebSockets are dropped", program.said)


class HalfDoneTests(StoppingCase):
    """Clients in the midst of something when it ends."""

    def setUp(self) -> None:
        super().setUp()
        self.write("handlers.py", HANDLERS)

    async def requested(self, program: Program, path: str, key3: bytes, until: bytes = b"") -> RawClient:
        """Ask for a WebSocket on a new connection, and wait for some of the answer."""
        address = await program.address()
        client = await connect(self, address)
        client.write(request_76(address, path, key3=key3))
        await client.until(until)
        return client

    async def test_who_waits_for_a_dispatcher_is_refused(self) -> None:
        program = self.listening("--handler", "handlers.never")
        client = await self.requested(program, "/", b"12345678")
        # a second request on another connection, whose refusal shows that the first has arrived
        await (await self.get(program)).until(b"426")
        program.signal("TERM")
        await client.until(b"going away")
        self.assertEqual(client.status, 503)
        await self.assert_ends(program)

    async def get(self, program: Program) -> RawClient:
        """Ask for a page."""
        client = await connect(self, await program.address())
        client.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return client

    async def test_who_has_not_sent_key3_may_do_so_and_is_closed_then(self) -> None:
        program = self.listening()
        client = await self.requested(program, "/echo", b"", until=b"\r\n\r\n")
        program.signal("TERM")
        await program.until(lambda: b"SIGTERM" in program.out)
        client.write(b"^n:ds[4U")
        await client.until(RESPONSE + CLOSING)
        client.write(CLOSING)
        await client.closed
        await self.assert_ends(program)

    async def test_nobody_can_connect_any_more_while_it_is_stopping(self) -> None:
        program = self.listening("--stop-timeout", "3600")
        address = await program.address()
        client = await open_76(self, address, "/echo")
        idle = await self.get(program)
        await idle.until(b"</html>")
        program.signal("TERM")
        await client.until(CLOSING)
        with self.assertRaises(ConnectError):
            await connect(self, address)
        idle.data = b""
        idle.write(request_76(address, "/echo"))
        await idle.until(b"going away")
        self.assertEqual(idle.status, 503)
        client.write(CLOSING)
        await self.assert_ends(program)

    async def test_a_slow_reader_gets_all_that_was_sent_before(self) -> None:
        program = self.listening("--handler", "handlers.large", "--stop-timeout", "3600")
        client = await self.slow_reader(program)
        program.signal("TERM")
        await program.until(lambda: b"SIGTERM" in program.out)
        transport: Any = client.transport
        transport.resumeProducing()
        await client.until(lambda data: data.endswith(CLOSING))
        self.assertEqual(client.data, frame_76("x" * LARGE) + CLOSING)
        client.write(CLOSING)
        await self.assert_ends(program)

    async def test_a_slow_reader_is_dropped_in_the_end(self) -> None:
        program = self.listening("--handler", "handlers.large", "--stop-timeout", "0.1")
        await self.slow_reader(program)
        program.signal("TERM")
        await self.assert_ends(program)
        self.assertIn("0.1 seconds are over: 1 WebSockets are dropped", program.said)

    async def slow_reader(self, program: Program) -> RawClient:
        """Open a WebSocket, and do not read what comes then."""
        client = await open_76(self, await program.address(), "/")
        transport: Any = client.transport
        transport.pauseProducing()
        return client

    async def test_clients_over_tls_are_closed_cleanly(self) -> None:
        issued = Issued()
        certificate = self.write("both.pem", issued.pem.decode() + issued.key_pem().decode())
        program = self.twistd("--ssl-port", "0", "--interface", "127.0.0.1", "--certificate", certificate)
        url = f"wss://localhost:{(await program.address()).port}/echo"
        streams = [
            await connect_ours(url, version=version, tls=ClientTLS(trust_roots=certificate))
            for version in (13, 76)
        ]
        program.signal("TERM")
        ends = [await stream.when_closed() for stream in streams]
        self.assertEqual([(end.code, end.clean) for end in ends], [(1001, True), (1005, True)])
        await self.assert_ends(program)
