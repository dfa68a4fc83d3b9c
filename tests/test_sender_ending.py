"""Tests of hunchensocket_tx.sender on real sockets: how a connection ends with much that is not sent yet."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import DeferredLock

from hunchensocket_tx.stream import WebSocketStream
from tests.harness import turns
from tests.hybi_stream_support import binary, close, read_frames, text
from tests.lane_support import OnLane, Oops, failing, patterned
from tests.sender_support import MEBIBYTE, StreamCase, Through


class EndingTest(StreamCase):
    """Much is unsent when a connection ends."""

    async def test_all_is_sent_before_our_close_and_it_ends_clean(self) -> None:
        for size in (8000, 100_000, 3 * MEBIBYTE):
            peer = await self.opened()
            data = patterned(size)
            count = 3 * MEBIBYTE // size
            for _ in range(count):
                self.assertTrue(self.stream.send(data))
            self.stream.close(4000, "enough")
            self.assertFalse(self.stream.send("too late"))
            frames = await self.frames(close(4000, "enough"), MEBIBYTE)
            self.assertEqual(frames[:-1], [binary(data)] * count)
            self.say(close(4000))
            await peer.until_end()
            self.assertFalse(peer.was_reset)
            peer.socket.close()
            self.assertTrue((await self.stream.when_closed()).clean)

    async def test_what_a_handler_sent_before_it_failed_is_sent(self) -> None:
        def handshake(stream: WebSocketStream, mutex: DeferredLock) -> Callable[[str], object]:
            return lambda message: (stream.send(message), stream.send(message * 100_000), failing(Oops())())

        await self.opened(handshake)
        self.say(text("?"))
        frames = await self.frames(close(1011, "internal error"))
        self.assertEqual(frames[:-1], [text("?"), text("?" * 100_000)])
        self.assertEqual(len(self.flushLoggedErrors(Oops)), 1)

    async def test_all_is_sent_before_we_answer_the_peer_s_close(self) -> None:
        def handshake(stream: WebSocketStream, mutex: DeferredLock) -> Callable[[str], object]:
            return lambda message: [stream.send(bytes(7000)) for _ in range(300)]

        peer = await self.opened(handshake)
        self.say(text("?"), close(4000))
        frames = await self.frames(close(4000))
        self.assertEqual(frames[:-1], [binary(bytes(7000))] * 300)
        await peer.until_end()
        self.assertFalse(peer.was_reset)

    async def test_all_is_sent_to_a_peer_that_has_closed_its_side(self) -> None:
        peer = await self.opened()
        data = patterned(3 * MEBIBYTE)
        self.stream.send(data)
        peer.half_close()
        await peer.until_end(50_000)
        self.assertEqual(read_frames(bytes(peer.data)), [binary(data), close(1000)])

    async def test_a_peer_that_takes_nothing_is_dropped_after_the_closing_timeout(self) -> None:
        peer = await self.opened(closing_timeout=5)
        self.stream.send(patterned(3 * MEBIBYTE))
        self.stream.close()
        await turns()
        self.clock.advance(5)
        await peer.until_end()
        self.assertTrue(peer.was_reset)

    async def test_one_that_takes_some_is_not(self) -> None:
        peer = await self.opened(closing_timeout=5)
        data = patterned(3 * MEBIBYTE)
        self.stream.send(data)
        self.stream.close()
        while len(peer.data) < len(data):
            await peer.until(min(len(peer.data) + 500_000, len(data)), 50_000)
            await turns()
            self.clock.advance(4)
        self.assertEqual(await self.frames(close(1000)), [binary(data), close(1000)])

    async def test_one_that_takes_some_is_not_either_if_it_has_closed(self) -> None:
        def handshake(stream: WebSocketStream, mutex: DeferredLock) -> Callable[[str], object]:
            return lambda message: [stream.send(bytes(7000)) for _ in range(400)]

        peer = await self.opened(handshake, closing_timeout=5)
        self.say(text("?"), close(4000))
        await turns()
        while len(peer.data) < 400 * 7000:
            await peer.until(min(len(peer.data) + 500_000, 400 * 7000), 50_000)
            await turns()
            self.clock.advance(4)
        self.assertEqual(await self.frames(close(4000)), [binary(bytes(7000))] * 400 + [close(4000)])

    async def test_aborting_drops_what_is_left(self) -> None:
        peer = await self.opened()
        waiting = self.stream.when_closed()
        self.stream.send(patterned(3 * MEBIBYTE))
        await turns()
        self.stream.abort()
        await peer.until_end()
        self.assertTrue(peer.was_reset)
        self.assertEqual((await waiting).code, 1006)

    async def test_a_peer_may_reset_the_connection_meanwhile(self) -> None:
        peer = await self.opened()
        ended = self.stream.when_closed()
        self.stream.send(patterned(3 * MEBIBYTE))
        drained = self.stream.drained()
        peer.reset()
        self.assertEqual((await ended).code, 1006)
        self.assertFalse(self.stream.send("too late"))
        self.assertEqual(len(self.flushLoggedErrors()), 0)
        drained.addErrback(lambda failure: None)


class EndingOnLaneTest(OnLane, EndingTest):
    """The same on the lane."""


class EndingThroughTest(Through, EndingTest):
    """The same with write-through."""
