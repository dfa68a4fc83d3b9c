"""Tests of hunchensocket_tx.lane on other reactors than the tests' own, and of how they end, in programs apart."""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.processes import start

PROGRAM = """
import sys
from twisted.internet.main import installReactor
from {module} import {name}
installReactor({name}())
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.python import log
from hunchensocket_tx.lane import Lane, enter_lane

log.startLogging(sys.stderr, setStdout=False)
SIZE = 3000000


class Echo(Protocol):
    def connectionMade(self):
        self.link = enter_lane(self.transport, self)
        assert self.link is not None

    def dataReceived(self, data):
        self.link.write(data)

    def connectionLost(self, reason):
        print("an echo ended:", reason.type.__name__, flush=True)


class Asking(Protocol):
    received = 0

    def connectionMade(self):
        self.transport.write(bytes(SIZE))

    def dataReceived(self, data):
        self.received += len(data)
        if self.received == SIZE:
            done.append(self)
            if len(done) == 2:
                self.transport.loseConnection()
                reactor.callLater(0, stop)

    def connectionLost(self, reason):
        pass


def stop():
    if done.count(None) < 5:  # the one that has closed is to be gone
        done.append(None)
        reactor.callLater(0, stop)
    else:
        reactor.stop()


def ask(port):
    for _ in range(2):
        connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port), Asking())


done = []
TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Factory.forProtocol(Echo)).addCallback(ask)
reactor.run()
print("lanes left:", len([reader for reader in reactor.getReaders() if isinstance(reader, Lane)]))
"""


class ReactorTest(TestCase):
    """Echoes much to two clients, of which one closes; then the reactor is stopped."""

    timeout = 60

    async def assert_works(self, module: str, name: str) -> None:
        """Check what a program with a reactor says and how it ends."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        program = PROGRAM.format(module=module, name=name)
        running = start(self, sys.executable, "-c", program, folder=str(folder))
        self.assertEqual(await running.ended, 0, running.said)
        self.assertNotIn("Traceback", running.said)
        self.assertEqual(
            running.out,
            b"an echo ended: ConnectionDone\nan echo ended: ConnectionLost\nlanes left: 0\n",
            running.said,
        )

    async def test_on_epoll(self) -> None:
        await self.assert_works("twisted.internet.epollreactor", "EPollReactor")

    async def test_on_asyncio(self) -> None:
        await self.assert_works("twisted.internet.asyncioreactor", "AsyncioSelectorReactor")

    async def test_on_poll(self) -> None:
        await self.assert_works("twisted.internet.pollreactor", "PollReactor")

    async def test_on_select(self) -> None:
        await self.assert_works("twisted.internet.selectreactor", "SelectReactor")
