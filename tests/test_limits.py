"""The limits on real sockets: each stops its attack with the right close code, and nobody else notices."""

from __future__ import annotations

import tracemalloc
import zlib
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.trial.unittest import TestCase
from twisted.web.server import Request

from hunchensocket_tx import CloseReason, WebSocketFactory, WebSocketStream
from hunchensocket_tx.wire.frames import BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, RSV1
from tests.harness import turns_until
from tests.hybi_stream_support import (
    Sent,
    close,
    has_opcode,
    masked,
    open_13,
    request_13,
    split_frames,
    text,
)
from tests.stream_support import CLOSING
from tests.support import RawClient, connect, frame_76, open_76, request_76, serve

MEBIBYTE = 1 << 20

BOMB_SIZE = 200 * MEBIBYTE


def long_head(first: int, length: int) -> bytes:
    """Return the head of a client's frame that announces a length in 64 bits (RFC 6455 section 5.2)."""
    return bytes([first, 0x80 | 127]) + length.to_bytes(8, "big") + bytes(4)


def deflate_bomb() -> bytes:
    """Return what inflates to very many zeros."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = bytes(MEBIBYTE)
    data = b"".join(compressor.compress(zeros) for _ in range(BOMB_SIZE // MEBIBYTE))
    return (data + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


class LimitsTestCase(TestCase):
    """A server with a victim and a neighbour, whose echo has to go on.

    The neighbour speaks hixie-76, so that it need not answer pings in a hurry.
    """

    async def start(self, **changes: Any) -> None:
        """Serve an echo, and let the neighbour come.

        :param changes: settings.
        """
        self.factory = WebSocketFactory(self.dispatch, **changes)
        self.streams = self.factory.websockets.streams
        self.address = await serve(self, self.factory)
        self.neighbour = await open_76(self, self.address)
        self.echoes = 0
        await self.echo()

    def dispatch(self, request: Request) -> Any:
        return self.flood if request.path == b"/flood" else lambda stream, mutex: stream.send

    def flood(self, stream: WebSocketStream, mutex: DeferredLock) -> None:
        """Send more than sockets hold, as long as it is taken; a handshake handler."""
        for _ in range(32):
            if not stream.send(bytes(MEBIBYTE)):
                break

    async def echo(self) -> None:
        """Check that the neighbour is served."""
        self.echoes += 1
        message = frame_76(f"message {self.echoes}")
        self.neighbour.write(message)
        await self.neighbour.until(message)

    async def open(self, path: str = "/", extensions: str | None = None) -> RawClient:
        """Open the victim's connection; its end can be awaited in ``end``."""
        before = set(self.streams)
        client = await open_13(self, self.address, path, extensions)
        self.watch(before)
        return client

    def watch(self, before: set[WebSocketStream]) -> None:
        """Take note of how the newest stream ends."""
        [stream] = self.streams - before
        self.end: Deferred[CloseReason] = stream.when_closed()

    async def assert_told(self, client: RawClient, code: int) -> Sent:
        """Check that the last that a client gets is a Close frame with a code; return it."""
        await has_opcode(client, CLOSE)
        frames, rest = split_frames(client.data)
        self.assertEqual(rest, b"")
        self.assertEqual(int.from_bytes(frames[-1].payload[:2], "big"), code)
        return frames[-1]

    async def assert_gone(self, code: int) -> CloseReason:
        """Check the report about the end, and that the neighbour is served yet and nothing is left of anybody."""
        end = await self.end
        self.assertEqual((end.code, end.clean), (code, False))
        await self.assert_nothing_left()
        return end

    async def assert_nothing_left(self) -> None:
        await self.echo()
        self.assertEqual(len(self.streams), 1)
        self.neighbour.write(CLOSING)
        await self.neighbour.closed
        await turns_until(lambda: not self.streams)

    async def assert_stopped(self, client: RawClient, code: int) -> Sent:
        """Check that a client's attack is ended with a code, which is reported as well."""
        await self.echo()
        last = await self.assert_told(client, code)
        await client.closed
        await self.assert_gone(code)
        return last


