"""The codec of RFC 6455: its limits, each judged as early as it can be (section 10.4; section 2 of RFC6455.md)."""

from __future__ import annotations

import tracemalloc
from typing import Any

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.events import Failed, Pong
from tests.hybi_support import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    HybiTestCase,
    codes,
    crumbs,
    fragments,
    open_codec,
)
from tests.wire_support import messages, receive


class MessageSizeTests(HybiTestCase):
    """``max_message_size``: 1009."""

    def test_a_message_of_just_the_limit_is_taken(self) -> None:
        for size in (1, 10, 126, 1000):
            with self.subTest(size):
                self.assert_events([Frame(BINARY, bytes(size))], [bytes(size)], max_message_size=size)

    def test_a_message_of_a_byte_more_is_not(self) -> None:
        for size in (1, 10, 125, 1000):
            with self.subTest(size):
                self.assert_fails(1009, [Frame(BINARY, bytes(size + 1))], max_message_size=size)

    def test_bytes_count_and_not_characters(self) -> None:
        self.assert_events([Frame(TEXT, "☃☃".encode())], ["☃☃"], max_message_size=6)
        self.assert_fails(1009, [Frame(TEXT, "☃☃".encode())], max_message_size=5)

    def test_fragments_count_together(self) -> None:
        self.assert_events(fragments(TEXT, [b"aaaa", b"bbbb", b"cc"]), ["aaaabbbbcc"], max_message_size=10)
        self.assert_fails(1009, fragments(TEXT, [b"aaaa", b"bbbb", b"ccc"]), max_message_size=10)

    def test_each_message_counts_anew(self) -> None:
        whole, cut = [Frame(TEXT, b"aaaaaaaa")], fragments(TEXT, [b"bbbb", b"cccc"])
        for frames, expected in (
            (whole + whole, ["aaaaaaaa", "aaaaaaaa"]),
            (cut + whole, ["bbbbcccc", "aaaaaaaa"]),
            (whole + cut, ["aaaaaaaa", "bbbbcccc"]),
            (cut + cut, ["bbbbcccc", "bbbbcccc"]),
        ):
            with self.subTest(expected):
                self.assert_events(frames, expected, max_message_size=10)

    def test_control_frames_do_not_count(self) -> None:
        frames = [Frame(TEXT, b"aaaaa", fin=False), Frame(PONG, bytes(125)), Frame(CONTINUATION, b"bbbbb")]
        self.assert_events(frames, [Pong(bytes(125)), "aaaaabbbbb"], max_message_size=10)

    def test_the_announced_length_is_judged_before_any_of_it_came(self) -> None:
        for announced in (11, 126, 65536, 2**40, 2**63 - 1):
            with self.subTest(announced):
                head = Frame(BINARY, announced=announced)
                self.assert_fails(1009, [head], max_message_size=10)
                # Not even the masking key is waited for.
                self.assertEqual(codes(open_codec(max_message_size=10).receive(head.render(True)[:-4])), [1009])

    def test_the_announced_length_of_a_fragment_is_judged_with_what_there_is(self) -> None:
        frames = [Frame(TEXT, b"aaaa", fin=False), Frame(CONTINUATION, announced=7)]
        self.assert_fails(1009, frames, max_message_size=10)

    def test_what_was_complete_before_is_delivered(self) -> None:
        self.assert_fails(1009, [Frame(TEXT, b"a"), Frame(TEXT, announced=11)], before=["a"], max_message_size=10)

    def test_the_failure_names_the_limit(self) -> None:
        (failed,) = open_codec(max_message_size=10).receive(Frame(TEXT, announced=11).render(True))
        assert isinstance(failed, Failed)
        self.assertIn("10 bytes", failed.reason)

    def test_a_message_of_the_default_limit_is_taken_in_many_reads_again_and_again(self) -> None:
        size = Settings().max_message_size
        data = Frame(BINARY, bytes(size)).render(False) * 3
        reads = [data[start : start + 65536] for start in range(0, len(data), 65536)]
        sizes = [len(message) for message in messages(receive(open_codec(client=True), reads))]
        self.assertEqual(sizes, [size] * 3)


class FrameSizeTests(HybiTestCase):
    """``max_frame_size``: 1009."""

    def test_a_frame_of_just_the_limit_is_taken(self) -> None:
        self.assert_events([Frame(TEXT, b"a" * 10)], ["a" * 10], max_frame_size=10)

    def test_a_frame_of_a_byte_more_is_not(self) -> None:
        self.assert_fails(1009, [Frame(TEXT, announced=11)], max_frame_size=10)

    def test_frames_do_not_count_together(self) -> None:
        self.assert_events(fragments(TEXT, [b"a" * 10, b"b" * 10]), ["a" * 10 + "b" * 10], max_frame_size=10)


