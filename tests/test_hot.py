"""Which of the twins is chosen, and that they cannot be told apart."""

from __future__ import annotations

import os
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx import speedups
from hunchensocket_tx.wire import hot, pure
from tests.hybi_support import Frame
from tests.processes import unavailable
from tests.twins import COMPILED, TWINS, TwinCase
from tests.wire_support import cut, cuts, properties

NAMES = set(pure.__all__)


class ChoiceTests(SynchronousTestCase):
    def test_the_compiled_part_was_built(self) -> None:
        if COMPILED is None:
            unavailable("the compiled part was not built")

    def test_both_have_all_of_it(self) -> None:
        self.assertEqual({*hot.__all__} - {"why_pure"}, NAMES)
        if COMPILED is not None:
            self.assertEqual({name for name in vars(COMPILED) if not name.startswith("_")}, NAMES)

    def test_the_compiled_part_is_chosen_if_it_is_there_and_wanted(self) -> None:
        wanted = COMPILED is not None and not os.environ.get("HUNCHENSOCKET_PURE")
        self.assertEqual(bool(hot.why_pure), not wanted)
        self.assertEqual(speedups.compiled, wanted)
        for name in NAMES:
            self.assertIs(getattr(hot, name), getattr(COMPILED if wanted else pure, name))


payloads = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40).map(str.encode),
    st.builds(bytes.__mul__, st.binary(max_size=9), st.sampled_from([14, 18, 7282])),
)

frames = st.builds(
    Frame,
    opcode=st.sampled_from([1, 1, 1, 2, 2, 0, 8, 9]),
    payload=payloads,
    fin=st.sampled_from([True, True, True, False]),
    rsv=st.sampled_from([0, 0, 0, 0, 4, 2]),
    digits=st.sampled_from([None, None, None, 8]),
    announced=st.sampled_from([None, None, None, None, 5, 126, 65536, 2**63, 2**64 - 1]),
)


class SameTests(TwinCase):
    @properties
    @given(
        st.lists(frames, max_size=6),
        st.booleans(),
        st.booleans(),
        st.integers(0, 100_000),
        st.lists(st.tuples(st.integers(0, 2**20), st.integers(1, 255)), max_size=2),
        st.sampled_from([0, 5, 125, 126, 65535, 65536, 2**40, 2**70]),
    )
    def test_messages_and_positions_are_the_same(
        self,
        some: list[Frame],
        rendered: bool,
        masked: bool,
        end: int,
        flips: list[tuple[int, int]],
        limit: int,
    ) -> None:
        data = bytearray(b"".join(frame.render(rendered) for frame in some))
        for place, flip in flips:
            if data:
                data[place % len(data)] ^= flip
        for whole in (bytes(data), bytes(data[:end])):
            results: dict[str, object] = {}
            for name, twin in TWINS.items():
                events: list[object] = []
                results[name] = twin.take_messages(whole, 0, masked, limit, events), events
            self.assert_same(results)

    @properties
    @given(
        st.binary(max_size=200),
        st.integers(0, 200),
        st.booleans(),
        st.sampled_from([0, 3, 2**20]),
        st.sampled_from(["strict", "replace"]),
    )
    def test_noise_is_taken_the_same(
        self, data: bytes, position: int, masked: bool, limit: int, errors: str
    ) -> None:
        position = min(position, len(data))
        texts = data.replace(b"\x01", b"\xff\x00")
        results: dict[str, object] = {}
        for name, twin in TWINS.items():
            messages: list[object] = []
            first = twin.take_messages(data, position, masked, limit, messages)
            second = twin.take_texts(b"\x00" + texts, 0, limit, errors, messages)
            results[name] = first, second, messages
        self.assert_same(results)

    @properties
    @given(payloads, cuts, st.booleans(), st.lists(st.booleans(), min_size=10, max_size=10), st.booleans())
    def test_parts_are_the_same(
        self, data: bytes, places: list[int], text: bool, takes: list[bool], replace: bool
    ) -> None:
        results: dict[str, object] = {}
        for name, twin in TWINS.items():
            parts, said = twin.Parts(text), []
            for part, take in zip(cut(data, places), takes, strict=False):
                right = parts.add(part, 0, len(part), b"\x00\x01\x00\x80" if replace else None, 2**20)
                said.append((right, len(parts), parts.take(False) if take else None))
            said.append(parts.take(True, "replace" if replace else "strict"))
            results[name] = said
        self.assert_same(results)

    @properties
    @given(
        st.one_of(payloads, st.text(max_size=200), st.text("ab\x7f", max_size=200)),
        st.binary(min_size=4, max_size=4),
    )
    def test_frames_are_the_same_and_arrive(self, message: str | bytes, key: bytes) -> None:
        results: dict[str, object] = {}
        for name, twin in TWINS.items():
            plain, masked = twin.message_frame(message), twin.masked_frame(message, key)
            results[name] = plain, masked
            for frame in (plain, masked):
                events: list[object] = []
                self.assertEqual(twin.take_messages(frame, 0, frame is masked, 2**20, events), len(frame))
                self.assertEqual(events, [message])
        self.assert_same(results)


