"""What a WebSocket client says and what it has to hear, in bytes, for each protocol that is measured.

It is written from the specifications and uses no WebSocket library, ours included: the judge of an echo should not
share a mistake with the server.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import md5, sha1

__all__ = ["MASK", "Dialect", "Failed", "head", "hixie76", "masked", "rfc6455"]

MASK = b"\x37\xfa\x21\x3d"


class Failed(Exception):
    """A server did not do what it has to; the message says what."""


@dataclass(frozen=True)
class Dialect:
    """One protocol, from the client's side.

    Frames are made before the measurement and used again and again, so they may be made slowly.
    """

    fields: bytes
    """The header fields of the opening handshake that are the protocol's own."""

    key: bytes
    """What follows the head of the opening handshake."""

    accept: bytes
    """A header field that the answer must have."""

    proof: bytes
    """What must follow the head of the answer."""

    sent_frame: Callable[[bytes], bytes]
    """Makes the frame of a message as a client sends it."""

    received_frame: Callable[[bytes], bytes]
    """Makes the frame of a message as a server sends it."""

    close: bytes
    """The frame that starts the closing handshake."""

    closing_answer: bytes
    """How the server's closing frame starts."""

    ends_by_itself: bool
    """Whether the server ends the connection after the closing handshake; else the client ends its half first."""

    target: bytes = b"/"
    """What is asked for: path and query."""

    def request(self, port: int) -> bytes:
        """Return the opening handshake for a server on this port of 127.0.0.1."""
        address = b"127.0.0.1:%d" % port
        return (
            b"GET %b HTTP/1.1\r\nHost: %b\r\n" % (self.target, address)
            + b"Connection: Upgrade\r\nOrigin: http://%b\r\n" % address
            + self.fields
            + b"\r\n"
            + self.key
        )

    def after_handshake(self, answer: bytes) -> bytes | None:
        """Judge the answer to the opening handshake; return what follows it, None if it is not complete.

        :raises Failed: if it is no acceptance.
        """
        head, separator, rest = answer.partition(b"\r\n\r\n")
        if not separator or len(rest) < len(self.proof):
            return None
        lines = head.split(b"\r\n")
        if not lines[0].startswith(b"HTTP/1.1 101 "):
            raise Failed(f"the handshake was refused: {lines[0]!r}")
        if self.accept.lower() not in (line.lower() for line in lines):
            raise Failed(f"the answer to the handshake lacks {self.accept!r}")
        if not rest.startswith(self.proof):
            raise Failed("the answer to the challenge is wrong")
        return rest[len(self.proof) :]


def masked(data: bytes) -> bytes:
    """XOR with the mask (RFC 6455 section 5.3)."""
    pad = (MASK * (len(data) // len(MASK) + 1))[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(pad, "big")).to_bytes(len(data), "big")


def head(opcode: int, length: int, mask_bit: int) -> bytes:
    """Return the head of a final frame without the mask (RFC 6455 section 5.2)."""
    if length < 126:
        size = bytes([mask_bit | length])
    elif length < 1 << 16:
        size = bytes([mask_bit | 126]) + length.to_bytes(2, "big")
    else:
        size = bytes([mask_bit | 127]) + length.to_bytes(8, "big")
    return bytes([0x80 | opcode]) + size


def rfc6455(binary: bool = False) -> Dialect:
    """Return RFC 6455 with text or binary messages, without extensions."""
    opcode = 2 if binary else 1
    key = b64encode(b"sixteen bytes...")
    accept = b64encode(sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return Dialect(
        fields=b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n",
        key=b"",
        accept=b"Sec-WebSocket-Accept: " + accept,
        proof=b"",
        sent_frame=lambda message: head(opcode, len(message), 0x80) + MASK + masked(message),
        received_frame=lambda message: head(opcode, len(message), 0) + message,
        close=head(8, 2, 0x80) + MASK + masked((1000).to_bytes(2, "big")),
        closing_answer=b"\x88",
        ends_by_itself=True,
    )


def hixie76() -> Dialect:
    """Return hixie-76 (draft-ietf-hybi-thewebsocketprotocol-00), which has text only."""
    numbers, key3 = (155712099, 173347027), b"8 bytes."
    keys = [
        b"Sec-WebSocket-Key%d: %b\r\n" % (place, spaced_out(number, place + 3))
        for place, number in enumerate(numbers, 1)
    ]
    return Dialect(
        fields=b"Upgrade: WebSocket\r\n" + b"".join(keys),
        key=key3,
        accept=b"Upgrade: WebSocket",
        proof=md5(b"".join(number.to_bytes(4, "big") for number in numbers) + key3).digest(),
        sent_frame=lambda message: b"\x00" + message + b"\xff",
        received_frame=lambda message: b"\x00" + message + b"\xff",
        close=b"\xff\x00",
        closing_answer=b"\xff",
        ends_by_itself=False,
    )


def spaced_out(number: int, spaces: int) -> bytes:
    """Return a key from which a server computes this number (section 1.3: digits, divided by the spaces)."""
    digits = b"%d" % (number * spaces)
    return digits[:1] + b" " * spaces + digits[1:]
