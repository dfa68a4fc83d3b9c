"""Frames of RFC 6455 as bytes: their constants, how one is built, and what a Close frame may say."""

from __future__ import annotations

from dataclasses import dataclass

from hunchensocket_tx.errors import InvalidCloseCode, UnsupportedMessage
from hunchensocket_tx.wire.hot import apply_mask

__all__ = [
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "FIN",
    "MASKED",
    "MAX_CONTROL_PAYLOAD",
    "PING",
    "PONG",
    "RSV1",
    "TEXT",
    "Violation",
    "build_frame",
    "close_payload",
    "frame_head",
    "is_sendable_close_code",
    "opcode_and_payload",
]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
"""Opcodes (11.8); those from CLOSE on are of control frames."""

FIN, RSV1 = 0x80, 0x40
"""Bits of the first byte (5.2)."""

MASKED = 0x80
"""Bit of the second byte."""

MAX_CONTROL_PAYLOAD = 125
"""Bytes (5.5)."""

NO_CODE = 1005
"""What stands for a Close frame without a code (7.4.1)."""


@dataclass
class Violation(Exception):
    """The peer broke a rule; the connection fails with this code and reason (7.1.7)."""

    code: int
    reason: str


def frame_head(first: int, size: int, masked: int = 0) -> bytes:
    """Return what precedes a frame's masking key and payload (5.2).

    :param first: its first byte: FIN, RSV1 and opcode.
    :param size: bytes of the payload.
    :param masked: :data:`MASKED`, or 0.
    """
    if size < 126:
        return bytes((first, masked | size))
    if size < 65536:
        return bytes((first, masked | 126)) + size.to_bytes(2, "big")
    return bytes((first, masked | 127)) + size.to_bytes(8, "big")


def build_frame(first: int, payload: bytes, key: bytes | None = None) -> bytes:
    """Return a frame (5.2).

    :param first: its first byte: FIN, RSV1 and opcode.
    :param key: four bytes to mask it with, which clients have to.
    """
    if key is None:
        return frame_head(first, len(payload)) + payload
    return frame_head(first, len(payload), MASKED) + key + apply_mask(payload, key)


def opcode_and_payload(message: object) -> tuple[int, bytes]:
    """Return how a message is sent: str as text, bytes and what is like them as binary.

    :raises UnsupportedMessage: if it is neither.
    :raises UnicodeEncodeError: for text with lone surrogates, which has no UTF-8.
    """
    if isinstance(message, str):
        return TEXT, message.encode()
    if isinstance(message, bytes):
        return BINARY, message
    if isinstance(message, (bytearray, memoryview)):
        return BINARY, bytes(message)
    raise UnsupportedMessage(f"a message is str or bytes, not {type(message).__name__}")


def is_sendable_close_code(code: int) -> bool:
    """Tell whether a code may stand in a Close frame, in either direction (7.4)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def close_payload(code: int, reason: str) -> bytes:
    """Return what a Close frame says; the reason is cut to what fits, at the border of a code point (5.5.1).

    :param code: 1005 for none.
    :raises InvalidCloseCode: if it must not be sent.
    """
    if code == NO_CODE:
        return b""
    if not is_sendable_close_code(code):
        raise InvalidCloseCode(f"{code} cannot be sent: use 1000-1003, 1007-1014 or 3000-4999")
    room = MAX_CONTROL_PAYLOAD - 2
    return code.to_bytes(2, "big") + reason.encode(errors="replace")[:room].decode(errors="ignore").encode()
