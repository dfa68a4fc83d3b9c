"""What a client says to a proxy, and hears from it, before the proxy is a tunnel: HTTP CONNECT and SOCKS5."""

from __future__ import annotations

import re
from base64 import b64encode
from ipaddress import ip_address
from typing import NoReturn, Protocol

from hunchensocket_tx.errors import HandshakeFailed, InvalidURL, ProxyFailed
from hunchensocket_tx.wire.answer import Answer, AnswerReader
from hunchensocket_tx.wire.headers import tokens
from hunchensocket_tx.wire.opening import render_head

__all__ = ["ConnectTunnel", "Credentials", "SocksTunnel", "Tunnel"]

Credentials = tuple[str, str]
"""A username and a password."""

_HOST = re.compile(r"[0-9A-Za-z._~:%-]{1,255}\Z")

_SOCKS_REPLIES = {
    1: "it failed, and does not say why",
    2: "its rules do not allow that",
    3: "the network cannot be reached from there",
    4: "the host cannot be reached from there, or its name is not known there",
    5: "nobody listens there",
    6: "it took too long",
    7: "it does not do CONNECT",
    8: "it does not do this kind of address",
}
"""Reply codes in words (RFC 1928 section 6)."""


class Tunnel(Protocol):
    """A dialogue with a proxy.

    :ivar is_open: whether the proxy has done its part.
    :ivar rest: then, what arrived behind its last word: it comes from the other end of the tunnel.
    """

    is_open: bool
    rest: bytes

    def start(self) -> bytes:
        """Return what to send first."""

    def receive(self, data: bytes) -> bytes:
        """Take what arrived, however it was cut.

        :returns: what to send.
        :raises ProxyFailed: if the proxy will not have us, or talks nonsense.
        """

    def end(self) -> NoReturn:
        """Say what it means that the proxy closed the connection before the tunnel was open.

        :raises ProxyFailed: always.
        """


class ConnectTunnel:
    """HTTP CONNECT (RFC 9110 section 9.3.6), with Basic authentication (RFC 7617).

    :param proxy: the proxy's URL without credentials, for messages.
    :param host: where the tunnel shall lead: an IP address, or a name in ASCII.
    :param port: TCP port there.
    :param credentials: sent without being asked for.
    :raises InvalidURL: if ``host`` is neither.
    """

    def __init__(self, proxy: str, host: str, port: int, credentials: Credentials | None = None) -> None:
        self.is_open = False
        self.rest = b""
        self._proxy = proxy
        self._target = _authority(host, port)
        self._credentials = credentials
        # The head of a refusal says enough; its body is for people with browsers.
        self._reader = AnswerReader(bodiless=range(200, 600))

    def start(self) -> bytes:
        """Return the request."""
        fields = [("Host", self._target)]
        if self._credentials is not None:
            token = b64encode(":".join(self._credentials).encode()).decode("ascii")
            fields.append(("Proxy-Authorization", f"Basic {token}"))
        return render_head(f"CONNECT {self._target} HTTP/1.1", fields)

    def receive(self, data: bytes) -> bytes:
        """Take a part of the answer; there is never more to send."""
        try:
            answer = self._reader.receive(data)
        except HandshakeFailed as error:
            raise ProxyFailed(f"{self._proxy} does not answer as an HTTP proxy should: {error}") from error
        if answer is not None:
            if not 200 <= answer.status < 300:
                raise ProxyFailed(self._refusal(answer))
            self.is_open, self.rest = True, self._reader.rest
        return b""

    def end(self) -> NoReturn:
        """Say that there was no complete answer."""
        raise ProxyFailed(
            f"the proxy {self._proxy} closed the connection without an answer to CONNECT {self._target}:"
            " is it an HTTP proxy, and may it be used from here?"
        )

    def _refusal(self, answer: Answer) -> str:
        said = f"{answer.status} {answer.reason[:80]!r}"
        if answer.status in (401, 407):  # tinyproxy says 401 to wrong ones
            return f"{_wanting_credentials(self._proxy, self._credentials)}{_schemes(answer)} ({said})"
        if answer.status == 403:
            return (
                f"the proxy {self._proxy} does not allow CONNECT to {self._target} ({said}):"
                " have its rules changed, for that port too, or do without it"
            )
        if answer.status in (500, 502, 503, 504):  # 500 is tinyproxy's again
            return f"the proxy {self._proxy} cannot reach {self._target} ({said})"
        return f"the proxy {self._proxy} did not do CONNECT to {self._target}: it answered {said}"


