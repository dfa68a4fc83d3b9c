"""Tests of a WebSocketStream's timers (hunchensocket_tx.stream), on a clock of their own."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.stream_support import CLOSING, Peer, PendingHandler
from tests.support import KEY3, frame_76


class HandshakeTimerTest(SynchronousTestCase):
    """A client that never sends key3 does not hold its connection for ever."""

    def setUp(self) -> None:
        self.peer = Peer(handshake_timeout=10)

    def test_without_key3_the_connection_is_dropped_in_time(self) -> None:
        self.peer.clock.advance(9.9)
        self.assertFalse(self.peer.transport.aborted)
        self.peer.clock.advance(0.2)
        self.assertTrue(self.peer.transport.aborted)

    def test_nothing_is_written(self) -> None:
        self.peer.clock.advance(10)
        self.assertEqual(self.peer.transport.value(), b"")

    def test_pieces_of_key3_do_not_prolong_it(self) -> None:
        for byte in KEY3[:5]:
            self.peer.clock.advance(2)
            self.peer.send(bytes([byte]))
        self.assertTrue(self.peer.transport.aborted)

    def test_the_end_says_what_was_wrong(self) -> None:
        closed = self.peer.stream.when_closed()
        self.peer.clock.advance(10)
        self.peer.drop()
        end = self.successResultOf(closed)
        self.assertEqual((end.code, end.clean), (1006, False))
        self.assertIn("handshake", end.reason)

    def test_key3_stops_it(self) -> None:
        self.peer.clock.advance(9)
        self.peer.open()
        self.peer.clock.advance(20)
        self.assertFalse(self.peer.transport.aborted)
        self.assertTrue(self.peer.stream.send("open"))


class IdleTimerTest(SynchronousTestCase):
    """``websocket_timeout``: a connection is closed after so many seconds without a byte in either direction."""

    def is_closing(self, peer: Peer) -> bool:
        """Tell whether the closing frame was sent."""
        return peer.received.endswith(CLOSING)

    def test_a_silent_connection_is_closed(self) -> None:
        peer = Peer(websocket_timeout=100).open()
        peer.clock.advance(99.9)
        self.assertFalse(self.is_closing(peer))
        peer.clock.advance(0.2)
        self.assertTrue(self.is_closing(peer))

    def test_it_is_closed_with_a_closing_handshake_that_has_its_own_timer(self) -> None:
        peer = Peer(websocket_timeout=100, closing_timeout=5).open()
        peer.clock.advance(100)
        self.assertFalse(peer.transport.aborted)
        peer.clock.advance(5)
        self.assertTrue(peer.transport.aborted)

    def test_zero_means_never(self) -> None:
        peer = Peer(websocket_timeout=0).open()
        peer.clock.advance(10**9)
        self.assertFalse(self.is_closing(peer))
        self.assertEqual(peer.clock.getDelayedCalls(), [])

    def test_every_byte_received_counts(self) -> None:
        peer = Peer(websocket_timeout=100).open()
        for byte in frame_76("slow"):
            peer.clock.advance(60)
            peer.send(bytes([byte]))
        self.assertEqual(peer.messages, ["slow"])
        self.assertFalse(self.is_closing(peer))
        peer.clock.advance(100)
        self.assertTrue(self.is_closing(peer))

    def test_frames_to_be_skipped_count(self) -> None:
        peer = Peer(websocket_timeout=100).open()
        for _ in range(5):
            peer.clock.advance(60)
            peer.send(b"\x80\x01x")
        self.assertFalse(self.is_closing(peer))

    def test_every_message_sent_counts(self) -> None:
        peer = Peer(websocket_timeout=100).open()
        for _ in range(5):
            peer.clock.advance(60)
            peer.stream.send("tick")
        self.assertFalse(self.is_closing(peer))
        peer.clock.advance(100)
        self.assertTrue(self.is_closing(peer))

    def test_that_what_was_buffered_has_left_counts(self) -> None:
        peer = Peer(websocket_timeout=100).open()
        peer.stream.send("x" * 1_000_000)
        peer.transport.fill()
        peer.clock.advance(80)
        peer.transport.empty()
        peer.clock.advance(80)
        self.assertFalse(self.is_closing(peer))

    def test_it_waits_for_a_busy_handler(self) -> None:
        # Reading pauses meanwhile, so that silence says nothing about the peer.
        handler = PendingHandler()
        peer = Peer(handler, websocket_timeout=100).open("a")
        peer.clock.pump([60] * 10)
        self.assertFalse(self.is_closing(peer))
        handler.finish()
        peer.clock.advance(99.9)
        self.assertFalse(self.is_closing(peer))
        peer.clock.advance(0.2)
        self.assertTrue(self.is_closing(peer))

    def test_it_waits_while_the_application_pauses_reading(self) -> None:
        peer = Peer(websocket_timeout=100).open()
        peer.stream.pauseProducing()
        peer.clock.pump([60] * 10)
        self.assertFalse(self.is_closing(peer))
        peer.stream.resumeProducing()
        peer.clock.advance(99.9)
        self.assertFalse(self.is_closing(peer))
        peer.clock.advance(0.2)
        self.assertTrue(self.is_closing(peer))

    def test_version_75_is_watched_too(self) -> None:
        peer = Peer(version=75, websocket_timeout=100).open()
        peer.clock.advance(100)
        self.assertTrue(peer.transport.ended)


class ClosingTimerTest(SynchronousTestCase):
    """``closing_timeout``: one timer bounds the whole end."""

    def test_the_idle_timer_does_not_come_between(self) -> None:
        peer = Peer(websocket_timeout=2, closing_timeout=50).open()
        peer.stream.close()
        peer.clock.advance(49)
        self.assertFalse(peer.transport.aborted)
        peer.clock.advance(1)
        self.assertTrue(peer.transport.aborted)

    def test_messages_do_not_prolong_it(self) -> None:
        peer = Peer(closing_timeout=5).open()
        peer.stream.close()
        for _ in range(5):
            peer.say("chatter")
            peer.clock.advance(1)
        self.assertTrue(peer.transport.aborted)

    def test_no_timer_is_left_when_the_connection_is_gone(self) -> None:
        peer = Peer().open()
        peer.stream.close()
        peer.send(CLOSING)
        peer.finish()
        self.assertEqual(peer.clock.getDelayedCalls(), [])
