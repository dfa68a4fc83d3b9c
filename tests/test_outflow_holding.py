"""Tests of hunchensocket_tx.outflow: what is kept for a full transport, and how long that may stay full."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.errors import ConnectionClosed
from hunchensocket_tx.outflow import PORTION, Outflow
from tests.hybi_stream_support import NarrowTransport
from tests.stream_support import MemoryTransport, PushRecorder

END = ConnectionClosed(1000, "", False)


class HoldingTestCase(SynchronousTestCase):
    """Gives each test an outflow, and writes down what it tells."""

    timeout = 0.0

    def setUp(self) -> None:
        self.clock = Clock()
        self.transport = MemoryTransport()
        self.changes: list[bool] = []
        """Whether it was full, each time it told of a change."""
        self.stuck = 0
        self.outflow = self.make(self.transport)

    def make(self, transport: MemoryTransport) -> Outflow:
        return Outflow(transport, self.clock, self.timeout, self.changed, self.is_stuck)

    def changed(self) -> None:
        self.changes.append(self.outflow.full)

    def is_stuck(self) -> None:
        self.stuck += 1


class HoldingTest(HoldingTestCase):
    """What is written while the transport is full waits here, in order."""

    def test_nothing_is_kept_from_a_transport_that_takes_it(self) -> None:
        self.outflow.write(b"a")
        self.assertEqual((self.transport.value(), self.outflow.held), (b"a", 0))

    def test_it_is_kept_while_the_transport_is_full(self) -> None:
        self.transport.fill()
        for _ in range(3):
            self.outflow.write(b"abc")
        self.assertEqual((self.transport.value(), self.outflow.held), (b"", 9))

    def test_it_follows_in_order_when_the_transport_is_empty(self) -> None:
        self.outflow.write(b"a")
        self.transport.fill()
        for data in (b"b", b"c", b"d"):
            self.outflow.write(data)
        self.transport.empty()
        self.assertEqual((self.transport.value(), self.outflow.held), (b"abcd", 0))
        self.assertFalse(self.outflow.full)

    def test_it_is_handed_over_in_portions_that_the_transport_likes_to_take(self) -> None:
        transport = NarrowTransport()
        self.outflow = self.make(transport)
        transport.fill()
        for _ in range(100):
            self.outflow.write(bytes(10_000))
        transport.empty()
        self.assertLess(transport.waiting, 2 * PORTION)
        self.assertTrue(self.outflow.full)
        self.assertEqual(self.outflow.held, 1_000_000 - transport.waiting)

    def test_portions_follow_until_all_is_sent(self) -> None:
        transport = NarrowTransport()
        self.outflow = self.make(transport)
        transport.fill()
        for number in range(100):
            self.outflow.write(bytes([number]) * 10_000)
        transport.empty()
        takes = 0
        while self.outflow.full:
            transport.take()
            takes += 1
        self.assertGreater(takes, 5)
        self.assertEqual(transport.value(), b"".join(bytes([number]) * 10_000 for number in range(100)))

    def test_it_stays_full_until_the_last_portion_is_taken(self) -> None:
        transport = NarrowTransport()
        self.outflow = self.make(transport)
        self.outflow.write(bytes(2000))
        self.outflow.write(bytes(2000))
        drained = self.outflow.drained()
        transport.take()
        self.assertTrue(self.outflow.full)
        self.assertNoResult(drained)
        transport.take()
        self.assertFalse(self.outflow.full)
        self.successResultOf(drained)

    def test_what_is_written_meanwhile_waits_its_turn(self) -> None:
        transport = NarrowTransport()
        self.outflow = self.make(transport)
        for data in (b"a" * 2000, b"b" * 2000):
            self.outflow.write(data)
        transport.take()
        self.outflow.write(b"c")
        while self.outflow.full:
            transport.take()
        self.assertEqual(transport.value(), b"a" * 2000 + b"b" * 2000 + b"c")

    def test_who_is_told_that_all_is_sent_may_write_again(self) -> None:
        transport = NarrowTransport()
        self.outflow = self.make(transport)
        self.outflow.write(bytes(2000))
        drained = self.outflow.drained()

        def write_twice(_: None) -> None:
            for size in (2000, 2000):
                self.outflow.write(bytes(size))

        drained.addCallback(write_twice)
        transport.take()
        self.assertTrue(self.outflow.full)
        self.assertEqual(self.outflow.held, 2000)
        transport.take()
        transport.take()
        self.assertEqual(len(transport.value()), 6000)
        self.assertFalse(self.outflow.full)

    def test_a_producer_is_resumed_when_all_is_sent_and_not_before(self) -> None:
        transport, producer = NarrowTransport(), PushRecorder()
        self.outflow = self.make(transport)
        self.outflow.register(producer, True)
        self.outflow.write(bytes(2000))
        self.outflow.write(bytes(2000))
        transport.take()
        self.assertEqual(producer.told, ["pause"])
        transport.take()
        self.assertEqual(producer.told, ["pause", "resume"])

    @settings(deadline=None, max_examples=100, database=None)
    @given(st.lists(st.one_of(st.integers(1, 5000), st.none()), max_size=40))
    def test_whatever_is_written_and_taken_comes_out_whole_and_in_order(self, steps: list[int | None]) -> None:
        transport = NarrowTransport()
        outflow = Outflow(transport, Clock())
        written = b""
        for number, size in enumerate(steps):
            if size is None:
                transport.take()
            else:
                data = bytes([number]) * size
                written += data
                outflow.write(data)
        self.assertEqual(len(transport.value()) + outflow.held, len(written))
        while outflow.full:
            transport.take()
        self.assertEqual(transport.value(), written)
        self.assertEqual(outflow.held, 0)


class ChangedTest(HoldingTestCase):
    """It tells when the transport becomes full and when everything is sent."""

    def test_it_tells_both_once(self) -> None:
        self.transport.fill()
        self.transport.fill()
        self.assertEqual(self.changes, [True])
        self.transport.empty()
        self.assertEqual(self.changes, [True, False])

    def test_it_does_not_tell_between_portions(self) -> None:
        transport = NarrowTransport()
        self.outflow = self.make(transport)
        for _ in range(3):
            self.outflow.write(bytes(PORTION))
        while self.outflow.full:
            transport.take()
        self.assertEqual(self.changes, [True, False])


class TimeoutTest(HoldingTestCase):
    """A transport may be full for so many seconds."""

    timeout = 10.0

    def test_it_tells_once_that_it_is_stuck(self) -> None:
        self.transport.fill()
        self.clock.advance(9.9)
        self.assertEqual(self.stuck, 0)
        self.clock.pump([0.2, 100])
        self.assertEqual(self.stuck, 1)

    def test_what_is_written_does_not_prolong_it(self) -> None:
        self.transport.fill()
        for _ in range(10):
            self.outflow.write(b"more")
            self.transport.fill()
            self.clock.advance(1)
        self.assertEqual(self.stuck, 1)

    def test_it_starts_anew_with_each_portion(self) -> None:
        transport = NarrowTransport()
        self.outflow = self.make(transport)
        for _ in range(10):
            self.outflow.write(bytes(PORTION))
        for _ in range(9):
            self.clock.advance(9)
            transport.take()
        self.assertEqual(self.stuck, 0)
        self.clock.advance(10)
        self.assertEqual(self.stuck, 1)

    def test_it_starts_anew_when_something_has_left_the_transport(self) -> None:
        self.transport.fill()
        self.clock.advance(9)
        self.outflow.goes_on()
        self.clock.advance(9)
        self.assertEqual(self.stuck, 0)
        self.clock.advance(1)
        self.assertEqual(self.stuck, 1)

    def test_there_is_none_for_a_transport_that_is_not_full(self) -> None:
        self.outflow.goes_on()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_ends_when_all_is_sent(self) -> None:
        self.transport.fill()
        self.transport.empty()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_ends_when_the_stream_closes(self) -> None:
        self.transport.fill()
        self.outflow.close(END)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_transport_that_takes_everything_is_not_timed(self) -> None:
        self.outflow.write(b"a")
        self.assertEqual(self.clock.getDelayedCalls(), [])


class UntimedTest(HoldingTestCase):
    """A timeout of 0 is for ever."""

    def test_it_is_never_stuck(self) -> None:
        self.transport.fill()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ClosingTest(HoldingTestCase):
    """When the stream closes, the transport still gets all as it can take it, or nothing more."""

    def setUp(self) -> None:
        super().setUp()
        self.outflow.write(b"a")
        self.transport.fill()
        self.outflow.write(b"b")
        self.outflow.write(b"c")

    def test_what_is_held_is_handed_over(self) -> None:
        self.outflow.close(END)
        self.assertEqual((self.transport.value(), self.outflow.held), (b"a", 2))
        self.assertFalse(self.outflow.released)
        self.transport.empty()
        self.assertEqual((self.transport.value(), self.outflow.held), (b"abc", 0))
        self.assertTrue(self.outflow.released)

    def test_or_dropped(self) -> None:
        self.outflow.close(END, discard=True)
        self.assertEqual((self.transport.value(), self.outflow.held), (b"a", 0))

    def test_what_is_written_afterwards_follows(self) -> None:
        for discard, before in ((False, b"abc"), (True, b"a")):
            self.setUp()
            self.outflow.close(END, discard=discard)
            self.outflow.write(b"close")
            self.transport.empty()
            self.assertEqual(self.transport.value(), before + b"close")

    def test_it_tells_when_all_is_gone(self) -> None:
        self.outflow.close(END)
        self.transport.empty()
        self.assertEqual(self.changes, [True, False])
        self.assertEqual(self.clock.getDelayedCalls(), [])
