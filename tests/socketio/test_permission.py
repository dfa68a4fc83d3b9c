"""Tests of hunchensocket_tx.socketio.permission: what the application says of a client."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from hunchensocket_tx.socketio.permission import ask_permission
from hunchensocket_tx.socketio.settings import SocketIOSettings

REQUEST: Any = DummyRequest([b""])


class PermissionTests(SynchronousTestCase):
    """Answers of the setting allow_request."""

    def ask(self, answer: Any) -> Deferred[str | None]:
        """Ask an application that gives an answer."""
        settings = SocketIOSettings(allow_request=lambda request: answer)
        return ask_permission(settings, REQUEST)

    def test_everybody_may_where_nobody_is_asked(self) -> None:
        self.assertIsNone(self.successResultOf(ask_permission(SocketIOSettings(), REQUEST)))

    def test_answers_come_at_once_or_later(self) -> None:
        async def answer() -> str:
            return "no"

        for given, expected in (
            (True, None),
            (False, "Forbidden"),
            ("", "Forbidden"),
            ("no", "no"),
            (succeed(True), None),
            (answer(), "no"),
        ):
            self.assertEqual(self.successResultOf(self.ask(given)), expected)

    def test_what_is_no_answer_is_an_error(self) -> None:
        self.failureResultOf(self.ask(1), TypeError)
        self.failureResultOf(self.ask(None), TypeError)

    def test_what_the_application_raises_is_passed_on(self) -> None:
        def fail(request: object) -> bool:
            raise ZeroDivisionError

        settings = SocketIOSettings(allow_request=fail)
        self.failureResultOf(ask_permission(settings, REQUEST), ZeroDivisionError)
