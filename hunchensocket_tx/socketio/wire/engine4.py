"""Engine.IO 4, which clients of 3.x and 4.x speak: text joined by a separator, bytes as base64 within."""

from __future__ import annotations

from collections.abc import Sequence

from hunchensocket_tx.socketio.errors import PayloadError
from hunchensocket_tx.socketio.wire.engine_packets import (
    DIGITS,
    EnginePacket,
    EngineType,
    base64_data,
    base64_text,
    packet_of_text,
    text_of_body,
)
from hunchensocket_tx.wire.events import Message

__all__ = ["Engine4"]

SEPARATOR = "\x1e"
TEXT = "text/plain; charset=UTF-8"


class Engine4:
    """A codec of Engine.IO 4. It remembers nothing, so that all sessions may share one."""

    __slots__ = ()

    protocol = 4

    def encode_payload(self, packets: Sequence[EnginePacket], *, binary: bool) -> tuple[bytes, str]:
        """Return the body that carries packets, which is text always (Engine.IO 4, HTTP long-polling)."""
        return SEPARATOR.join([_text(packet) for packet in packets]).encode(), TEXT

    def decode_payload(self, body: bytes, content_type: str) -> list[EnginePacket]:
        """Return the packets of a body.

        :raises PayloadError: if one of them is none, or the body is not said to be text.
        """
        if "application/octet-stream" in content_type.lower():
            raise PayloadError("a payload of Engine.IO 4 is not binary")
        return [_packet(text) for text in text_of_body(body).split(SEPARATOR)]

    def encode_message(self, packet: EnginePacket, *, binary: bool) -> Message:
        """Return the WebSocket message that a packet is: bytes are a message's, without a type."""
        data = packet.data
        return data if binary and isinstance(data, bytes) else _text(packet)

    def decode_message(self, message: Message) -> EnginePacket:
        """Return the packet that a message of a WebSocket is.

        Bytes in base64 are taken, too, as they come over a WebSocket that has only text (hixie-76).

        :raises PayloadError: if it is none.
        """
        return _packet(message) if isinstance(message, str) else EnginePacket(EngineType.MESSAGE, message)


def _text(packet: EnginePacket) -> str:
    kind, data = packet
    return DIGITS[kind] + data if isinstance(data, str) else "b" + base64_text(data)


def _packet(text: str) -> EnginePacket:
    return EnginePacket(EngineType.MESSAGE, base64_data(text[1:])) if text[:1] == "b" else packet_of_text(text)
