"""What handlers return, and how it answers."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, inlineCallbacks, succeed
from twisted.trial.unittest import TestCase

from hunchensocket_tx.socketio.calling import NO_ANSWER
from hunchensocket_tx.socketio.errors import UnserializableData
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
            (None, "35[null]"),
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

    def test_it_may_be_none(self) -> None:
        self.socket.on("ask", lambda: NO_ANSWER)
        self.assertEqual(self.answer(), [])
        self.socket.on("ask", lambda: succeed(None))
        self.assertEqual(self.answer(), [])
        self.socket.on("ask", lambda: 1)
        self.assertEqual(self.answer(), ["35[1]"])
        self.socket.off("ask")
        self.socket.on("ask", lambda: succeed(NO_ANSWER))
        self.assertEqual(self.answer(), [])

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
