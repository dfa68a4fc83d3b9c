"""Tests of hunchensocket_tx.socketio.engine.session: how sessions begin, live and end, over whatever transport."""

from __future__ import annotations

import json

from hunchensocket_tx.socketio.session import Outgoing, Session
from tests.socketio.engine_support import EngineCase, Opened


class BeginningTests(EngineCase):
    """The packet that opens a session, and what goes with it."""

    def opening(self, text: str) -> dict[str, object]:
        """Return what the packet says that opens a session."""
        told: dict[str, object] = json.loads(text[text.index("{") :])
        self.assertGreaterEqual(len(str(told.pop("sid"))), 20)
        return told

    def test_it_tells_the_timers_and_limits(self) -> None:
        self.serve(ping_interval=0.3, ping_timeout=0.2, max_http_buffer_size=1234)
        polling = self.request("GET", "EIO=4&transport=polling").body.decode()
        expected = {"upgrades": ["websocket"], "pingInterval": 300, "pingTimeout": 200, "maxPayload": 1234}
        self.assertEqual(self.opening(polling), expected)
        (websocket,) = self.websocket().take()
        self.assertEqual(self.opening(str(websocket)), {**expected, "upgrades": []})

    def test_protocol_3_has_no_limit_to_tell(self) -> None:
        self.serve()
        answer = self.request("GET", "EIO=3&transport=polling").body.decode()
        self.assertRegex(answer, r"\A[0-9]+:0\{")
        told = {"upgrades": ["websocket"], "pingInterval": 25000, "pingTimeout": 20000}
        self.assertEqual(self.opening(answer), told)

    def test_no_upgrade_is_offered_where_there_is_none(self) -> None:
        for settings in ({"allow_upgrades": False}, {"transports": ["polling"]}):
            self.serve(**settings)
            told = self.opening(self.request("GET", "EIO=4&transport=polling").body.decode())
            self.assertEqual(told["upgrades"], [])

    def test_what_is_sent_at_once_goes_in_the_same_payload(self) -> None:
        self.serve(Opened(then=lambda session: session.send(Outgoing(("0",)))))
        self.assertRegex(self.request("GET", "EIO=4&transport=polling").body, rb"\A0\{.*\}\x1e40\Z")
        self.assertRegex(self.request("GET", "EIO=3&transport=polling").body, rb"\A[0-9]+:0\{.*\}2:40\Z")
        self.assertEqual(self.websocket().take()[1:], ["40"])

    def test_who_closes_at_once_is_told_so_itself_and_so_is_the_client(self) -> None:
        self.serve(Opened(then=lambda session: session.close("forced server close")))
        self.assertEqual(self.get(self.handshake()).body, b"1")
        self.assert_over("forced server close")
        self.assertTrue(self.websocket().closed)
        self.assert_over("forced server close")

    def test_who_fails_at_once_costs_the_client_its_session(self) -> None:
        def fail(session: Session) -> None:
            raise ZeroDivisionError

        self.serve(Opened(then=fail))
        self.assertEqual(self.request("GET", "EIO=4&transport=polling").status, 500)
        self.assertTrue(self.websocket().closed)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.assertEqual((self.engine.sessions, self.session_timers()), ({}, []))

    def test_it_knows_how_its_client_introduced_itself(self) -> None:
        self.serve()
        self.handshake(4, "&token=a", X_Test="b")
        handshake = self.session.handshake
        self.assertEqual((handshake.query["token"], handshake.headers["x-test"]), ("a", "b"))
        self.assertEqual((self.session.protocol, self.session.transport_name), (4, "polling"))
        self.websocket(3)
        self.assertEqual((self.session.protocol, self.session.transport_name), (3, "websocket"))

    def test_its_id_is_not_in_what_is_logged_of_it(self) -> None:
        self.serve()
        self.handshake()
        self.assertNotIn(self.session.sid, repr(self.session))


