"""The opening handshake of hixie-76 and -75, at the server. Section numbers are those of hybi-00."""

from __future__ import annotations

from dataclasses import dataclass

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.headers import is_field_value
from hunchensocket_tx.wire.hixie import HixieCodec
from hunchensocket_tx.wire.opening import HeaderFields, OpeningRequest, Refusal, render_head

__all__ = ["MAX_NUMBER", "HixieOffer", "hixie_subprotocols", "judge_hixie", "key_part"]

MAX_NUMBER = 2**32 - 1
"""The largest number that a key may hide."""

_DIGITS = frozenset("0123456789")


def key_part(key: str) -> int:
    """Return the number hidden in a key, divided by the key's spaces (5.2 steps 4 to 7).

    :raises ValueError: if the key has no digit or no space, hides more than 2**32-1 or is not divisible. Each
        is a sign of a peer that is no hixie-76 client, or of an attack across protocols.
    """
    digits = "".join(char for char in key if char in _DIGITS)
    # 10 digits are enough for 2**32-1; int() of a huge string would take long. Leading zeros count for nothing.
    if not digits or len(digits.lstrip("0")) > 10:
        raise ValueError("its number is missing" if not digits else "its number is over 4294967295")
    number, spaces = int(digits[-10:]), key.count(" ")
    if number > MAX_NUMBER:
        raise ValueError("its number is over 4294967295")
    if not spaces:
        raise ValueError("it has no spaces")
    if number % spaces:
        raise ValueError("its number is not a multiple of its spaces")
    return number // spaces


@dataclass(frozen=True)
class HixieOffer:
    """A hixie handshake that may be accepted.

    :ivar secure: whether the client's side is TLS.
    :ivar key_parts: what the two keys hide; None for version 75.
    :ivar location: the address that the client should have used; it compares (4.1 step 41).
    """

    version: int
    origin: str
    subprotocols: tuple[str, ...]
    location: str
    secure: bool
    key_parts: tuple[int, int] | None
    settings: Settings
    extensions: str = ""

    def accept(self, subprotocol: str | None, headers: HeaderFields) -> bytes:
        """Return the head of the answer (5.2 steps 10 to 12). Clients compare case, so mind it."""
        prefix = "Sec-" if self.version == 76 else ""
        phrase = "WebSocket" if self.version == 76 else "Web Socket"
        fields = [
            ("Upgrade", "WebSocket"),
            ("Connection", "Upgrade"),
            (f"{prefix}WebSocket-Origin", self.origin),
            (f"{prefix}WebSocket-Location", self.location),
        ]
        if subprotocol is not None:
            fields.append((f"{prefix}WebSocket-Protocol", subprotocol))
        return render_head(f"HTTP/1.1 101 {phrase} Protocol Handshake", [*fields, *headers])

    def codec(self, *, pieces: bool = False) -> HixieCodec:
        """Return the codec for what follows the head, key3 first."""
        return HixieCodec(self.settings, version=self.version, key_parts=self.key_parts, pieces=pieces)


def judge_hixie(
    request: OpeningRequest, settings: Settings, version: int, location: str, secure: bool
) -> HixieOffer | Refusal:
    """Judge what hixie-76 (or -75) demands beyond what all versions do (5.1, 5.2 steps 4 to 7).

    :param location: the address that the client should have used.
    :param secure: whether that is over TLS.
    """
    origins = request.all("origin")
    if len(origins) != 1 or not origins[0]:
        return Refusal(400, "there is not exactly one Origin")
    if not is_field_value(origins[0]):
        return Refusal(400, "the Origin has control characters")
    if request.all("transfer-encoding") or any(size != "8" for size in request.all("content-length")):
        return Refusal(400, "a body other than the eight bytes of key3 is announced")
    subprotocols = hixie_subprotocols(request)
    if isinstance(subprotocols, Refusal):
        return subprotocols
    parts = _key_parts(request) if version == 76 else None
    if isinstance(parts, Refusal):
        return parts
    return HixieOffer(version, origins[0], subprotocols, location, secure, parts, settings)


def _key_parts(request: OpeningRequest) -> tuple[int, int] | Refusal:
    parts = []
    for name in ("Sec-WebSocket-Key1", "Sec-WebSocket-Key2"):
        keys = request.all(name.lower())
        if len(keys) != 1:
            return Refusal(400, f"there is not exactly one {name}")
        try:
            parts.append(key_part(keys[0]))
        except ValueError as error:
            return Refusal(400, f"{name} is no such key: {error}")
    return parts[0], parts[1]


def hixie_subprotocols(request: OpeningRequest) -> tuple[str, ...] | Refusal:
    """Return what a client may mean: the one protocol of the draft, a list of words, or one with commas."""
    values = [*request.all("sec-websocket-protocol"), *request.all("websocket-protocol")]
    if len(values) > 1:
        return Refusal(400, "there is more than one field for the subprotocol")
    if not values or not values[0]:
        return ()
    value = values[0]
    if not all(" " <= char <= "~" for char in value):
        return Refusal(400, "the subprotocol is not printable ASCII")
    commas = [part.strip() for part in value.split(",")]
    words = [word.strip(",") for word in value.split()]
    return tuple(dict.fromkeys(part for part in (value, *commas, *words) if part))
