"""hixie-76 (draft-ietf-hybi-thewebsocketprotocol-00) and hixie-75 after the HTTP head: challenge and frames.

Section numbers are those of hybi-00. A frame starts with a type byte. If its high bit is clear, the payload
runs to the next 0xFF byte: type 0x00 is text in UTF-8, in which 0xFF cannot occur; the others are skipped.
If its high bit is set, a length in base 128 follows and that many bytes are skipped; ``FF 00``, which is type
0xFF with length zero, is the closing handshake. There is nothing else: no binary, no ping, no close code.

Text frames that are complete go straight through, in ``hot.take_texts``. Of others, only new bytes are searched
for the terminator, and text that is not complete yet is put together as it comes, so that a frame that drips in
byte by byte costs linear time. What is skipped is counted only.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from hashlib import md5

from hunchensocket_tx.errors import UnsupportedMessage
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.events import Closed, Event, Failed, Message, Opened, Piece, Reply
from hunchensocket_tx.wire.hot import Parts, take_texts, text_frame

__all__ = ["KEY3_SIZE", "HixieCodec", "challenge_response"]

KEY3_SIZE = 8
"""Bytes that follow the head of the client's request (4.1 step 16)."""

RESPONSE_SIZE = 16
"""Bytes that follow the head of the server's answer (5.2 step 13)."""

MAX_LENGTH_BYTES = 9
"""Base-128 digits of a length: 63 bits. ``80 80 80 ...`` would be a zero that never ends."""

TERMINATOR = b"\xff"
CLOSING_FRAME = b"\xff\x00"


def challenge_response(part1: int, part2: int, key3: bytes) -> bytes:
    """Return the 16 bytes that prove that the server read all three keys (5.2 steps 8 and 9).

    :param part1: key number 1 divided by its spaces, below 2**32.
    :param part2: the same of key 2.
    :param key3: eight bytes of anything.
    """
    challenge = part1.to_bytes(4, "big") + part2.to_bytes(4, "big") + key3
    # MD5 proves that the peer speaks the protocol; it protects nothing, so FIPS need not forbid it.
    return md5(challenge, usedforsecurity=False).digest()


