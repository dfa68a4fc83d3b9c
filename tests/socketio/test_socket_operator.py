"""How something is sent to one client."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from tests.socketio.api_support import LATEST, Client, ThreeClientsCase, new_io


class HowTests(TestCase):
    """What is said before something is sent to one client."""

    def setUp(self) -> None:
        self.io, self.clock = new_io()
        self.io.of("/admin")
        self.client = Client(self.io, LATEST, "/", "/admin")
        self.client.got()
        self.socket = self.client.socket()

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


class OthersTests(ThreeClientsCase):
    """The same, to others."""

    def test_flags_go_along(self) -> None:
        self.two.session.writable = False
        self.one.socket().volatile.broadcast.emit("x")
        self.assertEqual(self.got(), [False, False, True])
