"""Tests of hunchensocket_tx.write_through: those of other transports, and what it alone does."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import DeferredLock
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import TestCase

from hunchensocket_tx import WebSocketResource, WebSocketStream
from hunchensocket_tx.tallied import TalliedStream
from hunchensocket_tx.write_through import PORTION, ThroughTransport, write_through
from tests import test_lane_transport, test_lane_transport_ending, test_lane_transport_producers
from tests.harness import serve_tls, turns, turns_until
from tests.hybi_stream_support import binary, masked, read_frames, request_13, text
from tests.lane_support import ConnectionCase, HalfCloser, Oops, Recorder, failing, patterned
from tests.sender_support import MEBIBYTE
from tests.stream_support import PushRecorder
from tests.support import connect, serve
from tests.test_lane_transport import Offerer, SendCounter


class Through(ConnectionCase):
    """The tests of other transports with write-through."""

    counter: SendCounter

    def move(self, transport: Any, protocol: Protocol) -> Any:
        self.counter = transport.socket = SendCounter(transport.socket)
        return write_through(transport, protocol)


class ReceivingTest(Through, test_lane_transport.ReceivingTest):
    """What a protocol is given."""


class ReceivingOnUnixTest(Through, test_lane_transport.ReceivingOnUnixTest):
    """The same with unix sockets."""


class SendingTest(Through, test_lane_transport.SendingTest):
    """What a peer is sent."""


class SendingOnUnixTest(Through, test_lane_transport.SendingOnUnixTest):
    """The same with unix sockets."""


class AboutTest(Through, test_lane_transport.AboutTest):
    """What a transport tells of itself."""


class ClosingTest(Through, test_lane_transport_ending.ClosingTest):
    """We close."""


class HalfClosingTest(Through, test_lane_transport_ending.HalfClosingTest):
    """One side is closed."""


class AbortingTest(Through, test_lane_transport_ending.AbortingTest):
    """We drop the connection."""


class ResetTest(Through, test_lane_transport_ending.ResetTest):
    """The peer drops the connection."""


class ProducerTest(Through, test_lane_transport_producers.ProducerTest):
    """A registered push producer."""

    async def test_a_pull_producer_is_refused(self) -> None:
        protocol = Recorder()
        await self.connected(protocol)
        self.assertRaises(RuntimeError, protocol.link.registerProducer, PushRecorder(), False)


class CorkTest(Through):
    """What is written while the protocol takes what arrived."""

    async def test_it_is_sent_at_once_and_together(self) -> None:
        sent: list[list[int]] = []

        def answer() -> None:
            for _ in range(100):
                protocol.link.write(b"a")
            protocol.link.writeSequence([b"b", b"c"])
            sent.append(list(self.counter.sent))

        protocol = Recorder(dataReceived=answer)
        peer = await self.connected(protocol)
        peer.send(b"?")
        await peer.until(102)
        self.assertEqual(sent, [[]])
        self.assertEqual(self.counter.sent, [102])
        self.assertEqual(peer.data, b"a" * 100 + b"bc")

    async def test_much_of_it_does_not_wait_for_the_end(self) -> None:
        protocol = Recorder(dataReceived=lambda: [protocol.link.write(bytes(1000)) for _ in range(1000)])
        peer = await self.connected(protocol)
        peer.send(b"?")
        await peer.until(1_000_000)
        self.assertLess(max(self.counter.sent[:3]), PORTION + 1000)

    async def test_its_order_is_kept_behind_what_was_written_before(self) -> None:
        numbers = iter(range(1000))

        def write() -> None:
            data = b"%d," % next(numbers)
            protocol.link.writeSequence([data * 10, data * 10])
            protocol.link.write(data * 1000)

        protocol = Recorder(dataReceived=write)
        peer = await self.connected(protocol, small=True)
        for _ in range(30):
            write()
            before = len(protocol.told)
            peer.send(b"?")
            await turns_until(lambda before=before: len(protocol.told) > before)  # type: ignore[misc]
            peer.read(5000)
        expected = b"".join(b"%d," % number * 1020 for number in range(60))
        await peer.until(len(expected), 5000)
        self.assertEqual(peer.data, expected)

    async def test_it_is_sent_though_the_protocol_fails_then(self) -> None:
        protocol = Recorder(dataReceived=lambda: (protocol.link.write(b"whole"), failing(Oops())()))
        peer = await self.connected(protocol)
        peer.send(b"?")
        self.assertIsInstance(await protocol.lost(), Oops)
        await peer.until_end()
        self.assertEqual(peer.data, b"whole")
        self.assertEqual(len(self.flushLoggedErrors(Oops)), 1)

    async def test_it_is_dropped_with_the_connection(self) -> None:
        def answer() -> None:
            protocol.link.write(b"dropped")
            protocol.link.abortConnection()
            protocol.link.write(b"likewise")
            self.assertIsNone(protocol.link.offer(b"this, too"))

        protocol = Recorder(dataReceived=answer)
        peer = await self.connected(protocol)
        peer.send(b"?")
        self.assertIsInstance(await protocol.lost(), ConnectionAborted)
        await peer.until_end()
        self.assertEqual(peer.data, b"")

    async def test_it_is_sent_before_our_side_is_closed(self) -> None:
        for name in ("loseConnection", "loseWriteConnection"):
            await self.assert_sent_before(name)

    async def assert_sent_before(self, name: str) -> None:
        """Check that a protocol's answer arrives, though it closes with it."""
        data = patterned(MEBIBYTE)
        protocol = HalfCloser(dataReceived=lambda: (protocol.link.write(data), getattr(protocol.link, name)()))
        peer = await self.connected(protocol, small=True)
        peer.send(b"?")
        await peer.until_end(50_000)
        self.assertEqual(peer.data, data)


