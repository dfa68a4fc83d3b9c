"""Saying to whom something goes, and how; and what becomes of answers."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.errors import MisuseError
from hunchensocket_tx.socketio.adapter import Flags
from hunchensocket_tx.socketio.errors import AckTimeout
from hunchensocket_tx.socketio.operators import BroadcastOperator, event_data, room_names
from tests.socketio.room_support import Hall


class NameTests(SynchronousTestCase):
    """Names of events and of rooms."""

    def test_reserved_names_are_refused(self) -> None:
        for name in ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"):
            self.assertRaises(MisuseError, event_data, name, ())
        self.assertEqual(event_data("connection", (1, 2)), ["connection", 1, 2])

    def test_other_things_than_text_are_refused(self) -> None:
        for name in (1, None, b"said", ["said"]):
            self.assertRaises(MisuseError, event_data, name, ())

    def test_rooms_are_given_one_by_one_or_at_once(self) -> None:
        self.assertEqual(room_names(("a", ["b", "c"], {"d"}, (name for name in "e"))), set("abcde"))
        self.assertEqual(room_names(("abc",)), {"abc"})
        self.assertEqual(room_names(()), frozenset())

    def test_other_things_than_rooms_are_refused(self) -> None:
        for wrong in (1, b"a", [1], [None], None, [["a"]]):
            self.assertRaises(MisuseError, room_names, (wrong,))


class OperatorCase(SynchronousTestCase):
    """A hall with three members."""

    def setUp(self) -> None:
        self.hall = Hall("a", "b", "c")
        self.all = BroadcastOperator(self.hall)


class AudienceTests(OperatorCase):
    """To whom it goes."""

    def test_without_a_word_all_are_meant(self) -> None:
        self.all.emit("said", 1, "x")
        self.assertEqual(self.hall.heard(), {sid: [["said", 1, "x"]] for sid in "abc"})

    def test_rooms_add_up(self) -> None:
        self.all.to("a").in_(["b", "x"]).to("a", "y").emit("said")
        self.assertEqual(list(self.hall.heard()), ["a", "b"])

    def test_exceptions_add_up(self) -> None:
        self.all.except_("a").except_({"b"}, "y").emit("said")
        self.assertEqual(list(self.hall.heard()), ["c"])

    def test_no_rooms_do_not_mean_all(self) -> None:
        self.assertRaises(MisuseError, self.all.to)
        self.assertRaises(MisuseError, self.all.to, [])

    def test_no_exceptions_are_none(self) -> None:
        self.all.except_([]).emit("said")
        self.assertEqual(list(self.hall.heard()), ["a", "b", "c"])

    def test_an_operator_never_changes(self) -> None:
        one = self.all.to("a")
        one.to("b").except_("a").volatile.compress(False).timeout(3).local.emit("x")
        one.emit("said")
        self.assertEqual(self.hall.heard(), {"b": [["x"]], "a": [["said"]]})
        self.assertEqual(self.hall.sockets["a"].flags, [Flags()])


class FlagTests(OperatorCase):
    """How it goes."""

    def test_the_words_become_flags(self) -> None:
        self.all.volatile.compress(False).local.timeout(2.5).emit("said")
        self.assertEqual(self.hall.sockets["a"].flags, [Flags(True, False, True, 2.5)])

    def test_send_is_the_event_message(self) -> None:
        self.all.to("a").send(1, 2)
        self.assertEqual(self.hall.heard(), {"a": [["message", 1, 2]]})

    def test_reserved_names_are_not_sent(self) -> None:
        self.assertRaises(MisuseError, self.all.emit, "disconnect")
        self.assertRaises(MisuseError, self.all.emit_with_ack, "disconnect")
        self.assertEqual(self.hall.heard(), {})

    def test_the_namespace_is_named(self) -> None:
        packets: list[Any] = []
        self.hall.adapter.broadcast = lambda packet, *_: packets.append(packet)  # type: ignore[method-assign]
        self.all.emit("said")
        self.assertEqual(packets[0].namespace, "/hall")


class AnswerTests(OperatorCase):
    """Broadcasts with answers."""

    def test_it_is_the_first_value_of_each_answer(self) -> None:
        answers = self.all.to("a", "b").emit_with_ack("ask", 1)
        self.hall.sockets["b"].answer(["B", 2])
        self.assertNoResult(answers)
        self.hall.sockets["a"].answer([])
        self.assertEqual(self.successResultOf(answers), ["B", None])
        self.assertEqual(self.hall.heard(), {"a": [["ask", 1]], "b": [["ask", 1]]})

    def test_without_anybody_there_are_none_at_once(self) -> None:
        self.assertEqual(self.successResultOf(self.all.to("z").timeout(3).emit_with_ack("ask")), [])
        self.assertEqual(self.hall.clock.getDelayedCalls(), [])

    def test_it_ends_when_those_who_are_missing_disconnect(self) -> None:
        answers = self.all.to("a", "b").emit_with_ack("ask")
        self.hall.sockets["b"].answer([1])
        self.hall.sockets["a"].answer(None)
        self.assertEqual(self.successResultOf(answers), [1])

    def test_it_fails_in_time_and_has_what_came(self) -> None:
        answers = self.all.timeout(3).emit_with_ack("ask")
        self.hall.sockets["b"].answer([1])
        self.hall.clock.advance(2.9)
        self.assertNoResult(answers)
        self.hall.clock.advance(0.2)
        self.assertEqual(self.failureResultOf(answers, AckTimeout).value.answers, [1])
        self.assertEqual(self.hall.sockets["a"].asking, {})

    def test_in_time_there_is_no_timer_left(self) -> None:
        answers = self.all.to("a").timeout(3).emit_with_ack("ask")
        self.hall.sockets["a"].answer([1])
        self.assertEqual(self.successResultOf(answers), [1])
        self.assertEqual(self.hall.clock.getDelayedCalls(), [])

    def test_who_cancels_leaves_nothing_behind(self) -> None:
        for operator in (self.all, self.all.timeout(3)):
            answers = operator.emit_with_ack("ask")
            answers.cancel()
            self.failureResultOf(answers, CancelledError)
            self.assertEqual(self.hall.clock.getDelayedCalls(), [])
            self.assertEqual(self.hall.sockets["a"].asking, {})


class CallbackTests(OperatorCase):
    """The same, told to a function."""

    def setUp(self) -> None:
        super().setUp()
        self.told: list[Any] = []

    def take(self, error: Exception | None, answers: list[Any]) -> None:
        """Be told."""
        self.told.append((type(error), answers))

    def test_it_is_told_the_answers(self) -> None:
        self.all.to("a").emit("ask", 1, ack=self.take)
        self.hall.sockets["a"].answer([5])
        self.assertEqual(self.told, [(type(None), [5])])
        self.assertEqual(self.hall.heard(), {"a": [["ask", 1]]})

    def test_it_is_told_what_came_in_time(self) -> None:
        self.all.to("a", "b").timeout(3).emit("ask", ack=self.take)
        self.hall.sockets["a"].answer([5])
        self.hall.clock.advance(4)
        self.assertEqual(self.told, [(AckTimeout, [5])])

    def test_it_is_told_what_went_wrong_elsewhere(self) -> None:
        self.hall.adapter.broadcast_with_ack = lambda *_: fail(OSError())  # type: ignore[method-assign]
        self.all.emit("ask", ack=self.take)
        self.assertEqual(self.told, [(OSError, [])])

    def test_if_it_fails_that_is_logged(self) -> None:
        def at_once(error: Exception | None, answers: list[Any]) -> None:
            raise ZeroDivisionError

        async def later(error: Exception | None, answers: list[Any]) -> None:
            await released
            raise ZeroDivisionError

        released: Deferred[None] = Deferred()
        for function in (at_once, later):
            self.all.to("z").emit("ask", ack=function)
        released.callback(None)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)


class TogetherTests(OperatorCase):
    """What else can be done with those who are meant."""

    def test_they_are_fetched(self) -> None:
        fetched = self.successResultOf(self.all.to("a", "b").except_("b").fetch_sockets())
        self.assertEqual(fetched, [self.hall.sockets["a"]])

    def test_they_join_and_leave(self) -> None:
        self.all.to("a").sockets_join("x", ["y"])
        self.all.sockets_leave("y")
        self.assertEqual(self.hall.adapter.rooms_of("a"), {"a", "x"})

    def test_they_are_disconnected(self) -> None:
        self.all.to("a").disconnect_sockets()
        self.all.to("b").disconnect_sockets(close=True)
        self.assertEqual([socket.disconnected for socket in self.hall.sockets.values()], [False, True, None])
