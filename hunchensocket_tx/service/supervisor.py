"""The supervisor of workers: starts them, starts those anew that die, passes signals and logs on, stops all."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Any, Literal

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger, LogLevel, eventFromJSON, globalLogPublisher
from twisted.python.failure import Failure

from hunchensocket_tx.service.hangup import OnHangup
from hunchensocket_tx.service.sharing import BindingReactor
from hunchensocket_tx.service.stopping import OrderlyService
from hunchensocket_tx.service.worker import FIRST_SOCKET, Orders

__all__ = ["Supervisor", "next_delay"]

FIRST_DELAY = 0.1
"""Seconds from the end of a worker to the start of the next, if it did not end soon after its own start."""

LONGEST_DELAY = 30.0
"""Seconds; each worker that ends soon doubles the delay up to that."""

LONG_ENOUGH = 10.0
"""Seconds that a worker has to run for the next delay to be the first one again."""

GRACE = 5.0
"""Seconds a worker has to end, beyond those that it waits for its WebSockets."""

NOT_FOR_WORKERS = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
"""What systemd tells the supervisor alone, in the environment."""


def next_delay(delay: float, lived: float) -> float:
    """Return how long to wait before a worker is started anew.

    :param delay: seconds it was waited before the last start.
    :param lived: seconds from that to the end.
    """
    return FIRST_DELAY if lived >= LONG_ENOUGH else min(max(2 * delay, FIRST_DELAY), LONGEST_DELAY)


class Supervisor(OrderlyService):
    """The parent of services that bind sockets, which workers serve.

    :param command: what starts a worker, and its arguments.
    :param folder: where to start it.
    :param count: how many to keep running.
    :param binding: has bound the sockets when this service starts.
    :param stop_timeout: seconds that workers wait for their WebSockets in the end.
    :param reactor: the global one by default.
    """

    _log = Logger()

    def __init__(
        self,
        command: Sequence[str],
        folder: str,
        count: int,
        binding: BindingReactor,
        stop_timeout: float,
        reactor: Any = None,
    ) -> None:
        super().__init__(reactor)
        self._command = command
        self._folder = folder
        self._binding = binding
        self._stop_timeout = stop_timeout
        self._places = [_Place(self, number) for number in range(1, count + 1)]
        OnHangup(self._hangup).setServiceParent(self)  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Start the workers (IService)."""
        super().startService()
        for place in self._places:
            place.start()

    def stopService(self) -> Deferred[Any]:
        """Stop the workers and what has bound their sockets (IService).

        :returns: a Deferred that fires when they are gone.
        """
        gone = [place.stop() for place in self._places]
        timer = self.reactor.callLater(self._stop_timeout + GRACE, self._kill)

        def end(result: object) -> object:
            if timer.active():
                timer.cancel()
            return result

        return DeferredList([super().stopService(), *gone]).addBoth(end)

    def signalled(self, name: str) -> None:
        """Log that all is stopped."""
        self._log.info("{name}: stopping {count} workers", name=name, count=len(self._places))

    def hurry(self, why: str) -> None:
        """Have the workers end what they wait for."""
        self._log.info("{why}: workers drop what is open", why=why)
        self._signal("INT")

    def spawn(self, worker: ProcessProtocol, number: int) -> None:
        """Start a process that gets the sockets."""
        environment = {name: value for name, value in os.environ.items() if name not in NOT_FOR_WORKERS}
        Orders(number, tuple(name for name, _ in self._binding.ports)).put(environment)
        descriptors: dict[int, int | Literal["r", "w"]] = {0: "w", 1: "r", 2: "r"}
        for index, (_, port) in enumerate(self._binding.ports):
            descriptors[FIRST_SOCKET + index] = port.fileno()
        self.reactor.spawnProcess(
            worker, self._command[0], self._command, environment, self._folder, childFDs=descriptors
        )

    def _hangup(self) -> None:
        self._log.info("SIGHUP: passed on to the workers")
        self._signal("HUP")

    def _kill(self) -> None:
        for place in self._places:
            place.kill()

    def _signal(self, name: str) -> None:
        for place in self._places:
            place.signal(name)


