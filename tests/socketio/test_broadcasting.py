"""What is said to all, by a server or a namespace."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from hunchensocket_tx.socketio.errors import UnserializableData
from tests.socketio.api_support import FIRST, LATEST, SECOND, Client, ThreeClientsCase, new_io


class WordsTests(TestCase):
    """The words that servers and namespaces have."""

    def setUp(self) -> None:
        self.io, self.clock = new_io()

    def test_the_same_words_everywhere(self) -> None:
        admin = self.io.of("/admin")
        inside, outside = Client(self.io, LATEST, "/admin"), Client(self.io, LATEST, "/")
        inside.socket("/admin").join("room")
        outside.socket().join("room")
        for where, client, prefix in ((admin, inside, "2/admin,"), (self.io, outside, "2")):
            client.got()
            where.emit("x", 1)
            where.send("y")
            where.to("room").emit("x")
            where.in_("room").emit("x")
            where.to("nobody").emit("x")
            where.except_("room").emit("x")
            where.local.emit("x")
            where.volatile.emit("x")
            where.compress(False).emit("x")
            where.timeout(1).emit("x")
            got = client.got()
            self.assertEqual(got[:2], [prefix + '["x",1]', prefix + '["message","y"]'])
            self.assertEqual(got[2:], [prefix + '["x"]'] * 6)
            where.sockets_join("new", "newer")
            (socket,) = self.successResultOf(where.fetch_sockets())
            self.assertLessEqual({"new", "newer"}, socket.rooms)
            where.sockets_leave("new")
            self.assertNotIn("new", socket.rooms)
            answers = where.emit_with_ack("x")
            where.disconnect_sockets()
            self.assertEqual(self.successResultOf(answers), [])
            self.assertFalse(socket.connected)

    def test_all_can_be_closed(self) -> None:
        client = Client(self.io, LATEST, "/")
        self.io.disconnect_sockets(close=True)
        self.assertEqual(client.session.closed_for, "forced server close")


class AllTests(ThreeClientsCase):
    """How all get something, and answer."""

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

    def test_nothing_waits_for_who_was_told_to_leave(self) -> None:
        answered = self.io.emit_with_ack("x")
        self.io.disconnect_sockets()
        self.assertEqual(self.successResultOf(answered), [])
        self.assertIsInstance(self.io.fetch_sockets(), Deferred)
