"""Tests of hunchensocket_tx.connection, with RFC 6455 on the wire: closing, and what ends a connection."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from hunchensocket_tx.errors import ConnectionClosed, InvalidCloseCode
from hunchensocket_tx.wire.events import CloseReason
from hunchensocket_tx.wire.frames import CLOSE, CONTINUATION, FIN, PING, TEXT
from tests.hybi_stream_support import HybiPeer, Sent, binary, close, pong, text
from tests.stream_support import ClosingTestCase, PendingHandler

PING_FRAME = Sent(FIN | PING, b"are you there")

EMPTY_CLOSE = Sent(FIN | CLOSE, b"")


class OpeningTest(SynchronousTestCase):
    """A connection of RFC 6455 is open as soon as the head of the answer is written (4.2.2)."""

    def test_it_is_what_a_transport_wants(self) -> None:
        connection = HybiPeer().stream
        for interface in (IProtocol, IHalfCloseableProtocol):
            verifyObject(interface, connection)

    def test_the_handshake_timer_is_over(self) -> None:
        peer = HybiPeer(handshake_timeout=5, ping_interval=0, websocket_timeout=0).open()
        peer.clock.advance(1000)
        self.assertFalse(peer.transport.aborted)
        self.assertTrue(peer.stream.is_open)

    def test_messages_may_come_in_the_segment_of_the_handshake(self) -> None:
        self.assertEqual(HybiPeer().open("a", "b").messages, ["a", "b"])

    def test_text_is_str_and_binary_is_bytes(self) -> None:
        peer = HybiPeer().open()
        peer.send_frames(text("grün"), binary(b"\xff\x00"))
        self.assertEqual(peer.messages, ["grün", b"\xff\x00"])

    def test_the_older_versions_are_served_alike(self) -> None:
        for version in (7, 8):
            peer = HybiPeer(version=version).open("hello")
            self.assertEqual(peer.messages, ["hello"])
            self.assertEqual(peer.stream.version, version)


class PongTest(SynchronousTestCase):
    """The peer's pings are answered (5.5.2, 5.5.3)."""

    def test_a_ping_is_answered_with_its_payload(self) -> None:
        peer = HybiPeer().open()
        peer.send_frames(PING_FRAME)
        self.assertEqual(peer.frames, [pong(PING_FRAME.payload)])

    def test_a_ping_within_a_message_is_answered_at_once(self) -> None:
        peer = HybiPeer().open()
        peer.send_frames(Sent(TEXT, b"a"), PING_FRAME)
        self.assertEqual(peer.frames, [pong(PING_FRAME.payload)])
        peer.send_frames(Sent(FIN | CONTINUATION, b"b"))
        self.assertEqual(peer.messages, ["ab"])

    def test_an_unasked_pong_does_no_harm(self) -> None:
        peer = HybiPeer().open()
        peer.send_frames(pong(b"unasked"))
        self.assertTrue(peer.stream.is_open)
        self.assertEqual(peer.frames, [])

    def test_a_paused_stream_answers_pings(self) -> None:
        peer = HybiPeer().open()
        peer.stream.pauseProducing()
        peer.send_frames(PING_FRAME)
        self.assertEqual(peer.frames, [pong(PING_FRAME.payload)])

    def test_too_many_in_a_second_are_a_policy_violation(self) -> None:
        peer = HybiPeer(max_control_frames=3).open()
        peer.send_frames(*[PING_FRAME] * 4)
        self.assertEqual(peer.frames[-1].payload[:2], (1008).to_bytes(2, "big"))
        self.assertFalse(peer.stream.is_open)

    def test_as_many_again_may_come_in_the_next_second(self) -> None:
        peer = HybiPeer(max_control_frames=3).open()
        for _ in range(4):
            peer.send_frames(*[PING_FRAME] * 3)
            peer.clock.advance(1)
        self.assertEqual(len(peer.frames), 12)
        self.assertTrue(peer.stream.is_open)

    def test_pieces_of_a_second_do_not_count_apart(self) -> None:
        peer = HybiPeer(max_control_frames=3).open()
        for _ in range(4):
            peer.send_frames(PING_FRAME)
            peer.clock.advance(0.2)
        self.assertFalse(peer.stream.is_open)


