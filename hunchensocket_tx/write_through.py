"""Write-through for plain sockets that stay with Twisted: what a read is answered with is sent at once.

Twisted's transports keep what is written until the reactor's next turn, and ask the system to tell when they may
send. Here, all that is written while a protocol takes what arrived is joined and given to the socket itself, if
nothing written before is still with the transport; what the socket does not take is left to the transport. What is
written at other times goes to the transport, which joins it, too.

Public interfaces only: ``getHandle`` is the socket, and a pull producer is asked for more when nothing is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IProtocol,
    IPullProducer,
    IPushProducer,
    ISystemHandle,
    ITCPTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["ThroughTransport", "write_through"]

PORTION = 65536
"""Bytes to leave to the transport at a time, so that its progress can be seen; likewise to keep during a read."""


@implementer(ITCPTransport, ISystemHandle, IConsumer, IPushProducer, IProtocol, IHalfCloseableProtocol)
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
        self._corked_size = 0
        self._left = 0  # bytes that are with the transport, at most
        self._blocked = False
        self._producer: Any = None
        self._leave: Callable[[], None] | None = None  # to be called once all is sent, if that is wanted
        self._write_ended = self._closed = False
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
            self._uncork(None)

    def readConnectionLost(self) -> None:
        """Tell the protocol (IHalfCloseableProtocol)."""
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.readConnectionLost()
        else:
            self._transport.connectionLost(connectionDone)

    def writeConnectionLost(self) -> None:
        """Likewise (IHalfCloseableProtocol)."""
        self._write_ended = True
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the producer and the protocol, and let go of both (IProtocol)."""
        self._closed = self._write_ended = True
        producer, self._producer = self._producer, None
        protocol, self.protocol = self.protocol, None
        if producer is not None:
            producer.stopProducing()
        protocol.connectionLost(reason)

    def emptied(self) -> None:
        """Take notice that the transport has nothing left to send."""
        self._left = 0
        if self._blocked:
            self._blocked = False
            if self._producer is not None:
                self._producer.resumeProducing()
        if self._leave is not None and not self._blocked:
            self._transport.unregisterProducer()
            self._leave()

    def getHost(self) -> Any:
        """Return our end's address, also when the transport has forgotten it (ITransport)."""
        return self._host

    # What the protocol calls

    def write(self, data: bytes) -> None:
        """Send bytes, in order (ITransport)."""
        if self._corked is None:
            self._pass_on(data)
        else:
            self._corked.append(data)
            self._corked_size += len(data)
            if self._corked_size >= PORTION:
                self._uncork([])

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Send bytes, in order (ITransport)."""
        self.write(b"".join(iovec))

    def offer(self, data: bytes | memoryview, head: bytes = b"") -> memoryview | None:
        """Send as much as the socket takes now, and leave a portion to the transport.

        :param head: what goes before the data.
        :returns: the rest, which is the caller's to keep until its ``resumeProducing`` is called; None if there
            is none.
        """
        if self._write_ended:
            return None
        before = self._corked or []
        if before:
            self._corked, self._corked_size = [], 0
        if self._blocked:
            self._pass_on(b"".join(before))
            return memoryview(b"".join((head, data)))
        whole = b"".join((*before, head, data)) if before or head else data
        rest = memoryview(self._send_now(whole))
        self._pass_on(rest[:PORTION])
        return rest[PORTION:] if len(rest) > PORTION else None

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Attach a push producer, which is paused while the socket takes no more (IConsumer).

        :raises RuntimeError: if there is one already, or this one is a pull producer, which nobody needs here.
        """
        if self._producer is not None or not streaming:
            raise RuntimeError(f"{producer!r} cannot be registered with {self!r}")
        if self._closed:
            producer.stopProducing()
        else:
            self._producer = producer
            if self._blocked:
                producer.pauseProducing()

    def unregisterProducer(self) -> None:
        """Detach it (IConsumer)."""
        self._producer = None

    def stopProducing(self) -> None:
        """Close (IPushProducer)."""
        self.loseConnection()

    def loseConnection(self) -> None:
        """Close when all is sent (ITransport)."""
        self._leave_by(self._transport.loseConnection)

    def loseWriteConnection(self) -> None:
        """Close our side when all is sent (ITCPTransport)."""
        self._leave_by(self._transport.loseWriteConnection)

    def abortConnection(self) -> None:
        """Drop the connection, with what is not sent yet (ITCPTransport)."""
        self._write_ended = True
        self._transport.abortConnection()

    def _leave_by(self, leave: Callable[[], None]) -> None:
        self._leave = leave
        leave()  # the transport asks for more first, as it knows of a producer

    def _uncork(self, corked: list[bytes] | None) -> None:
        """Send what was written meanwhile."""
        written, self._corked, self._corked_size = self._corked, corked, 0
        if written and not self._write_ended:
            self._pass_on(self._send_now(written[0] if len(written) == 1 else b"".join(written)))

    def _send_now(self, data: bytes | memoryview) -> bytes | memoryview:
        """Return what the socket does not take; if something is wrong with it, the transport finds out itself."""
        if self._left:
            return data
        try:
            sent = self._send(data)
        except (BlockingIOError, InterruptedError):
            return data
        except OSError:
            self._transport.pauseProducing()  # to read, it would find an end that is none
            return data
        return memoryview(data)[sent:]

    def _pass_on(self, data: bytes | memoryview) -> None:
        """Leave bytes to the transport."""
        if not data or self._write_ended:
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
