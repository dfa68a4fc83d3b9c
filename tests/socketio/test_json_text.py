"""JSON as Socket.IO has it."""

from __future__ import annotations

import json
import json.encoder
from datetime import date, datetime, timedelta, timezone
from math import inf, nan
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.socketio.errors import UnserializableData
from hunchensocket_tx.socketio.wire.json_text import default, dumps, iso_time, loads, loads_from, writer
from tests.wire_support import properties

# What is nested as deep as this is refused by every Python there is.
DEEP = 200_000

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


class WritingTests(SynchronousTestCase):
    """What is sent."""

    def test_there_are_no_spaces_and_only_ascii(self) -> None:
        self.assertEqual(dumps(["é", {"😀": [1, None]}]), '["\\u00e9",{"\\ud83d\\ude00":[1,null]}]')

    def test_tuples_are_arrays(self) -> None:
        self.assertEqual(dumps((1, (2,))), "[1,[2]]")

    def test_times_are_text_as_javascript_has_it(self) -> None:
        zone = timezone(timedelta(hours=2))
        self.assertEqual(dumps([datetime(2026, 1, 2, 5, 4, 5, 678901, zone)]), '["2026-01-02T03:04:05.678Z"]')

    def test_a_time_without_a_zone_is_local(self) -> None:
        local = datetime(2026, 1, 2, 3, 4, 5)
        self.assertEqual(iso_time(local), iso_time(local.astimezone(timezone.utc)))

    def test_what_cannot_be_written_is_told(self) -> None:
        endless: list[Any] = []
        endless.append(endless)
        deep: list[Any] = []
        for _ in range(DEEP):
            deep = [deep]
        hopeless: tuple[Any, ...] = (
            nan,
            [inf],
            {"a": -inf},
            {nan: 1},
            object(),
            {1, 2},
            b"",
            date(2026, 1, 2),
            {b"a": 1},
            {(1, 2): 1},
            datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))),
            endless,
            deep,
        )
        for value in hopeless:
            with self.assertRaises(UnserializableData):
                dumps(value)
        self.assertEqual(dumps([1]), "[1]")

    def test_a_python_without_the_fast_writer_writes_the_same(self) -> None:
        self.patch(json.encoder, "c_make_encoder", None)
        slow = writer(default)
        written: tuple[Any, ...] = ([1, "é", None, True, 1.5], {"a": (1, {})}, "x", 7, datetime(2026, 1, 2))
        for value in written:
            self.assertEqual(slow(value), dumps(value))
        hopeless: tuple[Any, ...] = (nan, object(), b"")
        for value in hopeless:
            with self.assertRaises(UnserializableData):
                slow(value)

    @properties
    @given(values)
    def test_what_is_written_is_read(self, value: Any) -> None:
        text = dumps(value)
        self.assertTrue(text.isascii())
        self.assertEqual(loads(text), value)
        self.assertEqual(json.loads(text), value)


class ReadingTests(SynchronousTestCase):
    """What is received."""

    def test_a_value_may_begin_anywhere(self) -> None:
        self.assertEqual(loads_from('213["a"]', 3), ["a"])

    def test_white_space_is_allowed_where_json_has_it(self) -> None:
        self.assertEqual(loads(' \t\r\n[ 1 , "a" ] \t\r\n'), [1, "a"])

    def test_halves_of_pairs_are_kept(self) -> None:
        self.assertEqual(loads('"\\ud800"'), "\ud800")
        self.assertEqual(dumps("\ud800"), '"\\ud800"')

    def test_what_is_no_json_is_refused(self) -> None:
        for text in (
            "",
            " ",
            "[",
            "[1",
            "[1,]",
            "[1]]",
            "[1] 2",
            "\xa0[1]",
            "[1]\xa0",
            "NaN",
            "[Infinity]",
            "-Infinity",
            "1e999",
            "[-1e999]",
            "1" * 400 + ".0",
            "01",
            "'a'",
            '"\n"',
            "undefined",
            "{a:1}",
            "1" * 100_000,
            "[" * DEEP,
            "[" * DEEP + "]" * DEEP,
            '{"a":' * DEEP,
        ):
            with self.assertRaises(ValueError, msg=text[:20]):
                loads(text)

    @properties
    @given(st.text() | st.text('[]{},:"0123eE.-+ntrfalsu\\'))
    def test_anything_is_read_as_python_does_or_refused(self, text: str) -> None:
        try:
            value = loads(text)
        except ValueError:
            return
        self.assertEqual(value, json.loads(text))
