"""permessage-deflate's data, RFC 7692 section 7.2: compressing, bounded inflating, contexts kept or not."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Iterable
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.deflate import Deflate, DeflateParameters, InflateError, TooMuchOutput
from tests.wire_support import cut, cuts, properties, single_bytes

MEBIBYTE = 1024 * 1024

TAIL = b"\x00\x00\xff\xff"

HELLO = bytes.fromhex("f2 48 cd c9 c9 07 00")
"""Section 7.2.3.1."""

FINAL_HELLO = bytes.fromhex("f3 48 cd c9 c9 07 00")
"""Section 7.2.3.4, without the byte at the end that makes a message of it."""

ALL = [
    DeflateParameters(server_free, client_free, server_bits, client_bits)
    for server_free in (False, True)
    for client_free in (False, True)
    for server_bits, client_bits in ((15, 15), (9, 15), (15, 9), (12, 8))
]


def end(parameters: DeflateParameters = ALL[0], *, client: bool = False, **changes: Any) -> Deflate:
    """Return one end, which compresses everything unless told otherwise."""
    return Deflate(parameters, Settings(**{"compression_threshold": 0, **changes}), client=client)


def inflate(inflater: Deflate, parts: Iterable[bytes], limit: int = MEBIBYTE) -> bytes:
    """Inflate the parts of a message."""
    *first, last = parts
    inflated = b""
    for part, final in [*((part, False) for part in first), (last, True)]:
        inflated += inflater.inflate(part, limit - len(inflated), final=final)
    return inflated


def raw(data: bytes, bits: int = 15, window: bytes = b"") -> bytes:
    """Compress a message as another implementation does, that has sent something before."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -bits, 8, zlib.Z_DEFAULT_STRATEGY, window)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def noise(size: int, seed: int = 0) -> bytes:
    """Return bytes that cannot be compressed."""
    return Random(seed).randbytes(size)


class InflateTests(SynchronousTestCase):
    """Section 7.2.2."""

    def test_the_vectors(self) -> None:
        for payload, expected in (
            ("f2 48 cd c9 c9 07 00", b"Hello"),
            ("00 05 00 fa ff 48 65 6c 6c 6f 00", b"Hello"),
            ("f3 48 cd c9 c9 07 00 00", b"Hello"),
            ("f2 48 05 00 00 00 ff ff ca c9 c9 07 00", b"Hello"),
            ("00", b""),
        ):
            data = bytes.fromhex(payload)
            for parts in ([data], single_bytes(data), [*single_bytes(data), b""], [b"", data, b""]):
                with self.subTest(parts):
                    self.assertEqual(inflate(end(), parts), expected)

    def test_a_kept_window_is_shared(self) -> None:
        inflater = end()
        self.assertEqual(inflate(inflater, [HELLO]), b"Hello")
        for _ in range(3):
            self.assertEqual(inflate(inflater, [bytes.fromhex("f2 00 11 00 00")]), b"Hello")

    def test_a_window_that_is_not_kept_is_not_shared(self) -> None:
        inflater = end(DeflateParameters(client_no_context_takeover=True))
        self.assertEqual(inflate(inflater, [HELLO]), b"Hello")
        with self.assertRaises(InflateError):
            inflate(inflater, [bytes.fromhex("f2 00 11 00 00")])

    def test_which_context_is_dropped_depends_on_the_end(self) -> None:
        for parameters, client, shared in (
            (DeflateParameters(server_no_context_takeover=True), False, True),
            (DeflateParameters(server_no_context_takeover=True), True, False),
            (DeflateParameters(client_no_context_takeover=True), False, False),
            (DeflateParameters(client_no_context_takeover=True), True, True),
        ):
            with self.subTest(parameters=parameters, client=client):
                inflater = end(parameters, client=client)
                inflate(inflater, [HELLO])
                if shared:
                    self.assertEqual(inflate(inflater, [bytes.fromhex("f2 00 11 00 00")]), b"Hello")
                else:
                    self.assertRaises(InflateError, inflate, inflater, [bytes.fromhex("f2 00 11 00 00")])

    def test_parts_come_out_as_soon_as_they_can(self) -> None:
        compressor = zlib.compressobj(wbits=-15)
        inflater = end()
        for text in (b"first", b"second"):
            part = compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)
            self.assertEqual(inflater.inflate(part, 100, final=False), text)

    def test_an_empty_message_keeps_the_context(self) -> None:
        inflater = end()
        self.assertEqual(inflate(inflater, [HELLO]), b"Hello")
        self.assertEqual(inflate(inflater, [b"\x00"]), b"")
        self.assertEqual(inflate(inflater, [bytes.fromhex("f2 00 11 00 00")]), b"Hello")

    def test_broken_data(self) -> None:
        for name, data in (
            ("a reserved type of block", b"\x06"),
            ("the same in the last block", b"\x07"),
            ("a stored block whose length is not confirmed", b"\x00\x05\x00\x00\x00Hello"),
            ("a distance to before the start", bytes.fromhex("f2 00 11 00 00")),
            ("noise", noise(1000)),
            ("text", b"this is not compressed"),
            ("zlib's own format", zlib.compress(b"Hello")),
        ):
            with self.subTest(name):
                self.assertRaises(InflateError, inflate, end(), [data])
                self.assertRaises(InflateError, inflate, end(), single_bytes(data))

    def test_a_distance_beyond_the_agreed_window_is_broken_or_right(self) -> None:
        # To inflate with a larger window than agreed is safe; to get it wrong is not.
        message = noise(600) * 2
        for bits in (9, 12, 15):
            inflater = end(DeflateParameters(client_max_window_bits=bits))
            try:
                self.assertEqual(inflate(inflater, [raw(message)]), message)
            except InflateError:
                self.assertLess(bits, 15)

    @properties
    @given(st.binary(max_size=60), cuts)
    def test_noise_comes_to_the_same_in_any_cut(self, data: bytes, places: list[int]) -> None:
        def attempt(parts: list[bytes]) -> bytes | None:
            try:
                return inflate(end(), parts, 1000)
            except (InflateError, TooMuchOutput):
                return None

        whole = attempt([data])
        self.assertEqual(attempt(cut(data, places)), whole)
        self.assertEqual(attempt([*single_bytes(data), b""]), whole)


