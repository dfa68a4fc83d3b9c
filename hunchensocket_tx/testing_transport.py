"""Connections in memory: what TCP and Twisted's transports do, without sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionAborted, ConnectionDone, ConnectionLost, NoProtocol
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IProtocol,
    IProtocolFactory,
    IPushProducer,
    IReactorTime,
    IStreamClientEndpoint,
    ITCPTransport,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["MemoryConnection", "MemoryEndpoint", "MemoryTransport"]

PORTION = 65536
"""Bytes that are delivered at a time, and that a transport keeps before it pauses its producer; as Twisted's."""

SERVER = IPv4Address("TCP", "127.0.0.1", 80)

FIRST_PORT = 49152
"""Of the clients; each connection has the next one."""


@implementer(ITCPTransport, IConsumer, IPushProducer)
class MemoryTransport:
    """One end of a connection in memory.

    Nothing is delivered while something is written: all that one end does reaches the other in a later turn of
    the clock (``callLater(0, ...)``), in order, 64 KiB at a time, and only while the other end reads.

    :param clock: whose turns they are.
    :param host: the address of this end.
    :param peer: the address of the other.

    :ivar protocol: told what arrives and what happens.
    """

    _log = Logger()
    _other: MemoryTransport

    def __init__(self, clock: IReactorTime, host: IPv4Address, peer: IPv4Address) -> None:
        self.protocol: Any = None
        self.connected, self.disconnecting, self.disconnected = True, False, False
        self._clock = clock
        self._host = host
        self._peer = peer
        self._written = bytearray()  # and not delivered
        self._reading = True
        self._aborting = False
        self._half_closing = self._half_closed = False
        self._farewell: Failure | None = None  # what the other end is to be told behind all that was written
        self._held = False
        self._has_turn = False
        self._producer: Any = None
        self._streaming = self._producer_paused = False
        self._options = {"no delay": False, "keep alive": False}

    def hold(self) -> None:
        """Keep what this end sends from now on, its end included, on its way until :meth:`release`."""
        self._held = True

    def release(self) -> None:
        """Let what was held arrive."""
        self._held = False
        self._want_turn()

    # What the protocol calls

    def write(self, data: bytes) -> None:
        """Send bytes (ITransport)."""
        if not isinstance(data, bytes):
            raise TypeError(f"a transport takes bytes, not {type(data).__name__}")
        if not data or not self.connected or self._half_closed or self._aborting:
            return
        self._written += data
        if self._producer is not None and self._streaming and len(self._written) > PORTION:
            self._producer_paused = True
            self._producer.pauseProducing()
        self._want_turn()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send bytes (ITransport)."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Read no more, and close once all is sent and no producer has more (ITransport)."""
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self._reading = False
            self._want_turn()

    def loseWriteConnection(self) -> None:
        """Close this end's side once all is sent, and read on (ITCPTransport)."""
        self._half_closing = True
        self._want_turn()

    def abortConnection(self) -> None:
        """Drop the connection in the next turn, with all that is not delivered (ITCPTransport)."""
        if self.connected and not self._aborting:
            self._aborting = True
            self._reading = False
            self._written.clear()
            self._clock.callLater(0, self.lose, Failure(ConnectionAborted()))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Attach a producer; paused while over 64 KiB wait, and asked for more when none does (IConsumer).

        :raises RuntimeError: if there is one already.
        """
        if self._producer is not None:
            raise RuntimeError(f"{producer!r} cannot be registered, as there is {self._producer!r}")
        if self.disconnected:
            producer.stopProducing()
            return
        self._producer, self._streaming, self._producer_paused = producer, streaming, False
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Detach it (IConsumer)."""
        self._producer = None
        self._want_turn()

    def pauseProducing(self) -> None:
        """Read nothing for now, not even the other side's end (IPushProducer)."""
        self._reading = False

    def resumeProducing(self) -> None:
        """Read on (IPushProducer)."""
        if self.connected and not self.disconnecting and not self._aborting:
            self._reading = True
            self._other._want_turn()

    def stopProducing(self) -> None:
        """Close (IPushProducer)."""
        self.loseConnection()

    def getHost(self) -> IPv4Address:
        """Return this end's address (ITransport)."""
        return self._host

    def getPeer(self) -> IPv4Address:
        """Return the other end's address (ITransport)."""
        return self._peer

    def getTcpNoDelay(self) -> bool:
        """Return what was set (ITCPTransport)."""
        return self._options["no delay"]

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Take notice; nothing is delayed here (ITCPTransport)."""
        self._options["no delay"] = bool(enabled)

    def getTcpKeepAlive(self) -> bool:
        """Return what was set (ITCPTransport)."""
        return self._options["keep alive"]

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Take notice; nobody is asked for signs of life (ITCPTransport)."""
        self._options["keep alive"] = bool(enabled)

    # What the connection does

    def lose(self, reason: Failure) -> None:
        """Tell the protocol that the connection is gone; the other end is told in its turn."""
        if self.disconnected:
            return
        self.connected, self.disconnected, self._reading = False, True, False
        self._written.clear()
        if reason.check(ConnectionDone) is None:
            self._farewell = Failure(ConnectionLost())
        elif not self._half_closed:
            self._farewell = Failure(ConnectionDone())
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        self._tell(self.protocol.connectionLost, reason)
        self._want_turn()
        self._other._want_turn()  # it may have sent something, and not be reading

    def _want_turn(self) -> None:
        if not self._has_turn:
            self._has_turn = True
            self._clock.callLater(0, self._take_turn)

    def _take_turn(self) -> None:
        """Deliver some of what was written; once nothing is left, see what is to be done then."""
        self._has_turn = False
        if self._held or (self._aborting and self.connected):
            return
        if self._written and self._other.disconnected:
            self.lose(Failure(ConnectionLost()))
            return
        if self._written:
            if not self._other._reading:
                return  # it gives us a turn when it does
            portion = bytes(self._written[:PORTION])
            del self._written[:PORTION]
            self._other._tell(self._other.protocol.dataReceived, portion)
        if self._written:
            self._want_turn()
            return
        if self.connected and not self._aborting:
            self._emptied()
        if self._farewell is not None and self._other._reading and not self._written:
            farewell, self._farewell = self._farewell, None
            self._other._receive_end(farewell)

    def _emptied(self) -> None:
        """Ask for more, or leave if that is wanted, in the order of Twisted's transports."""
        if self.disconnecting and self._half_closed:
            self.lose(Failure(ConnectionDone()))
        elif self._producer is not None and (self._producer_paused or not self._streaming):
            self._producer_paused = False
            self._tell(self._producer.resumeProducing)
        elif self.disconnecting:
            self.lose(Failure(ConnectionDone()))
        elif self._half_closing and not self._half_closed:
            self._half_closed = True
            self._farewell = Failure(ConnectionDone())
            if IHalfCloseableProtocol.providedBy(self.protocol):
                self._tell(self.protocol.writeConnectionLost)

    def _receive_end(self, farewell: Failure) -> None:
        self._reading = False
        if farewell.check(ConnectionDone) and IHalfCloseableProtocol.providedBy(self.protocol):
            self._tell(self.protocol.readConnectionLost)
        else:
            self.lose(farewell)

    def _tell(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a protocol or producer; one that fails loses its connection, as with a reactor."""
        try:
            function(*arguments)
        except Exception:
            failure = Failure()
            self._log.failure("{protocol} failed; its connection is dropped", failure, protocol=self.protocol)
            self.lose(failure)


class MemoryConnection:
    """A connection in memory.

    :param clock: in whose turns things arrive.
    :param port: of the client's address.

    :ivar client: the client's end.
    :ivar server: the server's end.
    """

    def __init__(self, clock: IReactorTime, port: int) -> None:
        address = IPv4Address("TCP", "127.0.0.1", port)
        self.client = MemoryTransport(clock, address, SERVER)
        self.server = MemoryTransport(clock, SERVER, address)
        self.client._other, self.server._other = self.server, self.client
        self._clock = clock

    def hold(self) -> None:
        """Let nothing arrive at either end until :meth:`release`, as if a cable was pulled."""
        self.client.hold()
        self.server.hold()

    def release(self) -> None:
        """Let everything arrive that was held."""
        self.client.release()
        self.server.release()

    def cut(self) -> None:
        """Have both ends lose the connection in the next turn, with all that is on its way."""
        for end in (self.client, self.server):
            self._clock.callLater(0, end.lose, Failure(ConnectionLost()))


@implementer(IStreamClientEndpoint)
class MemoryEndpoint:
    """Connects to a server in memory.

    :param factory: makes the server's protocols; if it returns None, the connection is refused.
    :param clock: in whose turns things happen: a Clock, or a reactor.

    :ivar connections: all that were made, in order.
    """

    def __init__(self, factory: IProtocolFactory, clock: IReactorTime) -> None:
        self.connections: list[MemoryConnection] = []
        self._factory = factory
        self._clock = clock
        self._ports = count(FIRST_PORT)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803
        """Connect in the next turn (IStreamClientEndpoint)."""
        connected: Deferred[IProtocol] = Deferred(lambda _: call.cancel())
        call = self._clock.callLater(0, self._connect, protocolFactory, connected)
        return connected

    def _connect(self, client_factory: IProtocolFactory, connected: Deferred[IProtocol]) -> None:
        try:
            connected.callback(self._made(client_factory))
        except Exception:
            connected.errback(Failure())

    def _made(self, client_factory: IProtocolFactory) -> IProtocol:
        connection = MemoryConnection(self._clock, next(self._ports))
        server: Any = self._factory.buildProtocol(connection.server.getPeer())
        if server is None:
            raise ConnectError(string="the server's factory has no protocol for this connection")
        client: Any = client_factory.buildProtocol(SERVER)
        if client is None:
            raise NoProtocol()
        self.connections.append(connection)
        for end, protocol in ((connection.server, server), (connection.client, client)):
            end.protocol = protocol
            protocol.makeConnection(end)
        return client  # type: ignore[no-any-return]
