"""Protocol 1, that of socket.io 0.7 to 0.9: packets, and several of them in one body.

A packet is ``type:id[+]:endpoint[:data]``, text always. The endpoint is the namespace, empty for ``/``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from hunchensocket_tx.socketio.errors import PacketError, PayloadError
from hunchensocket_tx.socketio.wire.json_text import dumps, loads
from hunchensocket_tx.socketio.wire.packets import RESERVED_EVENTS, Decoder, Packet, PacketType, Parser
from hunchensocket_tx.wire.events import Message

__all__ = [
    "DISCONNECT",
    "FIRST",
    "HEARTBEAT",
    "NOOP",
    "RECONNECT",
    "UNSUPPORTED",
    "FirstPacket",
    "FirstType",
    "decode_payload",
    "encode_payload",
    "receipt",
    "split",
    "understand",
]

DISCONNECT = "0::"
"""Ends the session; a client that gets it does not come back by itself."""

HEARTBEAT = "2::"

NOOP = "8::"

UNSUPPORTED = "7:::0"
"""Tells a client that its transport is not served."""

RECONNECT = "7:::1+0"
"""Tells a client that its session is not known, and to begin a new one."""

MARK = "\ufffd"
"""Goes around the length of each packet, where there are several."""

MOST_FIELDS = 1000
"""Most fields of a query that a client gives with a namespace."""

_PACKET = re.compile(r"([0-8])(?::([0-9]{0,15})(\+?)(?::([^:]*)(?::(.*))?)?)?\Z", re.DOTALL)
_ANSWER = re.compile(r"([0-9]{1,15})(?:\+(.*))?\Z", re.DOTALL)
_LENGTH = re.compile(rf"{MARK}([0-9]{{1,9}}){MARK}")


class FirstType(IntEnum):
    """Kinds of packets on the wire."""

    DISCONNECT = 0
    CONNECT = 1
    HEARTBEAT = 2
    MESSAGE = 3
    JSON = 4
    EVENT = 5
    ACK = 6
    ERROR = 7
    NOOP = 8


_TYPES = {str(int(kind)): kind for kind in FirstType}


class FirstPacket(NamedTuple):
    """A packet as it is on the wire.

    :ivar id: by which it is to be acknowledged, if it is: by the application with an answer if it ``asks``, else
        by the library, before anything else is done with it.
    :ivar endpoint: as it is written, with the query that it may have.
    """

    type: FirstType
    id: int | None = None
    asks: bool = False
    endpoint: str = ""
    data: str = ""


def split(text: str) -> FirstPacket:
    """Take a packet apart; empty parts at its end may be missing.

    :raises PacketError: if it is none.
    """
    match = _PACKET.match(text)
    if match is None:
        raise PacketError(f"this is no packet of protocol 1: {text[:40]!r}")
    kind, number, asks, endpoint, data = match.groups()
    return FirstPacket(_TYPES[kind], int(number) if number else None, bool(asks), endpoint or "", data or "")


def understand(packet: FirstPacket) -> Packet | None:
    """Return what a packet means to those above its session.

    :returns: None if nothing, as heartbeats, errors, and events with names that are the server's own.
    :raises PacketError: if its data is not what its type demands.
    """
    kind = packet.type
    if kind is FirstType.EVENT:
        return _understand_event(packet)
    if kind is FirstType.MESSAGE:
        return _event(packet, ["message", packet.data])
    if kind is FirstType.JSON:
        return _event(packet, ["message", _read(packet.data)])
    if kind is FirstType.ACK:
        match = _ANSWER.match(packet.data)
        values = _read(match[2]) if match is not None and match[2] else []
        if match is None or not isinstance(values, list):
            raise PacketError(f"this is no acknowledgement: {packet.data[:40]!r}")
        return Packet(PacketType.ACK, packet.endpoint or "/", values, int(match[1]))
    if kind is FirstType.CONNECT:
        name, _, query = packet.endpoint.partition("?")
        query = query or packet.data.removeprefix("?")
        return Packet(PacketType.CONNECT, name or "/", _fields(query) if query else None)
    if kind is FirstType.DISCONNECT:
        return Packet(PacketType.DISCONNECT, packet.endpoint or "/")
    return None


def _fields(query: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise PacketError("the query of a namespace has too many fields") from None


def _understand_event(packet: FirstPacket) -> Packet | None:
    event = _read(packet.data)
    name = event.get("name") if isinstance(event, dict) else None
    if not isinstance(name, str):
        raise PacketError(f"this is no event: {packet.data[:40]!r}")
    if name in RESERVED_EVENTS:
        return None
    arguments = event.get("args")
    if arguments is None:
        return _event(packet, [name])
    return _event(packet, [name, *(arguments if isinstance(arguments, list) else (arguments,))])


def _event(packet: FirstPacket, data: list[Any]) -> Packet:
    return Packet(PacketType.EVENT, packet.endpoint or "/", data, packet.id if packet.asks else None)


def _read(text: str) -> Any:
    try:
        return loads(text)
    except ValueError as error:
        raise PacketError(f"this is no JSON: {text[:40]!r}") from error


def receipt(packet: FirstPacket) -> str:
    """Return the acknowledgement that a library gives, without values."""
    return f"6::{packet.endpoint}:{packet.id}"


class _FirstDecoder:
    """Reads packets, each of which is one message."""

    __slots__ = ()

    def receive(self, message: Message) -> Packet | None:
        """Take the next packet; it means nothing if it is of those that :func:`understand` leaves out."""
        if not isinstance(message, str):
            raise PacketError("packets of protocol 1 are text")
        return understand(split(message))


class _FirstParser:
    """Writes packets as the server of 0.9 does."""

    __slots__ = ()

    def encode(self, packet: Packet) -> tuple[Message, ...]:
        """Return the text that a packet is.

        An event ``message`` with one value is what ``send()`` sends: a message of text, or of JSON.
        """
        kind = packet.type
        endpoint = "" if packet.namespace == "/" else packet.namespace
        if kind is PacketType.EVENT:
            number = "" if packet.id is None else f"{packet.id}+"
            type_, data = _event_data(packet.data)
            return (f"{type_}:{number}:{endpoint}:{data}",)
        if kind is PacketType.ACK:
            values = f"+{dumps(packet.data)}" if packet.data else ""
            return (f"6::{endpoint}:{packet.id}{values}",)
        if kind is PacketType.CONNECT_ERROR:
            return (f"7::{endpoint}:2",)  # unauthorized; there is no room for a message
        return (f"{'1' if kind is PacketType.CONNECT else '0'}::{endpoint}",)

    def decoder(self) -> Decoder:
        """Return what reads the packets of one client."""
        return _FirstDecoder()


def _event_data(data: list[Any]) -> tuple[int, str]:
    """Return an event's type and data."""
    name, *arguments = data
    if name == "message" and len(arguments) == 1:
        value = arguments[0]
        return (3, value) if isinstance(value, str) and _can_be_sent(value) else (4, dumps(value))
    return 5, dumps({"name": name, "args": arguments} if arguments else {"name": name})


