"""A plain socket as a Twisted transport, for the fast lane: what is written in a batch is sent at its end."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from typing import Any, Protocol

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IHalfCloseableProtocol,
    IPushProducer,
    ISystemHandle,
    ITCPTransport,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from hunchensocket_tx.plain_socket import PlainSocket

__all__ = ["LaneTransport", "Watcher"]

READABLE, WRITABLE, BROKEN = 1, 4, 8 | 16
"""EPOLLIN, EPOLLOUT, EPOLLERR | EPOLLHUP."""

PORTION = 131000
"""Bytes to read at a time (glibc keeps blocks of this size at hand); if there is more, others come first."""

CORKED = 64
"""Writes to keep until the end of a batch; then they are sent, as it may be a long one."""

DONE, LOST, ABORTED = Failure(ConnectionDone()), Failure(ConnectionLost()), Failure(ConnectionAborted())

RESET_WHEN_CLOSED = struct.pack("ii", 1, 0)
"""For SO_LINGER."""


class Watcher(Protocol):
    """What a transport asks of its lane.

    :ivar due: transports whose ``settle`` is to be called at the end of the batch.
    :ivar in_batch: whether one is under way; else ``settle_soon`` has to be called.
    """

    due: list[LaneTransport]
    in_batch: bool

    def join(self, transport: LaneTransport) -> None:
        """Take a transport that wants to read."""

    def watch(self, transport: LaneTransport, old: int, new: int) -> None:
        """Watch a transport's socket for other events than before."""

    def leave(self, transport: LaneTransport, watched: int) -> None:
        """Take a transport off the lane, while its socket is still open."""

    def settle_soon(self) -> None:
        """Settle what is due, though no batch is under way."""