class HeartbeatTests(EngineCase):
    """Signs of life."""

    def test_the_server_of_protocol_4_asks_and_ends_who_does_not_answer(self) -> None:
        self.serve(ping_interval=25, ping_timeout=20)
        session = self.handshake()
        poll = self.get(session)
        self.memory.advance(24.875)
        self.assertFalse(poll.answered)
        self.memory.advance(0.25)
        self.assertEqual(poll.body, b"2")
        self.assertEqual(self.post(session, "3").body, b"ok")
        poll = self.get(session)
        self.memory.advance(25)
        self.assertEqual(poll.body, b"2")
        poll = self.get(session)
        self.memory.advance(19.75)
        self.assertTrue(self.session.is_open)
        self.memory.advance(0.5)
        self.assert_over("ping timeout")
        self.assertEqual(poll.body, b"1")

    def test_the_server_of_protocol_4_asks_over_websockets_likewise(self) -> None:
        self.serve(ping_interval=25, ping_timeout=20)
        socket = self.websocket()
        socket.take()
        for _ in range(3):
            self.memory.advance(25)
            self.assertEqual(socket.take(), ["2"])
            socket.send("3")
        self.memory.advance(25 + 20)
        self.assertTrue(socket.closed)
        self.assert_over("ping timeout")

    def test_the_time_that_answers_take_does_not_add_up(self) -> None:
        self.serve(ping_interval=25, ping_timeout=20)
        socket = self.websocket()
        self.memory.advance(25)
        for _ in range(3):
            self.memory.advance(15)
            socket.send("3")
            socket.take()
            self.memory.advance(9.75)
            self.assertEqual(socket.take(), [])
            self.memory.advance(0.25)
            self.assertEqual(socket.take(), ["2"])

    def test_who_is_asked_late_as_the_server_was_held_up_has_as_much_time_as_ever(self) -> None:
        self.serve(ping_interval=25, ping_timeout=20)
        socket = self.websocket()
        socket.take()
        self.clock.advance(60)
        self.memory.settle()
        self.assertEqual(socket.take(), ["2"])
        self.memory.advance(19.75)
        self.assertTrue(self.session.is_open)
        self.memory.advance(0.5)
        self.assert_over("ping timeout")

    def test_who_comes_too_late_finds_no_session_even_if_timers_are_late_too(self) -> None:
        for protocol, seconds in ((4, 20), (3, 45)):
            self.serve(ping_interval=25, ping_timeout=20)
            self.handshake(protocol)
            if protocol == 4:
                self.memory.advance(25)
            self.clock.rightNow += seconds - 1  # and no timer has had its turn
            self.assertIsNotNone(self.engine.polling_of(self.session.sid))
            self.clock.rightNow += 1
            self.assertIsNone(self.engine.polling_of(self.session.sid))
            self.assert_over("ping timeout")

    def test_a_client_of_protocol_3_asks_and_is_answered(self) -> None:
        self.serve()
        session = self.handshake(3)
        poll = self.get(session)
        self.post(session, "1:2")
        self.assertEqual(poll.body, b"1:3")
        socket = self.websocket(3)
        socket.take()
        socket.send("2", "2probe")
        self.assertEqual(socket.take(), ["3", "3probe"])

    def test_a_client_of_protocol_3_that_says_nothing_is_ended(self) -> None:
        self.serve(ping_interval=25, ping_timeout=20)
        for open_session in (lambda: self.handshake(3), lambda: self.websocket(3)):
            open_session()
            self.memory.advance(44.875)
            self.assertTrue(self.session.is_open)
            self.memory.advance(0.25)
            self.memory.advance(5)
            self.assert_over("ping timeout")

    def test_whatever_a_client_of_protocol_3_sends_is_life(self) -> None:
        self.serve(ping_interval=25, ping_timeout=20)
        session = self.handshake(3)
        for _ in range(4):
            self.memory.advance(40)
            self.post(session, "2:4a")
        socket = self.websocket(3)
        for _ in range(4):
            self.memory.advance(40)
            socket.send("4a")
        self.assertTrue(self.session.is_open)
        self.memory.advance(46)
        self.assert_over("ping timeout")

    def test_a_heartbeat_the_wrong_way_round_ends_the_session(self) -> None:
        for protocol, payload, message in ((4, "2", "2"), (3, "1:3", "3")):
            self.serve()
            self.post(self.handshake(protocol), payload)
            self.assert_over("transport error")
            socket = self.websocket(protocol)
            socket.send(message)
            self.assert_over("transport error")
            self.assertTrue(socket.closed)

    def test_an_answer_that_nobody_asked_for_means_nothing(self) -> None:
        self.serve()
        session = self.handshake()
        self.post(session, "3\x1e6")
        self.assertTrue(self.session.is_open)


