"""Tests of what hunchensocket_tx.stream has for RFC 6455: pings, compression, and policies for slow peers."""

from __future__ import annotations

import gc
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.errors import ConnectionClosed, UnsupportedMessage
from hunchensocket_tx.wire.frames import CLOSE
from tests.hybi_stream_support import (
    CONTEXT,
    LONG,
    NO_CONTEXT,
    HybiPeer,
    PartsTestCase,
    binary,
    close,
    pong,
    read_messages,
    text,
)
from tests.stream_support import CLOSING, ClosingTestCase, Peer
from tests.support import frame_76


class SendTest(SynchronousTestCase):
    """Messages of both kinds, compressed or not (RFC 6455 section 5.6, RFC 7692 section 7)."""

    def test_str_is_sent_as_text_and_bytes_as_binary(self) -> None:
        peer = HybiPeer().open()
        self.assertTrue(peer.stream.send("grün"))
        self.assertTrue(peer.stream.send(b"\xff\x00"))
        self.assertEqual(peer.frames, [text("grün"), binary(b"\xff\x00")])

    def test_it_is_compressed_where_that_was_agreed_upon(self) -> None:
        peer = HybiPeer(deflate=CONTEXT).open()
        for message in (LONG, LONG.encode()):
            peer.stream.send(message)
        self.assertTrue(all(frame.compressed for frame in peer.frames))
        self.assertEqual(read_messages(peer.frames), [LONG, LONG.encode()])

    def test_it_is_not_compressed_if_the_caller_says_so(self) -> None:
        peer = HybiPeer(deflate=CONTEXT).open()
        peer.stream.send(LONG, compress=False)
        self.assertEqual(peer.frames, [text(LONG)])

    def test_messages_of_both_sorts_may_alternate(self) -> None:
        for deflate in (CONTEXT, NO_CONTEXT):
            peer = HybiPeer(deflate=deflate).open()
            messages = [LONG + str(number) for number in range(6)]
            for number, message in enumerate(messages):
                peer.stream.send(message, compress=number % 3 > 0)
            self.assertEqual(read_messages(peer.frames, keeps=deflate is CONTEXT), messages)

    def test_without_an_agreement_it_is_not_compressed(self) -> None:
        peer = HybiPeer().open()
        peer.stream.send(LONG, compress=True)
        self.assertEqual(peer.frames, [text(LONG)])


class IsOpenTest(SynchronousTestCase):
    """``is_open`` tells whether messages may be sent."""

    def test_it_is_false_before_the_opening_handshake_is_complete(self) -> None:
        for peer in (Peer(), HybiPeer()):
            self.assertFalse(peer.stream.is_open)
            self.assertTrue(peer.open().stream.is_open)

    def test_it_is_true_for_the_handshake_handler(self) -> None:
        seen: list[bool] = []
        HybiPeer(lambda stream, mutex: seen.append(stream.is_open)).open()
        self.assertEqual(seen, [True])

    def test_it_is_false_when_either_side_closes_or_vanishes(self) -> None:
        for name, act in (
            ("our close", lambda peer: peer.stream.close()),
            ("our abort", lambda peer: peer.stream.abort()),
            ("their close", lambda peer: peer.send_frames(close(1000))),
            ("their mistake", lambda peer: peer.send(b"\x83\x80\0\0\0\0")),
            ("their half-close", lambda peer: peer.half_close()),
            ("loss", lambda peer: peer.drop()),
        ):
            with self.subTest(name):
                peer = HybiPeer().open()
                act(peer)
                self.assertFalse(peer.stream.is_open)
                self.assertFalse(peer.stream.send("too late"))


