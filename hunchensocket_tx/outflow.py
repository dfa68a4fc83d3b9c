"""The sending side's backpressure: what a transport's buffer tells, passed on to those who send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IProducer, IPullProducer, IPushProducer
from twisted.internet.task import CooperativeTask, TaskFinished, cooperate
from zope.interface import implementer

__all__ = ["Outflow"]


@implementer(IPushProducer)
class Outflow:
    """The transport's push producer on behalf of a stream: knows whether the buffer is low, and who waits for it.

    :param transport: an ITransport and IConsumer; its own high-water mark counts (64 KiB in Twisted).
    """

    __slots__ = ("_closed", "_full", "_producer", "_transport", "_waiting")

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._full = False
        self._closed: Exception | None = None
        self._producer: IPushProducer | None = None
        self._waiting: list[Deferred[None]] = []
        transport.registerProducer(self, True)

    @property
    def full(self) -> bool:
        """Whether more is buffered than the transport likes."""
        return self._full

    def drained(self) -> Deferred[None]:
        """Return a Deferred that fires when the buffer is low, now if it is. It fails if the stream closes."""
        if self._closed is not None:
            return fail(self._closed)
        if not self._full:
            return succeed(None)
        waiting: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    def register(self, producer: IProducer, streaming: bool) -> None:
        """Attach a producer that is paused while the buffer is full (IConsumer.registerProducer).

        :raises RuntimeError: if there is one already.
        """
        if self._producer is not None:
            raise RuntimeError(
                f"{producer!r} cannot be registered, as {self._producer!r} has not been unregistered"
            )
        if self._closed is not None:
            producer.stopProducing()
            return
        self._producer = IPushProducer(producer) if streaming else _PullAdapter(IPullProducer(producer))
        if self._full:
            self._producer.pauseProducing()
        elif not streaming:
            self._producer.resumeProducing()

    def unregister(self) -> None:
        """Detach the producer, if there is one (IConsumer.unregisterProducer)."""
        producer, self._producer = self._producer, None
        if isinstance(producer, _PullAdapter):
            producer.stop()

    def close(self, error: Exception) -> None:
        """Let go of the transport; stop the producer; fail who waits, now and later."""
        if self._closed is not None:
            return
        self._closed = error
        self._transport.unregisterProducer()
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.errback(error)

    def pauseProducing(self) -> None:
        """The transport's buffer is full."""
        self._full = True
        if self._producer is not None:
            self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        """The transport's buffer is empty again."""
        if not self._full:
            return
        self._full = False
        if self._producer is not None:
            self._producer.resumeProducing()
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.callback(None)

    def stopProducing(self) -> None:
        """The transport is gone; its protocol is told as well, and closes this."""


@implementer(IPushProducer)
class _PullAdapter:
    """Makes a push producer of a pull producer: asks it for more, a bit each turn, while it is not paused."""

    def __init__(self, producer: IPullProducer) -> None:
        self._ask: Callable[[], None] = producer.resumeProducing
        self._producer = producer
        self._task: CooperativeTask[Iterator[None]] | None = None
        self._paused = False

    def _asking(self) -> Iterator[None]:
        while True:
            self._ask()
            yield

    def resumeProducing(self) -> None:
        if self._task is None:
            self._task = cooperate(self._asking())
        elif self._paused:
            self._task.resume()
        self._paused = False

    def pauseProducing(self) -> None:
        if self._task is not None and not self._paused:
            self._paused = True
            self._task.pause()

    def stopProducing(self) -> None:
        self.stop()
        self._producer.stopProducing()

    def stop(self) -> None:
        if self._task is not None:
            try:
                self._task.stop()
            except TaskFinished:
                # It ended by an exception in the producer, which whenDone() told; there is nothing to stop.
                return