class SocksTunnel:
    """SOCKS5 (RFC 1928), with username and password (RFC 1929).

    A name is sent to the proxy as it is, and looked up there.

    :param proxy: the proxy's URL without credentials, for messages.
    :param host: where the tunnel shall lead: an IP address, or a name in ASCII.
    :param port: TCP port there.
    :param credentials: sent if the proxy asks for them; at most 255 bytes each.
    :raises InvalidURL: if ``host`` is neither.
    """

    def __init__(self, proxy: str, host: str, port: int, credentials: Credentials | None = None) -> None:
        self.is_open = False
        self.rest = b""
        self._proxy = proxy
        self._target = _authority(host, port)
        self._request = b"\x05\x01\x00" + _socks_address(host) + port.to_bytes(2, "big")
        self._credentials = credentials
        self._data = b""
        self._next = self._choice  # reads the next word of the proxy; returns what to send, or None to wait

    def start(self) -> bytes:
        """Return the ways of authentication that we know."""
        return b"\x05\x01\x00" if self._credentials is None else b"\x05\x02\x00\x02"

    def receive(self, data: bytes) -> bytes:
        """Take a part of what the proxy says."""
        self._data += data
        sending = b""
        while not self.is_open and (answer := self._next()) is not None:
            sending += answer
        if self.is_open:
            self.rest, self._data = self._data, b""
        return sending

    def end(self) -> NoReturn:
        """Say that the dialogue was not complete."""
        raise ProxyFailed(
            f"the proxy {self._proxy} closed the connection before there was a tunnel to {self._target}:"
            " is it a SOCKS5 proxy, and may it be used from here?"
        )

    def _choice(self) -> bytes | None:
        self._check_version()
        if len(self._data) < 2:
            return None
        way, self._data = self._data[1], self._data[2:]
        if way == 0:
            self._next = self._reply
            return self._request
        if way == 2 and self._credentials is not None:
            self._next = self._verdict
            username, password = (text.encode() for text in self._credentials)
            return b"\x01" + bytes([len(username)]) + username + bytes([len(password)]) + password
        if way == 255:
            raise ProxyFailed(_wanting_credentials(self._proxy, self._credentials))
        raise ProxyFailed(f"the proxy {self._proxy} wants authentication {way}, which was not offered")

    def _verdict(self) -> bytes | None:
        # The byte before it is a version that some servers get wrong, and which tells nothing.
        if len(self._data) < 2:
            return None
        good, self._data = self._data[1] == 0, self._data[2:]
        if not good:
            raise ProxyFailed(_wanting_credentials(self._proxy, self._credentials))
        self._next = self._reply
        return self._request

    def _reply(self) -> bytes | None:
        self._check_version()
        code = self._data[1] if len(self._data) > 1 else 0
        if code:
            why = _SOCKS_REPLIES.get(code, f"it says {code}, whatever that means")
            raise ProxyFailed(f"the proxy {self._proxy} did not connect to {self._target}: {why}")
        if len(self._data) < 5:
            return None
        sizes = {1: 4, 3: 1 + self._data[4], 4: 16}
        if self._data[3] not in sizes:
            raise ProxyFailed(f"the proxy {self._proxy} talks nonsense: {self._data[:8]!r} is no SOCKS5 reply")
        end = 4 + sizes[self._data[3]] + 2
        if len(self._data) < end:
            return None
        self._data, self.is_open = self._data[end:], True
        return b""

    def _check_version(self) -> None:
        if self._data and self._data[0] != 5:
            http = ": it may be an HTTP proxy, whose URL begins with http://" if self._data[0] == ord("H") else ""
            raise ProxyFailed(f"{self._proxy} is no SOCKS5 proxy, it says {self._data[:20]!r}{http}")


def _authority(host: str, port: int) -> str:
    if not _HOST.match(host):
        raise InvalidURL(
            f"{host!r} is no host that a proxy can be asked for: it takes an IP address or an ASCII name"
        )
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _socks_address(host: str) -> bytes:
    try:
        address = ip_address(host)
    except ValueError:
        return b"\x03" + bytes([len(host)]) + host.encode("ascii")
    return (b"\x01" if address.version == 4 else b"\x04") + address.packed


def _wanting_credentials(proxy: str, credentials: Credentials | None) -> str:
    if credentials is not None:
        return f"the proxy {proxy} does not accept the username and password of its URL"
    example = proxy.replace("://", "://user:password@", 1)
    return f"the proxy {proxy} wants credentials: put them into its URL, as {example}"


def _schemes(answer: Answer) -> str:
    """Return what is to be said of ways of authentication that are not Basic."""
    asked = [value.split(" ", 1)[0] for value in answer.all("proxy-authenticate")]
    if not asked or "basic" in tokens(asked):
        return ""
    return f"; it asks for {', '.join(asked)[:80]!r}, but only Basic is known here"
