"""Programs that tests start, above all ``twistd`` with the plugin of this checkout."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

CHECKOUT = Path(__file__).resolve().parent.parent
"""Where the package that is being tested is."""

TWISTD = os.path.join(os.path.dirname(sys.executable), "twistd")

PORT = re.compile(rb"(?:Site|Site \(TLS\)) starting on (\d+)\n")


def unavailable(reason: str) -> NoReturn:
    """Skip the rest of a test, as this machine lacks something; where CI runs, nothing may lack."""
    if os.environ.get("CI"):
        raise AssertionError(reason)
    raise SkipTest(reason)


class Program(ProcessProtocol):
    """A running program, and what it has said."""

    def __init__(self) -> None:
        self.out = b""
        self.err = b""
        self.ended: Deferred[int] = Deferred()
        """Fires with the exit status; if a signal ended it, with the signal's number, negative."""
        self.has_ended = False
        self._wanted: Callable[[], bool] = lambda: False
        self._waiting: Deferred[None] | None = None

    @property
    def said(self) -> str:
        """All that it said, on stdout and stderr, for messages."""
        return (self.out + self.err).decode(errors="replace")

    def until(self, wanted: Callable[[], bool]) -> Deferred[None]:
        """Wait until a condition holds, which is asked whenever the program has said something."""
        if wanted():
            return succeed(None)
        if self.has_ended:
            raise AssertionError(f"the program has ended; it said:\n{self.said}")
        self._wanted = wanted
        self._waiting = Deferred()
        return self._waiting

    def write(self, data: bytes) -> None:
        """Write to its stdin."""
        transport: Any = self.transport
        transport.write(data)

    def signal(self, name: str) -> None:
        """Send a signal, say TERM."""
        transport: Any = self.transport
        transport.signalProcess(name)

    def outReceived(self, data: bytes) -> None:
        self.out += data
        self._look()

    def errReceived(self, data: bytes) -> None:
        self.err += data
        self._look()

    def processEnded(self, reason: Failure) -> None:
        self.has_ended = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.errback(AssertionError(f"the program has ended; it said:\n{self.said}"))
        status: Any = reason.value
        self.ended.callback(status.exitCode if status.signal is None else -status.signal)

    def _look(self) -> None:
        if self._waiting is not None and self._wanted():
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)

    def ports(self) -> list[int]:
        """Return the TCP ports that ``twistd`` has said it listens on, in order."""
        return [int(port) for port in PORT.findall(self.out)]

    async def address(self) -> IPv4Address:
        """Return the one address that ``twistd --port 0 --interface 127.0.0.1`` listens on."""
        await self.until(lambda: bool(self.ports()))
        [port] = self.ports()
        return IPv4Address("TCP", "127.0.0.1", port)

    async def shut_down(self) -> None:
        """Wait for the orderly end of ``twistd``, whatever its exit status."""
        await self.ended
        assert "Server Shut Down." in self.said, self.said
        assert "Traceback" not in self.said, self.said


def start(case: TestCase, *command: str, folder: str, inherited: int | None = None, **environment: str) -> Program:
    """Start a program in a folder; if it still runs after the test, it is killed.

    :param inherited: a descriptor that it gets as number 3.
    """
    program = Program()
    surroundings = {**os.environ, "PYTHONPATH": str(CHECKOUT), **environment}
    spawn: Any = reactor
    descriptors = {0: "w", 1: "r", 2: "r"} | ({} if inherited is None else {3: inherited})
    spawn.spawnProcess(program, command[0], command, env=surroundings, path=folder, childFDs=descriptors)

    def kill() -> Deferred[int] | None:
        if program.has_ended:
            return None
        program.ended = Deferred()  # a test that timed out must not go on once its program is gone
        program.signal("KILL")
        return program.ended

    case.addCleanup(kill)
    return program


class TwistdCase(TestCase):
    """Tests that run ``twistd hunchensocket`` in a new folder of their own."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir(parents=True)

    def twistd(self, *options: str) -> Program:
        """Start ``twistd hunchensocket`` with these options, in the foreground."""
        return start(self, TWISTD, "-n", "--pidfile=", "hunchensocket", *options, folder=str(self.folder))

    def listening(self, *options: str) -> Program:
        """Start it with these options, on a free port of this machine."""
        return self.twistd("--port", "0", "--interface", "127.0.0.1", *options)

    def write(self, name: str, text: str) -> str:
        """Write a file into the folder; return its path."""
        (self.folder / name).write_text(text)
        return str(self.folder / name)
