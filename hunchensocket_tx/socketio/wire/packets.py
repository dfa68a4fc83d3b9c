"""What all generations of Socket.IO have in common: packets, and what parsers of them offer.

A packet is the same value for every generation; a parser writes it as its generation does, and reads it so.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple, Protocol

from hunchensocket_tx.wire.events import Message

__all__ = ["RESERVED_EVENTS", "Decoder", "Packet", "PacketType", "Parser"]

RESERVED_EVENTS = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)
"""Names of events that no client may send, as they are the server's own (Socket.IO protocol 5)."""


class PacketType(IntEnum):
    """Kinds of packets; on the wire, protocols 3 to 5 have two more for events and answers with attachments."""

    CONNECT = 0
    DISCONNECT = 1
    EVENT = 2
    ACK = 3
    CONNECT_ERROR = 4


class Packet(NamedTuple):
    """One Socket.IO packet.

    ``data`` is, by type:

    - CONNECT from a client: a dict, what it gives as ``auth`` (in old protocols: as query of the namespace), or
      None; to a client: ``{"sid": ..., "pid": ...}``, which old protocols do not carry.
    - DISCONNECT: None.
    - EVENT: a list, the name (str; a number is possible in protocols 3 to 5) and the arguments.
    - ACK: the list of the answer's values.
    - CONNECT_ERROR: ``{"message": str}``, perhaps with ``"data"``.
    """

    type: PacketType
    namespace: str = "/"
    data: Any = None
    id: int | None = None


class Decoder(Protocol):
    """Reads what one client sends. A packet may consist of several messages."""

    def receive(self, message: Message) -> Packet | None:
        """Take the next message.

        :returns: the packet that it completes, if it does.
        :raises PacketError: if it is none; the connection is to be closed with ``parse error``.
        """


class Parser(Protocol):
    """Writes and reads packets of one generation. They have no state; clients of one share encodings."""

    def encode(self, packet: Packet) -> tuple[Message, ...]:
        """Return the messages that a packet is: the first, and its attachments.

        :raises UnserializableData: if it has what cannot be written, as NaN.
        """

    def decoder(self) -> Decoder:
        """Return what reads the packets of one client."""
