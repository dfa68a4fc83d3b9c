"""permessage-deflate (RFC 7692): its negotiation at the client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hunchensocket_tx.errors import HandshakeFailed, InvalidSetting
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.deflate import EXTENSION, DeflateParameters
from hunchensocket_tx.wire.headers import Extension, parse_extensions, shown

__all__ = ["DeflateOffer", "agreed_parameters", "usual_offers"]


@dataclass(frozen=True)
class DeflateOffer:
    """One way of compressing that a client offers (7.1).

    :ivar server_no_context_takeover: whether the server has to start each message with an empty window.
    :ivar client_no_context_takeover: whether to tell that we will; a server may demand it in any case.
    :ivar server_max_window_bits: largest window of the server's as a power of two, 8 to 15; None for any.
    :ivar client_max_window_bits: whether the server may limit our window; a number, 8 to 15, also tells what we
        will not go beyond.
    :raises InvalidSetting: for other values.
    """

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int | None = None
    client_max_window_bits: int | bool = True

    def __post_init__(self) -> None:
        server, client = self.server_max_window_bits, self.client_max_window_bits
        for name, value, is_open in (
            ("server_max_window_bits", server, server is None),
            ("client_max_window_bits", client, isinstance(client, bool)),
        ):
            if not is_open and (type(value) is not int or not 8 <= value <= 15):
                raise InvalidSetting(f"{name}: give a number from 8 to 15, not {value!r}")

    def __str__(self) -> str:
        """Return the offer as it stands in the header field."""
        parts = [EXTENSION]
        if self.server_no_context_takeover:
            parts.append("server_no_context_takeover")
        if self.client_no_context_takeover:
            parts.append("client_no_context_takeover")
        if self.server_max_window_bits is not None:
            parts.append(f"server_max_window_bits={self.server_max_window_bits}")
        if self.client_max_window_bits is True:
            parts.append("client_max_window_bits")
        elif self.client_max_window_bits:
            parts.append(f"client_max_window_bits={self.client_max_window_bits}")
        return "; ".join(parts)

    def answered_by(self, answer: Extension) -> DeflateParameters | None:
        """Return what is agreed upon if this is the server's answer; None if it cannot be one to this offer."""
        given = dict(answer.parameters)
        if len(given) < len(answer.parameters) or not given.keys() <= _KNOWN:
            return None
        if any(given.get(name) is not None for name in _FLAGS):
            return None
        if any(name in given and given[name] not in _BITS for name in _WINDOWS):
            return None
        server_bits = int(given.get("server_max_window_bits") or 15)
        client_bits = int(given.get("client_max_window_bits") or 15)
        if self.server_no_context_takeover and "server_no_context_takeover" not in given:
            return None
        if server_bits > (self.server_max_window_bits or 15):
            return None
        limit = 15 if isinstance(self.client_max_window_bits, bool) else self.client_max_window_bits
        if "client_max_window_bits" in given and (not self.client_max_window_bits or client_bits > limit):
            return None
        return DeflateParameters(
            server_no_context_takeover="server_no_context_takeover" in given,
            client_no_context_takeover="client_no_context_takeover" in given or self.client_no_context_takeover,
            server_max_window_bits=server_bits,
            client_max_window_bits=min(client_bits, limit),
        )


_FLAGS = ("server_no_context_takeover", "client_no_context_takeover")
_WINDOWS = ("server_max_window_bits", "client_max_window_bits")
_KNOWN = {*_FLAGS, *_WINDOWS}
_BITS = frozenset(str(bits) for bits in range(8, 16))


def usual_offers(settings: Settings) -> tuple[DeflateOffer, ...]:
    """Return what to offer by default: the server's window as set and, for servers that cannot limit theirs, any.

    Of ours is said that it may be limited, not to what: some servers would answer more, and they must not.
    """
    if not settings.compression:
        return ()
    forget = not settings.compression_context_takeover
    bits = settings.compression_window_bits
    any_window = DeflateOffer(forget, forget, None, True)
    return (any_window,) if bits == 15 else (DeflateOffer(forget, forget, bits), any_window)


def agreed_parameters(values: Sequence[str], offers: Sequence[DeflateOffer]) -> DeflateParameters | None:
    """Return what the server's ``Sec-WebSocket-Extensions`` agrees upon; None if it is absent (4.1, 9.1).

    :raises HandshakeFailed: if the server answers what was not offered, or nonsense.
    """
    if not any(values):
        return None
    extensions = parse_extensions(values)
    fits: list[DeflateParameters] = []
    if len(extensions) == 1 and extensions[0].name == EXTENSION and "," not in ",".join(values):
        answers = (offer.answered_by(extensions[0]) for offer in offers)
        fits = [found for found in answers if found is not None]
    if not fits:
        raise HandshakeFailed(f"the server agrees on extensions that were not offered: {shown(str(list(values)))}")
    # Which offer this answers is not said, if it fits several: then we keep what each of them promised.
    return replace(
        fits[0],
        client_no_context_takeover=any(found.client_no_context_takeover for found in fits),
        client_max_window_bits=min(found.client_max_window_bits for found in fits),
    )
