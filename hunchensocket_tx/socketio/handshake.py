"""How a client introduced itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from twisted.web.server import Request

__all__ = ["Handshake"]


@dataclass
class Handshake:
    """What is known of a client from the request that began its session (as ``socket.handshake`` of Socket.IO).

    Only what is asked for is made from the request's fields.

    :ivar address: its IP address, or that which a trusted proxy names.
    :ivar issued: when, in seconds since 1970.
    :ivar secure: whether TLS is used.
    :ivar url: path and query.
    :ivar auth: what the client gave for this namespace.
    """

    fields: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    address: str
    issued: float
    secure: bool
    url: str
    auth: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, request: Request, now: float) -> Handshake:
        """Return the handshake that a request is.

        :param now: the time, in seconds since 1970.
        """
        fields = tuple(
            (name.lower(), value) for name, values in request.requestHeaders.getAllRawHeaders() for value in values
        )
        address = getattr(request.getClientAddress(), "host", None) or ""
        return cls(fields, address, now, bool(request.isSecure()), request.uri.decode("latin-1"))

    @cached_property
    def headers(self) -> dict[str, str]:
        """The header fields, by their names in lower case."""
        joined: dict[str, str] = {}
        for name, value in self.fields:
            key, text = name.decode("latin-1"), value.decode("latin-1")
            joined[key] = f"{joined[key]}, {text}" if key in joined else text
        return joined

    @cached_property
    def query(self) -> dict[str, str]:
        """The fields of the query, without cache busters; of equal names, the last one counts."""
        return dict(parse_qsl(self.url.partition("?")[2], keep_blank_values=True))

    @property
    def time(self) -> str:
        """When, as text: an ISO 8601 time in UTC."""
        return datetime.fromtimestamp(self.issued, timezone.utc).isoformat(timespec="milliseconds")

    @property
    def cross_domain(self) -> bool:
        """Whether the client says of what origin it is, as pages of others do."""
        return any(name == b"origin" for name, _ in self.fields)

    def for_namespace(self, auth: dict[str, Any], *, in_query: bool) -> Handshake:
        """Return the same with what a client gave for a namespace.

        :param in_query: whether it gave that as a query, as clients before 3.x do; it is in ``query``, too, then.
        """
        named = replace(self, auth=auth)
        if in_query and auth:
            named.query = {**self.query, **auth}
        return named

    def as_dict(self) -> dict[str, Any]:
        """Return it as Node's servers have it, for clients and for other servers."""
        return {
            "headers": self.headers,
            "time": self.time,
            "address": self.address,
            "xdomain": self.cross_domain,
            "secure": self.secure,
            "issued": int(self.issued * 1000),
            "url": self.url,
            "query": self.query,
            "auth": self.auth,
        }
