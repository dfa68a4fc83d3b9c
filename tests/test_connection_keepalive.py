"""Tests of hunchensocket_tx.connection: keepalive pings, and peers that show no sign of life or take nothing."""

from __future__ import annotations

from typing import Any

from hunchensocket_tx.errors import ConnectionClosed
from hunchensocket_tx.wire.frames import CLOSE, FIN, PING
from tests.hybi_stream_support import HybiPeer, Sent, close, masked, pong, text
from tests.stream_support import ClosingTestCase, Peer, PendingHandler


class KeepaliveTest(ClosingTestCase):
    """A quiet peer is pinged; one that then sends nothing is closed (RFC 6455 section 5.5.2)."""

    def open(self, **changes: Any) -> HybiPeer:
        """Return a peer that is pinged after 20 seconds and given up 10 seconds later."""
        return HybiPeer(**{"ping_interval": 20, "ping_timeout": 10, **changes}).open()

    def test_it_is_pinged_after_so_many_quiet_seconds(self) -> None:
        peer = self.open()
        peer.clock.advance(19.9)
        self.assertEqual(peer.pings, [])
        peer.clock.advance(0.1)
        self.assertEqual(len(peer.pings), 1)

    def test_who_answers_stays(self) -> None:
        peer = self.open(websocket_timeout=50)
        for number in range(1, 20):
            peer.clock.advance(20)
            self.assertEqual(len(peer.pings), number)
            peer.clock.advance(1)
            peer.answer_pings()
        self.assertTrue(peer.stream.is_open)

    def test_any_byte_postpones_the_ping(self) -> None:
        peer = self.open()
        for byte in masked(text("slowly")):
            peer.clock.advance(15)
            peer.send(bytes([byte]))
        self.assertEqual(peer.pings, [])
        self.assertEqual(peer.messages, ["slowly"])

    def test_any_byte_is_a_sign_of_life_after_the_ping(self) -> None:
        peer = self.open()
        for byte in masked(text("slowly")):
            peer.clock.pump([20, 9])
            peer.send(bytes([byte]))
        self.assertTrue(peer.stream.is_open)
        self.assertEqual(peer.messages, ["slowly"])

    def test_what_we_send_is_no_sign_of_its_life(self) -> None:
        peer = self.open()
        for _ in range(20):
            peer.clock.advance(1)
            peer.stream.send("tick")
        self.assertEqual(len(peer.pings), 1)

    def test_who_sends_nothing_is_closed_with_1001_and_a_reason(self) -> None:
        peer = self.open()
        peer.clock.pump([20, 9.9])
        self.assertTrue(peer.stream.is_open)
        peer.clock.advance(0.1)
        last = peer.frames[-1]
        self.assertEqual((last.opcode, last.payload[:2]), (CLOSE, (1001).to_bytes(2, "big")))
        self.assertIn(b"10 seconds", last.payload)
        self.assertFalse(peer.stream.is_open)

    def test_it_is_reported_as_1006_with_the_reason(self) -> None:
        peer = self.open(closing_timeout=5)
        peer.clock.pump([20, 10, 5])
        self.assertTrue(peer.transport.aborted)
        peer.drop()
        end = self.successResultOf(peer.stream.when_closed())
        self.assertEqual((end.code, end.clean), (1006, False))
        self.assertIn("10 seconds", end.reason)

    def test_an_interval_of_0_is_never(self) -> None:
        peer = self.open(ping_interval=0, websocket_timeout=0)
        peer.clock.advance(10**6)
        self.assertEqual(peer.pings, [])
        self.assertTrue(peer.stream.is_open)

    def test_without_pings_the_websocket_timeout_counts(self) -> None:
        peer = self.open(ping_interval=0, websocket_timeout=100)
        peer.clock.advance(99.9)
        self.assertTrue(peer.stream.is_open)
        peer.clock.advance(0.1)
        self.assertFalse(peer.stream.is_open)

    def test_hixie_is_not_pinged(self) -> None:
        peer = Peer(ping_interval=20, ping_timeout=10, websocket_timeout=100).open()
        peer.clock.pump([10] * 9)
        self.assertEqual(peer.received, b"")
        self.assertTrue(peer.stream.is_open)
        peer.clock.advance(10)
        self.assertFalse(peer.stream.is_open)

    def test_a_timeout_of_0_is_for_ever(self) -> None:
        peer = self.open(ping_timeout=0)
        peer.clock.pump([20] * 10)
        self.assertEqual(len(peer.pings), 10)
        self.assertTrue(peer.stream.is_open)

    def test_it_is_pinged_also_while_a_handler_is_busy_for_long(self) -> None:
        handler = PendingHandler()
        peer = HybiPeer(handler, ping_interval=20, ping_timeout=10).open("a")
        self.assertFalse(peer.transport.reading)
        for _ in range(10):
            peer.clock.pump([10, 10])
            if peer.pings:
                self.assertTrue(peer.transport.reading)
                peer.send_frames(pong(peer.pings[-1]))
        self.assertGreater(len(peer.pings), 3)
        self.assertTrue(peer.stream.is_open)
        self.assertEqual(len(handler.started), 1)

    def test_one_that_vanished_is_noticed_also_then(self) -> None:
        peer = HybiPeer(PendingHandler(), ping_interval=20, ping_timeout=10).open("a")
        peer.clock.pump([10] * 6)
        self.assertFalse(peer.stream.is_open)

    def test_its_pings_are_answered_also_then(self) -> None:
        peer = HybiPeer(PendingHandler(), ping_interval=20, ping_timeout=10).open("a")
        peer.clock.advance(20)
        peer.send_frames(Sent(FIN | PING, b"there?"))
        self.assertIn(pong(b"there?"), peer.frames)

    def test_its_close_is_answered_in_time_also_then(self) -> None:
        peer = HybiPeer(PendingHandler(), ping_interval=20, ping_timeout=10, closing_timeout=5).open("a")
        peer.clock.advance(20)
        peer.send_frames(close(1001))
        self.assertNotIn(close(1001), peer.frames)  # the handler may have something to say yet
        peer.clock.advance(5)
        self.assertEqual(peer.frames[-1], close(1001))
        peer.finish()
        self.assert_end(peer, 1001, True)

    def test_what_is_read_ahead_of_it_is_bounded(self) -> None:
        peer = HybiPeer(PendingHandler(), ping_interval=20, ping_timeout=0, max_message_size=1000).open("a")
        peer.clock.advance(20)
        peer.say("x" * 900)
        self.assertTrue(peer.transport.reading)
        peer.say("x" * 900)
        self.assertFalse(peer.transport.reading)

    def test_it_is_not_pinged_while_it_is_slow_to_take_what_is_sent(self) -> None:
        # That is what send_timeout is for.
        peer = self.open(send_timeout=0)
        peer.transport.fill()
        peer.clock.pump([10] * 10)
        self.assertEqual(peer.pings, [])
        self.assertTrue(peer.stream.is_open)

    def test_nothing_is_pinged_while_closing(self) -> None:
        peer = self.open(closing_timeout=1000)
        peer.stream.close()
        peer.clock.pump([10] * 20)
        self.assertEqual(peer.frames, [close(1000)])

    def test_it_is_pinged_with_a_payload_that_no_ping_of_ours_has(self) -> None:
        # Else its answer would count for the wrong one.
        peer = self.open(ping_timeout=0)
        asked = peer.stream.ping()
        peer.clock.advance(20)
        peer.send_frames(pong(peer.pings[-1]))
        self.assertNoResult(asked)
        peer.send_frames(pong(peer.pings[0]))
        self.successResultOf(asked)


