"""Tests of hunchensocket_tx.cascade: dispatchers, handshake handlers, message handlers."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock, fail, inlineCallbacks, succeed
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.http import Request

from hunchensocket_tx.cascade import (
    Accept,
    Decision,
    Dispatcher,
    Reject,
    default_websocket_handler,
    dispatch,
    websocket_handlers,
)
from hunchensocket_tx.errors import ConnectionClosed
from hunchensocket_tx.resource import WebSocketResource
from hunchensocket_tx.stream import WebSocketStream
from tests.stream_support import CLOSING, Peer
from tests.support import RawClient, connect, frame_76, open_76, request_76, serve

Handler = Callable[[str], Any]


def handshake_a(stream: WebSocketStream, mutex: DeferredLock) -> None:
    """A handshake handler."""


def handshake_b(stream: WebSocketStream, mutex: DeferredLock) -> None:
    """Another one."""


def shouting(stream: WebSocketStream, mutex: DeferredLock) -> Handler:
    """A handshake handler whose message handler answers in capitals."""
    return lambda text: stream.send(text.upper())


def in_each_way(value: Any) -> dict[str, Callable[..., Any]]:
    """Return functions that answer with a value, by the way in which they do."""

    async def coroutine(*_: object) -> Any:
        return value

    @inlineCallbacks
    def generator(*_: object) -> Generator[Deferred[Any], Any, Any]:
        return (yield succeed(value))

    return {
        "value": lambda *_: value,
        "fired Deferred": lambda *_: succeed(value),
        "coroutine": coroutine,
        "inlineCallbacks": generator,
    }


class DispatchTest(SynchronousTestCase):
    """Dispatchers are asked in order; the first that accepts, or rejects, wins."""

    def setUp(self) -> None:
        self.request: Any = object()

    def dispatch(self, *dispatchers: Dispatcher) -> Decision:
        return self.successResultOf(self.ask(*dispatchers))

    def ask(self, *dispatchers: Dispatcher) -> Deferred[Decision]:
        """Ask dispatchers about the request, which none of them looks into."""
        return Deferred.fromCoroutine(dispatch(self.request, dispatchers))

    def test_a_handshake_handler_is_an_acceptance(self) -> None:
        for name, dispatcher in in_each_way(handshake_a).items():
            with self.subTest(way=name):
                self.assertEqual(self.dispatch(dispatcher), Accept(handshake_a))

    def test_accept_and_reject_are_passed_on(self) -> None:
        for decision in (Accept(handshake_a, "chat"), Reject(401, "who are you?")):
            for name, dispatcher in in_each_way(decision).items():
                with self.subTest(decision=decision, way=name):
                    self.assertEqual(self.dispatch(dispatcher), decision)

    def test_after_none_the_next_one_is_asked(self) -> None:
        for name, dispatcher in in_each_way(None).items():
            with self.subTest(way=name):
                self.assertEqual(self.dispatch(dispatcher, lambda request: handshake_b), Accept(handshake_b))

    def test_if_nobody_takes_it_there_is_no_decision(self) -> None:
        for dispatchers in ((), (lambda request: None, lambda request: None)):
            self.assertIsNone(self.dispatch(*dispatchers))

    def test_whoever_comes_behind_the_first_decision_is_not_asked(self) -> None:
        asked: list[str] = []
        for decision in (handshake_a, Accept(handshake_a), Reject()):
            self.dispatch(in_each_way(decision)["value"], lambda request: asked.append("second"))
        self.assertEqual(asked, [])

    def test_the_next_one_waits_for_an_answer_that_is_pending(self) -> None:
        answer: Deferred[None] = Deferred()
        asked: list[str] = []

        def second(request: Request) -> Any:
            asked.append("second")
            return handshake_b

        asking = self.ask(lambda request: answer, second)
        self.assertEqual(asked, [])
        answer.callback(None)
        self.assertEqual(self.successResultOf(asking), Accept(handshake_b))

    def test_each_is_given_the_request(self) -> None:
        seen: list[Request] = []
        self.dispatch(seen.append, seen.append)
        self.assertEqual(seen, [self.request, self.request])

    def test_anything_else_is_an_error_that_names_the_dispatcher_and_what_is_wanted(self) -> None:
        answers: list[object] = [True, 42, "chat", b"", [], (handshake_a, "chat")]

        def confused(request: Request) -> object:
            return answers[-1]

        while answers:
            with self.subTest(answer=answers[-1]):
                text = str(self.failureResultOf(self.ask(confused), TypeError).value)
                for word in ("confused", repr(answers.pop()), "handshake", "Accept", "Reject", "None"):
                    self.assertIn(word, text)

    def test_an_error_ends_the_asking(self) -> None:
        asking = self.ask(lambda request: 1 // 0, lambda request: handshake_a)
        self.failureResultOf(asking, ZeroDivisionError)

    def test_the_default_asks_the_shared_list_as_it_is_then(self) -> None:
        self.assertIsNone(self.dispatch(default_websocket_handler))
        for dispatcher in (lambda request: None, lambda request: handshake_a, lambda request: handshake_b):
            websocket_handlers.append(dispatcher)
            self.addCleanup(websocket_handlers.remove, dispatcher)
        self.assertEqual(self.dispatch(default_websocket_handler), Accept(handshake_a))


class DecisionTest(SynchronousTestCase):
    """Accept and Reject are checked where they are made, not when the peer waits."""

    def test_headers_may_be_a_mapping_or_pairs(self) -> None:
        pairs = (("X-A", "1"), ("X-B", "2"))
        for headers in (dict(pairs), list(pairs), iter(pairs)):
            self.assertEqual(tuple(Accept(handshake_a, headers=headers).headers), pairs)
        self.assertEqual(tuple(Reject(headers=dict(pairs)).headers), pairs)

    def test_fields_of_the_handshake_cannot_be_set(self) -> None:
        for name in ("Upgrade", "connection", "Sec-WebSocket-Protocol", "WebSocket-Origin", "Content-Length"):
            with self.subTest(name=name):
                self.assertRaisesRegex(ValueError, name, Accept, handshake_a, None, {name: "x"})

    def test_headers_cannot_break_out_of_their_line(self) -> None:
        for name, value in (("X-A", "1\r\nX-B: 2"), ("X-A", "1\n"), ("X A", "1"), ("X-A:", "1"), ("", "1")):
            with self.subTest(name=name, value=value):
                self.assertRaises(ValueError, Accept, handshake_a, None, {name: value})
                self.assertRaises(ValueError, Reject, 403, "", {name: value})

    def test_a_status_that_refuses_nothing_is_an_error(self) -> None:
        for status in (0, 101, 200, 600):
            with self.subTest(status=status):
                self.assertRaisesRegex(ValueError, str(status), Reject, status)

    def test_both_are_immutable(self) -> None:
        for decision in (Accept(handshake_a), Reject()):
            self.assertRaises(AttributeError, setattr, decision, "headers", ())


class HandshakeHandlerTest(SynchronousTestCase):
    """A handshake handler gets the stream and its mutex, and returns a message handler or None."""

    def test_its_message_handler_may_come_in_each_way(self) -> None:
        got: list[str] = []
        for name, handshake in in_each_way(got.append).items():
            with self.subTest(way=name):
                Peer(handshake).open(name)
                self.assertEqual(got[-1], name)

    def test_none_may_come_in_each_way(self) -> None:
        for name, handshake in in_each_way(None).items():
            with self.subTest(way=name):
                self.assertTrue(Peer(handshake).open("whatever").stream.send("still open"))

    def test_anything_else_is_logged_and_closes(self) -> None:
        for name, handshake in in_each_way(42).items():
            with self.subTest(way=name):
                peer = Peer(handshake).open("a")
                self.assertEqual(peer.received, CLOSING)
                (failure,) = self.flushLoggedErrors(TypeError)
                self.assertIn("42", str(failure.value))

    def test_its_error_is_logged_once_and_closes(self) -> None:
        async def coroutine(stream: WebSocketStream, mutex: DeferredLock) -> None:
            raise ZeroDivisionError

        for handshake in (lambda stream, mutex: 1 // 0, coroutine):
            peer = Peer(handshake).open("a")
            self.assertEqual(peer.received, CLOSING)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_its_late_error_closes_as_well(self) -> None:
        pending: Deferred[Handler] = Deferred()
        peer = Peer(lambda stream, mutex: pending).open("a")
        self.assertEqual(peer.received, b"")
        pending.errback(ZeroDivisionError())
        self.assertEqual(peer.received, CLOSING)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class MessageHandlerTest(SynchronousTestCase):
    """A message handler may take its time; its error closes its connection and no other."""

    def test_it_may_answer_in_each_way(self) -> None:
        for name, handler in in_each_way("ignored").items():
            with self.subTest(way=name):
                peer = Peer(in_each_way(handler)["value"]).open("a", "b")
                self.assertTrue(peer.stream.send("still open"))
                self.assertTrue(peer.transport.reading)

    def test_messages_wait_for_a_pending_coroutine(self) -> None:
        gates: list[Deferred[None]] = []
        done: list[str] = []

        async def message(text: str) -> None:
            gates.append(Deferred())
            await gates[-1]
            done.append(text)

        peer = Peer(lambda stream, mutex: message).open("a", "b")
        self.assertEqual((len(gates), done), (1, []))
        self.assertFalse(peer.transport.reading)
        gates[0].callback(None)
        self.assertEqual((len(gates), done), (2, ["a"]))
        gates[1].callback(None)
        self.assertEqual(done, ["a", "b"])
        self.assertTrue(peer.transport.reading)

    def test_its_error_is_logged_once_and_closes(self) -> None:
        async def coroutine(text: str) -> None:
            raise ZeroDivisionError

        for handler in (lambda text: 1 // 0, coroutine, lambda text: fail(ZeroDivisionError())):
            peer = Peer(in_each_way(handler)["value"]).open("a")
            self.assertEqual(peer.received, CLOSING)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_its_late_error_closes_as_well(self) -> None:
        pending: Deferred[None] = Deferred()
        peer = Peer(lambda stream, mutex: lambda text: pending).open("a")
        self.assertEqual(peer.received, b"")
        pending.errback(ZeroDivisionError())
        self.assertEqual(peer.received, CLOSING)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_after_its_error_it_is_not_called_any_more(self) -> None:
        calls: list[str] = []

        def message(text: str) -> None:
            calls.append(text)
            raise ZeroDivisionError

        peer = Peer(lambda stream, mutex: message).open("a", "b")
        peer.say("c")
        self.assertEqual(calls, ["a"])
        self.flushLoggedErrors(ZeroDivisionError)

    def test_its_error_leaves_other_connections_alone(self) -> None:
        bad, good = Peer(lambda stream, mutex: lambda text: 1 // 0).open(), Peer(shouting).open()
        bad.say("a")
        good.say("a")
        self.assertEqual(good.received, frame_76("A"))
        self.flushLoggedErrors(ZeroDivisionError)

    def test_its_error_after_the_connection_is_gone_is_logged_too(self) -> None:
        pending: Deferred[None] = Deferred()
        peer = Peer(lambda stream, mutex: lambda text: pending).open("a")
        peer.drop()
        pending.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_that_it_found_its_connection_closed_is_no_error(self) -> None:
        peer = Peer(lambda stream, mutex: lambda text: stream.drained()).open()
        peer.transport.fill()
        peer.say("a")
        peer.drop()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_that_it_found_another_connection_closed_is_one(self) -> None:
        # It was this connection's handler that did not expect it, and its peer that is told 1011 for it.
        other = Peer().open()
        other.drop()
        peer = Peer(lambda stream, mutex: lambda text: other.stream.drained()).open("a")
        self.assertEqual(peer.received, CLOSING)
        self.assertEqual(len(self.flushLoggedErrors(ConnectionClosed)), 1)


class SocketTest(TestCase):
    """The whole cascade on real sockets."""

    async def ask(self, *dispatchers: Dispatcher) -> RawClient:
        """Send a request to a resource with these dispatchers."""
        client = await connect(self, address := await serve(self, WebSocketResource(*dispatchers)))
        client.write(request_76(address))
        await client.until(b"\r\n\r\n")
        return client

    async def test_the_example_of_the_design_works(self) -> None:
        def shout(request: Request) -> Any:
            if request.getUser() == b"mallory":
                return None
            return shouting

        client = await open_76(self, await serve(self, WebSocketResource(shout)))
        client.write(frame_76("hello") + frame_76("grüße"))
        await client.until(frame_76("HELLO") + frame_76("GRÜSSE"))

    async def test_a_resource_without_dispatchers_asks_the_shared_list(self) -> None:
        def dispatcher(request: Request) -> Any:
            return shouting

        address = await serve(self, WebSocketResource())
        websocket_handlers.append(dispatcher)
        self.addCleanup(websocket_handlers.remove, dispatcher)
        client = await open_76(self, address)
        client.write(frame_76("hello"))
        await client.until(frame_76("HELLO"))

    async def test_if_nobody_takes_the_request_it_is_not_found(self) -> None:
        self.assertEqual((await self.ask(lambda request: None)).status, 404)

    async def test_a_rejection_is_an_http_answer(self) -> None:
        async def dispatcher(request: Request) -> Any:
            return Reject(401, "who are you?", {"WWW-Authenticate": "Basic"})

        client = await self.ask(dispatcher)
        await client.until(b"who are you?")
        self.assertEqual(client.status, 401)
        self.assertIn(b"\r\nwww-authenticate: basic\r\n", client.head.lower())

    async def test_nothing_is_answered_while_a_dispatcher_is_pending(self) -> None:
        answer: Deferred[Any] = Deferred()
        asked: Deferred[None] = Deferred()

        def dispatcher(request: Request) -> Any:
            asked.callback(None)
            return answer

        client = await connect(self, address := await serve(self, WebSocketResource(dispatcher)))
        client.write(request_76(address) + frame_76("early"))
        await asked
        self.assertEqual(client.data, b"")
        answer.callback(shouting)
        await client.until(frame_76("EARLY"))

    async def test_a_dispatcher_that_returns_nonsense_is_an_internal_error(self) -> None:
        for dispatcher in in_each_way(42).values():
            self.assertEqual((await self.ask(dispatcher)).status, 500)
            self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    async def test_every_step_may_be_a_coroutine(self) -> None:
        from twisted.internet import reactor

        async def turn() -> None:
            """Let the reactor turn."""
            await deferLater(reactor, 0, lambda: None)

        async def dispatcher(request: Request) -> Any:
            await turn()
            return handshake

        async def handshake(stream: WebSocketStream, mutex: DeferredLock) -> Any:
            await turn()

            async def message(text: str) -> None:
                await turn()
                stream.send(text.upper())

            return message

        client = await open_76(self, await serve(self, WebSocketResource(dispatcher)))
        client.write(frame_76("a") + frame_76("b"))
        await client.until(frame_76("A") + frame_76("B"))
