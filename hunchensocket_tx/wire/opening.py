"""The values of an opening handshake: what was asked, what is offered, what is refused, what is agreed upon."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hunchensocket_tx.wire.answer import Answer
from hunchensocket_tx.wire.events import Codec
from hunchensocket_tx.wire.headers import is_field_value

__all__ = [
    "Agreement",
    "ClientHandshake",
    "HeaderFields",
    "Offer",
    "OpeningRequest",
    "Refusal",
    "check_extra_headers",
    "render_head",
]

HeaderFields = Sequence[tuple[str, str]]
"""Fields to send, in order; a name may occur more than once."""

OWNED_FIELDS = frozenset({"connection", "content-length", "host", "transfer-encoding", "upgrade"})


@dataclass(frozen=True)
class OpeningRequest:
    """An HTTP request as the handshake sees it.

    :ivar method: as sent, ``GET``.
    :ivar target: the raw request target, query included.
    :ivar fields: field names in lower case, and their values line by line, trimmed; bytes read as ISO 8859-1.
    :ivar secure: whether it came over TLS.
    :ivar trusted: whether it came from a proxy whose forwarded fields are to be believed.
    :ivar http_version: as sent, ``HTTP/1.1``.
    """

    method: str
    target: str
    fields: Mapping[str, Sequence[str]]
    secure: bool = False
    trusted: bool = False
    http_version: str = "HTTP/1.1"

    def all(self, name: str) -> Sequence[str]:
        """Return the values of a field, given in lower case; empty if it is absent."""
        return self.fields.get(name, ())


@dataclass(frozen=True)
class Refusal:
    """An HTTP answer instead of a WebSocket.

    :ivar status: HTTP status code.
    :ivar reason: one line that says what is wrong and, where there is one, the mend.
    :ivar headers: more fields to send.
    :ivar cause: one word for what is wrong, of a small set, to count by.
    """

    status: int
    reason: str
    headers: HeaderFields = ()
    cause: str = "malformed"


class Offer(Protocol):
    """An opening handshake that may be accepted. Whether it is, a dispatcher decides."""

    @property
    def version(self) -> int:
        """The protocol version, 76 or 75, or the number in ``Sec-WebSocket-Version``."""

    @property
    def origin(self) -> str | None:
        """The Origin as sent, if any."""

    @property
    def secure(self) -> bool:
        """Whether the client's side of the connection is TLS."""

    @property
    def extensions(self) -> str:
        """The extensions to agree upon, as they stand in the header field; empty for none."""

    @property
    def subprotocols(self) -> tuple[str, ...]:
        """The subprotocols that the client can take, in its order of preference."""

    def accept(self, subprotocol: str | None, headers: HeaderFields) -> bytes:
        """Return the head of the answer, with the empty line that ends it."""

    def codec(self, *, pieces: bool = False) -> Codec:
        """Return the codec for what follows the head.

        :param pieces: whether it is to yield messages piece by piece.
        """


@dataclass(frozen=True)
class Agreement:
    """What a client and its server agreed upon.

    :ivar codec: for what follows the head of the server's answer.
    :ivar extensions: as they stand in the header field; empty for none.
    """

    codec: Codec
    subprotocol: str | None = None
    extensions: str = ""


class ClientHandshake(Protocol):
    """A client's opening handshake, of any version."""

    version: int

    request: bytes
    """What to send."""

    def check(self, answer: Answer) -> Agreement:
        """Judge the head of the server's answer.

        :raises HandshakeFailed: if the client has to give up.
        """


def check_extra_headers(headers: Iterable[tuple[str, str]]) -> HeaderFields:
    """Return fields that an application adds to a request or an answer, unchanged.

    :raises ValueError: for a field that belongs to the handshake, or one that would break out of its line.
    """
    checked = tuple(headers)
    for name, value in checked:
        lower = name.lower()
        if lower in OWNED_FIELDS or lower.startswith(("sec-websocket-", "websocket-")):
            raise ValueError(f"{name} belongs to the handshake and cannot be set")
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise ValueError(f"{name!r} is not the name of a header field")
        if not is_field_value(value):
            raise ValueError(f"the value of {name} has a character that a header field cannot carry")
    return checked


def render_head(first_line: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return a request's or an answer's head as bytes, with the empty line that ends it.

    :raises ValueError: if anything in it would break out of its line.
    """
    lines = [first_line, *(f"{name}: {value}" for name, value in headers), "", ""]
    if not is_field_value("".join(lines)):
        wrong = next(line for line in lines if not is_field_value(line))
        raise ValueError(f"{wrong!r} has a character that no line of a head can carry")
    return "\r\n".join(lines).encode("latin-1")