class SizeTest(LimitsTestCase):
    """Memory is not for the peer to use up (RFC 6455 section 10.4)."""

    async def test_a_deflate_bomb_is_not_inflated(self) -> None:
        bomb = masked(Sent(FIN | RSV1 | BINARY, deflate_bomb()))
        await self.start()
        client = await self.open(extensions="permessage-deflate")
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before, _ = tracemalloc.get_traced_memory()
        client.write(bomb)
        await self.assert_told(client, 1009)
        _, peak = tracemalloc.get_traced_memory()
        self.assertLess(peak - before, 8 * MEBIBYTE)
        await client.closed
        await self.assert_gone(1009)

    async def test_neither_is_one_in_fragments(self) -> None:
        data = deflate_bomb()
        parts = [data[start : start + 1000] for start in range(0, len(data), 1000)]
        frames = [Sent(RSV1 | BINARY, parts[0]), *(Sent(CONTINUATION, part) for part in parts[1:])]
        await self.start()
        client = await self.open(extensions="permessage-deflate")
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before, _ = tracemalloc.get_traced_memory()
        client.write(masked(*frames))
        await self.assert_told(client, 1009)
        _, peak = tracemalloc.get_traced_memory()
        self.assertLess(peak - before, 8 * MEBIBYTE)
        await client.closed
        await self.assert_gone(1009)

    async def test_a_frame_that_announces_too_much_is_not_waited_for(self) -> None:
        await self.start()
        client = await self.open()
        client.write(long_head(FIN | BINARY, 1 << 40))
        last = await self.assert_stopped(client, 1009)
        self.assertIn(b"frame over", last.payload)

    async def test_neither_is_a_message_that_its_frames_announce(self) -> None:
        await self.start()
        client = await self.open()
        client.write(masked(Sent(BINARY, bytes(700_000))) + long_head(CONTINUATION, 700_000))
        last = await self.assert_stopped(client, 1009)
        self.assertIn(b"message over", last.payload)

    async def test_a_message_of_the_largest_size_is_fine(self) -> None:
        await self.start()
        client = await self.open()
        client.write(masked(Sent(FIN | BINARY, bytes(MEBIBYTE))))
        await client.until(lambda data: len(data) >= MEBIBYTE + 10)
        self.assertEqual(split_frames(client.data)[0], [Sent(FIN | BINARY, bytes(MEBIBYTE))])


class CountTest(LimitsTestCase):
    """Small things are counted."""

    async def test_a_flood_of_pings_is_stopped(self) -> None:
        await self.start(max_control_frames=50)
        client = await self.open()
        client.write(masked(Sent(FIN | PING, b"?")) * 2000)
        await self.assert_stopped(client, 1008)
        pongs = [frame for frame in split_frames(client.data)[0] if frame.opcode == PONG]
        self.assertEqual(len(pongs), 50)

    async def test_by_default_as_well(self) -> None:
        await self.start()
        client = await self.open()
        client.write(masked(Sent(FIN | PING, b"")) * 5000)
        await self.assert_stopped(client, 1008)

    async def test_fragments_without_end_are_stopped(self) -> None:
        await self.start(max_fragments=1000)
        client = await self.open()
        client.write(masked(Sent(BINARY, b"")) + masked(Sent(CONTINUATION, b"")) * 5000)
        last = await self.assert_stopped(client, 1008)
        self.assertIn(b"1000 fragments", last.payload)


