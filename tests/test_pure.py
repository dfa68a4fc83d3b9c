"""Tests of hunchensocket_tx.wire.pure, and of its compiled twin where that was built."""

from __future__ import annotations

import tracemalloc
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.hybi_support import BINARY, CONTINUATION, KEY, PING, TEXT, Frame, xor
from tests.twins import TWINS, TwinCase
from tests.wire_support import cut, cuts, properties, single_bytes

keys = st.binary(min_size=4, max_size=4)


class MaskTests(TwinCase):
    """RFC 6455 section 5.3."""

    def test_the_vector(self) -> None:
        for twin in TWINS.values():
            self.assertEqual(twin.apply_mask(b"Hello", KEY), bytes.fromhex("7f9f4d5158"))
            self.assertEqual(twin.apply_mask(b"", KEY), b"")

    def test_octet_i_is_masked_with_octet_i_mod_4_at_all_sizes(self) -> None:
        for name, twin in TWINS.items():
            for size in (*range(70), *range(1020, 1035), 65535, 65536, 65537):
                data = bytes(index * 7 & 0xFF for index in range(size))
                with self.subTest(twin=name, size=size):
                    self.assertEqual(twin.apply_mask(data, KEY), xor(data, KEY))

    def test_leading_and_trailing_zeros_are_kept(self) -> None:
        # Numbers would lose them, and an implementation may use numbers.
        for twin in TWINS.values():
            for size in range(1, 18):
                self.assertEqual(twin.apply_mask((KEY * 5)[:size], KEY), bytes(size))

    def test_what_is_like_bytes_is_masked_too(self) -> None:
        for twin in TWINS.values():
            for kind in (bytearray, memoryview):
                self.assertEqual(twin.apply_mask(kind(b"Hello"), KEY), bytes.fromhex("7f9f4d5158"))

    @properties
    @given(st.binary(max_size=300), keys)
    def test_masking_twice_gives_the_data_back(self, data: bytes, key: bytes) -> None:
        for twin in TWINS.values():
            self.assertEqual(twin.apply_mask(twin.apply_mask(data, key), key), data)


class TakeMessagesTests(TwinCase):
    """Section 5.2: frames that are whole messages, all here and right."""

    def assert_taken(self, data: bytes, taken: list[object], rest: bytes, *, masked: bool, limit: int) -> None:
        for name, twin in TWINS.items():
            for before in (b"", b"\x81"):
                events: list[object] = ["first"]
                with self.subTest(twin=name, data=data[:20]):
                    position = twin.take_messages(before + data, len(before), masked, limit, events)
                    self.assertEqual(events, ["first", *taken])
                    self.assertEqual((before + data)[position:], rest)

    def test_messages_of_every_form_of_length_are_taken(self) -> None:
        for size in (0, 1, 7, 8, 9, 124, 125, 126, 127, 128, 65535, 65536, 65537):
            for masked in (False, True):
                frames = [Frame(TEXT, b"x" * size), Frame(BINARY, b"\xff" * size), Frame(TEXT, b"end")]
                data = b"".join(frame.render(masked) for frame in frames)
                self.assert_taken(data, ["x" * size, b"\xff" * size, "end"], b"", masked=masked, limit=2**70)

    def test_text_beyond_ascii_is_decoded(self) -> None:
        for text in ("é", "a☃", "\U0010ffff" * 40, "x" * 130 + "é", "\0\x7f\x80\ud7ff\ue000\uffff"):
            self.assert_taken(Frame(TEXT, text.encode()).render(True), [text], b"", masked=True, limit=200)

    def test_what_is_not_plain_or_not_right_is_left(self) -> None:
        for frame in (
            *(Frame(opcode, b"ab") for opcode in range(16) if opcode not in (TEXT, BINARY)),
            *(Frame(opcode, b"ab", fin=False) for opcode in (CONTINUATION, TEXT, BINARY, PING)),
            *(Frame(TEXT, b"ab", rsv=rsv) for rsv in range(1, 8)),
            *(Frame(BINARY, b"ab" * 10, digits=digits) for digits in (2, 8)),
            Frame(BINARY, bytes(300), digits=8),
            *(Frame(TEXT, bad) for bad in (b"\xff", b"abc\xe2\x98", b"\xed\xa0\x80", b"\xc0\xaf")),
            *(Frame(BINARY, b"ab", announced=size) for size in (3, 126, 65536, 2**63 - 1, 2**64 - 1)),
        ):
            for masked in (False, True):
                rest = frame.render(masked)
                before = Frame(TEXT, b"before").render(masked)
                self.assert_taken(before + rest, ["before"], rest, masked=masked, limit=2**70)

    def test_a_frame_that_is_masked_or_not_as_it_must_not_be_is_left(self) -> None:
        for masked in (False, True):
            for size in (0, 5, 126, 65536):
                rest = Frame(TEXT, b"a" * size).render(not masked)
                self.assert_taken(rest, [], rest, masked=masked, limit=2**70)

    def test_a_larger_one_is_left(self) -> None:
        for size in (1, 5, 125, 126, 65536):
            for masked in (False, True):
                data = Frame(TEXT, b"a" * size).render(masked)
                self.assert_taken(data, ["a" * size], b"", masked=masked, limit=size)
                self.assert_taken(data, [], data, masked=masked, limit=size - 1)

    def test_what_is_cut_anywhere_is_left(self) -> None:
        for size in (0, 3, 126):
            for masked in (False, True):
                data = Frame(TEXT, b"a" * size).render(masked)
                for end in range(len(data)):
                    self.assert_taken(data[:end], [], data[:end], masked=masked, limit=2**20)


