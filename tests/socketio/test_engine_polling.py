"""Tests of hunchensocket_tx.socketio.engine.polling: GETs and POSTs of sessions, in memory, as plain HTTP."""

from __future__ import annotations

from urllib.parse import quote

from hunchensocket_tx import Settings
from hunchensocket_tx.socketio.session import Outgoing
from tests.socketio.engine_support import EngineCase, Opened


class PollingTests(EngineCase):
    """What comes and goes over HTTP."""

    def setUp(self) -> None:
        self.serve()

    def test_a_message_answers_the_get_that_waits(self) -> None:
        session = self.handshake()
        poll = self.get(session)
        self.assertFalse(poll.answered)
        self.send("2hello")
        self.assertEqual((poll.status, poll.body), (200, b"42hello"))
        self.assertEqual(poll.fields["content-type"], "text/plain; charset=UTF-8")
        self.assertEqual(poll.fields["cache-control"], "no-store")

    def test_messages_wait_for_the_next_get_and_go_out_together_in_order(self) -> None:
        session = self.handshake()
        for number in range(60):
            self.send(f"2{number}")
        expected = "\x1e".join(f"42{number}" for number in range(60))
        self.assertEqual(self.get(session).body, expected.encode())

    def test_binary_goes_as_base64_in_protocol_4(self) -> None:
        session = self.handshake()
        self.send("51-[]", b"\x01\x02\x03\x04")
        self.assertEqual(self.get(session).body, b"451-[]\x1ebAQIDBA==")

    def test_binary_goes_as_bytes_in_protocol_3_unless_the_client_said_no(self) -> None:
        for more, body, content_type in (
            ("", b"\x01\x03\xff\x04\x01\x02", "application/octet-stream"),
            ("&b64=1", b"6:b4AQI=", "text/plain; charset=UTF-8"),
        ):
            session = self.handshake(3, more)
            self.send(b"\x01\x02")
            poll = self.get(session)
            self.assertEqual((poll.body, poll.fields["content-type"]), (body, content_type))

    def test_packets_of_a_post_are_handled_in_order(self) -> None:
        session = self.handshake()
        answer = self.post(session, "\x1e".join(["4a", "bAQI=", "4€", "4"]))
        self.assertEqual((answer.status, answer.body), (200, b"ok"))
        self.assertEqual(answer.fields["content-type"], "text/html")
        self.assertEqual(self.opened.last.messages, ["a", b"\x01\x02", "€", ""])

    def test_both_forms_of_payloads_are_read_in_protocol_3(self) -> None:
        session = self.handshake(3)
        self.post(session, "6:4hello2:4€")
        self.post(session, b"\x01\x02\xff\x04\x05", Content_Type="application/octet-stream")
        self.assertEqual(self.opened.last.messages, ["hello", "€", b"\x05"])

    def test_a_post_does_not_wait_for_the_get_nor_the_get_for_it(self) -> None:
        session = self.handshake()
        poll = self.get(session)
        self.assertEqual(self.post(session, "4a").body, b"ok")
        self.assertFalse(poll.answered)

    def test_what_a_post_is_answered_with_goes_out_together(self) -> None:
        self.serve(Opened(echo=True))
        session = self.handshake()
        poll = self.get(session)
        self.post(session, "4a\x1e4b\x1e4c")
        self.assertEqual(poll.body, b"4a\x1e4b\x1e4c")

    def test_what_is_shared_is_encoded_once_for_all_who_get_nothing_else(self) -> None:
        sessions = [self.handshake(4), self.handshake(4), self.handshake(3), self.handshake(3, "&b64=1")]
        outgoing = Outgoing(("2[1]", b"\x01"), shared=True)
        polls = [self.get(session) for session in sessions]
        for listener in self.opened.listeners:
            listener.session.send(outgoing)
        self.memory.settle()
        self.assertEqual([poll.body for poll in polls[:2]], [b"42[1]\x1ebAQ=="] * 2)
        self.assertEqual(
            [poll.body for poll in polls[2:]], [b"\x00\x05\xff42[1]\x01\x02\xff\x04\x01", b"5:42[1]6:b4AQ=="]
        )
        self.assertEqual(len(outgoing.kept), 2)

    def test_volatile_packets_may_go_only_if_a_get_waits_and_nothing_goes_before(self) -> None:
        session = self.handshake()
        self.assertFalse(self.session.is_writable)
        self.get(session)
        self.assertTrue(self.session.is_writable)
        self.send("2a")
        self.assertFalse(self.session.is_writable)

    def test_a_payload_that_is_none_ends_the_session(self) -> None:
        for protocol, body in ((4, "abc"), (4, ""), (4, "4a\x1e"), (3, "abc"), (3, ""), (4, b"4\xff")):
            self.serve()
            session = self.handshake(protocol)
            poll = self.get(session)
            self.assertEqual(self.post(session, body).status, 400)
            self.assert_over("parse error")
            self.assertIn(poll.body, (b"1", b"1:1"))
            self.assertEqual(self.get(session).json, {"code": 1, "message": "Session ID unknown"})

    def test_binary_bodies_are_no_payloads_in_protocol_4(self) -> None:
        session = self.handshake()
        self.assertEqual(self.post(session, "4a", Content_Type="application/octet-stream").status, 400)
        self.assert_over("parse error")

    def test_a_body_over_the_limit_is_refused_and_the_session_lives(self) -> None:
        self.serve(max_http_buffer_size=100)
        session = self.handshake()
        self.assertEqual(self.post(session, "4" + 100 * "a").status, 413)
        self.assertEqual(self.post(session, "4" + 99 * "a").status, 200)
        self.assertEqual(self.opened.last.messages, [99 * "a"])

    def test_two_gets_at_a_time_end_the_session(self) -> None:
        session = self.handshake()
        first = self.get(session)
        second = self.get(session)
        self.assertEqual((first.status, first.body, second.status), (200, b"1", 400))
        self.assert_over("transport error")

    def test_a_get_whose_connection_is_lost_ends_the_session_at_once(self) -> None:
        session = self.handshake()
        poll = self.get(session)
        poll.drop()
        self.memory.settle()
        self.assert_over("transport error")
        self.assertEqual(self.get(session).status, 400)

    def test_a_connection_that_is_lost_between_gets_ends_nothing(self) -> None:
        session = self.handshake()
        poll = self.get(session)
        self.send("2a")
        poll.drop()
        self.memory.settle()
        self.assertTrue(self.session.is_open)

    def test_other_methods_are_refused(self) -> None:
        session = self.handshake()
        for method in ("PUT", "DELETE", "HEAD"):
            self.assertIn(b" 400 ", self.request(method, session).data[:20])
        self.assertTrue(self.session.is_open)

    def test_who_does_not_poll_and_is_sent_too_much_is_given_up(self) -> None:
        self.serve(limits=Settings(max_send_buffer=1700))
        session = self.handshake()
        for _ in range(10):
            self.send(99 * "a")
        self.assertTrue(self.session.is_open)
        for _ in range(5):
            self.send(99 * "a")
        self.assert_over("transport error")
        self.assertEqual(self.get(session).status, 400)

    def test_what_a_get_has_taken_does_not_count_any_more(self) -> None:
        self.serve(limits=Settings(max_send_buffer=1700))
        session = self.handshake()
        for _ in range(5):
            for _ in range(9):
                self.send(99 * "a")
            self.get(session)
        self.assertTrue(self.session.is_open)

    def test_a_listener_that_fails_ends_its_session_and_is_logged(self) -> None:
        session = self.handshake()
        self.opened.last.message_received = lambda message: 1 / 0  # type: ignore[assignment,method-assign]
        self.assertEqual(self.post(session, "4a").status, 200)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assert_over("transport error")


