"""Packets as text of JSON, and bytes beside it: what Socket.IO speaks unless it is told otherwise.

A packet is the digit of its type, the number of its attachments, its namespace, the number of its acknowledgement
and its data, of which only the first and what the type needs are there (Socket.IO protocols 3, 4 and 5, encoding).
"""

from __future__ import annotations

from functools import lru_cache

from hunchensocket_tx.socketio.errors import PacketError, UnserializableData
from hunchensocket_tx.socketio.wire.attachments import Places, dumps_apart
from hunchensocket_tx.socketio.wire.contents import checked_packet, is_event, is_old, old_data, old_packet
from hunchensocket_tx.socketio.wire.json_text import dumps, loads_from
from hunchensocket_tx.socketio.wire.packets import Decoder, Packet, PacketType, Parser
from hunchensocket_tx.wire.events import Message

__all__ = ["JSONDecoder", "JSONParser", "json_parser"]

_EVENT, _ACK = PacketType.EVENT, PacketType.ACK
_DIGITS = "0123456"
"""What a type is written as, by its number; the last two are of an event and of an answer with attachments."""

_TYPES = dict(zip(_DIGITS, (*PacketType, _EVENT, _ACK), strict=True))
_WITH_ATTACHMENTS = 3
"""What is added to a type's number if there are attachments."""

ID_DIGITS = 16
"""Most digits of the number of an acknowledgement: JavaScript counts no further."""

COUNT_DIGITS = 9


def json_parser(protocol: int, max_attachments: int = 100, max_packet_size: int = 16 * 1024 * 1024) -> Parser:
    """Return the parser of a generation, the same one for the same values.

    :param protocol: the number of the session's Engine.IO protocol: 4 (Socket.IO protocol 5), or 3 (3 and 4).
    :param max_attachments: most pieces of bytes in a packet from a client.
    :param max_packet_size: most bytes of them together.
    :raises ValueError: for any other protocol.
    """
    return _parser(is_old(protocol), max_attachments, max_packet_size)


class JSONParser:
    """Writes packets, and makes what reads them; see :func:`json_parser`.

    :param old: whether it is for clients of Engine.IO 3.

    :ivar counted: types after which the number of attachments stands; protocol 3 has it in all answers.
    """

    __slots__ = ("counted", "max_attachments", "max_packet_size", "old")

    def __init__(self, old: bool, max_attachments: int, max_packet_size: int) -> None:
        self.old = old
        self.counted = "356" if old else "56"
        self.max_attachments = max_attachments
        self.max_packet_size = max_packet_size

    def encode(self, packet: Packet) -> tuple[Message, ...]:
        """Return the messages that a packet is: text, and its attachments.

        :raises UnserializableData: if it has what cannot be written, as NaN.
        """
        kind, namespace, data, number = packet
        if self.old:
            data = old_data(packet)
        where = "" if namespace == "/" else namespace + ","
        which = "" if number is None else number
        if data is None:
            return (f"{_DIGITS[kind]}{where}{which}",)
        try:
            return (f"{_DIGITS[kind]}{where}{which}{dumps(data)}",)
        except UnserializableData:
            if kind is not _EVENT and kind is not _ACK:
                raise
        text, pieces = dumps_apart(data)
        return (f"{_DIGITS[kind + _WITH_ATTACHMENTS]}{len(pieces)}-{where}{which}{text}", *pieces)

    def decoder(self) -> Decoder:
        """Return what reads the packets of one client."""
        return JSONDecoder(self)


@lru_cache
def _parser(old: bool, max_attachments: int, max_packet_size: int) -> JSONParser:
    return JSONParser(old, max_attachments, max_packet_size)


class JSONDecoder:
    """Reads the packets of one client.

    :param parser: has the limits.
    """

    __slots__ = ("_due", "_parser")

    def __init__(self, parser: JSONParser) -> None:
        self._parser = parser
        self._due: _Due | None = None

    def receive(self, message: Message) -> Packet | None:
        """Take the next message.

        :returns: the packet that it completes, if it does.
        :raises PacketError: if it is none.
        """
        due = self._due
        if due is not None:
            return self._attachment(due, message)
        if not isinstance(message, str):
            raise PacketError("bytes came that belong to no packet")
        first = message[:1]
        kind = _TYPES.get(first)
        if kind is None:
            raise PacketError("a packet of unknown type")
        start, count = self._count(message) if first in self._parser.counted else (1, -1)
        namespace = "/"
        if message[start : start + 1] == "/":
            comma = message.find(",", start)
            end = comma if comma >= 0 else len(message)
            namespace, start = message[start:end], end + 1
        number = None
        is_list = kind is _EVENT or kind is _ACK
        if is_list:
            bracket = message.find("[", start)
            if bracket != start:
                number, start = _number(message, start, bracket), bracket
        try:
            data = loads_from(message, start) if start < len(message) else None
        except ValueError as error:
            raise PacketError(f"the data of a packet is not JSON: {error}") from None
        if not is_list:
            packet = checked_packet(kind, namespace, data, number)
        elif kind is _ACK or is_event(data):
            packet = Packet(kind, namespace, data, number)
        else:
            raise PacketError("an event has a name that is none")
        if namespace != "/" and self._parser.old:
            packet = old_packet(packet)
        return packet if count < 0 else self._expect(packet, count)

    def _count(self, text: str) -> tuple[int, int]:
        """Return where the rest of the text starts, and how many attachments follow, -1 if it tells no number."""
        dash = text.find("-", 1, 2 + COUNT_DIGITS)
        digits = text[1:dash] if dash > 0 else ""
        if not (digits.isascii() and digits.isdigit()):
            if text[0] == "3":
                return 1, -1
            raise PacketError("the number of a packet's attachments is none")
        count = int(digits)
        if count > self._parser.max_attachments:
            raise PacketError("a packet has too many attachments")
        return dash + 1, count

    def _expect(self, packet: Packet, count: int) -> Packet | None:
        """Return a packet that no attachments follow; else keep it for them."""
        places = Places(packet.data, count)
        if count == 0:
            return packet
        self._due = _Due(packet, places, count)
        return None

    def _attachment(self, due: _Due, message: Message) -> Packet | None:
        if not isinstance(message, bytes):
            raise PacketError("text came where an attachment was due")
        due.pieces.append(message)
        due.size += len(message)
        if due.size > self._parser.max_packet_size:
            raise PacketError("the attachments of a packet are too large")
        if len(due.pieces) < due.count:
            return None
        self._due = None
        due.places.fill(due.pieces)
        return due.packet


class _Due:
    """A packet whose attachments are not all there."""

    __slots__ = ("count", "packet", "pieces", "places", "size")

    def __init__(self, packet: Packet, places: Places, count: int) -> None:
        self.packet = packet
        self.places = places
        self.count = count
        self.pieces: list[bytes] = []
        self.size = 0


def _number(text: str, start: int, end: int) -> int:
    """Return the number of an acknowledgement that is all there is between two places."""
    digits = text[start:end] if 0 <= end - start <= ID_DIGITS else ""
    if not (digits.isascii() and digits.isdigit()):
        raise PacketError("a packet has neither data nor a number where they belong")
    return int(digits)