class TakeTextsTests(TwinCase):
    """hybi-00 section 5.3: 0x00, UTF-8, 0xFF."""

    def assert_taken(self, data: bytes, taken: list[object], rest: bytes, errors: str = "strict") -> None:
        for name, twin in TWINS.items():
            events: list[object] = []
            with self.subTest(twin=name, data=data[:20]):
                position = twin.take_texts(b"\x00" + data, 1, 6, errors, events)
                self.assertEqual((events, data[position - 1 :]), (taken, rest))

    def test_whole_texts_are_taken(self) -> None:
        self.assert_taken(b"\x00\xff\x00ab\xff\x00\xe2\x98\x83\x00\xff", ["", "ab", "☃\0"], b"")

    def test_what_is_not_whole_or_no_text_is_left(self) -> None:
        for rest in (b"\x00", b"\x00ab", b"\xff\x00", b"\x01ab\xff", b"\x80\x02ab", b""):
            self.assert_taken(b"\x00ab\xff" + rest, ["ab"], rest)

    def test_a_text_over_the_limit_is_left(self) -> None:
        self.assert_taken(b"\x00abcdef\xff\x00abcdefg\xff", ["abcdef"], b"\x00abcdefg\xff")

    def test_bad_text_is_left_or_replaced(self) -> None:
        for bad in (b"\x80", b"\xe2\x98", b"\xed\xa0\x80", b"a\xfe"):
            data = b"\x00" + bad + b"\xff"
            self.assert_taken(data, [], data)
            self.assert_taken(data, [bad.decode(errors="replace")], b"", "replace")


