"""A client's events are handled in order, one at a time."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from hunchensocket_tx.socketio.socket import Socket
from tests.socketio.api_support import LATEST, Client, new_io


class Failed(Exception):
    """What handlers raise here."""


class OrderTests(TestCase):
    """One event at a time."""

    def setUp(self) -> None:
        self.io, self.clock = new_io(max_waiting=10_000)
        self.began: list[Any] = []
        self.pending: list[Deferred[Any]] = []
        self.greeted: Deferred[None] | None = None
        self.io.on("connection", self.connection)
        self.client = Client(self.io, LATEST, "/")
        self.client.got()

    def connection(self, socket: Socket) -> Deferred[None] | None:
        socket.on("work", self.work)
        socket.on("now", self.began.append)
        return self.greeted

    def work(self, value: Any) -> Deferred[Any]:
        self.began.append(value)
        self.pending.append(Deferred())
        return self.pending[-1]

    def test_each_waits_for_the_one_before(self) -> None:
        self.client.says('21["work",1]', '2["now",2]', '23["work",3]', '2["now",4]')
        self.assertEqual(self.began, [1])
        self.pending[0].callback("a")
        self.assertEqual(self.began, [1, 2, 3])
        self.assertEqual(self.client.got(), ['31["a"]'])
        self.pending[1].errback(Failed())
        self.assertEqual(self.began, [1, 2, 3, 4])
        self.client.says('2["now",5]')
        self.assertEqual(self.began, [1, 2, 3, 4, 5])
        self.assertEqual(len(self.flushLoggedErrors(Failed)), 1)

    def test_clients_and_namespaces_do_not_wait_for_each_other(self) -> None:
        self.io.of("/other").on("connection", self.connection)
        other = Client(self.io, LATEST, "/")
        self.client.says('2["work",1]', "0/other,", '2/other,["now",2]')
        other.says('2["now",3]')
        self.assertEqual(self.began, [1, 2, 3])

    def test_events_wait_for_connection_handlers(self) -> None:
        self.greeted = Deferred()
        client = Client(self.io, LATEST, "/")
        client.says('2["now",1]', '2["now",2]')
        self.assertEqual(self.began, [])
        self.greeted.callback(None)
        self.assertEqual(self.began, [1, 2])
        client.says('2["now",3]')
        self.assertEqual(self.began, [1, 2, 3])

    def test_a_connection_handler_that_fails_leaves_it_connected(self) -> None:
        self.greeted = Deferred()
        client = Client(self.io, LATEST, "/")
        client.says('2["now",1]')
        self.greeted.errback(Failed())
        self.assertEqual(self.began, [1])
        self.assertEqual(len(self.flushLoggedErrors(Failed)), 1)
        self.assertTrue(client.socket().connected)

    def test_thousands_that_are_done_at_once_may_wait(self) -> None:
        self.io, self.clock = new_io()
        done: list[int] = []
        first: Deferred[None] = Deferred()

        def connection(socket: Socket) -> None:
            @socket.on("x")
            async def x(number: int) -> None:
                if not number:
                    await first
                done.append(number)

        self.io.on("connection", connection)
        client = Client(self.io, LATEST, "/")
        client.says(*(f'2["x",{number}]' for number in range(5000)))
        self.assertEqual(done, [])
        first.callback(None)
        self.assertEqual(done, list(range(5000)))

    def test_who_has_too_many_waiting_is_disconnected(self) -> None:
        reasons: list[str] = []
        self.client.socket().on("disconnect", reasons.append)
        self.client.says('2["work",1]', *(f'2["now",{number}]' for number in range(30)))
        self.assertTrue(self.client.session.is_open)
        self.client.says('2["now","%s"]' % (3000 * "x"))
        self.assertEqual(self.client.session.closed_for, "forced close")
        self.assertEqual(reasons, ["forced close"])
        self.pending[0].callback("late")
        self.assertEqual(self.began, [1])

    def test_what_was_handled_waits_no_more(self) -> None:
        for number in range(20):
            self.client.says('2["work",1]', *(f'2["now","{number}"]' for _ in range(30)))
            self.pending.pop().callback(None)
        self.assertTrue(self.client.session.is_open)

    def test_the_end_is_told_at_once_and_what_waits_is_dropped(self) -> None:
        reasons: list[str] = []
        self.client.socket().on("disconnect", reasons.append)
        self.client.says('21["work",1]', '2["now",2]', "1")
        self.assertEqual(reasons, ["client namespace disconnect"])
        self.client.got()
        self.pending[0].callback("late")
        self.assertEqual(self.began, [1])
        self.assertEqual(self.client.got(), [])
