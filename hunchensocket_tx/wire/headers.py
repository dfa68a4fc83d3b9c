"""Small strict parsers for the header fields of an opening handshake. None of them raises on bad input."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

__all__ = [
    "Extension",
    "forwarded_elements",
    "forwarded_parameters",
    "is_field_value",
    "is_token",
    "parse_extensions",
    "shown",
    "tokens",
]

_CHARS = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_FIELD_VALUE = re.compile(r"[\t -~\x80-\xff]*\Z")
_TOKEN = re.compile(rf"{_CHARS}\Z")
_FORWARDED_PAIR = re.compile(rf'\s*({_CHARS})=(?:"([^"\\]*)"|([^\s;,"]+))\s*\Z')
_PARAMETER = re.compile(rf'({_CHARS})(?:[ \t]*=[ \t]*({_CHARS}|"{_CHARS}"))?\Z')


class Extension(NamedTuple):
    """An element of ``Sec-WebSocket-Extensions``: its name, and its parameters with their values, if any."""

    name: str
    parameters: tuple[tuple[str, str | None], ...] = ()


def tokens(values: Iterable[str]) -> list[str]:
    """Return the tokens of a comma-separated list that may be spread over several lines, lower-cased.

    Empty elements are left out, and so is what is not a token (RFC 9110 sections 5.6.1 and 5.6.2).
    """
    parts = (part.strip(" \t") for value in values for part in value.split(","))
    return [part.lower() for part in parts if _TOKEN.match(part)]


def is_token(text: str) -> bool:
    """Tell whether a text is a token (RFC 9110 section 5.6.2)."""
    return _TOKEN.match(text) is not None


def forwarded_elements(values: Iterable[str]) -> list[dict[str, str]]:
    """Return the parameters of each element of a ``Forwarded`` field (RFC 7239), names lower-cased.

    Each proxy adds an element at the end. Nothing comes of a field with a quote left open.
    """
    return [_forwarded_element(element) for element in split_unquoted(",".join(values), ",")]


def forwarded_parameters(values: Iterable[str]) -> dict[str, str]:
    """Return the parameters of the last element of a ``Forwarded`` field, which the nearest proxy added."""
    elements = forwarded_elements(values)
    return elements[-1] if elements else {}


def _forwarded_element(text: str) -> dict[str, str]:
    pairs = [_FORWARDED_PAIR.match(pair) for pair in split_unquoted(text, ";")]
    return {pair[1].lower(): pair[2] if pair[2] is not None else pair[3] for pair in pairs if pair}


def parse_extensions(values: Iterable[str]) -> list[Extension]:
    """Return the extensions of a ``Sec-WebSocket-Extensions`` field that may be spread over several lines (9.1).

    An element that is malformed is left out, and thus declined.
    """
    return [
        extension
        for value in values
        for element in split_unquoted(value, ",")
        if (extension := _parse_extension(element)) is not None
    ]


def _parse_extension(text: str) -> Extension | None:
    name, *parts = [part.strip(" \t") for part in split_unquoted(text, ";")]
    matches = [_PARAMETER.match(part) for part in parts]
    if not _TOKEN.match(name) or not all(matches):
        return None
    return Extension(name, tuple((match[1], _unquoted(match[2])) for match in matches if match))


def _unquoted(value: str | None) -> str | None:
    return value[1:-1] if value is not None and value.startswith('"') else value


def split_unquoted(text: str, separator: str) -> list[str]:
    """Split at a separator, but not within quoted strings; nothing comes of a text with a quote left open."""
    parts, start, quoted, escaped = [], 0, False, False
    for position, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == '"':
            quoted = not quoted
        elif quoted:
            escaped = char == "\\"
        elif char == separator:
            parts.append(text[start:position])
            start = position + 1
    return [] if quoted else [*parts, text[start:]]


def shown(text: str) -> str:
    """Return what of a peer's words can stand in a line of a log."""
    return "".join(char for char in text[:200] if char.isprintable()).strip()


def is_field_value(text: str) -> bool:
    """Tell whether a text can be sent as a field value: nothing that would end the line, ISO 8859-1 only."""
    return _FIELD_VALUE.match(text) is not None