@implementer(ITCPTransport, ISystemHandle, IConsumer, IPushProducer)
class LaneTransport(PlainSocket):
    """The transport of a connection on the lane. It behaves as Twisted's own of TCP and unix sockets.

    :param lane: what watches the socket.
    :param handle: the socket, not blocking.
    :param protocol: told what arrives and what happens.
    :param peer: the address of the other end.
    :param host: our own.

    :ivar protocol: may be exchanged at any time. If it has a method ``sending_stalled``, that is called when the
        kernel takes no more and no producer is registered; it may register one then, as paused. Likewise
        ``sending_goes_on``, when the kernel has taken some of what is left, but not all.
    :ivar fd: the number of the socket's descriptor, also after it was closed.
    """

    _log = Logger()

    __slots__ = (
        "__weakref__",
        "_blocked",
        "_closed",
        "_corked",
        "_end",
        "_events",
        "_lane",
        "_leaving",
        "_leaving_altogether",
        "_producer",
        "_rest",
        "_write_ended",
        "fd",
        "protocol",
    )

    def __init__(
        self, lane: Watcher, handle: socket.socket, protocol: Any, peer: IAddress, host: IAddress
    ) -> None:
        super().__init__(handle, peer, host)
        self.fd = handle.fileno()
        self.protocol = protocol
        self._lane = lane
        self._corked: list[bytes] | None = None  # what the end of the batch is to send; not None: it will attend
        self._rest: memoryview | None = None  # what the kernel did not take of that
        self._blocked = False  # the kernel takes no more
        self._producer: Any = None
        self._leaving = False  # our side is to be closed once all is sent
        self._leaving_altogether = False  # and the peer's, too
        self._write_ended = False
        self._end: Failure | None = None  # why the connection is to be dropped, at the end of the batch
        self._closed = False
        self._events = READABLE
        lane.join(self)

    # Sending

    def write(self, data: bytes) -> None:
        """Send bytes, in order (ITransport)."""
        corked = self._corked
        if corked is not None:
            corked.append(data)
            if len(corked) == CORKED and not self._blocked:
                self._uncork()
        elif not self._write_ended:
            self._corked = [data]
            lane = self._lane
            lane.due.append(self)
            if not lane.in_batch:
                lane.settle_soon()

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Send bytes, in order (ITransport)."""
        self.write(b"".join(iovec))

    def offer(self, data: bytes | memoryview, head: bytes = b"") -> memoryview | None:
        """Send as much as the kernel takes now.

        :param head: what goes before the data.
        :returns: the rest, which is the caller's to keep until its ``resumeProducing`` is called; None if there
            is none.
        """
        if self._write_ended:
            return None
        if self._blocked:
            return memoryview(b"".join((head, data)))
        corked, self._corked = self._corked, None
        before = b"".join((*corked, head)) if corked else head
        sent = self._send(data) if not before else self._send_both(before, data)
        if sent == len(before) + len(data):
            return None
        if sent < len(before):
            self._rest = memoryview(before)[sent:]
        self._block()
        return memoryview(data)[max(0, sent - len(before)) :]

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Attach a push producer, which is paused while the kernel takes no more (IConsumer).

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
        """Detach the producer (IConsumer)."""
        self._producer = None

    def _send(self, data: bytes | memoryview) -> int:
        """Return how much the kernel took; all, if nothing can be sent any more."""
        try:
            return self.socket.send(data)
        except OSError as error:
            return self._not_sent(error, len(data))

    def _not_sent(self, error: OSError, size: int) -> int:
        if isinstance(error, (BlockingIOError, InterruptedError)):
            return 0
        self._drop(LOST)
        return size

    def _send_both(self, before: bytes, data: bytes | memoryview) -> int:
        try:
            return self.socket.sendmsg((before, data))
        except OSError as error:
            return self._not_sent(error, len(before) + len(data))

    def _uncork(self) -> None:
        """Send what was written; keep what the kernel does not take."""
        corked, self._corked = self._corked, None
        if corked:
            data = corked[0] if len(corked) == 1 else b"".join(corked)
            sent = self._send(data)
            if sent < len(data):
                self._rest = memoryview(data)[sent:]
                self._block()

    def _block(self) -> None:
        self._blocked = True
        self._watch(self._events | WRITABLE)
        if self._producer is not None:
            self._producer.pauseProducing()
        elif hasattr(self.protocol, "sending_stalled"):
            self.protocol.sending_stalled()

    def _unblock(self) -> None:
        """Send the rest, as the kernel takes some again; then tell who waits for that."""
        if self._rest is not None:
            sent = self._send(self._rest)
            if self._end is not None:
                return  # nothing more can be sent
            if sent < len(self._rest):
                self._rest = self._rest[sent:]
                if hasattr(self.protocol, "sending_goes_on"):
                    self.protocol.sending_goes_on()
                return
            self._rest = None
        self._blocked = False
        self._uncork()
        if self._blocked or self._closed:
            return
        if self._producer is not None:
            self._producer.resumeProducing()
        if not self._blocked:
            self._watch(self._events & ~WRITABLE)
            if self._leaving:
                self._attend()  # not at once: the producer may have written more

    # Receiving

    def read(self) -> None:
        """Give the protocol what arrived."""
        if not self._events & READABLE:
            return  # another one's handler has paused or dropped it in this batch
        try:
            data = self.socket.recv(PORTION)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.lose(LOST)
            return
        if data:
            self.protocol.dataReceived(data)
        else:
            self._read_ended()

    def handle(self, events: int) -> None:
        """Do what epoll asks for, if it is more than to read."""
        if not self._events:
            return  # another one's handler has paused or dropped it in this batch
        if events & BROKEN and not events & READABLE:
            if self._events & READABLE:
                self._read_ended()
            else:
                self.lose(LOST)
            return
        if events & READABLE:
            self.read()
        if events & WRITABLE and self._events & WRITABLE:
            self._unblock()

    def pauseProducing(self) -> None:
        """Read no more for now (IPushProducer)."""
        self._watch(self._events & ~READABLE)

    def resumeProducing(self) -> None:
        """Read on (IPushProducer)."""
        if not self._leaving_altogether:
            self._watch(self._events | READABLE)

    def stopProducing(self) -> None:
        """Close (IPushProducer)."""
        self.loseConnection()

    @property
    def disconnecting(self) -> bool:
        """Whether it is going to be closed, as Twisted's line receivers ask."""
        return self._leaving_altogether

    def _read_ended(self) -> None:
        """Tell the protocol that the peer will send nothing more; it may go on sending if it knows how."""
        self._watch(self._events & ~READABLE)
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.readConnectionLost()
        else:
            self.lose(DONE)

    def _watch(self, events: int) -> None:
        if events != self._events and not self._closed:
            before, self._events = self._events, events
            self._lane.watch(self, before, events)

    # Ending

    def loseConnection(self, _: object = None) -> None:
        """Close when all is sent (ITransport)."""
        if not self._leaving_altogether:
            self._leaving = self._leaving_altogether = True
            self._watch(self._events & ~READABLE)
            self._attend()

    def loseWriteConnection(self) -> None:
        """Close our side when all is sent, and go on reading (ITCPTransport)."""
        if not self._write_ended:
            self._leaving = True
            self._attend()

    def abortConnection(self) -> None:
        """Drop the connection, with what is not sent yet (ITCPTransport)."""
        self._drop(ABORTED)

    def settle(self) -> None:
        """Send what was written in a batch, and leave if that was the last of it."""
        if not self._blocked:
            corked = self._corked
            if corked is not None:
                self._corked = None
                data = corked[0] if len(corked) == 1 else b"".join(corked)
                try:
                    sent = self.socket.send(data)
                except OSError as error:
                    sent = self._not_sent(error, len(data))
                if sent != len(data):
                    self._rest = memoryview(data)[sent:]
                    self._block()
        if self._leaving:
            if self._end is not None:
                self.lose(self._end)
            elif not self._blocked:
                self._leave()

    def lose(self, reason: Failure) -> None:
        """Close the socket, and tell the protocol and the producer."""
        if self._closed:
            return
        self._corked = self._rest = None
        self._lane.leave(self, self._events)
        self._close_socket(reason)
        self._closed = self._write_ended = self._leaving_altogether = True
        producer, self._producer = self._producer, None
        try:
            if producer is not None:
                producer.stopProducing()
            self.protocol.connectionLost(reason)
        except BaseException:  # as in Twisted: it must not harm another connection
            self._log.failure("the protocol {protocol} failed", protocol=self.protocol)
        self.protocol = None  # each keeps the other else, until the garbage collector comes

    def _close_socket(self, reason: Failure) -> None:
        try:
            if reason.check(ConnectionAborted):
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_WHEN_CLOSED)
            elif not self._write_ended:
                self.socket.shutdown(socket.SHUT_RDWR)  # close() does nothing while a forked child has it, too
        except OSError as error:
            self._log.debug("{transport} is gone already: {error}", transport=self, error=error)
        self.socket.close()

    def _drop(self, reason: Failure) -> None:
        """Lose the connection at the end of the batch, not within a call of the application's."""
        if self._end is None and not self._closed:
            self._end = reason
            # Nothing is sent or read any more:
            self._blocked = self._write_ended = self._leaving = self._leaving_altogether = True
            self._watch(0)
            self._attend()

    def _attend(self) -> None:
        self._lane.due.append(self)
        if not self._lane.in_batch:
            self._lane.settle_soon()

    def _leave(self) -> None:
        if self._leaving_altogether:
            self.lose(DONE)
        elif not self._write_ended:
            self._write_ended = True
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError as error:
                self._log.debug("{transport} is gone already: {error}", transport=self, error=error)
            if IHalfCloseableProtocol.providedBy(self.protocol):
                self.protocol.writeConnectionLost()
