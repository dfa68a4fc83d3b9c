"""Tests of the counters (hunchensocket_tx.tally)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.tally import Histogram, Tally
from hunchensocket_tx.wire.events import CloseReason


class Stream:
    """What a tally sees of a stream."""

    def __init__(self, version: int = 13, counted_as: str | None = None, started: float = 10.0) -> None:
        self.version = version
        self.counted_as = counted_as
        self.started = started
        self.number = 0
        self.bytes_received, self.bytes_sent, self.messages_received, self.messages_sent = 1, 20, 300, 4000
        self.send_buffer = 50000


def end(code: int = 1000) -> CloseReason:
    return CloseReason(code, "", True)


class TallyTests(SynchronousTestCase):
    """What is counted, and when."""

    def setUp(self) -> None:
        self.tally = Tally()

    def test_a_stream_counts_from_its_acceptance_to_its_end(self) -> None:
        stream = Stream()
        self.tally.begin(stream)
        self.assertEqual((self.tally.connections, self.tally.totals().open), (1, {13: 1}))
        self.tally.end(stream, end(4000), 12.0)
        self.assertEqual((self.tally.connections, self.tally.totals().open), (0, {}))
        self.assertEqual((self.tally.accepted, self.tally.closed), ({13: 1}, {4000: 1}))

    def test_streams_are_numbered(self) -> None:
        streams = [Stream(13), Stream(76), Stream(13)]
        for stream in streams:
            self.tally.begin(stream)
        self.assertEqual([stream.number for stream in streams], [1, 2, 3])

    def test_what_streams_have_counted_does_not_vanish_with_them(self) -> None:
        gone, there = Stream(), Stream(76)
        for stream in (gone, there):
            self.tally.begin(stream)
        self.tally.end(gone, end(), 11.0)
        totals = self.tally.totals()
        self.assertEqual((totals.bytes_received, totals.bytes_sent), (2, 40))
        self.assertEqual((totals.messages_received, totals.messages_sent), (600, 8000))
        self.assertEqual(totals.open, {76: 1})

    def test_what_waits_to_be_sent_is_that_of_open_streams(self) -> None:
        small, large, gone = Stream(), Stream(), Stream()
        small.send_buffer = 10
        for stream in (small, large, gone):
            self.tally.begin(stream)
        self.tally.end(gone, end(), 11.0)
        totals = self.tally.totals()
        self.assertEqual((totals.send_buffer, totals.largest_send_buffer), (50010, 50000))

    def test_a_handshake_is_under_way_until_the_stream_is_open(self) -> None:
        stream = Stream(started=10.0)
        self.tally.begin(stream)
        self.assertEqual(len(self.tally.opening), 1)
        self.tally.opened(stream, 10.25)
        self.assertEqual(len(self.tally.opening), 0)
        self.assertEqual((self.tally.handshake_seconds.count, self.tally.handshake_seconds.total), (1, 0.25))

    def test_a_handshake_that_is_never_completed_takes_no_time(self) -> None:
        stream = Stream()
        self.tally.begin(stream)
        self.tally.end(stream, end(1006), 20.0)
        self.assertEqual((len(self.tally.opening), self.tally.handshake_seconds.count), (0, 0))

    def test_clients_are_counted_by_address_while_they_are_there(self) -> None:
        streams = [Stream(counted_as=name) for name in ("a", "a", "b", None)]
        for stream in streams:
            self.tally.begin(stream)
        self.assertEqual(self.tally.clients, {"a": 2, "b": 1})
        for stream in streams[1:]:
            self.tally.end(stream, end(), 11.0)
        self.assertEqual(self.tally.clients, {"a": 1})

    def test_clients_cannot_fill_the_memory_with_close_codes(self) -> None:
        for code in range(3000, 3200):
            stream = Stream()
            self.tally.begin(stream)
            self.tally.end(stream, end(code), 11.0)
        self.assertEqual((len(self.tally.closed), self.tally.closed["other"]), (101, 100))
        self.assertEqual(self.tally.closed[3000], 1)

    def test_who_wants_to_is_told_of_each_end(self) -> None:
        told: list[Any] = []
        self.tally.when_ended = lambda *arguments: told.append(arguments)
        stream = Stream(started=10.0)
        self.tally.begin(stream)
        self.tally.end(stream, end(1001), 12.5)
        self.assertEqual(told, [(stream, end(1001), 2.5)])


class HistogramTests(SynchronousTestCase):
    """How long things took."""

    def test_buckets_are_cumulative_and_include_their_bound(self) -> None:
        histogram = Histogram()
        for seconds in (0.0, 0.001, 0.0011, 31.0):
            histogram.add(seconds)
        buckets = dict(histogram.buckets())
        self.assertEqual([buckets[bound] for bound in ("0.001", "0.0025", "30.0", "+Inf")], [2, 3, 3, 4])
        self.assertEqual(histogram.count, 4)
        self.assertAlmostEqual(histogram.total, 31.0021)
