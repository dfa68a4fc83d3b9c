"""Tests of a WebSocketStream's sending side when the peer is slow (hunchensocket_tx.stream)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from hunchensocket_tx.errors import ConnectionClosed
from hunchensocket_tx.resource import WebSocketResource
from hunchensocket_tx.stream import WebSocketStream
from tests.stream_support import CLOSING, LAST_FRAME, Peer, PullProducer, PushRecorder
from tests.support import frame_76, open_76, serve


class BackpressureTest(SynchronousTestCase):
    """``drained`` and producers feel the transport's buffer."""

    def test_drained_fires_when_the_buffer_is_low(self) -> None:
        peer = Peer().open()
        self.successResultOf(peer.stream.drained())
        peer.transport.fill()
        waiting = peer.stream.drained()
        self.assertNoResult(waiting)
        peer.transport.empty()
        self.successResultOf(waiting)

    def test_drained_fails_when_the_connection_is_lost(self) -> None:
        peer = Peer().open()
        peer.transport.fill()
        waiting = peer.stream.drained()
        peer.drop()
        error = self.failureResultOf(waiting, ConnectionClosed).value
        self.assertEqual((error.code, error.clean), (1006, False))

    def test_drained_fails_when_the_stream_is_closing(self) -> None:
        peer = Peer().open()
        peer.transport.fill()
        waiting = peer.stream.drained()
        peer.stream.close()
        self.failureResultOf(waiting, ConnectionClosed)
        self.failureResultOf(peer.stream.drained(), ConnectionClosed)

    def test_drained_fails_when_the_peer_closes(self) -> None:
        peer = Peer().open()
        peer.transport.fill()
        waiting = peer.stream.drained()
        peer.send(CLOSING)
        error = self.failureResultOf(waiting, ConnectionClosed).value
        self.assertEqual((error.code, error.clean), (1005, True))

    def test_what_is_sent_while_the_buffer_is_full_follows_when_it_is_low(self) -> None:
        peer = Peer().open()
        peer.transport.fill()
        self.assertTrue(peer.stream.send("more"))
        self.assertEqual(peer.received, b"")
        peer.transport.empty()
        self.assertEqual(peer.received, frame_76("more"))

    def test_no_message_is_read_or_handled_while_the_buffer_is_full(self) -> None:
        # Its answer would make the buffer grow.
        peer = Peer().open()
        peer.transport.fill()
        peer.say("a")
        self.assertEqual(peer.messages, [])
        self.assertFalse(peer.transport.reading)
        peer.transport.empty()
        self.assertEqual(peer.messages, ["a"])
        self.assertTrue(peer.transport.reading)

    def test_a_producer_is_paused_resumed_and_stopped(self) -> None:
        peer, producer = Peer().open(), PushRecorder()
        peer.stream.registerProducer(producer, True)
        peer.transport.fill()
        peer.transport.empty()
        peer.stream.close()
        peer.send(CLOSING)
        peer.finish()
        self.assertEqual(producer.told, ["pause", "resume", "stop"])

    def test_a_producer_is_stopped_when_the_connection_is_lost(self) -> None:
        peer, producer = Peer().open(), PushRecorder()
        peer.stream.registerProducer(producer, True)
        peer.drop()
        self.assertEqual(producer.told, ["stop"])

    def test_an_unregistered_producer_is_left_alone(self) -> None:
        peer, producer = Peer().open(), PushRecorder()
        peer.stream.registerProducer(producer, True)
        peer.stream.unregisterProducer()
        peer.transport.fill()
        peer.drop()
        self.assertEqual(producer.told, [])


class SocketTest(TestCase):
    """Backpressure on real sockets."""

    async def test_drained_fires_when_a_slow_client_has_read(self) -> None:
        size = 1 << 24  # more than the kernel takes
        filled: Deferred[WebSocketStream] = Deferred()

        def handshake(stream: WebSocketStream, mutex: DeferredLock) -> None:
            stream.send("x" * size)
            filled.callback(stream)

        client = await open_76(self, await serve(self, WebSocketResource(lambda request: handshake)))
        transport: Any = client.transport
        transport.pauseProducing()
        drained = (await filled).drained()
        self.assertNoResult(drained)
        transport.resumeProducing()
        await drained
        await client.until(lambda data: len(data) == size + 2)

    async def test_a_pull_producer_is_asked_as_fast_as_the_client_reads(self) -> None:
        pieces = 64

        def handshake(stream: WebSocketStream, mutex: DeferredLock) -> None:
            left = iter(range(pieces))

            def produce() -> None:
                if next(left, None) is None:
                    stream.unregisterProducer()
                    stream.close()
                else:
                    stream.write("x" * 100_000)

            stream.registerProducer(PullProducer(produce), False)

        client = await open_76(self, await serve(self, WebSocketResource(lambda request: handshake)))
        await client.until(LAST_FRAME)
        self.assertEqual(client.data, frame_76("x" * 100_000) * pieces + CLOSING)
