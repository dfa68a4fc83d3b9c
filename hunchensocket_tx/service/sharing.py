"""Sockets that several processes share: one binds them, the others inherit them and accept connections.

All take connections from one queue. Whoever is idle takes the next one, whoever dies leaves the queue to the
others, and no connection waits for a process that is gone; with a socket for each (``SO_REUSEPORT``) those in the
queue of a dead one would.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

__all__ = [
    "AcceptingReactor",
    "BindingReactor",
    "Bound",
    "CannotShare",
    "SharedEndpoint",
    "SharedPort",
    "SocketName",
]

SocketName = tuple[str, str, str]
"""What an endpoint asks for: tcp, port and interface; or unix, path and nothing."""

PAUSE = 0.5
"""Seconds to wait when none can be accepted, as descriptors or memory are scarce, until connections end."""

BACKLOG = 1024
"""Connections that may wait to be accepted, as each worker takes one in a turn only."""

TURN = 0.001
"""Seconds in which whoever has taken a connection leaves the next ones to the others. Without that, four got from
1 to 496 of 1,000 connections; with it, from 213 to 266, and with ``SO_REUSEPORT``, from 228 to 260."""


class CannotShare(Exception):
    """An endpoint's socket cannot be shared among processes."""


def tcp_name(port: int, interface: str) -> SocketName:
    """Return how the two reactors call a TCP port."""
    return "tcp", str(port), interface


def unix_name(address: str | bytes) -> SocketName:
    """Return how the two reactors call a unix socket."""
    return "unix", address.decode(errors="surrogateescape") if isinstance(address, bytes) else address, ""


class BindingReactor:
    """A reactor for endpoints that binds their sockets and accepts nothing.

    :param reactor: the one that does all else.
    :ivar ports: what was bound, by what was asked for.
    """

    def __init__(self, reactor: Any) -> None:
        self.ports: list[tuple[SocketName, Any]] = []
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        """Bind a TCP port (IReactorTCP)."""
        bound = self._reactor.listenTCP(port, factory, max(backlog, BACKLOG), interface)
        return self._keep(tcp_name(port, interface), bound)

    def listenSSL(
        self,
        port: int,
        factory: Any,
        contextFactory: Any,  # noqa: N803
        backlog: int = 50,
        interface: str = "",
    ) -> Any:
        """Bind a TCP port (IReactorSSL)."""
        return self.listenTCP(port, factory, backlog, interface)

    def listenUNIX(
        self,
        address: str | bytes,
        factory: Any,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: bool = False,  # noqa: N803
    ) -> Any:
        """Bind a unix socket (IReactorUNIX)."""
        bound = self._reactor.listenUNIX(address, factory, backlog, mode, wantPID)
        return self._keep(unix_name(address), bound)

    def adoptStreamPort(self, *arguments: object) -> Any:
        """Refuse a socket that was inherited (IReactorSocket)."""
        raise CannotShare("workers cannot share a socket that is inherited; let them have a tcp: or unix: one")

    def _keep(self, name: SocketName, port: Any) -> Any:
        port.stopReading()
        self.ports.append((name, port))
        return port


@implementer(IStreamServerEndpoint)
class SharedEndpoint:
    """An endpoint that binds with a :class:`BindingReactor`.

    :param endpoint: was made with it.
    """

    def __init__(self, endpoint: IStreamServerEndpoint, reactor: BindingReactor) -> None:
        self._endpoint = endpoint
        self._reactor = reactor

    def listen(self, factory: Any) -> Deferred[IListeningPort]:
        """Bind (IStreamServerEndpoint). It fails with CannotShare if the endpoint has other means."""
        before = len(self._reactor.ports)
        listening: Deferred[IListeningPort] = self._endpoint.listen(factory)
        return listening.addCallback(self._check, before)

    def _check(self, port: IListeningPort, before: int) -> IListeningPort:
        if len(self._reactor.ports) == before:
            raise CannotShare("workers cannot share such an endpoint; let them have a tcp:, ssl: or unix: one")
        return port


class Bound(Factory):
    """For endpoints that bind with a :class:`BindingReactor`: it is called as what the workers serve."""

    protocol = Protocol

    def logPrefix(self) -> str:
        """Return what the log calls it (ILoggingContext)."""
        return "Site"


