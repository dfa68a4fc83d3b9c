"""What a codec yields, in the order in which it happened on the wire.

A message is a plain ``str`` (text) or ``bytes`` (binary), with no object around it. Everything else is one
of the small values below.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

__all__ = [
    "CloseReason",
    "Closed",
    "Codec",
    "Event",
    "Failed",
    "Message",
    "Opened",
    "Piece",
    "Ping",
    "Pong",
    "Reply",
    "size_of",
]

Message = str | bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """The opening handshake is complete; messages may flow from here on."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Bytes that the protocol owes the peer; write them at this point of the order."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a message, from a codec that was told to yield such instead of whole messages."""

    data: Message
    final: bool


@dataclass(frozen=True, slots=True)
class Ping:
    """The peer wants to know whether we live; the reply before this, if there is one, is the answer."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """The peer's answer to a ping, or an unasked sign of life."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Closed:
    """The peer has closed. Both sides are done with the closing handshake once the replies before this are
    written; nothing follows.

    ``code`` is 1005 where the peer gave none (RFC 6455 section 7.1.5), as in hixie-76 always.
    """

    code: int = 1005
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The peer broke the protocol or a limit; close with this code and reason. Nothing follows."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class CloseReason:
    """How a WebSocket ended, for the application.

    :ivar code: close code (RFC 6455 section 7.4): the peer's, or ours if we failed the connection; 1005 if
        there was none (always in hixie-76), 1006 if TCP ended without a closing handshake.
    :ivar reason: words, may be empty.
    :ivar clean: whether both sides completed the closing handshake.
    """

    code: int
    reason: str
    clean: bool


Event = Message | Piece | Opened | Reply | Ping | Pong | Closed | Failed


def size_of(event: Event) -> int:
    """Return the bytes that an event takes, about."""
    data = event.data if isinstance(event, (Piece, Reply)) else event
    return len(data) if isinstance(data, (str, bytes)) else 0


class Codec(Protocol):
    """One connection's protocol state: bytes in, events out; messages in, bytes out. No I/O, no clock."""

    version: int
    """76 or 75; the number in ``Sec-WebSocket-Version`` for later versions."""

    is_client: bool
    """Whether this is the client's end."""

    opens_at_once: bool
    """Whether nothing of the opening handshake is to come any more."""

    has_closing_handshake: bool
    """Whether the peer will answer what :meth:`close` returns; if not, dropping TCP is all there is."""

    has_control_frames: bool
    """Whether there are pings, and whether a message may be closed in its midst."""

    control_budget: int
    """How many control frames may still come; the codec's owner, who has a clock, refills it."""

    has_more: bool
    """Whether there is more in what arrived: what is compressed may come out a thousand times as large, so not all
    is made at once. ``receive(b"")`` goes on; nothing else is to be received before."""

    def receive(self, data: bytes) -> list[Event]:
        """Take what arrived, however it was cut, and tell what it completed.

        Call it once with what came along with the handshake, even if that is nothing: a version whose
        handshake is complete by then answers :class:`Opened`.
        """

    def encode(self, message: Message, *, compress: bool = True) -> bytes:
        """Return the bytes that carry a message.

        :param compress: whether to compress it, if that was agreed upon and it is worth it.
        :raises UnsupportedMessage: if this version has no such kind of message.
        """

    def split(self, message: Message, *, compress: bool = True) -> tuple[bytes, bytes | memoryview] | None:
        """Return what :meth:`encode` does as head and payload, so that a large payload need not be copied.

        :returns: None if it has to be: masked, compressed, or of a version whose frames have more than these two.
        """

    def encode_part(self, data: Message, *, final: bool, compress: bool = True) -> bytes:
        """Return the bytes that carry the next part of a message; the first part sets its kind.

        :param compress: counts with the first part.
        :raises UnsupportedMessage: if this version has no such kind of message.
        """

    def variant(self, kind: type[Message], compress: bool) -> Hashable:
        """Return a value that is equal for codecs whose :meth:`encode` returns the same bytes for the same
        message; None for a codec that is like no other, as its compression remembers what it sent."""

    def ping(self, payload: bytes) -> bytes:
        """Return the bytes that ask the peer whether it lives.

        :raises UnsupportedMessage: if this version has no control frames.
        """

    def close(self, code: int, reason: str) -> bytes:
        """Return the bytes that start, or answer, the closing handshake: empty if that was done already, or
        if this version has none. Codes and reasons that a version cannot carry are left out.

        :param code: 1005 for none.
        :raises InvalidCloseCode: if the version has codes, and this one must not be sent.
        """
