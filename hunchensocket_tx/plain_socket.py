"""A connected socket, and what transports of Twisted tell about theirs."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.interfaces import IAddress

__all__ = ["PlainSocket"]


class PlainSocket:
    """What a transport tells about its socket, and lets be set.

    :param handle: the socket.
    :param peer: the address of the other end.
    :param host: our own.
    """

    __slots__ = ("_host", "_peer", "socket")

    def __init__(self, handle: socket.socket, peer: IAddress, host: IAddress) -> None:
        self.socket = handle
        self._peer = peer
        self._host = host

    def getPeer(self) -> Any:
        """Return the other end's address (ITransport)."""
        return self._peer

    def getHost(self) -> Any:
        """Return our end's address (ITransport)."""
        return self._host

    def getHandle(self) -> socket.socket:
        """Return the socket (ISystemHandle)."""
        return self.socket

    def getTcpNoDelay(self) -> bool:
        """Tell whether small packets are sent at once (ITCPTransport)."""
        return bool(self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Say whether small packets are to be sent at once (ITCPTransport)."""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, enabled)

    def getTcpKeepAlive(self) -> bool:
        """Tell whether TCP looks after idle connections (ITCPTransport)."""
        return bool(self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Say whether TCP is to look after idle connections (ITCPTransport)."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, enabled)