class AcceptingReactor:
    """A reactor for endpoints that has their sockets already, which a :class:`BindingReactor` bound.

    :param reactor: the one that does all else.
    :param sockets: file descriptors of the sockets, by what was asked for; each is used once.
    """

    def __init__(self, reactor: Any, sockets: Sequence[tuple[SocketName, int]]) -> None:
        self._reactor = reactor
        self._sockets = list(sockets)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        """Accept connections to a TCP port (IReactorTCP)."""
        return self._accept(tcp_name(port, interface), factory)

    def listenSSL(
        self,
        port: int,
        factory: Any,
        contextFactory: Any,  # noqa: N803
        backlog: int = 50,
        interface: str = "",
    ) -> Any:
        """Accept TLS connections to a TCP port (IReactorSSL)."""
        return self.listenTCP(port, TLSMemoryBIOFactory(contextFactory, False, factory), backlog, interface)

    def listenUNIX(
        self,
        address: str | bytes,
        factory: Any,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: bool = False,  # noqa: N803
    ) -> Any:
        """Accept connections to a unix socket (IReactorUNIX)."""
        return self._accept(unix_name(address), factory)

    def _accept(self, wanted: SocketName, factory: Any) -> SharedPort:
        for index, (name, descriptor) in enumerate(self._sockets):
            if name == wanted:
                del self._sockets[index]
                port = SharedPort(socket.socket(fileno=descriptor), factory, self._reactor)
                port.startListening()
                return port
        raise CannotShare(f"the supervisor has bound no socket for {' '.join(wanted)}")


@implementer(IListeningPort)
class SharedPort(FileDescriptor):
    """Accepts connections from a socket that other processes accept from, too, one in a turn of the reactor.

    Twisted's own port would take all that are there and leave none to the others; and of a unix socket, it would
    change the file's mode, and remove the file, for all of them.

    :param listener: the socket.
    :param factory: makes the protocols.
    """

    _log = Logger()

    def __init__(self, listener: socket.socket, factory: Any, reactor: Any) -> None:
        super().__init__(reactor)
        listener.setblocking(False)
        self._listener = listener
        self._factory = factory
        self._reactor = reactor
        self._pausing: IDelayedCall | None = None

    def fileno(self) -> int:
        """Return the socket's descriptor, negative when it is closed (IFileDescriptor)."""
        return self._listener.fileno()

    def startListening(self) -> None:
        """Accept connections from now on (IListeningPort)."""
        self._factory.doStart()
        self.startReading()  # type: ignore[no-untyped-call]

    def stopListening(self) -> None:
        """Accept no more; the socket is still that of the others (IListeningPort)."""
        if self._pausing is not None:
            self._pausing.cancel()
            self._pausing = None
        self.stopReading()  # type: ignore[no-untyped-call]
        self._listener.close()
        self._factory.doStop()

    def getHost(self) -> Any:
        """Return the address, an IAddress (IListeningPort)."""
        name = self._listener.getsockname()
        if self._listener.family == socket.AF_UNIX:
            return UNIXAddress(name)
        return (IPv6Address if self._listener.family == socket.AF_INET6 else IPv4Address)("TCP", *name)

    def logPrefix(self) -> str:
        """Return what is accepting (ILoggingContext)."""
        return type(self).__name__

    def doRead(self) -> None:
        """Accept one connection (IReadDescriptor)."""
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return  # another process was faster
        except OSError as error:
            self._not_accepted(error)
            return
        with connection:  # what adopts it has a descriptor of its own
            connection.setblocking(False)
            try:
                connection.getpeername()
            except OSError:
                return  # reset already
            try:
                self._reactor.adoptStreamConnection(connection.fileno(), connection.family, self._factory)
            except Exception:
                self._log.failure("a connection cannot be taken")
        self._pause(TURN)

    def _not_accepted(self, error: OSError) -> None:
        self._log.error("a connection cannot be accepted: {error}", error=error)
        self._pause(PAUSE)

    def _pause(self, seconds: float) -> None:
        self.stopReading()  # type: ignore[no-untyped-call]
        self._pausing = self._reactor.callLater(seconds, self._resume)

    def _resume(self) -> None:
        self._pausing = None
        self.startReading()  # type: ignore[no-untyped-call]
