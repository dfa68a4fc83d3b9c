"""What a packet may carry, by its type, in all protocols that Engine.IO carries, and how old ones differ in it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from hunchensocket_tx.socketio.errors import PacketError
from hunchensocket_tx.socketio.wire.packets import RESERVED_EVENTS, Packet, PacketType

__all__ = ["checked_packet", "is_event", "is_old", "old_data", "old_packet"]

_MOST_FIELDS = 1000


def is_old(protocol: int) -> bool:
    """Whether clients of an Engine.IO protocol are of 1.x or 2.x.

    :raises ValueError: if it is neither 3 nor 4.
    """
    if protocol not in (3, 4):
        raise ValueError(f"no packets go over an Engine.IO protocol {protocol}")
    return protocol == 3


def is_event(data: Any) -> bool:
    """Whether data is that of an event: a list whose first item is a name that clients may use, or a number."""
    if not isinstance(data, list) or not data:
        return False
    name = data[0]
    if isinstance(name, str):
        return name not in RESERVED_EVENTS
    return isinstance(name, (int, float)) and not isinstance(name, bool)


def checked_packet(kind: PacketType, namespace: str, data: Any, number: int | None) -> Packet:
    """Return the packet that a client has sent (Socket.IO 5, exchange of packets).

    :param data: None if there was nothing.
    :raises PacketError: if its data is none for its type.
    """
    if kind is PacketType.EVENT:
        valid = is_event(data)
    elif kind is PacketType.ACK:
        valid = isinstance(data, list)
    elif kind is PacketType.CONNECT:
        valid = data is None or isinstance(data, dict)
    elif kind is PacketType.DISCONNECT:
        valid = data is None
    else:
        data = {"message": data} if isinstance(data, str) else data
        valid = isinstance(data, dict)
    if not valid:
        raise PacketError(f"what comes with a packet {kind.name} is none for it")
    return Packet(kind, namespace, data, number)


def old_packet(packet: Packet) -> Packet:
    """Return a packet of a client of Engine.IO 3: its namespace may have a query, which it gives to connect.

    Of equal names in the query, the last one counts.

    :raises PacketError: if the query has too many fields.
    """
    namespace, question, query = packet.namespace.partition("?")
    if not question:
        return packet
    kind, _, data, number = packet
    if kind is not PacketType.CONNECT:
        return Packet(kind, namespace, data, number)
    try:
        fields = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise PacketError("the query of a namespace has too many fields") from None
    return Packet(kind, namespace, {**(data or {}), **fields}, number)


def old_data(packet: Packet) -> Any:
    """Return the data of a packet for a client of Engine.IO 3.

    It expects none when it is connected, and a string when it is refused, or whatever there is to tell about that.
    """
    kind, _, data, _ = packet
    if kind is PacketType.CONNECT:
        return None
    if kind is PacketType.CONNECT_ERROR:
        more = data.get("data")
        return data["message"] if more is None else more
    return data