class SendTimeoutTest(ClosingTestCase):
    """``send_timeout``: a peer that takes nothing of what is sent is dropped."""

    def test_it_is_dropped_with_1013_in_the_report(self) -> None:
        peer = HybiPeer(send_timeout=30, limit=1000).open()
        peer.stream.send(b"x" * 2000)
        peer.clock.advance(29.9)
        self.assertFalse(peer.transport.aborted)
        peer.clock.advance(0.1)
        self.assertTrue(peer.transport.aborted)
        peer.drop()
        end = self.successResultOf(peer.stream.when_closed())
        self.assertEqual((end.code, end.clean), (1013, False))
        self.assertIn("30 seconds", end.reason)

    def test_it_is_the_same_on_hixie(self) -> None:
        peer = Peer(send_timeout=30).open()
        peer.transport.fill()
        peer.clock.advance(30)
        self.assertTrue(peer.transport.aborted)
        peer.drop()
        self.assert_end(peer, 1013, False)

    def test_who_waits_is_told(self) -> None:
        peer = HybiPeer(send_timeout=30, limit=1000).open()
        peer.stream.send(b"x" * 2000)
        drained = peer.stream.drained()
        peer.clock.advance(30)
        error: Any = self.failureResultOf(drained, ConnectionClosed).value
        self.assertEqual(error.code, 1013)

    def test_a_peer_that_reads_slowly_stays(self) -> None:
        peer = HybiPeer(send_timeout=30, ping_interval=0, websocket_timeout=0, limit=1000).open()
        for _ in range(50):
            peer.stream.send(b"x" * 50_000)
        for _ in range(50):
            peer.clock.advance(29)
            peer.transport.take()
        self.assertTrue(peer.stream.is_open)
        self.assertEqual(len(peer.frames), 50)

    def test_a_peer_that_takes_a_part_of_a_big_message_has_not_taken_nothing(self) -> None:
        peer = HybiPeer(send_timeout=30, ping_interval=0, websocket_timeout=0).open()
        peer.stream.send(bytes(1_000_000))
        for _ in range(10):
            peer.clock.advance(20)
            peer.transport.take(100_000)
        self.assertTrue(peer.stream.is_open)

    def test_0_is_for_ever(self) -> None:
        peer = HybiPeer(send_timeout=0, limit=1000).open()
        peer.stream.send(b"x" * 2000)
        peer.clock.advance(10**6)
        self.assertTrue(peer.stream.is_open)

    def test_it_does_not_run_while_nothing_is_to_be_sent(self) -> None:
        peer = HybiPeer(send_timeout=30, ping_interval=0, websocket_timeout=0, limit=1000).open()
        peer.stream.send(b"x" * 2000)
        peer.transport.take()
        peer.clock.advance(10**6)
        self.assertTrue(peer.stream.is_open)

    def test_while_closing_the_closing_timeout_counts_alone(self) -> None:
        peer = HybiPeer(send_timeout=3, closing_timeout=50, limit=1000).open()
        peer.stream.send(b"x" * 2000)
        peer.stream.close()
        peer.clock.advance(49)
        self.assertFalse(peer.transport.aborted)
        peer.clock.advance(1)
        self.assertTrue(peer.transport.aborted)


