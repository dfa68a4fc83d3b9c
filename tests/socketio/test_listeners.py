"""Who listens to which events."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.trial.unittest import TestCase
from typing_extensions import assert_type

from hunchensocket_tx.socketio.listeners import Listeners
from tests.socketio.api_support import LATEST, Client, new_io


class ListenersTests(TestCase):
    """Handlers come and go."""

    def setUp(self) -> None:
        self.listeners = Listeners()
        self.heard: list[Any] = []

    def hear(self, *values: Any) -> None:
        self.heard.append(values)

    def test_a_handler_is_given_or_decorated(self) -> None:
        self.assertEqual(self.listeners.on("a", self.hear), self.hear)

        @self.listeners.on("a")
        def another(value: int) -> str:
            return f"got {value}"

        self.assertEqual(another(1), "got 1")
        self.assertEqual(self.listeners.call_handlers("a", 2), "got 2")
        self.assertEqual(self.heard, [(2,)])
        self.assertEqual(self.listeners.listeners("a"), (self.hear, another))

    def test_a_decorated_function_stays_what_it_is(self) -> None:
        """Also to type checkers; that is what this is about."""

        @self.listeners.on("double")
        def double(number: int) -> int:
            return 2 * number

        @self.listeners.once("half")
        async def half(number: int) -> float:
            return number / 2

        assert_type(double(2), int)
        self.assertEqual(self.listeners.on("triple", double), double)
        assert_type(self.listeners.on("triple", double)(1), int)
        assert_type(half(2), Coroutine[Any, Any, float]).close()

    def test_once_is_once(self) -> None:
        @self.listeners.once("a")
        def hear() -> None:
            self.heard.append("decorated")

        self.listeners.once("a", self.hear)
        self.assertEqual(self.listeners.listeners("a"), (hear, self.hear))
        self.listeners.call_handlers("a")
        self.listeners.call_handlers("a")
        self.assertEqual(self.heard, ["decorated", ()])
        self.assertEqual(self.listeners.listeners("a"), ())

    def test_of_two_that_are_called_once_each_is(self) -> None:
        self.listeners.once("a", self.hear)
        self.listeners.once("a", self.hear)
        self.listeners.call_handlers("a")
        self.listeners.call_handlers("a")
        self.assertEqual(self.heard, [(), ()])

    def test_what_is_called_once_and_for_good_as_well_stays(self) -> None:
        self.listeners.on("a", self.hear)
        self.listeners.once("a", self.hear)
        for _ in range(3):
            self.listeners.call_handlers("a")
        self.assertEqual(len(self.heard), 4)
        self.assertEqual(self.listeners.listeners("a"), (self.hear,))

    def test_off(self) -> None:
        def other() -> None:
            self.heard.append("other")

        self.listeners.on("a", self.hear)
        self.listeners.on("a", other)
        self.listeners.once("a", self.hear)
        self.listeners.off("a", self.hear)
        self.listeners.off("a", len)
        self.listeners.off("b", other)
        self.listeners.call_handlers("a")
        self.assertEqual(self.heard, ["other"])
        self.listeners.off("a")
        self.listeners.on("b", other)
        self.listeners.call_handlers("a")
        self.listeners.off()
        self.listeners.call_handlers("b")
        self.assertEqual(self.heard, ["other"])

    def test_who_is_added_meanwhile_is_called_next_time(self) -> None:
        self.listeners.on("a", lambda: self.listeners.on("a", self.hear))
        self.listeners.call_handlers("a")
        self.assertEqual(self.heard, [])
        self.listeners.call_handlers("a")
        self.assertEqual(self.heard, [()])

    def test_those_of_others_do_not_mix(self) -> None:
        self.listeners.on("a", self.hear)
        self.assertIsNone(Listeners().call_handlers("a"))
        self.assertEqual(self.heard, [])

    def test_handlers_are_inherited_as_they_are_now(self) -> None:
        heir = Listeners()
        self.listeners.on("a", self.hear)
        self.listeners.once("b", self.hear)
        heir.inherit(self.listeners)
        self.listeners.off()
        for _ in range(2):
            heir.call_handlers("a", 1)
            heir.call_handlers("b", 2)
        self.assertEqual(self.heard, [(1,), (2,), (1,)])

    def test_what_cannot_be_called_is_no_handler(self) -> None:
        with self.assertRaises(TypeError):
            self.listeners.on("a", 5)  # type: ignore[call-overload]


class CatchAllTests(TestCase):
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
