"""The codec of RFC 6455: text that is not UTF-8 fails with 1007, at the first byte that shows it (section 8.1)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hunchensocket_tx.wire.events import Failed
from tests.hybi_support import BINARY, CONTINUATION, PONG, TEXT, Frame, HybiTestCase, codes, fragments, open_codec
from tests.wire_support import cut, cuts, messages, properties, receive, single_bytes

BROKEN: list[tuple[str, bytes, int]] = [
    ("a continuation byte alone", b"\x80", 0),
    ("the last continuation byte alone", b"\xbf", 0),
    ("overlong slash in two bytes", b"\xc0\xaf", 0),
    ("overlong in two bytes, the last", b"\xc1\xbf", 0),
    ("overlong slash in three bytes", b"\xe0\x80\xaf", 1),
    ("overlong in three bytes, the last", b"\xe0\x9f\xbf", 1),
    ("overlong slash in four bytes", b"\xf0\x80\x80\xaf", 1),
    ("overlong in four bytes, the last", b"\xf0\x8f\xbf\xbf", 1),
    ("past U+10FFFF", b"\xf4\x90\x80\x80", 1),
    ("far past U+10FFFF", b"\xf5\x80\x80\x80", 0),
    ("five bytes", b"\xf8\x88\x80\x80\x80", 0),
    ("six bytes", b"\xfc\x84\x80\x80\x80\x80", 0),
    ("FE", b"\xfe", 0),
    ("FF", b"\xff", 0),
    ("two bytes cut by ASCII", b"\xc3(", 1),
    ("three bytes cut by ASCII", b"\xe2\x98(", 2),
    ("four bytes cut by ASCII", b"\xf0\x9f\x98(", 3),
    ("three bytes cut by another start", b"\xe2\x98\xe2", 2),
]
"""What no text may have (RFC 3629 section 4), and which of its bytes shows it."""

SURROGATES: list[tuple[str, bytes, int]] = [
    ("the first surrogate", b"\xed\xa0\x80", 1),
    ("the last surrogate", b"\xed\xbf\xbf", 1),
    ("a pair of surrogates", b"\xed\xa0\xbd\xed\xb8\x80", 1),
]
"""The same; apart, as Python's incremental decoder is later with these."""

GOOD = b"abc\xe2\x98\x83"


class BrokenTextTests(HybiTestCase):
    def test_in_one_frame(self) -> None:
        for name, broken, _ in BROKEN + SURROGATES:
            with self.subTest(name):
                self.assert_fails(1007, [Frame(TEXT, broken)])
                self.assert_fails(1007, [Frame(TEXT, GOOD + broken + GOOD)])

    def test_in_single_byte_fragments(self) -> None:
        for name, broken, _ in BROKEN + SURROGATES:
            with self.subTest(name):
                self.assert_fails(1007, fragments(TEXT, single_bytes(GOOD + broken + GOOD)))

    def test_in_the_second_message(self) -> None:
        for frames in ([Frame(TEXT, GOOD)], fragments(TEXT, single_bytes(GOOD))):
            self.assert_fails(1007, [*frames, Frame(TEXT, b"\xff")], before=[GOOD.decode()])

    def test_a_tail_that_is_cut(self) -> None:
        for tail in (b"\xc3", b"\xe2", b"\xe2\x98", b"\xf0", b"\xf0\x9f", b"\xf0\x9f\x98"):
            with self.subTest(tail):
                self.assert_fails(1007, [Frame(TEXT, b"a" + tail)])
                self.assert_fails(1007, fragments(TEXT, [b"a", tail]))
                self.assert_fails(1007, fragments(TEXT, [b"a", tail, b""]))

    def test_a_cut_tail_does_not_leak_into_the_next_message(self) -> None:
        self.assert_fails(1007, [Frame(TEXT, b"\xe2\x98"), Frame(TEXT, b"\x83")])

    def test_binary_may_have_it_all(self) -> None:
        for name, broken, _ in BROKEN + SURROGATES:
            with self.subTest(name):
                self.assert_events([Frame(BINARY, broken), *fragments(BINARY, [broken, b""])], [broken, broken])

    def test_every_code_point_at_the_borders_is_good(self) -> None:
        text = "\0\x7f\x80\u07ff\u0800\ud7ff\ue000\ufffd\ufffe\uffff\U00010000\U0010ffff"
        self.assert_events([Frame(TEXT, text.encode())], [text])
        self.assert_events(fragments(TEXT, single_bytes(text.encode())), [text])


