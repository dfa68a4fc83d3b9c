"""The codec of RFC 6455: pings, pongs, and the closing handshake."""

from __future__ import annotations

from hunchensocket_tx.wire.events import Closed, Event, Ping, Pong
from hunchensocket_tx.wire.hybi import HybiCodec
from tests.hybi_support import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    HybiTestCase,
    close_frame,
    codes,
    fragments,
    open_codec,
)


class PingTests(HybiTestCase):
    """Sections 5.5, 5.5.2 and 5.5.3."""

    def test_a_ping_is_answered_with_its_payload(self) -> None:
        for payload in (b"", b"\x00\xff", bytes(range(125))):
            with self.subTest(payload):
                self.assert_events([Frame(PING, payload)], [Frame(PONG, payload), Ping(payload)])

    def test_each_ping_is_answered_in_its_order(self) -> None:
        self.assert_events(
            [Frame(PING, b"1"), Frame(TEXT, b"a"), Frame(PING, b"2")],
            [Frame(PONG, b"1"), Ping(b"1"), "a", Frame(PONG, b"2"), Ping(b"2")],
        )

    def test_a_pong_nobody_asked_for_is_told_and_not_answered(self) -> None:
        self.assert_events([Frame(PONG, b"x"), Frame(PONG)], [Pong(b"x"), Pong(b"")])

    def test_control_frames_between_fragments_are_handled_at_once(self) -> None:
        frames = [
            Frame(TEXT, b"a\xe2", fin=False),
            Frame(PING, b"1"),
            Frame(CONTINUATION, b"\x98", fin=False),
            Frame(PONG, b"2"),
            Frame(CONTINUATION, b"\x83"),
        ]
        self.assert_events(frames, [Frame(PONG, b"1"), Ping(b"1"), Pong(b"2"), "a☃"])
        self.assert_events(frames[:2], [Frame(PONG, b"1"), Ping(b"1")])

    def test_a_control_frame_has_up_to_125_bytes(self) -> None:
        for opcode in (CLOSE, PING, PONG):
            for size in (126, 127, 65536):
                with self.subTest(opcode=opcode, size=size):
                    self.assert_fails(1002, [Frame(opcode, announced=size)])

    def test_a_short_control_frame_with_a_long_length_is_refused(self) -> None:
        for opcode in (CLOSE, PING, PONG):
            for digits in (2, 8):
                with self.subTest(opcode=opcode, digits=digits):
                    self.assert_fails(1002, [Frame(opcode, digits=digits)])

    def test_a_control_frame_is_never_fragmented(self) -> None:
        for opcode in (CLOSE, PING, PONG):
            with self.subTest(opcode):
                self.assert_fails(1002, [Frame(opcode, fin=False)])

    def test_an_incomplete_ping_is_not_answered(self) -> None:
        self.assert_events([Frame(PING, b"abc", announced=4)], [])

    def test_reserved_bits_stay_reserved_within_a_message(self) -> None:
        self.assert_fails(1002, [Frame(TEXT, fin=False), Frame(PING, rsv=4)])


