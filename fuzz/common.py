"""What the targets share: taking an input apart, feeding codecs with it, and comparing what they tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.events import Closed, Codec, Event, Failed, Message, Piece, Reply
from hunchensocket_tx.wire.hot import Parts
from hunchensocket_tx.wire.reader import FrameReader

__all__ = [
    "ROOMY",
    "Input",
    "assembled",
    "assert_same_pieces",
    "cut",
    "echo",
    "feed",
    "held",
    "joined",
    "messages",
]

T = TypeVar("T")

ROOMY = Settings()
"""For the other end, which has to take all that the one under test sends."""

MAX_ECHOED = 16
"""Messages to send back; more would only cost time."""


class Input:
    """An input, taken from the front: choices first, then the bytes for the code under test."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def __bool__(self) -> bool:
        return self._position < len(self._data)

    def take(self, size: int) -> bytes:
        """Return the next bytes; fewer if there are no more."""
        taken = self._data[self._position : self._position + size]
        self._position += len(taken)
        return taken

    def byte(self) -> int:
        """Return the next byte; 0 if there is none."""
        return int.from_bytes(self.take(1), "big")

    def choose(self, options: Sequence[T]) -> T:
        """Let the next byte choose."""
        return options[self.byte() % len(options)]

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.take(len(self._data))


def cut(data: bytes, sizes: bytes) -> Iterator[bytes]:
    """Cut data into pieces of these sizes, over and over; a size of zero makes an empty piece."""
    if not any(sizes):
        yield data
        return
    position = 0
    while position < len(data):
        for size in sizes:
            yield data[position : position + size]
            position += size


def feed(codec: Codec, pieces: Iterable[bytes], limit: int) -> list[Event]:
    """Return the events of these bytes; check that nothing follows the end, and how much is kept.

    :param limit: most bytes that the codec may hold between two pieces.
    """
    events: list[Event] = []
    for count, piece in enumerate((b"", *pieces)):
        events += codec.receive(piece)
        while codec.has_more:
            events += codec.receive(b"")
        assert count % 32 or held(codec) <= limit, f"{held(codec)} bytes are held"
    assert held(codec) <= limit, f"{held(codec)} bytes are held"
    ends = [event for event in events if isinstance(event, Closed | Failed)]
    assert not ends or (len(ends) == 1 and ends[0] is events[-1]), f"something follows the end: {events}"
    if ends:
        assert codec.receive(b"\x00a\xff\x81\x00") == [], "something follows the end"
    return events


def held(thing: Any) -> int:
    """Return how many bytes an object of ours holds in its own attributes, and in those of what it reads with."""
    values = [getattr(thing, name, None) for name in thing.__slots__ if name != "_expected_response"]
    own = sum(len(value) for value in values if isinstance(value, bytearray | bytes | Parts))
    return own + sum(held(value) for value in values if isinstance(value, FrameReader))


def messages(events: Iterable[Event]) -> list[Message]:
    """Return the messages among the events."""
    return [event for event in events if isinstance(event, str | bytes)]


def assembled(events: Iterable[Event]) -> list[Event]:
    """Put the pieces of each message together; what is not complete is left out."""
    result: list[Event] = []
    parts: list[Any] = []
    for event in events:
        if not isinstance(event, Piece):
            result.append(event)
            continue
        parts.append(event.data)
        if event.final:
            result.append(parts[0][:0].join(parts))
            parts.clear()
    return result


def joined(events: Iterable[Event]) -> list[Event]:
    """Put neighbouring pieces of a message together, as how many there are depends on how the bytes were cut."""
    result: list[Event] = []
    for event in events:
        last = result[-1] if result else None
        if isinstance(event, Piece) and isinstance(last, Piece) and not last.final:
            parts: list[Any] = [last.data, event.data]
            result[-1] = Piece(parts[0] + parts[1], event.final)
        else:
            result.append(event)
    return result


def assert_same_pieces(whole: Iterable[Event], pieces: Iterable[Event]) -> None:
    """Check that the events of the same bytes, cut differently, are the same, piece by piece.

    Of a message that breaks a rule, more or less may have been told before that was known.
    """
    first, second = joined(whole), joined(pieces)
    assert _without_broken(first) == _without_broken(second), f"cut differently: {first} != {second}"


def _without_broken(events: list[Event]) -> list[Event]:
    if not events or not isinstance(events[-1], Failed):
        return events
    if len(events) > 1 and isinstance(piece := events[-2], Piece) and not piece.final:
        return [*events[:-2], events[-1]]
    return events


def echo(sent: list[Message], sender: Codec, receiver: Codec, sizes: bytes) -> None:
    """Check that messages arrive as they were sent: whole, compressed if that is agreed upon and not; in parts."""
    sent = sent[:MAX_ECHOED]
    wire = b"".join(sender.encode(message, compress=compress) for message in sent for compress in (True, False))
    for message in sent:
        step = len(message) // 4 + max(1, *sizes, 0)
        for start in range(0, max(1, len(message)), step):
            wire += sender.encode_part(message[start : start + step], final=start + step >= len(message))
    events = feed(receiver, cut(wire, bytes(size | 0x40 for size in sizes)), len(wire) + 65536)
    received = [event for event in events if not isinstance(event, Reply)][1:]
    expected = [*(message for message in sent for _ in range(2)), *sent]
    assert received == expected, f"sent were {expected}, received {received}"
