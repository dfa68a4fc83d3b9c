"""hangup.py: SIGHUP calls a function in the reactor's own time."""

from __future__ import annotations

import os
import signal
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from hunchensocket_tx.service.hangup import OnHangup


class OnHangupTests(TestCase):
    """What happens at the signal, and afterwards."""

    if not hasattr(signal, "SIGHUP"):
        skip = "there is no SIGHUP here"

    timeout = 8

    def setUp(self) -> None:
        self.heard: list[str] = []
        self.waiting: Deferred[None] = Deferred()
        former = signal.signal(signal.SIGHUP, lambda *seen: self.heard.append("former"))
        self.addCleanup(lambda: signal.signal(signal.SIGHUP, former) and None)

    def call(self, name: str) -> None:
        """Be called at the signal."""
        self.heard.append(name)
        waiting, self.waiting = self.waiting, Deferred()
        waiting.callback(None)

    async def hang_up(self) -> list[str]:
        """Send the signal to this process; return what was called."""
        waiting = self.waiting
        os.kill(os.getpid(), signal.SIGHUP)
        await waiting
        heard, self.heard = self.heard, []
        return heard

    async def test_it_calls_its_function_while_it_runs(self) -> None:
        service: Any = OnHangup(lambda: self.call("ours"))
        service.startService()
        for _ in range(2):
            self.assertEqual(await self.hang_up(), ["former", "ours"])
        service.stopService()
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual(self.heard, ["former"])

    async def test_it_does_so_before_it_is_started_altogether(self) -> None:
        service: Any = OnHangup(lambda: self.call("ours"))
        service.privilegedStartService()
        self.assertEqual(await self.hang_up(), ["former", "ours"])
        service.startService()
        self.assertEqual(await self.hang_up(), ["former", "ours"])
        service.stopService()
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual(self.heard, ["former"])

    async def test_several_may_have_the_signal(self) -> None:
        quiet: Any = OnHangup(lambda: self.heard.append("first"))
        loud: Any = OnHangup(lambda: self.call("second"))
        quiet.startService()
        loud.startService()
        self.assertEqual(await self.hang_up(), ["former", "first", "second"])
        loud.stopService()
        quiet.stopService()

    async def test_it_does_not_mind_that_nobody_had_it_before(self) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        service: Any = OnHangup(lambda: self.call("ours"))
        service.startService()
        self.assertEqual(await self.hang_up(), ["ours"])
        service.stopService()
        self.assertIs(signal.getsignal(signal.SIGHUP), signal.SIG_IGN)  # others may still be stopping
