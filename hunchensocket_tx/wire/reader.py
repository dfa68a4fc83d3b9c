"""Frames of RFC 6455 read with care: fragments, compressed and control frames, what comes in parts, what is wrong.

Section numbers are those of the RFC. Everything is taken as it arrives: unmasked, inflated, checked for UTF-8 and
counted at once, so that what breaks a rule or a limit is known at the first byte that does, and nothing is kept
twice.
"""

from __future__ import annotations

from typing import Protocol

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.deflate import Deflate, InflateError, TooMuchOutput
from hunchensocket_tx.wire.events import Event, Piece
from hunchensocket_tx.wire.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    MASKED,
    MAX_CONTROL_PAYLOAD,
    RSV1,
    TEXT,
    Violation,
)
from hunchensocket_tx.wire.hot import Parts, apply_mask

__all__ = ["ControlTaker", "FrameReader"]


class ControlTaker(Protocol):
    """Who control frames are for."""

    control_budget: int

    def take_control(self, opcode: int, payload: bytes, events: list[Event]) -> None:
        """Handle a control frame, also within a message (5.5)."""


class FrameReader:
    """The frame and the message that are under way.

    :param settings: gives the limits.
    :param masked: whether frames have to be masked; else they must not be.
    :param deflate: permessage-deflate, if it was agreed upon.
    :param pieces: whether to yield messages piece by piece, as they arrive.

    :ivar inflated: bytes that came out of compressed messages; the owner sets it back.
    """

    __slots__ = (
        "_compressed",
        "_control",
        "_deflate",
        "_fin",
        "_fragments",
        "_key",
        "_masked",
        "_opcode",
        "_parts",
        "_pieces",
        "_remaining",
        "_settings",
        "_size",
        "inflated",
    )

    def __init__(self, settings: Settings, masked: bool, deflate: Deflate | None, pieces: bool) -> None:
        self._settings = settings
        self._masked = masked
        self._deflate = deflate
        self._pieces = pieces
        self.inflated = 0
        # The frame whose payload is being read:
        self._remaining = -1  # bytes of it that are still to come; -1 between frames
        self._opcode = 0
        self._fin = False
        self._key: bytes | None = None
        self._control = b""
        # The message that is being put together:
        self._parts: Parts | None = None
        self._compressed = False
        self._fragments = 0
        self._size = 0  # bytes of it so far, inflated

    @property
    def is_idle(self) -> bool:
        """Whether the next frame starts a message."""
        return self._parts is None and self._remaining < 0

    def read(self, data: bytes, position: int, owner: ControlTaker, events: list[Event]) -> int:
        """Read a frame from a position on, or as much of it as is there, and tell what it completed.

        :returns: where it stopped: at the position itself if the head of the frame is not complete.
        :raises Violation: at the first byte that breaks a rule or a limit.
        """
        start = position
        if self._remaining < 0:
            start = self._read_head(data, position, owner)
            if start < 0:
                return position
        end = min(start + self._remaining, len(data))
        self._read_payload(data, start, end, owner, events)
        return end

    def _read_head(self, data: bytes, position: int, owner: ControlTaker) -> int:
        """Read a frame's head; return where its payload starts, or -1 if the head is not complete (5.2)."""
        available = len(data) - position
        if available < 2:
            return -1
        first, second = data[position], data[position + 1]
        length = second & 0x7F
        self._judge_first_bytes(first, second, length)
        position += 2
        extra = 0 if length < 126 else 2 if length == 126 else 8
        if available < 2 + extra:
            return -1
        if extra:
            length = _read_length(data[position : position + extra])
            position += extra
        opcode = first & 0x0F
        if opcode < CLOSE:
            self._judge_length(length, opcode, bool(first & RSV1))
        if self._masked:
            self._key = data[position : position + 4]
            position += 4
            if len(self._key) < 4:
                return -1
        self._begin_frame(first, opcode, length, owner)
        return position

    def _judge_first_bytes(self, first: int, second: int, length: int) -> None:
        opcode = first & 0x0F
        if opcode & 0x07 > 2:
            raise Violation(1002, f"opcode {opcode} is reserved")
        if first & 0x30 or (first & RSV1 and (self._deflate is None or opcode not in (TEXT, BINARY))):
            raise Violation(1002, "a reserved bit is set")
        if bool(second & MASKED) != self._masked:
            raise Violation(
                1002, "a client's frame is not masked" if self._masked else "a server's frame is masked"
            )
        if opcode >= CLOSE:
            if not first & FIN or length > MAX_CONTROL_PAYLOAD:
                raise Violation(1002, "a control frame is fragmented or too long")
        elif opcode == CONTINUATION:
            if self._parts is None:
                raise Violation(1002, "there is no message to continue")
        elif self._parts is not None:
            raise Violation(1002, "a message starts within another")

    def _judge_length(self, length: int, opcode: int, compressed: bool) -> None:
        """Judge an announced length before a byte of it is kept (10.4)."""
        if length > self._settings.max_frame_size:
            raise Violation(1009, f"frame over {self._settings.max_frame_size} bytes")
        if compressed or (opcode == CONTINUATION and self._compressed):
            return  # what counts is what it inflates to
        so_far = self._size if opcode == CONTINUATION else 0
        if so_far + length > self._settings.max_message_size:
            raise self._too_big()

    def _begin_frame(self, first: int, opcode: int, length: int, owner: ControlTaker) -> None:
        self._remaining = length
        self._opcode = opcode
        self._fin = bool(first & FIN)
        if opcode >= CLOSE:
            owner.control_budget -= 1
            if owner.control_budget < 0:
                raise Violation(1008, "too many control frames")
            return
        if opcode != CONTINUATION:
            self._parts = Parts(opcode == TEXT)
            self._compressed = bool(first & RSV1)
            self._fragments = self._size = 0
        self._fragments += 1
        if self._fragments > self._settings.max_fragments:
            raise Violation(1008, f"over {self._settings.max_fragments} fragments in a message")

    def _read_payload(self, data: bytes, start: int, end: int, owner: ControlTaker, events: list[Event]) -> None:
        """Take the next, or the only, part of a frame's payload."""
        key, size = self._key, end - start
        self._remaining -= size
        complete = not self._remaining
        if complete:
            self._remaining = -1
        elif key is not None:
            turn = size % 4
            self._key = key[turn:] + key[:turn]  # where the next part goes on
        if self._opcode >= CLOSE:
            self._control += _unmasked(data[start:end], key)
            if complete:
                payload, self._control = self._control, b""
                owner.take_control(self._opcode, payload, events)
            return
        final = complete and self._fin
        if self._compressed:
            self._inflate(_unmasked(data[start:end], key), final)
        else:
            self._size += size
            to_come = self._size + max(self._remaining, 0) if self._fin else self._settings.max_message_size
            self._add(data, start, end, key, to_come)
        self._deliver(final, events)

    def _inflate(self, compressed: bytes, final: bool) -> None:
        assert self._deflate is not None
        limit = self._settings.max_message_size
        try:
            part = self._deflate.inflate(compressed, limit - self._size, final=final)
        except InflateError:
            raise Violation(1007, "the compressed data is broken") from None
        except TooMuchOutput as too_much:
            part = too_much.args[0]
            self._add(part, 0, len(part), None, 0)  # bad text fails as such, however it was cut
            raise self._too_big() from None
        self._size += len(part)
        self.inflated += len(part)
        self._add(part, 0, len(part), None, self._size if final else limit)

    def _add(self, data: bytes, start: int, end: int, key: bytes | None, most: int) -> None:
        """Add to the message; fail at the first byte that is wrong in UTF-8 (8.1)."""
        assert self._parts is not None
        # Pieces are handed over at once, so there is nothing to make room for.
        if not self._parts.add(data, start, end, key, 0 if self._pieces else most):
            raise Violation(1007, "text is not UTF-8")

    def _deliver(self, final: bool, events: list[Event]) -> None:
        """Tell of what is there of the message, or of all of it at its end."""
        if not (final or self._pieces):
            return
        assert self._parts is not None
        message = self._parts.take(final)
        if message is None:
            raise Violation(1007, "text is not UTF-8")
        if not self._pieces:
            events.append(message)
        elif message or final:
            events.append(Piece(message, final))
        if final:
            self._parts = None

    def _too_big(self) -> Violation:
        return Violation(1009, f"message over {self._settings.max_message_size} bytes")


def _read_length(digits: bytes) -> int:
    length = int.from_bytes(digits, "big")
    if length < (126 if len(digits) == 2 else 65536):
        raise Violation(1002, "a length is longer than it need be")
    if length >> 63:
        raise Violation(1002, "a length has 64 bits")
    return length


def _unmasked(data: bytes, key: bytes | None) -> bytes:
    return data if key is None else apply_mask(data, key)
