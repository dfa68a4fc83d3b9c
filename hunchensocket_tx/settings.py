"""Everything that can be set about WebSockets at either end, in one frozen value with safe defaults."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from math import inf
from typing import Literal

from hunchensocket_tx.addresses import host_with_port, normal_url, parse_origin
from hunchensocket_tx.errors import InvalidSetting

__all__ = ["KNOWN_VERSIONS", "Settings"]

KNOWN_VERSIONS = (13, 8, 7, 76, 75)
"""The protocol versions that can be spoken, preferred ones first."""

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Settings:
    """Limits (bytes), timers (seconds), origins and versions of a resource, factory, acceptor or client.

    What is said of a server's handshakes means nothing to a client: versions, origins, hosts, proxies.

    Lists may be given as any iterable; they are kept as tuples. ``dataclasses.replace`` makes variants.

    :raises InvalidSetting: naming the setting, if a value makes no sense.
    """

    versions: Iterable[int] = (13, 8, 7, 76)
    """Protocol versions to speak: 13 is RFC 6455, 8 and 7 are its drafts, 76 is hixie-76. 75 (the first Chrome and
    Safari) is off by default: nothing in it proves that the peer is a WebSocket client at all."""

    origins: Literal["same", "*"] | Iterable[str] = "same"
    """Web pages that may connect: ``"same"``, those of this very server; a list of origins such as
    ``https://www.example.com`` (``null`` may be one); or ``"*"``, all. Protects your users from other sites that
    would use their cookies in the background (cross-site WebSocket hijacking)."""

    hosts: Iterable[str] = ()
    """``Host`` values to answer to, with the port if it is not the default one; empty for any. Protects from
    DNS rebinding, where a foreign page makes its own name point to this server."""

    legacy_over_tls_only: bool = False
    """Accept hixie-75 and -76 over TLS only, as a proxy that misreads their unmasked frames cannot see into it."""

    external_url: str | None = None
    """How clients reach this server, as ``wss://www.example.com`` (a path prefix may follow), if a proxy in front
    changes scheme, host or port. hixie-76 clients compare it with the address they used."""

    trusted_proxies: Iterable[str] = ()
    """Addresses or networks (``10.0.0.0/8``), or ``unix`` for unix sockets, whose ``Forwarded`` or
    ``X-Forwarded-Proto``, ``-Host`` and ``-For`` fields are believed. Anybody can send these; name your proxies
    only, and let them set or drop each of the four."""

    max_message_size: int = MEBIBYTE
    """Largest message to accept, in bytes as they are on the wire. Protects memory."""

    max_frame_size: int = 16 * MEBIBYTE
    """Largest frame to accept, in bytes as announced, before inflating if compressed (RFC 6455 section 10.4)."""

    max_body_size: int = MEBIBYTE
    """Largest body of a request that asks for no WebSocket, in bytes, on a site that this package makes; 0 for
    any. Others are refused with 413. On a site of your own, have a proxy in front see to it."""

    max_fragments: int = 131072
    """Most fragments of a message, empty ones included. Protects from messages without end."""

    max_control_frames: int = 1000
    """Most pings, pongs and such that a client may send in a second. Protects from ping floods."""

    max_skip_size: int = 16 * MEBIBYTE
    """Largest hixie frame of a kind to be ignored, in bytes. It is counted and not kept."""

    invalid_utf8: Literal["close", "replace"] = "close"
    """What to do with hixie text that is not UTF-8: close the connection, or put U+FFFD in its place."""

    compression: bool = True
    """Whether to agree on permessage-deflate with clients that offer it."""

    compression_level: int = 6
    """zlib's level, from 1 (fast) to 9 (small)."""

    compression_window_bits: int = 12
    """Size of the compression windows as a power of two, 9 to 15: 12 is 4 KiB. With the memory level it sets what
    a connection holds that compresses: 32 KiB at 12 and 5, 256 KiB at 15 and 8."""

    compression_memory_level: int = 5
    """zlib's memory level, from 1 to 9."""

    compression_context_takeover: bool = True
    """Whether windows are kept from message to message, which makes similar small messages smaller. Without, a
    connection holds nothing between messages, and a broadcast is compressed once for all."""

    compression_threshold: int = 64
    """Messages of fewer bytes are not compressed, as they would hardly shrink."""

    connect_timeout: float = 15.0
    """Seconds that a client waits for its connection: the name's addresses, TCP, proxy and TLS."""

    handshake_timeout: float = 10.0
    """Seconds that a client has, once accepted, to send the rest of its opening handshake (hixie-76's key3); and
    that a server has to answer one."""

    closing_timeout: float = 5.0
    """Seconds that a peer has to answer a closing handshake, or to take something of what is left, before TCP is
    dropped."""

    websocket_timeout: float = 300.0
    """Seconds without a byte in either direction after which a connection is closed; 0 for never. Frees what
    vanished clients hold. Versions that have pings are pinged before, and stay while they answer."""

    ping_interval: float = 20.0
    """Seconds without a byte from the peer after which it is pinged, if its version has pings; 0 for never. Finds
    peers that vanished, and keeps proxies from cutting quiet connections."""

    ping_timeout: float = 20.0
    """Seconds that a peer has to send anything after a ping, before the connection is closed; 0 for ever."""

    max_send_buffer: int = 16 * MEBIBYTE
    """Bytes that may wait to be sent; what happens to the next message then, ``slow_peers`` says. Protects memory
    from peers that read more slowly than the application sends."""

    slow_peers: Literal["close", "drop", "wait"] = "close"
    """What to do with a message for a peer whose buffer is full: ``"close"`` the connection with 1013, ``"drop"``
    the message, or keep it, as the application is going to ``"wait"`` on ``drained()``."""

    send_timeout: float = 120.0
    """Seconds in which a peer has to take something of what waits for it (64 KiB of it where Twisted's transport
    does not tell), before it is closed with 1013; 0 for ever. Protects from peers that never read."""

    max_connections: int = 0
    """Most WebSockets of a server at a time; 0 for any number. Others are refused with 503, before a dispatcher is
    asked. Keep it below what the system gives a process (``ulimit -n``)."""

    max_connections_per_address: int = 0
    """Most WebSockets from one IPv4 address, or one IPv6 network of 64 bits; 0 for any number. Others are refused
    with 503. Mind that a whole office or school may share an address, and that all come from your proxy's if that
    is not one of ``trusted_proxies``."""

    max_handshakes: int = 0
    """Most opening handshakes at a time, that dispatchers are deciding on or that are half open; 0 for any number.
    Others are refused with 503. Protects what dispatchers ask, such as a database."""

    max_message_rate: float = 0.0
    """Most messages a second of one peer, as many of which may come at once; 0 for any number. Who sends more is
    closed with 1008."""

    fast_lane: bool = field(default_factory=lambda: os.environ.get("HUNCHENSOCKET_LANE") != "0")
    """Whether to serve plain sockets by an epoll object of this package's own, where there is epoll (Linux); the
    reactor watches that one. Several times as fast as Twisted's own way, on which connections stay otherwise. The
    environment variable ``HUNCHENSOCKET_LANE=0`` turns it off, too, to find out whether it is to blame."""

    _networks: tuple[IPv4Network | IPv6Network, ...] = field(default=(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.versions, int):
            raise InvalidSetting(f"versions: give a list of numbers, such as [{self.versions}], not one number")
        self._freeze("versions", tuple(self.versions))
        self._freeze("hosts", tuple(host.lower() for host in self._strings("hosts")))
        self._freeze("trusted_proxies", self._strings("trusted_proxies"))
        if self.origins not in ("same", "*"):
            self._freeze("origins", self._strings("origins"))
        self._check_choices()
        self._check_numbers()
        self._freeze("_networks", tuple(self._parse_networks()))

    def trusts(self, address: str | None) -> bool:
        """Tell whether forwarded fields from a peer are to be believed.

        :param address: the peer's IP address, or None for a unix socket.
        """
        if address is None:
            return "unix" in self.trusted_proxies
        if not self._networks:
            return False
        try:
            peer = ip_address(address)
        except ValueError:
            return False  # whatever it is, nobody named it
        peer = getattr(peer, "ipv4_mapped", None) or peer
        return any(peer in network for network in self._networks)

    def _freeze(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _strings(self, name: str) -> tuple[str, ...]:
        value = getattr(self, name)
        if isinstance(value, str):
            raise InvalidSetting(f"{name}: give a list of strings, such as [{value!r}], not one string")
        return tuple(value)

    def _check_choices(self) -> None:
        unknown = [version for version in self.versions if version not in KNOWN_VERSIONS]
        if unknown or not self.versions:
            known = ", ".join(map(str, KNOWN_VERSIONS))
            raise InvalidSetting(f"versions: name one or more of {known}, not {list(self.versions)}")
        if self.invalid_utf8 not in ("close", "replace"):
            raise InvalidSetting(f"invalid_utf8: give 'close' or 'replace', not {self.invalid_utf8!r}")
        if self.slow_peers not in ("close", "drop", "wait"):
            raise InvalidSetting(f"slow_peers: give 'close', 'drop' or 'wait', not {self.slow_peers!r}")
        self._check_addresses()

    def _check_addresses(self) -> None:
        for origin in self.origins if isinstance(self.origins, tuple) else ():
            if origin not in ("null", "file://") and parse_origin(origin) is None:
                raise InvalidSetting(
                    f"origins: {origin!r} is not an origin: give one such as 'https://www.example.com', without "
                    "a path; for all pages give '*' in place of a list"
                )
        for host in self.hosts:
            if host_with_port(host, "ws") is None:
                raise InvalidSetting(
                    f"hosts: {host!r} is not a host: give one such as 'www.example.com' or 'www.example.com:8080'"
                )
        if self.external_url is not None:
            url = normal_url(self.external_url)
            if url is None:
                raise InvalidSetting(
                    f"external_url: give the address that clients use, such as wss://www.example.com or "
                    f"ws://www.example.com:8080/path, not {self.external_url!r}"
                )
            self._freeze("external_url", url)

    def _check_numbers(self) -> None:
        for names, unit, lowest, highest in _RANGES:
            for name in names:
                value = getattr(self, name)
                kinds = (int, float) if unit.endswith(("second", "seconds")) else (int,)
                if not isinstance(value, kinds) or not lowest <= value <= highest:
                    limits = f"from {lowest:g} to {highest:g}" if highest < inf else f"of {lowest:g} or more"
                    raise InvalidSetting(f"{name}: give {unit} {limits}, not {value!r}")

    def _parse_networks(self) -> Iterable[IPv4Network | IPv6Network]:
        for proxy in self.trusted_proxies:
            if proxy == "unix":
                continue
            try:
                network = ip_network(proxy)
                mapped = getattr(network.network_address, "ipv4_mapped", None)
                yield ip_network(f"{mapped}/{network.prefixlen - 96}") if mapped else network
            except ValueError as error:
                raise InvalidSetting(f"trusted_proxies: {error}") from error


_RANGES: tuple[tuple[tuple[str, ...], str, float, float], ...] = (
    (("max_message_size", "max_frame_size", "max_skip_size", "max_send_buffer"), "a number of bytes", 1, inf),
    (("max_fragments", "max_control_frames"), "a number", 1, inf),
    (("max_body_size",), "a number of bytes", 0, inf),
    (("max_connections", "max_connections_per_address", "max_handshakes"), "a number", 0, inf),
    (("max_message_rate",), "a number of messages a second", 0, inf),
    (("connect_timeout", "handshake_timeout", "closing_timeout"), "a number of seconds", 0.001, inf),
    (("websocket_timeout", "ping_interval", "ping_timeout", "send_timeout"), "a number of seconds", 0, inf),
    (("compression_window_bits",), "a number", 9, 15),
    (("compression_level", "compression_memory_level"), "a number", 1, 9),
    (("compression_threshold",), "a number of bytes", 0, inf),
)
