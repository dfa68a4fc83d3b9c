"""A worker, one of several processes that serve the same sockets: what its supervisor tells it, and its log."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from twisted.application.service import Service
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionDone
from twisted.internet.main import CONNECTION_DONE
from twisted.logger import FileLogObserver, LogEvent, Logger, eventAsJSON, formatEvent
from twisted.python.failure import Failure

from hunchensocket_tx.service.sharing import SocketName

__all__ = ["FIRST_SOCKET", "Orders", "Worker", "log_to_supervisor"]

VARIABLE = "HUNCHENSOCKET_WORKER"

FIRST_SOCKET = 3
"""The file descriptor of the first socket; the others follow. Those below are stdin, stdout and stderr."""


@dataclass(frozen=True)
class Orders:
    """What a supervisor tells a worker, in the environment.

    :ivar number: the worker's, from 1 on.
    :ivar sockets: what each socket that it inherits is for.
    """

    number: int
    sockets: tuple[SocketName, ...]

    def put(self, environment: MutableMapping[str, str]) -> None:
        """Write them into the environment of a process."""
        environment[VARIABLE] = json.dumps({"number": self.number, "sockets": self.sockets})

    @classmethod
    def take(cls, environment: MutableMapping[str, str]) -> Orders | None:
        """Return what the environment says, which no process that this one starts shall see; None in a
        process that is no worker."""
        text = environment.pop(VARIABLE, None)
        if text is None:
            return None
        orders = json.loads(text)
        return cls(orders["number"], tuple((kind, where, more) for kind, where, more in orders["sockets"]))


class Worker(Service):
    """Ends this process in an orderly way if its supervisor is gone, and tells that it serves.

    :param number: its own.
    :param reactor: the global one by default.
    """

    _log = Logger()

    def __init__(self, number: int, reactor: Any = None) -> None:
        if reactor is None:
            from twisted.internet import reactor
        self._number = number
        self._reactor = reactor
        self._lifeline = _Lifeline(reactor, reactor.stop)

    def startService(self) -> None:
        """Serve (IService)."""
        super().startService()  # type: ignore[no-untyped-call]
        self._lifeline.startReading()  # type: ignore[no-untyped-call]
        self._reactor.callWhenRunning(self._log.info, "worker {number} serves", number=self._number)

    def stopService(self) -> None:
        """Look after the supervisor no more (IService)."""
        super().stopService()  # type: ignore[no-untyped-call]
        self._lifeline.stopReading()  # type: ignore[no-untyped-call]


class _Lifeline(FileDescriptor):
    """Reads stdin, a pipe to the supervisor that says nothing, and ends when that does."""

    _log = Logger()

    def __init__(self, reactor: Any, gone: Callable[[], object]) -> None:
        super().__init__(reactor)
        self._gone = gone

    def fileno(self) -> int:
        return 0

    def doRead(self) -> ConnectionDone | None:
        return None if os.read(0, 1024) else CONNECTION_DONE

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        self._log.warn("the supervisor is gone")
        self._gone()


def log_to_supervisor() -> FileLogObserver:
    """Return an observer that writes events to stdout as lines of JSON, which the supervisor puts into its log.

    It is what ``twistd --logger`` wants of a worker.
    """
    return FileLogObserver(os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8"), _as_line)


def _as_line(event: LogEvent) -> str:
    failure = event.get("log_failure")
    if failure is not None:  # of which JSON would keep no message
        rest = {name: value for name, value in event.items() if name != "log_failure"}
        text, traceback = formatEvent(event), failure.getTraceback()
        event = {**rest, "log_format": "{text}\n{traceback}", "text": text, "traceback": traceback}
    return eventAsJSON(event) + "\n"
