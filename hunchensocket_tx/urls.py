"""Addresses of WebSockets, as clients are given them."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urljoin

from hyperlink import URL, URLParseError

from hunchensocket_tx.addresses import DEFAULT_PORTS
from hunchensocket_tx.errors import InvalidURL

__all__ = ["WebSocketURL"]

EXAMPLES = "give one such as 'ws://www.example.com:8080/path' or 'wss://www.example.com/path'"

_UNIX = re.compile(r"(wss?)\+unix:(?://)?([^:]+)(?::(.*))?\Z", re.DOTALL)


@dataclass(frozen=True)
class WebSocketURL:
    """A ``ws`` or ``wss`` URL, taken apart (RFC 6455 section 3).

    :ivar secure: whether it is ``wss``.
    :ivar host: in ASCII (IDN as A-labels), lower-cased; an IPv6 address without brackets.
    :ivar target: path and query, percent-encoded.
    :ivar credentials: user name and password, if it has any.
    :ivar unix_path: the socket of a URL such as ``ws+unix:///run/ws.sock:/path``.
    """

    secure: bool
    host: str
    port: int
    target: str
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    unix_path: str | None = None

    @classmethod
    def parse(cls, text: str) -> WebSocketURL:
        """Take a URL apart.

        :raises InvalidURL: if it is none of a WebSocket.
        """
        if match := _UNIX.match(text):
            return replace(cls.parse(f"{match[1]}://localhost{match[3] or '/'}"), unix_path=match[2])
        try:
            url = URL.from_text(text)
            # hyperlink takes the address in brackets for a name, so that one is left out of what it encodes.
            uri = (url.replace(host="localhost") if ":" in url.host else url).to_uri()
        except (URLParseError, UnicodeError, ValueError) as error:
            why = "user name and password may have to be percent-encoded" if "@" in text else str(error)
            raise InvalidURL(f"{_without_password(text)!r} is not a URL ({why}): {EXAMPLES}") from error
        shown, scheme = _without_password(text), url.scheme.lower()
        port = url.port if url.port is not None else DEFAULT_PORTS.get(scheme)
        if scheme in ("http", "https"):
            raise InvalidURL(f"{shown!r} is not the URL of a WebSocket: write ws in place of http, wss for https")
        if scheme not in ("ws", "wss") or not url.host:
            raise InvalidURL(f"{shown!r} is not the URL of a WebSocket: {EXAMPLES}")
        if "#" in text:
            raise InvalidURL(
                f"{shown!r} has a fragment, which WebSockets do not: leave it out, or write %23 for #"
            )
        if port is None or not 0 < port < 65536:
            raise InvalidURL(f"{shown!r} has the port {port}: give one from 1 to 65535")
        target = re.sub(r"\A[^/?]*", "", uri.to_text().partition("//")[2])
        user, _, password = url.userinfo.partition(":")
        return cls(
            scheme == "wss",
            (url if ":" in url.host else uri).host.lower(),
            port,
            target if target.startswith("/") else f"/{target}",
            (unquote(user), unquote(password)) if url.userinfo else None,
        )

    def __str__(self) -> str:
        """Return it without credentials, as it may be shown."""
        return f"{self._scheme}://{self.host_field}{self.target}"

    @property
    def _scheme(self) -> str:
        return "wss" if self.secure else "ws"

    @property
    def host_field(self) -> str:
        """What stands in the field ``Host``: with the port if it is not the default one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self._scheme] else f"{host}:{self.port}"

    @property
    def http_url(self) -> str:
        """The same with ``http`` or ``https``, which cookies and redirects go by."""
        return f"http{'s' if self.secure else ''}://{self.host_field}{self.target}"

    @property
    def origin(self) -> str:
        """The origin of a page of the same server."""
        return f"http{'s' if self.secure else ''}://{self.host_field}"

    @property
    def authorization(self) -> str | None:
        """The value of ``Authorization`` that the credentials make (RFC 7617), if there are any."""
        if self.credentials is None:
            return None
        return "Basic " + b64encode(":".join(self.credentials).encode()).decode()

    def redirected(self, location: str) -> WebSocketURL:
        """Return where a ``Location`` points to; http and https stand for ws and wss.

        A server on a unix socket may point to itself, but none to such a socket.

        :raises InvalidURL: if that is no place for a WebSocket.
        """
        try:
            absolute = urljoin(self.http_url, location).partition("#")[0]
        except ValueError as error:
            raise InvalidURL(f"{location!r} is not a URL: {error}") from error
        scheme, _, rest = absolute.partition(":")
        scheme = {"http": "ws", "https": "wss"}.get(scheme.lower(), scheme.lower())
        if scheme not in DEFAULT_PORTS:
            raise InvalidURL(f"{location!r} is not the URL of a WebSocket")
        target = WebSocketURL.parse(f"{scheme}:{rest}")
        return replace(target, unix_path=self.unix_path) if target.origin == self.origin else target


def _without_password(text: str) -> str:
    return re.sub(r"(?<=//).*@", "...@", text)