class _Place:
    """The place of one worker after the other.

    :param number: the place's, from 1 on.
    """

    _log = Logger()

    def __init__(self, supervisor: Supervisor, number: int) -> None:
        self.number = number
        self._supervisor = supervisor
        self._reactor = supervisor.reactor
        self._worker: _WorkerProcess | None = None
        self._delay = 0.0
        self._started = 0.0
        self._restart: Any = None
        self._gone: Deferred[None] | None = None
        self._is_killed = False

    def start(self) -> None:
        """Start a worker."""
        self._restart = None
        self._started = self._reactor.seconds()
        worker = _WorkerProcess(self)
        try:
            self._supervisor.spawn(worker, self.number)
        except OSError as error:  # no process or memory to be had
            self._delay = next_delay(self._delay, 0)
            self._log.error("worker {number} cannot be started: {error}", number=self.number, error=error)
            self._restart = self._reactor.callLater(self._delay, self.start)
        else:
            self._worker = worker

    def stop(self) -> Deferred[None]:
        """Stop the worker; return a Deferred that fires when it is gone, with all it had to say."""
        gone = self._gone = Deferred()
        if self._restart is not None:
            self._restart.cancel()
            self._restart = None
        if self._worker is None:
            gone.callback(None)
        else:
            self._worker.signal("TERM")
        return gone

    def signal(self, name: str) -> None:
        """Send the worker a signal, if there is one."""
        if self._worker is not None:
            self._worker.signal(name)

    def kill(self) -> None:
        """Wait for the worker no longer."""
        if self._worker is not None and not self._is_killed:
            self._log.error("worker {number} does not end, and is killed", number=self.number)
            self._is_killed = True
            self._worker.kill()

    def exited(self, worker: _WorkerProcess, status: Any) -> None:
        """Start the next worker, unless all are stopped. What the last one wrote may not be read yet."""
        if self._gone is not None:
            return
        lived = self._reactor.seconds() - self._started
        self._worker = None
        self._delay = next_delay(self._delay, lived)
        self._log.emit(
            LogLevel.info if status.signal is None and status.exitCode == 0 else LogLevel.error,
            "worker {number} (process {pid}) {how} after {lived:.1f} s; starting the next one in {delay:g} s",
            number=self.number,
            pid=worker.pid,
            how=_how(status),
            lived=lived,
            delay=self._delay,
        )
        self._restart = self._reactor.callLater(self._delay, self.start)

    def ended(self, worker: _WorkerProcess) -> None:
        """Tell whoever waits for its end."""
        if self._gone is not None and worker is self._worker:
            self._worker = None
            self._gone.callback(None)


def _how(status: Any) -> str:
    """Return in words how a process ended."""
    if status.signal is None:
        return f"ended with status {status.exitCode}"
    return f"was ended by {signal.Signals(status.signal).name}"


class _WorkerProcess(ProcessProtocol):
    """A worker, and what it has to say: events of its log on stdout, whatever goes wrong before on stderr."""

    _log = Logger()

    def __init__(self, place: _Place) -> None:
        self.pid: int | None = None
        self._place = place
        self._rest = {1: b"", 2: b""}
        self._has_exited = False

    def connectionMade(self) -> None:
        process: Any = self.transport
        self.pid = process.pid
        self._log.info("worker {number} is process {pid}", number=self._place.number, pid=self.pid)

    def signal(self, name: str) -> None:
        """Send a signal, unless it has ended."""
        process: Any = self.transport
        if not self._has_exited:
            process.signalProcess(name)

    def kill(self) -> None:
        """End it, and do not wait for those it has started and who have its pipes."""
        self.signal("KILL")
        process: Any = self.transport
        process.loseConnection()

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: N803
        *lines, self._rest[childFD] = (self._rest[childFD] + data).split(b"\n")
        for line in lines:
            self._relay(line)

    def processExited(self, reason: Failure) -> None:
        self._has_exited = True
        self._place.exited(self, reason.value)

    def processEnded(self, reason: Failure) -> None:
        for rest in filter(None, self._rest.values()):
            self._relay(rest)
        self._place.ended(self)

    def _relay(self, line: bytes) -> None:
        """Put into our log what is in the worker's."""
        text = line.decode(errors="backslashreplace")
        try:
            event = eventFromJSON(text)
        except ValueError:
            event = None
        if not isinstance(event, dict) or "log_time" not in event:
            self._log.warn("worker {number}: {text}", number=self._place.number, text=text)
            return
        level = event.get("log_level") or LogLevel.info
        system = event.get("log_system") or f"{event.get('log_namespace', '-')}#{level.name}"
        event["log_system"] = f"worker {self._place.number}: {system}"
        event["worker"] = self._place.number
        globalLogPublisher(event)
