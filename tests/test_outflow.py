"""Tests of hunchensocket_tx.outflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock, Cooperator
from twisted.protocols.basic import FileSender
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from hunchensocket_tx import outflow
from hunchensocket_tx.errors import ConnectionClosed
from hunchensocket_tx.outflow import Outflow
from tests.stream_support import MemoryTransport, PullProducer, PushRecorder

END = ConnectionClosed(1000, "", False)


class OutflowTestCase(SynchronousTestCase):
    """Gives each test an outflow and its transport."""

    def setUp(self) -> None:
        self.transport = MemoryTransport()
        self.outflow = Outflow(self.transport, Clock())


class TransportTest(OutflowTestCase):
    """An outflow is the transport's push producer."""

    def test_it_is_a_push_producer(self) -> None:
        verifyObject(IPushProducer, self.outflow)

    def test_it_registers_itself_for_streaming(self) -> None:
        self.assertIs(self.transport.producer, self.outflow)
        self.assertTrue(self.transport.streaming)

    def test_it_knows_whether_the_buffer_is_full(self) -> None:
        self.assertFalse(self.outflow.full)
        self.transport.fill()
        self.assertTrue(self.outflow.full)
        self.transport.empty()
        self.assertFalse(self.outflow.full)

    def test_closing_lets_go_of_the_transport(self) -> None:
        self.outflow.close(END)
        self.assertIsNone(self.transport.producer)

    def test_closing_twice_does_no_harm(self) -> None:
        self.outflow.close(END)
        self.outflow.close(END)


class DrainedTest(OutflowTestCase):
    """``drained`` tells when the buffer is low."""

    def test_it_fires_now_if_the_buffer_is_low(self) -> None:
        self.successResultOf(self.outflow.drained())

    def test_it_fires_for_all_who_wait_when_the_buffer_is_low_again(self) -> None:
        self.transport.fill()
        waiting = [self.outflow.drained() for _ in range(3)]
        for deferred in waiting:
            self.assertNoResult(deferred)
        self.transport.empty()
        for deferred in waiting:
            self.successResultOf(deferred)

    def test_it_works_again_for_the_next_time(self) -> None:
        for _ in range(2):
            self.transport.fill()
            waiting = self.outflow.drained()
            self.assertNoResult(waiting)
            self.transport.empty()
            self.successResultOf(waiting)

    def test_it_fails_for_who_waits_when_the_stream_closes(self) -> None:
        self.transport.fill()
        waiting = [self.outflow.drained() for _ in range(2)]
        self.outflow.close(END)
        for deferred in waiting:
            self.assertIs(self.failureResultOf(deferred, ConnectionClosed).value, END)

    def test_it_fails_once_the_stream_is_closed(self) -> None:
        self.outflow.close(END)
        self.failureResultOf(self.outflow.drained(), ConnectionClosed)

    def test_waiting_can_be_given_up(self) -> None:
        self.transport.fill()
        given_up, other = self.outflow.drained(), self.outflow.drained()
        given_up.cancel()
        self.failureResultOf(given_up, CancelledError)
        self.transport.empty()
        self.successResultOf(other)

    def test_one_who_waited_may_make_others_give_up(self) -> None:
        self.transport.fill()
        first, second, third = (self.outflow.drained() for _ in range(3))
        first.addCallback(lambda _: second.cancel())
        self.transport.empty()
        self.failureResultOf(second, CancelledError)
        self.successResultOf(third)

    def test_the_one_who_waited_may_fill_the_buffer_and_wait_again(self) -> None:
        self.transport.fill()
        first = self.outflow.drained()

        def send(_: object) -> None:
            self.transport.fill()
            self.again = self.outflow.drained()

        first.addCallback(send)
        self.transport.empty()
        self.assertNoResult(self.again)
        self.transport.empty()
        self.successResultOf(self.again)


