"""Sessions of protocol 1 whose clients are hostile, or whose listeners have faults: each session is on its own."""

from __future__ import annotations

from hunchensocket_tx import Settings
from hunchensocket_tx.socketio.first.htmlfile import script
from hunchensocket_tx.socketio.wire.packets import Packet
from hunchensocket_tx.timers import Timers
from tests.socketio.first_support import Listener, new_session
from tests.socketio.test_first_session import SessionCase

EVENT = '5:::{"name":"x"}'


class Faulty(Listener):
    """Fails at whatever it is told."""

    fault: Exception = RuntimeError("a fault")

    def packet_received(self, packet: Packet) -> None:
        super().packet_received(packet)
        raise self.fault

    def session_closed(self, reason: str) -> None:
        self.reasons.append(reason)
        raise self.fault


class FaultTests(SessionCase):
    """Faults of listeners are logged, and end their session alone."""

    def setUp(self) -> None:
        super().setUp()
        self.session.disconnect()
        self.forgotten.clear()
        self.session = new_session(Timers(self.clock), self.forgotten.append)
        self.listener = self.faulty = Faulty(self.session)
        self.session.begin(self.listener)

    def test_what_a_listener_raises_ends_its_session_over_whatever_transport(self) -> None:
        for fault in (RuntimeError("a fault"), UnicodeError("one that a payload could have, too")):
            for lasts in (True, False):
                with self.subTest(fault=fault, lasts=lasts):
                    self.setUp()
                    self.faulty.fault = fault
                    way = self.attach(lasts=lasts)
                    if lasts:
                        self.session.receive(EVENT)
                    else:
                        self.assertTrue(self.session.receive_all([EVENT, EVENT]))
                    self.assertEqual(way.sent, ["1::"])
                    self.assertEqual(len(self.listener.packets), 1)
                    self.assert_over("transport error")
                    self.assertEqual(len(self.flushLoggedErrors(type(fault))), 2)  # of the packet, and of the end

    def test_a_listener_that_fails_at_the_end_does_not_prevent_it(self) -> None:
        way = self.attach()
        self.session.close("server shutting down")
        self.assertEqual(way.sent, ["1::", "7:::1+0"])
        self.assert_over("server shutting down")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_a_session_that_is_over_lets_go_of_its_listener(self) -> None:
        self.session.disconnect()
        self.assertFalse(hasattr(self.session, "listener"))
        self.flushLoggedErrors(RuntimeError)


class SlowTests(SessionCase):
    """A client that reads nothing."""

    limits = Settings(max_send_buffer=1000)

    def test_no_timer_is_left_when_a_heartbeat_is_what_is_too_much(self) -> None:
        way = self.attach("htmlfile")
        way.is_ready = way.is_writable = False
        self.say("x" * 900)
        self.clock.advance(25)
        self.assert_over("transport error")


class ScriptTests(SessionCase):
    """What is in a script of a document."""

    def test_nothing_in_a_script_keeps_its_end_from_ending_it(self) -> None:
        self.assertEqual(script("<!--<script>").count(b"<"), 2)
