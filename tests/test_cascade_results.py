"""Tests of hunchensocket_tx.cascade: what a handshake handler may return besides a message handler."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import DeferredLock, succeed
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.cascade import HandshakeHandler
from hunchensocket_tx.stream import WebSocketStream
from tests.hybi_stream_support import HybiPeer, close, text


def returning(result: object) -> HandshakeHandler:
    """Return a handshake handler that returns something."""
    return lambda stream, mutex: result


class NoHandlerTest(SynchronousTestCase):
    """None, and the bool of a lambda that sends something, mean that no messages are wanted."""

    def assert_wants_none(self, handshake: Any) -> None:
        """Check that the greeting is sent and that messages are dropped."""
        peer = HybiPeer(handshake).open("ignored")
        peer.say("ignored")
        self.assertTrue(peer.transport.reading)
        self.assertEqual(peer.frames, [text("hello")])
        self.assertTrue(peer.stream.is_open)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_bool(self) -> None:
        self.assert_wants_none(lambda stream, mutex: stream.send("hello"))
        self.assert_wants_none(lambda stream, mutex: not stream.send("hello"))

    def test_none(self) -> None:
        self.assert_wants_none(lambda stream, mutex: stream.send("hello") and None)

    def test_a_deferred_of_a_bool(self) -> None:
        self.assert_wants_none(lambda stream, mutex: succeed(stream.send("hello")))

    def test_a_coroutine_of_a_bool(self) -> None:
        async def handshake(stream: WebSocketStream, mutex: DeferredLock) -> bool:
            return stream.send("hello")

        self.assert_wants_none(handshake)

    def test_a_bool_of_a_message_that_was_not_taken(self) -> None:
        def handshake(stream: WebSocketStream, mutex: DeferredLock) -> bool:
            stream.close()
            return stream.send("too late")

        self.assertEqual(HybiPeer(handshake).open().frames, [close(1000)])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_anything_else_is_a_mistake(self) -> None:
        mistakes: tuple[Any, ...] = (0, 1, "hello", [], {})
        for wrong in mistakes:
            peer = HybiPeer(returning(wrong)).open()
            self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
            self.assertEqual(peer.frames[0].payload[:2], (1011).to_bytes(2, "big"))
