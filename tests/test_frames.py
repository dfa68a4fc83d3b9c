"""Frames as bytes, and what a Close frame may say. Sections are RFC 6455's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.errors import InvalidCloseCode, MisuseError
from hunchensocket_tx.wire.frames import build_frame, close_payload, is_sendable_close_code
from tests.hybi_support import KEY, Frame
from tests.wire_support import properties

SENDABLE = {1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)}
"""The table in section 3 of RFC6455.md."""


class BuildTests(SynchronousTestCase):
    """Section 5.2; the vectors of section 5.7."""

    def test_the_vectors(self) -> None:
        for first, payload, key, expected in (
            (0x81, b"Hello", None, "81 05 48 65 6c 6c 6f"),
            (0x81, b"Hello", KEY, "81 85 37 fa 21 3d 7f 9f 4d 51 58"),
            (0x01, b"Hel", None, "01 03 48 65 6c"),
            (0x80, b"lo", None, "80 02 6c 6f"),
            (0x89, b"Hello", None, "89 05 48 65 6c 6c 6f"),
            (0x8A, b"Hello", KEY, "8a 85 37 fa 21 3d 7f 9f 4d 51 58"),
            (0x82, bytes(256), None, "82 7e 01 00" + "00" * 256),
            (0x82, bytes(65536), None, "82 7f 00 00 00 00 00 01 00 00" + "00" * 65536),
        ):
            with self.subTest(expected[:40]):
                self.assertEqual(build_frame(first, payload, key), bytes.fromhex(expected))

    def test_a_length_takes_as_few_bytes_as_it_can(self) -> None:
        for size, head in (
            (0, "82 00"),
            (125, "82 7d"),
            (126, "82 7e 00 7e"),
            (65535, "82 7e ff ff"),
            (65536, "82 7f 00 00 00 00 00 01 00 00"),
        ):
            with self.subTest(size):
                self.assertEqual(build_frame(0x82, bytes(size)), bytes.fromhex(head) + bytes(size))

    def test_an_empty_frame_of_a_client_is_masked_as_well(self) -> None:
        self.assertEqual(build_frame(0x88, b"", KEY), b"\x88\x80" + KEY)

    @properties
    @given(
        st.sampled_from([0, 1, 2, 8, 9, 10]),
        st.booleans(),
        st.booleans(),
        st.binary(max_size=300),
        st.booleans(),
    )
    def test_any_frame_is_the_one_that_the_rfc_draws(
        self, opcode: int, fin: bool, rsv1: bool, payload: bytes, masked: bool
    ) -> None:
        first = fin << 7 | rsv1 << 6 | opcode
        expected = Frame(opcode, payload, fin, rsv1 << 2).render(masked)
        self.assertEqual(build_frame(first, payload, KEY if masked else None), expected)


class CloseCodeTests(SynchronousTestCase):
    """Section 7.4, and IANA's registry: which codes may stand in a Close frame."""

    def test_of_all_numbers_those_of_the_table_may(self) -> None:
        self.assertEqual({code for code in range(65536) if is_sendable_close_code(code)}, SENDABLE)

    def test_numbers_beyond_two_bytes_may_not(self) -> None:
        for code in (-1, -1000, 65536 + 1000, 2**64):
            with self.subTest(code):
                self.assertFalse(is_sendable_close_code(code))


class ClosePayloadTests(SynchronousTestCase):
    """Section 5.5.1: two bytes of code and a reason in UTF-8, 125 bytes in all."""

    def test_it_is_the_code_and_the_reason(self) -> None:
        self.assertEqual(close_payload(1000, "bye"), b"\x03\xe8bye")
        self.assertEqual(close_payload(4999, "h☃"), b"\x13\x87h\xe2\x98\x83")

    def test_without_a_reason_it_is_the_code(self) -> None:
        self.assertEqual(close_payload(1001, ""), b"\x03\xe9")

    def test_without_a_code_it_is_empty(self) -> None:
        self.assertEqual(close_payload(1005, ""), b"")

    def test_a_reason_without_a_code_has_no_place(self) -> None:
        self.assertEqual(close_payload(1005, "why"), b"")

    def test_a_code_that_must_not_be_sent_is_refused(self) -> None:
        for code in (-1, 0, 999, 1004, 1006, 1015, 1016, 2999, 5000, 65535, 65536, 66536):
            with self.subTest(code):
                with self.assertRaises(InvalidCloseCode) as caught:
                    close_payload(code, "")
                self.assertIsInstance(caught.exception, MisuseError)
                self.assertIn(str(code), str(caught.exception))

    def test_a_reason_of_123_bytes_fits(self) -> None:
        self.assertEqual(close_payload(1000, "x" * 123), b"\x03\xe8" + b"x" * 123)

    def test_a_longer_reason_is_cut(self) -> None:
        self.assertEqual(close_payload(1000, "x" * 124), b"\x03\xe8" + b"x" * 123)
        self.assertEqual(len(close_payload(1000, "x" * 100_000)), 125)

    def test_a_reason_is_cut_at_the_border_of_a_code_point(self) -> None:
        for char in ("é", "☃", "😀"):
            for ascii_before in range(122, 118, -1):
                reason = "x" * ascii_before + char * 3
                expected = "x" * ascii_before + char * ((123 - ascii_before) // len(char.encode()))
                with self.subTest(char=char, before=ascii_before):
                    self.assertEqual(close_payload(1000, reason), b"\x03\xe8" + expected.encode())

    def test_lone_surrogates_in_a_reason_do_no_harm(self) -> None:
        # A reason is often the text of an exception: closing must not fail over it.
        close_payload(1011, "caf\udce9")[2:].decode()

    @properties
    @given(st.sampled_from(sorted(SENDABLE)), st.text(max_size=200))
    def test_any_reason_comes_out_as_a_start_of_it(self, code: int, reason: str) -> None:
        payload = close_payload(code, reason)
        self.assertLessEqual(len(payload), 125)
        self.assertEqual(int.from_bytes(payload[:2], "big"), code)
        self.assertTrue(reason.startswith(payload[2:].decode()))
