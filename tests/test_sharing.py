"""Tests of sockets that processes share (hunchensocket_tx.service.sharing), here between two in one process."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.endpoints import (
    AdoptedStreamServerEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
    connectProtocol,
    serverFromString,
)
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from hunchensocket_tx.service.sharing import (
    PAUSE,
    AcceptingReactor,
    BindingReactor,
    Bound,
    CannotShare,
    SharedEndpoint,
    SharedPort,
)
from tests.processes import unavailable
from tests.support import RawClient


class SharingTests(TestCase):
    """What one binds, others accept from."""

    async def shared(self, description: str) -> tuple[Any, Any]:
        """Bind an endpoint, and accept from it; return the protocol of the first client, and the endpoint's
        address."""
        binding = BindingReactor(reactor)
        bound: Any = await SharedEndpoint(serverFromString(binding, description), binding).listen(Bound())
        self.addCleanup(bound.stopListening)
        [(name, port)] = binding.ports
        accepting = AcceptingReactor(reactor, [(name, os.dup(port.fileno()))])
        server = RawClient()
        listening: Any = await serverFromString(accepting, description).listen(Factory.forProtocol(lambda: server))
        self.addCleanup(listening.stopListening)
        self.assertEqual(listening.getHost(), bound.getHost())
        return server, bound.getHost()

    async def assert_connects(self, server: RawClient, endpoint: IStreamClientEndpoint) -> None:
        """Check that bytes get through."""
        client = RawClient()
        await connectProtocol(endpoint, client)
        client.write(b"hello")
        await server.until(b"hello")
        client.abort()
        await client.closed
        await server.closed

    async def test_a_tcp_port_is_shared(self) -> None:
        server, address = await self.shared("tcp:0:interface=127.0.0.1")
        self.assertIsInstance(address, IPv4Address)
        await self.assert_connects(server, TCP4ClientEndpoint(reactor, "127.0.0.1", address.port))

    async def test_an_ipv6_port_is_shared(self) -> None:
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError as error:
            unavailable(f"there is no IPv6: {error}")
        server, address = await self.shared("tcp6:0:interface=\\:\\:1")
        self.assertIsInstance(address, IPv6Address)
        await self.assert_connects(server, TCP6ClientEndpoint(reactor, "::1", address.port))

    async def test_a_unix_socket_is_shared(self) -> None:
        path = os.path.relpath(self.mktemp())
        server, address = await self.shared(f"unix:{path}")
        self.assertIsInstance(address, UNIXAddress)
        await self.assert_connects(server, UNIXClientEndpoint(reactor, path))

    def test_an_inherited_socket_cannot_be_shared(self) -> None:
        binding = BindingReactor(reactor)
        listening = SharedEndpoint(AdoptedStreamServerEndpoint(binding, os.dup(0), socket.AF_INET), binding)
        self.failureResultOf(listening.listen(Bound()), CannotShare)

    def test_what_was_not_bound_cannot_be_accepted_from(self) -> None:
        listening = serverFromString(AcceptingReactor(reactor, []), "tcp:80").listen(Bound())
        self.assertIn("no socket for tcp 80", str(self.failureResultOf(listening, CannotShare).value))


class Listener:
    """A socket that fails to accept."""

    def __init__(self, *errors: int) -> None:
        self.errors = list(errors)
        self.is_closed = False

    def setblocking(self, flag: bool) -> None:
        """Do nothing."""

    def fileno(self) -> int:
        """Return a descriptor."""
        return -1 if self.is_closed else 99

    def close(self) -> None:
        """Be closed."""
        self.is_closed = True

    def accept(self) -> None:
        """Raise the next error."""
        raise OSError(self.errors.pop(0), "an error")


class ErrorTests(SynchronousTestCase):
    """A port goes on after errors."""

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()

    def port(self, *errors: int) -> Any:
        """Return a port that has met errors."""
        port: Any = SharedPort(cast(Any, Listener(*errors)), Factory(), self.reactor)
        port.startListening()
        for _ in errors:
            port.doRead()
        return port

    def test_another_process_may_be_faster(self) -> None:
        self.assertIn(self.port(errno.EAGAIN), self.reactor.getReaders())

    def test_it_waits_after_an_error_such_as_that_no_descriptor_is_left(self) -> None:
        for error in (errno.EMFILE, errno.ECONNABORTED):
            port = self.port(error)
            self.assertNotIn(port, self.reactor.getReaders())
            self.reactor.advance(PAUSE)
            self.assertIn(port, self.reactor.getReaders())

    def test_it_does_not_go_on_when_it_was_stopped(self) -> None:
        port = self.port(errno.EMFILE)
        port.stopListening()
        self.reactor.advance(PAUSE)
        self.assertEqual(self.reactor.getReaders(), [])
