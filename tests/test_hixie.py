"""The codec of hixie-76 and hixie-75: challenge, frames, limits, UTF-8, closing. Sections are hybi-00's."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.errors import UnsupportedMessage
from hunchensocket_tx.wire.events import Failed, Opened, Reply
from hunchensocket_tx.wire.hixie import HixieCodec, challenge_response
from tests.wire_support import (
    VECTORS,
    CodecTestCase,
    codec_75,
    codec_at_client,
    codec_at_server,
    cut,
    cuts,
    messages,
    open_codec,
    properties,
    receive,
    single_bytes,
)


class ChallengeTests(SynchronousTestCase):
    """Section 5.2 steps 4 to 9; the vectors of section 2 of HIXIE76.md."""

    def test_the_vectors(self) -> None:
        for vector in VECTORS:
            with self.subTest(vector):
                self.assertEqual(challenge_response(vector.part1, vector.part2, vector.key3), vector.response)

    def test_the_smallest_and_the_largest_numbers_fit(self) -> None:
        for part in (0, 2**32 - 1):
            self.assertEqual(len(challenge_response(part, part, bytes(8))), 16)


class ServerOpeningTests(SynchronousTestCase):
    """Section 5.2 steps 8 to 13: key3 is eight raw bytes behind the head, and the answer is sixteen."""

    def test_key3_is_answered_and_opens(self) -> None:
        for vector in VECTORS:
            with self.subTest(vector):
                events = codec_at_server(vector).receive(vector.key3)
                self.assertEqual(events, [Reply(vector.response), Opened()])

    def test_key3_may_come_byte_by_byte(self) -> None:
        for vector in VECTORS:
            codec = codec_at_server(vector)
            self.assertEqual(receive(codec, [b"", *single_bytes(vector.key3[:7])]), [])
            self.assertEqual(codec.receive(vector.key3[7:]), [Reply(vector.response), Opened()])

    def test_frames_may_follow_in_the_same_read(self) -> None:
        events = codec_at_server().receive(VECTORS[0].key3 + b"\x00hi\xff\x00ho")
        self.assertEqual(events, [Reply(VECTORS[0].response), Opened(), "hi"])

    def test_a_key3_that_looks_like_frames_is_none(self) -> None:
        for key3 in (b"\x00hello\xff\x00", b"\xff\x00" * 4, b"\r\n\r\n\r\n\r\n", b"\x80" * 8, bytes(8)):
            with self.subTest(key3):
                response = challenge_response(VECTORS[0].part1, VECTORS[0].part2, key3)
                events = codec_at_server().receive(key3 + b"\x00hi\xff")
                self.assertEqual(events, [Reply(response), Opened(), "hi"])

    def test_one_opening_is_all(self) -> None:
        codec = open_codec()
        self.assertEqual(codec.receive(b""), [])
        self.assertEqual(receive(codec, single_bytes(b"\x00" + VECTORS[0].key3 + b"\xff")), ["^n:ds[4U"])


class ClientOpeningTests(SynchronousTestCase):
    """Section 4.1, the last steps: the client reads sixteen bytes and compares."""

    def test_the_right_response_opens(self) -> None:
        self.assertEqual(codec_at_client().receive(VECTORS[0].response), [Opened()])

    def test_the_response_may_come_byte_by_byte(self) -> None:
        codec = codec_at_client()
        self.assertEqual(receive(codec, single_bytes(VECTORS[0].response[:15])), [])
        self.assertEqual(codec.receive(VECTORS[0].response[15:] + b"\x00hi\xff"), [Opened(), "hi"])

    def test_a_response_that_is_wrong_in_any_bit_fails(self) -> None:
        for index in range(16):
            response = bytearray(VECTORS[0].response)
            response[index] ^= 1
            codec = codec_at_client()
            events = codec.receive(bytes(response) + b"\x00hi\xff")
            with self.subTest(index):
                self.assertEqual([type(event) for event in events], [Failed])
                self.assertEqual(codec.receive(b"\x00hi\xff"), [])


class TextTests(CodecTestCase):
    """Sections 4.2 and 5.3: type 0x00, UTF-8 up to the next 0xFF."""

    def test_a_text_is_delivered(self) -> None:
        self.assert_events(b"\x00hello\xff", ["hello"])

    def test_an_empty_text_is_a_message_and_not_a_close(self) -> None:
        self.assert_events(b"\x00\xff", [""])
        self.assert_events(b"\x00\xff\x00\xff\x00a\xff", ["", "", "a"])

    def test_zero_bytes_inside_a_text_are_text(self) -> None:
        self.assert_events(b"\x00\x00a\x00b\x00\xff", ["\0a\0b\0"])

    def test_text_of_every_utf8_length_arrives(self) -> None:
        for text in ("a\x7f", "\x80\xe9\u07ff", "\u0800☃\ufffd\uffff", "\U00010000😀\U0010ffff"):
            with self.subTest(text):
                self.assert_events(b"\x00" + text.encode() + b"\xff", [text])

    def test_messages_come_in_the_order_of_the_wire(self) -> None:
        self.assert_events(b"\x00a\xff\x00b\xff\x00c\xff", ["a", "b", "c"])

    def test_an_unterminated_text_is_not_delivered(self) -> None:
        self.assert_events(b"\x00a\xff\x00half", ["a"])

    def test_encoding_gives_a_frame(self) -> None:
        self.assertEqual(open_codec().encode("h☃"), b"\x00h\xe2\x98\x83\xff")
        self.assertEqual(open_codec().encode(""), b"\x00\xff")

    def test_bytes_have_no_frame(self) -> None:
        for codec in (open_codec(), open_codec(client=True), codec_75()):
            data: Any
            for data in (b"data", b"", bytearray(b"data")):
                with self.subTest(data), self.assertRaises(UnsupportedMessage):
                    codec.encode(data)

    def test_a_lone_surrogate_has_no_frame(self) -> None:
        with self.assertRaises(UnicodeEncodeError):
            open_codec().encode("\ud800")

    @properties
    @given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))), cuts, st.booleans())
    def test_what_one_end_encodes_the_other_delivers(
        self, texts: list[str], places: list[int], client: bool
    ) -> None:
        sender = open_codec(client=not client)
        data = b"".join(sender.encode(text) for text in texts)
        self.assertEqual(receive(open_codec(client=client), cut(data, places)), texts)


class SkippedFrameTests(CodecTestCase):
    """Section 5.3: whatever is neither type 0x00 nor the closing handshake is read and discarded."""

    def test_types_without_the_high_bit_run_to_the_terminator(self) -> None:
        for kind in range(0x01, 0x80):
            with self.subTest(kind):
                self.assert_events(bytes([kind]) + b"\x00skip\x80\x00\xff\x00next\xff", ["next"])

    def test_empty_frames_of_these_types_are_skipped(self) -> None:
        for kind in range(0x01, 0x80):
            with self.subTest(kind):
                self.assert_events(bytes([kind]) + b"\xff\x00next\xff", ["next"])

    def test_bad_utf8_in_a_skipped_frame_is_nobodys_business(self) -> None:
        self.assert_events(b"\x01\xc0\x80\xed\xa0\x80\xff\x00next\xff", ["next"])

    def test_types_with_the_high_bit_have_a_length(self) -> None:
        for kind in range(0x80, 0x100):
            with self.subTest(kind):
                self.assert_events(bytes([kind]) + b"\x05\x00sk\xff\xff\x00next\xff", ["next"])

    def test_these_types_with_length_zero_are_skipped_save_one(self) -> None:
        for kind in range(0x80, 0xFF):
            with self.subTest(kind):
                self.assert_events(bytes([kind]) + b"\x00\x00next\xff", ["next"])

    def test_a_length_has_its_most_significant_group_first(self) -> None:
        for encoded, length in ((b"\x7f", 127), (b"\x81\x00", 128), (b"\x82\x03", 259), (b"\x81\x80\x00", 16384)):
            with self.subTest(length):
                self.assert_events(b"\x80" + encoded + b"\xff" * length + b"\x00next\xff", ["next"])

    def test_leading_zeros_of_a_length_count_for_nothing(self) -> None:
        self.assert_events(b"\x80\x80\x80\x02\x00\xff\x00next\xff", ["next"])

    def test_a_skipped_frame_is_not_kept_in_memory(self) -> None:
        piece = b"a" * 65536
        for start in (b"\x01", b"\x80\x84\x80\x80\x00"):  # the length is 8 MiB
            codec = open_codec()
            codec.receive(start)
            tracemalloc.start()
            try:
                receive(codec, [piece] * 127)
                held = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            with self.subTest(start):
                self.assertLess(held, 4 * len(piece))


class LimitTests(CodecTestCase):
    """Section 4.2: an implementation may limit what it takes, and what it skips."""

    def test_a_text_may_be_as_large_as_the_limit(self) -> None:
        self.assert_events(b"\x0012345\xff\x0067890\xff", ["12345", "67890"], max_message_size=5)

    def test_a_larger_text_fails_before_it_ends(self) -> None:
        self.assert_fails(1009, b"\x00123456", max_message_size=5)

    def test_the_limit_is_for_bytes_and_not_for_characters(self) -> None:
        self.assert_events(b"\x00" + "☃".encode() + b"\xff", ["☃"], max_message_size=3)
        self.assert_fails(1009, b"\x00" + "☃☃".encode()[:4], max_message_size=3)

    def test_a_message_before_one_that_is_too_large_is_delivered(self) -> None:
        events = open_codec(max_message_size=5).receive(b"\x00ok\xff\x00123456\xff\x00never\xff")
        self.assertEqual(events[0], "ok")
        self.assertEqual([type(event) for event in events[1:]], [Failed])

    def test_a_frame_to_skip_may_be_as_large_as_its_limit(self) -> None:
        for data in (b"\x0112345\xff\x0112345\xff", b"\x80\x0512345\x80\x0512345", b"\xff\x0512345\xff\x0512345"):
            with self.subTest(data):
                self.assert_events(data + b"\x00next\xff", ["next"], max_skip_size=5)

    def test_a_larger_unterminated_frame_to_skip_fails_before_it_ends(self) -> None:
        self.assert_fails(1009, b"\x01123456", max_skip_size=5)

    def test_an_announced_length_is_judged_before_any_of_it_arrives(self) -> None:
        for kind in (b"\x80", b"\xc3", b"\xff"):
            with self.subTest(kind):
                self.assert_fails(1009, kind + b"\x06", max_skip_size=5)
                self.assert_fails(1009, kind + b"\x81\x00", max_skip_size=127)

    def test_the_two_limits_are_independent(self) -> None:
        self.assert_events(b"\x01123456789\xff\x80\x09123456789", [], max_message_size=5)
        self.assert_events(b"\x00123456789\xff", ["123456789"], max_skip_size=5)

    def test_a_length_of_zeros_without_end_fails(self) -> None:
        for kind in (0x80, 0xFF):
            with self.subTest(kind):
                events = receive(open_codec(), [bytes([kind]), *[b"\x80"] * 20])
                self.assertEqual([type(event) for event in events], [Failed])

    def test_an_enormous_length_fails_whatever_the_limit(self) -> None:
        events = open_codec(max_skip_size=2**70).receive(b"\x80" + b"\xff" * 20)
        self.assertEqual([type(event) for event in events], [Failed])

    def test_a_length_just_over_four_gibibytes_is_not_taken_modulo_anything(self) -> None:
        self.assert_fails(1009, b"\x80\x90\x80\x80\x80\x00", max_skip_size=2**32 - 1)
        self.assert_fails(1009, b"\xff\xa0\x80\x80\x80\x00", max_skip_size=2**32)


class BadTextTests(CodecTestCase):
    """Section 5.4 leaves it open what a server does; section 4.3 has a client substitute U+FFFD."""

    BAD = {
        "a lone continuation byte": b"\x80",
        "a sequence that is cut off": b"\xe2\x98",
        "an overlong slash": b"\xc0\xaf",
        "an overlong NUL": b"\xc0\x80",
        "an overlong euro sign": b"\xf0\x82\x82\xac",
        "a surrogate": b"\xed\xa0\x80",
        "a pair of surrogates (CESU-8)": b"\xed\xa0\xbd\xed\xb8\x80",
        "beyond U+10FFFF": b"\xf4\x90\x80\x80",
        "five bytes of old": b"\xf8\x88\x80\x80\x80",
        "a byte that never occurs": b"\xfe",
    }

    def test_a_strict_server_fails(self) -> None:
        for name, bad in self.BAD.items():
            with self.subTest(name):
                self.assert_fails(1007, b"\x00a" + bad + b"b\xff")

    def test_a_lenient_server_substitutes(self) -> None:
        self.assert_substituted(lambda: open_codec(invalid_utf8="replace"))

    def test_a_client_substitutes_always(self) -> None:
        self.assert_substituted(lambda: open_codec(client=True, invalid_utf8="close"))

    def assert_substituted(self, make: Callable[[], HixieCodec]) -> None:
        for name, bad in self.BAD.items():
            for pieces in (
                cut(b"\x00a" + bad + b"b\xff\x00next\xff", []),
                single_bytes(b"\x00a" + bad + b"b\xff\x00next\xff"),
            ):
                with self.subTest(name):
                    events = receive(make(), pieces)
                    self.assertEqual(len(events), 2)
                    text = str(events[0])
                    self.assertEqual(text.replace("\ufffd", ""), "ab")
                    self.assertIn("\ufffd", text)
                    self.assertEqual(events[1], "next")

    def test_a_character_cut_in_two_by_the_network_is_whole(self) -> None:
        codec = open_codec()
        self.assertEqual(receive(codec, [b"\x00\xe2", b"\x98", b"\x83\xff"]), ["☃"])

    def test_a_message_before_bad_text_is_delivered(self) -> None:
        events = open_codec().receive(b"\x00ok\xff\x00\x80\xff\x00never\xff")
        self.assertEqual(messages(events), ["ok"])
