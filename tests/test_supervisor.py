"""Tests of the supervisor of workers (hunchensocket_tx.service.supervisor), with a reactor that starts nothing."""

from __future__ import annotations

import os
import signal
from typing import Any, cast

from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsJSON, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.service.sharing import BindingReactor
from hunchensocket_tx.service.supervisor import GRACE, LONG_ENOUGH, LONGEST_DELAY, Supervisor, next_delay
from hunchensocket_tx.service.worker import Orders


class Process:
    """A process that does not exist.

    :ivar protocol: hears of it.
    :ivar signals: names of those it got.
    """

    def __init__(self, protocol: Any, pid: int, environment: dict[str, str]) -> None:
        self.protocol = protocol
        self.pid = pid
        self.environment = environment
        self.signals: list[str] = []
        self.is_let_go = False

    def signalProcess(self, name: str) -> None:
        """Take a signal (IProcessTransport)."""
        self.signals.append(name)

    def loseConnection(self) -> None:
        """Close the pipes (IProcessTransport)."""
        self.is_let_go = True

    def exit(self, status: int = 0, number: int | None = None) -> None:
        """Exit, while others have the pipes yet."""
        error = ProcessTerminated(status, number) if status or number else ProcessDone(0)
        self.protocol.processExited(Failure(error))

    def end(self, status: int = 0, number: int | None = None) -> None:
        """Exit, and close the pipes."""
        self.exit(status, number)
        self.protocol.processEnded(Failure(ProcessDone(0)))


class ProcessReactor(MemoryReactorClock):
    """A reactor with a clock to be set, and processes that do not exist."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[Process] = []

    def spawnProcess(self, protocol: Any, executable: str, args: Any, env: Any, *rest: Any, **more: Any) -> Any:
        """Start nothing (IReactorProcess)."""
        process = Process(protocol, 100 + len(self.processes), env)
        self.processes.append(process)
        protocol.makeConnection(process)
        return process


class SupervisorCase(SynchronousTestCase):
    """Tests with a supervisor of two workers, who are given 7 seconds in the end."""

    def setUp(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        self.events: list[LogEvent] = []
        observer = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.reactor: Any = ProcessReactor()
        self.patch_environment(NOTIFY_SOCKET="/run/notify", HOME="/root")
        self.supervisor = Supervisor(["worker"], "/", 2, BindingReactor(self.reactor), 7, self.reactor)
        self.supervisor.privilegedStartService()
        self.supervisor.startService()
        self.processes: list[Process] = self.reactor.processes

    def patch_environment(self, **variables: str) -> None:
        """Have an environment of these variables alone."""
        self.patch(os, "environ", variables)

    def levels(self, word: str) -> list[LogLevel]:
        """Return the levels of the log's events that have a word."""
        return [event["log_level"] for event in self.events if word in str(event.get("log_format"))]


class RestartTests(SupervisorCase):
    """Whoever dies is replaced."""

    def test_the_delay_doubles_up_to_a_limit(self) -> None:
        delays = [0.0]
        while len(delays) < 12:
            delays.append(next_delay(delays[-1], 0))
        self.assertEqual(delays[1:5], [0.1, 0.2, 0.4, 0.8])
        self.assertEqual(delays[-2:], [LONGEST_DELAY, LONGEST_DELAY])

    def test_the_delay_is_short_again_after_a_long_life(self) -> None:
        self.assertEqual(next_delay(LONGEST_DELAY, LONG_ENOUGH), 0.1)

    def test_each_worker_has_orders_and_is_not_seen_by_systemd(self) -> None:
        environments = [process.environment for process in self.processes]
        self.assertEqual([Orders.take(one) for one in environments], [Orders(1, ()), Orders(2, ())])
        self.assertEqual(environments, [{"HOME": "/root"}] * 2)

    def test_one_that_dies_is_replaced_in_its_place(self) -> None:
        self.processes[1].end(number=9)
        self.assertEqual(len(self.processes), 2)
        self.reactor.advance(0.1)
        self.assertEqual(Orders.take(self.processes[2].environment), Orders(2, ()))
        self.processes[2].end(1)
        self.reactor.advance(0.1)
        self.assertEqual(len(self.processes), 3)
        self.reactor.advance(0.1)
        self.assertEqual(len(self.processes), 4)

    def test_one_is_replaced_though_others_have_its_pipes_yet(self) -> None:
        self.processes[0].exit(number=9)
        self.reactor.advance(0.1)
        self.assertEqual(len(self.processes), 3)
        self.processes[0].protocol.processEnded(Failure(ProcessDone(0)))
        self.supervisor.stopService()
        self.assertEqual(self.processes[2].signals, ["TERM"])

    def test_it_is_an_error_unless_the_status_was_0(self) -> None:
        self.processes[0].end()
        self.assertEqual(self.levels("starting the next"), [LogLevel.info])
        self.processes[1].end(1)
        self.assertEqual(self.levels("starting the next"), [LogLevel.info, LogLevel.error])
        self.assertEqual(self.events[-1]["how"], "ended with status 1")