class FullOutflowTest(ClosingTestCase):
    """While a peer does not take what is sent, nothing that might be answered is read from it."""

    def test_reading_pauses_while_the_transport_is_full(self) -> None:
        peer = HybiPeer(limit=1000).open()
        peer.stream.send(b"x" * 2000)
        self.assertFalse(peer.transport.reading)
        peer.transport.take()
        self.assertTrue(peer.transport.reading)

    def test_messages_that_were_read_already_wait(self) -> None:
        peer = HybiPeer(lambda stream, mutex: lambda text: stream.send(text * 1000), limit=1000).open("ab", "cd")
        self.assertEqual(len(peer.frames), 1)
        peer.transport.take()
        self.assertEqual(len(peer.frames), 2)

    def test_reading_stays_paused_if_the_application_has_paused_it(self) -> None:
        peer = HybiPeer(limit=1000).open()
        peer.stream.pauseProducing()
        peer.stream.send(b"x" * 2000)
        peer.transport.take()
        self.assertFalse(peer.transport.reading)
        peer.stream.resumeProducing()
        self.assertTrue(peer.transport.reading)

    def test_reading_stays_paused_if_a_handler_is_busy(self) -> None:
        peer = HybiPeer(PendingHandler(), limit=1000).open("a")
        peer.stream.send(b"x" * 2000)
        peer.transport.take()
        self.assertFalse(peer.transport.reading)

    def test_it_is_read_again_to_find_the_answer_to_our_close(self) -> None:
        peer = HybiPeer(limit=1000).open()
        peer.stream.send(b"x" * 2000)
        peer.stream.close()
        self.assertTrue(peer.transport.reading)
        peer.send_frames(close(1000))
        peer.finish()
        self.assert_end(peer, 1000, True)
