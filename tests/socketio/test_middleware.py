"""Who decides whether clients may connect, and what happens meanwhile."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from hunchensocket_tx.socketio.errors import ConnectRefused
from hunchensocket_tx.socketio.socket import Socket
from tests.socketio.api_support import FIRST, LATEST, SECOND, Client, new_io


class MiddlewareTests(TestCase):
    """Who decides whether a client may connect."""

    def setUp(self) -> None:
        self.io, self.clock = new_io()
        self.sockets: list[Socket] = []
        self.io.on("connection", self.sockets.append)

    def test_a_refusal_carries_its_message_and_data(self) -> None:
        @self.io.use
        def refuse(socket: Socket) -> None:
            raise ConnectRefused("Not authorized", {"code": 7})

        client = Client(self.io, LATEST, "/")
        self.assertEqual(client.got(), ['4{"message":"Not authorized","data":{"code":7}}'])
        self.assertTrue(client.session.is_open)
        self.assertEqual(self.sockets, [])
        self.assertEqual(client.connection.sockets, {})

    def test_what_else_goes_wrong_is_ours_to_know(self) -> None:
        @self.io.use
        def broken(socket: Socket) -> None:
            raise RuntimeError("secret")

        client = Client(self.io, LATEST, "/")
        self.assertEqual(client.got(), ['4{"message":"internal error"}'])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_data_that_cannot_be_sent_is_left_out(self) -> None:
        @self.io.use
        def refuse(socket: Socket) -> None:
            raise ConnectRefused("no", float("nan"))

        self.assertEqual(Client(self.io, LATEST, "/").got(), ['4{"message":"no"}'])
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_one_after_the_other_is_asked_until_one_refuses(self) -> None:
        asked: list[str] = []
        first: Deferred[None] = Deferred()

        @self.io.use
        async def takes_its_time(socket: Socket) -> None:
            asked.append("first")
            await first

        @self.io.use
        def refuses(socket: Socket) -> None:
            asked.append("second")
            raise ConnectRefused("no")

        self.io.use(lambda socket: asked.append("third"))
        client = Client(self.io, LATEST, "/")
        self.assertEqual(asked, ["first"])
        first.callback(None)
        self.assertEqual(asked, ["first", "second"])
        self.assertEqual(client.got(), ['4{"message":"no"}'])

    def test_who_asks_again_meanwhile_is_closed(self) -> None:
        self.io.use(lambda socket: Deferred())
        client = Client(self.io, LATEST, "/", "/")
        self.assertEqual(client.session.closed_for, "parse error")

    def test_who_vanishes_meanwhile_is_never_connected(self) -> None:
        for goodbye in ("vanishes", "says"):
            decided: Deferred[None] = Deferred()
            seen: list[Socket] = []

            def middleware(socket: Socket, decided: Any = decided, seen: Any = seen) -> Deferred[None]:
                seen.append(socket)
                socket.join("room")
                socket.on("disconnect", lambda reason: self.fail("it was never connected"))
                return decided  # type: ignore[no-any-return]

            namespace = self.io.of(f"/{goodbye}")
            namespace.use(middleware)
            namespace.on("connection", self.sockets.append)
            client = Client(self.io, LATEST, namespace.name)
            if goodbye == "says":
                client.says(f"1{namespace.name},")
            else:
                client.vanishes()
            decided.callback(None)
            self.assertEqual(self.sockets, [])
            self.assertEqual(client.got(), [])
            self.assertEqual(seen[0].rooms, frozenset())
            self.assertFalse(seen[0].connected)
            self.assertEqual(namespace.sockets, {})
            self.assertEqual(list(namespace.adapter.local_rooms()), [])

    def test_a_refusal_after_the_end_is_told_to_nobody(self) -> None:
        decided: Deferred[None] = Deferred()
        self.io.use(lambda socket: decided)
        client = Client(self.io, LATEST, "/")
        client.vanishes()
        decided.errback(ConnectRefused("no"))
        self.assertEqual(client.got(), [])

    def test_a_mistake_after_the_end_is_logged_though_there_is_nobody_to_tell(self) -> None:
        let_in: Deferred[None] = Deferred()
        found: Deferred[bool] = Deferred()
        self.io.use(lambda socket: let_in)
        self.io.of(lambda name, auth: found)
        for name, decided in (("/", let_in), ("/some", found)):
            with self.subTest(name=name):
                client = Client(self.io, LATEST, name)
                client.vanishes()
                decided.errback(RuntimeError("a mistake"))
                self.assertEqual(client.got(), [])
                self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_events_that_come_meanwhile_wait(self) -> None:
        decided: Deferred[None] = Deferred()
        said: list[str] = []
        self.io.use(lambda socket: decided)
        self.io.on("connection", lambda socket: socket.on("say", said.append))
        client = Client(self.io, FIRST)
        client.says('5:::{"name":"say","args":["early"]}')
        self.assertEqual(said, [])
        decided.callback(None)
        self.assertEqual(said, ["early"])

    def test_what_is_sent_meanwhile_follows_behind_the_answer(self) -> None:
        @self.io.use
        def welcome(socket: Socket) -> None:
            socket.emit("hello")
            socket.volatile.emit("not this")

        client = Client(self.io, SECOND)
        self.assertEqual(client.got(), ["0", '2["hello"]'])

    def test_an_adapter_that_fails_is_logged(self) -> None:
        self.patch(self.io.of("/").adapter, "join", lambda sid, rooms: 1 / 0)
        client = Client(self.io, LATEST, "/")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        client.vanishes()
        self.assertEqual(self.io.of("/").sockets, {})

    def test_who_is_not_in_yet_gets_no_broadcasts(self) -> None:
        decided: Deferred[None] = Deferred()

        @self.io.use
        def middleware(socket: Socket) -> Deferred[None]:
            socket.join("room")
            return decided

        client = Client(self.io, LATEST, "/")
        self.io.to("room").emit("early")
        self.assertEqual(client.got(), [])
        decided.callback(None)
        self.assertEqual(len(client.got()), 1)
        self.io.to("room").emit("late")
        self.assertEqual(client.got(), ['2["late"]'])
