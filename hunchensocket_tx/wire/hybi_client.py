"""The opening handshake of RFC 6455 (13) and its drafts 7 and 8, at the client. Section numbers are the RFC's."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace

from hunchensocket_tx.errors import HandshakeFailed
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.answer import Answer
from hunchensocket_tx.wire.deflate import Deflate, DeflateParameters
from hunchensocket_tx.wire.deflate_offer import DeflateOffer, agreed_parameters
from hunchensocket_tx.wire.headers import is_token, shown, tokens
from hunchensocket_tx.wire.hybi import HybiCodec
from hunchensocket_tx.wire.hybi_handshake import KEY_SIZE, accept_value
from hunchensocket_tx.wire.opening import Agreement, HeaderFields, render_head
from hunchensocket_tx.wire.refusals import check_switched

__all__ = ["HybiClientHandshake"]


class HybiClientHandshake:
    """The client's end of a handshake of version 13, 8 or 7 (4.1).

    :param host: the server's host, with the port if it is not the default one.
    :param target: path and query.
    :param settings: limits for the codec, and how to compress.
    :param origin: the origin to claim, if any; browsers send that of the page.
    :param subprotocols: those to offer, best first.
    :param offers: what to offer of permessage-deflate, best first.
    :param headers: more fields, such as Cookie.
    :param pieces: whether messages are to be yielded piece by piece.
    :param random: returns so many unpredictable bytes, for the key.

    :ivar request: what to send.
    :raises ValueError: if the target, a subprotocol or a field cannot be sent.
    """

    def __init__(
        self,
        host: str,
        target: str,
        settings: Settings,
        *,
        version: int = 13,
        origin: str | None = None,
        subprotocols: Sequence[str] = (),
        offers: Sequence[DeflateOffer] = (),
        headers: HeaderFields = (),
        pieces: bool = False,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        if not target.startswith("/") or not all("!" <= char <= "~" for char in target):
            raise ValueError(f"{target!r} is not a path of printable ASCII")
        for name in subprotocols:
            if not is_token(name) or subprotocols.count(name) > 1:
                raise ValueError(f"{name!r} cannot be offered as a subprotocol, or not twice: each is one word")
        self.version = version
        self._settings = settings
        self._subprotocols = tuple(subprotocols)
        self._offers = tuple(offers)
        self._pieces = pieces
        self._key = b64encode(random(KEY_SIZE)).decode()
        fields = [
            ("Host", host),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", self._key),
            ("Sec-WebSocket-Version", str(version)),
        ]
        if origin is not None:
            fields.append(("Origin" if version == 13 else "Sec-WebSocket-Origin", origin))
        if subprotocols:
            fields.append(("Sec-WebSocket-Protocol", ", ".join(subprotocols)))
        if offers:
            fields.append(("Sec-WebSocket-Extensions", ", ".join(map(str, offers))))
        self.request = render_head(f"GET {target} HTTP/1.1", [*fields, *headers])

    def check(self, answer: Answer) -> Agreement:
        """Check the head of the server's answer (4.1, its second list).

        :returns: what was agreed upon; its codec is for what follows the head.
        :raises HandshakeFailed: if the client has to give up.
        """
        check_switched(answer, self.version)
        if [value.lower() for value in answer.all("upgrade")] != ["websocket"]:
            raise HandshakeFailed(f"the server's Upgrade is {shown(str(answer.all('upgrade')))}, not 'websocket'")
        if "upgrade" not in tokens(answer.all("connection")):
            raise HandshakeFailed("the server's Connection does not name Upgrade")
        if list(answer.all("sec-websocket-accept")) != [accept_value(self._key)]:
            raise HandshakeFailed("the server's Sec-WebSocket-Accept does not prove that it read our key")
        deflate = agreed_parameters(answer.all("sec-websocket-extensions"), self._offers)
        extensions = "" if deflate is None else answer.all("sec-websocket-extensions")[0]
        return Agreement(self._codec(deflate), self._subprotocol(answer), extensions)

    def _subprotocol(self, answer: Answer) -> str | None:
        values = answer.all("sec-websocket-protocol")
        if not values:
            return None
        if len(values) > 1 or values[0] not in self._subprotocols:
            offered = ", ".join(self._subprotocols) or "none"
            raise HandshakeFailed(f"the server chose the subprotocol {shown(str(values))}; offered: {offered}")
        return values[0]

    def _codec(self, parameters: DeflateParameters | None) -> HybiCodec:
        deflate = None
        if parameters is not None:
            bits = min(parameters.client_max_window_bits, self._settings.compression_window_bits)
            parameters = replace(parameters, client_max_window_bits=bits)
            deflate = Deflate(parameters, self._settings, client=True)
        return HybiCodec(self._settings, version=self.version, client=True, deflate=deflate, pieces=self._pieces)
