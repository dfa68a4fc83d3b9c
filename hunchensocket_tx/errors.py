"""The exceptions, and whose fault each one is.

::

    HunchensocketError
    ├── MisuseError                you asked for what cannot be done; the text says what to do instead
    │   ├── InvalidSetting         (a ValueError)   a setting has a value that makes no sense
    │   ├── InvalidURL             (a ValueError)   this is not the address of a WebSocket, or of a proxy
    │   ├── InvalidCloseCode       (a ValueError)   a close code that must not be sent
    │   ├── UnsupportedMessage     (a TypeError)    this protocol version cannot carry such a message
    │   ├── NoCurrentStream        (a LookupError)  no handler is running, so there is no current stream
    │   └── NotUpgradable          (a RuntimeError) this request's connection cannot be taken over
    └── PeerError                  the other side, or the network, ended it
        ├── CannotConnect          (a ConnectionError)  the server could not be reached
        │   ├── NameNotFound       no address is known for its name
        │   ├── NotListening       nobody listens there
        │   ├── ConnectTimeout     (a TimeoutError)     it took too long
        │   ├── CertificateRejected  TLS failed: one of the two does not trust the other
        │   └── ProxyFailed        the proxy did not do its part
        ├── HandshakeFailed        the server's answer to our opening handshake is not acceptable
        │   ├── HandshakeTimeout   (a TimeoutError)     there was none in time
        │   └── HandshakeRefused   it is an HTTP answer like any other; status, fields and body are inside
        │       └── VersionRefused the server speaks other versions
        └── ConnectionClosed       the WebSocket is closed; code, reason and whether it was clean are inside
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = [
    "CannotConnect",
    "CertificateRejected",
    "ConnectTimeout",
    "ConnectionClosed",
    "HandshakeFailed",
    "HandshakeRefused",
    "HandshakeTimeout",
    "HunchensocketError",
    "InvalidCloseCode",
    "InvalidSetting",
    "InvalidURL",
    "MisuseError",
    "NameNotFound",
    "NoCurrentStream",
    "NotListening",
    "NotUpgradable",
    "PeerError",
    "ProxyFailed",
    "UnsupportedMessage",
    "VersionRefused",
]


class HunchensocketError(Exception):
    """Root of every exception that this package raises on purpose."""


class MisuseError(HunchensocketError):
    """The caller asked for something that cannot be done."""


class InvalidSetting(MisuseError, ValueError):
    """A setting has an impossible value; the text names the setting and what would be right."""


class InvalidURL(MisuseError, ValueError):
    """A text is not the address of a WebSocket or of a proxy; the text of this says what would be one."""


class InvalidCloseCode(MisuseError, ValueError):
    """A close code that must not stand in a Close frame (RFC 6455 section 7.4)."""


class UnsupportedMessage(MisuseError, TypeError):
    """The protocol version of this connection has no such kind of message."""


class NoCurrentStream(MisuseError, LookupError):
    """The current stream or mutex was asked for while no handler of this package is running."""


class NotUpgradable(MisuseError, RuntimeError):
    """The connection of a request cannot become a WebSocket: it is gone, or it is not HTTP/1.1."""


class PeerError(HunchensocketError):
    """The peer, or the network between, is the reason."""


class CannotConnect(PeerError, ConnectionError):
    """The server could not be reached. ``__cause__`` is what Twisted said."""


class NameNotFound(CannotConnect):
    """No address is known for the server's name."""


class NotListening(CannotConnect):
    """Nobody listens at the server's address."""


class ConnectTimeout(CannotConnect, TimeoutError):
    """The server, or the way to it, took too long."""


class CertificateRejected(CannotConnect):
    """TLS failed: we do not trust the server's certificate, or it does not trust ours."""


class ProxyFailed(CannotConnect):
    """The proxy could not or would not reach the server."""


class HandshakeFailed(PeerError):
    """The server's side of an opening handshake is not acceptable."""


class HandshakeTimeout(HandshakeFailed, TimeoutError):
    """The server did not complete the opening handshake in time."""


class HandshakeRefused(HandshakeFailed):
    """The server answered as to any HTTP request.

    :ivar status: HTTP status code.
    :ivar headers: field names in lower case, with their values line by line.
    :ivar body: the start of the body.
    """

    def __init__(self, message: str, status: int, headers: Mapping[str, Sequence[str]], body: bytes) -> None:
        super().__init__(message, status, headers, body)
        self.status = status
        self.headers = headers
        self.body = body

    def __str__(self) -> str:
        return str(self.args[0])


class VersionRefused(HandshakeRefused):
    """The server does not speak the version that was asked for."""


class ConnectionClosed(PeerError):
    """The WebSocket is closed.

    :ivar code: close code (RFC 6455 section 7.4): 1005 if none was given, 1006 if it ended without a
        closing handshake.
    :ivar reason: the peer's words, or ours if we closed; may be empty.
    :ivar clean: whether both sides completed the closing handshake.
    """

    def __init__(self, code: int, reason: str, clean: bool) -> None:
        super().__init__(code, reason, clean)
        self.code = code
        self.reason = reason
        self.clean = clean

    def __str__(self) -> str:
        how = "cleanly" if self.clean else "without a closing handshake"
        why = f": {self.reason}" if self.reason else ""
        return f"the WebSocket was closed {how} with code {self.code}{why}"
