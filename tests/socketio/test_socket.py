"""What applications say to one client, and from it to others."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from hunchensocket_tx.errors import MisuseError
from hunchensocket_tx.socketio.adapter import Flags
from hunchensocket_tx.socketio.errors import SocketDisconnected, UnserializableData
from hunchensocket_tx.socketio.wire.packets import RESERVED_EVENTS
from tests.socketio.api_support import LATEST, Client, ThreeClientsCase, new_io


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

    def test_what_it_is(self) -> None:
        self.assertEqual(self.socket.transport_name, "polling")
        self.assertEqual(self.socket.handshake.address, "192.0.2.1")
        self.assertIn("192.0.2.1", repr(self.socket))
        self.assertNotIn(self.socket.id, repr(self.socket))
        self.assertEqual(self.socket.data, {})
        self.socket.data["name"] = "ada"
        self.assertEqual(self.socket.data, {"name": "ada"})
        self.socket.data = None
        self.assertEqual(self.socket.data, {})
        self.assertFalse(self.socket.recovered)


class OthersTests(ThreeClientsCase):
    """What a socket says to others, and its rooms."""

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

    def test_rooms(self) -> None:
        socket = self.one.socket()
        self.assertEqual(socket.rooms, {socket.id, "a", "b", "c"})
        socket.leave("b")
        socket.leave("never")
        self.assertEqual(socket.rooms, {socket.id, "a", "c"})
        socket.leave("a", ["c"])
        self.assertEqual(socket.rooms, {socket.id})

    def test_who_is_gone_is_not_asked(self) -> None:
        socket = self.one.socket()
        self.one.vanishes()
        answers: list[Any] = []
        socket.ask(["x"], {}, Flags(), answers.append)
        socket.forget_ack(0)
        self.assertIsInstance(answers[0], SocketDisconnected)
