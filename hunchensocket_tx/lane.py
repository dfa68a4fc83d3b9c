"""The fast lane: plain sockets on an epoll object of our own, which the reactor watches as one descriptor.

Twisted's own way costs a good part of a small message's time: around each event of each connection it sets up a
log context, and what is written waits for the reactor's next turn, with two system calls to say so. Here the
reactor has one event for all connections that are ready. Each is read once and its protocol called; what was
written meanwhile, by whomever, is joined and sent at the end of that batch, straight to the sockets.

A connection on the lane has a :class:`LaneTransport`, which does what Twisted's TCP transports do. Where there is
no epoll, or the reactor watches no descriptors, :func:`enter_lane` returns None, and the connection stays where
it is.
"""

from __future__ import annotations

import select
from functools import cache, lru_cache
from typing import Any

from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorFDSet, IReadDescriptor
from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from hunchensocket_tx.lane_transport import READABLE, LaneTransport

__all__ = ["Lane", "enter_lane"]

BATCH = 256
"""Connections to serve before the reactor has its turn again, so that timers and other descriptors get theirs."""

KEPT = 8 * 1024 * 1024
"""Bytes of the largest block to be served from such memory."""

_lanes: dict[Any, Lane] = {}
"""The lanes that have connections, by reactor."""


@implementer(IReadDescriptor)
class Lane:
    """An epoll object with all connections on the lane of one reactor. It exists while there are any."""

    _log = Logger()

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._poller = select.epoll()
        self._fd = self._poller.fileno()
        self._transports: dict[int, LaneTransport] = {}
        self.due: list[LaneTransport] = []  # to settle at the end of the batch
        self.in_batch = False
        self._settling: IDelayedCall | None = None
        reactor.addReader(self)

    # What the reactor calls

    def fileno(self) -> int:
        """Return the descriptor that is readable when a connection is ready (IFileDescriptor)."""
        return self._fd

    def logPrefix(self) -> str:
        """Return what log lines begin with (ILoggingContext)."""
        return "WebSockets"

    def doRead(self) -> None:
        """Serve the connections that are ready (IReadDescriptor)."""
        transports = self._transports
        self.in_batch = True
        for fd, events in self._poller.poll(0, BATCH):
            transport = transports.get(fd)
            if transport is None:
                continue  # another one's handler has dropped it
            try:
                if events == READABLE:
                    transport.read()
                else:
                    transport.handle(events)
            except BaseException:  # as in Twisted: not even SystemExit in a handler may harm another connection
                self._failed(transport)
        self._settle()

    def connectionLost(self, reason: Failure) -> None:
        """Drop all connections, as the reactor shuts down (IFileDescriptor)."""
        for transport in tuple(self._transports.values()):
            transport.lose(reason)

    # What transports call

    def join(self, transport: LaneTransport) -> None:
        """Take a transport that wants to read."""
        self._poller.register(transport.fd, READABLE)
        self._transports[transport.fd] = transport

    def watch(self, transport: LaneTransport, old: int, new: int) -> None:
        """Watch a socket for other events than before; for none, epoll would tell of errors, again and again."""
        if not old:
            self._poller.register(transport.fd, new)
        elif new:
            self._poller.modify(transport.fd, new)
        else:
            self._unregister(transport.fd)

    def leave(self, transport: LaneTransport, watched: int) -> None:
        """Take a transport off the lane, while its socket is still open; without the last one, the lane ends."""
        if watched:  # else a child process that was forked would keep it watched
            self._unregister(transport.fd)
        del self._transports[transport.fd]
        self.end_if_unused()

    def _unregister(self, fd: int) -> None:
        try:
            self._poller.unregister(fd)
        except OSError as error:
            self._log.debug("somebody has closed the socket {fd}: {error}", fd=fd, error=error)

    def settle_soon(self) -> None:
        """Settle what is due in this turn of the reactor, though no batch is under way."""
        if self._settling is None:
            self._settling = self._reactor.callLater(0, self._settle_now)

    def _settle_now(self) -> None:
        self._settling = None
        self.in_batch = True
        self._settle()

    def _settle(self) -> None:
        """End a batch: send what was written in it."""
        due, self.due = self.due, []
        for transport in due:
            try:
                transport.settle()
            except BaseException:
                self._failed(transport)
        self.in_batch = False
        if self.due:
            self.settle_soon()
        self.end_if_unused()

    def end_if_unused(self) -> None:
        """Leave the reactor, if there is no transport, until there is one again."""
        if not self._transports and not self.in_batch and not self._poller.closed:
            self._reactor.removeReader(self)
            self._poller.close()
            del _lanes[self._reactor]

    def _failed(self, transport: LaneTransport) -> None:
        """Drop a connection whose protocol has raised an exception, and no other."""
        failure = Failure()
        self._log.failure("the protocol {protocol} failed", failure, protocol=transport.protocol)
        transport.lose(failure)


def enter_lane(transport: Any, protocol: Any) -> LaneTransport | None:
    """Move a connection to the lane.

    :param transport: where it is; Twisted's, with nothing left to send. It is of no use afterwards.
    :param protocol: told from now on what arrives and what happens.
    :returns: its new transport; None if it is no plain socket of a reactor that watches descriptors, or if this
        machine has no epoll.
    """
    if not isinstance(transport, Connection) or transport.TLS or not hasattr(select, "epoll"):
        return None
    reactor: Any = transport.reactor
    if not IReactorFDSet.providedBy(reactor):
        return None
    lane = _lanes.get(reactor)
    if lane is None:
        keep_memory()
        try:
            lane = _lanes[reactor] = Lane(reactor)
        except OSError:  # no descriptor is left for it
            return None
    transport.pauseProducing()
    host = _shared(transport.getHost())
    try:
        moved = LaneTransport(lane, transport.getHandle(), protocol, transport.getPeer(), host)
    except OSError:  # the system watches no more sockets for us
        lane.end_if_unused()
        transport.resumeProducing()
        return None
    left: Any = transport
    left.protocol = Protocol()
    left.connectionLost = moved.lose  # if somebody has kept it and closes it: its socket must leave the lane first
    return moved


@cache
def keep_memory() -> None:
    """Have the C library keep memory that was freed, some MiB, instead of taking it anew for each large message.

    glibc adapts to the largest block that was freed so far, and to nothing less; this one is never touched.
    """
    bytearray(KEPT)


@lru_cache(maxsize=64)
def _shared(address: IAddress) -> IAddress:
    """Return one object for all equal addresses: ours is the same for all connections of a port."""
    return address
