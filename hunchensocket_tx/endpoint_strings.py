"""Descriptions of endpoints, ``ws:...`` and ``wss:...``; the docstring of ``endpoints.py`` says what is in them.

Twisted hands them over split at colons: as positional arguments, or as named ones where there is a ``=``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from twisted.internet.endpoints import clientFromString, serverFromString, wrapServerTLS
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint

from hunchensocket_tx.acceptor import tcp_endpoint
from hunchensocket_tx.endpoints import WebSocketClientEndpoint, WebSocketServerEndpoint
from hunchensocket_tx.errors import InvalidSetting, InvalidURL
from hunchensocket_tx.proxies import Proxy
from hunchensocket_tx.server_tls import ServerTLS
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.tls import ClientTLS
from hunchensocket_tx.urls import WebSocketURL

__all__ = ["parse_client", "parse_server"]

TLS_OPTIONS = ("trustRoots", "hostname", "certificate", "privateKey")

CLIENT_OPTIONS = (
    *("host", "port", "path", "version", "subprotocol", "encoding", "origin", "timeout", "idleTimeout", "proxy"),
    *("endpoint", *TLS_OPTIONS),
)

SERVER_OPTIONS = (
    *("port", "interface", "path", "versions", "subprotocol", "encoding", "origins", "idleTimeout", "endpoint"),
    *("certificate", "privateKey"),
)

OPTION_OF = {
    "connect_timeout": "timeout",
    "private_key": "privateKey",
    "trust_roots": "trustRoots",
    "websocket_timeout": "idleTimeout",
    "subprotocols": "subprotocol",
}
"""Which option gives a setting, to name it when the setting is wrong, if it is called differently."""

VERSIONS = (13, 8, 7, 76)

Value = TypeVar("Value")


def parse_client(
    reactor: Any, prefix: str, arguments: Sequence[str], named: Mapping[str, str]
) -> IStreamClientEndpoint:
    """Return the endpoint that a client's description describes.

    :param prefix: ``ws`` or ``wss``.
    :param arguments: those of the description without a name.
    :param named: the others.
    :raises ValueError: naming the option that is wrong, and what would be right.
    """
    url, options = _url_and_options(prefix, arguments, named)
    if prefix != "wss" and (foreign := [name for name in TLS_OPTIONS if name in options]):
        raise ValueError(f"{foreign[0]}: it is for TLS, where the description begins with wss")
    timeouts = {"timeout": ("connect_timeout", _seconds), "idleTimeout": ("websocket_timeout", _seconds)}
    settings = _named(lambda: Settings(**_converted(options, timeouts)))
    tls = ClientTLS(*(options.get(name) for name in ("trustRoots", "certificate", "privateKey", "hostname")))
    if prefix == "wss":
        _named(lambda: tls.creator(WebSocketURL.parse(url).host))  # tells now if a file is wrong
    more = _converted(
        options,
        {
            "encoding": ("encoding", str),
            "endpoint": ("endpoint", partial(clientFromString, reactor)),
            "origin": ("origin", str),
            "proxy": ("proxy", _proxy),
            "subprotocol": ("subprotocols", _list),
            "version": ("version", _version),
        },
    )
    return _named(lambda: WebSocketClientEndpoint(reactor, url, settings=settings, tls=tls, **more))


def parse_server(
    reactor: Any, prefix: str, arguments: Sequence[str], named: Mapping[str, str]
) -> IStreamServerEndpoint:
    """Return the endpoint that a server's description describes; see :func:`parse_client`."""
    options = dict(named)
    _check_known(options, SERVER_OPTIONS, prefix)
    _add_positional(options, ("port",), arguments)
    below = _server_below(reactor, options, "443" if prefix == "wss" else "80")
    if prefix == "wss":
        if "certificate" not in options:
            raise ValueError("certificate: TLS needs one; name its PEM file, as certificate=chain.pem")
        tls = _named(lambda: ServerTLS(options["certificate"], options.get("privateKey")))
        below = wrapServerTLS(tls, below)
    elif foreign := [name for name in TLS_OPTIONS if name in options]:
        raise ValueError(f"{foreign[0]}: it is for TLS, where the description begins with wss")
    more = _converted(
        options,
        {
            "encoding": ("encoding", str),
            "idleTimeout": ("websocket_timeout", _seconds),
            "origins": ("origins", lambda text: "*" if text == "*" else _list(text)),
            "path": ("path", str),
            "subprotocol": ("subprotocols", _list),
            "versions": ("versions", lambda text: [_version(one) for one in _list(text)]),
        },
    )
    return _named(lambda: WebSocketServerEndpoint(reactor, below, **more))