class PingTest(PartsTestCase):
    """``ping`` comes to the seconds until the answer (RFC 6455 sections 5.5.2, 5.5.3)."""

    def test_it_sends_a_ping_and_fires_with_the_seconds(self) -> None:
        peer = HybiPeer().open()
        answered = peer.stream.ping()
        self.assertEqual(len(peer.pings), 1)
        peer.clock.advance(0.25)
        self.assertNoResult(answered)
        peer.answer_pings()
        self.assertEqual(self.successResultOf(answered), 0.25)

    def test_the_pong_for_the_latest_answers_the_earlier_ones(self) -> None:
        peer = HybiPeer().open()
        waiting = []
        for _ in range(3):
            waiting.append(peer.stream.ping())
            peer.clock.advance(1)
        peer.answer_pings()
        self.assertEqual([self.successResultOf(answered) for answered in waiting], [3, 2, 1])

    def test_an_unasked_pong_answers_nothing(self) -> None:
        peer = HybiPeer().open()
        answered = peer.stream.ping()
        peer.send_frames(pong(b""), pong(b"unasked"))
        self.assertNoResult(answered)

    def test_it_is_answered_while_the_application_reads_no_messages(self) -> None:
        peer = HybiPeer().open()
        peer.stream.pauseProducing()
        answered = peer.stream.ping()
        peer.answer_pings()
        self.successResultOf(answered)

    def test_it_can_be_given_up(self) -> None:
        peer = HybiPeer().open()
        answered = peer.stream.ping()
        answered.cancel()
        self.failureResultOf(answered, CancelledError)
        peer.answer_pings()
        self.assertTrue(peer.stream.is_open)

    def test_it_fails_when_the_connection_ends(self) -> None:
        for name, act, code in (
            ("our close", lambda peer: peer.stream.close(4000), 4000),
            ("their close", lambda peer: peer.send_frames(close(3000)), 3000),
            ("loss", lambda peer: peer.drop(), 1006),
        ):
            with self.subTest(name):
                peer = HybiPeer().open()
                waiting = [peer.stream.ping() for _ in range(2)]
                act(peer)
                for answered in waiting:
                    error: Any = self.failureResultOf(answered, ConnectionClosed).value
                    self.assertEqual(error.code, code)

    def test_it_fails_on_a_stream_that_is_not_open(self) -> None:
        peer = HybiPeer()
        self.failureResultOf(peer.stream.ping(), ConnectionClosed)
        peer.open().drop()
        self.failureResultOf(peer.stream.ping(), ConnectionClosed)
        self.assertEqual(peer.frames, [])

    def test_on_hixie_it_is_unsupported_and_the_text_names_the_version(self) -> None:
        for version in (75, 76):
            peer = Peer(version=version).open()
            error = self.assertRaises(UnsupportedMessage, peer.stream.ping)
            self.assertIn(f"hixie-{version}", str(error))
            self.assertEqual(peer.received, b"")

    def test_on_hixie_nobody_waits_for_what_was_refused(self) -> None:
        peer = Peer().open()
        self.assertRaises(UnsupportedMessage, peer.stream.ping)
        peer.drop()
        gc.collect()  # tells of errors that nobody handles
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_it_comes_between_the_parts_of_a_message(self) -> None:
        peer = HybiPeer().open()
        self.begin(peer, "a")
        answered = peer.stream.ping()
        self.assertEqual(len(peer.pings), 1)
        peer.answer_pings()
        self.successResultOf(answered)


