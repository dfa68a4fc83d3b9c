"""Tests of hunchensocket_tx.adapters over RFC 6455: how ends are told, and that bytes travel as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx import ConnectionClosed, WebSocketStream, conversation, protocol_handler
from tests.hybi_stream_support import HybiPeer, PartsTestCase, Sent, binary, close, text
from tests.test_adapters_protocol import Recorder


class ProtocolTest(SynchronousTestCase):
    """A byte-stream protocol travels in binary messages, and is told how its connection ended."""

    def setUp(self) -> None:
        self.protocol = Recorder()
        factory = Factory.forProtocol(lambda: self.protocol)
        self.peer = HybiPeer(protocol_handler(factory), max_message_size=100, send_timeout=30).open()

    def test_bytes_travel_as_they_are(self) -> None:
        self.protocol.transport.write(b"\xff\x00")
        self.peer.send_frames(binary(b"\x00\xff"))
        self.assertEqual(self.peer.frames, [binary(b"\xff\x00")])
        self.assertEqual(self.protocol.data, b"\x00\xff")

    def reason(self) -> Failure:
        """Return why the protocol lost its connection; it is told once."""
        [reason] = self.protocol.lost
        return reason

    def test_after_a_closing_handshake_it_is_done(self) -> None:
        for code in (1000, 1001, 4000):
            self.setUp()
            self.peer.send_frames(close(code))
            self.peer.finish()
            self.assertTrue(self.reason().check(ConnectionDone))

    def test_after_a_closing_handshake_that_tells_of_an_error_it_is_lost(self) -> None:
        for code in (1002, 1009, 1011, 1013):
            self.setUp()
            self.peer.send_frames(close(code))
            self.peer.finish()
            self.assertTrue(self.reason().check(ConnectionLost))

    def test_after_its_own_closing_it_is_done(self) -> None:
        self.protocol.transport.loseConnection()
        self.peer.send_frames(close(1000))
        self.peer.finish()
        self.assertTrue(self.reason().check(ConnectionDone))

    def test_without_one_it_is_lost_and_the_reason_says_why(self) -> None:
        ends: tuple[tuple[str, Callable[[], object], str], ...] = (
            ("loss", lambda: None, "1006"),
            ("half-close", lambda: self.peer.half_close(), "1006"),
            ("a message that is too big", lambda: self.peer.send_frames(binary(bytes(101))), "1009"),
            ("a broken rule", lambda: self.peer.send_frames(Sent(0x83, b"")), "1002"),
            ("a peer that takes nothing", lambda: self.take_nothing(), "1013"),
        )
        for name, end, code in ends:
            with self.subTest(name):
                self.setUp()
                end()
                self.peer.finish()  # however TCP ended
                self.assertTrue(self.reason().check(ConnectionLost))
                self.assertIn(code, str(self.reason().value))

    def take_nothing(self) -> None:
        self.peer.transport.fill()
        self.peer.clock.advance(30)


class ConversationTest(PartsTestCase):
    """A conversation that only finds its peer gone is no reason for the log."""

    ends: tuple[tuple[str, Callable[[HybiPeer], object]], ...] = (
        ("loss", lambda peer: peer.drop()),
        ("half-close", lambda peer: peer.half_close()),
        ("their close", lambda peer: peer.send_frames(close(1000))),
        ("our close", lambda peer: peer.stream.close()),
    )

    def test_waiting_for_a_message_may_fail(self) -> None:
        async def talk(stream: WebSocketStream) -> None:
            while True:
                await stream.receive()

        self.assert_quiet(talk)

    def test_waiting_for_a_slow_reader_may_fail(self) -> None:
        async def talk(stream: WebSocketStream) -> None:
            stream.send(bytes(100_000))
            await stream.drained()

        self.assert_quiet(talk)

    def test_waiting_for_a_pong_may_fail(self) -> None:
        async def talk(stream: WebSocketStream) -> None:
            await stream.ping()

        self.assert_quiet(talk)

    def test_sending_in_parts_may_fail(self) -> None:
        async def talk(stream: WebSocketStream) -> None:
            async with stream.message() as outgoing:
                while True:
                    await outgoing.write(bytes(100_000))

        self.assert_quiet(talk)

    def assert_quiet(self, talk: Any) -> None:
        """Check that nothing is logged, whatever ends the connection."""
        for name, end in self.ends:
            with self.subTest(name):
                peer = HybiPeer(conversation(talk)).open()
                end(peer)
                peer.drop()
                self.assertEqual(self.flushLoggedErrors(), [])

    def test_another_error_is_logged_and_closes_with_1011(self) -> None:
        async def talk(stream: WebSocketStream) -> None:
            await stream.receive()
            raise ZeroDivisionError

        peer = HybiPeer(conversation(talk)).open("go")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(peer.frames[0].payload[:2], (1011).to_bytes(2, "big"))

    def test_the_end_of_another_connection_is_an_error(self) -> None:
        gone: Deferred[None] = Deferred()

        async def talk(stream: WebSocketStream) -> None:
            await gone

        peer = HybiPeer(conversation(talk)).open()
        gone.errback(ConnectionClosed(1006, "another's", False))
        self.assertEqual(len(self.flushLoggedErrors(ConnectionClosed)), 1)
        self.assertEqual(peer.frames[0].payload[:2], (1011).to_bytes(2, "big"))

    def test_when_it_returns_the_connection_is_closed_with_1000(self) -> None:
        async def talk(stream: WebSocketStream) -> None:
            stream.send("bye")

        self.assertEqual(HybiPeer(conversation(talk)).open().frames, [text("bye"), close(1000)])
