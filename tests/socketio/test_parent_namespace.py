"""Namespaces that are made on demand."""

from __future__ import annotations

import re
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import TestCase

from hunchensocket_tx.socketio.adapter import Audience
from hunchensocket_tx.socketio.errors import ConnectRefused
from hunchensocket_tx.socketio.namespace import Namespace
from hunchensocket_tx.socketio.parent_namespace import ParentNamespace
from hunchensocket_tx.socketio.socket import Socket
from tests.socketio.api_support import FIRST, LATEST, SECOND, Client, new_io


class OnDemandTests(TestCase):
    """Those that are made when a client asks."""

    def setUp(self) -> None:
        self.io, self.clock = new_io()
        self.made: list[Namespace] = []
        self.sockets: list[Socket] = []
        self.io.on("new_namespace", self.made.append)

    def test_a_pattern_says_which(self) -> None:
        self.io.of(re.compile(r"/room-\d+")).on("connection", self.sockets.append)
        client = Client(self.io, LATEST, "/room-1", "/room-22", "/room-1x")
        self.assertEqual([namespace.name for namespace in self.made], ["/room-1", "/room-22"])
        self.assertEqual([socket.namespace for socket in self.sockets], self.made)
        self.assertEqual(client.got()[2:], ['4/room-1x,{"message":"Invalid namespace"}'])
        self.io.of("/room-1").emit("x")
        self.assertEqual(client.got(), ['2/room-1,["x"]'])

    def test_all_generations_ask(self) -> None:
        self.io.of(re.compile("/room.*")).on("connection", self.sockets.append)
        Client(self.io, SECOND).says("0/room?a=1,")
        Client(self.io, FIRST).says("1::/room")
        self.assertEqual(len(self.made), 1)
        self.assertEqual(len(self.made[0].sockets), 2)

    def test_a_function_says_which(self) -> None:
        asked: list[Any] = []

        def matching(name: str, auth: dict[str, Any]) -> bool:
            asked.append((name, auth))
            return auth.get("key") == "right"

        self.io.of(matching).on("connection", self.sockets.append)
        client = Client(self.io, LATEST)
        client.says('0/a,{"key":"wrong"}', '0/b,{"key":"right"}')
        self.assertEqual(asked, [("/a", {"key": "wrong"}), ("/b", {"key": "right"})])
        self.assertEqual([namespace.name for namespace in self.made], ["/b"])
        self.io.of("/c")
        self.assertEqual(len(asked), 2)

    def test_it_may_take_its_time(self) -> None:
        decided: list[Deferred[bool]] = []

        async def matching(name: str, auth: Any) -> bool:
            decided.append(Deferred())
            return await decided[-1]

        self.io.of(matching).on("connection", self.sockets.append)
        one, two = Client(self.io, LATEST, "/a"), Client(self.io, LATEST, "/a")
        gone, leaves, refused, twice = (Client(self.io, LATEST, "/a") for _ in range(4))
        gone.vanishes()
        leaves.says("1/a,")
        twice.says("0/a,")
        self.assertEqual(twice.session.closed_for, "parse error")
        for index, answer in enumerate((True, True, True, True, False, True)):
            decided[index].callback(answer)
        self.assertEqual(len(self.sockets), 2)
        self.assertEqual([len(client.got()) for client in (one, two, gone, leaves)], [1, 1, 0, 0])
        self.assertEqual(refused.got(), ['4/a,{"message":"Invalid namespace"}'])
        self.assertEqual(len(self.made), 1)

    def test_who_comes_back_meanwhile_is_asked_about_anew(self) -> None:
        decided: list[Deferred[bool]] = []

        def matching(name: str, auth: Any) -> Deferred[bool]:
            decided.append(Deferred())
            return decided[-1]

        self.io.of(matching).on("connection", self.sockets.append)
        client = Client(self.io, LATEST)
        client.says("0/a,", "1/a,", '0/a,{"again":1}')
        decided[0].callback(True)
        self.assertEqual(self.sockets, [])
        decided[1].callback(True)
        self.assertEqual([socket.handshake.auth for socket in self.sockets], [{"again": 1}])

    def test_it_may_fail_or_refuse(self) -> None:
        def matching(name: str, auth: Any) -> bool:
            if name == "/refused":
                raise ConnectRefused("never")
            raise ZeroDivisionError

        self.io.of(matching)
        client = Client(self.io, LATEST, "/refused", "/failed")
        self.assertEqual(client.got(), ['4/refused,{"message":"never"}', '4/failed,{"message":"internal error"}'])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_they_inherit_handlers_and_middleware(self) -> None:
        parent = self.io.of(re.compile("/room.*"))
        parent.on("connection", self.sockets.append)

        @parent.use
        def middleware(socket: Socket) -> None:
            if socket.namespace.name == "/room-0":
                raise ConnectRefused("no")

        client = Client(self.io, LATEST, "/room-0", "/room-1")
        self.assertEqual(client.got()[0], '4/room-0,{"message":"no"}')
        self.assertEqual(len(self.sockets), 1)
        self.assertIs(self.io.of("/room-1"), self.sockets[0].namespace)
        self.assertEqual(len(self.io.of("/room-2").middleware), 1)

    def test_what_is_said_to_the_parent_goes_to_all(self) -> None:
        parent = self.io.of(re.compile("/room.*"))
        assert isinstance(parent, ParentNamespace)
        clients = [Client(self.io, LATEST, f"/room-{index}") for index in range(2)]
        for client in clients:
            client.got()
        parent.emit("x")
        self.assertEqual([client.got() for client in clients], [['2/room-0,["x"]'], ['2/room-1,["x"]']])
        parent.sockets_join("a", "b")
        parent.sockets_leave("b")
        parent.to("b").emit("x")
        self.assertEqual([client.got() for client in clients], [[], []])
        sockets = self.successResultOf(parent.fetch_sockets())
        self.assertEqual({socket.namespace.name for socket in sockets}, {"/room-0", "/room-1"})
        self.assertEqual(set(parent.adapter.local_rooms()), {"a", *(socket.id for socket in sockets)})
        self.assertEqual(len(list(parent.adapter.local_members(Audience(frozenset(["a"]))))), 2)
        self.assertEqual(parent.adapter.rooms_of(sockets[0].id), {"a", sockets[0].id})
        answers = parent.emit_with_ack("x")
        for index, client in enumerate(clients):
            client.says(f"3/room-{index},0[{index}]")
        self.assertEqual(self.successResultOf(answers), [0, 1])
        parent.server_side_emit("x")
        self.assertEqual(self.successResultOf(parent.server_side_emit_with_ack("x")), [])
        parent.disconnect_sockets()
        self.assertEqual([child.sockets for child in parent.children], [{}, {}])
        self.assertEqual(repr(parent), "<ParentNamespace /room.*>")

    def test_they_stay_unless_told_otherwise(self) -> None:
        self.io.of(re.compile("/room.*"))
        Client(self.io, LATEST, "/room-1").vanishes()
        self.assertIn("/room-1", self.io.namespaces)

    def test_they_are_dropped_when_the_last_one_leaves(self) -> None:
        self.io, self.clock = new_io(drop_empty_namespaces=True)
        self.io.of("/kept")
        parent = self.io.of(re.compile("/room.*"))
        assert isinstance(parent, ParentNamespace)
        allowed: Deferred[None] = Deferred()
        parent.use(lambda socket: allowed if socket.handshake.auth else succeed(None))
        one, two, kept = (Client(self.io, LATEST, name) for name in ("/room-1", "/room-1", "/kept"))
        waiting = Client(self.io, LATEST)
        waiting.says('0/room-1,{"a":1}')
        for client in (one, two, kept):
            client.vanishes()
        self.assertEqual(set(self.io.namespaces), {"/", "/kept", "/room-1"})
        allowed.errback(ConnectRefused("no"))
        self.assertEqual(set(self.io.namespaces), {"/", "/kept"})
        self.assertEqual(parent.children, set())
