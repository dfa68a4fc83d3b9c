"""Answers of clients."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.trial.unittest import TestCase

from hunchensocket_tx.socketio.errors import AckTimeout, SocketDisconnected
from tests.socketio.api_support import FIRST, LATEST, SECOND, Client, new_io


class AckTests(TestCase):
    """Answers of a client."""

    def setUp(self) -> None:
        self.io, self.clock = new_io()
        self.client = Client(self.io, LATEST, "/")
        self.client.got()
        self.socket = self.client.socket()
        self.answers: list[Any] = []

    def test_a_function_gets_all_values(self) -> None:
        self.socket.emit("a", ack=lambda *values: self.answers.append(values))
        self.socket.send("b", ack=lambda *values: self.answers.append(values))
        self.assertEqual(self.client.got(), ['20["a"]', '21["message","b"]'])
        self.client.says('31[1,"two"]', "30[]", "30[]", "37[1]")
        self.assertEqual(self.answers, [(1, "two"), ()])

    def test_a_deferred_gets_the_first_value(self) -> None:
        one, none = self.socket.emit_with_ack("a", 1), self.socket.emit_with_ack("b")
        self.client.says("30[5,6]", "31[]")
        self.assertEqual(self.successResultOf(one), 5)
        self.assertIsNone(self.successResultOf(none))

    def test_an_answer_may_be_too_late(self) -> None:
        late = self.socket.timeout(5).emit_with_ack("a")
        self.socket.timeout(5).emit("b", ack=self.answers.append)
        self.clock.advance(4.9)
        self.assertNoResult(late)
        self.clock.advance(0.2)
        self.failureResultOf(late, AckTimeout)
        self.client.says("30[1]", "31[1]")
        self.assertEqual([type(error) for error in self.answers], [AckTimeout])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_with_a_timeout_a_function_is_told_what_went_wrong_first(self) -> None:
        def answered(*values: Any) -> None:
            self.answers.append(values)

        self.socket.timeout(5).emit("a", ack=answered)
        self.socket.timeout(5).emit("b", ack=answered)
        self.client.says('30[1,"two"]')
        self.client.vanishes()
        self.socket.timeout(5).emit("c", ack=answered)
        self.assertEqual(self.answers[0], (None, 1, "two"))
        self.assertEqual([type(error) for (error,) in self.answers[1:]], [SocketDisconnected] * 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_an_answer_in_time_stops_the_clock(self) -> None:
        answered = self.socket.timeout(5).emit_with_ack("a")
        self.client.says('30["yes"]')
        self.assertEqual(self.successResultOf(answered), "yes")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_disconnects_answers_no_more(self) -> None:
        waiting = self.socket.emit_with_ack("a")
        timed = self.socket.timeout(5).emit_with_ack("b")
        self.socket.emit("c", ack=self.answers.append)
        self.client.vanishes()
        self.failureResultOf(waiting, SocketDisconnected)
        self.failureResultOf(timed, SocketDisconnected)
        self.failureResultOf(self.socket.emit_with_ack("d"), SocketDisconnected)
        self.assertEqual(self.answers, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_is_cut_off_by_the_very_event_that_asks_is_not_waited_for(self) -> None:
        """As a session whose client takes nothing is, once too much waits for it."""

        def ask(to: Any) -> Any:
            client = Client(self.io, LATEST, "/")
            with patch.object(client.session, "send", lambda outgoing: client.vanishes("transport error")):
                return to(client.socket())

        self.failureResultOf(ask(lambda socket: socket.emit_with_ack("a")), SocketDisconnected)
        self.failureResultOf(ask(lambda socket: socket.timeout(5).emit_with_ack("a")), SocketDisconnected)
        ask(lambda socket: socket.timeout(5).emit("a", ack=self.answers.append))
        self.assertIsInstance(self.answers.pop(), SocketDisconnected)
        ask(lambda socket: socket.emit("a", ack=self.answers.append))
        self.assertEqual(self.answers, [])
        answers = ask(lambda socket: self.io.to(socket.id).emit_with_ack("a"))
        self.assertEqual(self.successResultOf(answers), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_waits_no_longer_says_so(self) -> None:
        waiting = self.socket.timeout(5).emit_with_ack("a")
        waiting.addErrback(lambda _: None)
        waiting.cancel()
        self.client.says("30[1]")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_function_that_fails_harms_nobody(self) -> None:
        self.socket.emit("a", ack=lambda value: 1 / value)
        self.client.says("30[0]")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(self.client.session.is_open)

    def test_answers_come_while_a_handler_runs(self) -> None:
        @self.socket.on("question")
        async def question() -> Any:
            return await self.socket.emit_with_ack("counter-question")

        self.client.says('27["question"]')
        self.assertEqual(self.client.got(), ['20["counter-question"]'])
        self.client.says('30["answer"]')
        self.assertEqual(self.client.got(), ['37["answer"]'])

    def test_older_clients_answer_too(self) -> None:
        for generation, asked, answer in (
            (SECOND, '20["a"]', "30[1]"),
            (FIRST, '5:0+::{"name":"a"}', "6:::0+[1]"),
        ):
            client = Client(self.io, generation)
            client.got()
            answered = client.socket().emit_with_ack("a")
            self.assertEqual(client.got(), [asked])
            client.says(answer)
            self.assertEqual(self.successResultOf(answered), 1)
