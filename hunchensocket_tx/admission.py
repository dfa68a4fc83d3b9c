"""Who may still come in: limits to the number of WebSockets, judged before a dispatcher is asked."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.tally import Tally
from hunchensocket_tx.wire.opening import Refusal

__all__ = ["client_name", "judge_limits"]

RETRY_AFTER = 5
"""Seconds after which a client that was refused may try again (RFC 9110 section 10.2.3)."""

IPV6_PREFIX = 64
"""Bits of an IPv6 address that tell clients apart, as one network gives a host any number of addresses."""


def client_name(host: str | None) -> str | None:
    """Return what the limit by address counts a client by: its IPv4 address, or its IPv6 network.

    :param host: its address; None, or no IP address, for one that has none, as on unix sockets.
    """
    try:
        address = ip_address(host or "")
    except ValueError:
        return None
    address = getattr(address, "ipv4_mapped", None) or address
    if address.version == 4:
        return str(address)
    return str(ip_network((int(address), IPV6_PREFIX), strict=False))


def judge_limits(tally: Tally, settings: Settings, client: str | None) -> Refusal | None:
    """Return the refusal, with 503 and Retry-After, if one WebSocket more would be over a limit; None else.

    :param client: as :func:`client_name` returned it.
    """
    if settings.max_connections and tally.connections >= settings.max_connections:
        return _busy("there are too many WebSockets", "max_connections")
    most = settings.max_connections_per_address
    if most and client is not None and tally.clients.get(client, 0) >= most:
        return _busy("there are too many WebSockets from this address", "max_connections_per_address")
    if settings.max_handshakes and len(tally.opening) >= settings.max_handshakes:
        return _busy("too many WebSockets are being opened", "max_handshakes")
    return None


def _busy(reason: str, cause: str) -> Refusal:
    return Refusal(503, f"{reason}; try again later", [("Retry-After", str(RETRY_AFTER))], cause)
