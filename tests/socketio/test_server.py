"""SocketIO: parsers, clients that come back, and the end."""

from __future__ import annotations

import gc
import json
import weakref
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import TestCase

from hunchensocket_tx.errors import InvalidSetting
from hunchensocket_tx.socketio.server import SocketIO
from hunchensocket_tx.socketio.settings import SocketIOSettings
from hunchensocket_tx.socketio.socket import Socket
from hunchensocket_tx.socketio.wire.msgpack_packets import msgpack_parser
from hunchensocket_tx.socketio.wire.packets import Packet, PacketType
from tests.socketio.api_support import FIRST, LATEST, SECOND, Client, new_io


class SettingsTests(TestCase):
    """What a server is made of."""

    def test_settings_are_given_together_or_alone(self) -> None:
        self.assertEqual(SocketIO().settings, SocketIOSettings())
        io = SocketIO(SocketIOSettings(ping_interval=5), ping_timeout=6)
        self.assertEqual((io.settings.ping_interval, io.settings.ping_timeout), (5, 6))
        with self.assertRaises(InvalidSetting):
            SocketIO(ping_timeout=0)


class ParserTests(TestCase):
    """Who speaks JSON, and who msgpack."""

    def packed(self, kind: PacketType, data: Any = None, number: int | None = None) -> bytes:
        (message,) = msgpack_parser(LATEST).encode(Packet(kind, "/", data, number))
        assert isinstance(message, bytes)
        return message

    def test_newer_clients_are_told_apart_by_what_they_send_first(self) -> None:
        for parsers in (("json", "msgpack"), ("msgpack", "json")):
            io, _ = new_io(parsers=parsers)
            io.on("connection", lambda socket: socket.on("ask", lambda value: value))
            client = Client(io, LATEST)
            client.says(self.packed(PacketType.CONNECT), self.packed(PacketType.EVENT, ["ask", b"\x01"], 1))
            self.assertEqual(client.got()[1], self.packed(PacketType.ACK, [b"\x01"], 1))
            other = Client(io, LATEST, "/")
            other.says('21["ask",1]')
            self.assertEqual(other.got()[1], "31[1]")

    def test_older_ones_get_the_first_that_is_named(self) -> None:
        for parsers, kind in ((("json", "msgpack"), str), (("msgpack", "json"), bytes), (("msgpack",), bytes)):
            io, _ = new_io(parsers=parsers)
            self.assertIsInstance(Client(io, SECOND).got()[0], kind)
            self.assertEqual(Client(io, FIRST).got(), ["1::"])

    def test_without_a_choice_bytes_are_an_error(self) -> None:
        io, _ = new_io()
        client = Client(io, LATEST)
        client.says(self.packed(PacketType.CONNECT))
        self.assertEqual(client.session.closed_for, "parse error")


