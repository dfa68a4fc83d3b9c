"""Tests of hunchensocket_tx.lane: when there is one, what it leaves alone, what others do to its sockets."""

from __future__ import annotations

import os
import select
import signal
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import connectProtocol
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from hunchensocket_tx.lane import Lane, enter_lane
from tests.harness import serve_tls, turns, turns_until
from tests.lane_support import Echo, OnLane, Oops, Recorder, failing, lanes, open_descriptors
from tests.support import RawClient


class LifeTest(OnLane):
    """When there is a lane."""

    async def test_connections_share_one(self) -> None:
        self.assertEqual(lanes(), [])
        for _ in range(3):
            await self.connected(Recorder())
        self.assertEqual(len(lanes()), 1)

    async def test_it_goes_with_its_last_connection(self) -> None:
        await turns()
        before = open_descriptors()
        for end in ("loseConnection", "abortConnection"):
            protocol = Recorder()
            peer = await self.connected(protocol)
            self.assertEqual(len(lanes()), 1)
            getattr(protocol.link, end)()
            await protocol.lost()
            self.assertEqual(lanes(), [])
            peer.socket.close()
            self.assertEqual(open_descriptors() - before, set())

    async def test_it_goes_also_when_the_last_connection_fails(self) -> None:
        protocol = Recorder(dataReceived=failing(Oops()))
        peer = await self.connected(protocol)
        peer.send(b"?")
        await protocol.lost()
        self.assertEqual(lanes(), [])
        self.flushLoggedErrors(Oops)

    async def test_a_connection_that_comes_as_the_last_one_goes_stays(self) -> None:
        second = Echo()
        first = Recorder()
        await self.accepted(second)
        peer = self.peer
        first.then["connectionLost"] = lambda: setattr(second, "link", self.move(second.transport, second))
        await self.connected(first)
        first.link.loseConnection()
        await first.lost()
        self.assertEqual(len(lanes()), 1)
        peer.send(b"still served")
        await peer.until(12)
        self.assertEqual(peer.data, b"still served")

    async def test_what_was_due_to_one_that_has_ended_harms_none_that_follows(self) -> None:
        first, second = Recorder(), Echo()
        await self.connected(first)
        first.link.write(b"due")
        [lane] = lanes()
        lane.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(lanes(), [])
        peer = await self.connected(second)
        peer.send(b"next")
        await peer.until(4)
        self.assertEqual(peer.data, b"next")

    async def test_it_tells_who_it_is_in_logs(self) -> None:
        await self.connected(Recorder())
        self.assertEqual(lanes()[0].logPrefix(), "WebSockets")

    async def test_each_reactor_has_its_own(self) -> None:
        other = EPollReactor()
        self.addCleanup(other.removeAll)
        protocol = Recorder()
        await self.accepted(protocol)
        transport: Any = protocol.transport
        transport.pauseProducing()
        self.patch(transport, "reactor", other)
        await self.connected(Recorder())
        protocol.link = self.move(transport, protocol)
        [elsewhere] = [reader for reader in other.getReaders() if isinstance(reader, Lane)]
        self.assertNotIn(elsewhere, lanes())
        self.assertEqual(len(lanes()), 1)
        elsewhere.connectionLost(Failure(ConnectionDone()))
        self.assertIsInstance(protocol.reason, ConnectionDone)
        self.assertEqual([reader for reader in other.getReaders() if isinstance(reader, Lane)], [])
        self.assertEqual(len(lanes()), 1)


