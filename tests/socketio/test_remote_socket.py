"""Sockets of other processes."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.socketio.errors import AckTimeout, SocketDisconnected
from hunchensocket_tx.socketio.handshake import Handshake
from hunchensocket_tx.socketio.remote_socket import RemoteSocket, details_of
from tests.socketio.room_support import Hall

HANDSHAKE = Handshake(
    ((b"host", b"example.com"), (b"origin", b"http://example.net"), (b"x", b"\xe9")),
    "192.0.2.1",
    1700000000.25,
    True,
    "/socket.io/?EIO=4&name=Anna",
    {"token": "abc"},
)

NODE = """{"id":"s1","handshake":{"headers":{"host":"h","set-cookie":["a","b"],"n":1},"time":"Tue Nov 14 2023",
"address":"::1","xdomain":false,"secure":false,"issued":1700000000250,"url":"/socket.io/?EIO=4","query":{"EIO":"4"},
"auth":{}},"rooms":["s1","x"],"data":{"name":"Bert"}}"""


class DetailsTests(SynchronousTestCase):
    """What servers tell each other."""

    def setUp(self) -> None:
        self.socket: Any = SimpleNamespace(id="s", handshake=HANDSHAKE, rooms=frozenset("sx"), data={"a": 1})

    def test_they_are_named_as_in_node(self) -> None:
        details = details_of(self.socket)
        self.assertEqual(list(details), ["id", "handshake", "rooms", "data"])
        names = "headers time address xdomain secure issued url query auth"
        self.assertEqual(list(details["handshake"]), names.split())
        self.assertEqual(details["handshake"]["issued"], 1700000000250)
        self.assertEqual(details["handshake"]["time"], "2023-11-14T22:13:20.250+00:00")
        self.assertEqual(details["rooms"], ["s", "x"])

    def test_they_survive_the_way(self) -> None:
        details = json.loads(json.dumps(details_of(self.socket)))
        remote = RemoteSocket(Hall(), details)
        self.assertEqual((remote.id, remote.rooms, remote.data), ("s", {"s", "x"}, {"a": 1}))
        self.assertEqual(remote.handshake, HANDSHAKE)
        self.assertEqual(remote.handshake.query, {"EIO": "4", "name": "Anna"})
        self.assertEqual(repr(remote), "<RemoteSocket s>")

    def test_those_of_node_are_understood(self) -> None:
        remote = RemoteSocket(Hall(), json.loads(NODE))
        self.assertEqual(remote.handshake.headers, {"host": "h", "set-cookie": "a, b", "n": "1"})
        self.assertEqual(remote.handshake.issued, 1700000000.25)
        self.assertEqual((remote.rooms, remote.data), ({"s1", "x"}, {"name": "Bert"}))

    def test_little_is_enough_but_not_nothing(self) -> None:
        remote = RemoteSocket(Hall(), {"id": "s"})
        self.assertEqual((remote.handshake.headers, remote.rooms, remote.data), ({}, frozenset(), None))
        self.assertRaises(ValueError, RemoteSocket, Hall(), {})


class RemoteSocketTests(SynchronousTestCase):
    """What is done to it, done by the adapter; here, it is one of our own in truth."""

    def setUp(self) -> None:
        self.hall = Hall("a", "b")
        self.remote = RemoteSocket(self.hall, {"id": "a"})

    def test_it_gets_events(self) -> None:
        self.remote.emit("said", 1)
        self.remote.send("x")
        self.assertEqual(self.hall.heard(), {"a": [["said", 1], ["message", "x"]]})

    def test_it_joins_and_leaves_rooms(self) -> None:
        self.remote.join("x", ["y"])
        self.remote.leave("y")
        self.assertEqual(self.hall.adapter.rooms_of("a"), {"a", "x"})

    def test_it_is_disconnected(self) -> None:
        self.remote.disconnect(close=True)
        self.assertEqual((self.hall.sockets["a"].disconnected, self.hall.sockets["b"].disconnected), (True, None))

    def test_it_answers(self) -> None:
        answer = self.remote.emit_with_ack("ask")
        self.hall.sockets["a"].answer(["yes", 2])
        self.assertEqual(self.successResultOf(answer), "yes")

    def test_it_does_not_answer_in_time(self) -> None:
        answer = self.remote.timeout(3).emit_with_ack("ask")
        self.hall.clock.advance(4)
        self.failureResultOf(answer, AckTimeout)
        self.assertNoResult(self.remote.emit_with_ack("ask"))

    def test_it_is_gone(self) -> None:
        self.hall.leave("a")
        self.failureResultOf(self.remote.emit_with_ack("ask"), SocketDisconnected)