class ScriptTests(EngineCase):
    """JSONP."""

    def setUp(self) -> None:
        self.serve()

    def test_answers_are_scripts_that_call_the_function_of_that_number(self) -> None:
        session = self.handshake(3, "&j=0")
        self.send("2\u2028</script>", b"\x01")
        poll = self.get(session.replace("j=0", "j=12"))
        self.assertEqual(poll.fields["content-type"], "text/javascript; charset=UTF-8")
        self.assertEqual(poll.fields["x-xss-protection"], "0")
        self.assertEqual(poll.body, b'___eio[12]("12:42\\u2028<\\/script>6:b4AQ==");')

    def test_a_session_of_protocol_4_may_use_scripts(self) -> None:
        answer = self.request("GET", "EIO=4&transport=polling&j=3")
        self.assertTrue(answer.body.startswith(b'___eio[3]("0{\\"sid\\":'), answer.body)

    def test_posts_are_forms(self) -> None:
        session = self.handshake(3, "&j=0")
        body = "d=" + quote('9:42["a\\\\n"]')
        answer = self.post(session, body, Content_Type="application/x-www-form-urlencoded")
        self.assertEqual((answer.status, answer.body), (200, b"ok"))
        self.assertEqual(self.opened.last.messages, ['2["a\\n"]'])

    def test_a_form_without_the_field_ends_the_session(self) -> None:
        session = self.handshake(3, "&j=0")
        answer = self.post(session, "e=1", Content_Type="application/x-www-form-urlencoded")
        self.assertEqual(answer.status, 400)
        self.assert_over("parse error")

    def test_an_index_that_is_no_number_is_refused(self) -> None:
        for index in ("a", "", "1]", "-1", "1" * 20, "%D9%A1"):
            answer = self.request("GET", f"EIO=3&transport=polling&j={index}")
            self.assertEqual((answer.status, answer.json["code"]), (400, 3), index)

    def test_scripts_may_be_switched_off(self) -> None:
        self.serve(jsonp=False)
        self.assertEqual(self.request("GET", "EIO=3&transport=polling&j=0").status, 400)