class SlowPeerTest(ClosingTestCase):
    """``slow_peers`` says what happens to a message for a peer whose buffer is full (``max_send_buffer``)."""

    def slow(self, **changes: Any) -> HybiPeer:
        """Return a peer for whom the transport is full, and the buffer too."""
        peer = HybiPeer(**{"limit": 1000, "max_send_buffer": 5000, **changes}).open()
        self.assertTrue(peer.stream.send(b"x" * 2000))  # the transport's share
        for _ in range(5):
            self.assertTrue(peer.stream.send(b"y" * 1000))
        return peer

    def test_by_default_it_is_closed_with_1013_and_the_rest_discarded(self) -> None:
        peer = self.slow()
        self.assertFalse(peer.stream.send("too much"))
        [first, last] = peer.frames
        self.assertEqual(first, binary(b"x" * 2000))
        self.assertEqual((last.opcode, last.payload[:2]), (CLOSE, (1013).to_bytes(2, "big")))
        self.assertIn(b"5000 bytes", last.payload)
        self.assertFalse(peer.stream.is_open)

    def test_the_closing_is_reported_with_1013(self) -> None:
        peer = self.slow()
        peer.stream.send("too much")
        peer.drop()
        end = self.successResultOf(peer.stream.when_closed())
        self.assertEqual((end.code, end.clean), (1013, False))
        self.assertIn("5000 bytes", end.reason)

    def test_a_closed_one_is_dropped_in_time(self) -> None:
        peer = self.slow(closing_timeout=5)
        peer.stream.send("too much")
        peer.clock.advance(5)
        self.assertTrue(peer.transport.aborted)

    def test_who_waits_is_told_that_it_is_closed(self) -> None:
        peer = self.slow()
        drained, answered = peer.stream.drained(), peer.stream.ping()
        peer.stream.send("too much")
        for deferred in (drained, answered):
            error: Any = self.failureResultOf(deferred, ConnectionClosed).value
            self.assertEqual(error.code, 1013)

    def test_drop_leaves_the_message_out(self) -> None:
        peer = self.slow(slow_peers="drop")
        self.assertFalse(peer.stream.send("dropped"))
        self.assertTrue(peer.stream.is_open)
        for _ in range(2):
            peer.transport.take()
        self.assertTrue(peer.stream.send("taken"))
        self.assertEqual(peer.frames, [binary(b"x" * 2000)] + [binary(b"y" * 1000)] * 5 + [text("taken")])

    def test_a_dropped_message_does_not_spoil_the_compression_of_the_next(self) -> None:
        peer = self.slow(slow_peers="drop", deflate=CONTEXT, compression_threshold=100)
        while peer.stream.send(LONG, compress=False):
            pass
        self.assertFalse(peer.stream.send(LONG + "dropped"))
        for _ in range(2):
            peer.transport.take()
        peer.stream.send(LONG + "taken")
        self.assertEqual(read_messages(peer.frames)[-1], LONG + "taken")

    def test_wait_keeps_it(self) -> None:
        peer = self.slow(slow_peers="wait")
        for _ in range(50):
            self.assertTrue(peer.stream.send(b"z" * 1000))
        drained = peer.stream.drained()
        while peer.transport.waiting:
            peer.transport.take()
        self.successResultOf(drained)
        self.assertEqual(len(peer.frames), 56)

    def test_who_reads_fast_enough_is_not_slow(self) -> None:
        peer = HybiPeer(limit=1000, max_send_buffer=5000).open()
        for _ in range(20):
            self.assertTrue(peer.stream.send(b"x" * 4000))
            self.assertTrue(peer.stream.send(b"x" * 4000))
            while peer.transport.waiting:
                peer.transport.take()
        self.assertTrue(peer.stream.is_open)

    def test_one_message_may_be_larger_than_the_buffer(self) -> None:
        peer = HybiPeer(limit=1000, max_send_buffer=5000).open()
        self.assertTrue(peer.stream.send(b"x" * 100_000))
        self.assertTrue(peer.stream.is_open)

    def test_our_close_follows_what_is_held(self) -> None:
        peer = self.slow()
        peer.stream.close()
        while peer.transport.waiting:
            peer.transport.take()
        self.assertEqual(len(peer.frames), 7)
        self.assertEqual(peer.frames[-1], close(1000))

    def test_on_hixie_a_slow_peer_is_closed_too(self) -> None:
        peer = Peer(max_send_buffer=10).open()
        peer.stream.send("sent")
        peer.transport.fill()
        self.assertTrue(peer.stream.send("ten bytes or more"))
        self.assertFalse(peer.stream.send("too much"))
        self.assertEqual(peer.received, frame_76("sent") + CLOSING)
        peer.drop()
        self.assert_end(peer, 1013, False)

    def test_a_closed_stream_takes_nothing_under_any_policy(self) -> None:
        for policy in ("close", "drop", "wait"):
            peer = HybiPeer(slow_peers=policy).open()
            peer.stream.close()
            self.assertFalse(peer.stream.send("too late"))
            self.assertEqual(peer.frames, [close(1000)])
