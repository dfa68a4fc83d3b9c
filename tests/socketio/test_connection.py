"""How clients connect to namespaces and leave them."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis.strategies import lists, one_of, sampled_from, text
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from hunchensocket_tx.socketio.errors import ConnectRefused, SocketDisconnected
from hunchensocket_tx.socketio.socket import Socket
from tests.socketio.api_support import FIRST, LATEST, SECOND, Client, new_io
from tests.wire_support import properties


class LatestTests(TestCase):
    """Clients of 3.x and 4.x."""

    def setUp(self) -> None:
        self.io, self.clock = new_io()
        self.sockets: list[Socket] = []
        self.io.on("connection", self.sockets.append)
        self.io.of("/admin").on("connection", self.sockets.append)

    def test_a_client_asks_for_a_namespace_and_gets_an_id(self) -> None:
        client = Client(self.io, LATEST)
        self.assertEqual(client.got(), [])
        client.says("0")
        (answer,) = client.got()
        assert isinstance(answer, str)
        self.assertEqual(answer[0], "0")
        self.assertEqual(json.loads(answer[1:]), {"sid": self.sockets[0].id})
        self.assertEqual(len(self.sockets[0].id), 20)
        self.assertNotIn(client.session.sid, answer)

    def test_an_id_is_new_for_each_namespace(self) -> None:
        Client(self.io, LATEST, "/", "/admin")
        one, two = self.sockets
        self.assertNotEqual(one.id, two.id)
        self.assertEqual(two.namespace, self.io.of("admin"))

    def test_a_namespace_that_is_not_there_is_refused_and_no_more(self) -> None:
        client = Client(self.io, LATEST, "/", "/nothing")
        self.assertEqual(client.got()[1:], ['4/nothing,{"message":"Invalid namespace"}'])
        self.assertTrue(client.session.is_open)

    def test_who_asks_and_leaves_again_and_again_keeps_only_so_much_waiting(self) -> None:
        io, _ = new_io(max_namespaces=3)
        asked: list[Deferred[None]] = []

        @io.use
        def ask(socket: Socket) -> Deferred[None]:
            asked.append(Deferred())
            return asked[-1]

        client = Client(io, LATEST)
        client.says(*["0", "1"] * 3)
        client.says("0")
        self.assertEqual(client.got(), ['4{"message":"Too many namespaces"}'])
        self.assertEqual(len(asked), 3)
        for each in asked:
            each.callback(None)
        self.assertEqual(io.sockets.sockets, {})
        client.says("0")
        asked[-1].callback(None)
        self.assertEqual(list(io.sockets.sockets), [client.socket().id])

    def test_there_is_a_most_of_namespaces_that_one_may_be_in_or_ask_for(self) -> None:
        io, _ = new_io(max_namespaces=3)
        allowed: list[Deferred[bool]] = []

        def matching(name: str, auth: object) -> Deferred[bool]:
            allowed.append(Deferred())
            return allowed[-1]

        io.of("/a")
        io.of(matching)
        client = Client(io, LATEST, "/", "/a", "/b")
        client.got()
        client.says("0/c,", "0/d,")
        refused = '{"message":"Too many namespaces"}'
        self.assertEqual(client.got(), [f"4/c,{refused}", f"4/d,{refused}"])
        self.assertEqual(len(allowed), 1)
        client.says("1/b,", "0/c,", "0/d,")
        self.assertEqual(client.got(), [f"4/d,{refused}"])
        self.assertEqual(len(allowed), 2)
        client.says("1/a,", "0/d,")
        self.assertEqual(len(allowed), 3)
        self.assertTrue(client.session.is_open)

    def test_what_it_gives_is_auth_for_that_namespace(self) -> None:
        client = Client(self.io, LATEST)
        client.says('0/admin,{"token":"123"}', "0")
        self.assertEqual([socket.handshake.auth for socket in self.sockets], [{"token": "123"}, {}])
        self.assertEqual(self.sockets[0].handshake.query["a"], "b")
        self.assertNotIn("token", self.sockets[0].handshake.query)

    def test_who_asks_for_nothing_is_closed_after_the_timeout(self) -> None:
        client = Client(self.io, LATEST)
        self.clock.advance(44)
        self.assertTrue(client.session.is_open)
        self.clock.advance(1)
        self.assertEqual(client.session.closed_for, "forced server close")

    def test_the_timeout_is_over_for_who_is_connected(self) -> None:
        client = Client(self.io, LATEST, "/")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(1000)
        self.assertTrue(client.session.is_open)

    def test_who_vanishes_leaves_no_timer(self) -> None:
        Client(self.io, LATEST).vanishes()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bad_clients_are_closed(self) -> None:
        for messages in (
            ['2["first"]'],  # before it is connected
            ["0", "0"],  # twice the same
            ["0", '2/admin,["event"]'],  # not connected to that one
            ["0", "3/admin,1[]"],
            ["0", "1/admin,"],
            ["0", "9"],
            ["0", '4{"message":"no"}'],
            ["0", "2{}"],
            ["0", b"bytes"],
        ):
            client = Client(self.io, LATEST)
            client.says(*messages)
            self.assertEqual(client.session.closed_for, "parse error", messages)
            self.assertEqual(client.connection.sockets, {})
        self.assertEqual(self.io.of("/").sockets, {})

    def test_after_the_end_nothing_is_taken(self) -> None:
        client = Client(self.io, LATEST)
        client.says("9", "0", '2["x"]')
        self.assertEqual(self.sockets, [])

    def test_leaving_a_namespace_leaves_the_others(self) -> None:
        client = Client(self.io, LATEST, "/", "/admin")
        reasons: list[str] = []
        for socket in self.sockets:
            socket.on("disconnect", reasons.append)
        client.got()
        client.says("1/admin,")
        self.assertEqual(reasons, ["client namespace disconnect"])
        self.assertEqual(client.got(), [])
        self.assertTrue(client.session.is_open)
        self.assertTrue(client.socket().connected)
        client.says("0/admin,")
        self.assertEqual(len(self.sockets), 3)

    def test_what_was_on_its_way_when_the_server_took_it_out_is_no_fault(self) -> None:
        client = Client(self.io, LATEST, "/", "/admin")
        client.socket("/admin").disconnect()
        client.says('2/admin,["late"]', "3/admin,1[]", "1/admin,")
        self.assertTrue(client.session.is_open)
        client.says("0/admin,", "1/admin,", '2/admin,["late"]')
        self.assertFalse(client.session.is_open)

    def test_that_is_remembered_of_some_only(self) -> None:
        io, _ = new_io(max_namespaces=3)
        io.of(re.compile("/."))
        for late, is_open in (("e", True), ("c", True), ("b", False)):
            client = Client(io, LATEST, "/")
            for name in "abcde":
                client.says(f"0/{name},")
                client.socket(f"/{name}").disconnect()
            client.says(f'2/{late},["late"]')
            self.assertEqual(client.session.is_open, is_open)

    def test_a_server_that_is_closed_takes_nobody(self) -> None:
        self.io.close()
        client = Client(self.io, LATEST)
        self.assertEqual(client.session.closed_for, "server shutting down")


class NonsenseTests(TestCase):
    """Whatever clients send."""

    @properties
    @given(
        sampled_from((LATEST, SECOND)),
        lists(
            one_of(
                sampled_from(("0", "1", "0/a,", "1/a,", '2["x"]', '21["x",{}]', '2/a,1["x"]', "30[]", "3/a,0[1]")),
                sampled_from(('51-["x",{"_placeholder":true,"num":0}]', "61-0[]", b"bytes", '4"no"', "5", "")),
                text(alphabet='012345/a,-[]{}"x:', max_size=12),
            ),
            max_size=12,
        ),
    )
    def test_it_is_taken_or_ends_the_session_and_leaves_nothing(
        self, generation: int, messages: list[str | bytes]
    ) -> None:
        io, clock = new_io()
        connected: list[Socket] = []
        ended: list[str] = []

        def connection(socket: Socket) -> None:
            connected.append(socket)
            socket.on("disconnect", ended.append)
            socket.on("x", lambda *values: values)
            socket.emit_with_ack("y").addErrback(lambda failure: failure.trap(SocketDisconnected))

        io.on("connection", connection)
        io.of("/a").on("connection", connection)
        client = Client(io, generation)
        client.says(*messages)
        self.assertIn(client.session.closed_for, (None, "parse error"))
        client.vanishes()
        self.assertEqual(len(ended), len(connected))
        self.assertEqual([namespace.sockets for namespace in io.namespaces.values()], [{}, {}])
        self.assertEqual(clock.getDelayedCalls(), [])


class OlderTests(TestCase):
    """Clients before 3.x."""

    def setUp(self) -> None:
        self.io, self.clock = new_io()
        self.sockets: list[Socket] = []
        self.io.on("connect", self.sockets.append)
        self.io.of("/admin").on("connection", self.sockets.append)

    def test_they_are_connected_unasked(self) -> None:
        for generation, greeting in ((SECOND, "0"), (FIRST, "1::")):
            client = Client(self.io, generation)
            self.assertEqual(client.got(), [greeting])
            self.assertEqual(self.sockets[-1].id, client.session.sid)
            self.assertEqual(self.sockets[-1].protocol, generation)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_their_ids_are_the_sessions(self) -> None:
        for generation, asks, answer in ((SECOND, "0/admin,", "0/admin,"), (FIRST, "1::/admin", "1::/admin")):
            client = Client(self.io, generation)
            client.got()
            client.says(asks)
            self.assertEqual(client.got(), [answer])
            self.assertEqual(self.sockets[-1].id, f"/admin#{client.session.sid}")

    def test_their_auth_is_a_query(self) -> None:
        for generation, asks in ((SECOND, "0/admin?token=1,"), (FIRST, "1::/admin:?token=1")):
            Client(self.io, generation).says(asks)
            self.assertEqual(self.sockets[-1].handshake.auth, {"token": "1"})
            self.assertEqual(self.sockets[-1].handshake.query["token"], "1")
            self.assertEqual(self.sockets[-1].handshake.query["a"], "b")

    def test_asking_again_is_ignored(self) -> None:
        for generation, asks in ((SECOND, "0"), (FIRST, "1::")):
            client = Client(self.io, generation)
            client.got()
            client.says(asks)
            self.assertEqual(client.got(), [])
            self.assertTrue(client.session.is_open)

    def test_packets_for_other_namespaces_are_ignored(self) -> None:
        for generation, packet in ((SECOND, '2/other,["x"]'), (FIRST, '5::/other:{"name":"x"}')):
            client = Client(self.io, generation)
            client.says(packet)
            self.assertTrue(client.session.is_open)

    def test_an_unknown_namespace_is_refused_in_their_words(self) -> None:
        second, first = Client(self.io, SECOND), Client(self.io, FIRST)
        second.says("0/nothing,")
        first.says("1::/nothing")
        self.assertEqual(second.got()[1:], ['4/nothing,"Invalid namespace"'])
        self.assertEqual(first.got()[1:], ["7::/nothing:2"])

    def test_middleware_decides_first(self) -> None:
        @self.io.use
        def refuse(socket: Socket) -> None:
            raise ConnectRefused("not you", {"code": 1})

        self.assertEqual(Client(self.io, SECOND).got(), ['4{"code":1}'])
        self.assertEqual(Client(self.io, FIRST).got(), ["7:::2"])
        self.assertEqual(self.sockets, [])

    def test_bad_packets_close_them(self) -> None:
        client = Client(self.io, SECOND)
        client.says("2nonsense")
        self.assertEqual(client.session.closed_for, "parse error")

    def test_before_one_point_nought_leaving_the_root_is_the_end(self) -> None:
        client = Client(self.io, FIRST)
        client.says("1::/admin")
        reasons: list[str] = []
        for socket in self.sockets:
            socket.on("disconnect", reasons.append)
        client.socket().disconnect()
        self.assertEqual(reasons, ["server namespace disconnect"] * 2)
        self.assertEqual(client.session.closed_for, "forced server close")

    def test_a_connection_handler_may_end_it_at_once(self) -> None:
        self.io.on("connection", lambda socket: socket.disconnect(close=True))
        for generation in (FIRST, SECOND, LATEST):
            client = Client(self.io, generation, *(["/"] if generation == LATEST else []))
            self.assertEqual(client.session.closed_for, "forced server close")
            self.assertEqual(client.connection.sockets, {})
        self.assertEqual(self.io.of("/").sockets, {})
