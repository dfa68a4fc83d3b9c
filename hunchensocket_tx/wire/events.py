"""What a codec yields, in the order in which it happened on the wire.

A message is a plain ``str`` (text) or ``bytes`` (binary), with no object around it. Everything else is one
of the small values below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["CloseReason", "Closed", "Codec", "Event", "Failed", "Message", "Opened", "Reply"]

Message = str | bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """The opening handshake is complete; messages may flow from here on."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Bytes that the protocol owes the peer; write them at this point of the order."""

    data: bytes


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


Event = Message | Opened | Reply | Closed | Failed


class Codec(Protocol):
    """One connection's protocol state: bytes in, events out; messages in, bytes out. No I/O, no clock."""

    version: int
    """76 or 75; the number in ``Sec-WebSocket-Version`` for later versions."""

    has_closing_handshake: bool
    """Whether the peer will answer what :meth:`close` returns; if not, dropping TCP is all there is."""

    def receive(self, data: bytes) -> list[Event]:
        """Take what arrived, however it was cut, and tell what it completed.

        Call it once with what came along with the handshake, even if that is nothing: a version whose
        handshake is complete by then answers :class:`Opened`.
        """

    def encode(self, message: Message) -> bytes:
        """Return the bytes that carry a message.

        :raises UnsupportedMessage: if this version has no such kind of message.
        """

    def close(self, code: int, reason: str) -> bytes:
        """Return the bytes that start, or answer, the closing handshake: empty if that was done already, or
        if this version has none. Codes and reasons that a version cannot carry are left out."""
