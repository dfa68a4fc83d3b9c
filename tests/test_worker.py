"""Tests of a worker's end of things (hunchensocket_tx.service.worker); tests/test_workers.py runs real ones."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogEvent, LogLevel, eventAsText, eventFromJSON
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.service.worker import Orders, Worker, log_to_supervisor


class OrdersTests(SynchronousTestCase):
    """What a worker is told in the environment."""

    def test_they_are_taken_as_they_were_put(self) -> None:
        for sockets in ((), (("tcp", "80", ""), ("unix", "a\udcff", ""))):
            with self.subTest(sockets=sockets):
                environment: dict[str, str] = {}
                orders = Orders(3, sockets)
                orders.put(environment)
                self.assertEqual(Orders.take(environment), orders)
                self.assertEqual(environment, {})

    def test_who_is_no_worker_has_none(self) -> None:
        self.assertIsNone(Orders.take({}))


class WorkerTests(SynchronousTestCase):
    """It looks after its supervisor."""

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.worker = Worker(1, self.reactor)
        self.worker.startService()

    def test_it_stops_when_the_supervisor_is_gone(self) -> None:
        [lifeline] = self.reactor.getReaders()
        self.assertFalse(self.reactor.hasStopped)
        lifeline.connectionLost(Failure(ConnectionDone()))
        self.assertTrue(self.reactor.hasStopped)

    def test_it_looks_no_more_when_it_has_stopped(self) -> None:
        self.worker.stopService()
        self.assertEqual(self.reactor.getReaders(), [])


class LogTests(SynchronousTestCase):
    """What the supervisor gets."""

    def logged(self, event: LogEvent) -> LogEvent:
        """Return an event as it gets there."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.patch(os, "dup", lambda descriptor: writing)
        log_to_supervisor()(event)
        line = os.read(reading, 10_000)
        self.assertEqual((line.count(b"\n"), line[-1:]), (1, b"\n"))
        return eventFromJSON(line.decode())

    def test_an_event_is_a_line(self) -> None:
        event = self.logged({"log_level": LogLevel.info, "log_format": "two\nlines"})
        self.assertEqual((event["log_level"], event["log_format"]), (LogLevel.info, "two\nlines"))

    def test_a_traceback_gets_through_with_what_it_says(self) -> None:
        try:
            raise RuntimeError("what a pity")
        except RuntimeError:
            failure = Failure()
        event = self.logged(
            {"log_level": LogLevel.critical, "log_format": "{n} oh", "n": 2, "log_failure": failure}
        )
        text = eventAsText(event)
        for piece in ("2 oh\n", "RuntimeError: what a pity", "test_worker.py"):
            self.assertIn(piece, text)
