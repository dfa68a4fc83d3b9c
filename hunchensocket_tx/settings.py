"""Everything that can be set about a WebSocket server, in one frozen value with safe defaults."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal

from hunchensocket_tx.errors import InvalidSetting

__all__ = ["KNOWN_VERSIONS", "Settings"]

KNOWN_VERSIONS = (76, 75)
"""The protocol versions that can be spoken, preferred ones first."""

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Settings:
    """Limits (bytes), timers (seconds), origins and versions of a resource, factory or acceptor.

    Lists may be given as any iterable; they are kept as tuples. ``dataclasses.replace`` makes variants.

    :raises InvalidSetting: naming the setting, if a value makes no sense.
    """

    versions: Iterable[int] = (76,)
    """Protocol versions to speak. 75 (the first Chrome and Safari) is off by default: nothing in it proves
    that the peer is a WebSocket client at all."""

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
    ``X-Forwarded-Proto`` and ``-Host`` fields are believed. Anybody can send these; name your proxies only."""

    max_message_size: int = MEBIBYTE
    """Largest message to accept, in bytes as they are on the wire. Protects memory."""

    max_skip_size: int = 16 * MEBIBYTE
    """Largest hixie frame of a kind to be ignored, in bytes. It is counted and not kept."""

    invalid_utf8: Literal["close", "replace"] = "close"
    """What to do with hixie text that is not UTF-8: close the connection, or put U+FFFD in its place."""

    handshake_timeout: float = 10.0
    """Seconds that a client has, once accepted, to send the rest of its opening handshake (hixie-76's key3)."""

    closing_timeout: float = 5.0
    """Seconds that a peer has to answer a closing handshake and to take what is left, before TCP is dropped."""

    websocket_timeout: float = 300.0
    """Seconds without a byte in either direction after which a connection is closed; 0 for never. Frees what
    vanished clients hold, as hixie-76 has no ping to find out."""

    _networks: tuple[IPv4Network | IPv6Network, ...] = field(default=(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
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
        peer = ip_address(address.partition("%")[0])
        if mapped := getattr(peer, "ipv4_mapped", None):
            peer = mapped
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
        if self.external_url is not None and not self.external_url.startswith(("ws://", "wss://")):
            raise InvalidSetting(
                f"external_url: give the address that clients use, with ws:// or wss://, not {self.external_url!r}"
            )

    def _check_numbers(self) -> None:
        for name in ("max_message_size", "max_skip_size"):
            if getattr(self, name) < 1:
                raise InvalidSetting(f"{name}: give a number of bytes above 0, not {getattr(self, name)!r}")
        for name in ("handshake_timeout", "closing_timeout"):
            if not getattr(self, name) > 0:
                raise InvalidSetting(f"{name}: give a number of seconds above 0, not {getattr(self, name)!r}")
        if not self.websocket_timeout >= 0:
            raise InvalidSetting(
                f"websocket_timeout: give a number of seconds, or 0 for never, not {self.websocket_timeout!r}"
            )

    def _parse_networks(self) -> Iterable[IPv4Network | IPv6Network]:
        for proxy in self.trusted_proxies:
            if proxy == "unix":
                continue
            try:
                yield ip_network(proxy)
            except ValueError as error:
                raise InvalidSetting(f"trusted_proxies: {error}") from error
