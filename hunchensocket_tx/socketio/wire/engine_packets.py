"""Packets of Engine.IO, and what its two protocols write alike."""

from __future__ import annotations

from base64 import b64decode, b64encode
from enum import IntEnum
from typing import NamedTuple

from hunchensocket_tx.socketio.errors import PayloadError
from hunchensocket_tx.wire.events import Message

__all__ = [
    "DIGITS",
    "EnginePacket",
    "EngineType",
    "base64_data",
    "base64_text",
    "packet_of_text",
    "text_of_body",
]


class EngineType(IntEnum):
    """Kinds of packets, the same in Engine.IO 3 and 4."""

    OPEN = 0
    CLOSE = 1
    PING = 2
    PONG = 3
    MESSAGE = 4
    UPGRADE = 5
    NOOP = 6


class EnginePacket(NamedTuple):
    """One Engine.IO packet; only a MESSAGE may have ``bytes`` for data."""

    type: EngineType
    data: Message = ""


DIGITS = "".join(str(int(kind)) for kind in EngineType)
"""What a type is written as, by its number."""

_TYPES = dict(zip(DIGITS, EngineType, strict=True))
_EMPTY = {digit: EnginePacket(kind) for digit, kind in _TYPES.items()}


def packet_of_text(text: str) -> EnginePacket:
    """Return the packet written as its type's digit and its data.

    :raises PayloadError: if there is no such type.
    """
    try:
        return EnginePacket(_TYPES[text[0]], text[1:]) if len(text) > 1 else _EMPTY[text]
    except KeyError:
        raise PayloadError("an Engine.IO packet of unknown type") from None


def text_of_body(body: bytes) -> str:
    """Return the text that a request's body is.

    :raises PayloadError: if it is not UTF-8.
    """
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise PayloadError("a payload is not UTF-8") from None


def base64_text(data: bytes) -> str:
    """Return bytes as base64."""
    return b64encode(data).decode("ascii")


def base64_data(text: str) -> bytes:
    """Return the bytes that base64 text stands for, in the usual alphabet and with its padding.

    :raises PayloadError: if it is not that.
    """
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise PayloadError("bytes in an Engine.IO packet are no base64") from None
