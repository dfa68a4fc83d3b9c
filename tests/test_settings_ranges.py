"""Settings of RFC 6455's versions: their defaults, their ranges, and what to do with slow peers."""

from __future__ import annotations

import zlib
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.errors import InvalidSetting
from hunchensocket_tx.settings import KNOWN_VERSIONS, Settings

NAN, INFINITY = float("nan"), float("inf")


class RangeTestCase(SynchronousTestCase):
    def assert_valid(self, name: str, *values: Any) -> None:
        for value in values:
            with self.subTest(name=name, value=value):
                self.assertEqual(getattr(Settings(**{name: value}), name), value)

    def assert_invalid(self, name: str, *values: Any) -> None:
        for value in values:
            with self.subTest(name=name, value=value):
                with self.assertRaises(InvalidSetting) as caught:
                    Settings(**{name: value})
                self.assertIn(name, str(caught.exception))
                self.assertIn(repr(value), str(caught.exception))


class DefaultTests(SynchronousTestCase):
    """Section 6 of DESIGN.md: safe unless told otherwise; section 2 of RFC6455.md: limits to have."""

    def test_rfc_6455_and_its_drafts_are_on_and_preferred(self) -> None:
        self.assertEqual(Settings().versions, (13, 8, 7, 76))
        self.assertEqual(KNOWN_VERSIONS[0], 13)

    def test_a_message_of_the_largest_size_fits_into_a_frame(self) -> None:
        self.assertGreaterEqual(Settings().max_frame_size, Settings().max_message_size)

    def test_everything_a_peer_can_multiply_is_limited(self) -> None:
        settings = Settings()
        for name in (
            "max_message_size",
            "max_frame_size",
            "max_fragments",
            "max_control_frames",
            "max_send_buffer",
        ):
            with self.subTest(name):
                self.assertTrue(0 < getattr(settings, name) < INFINITY)

    def test_every_timer_runs(self) -> None:
        settings = Settings()
        for name in ("ping_interval", "ping_timeout", "send_timeout", "websocket_timeout", "closing_timeout"):
            with self.subTest(name):
                self.assertTrue(0 < getattr(settings, name) < INFINITY)

    def test_a_slow_peer_is_closed(self) -> None:
        self.assertEqual(Settings().slow_peers, "close")

    def test_compression_is_on_and_small(self) -> None:
        settings = Settings()
        self.assertTrue(settings.compression)
        self.assertTrue(settings.compression_context_takeover)
        # Section 4 of RFC6455.md: what a context costs.
        self.assertLess(
            2 ** (settings.compression_window_bits + 2) + 2 ** (settings.compression_memory_level + 9), 65536
        )


class RangeTests(RangeTestCase):
    def test_sizes_are_above_zero(self) -> None:
        for name in ("max_message_size", "max_frame_size", "max_send_buffer"):
            self.assert_valid(name, 1, 2**40)
            self.assert_invalid(name, 0, -1, NAN)

    def test_numbers_are_above_zero(self) -> None:
        for name in ("max_fragments", "max_control_frames"):
            self.assert_valid(name, 1, 10**9)
            self.assert_invalid(name, 0, -1, NAN)

    def test_timers_that_may_be_off_start_at_zero(self) -> None:
        for name in ("ping_interval", "ping_timeout", "send_timeout"):
            self.assert_valid(name, 0, 0.5, 3600)
            self.assert_invalid(name, -1, -0.001, NAN)

    def test_a_window_has_9_to_15_bits(self) -> None:
        self.assert_valid("compression_window_bits", *range(9, 16))
        # zlib cannot make raw streams with a window of 8.
        self.assert_invalid("compression_window_bits", 8, 16, 0, -15)

    def test_a_level_is_1_to_9(self) -> None:
        for name in ("compression_level", "compression_memory_level"):
            self.assert_valid(name, *range(1, 10))
            self.assert_invalid(name, 0, 10, -1)

    def test_zlib_takes_what_is_taken_here(self) -> None:
        for bits in (9, 15):
            for level in (1, 9):
                settings = Settings(
                    compression_window_bits=bits, compression_level=level, compression_memory_level=level
                )
                zlib.compressobj(
                    settings.compression_level,
                    zlib.DEFLATED,
                    -settings.compression_window_bits,
                    settings.compression_memory_level,
                )

    def test_a_threshold_may_be_zero(self) -> None:
        self.assert_valid("compression_threshold", 0, 1, 10**6)
        self.assert_invalid("compression_threshold", -1, NAN)

    def test_what_is_counted_is_a_whole_number(self) -> None:
        # Settled here, it is not a TypeError from zlib within somebody's connection.
        for name in (
            "max_message_size",
            "max_frame_size",
            "max_fragments",
            "compression_level",
            "compression_memory_level",
            "compression_window_bits",
        ):
            self.assert_invalid(name, 9.5)

    def test_a_message_without_end_is_no_size(self) -> None:
        self.assert_invalid("max_message_size", INFINITY)

    def test_what_is_no_number_is_refused_by_name(self) -> None:
        for name in ("max_frame_size", "max_fragments", "ping_interval", "compression_level"):
            self.assert_invalid(name, "5", None)

    def test_the_range_is_told(self) -> None:
        with self.assertRaises(InvalidSetting) as caught:
            Settings(compression_window_bits=8)
        self.assertIn("9 to 15", str(caught.exception))


class SlowPeerTests(RangeTestCase):
    def test_there_are_three_ways(self) -> None:
        self.assert_valid("slow_peers", "close", "drop", "wait")

    def test_there_is_no_other(self) -> None:
        self.assert_invalid("slow_peers", "", "Close", "block", None, True)


class VersionTests(RangeTestCase):
    def test_each_can_be_spoken_alone(self) -> None:
        for version in (13, 8, 7):
            self.assert_valid("versions", (version,))

    def test_drafts_that_nobody_speaks_are_refused(self) -> None:
        for version in (0, 4, 5, 6, 9, 12, 14):
            with self.subTest(version), self.assertRaises(InvalidSetting):
                Settings(versions=(13, version))
