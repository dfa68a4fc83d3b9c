"""The opening handshake of RFC 6455 (13) and its drafts 7 and 8, at the server. Section numbers are the RFC's."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha1

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.deflate import Deflate, DeflateParameters, negotiate
from hunchensocket_tx.wire.headers import is_token, parse_extensions
from hunchensocket_tx.wire.hybi import HybiCodec
from hunchensocket_tx.wire.opening import HeaderFields, OpeningRequest, Refusal, render_head

__all__ = ["HYBI_VERSIONS", "KEY_SIZE", "HybiOffer", "accept_value", "hybi_subprotocols", "judge_hybi"]

HYBI_VERSIONS = (13, 8, 7)

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

KEY_SIZE = 16
"""Bytes of a key, before base64."""


def accept_value(key: str) -> str:
    """Return what proves that the server read the key (4.2.2 step 5.4)."""
    # SHA-1 proves that the peer speaks the protocol; it protects nothing, so FIPS need not forbid it.
    digest = sha1((key + GUID).encode("latin-1"), usedforsecurity=False).digest()
    return b64encode(digest).decode()


@dataclass(frozen=True)
class HybiOffer:
    """A handshake of version 13, 8 or 7 that may be accepted."""

    version: int
    origin: str | None
    subprotocols: tuple[str, ...]
    secure: bool
    key: str
    deflate: DeflateParameters | None
    settings: Settings

    def accept(self, subprotocol: str | None, headers: HeaderFields) -> bytes:
        """Return the head of the answer (4.2.2)."""
        fields = [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", accept_value(self.key)),
        ]
        if subprotocol is not None:
            fields.append(("Sec-WebSocket-Protocol", subprotocol))
        if self.deflate is not None:
            fields.append(("Sec-WebSocket-Extensions", str(self.deflate)))
        return render_head("HTTP/1.1 101 Switching Protocols", [*fields, *headers])

    @property
    def extensions(self) -> str:
        """What was agreed upon, as it stands in the header field; empty for nothing."""
        return "" if self.deflate is None else str(self.deflate)

    def codec(self, *, pieces: bool = False) -> HybiCodec:
        """Return the codec for what follows the head."""
        deflate = None if self.deflate is None else Deflate(self.deflate, self.settings)
        return HybiCodec(self.settings, version=self.version, deflate=deflate, pieces=pieces)


def judge_hybi(request: OpeningRequest, settings: Settings, version: int, secure: bool) -> HybiOffer | Refusal:
    """Judge what RFC 6455 and its drafts demand beyond what all versions do (4.2.1)."""
    if request.http_version != "HTTP/1.1":
        return Refusal(400, "a WebSocket is opened with HTTP/1.1")
    if request.all("transfer-encoding") or any(size != "0" for size in request.all("content-length")):
        return Refusal(400, "a body is announced")
    keys = request.all("sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        return Refusal(400, "there is not exactly one Sec-WebSocket-Key of 16 bytes in base64")
    subprotocols = hybi_subprotocols(request)
    if isinstance(subprotocols, Refusal):
        return subprotocols
    origins = request.all("origin") or (request.all("sec-websocket-origin") if version < 13 else ())
    deflate = negotiate(parse_extensions(request.all("sec-websocket-extensions")), settings)
    return HybiOffer(version, origins[0] if origins else None, subprotocols, secure, keys[0], deflate, settings)


def hybi_subprotocols(request: OpeningRequest) -> tuple[str, ...] | Refusal:
    """Return the subprotocols that a client offers, best first (4.1, 11.3.4)."""
    values = request.all("sec-websocket-protocol")
    names = [name for value in values for part in value.split(",") if (name := part.strip(" \t"))]
    if not all(map(is_token, names)):
        return Refusal(400, "Sec-WebSocket-Protocol is not a list of names")
    return tuple(dict.fromkeys(names))


def _is_key(key: str) -> bool:
    try:
        return len(key) == 24 and len(b64decode(key, validate=True)) == KEY_SIZE
    except ValueError:
        return False
