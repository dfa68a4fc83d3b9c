"""What goes wrong with Socket.IO."""

from __future__ import annotations

from typing import Any

from hunchensocket_tx.errors import HunchensocketError, MisuseError, PeerError

__all__ = [
    "AckTimeout",
    "ConnectRefused",
    "PacketError",
    "PayloadError",
    "SocketDisconnected",
    "UnserializableData",
]


class PacketError(PeerError):
    """A client sent what is no packet; its connection is closed, with the reason ``parse error``."""


class PayloadError(PeerError):
    """A client sent what is no Engine.IO payload or packet."""


class UnserializableData(MisuseError):
    """What the application wants to send cannot be written, as NaN, or an object that is no JSON."""


class ConnectRefused(HunchensocketError):
    """Raised by a middleware: the client may not connect to the namespace.

    :param message: what the client is told.
    :param data: more about it, for clients of 3.x and newer.
    """

    def __init__(self, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class AckTimeout(PeerError, TimeoutError):
    """Not all who were asked have answered in time.

    :ivar answers: what came, where several were asked.
    """

    def __init__(self, message: str, answers: list[Any] | None = None) -> None:
        super().__init__(message)
        self.answers = answers or []


class SocketDisconnected(PeerError):
    """The socket disconnected before it answered."""