def _can_be_sent(text: str) -> bool:
    """Tell whether a text has no half of a surrogate pair, which only JSON can write."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return False
    return True


FIRST: Parser = _FirstParser()
"""Reads and writes the packets of protocol 1."""


def encode_payload(packets: Sequence[str]) -> str:
    """Return packets as one body: one as it is, several each behind its length in UTF-16 code units."""
    if len(packets) == 1:
        return packets[0]
    return "".join(f"{MARK}{_units(packet)}{MARK}{packet}" for packet in packets)


def decode_payload(text: str) -> list[str]:
    """Return the packets of a body; there may be none.

    :raises PayloadError: if lengths are missing or wrong.
    """
    if not text.startswith(MARK):
        return [text] if text else []
    packets, position = [], 0
    while position < len(text):
        match = _LENGTH.match(text, position)
        if match is None:
            raise PayloadError(f"a length is missing at {position}")
        packet = _take(text, match.end(), int(match[1]))
        packets.append(packet)
        position = match.end() + len(packet)
    return packets


def _take(text: str, start: int, units: int) -> str:
    """Return the part of a text that has so many UTF-16 code units.

    :raises PayloadError: if there are not so many, or the last one is half of a character.
    """
    part = text[start : start + units]
    if not part.isascii():
        try:
            part = part.encode("utf-16-le")[: 2 * units].decode("utf-16-le")
        except UnicodeError as error:
            raise PayloadError(f"the length at {start} cuts a character") from error
    if _units(part) != units:
        raise PayloadError(f"the length at {start} is beyond the end")
    return part


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