class StopTests(SupervisorCase):
    """All are stopped, one way or the other."""

    def test_it_waits_for_all(self) -> None:
        stopped = self.supervisor.stopService()
        self.assertEqual([process.signals for process in self.processes], [["TERM"], ["TERM"]])
        self.processes[0].end()
        self.assertNoResult(stopped)
        self.processes[1].end()
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_nobody_is_started_any_more(self) -> None:
        self.processes[0].end(1)
        stopped = self.supervisor.stopService()
        self.processes[1].end(1)
        self.successResultOf(stopped)
        self.reactor.advance(LONGEST_DELAY)
        self.assertEqual(len(self.processes), 2)

    def test_whoever_does_not_end_is_killed(self) -> None:
        stopped = self.supervisor.stopService()
        self.processes[0].end()
        self.reactor.advance(7 + GRACE)
        self.assertEqual([process.signals for process in self.processes], [["TERM"], ["TERM", "KILL"]])
        self.assertTrue(self.processes[1].is_let_go)
        self.processes[1].end(number=9)
        self.successResultOf(stopped)

    def test_whose_pipes_others_have_is_let_go(self) -> None:
        stopped = self.supervisor.stopService()
        self.processes[0].end()
        self.processes[1].exit()
        self.reactor.advance(7 + GRACE)
        self.assertEqual(self.processes[1].signals, ["TERM"])
        self.assertTrue(self.processes[1].is_let_go)
        self.processes[1].protocol.processEnded(Failure(ProcessDone(0)))
        self.successResultOf(stopped)


class LogTests(SupervisorCase):
    """What workers say is in the supervisor's log."""

    def said(self, *pieces: bytes) -> list[LogEvent]:
        """Return the events that come of what the second worker writes to stdout."""
        del self.events[:]
        for piece in pieces:
            self.processes[1].protocol.childDataReceived(1, piece)
        return self.events

    def test_events_keep_their_level_and_get_the_number(self) -> None:
        event = {"log_level": LogLevel.warn, "log_namespace": "here", "log_format": "{a}", "a": 5, "log_time": 1.0}
        line = eventAsJSON(event).encode() + b"\n"
        [relayed] = self.said(line[:7], line[7:])
        self.assertEqual(relayed["log_level"], LogLevel.warn)
        self.assertEqual((relayed["a"], relayed["worker"], relayed["log_time"]), (5, 2, 1.0))
        self.assertEqual(relayed["log_system"], "worker 2: here#warn")

    def test_what_is_no_event_is_a_warning(self) -> None:
        for line in (b"Segmentation fault\xff\n", b"5\n", b"{}\n"):
            with self.subTest(line=line):
                [event] = self.said(line)
                self.assertEqual((event["log_level"], event["number"]), (LogLevel.warn, 2))
                self.assertEqual(event["text"], line[:-1].decode(errors="backslashreplace"))

    def test_the_last_line_needs_no_end(self) -> None:
        self.assertEqual(self.said(b"killed"), [])
        self.processes[1].end(1)
        self.assertEqual(self.events[-1]["text"], "killed")
