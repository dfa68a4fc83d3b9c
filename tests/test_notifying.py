"""Tests of what systemd is told (hunchensocket_tx.service.notifying), and of sockets that it hands over."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx import ConnectionClosed, connect
from hunchensocket_tx.service.notifying import Notifier
from tests.processes import TWISTD, Program, TwistdCase, start


class Systemd(DatagramProtocol):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self._waiting: dict[str, Deferred[None]] = {}

    def datagramReceived(self, datagram: bytes, addr: object) -> None:
        self.told.append(datagram.decode())
        waiting = self._waiting.pop(self.told[-1], None)
        if waiting is not None:
            waiting.callback(None)

    async def hears(self, state: str) -> None:
        """Wait until it is told something, the next time."""
        self._waiting[state] = Deferred()
        await self._waiting[state]


class NotifierTests(SynchronousTestCase):
    """What is told, and when."""

    def setUp(self) -> None:
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.listener.close)
        self.listener.bind("")  # the system chooses an abstract name
        self.listener.setblocking(False)
        name: bytes = self.listener.getsockname()
        self.address = "@" + name[1:].decode()
        self.reactor = MemoryReactorClock()

    def notifier(self, **environment: str) -> Any:
        """Return a service that was started, in an environment."""
        self.reactor = MemoryReactorClock()
        service = Notifier(environment, self.reactor)
        service.startService()
        self.reactor.run()
        return service

    def told(self) -> list[str]:
        """Return what was told since the last time."""
        states = []
        while True:
            try:
                states.append(self.listener.recv(1000).decode())
            except BlockingIOError:
                return states

    def test_it_tells_that_it_is_ready_and_that_it_is_stopping(self) -> None:
        service = self.notifier(NOTIFY_SOCKET=self.address)
        self.assertEqual(self.told(), ["READY=1"])
        service.stopService()
        self.assertEqual(self.told(), ["STOPPING=1"])

    def test_it_is_not_ready_before_the_reactor_runs(self) -> None:
        Notifier({"NOTIFY_SOCKET": self.address}, self.reactor).startService()
        self.assertEqual(self.told(), [])

    def test_what_was_stopped_before_is_never_ready(self) -> None:
        service: Any = Notifier({"NOTIFY_SOCKET": self.address}, self.reactor)
        service.startService()
        service.stopService()
        self.reactor.run()
        self.assertEqual(self.told(), ["STOPPING=1"])

    def test_nobody_is_told_who_does_not_ask_for_it(self) -> None:
        self.notifier(WATCHDOG_USEC="1000000").stopService()
        self.reactor.advance(10)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_a_watchdog_gets_two_signs_of_life_in_its_time(self) -> None:
        for pid in ({}, {"WATCHDOG_PID": str(os.getpid())}):
            with self.subTest(environment=pid):
                service = self.notifier(NOTIFY_SOCKET=self.address, WATCHDOG_USEC="3000000", **pid)
                self.assertEqual(self.told(), ["READY=1", "WATCHDOG=1"])
                self.reactor.advance(1.4)
                self.assertEqual(self.told(), [])
                self.reactor.advance(0.2)
                self.assertEqual(self.told(), ["WATCHDOG=1"])
                service.stopService()
                self.assertEqual(self.told(), ["STOPPING=1"])
                self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_no_sign_of_life_is_given_for_another_process_nor_without_a_time(self) -> None:
        for watchdog in (
            {"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"},
            {"WATCHDOG_USEC": "0"},
            {"WATCHDOG_USEC": "soon"},
        ):
            with self.subTest(environment=watchdog):
                self.notifier(NOTIFY_SOCKET=self.address, **watchdog)
                self.assertEqual(self.told(), ["READY=1"])
                self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_a_socket_that_nobody_reads_is_logged_and_does_no_harm(self) -> None:
        with capturedLogs() as events:
            self.notifier(NOTIFY_SOCKET="/nowhere/notify")
        [event] = [event for event in events if event.get("state") == "READY=1"]
        self.assertEqual(event["address"], "/nowhere/notify")


class SystemdTests(TwistdCase):
    """As a service of systemd, which is told of it and may have opened its socket."""

    def systemd(self, name: str) -> Systemd:
        """Listen on a unix datagram socket in place of systemd."""
        listener = Systemd()
        spawning: Any = reactor
        port = spawning.listenUNIXDatagram(name, listener)
        self.addCleanup(port.stopListening)
        return listener

    async def test_systemd_is_told_when_it_is_ready_alive_and_stopping(self) -> None:
        path = os.path.relpath(self.folder / "notify")  # a name must not be longer than about a hundred bytes
        systemd = self.systemd(path)
        environment: Any = {"NOTIFY_SOCKET": "../notify", "WATCHDOG_USEC": "100000"}
        (self.folder / "run").mkdir()
        command = (TWISTD, "-n", "--pidfile=", "hunchensocket", "--port", "0", "--interface", "127.0.0.1")
        ready = systemd.hears("READY=1")
        program = start(self, *command, folder=str(self.folder / "run"), **environment)
        await ready
        stream = await connect(f"ws://127.0.0.1:{(await program.address()).port}/echo")
        await systemd.hears("WATCHDOG=1")
        program.signal("TERM")
        self.assertEqual(await program.ended, 0)
        self.assertEqual((await stream.when_closed()).code, 1001)
        while "STOPPING=1" not in systemd.told:
            await systemd.hears("STOPPING=1")
        self.assertEqual([state for state in systemd.told if state != "WATCHDOG=1"], ["READY=1", "STOPPING=1"])

    def activated(self, listener: socket.socket) -> Program:
        """Start twistd as systemd does with a listening socket, which it keeps itself, too."""
        serve = f"{TWISTD} -n --pidfile= hunchensocket --listen systemd:domain=INET:index=0"
        return start(
            self,
            *("/bin/sh", "-c", f"export LISTEN_PID=$$; exec {serve}"),
            folder=str(self.folder),
            inherited=listener.fileno(),
            LISTEN_FDS="1",
            LISTEN_FDNAMES="ws",
        )

    async def test_a_socket_of_systemd_is_kept_across_restarts(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/echo"
        for restart in range(2):
            with self.subTest(restart=restart):
                opening = connect(url)  # while nobody accepts it yet
                program = self.activated(listener)
                stream = await opening
                stream.send("hello")
                self.assertEqual(await stream.receive(), "hello")
                program.signal("TERM")
                with self.assertRaises(ConnectionClosed) as closed:
                    await stream.receive()
                self.assertEqual((closed.exception.code, closed.exception.clean), (1001, True))
                self.assertEqual(await program.ended, 0)
