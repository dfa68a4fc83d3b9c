"""Proxies: how they are written as URLs, and which one the environment names for a WebSocket."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal
from urllib.parse import unquote, urlsplit

from hunchensocket_tx.errors import InvalidURL

__all__ = ["Proxy", "proxy_from_environment"]

_EXAMPLE = "it is written as http://user:password@proxy.example:3128 (or https, or socks5)"

_SCHEMES: Mapping[str, Literal["http", "https", "socks5"]] = {
    "http": "http",
    "https": "https",
    "socks": "socks5",  # what desktops put into the environment
    "socks5": "socks5",
    "socks5h": "socks5",
}

_DEFAULT_PORTS = {"http": 1080, "https": 443, "socks5": 1080}
"""As curl has them."""

_HOST = re.compile(r"[^\s\x00-\x20\x7f/?#@\\\[\]]+\Z")
_ENTRY = re.compile(r"(?:\[(.+)\]|([^:]+))(?::([0-9]+))?\Z")


@dataclass(frozen=True)
class Proxy:
    """A proxy; as a text, its URL without the credentials.

    :ivar scheme: ``http`` (CONNECT is sent to it), ``https`` (the same within TLS) or ``socks5`` (names are looked
        up by the proxy).
    :ivar host: name or IP address, the latter without brackets.
    :ivar port: TCP port.
    :ivar username: None if the proxy asks for none.
    :ivar password: may be empty.
    :raises InvalidURL: if one of them cannot be.
    """

    scheme: Literal["http", "https", "socks5"]
    host: str
    port: int
    username: str | None = None
    password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.scheme not in _DEFAULT_PORTS:
            raise InvalidURL(f"no proxy is spoken to as {self.scheme!r}: {_EXAMPLE}")
        if not _HOST.match(self.host):
            raise InvalidURL(f"{self.host!r} is no host of a proxy: {_EXAMPLE}")
        if not 0 < self.port < 65536:
            raise InvalidURL(f"a proxy's port is from 1 to 65535, not {self.port}")
        if self.username is None:
            return
        if self.scheme == "socks5" and not 0 < len(self.username.encode()) < 256 > len(self.password.encode()):
            raise InvalidURL("username and password for a SOCKS5 proxy have at most 255 bytes each")
        if self.scheme != "socks5" and ":" in self.username:
            raise InvalidURL("a username for an HTTP proxy has no colon in it (RFC 7617)")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def credentials(self) -> tuple[str, str] | None:
        """Username and password, if there are any."""
        return None if self.username is None else (self.username, self.password)

    @classmethod
    def parse(cls, url: str) -> Proxy:
        """Read a proxy's URL.

        Without a scheme it is an HTTP proxy, and without a port that is 1080, but 443 for ``https``: both as curl
        has it. ``socks5h`` and ``socks`` are ``socks5``. What is special in username and password is
        percent-encoded.

        :raises InvalidURL: with the mend. The text does not repeat the URL, in which there may be a password.
        """
        if re.search(r"[\x00-\x20\x7f]", url):
            raise InvalidURL(f"the URL of a proxy has spaces or control characters in it: {_EXAMPLE}")
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            port = parts.port
        except ValueError:
            # Whose text would repeat a part of the URL, perhaps of the password.
            raise InvalidURL(
                f"the URL of a proxy has a wrong host or port: {_EXAMPLE}; / ? # in a password are %2F %3F %23"
            ) from None
        if parts.scheme not in _SCHEMES:
            raise InvalidURL(f"no proxy is spoken to as {parts.scheme!r}: {_EXAMPLE}")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise InvalidURL(
                f"the URL of a proxy ends with the port: {_EXAMPLE}; / ? # in a password are %2F %3F %23"
            )
        scheme = _SCHEMES[parts.scheme]
        return cls(
            scheme,
            parts.hostname or "",
            _DEFAULT_PORTS[scheme] if port is None else port,
            unquote(parts.username) if parts.username else None,
            unquote(parts.password or ""),
        )


def proxy_from_environment(
    scheme: Literal["ws", "wss"], host: str, port: int, environ: Mapping[str, str] = os.environ
) -> Proxy | None:
    """Return the proxy that the environment names for a WebSocket server, or None for none.

    Of these variables the first counts that is there and not empty::

        ws://     ws_proxy    http_proxy    all_proxy
        wss://    wss_proxy   https_proxy   all_proxy

    Thus a WebSocket takes the way of a page of the same server, as with curl and in contrast to RFC 6455 section
    4.1, which has SOCKS preferred to HTTPS, and that to HTTP: it speaks of browsers, which are told one proxy for
    each of these at once. Names in lower case win over those in upper case; ``HTTP_PROXY`` is not believed where
    ``REQUEST_METHOD`` is set, as in a CGI script the client sets it.

    ``no_proxy`` has a list of exceptions: names (and all below them), IP addresses, networks such as
    ``10.0.0.0/8``, each with ``:port`` or without; ``*`` for all. This machine itself (``localhost``,
    ``127.0.0.1``, ``::1``) is always an exception.

    :param host: name or IP address of the server, the latter without brackets.
    :param port: its port.
    :raises InvalidURL: if the variable's value is no URL of a proxy; the text names the variable.
    """
    variables = dict(environ)  # which tells lower case from upper case on Windows, too
    if "REQUEST_METHOD" in variables:
        variables.pop("HTTP_PROXY", None)
    host = host.lower().rstrip(".")
    if _is_local(host) or _is_exempt(host, port, _variable(variables, "no_proxy")):
        return None
    for name in (f"{scheme}_proxy", "https_proxy" if scheme == "wss" else "http_proxy", "all_proxy"):
        if url := _variable(variables, name):
            try:
                return Proxy.parse(url)
            except InvalidURL as error:
                raise InvalidURL(f"{name} in the environment: {error}") from None
    return None


def _variable(variables: Mapping[str, str], name: str) -> str:
    """Return a variable, of which an empty one in lower case hides the one in upper case."""
    return variables.get(name, variables.get(name.upper(), "")).strip()


def _is_local(host: str) -> bool:
    address = _address(host)
    return address.is_loopback if address else host == "localhost" or host.endswith(".localhost")


def _is_exempt(host: str, port: int, exceptions: str) -> bool:
    return any(_covers(entry, host, port) for entry in re.split(r"[,\s]+", exceptions.lower()) if entry)


def _covers(entry: str, host: str, port: int) -> bool:
    match = _ENTRY.match(entry)  # not of IPv6 without brackets, which has no port
    name = (match[1] or match[2]) if match else entry
    if match and match[3] and int(match[3]) != port:
        return False
    address = _address(host)
    if name == "*":
        return True
    if address is None:
        name = name.removeprefix("*").strip(".")
        return bool(name) and f".{host}".endswith(f".{name}")
    try:
        return address in ip_network(name, strict=False)
    except ValueError:
        return False  # a name


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
