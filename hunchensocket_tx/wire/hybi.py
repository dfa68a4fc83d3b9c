"""RFC 6455 (version 13) and its drafts hybi-07 to -12 (versions 7, 8) after the HTTP head: one codec, both roles.

Section numbers are those of the RFC. A frame that is complete and is a whole message goes straight through, in
``hot.take_messages``; everything else goes through a :class:`FrameReader`, which is there only as long as it has
something to remember, so that an idle connection holds little.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.deflate import Deflate
from hunchensocket_tx.wire.events import Closed, Event, Failed, Message, Opened, Ping, Pong, Reply
from hunchensocket_tx.wire.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    PING,
    PONG,
    RSV1,
    TEXT,
    Violation,
    build_frame,
    close_payload,
    frame_head,
    is_sendable_close_code,
    opcode_and_payload,
)
from hunchensocket_tx.wire.hot import masked_frame, message_frame, payload_of, take_messages
from hunchensocket_tx.wire.masking_keys import KEY_SIZE, new_key
from hunchensocket_tx.wire.reader import FrameReader

__all__ = ["HybiCodec"]


class HybiCodec:
    """The bytes of one connection behind the HTTP head.

    :param settings: gives the limits.
    :param version: 13, 8 or 7.
    :param client: whether this is the client's end, which masks what it sends.
    :param deflate: permessage-deflate, if it was agreed upon.
    :param pieces: whether to yield messages piece by piece, as they arrive.
    :param random: returns so many unpredictable bytes, for masking keys (10.3); the system's by default.

    :ivar control_budget: how many control frames may still come; the owner, who has a clock, refills it.
    """

    opens_at_once = True
    has_closing_handshake = True
    has_control_frames = True

    __slots__ = (
        "_close_sent",
        "_deflate",
        "_ended",
        "_is_plain",
        "_largest",
        "_masked",
        "_new_key",
        "_opened",
        "_part_compressed",
        "_part_first",
        "_pieces",
        "_reader",
        "_rest",
        "_settings",
        "control_budget",
        "has_more",
        "is_client",
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
        random: Callable[[int], bytes] | None = None,
    ) -> None:
        self.version = version
        self.is_client = client
        self.control_budget = settings.max_control_frames
        self.has_more = False
        self._settings = settings
        self._largest = min(settings.max_frame_size, settings.max_message_size)
        self._masked = not client  # what arrives; what is sent is masked by clients
        self._deflate = deflate
        self._pieces = pieces
        self._new_key = new_key if random is None else partial(random, KEY_SIZE)
        self._opened = self._ended = self._close_sent = False
        self._is_plain = False  # whether frames that are whole messages may come next, and nothing waits
        self._rest = b""  # what is not read yet: the start of a frame's head, or what has to wait
        self._reader: FrameReader | None = None
        # The message that is being sent part by part: the first byte of its next frame; None is no such message.
        self._part_first: int | None = None
        self._part_compressed = False

    # Receiving

    def receive(self, data: bytes) -> list[Event]:
        """Take what arrived, however it was cut, and tell what it completed (5.2, 5.4, 5.5)."""
        events: list[Event] = []
        position = 0
        if self._is_plain:
            position = take_messages(data, 0, self._masked, self._largest, events)
            if position == len(data):
                return events
        self._receive_with_care(data, position, events)
        return events

    def _receive_with_care(self, data: bytes, position: int, events: list[Event]) -> None:
        if not self._opened:
            self._opened = True
            events.append(Opened())
        if self._rest:
            data, self._rest = self._rest + data, b""
        reader = self._reader
        if reader is None:
            reader = self._reader = FrameReader(self._settings, self._masked, self._deflate, self._pieces)
        reader.inflated = 0
        try:
            self._rest = self._read(reader, data, position, events)
        except Violation as violation:
            events.append(Failed(violation.code, violation.reason))
            self._ended = True
        if self._ended:
            self.has_more, self._rest = False, b""
        idle = reader.is_idle
        self._is_plain = idle and not (self._pieces or self._ended or self._rest)
        if self._ended or (idle and self._deflate is None):
            self._reader = None

    def _read(self, reader: FrameReader, data: bytes, position: int, events: list[Event]) -> bytes:
        """Read frames; return what has to wait: an incomplete head, or what may inflate to too much at once."""
        self.has_more = False
        while position < len(data) and not self._ended:
            if reader.inflated >= self._settings.max_message_size:
                self.has_more = True
                break
            if reader.is_idle and not self._pieces:
                position = take_messages(data, position, self._masked, self._largest, events)
                if position == len(data):
                    break
            start, position = position, reader.read(data, position, self, events)
            if position == start:
                break
        return data[position:]

    def take_control(self, opcode: int, payload: bytes, events: list[Event]) -> None:
        """Handle a control frame, also within a message (5.5); for :class:`FrameReader`."""
        if opcode == PING:
            if not self._close_sent:
                events.append(Reply(self._frame(PONG, payload)))
            events.append(Ping(payload))
        elif opcode == PONG:
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

    # Sending

    def encode(self, message: Message, *, compress: bool = True) -> bytes:
        """Return the frame of a message (5.6).

        :param compress: whether to compress it, if that was agreed upon and it is worth it. Say False for secrets
            that are sent together with what an attacker chooses (RFC 7692 section 8).
        :raises UnicodeEncodeError: for text with lone surrogates, which has no UTF-8.
        """
        if self._deflate is None or not compress:
            try:
                return message_frame(message) if self._masked else masked_frame(message, self._new_key())
            except TypeError:
                pass  # it is like bytes, or no message at all
        opcode, payload = opcode_and_payload(message)
        if self._deflate is not None and compress:
            compressed = self._deflate.compress(payload)
            if compressed is not None:
                return self._frame(opcode | RSV1, compressed)
        return self._frame(opcode, payload)

    def split(self, message: Message, *, compress: bool = True) -> tuple[bytes, bytes | memoryview] | None:
        """Return head and payload of a message's frame, if it is neither masked nor compressed (5.2)."""
        if not self._masked or (self._deflate is not None and compress) or type(message) not in (str, bytes):
            return None
        payload = payload_of(message)
        return frame_head(FIN | (TEXT if isinstance(message, str) else BINARY), len(payload)), payload

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
        if not self._masked:
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
        return build_frame(first | final, payload, None if self._masked else self._new_key())
