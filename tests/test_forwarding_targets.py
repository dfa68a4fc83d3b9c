"""Tests of which target a bridge leads to, and of targets that cannot be reached (hunchensocket_tx.forwarding)."""

from __future__ import annotations

from math import inf, nan
from typing import Any

from twisted.internet import error as twisted_errors
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request

from hunchensocket_tx import HandshakeRefused, InvalidSetting, Reject
from hunchensocket_tx.forwarding import client_endpoint, forward
from tests.forwarding_support import PORT_80, BridgeCase, Unreachable
from tests.support import KEY3, request_76


class UnreachableTests(BridgeCase):
    """A target that cannot be reached is told by a close code with a reason, which does not tell its address."""

    def assert_end(self, reason: str) -> None:
        """Check what clients are told, and that the log says more."""
        with capturedLogs() as events:
            self.assertEqual(self.end_of(self.open()), (1014, reason, True))
        [warning] = [event for event in events if event["log_level"] is LogLevel.warn]
        self.assertIn("target", warning)

    def test_the_reason_says_why(self) -> None:
        for error, reason in (
            (twisted_errors.ConnectionRefusedError(), "the target refuses connections"),
            (twisted_errors.DNSLookupError(), "the target's name is not known"),
            (twisted_errors.ConnectError(string="10.0.0.1 is down"), "the target cannot be reached"),
        ):
            with self.subTest(reason=reason):
                self.serve(Unreachable(fail(error)))
                self.assert_end(reason)

    def test_the_time_for_connecting_is_limited(self) -> None:
        cancelled: list[object] = []
        self.serve(Unreachable(Deferred(cancelled.append)), timeout=3)
        client = self.open()
        self.server.advance(2.9)
        self.assertTrue(client.is_open)
        self.server.advance(0.2)
        self.assertEqual(self.end_of(client), (1014, "the target did not answer in time", True))
        self.assertEqual(len(cancelled), 1)

    def test_a_client_that_leaves_meanwhile_ends_the_attempt(self) -> None:
        cancelled: list[object] = []
        self.serve(Unreachable(Deferred(cancelled.append)))
        client = self.open()
        self.server.streams[0].read_ahead()  # as it does after the ping interval
        with capturedLogs() as events:
            client.abort()
            self.server.settle()
        self.assertEqual(len(cancelled), 1)
        self.assertEqual([event for event in events if event["log_level"] >= LogLevel.warn], [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_hixie_is_closed_without_a_code(self) -> None:
        self.serve(Unreachable(fail(twisted_errors.ConnectionRefusedError())))
        self.assertEqual(self.end_of(self.open(76)), (1005, "", True))

    def test_nothing_is_connected_before_the_opening_handshake_is_complete(self) -> None:
        client = self.raw(request_76(PORT_80, key3=b"", sec_websocket_protocol="base64"))
        self.assertEqual((client.status, self.endpoint.connections), (101, []))
        client.write(KEY3)
        self.server.settle()
        self.assertEqual(len(self.endpoint.connections), 1)


class ResolverTests(BridgeCase):
    """A function may choose the target."""

    def test_it_may_return_an_endpoint_now_or_later(self) -> None:
        async def coroutine(request: Request) -> Any:
            return self.endpoint

        for resolver in (lambda request: self.endpoint, lambda request: succeed(self.endpoint), coroutine):
            self.serve(resolver)
            self.open().send(b"hello")
            self.server.settle()
            self.assertEqual(self.targets[-1].data, b"hello")

    def test_none_leaves_it_to_the_next_dispatcher(self) -> None:
        self.serve(lambda request: None)
        with self.assertRaises(HandshakeRefused) as raised:
            self.open()
        self.assertEqual(raised.exception.status, 404)

    def test_a_refusal_is_passed_on(self) -> None:
        self.serve(lambda request: Reject(403, "not you"))
        with self.assertRaises(HandshakeRefused) as raised:
            self.open()
        self.assertEqual((raised.exception.status, raised.exception.body), (403, b"not you"))


class DescriptionTests(SynchronousTestCase):
    """Targets may be given as text."""

    def test_what_is_known(self) -> None:
        for description, kind in (
            ("localhost:5900", "HostnameEndpoint"),
            ("[::1]:5900", "HostnameEndpoint"),
            ("unix_socket:/run/vnc.sock", "UNIXClientEndpoint"),
            ("unix:/run/vnc.sock", "UNIXClientEndpoint"),
            ("tcp:localhost:5900", "TCP4ClientEndpoint"),
        ):
            with self.subTest(description=description):
                self.assertEqual(type(client_endpoint(Clock(), description)).__name__, kind)

    def test_what_is_wrong_is_told(self) -> None:
        for description in ("", "localhost", "localhost:http", "localhost:0", "localhost:65536", "tcp:", "x:y:z"):
            with self.subTest(description=description), self.assertRaises(InvalidSetting) as raised:
                forward(description, reactor=Clock())
            self.assertIn(repr(description), str(raised.exception))
            self.assertTrue(str(raised.exception).startswith("target: "))

    def test_other_settings_are_checked(self) -> None:
        for timeout in (0, -1, inf, nan):
            with self.assertRaises(InvalidSetting):
                forward("localhost:1", timeout=timeout)
        with self.assertRaises(InvalidSetting):
            forward("localhost:1", subprotocols="mqtt")
