"""Tests of hunchensocket_tx.adapters: conversations. Byte-stream protocols have a file of their own."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.http import Request

from hunchensocket_tx.adapters import conversation
from hunchensocket_tx.cascade import Accept, current_stream
from hunchensocket_tx.errors import ConnectionClosed
from hunchensocket_tx.resource import WebSocketResource
from hunchensocket_tx.stream import WebSocketStream
from tests.stream_support import CLOSING, ClosingTestCase, Peer
from tests.support import frame_76, open_76, serve

Talk = Callable[[WebSocketStream], Coroutine[Any, Any, None]]


@conversation
async def shout(stream: WebSocketStream) -> None:
    """The example of the documentation."""
    async for message in stream:
        assert isinstance(message, str)
        stream.send(message.upper())


class ConversationTest(ClosingTestCase):
    """A coroutine function talks with one peer."""

    def test_it_gets_messages_in_order(self) -> None:
        peer = Peer(shout).open("a", "b")
        peer.say("c")
        self.assertEqual(peer.received, frame_76("A") + frame_76("B") + frame_76("C"))

    def test_it_may_ask_for_messages_one_by_one(self) -> None:
        got: list[object] = []

        async def talk(stream: WebSocketStream) -> None:
            got.append(await stream.receive())
            got.append(await stream.receive())

        Peer(conversation(talk)).open("a", "b")
        self.assertEqual(got, ["a", "b"])

    def test_it_may_speak_first(self) -> None:
        async def talk(stream: WebSocketStream) -> None:
            stream.send("who is there?")
            await stream.receive()

        self.assertEqual(Peer(conversation(talk)).open().received, frame_76("who is there?"))

    def test_reading_waits_while_it_is_busy(self) -> None:
        gate: Deferred[None] = Deferred()
        got: list[object] = []

        async def talk(stream: WebSocketStream) -> None:
            await gate
            async for message in stream:
                got.append(message)

        peer = Peer(conversation(talk)).open("a", "b", "c")
        self.assertFalse(peer.transport.reading)
        gate.callback(None)
        self.assertEqual(got, ["a", "b", "c"])
        self.assertTrue(peer.transport.reading)

    def test_two_peers_have_a_conversation_each(self) -> None:
        first, second = Peer(shout).open(), Peer(shout).open()
        first.say("a")
        second.say("b")
        self.assertEqual((first.received, second.received), (frame_76("A"), frame_76("B")))

    def test_its_stream_is_the_current_one_after_it_waited(self) -> None:
        seen: list[WebSocketStream] = []

        async def talk(stream: WebSocketStream) -> None:
            async for _ in stream:
                seen.append(current_stream())

        peers = [Peer(conversation(talk)).open() for _ in range(2)]
        for peer in peers:
            peer.say("a")
        self.assertEqual(seen, [peer.stream for peer in peers])


class ConversationEndTest(ClosingTestCase):
    """A conversation's end is the connection's, and the other way round."""

    def setUp(self) -> None:
        self.gate: Deferred[None] = Deferred()

    def collecting(self, said: list[object]) -> Peer:
        """Return a peer whose conversation, when the gate opens, writes down what it hears and the end."""

        async def talk(stream: WebSocketStream) -> None:
            await self.gate
            async for message in stream:
                said.append(message)
            said.append("end")

        return Peer(conversation(talk)).open("a", "b")

    def test_returning_closes(self) -> None:
        async def talk(stream: WebSocketStream) -> None:
            stream.send("bye")

        peer = Peer(conversation(talk)).open()
        self.assertEqual(peer.received, frame_76("bye") + CLOSING)
        peer.send(CLOSING)
        peer.finish()
        self.assert_end(peer, 1005, True)

    def test_messages_after_it_returned_are_dropped_and_the_peers_answer_found(self) -> None:
        async def talk(stream: WebSocketStream) -> None:
            await self.gate

        peer = Peer(conversation(talk)).open("a", "b")
        self.gate.callback(None)
        peer.send(frame_76("c") + CLOSING)
        self.assertTrue(peer.transport.ended)

    def test_the_loop_ends_when_the_peer_closes(self) -> None:
        said: list[object] = []
        peer = self.collecting(said)
        self.gate.callback(None)
        peer.send(CLOSING)
        self.assertEqual(said, ["a", "b", "end"])
        self.assertEqual(peer.received, CLOSING)

    def test_messages_before_the_end_are_heard_first(self) -> None:
        ends: dict[str, Callable[[Peer], None]] = {
            "closing frame": lambda peer: peer.send(CLOSING),
            "half-close": lambda peer: peer.half_close(),
            "loss": lambda peer: peer.drop(),
            "protocol error": lambda peer: peer.send(b"\x00\xc3\x28\xff"),
        }
        for name, end in ends.items():
            with self.subTest(end=name):
                said: list[object] = []
                self.gate = Deferred()
                end(self.collecting(said))
                self.gate.callback(None)
                self.assertEqual(said, ["a", "b", "end"])

    def test_receive_fails_at_the_end_with_what_is_known(self) -> None:
        errors: list[ConnectionClosed] = []

        async def talk(stream: WebSocketStream) -> None:
            for _ in range(2):
                try:
                    await stream.receive()
                except ConnectionClosed as error:
                    errors.append(error)

        Peer(conversation(talk)).open().send(CLOSING)
        Peer(conversation(talk)).open().drop()
        self.assertEqual([(error.code, error.clean) for error in errors], [(1005, True)] * 2 + [(1006, False)] * 2)

    def test_not_to_catch_the_end_is_no_error(self) -> None:
        async def talk(stream: WebSocketStream) -> None:
            await stream.receive()

        Peer(conversation(talk)).open().drop()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_an_error_is_logged_once_and_closes(self) -> None:
        async def talk(stream: WebSocketStream) -> None:
            await stream.receive()
            raise ZeroDivisionError

        peer = Peer(conversation(talk)).open("a", "b")
        self.assertEqual(peer.received, CLOSING)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        peer.send(frame_76("c") + CLOSING)
        self.assertTrue(peer.transport.ended)

    def test_an_error_at_once_is_logged_once_and_closes(self) -> None:
        async def talk(stream: WebSocketStream) -> None:
            raise ZeroDivisionError

        peer = Peer(conversation(talk)).open("a")
        self.assertEqual(peer.received, CLOSING)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_what_is_no_coroutine_function_is_logged_and_closes(self) -> None:
        talk: Any = lambda stream: None  # noqa: E731
        peer = Peer(conversation(talk)).open()
        self.assertEqual(peer.received, CLOSING)
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_its_answer_to_the_last_message_is_sent_before_the_end(self) -> None:
        # As that of a message handler is: the peer asked before it closed, and may be waiting.
        ends: dict[str, Callable[[Peer], None]] = {
            "closing frame": lambda peer: peer.send(CLOSING),
            "half-close": lambda peer: peer.half_close(),
        }
        for name, end in ends.items():
            with self.subTest(end=name):
                gate: Deferred[None] = Deferred()

                async def talk(stream: WebSocketStream, gate: Deferred[None] = gate) -> None:
                    async for _ in stream:
                        await gate
                        stream.send("answer")

                peer = Peer(conversation(talk)).open("question")
                end(peer)
                gate.callback(None)
                self.assertEqual(peer.received, frame_76("answer") + CLOSING)

    def test_it_may_close_and_hear_the_end(self) -> None:
        said: list[object] = []

        async def talk(stream: WebSocketStream) -> None:
            stream.close()
            async for message in stream:
                said.append(message)
            said.append("end")

        peer = Peer(conversation(talk)).open()
        peer.send(frame_76("on its way") + CLOSING)
        self.assertEqual(said, ["on its way", "end"])


class AdapterTest(SynchronousTestCase):
    """An adapter is a handshake handler, and a dispatcher too."""

    def test_as_a_dispatcher_it_takes_every_request(self) -> None:
        request: Any = Request.__new__(Request)
        self.assertIs(shout(request), shout)

    def test_as_a_handshake_handler_it_returns_a_message_handler(self) -> None:
        self.assertTrue(callable(shout(Peer().open().stream)))


class SocketTest(TestCase):
    """Conversations on real sockets."""

    async def assert_shouting(self, resource: WebSocketResource) -> None:
        client = await open_76(self, await serve(self, resource))
        client.write(frame_76("hello"))
        await client.until(frame_76("HELLO"))
        client.write(CLOSING)
        await client.closed
        self.assertEqual(client.data, frame_76("HELLO") + CLOSING)

    async def test_as_a_dispatcher(self) -> None:
        await self.assert_shouting(WebSocketResource(shout))

    async def test_returned_by_a_dispatcher(self) -> None:
        await self.assert_shouting(WebSocketResource(lambda request: shout))

    async def test_accepted_by_a_dispatcher(self) -> None:
        await self.assert_shouting(WebSocketResource(lambda request: Accept(shout)))

    async def test_returned_by_a_coroutine(self) -> None:
        async def dispatcher(request: Request) -> Any:
            return shout

        await self.assert_shouting(WebSocketResource(dispatcher))