class OpeningTest(LimitsTestCase):
    """``handshake_timeout``: an opening handshake without end holds nothing for long."""

    async def test_a_head_without_end_is_dropped(self) -> None:
        await self.start(handshake_timeout=0.05)
        client = await connect(self, self.address)
        client.write(request_13(self.address)[:-2])
        await self.echo()
        await client.closed
        self.assertEqual(client.data, b"")
        await self.assert_nothing_left()

    async def test_so_is_one_that_drips(self) -> None:
        await self.start(handshake_timeout=0.05)
        client = await connect(self, self.address)
        client.write(request_13(self.address)[:-2])
        while not client.is_closed:
            client.write(b"X-Drip: x\r\n")
            await self.echo()
        await self.assert_nothing_left()

    async def test_a_key3_that_does_not_come_is_not_waited_for(self) -> None:
        await self.start(handshake_timeout=0.05)
        before = set(self.streams)
        client = await connect(self, self.address)
        client.write(request_76(self.address, key3=b"1234567"))
        await client.until(b"\r\n\r\n")
        self.watch(before)
        await self.echo()
        await client.closed
        self.assertEqual(client.body, b"")
        end = await self.assert_gone(1006)
        self.assertIn("opening handshake", end.reason)


class LifeTest(LimitsTestCase):
    """``ping_timeout``: a peer that vanished does not hold its connection for ever."""

    async def test_one_that_answers_no_ping_is_closed(self) -> None:
        await self.start(ping_interval=0.05, ping_timeout=0.05, closing_timeout=0.05)
        client = await self.open()
        await has_opcode(client, PING)
        await self.echo()
        await self.assert_told(client, 1001)
        await client.closed
        end = await self.assert_gone(1006)
        self.assertIn("ping", end.reason)

    async def test_one_that_answers_stays(self) -> None:
        # The timeout is long, as a busy machine may make the answer late.
        await self.start(ping_interval=0.01, ping_timeout=60)
        client = await self.open()
        await has_opcode(client, PING)
        client.write(masked(Sent(FIN | PONG, b"")))
        client.write(masked(text("alive")))
        await client.until(b"\x81\x05alive")


class ReadingTest(LimitsTestCase):
    """A peer that never reads what is sent to it does not use up memory, nor hold it for ever."""

    async def never_reading(self, path: str = "/flood") -> Any:
        """Open a connection whose client does not read, and return its transport."""
        before = set(self.streams)
        self.client = await connect(self, self.address)
        transport: Any = self.client.transport
        transport.pauseProducing()
        self.client.write(request_13(self.address, path))
        await turns_until(lambda: self.streams != before)
        self.watch(before)
        return transport

    async def test_it_is_dropped_after_the_send_timeout(self) -> None:
        await self.start(send_timeout=0.05, slow_peers="wait")
        await self.never_reading()
        await self.echo()
        end = await self.assert_gone(1013)
        self.assertIn("0.05 seconds", end.reason)

    async def test_it_is_closed_when_its_buffer_is_full(self) -> None:
        await self.start(max_send_buffer=2 * MEBIBYTE)
        transport = await self.never_reading()
        await self.echo()
        transport.resumeProducing()
        reason = f"over {2 * MEBIBYTE} bytes wait to be sent"
        frame = close(1013, reason)
        end = bytes([frame.first, len(frame.payload)]) + frame.payload
        await self.client.until(lambda data: data.endswith(end))
        self.assertLess(len(self.client.data), 16 * MEBIBYTE)
        self.client.write(masked(close(1013)))
        await self.client.closed
        report = await self.end
        self.assertEqual((report.code, report.reason), (1013, reason))
        await self.assert_nothing_left()

    async def test_it_is_dropped_though_it_reads_nothing_at_all(self) -> None:
        await self.start(max_send_buffer=2 * MEBIBYTE, closing_timeout=0.05)
        await self.never_reading()
        await self.echo()
        await self.assert_gone(1013)

    async def test_its_own_messages_are_not_read_either(self) -> None:
        # What is not read stays with the client: the echo's buffer does not grow.
        await self.start(send_timeout=0.2)
        transport = await self.never_reading("/")
        message = masked(Sent(FIN | BINARY, bytes(MEBIBYTE // 2)))
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for _ in range(64):
            self.client.write(message)
        await self.echo()
        end = await self.assert_gone(1013)
        self.assertIn("0.2 seconds", end.reason)
        _, peak = tracemalloc.get_traced_memory()
        # Most of this is what the client could not get rid of.
        self.assertLess(peak, (32 + 16) * MEBIBYTE)
        transport.abortConnection()
