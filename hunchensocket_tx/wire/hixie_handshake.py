"""The opening handshake of hixie-76 and -75, at both ends. Section numbers are those of hybi-00."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random, SystemRandom

from hunchensocket_tx.errors import HandshakeFailed
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.headers import is_field_value
from hunchensocket_tx.wire.hixie import KEY3_SIZE, HixieCodec, challenge_response
from hunchensocket_tx.wire.opening import HeaderFields, OpeningRequest, Refusal, render_head

__all__ = ["HixieClientHandshake", "HixieOffer", "hixie_subprotocols", "judge_hixie", "key_part", "make_key"]

MAX_NUMBER = 2**32 - 1

_DIGITS = frozenset("0123456789")
_NOISE = [chr(code) for code in (*range(0x21, 0x30), *range(0x3A, 0x7F))]


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


def make_key(random: Random) -> tuple[str, int]:
    """Return a key as a client has to make it, and the part that the server will find (4.1 steps 16 to 23)."""
    spaces = random.randint(1, 12)
    part = random.randint(0, MAX_NUMBER // spaces)
    key = list(str(part * spaces))
    for _ in range(random.randint(1, 12)):
        key.insert(random.randint(0, len(key)), random.choice(_NOISE))
    for _ in range(spaces):
        key.insert(random.randint(1, len(key) - 1), " ")
    return "".join(key), part


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


class HixieClientHandshake:
    """The client's end of a hixie-76 handshake (4.1).

    :param host: the server's host, with the port if it is not the default one.
    :param target: path and query.
    :param secure: whether the connection is TLS.
    :param origin: the origin to claim; hixie-76 servers demand one.
    :param subprotocol: the one protocol to ask for, if any.
    :param headers: more fields, such as Cookie.
    :param random: where keys come from; the system's by default.
    """

    def __init__(
        self,
        host: str,
        target: str,
        *,
        secure: bool = False,
        origin: str,
        subprotocol: str | None = None,
        headers: HeaderFields = (),
        random: Random | None = None,
    ) -> None:
        if not target.startswith("/") or not all("!" <= char <= "~" for char in target):
            raise ValueError(f"{target!r} is not a path of printable ASCII")
        random = random or SystemRandom()
        host = host.lower()
        self._origin = origin
        self._location = f"{'wss' if secure else 'ws'}://{host}{target}"
        self._subprotocol = subprotocol
        key1, part1 = make_key(random)
        key2, part2 = make_key(random)
        key3 = secrets.token_bytes(KEY3_SIZE)
        self._response = challenge_response(part1, part2, key3)
        fields = [
            ("Upgrade", "WebSocket"),
            ("Connection", "Upgrade"),
            ("Host", host),
            ("Origin", origin),
            ("Sec-WebSocket-Key1", key1),
            ("Sec-WebSocket-Key2", key2),
            *headers,
        ]
        if subprotocol is not None:
            fields.append(("Sec-WebSocket-Protocol", subprotocol))
        random.shuffle(fields)  # 4.1 step 26 wants a random order, so that no server relies on one
        self.request = render_head(f"GET {target} HTTP/1.1", fields) + key3

    def check(self, status: int, fields: Mapping[str, Sequence[str]]) -> None:
        """Check the head of the server's answer (4.1 steps 32 to 41).

        :param fields: names in lower case, values line by line.
        :raises HandshakeFailed: if the client has to give up.
        """
        if status != 101:
            raise HandshakeFailed(f"the server answered with status {status}, not 101")
        wanted = {"upgrade": "WebSocket", "sec-websocket-location": self._location}
        if self._subprotocol is not None:
            wanted["sec-websocket-protocol"] = self._subprotocol
        elif fields.get("sec-websocket-protocol"):
            raise HandshakeFailed("the server chose a subprotocol, but none was asked for")
        for name, value in wanted.items():
            if list(fields.get(name, ())) != [value]:
                raise HandshakeFailed(f"{name} is {list(fields.get(name, ()))!r}, not {value!r}")
        for name, value in (("connection", "upgrade"), ("sec-websocket-origin", self._origin.lower())):
            if [line.lower() for line in fields.get(name, ())] != [value]:
                raise HandshakeFailed(f"{name} is {list(fields.get(name, ()))!r}, not {value!r}")

    def codec(self, settings: Settings) -> HixieCodec:
        """Return the codec for what follows the head of the answer, the challenge's response first."""
        return HixieCodec(settings, client=True, expected_response=self._response)
