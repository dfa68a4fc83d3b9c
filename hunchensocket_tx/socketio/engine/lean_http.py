"""HTTP/1.1 as clients that poll speak it, and not a bit more: requests in, answers out.

Whatever is unusual about a request, :class:`Unusual` says; it is for twisted.web then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from time import time
from typing import NamedTuple

from twisted.web.http import RESPONSES, datetimeToString

__all__ = ["Head", "Unusual", "content_type_of", "field_lines", "make_answer", "read_head"]

MAX_HEAD = 16384
"""Bytes of a head, as in twisted.web."""

MAX_DIGITS = 9

_LINE = re.compile(rb"(GET|POST) ([!->@-~]+)\?([!-~]+) HTTP/1\.1\r\n")
_FIELD = re.compile(rb"\r\n([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e\x80-\xff]*)")
_LENGTHS = (b"\r\nContent-Length: ", b"\r\ncontent-length: ")
_UNUSUAL = frozenset({b"content-length", b"transfer-encoding", b"expect", b"trailer", b"upgrade"})


class Unusual(Exception):
    """A request is not as polls are."""


class Head(NamedTuple):
    """The head of a request.

    :ivar line: its first line, without its end.
    :ivar path: that it asks for.
    :ivar parameters: of the query; of equal names, the last one counts.
    :ivar fields: the others, each behind a CR LF, but for the length of the body.
    :ivar size: how many bytes it has, with the empty line.
    :ivar body_size: how many follow; None for GET.
    """

    line: bytes
    path: bytes
    parameters: dict[bytes, bytes]
    fields: bytes
    size: int
    body_size: int | None


def read_head(data: bytes) -> Head | None:
    """Return the head that data begins with, as soon as it is complete. Its fields are not looked at.

    :raises Unusual: if it is none of a GET or POST with a query, or if the length of a POST's body is not told in
        the usual way.
    """
    size = data.find(b"\r\n\r\n") + 4
    if size < 4:
        if len(data) > MAX_HEAD:
            raise Unusual
        return None
    match = _LINE.match(data)
    if match is None or size > MAX_HEAD:
        raise Unusual
    method, path, query = match.groups()
    if b";" in query:  # which some take for "&"
        raise Unusual
    parameters = {name: value for name, _, value in [pair.partition(b"=") for pair in query.split(b"&")]}
    start, end = match.end() - 2, size - 4
    line = data[:start]
    if method == b"GET":
        return Head(line, path, parameters, data[start:end], size, None)
    body_size, fields = _without_length(data, start, end)
    return Head(line, path, parameters, fields, size, body_size)


def _without_length(data: bytes, start: int, end: int) -> tuple[int, bytes]:
    """Return the length of a body, and the fields but for the one that says so.

    :param start: where the fields start.
    :param end: where they end.
    """
    for name in _LENGTHS:
        found = data.find(name, start, end)
        if found >= 0:
            break
    else:
        raise Unusual
    rest = data.index(b"\r\n", found + len(name))
    digits = data[found + len(name) : rest]
    if not digits.isdigit() or len(digits) > MAX_DIGITS:
        raise Unusual
    return int(digits), data[start:found] + data[rest:end]


def content_type_of(fields: bytes) -> str:
    """Return what fields say of the body; empty if nothing.

    :param fields: as in :class:`Head`.
    :raises Unusual: if one of them is none, or changes what belongs to the request or becomes of the connection.
    """
    position, content_type = 0, ""
    while position < len(fields):
        match = _FIELD.match(fields, position)
        if match is None:
            raise Unusual
        position = match.end()
        name, value = match[1].lower(), match[2].strip(b" \t")
        if name in _UNUSUAL or (name == b"connection" and value.lower() != b"keep-alive"):
            raise Unusual
        if name == b"content-type":
            content_type = value.decode("latin-1")
    return content_type


def field_lines(fields: Iterable[tuple[bytes, Sequence[bytes]]]) -> bytes:
    """Return fields as they are written."""
    return b"".join(b"%b: %b\r\n" % (name, value) for name, values in fields for value in values)


def make_answer(status: int, fields: bytes, content_type: bytes, body: bytes) -> bytes:
    """Return an answer.

    :param fields: all, as :func:`field_lines` returns them, but for the date and what tells of the body.
    """
    return b"HTTP/1.1 %d %b\r\n%b%bContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (
        status,
        RESPONSES[status],
        fields,
        _date(),
        content_type,
        len(body),
        body,
    )


_dated = (0, b"")


def _date() -> bytes:
    """Return the field that says when an answer was made; it is the same for a second."""
    global _dated
    now = int(time())
    if now != _dated[0]:
        _dated = now, b"Date: %b\r\n" % datetimeToString()
    return _dated[1]