def _url_and_options(
    prefix: str, arguments: Sequence[str], named: Mapping[str, str]
) -> tuple[str, dict[str, str]]:
    """Return the URL, put together again, and the options behind it."""
    options = {name: value for name, value in named.items() if name in CLIENT_OPTIONS}
    others = {name: value for name, value in named.items() if name not in CLIENT_OPTIONS}
    queries = [name for name in others if "/" in name or "?" in name]  # a URL up to a = in it
    if not any(part.startswith("//") for part in (*arguments, *queries)):
        _check_known(named, CLIENT_OPTIONS, prefix)
        return _url_of_options(prefix, arguments, options), options
    _check_known({name: "" for name in others if name not in queries}, CLIENT_OPTIONS, prefix)
    in_url = [name for name in ("host", "port", "path") if name in options]
    if in_url:
        raise ValueError(f"{in_url[0]}: it is in the URL already; leave it out")
    parts = [*arguments, *(f"{name}={others[name]}" for name in queries)]
    if len(queries) > 1 or not parts[0].startswith("//"):
        raise ValueError(f"{':'.join(parts)!r} cannot be put together again: write \\: for : behind the port")
    return _checked_url(f"{prefix}:{':'.join(parts)}"), options


def _url_of_options(prefix: str, arguments: Sequence[str], options: dict[str, str]) -> str:
    _add_positional(options, ("host", "port"), arguments)
    if "host" not in options and "endpoint" not in options:
        raise ValueError(f"host: name one, as {prefix}:www.example.com, or give a URL, {prefix}://www.example.com")
    host, path = options.get("host", "localhost"), options.get("path", "/")
    port = f":{_port(options['port'])}" if "port" in options else ""
    if not path.startswith("/"):
        raise ValueError(f"path: give one that starts with /, not {path!r}")
    return _checked_url(f"{prefix}://{f'[{host}]' if ':' in host else host}{port}{path}")


def _checked_url(url: str) -> str:
    try:
        WebSocketURL.parse(url)
    except InvalidURL as error:
        raise ValueError(f"{error}; behind the port, write \\: for : in a description") from error
    return url


def _server_below(reactor: Any, options: Mapping[str, str], default_port: str) -> IStreamServerEndpoint:
    if "endpoint" not in options:
        port = _port(options.get("port", default_port))
        return tcp_endpoint(reactor, port, options.get("interface", ""))
    for name in ("port", "interface"):
        if name in options:
            raise ValueError(f"{name}: leave it out, as the endpoint says where to listen")
    below = _converted(options, {"endpoint": ("endpoint", partial(serverFromString, reactor))})
    endpoint: IStreamServerEndpoint = below["endpoint"]
    return endpoint


def _check_known(named: Mapping[str, str], known: Sequence[str], prefix: str) -> None:
    for name in named:
        if name not in known:
            raise ValueError(f"{name}: {prefix} has no such option; it has {', '.join(known)}")


def _add_positional(options: dict[str, str], names: Sequence[str], arguments: Sequence[str]) -> None:
    """Give the arguments that came without a name the names that are left."""
    free = [name for name in names if name not in options]
    if len(arguments) > len(free):
        raise ValueError(
            f"{arguments[len(free)]!r}: what is this? Options are written as name=value, and : in a value as \\:"
        )
    options.update(zip(free, arguments, strict=False))


def _converted(
    options: Mapping[str, str], conversions: Mapping[str, tuple[str, Callable[[str], Any]]]
) -> dict[str, Any]:
    """Return those options that were given under the names that parameters have, converted."""
    found = {}
    for name, (parameter, convert) in conversions.items():
        if name in options:
            try:
                found[parameter] = convert(options[name])
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
    return found


def _named(make: Callable[[], Value]) -> Value:
    """Make something of settings; if one is wrong, name the option that gave it."""
    try:
        return make()
    except InvalidSetting as error:
        setting, colon, what = str(error).partition(": ")
        raise ValueError(f"{OPTION_OF.get(setting, setting)}{colon}{what}") from error


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise ValueError(f"port: give a number from 0 to 65535, not {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"give a number of seconds, not {text!r}") from None


def _version(text: str) -> int:
    if text not in map(str, VERSIONS):
        raise ValueError(f"give one of {', '.join(map(str, VERSIONS))}, not {text!r}")
    return int(text)


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _proxy(text: str) -> Proxy | None:
    return None if text == "none" else Proxy.parse(text)
