"""Settings of a Socket.IO server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf
from typing import Any

from twisted.web.server import Request

from hunchensocket_tx.errors import InvalidSetting
from hunchensocket_tx.wire.headers import is_token

__all__ = ["SocketIOSettings"]

MEBIBYTE = 1024 * 1024

PROTOCOLS = (1, 3, 4)
TRANSPORTS = ("polling", "websocket")
PARSERS = ("json", "msgpack")


@dataclass(frozen=True)
class SocketIOSettings:
    """Limits (bytes), timers (seconds) and generations of clients.

    What WebSockets in general are limited by, and which origins may connect, over whatever transport, is in
    :class:`hunchensocket_tx.Settings`.

    :raises InvalidSetting: naming the setting, if a value makes no sense.
    """

    protocols: Iterable[int] = PROTOCOLS
    """Generations to serve: 1 is that of socket.io 0.7 to 0.9; 3 (Engine.IO 3) of 1.x and 2.x; 4 of 3.x, 4.x."""

    transports: Iterable[str] = TRANSPORTS
    """``polling``, which all HTTP transports are, and ``websocket``."""

    parsers: Iterable[str] = ("json",)
    """How packets are written: ``json``, or ``msgpack`` for clients that are given ``socket.io-msgpack-parser``
    (needs the extra ``msgpack``). With both, newer clients (Engine.IO 4) are told apart by what they send first;
    others get the first one named."""

    ping_interval: float = 25.0
    """Seconds between heartbeats, of any generation."""

    ping_timeout: float = 20.0
    """Seconds in which a heartbeat is answered, before a session ends (Engine.IO 3 and 4)."""

    upgrade_timeout: float = 10.0
    """Seconds that a client has to go over to a WebSocket it has opened beside its polling."""

    allow_upgrades: bool = True
    """Whether clients are told that they may go over from polling to a WebSocket."""

    connect_timeout: float = 45.0
    """Seconds that a client has to connect to a namespace (3.x and newer)."""

    max_http_buffer_size: int = 1_000_000
    """Most bytes of a POST, and of a WebSocket's message; others are refused with 413, or close 1009. Above a MiB,
    raise the setting ``max_body_size`` of sites that this package makes, too."""

    max_attachments: int = 100
    """Most pieces of binary data in a packet."""

    max_packet_size: int = 16 * MEBIBYTE
    """Most bytes of a packet's binary data, together."""

    max_waiting: int = 16 * MEBIBYTE
    """Most bytes of events of a client that may wait for handlers to end that take their time; the client is
    disconnected then. Protects memory."""

    max_namespaces: int = 100
    """Most namespaces that a client may be in or ask for at a time; others are refused to it, with the message
    ``Too many namespaces``. Protects memory."""

    max_sessions: int = 100_000
    """Most sessions at a time, over whatever transport; others are refused with 503. Protects memory. Limits to
    the number of connections, in :class:`hunchensocket_tx.Settings`, count WebSockets only."""

    compression: bool = False
    """Whether WebSockets agree on permessage-deflate. Browsers compress even the smallest message then, which
    costs both sides more than it saves unless messages are large."""

    lean_polling: bool = True
    """Whether connections on which clients poll are served past twisted.web, once it has answered a request on
    each: several times as fast. Later requests of sessions are not seen by the resources above then."""

    cookie: str | None = None
    """Name of a cookie that carries the session's id, for load balancers that keep a client at a server."""

    cors_credentials: bool = True
    """Whether pages of other origins that may connect (setting ``origins``) may send cookies along."""

    jsonp: bool = True
    """Whether to answer with scripts, for browsers that cannot do better. Pages of other sites could read them, so
    they are refused where the browser tells that it is one (``Sec-Fetch-Site``, else ``Referer``) and ``origins``
    does not name it, or where it tells neither."""

    allow_request: Callable[[Request], Any] | None = None
    """Asked about each handshake, over whatever transport: returns True, or False or a str that says why not; or a
    Deferred or coroutine of it."""

    recovery_window: float = 0.0
    """Seconds for which a client (4.6 or newer) that was cut off may come back and find its socket's id, rooms and
    data as they were, and get what it missed; 0 for never, 120 is usual."""

    recovery_events: int = 10_000
    """Most events of a namespace that are kept for clients that may come back. Protects memory."""

    recovery_skips_middleware: bool = True
    """Whether middleware is not asked again about clients that come back so."""

    drop_empty_namespaces: bool = False
    """Whether namespaces made on demand are forgotten when their last socket leaves."""

    heartbeat_timeout: float = 60.0
    """Seconds in which a client of protocol 1 answers a heartbeat."""

    close_timeout: float = 60.0
    """Seconds for which a session of protocol 1 lives without a transport."""

    polling_duration: float = 20.0
    """Seconds after which a client of protocol 1 that polls is answered in any case."""

    handshake_timeout: float = 30.0
    """Seconds that a client of protocol 1 has, after its handshake, to use a transport."""

    def __post_init__(self) -> None:
        for name, known in (("protocols", PROTOCOLS), ("transports", TRANSPORTS), ("parsers", PARSERS)):
            given = getattr(self, name)
            values: tuple[Any, ...] = (
                tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else ()
            )
            if not values or not set(values) <= set(known):
                raise InvalidSetting(f"{name}: give a list of one or more of {known}, not {given!r}")
            object.__setattr__(self, name, values)
        for names, lowest, unit in _RANGES:
            for name in names:
                value = getattr(self, name)
                kinds = (int,) if unit != "seconds" else (int, float)
                if not isinstance(value, kinds) or isinstance(value, bool) or not lowest <= value < inf:
                    raise InvalidSetting(f"{name}: give a number of {unit}, {lowest} or more, not {value!r}")
        if self.cookie is not None and not (isinstance(self.cookie, str) and is_token(self.cookie)):
            raise InvalidSetting(f"cookie: give the name of a cookie, such as 'io', not {self.cookie!r}")


_RANGES: tuple[tuple[tuple[str, ...], float, str], ...] = (
    (
        (
            "ping_interval",
            "ping_timeout",
            "upgrade_timeout",
            "connect_timeout",
            "heartbeat_timeout",
            "close_timeout",
            "polling_duration",
            "handshake_timeout",
        ),
        0.001,
        "seconds",
    ),
    (("recovery_window",), 0, "seconds"),
    (("max_http_buffer_size", "max_packet_size", "max_waiting"), 1, "bytes"),
    (("max_attachments",), 0, "pieces"),
    (("max_namespaces",), 1, "namespaces"),
    (("max_sessions",), 1, "sessions"),
    (("recovery_events",), 1, "events"),
)
