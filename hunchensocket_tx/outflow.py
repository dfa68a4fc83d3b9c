"""The sending side's backpressure: what a transport's buffer tells, passed on to those who send."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.task import CooperativeTask, TaskStopped, cooperate
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["Outflow"]

PORTION = 65537
"""Bytes to hand over at a time: one more than Twisted's transports like, so that they tell when these are gone."""


def _nothing() -> None:
    """Do nothing."""


@implementer(IPushProducer)
class Outflow:
    """What is on its way to a transport: keeps what comes while that is full, and tells those who wait.

    It is the transport's push producer on behalf of a stream; the transport's own high-water mark counts.

    :param transport: an ITransport and IConsumer.
    :param clock: for the timer.
    :param timeout: seconds that a full transport may take to get rid of what it has; 0 for ever.
    :param changed: called when the transport becomes full and when everything is sent.
    :param stuck: called when the timeout is over.

    :ivar full: whether the transport has not taken everything yet that it was given.
    """

    __slots__ = (
        "_begun",
        "_blocked",
        "_changed",
        "_clock",
        "_closed",
        "_held",
        "_held_size",
        "_offer",
        "_producer",
        "_released",
        "_stuck",
        "_timeout",
        "_timer",
        "_transport",
        "_waiting",
        "full",
    )

    def __init__(
        self,
        transport: Any,
        clock: IReactorTime,
        timeout: float = 0,
        changed: Callable[[], None] = _nothing,
        stuck: Callable[[], None] = _nothing,
    ) -> None:
        self._transport = transport
        self._offer = getattr(transport, "offer", None)  # ours tell at once what they did not take
        self._clock = clock
        self._timeout = timeout
        self._changed = _nothing  # who makes this looks itself whether it is full
        self._stuck = stuck
        self._timer: IDelayedCall | None = None
        self._blocked = False  # the transport wants no more
        self.full = False  # it does not, or there is more that it has not got yet
        self._held: deque[bytes | memoryview] = deque()
        self._released = False
        self._begun = False  # the transport has got a part of the first of these
        self._held_size = 0
        self._closed: Exception | None = None
        self._producer: Any = None  # a push producer; who registers it need not declare the interface
        self._waiting: list[Deferred[None]] = []
        transport.registerProducer(self, True)
        self._changed = changed

    @property
    def released(self) -> bool:
        """Whether this is closed and the transport has got everything."""
        return self._released

    @property
    def held(self) -> int:
        """Bytes that wait for the transport to take them."""
        return self._held_size

    def write(self, data: bytes | memoryview, head: bytes = b"") -> None:
        """Send bytes, now or when their turn comes.

        :param head: what goes before them, apart so that the rest need not be copied.
        """
        if self._offer is not None and self._closed is None and not self.full:
            rest = self._offer(data, head)
            if rest is not None:  # first of all, as those who were told that this is full may have sent more
                self._held.appendleft(rest)
                self._held_size += len(rest)
                self._begun = True
            return
        if head:
            data = b"".join((head, data))
        if self._closed is not None and not self._held:
            self._transport.write(data)
            return
        if not self.full and len(data) <= PORTION:
            self._transport.write(data)
            return
        self._held.append(data)
        self._held_size += len(data)
        if not self.full:
            self._hand_over()

    def drained(self) -> Deferred[None]:
        """Return a Deferred that fires when the buffer is low, now if it is. It fails if the stream closes."""
        if self._closed is not None:
            return fail(self._closed)
        if not self.full:
            return succeed(None)
        waiting: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    def register(self, producer: Any, streaming: bool) -> None:
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
        self._producer = producer if streaming else _PullAdapter(producer)
        if self.full:
            self._producer.pauseProducing()
        elif not streaming:
            self._producer.resumeProducing()

    def unregister(self) -> None:
        """Detach the producer, if there is one (IConsumer.unregisterProducer)."""
        producer, self._producer = self._producer, None
        if isinstance(producer, _PullAdapter):
            producer.stop()

    def close(self, error: Exception, *, discard: bool = False) -> None:
        """Stop the producer; fail who waits, now and later; let go of the transport when it has got everything.

        :param discard: whether to drop what the transport has got nothing of.
        """
        if self._closed is not None:
            return
        self._closed = error
        self._stop_timer()
        if discard:
            rest = self._held.popleft() if self._begun and self._held else b""
            self._held.clear()
            self._held.extend([rest] if rest else [])
            self._held_size = len(rest)
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.errback(error)
        self._release_when_empty()

    def end(self) -> None:
        """Tell nothing any more, as the transport is gone."""
        self._changed = self._stuck = _nothing

    def pauseProducing(self) -> None:
        """The transport's buffer is full."""
        self._blocked = True
        self._start_timer()
        if not self.full:
            self.full = True
            if self._producer is not None:
                self._producer.pauseProducing()
            self._changed()

    def resumeProducing(self) -> None:
        """The transport's buffer is empty again: hand it what it likes to take, or tell that all is sent."""
        if not self._blocked:
            return
        self._blocked = False
        self._stop_timer()
        self._hand_over()
        if self._blocked:
            if self._closed is not None:
                self._changed()
            return
        self.full = False
        self._release_when_empty()
        if self._producer is not None:
            self._producer.resumeProducing()
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.callback(None)
        self._changed()

    def stopProducing(self) -> None:
        """The transport is gone; its protocol is told as well, and closes this."""

    def goes_on(self) -> None:
        """The transport's buffer is not empty yet, but something has left it: the time begins anew."""
        if self._timer is not None:
            self._stop_timer()
            self._start_timer()

    def _start_timer(self) -> None:
        if self._timeout and self._timer is None and self._closed is None:
            self._timer = self._clock.callLater(self._timeout, self._stuck)

    def _hand_over(self) -> None:
        """Give the transport what is held until it has enough."""
        while self._held and not self._blocked:
            first = self._held.popleft()
            rest = (self._offer or self._offer_portion)(first)
            taken = len(first) - (len(rest) if rest is not None else 0)
            self._begun = rest is not None and (self._begun or taken > 0)
            if rest is not None:
                self._held.appendleft(rest)
            self._held_size -= taken

    def _offer_portion(self, data: bytes | memoryview) -> memoryview | None:
        """Give the transport what it likes to take at a time; return the rest.

        More than one portion would be copied once more, and nothing told of the progress.
        """
        if len(data) > PORTION:
            self._transport.write(bytes(data[:PORTION]))
            return memoryview(data)[PORTION:]
        pieces, size = [data], len(data)
        while self._held and size + len(self._held[0]) <= PORTION:
            pieces.append(self._held.popleft())
            size += len(pieces[-1])
            self._held_size -= len(pieces[-1])
        self._transport.write(b"".join(pieces))
        return None

    def _release_when_empty(self) -> None:
        """Let go of the transport once it has got everything, if this is closed."""
        if self._closed is not None and not self._held and not self._blocked and not self._released:
            self._released = True
            self._transport.unregisterProducer()

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()


@implementer(IPushProducer)
class _PullAdapter:
    """Makes a push producer of a pull producer: asks it for more, a bit each turn, while it is not paused."""

    _log = Logger()

    def __init__(self, producer: Any) -> None:
        self._producer = producer
        self._task: CooperativeTask[Iterator[None]] | None = None
        self._paused = self._finished = False

    def _asking(self) -> Iterator[None]:
        while True:
            self._producer.resumeProducing()
            yield

    def _ended(self, failure: Failure) -> None:
        self._finished = True
        if not failure.check(TaskStopped):
            self._log.failure("the producer {producer} failed", failure, producer=self._producer)

    def resumeProducing(self) -> None:
        if self._task is None:
            self._task = cooperate(self._asking())
            self._task.whenDone().addErrback(self._ended)
        elif self._paused and not self._finished:
            self._task.resume()
        self._paused = False

    def pauseProducing(self) -> None:
        if self._task is not None and not self._paused and not self._finished:
            self._paused = True
            self._task.pause()

    def stopProducing(self) -> None:
        self.stop()
        self._producer.stopProducing()

    def stop(self) -> None:
        if self._task is not None and not self._finished:
            self._task.stop()
