"""Tests of hunchensocket_tx.lane_transport: the same ones with Twisted's own, which are to be equalled."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IConsumer, IPushProducer, ISystemHandle, ITCPTransport
from zope.interface.verify import verifyObject

from hunchensocket_tx.lane_transport import CORKED, LaneTransport
from tests.harness import turns, turns_until
from tests.lane_support import ConnectionCase, Echo, HalfCloser, OnLane, Recorder, patterned
from tests.stream_support import PushRecorder


class OnUnix(ConnectionCase):
    """The same tests with unix sockets."""

    is_unix = True


def pieces(data: bytes) -> Iterator[bytes]:
    """Cut something into pieces of all sizes."""
    sizes = random.Random(55)
    position = 0
    while position < len(data):
        size = sizes.choice((1, 2, 125, 4096, 65536, 65537, 300_000))
        yield data[position : position + size]
        position += size


class ReceivingTest(ConnectionCase):
    """What a protocol is given."""

    async def test_what_arrives_is_sent_back(self) -> None:
        peer = await self.connected(Echo())
        data = patterned(3_000_000)
        await peer.send_all(data)
        await peer.until(len(data))
        self.assertEqual(peer.data, data)

    async def test_a_paused_transport_reads_nothing_until_it_is_resumed(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol)
        protocol.link.pauseProducing()
        peer.send(b"later")
        await turns()
        self.assertEqual(protocol.told, [])
        protocol.link.resumeProducing()
        await turns_until(lambda: bool(protocol.data))
        self.assertEqual(protocol.data, b"later")

    async def test_pausing_and_resuming_may_be_repeated(self) -> None:
        protocol = Echo()
        peer = await self.connected(protocol)
        for call in ("pause", "pause", "resume", "resume", "pause", "resume"):
            getattr(protocol.link, f"{call}Producing")()
        peer.send(b"now")
        await peer.until(3)
        self.assertEqual(peer.data, b"now")

    async def test_a_protocol_may_pause_its_transport_as_it_receives(self) -> None:
        protocol = Recorder(dataReceived=lambda: protocol.link.pauseProducing())
        peer = await self.connected(protocol)
        peer.send(b"1")
        await turns_until(lambda: bool(protocol.data))
        peer.send(b"2")
        await turns()
        self.assertEqual(protocol.data, b"1")

    async def test_a_paused_transport_sends(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol, small=True)
        protocol.link.pauseProducing()
        data = patterned(1_000_000)
        protocol.link.write(data)
        await peer.until(len(data))
        self.assertEqual(peer.data, data)

    async def test_the_protocol_may_be_exchanged(self) -> None:
        first, second = Recorder(), Recorder()
        peer = await self.connected(first)
        first.link.protocol = second
        peer.send(b"to the second")
        peer.half_close()
        await turns_until(lambda: second.reason is not None)
        self.assertEqual((first.told, second.told), ([], ["dataReceived", "connectionLost"]))
        first.reason = second.reason

    async def test_what_arrived_before_the_peer_s_end_is_read_first(self) -> None:
        protocol = HalfCloser()
        peer = await self.connected(protocol)
        data = patterned(200_000)
        protocol.link.pauseProducing()
        await peer.send_all(data)
        peer.half_close()
        protocol.link.resumeProducing()
        await turns_until(lambda: "readConnectionLost" in protocol.told)
        self.assertEqual(protocol.data, data)
        self.assertEqual(protocol.told.count("readConnectionLost"), 1)


class ReceivingOnLaneTest(OnLane, ReceivingTest):
    """The same on the lane."""


class ReceivingOnUnixTest(OnUnix, ReceivingTest):
    """The same with unix sockets."""


class ReceivingOnUnixLaneTest(OnUnix, OnLane, ReceivingTest):
    """The same on the lane with unix sockets."""


class SendingTest(ConnectionCase):
    """What a peer is sent."""

    async def test_order_is_kept_whatever_the_kernel_takes_at_a_time(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol, small=True)
        data = patterned(3_000_000)
        for number, piece in enumerate(pieces(data)):
            protocol.link.write(piece)
            if number % 3 == 0:
                await turns(1)
            if number % 5 == 0:
                peer.read(20_000)
        await peer.until(len(data), 50_000)
        self.assertEqual(peer.data, data)

    async def test_order_is_kept_among_writes_within_and_outside_of_handlers(self) -> None:
        protocol = Recorder(dataReceived=lambda: protocol.link.write(b"b"))
        peer = await self.connected(protocol)
        protocol.link.write(b"a")
        peer.send(b"?")
        await turns_until(lambda: bool(protocol.data))
        protocol.link.write(b"c")
        protocol.link.writeSequence([b"d", b"", b"e"])
        await peer.until(5)
        self.assertEqual(peer.data, b"abcde")

    async def test_many_small_writes_at_once_leave_in_order(self) -> None:
        numbers = [b"%d," % number for number in range(CORKED * 10 + 7)]
        protocol = Recorder(dataReceived=lambda: [protocol.link.write(number) for number in numbers])
        peer = await self.connected(protocol)
        peer.send(b"?")
        await peer.until(len(b"".join(numbers)))
        self.assertEqual(peer.data, b"".join(numbers))

    async def test_nothing_may_be_written_too(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol)
        protocol.link.write(b"")
        protocol.link.writeSequence([])
        await turns()
        protocol.link.write(b"something")
        await peer.until(9)
        self.assertEqual(peer.data, b"something")

    async def test_a_peer_that_reads_nothing_does_not_keep_us_from_reading(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol, small=True)
        protocol.link.write(patterned(1_000_000))
        await turns()
        peer.send(b"still here")
        await turns_until(lambda: bool(protocol.data))
        self.assertEqual(protocol.data, b"still here")


class SendingOnLaneTest(OnLane, SendingTest):
    """The same on the lane, and what it alone does."""

    async def test_writes_of_a_batch_are_sent_together(self) -> None:
        protocol = Recorder(dataReceived=lambda: [protocol.link.write(b"a") for _ in range(CORKED - 1)])
        peer = await self.connected(protocol)
        counter = protocol.link.socket = SendCounter(protocol.link.socket)
        peer.send(b"?")
        await peer.until(CORKED - 1)
        self.assertEqual(counter.sent, [CORKED - 1])

    async def test_writes_of_a_turn_are_sent_together(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol)
        counter = protocol.link.socket = SendCounter(protocol.link.socket)
        for _ in range(5):
            protocol.link.write(b"a")
        self.assertEqual(counter.sent, [])
        await peer.until(5)
        self.assertEqual(counter.sent, [5])

    async def test_what_is_offered_follows_what_was_written(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol)
        protocol.link.write(b"1")
        self.assertIsNone(protocol.link.offer(b"2"))
        protocol.link.write(b"3")
        await peer.until(3)
        self.assertEqual(peer.data, b"123")

    async def test_an_offer_may_have_a_head(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol)
        self.assertIsNone(protocol.link.offer(b"2", b"1"))
        protocol.link.write(b"3")
        self.assertIsNone(protocol.link.offer(b"5", b"4"))
        await peer.until(5)
        self.assertEqual(peer.data, b"12345")

    async def test_the_head_of_an_offer_is_sent_first_whatever_the_kernel_takes(self) -> None:
        for size in (5, 1_000_000):
            protocol = Recorder()
            peer = await self.connected(protocol, small=True)
            written, head, data = patterned(1000), patterned(size), patterned(2_000_000)
            protocol.link.write(written)
            rest = protocol.link.offer(data, head)
            self.assertEqual(protocol.link.offer(rest, b"head"), b"head" + bytes(rest))
            producer = Offerer(protocol.link, rest)
            producer.told.append("pause")
            protocol.link.registerProducer(producer, True)
            await peer.until(1000 + size + len(data))
            self.assertEqual(peer.data, written + head + data)

    async def test_the_rest_of_an_offer_is_its_owner_s(self) -> None:
        data = patterned(2_000_000)
        protocol = Recorder()
        peer = await self.connected(protocol, small=True)
        producer = Offerer(protocol.link, data)
        protocol.link.registerProducer(producer, True)
        producer.resumeProducing()
        await turns()
        self.assertEqual(producer.told, ["pause"])
        self.assertEqual(protocol.link.offer(b"while full"), b"while full")
        await peer.until(len(data))
        self.assertEqual(peer.data, data)
        self.assertEqual(producer.told, ["pause", "resume"] * (len(producer.told) // 2))


class SendingOnUnixTest(OnUnix, SendingTest):
    """The same with unix sockets."""


class SendingOnUnixLaneTest(OnUnix, OnLane, SendingTest):
    """The same on the lane with unix sockets."""


class SendCounter:
    """A socket that counts what it sends."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self.sent: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._end, name)

    def send(self, data: bytes) -> int:
        self.sent.append(len(data))
        return self._end.send(data)


