"""Which pages may talk to the server over HTTP, and what browsers are told of it (Cross-Origin Resource Sharing).

It is the same for all transports: what the setting ``origins`` says of WebSockets. What the application itself
says of a client, ``permission`` asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from twisted.web.server import Request

from hunchensocket_tx.client_address import comes_from_trusted_proxy
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.socketio.settings import SocketIOSettings
from hunchensocket_tx.wire.handshake import judge_page
from hunchensocket_tx.wire.headers import is_token
from hunchensocket_tx.wire.opening import OpeningRequest, Refusal

__all__ = ["admit_page", "answer_preflight", "judge_script"]

METHODS = b"GET, POST"

PREFLIGHT_AGE = 600
"""Seconds for which a browser may remember what it was told of a page."""


def admit_page(request: Request, settings: SocketIOSettings, limits: Settings) -> Refusal | None:
    """Judge the page that makes a request; if it is one of another origin that may, say so in the answer's fields.

    To be called before anything else, as browsers hide answers from pages that do not say so, errors, too.

    :returns: None if it may, or if it is no page; the refusal, with status and reason, if it may not.
    """
    origins = request.requestHeaders.getRawHeaders(b"origin")
    if limits.origins != "same":
        request.responseHeaders.addRawHeader(b"vary", b"Origin")
    if not origins and not limits.hosts:
        return None
    refusal = judge_page(_opening_request(request, origins or (), limits), limits)
    if refusal is None and origins and limits.origins != "same":
        request.setHeader(b"access-control-allow-origin", origins[0])
        if settings.cors_credentials:
            request.setHeader(b"access-control-allow-credentials", b"true")
    return refusal


def answer_preflight(request: Request) -> bytes:
    """Answer OPTIONS, with which browsers ask for pages, once :func:`admit_page` has found no fault.

    :returns: the body, which is empty; the caller has to write it.
    """
    request.setResponseCode(204)
    if request.responseHeaders.hasHeader(b"access-control-allow-origin"):
        request.setHeader(b"access-control-allow-methods", METHODS)
        request.setHeader(b"access-control-max-age", b"%d" % PREFLIGHT_AGE)
        wanted = request.requestHeaders.getRawHeaders(b"access-control-request-headers", [])
        names = [name.strip().decode("latin-1") for line in wanted for name in line.split(b",")]
        allowed = ", ".join(name for name in names if is_token(name))
        if allowed:
            request.setHeader(b"access-control-allow-headers", allowed.encode())
    return b""


def judge_script(request: Request, limits: Settings) -> Refusal | None:
    """Judge the page that wants an answer as a script (JSONP), as such requests have no Origin.

    Any page can run a script of any site, and with it read what it says, unless that is refused.

    :returns: as :func:`admit_page`.
    """
    if limits.origins == "*":
        return None
    site = request.getHeader(b"sec-fetch-site")
    if site in (b"same-origin", b"none"):
        return None
    referer = request.getHeader(b"referer")
    origin = _origin_of(referer.decode("latin-1")) if referer else None
    if origin is not None:
        return judge_page(_opening_request(request, (origin.encode("latin-1"),), limits), limits)
    if site is None and referer is None and not _is_browser(request):
        return None  # a browser says neither, over http, if a foreign page wants it so
    return Refusal(403, "pages of other sites may not connect", cause="origin")


def _is_browser(request: Request) -> bool:
    """Tell whether it is a browser, by its name: theirs begin alike, and pages cannot change that of a script."""
    return bool((request.getHeader(b"user-agent") or b"").startswith(b"Mozilla/"))


def _origin_of(url: str) -> str | None:
    """Return the origin of a page's address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else None


def _opening_request(request: Request, origins: Sequence[bytes], limits: Settings) -> OpeningRequest:
    """Return a request as the handshake of a WebSocket would see it."""
    fields = {
        name.decode("latin-1").lower(): [value.decode("latin-1") for value in values]
        for name, values in request.requestHeaders.getAllRawHeaders()
    }
    fields["origin"] = [origin.decode("latin-1") for origin in origins]
    return OpeningRequest(
        method=request.method.decode("latin-1"),
        target=request.uri.decode("latin-1"),
        fields=fields,
        secure=bool(request.isSecure()),
        trusted=comes_from_trusted_proxy(request, limits),
    )