class Stalling(Recorder):
    """A protocol that registers a producer when its transport is full."""

    def __init__(self) -> None:
        super().__init__()
        self.producer = PushRecorder()

    def sending_stalled(self) -> None:
        self.tell("stalled")
        self.link.registerProducer(self.producer, True)


class OfferTest(Through):
    """What is offered, and what becomes of the rest."""

    async def test_it_follows_what_was_written_within_and_outside_of_handlers(self) -> None:
        def answer() -> None:
            protocol.link.write(b"3")
            self.assertIsNone(protocol.link.offer(b"5", b"4"))
            protocol.link.write(b"6")

        protocol = Recorder(dataReceived=answer)
        peer = await self.connected(protocol)
        protocol.link.write(b"1")
        self.assertIsNone(protocol.link.offer(b"2"))
        peer.send(b"?")
        await peer.until(6)
        self.assertEqual(peer.data, b"123456")

    async def test_the_rest_is_its_owner_s(self) -> None:
        for written, head in ((b"", b""), (b"written", b"head"), (patterned(MEBIBYTE), patterned(200_000))):
            data = patterned(3 * MEBIBYTE)
            protocol = Recorder()
            peer = await self.connected(protocol, small=True)
            producer = Offerer(protocol.link, head + data)
            protocol.link.write(written)
            protocol.link.registerProducer(producer, True)
            producer.resumeProducing()
            if not producer.told:
                producer.told.append("pause")
            self.assertEqual(protocol.link.offer(b"full", b"while "), b"while full")
            await peer.until(len(written) + len(head) + len(data), 50_000)
            self.assertEqual(peer.data, written + head + data)

    async def test_it_is_sent_as_a_handler_answers(self) -> None:
        data = patterned(3 * MEBIBYTE)
        protocol = Recorder(dataReceived=lambda: answer())
        peer = await self.connected(protocol, small=True)

        def answer() -> None:
            protocol.link.write(b"first")
            producer.resumeProducing()

        producer = Offerer(protocol.link, data)
        protocol.link.registerProducer(producer, True)
        peer.send(b"?")
        await peer.until(5 + len(data), 50_000)
        self.assertEqual(peer.data, b"first" + data)

    async def test_it_is_all_sent_before_the_end(self) -> None:
        for name in ("loseConnection", "loseWriteConnection", "stopProducing"):
            data = patterned(3 * MEBIBYTE)
            protocol = HalfCloser()
            peer = await self.connected(protocol, small=True)
            producer = Offerer(protocol.link, data)
            protocol.link.registerProducer(producer, True)
            producer.resumeProducing()
            getattr(protocol.link, name)()
            await peer.until_end(50_000)
            self.assertEqual(peer.data, data)

    async def test_when_our_side_is_closed_it_is_dropped(self) -> None:
        protocol = HalfCloser()
        peer = await self.connected(protocol)
        protocol.link.loseWriteConnection()
        await turns_until(lambda: bool(protocol.told))
        self.assertIsNone(protocol.link.offer(patterned(MEBIBYTE)))
        protocol.link.loseConnection()
        await protocol.lost()
        self.assertIsNone(protocol.link.offer(patterned(MEBIBYTE)))
        await peer.until_end()
        self.assertEqual(peer.data, b"")

    async def test_a_protocol_may_ask_to_be_told_when_the_transport_is_full(self) -> None:
        protocol = Stalling()
        peer = await self.connected(protocol, small=True)
        data = patterned(MEBIBYTE)
        protocol.link.write(data[:1000])
        self.assertEqual(protocol.told, [])
        protocol.link.write(data[1000:])
        self.assertEqual(protocol.told, ["stalled"])
        await peer.until(len(data), 50_000)
        await turns()
        self.assertEqual(protocol.producer.told, ["pause", "resume"])


