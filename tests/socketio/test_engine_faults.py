"""Sessions of Engine.IO whose clients are hostile, or whose listeners have faults: each session is on its own."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from hunchensocket_tx import Settings
from hunchensocket_tx.socketio.session import Session
from tests.socketio.engine_support import EngineCase, Listener, Opened

FIRST_PACKET = b'0{"sid'


class Faulty(Listener):
    """Fails when it is told of the end."""

    def session_closed(self, reason: str) -> None:
        super().session_closed(reason)
        raise RuntimeError("a fault")


class FaultyOpened(Opened):
    """Gives each session a listener that has faults."""

    def __call__(self, session: Session) -> Listener:
        self.then(session)
        self.listeners.append(Faulty(session))
        return self.last


class FaultTests(EngineCase):
    """Faults of listeners are logged, and nobody else's."""

    def test_a_listener_that_fails_at_the_end_does_not_prevent_that_of_others(self) -> None:
        self.serve(FaultyOpened())
        polls = [self.get(self.handshake(protocol)) for protocol in (3, 4)]
        sockets = [self.websocket(protocol) for protocol in (3, 4)]
        self.engine.close("server shutting down")
        self.memory.settle()
        self.assertEqual([poll.body for poll in polls], [b"1:1", b"1"])
        self.assertTrue(all(socket.closed for socket in sockets))
        self.assertEqual([listener.reasons for listener in self.opened.listeners], 4 * [["server shutting down"]])
        self.assert_over("server shutting down")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 4)

    def test_one_that_fails_while_it_is_opened_and_closed_is_served_all_the_same(self) -> None:
        self.serve(FaultyOpened(then=lambda session: session.close("forced close")))
        session = self.handshake()
        self.assertEqual(self.get(session).body, b"1")
        self.assert_over("forced close")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class TextTests(EngineCase):
    """What the application wants to send, and nobody can."""

    def test_text_that_is_no_unicode_is_refused_and_nothing_else_is_lost(self) -> None:
        for protocol in (3, 4):
            with self.subTest(protocol=protocol):
                self.serve()
                session = self.handshake(protocol)
                waiting = self.get(session)
                with self.assertRaises(UnicodeEncodeError):
                    self.session.send_message("\ud800")
                self.send("a")
                self.assertIn(b"4a", waiting.body)
                self.send("b")
                with self.assertRaises(UnicodeEncodeError):
                    self.session.send_message("\ud800")
                self.assertIn(b"4b", self.get(session).body)


class ClosingTests(EngineCase):
    """The server goes away."""

    def test_who_is_asked_about_then_gets_no_session(self) -> None:
        asked: Deferred[bool] = Deferred()
        self.serve(allow_request=lambda request: asked)
        exchange = self.request("GET", "EIO=4&transport=polling")
        self.assertEqual(exchange.status, 0)
        self.successResultOf(self.engine.close("server shutting down"))
        self.memory.settle()
        self.assertEqual(exchange.status, 503)
        self.assertEqual((self.opened.listeners, self.engine.sessions), ([], {}))


class BoundTests(EngineCase):
    """What waits for who does not poll is bounded."""

    def test_too_much_to_begin_with_is_answered_with_an_error(self) -> None:
        opened = Opened(then=lambda session: session.send_message("x" * 2000))
        self.serve(opened, limits=Settings(max_send_buffer=1000))
        answer = self.request("GET", "EIO=4&transport=polling")
        self.assertEqual(answer.status, 500)
        self.assert_over("transport error")

    def test_the_size_of_many_small_packets_counts(self) -> None:
        self.serve(limits=Settings(max_send_buffer=10_000))
        session = self.handshake(3)
        for _ in range(4):
            self.post(session, 40 * "1:2")  # each of which is answered
        self.assert_over("transport error")
        self.handshake(3)
        self.send(*(200 * [""]))
        self.assert_over("transport error")