class RecoveryTests(TestCase):
    """Clients that were cut off and come back."""

    def setUp(self) -> None:
        self.io, self.clock = new_io(recovery_window=120)
        self.sockets: list[Socket] = []
        self.io.on("connection", self.sockets.append)
        self.asked: list[Socket] = []
        self.io.use(self.asked.append)

    def connect(self, **auth: Any) -> Client:
        client = Client(self.io, LATEST)
        client.says("0" + json.dumps(auth))
        return client

    def cut_off(self, reason: str = "transport close") -> dict[str, str]:
        """Have a client connect, get an event, and be cut off; return what it knows."""
        client = self.connect()
        socket = self.sockets[-1]
        socket.join("room")
        socket.data["name"] = "ada"
        self.io.emit("before")
        answer, event = client.got()
        assert isinstance(answer, str)
        assert isinstance(event, str)
        client.vanishes(reason)
        return {"pid": json.loads(answer[1:])["pid"], "offset": json.loads(event[1:])[-1]}

    def test_it_finds_everything_as_it_was_and_what_it_missed(self) -> None:
        known = self.cut_off()
        self.io.to("room").emit("missed", 1)
        self.io.to("other").emit("not for it")
        back = self.connect(**known, token="t")
        before, after = self.sockets
        self.assertEqual(after.id, before.id)
        self.assertTrue(after.recovered)
        self.assertIn("room", after.rooms)
        self.assertEqual(after.data, {"name": "ada"})
        self.assertEqual(after.handshake.auth, {"token": "t"})
        missed, answer = back.got()
        assert isinstance(missed, str)
        assert isinstance(answer, str)
        self.assertEqual(json.loads(missed[1:])[:2], ["missed", 1])
        self.assertEqual(json.loads(answer[1:]), {"sid": before.id, "pid": known["pid"]})
        self.assertEqual(self.asked, [before])
        self.io.to("room").emit("now")
        self.assertEqual(len(back.got()), 1)

    def test_what_was_sent_to_it_alone_is_kept_too(self) -> None:
        other, client = self.connect(), self.connect()
        for received in (other, client):
            received.got()
        socket = self.sockets[-1]
        socket.emit("one")
        socket.volatile.emit("volatile")
        socket.emit("asks", ack=lambda: None)
        events = [json.loads(str(event).lstrip("0123456789")) for event in client.got()]
        self.assertEqual([len(event) for event in events], [2, 1, 1])
        self.assertEqual(other.got(), [])
        client.vanishes()
        socket.emit("late")
        back = self.connect(pid=socket.pid, offset=events[0][1])
        self.assertTrue(self.sockets[-1].recovered)
        self.assertEqual(len(back.got()), 1)

    def test_middleware_can_be_asked_again(self) -> None:
        self.io, self.clock = new_io(recovery_window=120, recovery_skips_middleware=False)
        self.io.on("connection", self.sockets.append)
        self.io.use(self.asked.append)
        self.connect(**self.cut_off())
        self.assertEqual(self.asked, self.sockets)
        self.assertTrue(self.sockets[1].recovered)

    def test_nobody_comes_back_twice_or_too_late_or_after_leaving_or_with_nonsense(self) -> None:
        once = self.cut_off()
        self.connect(**once)
        late = self.cut_off()
        self.clock.advance(121)
        left = self.cut_off("client namespace disconnect")
        nonsense = {**self.cut_off(), "offset": [1]}
        for known in (once, late, left, nonsense, {"pid": 1}):
            self.connect(**known)
            self.assertFalse(self.sockets[-1].recovered)
            self.assertNotIn("room", self.sockets[-1].rooms)
            self.assertEqual(self.sockets[-1].handshake.auth, {})

    def test_an_adapter_that_fails_lets_it_in_as_a_new_one(self) -> None:
        known = self.cut_off()
        self.patch(self.io.of("/").adapter, "restore_session", lambda pid, offset: fail(ZeroDivisionError()))
        self.connect(**known)
        self.assertFalse(self.sockets[1].recovered)
        self.assertTrue(self.sockets[1].connected)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_older_clients_do_not_come_back(self) -> None:
        client = Client(self.io, SECOND)
        self.assertEqual(client.got(), ["0"])
        self.assertIsNone(self.sockets[0].pid)

    def test_without_a_window_there_is_nothing_private(self) -> None:
        io, _ = new_io()
        client = Client(io, LATEST, "/")
        (answer,) = client.got()
        assert isinstance(answer, str)
        self.assertEqual(list(json.loads(answer[1:])), ["sid"])


class Closing:
    """Has sessions, and takes its time to end them."""

    def __init__(self) -> None:
        self.ended: Deferred[Any] = Deferred()

    def close_all(self) -> Deferred[Any]:
        return self.ended


class EndTests(TestCase):
    """The end of a server, and of its clients."""

    def test_closing_waits_until_sessions_are_told(self) -> None:
        io, _ = new_io()
        serving = Closing()
        io.serve_by(serving)
        client = Client(io, LATEST, "/")
        closed = io.close()
        self.assertNoResult(closed)
        self.assertFalse(client.session.is_open)
        serving.ended.callback(None)
        self.assertIsNone(self.successResultOf(closed))

    def test_clients_that_are_gone_leave_nothing_behind(self) -> None:
        io, clock = new_io()
        gone: list[weakref.ref[Socket]] = []

        def connection(socket: Socket) -> None:
            gone.append(weakref.ref(socket))
            socket.join("room")
            socket.on("x", lambda: socket.emit("y"))
            socket.on("disconnect", lambda reason: socket.leave("room"))
            socket.on_any(lambda *event: socket.leave("room"))
            socket.use(lambda event: socket.leave("room"))

        io.on("connection", connection)
        self.addCleanup(gc.enable)
        gc.collect()
        gc.disable()
        for generation in (LATEST, SECOND, FIRST):
            client = Client(io, generation, *(["/"] if generation == LATEST else []))
            client.vanishes()
            del client.session.listener
            del client
        self.assertEqual([reference() for reference in gone], [None, None, None])
        self.assertEqual(clock.getDelayedCalls(), [])
