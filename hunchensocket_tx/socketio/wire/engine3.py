"""Engine.IO 3, which clients of 1.x and 2.x speak, in two dialects that say nothing of which they are.

Both put a length before each packet. The older dialect (1.x) encodes the text of each packet as UTF-8 and takes
the bytes for characters, before the text payload is made of them and encoded once more: a euro sign goes as three
characters below U+0100. The newer one (2.x) does not. Only what comes tells which it is, so a codec remembers it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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

__all__ = ["Engine3"]

TEXT = "text/plain; charset=UTF-8"
BINARY = "application/octet-stream"

LENGTH_DIGITS = 10
"""Most digits of a length; what is longer is no body that anybody takes."""

LONGEST_TEXT = 50_000
"""Most characters of a text payload, where there is a choice: 1.x in browsers gives each to a function, as an
argument of its own, and there may not be much more than 65,000."""

STRING, BYTES, END_OF_LENGTH = 0, 1, 255


class Engine3:
    """A codec of Engine.IO 3, for one session.

    :ivar dialect: 1 or 2, for clients of 1.x or 2.x; 0 as long as nothing has told.
    """

    __slots__ = ("dialect",)

    protocol = 3

    def __init__(self) -> None:
        self.dialect = 0

    def encode_payload(self, packets: Sequence[EnginePacket], *, binary: bool) -> tuple[bytes, str]:
        """Return the body that carries packets, and its content type (Engine.IO 3, encoding of payloads).

        Text that is not ASCII goes in a binary payload where it may, as it is the same in both dialects there.
        Text that is long does, too, as clients of 1.x in browsers fail on it otherwise.
        """
        if not packets:
            return b"0:", TEXT
        texts = [_text(packet) for packet in packets]
        together = "".join(texts)
        if binary and (
            not together.isascii()
            or len(together) > LONGEST_TEXT
            or any(isinstance(packet.data, bytes) for packet in packets)
        ):
            return _binary_payload(packets), BINARY
        if self.dialect == 1 and not together.isascii():
            texts = [text.encode().decode("latin-1") for text in texts]
        return "".join([f"{_units(text)}:{text}" for text in texts]).encode(), TEXT

    def decode_payload(self, body: bytes, content_type: str) -> list[EnginePacket]:
        """Return the packets of a body; its content type decides how it is read.

        :raises PayloadError: if it is no payload, or one of its packets is none.
        """
        if BINARY in content_type.lower():
            return list(_binary_packets(body))
        text = text_of_body(body)
        if not text:
            raise PayloadError("an Engine.IO payload is empty")
        if text.isascii():
            return [_packet(piece) for piece in _pieces(text)]
        units = text.encode("utf-16-le")
        pieces = list(_pieces(text) if len(units) == 2 * len(text) else _wide_pieces(units))
        return [_packet(piece) for piece in self._in_dialect(pieces)]

    def encode_message(self, packet: EnginePacket, *, binary: bool) -> Message:
        """Return the WebSocket message that a packet is: bytes have the type, as a number, before them."""
        kind, data = packet
        return bytes((kind,)) + data if binary and isinstance(data, bytes) else _text(packet)

    def decode_message(self, message: Message) -> EnginePacket:
        """Return the packet that a message of a WebSocket is, where there are no dialects.

        The very first clients of 1.x have one there, too, but nothing tells them from others.

        :raises PayloadError: if it is none.
        """
        return _packet(message) if isinstance(message, str) else _packet_of_bytes(message)

    def _in_dialect(self, pieces: list[str]) -> list[str]:
        """Return the packets of a text payload that is not ASCII as they were meant; learn the dialect."""
        if self.dialect != 2:
            try:
                decoded = [_utf8(piece.encode("latin-1")) for piece in pieces]
            except ValueError:
                self.dialect = 2
            else:
                self.dialect = 1
                return decoded
        return pieces


def _utf8(data: bytes) -> str:
    """Return the text that UTF-8 stands for; halves of surrogate pairs, which 1.x writes, become U+FFFD.

    :raises ValueError: if it is not UTF-8.
    """
    try:
        return data.decode()
    except UnicodeDecodeError:
        halves = data.decode("utf-8", "surrogatepass")
        return halves.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _units(text: str) -> int:
    """Return the length of text as JavaScript has it: in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def _text(packet: EnginePacket) -> str:
    kind, data = packet
    return DIGITS[kind] + data if isinstance(data, str) else f"b{DIGITS[kind]}{base64_text(data)}"


