"""Tests of hunchensocket_tx.lane_transport: producers that are registered with it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.error import ConnectionLost

from tests.harness import turns, turns_until
from tests.lane_support import ConnectionCase, HalfCloser, OnLane, Recorder, patterned
from tests.stream_support import PushRecorder


class Resumed(PushRecorder):
    """A push producer that does something when it is resumed."""

    def __init__(self, resumed: Callable[[], object]) -> None:
        super().__init__()
        self.resumed = resumed

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self.resumed()


class Source(PushRecorder):
    """A push producer that writes portions until it is paused."""

    def __init__(self, link: Any, portions: int) -> None:
        super().__init__()
        self._link = link
        self.left = portions

    def run(self) -> None:
        """Write until there is no more, or the transport is full."""
        self.paused = False
        while self.left and not self.paused:
            self.left -= 1
            self._link.write(bytes([self.left % 251]) * 10_000)
        if not self.left:
            self._link.unregisterProducer()

    def pauseProducing(self) -> None:
        super().pauseProducing()
        self.paused = True

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self.run()


class ProducerTest(ConnectionCase):
    """A registered push producer."""

    async def test_it_is_paused_while_the_peer_takes_nothing_and_resumed_then(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol, small=True)
        source = Source(protocol.link, 300)
        protocol.link.registerProducer(source, True)
        source.run()
        await turns_until(lambda: "pause" in source.told)
        self.assertNotEqual(source.left, 0)
        await peer.until(3_000_000, 100_000)
        expected = b"".join(bytes([left % 251]) * 10_000 for left in reversed(range(300)))
        self.assertEqual(peer.data, expected)
        self.assertIn("resume", source.told)

    async def test_what_it_writes_at_last_is_sent_before_the_end(self) -> None:
        protocol = Recorder()
        await self.assert_last_words_are_sent(protocol, lambda: protocol.link.loseConnection())

    async def test_what_it_writes_at_last_is_sent_before_our_side_is_closed(self) -> None:
        protocol = HalfCloser()
        await self.assert_last_words_are_sent(protocol, lambda: protocol.link.loseWriteConnection())
        self.assertEqual(protocol.told, ["writeConnectionLost"])

    async def assert_last_words_are_sent(self, protocol: Recorder, close: Callable[[], None]) -> None:
        """Check what the peer gets of a producer that writes once more, and closes, as it is resumed."""
        peer = await self.connected(protocol, small=True)

        def last_words() -> None:
            protocol.link.unregisterProducer()
            protocol.link.write(b"the end")
            close()

        producer = Resumed(last_words)
        protocol.link.registerProducer(producer, True)
        data = patterned(1_000_000)
        protocol.link.write(data)
        await peer.until_end()
        self.assertEqual(peer.data[-7:], b"the end")
        self.assertEqual(peer.data[:-7], data)

    async def test_one_that_comes_while_the_transport_is_full_is_paused_at_its_first_write_at_the_latest(
        self,
    ) -> None:
        protocol = Recorder()
        await self.connected(protocol, small=True)
        protocol.link.write(patterned(1_000_000))
        await turns()
        producer = PushRecorder()
        protocol.link.registerProducer(producer, True)
        protocol.link.write(patterned(100_000))
        self.assertIn("pause", producer.told)

    async def test_a_second_one_is_refused(self) -> None:
        protocol = Recorder()
        await self.connected(protocol)
        protocol.link.registerProducer(PushRecorder(), True)
        self.assertRaises(RuntimeError, protocol.link.registerProducer, PushRecorder(), True)
        protocol.link.unregisterProducer()
        protocol.link.registerProducer(PushRecorder(), True)

    async def test_it_is_stopped_when_the_connection_is_lost(self) -> None:
        protocol, producer = Recorder(), PushRecorder()
        peer = await self.connected(protocol)
        protocol.link.registerProducer(producer, True)
        peer.half_close()
        await protocol.lost()
        self.assertEqual(producer.told, ["stop"])

    async def test_one_that_comes_when_the_connection_is_lost_is_stopped_at_once(self) -> None:
        protocol, producer = Recorder(), PushRecorder()
        peer = await self.connected(protocol)
        peer.half_close()
        await protocol.lost()
        protocol.link.registerProducer(producer, True)
        self.assertEqual(producer.told, ["stop"])


class NoMore:
    """A socket whose peer is found to be gone when something is sent."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def __getattr__(self, name: str) -> Any:
        return getattr(self._end, name)

    def send(self, data: bytes) -> int:
        raise ConnectionResetError


class ProducerOnLaneTest(OnLane, ProducerTest):
    """The same on the lane."""

    async def test_a_pull_producer_is_refused(self) -> None:
        protocol = Recorder()
        await self.connected(protocol)
        self.assertRaises(RuntimeError, protocol.link.registerProducer, PushRecorder(), False)

    async def test_it_is_not_resumed_when_nothing_more_can_be_sent(self) -> None:
        for closing in (False, True):
            told: list[str] = []
            protocol = Recorder(connectionLost=partial(told.append, "lost"))
            peer = await self.connected(protocol, small=True)
            protocol.link.registerProducer(Resumed(partial(told.append, "resumed")), True)
            protocol.link.write(patterned(1_000_000))
            if closing:
                protocol.link.loseConnection()
            await turns()
            protocol.link.socket = NoMore(protocol.link.socket)
            await turns_until(lambda peer=peer, told=told: peer.has_ended(1 << 20) or bool(told))  # type: ignore[misc]
            self.assertIsInstance(await protocol.lost(), ConnectionLost)
            self.assertEqual(told, ["lost"])