class MisuseTests(SynchronousTestCase):
    """What only a mistake of ours can pass must not harm the process either."""

    def setUp(self) -> None:
        if COMPILED is None:
            unavailable("the compiled part was not built")

    def assert_refused(self, function: Any, *arguments: Any) -> None:
        with self.assertRaises((TypeError, ValueError, OverflowError)):
            function(*arguments)

    def test_wrong_numbers_and_kinds_of_arguments_raise(self) -> None:
        add, take = COMPILED.Parts(True).add, COMPILED.Parts(True).take
        masking = COMPILED.apply_mask, COMPILED.masked_frame
        for function in (*masking, COMPILED.take_messages, COMPILED.take_texts, add, take):
            for count in (0, 3, 7):
                self.assert_refused(function, *[b""] * count)
        for key in (b"", b"123", b"12345", bytearray(4), None):
            for function in masking:
                self.assert_refused(function, b"data", key)
        self.assert_refused(COMPILED.apply_mask, "text", b"1234")
        for data, position, events in (("x", 0, []), (b"x", "0", []), (b"x", 0, ()), (b"x", 0.0, [])):
            self.assert_refused(COMPILED.take_messages, data, position, True, 9, events)
        self.assert_refused(COMPILED.take_messages, b"x", 0, True, "9", [])
        self.assert_refused(COMPILED.take_texts, b"x", 0, 9, None, [])
        self.assert_refused(COMPILED.Parts)

    def test_places_beyond_the_data_raise(self) -> None:
        for position in (-1, 4, sys.maxsize, -sys.maxsize, 2**70):
            self.assert_refused(COMPILED.take_messages, b"abc", position, True, 9, [])
            self.assert_refused(COMPILED.take_texts, b"abc", position, 9, "strict", [])
        for start, end in ((-1, 2), (2, 1), (0, 4), (4, 4), (0, sys.maxsize), (-(2**70), 0), (0, 2**70)):
            self.assert_refused(COMPILED.Parts(True).add, b"abc", start, end, None, 9)
        for key in (b"123", "1234"):
            self.assert_refused(COMPILED.Parts(True).add, b"abc", 0, 1, key, 9)

    def test_a_negative_limit_admits_nothing_more_than_none(self) -> None:
        for limit in (-1, -(2**70)):
            self.assertEqual(COMPILED.take_messages(b"\x81\x01a", 0, False, limit, []), 0)

    def test_nothing_is_leaked(self) -> None:
        text, events = b"\x81\x03\xe2\x98\x83" * 100, list[object]()
        before = sys.getrefcount(text), sys.getrefcount(events)
        parts = COMPILED.Parts(True)
        for _ in range(50):
            COMPILED.take_messages(text, 0, False, 9, events)
            parts.add(text, 2, 5, None, 9)
            parts.take(True)
        self.assertEqual((sys.getrefcount(text), sys.getrefcount(events)), before)
        message, key = "☃" * 50, b"\x01\x02\x03\x04"
        before = sys.getrefcount(message), sys.getrefcount(key)
        for _ in range(50):
            self.assertEqual(sys.getrefcount(COMPILED.masked_frame(message, key)), 1)
        self.assertEqual((sys.getrefcount(message), sys.getrefcount(key)), before)
        free = [object()]
        self.assertEqual({sys.getrefcount(event) for event in events}, {sys.getrefcount(thing) for thing in free})