class FailFastTests(HybiTestCase):
    """A byte that makes the text invalid fails when it comes, and not when the message is complete."""

    def assert_fails_at(self, place: int, heads: list[bytes], payload: list[bytes]) -> None:
        """Feed single bytes of a payload, with heads before some of them, and check which of them fails."""
        for pieces in (False, True):
            codec = open_codec(client=True, pieces=pieces)
            for index, (head, octet) in enumerate(zip(heads, payload, strict=True)):
                failures = codes(codec.receive(head + octet))
                self.assertEqual(failures, [1007] if index == place else [], f"at byte {index}")
                if failures:
                    return

    def assert_each_fails_within_a_frame(self, table: list[tuple[str, bytes, int]]) -> None:
        for name, broken, place in table:
            payload = single_bytes(GOOD + broken)
            head = Frame(TEXT, announced=100).render(False)
            with self.subTest(name):
                self.assert_fails_at(len(GOOD) + place, [head] + [b""] * (len(payload) - 1), payload)

    def assert_each_fails_within_fragments(self, table: list[tuple[str, bytes, int]]) -> None:
        for name, broken, place in table:
            payload = single_bytes(GOOD + broken)
            opcodes = [TEXT] + [CONTINUATION] * (len(payload) - 1)
            heads = [Frame(opcode, fin=False, announced=1).render(False) for opcode in opcodes]
            with self.subTest(name):
                self.assert_fails_at(len(GOOD) + place, heads, payload)

    def test_within_a_frame_that_is_not_complete(self) -> None:
        self.assert_each_fails_within_a_frame(BROKEN)

    def test_a_surrogate_within_a_frame_that_is_not_complete(self) -> None:
        self.assert_each_fails_within_a_frame(SURROGATES)

    def test_within_a_fragment_that_is_not_the_last(self) -> None:
        self.assert_each_fails_within_fragments(BROKEN)

    def test_a_surrogate_within_a_fragment_that_is_not_the_last(self) -> None:
        self.assert_each_fails_within_fragments(SURROGATES)

    def test_with_the_whole_bad_sequence_in_one_read(self) -> None:
        for name, broken, _ in BROKEN + SURROGATES:
            with self.subTest(name):
                codec = open_codec(client=True)
                data = Frame(TEXT, GOOD + broken, announced=100).render(False)
                self.assertEqual(codes(codec.receive(data)), [1007])

    def test_a_start_that_may_become_good_does_not_fail(self) -> None:
        for start in (b"\xc3", b"\xe0\xa0", b"\xe2\x98", b"\xed\x9f", b"\xf0\x90\x80", b"\xf4\x8f\xbf"):
            with self.subTest(start):
                data = Frame(TEXT, start, announced=100).render(False)
                self.assertEqual(open_codec(client=True).receive(data), [])

    def test_a_control_frame_behind_the_bad_byte_is_not_handled(self) -> None:
        self.assert_fails(1007, [Frame(TEXT, b"\xff", fin=False), Frame(PONG)])

    @properties
    @given(st.binary(max_size=30), cuts)
    def test_what_python_decodes_and_nothing_else_is_delivered(self, data: bytes, places: list[int]) -> None:
        codec = open_codec(client=True)
        events = receive(codec, cut(Frame(TEXT, data).render(False), places))
        try:
            expected = [data.decode()]
        except UnicodeDecodeError:
            self.assertIsInstance(events[-1], Failed)
            expected = []
        self.assertEqual(messages(events), expected)
