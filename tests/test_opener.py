"""The opening handshake on a connection in memory: when what is sent, and what ends it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import alsoProvides

from hunchensocket_tx import ConnectTimeout, HandshakeFailed, HandshakeRefused, HandshakeTimeout, Settings
from hunchensocket_tx.opener import Opener
from hunchensocket_tx.wire.hybi_client import HybiClientHandshake
from tests.client_support import http_answer, switching
from tests.stream_support import MemoryTransport


class ClientTransport(MemoryTransport):
    """A socket at which Nagle's algorithm can be turned off."""

    no_delay = False

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled


class OpenerCase(SynchronousTestCase):
    """Has an opener and its transport."""

    def start(self, *, secure: bool = False, **changes: Any) -> None:
        """Connect it."""
        self.clock, self.transport = Clock(), ClientTransport()
        if secure:
            alsoProvides(self.transport, ISSLTransport)
        settings = Settings(connect_timeout=3, handshake_timeout=2, **changes)
        self.handshake = HybiClientHandshake("h", "/", settings)
        self.opener = Opener(
            self.handshake,
            settings,
            self.clock,
            secure=secure,
            deadline=3,
            attach=lambda stream, opened: stream.attach(opened, stream.inbox.put, ahead=True),
        )
        self.opener.makeConnection(self.transport)

    def succeed(self, rest: bytes = b"") -> Any:
        """Answer with a 101; return the stream."""
        self.opener.dataReceived(switching(self.handshake.request) + rest)
        return self.successResultOf(self.opener.opened)

    def fail_with(self, kind: type[Exception]) -> Any:
        """Return why it failed; nothing is left then."""
        error = self.failureResultOf(self.opener.opened, kind).value
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return error


class OpenerTests(OpenerCase):
    """From the connection to the stream."""

    def test_the_request_is_sent_at_once(self) -> None:
        self.start()
        self.assertEqual(self.transport.value(), self.handshake.request)

    def test_with_tls_it_waits_for_that(self) -> None:
        self.start(secure=True)
        self.assertEqual(self.transport.value(), b"")
        self.opener.handshakeCompleted()
        self.assertEqual(self.transport.value(), self.handshake.request)
        self.assertTrue(self.succeed().secure)

    def test_the_stream_takes_what_comes_from_then_on(self) -> None:
        """This transport goes on calling the opener."""
        self.start()
        stream = self.succeed(b"\x81\x01a")
        self.opener.dataReceived(b"\x81\x01b")
        self.assertEqual(self.successResultOf(stream.receive()), "a")
        self.assertEqual(self.successResultOf(stream.receive()), "b")
        self.opener.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.successResultOf(stream.when_closed()).code, 1006)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bytes_come_one_by_one(self) -> None:
        self.start()
        for byte in switching(self.handshake.request):
            self.assertNoResult(self.opener.opened)
            self.opener.dataReceived(bytes([byte]))
        self.assertTrue(self.successResultOf(self.opener.opened).is_open)

    def test_interim_answers_are_passed_over(self) -> None:
        self.start()
        self.opener.dataReceived(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        self.assertNoResult(self.opener.opened)
        self.succeed()

    def test_only_timers_of_the_stream_are_left_then(self) -> None:
        self.start(ping_interval=0, websocket_timeout=0)
        self.succeed()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class FailingTests(OpenerCase):
    """What ends it before."""

    def test_tls_takes_too_long(self) -> None:
        self.start(secure=True)
        self.clock.advance(2.9)
        self.assertNoResult(self.opener.opened)
        self.clock.advance(0.2)
        self.fail_with(ConnectTimeout)
        self.assertTrue(self.transport.aborted)

    def test_the_answer_takes_too_long(self) -> None:
        self.start()
        self.opener.dataReceived(b"HTTP/1.1 10")
        self.clock.advance(2.1)
        self.fail_with(HandshakeTimeout)
        self.assertTrue(self.transport.aborted)

    def test_an_answer_that_is_refused_drops_the_connection(self) -> None:
        self.start()
        self.opener.dataReceived(http_answer("404 Not Found", body=b"why"))
        self.assertEqual(self.fail_with(HandshakeRefused).body, b"why")
        self.assertTrue(self.transport.aborted)

    def test_what_comes_later_is_of_no_account(self) -> None:
        self.start()
        self.opener.dataReceived(b"garbage")
        self.fail_with(HandshakeFailed)
        self.opener.dataReceived(b"more garbage")
        self.opener.handshakeCompleted()
        self.opener.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.transport.value(), self.handshake.request)

    def test_the_connection_is_lost_before_tls(self) -> None:
        self.start(secure=True)
        self.opener.connectionLost(Failure(ConnectionLost()))
        self.fail_with(ConnectionLost)

    def test_the_connection_is_lost_behind_the_head_of_a_refusal(self) -> None:
        for reason in (ConnectionDone(), ConnectionLost()):
            with self.subTest(reason=reason):
                self.start()
                self.opener.dataReceived(b"HTTP/1.1 403 Forbidden\r\n\r\nwh")
                self.opener.connectionLost(Failure(reason))
                self.assertEqual(self.fail_with(HandshakeRefused).body, b"wh")

    def test_it_is_cancelled(self) -> None:
        for secure in (False, True):
            self.start(secure=secure)
            self.opener.opened.cancel()
            self.fail_with(CancelledError)
            self.assertTrue(self.transport.aborted)
            self.opener.connectionLost(Failure(ConnectionLost()))
