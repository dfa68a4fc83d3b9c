"""Telling systemd how the service fares: ready, alive, stopping (sd_notify(3), for ``Type=notify``)."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

__all__ = ["Notifier"]


class Notifier(Service):
    """Tells whoever has started this process, if it asks for that in the environment.

    ``NOTIFY_SOCKET`` names a unix datagram socket, abstract if it begins with ``@``: it is told ``READY=1`` when
    the reactor runs, and ``STOPPING=1`` when this stops. If ``WATCHDOG_USEC`` says within how many microseconds
    it wants a sign of life, and ``WATCHDOG_PID`` does not say that another process is meant, it gets
    ``WATCHDOG=1`` twice in that time. Put this behind the services that have to be ready.

    :param environment: those of the process by default.
    :param reactor: the global one by default.
    """

    _log = Logger()

    def __init__(self, environment: Mapping[str, str] | None = None, reactor: Any = None) -> None:
        if reactor is None:
            from twisted.internet import reactor
        self._environment = os.environ if environment is None else environment
        self._reactor = reactor
        self._watchdog: LoopingCall | None = None

    def startService(self) -> None:
        """Tell that all is ready, once the reactor runs (IService)."""
        super().startService()  # type: ignore[no-untyped-call]
        self._reactor.callWhenRunning(self._ready)

    def stopService(self) -> None:
        """Tell that it is stopping (IService)."""
        super().stopService()  # type: ignore[no-untyped-call]
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is not None:
            watchdog.stop()
        self._tell("STOPPING=1")

    def _ready(self) -> None:
        if not self.running:
            return
        self._tell("READY=1")
        seconds = self._watchdog_seconds()
        if seconds is not None:
            self._watchdog = LoopingCall(self._tell, "WATCHDOG=1")
            self._watchdog.clock = self._reactor
            self._watchdog.start(seconds / 2)

    def _watchdog_seconds(self) -> float | None:
        """Return within what time a sign of life is wanted; None if none is."""
        if self._environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
            return None
        wanted = self._environment.get("WATCHDOG_USEC", "")
        if "NOTIFY_SOCKET" not in self._environment or not wanted.isdecimal() or not int(wanted):
            return None
        return int(wanted) / 1_000_000

    def _tell(self, state: str) -> None:
        address = self._environment.get("NOTIFY_SOCKET")
        if not address:
            return
        if address.startswith("@"):
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(state.encode(), address)
        except OSError as error:
            self._log.warn(
                "{state} cannot be told to {address!r}: {error}", state=state, address=address, error=error
            )
