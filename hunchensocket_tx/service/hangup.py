"""SIGHUP, by which administrators tell a daemon to read its files again."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service

__all__ = ["OnHangup"]


class OnHangup(Service):
    """Calls a function at each SIGHUP while it runs, in the reactor's own time. Windows has no such signal.

    It heeds the signal as early as it can, since that ends a process that does not: add it before what listens.

    :param function: to be called.
    """

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function
        self._former: Any = None
        self._heeds = False

    def privilegedStartService(self) -> None:
        """Heed the signal (IService)."""
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        self._heed()

    def startService(self) -> None:
        """Heed it, if that has not been done yet (IService)."""
        super().startService()  # type: ignore[no-untyped-call]
        self._heed()

    def stopService(self) -> None:
        """Leave it to whoever had it before (IService)."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._heeds:
            self._heeds = False
            # The default would end the process while others are still stopping.
            signal.signal(signal.SIGHUP, signal.SIG_IGN if self._former is signal.SIG_DFL else self._former)

    def _heed(self) -> None:
        if hasattr(signal, "SIGHUP") and not self._heeds:
            self._former = signal.signal(signal.SIGHUP, self._received)
            self._heeds = True

    def _received(self, number: int, frame: object) -> None:
        from twisted.internet import reactor

        if callable(self._former):
            self._former(number, frame)
        threads: Any = reactor
        threads.callFromThread(self._function)
