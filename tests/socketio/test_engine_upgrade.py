"""Tests of hunchensocket_tx.socketio.engine.upgrade: from polling to a WebSocket, with nothing lost or doubled."""

from __future__ import annotations

from hunchensocket_tx.socketio.session import Outgoing
from tests.socketio.engine_support import EngineCase, Opened


class UpgradeTests(EngineCase):
    """Going over, and what may be in its way."""

    def setUp(self) -> None:
        self.serve(Opened(echo=True))

    def test_a_client_goes_over(self) -> None:
        for protocol in (3, 4):
            session = self.handshake(protocol)
            socket = self.probe(session)
            socket.send("2probe")
            self.assertEqual(socket.take(), ["3probe"])
            self.assertEqual(self.session.transport_name, "polling")
            socket.send("5")
            self.assertEqual(self.session.transport_name, "websocket")
            socket.send("4hello")
            self.assertEqual(socket.take(), ["4hello"])

    def test_all_of_it_may_come_at_once(self) -> None:
        socket = self.probe(self.handshake())
        socket.send("2probe", "5", "4hello")
        self.assertEqual(socket.take(), ["3probe", "4hello"])

    def test_it_works_on_all_versions(self) -> None:
        for version in (8, 7, 76):
            socket = self.probe(self.handshake(), version=version)
            socket.send("2probe", "5", "4hello", "bAQI=")
            expected = "bAQI=" if version == 76 else b"\x01\x02"
            self.assertEqual(socket.take(), ["3probe", "4hello", expected])

    def test_a_get_that_waits_is_answered_so_that_the_client_can_stop(self) -> None:
        session = self.handshake()
        poll = self.get(session)
        socket = self.probe(session)
        self.assertFalse(poll.answered)
        socket.send("2probe")
        self.assertEqual(poll.body, b"6")

    def test_later_gets_are_answered_soon(self) -> None:
        session = self.handshake()
        self.probe(session).send("2probe")
        for _ in range(3):
            poll = self.get(session)
            self.assertFalse(poll.answered)
            self.memory.advance(0.1)
            self.assertEqual(poll.body, b"6")

    def test_a_get_that_waits_when_the_client_has_gone_over_is_answered(self) -> None:
        session = self.handshake()
        socket = self.probe(session)
        socket.send("2probe")
        poll = self.get(session)
        socket.send("5")
        self.assertEqual(poll.body, b"6")
        poll.drop()
        self.memory.settle()
        self.assertTrue(self.session.is_open)

    def test_polling_works_both_ways_until_the_client_has_gone_over(self) -> None:
        session = self.handshake()
        self.probe(session).send("2probe")
        self.post(session, "4a")
        self.assertEqual(self.get(session).body, b"4a")

    def test_what_waits_is_moved_in_order_and_nothing_is_lost_or_doubled(self) -> None:
        for shared in (False, True):
            session = self.handshake()
            socket = self.probe(session)
            self.send("2first", shared=shared)
            poll = self.get(session)
            socket.send("2probe")
            self.session.send(Outgoing(("51-[1]", b"\x01"), shared=shared))
            self.session.send(Outgoing(("2third",), shared=shared))
            socket.send("5")
            self.session.send(Outgoing(("2fourth",), shared=shared))
            self.memory.settle()
            self.assertEqual(poll.body, b"42first")
            self.assertEqual(socket.take(), ["3probe", "451-[1]", b"\x01", "42third", "42fourth"])

    def test_http_is_refused_afterwards(self) -> None:
        session = self.handshake()
        socket = self.probe(session)
        socket.send("2probe", "5")
        self.assertEqual(self.get(session).json, {"code": 3, "message": "Bad request"})
        self.assertEqual(self.post(session, "4a").status, 400)
        socket.send("4hello")
        self.assertEqual(socket.take(), ["3probe", "4hello"])

    def test_a_second_websocket_is_closed_and_the_session_stays(self) -> None:
        session = self.handshake()
        socket = self.probe(session)
        self.assertTrue(self.probe(session).closed)
        socket.send("2probe", "5")
        self.assertTrue(self.probe(session).closed)
        socket.send("4hello")
        self.assertEqual(socket.take(), ["3probe", "4hello"])

    def test_anything_else_leaves_the_session_on_polling(self) -> None:
        for message in ("4hello", "2", "3probe", "abc", b"\x01"):
            session = self.handshake()
            socket = self.probe(session)
            socket.send(message, "2probe", "5")
            self.assertTrue(socket.closed)
            self.assertEqual(socket.take(), [])
            self.post(session, "4a")
            self.assertEqual(self.get(session).body, b"4a")

    def test_who_takes_too_long_stays_on_polling(self) -> None:
        self.serve(upgrade_timeout=10)
        session = self.handshake()
        socket = self.probe(session)
        socket.send("2probe")
        self.memory.advance(9.875)
        self.assertFalse(socket.closed)
        self.memory.advance(0.25)
        self.assertTrue(socket.closed)
        self.send("2a")
        self.assertEqual(self.get(session).body, b"42a")
        again = self.probe(session)
        again.send("2probe", "5")
        self.assertEqual(self.session.transport_name, "websocket")

    def test_a_websocket_that_is_lost_meanwhile_leaves_the_session_on_polling(self) -> None:
        session = self.handshake()
        socket = self.probe(session)
        socket.send("2probe")
        socket.stream.abort()
        self.memory.settle()
        poll = self.get(session)
        self.memory.advance(1)
        self.assertFalse(poll.answered)
        self.send("2a")
        self.assertEqual(poll.body, b"42a")

    def test_a_session_that_ends_meanwhile_takes_the_websocket_along(self) -> None:
        session = self.handshake()
        socket = self.probe(session)
        socket.send("2probe")
        self.post(session, "1")
        self.assertTrue(socket.closed)
        self.assert_over("transport close")

    def test_the_heart_beats_on(self) -> None:
        self.serve(ping_interval=25, ping_timeout=20)
        socket = self.probe(self.handshake())
        socket.send("2probe", "5")
        socket.take()
        self.memory.advance(25)
        self.assertEqual(socket.take(), ["2"])
        socket.send("3")
        self.memory.advance(25)
        self.assertEqual(socket.take(), ["2"])
        self.memory.advance(20)
        self.assert_over("ping timeout")

    def test_a_websocket_that_has_taken_over_ends_the_session_when_it_goes(self) -> None:
        socket = self.probe(self.handshake())
        socket.send("2probe", "5")
        socket.stream.close()
        self.memory.settle()
        self.assert_over("transport close")