class StreamsTest(TestCase):
    """Who gets it."""

    def test_other_transports_have_none(self) -> None:
        self.assertIsNone(write_through(StringTransport(), Protocol()))

    async def test_streams_do_on_plain_sockets_without_the_lane(self) -> None:
        readers = await self.exchange(fast_lane=False)
        self.assertEqual([type(reader) for reader in readers], [ThroughTransport])

    async def test_likewise_if_the_environment_says_so(self) -> None:
        self.patch_environment("0")
        readers = await self.exchange()
        self.assertEqual([type(reader) for reader in readers], [ThroughTransport])

    async def test_streams_do_not_with_tls(self) -> None:
        for fast_lane in (False, True):
            readers = await self.exchange(tls=True, fast_lane=fast_lane)
            self.assertEqual([type(reader) for reader in readers], [TalliedStream])

    def patch_environment(self, value: str) -> None:
        """Set the variable for this test."""
        self.patch(os, "environ", {**os.environ, "HUNCHENSOCKET_LANE": value})

    async def exchange(self, *, tls: bool = False, **changes: Any) -> list[Any]:
        """Have a client that reads late get some messages of 1 MiB; return what its transport calls."""
        data = patterned(MEBIBYTE)
        transports: list[Any] = []
        waited: list[int] = []

        def dispatcher(request: Any) -> Callable[[WebSocketStream, DeferredLock], Any]:
            transports.append(request.transport)

            def handshake(stream: WebSocketStream, mutex: DeferredLock) -> Any:
                async def message(_: str) -> None:
                    for number in range(8):
                        stream.send(data)
                        waited.append(number)
                        await stream.drained()
                    stream.send("the end")

                return message

            return handshake

        resource = WebSocketResource(dispatcher, **changes)
        endpoint: IStreamClientEndpoint | None = None
        if tls:
            address, endpoint = await serve_tls(self, resource)
        else:
            address = await serve(self, resource)
        client = await connect(self, address, endpoint)
        client.write(request_13(address))
        await client.until(b"\r\n\r\n")
        (transport,) = transports
        readers = [getattr(transport, "wrappedProtocol", None) or transport.protocol]
        client.data = client.body
        reading: Any = client.transport
        client.write(masked(text("?")))
        reading.pauseProducing()
        await turns(20)
        self.assertLess(len(waited), 8)
        reading.resumeProducing()
        await client.until(lambda received: received.endswith(b"the end"))
        self.assertEqual(read_frames(client.data), [binary(data)] * 8 + [text("the end")])
        return readers
