"""The orderly end: on SIGTERM and SIGINT, WebSockets are closed and waited for, and the exit status is 0."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from types import FrameType
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python import usage

from hunchensocket_tx.resource import WebSocketResource
from hunchensocket_tx.service.group import OptionGroup

__all__ = ["GracefulService", "OrderlyService", "StopOptions"]

DEFAULT_TIMEOUT = 8.0
"""Seconds; Docker kills what is not gone after ten."""

DEFAULT_REASON = "the server is restarting"

MAX_REASON = 123
"""Bytes of a close reason (RFC 6455 section 5.5: a control frame has 125, and two are for the code)."""

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopOptions(OptionGroup):
    """Options on how it ends.

    :ivar stop_timeout: seconds to wait for WebSockets to close.
    """

    optParameters = [  # noqa: N815
        [
            "stop-timeout",
            None,
            None,
            f"Seconds to wait at the end for WebSockets to close [default: {DEFAULT_TIMEOUT:g}]",
        ],
        ["stop-reason", None, DEFAULT_REASON, "What clients are told then, with close code 1001"],
    ]

    stop_timeout = DEFAULT_TIMEOUT

    def check(self) -> None:
        """Check the timeout, and that the reason fits into a frame."""
        super().check()
        timeout = self.number("stop-timeout", float, "a number of seconds")
        if timeout is not None:
            if not 0 <= timeout < float("inf"):
                raise usage.UsageError(f"--stop-timeout: give a number of seconds from 0 on, not {timeout:g}")
            self.stop_timeout = timeout
        try:
            size = len(self["stop-reason"].encode())
        except UnicodeEncodeError:
            raise usage.UsageError(f"--stop-reason: {self['stop-reason']!r} is not UTF-8") from None
        if size > MAX_REASON:
            raise usage.UsageError(f"--stop-reason: it has {size} bytes in UTF-8; {MAX_REASON} is the most")


class OrderlyService(MultiService):
    """The parent of all services of a program that SIGTERM and SIGINT end with status 0.

    Handlers of its own for these signals stop the reactor; Twisted's would have the program end by that signal
    after all is done, which whoever supervises it takes for a failure.

    :param reactor: the global one by default.
    :ivar hurried_by: signals that, when it is stopping already, have it hurry.
    """

    hurried_by: tuple[str, ...] = ("SIGTERM", "SIGINT")

    def __init__(self, reactor: Any = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        if reactor is None:
            from twisted.internet import reactor
        self.reactor = reactor
        self._handlers: dict[int, Any] = {}  # that were there before
        self._signalled = False

    def privilegedStartService(self) -> None:
        """Heed signals from now on, and start (IService)."""
        self._heed_signals()
        super().privilegedStartService()  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Start, and heed signals for good once the reactor runs, which sets handlers itself (IService)."""
        self.reactor.callWhenRunning(self._heed_signals)
        super().startService()  # type: ignore[no-untyped-call]

    def stopService(self) -> Deferred[Any]:
        """Stop all services (IService)."""
        stopped: Deferred[Any] = super().stopService()  # type: ignore[no-untyped-call]
        return stopped.addBoth(self._stopped)

    def signalled(self, name: str) -> None:
        """Log that a signal ends the program."""

    def hurry(self, why: str) -> None:
        """End what is waited for: there was another signal, or one while it was stopping."""

    def _stopped(self, result: object) -> object:
        if not self._signalled:  # else the program ends, whatever comes
            handlers, self._handlers = self._handlers, {}
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return result

    def _heed_signals(self) -> None:
        for number in SIGNALS:
            handler = signal.getsignal(number)
            if handler not in (None, signal.SIG_IGN, self._on_signal):
                self._handlers[number] = handler
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.reactor.callFromThread(self._stop, signal.Signals(number).name)

    def _stop(self, name: str) -> None:
        if self._signalled or not self.running:
            if name in self.hurried_by:
                self.hurry(f"{name} while stopping")
            return
        self._signalled = True
        self.signalled(name)
        self.reactor.stop()


class GracefulService(OrderlyService):
    """The parent of services that close their WebSockets when they stop. It waits for these, and drops them when
    it has waited long enough, or when there is a second signal.

    :param resources: those that the services serve.
    :param timeout: seconds to wait for their WebSockets.
    :param reactor: the global one by default.
    """

    _log = Logger()

    def __init__(self, resources: Sequence[WebSocketResource], timeout: float, reactor: Any = None) -> None:
        super().__init__(reactor)
        self._resources = resources
        self._timeout = timeout

    def stopService(self) -> Deferred[Any]:
        """Stop all services, and drop after the timeout what keeps them from it (IService).

        :returns: a Deferred that fires when they have stopped.
        """
        stopped = super().stopService()
        timer = self.reactor.callLater(self._timeout, self.hurry, f"{self._timeout:g} seconds are over")

        def end(result: object) -> object:
            if timer.active():
                timer.cancel()
            return result

        return stopped.addBoth(end)

    def signalled(self, name: str) -> None:
        """Log how many WebSockets are open."""
        self._log.info("{name}: stopping, with {count} WebSockets open", name=name, count=self._count())

    def hurry(self, why: str) -> None:
        """Wait for no WebSocket any more."""
        self._log.info("{why}: {count} WebSockets are dropped", why=why, count=self._count())
        for resource in self._resources:
            resource.abort_all()

    def _count(self) -> int:
        return sum(len(resource.streams) for resource in self._resources)