class HixieCodec:
    """The bytes of one hixie connection behind the HTTP head, at either end.

    :param settings: gives ``max_message_size``, ``max_skip_size`` and ``invalid_utf8``.
    :param version: 76, or 75, which has neither a challenge nor a closing handshake.
    :param client: whether this is the client's end, which substitutes U+FFFD for bad UTF-8 always (4.3).
    :param pieces: whether to yield messages as pieces, of which each has one.
    :param key_parts: server, version 76: the two numbers from the keys; key3 is awaited, its answer replied.
    :param expected_response: client, version 76: the 16 bytes that the server has to send first.
    """

    opens_at_once = False
    has_control_frames = False
    has_more = False

    __slots__ = (
        "_close_sent",
        "_count",
        "_expected_response",
        "_in_frame",
        "_key_parts",
        "_length",
        "_max_message_size",
        "_max_skip_size",
        "_opening",
        "_parts",
        "_pieces",
        "_read",
        "_type",
        "_utf8_errors",
        "control_budget",
        "has_closing_handshake",
        "is_client",
        "version",
    )

    def __init__(
        self,
        settings: Settings,
        *,
        version: int = 76,
        client: bool = False,
        pieces: bool = False,
        key_parts: tuple[int, int] | None = None,
        expected_response: bytes | None = None,
    ) -> None:
        self.version = version
        self.is_client = client
        self.has_closing_handshake = version != 75
        self._max_message_size = settings.max_message_size
        self._max_skip_size = settings.max_skip_size
        self._utf8_errors = "replace" if client or settings.invalid_utf8 == "replace" else "strict"
        self._pieces = pieces
        self._key_parts = key_parts
        self._expected_response = expected_response
        self._close_sent = False
        self._in_frame = False
        self.control_budget = 0
        self._opening = b""  # what is there of what precedes the frames
        self._parts: Parts | None = None  # the text that is not complete
        self._count = 0  # bytes of the current frame so far: of its text, skipped, or of its length
        self._length = 0
        self._type = 0
        self._read: Callable[[HixieCodec, bytes, int, list[Event]], int] = HixieCodec._read_opening

    def receive(self, data: bytes) -> list[Event]:
        """Take what arrived, however it was cut, and tell what it completed (5.3)."""
        events: list[Event] = []
        position, end = 0, len(data)
        if self._read is HixieCodec._read_opening:
            position = self._read_opening(data, position, events)
        while position < end:
            if self._read is HixieCodec._read_type and not self._pieces:
                position = take_texts(data, position, self._max_message_size, self._utf8_errors, events)
                if position == end:
                    break
            position = self._read(self, data, position, events)
        return events

    def encode(self, message: Message, *, compress: bool = True) -> bytes:
        """Return the frame of a text message. There is no compression.

        :raises UnsupportedMessage: for bytes, which these versions cannot carry.
        :raises UnicodeEncodeError: for text with lone surrogates, which has no UTF-8.
        """
        try:
            return text_frame(message)  # type: ignore[arg-type]
        except TypeError:
            raise self._no_such_message(message) from None

    def split(self, message: Message, *, compress: bool = True) -> None:
        """Frames have an end besides."""

    def encode_part(self, data: Message, *, final: bool, compress: bool = True) -> bytes:
        """Return the next part of a text frame."""
        start = b"" if self._in_frame else b"\x00"
        encoded = start + self._encode_text(data)
        self._in_frame = not final
        return encoded + TERMINATOR if final else encoded

    def _encode_text(self, text: Message) -> bytes:
        if isinstance(text, str):
            return text.encode()
        raise self._no_such_message(text)

    def _no_such_message(self, message: object) -> UnsupportedMessage:
        return UnsupportedMessage(
            f"hixie-{self.version} carries text only, not {type(message).__name__}: send str (bytes can travel "
            "as base64 text, if both ends agree on it, say by a subprotocol), or leave this version out of "
            "the setting 'versions'"
        )

    def variant(self, kind: type[Message], compress: bool) -> str:
        """All hixie frames of a text are the same."""
        return "hixie"

    def ping(self, payload: bytes) -> bytes:
        """There is no ping.

        :raises UnsupportedMessage: always.
        """
        raise UnsupportedMessage(f"hixie-{self.version} has no ping")

    def close(self, code: int, reason: str) -> bytes:
        """Return ``FF 00`` the first time; version 75 closes by dropping TCP. Code and reason cannot be sent.

        Nor can the closing frame itself within a message that is being sent in parts, which it would complete.
        """
        if self._close_sent or not self.has_closing_handshake or self._in_frame:
            return b""
        self._close_sent = True
        return CLOSING_FRAME

    # Each reader takes bytes from a position on, appends what is complete, and returns where to go on.

    def _read_opening(self, data: bytes, position: int, events: list[Event]) -> int:
        """Collect what precedes the frames: key3 at the server, the response at the client (5.2, 4.1)."""
        if self._key_parts is not None:
            wanted = KEY3_SIZE
        elif self._expected_response is not None:
            wanted = RESPONSE_SIZE
        else:
            wanted = 0
        piece = data[position : position + wanted - len(self._opening)]
        self._opening += piece
        position += len(piece)
        if len(self._opening) < wanted:
            return position
        opening, self._opening = self._opening, b""
        if self._key_parts is not None:
            events.append(Reply(challenge_response(*self._key_parts, opening)))
        elif self._expected_response is not None and not hmac.compare_digest(opening, self._expected_response):
            return self._fail(events, len(data), 1002, "the server did not solve the challenge")
        events.append(Opened())
        self._read = HixieCodec._read_type
        return position

    def _read_type(self, data: bytes, position: int, events: list[Event]) -> int:
        self._type = kind = data[position]
        self._count = 0
        if kind == 0x00:
            self._read = HixieCodec._read_text
        elif kind < 0x80:
            self._read = HixieCodec._skip_to_terminator
        else:
            self._length = 0
            self._read = HixieCodec._read_length
        return position + 1

    def _read_text(self, data: bytes, position: int, events: list[Event]) -> int:
        found = data.find(TERMINATOR, position)
        end = found if found >= 0 else len(data)
        self._count += end - position
        if self._count > self._max_message_size:
            return self._fail(events, len(data), 1009, f"message over {self._max_message_size} bytes")
        if self._parts is None:
            self._parts = Parts(True)
        # Bad text is judged at its end, when it is known that its size is right.
        self._parts.add(data, position, end, None, self._count if found >= 0 else self._max_message_size)
        if found < 0:
            return end
        text = self._parts.take(True, self._utf8_errors)
        self._parts = None
        if text is None:
            return self._fail(events, len(data), 1007, "text is not UTF-8")
        events.append(Piece(text, True) if self._pieces else text)
        self._read = HixieCodec._read_type
        return end + 1

    def _skip_to_terminator(self, data: bytes, position: int, events: list[Event]) -> int:
        found = data.find(TERMINATOR, position)
        end = found if found >= 0 else len(data)
        self._count += end - position
        if self._count > self._max_skip_size:
            return self._fail(events, len(data), 1009, f"skipped frame over {self._max_skip_size} bytes")
        if found < 0:
            return end
        self._read = HixieCodec._read_type
        return end + 1

    def _read_length(self, data: bytes, position: int, events: list[Event]) -> int:
        byte = data[position]
        self._length = self._length * 128 + (byte & 0x7F)
        self._count += 1
        if byte & 0x80:
            if self._count == MAX_LENGTH_BYTES:
                return self._fail(events, len(data), 1002, f"length of over {MAX_LENGTH_BYTES} bytes")
        elif self._length > self._max_skip_size:
            return self._fail(events, len(data), 1009, f"skipped frame over {self._max_skip_size} bytes")
        elif self._length:
            self._read = HixieCodec._skip_length
        elif self._type == 0xFF and self.has_closing_handshake:
            return self._end(events, len(data))
        else:
            self._read = HixieCodec._read_type
        return position + 1

    def _skip_length(self, data: bytes, position: int, events: list[Event]) -> int:
        skipped = min(self._length, len(data) - position)
        self._length -= skipped
        if not self._length:
            self._read = HixieCodec._read_type
        return position + skipped

    def _end(self, events: list[Event], end: int) -> int:
        """Answer the peer's closing handshake unless ours came first; what follows it is dropped (5.3)."""
        reply = self.close(1005, "")
        if reply:
            events.append(Reply(reply))
        events.append(Closed())
        self._read = HixieCodec._ignore
        return end

    def _fail(self, events: list[Event], end: int, code: int, reason: str) -> int:
        self._parts = None
        events.append(Failed(code, reason))
        self._read = HixieCodec._ignore
        return end

    def _ignore(self, data: bytes, position: int, events: list[Event]) -> int:
        return len(data)