class OurCloseTest(ClosingTestCase):
    """We begin the closing handshake (5.5.1, 7.1)."""

    def test_code_and_reason_are_sent(self) -> None:
        peer = HybiPeer().open()
        peer.stream.close(4000, "enough of this")
        self.assertEqual(peer.frames, [close(4000, "enough of this")])

    def test_the_code_is_1000_by_default(self) -> None:
        peer = HybiPeer().open()
        peer.stream.close()
        self.assertEqual(peer.frames, [close(1000)])

    def test_later_calls_do_nothing(self) -> None:
        peer = HybiPeer().open()
        for code in (1000, 1001):
            peer.stream.close(code)
        self.assertEqual(peer.frames, [close(1000)])

    def test_codes_that_must_not_be_sent_are_refused_before_anything_is_sent(self) -> None:
        for code in (0, 999, 1004, 1006, 1015, 1016, 2999, 5000, 70000, -1):
            with self.subTest(code=code):
                peer = HybiPeer().open()
                self.assertRaises(InvalidCloseCode, peer.stream.close, code)
                self.assertEqual(peer.frames, [])
                self.assertTrue(peer.stream.is_open)
                self.assertTrue(peer.stream.send("still open"))

    def test_1005_which_is_for_reports_only_is_refused(self) -> None:
        peer = HybiPeer().open()
        self.assertRaises(InvalidCloseCode, peer.stream.close, 1005)
        self.assertEqual(peer.frames, [])
        self.assertTrue(peer.stream.is_open)

    def test_codes_that_may_be_sent_are(self) -> None:
        for code in (1000, 1001, 1002, 1003, 1007, 1011, 1013, 1014, 3000, 3999, 4000, 4999):
            peer = HybiPeer().open()
            peer.stream.close(code)
            self.assertEqual(peer.frames, [close(code)])

    def test_a_long_reason_is_cut_to_what_fits(self) -> None:
        peer = HybiPeer().open()
        peer.stream.close(1000, "x" * 1000)
        self.assertEqual(peer.frames, [close(1000, "x" * 123)])

    def test_a_long_reason_is_cut_at_a_character_s_border(self) -> None:
        peer = HybiPeer().open()
        peer.stream.close(1000, "x" + "\N{EURO SIGN}" * 100)
        self.assertEqual(peer.frames, [close(1000, "x" + "\N{EURO SIGN}" * 40)])

    def test_no_pong_follows_it(self) -> None:
        peer = HybiPeer().open()
        peer.stream.close()
        peer.send_frames(PING_FRAME)
        self.assertEqual(peer.frames, [close(1000)])

    def test_no_data_follows_it(self) -> None:
        peer = HybiPeer().open()
        peer.stream.close()
        self.assertFalse(peer.stream.send("too late"))
        self.assertFalse(peer.stream.send(b"too late"))
        self.failureResultOf(peer.stream.ping(), ConnectionClosed)
        self.assertEqual(peer.frames, [close(1000)])

    def test_messages_that_were_on_their_way_are_delivered(self) -> None:
        peer = HybiPeer().open()
        peer.stream.close()
        peer.say("on its way")
        self.assertEqual(peer.messages, ["on its way"])

    def test_the_peer_s_answer_ends_it_cleanly(self) -> None:
        peer = HybiPeer().open()
        peer.stream.close(4000, "ours")
        self.assertFalse(peer.transport.ended)
        peer.send_frames(close(4000))
        self.assertTrue(peer.transport.ended)
        self.assertEqual(peer.frames, [close(4000, "ours")])
        peer.finish()
        self.assert_end(peer, 4000, True)

    def test_without_an_answer_it_is_dropped_in_time(self) -> None:
        peer = HybiPeer(closing_timeout=7).open()
        peer.stream.close()
        peer.clock.advance(6.9)
        self.assertFalse(peer.transport.aborted)
        peer.clock.advance(0.1)
        self.assertTrue(peer.transport.aborted)
        peer.drop()
        self.assert_end(peer, 1006, False)

    def test_a_busy_handler_does_not_keep_it_from_finding_the_answer(self) -> None:
        peer = HybiPeer(PendingHandler()).open("a")
        peer.stream.close()
        peer.send_frames(text("b"), close(1000))
        self.assertTrue(peer.transport.ended)
        self.assertEqual(peer.frames, [close(1000)])
        peer.finish()
        self.assert_end(peer, 1000, True)

    def test_a_peer_that_has_closed_while_a_handler_was_busy_gets_its_answer_only(self) -> None:
        peer = HybiPeer(PendingHandler()).open("a")
        peer.send_frames(close(3000, "theirs"))
        peer.stream.close(4000, "ours")
        self.assertEqual(peer.frames, [close(3000)])
        peer.finish()
        self.assert_end(peer, 3000, True)


