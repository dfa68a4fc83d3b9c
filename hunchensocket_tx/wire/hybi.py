"""RFC 6455 (version 13) and its drafts hybi-07 to -12 (versions 7, 8) after the HTTP head: one codec, both roles.

Section numbers are those of the RFC. A frame that is complete and is a whole message goes straight through;
everything else is taken piece by piece as it arrives: unmasked, inflated, checked for UTF-8 and counted at once,
so that what breaks a rule or a limit is known at the first byte that does, and nothing is kept twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.deflate import Deflate, InflateError, TooMuchOutput
from hunchensocket_tx.wire.events import Closed, Event, Failed, Message, Opened, Piece, Ping, Pong, Reply
from hunchensocket_tx.wire.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    MASKED,
    MAX_CONTROL_PAYLOAD,
    PING,
    PONG,
    RSV1,
    TEXT,
    Violation,
    build_frame,
    close_payload,
    is_sendable_close_code,
    opcode_and_payload,
)
from hunchensocket_tx.wire.masking import apply_mask
from hunchensocket_tx.wire.utf8 import Utf8Decoder

__all__ = ["HybiCodec"]


class HybiCodec:
    """The bytes of one connection behind the HTTP head.

    :param settings: gives the limits.
    :param version: 13, 8 or 7.
    :param client: whether this is the client's end, which masks what it sends.
    :param deflate: permessage-deflate, if it was agreed upon.
    :param pieces: whether to yield messages piece by piece, as they arrive.
    :param random: returns so many unpredictable bytes, for masking keys (10.3).

    :ivar control_budget: how many control frames may still come; the owner, who has a clock, refills it.
    """

    has_closing_handshake = True
    has_control_frames = True

    __slots__ = (
        "_buffer",
        "_client",
        "_close_sent",
        "_compressed",
        "_control",
        "_decoder",
        "_deflate",
        "_ended",
        "_fin",
        "_fragments",
        "_frame_opcode",
        "_key",
        "_message_opcode",
        "_opened",
        "_part_compressed",
        "_part_first",
        "_pieces",
        "_produced",
        "_random",
        "_remaining",
        "_rest",
        "_settings",
        "_size",
        "control_budget",
        "has_more",
        "version",
    )

    def __init__(
        self,
        settings: Settings,
        *,
        version: int = 13,
        client: bool = False,
        deflate: Deflate | None = None,
        pieces: bool = False,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.version = version
        self.control_budget = settings.max_control_frames
        self._settings = settings
        self._client = client
        self._deflate = deflate
        self._pieces = pieces
        self._random = random
        self._opened = self._ended = self._close_sent = False
        self.has_more = False
        self._produced = 0  # bytes that came out of the data at hand, inflated
        self._rest = b""  # what is not read yet: the start of a frame's head, or what has to wait
        # The frame whose payload is being read:
        self._remaining = -1  # bytes of it that are still to come; -1 between frames
        self._frame_opcode = 0
        self._fin = False
        self._key: bytes | None = None
        self._control = b""
        # The message that is being put together; opcode 0 is none:
        self._message_opcode = 0
        self._compressed = False
        self._fragments = 0
        self._size = 0  # bytes of it so far, inflated
        self._buffer = bytearray()
        self._decoder = Utf8Decoder()
        # The message that is being sent part by part: the first byte of its next frame; None is no such message.
        self._part_first: int | None = None
        self._part_compressed = False

    # Receiving

    def receive(self, data: bytes) -> list[Event]:
        """Take what arrived, however it was cut, and tell what it completed (5.2, 5.4, 5.5)."""
        events: list[Event] = []
        if not self._opened:
            self._opened = True
            events.append(Opened())
        if self._rest:
            data, self._rest = self._rest + data, b""
        self.has_more = False
        self._produced = position = 0
        try:
            while not self._ended:
                if self._produced >= self._settings.max_message_size and position < len(data):
                    self.has_more, self._rest = True, data[position:]
                    break
                if self._remaining < 0:
                    start = position
                    position = self._read_head(data, start)
                    if position < 0:
                        self._rest = data[start:]
                        break
                available = len(data) - position
                if available < self._remaining and available == 0:
                    break
                size = min(self._remaining, available)
                payload = data[position : position + size]
                position += size
                self._read_payload(payload, events)
        except Violation as violation:
            events.append(Failed(violation.code, violation.reason))
            self._ended = True
        if self._ended:
            self.has_more, self._rest = False, b""
            self._buffer.clear()
        return events

    def _read_head(self, data: bytes, position: int) -> int:
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
            length = self._read_length(data[position : position + extra])
            position += extra
        opcode = first & 0x0F
        if opcode < CLOSE:
            self._judge_length(length, opcode, bool(first & RSV1))
        if self._client:
            self._key = None
        else:
            self._key = data[position : position + 4]
            position += 4
            if len(self._key) < 4:
                return -1
        self._begin_frame(first, opcode, length)
        return position

    def _judge_first_bytes(self, first: int, second: int, length: int) -> None:
        opcode = first & 0x0F
        if opcode & 0x07 > 2:
            raise Violation(1002, f"opcode {opcode} is reserved")
        if first & 0x30 or (first & RSV1 and (self._deflate is None or opcode not in (TEXT, BINARY))):
            raise Violation(1002, "a reserved bit is set")
        if bool(second & MASKED) == self._client:
            raise Violation(
                1002, "a server's frame is masked" if self._client else "a client's frame is not masked"
            )
        if opcode >= CLOSE:
            if not first & FIN or length > MAX_CONTROL_PAYLOAD:
                raise Violation(1002, "a control frame is fragmented or too long")
        elif opcode == CONTINUATION:
            if not self._message_opcode:
                raise Violation(1002, "there is no message to continue")
        elif self._message_opcode:
            raise Violation(1002, "a message starts within another")

    def _read_length(self, digits: bytes) -> int:
        length = int.from_bytes(digits, "big")
        if length < (126 if len(digits) == 2 else 65536):
            raise Violation(1002, "a length is longer than it need be")
        if length >> 63:
            raise Violation(1002, "a length has 64 bits")
        return length

    def _judge_length(self, length: int, opcode: int, compressed: bool) -> None:
        """Judge an announced length before a byte of it is kept (10.4)."""
        if length > self._settings.max_frame_size:
            raise Violation(1009, f"frame over {self._settings.max_frame_size} bytes")
        if compressed or (opcode == CONTINUATION and self._compressed):
            return  # what counts is what it inflates to
        so_far = self._size if opcode == CONTINUATION else 0
        if so_far + length > self._settings.max_message_size:
            raise self._too_big()

    def _begin_frame(self, first: int, opcode: int, length: int) -> None:
        self._remaining = length
        self._frame_opcode = opcode
        self._fin = bool(first & FIN)
        if opcode >= CLOSE:
            self.control_budget -= 1
            if self.control_budget < 0:
                raise Violation(1008, "too many control frames")
            return
        if opcode != CONTINUATION:
            self._message_opcode = opcode
            self._compressed = bool(first & RSV1)
            self._fragments = self._size = 0
        self._fragments += 1
        if self._fragments > self._settings.max_fragments:
            raise Violation(1008, f"over {self._settings.max_fragments} fragments in a message")

    def _read_payload(self, payload: bytes, events: list[Event]) -> None:
        """Take the next, or the only, piece of a frame's payload."""
        if self._key is not None and payload:
            masked, key = payload, self._key
            payload = apply_mask(masked, key)
            turn = len(masked) % 4
            self._key = key[turn:] + key[:turn]  # where the next piece goes on
        self._remaining -= len(payload)
        complete = self._remaining == 0
        if complete:
            self._remaining = -1
        if self._frame_opcode >= CLOSE:
            self._control += payload
            if complete:
                payload, self._control = self._control, b""
                self._take_control(payload, events)
        elif complete and self._fin and self._fragments == 1 and not self._compressed and not self._size:
            message = self._whole(payload)
            self._produced += len(payload)
            events.append(Piece(message, True) if self._pieces else message)
        else:
            self._take_piece(payload, complete and self._fin, events)

    def _whole(self, payload: bytes) -> Message:
        """Return a message that is one uncompressed frame and arrived in one piece."""
        opcode, self._message_opcode = self._message_opcode, 0
        if opcode == BINARY:
            return payload
        try:
            return payload.decode()
        except UnicodeDecodeError:
            raise Violation(1007, "text is not UTF-8") from None

    def _take_piece(self, piece: bytes, final: bool, events: list[Event]) -> None:
        """Add to the message; fail at the first byte that is too much, or wrong in UTF-8 (8.1)."""
        if self._compressed and self._deflate is not None:
            try:
                piece = self._deflate.inflate(piece, self._settings.max_message_size - self._size, final=final)
            except InflateError:
                raise Violation(1007, "the compressed data is broken") from None
            except TooMuchOutput as too_much:
                self._decode(too_much.args[0], False)  # bad text fails as such, however it was cut
                raise self._too_big() from None
        self._size += len(piece)
        self._produced += len(piece)
        data = self._decode(piece, final)
        if self._pieces:
            if data or final:
                events.append(Piece(data, final))
        else:
            self._buffer += piece
        if final:
            opcode, self._message_opcode = self._message_opcode, 0
            if not self._pieces:
                buffer, self._buffer = self._buffer, bytearray()
                events.append(buffer.decode() if opcode == TEXT else bytes(buffer))

    def _decode(self, piece: bytes, final: bool) -> Message:
        if self._message_opcode == BINARY:
            return piece
        try:
            return self._decoder.decode(piece, final)
        except UnicodeDecodeError:
            raise Violation(1007, "text is not UTF-8") from None

    def _take_control(self, payload: bytes, events: list[Event]) -> None:
        """Handle a control frame, also within a message (5.5)."""
        if self._frame_opcode == PING:
            if not self._close_sent:
                events.append(Reply(self._frame(PONG, payload)))
            events.append(Ping(payload))
        elif self._frame_opcode == PONG:
            events.append(Pong(payload))
        else:
            self._take_close(payload, events)

    def _take_close(self, payload: bytes, events: list[Event]) -> None:
        """Judge the peer's Close, and answer it unless ours came first (5.5.1)."""
        code, reason = 1005, ""
        if payload:
            code = int.from_bytes(payload[:2], "big")
            if len(payload) == 1 or not is_sendable_close_code(code):
                raise Violation(1002, "the close code is not valid")
            try:
                reason = payload[2:].decode()
            except UnicodeDecodeError:
                raise Violation(1007, "the close reason is not UTF-8") from None
        if not self._close_sent:
            self._close_sent = True
            events.append(Reply(self._frame(CLOSE, payload[:2])))
        events.append(Closed(code, reason))
        self._ended = True

    def _too_big(self) -> Violation:
        return Violation(1009, f"message over {self._settings.max_message_size} bytes")

    # Sending

    def encode(self, message: Message, *, compress: bool = True) -> bytes:
        """Return the frame of a message (5.6).

        :param compress: whether to compress it, if that was agreed upon and it is worth it. Say False for secrets
            that are sent together with what an attacker chooses (RFC 7692 section 8).
        :raises UnicodeEncodeError: for text with lone surrogates, which has no UTF-8.
        """
        opcode, payload = opcode_and_payload(message)
        if self._deflate is not None and compress:
            compressed = self._deflate.compress(payload)
            if compressed is not None:
                return self._frame(opcode | RSV1, compressed)
        return self._frame(opcode, payload)

    def encode_part(self, data: Message, *, final: bool, compress: bool = True) -> bytes:
        """Return a fragment of a message (5.4); the first one sets its kind.

        Nothing is returned as long as compression keeps what there is.
        """
        opcode, payload = opcode_and_payload(data)
        if self._part_first is None:
            rsv1 = RSV1 if compress and self._deflate is not None else 0
            self._part_first = opcode | rsv1
            self._part_compressed = bool(rsv1)
        if self._part_compressed and self._deflate is not None:
            payload = self._deflate.compress_part(payload, final=final)
        if not payload and not final:
            return b""
        frame = self._frame(self._part_first, payload, FIN if final else 0)
        self._part_first = None if final else CONTINUATION
        return frame

    def variant(self, kind: type[Message], compress: bool) -> Hashable:
        """Return what :meth:`encode` depends on besides the message."""
        if self._client:
            return None  # each frame has a masking key of its own
        if self._deflate is None or not compress:
            return "hybi"
        return self._deflate.variant

    def ping(self, payload: bytes) -> bytes:
        """Return a Ping frame (5.5.2) with at most 125 bytes."""
        return self._frame(PING, payload)

    def close(self, code: int, reason: str) -> bytes:
        """Return a Close frame the first time (5.5.1); the reason is cut to what fits, at a character's border.

        :param code: 1005 for none.
        :raises InvalidCloseCode: if it cannot be sent.
        """
        payload = close_payload(code, reason)
        if self._close_sent:
            return b""
        self._close_sent = True
        return self._frame(CLOSE, payload)

    def _frame(self, first: int, payload: bytes, final: int = FIN) -> bytes:
        return build_frame(first | final, payload, self._random(4) if self._client else None)
