"""How a client's events are handled: in order, one at a time, and answered."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, inlineCallbacks, succeed
from twisted.trial.unittest import TestCase

from hunchensocket_tx.socketio.errors import UnserializableData
from hunchensocket_tx.socketio.socket import Socket
from tests.socketio.api_support import FIRST, LATEST, Client, new_io


class Failed(Exception):
    """What handlers raise here."""


class AnswerTests(TestCase):
    """What handlers return."""

    def setUp(self) -> None:
        self.io, self.clock = new_io()
        self.client = Client(self.io, LATEST, "/")
        self.client.got()
        self.socket = self.client.socket()

    def answer(self) -> list[Any]:
        """Ask, and return what comes."""
        self.client.says('25["ask"]')
        return self.client.got()

    def test_what_is_returned_answers(self) -> None:
        async def coroutine() -> str:
            return "later"

        @inlineCallbacks
        def generator() -> Any:
            value = yield succeed(3)
            return value

        for result, answer in (
            (None, "35[]"),
            (False, "35[false]"),
            ("text", '35["text"]'),
            ([1, 2], "35[[1,2]]"),
            ((1, 2), "35[1,2]"),
            ((), "35[]"),
            (b"\x01", '61-5[{"_placeholder":true,"num":0}]'),
        ):
            self.socket.on("ask", lambda result=result: result)
            self.assertEqual(self.answer()[0], answer)
            self.socket.off("ask")
            self.socket.on("ask", lambda result=result: succeed(result))
            self.assertEqual(self.answer()[0], answer)
            self.socket.off("ask")
        for handler, answer in ((coroutine, '35["later"]'), (generator, "35[3]")):
            self.socket.on("ask", handler)
            self.assertEqual(self.answer(), [answer])
            self.socket.off("ask")

    def test_nobody_answers_who_did_not_ask(self) -> None:
        self.socket.on("ask", lambda: 1)
        self.client.says('2["ask"]')
        self.assertEqual(self.client.got(), [])

    def test_where_nobody_listens_nothing_is_answered(self) -> None:
        self.assertEqual(self.answer(), [])

    def test_of_several_the_first_that_says_anything_answers(self) -> None:
        pending: Deferred[int] = Deferred()
        self.socket.on("ask", lambda: None)
        self.socket.on("ask", lambda: pending)
        self.socket.on("ask", lambda: 2)
        self.assertEqual(self.answer(), [])
        pending.callback(1)
        self.assertEqual(self.client.got(), ["35[1]"])

    def test_a_catch_all_handler_may_answer_but_need_not(self) -> None:
        self.socket.on_any(lambda event, *arguments: None)
        self.assertEqual(self.answer(), [])
        self.socket.on_any(lambda event, *arguments: succeed(event))
        self.assertEqual(self.answer(), ['35["ask"]'])

    def test_a_handler_that_fails_answers_nothing_and_closes_nothing(self) -> None:
        def fails() -> None:
            raise Failed

        async def fails_later() -> None:
            raise Failed

        def generator() -> Any:
            yield 1

        for handler in (fails, fails_later, lambda: fail(Failed()), generator):
            self.socket.on("ask", handler)
            self.assertEqual(self.answer(), [])
            self.socket.off()
        self.assertEqual(len(self.flushLoggedErrors(Failed)), 3)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.assertTrue(self.socket.connected)

    def test_one_may_fail_and_another_answer(self) -> None:
        self.socket.on("ask", lambda: fail(Failed()))
        self.assertEqual(self.answer(), [])
        self.socket.on("ask", lambda: "well")
        self.assertEqual(self.answer(), ['35["well"]'])
        self.assertEqual(len(self.flushLoggedErrors(Failed)), 2)

    def test_an_answer_that_cannot_be_written_is_not_sent(self) -> None:
        self.socket.on("ask", lambda: object())
        self.assertEqual(self.answer(), [])
        self.socket.off()
        self.socket.on("ask", lambda: succeed(object()))
        self.assertEqual(self.answer(), [])
        self.assertEqual(len(self.flushLoggedErrors(UnserializableData)), 2)

    def test_numbers_are_names_too(self) -> None:
        self.socket.on(7, lambda value: value)
        self.client.says("21[7,8]")
        self.assertEqual(self.client.got(), ["31[8]"])

    def test_older_clients_are_answered(self) -> None:
        client = Client(self.io, FIRST)
        client.socket().on("ask", lambda value: (value, 2))
        client.got()
        client.says('5:1+::{"name":"ask","args":["é"]}', '5:1::{"name":"ask","args":[1]}')
        self.assertEqual(client.got(), ['6:::1+["\\u00e9",2]'])


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


class HookTests(TestCase):
    """Who sees all events of a socket."""

    def setUp(self) -> None:
        self.io, self.clock = new_io()
        self.client = Client(self.io, LATEST, "/")
        self.client.got()
        self.socket = self.client.socket()
        self.seen: list[Any] = []
        self.socket.on("say", lambda *values: self.seen.append(values))

    def note(self, *values: Any) -> None:
        self.seen.append(values)

    def test_all_that_come(self) -> None:
        self.socket.on_any(self.note)
        self.socket.prepend_any(lambda *values: self.seen.append("first"))
        self.client.says('2["say",1]')
        self.assertEqual(self.seen, ["first", ("say", 1), (1,)])
        self.socket.off_any(self.note)
        self.client.says('2["say",1]')
        self.assertEqual(self.seen[3:], ["first", (1,)])
        self.socket.off_any()
        self.client.says('2["say",1]')
        self.assertEqual(self.seen[5:], [(1,)])

    def test_all_that_go(self) -> None:
        self.socket.on_any_outgoing(self.note)
        self.socket.prepend_any_outgoing(lambda *values: self.seen.append("first"))
        self.socket.emit("a", 1)
        self.io.emit("b", 2)
        self.client.says('21["say"]')  # its answer is no event
        self.assertEqual(self.seen, ["first", ("a", 1), "first", ("b", 2), ()])
        self.socket.off_any_outgoing(self.note)
        self.socket.emit("a", 1)
        self.assertEqual(self.seen[5:], ["first"])
        self.socket.off_any_outgoing()
        self.socket.emit("a", 1)
        self.assertEqual(self.seen[6:], [])

    def test_a_middleware_may_change_events(self) -> None:
        @self.socket.use
        def louder(event: list[Any]) -> None:
            event[1] = event[1].upper()

        self.client.says('21["say","x"]')
        self.assertEqual(self.seen, [("X",)])
        self.assertEqual(self.client.got(), ["31[]"])

    def test_a_middleware_may_refuse_events(self) -> None:
        errors: list[Exception] = []

        @self.socket.use
        async def refuse(event: list[Any]) -> None:
            raise Failed(event[1])

        self.client.says('21["say","x"]')
        self.assertEqual(len(self.flushLoggedErrors(Failed)), 1)
        self.socket.on("error", errors.append)
        self.client.says('21["say","y"]')
        self.assertEqual(self.seen, [])
        self.assertEqual([str(error) for error in errors], ["y"])
        self.assertEqual(self.client.got(), [])
        self.assertTrue(self.socket.connected)

    def test_events_wait_for_a_middleware_and_for_handlers_behind_it(self) -> None:
        decided: list[Deferred[None]] = []
        done: Deferred[None] = Deferred()

        @self.socket.use
        def decide(event: list[Any]) -> Deferred[None]:
            decided.append(Deferred())
            return decided[-1]

        self.socket.on("work", lambda: done)
        self.client.says('2["work"]', '2["say",1]', '2["say",2]')
        decided[0].callback(None)
        self.assertEqual(len(decided), 1)
        done.callback(None)
        decided[1].callback(None)
        self.assertEqual(self.seen, [(1,)])
        self.client.vanishes()
        decided[2].callback(None)
        self.assertEqual(self.seen, [(1,)])
