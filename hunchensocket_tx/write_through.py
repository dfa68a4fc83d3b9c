"""Write-through for plain sockets that stay with Twisted: what a read is answered with is sent at once.

Twisted's transports keep what is written until the reactor's next turn, and ask the system to tell when they may
send. Here, all that is written while a protocol takes what arrived is joined and given to the socket itself, if
nothing written before is still with the transport; what the socket does not take is left to the transport. What is
written at other times goes to the transport, which joins it, too.

Public interfaces only: ``getHandle`` is the socket, and a pull producer is asked for more when nothing is left.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IProtocol,
    IPullProducer,
    ITCPTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["ThroughTransport", "write_through"]

PORTION = 65536
"""Bytes to leave to the transport at a time, so that its progress can be seen."""


@implementer(ITCPTransport, IConsumer, IProtocol, IHalfCloseableProtocol)
class ThroughTransport:
    """Stands between a transport of Twisted's, which has nothing left to send, and its protocol.

    :ivar protocol: told what arrives and what happens. If it has a method ``sending_stalled``, that is called when
        the socket takes no more and no producer is registered; it may register one then, as paused.
    """

    def __init__(self, transport: Connection, protocol: Any) -> None:
        self.protocol = protocol
        self._transport: Any = transport
        self._send = transport.getHandle().send
        self._corked: list[bytes] | None = None  # what was written while the protocol takes what arrived
        self._left = 0  # bytes that are with the transport, at most
        self._blocked = False
        self._producer: Any = None
        self._host = transport.getHost()
        transport.registerProducer(_Emptied(self), False)
        transport.protocol = self

    def __getattr__(self, name: str) -> Any:
        """Do all else as the transport does."""
        return getattr(self._transport, name)

    # What the transport calls

    def dataReceived(self, data: bytes) -> None:
        """Let the protocol take what arrived, and send what it writes (IProtocol)."""
        self._corked = []
        try:
            self.protocol.dataReceived(data)
        finally:
            corked, self._corked = self._corked, None
            if corked:
                self._leave(self._send_now(corked[0] if len(corked) == 1 else b"".join(corked)))

    def readConnectionLost(self) -> None:
        """Tell the protocol (IHalfCloseableProtocol)."""
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.readConnectionLost()
        else:
            self._transport.connectionLost(connectionDone)

    def writeConnectionLost(self) -> None:
        """Likewise (IHalfCloseableProtocol)."""
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the producer and the protocol, and let go of both (IProtocol)."""
        self.unregisterProducer()
        protocol, self.protocol = self.protocol, None
        protocol.connectionLost(reason)

    def emptied(self) -> None:
        """Take notice that the transport has nothing left to send."""
        self._left = 0
        if self._blocked:
            self._blocked = False
            if self._producer is not None:
                self._producer.resumeProducing()

    def getHost(self) -> Any:
        """Return our end's address, also when the transport has forgotten it (ITransport)."""
        return self._host

    # What the protocol calls

    def write(self, data: bytes) -> None:
        """Send bytes, in order (ITransport)."""
        if self._corked is not None:
            self._corked.append(data)
        else:
            self._leave(data)

    def offer(self, data: bytes | memoryview, head: bytes = b"") -> memoryview | None:
        """Send as much as the socket takes now, and leave a portion to the transport.

        :param head: what goes before the data.
        :returns: the rest, which is the caller's to keep until its ``resumeProducing`` is called; None if there
            is none.
        """
        before = [*(self._corked or ()), head]
        if self._corked:
            self._corked = []
        if self._blocked:
            self._leave(b"".join(before[:-1]))
            return memoryview(b"".join((head, data)))
        rest = memoryview(self._send_now(b"".join((*before, data))))
        if not rest:
            return None
        self._leave(rest[:PORTION])
        return rest[PORTION:] if len(rest) > PORTION else None

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Attach a push producer, which is paused while the socket takes no more (IConsumer)."""
        self._producer = producer

    def unregisterProducer(self) -> None:
        """Detach it (IConsumer)."""
        self._producer = None

    def loseConnection(self) -> None:
        """Close when all is sent (ITransport)."""
        self._transport.unregisterProducer()  # else the transport would wait for it
        self._transport.loseConnection()

    def loseWriteConnection(self) -> None:
        """Close our side when all is sent (ITCPTransport)."""
        self._transport.unregisterProducer()
        self._transport.loseWriteConnection()

    def _send_now(self, data: bytes | memoryview) -> bytes | memoryview:
        """Return what the socket does not take; if something is wrong with it, the transport finds out itself."""
        if self._left:
            return data
        try:
            sent = self._send(data)
        except OSError:
            sent = 0
        return data[sent:] if sent else data

    def _leave(self, data: bytes | memoryview) -> None:
        """Leave bytes to the transport."""
        if not data:
            return
        self._left += len(data)
        self._transport.write(bytes(data))
        if self._left >= PORTION and not self._blocked:
            self._blocked = True
            if self._producer is not None:
                self._producer.pauseProducing()
            elif hasattr(self.protocol, "sending_stalled"):
                self.protocol.sending_stalled()


@implementer(IPullProducer)
class _Emptied:
    """The producer that the transport knows: being asked for more means that nothing is left."""

    def __init__(self, through: ThroughTransport) -> None:
        self._through = through

    def resumeProducing(self) -> None:
        self._through.emptied()

    def stopProducing(self) -> None:
        """Nothing to do: the protocol is told as well."""


def write_through(transport: Any, protocol: Any) -> ThroughTransport | None:
    """Put write-through between a transport and its protocol.

    :param transport: Twisted's, with nothing left to send and no producer.
    :param protocol: told what arrives from now on.
    :returns: the transport to use; None if this one is no plain socket of a reactor that watches descriptors.
    """
    if not isinstance(transport, Connection) or transport.TLS:
        return None
    return ThroughTransport(transport, protocol)