class PeerClosesTests(HybiTestCase):
    """Sections 5.5.1 and 7: the peer's Close is judged, answered, and the last thing that counts."""

    def test_the_code_is_sent_back_and_told_with_the_reason(self) -> None:
        self.assert_events([close_frame(1000, b"bye")], [close_frame(1000), Closed(1000, "bye")])

    def test_a_close_without_a_code_is_1005_and_answered_without_one(self) -> None:
        self.assert_events([Frame(CLOSE)], [Frame(CLOSE), Closed(1005, "")])

    def test_codes_that_may_be_sent(self) -> None:
        for code in (*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999):
            with self.subTest(code):
                self.assert_events([close_frame(code)], [close_frame(code), Closed(code, "")])

    def test_codes_that_may_not(self) -> None:
        for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
            with self.subTest(code):
                self.assert_fails(1002, [close_frame(code)])
                self.assert_fails(1002, [close_frame(code, b"why")])

    def test_half_a_code(self) -> None:
        self.assert_fails(1002, [Frame(CLOSE, b"\x03")])

    def test_a_reason_of_any_utf8_and_of_the_full_123_bytes(self) -> None:
        for reason in ("h☃😀", "x" * 123, "☃" * 41):
            with self.subTest(reason):
                self.assert_events([close_frame(1001, reason.encode())], [close_frame(1001), Closed(1001, reason)])

    def test_a_reason_that_is_not_utf8(self) -> None:
        for reason in (b"\xff", b"ok\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"cut \xe2\x98"):
            with self.subTest(reason):
                self.assert_fails(1007, [close_frame(1000, reason)])

    def test_nothing_counts_after_it(self) -> None:
        expected: list[Event | Frame] = [close_frame(1000), Closed(1000, "")]
        for later in (Frame(TEXT, b"later"), Frame(PING), close_frame(1001), Frame(3)):
            with self.subTest(later):
                self.assert_events([close_frame(1000), later], expected)

    def test_nothing_counts_after_it_in_later_reads_either(self) -> None:
        codec = open_codec()
        codec.receive(close_frame(1000).render(True))
        for later in (Frame(TEXT, b"later"), Frame(PING), close_frame(1001), Frame(3)):
            with self.subTest(later):
                self.assertEqual(codec.receive(later.render(True)), [])

    def test_it_may_come_within_a_message_which_is_dropped(self) -> None:
        frames = [Frame(TEXT, b"half", fin=False), close_frame(1001), Frame(CONTINUATION, b"rest")]
        self.assert_events(frames, [close_frame(1001), Closed(1001, "")])

    def test_it_is_answered_once(self) -> None:
        codec = open_codec()
        codec.receive(close_frame(1000).render(True))
        self.assertEqual(codec.close(1000, ""), b"")


class WeCloseTests(HybiTestCase):
    """Sections 5.5.1 and 7.1: after our own Close no Pong and no second Close, but reading goes on."""

    def closing(self, client: bool = False) -> HybiCodec:
        codec = open_codec(client=client)
        codec.close(1000, "")
        return codec

    def assert_closing(self, frames: list[Frame], expected: list[Event]) -> None:
        for client in (False, True):
            data = b"".join(frame.render(not client) for frame in frames)
            self.assertEqual(self.closing(client).receive(data), expected)

    def test_a_close_frame_has_code_and_reason(self) -> None:
        for client in (False, True):
            frame = close_frame(4000, "h☃".encode())
            self.assertEqual(open_codec(client=client).close(4000, "h☃"), frame.render(client))

    def test_a_close_frame_may_be_empty(self) -> None:
        for client in (False, True):
            self.assertEqual(open_codec(client=client).close(1005, ""), Frame(CLOSE).render(client))

    def test_a_second_close_sends_nothing(self) -> None:
        codec = open_codec()
        self.assertNotEqual(codec.close(1000, ""), b"")
        self.assertEqual(codec.close(1001, "again"), b"")

    def test_a_code_that_is_refused_does_not_count_as_a_close(self) -> None:
        codec = open_codec()
        with self.assertRaises(ValueError):
            codec.close(1006, "")
        self.assertEqual(codec.close(1000, ""), close_frame(1000).render(False))

    def test_the_peers_close_is_told_and_not_answered_again(self) -> None:
        self.assert_closing([close_frame(1000, b"ok")], [Closed(1000, "ok")])
        self.assert_closing([Frame(CLOSE)], [Closed(1005, "")])

    def test_messages_that_were_under_way_are_delivered(self) -> None:
        frames = [Frame(TEXT, b"a"), *fragments(BINARY, [b"b", b"c"]), close_frame(1000)]
        self.assert_closing(frames, ["a", b"bc", Closed(1000, "")])

    def test_a_ping_is_not_answered_any_more(self) -> None:
        self.assert_closing([Frame(PING, b"x")], [Ping(b"x")])

    def test_an_invalid_close_still_fails(self) -> None:
        self.assertEqual(codes(self.closing().receive(close_frame(1005).render(True))), [1002])

    def test_a_failed_connection_can_send_its_close(self) -> None:
        codec = open_codec()
        self.assertEqual(codes(codec.receive(Frame(3).render(True))), [1002])
        self.assertEqual(codec.close(1002, ""), close_frame(1002).render(False))
