"""Packets as msgpack, one message of bytes each: what ``socket.io-msgpack-parser`` speaks."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from hunchensocket_tx.errors import InvalidSetting
from hunchensocket_tx.socketio.errors import PacketError, UnserializableData
from hunchensocket_tx.socketio.wire.contents import checked_packet, is_old, old_data, old_packet
from hunchensocket_tx.socketio.wire.json_text import default, iso_time
from hunchensocket_tx.socketio.wire.packets import Decoder, Packet, PacketType, Parser
from hunchensocket_tx.wire.events import Message

try:
    import msgpack
except ImportError:
    msgpack = None

__all__ = ["MsgpackDecoder", "MsgpackParser", "msgpack_parser"]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LATEST = 8_640_000_000_000_000
"""Most milliseconds since 1970, or before it, of a time in JavaScript."""


def msgpack_parser(protocol: int, max_attachments: int = 100, max_packet_size: int = 16 * 1024 * 1024) -> Parser:
    """Return the parser of a generation, the same one for the same values.

    :param protocol: the number of the session's Engine.IO protocol: 4 or 3.
    :param max_attachments: of no account here, as bytes are within the message.
    :param max_packet_size: most bytes of a packet from a client.
    :raises ValueError: for any other protocol.
    :raises InvalidSetting: if the package ``msgpack`` is not installed.
    """
    if msgpack is None:
        raise InvalidSetting("parsers: 'msgpack' needs the package of that name (hunchensocket-tx[msgpack])")
    return _parser(is_old(protocol), max_packet_size)


class MsgpackParser:
    """Writes packets, and makes what reads them; see :func:`msgpack_parser`.

    :param old: whether it is for clients of Engine.IO 3.
    :param max_packet_size: most bytes of a packet from a client.
    """

    __slots__ = ("_packer", "max_packet_size", "old")

    def __init__(self, old: bool, max_packet_size: int) -> None:
        self.old = old
        self.max_packet_size = max_packet_size
        self._packer = msgpack.Packer(default=default, unicode_errors="surrogatepass")

    def encode(self, packet: Packet) -> tuple[Message, ...]:
        """Return the message that a packet is. Keys without a value are not there, as clients refuse them.

        :raises UnserializableData: if it has what cannot be written.
        """
        kind, namespace, data, number = packet
        if self.old:
            data = old_data(packet)
        fields: dict[str, Any] = {"type": int(kind), "nsp": namespace}
        if data is not None:
            fields["data"] = data
        if number is not None:
            fields["id"] = number
        try:
            return (self._packer.pack(fields),)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise UnserializableData(f"cannot be sent: {error}") from error

    def decoder(self) -> Decoder:
        """Return what reads the packets of one client."""
        return MsgpackDecoder(self)


@lru_cache
def _parser(old: bool, max_packet_size: int) -> MsgpackParser:
    return MsgpackParser(old, max_packet_size)


class MsgpackDecoder:
    """Reads the packets of one client. It keeps nothing between them.

    :param parser: has the limits.
    """

    __slots__ = ("_parser",)

    def __init__(self, parser: MsgpackParser) -> None:
        self._parser = parser

    def receive(self, message: Message) -> Packet | None:
        """Take the next message.

        :returns: the packet that it is.
        :raises PacketError: if it is none.
        """
        if not isinstance(message, bytes):
            raise PacketError("text came where msgpack was due")
        if len(message) > self._parser.max_packet_size:
            raise PacketError("a packet is too large")
        try:
            fields = msgpack.unpackb(message, ext_hook=_extension)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise PacketError(f"a packet is not msgpack: {error}") from None
        if not isinstance(fields, dict):
            raise PacketError("a packet is no map")
        kind, namespace, number = fields.get("type"), fields.get("nsp"), fields.get("id")
        if type(kind) is not int or not 0 <= kind <= PacketType.CONNECT_ERROR:
            raise PacketError("a packet of unknown type")
        if not isinstance(namespace, str):
            raise PacketError("a packet has no namespace")
        if number is not None and (type(number) is not int or number < 0):
            raise PacketError("the number of an acknowledgement is none")
        packet = checked_packet(PacketType(kind), namespace, fields.get("data"), number)
        return old_packet(packet) if self._parser.old else packet


def _extension(code: int, data: bytes) -> Any:
    """Return what an extension of ``notepack.io`` stands for, which writes several things as type 0: what is
    undefined, as one zero; a time, as milliseconds in 8 bytes; and, in node, bytes of some classes as they are."""
    if code != 0:
        raise ValueError(f"an extension of type {code}")
    if data == b"\0":
        return None
    if len(data) == 8:
        milliseconds = int.from_bytes(data, "big", signed=True)
        if -_LATEST <= milliseconds <= _LATEST:
            return iso_time(_EPOCH + timedelta(milliseconds=milliseconds))
    return data
