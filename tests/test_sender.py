"""Tests of hunchensocket_tx.sender on real sockets: nothing is lost, torn or mixed up, whatever a peer takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import DeferredLock
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.outflow import Outflow
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.wire.frames import FIN, PING
from tests.harness import turns, turns_until
from tests.hybi_stream_support import CONTEXT, Sent, binary, close, masked, pong, read_messages, text
from tests.lane_support import OnLane, Oops, patterned
from tests.sender_support import MEBIBYTE, StreamCase, Through, as_received, mixed_messages
from tests.stream_support import MemoryTransport, PushRecorder
from tests.support import frame_76

END = text("the end")


class OrderTest(StreamCase):
    """What a slow peer gets."""

    async def test_messages_of_all_kinds_and_sizes_arrive_whole_and_in_order(self) -> None:
        await self.opened()
        messages = mixed_messages()
        for message in messages:
            self.assertTrue(self.stream.send(message))
        self.stream.send("the end")
        frames = await self.frames(END)
        self.assertEqual(read_messages(frames[:-1]), as_received(messages))
        self.assertEqual(self.stream.bytes_sent, len(self.peer.data))

    async def test_likewise_if_some_of_them_are_compressed(self) -> None:
        await self.opened(deflate=CONTEXT)
        messages = mixed_messages()
        for number, message in enumerate(messages):
            self.assertTrue(self.stream.send(message, compress=number % 3 > 0))
        self.stream.send("the end", compress=False)
        frames = await self.frames(END)
        self.assertEqual(read_messages(frames[:-1]), as_received(messages))

    async def test_likewise_on_hixie(self) -> None:
        peer = await self.opened(version=75)
        messages = [str(message) for message in mixed_messages(binary=False)]
        for message in messages:
            self.assertTrue(self.stream.send(message))
        expected = b"".join(map(frame_76, messages))
        await peer.until(len(expected), 50_000)
        self.assertEqual(peer.data, expected)

    async def test_likewise_as_answers_and_by_themselves_at_the_same_time(self) -> None:
        messages = mixed_messages()
        asked: list[str] = []

        def handshake(stream: WebSocketStream, mutex: DeferredLock) -> Callable[[str], None]:
            def message(number: str) -> None:
                asked.append(number)
                stream.send("small")
                stream.send(messages[int(number)])

            return message

        peer = await self.opened(handshake)
        sent: list[Any] = []
        for number, message in enumerate(messages):
            self.stream.send(message)
            self.stream.send("outside")
            self.say(text(str(number)))
            sent += [message, "outside"]
            await turns_until(lambda number=number: peer.has_ended(9000) or len(asked) > number)  # type: ignore[misc]
            sent += ["small", message]
        self.stream.send("the end")
        frames = await self.frames(END)
        self.assertEqual(read_messages(frames[:-1]), as_received(sent))

    async def test_a_bytearray_that_is_changed_afterwards_is_sent_as_it_was(self) -> None:
        await self.opened()
        data: Any = bytearray(patterned(MEBIBYTE))
        self.stream.send(data)
        before = bytes(data)
        data[:] = bytes(MEBIBYTE)
        self.stream.send("the end")
        self.assertEqual(await self.frames(END), [binary(before), END])

    async def test_the_reader_s_speed_is_felt_by_drained(self) -> None:
        peer = await self.opened()
        data = patterned(MEBIBYTE)
        for number in range(5):
            self.stream.send(data + b"%d" % number)
            drained = self.stream.drained()
            self.assertNoResult(drained)
            await turns_until(lambda drained=drained: peer.has_ended(50_000) or drained.called)  # type: ignore[misc]
        self.stream.send("the end")
        expected = [binary(data + b"%d" % number) for number in range(5)]
        self.assertEqual(await self.frames(END), [*expected, END])

    async def test_pings_are_answered_between_messages_and_never_in_one(self) -> None:
        peer = await self.opened()
        data = patterned(MEBIBYTE)
        self.stream.send(data)
        self.say(Sent(FIN | PING, b"1"))
        await turns()
        self.stream.send(data)
        await turns_until(lambda: peer.has_ended(50_000) or len(peer.data) > 2 * MEBIBYTE + 20)
        self.stream.send("the end")
        frames = await self.frames(END)
        self.assertEqual([frame for frame in frames if frame != pong(b"1")], [binary(data), binary(data), END])
        self.assertEqual(len(frames), 4)

    async def test_messages_in_parts_wait_for_the_reader(self) -> None:
        def handshake(stream: WebSocketStream, mutex: DeferredLock) -> Any:
            async def message(_: str) -> None:
                async with stream.message() as outgoing:
                    for part in range(10):
                        await outgoing.write(bytes([part]) + patterned(300_000))
                stream.send("the end")

            return message

        peer = await self.opened(handshake)
        self.say(text("?"))
        await turns_until(lambda: peer.has_ended(1000) or bool(peer.data))
        self.stream.send("between")
        frames = await self.frames(END)
        self.assertEqual(
            read_messages(frames),
            [b"".join(bytes([part]) + patterned(300_000) for part in range(10)), "between", "the end"],
        )


class OrderOnLaneTest(OnLane, OrderTest):
    """The same on the lane."""


class OrderThroughTest(Through, OrderTest):
    """The same with write-through."""


class Answerer:
    """A handshake handler that answers each message with a multiple of it."""

    def __init__(self, factor: int) -> None:
        self._factor = factor
        self.handled = 0

    def __call__(self, stream: WebSocketStream, mutex: DeferredLock) -> Callable[[str], None]:
        def message(text: str) -> None:
            self.handled += 1
            stream.send(text * self._factor)

        return message


class SlowPeerTest(StreamCase):
    """A peer that reads too slowly, or not at all."""

    async def test_one_that_gets_too_much_is_told_so_at_the_end_of_a_message(self) -> None:
        for size, deflate in ((4000, None), (100_000, None), (3 * MEBIBYTE, None), (100_000, CONTEXT)):
            for head in (None, "a small one first"):
                await self.opened(deflate=deflate, max_send_buffer=MEBIBYTE)
                sent: list[Any] = [head] if head is not None and self.stream.send(head) else []
                data = patterned(size)
                while self.stream.send(data):
                    sent.append(data)
                    if len(sent) == 3:
                        await turns()
                frames = await self.frames(close(1013, f"over {MEBIBYTE} bytes wait to be sent"))
                received = read_messages(frames)
                self.assertGreater(len(received), 0)
                self.assertEqual(received, sent[: len(received)])
                self.say(close(1013))
                await self.peer.until_end()
                self.assertFalse(self.peer.was_reset)

    async def test_one_on_hixie_likewise(self) -> None:
        peer = await self.opened(version=75, max_send_buffer=MEBIBYTE)
        message = "x" * 300_000
        while self.stream.send(message):
            pass
        await peer.until_end(50_000)
        whole = frame_76(message)
        self.assertGreater(len(peer.data), 0)
        self.assertEqual(peer.data, whole * (len(peer.data) // len(whole)))

    async def test_messages_may_be_dropped_and_others_follow(self) -> None:
        peer = await self.opened(max_send_buffer=MEBIBYTE, slow_peers="drop")
        messages = [b"%d" % number + patterned(300_000) for number in range(20)]
        sent = [binary(message) for message in messages if self.stream.send(message)]
        self.assertLess(len(sent), 10)
        await turns_until(lambda: peer.has_ended(50_000) or self.stream.drained().called)
        self.stream.send("the end")
        self.assertEqual(await self.frames(END), [*sent, END])

    async def test_messages_may_wait(self) -> None:
        await self.opened(max_send_buffer=MEBIBYTE, slow_peers="wait")
        data = patterned(MEBIBYTE)
        for _ in range(10):
            self.assertTrue(self.stream.send(data))
        self.stream.send("the end")
        self.assertEqual(await self.frames(END), [binary(data)] * 10 + [END])

    async def test_one_that_takes_nothing_is_dropped_after_the_timeout(self) -> None:
        for size in (1000, MEBIBYTE):
            peer = await self.opened(send_timeout=30, ping_interval=0)
            ended = self.stream.when_closed()
            for _ in range(3 * MEBIBYTE // size):
                self.stream.send(bytes(size))
            await turns()
            self.clock.advance(29)
            self.assertNoResult(ended)
            self.clock.advance(1)
            await peer.until_end()
            self.assertTrue(peer.was_reset)
            self.assertEqual((await ended).code, 1013)

    async def test_one_that_takes_some_has_its_time_anew(self) -> None:
        peer = await self.opened(send_timeout=30, ping_interval=0)
        self.stream.send(patterned(3 * MEBIBYTE))
        for _ in range(5):
            before = len(peer.data)
            await turns()
            self.clock.advance(29)
            await peer.until(before + 300_000, 50_000)
        self.assertTrue(self.stream.is_open)
        self.stream.send("the end")
        self.assertEqual(await self.frames(END), [binary(patterned(3 * MEBIBYTE)), END])

    async def test_its_messages_are_not_handled_until_it_has_read_the_answers(self) -> None:
        for factor in (10, 100, 1000):  # small answers, middle-sized and large ones
            answerer = Answerer(factor)
            peer = await self.opened(answerer)
            asked = 3_000_000 // (100 * factor)
            peer.send(masked(text("?" * 100)) * asked)
            await turns(20)
            self.assertGreater(answerer.handled, 0)
            self.assertLess(answerer.handled * factor * 100, 600_000)
            await self.until_handled(answerer, asked)
            self.stream.send("the end")
            frames = await self.frames(END, MEBIBYTE)
            self.assertEqual(frames, [text("?" * 100 * factor)] * asked + [END])

    async def until_handled(self, answerer: Answerer, count: int) -> None:
        """Have the peer read until so many of its messages were handled."""
        await turns_until(lambda: self.peer.has_ended(MEBIBYTE) or answerer.handled == count)


class SlowPeerOnLaneTest(OnLane, SlowPeerTest):
    """The same on the lane."""


class SlowPeerThroughTest(Through, SlowPeerTest):
    """The same with write-through."""


class Taking(MemoryTransport):
    """A transport like ours that takes all it is offered."""

    def offer(self, data: bytes, head: bytes = b"") -> None:
        self.write(head + data)


class OutflowTest(SynchronousTestCase):
    """What an outflow does with a head."""

    def test_it_goes_before_the_rest_also_when_closed(self) -> None:
        transport = Taking()
        outflow = Outflow(transport, Clock())
        outflow.write(b"2", b"1")
        outflow.pauseProducing()
        outflow.write(b"4", b"3")
        outflow.resumeProducing()
        outflow.close(Oops())
        outflow.write(b"6", b"5")
        self.assertEqual(transport.value(), b"123456")


class Chatty(PushRecorder):
    """A producer that has something to say each time it is paused."""

    def __init__(self, stream: WebSocketStream) -> None:
        super().__init__()
        self._stream = stream

    def pauseProducing(self) -> None:
        super().pauseProducing()
        self._stream.send("paused")


class ProducerTest(StreamCase):
    """Producers that are registered with the stream."""

    async def test_one_that_sends_as_it_is_paused_tears_no_message(self) -> None:
        await self.opened()
        producer = Chatty(self.stream)
        self.stream.registerProducer(producer, True)
        data = patterned(MEBIBYTE)
        self.stream.send(data)
        await turns_until(lambda: self.peer.has_ended(50_000) or "resume" in producer.told)
        self.stream.unregisterProducer()
        self.stream.send("the end")
        self.assertEqual(await self.frames(END), [binary(data), text("paused"), END])


class ProducerOnLaneTest(OnLane, ProducerTest):
    """The same on the lane."""


class ProducerThroughTest(Through, ProducerTest):
    """The same with write-through."""
