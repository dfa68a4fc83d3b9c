"""A request whose body is bounded while it arrives: too large a one is neither kept nor parsed."""

from __future__ import annotations

from typing import Any

from twisted.web.server import Request

__all__ = ["BoundedRequest"]

PATIENCE = 16
"""How many times the limit a client may send, and still be answered that it was too much."""


class BoundedRequest(Request):
    """A request that is answered with 413, by its site, if its body is larger than a limit.

    Bodies are read to their ends, as a client that is still sending does not read its answer. One that goes on and
    on loses its connection.

    :param limit: most bytes of a body.
    """

    def __init__(self, limit: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self._limit = limit
        self._arrived = 0

    def gotLength(self, length: int | None) -> None:
        """Take notice how much is announced, if it is (IRequest of Twisted's channels)."""
        super().gotLength(length if length is None or length <= self._limit else 0)  # type: ignore[no-untyped-call]

    def handleContentChunk(self, data: bytes) -> None:
        """Keep a part of the body, unless that is too much."""
        self._arrived += len(data)
        if self._arrived <= self._limit:
            super().handleContentChunk(data)  # type: ignore[no-untyped-call]
        elif self._arrived > PATIENCE * self._limit:
            self.loseConnection()  # type: ignore[no-untyped-call]
        else:
            content: Any = self.content
            content.seek(0)
            content.truncate()

    def process(self) -> None:
        """Have the site find a resource for it, or refuse it."""
        if self._arrived <= self._limit:
            super().process()  # type: ignore[no-untyped-call]
            return
        body = f"a request's body may have {self._limit} bytes here\n".encode()
        answer: Any = self
        answer.setResponseCode(413)
        answer.setHeader(b"content-type", b"text/plain; charset=utf-8")
        answer.setHeader(b"content-length", b"%d" % len(body))
        answer.setHeader(b"connection", b"close")
        answer.write(body)
        answer.finish()