class TheirCloseTest(ClosingTestCase):
    """The peer begins the closing handshake (5.5.1, 7.1.5, 7.1.6)."""

    def test_its_code_and_reason_are_told(self) -> None:
        peer = HybiPeer().open()
        peer.send_frames(close(4321, "on a whim"))
        peer.finish()
        end = self.successResultOf(peer.stream.when_closed())
        self.assertEqual(end, CloseReason(4321, "on a whim", True))

    def test_without_a_code_1005_is_told(self) -> None:
        peer = HybiPeer().open()
        peer.send_frames(EMPTY_CLOSE)
        self.assertEqual(peer.frames, [EMPTY_CLOSE])
        peer.finish()
        self.assert_end(peer, 1005, True)

    def test_it_is_answered_with_its_code_and_tcp_ended(self) -> None:
        peer = HybiPeer().open()
        peer.send_frames(close(1001, "navigated away"))
        self.assertEqual(peer.frames, [close(1001)])
        self.assertTrue(peer.transport.ended)
        self.assertFalse(peer.transport.aborted)

    def test_answers_to_earlier_messages_are_sent_first(self) -> None:
        handler = PendingHandler()
        peer = HybiPeer(handler).open("a")
        peer.send_frames(close(1000))
        self.assertEqual(peer.frames, [])
        handler.finish()
        self.assertEqual(peer.frames, [text("A"), close(1000)])

    def test_nothing_behind_it_is_handled(self) -> None:
        peer = HybiPeer().open()
        peer.send_frames(close(1000), text("ghost"), PING_FRAME)
        peer.say("ghost")
        self.assertEqual(peer.messages, [])
        self.assertEqual(peer.frames, [close(1000)])

    def test_a_code_that_must_not_be_sent_is_an_error(self) -> None:
        for code in (999, 1005, 1006, 1015, 5000):
            peer = HybiPeer().open()
            peer.send_frames(close(code))
            self.assertEqual(peer.frames[0].payload[:2], (1002).to_bytes(2, "big"))
            peer.finish()
            self.assert_end(peer, 1002, False)

    def test_what_fails_later_has_its_code_and_reason(self) -> None:
        peer = HybiPeer().open()
        peer.transport.fill()
        waiting = [peer.stream.ping(), peer.stream.drained()]
        peer.send_frames(close(4321, "on a whim"))
        for deferred in waiting:
            error: Any = self.failureResultOf(deferred, ConnectionClosed).value
            self.assertEqual((error.code, error.reason, error.clean), (4321, "on a whim", True))


class FailureTest(ClosingTestCase):
    """The peer breaks the protocol or a limit: it is told with a code, and what it sends is ignored (7.1.7)."""

    faults: tuple[tuple[str, Sent, int], ...] = (
        ("reserved opcode", Sent(FIN | 3, b""), 1002),
        ("bad UTF-8", Sent(FIN | TEXT, b"\xff"), 1007),
        ("too big", binary(bytes(101)), 1009),
    )

    def test_it_is_told_the_code_and_it_is_reported(self) -> None:
        for name, frame, code in self.faults:
            with self.subTest(fault=name):
                peer = HybiPeer(max_message_size=100).open()
                peer.send_frames(frame, text("ghost"))
                [sent] = peer.frames
                self.assertEqual((sent.opcode, sent.payload[:2]), (CLOSE, code.to_bytes(2, "big")))
                self.assertTrue(sent.payload[2:], "there is no reason")
                self.assertTrue(peer.transport.half_closed)
                peer.finish()
                self.assert_end(peer, code, False)
                self.assertEqual(peer.messages, [])

    def test_an_unmasked_frame_is_one(self) -> None:
        peer = HybiPeer().open()
        peer.send(b"\x81\x01x")
        self.assertEqual(peer.frames[0].payload[:2], (1002).to_bytes(2, "big"))

    def test_what_was_sent_before_comes_first(self) -> None:
        peer = HybiPeer().open()
        peer.transport.fill()
        peer.stream.send("before")
        peer.send_frames(Sent(FIN | 3, b""))
        peer.transport.empty()
        self.assertEqual([frame.opcode for frame in peer.frames], [TEXT, CLOSE])


class LossTest(ClosingTestCase):
    """TCP ends without a closing handshake (7.1.5)."""

    def test_it_is_1006(self) -> None:
        peer = HybiPeer().open()
        peer.drop()
        self.assert_end(peer, 1006, False)

    def test_a_half_close_is_answered_with_a_close_frame_and_is_1006(self) -> None:
        peer = HybiPeer().open()
        peer.half_close()
        self.assertEqual(peer.frames, [close(1000)])
        self.assertTrue(peer.transport.ended)
        peer.finish()
        self.assert_end(peer, 1006, False)

    def test_the_message_that_was_coming_is_dropped(self) -> None:
        peer = HybiPeer().open()
        peer.send_frames(text("whole"), Sent(TEXT, b"half"))
        peer.drop()
        self.assertEqual(peer.messages, ["whole"])

    def test_when_closed_fires_for_all_who_wait_and_for_those_who_come_later(self) -> None:
        peer = HybiPeer().open()
        waiting = [peer.stream.when_closed() for _ in range(2)]
        peer.drop()
        waiting.append(peer.stream.when_closed())
        for closed in waiting:
            self.assertEqual(self.successResultOf(closed).code, 1006)

    def test_waiting_for_the_end_can_be_given_up(self) -> None:
        peer = HybiPeer().open()
        given_up: Deferred[Any] = peer.stream.when_closed()
        other = peer.stream.when_closed()
        given_up.cancel()
        self.failureResultOf(given_up)
        peer.drop()
        self.successResultOf(other)

    def test_no_timer_is_left(self) -> None:
        peer = HybiPeer().open()
        peer.transport.fill()
        peer.stream.send("held")
        peer.drop()
        self.assertEqual(peer.clock.getDelayedCalls(), [])

    def test_aborting_drops_it_at_once_without_a_frame(self) -> None:
        peer = HybiPeer().open()
        peer.stream.abort()
        self.assertTrue(peer.transport.aborted)
        self.assertEqual(peer.frames, [])
        self.assertFalse(peer.stream.is_open)
        peer.drop()
        self.assert_end(peer, 1006, False)
