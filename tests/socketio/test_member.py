"""A client in a namespace, as its connection sees it: its events, its beginning and its end."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from hunchensocket_tx.socketio.errors import UnserializableData
from hunchensocket_tx.socketio.server import SocketIO
from hunchensocket_tx.socketio.socket import Socket
from tests.socketio.api_support import FIRST, LATEST, SECOND, Client, new_io


class Failed(Exception):
    """What handlers raise here."""


class EventMiddlewareTests(TestCase):
    """Who is asked about the events of a socket."""

    def setUp(self) -> None:
        self.io, self.clock = new_io()
        self.client = Client(self.io, LATEST, "/")
        self.client.got()
        self.socket = self.client.socket()
        self.seen: list[Any] = []
        self.socket.on("say", lambda *values: self.seen.append(values))

    def test_a_middleware_may_change_events(self) -> None:
        @self.socket.use
        def louder(event: list[Any]) -> None:
            event[1] = event[1].upper()

        self.client.says('21["say","x"]')
        self.assertEqual(self.seen, [("X",)])
        self.assertEqual(self.client.got(), ["31[null]"])

    def test_a_middleware_may_refuse_events(self) -> None:
        errors: list[Exception] = []

        @self.socket.use
        async def refuse(event: list[Any]) -> None:
            raise Failed(event[1])

        self.client.says('21["say","x"]')
        self.assertEqual(len(self.flushLoggedErrors(Failed)), 1)
        self.socket.on("error", errors.append)
        self.client.says('21["say","y"]')
        self.assertEqual(self.seen, [])
        self.assertEqual([str(error) for error in errors], ["y"])
        self.assertEqual(self.client.got(), [])
        self.assertTrue(self.socket.connected)

    def test_events_wait_for_a_middleware_and_for_handlers_behind_it(self) -> None:
        decided: list[Deferred[None]] = []
        done: Deferred[None] = Deferred()

        @self.socket.use
        def decide(event: list[Any]) -> Deferred[None]:
            decided.append(Deferred())
            return decided[-1]

        self.socket.on("work", lambda: done)
        self.client.says('2["work"]', '2["say",1]', '2["say",2]')
        decided[0].callback(None)
        self.assertEqual(len(decided), 1)
        done.callback(None)
        decided[1].callback(None)
        self.assertEqual(self.seen, [(1,)])
        self.client.vanishes()
        decided[2].callback(None)
        self.assertEqual(self.seen, [(1,)])


class BeginningTests(TestCase):
    """How it begins."""

    def setUp(self) -> None:
        self.io, self.clock = new_io()
        self.seen: list[str] = []
        self.io.on("connection", self.connection)

    def connection(self, socket: Socket) -> None:
        socket.on("x", lambda: self.seen.append("x"))
        socket.on("disconnect", self.seen.append)
        socket.emit("hello")

    def asking(self, generation: int, transport: str) -> Client:
        """Return a client that connects over some transport."""
        client = Client(self.io, generation)
        client.session.transport = transport
        if generation == LATEST:
            client.says("0")
        return client

    def test_over_a_websocket_a_new_client_gets_the_answer_apart_from_what_follows(self) -> None:
        client = self.asking(LATEST, "websocket")
        client.says('2["x"]')
        self.assertEqual(len(client.got()), 1)
        self.assertEqual(self.seen, [])
        self.clock.advance(0.001)
        self.assertEqual(client.got(), ['2["hello"]'])
        self.assertEqual(self.seen, ["x"])

    def test_others_get_all_at_once(self) -> None:
        for generation, transport in ((LATEST, "polling"), (SECOND, "websocket"), (FIRST, "websocket")):
            self.assertEqual(len(self.asking(generation, transport).got()), 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_says_something_and_leaves_at_once_is_heard(self) -> None:
        client = self.asking(LATEST, "websocket")
        client.says('2["x"]', "1")
        self.assertEqual(self.seen, ["x", "client namespace disconnect"])
        self.assertEqual(client.got()[1:], ['2["hello"]'])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_is_cut_off_at_once_has_been_there(self) -> None:
        client = self.asking(LATEST, "websocket")
        client.connection.session_closed("transport close")
        self.assertEqual(self.seen, ["transport close"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_application_may_end_it_when_it_hears_of_it_too_late(self) -> None:
        self.io.on("connection", lambda socket: socket.disconnect())
        client = self.asking(LATEST, "websocket")
        client.says("1")
        self.assertEqual(self.seen, ["server namespace disconnect"])
        self.assertEqual(client.connection.sockets, {})

    def test_who_is_cut_off_by_the_answer_has_never_been_there(self) -> None:
        for transport in ("polling", "websocket"):
            io, clock = new_io()
            seen: list[Socket] = []
            io.on("connection", seen.append)
            client = Client(io, LATEST)
            client.session.transport = transport
            with patch.object(client.session, "send", lambda outgoing, client=client: client.vanishes()):
                client.says("0")
            clock.advance(1)
            self.assertEqual((seen, io.sockets.sockets, clock.getDelayedCalls()), ([], {}, []))

    def cut_off(self, io: SocketIO) -> str:
        """Have a client get an event and vanish; return by what it comes back."""
        client = Client(io, LATEST, "/")
        io.emit("hi")
        answer, event = map(str, client.got())
        client.vanishes()
        return "0" + json.dumps({"pid": json.loads(answer[1:])["pid"], "offset": json.loads(event[1:])[-1]})

    def test_what_is_sent_while_middleware_is_asked_about_who_comes_back_is_not_missed(self) -> None:
        io, _ = new_io(recovery_window=60, recovery_skips_middleware=False)
        back = self.cut_off(io)
        decided: Deferred[None] = Deferred()
        io.use(lambda socket: decided)
        io.emit("before")
        client = Client(io, LATEST)
        client.says(back)
        io.emit("meanwhile")
        decided.callback(None)
        io.emit("after")
        names = [json.loads(str(message)[1:])[0] for message in client.got() if str(message).startswith("2")]
        self.assertEqual(names, ["before", "meanwhile", "after"])
        self.assertTrue(client.socket().recovered)

    def test_an_event_that_it_missed_and_that_cannot_be_written_is_left_out(self) -> None:
        io, _ = new_io(recovery_window=60)
        back = self.cut_off(io)
        io.emit("never written", float("nan"))
        io.emit("missed")
        greeted: list[Socket] = []
        io.on("connection", greeted.append)
        client = Client(io, LATEST)
        client.says(back)
        self.assertEqual(len(self.flushLoggedErrors(UnserializableData)), 1)
        missed, answer = map(str, client.got())
        self.assertTrue(missed.startswith('2["missed"'))
        self.assertTrue(answer.startswith("0"))
        self.assertTrue(greeted[0].recovered)


class EndTests(TestCase):
    """How it ends, and what handlers are told."""

    def setUp(self) -> None:
        self.io, self.clock = new_io()
        self.told: list[Any] = []

        def connection(socket: Socket) -> None:
            socket.join("room")

            @socket.on("disconnecting")
            def disconnecting(reason: str) -> None:
                self.told.append(("disconnecting", reason, "room" in socket.rooms, socket.id in socket.rooms))
                socket.disconnect()  # it does so already

            @socket.on("disconnect")
            def disconnect(reason: str) -> None:
                self.told.append(("disconnect", reason, socket.rooms, socket.connected))

        self.io.on("connection", connection)

    def expect(self, reason: str) -> None:
        self.assertEqual(
            self.told,
            [("disconnecting", reason, True, True), ("disconnect", reason, frozenset(), False)],
        )
        self.assertEqual(self.io.of("/").sockets, {})
        self.assertEqual(list(self.io.of("/").adapter.local_rooms()), [])

    def test_the_session_ends(self) -> None:
        Client(self.io, LATEST, "/").vanishes("ping timeout")
        self.expect("ping timeout")

    def test_the_client_leaves(self) -> None:
        Client(self.io, LATEST, "/").says("1")
        self.expect("client namespace disconnect")

    def test_the_server_disconnects_it(self) -> None:
        client = Client(self.io, LATEST, "/")
        client.got()
        socket = client.socket()
        socket.disconnect()
        self.expect("server namespace disconnect")
        self.assertEqual(client.got(), ["1"])
        self.assertTrue(client.session.is_open)
        socket.disconnect()
        self.assertEqual(client.got(), [])

    def test_the_server_closes_it(self) -> None:
        self.io.of("/admin")
        client = Client(self.io, LATEST, "/", "/admin")
        client.got()
        client.socket().disconnect(close=True)
        self.expect("server namespace disconnect")
        self.assertEqual(client.got(), ["1", "1/admin,"])
        self.assertEqual(client.session.closed_for, "forced server close")

    def test_the_server_shuts_down(self) -> None:
        client = Client(self.io, LATEST, "/")
        client.got()
        self.successResultOf(self.io.close())
        self.expect("server shutting down")
        self.assertEqual(client.got(), [])
        self.assertEqual(client.session.closed_for, "server shutting down")

    def test_it_sends_and_joins_nothing_afterwards(self) -> None:
        client = Client(self.io, LATEST, "/")
        socket = client.socket()
        client.says("1")
        client.got()
        socket.emit("late")
        socket.join("late")
        socket.leave("room")
        self.assertEqual(client.got(), [])
        self.assertEqual(socket.rooms, frozenset())

    def test_handlers_that_fail_keep_nobody(self) -> None:
        def connection(socket: Socket) -> None:
            socket.on("disconnecting", lambda reason: 1 / 0)
            socket.on("disconnect", lambda reason: 1 / 0)

        self.io.on("connection", connection)
        Client(self.io, LATEST, "/").vanishes("transport close")
        self.expect("transport close")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_handlers_may_end_it_again_in_any_way(self) -> None:
        for close in (False, True):
            io, _ = new_io()
            client = Client(io, LATEST, "/")
            socket = client.socket()
            reasons: list[str] = []

            def disconnecting(reason: str, socket: Socket = socket, close: bool = close) -> None:
                socket.disconnect(close)
                self.assertIn(socket.id, socket.rooms)

            socket.on("disconnecting", disconnecting)
            socket.on("disconnect", reasons.append)
            client.says("1")
            self.assertEqual(reasons, ["client namespace disconnect"])
            self.assertEqual(client.session.is_open, not close)

    def test_who_is_gone_already_does_not_end_the_session(self) -> None:
        io, _ = new_io()
        io.of("/other")
        client = Client(io, LATEST, "/", "/other")
        gone = client.socket("/other")
        client.says("1/other,")
        gone.disconnect(close=True)
        self.assertTrue(client.session.is_open)
        self.assertTrue(client.socket().connected)
