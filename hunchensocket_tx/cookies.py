"""Cookies of clients, in a jar of the standard library's, which has to be told that WebSockets are HTTP too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email.message import Message
from http.cookiejar import CookieJar
from typing import Any, cast
from urllib.request import Request

from hunchensocket_tx.urls import WebSocketURL

__all__ = ["cookie_field", "keep_cookies"]


def cookie_field(jar: CookieJar, url: WebSocketURL) -> str | None:
    """Return the value of ``Cookie`` for an opening handshake, if there are any for it.

    HttpOnly ones are among them, as an opening handshake is HTTP; Secure ones for ``wss`` only (RFC 6265 section
    5.4).
    """
    request = Request(url.http_url)
    jar.add_cookie_header(request)
    return request.get_header("Cookie")


def keep_cookies(jar: CookieJar, url: WebSocketURL, headers: Mapping[str, Sequence[str]]) -> None:
    """Put what a server's answer sets into the jar (RFC 6265 section 5.3).

    :param headers: the answer's fields, names in lower case.
    """
    jar.extract_cookies(cast(Any, _Response(headers)), Request(url.http_url))


class _Response:
    """As much of an HTTP response as a jar wants to see."""

    def __init__(self, headers: Mapping[str, Sequence[str]]) -> None:
        self._headers = Message()
        for value in headers.get("set-cookie", ()):
            self._headers.add_header("Set-Cookie", value)

    def info(self) -> Message:
        return self._headers