class Offerer(PushRecorder):
    """A producer that keeps what a transport does not take."""

    def __init__(self, link: Any, data: bytes) -> None:
        super().__init__()
        self._link = link
        self._rest: memoryview | None = memoryview(data)

    def resumeProducing(self) -> None:
        if self._rest is not None and self.told:
            super().resumeProducing()
        if self._rest is not None:
            self._rest = self._link.offer(self._rest)


class AboutTest(ConnectionCase):
    """What a transport tells of itself."""

    async def test_it_knows_both_ends(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol)
        self.assertEqual((protocol.link.getPeer().host, protocol.link.getPeer().port), peer.socket.getsockname())
        self.assertEqual((protocol.link.getHost().host, protocol.link.getHost().port), peer.socket.getpeername())

    async def test_its_handle_is_the_socket(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol)
        self.assertEqual(protocol.link.getHandle().getpeername(), peer.socket.getsockname())

    async def test_options_of_the_socket_can_be_set(self) -> None:
        protocol = Recorder()
        await self.connected(protocol)
        for name in ("TcpNoDelay", "TcpKeepAlive"):
            for wanted in (True, False):
                getattr(protocol.link, f"set{name}")(wanted)
                self.assertIs(getattr(protocol.link, f"get{name}")(), wanted)

    async def test_it_is_what_it_says(self) -> None:
        protocol = Recorder()
        await self.connected(protocol)
        for interface in (ITCPTransport, ISystemHandle, IConsumer, IPushProducer):
            verifyObject(interface, protocol.link)


class AboutOnLaneTest(OnLane, AboutTest):
    """The same on the lane."""

    async def test_it_has_no_other_fields(self) -> None:
        protocol = Recorder()
        await self.connected(protocol)
        self.assertIsInstance(protocol.link, LaneTransport)
        self.assertFalse(hasattr(protocol.link, "__dict__"))


class AboutOnUnixLaneTest(OnUnix, OnLane):
    """A unix socket on the lane."""

    async def test_it_knows_both_ends(self) -> None:
        protocol = Recorder()
        await self.connected(protocol)
        self.assertEqual(protocol.link.getPeer(), protocol.transport.getPeer())  # type: ignore[union-attr]
        self.assertIsInstance(protocol.link.getHost(), UNIXAddress)
