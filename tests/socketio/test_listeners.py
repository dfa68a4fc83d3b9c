"""Who listens to which events."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from hunchensocket_tx.socketio.listeners import Listeners


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
