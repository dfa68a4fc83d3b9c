"""A twisted.web request that is made of its head alone, and taken apart only if somebody looks into it."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.web.http import datetimeToString, parse_qs
from twisted.web.server import Request, version

__all__ = ["HeadRequest"]

LATER = frozenset(
    (
        "_adapterCache",
        "_parsePOSTFormSubmission",
        "cookies",
        "host",
        "queued",
        "received_cookies",
        "requestHeaders",
        "responseHeaders",
        "transport",
    )
)
"""What a request gets when it is taken apart: most of what takes time to make, and few dispatchers need."""


class HeadRequest(Request):
    """A request without a body.

    :param head: from its first line to its last field, each ended by CR LF but the last; a valid HTTP/1.1 head.
    :param channel: what it came on.
    :param prepath_size: how many segments of the path lead to the resource that serves it.

    :ivar head: as given.
    """

    def __init__(self, head: bytes, channel: Any, prepath_size: int = 0) -> None:
        self.head = head
        self.channel = channel
        self.method, self.uri, self.clientproto = head.partition(b"\r\n")[0].split(b" ")
        self.path, _, query = self.uri.partition(b"?")
        self.args = parse_qs(query, True) if query else {}
        segments = [unquote_to_bytes(segment) for segment in self.path[1:].split(b"/")]
        self.prepath, self.postpath = segments[:prepath_size], segments[prepath_size:]
        self.site = channel.site
        self.sitepath: list[bytes] = []
        self.client = channel.getPeer()
        self.content = BytesIO()
        self.notifications = []

    @property
    def is_untouched(self) -> bool:
        """Whether nobody has looked into it, let alone changed it."""
        return LATER.isdisjoint(self.__dict__)

    def getHeader(self, key: Any) -> Any:
        """Return the last value of a field (IRequest)."""
        if not self.is_untouched:
            return super().getHeader(key)
        name = key.encode("latin-1") if isinstance(key, str) else key
        if b"\n" + name.lower() + b":" not in self.head.lower():
            return None
        found = re.findall(rb"(?i)\n" + re.escape(name) + rb":([^\r]*)", self.head)
        value: bytes | None = found[-1].strip(b" \t") if found else None
        return value.decode("utf-8") if value is not None and isinstance(key, str) else value

    def fields(self) -> dict[str, list[str]]:
        """Return the header fields as text, names in lower case."""
        fields: dict[str, list[str]] = {}
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            name, _, value = line.partition(":")
            fields.setdefault(name.lower(), []).append(value.strip(" \t"))
        return fields

    def __getattr__(self, name: str) -> Any:
        if name not in LATER or "_adapterCache" in self.__dict__:  # which only twisted.web sets
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self._take_apart()
        return getattr(self, name)

    def _take_apart(self) -> None:
        """Do what twisted.web does with a request when it has come."""
        before = dict(self.__dict__)
        super().__init__(self.channel)  # type: ignore[no-untyped-call]
        for line in self.head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            self.requestHeaders.addRawHeader(name, value.strip(b" \t"))
        self.parseCookies()  # type: ignore[no-untyped-call]
        self.responseHeaders.setRawHeaders(b"Server", [version])
        self.responseHeaders.setRawHeaders(b"Date", [datetimeToString()])
        self.__dict__.update(before)  # what somebody has set already counts