class AsideTest(OnLane):
    """What the lane leaves where it is."""

    async def assert_stays(self) -> None:
        """Check that a plain connection does not get onto the lane, and works."""
        protocol = Echo()
        await self.accepted(protocol)
        self.assertIsNone(self.move(protocol.transport, protocol))
        self.assertEqual(lanes(), [])
        protocol.link = protocol.transport
        self.peer.send(b"as ever")
        await self.peer.until(7)
        self.assertEqual(self.peer.data, b"as ever")

    async def test_machines_without_epoll(self) -> None:
        self.patch(select, "epoll", None)
        del select.epoll
        await self.assert_stays()

    async def test_reactors_that_watch_no_descriptors(self) -> None:
        protocol = Echo()
        await self.accepted(protocol)
        transport: Any = protocol.transport
        self.patch(transport, "reactor", object())
        self.assertIsNone(self.move(transport, protocol))

    async def test_what_is_no_socket_of_twisted_s(self) -> None:
        self.assertIsNone(enter_lane(StringTransport(), Protocol()))

    async def test_connections_that_were_made_secure(self) -> None:
        protocol = Recorder()
        await self.accepted(protocol)
        transport: Any = protocol.transport
        transport.startTLS(CertificateOptions())
        self.assertIsNone(self.move(transport, protocol))

    async def test_secure_connections(self) -> None:
        protocol, client = Echo(), RawClient()
        _, endpoint = await serve_tls(self, Factory.forProtocol(lambda: protocol))
        await connectProtocol(endpoint, client)
        await turns_until(lambda: protocol.transport is not None)
        self.assertIsNone(self.move(protocol.transport, protocol))
        protocol.link = protocol.transport
        client.write(b"secret")
        await client.until(b"secret")
        client.abort()
        await protocol.lost()
        await client.closed

    async def test_machines_that_have_no_descriptor_left(self) -> None:
        def none_left() -> None:
            raise OSError(24, "Too many open files")

        self.patch(select, "epoll", none_left)
        await self.assert_stays()

    async def test_machines_that_watch_no_more_sockets(self) -> None:
        def none_more(lane: Lane, transport: object) -> None:
            raise OSError(28, "No space left on device")

        self.patch(Lane, "join", none_more)
        await self.assert_stays()


class OldTransportTest(OnLane):
    """What becomes of the transport that a connection has left, if somebody has kept it."""

    async def test_closing_it_ends_the_connection(self) -> None:
        for end in ("loseConnection", "abortConnection"):
            protocol = Recorder()
            peer = await self.connected(protocol)
            old: Any = protocol.transport
            getattr(old, end)()
            await protocol.lost()
            await peer.until_end()
            self.assertEqual(protocol.told, ["connectionLost"])
            self.assertEqual(lanes(), [])

    async def test_the_reactor_does_not_read_from_it(self) -> None:
        protocol = Recorder()
        await self.connected(protocol)
        watching: Any = reactor
        self.assertNotIn(protocol.transport, watching.getReaders())


class ClosedSocketTest(OnLane):
    """A socket that somebody has closed behind the lane's back."""

    async def test_it_is_lost_and_no_other_is_harmed(self) -> None:
        closed, other = Recorder(), Echo()
        await self.connected(closed)
        peer = await self.connected(other)
        closed.link.getHandle().close()
        closed.link.write(b"?")
        closed.link.loseConnection()
        await closed.lost()
        peer.send(b"still here")
        await peer.until(10)
        self.assertEqual((peer.data, closed.told), (b"still here", ["connectionLost"]))


class ForkTest(OnLane):
    """A child process that has inherited the sockets and keeps them open."""

    def fork(self) -> None:
        """Start a child that does nothing until the end of the test."""
        read, write = os.pipe()
        child = os.fork()
        if not child:
            signal.alarm(30)
            os.close(write)
            os.read(read, 1)
            os._exit(0)
        os.close(read)

        def end() -> None:
            os.close(write)
            os.waitpid(child, 0)

        self.addCleanup(end)

    def count_batches(self) -> list[int]:
        """Return a list that will get an entry whenever the reactor calls the lane."""
        [lane] = lanes()
        calls: list[int] = []

        def do_read() -> None:
            calls.append(1)
            Lane.doRead(lane)

        self.patch(lane, "doRead", do_read)
        return calls

    async def test_the_peer_sees_the_end_nevertheless_and_the_lane_nothing_more(self) -> None:
        closed, failed, left = Recorder(), Recorder(), Echo()
        closed_peer = await self.connected(closed)
        failed_peer = await self.connected(failed)
        failed.then["dataReceived"] = failing(Oops())
        peer = await self.connected(left)
        self.fork()
        closed.link.loseConnection()
        failed_peer.send(b"?")
        for one in (closed_peer, failed_peer):
            await one.until_end()
        self.flushLoggedErrors(Oops)
        calls = self.count_batches()
        for one in (closed_peer, failed_peer):
            one.socket.close()
        await turns(20)
        self.assertEqual(calls, [])
        peer.send(b"still here")
        await peer.until(10)
        self.assertEqual((peer.data, calls), (b"still here", [1]))

    async def test_closing_an_old_transport_leaves_the_lane_in_peace(self) -> None:
        closed, left = Recorder(), Echo()
        closed_peer = await self.connected(closed)
        peer = await self.connected(left)
        self.fork()
        old: Any = closed.transport
        old.loseConnection()
        await closed_peer.until_end()
        await closed.lost()
        closed_peer.socket.close()
        calls = self.count_batches()
        await turns(20)
        self.assertEqual(calls, [])
        peer.send(b"still here")
        await peer.until(10)
