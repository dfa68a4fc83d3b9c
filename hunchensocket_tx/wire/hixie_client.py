"""The opening handshake of hixie-76 at the client. Section numbers are those of hybi-00."""

from __future__ import annotations

import re
import secrets
from random import Random, SystemRandom

from hunchensocket_tx.errors import HandshakeFailed
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.answer import Answer
from hunchensocket_tx.wire.headers import shown
from hunchensocket_tx.wire.hixie import KEY3_SIZE, HixieCodec, challenge_response
from hunchensocket_tx.wire.hixie_handshake import MAX_NUMBER
from hunchensocket_tx.wire.opening import Agreement, HeaderFields, render_head
from hunchensocket_tx.wire.refusals import check_switched

__all__ = ["HixieClientHandshake", "make_key"]

_SUBPROTOCOL = re.compile(r"[!-~](?:[ -~]*[!-~])?\Z")  # blanks at its ends would not arrive
_NOISE = [chr(code) for code in (*range(0x21, 0x30), *range(0x3A, 0x7F))]


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


class HixieClientHandshake:
    """The client's end of a hixie-76 handshake (4.1).

    :param host: the server's host, with the port if it is not the default one.
    :param target: path and query.
    :param settings: limits for the codec.
    :param secure: whether the connection is TLS.
    :param origin: the origin to claim; hixie-76 servers demand one.
    :param subprotocol: the one protocol to ask for, if any.
    :param headers: more fields, such as Cookie.
    :param pieces: whether messages are to be yielded as pieces.
    :param random: where keys come from; the system's by default.

    :ivar request: what to send.
    :raises ValueError: if the target, the subprotocol or a field cannot be sent.
    """

    version = 76

    def __init__(
        self,
        host: str,
        target: str,
        settings: Settings,
        *,
        secure: bool = False,
        origin: str,
        subprotocol: str | None = None,
        headers: HeaderFields = (),
        pieces: bool = False,
        random: Random | None = None,
    ) -> None:
        if not target.startswith("/") or not all("!" <= char <= "~" for char in target):
            raise ValueError(f"{target!r} is not a path of printable ASCII")
        if subprotocol is not None and not _SUBPROTOCOL.match(subprotocol):
            raise ValueError(f"{subprotocol!r} cannot be asked for as a subprotocol: give printable ASCII")
        random = random or SystemRandom()
        host = host.lower()
        self._settings = settings
        self._pieces = pieces
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

    def check(self, answer: Answer) -> Agreement:
        """Check the head of the server's answer (4.1 steps 32 to 41).

        :returns: what was agreed upon; its codec is for what follows the head, the challenge's response first.
        :raises HandshakeFailed: if the client has to give up.
        """
        check_switched(answer, self.version)
        wanted = {"upgrade": "WebSocket", "sec-websocket-location": self._location}
        if self._subprotocol is not None:
            wanted["sec-websocket-protocol"] = self._subprotocol
        elif answer.all("sec-websocket-protocol"):
            raise HandshakeFailed("the server chose a subprotocol, but none was asked for")
        for name, value in wanted.items():
            if list(answer.all(name)) != [value]:
                raise HandshakeFailed(f"the server's {name} is {shown(str(answer.all(name)))}, not {value!r}")
        for name, value in (("connection", "upgrade"), ("sec-websocket-origin", self._origin.lower())):
            if [line.lower() for line in answer.all(name)] != [value]:
                raise HandshakeFailed(f"the server's {name} is {shown(str(answer.all(name)))}, not {value!r}")
        codec = HixieCodec(self._settings, client=True, pieces=self._pieces, expected_response=self._response)
        return Agreement(codec, self._subprotocol)
