"""Sessions of protocol 1, with transports that remember and a clock that is told."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx import Settings
from hunchensocket_tx.socketio.first.session import FirstSession
from hunchensocket_tx.socketio.wire.packets import Packet
from hunchensocket_tx.timers import Timers
from tests.socketio.first_support import ACK, CONNECT, DISCONNECT, Listener, Way, event, new_session, outgoing

ECHO = '5:::{"name":"echo","args":["x"]}'


class SessionCase(SynchronousTestCase):
    """Has a session and its listener, which has sent ``1::`` already."""

    settings: dict[str, Any] = {}
    limits = Settings()

    def setUp(self) -> None:
        self.clock = Clock()
        self.forgotten: list[FirstSession] = []
        self.session = new_session(
            Timers(self.clock),
            self.forgotten.append,
            self.limits,
            **self.settings,
        )
        self.listener = Listener(self.session)
        self.session.begin(self.listener)

    def attach(self, name: str = "websocket", *, lasts: bool = True) -> Way:
        """Give the session a transport."""
        way = Way(name, lasts=lasts)
        self.session.attach(way)
        return way

    def poll(self) -> Way:
        """Give the session a GET that waits."""
        return self.attach("xhr-polling", lasts=False)

    def say(self, text: str) -> None:
        """Send a message to the client."""
        self.session.send(outgoing(event("message", text)))

    def assert_over(self, *reasons: str) -> None:
        """Check that nothing is left of the session, and how often the listener was told why."""
        self.assertEqual(self.listener.reasons, list(reasons))
        self.assertEqual(self.forgotten, [self.session])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertFalse(self.session.is_open)


class SendingTests(SessionCase):
    """Packets wait for a transport, and go in order."""

    def test_what_was_sent_before_is_the_first_thing_on_a_transport(self) -> None:
        self.say("a")
        self.assertFalse(self.session.is_writable)
        self.assertEqual(self.session.transport_name, "")
        way = self.attach()
        self.assertEqual(way.payloads, [["1::", "3:::a"]])
        self.say("b")
        self.assertEqual(way.sent, ["1::", "3:::a", "3:::b"])
        self.assertTrue(self.session.is_writable)
        self.assertEqual(self.session.transport_name, "websocket")

    def test_a_poll_is_answered_at_once_and_what_follows_waits_for_the_next(self) -> None:
        self.assertEqual(self.poll().payloads, [["1::"]])
        waiting = self.poll()
        self.assertTrue(self.session.is_writable)
        self.say("a")
        self.assertFalse(self.session.is_writable)
        self.say("b")
        self.say("c")
        self.assertEqual(waiting.payloads, [["3:::a"]])
        self.assertFalse(waiting.is_closed)  # it has answered
        self.assertEqual(self.poll().payloads, [["3:::b", "3:::c"]])

    def test_answers_to_one_post_go_together(self) -> None:
        self.poll()
        waiting = self.poll()
        self.assertTrue(self.session.receive_all([ECHO, "3:7::x", ECHO]))
        self.assertEqual(waiting.payloads, [[ECHO, "6:::7", ECHO]])

    def test_a_transport_that_is_not_ready_is_waited_for(self) -> None:
        way = self.attach("htmlfile")
        way.is_ready = way.is_writable = False
        self.say("a")
        self.say("b")
        self.assertEqual(way.sent, ["1::"])
        self.assertFalse(self.session.is_writable)
        way.is_ready = way.is_writable = True
        self.session.flush()
        self.say("c")
        self.assertEqual(way.payloads, [["1::"], ["3:::a", "3:::b"], ["3:::c"]])

    def test_a_newer_transport_replaces_the_older_one(self) -> None:
        old, new = self.attach(), self.poll()
        self.assertTrue(old.is_closed)
        self.session.lose(old)  # of which nothing is left to lose
        self.say("a")
        self.assertEqual((old.sent, new.sent), (["1::"], ["3:::a"]))

    def test_what_is_sent_between_transports_waits(self) -> None:
        self.session.lose(self.attach())
        self.say("a")
        self.assertTrue(self.session.is_open)
        self.assertEqual(self.attach().sent, ["3:::a"])


class SendingBoundTests(SessionCase):
    """What waits is bounded."""

    limits = Settings(max_send_buffer=10_000)

    def test_who_does_not_come_for_too_much_is_let_go(self) -> None:
        self.poll()
        self.say("x" * 5000)
        self.say("x" * 4000)
        self.assertEqual(self.listener.reasons, [])
        self.say("x" * 1000)
        self.assert_over("transport error")
        self.say("x")

    def test_the_size_of_many_small_packets_counts(self) -> None:
        for _ in range(200):
            self.say("")
        self.assert_over("transport error")


class ReceivingTests(SessionCase):
    """Packets of the client."""

    def test_packets_are_given_to_the_listener(self) -> None:
        self.attach()
        for packet in ("1::/a?b=c", '5:1+:/a:{"name":"e"}', '6:::3+["x"]', "0::/a", "2::", "8::", "7:::1"):
            self.session.receive(packet)
        self.assertEqual(
            self.listener.packets,
            [
                Packet(CONNECT, "/a", {"b": "c"}),
                event("e", namespace="/a", id=1),
                Packet(ACK, "/", ["x"], 3),
                Packet(DISCONNECT, "/a"),
            ],
        )

    def test_the_default_namespace_is_connected_anyway(self) -> None:
        way = self.attach()
        self.session.receive("1::")
        self.assertEqual((self.listener.packets, way.sent), ([], ["1::"]))

    def test_the_library_acknowledges_before_any_handler(self) -> None:
        way = self.attach()
        self.session.receive('5:3:/a:{"name":"echo","args":[1]}')
        self.session.receive("4:4::[]")
        self.assertEqual(way.sent[1:], ["6::/a:3", '5::/a:{"name":"echo","args":[1]}', "6:::4"])
        self.assertEqual([packet.id for packet in self.listener.packets], [None, None])

    def test_bad_packets_end_the_session(self) -> None:
        for bad in ("9::", "5:::{", b"2::", "6:::x"):
            with self.subTest(bad=bad):
                self.setUp()
                way = self.attach()
                self.session.receive(bad)
                self.assertEqual(way.sent[-1], "0::")
                self.assertTrue(way.is_closed)
                self.assert_over("parse error")

    def test_nothing_behind_a_bad_packet_of_a_post_is_taken(self) -> None:
        self.assertFalse(self.session.receive_all([ECHO, "x", ECHO]))
        self.assertEqual(len(self.listener.packets), 1)
        self.assertEqual(self.listener.reasons, ["parse error"])
        self.assertEqual(self.poll().payloads, [["1::", ECHO, "0::"]])
        self.assert_over("parse error")

    def test_nothing_is_taken_when_the_session_is_over(self) -> None:
        self.assertTrue(self.session.receive_all(['5:::{"name":"close"}', ECHO]))
        self.assertEqual(len(self.listener.packets), 1)


class EndingTests(SessionCase):
    """Either side ends it."""

    def test_a_client_is_told_at_once_if_it_can_be(self) -> None:
        for lasts in (True, False):
            with self.subTest(lasts=lasts):
                self.setUp()
                self.poll()
                way = self.attach(lasts=lasts)
                self.session.close("server namespace disconnect")
                self.session.close("forced close")
                self.assertEqual(way.payloads, [["0::"]])
                self.assertTrue(way.is_closed)
                self.assert_over("server namespace disconnect")

    def test_a_client_between_two_polls_is_told_by_the_next(self) -> None:
        self.poll()
        self.say("last words")
        self.session.close("forced close")
        self.say("more")
        self.assertEqual(self.listener.reasons, ["forced close"])
        self.assertEqual(self.forgotten, [])
        self.assertEqual(self.poll().payloads, [["3:::last words", "0::"]])
        self.assert_over("forced close")

    def test_a_client_that_does_not_come_is_not_waited_for_longer_than_for_others(self) -> None:
        self.poll()
        self.session.close("forced close")
        self.clock.advance(60)
        self.assert_over("forced close")

    def test_when_the_server_goes_away_clients_are_told_to_come_again(self) -> None:
        way = self.attach()
        self.session.close("server shutting down")
        self.assertEqual(way.sent, ["1::", "7:::1+0"])
        self.assert_over("server shutting down")

    def test_a_client_may_end_it(self) -> None:
        for packet in ("0::", "0"):
            with self.subTest(packet=packet):
                self.setUp()
                way = self.attach()
                self.session.receive(packet)
                self.assertTrue(way.is_closed)
                self.assert_over("client namespace disconnect")

    def test_a_client_that_ends_it_without_a_poll_is_not_waited_for(self) -> None:
        self.session.disconnect()
        self.assert_over("client namespace disconnect")

    def test_a_transport_may_take_the_session_along(self) -> None:
        self.session.lose(self.attach(), "transport error")
        self.assert_over("transport error")

    def test_a_listener_may_end_it_before_it_is_one(self) -> None:
        session = new_session(Timers(self.clock), self.forgotten.append)
        listener = Listener(session)
        session.close("forced close")
        self.assertEqual(listener.reasons, [])
        session.begin(listener)
        self.assertEqual(listener.reasons, ["forced close"])
        way = Way(lasts=False)
        session.attach(way)
        self.assertEqual(way.payloads, [["1::", "0::"]])
        self.assertEqual(self.forgotten, [session])

    def test_an_open_session_is_not_abandoned(self) -> None:
        self.session.abandon()
        self.assertTrue(self.session.is_open)
        self.session.close("forced close")
        self.session.abandon()
        self.assert_over("forced close")


class TimeTests(SessionCase):
    """Each state lasts so long."""

    def test_a_handshake_that_nobody_follows_up_is_dropped(self) -> None:
        self.clock.advance(29.9)
        self.assertTrue(self.session.is_open)
        self.clock.advance(0.1)
        self.assert_over("transport close")

    def test_a_poll_is_answered_in_any_case(self) -> None:
        self.poll()
        for _ in range(5):
            waiting = self.poll()
            self.clock.advance(19.9)
            self.assertFalse(waiting.is_closed)
            self.clock.advance(0.1)
            self.assertTrue(waiting.is_closed)  # a transport's way of saying 8::
            self.clock.advance(3)
        self.assertTrue(self.session.is_open)

    def test_a_session_without_a_transport_ends_in_time(self) -> None:
        for lasts in (True, False):
            with self.subTest(lasts=lasts):
                self.setUp()
                self.poll()
                self.clock.advance(1)
                self.session.lose(self.attach(lasts=lasts))
                self.clock.pump([10.0] * 5 + [9.9])
                self.assertTrue(self.session.is_open)
                self.clock.advance(0.1)
                self.assert_over("transport close")

    def test_polls_have_no_heartbeats(self) -> None:
        ways = [self.poll()]
        for _ in range(20):
            ways.append(self.poll())
            self.clock.advance(20)
        self.assertEqual([way.sent for way in ways[1:]], [[]] * 20)
        self.assertTrue(self.session.is_open)

    def test_heartbeats_are_sent_in_time_and_answered(self) -> None:
        way = self.attach()
        for count in range(1, 20):
            self.clock.advance(24.9)
            self.assertEqual(way.sent.count("2::"), count - 1)
            self.clock.advance(0.1)
            self.assertEqual(way.sent.count("2::"), count)
            self.session.receive("2::")
        self.assertTrue(self.session.is_open)

    def test_who_does_not_answer_heartbeats_is_let_go(self) -> None:
        way = self.attach()
        self.clock.pump([5.0] * 16 + [4.9])  # 25, and nearly 60
        self.assertEqual(self.listener.reasons, [])
        self.clock.advance(0.1)
        self.assertEqual(way.sent, ["1::", "2::", "2::", "2::"])
        self.assertTrue(way.is_closed)
        self.assert_over("ping timeout")

    def test_any_packet_is_a_sign_of_life(self) -> None:
        self.attach()
        for _ in range(50):
            self.clock.advance(10)
            self.session.receive("8::")
        self.assertTrue(self.session.is_open)

    def test_a_client_hears_something_before_it_gives_up(self) -> None:
        self.settings = {"heartbeat_timeout": 5.0}
        self.setUp()
        way = self.attach()
        self.clock.pump([2.5, 2.5, 2.4])
        self.assertEqual(way.sent, ["1::", "2::", "2::"])
        self.assertTrue(self.session.is_open)
        self.clock.advance(0.1)
        self.assert_over("ping timeout")

    def test_ten_thousand_sessions_that_vanish_are_gone_in_time(self) -> None:
        timers = Timers(self.clock)
        self.session.disconnect()
        self.forgotten.clear()
        listeners = []
        for number in range(10_000):
            session = new_session(timers, self.forgotten.append)
            listeners.append(Listener(session))
            session.begin(listeners[-1])
            if number % 3:
                way = Way(lasts=number % 3 == 1)
                session.attach(way)
        self.clock.pump([5.0] * 30)
        self.assertEqual(len(self.forgotten), 10_000)
        self.assertTrue(all(len(listener.reasons) == 1 for listener in listeners))
        self.assertEqual(self.clock.getDelayedCalls(), [])
