"""Both ways to serve a connection, the lane's and Twisted's own, and a peer that is a bare socket."""

from __future__ import annotations

import os
import random
import socket
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from hunchensocket_tx.lane import Lane, enter_lane
from tests.harness import turns, turns_until

RESET = struct.pack("ii", 1, 0)
"""For SO_LINGER: closing resets the connection."""


def patterned(size: int) -> bytes:
    """Return bytes that are the same each time, of which no part looks like another."""
    return random.Random(76).randbytes(size)


def open_descriptors() -> set[str]:
    """Return what this process has open: sockets, epoll objects and the like."""
    folder = "/proc/self/fd"
    return {
        f"{name} {os.readlink(path)}" for name in os.listdir(folder) if os.path.lexists(path := f"{folder}/{name}")
    }


def lanes() -> list[Lane]:
    """Return the lanes that the reactor watches."""
    watching: Any = reactor
    return [reader for reader in watching.getReaders() if isinstance(reader, Lane)]


class Oops(Exception):
    """What goes wrong in a handler."""


def failing(error: BaseException) -> Callable[[], None]:
    """Return a function that raises this."""

    def fail() -> None:
        raise error

    return fail


class Recorder(Protocol):
    """A protocol that writes down what it is told, and does then what the test wants.

    :param then: functions to call, by the name of the method that calls them.
    """

    def __init__(self, **then: Callable[[], object]) -> None:
        self.then = then
        self.told: list[str] = []
        self.data = bytearray()
        self.reason: BaseException | None = None
        """Why the connection was lost; None as long as it was not."""
        self.link: Any = None
        """The transport to use."""

    def tell(self, name: str) -> None:
        """Note a call."""
        self.told.append(name)
        if name in self.then:
            self.then[name]()

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        self.tell("dataReceived")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.reason = reason.value
        self.tell("connectionLost")

    async def lost(self) -> BaseException:
        """Wait for the connection's end, and return the reason."""
        await turns_until(lambda: self.reason is not None)
        assert self.reason is not None
        return self.reason


@implementer(IHalfCloseableProtocol)
class HalfCloser(Recorder):
    """A recorder that knows of half-closed connections."""

    def readConnectionLost(self) -> None:
        self.tell("readConnectionLost")

    def writeConnectionLost(self) -> None:
        self.tell("writeConnectionLost")


class Echo(HalfCloser):
    """Sends everything back, and its end, too."""

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.link.write(data)

    def readConnectionLost(self) -> None:
        super().readConnectionLost()
        self.link.loseConnection()


class Peer:
    """The other end of a connection: a socket that does nothing by itself."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self.data = bytearray()
        self.ended = False
        self.was_reset = False

    def read(self, size: int = 1 << 20) -> None:
        """Take what has arrived."""
        try:
            data = self.socket.recv(size)
        except BlockingIOError:
            return
        except ConnectionResetError:
            self.ended = self.was_reset = True
            return
        self.data += data
        self.ended = not data

    def has_ended(self, portion: int) -> bool:
        """Take some of what has arrived; tell whether that was all that will come."""
        self.read(portion)
        return self.ended

    async def until(self, size: int, portion: int = 1 << 20) -> None:
        """Read, some bytes at a time, until so many have come."""
        await turns_until(lambda: self.has_ended(portion) or len(self.data) >= size)

    async def until_end(self, portion: int = 1 << 20) -> None:
        """Read to the end, whichever it is."""
        await turns_until(lambda: self.has_ended(portion))

    def send(self, data: bytes) -> None:
        """Send bytes, which must be few."""
        assert self.socket.send(data) == len(data)

    def fill(self, most: int = 1 << 30) -> int:
        """Send until the kernel takes no more; return how much it took."""
        total = 0
        try:
            while total < most:
                total += self.socket.send(bytes(65536))
        except BlockingIOError:
            pass
        return total

    async def send_all(self, data: bytes) -> None:
        """Send bytes, and read meanwhile."""
        rest = memoryview(data)

        def go_on() -> bool:
            nonlocal rest
            self.read()
            try:
                rest = rest[self.socket.send(rest) :]
            except BlockingIOError:
                return False
            return not rest

        await turns_until(go_on)

    def half_close(self) -> None:
        """Send nothing more."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Drop the connection without a word."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.socket.close()


class ConnectionCase(TestCase):
    """Tests with real connections of Twisted's own; the mixins make others of them."""

    timeout = 20
    is_lane = False
    is_unix = False

    def move(self, transport: Any, protocol: Protocol) -> Any:
        """Return the transport that a connection is to have from now on."""
        return transport

    async def connected(self, protocol: Recorder, small: bool = False) -> Peer:
        """Connect a peer with a protocol.

        :param small: whether the kernel is to keep little of what was not read.
        """
        protocol = await self.accepted(protocol, small)
        link = self.move(protocol.transport, protocol)
        assert link is not None
        if small:
            link.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        protocol.link = link
        return self.peer

    async def accepted(self, protocol: Recorder, small: bool = False) -> Recorder:
        """Connect ``self.peer`` with a protocol on Twisted's own transport."""
        factory = Factory.forProtocol(lambda: protocol)
        factory.noisy = False
        path = "lane.sock"  # mktemp's are too long for a socket
        endpoint = f"unix:{path}" if self.is_unix else "tcp:0:interface=127.0.0.1"
        port: Any = await serverFromString(reactor, endpoint).listen(factory)
        end = socket.socket(socket.AF_UNIX if self.is_unix else socket.AF_INET)
        if small:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        end.connect(path if self.is_unix else ("127.0.0.1", port.getHost().port))
        end.setblocking(False)
        self.peer = Peer(end)
        await turns_until(lambda: protocol.transport is not None)
        await port.stopListening()
        self.addCleanup(self._drop, protocol, self.peer)
        return protocol

    async def _drop(self, protocol: Recorder, peer: Peer) -> None:
        peer.socket.close()
        transport: Any = protocol.link or protocol.transport
        if protocol.reason is None:
            transport.abortConnection()
            await turns()


class OnLane(ConnectionCase):
    """The same tests on the lane."""

    is_lane = True

    def move(self, transport: Any, protocol: Protocol) -> Any:
        return enter_lane(transport, protocol)