class FrameTests(TwinCase):
    """What is sent."""

    def test_a_message_is_one_frame(self) -> None:
        for name, twin in TWINS.items():
            for size in (0, 1, 124, 125, 126, 127, 65535, 65536, 65537):
                with self.subTest(twin=name, size=size):
                    self.assertEqual(twin.message_frame("x" * size), Frame(TEXT, b"x" * size).render(False))
                    self.assertEqual(twin.message_frame(bytes(size)), Frame(BINARY, bytes(size)).render(False))
                    self.assertEqual(twin.text_frame("x" * size), b"\x00" + b"x" * size + b"\xff")

    def test_a_masked_message_is_one_frame_with_its_key(self) -> None:
        for name, twin in TWINS.items():
            for size in (*range(20), 124, 125, 126, 127, 65535, 65536, 65537):
                text = ("abcdefg" * (size // 7 + 1))[:size]
                with self.subTest(twin=name, size=size):
                    self.assertEqual(twin.masked_frame(text, KEY), Frame(TEXT, text.encode()).render(True))
                    self.assertEqual(
                        twin.masked_frame(text.encode(), KEY), Frame(BINARY, text.encode()).render(True)
                    )

    def test_the_masked_example(self) -> None:
        """Section 5.7."""
        for twin in TWINS.values():
            self.assertEqual(twin.masked_frame("Hello", KEY), bytes.fromhex("818537fa213d7f9f4d5158"))

    def test_text_beyond_ascii_is_encoded(self) -> None:
        for twin in TWINS.values():
            for text in ("é" * 63, "☃" * 42, "\U0010ffff", "\0é"):
                self.assertEqual(twin.message_frame(text), Frame(TEXT, text.encode()).render(False))
                self.assertEqual(twin.masked_frame(text, KEY), Frame(TEXT, text.encode()).render(True))
                self.assertEqual(twin.text_frame(text), b"\x00" + text.encode() + b"\xff")

    def test_subclasses_are_taken(self) -> None:
        class Text(str):
            __slots__ = ()

        class Binary(bytes):
            pass

        for twin in TWINS.values():
            self.assertEqual(twin.message_frame(Text("ab")), b"\x81\x02ab")
            self.assertEqual(twin.message_frame(Binary(b"ab")), b"\x82\x02ab")
            self.assertEqual(twin.masked_frame(Text("ab"), bytes(4)), b"\x81\x82\0\0\0\0ab")
            self.assertEqual(twin.masked_frame(Binary(b"ab"), bytes(4)), b"\x82\x82\0\0\0\0ab")

    def test_lone_surrogates_have_no_frame(self) -> None:
        for twin in TWINS.values():
            for build in (twin.message_frame, twin.text_frame):
                with self.assertRaises(UnicodeEncodeError):
                    build("a\ud800")
            with self.assertRaises(UnicodeEncodeError):
                twin.masked_frame("a\ud800", KEY)

    def test_other_kinds_have_none(self) -> None:
        thing: Any
        for twin in TWINS.values():
            for thing in (None, 5, bytearray(b"a"), memoryview(b"a")):
                with self.assertRaises(TypeError):
                    twin.message_frame(thing)
                with self.assertRaises(TypeError):
                    twin.masked_frame(thing, KEY)
            for thing in (None, b"a", bytearray(b"a")):
                with self.assertRaises(TypeError):
                    twin.text_frame(thing)


class PartsTests(TwinCase):
    """A message that comes in parts."""

    def bad_from(self, twin: Any, data: bytes) -> int | None:
        """Return the number of bytes, given one by one, after which the text is wrong; None if it never is."""
        parts = twin.Parts(True)
        for position in range(len(data)):
            if not parts.add(data, position, position + 1, None, len(data)):
                return position + 1
        return None

    def test_text_fails_at_the_first_wrong_byte(self) -> None:
        """RFC 3629 section 4: which byte may follow which."""
        for data, wanted in (
            *((bytes([first]), 1) for first in (*range(0x80, 0xC2), *range(0xF5, 0x100))),
            *((bytes([0xE0, second]), 2) for second in (0x7F, 0x80, 0x9F, 0xC0)),
            *((bytes([0xED, second]), 2) for second in (0x7F, 0xA0, 0xBF, 0xC0)),
            *((bytes([0xF0, second]), 2) for second in (0x7F, 0x80, 0x8F, 0xC0)),
            *((bytes([0xF4, second]), 2) for second in (0x7F, 0x90, 0xBF, 0xC0)),
            (b"\xc2\x28", 2),
            (b"\xe2\x98\x28", 3),
            (b"\xf1\x80\x80\xc0", 4),
        ):
            for name, twin in TWINS.items():
                with self.subTest(twin=name, data=data):
                    self.assertEqual(self.bad_from(twin, b"a" + data), wanted + 1)

    def test_every_code_point_is_right(self) -> None:
        text = "".join(map(chr, (*range(0x3000), *range(0xD700, 0xD800), *range(0xE000, 0xE100), 0xFFFF)))
        text += "".join(map(chr, (*range(0x10000, 0x110000, 0x3FF), 0x10FFFF)))
        data = text.encode()
        for twin in TWINS.values():
            for size in (1, 3, 8, 61, 100_000):
                parts = twin.Parts(True)
                for start in range(0, len(data), size):
                    self.assertTrue(parts.add(data, start, min(start + size, len(data)), None, len(data)))
                self.assertEqual(parts.take(True), text)

    def test_a_text_that_ends_within_a_character_is_wrong(self) -> None:
        for twin in TWINS.values():
            for data in (b"\xc3", b"a\xe2\x98", b"\xf0\x9f\x98"):
                parts = twin.Parts(True)
                self.assertTrue(parts.add(data, 0, len(data), None, 9))
                self.assertIsNone(parts.take(True))
                self.assertEqual(parts.take(True, "replace"), data.decode(errors="replace"))

    def test_what_is_wrong_stays_wrong_and_can_be_replaced(self) -> None:
        for twin in TWINS.values():
            parts = twin.Parts(True)
            self.assertFalse(parts.add(b"a\xffb", 0, 3, None, 9))
            self.assertFalse(parts.add(b"c", 0, 1, None, 9))
            self.assertIsNone(parts.take(True))
            self.assertEqual(parts.take(True, "replace"), "a\ufffdbc")

    def test_it_can_be_used_again(self) -> None:
        for twin in TWINS.values():
            for text, kind in ((True, str), (False, bytes)):
                parts = twin.Parts(text)
                self.assertEqual(parts.take(True), kind())
                for _ in range(2):
                    parts.add(b"abcd", 1, 3, None, 9)
                    self.assertEqual(len(parts), 2)
                    self.assertEqual(parts.take(True), "bc" if text else b"bc")
                    self.assertEqual((len(parts), parts.take(True)), (0, kind()))

    def test_the_start_of_a_character_is_kept(self) -> None:
        for char in ("é", "☃", "😀"):
            for twin in TWINS.values():
                parts, taken = twin.Parts(True), []
                for byte in single_bytes(f"a{char}b{char}".encode()):
                    parts.add(byte, 0, 1, None, 0)
                    taken.append(parts.take(False))
                self.assertEqual([part for part in taken if part], ["a", char, "b", char])

    def test_an_announcement_reserves_no_more_than_a_multiple_of_what_came(self) -> None:
        for twin in TWINS.values():
            for text in (False, True):
                tracemalloc.start()
                parts = twin.Parts(text)
                parts.add(b"a" * 1000, 0, 1000, KEY, 2**40)
                held = tracemalloc.get_traced_memory()[0]
                tracemalloc.stop()
                self.assertLess(held, 12_000)

    def test_many_small_parts_cost_linear_time(self) -> None:
        # Moved with each part, a mebibyte would be copied 131,072 times, which is half a minute.
        for twin in TWINS.values():
            parts = twin.Parts(True)
            for _ in range(131_072):
                parts.add(b"abcdefgh", 0, 8, None, 2**20)
            self.assertEqual(len(parts.take(True)), 2**20)

    @properties
    @given(st.text(max_size=60), st.integers(1, 700), cuts, keys, st.booleans())
    def test_any_message_comes_out_whatever_the_cut(
        self, some: str, times: int, places: list[int], key: bytes, text: bool
    ) -> None:
        message = some * times
        data = xor(message.encode(), key)
        for twin in TWINS.values():
            parts, position = twin.Parts(text), 0
            for part in cut(data, places):
                turned = (key * 2)[position % 4 :][:4]
                self.assertTrue(parts.add(b"-" + part + b"-", 1, 1 + len(part), turned, len(data)))
                position += len(part)
            self.assertEqual(parts.take(True), message if text else message.encode())
