"""What once went wrong between modules, so that it does not again."""

from __future__ import annotations

from array import array
from collections.abc import Generator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from hunchensocket_tx import WebSocketResource, WebSocketStream, conversation
from hunchensocket_tx.errors import ConnectionClosed, UnsupportedMessage
from tests.harness import echo
from tests.hybi_stream_support import HybiPeer, binary, close, text
from tests.stream_support import Peer
from tests.support import connect, request_76, serve


class SlowPeerTests(SynchronousTestCase):
    def test_who_waits_for_a_slow_peer_finds_it_closing_and_with_its_code(self) -> None:
        def note(failure: Failure) -> None:
            seen.append((failure.value, peer.stream.send("behind")))

        seen: list[tuple[Any, bool]] = []
        peer = HybiPeer(limit=1000, max_send_buffer=5000).open()
        peer.stream.send(b"x" * 2000)
        peer.stream.drained().addErrback(note)
        while peer.stream.send(b"y" * 1000):
            pass
        [(error, taken)] = seen
        self.assertEqual((error.code, taken), (1013, False))
        self.assertEqual(peer.frames[-1].payload[:2], (1013).to_bytes(2, "big"))

    def test_a_conversation_that_waits_does_not_make_it_an_internal_error(self) -> None:
        @conversation
        async def flood(stream: WebSocketStream) -> None:
            stream.send(b"x" * 2000)
            await stream.drained()

        peer = HybiPeer(flood, limit=1000, max_send_buffer=5000).open()
        while peer.stream.send(b"y" * 1000):
            pass
        self.assertEqual(peer.frames[-1].payload[:2], (1013).to_bytes(2, "big"))
        self.assertEqual(self.flushLoggedErrors(), [])


class SendTests(SynchronousTestCase):
    def test_buffers_are_sent_by_their_bytes(self) -> None:
        peer = HybiPeer().open()
        for buffer in (bytearray(b"abcd"), memoryview(b"abcd"), memoryview(array("H", [0x6161, 0x6161]))):
            self.assertTrue(peer.stream.send(buffer))  # type: ignore[arg-type]
        self.assertEqual(peer.frames, [binary(b"abcd"), binary(b"abcd"), binary(b"aaaa")])

    def test_what_is_no_message_is_refused_by_name(self) -> None:
        for version in (13, 76):
            peer = HybiPeer().open() if version == 13 else Peer().open()
            for thing in (None, 5, ["a"], {"a": 1}):
                with self.assertRaisesRegex(UnsupportedMessage, type(thing).__name__):
                    peer.stream.send(thing)  # type: ignore[arg-type]

    def test_a_part_that_cannot_be_sent_does_not_silence_the_stream(self) -> None:
        async def parts() -> None:
            async with peer.stream.message() as outgoing:
                try:
                    outgoing.write(b"binary")
                except UnsupportedMessage:
                    outgoing.write("text")

        peer = Peer().open()
        self.successResultOf(Deferred.fromCoroutine(parts()))
        self.assertTrue(peer.stream.send("later"))
        self.assertEqual(peer.received, b"\x00text\xff\x00later\xff")


class LostTests(SynchronousTestCase):
    def test_a_paused_stream_is_told_of_the_end_and_loses_nothing(self) -> None:
        peer = HybiPeer().open()
        peer.stream.pauseProducing()
        peer.send_frames(text("last words"), close(4001, "bye"))
        peer.drop()
        self.assertEqual(peer.messages, ["last words"])
        end = self.successResultOf(peer.stream.when_closed())
        self.assertEqual(end.code, 4001)


class HandlerTests(SynchronousTestCase):
    def test_a_generator_function_is_an_error_and_not_ignored(self) -> None:
        def message(data: str) -> Generator[None, None, None]:
            yield

        peer = HybiPeer(lambda stream, mutex: message).open()
        peer.say("a")
        [error] = self.flushLoggedErrors(TypeError)
        self.assertIn("inlineCallbacks", str(error.value))
        self.assertFalse(peer.stream.is_open)


class StopTests(TestCase):
    async def test_a_stopped_resource_refuses_also_on_connections_that_are_there(self) -> None:
        resource = WebSocketResource(echo)
        address = await serve(self, resource)
        client = await connect(self, address)
        client.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.until(b"WebSocket client.\n")
        await resource.stop()
        client.data = b""
        client.write(request_76(address))
        await client.until(b"going away")
        self.assertEqual(client.status, 503)
        resource.start()
        again = await connect(self, address)
        again.write(request_76(address))
        await again.until(b"101 ")

    async def test_a_dispatcher_that_answers_by_itself_and_accepts_is_an_error(self) -> None:
        def dispatcher(request: Any) -> Any:
            request.write(b"mine")
            return lambda stream, mutex: None

        address = await serve(self, WebSocketResource(dispatcher))
        client = await connect(self, address)
        client.write(request_76(address))
        await client.closed
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.assertEqual(client.status, 200)


class ClosedTests(SynchronousTestCase):
    def test_everything_held_is_delivered_as_long_as_the_peer_takes_something(self) -> None:
        peer = HybiPeer(limit=1000, closing_timeout=5).open()
        for _ in range(20):
            peer.stream.send(b"x" * 100_000)
        peer.stream.close()
        while peer.transport.waiting:
            peer.clock.advance(4)
            peer.transport.take()
        self.assertEqual(len(peer.frames), 21)
        self.assertFalse(peer.transport.aborted)
        peer.clock.advance(5)
        self.assertTrue(peer.transport.aborted)
        self.assertIsInstance(self.failureResultOf(peer.stream.drained()).value, ConnectionClosed)
