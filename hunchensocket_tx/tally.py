"""Counters of what happens to the WebSockets of a server: for metrics, status pages, logs and limits.

Streams count their own messages and bytes; these are added up when somebody asks, and when a stream ends. So
nothing is done here for a message.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Protocol

from hunchensocket_tx.wire.events import CloseReason

__all__ = ["Counted", "Histogram", "Tally", "Totals"]

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds that histograms tell apart."""

MOST_CODES = 100
"""Close codes that are counted apart: there are thousands, and peers may choose."""

OTHERS = "other"
"""What the others are counted as."""


class Counted(Protocol):
    """What is asked of a stream.

    :ivar number: its number among those of its tally; 0 before it is counted.
    :ivar counted_as: what the limit by address knows its client by; None if that does not count it.
    :ivar started: when its request came, in the clock's seconds.
    """

    number: int
    counted_as: str | None
    started: float
    bytes_received: int
    bytes_sent: int
    messages_received: int
    messages_sent: int

    @property
    def version(self) -> int:
        """The protocol version."""

    @property
    def send_buffer(self) -> int:
        """Bytes that wait for the transport to take them."""


class Histogram:
    """How often something took how long.

    :ivar total: all seconds together.
    """

    def __init__(self) -> None:
        self.total = 0.0
        self._counts = [0] * (len(BOUNDS) + 1)

    def add(self, seconds: float) -> None:
        """Count something that took so long."""
        self.total += seconds
        self._counts[bisect_left(BOUNDS, seconds)] += 1

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self._counts)

    def buckets(self) -> list[tuple[str, int]]:
        """Return bounds as Prometheus writes them, and how many took no longer."""
        return list(zip([*map(str, BOUNDS), "+Inf"], accumulate(self._counts), strict=True))


@dataclass
class Totals:
    """Sums over the streams that are open and those that have ended."""

    bytes_received: int = 0
    bytes_sent: int = 0
    messages_received: int = 0
    messages_sent: int = 0
    send_buffer: int = 0
    """Bytes that wait at present."""
    largest_send_buffer: int = 0
    """Bytes of these that wait for one peer."""
    open: Counter[int] = field(default_factory=Counter)
    """How many are open at present, by version."""

    def add(self, stream: Counted) -> None:
        """Add what a stream has counted."""
        self.bytes_received += stream.bytes_received
        self.bytes_sent += stream.bytes_sent
        self.messages_received += stream.messages_received
        self.messages_sent += stream.messages_sent


class Tally:
    """Counts for one resource, or for several that share it.

    :ivar accepted: opening handshakes that were accepted, by version.
    :ivar closed: WebSockets that ended, by close code; 1006 is an end without a closing handshake; beyond
        a hundred codes, the others are ``other``.
    :ivar refused: requests for a WebSocket that were refused, by status and cause; and WebSockets that were closed
        for a limit, by close code and the limit's name.
    :ivar slow: what was done about peers that read too slowly: ``close`` and ``drop`` as the setting
        ``slow_peers`` says, ``stuck`` for those that took nothing for ``send_timeout``.
    :ivar handshake_seconds: from the request to the open WebSocket.
    :ivar ping_seconds: from a ping to its answer.
    :ivar opening: opening handshakes that are under way: being decided on, or half open.
    :ivar clients: how many WebSockets there are by client address.
    :ivar when_ended: called, if set, with each stream that ends, how, and its seconds.
    """

    def __init__(self) -> None:
        self.accepted: Counter[int] = Counter()
        self.closed: Counter[int | str] = Counter()
        self.refused: Counter[tuple[int, str]] = Counter()
        self.slow: Counter[str] = Counter()
        self.handshake_seconds = Histogram()
        self.ping_seconds = Histogram()
        self.opening: set[object] = set()
        self.clients: dict[str, int] = {}
        self.when_ended: Callable[[Any, CloseReason, float], None] | None = None
        self._streams: set[Counted] = set()
        self._gone = Totals()

    @property
    def connections(self) -> int:
        """How many WebSockets there are, half open ones included."""
        return len(self._streams)

    def begin(self, stream: Counted) -> None:
        """Count a WebSocket whose opening handshake was accepted."""
        self.accepted[stream.version] += 1
        stream.number = self.accepted.total()
        self._streams.add(stream)
        self.opening.add(stream)
        client = stream.counted_as
        if client is not None:
            self.clients[client] = self.clients.get(client, 0) + 1

    def opened(self, stream: Counted, now: float) -> None:
        """Count the end of its opening handshake.

        :param now: the clock's seconds.
        """
        if stream in self.opening:
            self.opening.discard(stream)
            self.handshake_seconds.add(now - stream.started)

    def end(self, stream: Counted, end: CloseReason, now: float) -> None:
        """Count the end of a WebSocket, however far it had come."""
        self._streams.discard(stream)
        self.opening.discard(stream)
        self._gone.add(stream)
        known = end.code in self.closed or len(self.closed) < MOST_CODES
        self.closed[end.code if known else OTHERS] += 1
        client = stream.counted_as
        if client is not None:
            self.clients[client] -= 1
            if not self.clients[client]:
                del self.clients[client]
        if self.when_ended is not None:
            self.when_ended(stream, end, now - stream.started)

    def totals(self) -> Totals:
        """Add up all streams; takes about two milliseconds for a thousand that are open."""
        gone = self._gone
        totals = Totals(gone.bytes_received, gone.bytes_sent, gone.messages_received, gone.messages_sent)
        for stream in self._streams:
            totals.add(stream)
            totals.open[stream.version] += 1
            waiting = stream.send_buffer
            totals.send_buffer += waiting
            totals.largest_send_buffer = max(totals.largest_send_buffer, waiting)
        return totals
