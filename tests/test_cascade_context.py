"""Tests of the current stream and mutex, and of what uses them (hunchensocket_tx.cascade)."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock, inlineCallbacks
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.cascade import carry, current_mutex, current_stream, send_message, send_term
from hunchensocket_tx.errors import NoCurrentStream, UnsupportedMessage
from hunchensocket_tx.stream import WebSocketStream
from tests.stream_support import CLOSING, Peer
from tests.support import frame_76

Handler = Callable[[str], Any]


def peer_with(message: Handler) -> Peer:
    """Return an open peer whose messages a function handles that knows its stream only dynamically."""
    return Peer(lambda stream, mutex: message).open()


class ContextTestCase(SynchronousTestCase):
    """Gives handlers something to look with and something to wait for."""

    def setUp(self) -> None:
        self.seen: list[tuple[WebSocketStream, DeferredLock]] = []
        self.gates: list[Deferred[None]] = []

    def look(self, _: object = None) -> None:
        """Write down what is current."""
        self.seen.append((current_stream(), current_mutex()))

    def gate(self) -> Deferred[None]:
        """Return a Deferred for a handler to wait for, until the test opens it."""
        self.gates.append(Deferred())
        return self.gates[-1]

    def assert_seen(self, *peers: Peer) -> None:
        self.assertEqual(self.seen, [(peer.stream, peer.stream.mutex) for peer in peers])


class CurrentTest(ContextTestCase):
    """``current_stream`` and ``current_mutex`` are those of the handler that is running."""

    def test_in_a_handshake_handler(self) -> None:
        self.assert_seen(Peer(lambda stream, mutex: self.look()).open())
        self.assertIs(self.seen[0][0].mutex, self.seen[0][1])

    def test_in_a_message_handler(self) -> None:
        peer = peer_with(self.look)
        peer.say("a")
        self.assert_seen(peer)

    def test_in_the_handlers_of_a_late_handshake_handler(self) -> None:
        peer = Peer(lambda stream, mutex: self.gate().addCallback(lambda _: self.look)).open("a")
        self.gates[0].callback(None)
        self.assert_seen(peer)

    def test_in_a_coroutine_before_and_after_it_waited(self) -> None:
        async def message(text: str) -> None:
            self.look()
            await self.gate()
            self.look()

        peer = peer_with(message)
        peer.say("a")
        self.gates[0].callback(None)
        self.assert_seen(peer, peer)

    def test_in_a_coroutine_handshake_handler_after_it_waited(self) -> None:
        async def handshake(stream: WebSocketStream, mutex: DeferredLock) -> None:
            await self.gate()
            self.look()

        peer = Peer(handshake).open()
        self.gates[0].callback(None)
        self.assert_seen(peer)

    def test_in_inline_callbacks_after_they_waited(self) -> None:
        @inlineCallbacks
        def message(text: str) -> Generator[Deferred[None], None, None]:
            self.look()
            yield self.gate()
            self.look()

        peer = peer_with(message)
        peer.say("a")
        self.gates[0].callback(None)
        self.assert_seen(peer, peer)

    def test_in_a_coroutine_that_a_handler_starts_and_does_not_wait_for(self) -> None:
        async def aside() -> None:
            await self.gate()
            self.look()

        def message(text: str) -> None:
            Deferred.fromCoroutine(aside())

        peer = peer_with(message)
        peer.say("a")
        self.gates[0].callback(None)
        self.assert_seen(peer)

    def test_two_connections_interleaved_see_each_its_own(self) -> None:
        async def message(text: str) -> None:
            self.look()
            await self.gate()
            self.look()

        first, second = peer_with(message), peer_with(message)
        first.say("a")
        second.say("a")
        self.gates[0].callback(None)
        self.gates[1].callback(None)
        self.assert_seen(first, second, first, second)

    def test_a_handler_that_makes_another_connections_handler_run_sees_its_own_again(self) -> None:
        inner = peer_with(self.look)

        def message(text: str) -> None:
            self.look()
            inner.say(text)
            self.look()

        outer = peer_with(message)
        outer.say("a")
        self.assert_seen(outer, inner, outer)

    def test_a_deferred_that_one_connection_fires_does_not_confuse_another(self) -> None:
        async def wait(text: str) -> None:
            await self.gate()
            self.look()

        def fire(text: str) -> None:
            self.gates[0].callback(None)
            self.look()

        waiting, firing = peer_with(wait), peer_with(fire)
        waiting.say("a")
        firing.say("a")
        self.assert_seen(waiting, firing)

    def test_outside_of_handlers_there_is_none(self) -> None:
        peer_with(self.look).say("a")
        for function in (current_stream, current_mutex):
            with self.subTest(function=function.__name__), self.assertRaises(NoCurrentStream) as caught:
                function()
            self.assertIsInstance(caught.exception, LookupError)
            self.assertIn("carry", str(caught.exception))

    def test_in_a_callback_of_a_plain_deferred_there_is_none(self) -> None:
        peer = peer_with(lambda text: self.gate().addCallback(self.look))
        peer.say("a")
        self.gates[0].callback(None)
        self.assertEqual(len(self.flushLoggedErrors(NoCurrentStream)), 1)


class CarryTest(ContextTestCase):
    """``carry`` takes a function into the context in which it was wrapped."""

    def test_a_carried_callback_sees_the_stream(self) -> None:
        peer = peer_with(lambda text: self.gate().addCallback(carry(self.look)))
        peer.say("a")
        self.gates[0].callback(None)
        self.assert_seen(peer)

    def test_a_carried_function_gives_its_result_and_takes_arguments(self) -> None:
        def divide(number: int, *, by: int) -> int:
            return number // by

        self.assertEqual(carry(divide)(6, by=3), 2)
        self.assertRaises(ZeroDivisionError, carry(divide), 6, by=0)

    def test_a_carried_function_may_be_called_again_and_from_another_handler(self) -> None:
        carried: list[Callable[[], None]] = []
        first = peer_with(lambda text: carried.append(carry(self.look)))
        first.say("a")
        second = peer_with(lambda text: carried[0]())
        second.say("a")
        carried[0]()
        self.assert_seen(first, first)

    def test_a_carried_function_may_call_itself(self) -> None:
        def count_down(number: int) -> None:
            if number:
                carried[0](number - 1)
            else:
                self.look()

        carried: list[Callable[[int], None]] = []
        peer = peer_with(lambda text: carried.append(carry(count_down)))
        peer.say("a")
        carried[0](3)
        self.assert_seen(peer)


class SendMessageTest(SynchronousTestCase):
    """``send_message`` and ``send_term`` use the current stream and mutex, or those named."""

    def test_a_handler_may_send_without_naming_its_stream(self) -> None:
        peer = peer_with(lambda text: send_message(text.upper()))
        peer.say("a")
        self.assertEqual(peer.received, frame_76("A"))

    def test_a_handler_may_close_without_naming_its_stream(self) -> None:
        peer = peer_with(lambda text: send_term())
        peer.say("a")
        self.assertEqual(peer.received, CLOSING)

    def test_a_stream_may_be_named_anywhere(self) -> None:
        peer = Peer().open()
        self.assertIs(self.successResultOf(send_message("a", peer.stream)), True)
        self.successResultOf(send_term(peer.stream))
        self.assertEqual(peer.received, frame_76("a") + CLOSING)

    def test_a_named_stream_is_preferred_to_the_current_one(self) -> None:
        other = Peer().open()
        peer = peer_with(lambda text: send_message(text, other.stream))
        peer.say("a")
        self.assertEqual((peer.received, other.received), (b"", frame_76("a")))

    def test_with_a_named_stream_it_is_that_streams_mutex_that_counts(self) -> None:
        other = Peer().open()
        other.stream.mutex.acquire()
        results: list[Deferred[bool]] = []
        peer = peer_with(lambda text: results.append(send_message(text, other.stream)))
        peer.say("a")
        self.assertEqual(other.received, b"")
        other.stream.mutex.release()
        self.assertEqual(other.received, frame_76("a"))

    def test_without_a_stream_named_or_current_it_is_an_error(self) -> None:
        self.assertRaises(NoCurrentStream, send_message, "a")
        self.assertRaises(NoCurrentStream, send_term)

    def test_they_wait_for_the_mutex_in_order(self) -> None:
        peer = Peer().open()
        peer.stream.mutex.acquire()
        sent = send_message("a", peer.stream)
        closed = send_term(peer.stream)
        self.assertNoResult(sent)
        self.assertNoResult(closed)
        self.assertEqual(peer.received, b"")
        peer.stream.send("sequence")
        peer.stream.mutex.release()
        self.assertIs(self.successResultOf(sent), True)
        self.successResultOf(closed)
        self.assertEqual(peer.received, frame_76("sequence") + frame_76("a") + CLOSING)

    def test_a_mutex_may_be_named(self) -> None:
        mine = DeferredLock()
        peer = Peer().open()
        peer.stream.mutex.acquire()
        self.assertIs(self.successResultOf(send_message("a", peer.stream, mine)), True)
        mine.acquire()
        waiting = peer_with(lambda text: send_message(text, mutex=mine))
        waiting.say("b")
        self.assertEqual(waiting.received, b"")
        mine.release()
        self.assertEqual(waiting.received, frame_76("b"))

    def test_the_mutex_is_free_afterwards(self) -> None:
        peer = Peer().open()
        self.successResultOf(send_message("a", peer.stream))
        self.failureResultOf(send_message(b"data", peer.stream), UnsupportedMessage)
        self.assertFalse(peer.stream.mutex.locked)

    def test_a_message_too_late_is_not_taken(self) -> None:
        peer = Peer().open()
        peer.stream.mutex.acquire()
        sent = send_message("a", peer.stream)
        peer.drop()
        peer.stream.mutex.release()
        self.assertIs(self.successResultOf(sent), False)

    def test_a_sequence_of_a_coroutine_is_not_torn(self) -> None:
        gate: Deferred[None] = Deferred()

        def handshake(stream: WebSocketStream, mutex: DeferredLock) -> Any:
            async def message(text: str) -> None:
                async with mutex:
                    stream.send("begin")
                    await gate
                    stream.send("end")

            return message

        peer = Peer(handshake).open("go")
        send_message("between", peer.stream)
        gate.callback(None)
        self.assertEqual(peer.received, b"".join(map(frame_76, ("begin", "end", "between"))))
