"""Hosts, origins and WebSocket URLs: how they are written, and when two are the same."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["DEFAULT_PORTS", "Origin", "host_with_port", "normal_url", "parse_origin"]

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}

_NAME = r"[a-z0-9._~%!$&'()*+,;=-]+|\[[0-9a-f:.]+\]"
_HOST = re.compile(rf"({_NAME})(?::([0-9]{{1,5}}))?\Z")
_ORIGIN = re.compile(rf"([a-z][a-z0-9+.-]*)://({_NAME})(?::([0-9]{{1,5}}))?\Z")
_URL = re.compile(r"(wss?)://([^/?#@]+)(/[!-\"$->@-~]*)?\Z")


class Origin(NamedTuple):
    """A parsed origin (RFC 6454): equal to another if scheme, host and port are."""

    scheme: str
    host: str
    port: int | None


def parse_origin(text: str) -> Origin | None:
    """Parse a serialized origin or the start of a URL without path; None if it is not one, as ``null``."""
    if not (match := _ORIGIN.match(text.lower())):
        return None
    scheme, host, port = match.groups()
    return Origin(scheme, host, int(port) if port else DEFAULT_PORTS.get(scheme))


def host_with_port(text: str, scheme: str) -> str | None:
    """Return a Host value lower-cased and without the port that is the scheme's default; None if malformed.

    :param scheme: ``ws`` or ``wss``, ``http`` or ``https``.
    """
    if not (match := _HOST.match(text.lower())):
        return None
    host, port = match.groups()
    if port is None or int(port) == DEFAULT_PORTS[scheme]:
        return host
    return f"{host}:{int(port)}" if 0 < int(port) < 65536 else None


def normal_url(text: str) -> str | None:
    """Return a ws or wss URL with its host lower-cased and without the default port.

    :returns: None if it is no such URL, or has more to it than a scheme, a host and a path.
    """
    match = _URL.match(text)
    host = host_with_port(match[2], match[1]) if match else None
    return f"{match[1]}://{host}{match[3] or ''}" if match and host else None
