"""Namespaces that are there."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from hunchensocket_tx.errors import MisuseError
from hunchensocket_tx.socketio.namespace import OWN_EVENTS
from tests.socketio.api_support import SECOND, Client, new_io


class NamespaceTests(TestCase):
    """Those that are there."""

    def setUp(self) -> None:
        self.io, self.clock = new_io()

    def test_a_name_has_a_slash_in_front(self) -> None:
        self.assertIs(self.io.of("admin"), self.io.of("/admin"))
        self.assertIs(self.io.of(""), self.io.of("/"))
        self.assertIs(self.io.sockets, self.io.of("/"))
        self.assertEqual(repr(self.io.of("admin")), "<Namespace /admin>")

    def test_handlers_of_the_server_are_those_of_the_root(self) -> None:
        seen: list[Any] = []
        self.assertEqual(self.io.on("connection", seen.append), seen.append)
        self.io.once("connection")(lambda socket: seen.append("once"))
        self.io.once("connection", lambda socket: seen.append("once more"))
        Client(self.io, SECOND)
        self.assertEqual(seen[1:], ["once", "once more"])
        self.io.off("connection", seen.append)
        Client(self.io, SECOND)
        self.assertEqual(len(seen), 3)

    def test_events_between_servers(self) -> None:
        seen: list[Any] = []
        self.io.on("news", lambda *values: seen.append(values))
        self.io.server_side_emit("news", 1)  # others get it, and there are none
        self.assertEqual(self.successResultOf(self.io.server_side_emit_with_ack("news")), [])
        self.assertEqual(seen, [])
        main = self.io.of("/")
        main.on("question", lambda: 7)
        self.assertIsNone(main.server_event_received(["news", 1, 2]))
        self.assertEqual(main.server_event_received(["question"]), 7)
        self.assertEqual(seen, [(1, 2)])

    def test_servers_send_each_other_no_events_of_their_own(self) -> None:
        seen: list[Any] = []
        self.io.on("connection", seen.append)
        for event in (*OWN_EVENTS, "disconnect"):
            with self.assertRaises(MisuseError):
                self.io.server_side_emit(event)
        self.io.of("/").server_event_received(["connection", "no socket"])
        self.assertEqual(seen, [])
