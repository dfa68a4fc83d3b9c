"""The exceptions, and whose fault each one is.

::

    HunchensocketError
    ├── MisuseError                you asked for what cannot be done; the text says what to do instead
    │   ├── InvalidSetting         (a ValueError)   a setting has a value that makes no sense
    │   ├── InvalidCloseCode       (a ValueError)   a close code that must not be sent
    │   ├── UnsupportedMessage     (a TypeError)    this protocol version cannot carry such a message
    │   ├── NoCurrentStream        (a LookupError)  no handler is running, so there is no current stream
    │   └── NotUpgradable          (a RuntimeError) this request's connection cannot be taken over
    └── PeerError                  the other side, or the network, ended it
        ├── HandshakeFailed        the server's answer to our opening handshake is not acceptable
        └── ConnectionClosed       the WebSocket is closed; code, reason and whether it was clean are inside
"""

from __future__ import annotations

__all__ = [
    "ConnectionClosed",
    "HandshakeFailed",
    "HunchensocketError",
    "InvalidCloseCode",
    "InvalidSetting",
    "MisuseError",
    "NoCurrentStream",
    "NotUpgradable",
    "PeerError",
    "UnsupportedMessage",
]


class HunchensocketError(Exception):
    """Root of every exception that this package raises on purpose."""


class MisuseError(HunchensocketError):
    """The caller asked for something that cannot be done."""


class InvalidSetting(MisuseError, ValueError):
    """A setting has an impossible value; the text names the setting and what would be right."""


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


class HandshakeFailed(PeerError):
    """The server's side of an opening handshake is not acceptable."""


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
