"""How HTTP requests are answered: with what a transport has for them, or with an error as clients know them."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from twisted.web.http_headers import Headers
from twisted.web.server import Request

from hunchensocket_tx.cascade import Reject

__all__ = [
    "BAD_METHOD",
    "BAD_REQUEST",
    "BUSY",
    "FORBIDDEN",
    "INTERNAL_ERROR",
    "JSON",
    "TEXT",
    "TOO_LARGE",
    "UNKNOWN_SESSION",
    "UNKNOWN_TRANSPORT",
    "UNSUPPORTED_PROTOCOL",
    "RequestError",
    "answer",
    "answer_error",
    "is_gone",
    "prepare_answer",
    "read_body",
    "reject",
]

TEXT = b"text/plain; charset=UTF-8"
JSON = b"application/json"

RETRY_AFTER = 5
"""Seconds after which a client may try again (RFC 9110 section 10.2.3)."""

_REASONS = {413: b"Content Too Large"}


class RequestError(NamedTuple):
    """Why a request is not served.

    :ivar code: as Engine.IO numbers the reasons, or None where it has none.
    :ivar message: what the client is told.
    :ivar status: of the HTTP answer.
    """

    code: int | None
    message: str
    status: int = 400

    @property
    def body(self) -> bytes:
        """The answer's body, JSON."""
        told = {"message": self.message} if self.code is None else {"code": self.code, "message": self.message}
        return json.dumps(told, separators=(",", ":")).encode()


UNKNOWN_TRANSPORT = RequestError(0, "Transport unknown")
UNKNOWN_SESSION = RequestError(1, "Session ID unknown")
BAD_METHOD = RequestError(2, "Bad handshake method")
BAD_REQUEST = RequestError(3, "Bad request")
FORBIDDEN = RequestError(4, "Forbidden", 403)
UNSUPPORTED_PROTOCOL = RequestError(5, "Unsupported protocol version")
TOO_LARGE = RequestError(None, "Payload too large", 413)
INTERNAL_ERROR = RequestError(None, "Internal error", 500)
BUSY = RequestError(None, "The server is busy", 503)


def is_gone(request: Request) -> bool:
    """Tell whether a request's client has left, so that there is nobody to answer."""
    return getattr(request, "channel", None) is None


def answer(request: Request, body: bytes, content_type: bytes = TEXT, status: int = 200) -> None:
    """Answer a request, with what was set for it before; nothing happens if its client is gone.

    The answer is not to be kept by anybody, nor taken for what it does not say it is.
    """
    if is_gone(request):
        return
    if status != 200:
        request.setResponseCode(status, _REASONS.get(status))
    prepare_answer(request, body, content_type)
    request.write(body)
    request.finish()


def prepare_answer(request: Request, body: bytes, content_type: bytes) -> None:
    """Set the fields of an answer."""
    fields: Headers = request.responseHeaders
    fields.setRawHeaders(b"content-type", [content_type])
    fields.setRawHeaders(b"content-length", [b"%d" % len(body)])
    fields.setRawHeaders(b"cache-control", [b"no-store"])
    fields.setRawHeaders(b"x-content-type-options", [b"nosniff"])


def answer_error(request: Request, error: RequestError) -> None:
    """Answer a request with an error, as JSON; nothing happens if its client is gone."""
    if error.status == 503:
        request.setHeader(b"retry-after", b"%d" % RETRY_AFTER)
    answer(request, error.body, JSON, error.status)


def reject(error: RequestError) -> Reject:
    """Return an error as the answer to a request for a WebSocket."""
    fields = [("Content-Type", JSON.decode())]
    if error.status == 503:
        fields.append(("Retry-After", str(RETRY_AFTER)))
    return Reject(error.status, error.body, fields)


def read_body(request: Request, limit: int) -> bytes | None:
    """Return what a request brought, or None if that is more than so many bytes."""
    content: Any = request.content
    size: int = content.seek(0, 2)
    if size > limit:
        return None
    content.seek(0)
    body: bytes = content.read()
    return body
