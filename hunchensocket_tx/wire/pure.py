"""What costs most of the time, in Python: the reference for ``_speedups.c``, and what there is without it.

Names, arguments and results are the same there; ``hot.py`` chooses. Bytes of a peer never make any of this raise:
what is wrong, or more than plain, is left for the codec to judge.
"""

from __future__ import annotations

from codecs import utf_8_decode
from functools import cache

from hunchensocket_tx.wire.events import Event

__all__ = [
    "Parts",
    "apply_mask",
    "masked_frame",
    "message_frame",
    "payload_of",
    "take_messages",
    "take_texts",
    "text_frame",
]

TEXT, BINARY = 0x81, 0x82
"""First bytes of a frame that is a whole message: FIN and the opcode (RFC 6455 section 5.2)."""

MASKED = 0x80
"""Bit of the second byte."""

SMALL = 1024
"""Bytes up to which big integers mask faster than tables do."""


_number = int.from_bytes  # to look it up on int costs a tenth of masking a small payload


def apply_mask(data: bytes, key: bytes) -> bytes:
    """Return data masked, or unmasked, which is the same (RFC 6455 section 5.3).

    :param data: the payload, or a part of it; the key has to be turned to where that starts.
    :param key: four bytes.
    """
    size = len(data)
    if size > SMALL:
        masked = bytearray(data)
        for index, octet in enumerate(key):
            masked[index::4] = masked[index::4].translate(_xor_table(octet))
        return bytes(masked)
    repeated = (key * (size // 4 + 1))[:size]
    return (_number(data, "big") ^ _number(repeated, "big")).to_bytes(size, "big")


@cache
def _xor_table(octet: int) -> bytes:
    return bytes(octet ^ other for other in range(256))


def take_messages(data: bytes, position: int, masked: bool, limit: int, events: list[Event]) -> int:
    """Take whole messages, each in a frame that is all there and breaks no rule (RFC 6455 section 5.2).

    :param position: where in the data to begin, at the start of a frame.
    :param masked: whether frames have to be masked; else they must not be.
    :param limit: most bytes of payload.
    :param events: where to append the messages, as str or bytes.
    :returns: the start of the first frame that was not taken: which is not complete, larger, wrong, compressed, a
        fragment or a control frame; or the size of the data.
    """
    size = len(data)
    while size - position >= 2:
        first, length, start = data[position], data[position + 1], position + 2
        if masked:
            length -= 128
            start += 4
        if (first != TEXT and first != BINARY) or not 0 <= length < 128:
            break
        if length > 125:
            digits = 2 if length == 126 else 8
            length = int.from_bytes(data[position + 2 : position + 2 + digits], "big")
            if length < (126 if digits == 2 else 65536):
                break
            start += digits
        end = start + length
        if end > size or length > limit:
            break
        payload = data[start:end]
        if masked:
            payload = apply_mask(payload, data[start - 4 : start])
        try:
            events.append(payload.decode() if first == TEXT else payload)
        except UnicodeDecodeError:
            break
        position = end
    return position


def take_texts(data: bytes, position: int, limit: int, errors: str, events: list[Event]) -> int:
    """Take text frames of hixie-76 that are all there: 0x00, UTF-8, 0xFF.

    :param position: where in the data to begin, at the start of a frame.
    :param limit: most bytes of text.
    :param errors: ``strict`` to take no text that is not UTF-8, ``replace`` to put U+FFFD in the place of what is
        wrong.
    :param events: where to append the texts.
    :returns: the start of the first frame that was not taken, or the size of the data.
    """
    size = len(data)
    while position < size and data[position] == 0x00:
        end = data.find(b"\xff", position + 1)
        if end < 0 or end - position - 1 > limit:
            break
        try:
            events.append(data[position + 1 : end].decode("utf-8", errors))
        except UnicodeDecodeError:
            break
        position = end + 1
    return position


def message_frame(message: str | bytes) -> bytes:
    """Return the frame that is a whole message, not masked (RFC 6455 section 5.2).

    :raises UnicodeEncodeError: for text with lone surrogates, which has no UTF-8.
    :raises TypeError: for what is neither str nor bytes.
    """
    if isinstance(message, str):
        first, payload = TEXT, message.encode()
    elif isinstance(message, bytes):
        first, payload = BINARY, message
    else:
        raise TypeError("a message is str or bytes")
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return bytes((first, 126, size >> 8, size & 0xFF)) + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload


def masked_frame(message: str | bytes, key: bytes) -> bytes:
    """Return the frame that is a whole message, masked as clients have to (RFC 6455 section 5.3).

    :param key: four bytes, which are for this frame alone.
    :raises UnicodeEncodeError: for text with lone surrogates, which has no UTF-8.
    :raises TypeError: for what is neither str nor bytes.
    """
    plain = message_frame(message)
    length = plain[1]
    start = 2 if length < 126 else 4 if length == 126 else 10
    return b"%c%c%b%b%b" % (plain[0], length | MASKED, plain[2:start], key, apply_mask(plain[start:], key))


def payload_of(message: str | bytes) -> bytes | memoryview:
    """Return the payload of a message; compiled, text that is ASCII is not copied for it.

    :raises UnicodeEncodeError: for text with lone surrogates, which has no UTF-8.
    :raises TypeError: for what is neither str nor bytes.
    """
    if isinstance(message, str):
        return message.encode()
    if isinstance(message, bytes):
        return message
    raise TypeError("a message is str or bytes")


def text_frame(text: str) -> bytes:
    """Return a text frame of hixie-76.

    :raises UnicodeEncodeError: for text with lone surrogates, which has no UTF-8.
    :raises TypeError: for what is no str.
    """
    if not isinstance(text, str):
        raise TypeError("a text is str")
    return b"\x00" + text.encode() + b"\xff"


class Parts:
    """A message that comes in parts; UTF-8 is checked as it comes. Its ``len`` is the bytes that are kept.

    :param text: whether it is text, which has to be UTF-8.
    """

    __slots__ = ("_broken", "_buffer", "_pending", "_text")

    def __init__(self, text: bool) -> None:
        self._text = text
        self._broken = False
        self._buffer = bytearray()
        self._pending = b""  # the start of a character at the end of the buffer

    def __len__(self) -> int:
        return len(self._buffer)

    def add(self, data: bytes, start: int, end: int, key: bytes | None, most: int) -> bool:
        """Add a part; return whether all of the text so far may be UTF-8.

        :param data: bytes, of which those from ``start`` to ``end`` are the part.
        :param key: what it is masked with, turned to where it starts; or None.
        :param most: bytes that may be in the message in the end, as far as is known. No more is reserved, and no
            more than a small multiple of what is there.
        """
        part = data[start:end]
        if key is not None:
            part = apply_mask(part, key)
        self._buffer += part
        if self._text and not self._broken and (self._pending or not part.isascii()):
            self._check(self._pending + part)
        return not self._broken

    def _check(self, encoded: bytes) -> None:
        try:
            consumed = utf_8_decode(encoded, "strict", False)[1]
        except UnicodeDecodeError:
            self._broken = True
            return
        pending = self._pending = encoded[consumed:]
        # Python takes the first two bytes of a surrogate, which no third one makes right.
        self._broken = pending[:1] == b"\xed" and pending[1:] >= b"\xa0"

    def take(self, final: bool, errors: str = "strict") -> str | bytes | None:
        """Return what is there, and keep no more of it than the start of a character.

        :param final: whether the message ends here; what follows begins another.
        :param errors: at the end, ``replace`` to put U+FFFD in the place of what is wrong in a text.
        :returns: None if it is wrong, and ``errors`` is ``strict``.
        """
        if self._text and errors == "strict" and (self._broken or (final and self._pending)):
            return None
        buffer, rest = self._buffer, b"" if final else self._pending
        self._buffer = bytearray(rest)
        if final:
            self._pending, self._broken = b"", False
        if rest:
            del buffer[-len(rest) :]
        return buffer.decode("utf-8", errors) if self._text else bytes(buffer)
