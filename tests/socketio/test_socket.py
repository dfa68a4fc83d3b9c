"""What applications say to one client, and from it to others."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from hunchensocket_tx.errors import MisuseError
from hunchensocket_tx.socketio.adapter import Flags
from hunchensocket_tx.socketio.errors import AckTimeout, SocketDisconnected, UnserializableData
from hunchensocket_tx.socketio.wire.packets import RESERVED_EVENTS
from tests.socketio.api_support import FIRST, LATEST, SECOND, Client, new_io


class EmitTests(TestCase):
    """Events to one client."""

    def setUp(self) -> None:
        self.io, self.clock = new_io()
        self.io.of("/admin")
        self.client = Client(self.io, LATEST, "/", "/admin")
        self.client.got()
        self.socket = self.client.socket()

    def test_an_event_with_arguments(self) -> None:
        self.socket.emit("hello", 1, [None], {"a": "é"})
        self.client.socket("/admin").emit("hello")
        self.assertEqual(self.client.got(), ['2["hello",1,[null],{"a":"\\u00e9"}]', '2/admin,["hello"]'])

    def test_a_message(self) -> None:
        self.socket.send("text")
        self.socket.compress(False).send("text")
        self.assertEqual(self.client.got(), ['2["message","text"]'] * 2)

    def test_bytes_are_attached_and_stay_together(self) -> None:
        self.socket.emit("bytes", b"\x01")
        self.assertEqual(
            self.client.session.outgoing[-1].messages,
            ('51-["bytes",{"_placeholder":true,"num":0}]', b"\x01"),
        )

    def test_the_names_of_its_own_events_are_refused(self) -> None:
        for name in (*RESERVED_EVENTS, 5, None):
            with self.assertRaises(MisuseError):
                self.socket.emit(name)  # type: ignore[arg-type]
            with self.assertRaises(MisuseError):
                self.socket.emit_with_ack(name)  # type: ignore[arg-type]
        self.assertEqual(self.client.got(), [])

    def test_what_cannot_be_written_is_refused(self) -> None:
        with self.assertRaises(UnserializableData):
            self.socket.emit("number", float("nan"))
        with self.assertRaises(UnserializableData):
            self.socket.emit_with_ack("object", object())
        self.socket.emit("text", ack=lambda: None)
        self.assertEqual(len(self.client.got()), 1)

    def test_what_is_volatile_is_not_sent_where_it_would_wait(self) -> None:
        self.socket.volatile.emit("now")
        self.client.session.writable = False
        self.socket.volatile.emit("not now")
        self.socket.volatile.compress(True).timeout(3).send("not now")
        self.socket.emit("later")
        self.assertEqual(self.client.got(), ['2["now"]', '2["later"]'])

    def test_compression_can_be_declined(self) -> None:
        self.socket.emit("text")
        self.socket.compress(False).emit("text")
        self.assertEqual([sent.compress for sent in self.client.session.outgoing[-2:]], [True, False])

    def test_what_it_is(self) -> None:
        self.assertEqual(self.socket.transport_name, "websocket")
        self.assertEqual(self.socket.handshake.address, "192.0.2.1")
        self.assertIn("192.0.2.1", repr(self.socket))
        self.assertNotIn(self.socket.id, repr(self.socket))
        self.assertEqual(self.socket.data, {})
        self.socket.data["name"] = "ada"
        self.assertEqual(self.socket.data, {"name": "ada"})
        self.socket.data = None
        self.assertEqual(self.socket.data, {})
        self.assertFalse(self.socket.recovered)


class AckTests(TestCase):
    """Answers of a client."""

    def setUp(self) -> None:
        self.io, self.clock = new_io()
        self.client = Client(self.io, LATEST, "/")
        self.client.got()
        self.socket = self.client.socket()
        self.answers: list[Any] = []

    def test_a_function_gets_all_values(self) -> None:
        self.socket.emit("a", ack=lambda *values: self.answers.append(values))
        self.socket.send("b", ack=lambda *values: self.answers.append(values))
        self.assertEqual(self.client.got(), ['20["a"]', '21["message","b"]'])
        self.client.says('31[1,"two"]', "30[]", "30[]", "37[1]")
        self.assertEqual(self.answers, [(1, "two"), ()])

    def test_a_deferred_gets_the_first_value(self) -> None:
        one, none = self.socket.emit_with_ack("a", 1), self.socket.emit_with_ack("b")
        self.client.says("30[5,6]", "31[]")
        self.assertEqual(self.successResultOf(one), 5)
        self.assertIsNone(self.successResultOf(none))

    def test_an_answer_may_be_too_late(self) -> None:
        late = self.socket.timeout(5).emit_with_ack("a")
        self.socket.timeout(5).emit("b", ack=self.answers.append)
        self.clock.advance(4.9)
        self.assertNoResult(late)
        self.clock.advance(0.2)
        self.failureResultOf(late, AckTimeout)
        self.client.says("30[1]", "31[1]")
        self.assertEqual(self.answers, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_an_answer_in_time_stops_the_clock(self) -> None:
        answered = self.socket.timeout(5).emit_with_ack("a")
        self.client.says('30["yes"]')
        self.assertEqual(self.successResultOf(answered), "yes")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_disconnects_answers_no_more(self) -> None:
        waiting = self.socket.emit_with_ack("a")
        timed = self.socket.timeout(5).emit_with_ack("b")
        self.socket.emit("c", ack=self.answers.append)
        self.client.vanishes()
        self.failureResultOf(waiting, SocketDisconnected)
        self.failureResultOf(timed, SocketDisconnected)
        self.failureResultOf(self.socket.emit_with_ack("d"), SocketDisconnected)
        self.assertEqual(self.answers, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_waits_no_longer_says_so(self) -> None:
        waiting = self.socket.timeout(5).emit_with_ack("a")
        waiting.addErrback(lambda _: None)
        waiting.cancel()
        self.client.says("30[1]")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_function_that_fails_harms_nobody(self) -> None:
        self.socket.emit("a", ack=lambda value: 1 / value)
        self.client.says("30[0]")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(self.client.session.is_open)

    def test_answers_come_while_a_handler_runs(self) -> None:
        @self.socket.on("question")
        async def question() -> Any:
            return await self.socket.emit_with_ack("counter-question")

        self.client.says('27["question"]')
        self.assertEqual(self.client.got(), ['20["counter-question"]'])
        self.client.says('30["answer"]')
        self.assertEqual(self.client.got(), ['37["answer"]'])

    def test_older_clients_answer_too(self) -> None:
        for generation, asked, answer in (
            (SECOND, '20["a"]', "30[1]"),
            (FIRST, '5:0+::{"name":"a"}', "6:::0+[1]"),
        ):
            client = Client(self.io, generation)
            client.got()
            answered = client.socket().emit_with_ack("a")
            self.assertEqual(client.got(), [asked])
            client.says(answer)
            self.assertEqual(self.successResultOf(answered), 1)


class OthersTests(TestCase):
    """What a socket says to others, and its rooms."""

    def setUp(self) -> None:
        self.io, self.clock = new_io()
        self.one, self.two, self.three = (Client(self.io, LATEST, "/") for _ in range(3))
        self.one.socket().join("a", ["b", "c"])
        self.two.socket().join("a")
        self.got()

    def got(self) -> list[bool]:
        """Return who has got something."""
        return [bool(client.got()) for client in (self.one, self.two, self.three)]

    def test_all_others(self) -> None:
        self.one.socket().broadcast.emit("x")
        self.assertEqual(self.got(), [False, True, True])
        self.one.socket().local.emit("x")
        self.assertEqual(self.got(), [False, True, True])
        self.one.socket().compress(False).local.emit("x")
        self.assertEqual(self.got(), [False, True, True])

    def test_others_in_rooms_and_not_in_rooms(self) -> None:
        socket = self.one.socket()
        for speaker in (socket, socket.compress(False)):
            speaker.to("a").emit("x")
            self.assertEqual(self.got(), [False, True, False])
            speaker.in_("a").emit("x")
            self.assertEqual(self.got(), [False, True, False])
            speaker.except_("a").emit("x")
            self.assertEqual(self.got(), [False, False, True])
            speaker.broadcast.compress(True).to(self.three.socket().id).emit("x")
            self.assertEqual(self.got(), [False, False, True])

    def test_flags_go_along(self) -> None:
        self.two.session.writable = False
        self.one.socket().volatile.broadcast.emit("x")
        self.assertEqual(self.got(), [False, False, True])

    def test_rooms(self) -> None:
        socket = self.one.socket()
        self.assertEqual(socket.rooms, {socket.id, "a", "b", "c"})
        socket.leave("b")
        socket.leave("never")
        self.assertEqual(socket.rooms, {socket.id, "a", "c"})

    def test_a_broadcast_is_written_once_for_each_parser(self) -> None:
        second = Client(self.io, SECOND)
        self.io.emit("x", "é")
        latest = [client.session.outgoing[-1] for client in (self.one, self.two, self.three)]
        self.assertTrue(latest[0] is latest[1] is latest[2])
        self.assertTrue(latest[0].shared)
        self.assertEqual(second.got()[-1], '2["x","\\u00e9"]')

    def test_what_cannot_be_written_goes_to_nobody(self) -> None:
        with self.assertRaises(UnserializableData):
            self.io.emit("x", float("nan"))
        with self.assertRaises(UnserializableData):
            self.io.emit_with_ack("x", object())
        self.assertEqual(self.got(), [False, False, False])

    def test_answers_of_all(self) -> None:
        answers = self.io.timeout(5).emit_with_ack("x")
        self.assertEqual(self.one.got(), ['20["x"]'])
        self.one.says("30[1]")
        self.two.says("30[2]")
        self.assertNoResult(answers)
        self.three.vanishes()
        self.assertEqual(self.successResultOf(answers), [1, 2])

    def test_old_clients_that_cannot_take_bytes_keep_them_from_nobody(self) -> None:
        first = Client(self.io, FIRST)
        first.got()
        self.io.emit("bytes", b"1")
        self.assertEqual(self.got(), [True, True, True])
        answers = self.io.emit_with_ack("bytes", b"1")
        for client in (self.one, self.two, self.three):
            client.says("30[1]")
        self.assertEqual(self.successResultOf(answers), [1, 1, 1])
        self.assertEqual(first.got(), [])
        self.assertEqual(len(self.flushLoggedErrors(UnserializableData)), 2)

    def test_who_is_gone_is_not_asked(self) -> None:
        socket = self.one.socket()
        self.one.vanishes()
        answers: list[Any] = []
        socket.ask(["x"], {}, Flags(), answers.append)
        socket.forget_ack(0)
        self.assertEqual(answers, [None])

    def test_nothing_waits_for_who_was_told_to_leave(self) -> None:
        answered = self.io.emit_with_ack("x")
        self.io.disconnect_sockets()
        self.assertEqual(self.successResultOf(answered), [])
        self.assertIsInstance(self.io.fetch_sockets(), Deferred)