class EndingTests(EngineCase):
    """The end of a session, as either side wants it."""

    def setUp(self) -> None:
        self.serve()

    def test_a_client_that_posts_the_end_is_done(self) -> None:
        session = self.handshake()
        poll = self.get(session)
        self.assertEqual(self.post(session, "1\x1e4late").body, b"ok")
        self.assertEqual(poll.body, b"6")
        self.assert_over("transport close")
        self.assertEqual(self.opened.last.messages, [])
        self.assertEqual(self.get(session).status, 400)

    def test_a_client_that_sends_the_end_over_a_websocket_is_done(self) -> None:
        socket = self.websocket()
        socket.send("1")
        self.assertTrue(socket.closed)
        self.assert_over("transport close")

    def test_the_get_that_waits_is_told_the_end(self) -> None:
        poll = self.get(self.handshake())
        self.session.close("server namespace disconnect")
        self.memory.settle()
        self.assertEqual(poll.body, b"1")
        self.assert_over("server namespace disconnect")

    def test_a_get_is_told_the_end_after_another_took_what_was_sent(self) -> None:
        session = self.handshake()
        self.send("2a")
        self.session.close("server namespace disconnect")
        self.send("2late")
        self.assertEqual(self.opened.last.reasons, ["server namespace disconnect"])
        self.assertFalse(self.session.is_open)
        self.assertEqual(self.post(session, "4late").body, b"ok")
        self.assertEqual(self.opened.last.messages, [])
        self.assertEqual(self.get(session).body, b"42a")
        self.assertEqual(self.get(session).body, b"1")
        self.assert_over("server namespace disconnect")
        self.assertEqual(self.get(session).status, 400)

    def test_a_client_that_does_not_poll_any_more_is_forgotten(self) -> None:
        session = self.handshake()
        self.session.close("server namespace disconnect")
        self.memory.advance(self.resource.settings.closing_timeout)
        self.assert_over("server namespace disconnect")
        self.assertEqual(self.get(session).json["code"], 1)

    def test_a_websocket_is_just_closed(self) -> None:
        socket = self.websocket()
        socket.take()
        self.send("2a")
        self.session.close("server namespace disconnect")
        self.memory.settle()
        self.assertEqual(socket.take(), ["42a"])
        self.assertTrue(socket.closed)
        self.assertEqual(socket.ends[0].code, 1000)
        self.assert_over("server namespace disconnect")

    def test_a_second_end_is_none(self) -> None:
        self.handshake()
        self.session.close("a")
        self.session.close("b")
        self.assertEqual(self.opened.last.reasons, ["a"])

    def test_a_listener_may_close_while_it_is_given_messages(self) -> None:
        session = self.handshake()
        poll = self.get(session)
        listener = self.opened.last
        listener.message_received = lambda message: listener.session.close("parse error")  # type: ignore[method-assign]
        self.assertEqual(self.post(session, "4a\x1e4b").body, b"ok")
        self.assertEqual(poll.body, b"1")
        self.assert_over("parse error")
