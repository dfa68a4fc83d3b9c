"""The codec of RFC 6455 with permessage-deflate (RFC 7692 section 7.2): RSV1, fragments, limits."""

from __future__ import annotations

import tracemalloc
import zlib

from hunchensocket_tx.wire.deflate import DeflateParameters
from hunchensocket_tx.wire.events import Event, Ping
from tests.hybi_support import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    HybiTestCase,
    codes,
    fragments,
    open_codec,
)
from tests.wire_support import single_bytes

RSV1 = 4

AGREED = DeflateParameters()

HELLO = bytes.fromhex("f2 48 cd c9 c9 07 00")
"""Section 7.2.3.1."""


def deflated(data: bytes, flush: int = zlib.Z_SYNC_FLUSH) -> bytes:
    """Compress a message without context, as section 7.2.1 says."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (compressor.compress(data) + compressor.flush(flush))[:-4]


class VectorTests(HybiTestCase):
    """RFC 7692 section 7.2.3."""

    def test_the_vectors(self) -> None:
        for name, payload, expected in (
            ("7.2.3.1 one compressed block", "f2 48 cd c9 c9 07 00", "Hello"),
            ("7.2.3.3 a block without compression", "00 05 00 fa ff 48 65 6c 6c 6f 00", "Hello"),
            ("7.2.3.4 a block with BFINAL", "f3 48 cd c9 c9 07 00 00", "Hello"),
            ("7.2.3.5 two blocks", "f2 48 05 00 00 00 ff ff ca c9 c9 07 00", "Hello"),
            ("7.2.3.6 nothing", "00", ""),
        ):
            with self.subTest(name):
                frame = Frame(TEXT, bytes.fromhex(payload), rsv=RSV1)
                self.assert_events([frame, Frame(TEXT, b"end")], [expected, "end"], parameters=AGREED)

    def test_as_it_stands_on_the_wire(self) -> None:
        codec = open_codec(client=True, parameters=AGREED)
        self.assertEqual(codec.receive(bytes.fromhex("c1 07 f2 48 cd c9 c9 07 00")), ["Hello"])

    def test_in_two_fragments(self) -> None:
        codec = open_codec(client=True, parameters=AGREED)
        self.assertEqual(codec.receive(bytes.fromhex("41 03 f2 48 cd 80 04 c9 c9 07 00")), ["Hello"])

    def test_sharing_the_window(self) -> None:
        frames = [Frame(TEXT, HELLO, rsv=RSV1), Frame(TEXT, bytes.fromhex("f2 00 11 00 00"), rsv=RSV1)]
        self.assert_events(frames, ["Hello", "Hello"], parameters=AGREED)

    def test_the_same_message_again_without_sharing(self) -> None:
        free = DeflateParameters(True, True)
        for parameters in (AGREED, free):
            self.assert_events([Frame(TEXT, HELLO, rsv=RSV1)] * 2, ["Hello"] * 2, parameters=parameters)

    def test_every_vector_after_every_other(self) -> None:
        payloads = [
            bytes.fromhex(payload)
            for payload in (
                "f2 48 cd c9 c9 07 00",
                "00 05 00 fa ff 48 65 6c 6c 6f 00",
                "f3 48 cd c9 c9 07 00 00",
                "f2 48 05 00 00 00 ff ff ca c9 c9 07 00",
            )
        ]
        for first in payloads:
            for second in payloads:
                frames = [Frame(TEXT, payload, rsv=RSV1) for payload in (first, second)]
                for parameters in (AGREED, DeflateParameters(True, True)):
                    with self.subTest(first=first, second=second, parameters=parameters):
                        self.assert_events(frames, ["Hello", "Hello"], parameters=parameters)


class ReservedBitTests(HybiTestCase):
    """Section 6: RSV1 is on the first frame of a compressed message, and nowhere else."""

    def test_a_message_without_it_is_plain(self) -> None:
        self.assert_events([Frame(TEXT, b"plain")], ["plain"], parameters=AGREED)
        self.assert_events([Frame(BINARY, HELLO)], [HELLO], parameters=AGREED)

    def test_plain_and_compressed_messages_may_alternate(self) -> None:
        plain, compressed = Frame(TEXT, b"plain"), Frame(TEXT, HELLO, rsv=RSV1)
        self.assert_events(
            [compressed, plain, compressed, *fragments(TEXT, [b"a", b"b"]), compressed],
            ["Hello", "plain", "Hello", "ab", "Hello"],
            parameters=AGREED,
        )

    def test_on_a_continuation(self) -> None:
        for rsv in (0, RSV1):
            frames = [Frame(TEXT, HELLO[:3], fin=False, rsv=rsv), Frame(CONTINUATION, HELLO[3:], rsv=RSV1)]
            with self.subTest(rsv):
                self.assert_fails(1002, [frames[0]._replace(payload=b""), frames[1]], parameters=AGREED)

    def test_on_a_control_frame(self) -> None:
        for opcode in (CLOSE, PING, PONG):
            with self.subTest(opcode):
                self.assert_fails(1002, [Frame(opcode, rsv=RSV1)], parameters=AGREED)

    def test_the_other_bits_stay_reserved(self) -> None:
        for rsv in (1, 2, 3, 5, 6, 7):
            with self.subTest(rsv):
                self.assert_fails(1002, [Frame(TEXT, rsv=rsv)], parameters=AGREED)

    def test_without_an_agreement(self) -> None:
        self.assert_fails(1002, [Frame(TEXT, HELLO, rsv=RSV1)])


class CompressedMessageTests(HybiTestCase):
    def test_in_fragments_of_any_size(self) -> None:
        for parts in (single_bytes(HELLO), [b"", HELLO], [HELLO, b""], [b"", b"", HELLO[:2], b"", HELLO[2:], b""]):
            with self.subTest(parts):
                frames = [*fragments(TEXT, parts, RSV1), Frame(TEXT, b"end")]
                self.assert_events(frames, ["Hello", "end"], parameters=AGREED)

    def test_with_a_ping_between_the_fragments(self) -> None:
        first, second = fragments(TEXT, [HELLO[:3], HELLO[3:]], RSV1)
        expected: list[Event | Frame] = [Frame(PONG, b"x"), Ping(b"x"), "Hello"]
        self.assert_events([first, Frame(PING, b"x"), second], expected, parameters=AGREED)

    def test_binary_is_bytes(self) -> None:
        self.assert_events([Frame(BINARY, HELLO, rsv=RSV1)], [b"Hello"], parameters=AGREED)

    def test_broken_data(self) -> None:
        for payload in (b"\x07", b"\x06", b"\x00\x05\x00\x00\x00Hello", b"\xf2\x00\x11\x00\x00"):
            with self.subTest(payload):
                self.assert_fails(1007, [Frame(TEXT, payload, rsv=RSV1)], parameters=AGREED)

    def test_text_that_is_not_utf8_when_inflated(self) -> None:
        for broken in (b"\xff", b"ok\xed\xa0\x80", b"cut \xe2\x98"):
            payload = deflated(broken)
            with self.subTest(broken):
                self.assert_fails(1007, [Frame(TEXT, payload, rsv=RSV1)], parameters=AGREED)
                self.assert_fails(1007, fragments(TEXT, single_bytes(payload), RSV1), parameters=AGREED)
                self.assert_events([Frame(BINARY, payload, rsv=RSV1)], [broken], parameters=AGREED)

    def test_a_code_point_may_straddle_compressed_fragments(self) -> None:
        payload = deflated("☃😀é".encode(), zlib.Z_FULL_FLUSH)
        self.assert_events(fragments(TEXT, single_bytes(payload), RSV1), ["☃😀é"], parameters=AGREED)

    def test_bad_text_fails_before_the_message_is_complete(self) -> None:
        codec = open_codec(client=True, parameters=AGREED)
        data = Frame(TEXT, deflated(b"\xff") + b"\x00\x00\xff\xff", rsv=RSV1, announced=100)
        self.assertEqual(codes(codec.receive(data.render(False))), [1007])

    def test_bad_text_and_too_much_of_it_fail_the_same_whatever_the_cut(self) -> None:
        # The bad byte comes first, so it is what counts.
        frame = Frame(TEXT, deflated(b"\xff" + b"a" * 1000), rsv=RSV1)
        self.assert_fails(1007, [frame], parameters=AGREED, max_message_size=10)


class LimitTests(HybiTestCase):
    """Section 4 of RFC6455.md: what counts is what comes out, and no more than the limit is ever made."""

    def test_a_message_that_inflates_to_just_the_limit_is_taken(self) -> None:
        payload = deflated(b"a" * 1000)
        self.assert_events(
            [Frame(TEXT, payload, rsv=RSV1)] * 2, ["a" * 1000] * 2, parameters=AGREED, max_message_size=1000
        )

    def test_a_message_that_inflates_to_a_byte_more_is_not(self) -> None:
        payload = deflated(b"a" * 1001)
        self.assert_fails(1009, [Frame(TEXT, payload, rsv=RSV1)], parameters=AGREED, max_message_size=1000)

    def test_fragments_count_together(self) -> None:
        compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
        parts = [compressor.compress(b"a" * 400) + compressor.flush(zlib.Z_SYNC_FLUSH) for _ in range(3)]
        self.assert_fails(1009, fragments(TEXT, parts, RSV1), parameters=AGREED, max_message_size=1000)
        self.assert_events(fragments(TEXT, parts, RSV1), ["a" * 1200], parameters=AGREED, max_message_size=1200)

    def test_a_message_may_be_larger_compressed_than_inflated(self) -> None:
        # Each flush adds five bytes of nothing.
        payload = deflated(b"a") + b"\x00\x00\xff\xff" + b"\x00\x00\x00\xff\xff" * 20 + b"\x00"
        self.assert_events([Frame(TEXT, payload, rsv=RSV1)], ["a"], parameters=AGREED, max_message_size=5)

    def test_a_compressed_frame_has_a_limit_as_well(self) -> None:
        self.assert_fails(1009, [Frame(TEXT, rsv=RSV1, announced=11)], parameters=AGREED, max_frame_size=10)
        frames = [Frame(TEXT, rsv=RSV1, fin=False), Frame(CONTINUATION, announced=11)]
        self.assert_fails(1009, frames, parameters=AGREED, max_frame_size=10)

    def test_a_plain_message_after_a_compressed_one_counts_anew(self) -> None:
        frames = [Frame(TEXT, deflated(b"a" * 900), rsv=RSV1), Frame(TEXT, b"b" * 900)]
        self.assert_events(frames, ["a" * 900, "b" * 900], parameters=AGREED, max_message_size=1000)

    def test_a_plain_message_after_a_compressed_one_has_its_limit(self) -> None:
        frames = [Frame(TEXT, HELLO, rsv=RSV1), Frame(TEXT, announced=1001)]
        self.assert_fails(1009, frames, before=["Hello"], parameters=AGREED, max_message_size=1000)

    def test_a_bomb_costs_little_memory(self) -> None:
        compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
        mebibyte = compressor.compress(bytes(1024 * 1024)) + compressor.flush(zlib.Z_FULL_FLUSH)
        for pieces in (False, True):
            codec = open_codec(parameters=AGREED, pieces=pieces)
            data = Frame(BINARY, mebibyte * 200, rsv=RSV1).render(True)
            tracemalloc.start()
            try:
                self.assertEqual(codes(codec.receive(data)), [1009])
                self.assertLess(tracemalloc.get_traced_memory()[1], 8 * 1024 * 1024)
            finally:
                tracemalloc.stop()
