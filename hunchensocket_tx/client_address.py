"""The address of a request's client, which is told by proxies that are trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.web.server import Request

from hunchensocket_tx.head_request import HeadRequest
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.forwarded import forwarded_client

__all__ = ["comes_from_trusted_proxy", "set_client_address"]


def comes_from_trusted_proxy(request: Request, settings: Settings) -> bool:
    """Tell whether forwarded fields of a request are to be believed."""
    if not settings.trusted_proxies or request.channel is None:
        return False
    return settings.trusts(getattr(request.channel.getPeer(), "host", None))


def set_client_address(request: Request, settings: Settings) -> None:
    """Let a request's ``getClientAddress()`` be what a trusted proxy says, for dispatchers and the access log.

    The port is 0 if the proxy does not tell it, as in ``X-Forwarded-For``.
    """
    if not comes_from_trusted_proxy(request, settings):
        return
    client = forwarded_client(_forwarded_fields(request), settings.trusts)
    if client is not None:
        kind = IPv6Address if ":" in client.host else IPv4Address
        request.client = kind("TCP", client.host, client.port)


def _forwarded_fields(request: Request) -> Mapping[str, Sequence[str]]:
    if isinstance(request, HeadRequest) and request.is_untouched:
        return request.fields()
    names = ("forwarded", "x-forwarded-for")
    raw = {name: request.requestHeaders.getRawHeaders(name.encode(), []) for name in names}
    return {name: [value.decode("latin-1") for value in values] for name, values in raw.items()}
