"""Tests of hunchensocket_tx.socketio.session_server, with sessions that are told of their end when they say so."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyRequest

from hunchensocket_tx import Settings
from hunchensocket_tx.socketio.session_server import SessionServer
from hunchensocket_tx.socketio.settings import SocketIOSettings
from tests.socketio.api_support import RecordingSession


class SessionServerTests(SynchronousTestCase):
    """The sessions of a server."""

    def server(self, **changes: Any) -> SessionServer[RecordingSession]:
        """Return a server with two sessions."""
        settings = SocketIOSettings(**changes)
        opened: Any = None  # no session is opened here
        server: SessionServer[RecordingSession] = SessionServer(settings, Settings(), Clock(), opened)
        for sid in ("a", "b"):
            server.sessions[sid] = RecordingSession(sid, 4)
        return server

    def asked(self, server: SessionServer[RecordingSession]) -> tuple[DummyRequest, Deferred[str | None]]:
        """Return a request, and what is said of it."""
        request = DummyRequest([b""])
        as_request: Any = request
        asked: Request = as_request
        return request, server.ask(asked)

    def test_all_are_closed_and_waited_for(self) -> None:
        server = self.server()
        sessions = list(server.sessions.values())
        closed = server.close("server shutting down")
        self.assertEqual([session.closed_for for session in sessions], ["server shutting down"] * 2)
        server.forget(sessions[0])
        self.assertNoResult(closed)
        server.forget(sessions[1])
        self.assertIsNone(self.successResultOf(closed))

    def test_without_any_there_is_nothing_to_wait_for(self) -> None:
        server = self.server()
        server.sessions.clear()
        self.assertIsNone(self.successResultOf(server.close("server shutting down")))

    def test_it_is_full_at_its_limit_and_while_all_are_closed(self) -> None:
        self.assertTrue(self.server(max_sessions=2).is_full)
        server = self.server()
        self.assertFalse(server.is_full)
        waiting = server.close("server shutting down")
        self.assertTrue(server.is_full)
        waiting.cancel()
        self.failureResultOf(waiting)
        self.assertFalse(server.is_full)

    def test_a_question_is_given_up_if_the_client_leaves(self) -> None:
        server = self.server(allow_request=lambda request: Deferred())
        request, permission = self.asked(server)
        request.processingFailed(Exception("gone"))
        self.failureResultOf(permission)

    def test_a_question_is_given_up_if_all_sessions_end(self) -> None:
        server = self.server(allow_request=lambda request: Deferred())
        _, permission = self.asked(server)
        server.close("server shutting down")
        self.failureResultOf(permission)

    def test_an_answer_is_passed_on(self) -> None:
        _, permission = self.asked(self.server(allow_request=lambda request: "not today"))
        self.assertEqual(self.successResultOf(permission), "not today")
