"""Workers: several processes that serve the same sockets, to use several cores."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from twisted.python import usage

from hunchensocket_tx.service.listening import ListenOptions
from hunchensocket_tx.service.sharing import AcceptingReactor, BindingReactor, SharedEndpoint
from hunchensocket_tx.service.worker import FIRST_SOCKET, Orders, log_to_supervisor

__all__ = ["WorkerOptions"]

MAX_WORKERS = 512

PROGRAM = "; ".join(
    [
        "import os, signal",
        "os.setpgid(0, 0)",  # Ctrl-C is for the supervisor, which passes it on
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)",  # else it ends who does not heed it, or not yet
        "from twisted.scripts.twistd import run",
        "run()",
    ]
)
"""What a worker runs: twistd."""


class WorkerOptions(ListenOptions):
    """Options that say where to listen, with that for workers.

    :ivar worker_count: how many this process has to start; None if it serves itself.
    :ivar orders: those of its supervisor, if this is a worker.
    :ivar binding: binds the sockets, for workers.
    """

    optParameters = [  # noqa: N815
        [
            "workers",
            None,
            None,
            "Serve with this many processes, one for each core, say; what is kept in memory, as chat rooms and "
            "limits, each has for itself",
        ]
    ]

    def __init__(self) -> None:
        super().__init__()
        self.worker_count: int | None = None
        self.orders: Orders | None = None
        self._arguments: Sequence[str] = ()
        self._folder = ""
        self.binding = BindingReactor(super().listening_reactor())

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse, and keep the arguments for the workers (usage.Options)."""
        self._arguments = list(sys.argv[1:] if options is None else options)
        self._folder = os.getcwd()  # twistd may go elsewhere; file names are relative to where it was started
        super().parseOptions(self._arguments)  # type: ignore[no-untyped-call]

    def check(self) -> None:
        """Find out whether this process is a supervisor, a worker, or neither."""
        self.orders = Orders.take(os.environ)
        if self.orders is not None:
            self.process_index = self.orders.number - 1
        count = self.number("workers", int, "a number of processes")
        if count is not None:
            if not 1 <= count <= MAX_WORKERS:
                raise usage.UsageError(f"--workers: give a number from 1 to {MAX_WORKERS}, not {count}")
            metrics = self.get("metrics")
            if metrics is not None and not (metrics.isascii() and metrics.isdigit() and int(metrics)):
                raise usage.UsageError(
                    "--metrics: each worker counts for itself; give the port number of the first, such as 9090, "
                    "and the others have those behind it"
                )
            if not hasattr(os, "fork"):
                raise usage.UsageError("--workers: processes cannot share sockets on this system; leave it out")
            if self.orders is None:
                self.worker_count = count
        super().check()
        if self.worker_count is not None:
            self.endpoints = [(name, SharedEndpoint(endpoint, self.binding)) for name, endpoint in self.endpoints]

    def listening_reactor(self) -> Any:
        """Return a reactor that binds for workers, that accepts as one, or that does both."""
        reactor = super().listening_reactor()
        if self.orders is not None:
            sockets = [(name, FIRST_SOCKET + index) for index, name in enumerate(self.orders.sockets)]
            return AcceptingReactor(reactor, sockets)
        if self.worker_count is not None:
            return self.binding
        return reactor

    def worker_command(self) -> tuple[Sequence[str], str]:
        """Return the command that starts a worker, and the folder to start it in."""
        observer = f"{log_to_supervisor.__module__}.{log_to_supervisor.__qualname__}"
        twistd_options = ["--nodaemon", "--pidfile=", f"--logger={observer}"]
        if self.parent is not None and self.parent.get("reactor"):
            twistd_options.append(f"--reactor={self.parent['reactor']}")
        command = [sys.executable, "-c", PROGRAM, *twistd_options, "hunchensocket", *self._arguments]
        return command, self._folder
