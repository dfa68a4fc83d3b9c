"""Tests of hunchensocket_tx.socketio.engine.websocket: sessions over WebSockets of all versions, in memory."""

from __future__ import annotations

from hunchensocket_tx import Settings
from hunchensocket_tx.socketio.engine.server import FIRST_PACKET_DELAY
from hunchensocket_tx.socketio.session import Outgoing
from hunchensocket_tx.wire.events import Message
from tests.socketio.engine_support import EngineCase, Opened


class WebSocketTests(EngineCase):
    """What comes and goes over a WebSocket."""

    def setUp(self) -> None:
        self.serve(Opened(echo=True))

    def test_text_and_binary_come_and_go(self) -> None:
        for protocol, binary in ((4, b"\x01\x02"), (3, b"\x04\x01\x02")):
            socket = self.websocket(protocol)
            socket.take()
            socket.send("4hello", "4", "4€", binary)
            self.assertEqual(self.opened.last.messages, ["hello", "", "€", b"\x01\x02"])
            self.assertEqual(socket.take(), ["4hello", "4", "4€", binary])

    def test_the_first_packet_does_not_come_along_with_the_opening_handshake(self) -> None:
        messages: list[Message] = []
        for protocol in (3, 4):
            self.serve()
            target = f"/engine.io/?EIO={protocol}&transport=websocket"
            connecting = self.memory.connect(target, lambda stream, mutex: messages.append)
            stream = self.memory.result(connecting)
            self.memory.settle()
            self.assertEqual(messages, [])
            self.memory.advance(FIRST_PACKET_DELAY)
            self.assertEqual(len(messages), 1)
            messages.clear()
            stream.abort()

    def test_binary_goes_as_text_where_the_client_or_its_version_has_nothing_else(self) -> None:
        for protocol, more, version, text in (
            (3, "&b64=1", 13, "b4AQI="),
            (3, "", 76, "b4AQI="),
            (4, "", 76, "bAQI="),
        ):
            socket = self.websocket(protocol, more, version=version)
            socket.take()
            socket.send(text)
            self.assertEqual(self.opened.last.messages, [b"\x01\x02"])
            self.assertEqual(socket.take(), [text])

    def test_what_is_shared_is_framed_once_for_all_who_are_alike(self) -> None:
        sockets = [
            self.websocket(protocol, version=version)
            for protocol in (3, 4)
            for version in (13, 76)
            for _ in range(2)
        ]
        for socket in sockets:
            socket.take()
        outgoing = Outgoing(("51-[]", b"\x01"), shared=True)
        for listener in self.opened.listeners:
            listener.session.send(outgoing)
        self.memory.settle()
        expected = [["451-[]", b"\x04\x01"], ["451-[]", "b4AQ=="], ["451-[]", b"\x01"], ["451-[]", "bAQ=="]]
        self.assertEqual([socket.take() for socket in sockets[::2]], expected)
        self.assertEqual([socket.take() for socket in sockets[1::2]], expected)
        self.assertEqual(len(outgoing.kept), 4)

    def test_what_is_no_packet_ends_the_session(self) -> None:
        for protocol, message in ((4, "abc"), (4, ""), (3, "abc"), (3, b"\x09"), (3, b"")):
            socket = self.websocket(protocol)
            socket.send(message)
            self.assertTrue(socket.closed)
            self.assert_over("parse error")

    def test_what_comes_behind_it_is_not_handled(self) -> None:
        socket = self.websocket()
        socket.send("abc", "4late")
        self.assertEqual(self.opened.last.messages, [])

    def test_a_client_that_closes_ends_the_session(self) -> None:
        socket = self.websocket()
        socket.stream.close()
        self.memory.settle()
        self.assert_over("transport close")

    def test_a_connection_that_is_cut_ends_the_session(self) -> None:
        socket = self.websocket()
        socket.stream.abort()
        self.memory.settle()
        self.assert_over("transport close")

    def test_a_message_over_the_limit_ends_the_session_with_an_error(self) -> None:
        self.serve(max_http_buffer_size=100)
        socket = self.websocket()
        socket.send("4" + 100 * "a")
        self.assertEqual(socket.ends[0].code, 1009)
        self.assert_over("transport error")

    def test_a_listener_that_fails_ends_its_session_and_is_logged(self) -> None:
        socket = self.websocket()
        self.opened.last.message_received = lambda message: 1 / 0  # type: ignore[assignment,method-assign]
        socket.send("4a")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(socket.ends[0].code, 1011)
        self.assert_over("transport error")

    def test_volatile_packets_may_go_as_long_as_the_peer_takes_them(self) -> None:
        socket = self.websocket()
        self.assertTrue(self.session.is_writable)
        self.memory.connection(socket.stream).hold()
        self.session.send(Outgoing(("2" * 1_000_000,)))
        self.assertFalse(self.session.is_writable)
        self.memory.connection(socket.stream).release()
        self.memory.settle()
        self.assertTrue(self.session.is_writable)

    def test_a_peer_that_takes_nothing_is_given_up(self) -> None:
        for shared in (False, True):
            self.serve(limits=Settings(max_send_buffer=100_000))
            socket = self.websocket()
            self.memory.connection(socket.stream).hold()
            for _ in range(10):
                self.session.send(Outgoing(("2" * 100_000,), shared=shared))
            self.memory.connection(socket.stream).release()
            self.memory.advance(60)
            self.assertEqual(socket.ends[0].code, 1013)
            self.assert_over("transport error")
