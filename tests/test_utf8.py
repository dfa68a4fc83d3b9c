"""Tests of hunchensocket_tx.wire.utf8."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.wire.utf8 import Utf8Decoder
from tests.wire_support import properties


def bad_from(data: bytes) -> int | None:
    """Return the number of bytes, given one by one, after which the decoder fails; None if it never does."""
    decoder = Utf8Decoder()
    for position in range(len(data)):
        try:
            decoder.decode(data[position : position + 1], False)
        except UnicodeDecodeError:
            return position + 1
    return None


class FailFastTests(SynchronousTestCase):
    """RFC 3629 section 4: which byte may follow which."""

    def test_it_fails_at_the_first_wrong_byte(self) -> None:
        for name, data, wanted in (
            ("a continuation first", b"\x80", 1),
            ("a byte that never occurs", b"\xff", 1),
            ("overlong, two bytes", b"\xc0\xaf", 1),
            ("overlong, three bytes", b"\xe0\x80\xaf", 2),
            ("overlong, four bytes", b"\xf0\x80\x80\xaf", 2),
            ("the first surrogate", b"\xed\xa0\x80", 2),
            ("the last surrogate", b"\xed\xbf\xbf", 2),
            ("above U+10FFFF", b"\xf4\x90\x80\x80", 2),
            ("far above", b"\xf5\x80\x80\x80", 1),
            ("no continuation", b"\xe2\x28\xa1", 2),
        ):
            with self.subTest(name):
                self.assertEqual(bad_from(data), wanted)

    def test_neighbours_of_surrogates_are_right(self) -> None:
        for text in ("\ud7ff", "\ue000", "\U0010ffff"):
            with self.subTest(ascii(text)):
                self.assertIsNone(bad_from(text.encode()))

    def test_an_end_within_a_character_fails(self) -> None:
        for data in (b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98"):
            with self.subTest(data), self.assertRaises(UnicodeDecodeError):
                Utf8Decoder().decode(data, True)

    def test_it_can_be_used_again_after_the_end_of_a_text(self) -> None:
        decoder = Utf8Decoder()
        self.assertEqual(decoder.decode("aé".encode(), True) + decoder.decode("ü".encode(), True), "aéü")


class CutTests(SynchronousTestCase):
    @properties
    @given(st.text(), st.integers(1, 5))
    def test_any_text_comes_out_whatever_the_cut(self, text: str, size: int) -> None:
        data, decoder = text.encode(), Utf8Decoder()
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        out = [decoder.decode(piece, False) for piece in pieces]
        self.assertEqual("".join(out) + decoder.decode(b"", True), text)