def _packet(text: str) -> EnginePacket:
    if not text.startswith("b"):
        return packet_of_text(text)
    if text[1:2] != "4":
        raise PayloadError("an Engine.IO packet with bytes is no message")
    return EnginePacket(EngineType.MESSAGE, base64_data(text[2:]))


def _packet_of_bytes(data: bytes) -> EnginePacket:
    if not data or data[0] != EngineType.MESSAGE:
        raise PayloadError("an Engine.IO packet with bytes is no message")
    return EnginePacket(EngineType.MESSAGE, data[1:])


def _length(digits: str) -> int:
    if not (digits.isascii() and digits.isdigit()):
        raise PayloadError("the length of an Engine.IO packet is no number")
    return int(digits)


def _pieces(text: str) -> Iterator[str]:
    """Yield the packets of a text payload whose characters are one code unit each."""
    start, end = 0, len(text)
    while start < end:
        colon = text.find(":", start, start + LENGTH_DIGITS + 1)
        if colon < 0:
            raise PayloadError("an Engine.IO packet has no length")
        begin = colon + 1
        start = begin + _length(text[start:colon])
        if start > end:
            raise PayloadError("an Engine.IO packet is shorter than its length says")
        if start > begin:
            yield text[begin:start]


def _wide_pieces(units: bytes) -> Iterator[str]:
    """Yield the packets of a text payload with characters of two code units; it is given as UTF-16."""
    start, end = 0, len(units)
    try:
        while start < end:
            head = units[start : start + 2 * (LENGTH_DIGITS + 1)].decode("utf-16-le", "replace")
            digits, colon, _ = head.partition(":")
            if not colon:
                raise PayloadError("an Engine.IO packet has no length")
            begin = start + 2 * len(digits) + 2
            start = begin + 2 * _length(digits)
            if start > end:
                raise PayloadError("an Engine.IO packet is shorter than its length says")
            if start > begin:
                yield units[begin:start].decode("utf-16-le")
    except UnicodeDecodeError:
        raise PayloadError("the length of an Engine.IO packet ends within a character") from None


def _binary_payload(packets: Sequence[EnginePacket]) -> bytes:
    """Return the body that carries packets as bytes (Engine.IO 3, encoding of payloads, with binary support)."""
    return b"".join([_counted_bytes(packet) for packet in packets])


def _counted_bytes(packet: EnginePacket) -> bytes:
    """Return a packet of a binary payload: whether it is text, a byte for each digit of its length, and itself."""
    kind, data = packet
    if isinstance(data, str):
        mark, content = STRING, (DIGITS[kind] + data).encode()
    else:
        mark, content = BYTES, bytes((kind,)) + data
    return bytes((mark, *map(int, str(len(content))), END_OF_LENGTH)) + content


def _binary_packets(body: bytes) -> Iterator[EnginePacket]:
    """Yield the packets of a binary payload (Engine.IO 3, encoding of payloads, with binary support)."""
    start, end = 0, len(body)
    while start < end:
        mark = body[start]
        stop = body.find(END_OF_LENGTH, start + 2, start + 2 + LENGTH_DIGITS)
        digits = body[start + 1 : stop]
        if mark not in (STRING, BYTES) or stop < 0 or max(digits) > 9:
            raise PayloadError("a packet of a binary Engine.IO payload has no length")
        begin = stop + 1
        start = begin + int("".join(map(str, digits)))
        if start > end:
            raise PayloadError("an Engine.IO packet is shorter than its length says")
        content = body[begin:start]
        yield _packet(_string(content)) if mark == STRING else _packet_of_bytes(content)


def _string(content: bytes) -> str:
    try:
        return _utf8(content)
    except ValueError:
        raise PayloadError("text in a binary Engine.IO payload is not UTF-8") from None