class FragmentCountTests(HybiTestCase):
    """``max_fragments``: 1008; without it empty fragments never end."""

    def test_as_many_fragments_as_allowed_are_taken(self) -> None:
        self.assert_events(fragments(TEXT, [b"a"] * 5), ["aaaaa"], max_fragments=5)

    def test_one_more_is_not_even_if_it_is_the_last(self) -> None:
        self.assert_fails(1008, fragments(TEXT, [b"a"] * 6), max_fragments=5)

    def test_empty_fragments_count(self) -> None:
        frames = [Frame(TEXT, fin=False), *[Frame(CONTINUATION, fin=False)] * 5]
        self.assert_events(frames[:5], [], max_fragments=5)
        self.assert_fails(1008, frames, max_fragments=5)

    def test_control_frames_between_do_not_count(self) -> None:
        first, second = fragments(TEXT, [b"a", b"b"])
        self.assert_events([first, Frame(PONG), second], [Pong(b""), "ab"], max_fragments=2)

    def test_each_message_counts_anew(self) -> None:
        self.assert_events(fragments(TEXT, [b"a"] * 3) * 2, ["aaa", "aaa"], max_fragments=3)

    def test_a_message_in_one_frame_is_one_fragment(self) -> None:
        self.assert_events([Frame(TEXT, b"a")] * 3, ["a"] * 3, max_fragments=1)


class ControlBudgetTests(HybiTestCase):
    """``max_control_frames``: 1008 for a flood; the owner refills the budget."""

    def test_as_many_as_allowed_are_taken(self) -> None:
        self.assert_events([Frame(PONG)] * 5, [Pong(b"")] * 5, max_control_frames=5)

    def test_one_more_is_not(self) -> None:
        self.assert_fails(1008, [Frame(PONG)] * 6, before=[Pong(b"")] * 5, max_control_frames=5)

    def test_pings_and_pongs_count_together(self) -> None:
        codec = open_codec(max_control_frames=5)
        data = (Frame(PING).render(True) + Frame(PONG).render(True)) * 3
        self.assertEqual(codes(codec.receive(data)), [1008])

    def test_it_starts_full_and_each_frame_takes_one(self) -> None:
        codec = open_codec(max_control_frames=5)
        self.assertEqual(codec.control_budget, 5)
        codec.receive(Frame(PING).render(True) * 2)
        self.assertEqual(codec.control_budget, 3)

    def test_a_frame_in_many_reads_takes_one(self) -> None:
        codec = open_codec(max_control_frames=5)
        receive(codec, crumbs(Frame(PONG, b"abc").render(True)))
        self.assertEqual(codec.control_budget, 4)

    def test_messages_take_none(self) -> None:
        codec = open_codec(max_control_frames=1)
        codec.receive(b"".join(frame.render(True) for frame in fragments(TEXT, [b"a"] * 5)))
        self.assertEqual(codec.control_budget, 1)

    def test_a_refilled_budget_goes_on(self) -> None:
        codec = open_codec(max_control_frames=2)
        for _ in range(5):
            self.assertEqual(codec.receive(Frame(PONG).render(True) * 2), [Pong(b"")] * 2)
            codec.control_budget = 2

    def test_a_flood_within_a_message_and_after_our_close_counts(self) -> None:
        codec = open_codec(max_control_frames=3)
        codec.receive(Frame(TEXT, fin=False).render(True))
        codec.close(1000, "")
        self.assertEqual(codes(codec.receive(Frame(PING).render(True) * 4)), [1008])


class MemoryTests(HybiTestCase):
    """What a peer sends must not cost more than the limits say."""

    def peak(self, data: bytes, **changes: Any) -> int:
        codec = open_codec(**changes)
        reads = [data[start : start + 4096] for start in range(0, len(data), 4096)]
        tracemalloc.start()
        try:
            for read in reads:
                codec.receive(read)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def test_a_large_announcement_reserves_nothing(self) -> None:
        head = Frame(BINARY, announced=2**40).render(True)
        self.assertLess(self.peak(head, max_frame_size=2**50, max_message_size=2**50), 100_000)

    def test_empty_fragments_keep_nothing(self) -> None:
        data = Frame(TEXT, fin=False).render(True) + Frame(CONTINUATION, fin=False).render(True) * 50_000
        self.assertLess(self.peak(data), 100_000)

    def test_a_message_is_kept_once(self) -> None:
        size = 1_000_000
        data = Frame(TEXT, b"a" * (size - 1), announced=size).render(True)
        self.assertLess(self.peak(data), 2 * size)

    def test_pieces_are_not_kept(self) -> None:
        data = Frame(TEXT, b"a" * 500_000).render(True)
        self.assertLess(self.peak(data, pieces=True), 100_000)

    def test_a_failed_codec_keeps_nothing(self) -> None:
        codec = open_codec()
        tracemalloc.start()
        try:
            codec.receive(Frame(BINARY, bytes(500_000), fin=False).render(True))
            self.assertEqual(codes(codec.receive(Frame(3).render(True))), [1002])
            self.assertLess(tracemalloc.get_traced_memory()[0], 100_000)
            self.assertEqual(messages(codec.receive(bytes(500_000))), [])
            self.assertLess(tracemalloc.get_traced_memory()[0], 100_000)
        finally:
            tracemalloc.stop()
