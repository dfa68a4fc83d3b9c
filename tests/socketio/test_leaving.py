"""How clients are disconnected, and what handlers are told."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from hunchensocket_tx.socketio.socket import Socket
from tests.socketio.api_support import LATEST, Client, new_io


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
