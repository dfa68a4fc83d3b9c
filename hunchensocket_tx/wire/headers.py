"""Small strict parsers for the header fields of an opening handshake. None of them raises on bad input."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["Origin", "forwarded_parameters", "host_with_port", "is_field_value", "parse_origin", "tokens"]

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([a-z0-9._~%!$&'()*+,;=-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?\Z")
_HOST = re.compile(r"([a-z0-9._~%!$&'()*+,;=-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?\Z")
_FORWARDED_PAIR = re.compile(r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=(?:"([^"\\]*)"|([^\s;,"]+))\s*\Z')


class Origin(NamedTuple):
    """A parsed origin (RFC 6454): equal to another if scheme, host and port are."""

    scheme: str
    host: str
    port: int | None


def tokens(values: Iterable[str]) -> list[str]:
    """Return the tokens of a comma-separated list that may be spread over several lines, lower-cased.

    Empty elements are left out, and so is what is not a token (RFC 9110 sections 5.6.1 and 5.6.2).
    """
    parts = (part.strip(" \t") for value in values for part in value.split(","))
    return [part.lower() for part in parts if _TOKEN.match(part)]


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


def forwarded_parameters(values: Iterable[str]) -> dict[str, str]:
    """Return the parameters of the last element of a ``Forwarded`` field (RFC 7239), names lower-cased.

    The last element is the one that the nearest proxy added.
    """
    elements = [element for value in values for element in value.split(",")]
    pairs = (_FORWARDED_PAIR.match(pair) for pair in elements[-1].split(";")) if elements else ()
    return {pair[1].lower(): pair[2] if pair[2] is not None else pair[3] for pair in pairs if pair}


def is_field_value(text: str) -> bool:
    """Tell whether a text can be sent as a field value: nothing that would end the line, ISO 8859-1 only."""
    return all(char == "\t" or (" " <= char <= "\xff" and char != "\x7f") for char in text)
