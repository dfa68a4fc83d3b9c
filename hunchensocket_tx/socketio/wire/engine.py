"""What the generations of Engine.IO have in common: packets, and what a codec of them offers.

Engine.IO carries the packets of a session: several as a payload, the body of an HTTP request or answer, or one as
a message of a WebSocket. How, depends on its protocol, 3 or 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hunchensocket_tx.socketio.wire.engine3 import Engine3
from hunchensocket_tx.socketio.wire.engine4 import Engine4
from hunchensocket_tx.socketio.wire.engine_packets import EnginePacket, EngineType
from hunchensocket_tx.wire.events import Message

__all__ = ["EngineCodec", "EnginePacket", "EngineType", "codec"]


class EngineCodec(Protocol):
    """Writes and reads the packets of one session. How it writes may depend on what it has read."""

    @property
    def protocol(self) -> int:
        """The number of its Engine.IO protocol: 3 or 4."""

    def encode_payload(self, packets: Sequence[EnginePacket], *, binary: bool) -> tuple[bytes, str]:
        """Return the body that carries packets, and its content type.

        :param binary: whether the client takes bytes; if not, they are base64 within text (``b64=1``, JSONP).
        """

    def decode_payload(self, body: bytes, content_type: str) -> list[EnginePacket]:
        """Return the packets of the body of a request with this ``Content-Type``.

        :raises PayloadError: if it is no payload, or has something that is no packet.
        """

    def encode_message(self, packet: EnginePacket, *, binary: bool) -> Message:
        """Return the WebSocket message that a packet is.

        :param binary: whether the WebSocket carries bytes; if not (hixie-76), they are base64 within text.
        """

    def decode_message(self, message: Message) -> EnginePacket:
        """Return the packet that a message of a WebSocket is.

        :raises PayloadError: if it is none.
        """


_ENGINE4 = Engine4()


def codec(protocol: int) -> EngineCodec:
    """Return a codec for a session.

    :param protocol: the number of its Engine.IO protocol: 3 or 4.
    :raises ValueError: for any other.
    """
    if protocol == 4:
        return _ENGINE4
    if protocol == 3:
        return Engine3()
    raise ValueError(f"no Engine.IO protocol is served under the number {protocol}")
