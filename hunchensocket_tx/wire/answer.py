"""HTTP answers, as they come to who asked for an upgrade, or a proxy for a tunnel."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace

from hunchensocket_tx.errors import HandshakeFailed
from hunchensocket_tx.wire.headers import is_field_value, is_token

__all__ = ["Answer", "AnswerReader"]

MAX_HEAD = 65536
"""Bytes of a head, over which it is refused."""

MAX_FIELDS = 200

MAX_BODY = 4096
"""Bytes of a body that are kept."""

MAX_CHUNK_LINE = 256
"""Bytes of the line before a chunk, its end included."""

_TLS_ALERT = b"\x15"
_STATUS_LINE = re.compile(r"HTTP/(1\.[01]) ([1-5][0-9][0-9])(?: (.*))?\Z")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?\Z")


@dataclass(frozen=True)
class Answer:
    """An answer's head, and the start of its body.

    :ivar http_version: ``1.1`` or ``1.0``.
    :ivar fields: field names in lower case, and their values line by line, trimmed; bytes read as ISO 8859-1.
    :ivar body: empty if what follows the head is no body.
    """

    status: int
    reason: str
    fields: Mapping[str, Sequence[str]]
    http_version: str = "1.1"
    body: bytes = b""

    def all(self, name: str) -> Sequence[str]:
        """Return the values of a field, given in lower case; empty if it is absent."""
        return self.fields.get(name, ())


class AnswerReader:
    """Reads one answer (RFC 9112), past interim ones such as 100.

    :param bodiless: statuses behind whose head something else begins, as frames do behind that of a 101.

    :ivar rest: what arrived behind the head of such an answer.
    """

    def __init__(self, bodiless: Container[int]) -> None:
        self.rest = b""
        self._bodiless = bodiless
        self._data = b""
        self._seen = 0  # bytes in which no head ends
        self._head: Answer | None = None
        self._body = _Body(0)

    def receive(self, data: bytes) -> Answer | None:
        """Take what arrived, however it was cut.

        :returns: the answer, once it is complete, or as much of its body as is kept; None before.
        :raises HandshakeFailed: if this is not HTTP.
        """
        self._data += data
        while self._head is None:
            end = self._data.find(b"\r\n\r\n", max(0, self._seen - 3))
            self._check_start(end)
            if end < 0:
                self._seen = len(self._data)
                return None
            head, self._data, self._seen = _parse_head(self._data[:end]), self._data[end + 4 :], 0
            if head.status in self._bodiless:
                self.rest, self._data = self._data, b""
                return head
            if head.status >= 200:
                self._head, self._body = head, _body(head)
            elif head.status == 101:
                raise HandshakeFailed("the server switches to another protocol, which nobody asked for")
        data, self._data = self._data, b""
        return replace(self._head, body=self._body.start) if self._body.receive(data) else None

    def end(self) -> Answer:
        """Return what there is, as nothing more will come.

        :raises HandshakeFailed: if not even a head is complete.
        """
        if self._head is None:
            what = "in the midst of its answer" if self._data else "without an answer"
            raise HandshakeFailed(
                f"the server closed the connection {what} to the opening handshake: it may want TLS (wss:) or "
                "another version (13, or 76 for hixie-76); its log may tell more"
            )
        return replace(self._head, body=self._body.start)

    def _check_start(self, end: int) -> None:
        """Judge what can be judged before a head is complete, so that nobody waits for what never comes."""
        start = self._data[:7]
        if start != b"HTTP/1."[: len(start)]:
            if start.startswith(_TLS_ALERT):
                raise HandshakeFailed(
                    "this is not a web server, but one that speaks TLS: say wss:// (or https://)"
                )
            raise HandshakeFailed(f"this is not a web server: it begins with {self._data[:20]!r}")
        # Of an end that is yet to come, three bytes may be there.
        if (len(self._data) - 3 if end < 0 else end) > MAX_HEAD:
            raise HandshakeFailed(f"the head of the server's answer is over {MAX_HEAD} bytes")


def _parse_head(data: bytes) -> Answer:
    first, *lines = data.decode("latin-1").split("\r\n")
    match = _STATUS_LINE.match(first)
    if match is None or not is_field_value(first):
        raise HandshakeFailed(f"this is not the status line of an HTTP answer: {first[:80]!r}")
    if len(lines) > MAX_FIELDS:
        raise HandshakeFailed(f"the server's answer has over {MAX_FIELDS} fields")
    fields: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not is_token(name) or not is_field_value(value):
            raise HandshakeFailed(f"this is not a field of an HTTP answer: {line[:80]!r}")
        fields.setdefault(name.lower(), []).append(value.strip(" \t"))
    return Answer(int(match[2]), match[3] or "", fields, match[1])


def _body(head: Answer) -> _Body:
    """Return what collects the body behind a head (RFC 9112 section 6.3)."""
    if head.status in (204, 304):
        return _Body(0)
    if head.all("transfer-encoding"):
        return _ChunkedBody(MAX_BODY)
    sizes = head.all("content-length")
    if len(set(sizes)) == 1 and sizes[0].isascii() and sizes[0].isdigit():
        return _Body(min(int(sizes[0][:9]), MAX_BODY))
    return _Body(MAX_BODY)


class _Body:
    """Collects a body.

    :param size: how many bytes are wanted of it.

    :ivar start: what there is.
    """

    def __init__(self, size: int) -> None:
        self.start = b""
        self._size = size

    def receive(self, data: bytes) -> bool:
        """Take what arrived; tell whether there is as much as is wanted, or nothing more to come."""
        self.start += data[: self._size - len(self.start)]
        return len(self.start) >= self._size


class _ChunkedBody(_Body):
    """Takes chunks apart, each when it arrives (RFC 9112 section 7.1)."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._data = b""
        self._left = 0  # bytes of a chunk, with those of its line end

    def receive(self, data: bytes) -> bool:
        self._data += data
        while self._data:
            if self._left:
                piece, self._data = self._data[: self._left], self._data[self._left :]
                if super().receive(piece[: max(0, self._left - 2)]):
                    return True
                self._left -= len(piece)
                continue
            end = self._data.find(b"\r\n", 0, MAX_CHUNK_LINE)
            if end < 0:
                return len(self._data) >= MAX_CHUNK_LINE
            size = _CHUNK_SIZE.match(self._data[:end])
            if size is None or not int(size[1], 16):
                return True  # the last one, or nonsense, at which the quotation may end as well
            self._left, self._data = int(size[1], 16) + 2, self._data[end + 2 :]
        return False