class FinalBlockTests(SynchronousTestCase):
    """Sections 7.2.3.4 and 7.2.3.5: a block with BFINAL=1 ends a DEFLATE stream, and not the message."""

    def assert_inflates(self, parts: list[bytes], expected: bytes) -> None:
        """Check what blocks come to, whole and in single bytes, with and without a context, twice each."""
        data = b"".join(parts) + b"\x00"
        for parameters in (DeflateParameters(), DeflateParameters(client_no_context_takeover=True)):
            inflater = end(parameters)
            for cut_parts in ([data], single_bytes(data)) * 2:
                self.assertEqual(inflate(inflater, cut_parts), expected)

    def test_one(self) -> None:
        self.assert_inflates([FINAL_HELLO], b"Hello")

    def test_several(self) -> None:
        self.assert_inflates([FINAL_HELLO] * 10, b"Hello" * 10)

    def test_one_in_the_middle(self) -> None:
        self.assert_inflates([HELLO + TAIL, FINAL_HELLO, HELLO + TAIL], b"Hello" * 3)

    def test_empty_ones(self) -> None:
        self.assert_inflates([b"\x03\x00", FINAL_HELLO, b"\x03\x00", b"\x03\x00"], b"Hello")

    def test_one_at_the_end_of_a_fragment(self) -> None:
        inflater = end()
        self.assertEqual(inflate(inflater, [FINAL_HELLO, FINAL_HELLO, b"\x00"]), b"HelloHello")

    def test_the_window_goes_on_behind_it(self) -> None:
        inflater = end()
        self.assertEqual(inflate(inflater, [FINAL_HELLO + b"\x00"]), b"Hello")
        self.assertEqual(inflate(inflater, [bytes.fromhex("f2 00 11 00 00")]), b"Hello")

    def test_the_window_goes_on_behind_it_within_the_message(self) -> None:
        for parameters in (DeflateParameters(), DeflateParameters(client_no_context_takeover=True)):
            data = FINAL_HELLO + bytes.fromhex("f2 00 11 00 00")
            self.assertEqual(inflate(end(parameters), [data]), b"HelloHello")

    def test_the_whole_window_goes_on_behind_it(self) -> None:
        for bits in (9, 12, 15):
            # The sender's zlib looks back a little less than its window: 262 bytes.
            window = noise(2**bits - 262)
            finished = zlib.compressobj(9, zlib.DEFLATED, -bits)
            first = finished.compress(window) + finished.flush(zlib.Z_FINISH)
            second = raw(window, bits, window)
            self.assertLess(len(second), len(window) // 2, "the second does not refer to the first")
            for before in (0, 1, 3):
                inflater = end(DeflateParameters(client_max_window_bits=bits))
                for index in range(before):
                    inflate(inflater, [raw(noise(20_000, index), bits)])
                with self.subTest(bits=bits, before=before):
                    self.assertEqual(inflate(inflater, [first + b"\x00"]), window)
                    self.assertEqual(inflate(inflater, [second]), window)

    def test_a_window_of_many_small_messages_goes_on_behind_it(self) -> None:
        inflater = end(DeflateParameters(client_max_window_bits=9))
        compressor = zlib.compressobj(9, zlib.DEFLATED, -9)
        history = b""
        for index in range(200):
            text = noise(10, index)
            history += text
            data = (compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
            self.assertEqual(inflate(inflater, [data]), text)
        self.assertEqual(inflate(inflater, [b"\x03\x00\x00"]), b"")
        window = history[-250:]
        self.assertEqual(inflate(inflater, [raw(window, 9, window)]), window)

    def test_very_many_are_refused(self) -> None:
        # Each one costs a new inflater and a copied window.
        data = FINAL_HELLO * 5000 + b"\x00"
        self.assertRaises(InflateError, inflate, end(), [data])

    def test_very_many_are_refused_in_any_cut(self) -> None:
        data = FINAL_HELLO * 5000 + b"\x00"
        self.assertRaises(InflateError, inflate, end(), cut(data, range(0, len(data), 1000)))
        self.assertRaises(InflateError, inflate, end(), single_bytes(data))

    def test_each_message_counts_its_own(self) -> None:
        inflater = end()
        for _ in range(50):
            self.assertEqual(inflate(inflater, [FINAL_HELLO * 100 + b"\x00"]), b"Hello" * 100)


class LimitTests(SynchronousTestCase):
    """Section 4 of RFC6455.md: stop at the limit, never inflate fully and then measure."""

    def test_just_the_limit_is_right(self) -> None:
        for size in (0, 1, 1000, 100_000):
            for data in (bytes(size), noise(size)):
                with self.subTest(size):
                    self.assertEqual(inflate(end(), [raw(data)], size), data)

    def test_a_byte_more_is_too_much(self) -> None:
        for size in (1, 2, 1000, 100_000):
            for data in (bytes(size), noise(size)):
                with self.subTest(size):
                    self.assertRaises(TooMuchOutput, inflate, end(), [raw(data)], size - 1)

    def test_final_blocks_count_together(self) -> None:
        self.assertEqual(inflate(end(), [FINAL_HELLO * 3 + b"\x00"], 15), b"Hello" * 3)
        self.assertRaises(TooMuchOutput, inflate, end(), [FINAL_HELLO * 3 + b"\x00"], 14)
        self.assertRaises(TooMuchOutput, inflate, end(), [FINAL_HELLO * 3 + b"\x00"], 10)

    def bombs(self) -> dict[str, bytes]:
        """Return 200 MiB each, made of one MiB again and again, as making them must not cost much either."""
        compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
        repeated = compressor.compress(bytes(MEBIBYTE)) + compressor.flush(zlib.Z_FULL_FLUSH)
        finished = zlib.compressobj(9, zlib.DEFLATED, -15)
        final = finished.compress(bytes(MEBIBYTE)) + finished.flush(zlib.Z_FINISH)
        return {"one stream": repeated * 200, "many streams": final * 200}

    def test_a_bomb_costs_little_memory(self) -> None:
        for name, bomb in self.bombs().items():
            for limit in (0, 1000, MEBIBYTE):
                inflater = end()
                tracemalloc.start()
                try:
                    with self.subTest(name=name, limit=limit):
                        self.assertRaises(TooMuchOutput, inflater.inflate, bomb, limit, final=True)
                        self.assertLess(tracemalloc.get_traced_memory()[1], 3 * limit + MEBIBYTE)
                finally:
                    tracemalloc.stop()

    def test_contexts_are_made_when_they_are_needed(self) -> None:
        ends, settings = [], Settings()
        tracemalloc.start()
        try:
            ends = [Deflate(ALL[0], settings) for _ in range(100)]
            self.assertLess(tracemalloc.get_traced_memory()[0] // len(ends), 1000)
        finally:
            tracemalloc.stop()

    def test_without_context_takeover_nothing_is_held_between_messages(self) -> None:
        one = end(DeflateParameters(True, True))
        data = raw(noise(50_000))
        one.compress(noise(1000))
        inflate(one, [data])
        tracemalloc.start()
        try:
            for _ in range(3):
                one.compress(b"a" * 10_000)
                inflate(one, [data])
            self.assertLess(tracemalloc.get_traced_memory()[0], 5000)
        finally:
            tracemalloc.stop()


class CompressTests(SynchronousTestCase):
    """Section 7.2.1."""

    def compress(self, compressing: Deflate, data: bytes) -> bytes:
        compressed = compressing.compress(data)
        assert compressed is not None, "it was left as it is"
        return compressed

    def test_the_tail_of_the_flush_is_left_out(self) -> None:
        compressed = self.compress(end(), b"Hello" * 20)
        self.assertFalse(compressed.endswith(TAIL))
        self.assertEqual(zlib.decompressobj(-15).decompress(compressed + TAIL), b"Hello" * 20)

    def test_an_empty_message_is_one_zero_byte(self) -> None:
        compressing = end()
        for _ in range(3):
            self.assertEqual(compressing.compress_part(b"", final=True), b"\x00")
            self.compress(compressing, b"Hello" * 20)

    def test_a_kept_context_makes_the_second_message_smaller(self) -> None:
        text = noise(500)
        kept = end()
        self.assertLess(len(self.compress(kept, text * 2)), 700)
        self.assertLess(len(self.compress(kept, text * 2)), 100)

    def test_without_a_context_each_message_stands_alone(self) -> None:
        for parameters, client in (
            (DeflateParameters(server_no_context_takeover=True), False),
            (DeflateParameters(client_no_context_takeover=True), True),
        ):
            free = end(parameters, client=client)
            first = self.compress(free, b"Hello" * 20)
            self.compress(free, noise(100) * 2)
            self.assertEqual(self.compress(free, b"Hello" * 20), first)

    def test_the_agreed_window_is_kept_to(self) -> None:
        for bits in range(9, 16):
            for parameters, client in (
                (DeflateParameters(server_max_window_bits=bits), False),
                (DeflateParameters(client_max_window_bits=bits), True),
            ):
                compressing = end(parameters, client=client)
                inflater = zlib.decompressobj(-bits)
                for seed in range(4):
                    # It repeats itself at every distance up to twice the window.
                    message = noise(2 ** (bits - 1), seed) * 3 + noise(2**bits, seed) * 2
                    with self.subTest(bits=bits, client=client):
                        compressed = self.compress(compressing, message)
                        self.assertEqual(inflater.decompress(compressed + TAIL), message)

    def test_a_window_of_the_other_direction_does_not_bind(self) -> None:
        message = noise(4000) * 2
        self.assertLess(len(self.compress(end(DeflateParameters(client_max_window_bits=9)), message)), 5000)

    def test_a_message_below_the_threshold_is_left_alone(self) -> None:
        self.assertIsNone(end(compression_threshold=10).compress(b"a" * 9))
        self.assertIsNotNone(end(compression_threshold=10).compress(b"a" * 10))

    def test_a_message_that_would_grow_is_left_alone_if_it_leaves_no_trace(self) -> None:
        self.assertIsNone(end(DeflateParameters(server_no_context_takeover=True)).compress(noise(1000)))

    def test_the_level_counts(self) -> None:
        text = b"".join(str(number**3).encode() for number in range(2000))
        sizes = [len(self.compress(end(compression_level=level), text)) for level in (1, 9)]
        self.assertGreater(sizes[0], sizes[1])

    def test_parts_and_whole_messages_share_a_context(self) -> None:
        one, other = end(), end(client=True)
        for _ in range(2):
            self.assertEqual(inflate(other, [self.compress(one, b"Hello" * 30)]), b"Hello" * 30)
            parts = [one.compress_part(b"Hello" * 10, final=False), one.compress_part(b"!", final=True)]
            self.assertEqual(inflate(other, parts), b"Hello" * 10 + b"!")


class RoundTripTests(SynchronousTestCase):
    @properties
    @given(
        st.sampled_from(ALL),
        st.booleans(),
        st.lists(st.builds(bytes.__mul__, st.binary(max_size=50), st.sampled_from([1, 3, 400])), max_size=6),
        cuts,
    )
    def test_what_one_end_compresses_the_other_inflates(
        self, parameters: DeflateParameters, client: bool, sent: list[bytes], places: list[int]
    ) -> None:
        one, other = end(parameters, client=client), end(parameters, client=not client)
        for message in sent:
            compressed = one.compress(message)
            if compressed is not None:
                self.assertEqual(inflate(other, cut(compressed, places)), message)