class PushProducerTest(OutflowTestCase):
    """A push producer feels the transport's backpressure (IPushProducer)."""

    def setUp(self) -> None:
        super().setUp()
        self.producer = PushRecorder()

    def test_it_is_paused_and_resumed_with_the_buffer(self) -> None:
        self.outflow.register(self.producer, True)
        self.assertEqual(self.producer.told, [])
        self.transport.fill()
        self.transport.empty()
        self.assertEqual(self.producer.told, ["pause", "resume"])

    def test_it_is_paused_at_once_if_the_buffer_is_full(self) -> None:
        self.transport.fill()
        self.outflow.register(self.producer, True)
        self.assertEqual(self.producer.told, ["pause"])

    def test_it_is_not_told_any_more_when_unregistered(self) -> None:
        self.outflow.register(self.producer, True)
        self.outflow.unregister()
        self.transport.fill()
        self.outflow.close(END)
        self.assertEqual(self.producer.told, [])

    def test_it_is_stopped_when_the_stream_closes(self) -> None:
        self.outflow.register(self.producer, True)
        self.outflow.close(END)
        self.outflow.close(END)
        self.assertEqual(self.producer.told, ["stop"])

    def test_it_may_unregister_itself_when_stopped(self) -> None:
        self.producer.stopProducing = self.outflow.unregister  # type: ignore[method-assign]
        self.outflow.register(self.producer, True)
        self.outflow.close(END)
        self.assertIsNone(self.transport.producer)

    def test_it_is_stopped_at_once_if_the_stream_is_closed(self) -> None:
        self.outflow.close(END)
        self.outflow.register(self.producer, True)
        self.assertEqual(self.producer.told, ["stop"])

    def test_there_can_be_only_one(self) -> None:
        self.outflow.register(self.producer, True)
        with self.assertRaises(RuntimeError):
            self.outflow.register(PushRecorder(), True)

    def test_another_may_follow(self) -> None:
        self.outflow.register(PushRecorder(), True)
        self.outflow.unregister()
        self.outflow.register(self.producer, True)
        self.transport.fill()
        self.assertEqual(self.producer.told, ["pause"])

    def test_it_need_not_declare_its_interface(self) -> None:
        # Twisted's own transports take such producers; this one of Twisted's declares IProducer only.
        plain: Any = FileSender()
        for streaming in (True, False):
            self.outflow.register(plain, streaming)
            self.outflow.unregister()

    def test_unregistering_without_one_does_no_harm(self) -> None:
        self.outflow.unregister()


class PullProducerTest(OutflowTestCase):
    """A pull producer is asked for more again and again, while the buffer is low (IPullProducer)."""

    def setUp(self) -> None:
        super().setUp()
        self.asked = 0
        self.producer = PullProducer(self.count)
        clock = Clock()
        cooperator = Cooperator(
            terminationPredicateFactory=lambda: lambda: True,
            scheduler=lambda function: clock.callLater(1, function),
        )
        self.patch(outflow, "cooperate", cooperator.cooperate)
        self.turn = lambda: clock.advance(1)

    def count(self) -> None:
        self.asked += 1

    def count_and(self, act: Callable[[], None]) -> Callable[[], None]:
        """Return a function that counts and then does something."""

        def both() -> None:
            self.count()
            act()

        return both

    def turns(self, number: int) -> int:
        """Let the reactor turn; return how often the producer was asked meanwhile."""
        before = self.asked
        for _ in range(number):
            self.turn()
        return self.asked - before

    def test_it_is_asked_again_and_again(self) -> None:
        self.outflow.register(self.producer, False)
        self.assertGreaterEqual(self.turns(5), 4)

    def test_it_is_not_asked_while_the_buffer_is_full(self) -> None:
        self.outflow.register(self.producer, False)
        self.turns(2)
        self.transport.fill()
        self.assertEqual(self.turns(5), 0)
        self.transport.empty()
        self.assertGreater(self.turns(5), 0)

    def test_it_is_not_asked_before_the_buffer_is_low(self) -> None:
        self.transport.fill()
        self.outflow.register(self.producer, False)
        self.assertEqual(self.turns(5), 0)
        self.transport.empty()
        self.assertGreater(self.turns(5), 0)

    def test_it_may_fill_the_buffer_itself(self) -> None:
        self.producer.produce = self.count_and(self.transport.fill)
        self.outflow.register(self.producer, False)
        self.turns(5)
        self.assertEqual(self.asked, 1)
        self.transport.empty()
        self.turns(5)
        self.assertEqual(self.asked, 2)

    def test_it_is_not_asked_any_more_when_unregistered(self) -> None:
        self.outflow.register(self.producer, False)
        self.turns(2)
        self.outflow.unregister()
        self.assertEqual(self.turns(5), 0)
        self.assertEqual(self.producer.stopped, 0)

    def test_it_may_unregister_itself_when_it_is_asked(self) -> None:
        self.producer.produce = self.count_and(self.outflow.unregister)
        self.outflow.register(self.producer, False)
        self.turns(5)
        self.assertEqual(self.asked, 1)

    def test_it_is_stopped_once_and_not_asked_any_more_when_the_stream_closes(self) -> None:
        self.outflow.register(self.producer, False)
        self.turns(2)
        self.outflow.close(END)
        self.assertEqual(self.turns(5), 0)
        self.assertEqual(self.producer.stopped, 1)

    def test_it_is_stopped_also_while_it_is_paused(self) -> None:
        self.outflow.register(self.producer, False)
        self.turns(2)
        self.transport.fill()
        self.outflow.close(END)
        self.assertEqual(self.producer.stopped, 1)
        self.assertEqual(self.turns(5), 0)

    def test_its_error_is_logged_and_it_is_not_asked_again(self) -> None:
        self.fail_when_asked()
        self.assertEqual(self.turns(5), 0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_its_error_does_not_disturb_the_transport(self) -> None:
        self.fail_when_asked()
        self.transport.fill()
        self.transport.empty()
        self.outflow.close(END)
        self.flushLoggedErrors(ZeroDivisionError)

    def fail_when_asked(self) -> None:
        """Let a producer raise an error, and handle it."""

        def fail() -> None:
            raise ZeroDivisionError

        self.producer.produce = fail
        self.outflow.register(self.producer, False)
        self.turns(2)
