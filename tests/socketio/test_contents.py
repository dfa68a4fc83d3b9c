"""What packets of Socket.IO may carry."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.socketio.errors import PacketError
from hunchensocket_tx.socketio.wire.contents import checked_packet, is_event, is_old, old_data, old_packet
from hunchensocket_tx.socketio.wire.packets import RESERVED_EVENTS, Packet, PacketType

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR = PacketType


class CheckedPacketTests(SynchronousTestCase):
    """What goes with which type."""

    def test_what_is_for_its_type_is_taken(self) -> None:
        right: tuple[tuple[PacketType, Any], ...] = (
            (CONNECT, None),
            (CONNECT, {}),
            (DISCONNECT, None),
            (EVENT, ["a", 1]),
            (EVENT, [1]),
            (ACK, []),
            (CONNECT_ERROR, {"message": "no"}),
        )
        for kind, data in right:
            self.assertEqual(checked_packet(kind, "/a", data, 1), Packet(kind, "/a", data, 1))

    def test_what_is_for_another_is_refused(self) -> None:
        wrong: tuple[tuple[PacketType, Any], ...] = (
            (CONNECT, []),
            (CONNECT, "a"),
            (DISCONNECT, {}),
            (EVENT, None),
            (EVENT, {}),
            (ACK, None),
            (ACK, {}),
            (CONNECT_ERROR, None),
            (CONNECT_ERROR, []),
        )
        for kind, data in wrong:
            with self.assertRaises(PacketError, msg=f"{kind} {data}"):
                checked_packet(kind, "/", data, None)

    def test_an_error_that_is_a_string_is_its_message(self) -> None:
        self.assertEqual(checked_packet(CONNECT_ERROR, "/", "no", None).data, {"message": "no"})


class EventTests(SynchronousTestCase):
    """Names of events."""

    def test_names_are_text_or_numbers(self) -> None:
        right: tuple[Any, ...] = ("a", "", "connection", 0, -1, 1.5)
        wrong: tuple[Any, ...] = (*RESERVED_EVENTS, None, True, False, b"a", [], {})
        for name in right:
            self.assertTrue(is_event([name]), name)
        for name in wrong:
            self.assertFalse(is_event([name]), name)

    def test_there_is_one(self) -> None:
        nothings: tuple[Any, ...] = ([], None, "a", {"0": "a"}, ("a",))
        for data in nothings:
            self.assertFalse(is_event(data), data)


class OldClientsTests(SynchronousTestCase):
    """Clients of Engine.IO 3."""

    def test_protocols_are_engine_io_s(self) -> None:
        self.assertTrue(is_old(3))
        self.assertFalse(is_old(4))
        for protocol in (1, 2, 5):
            with self.assertRaises(ValueError):
                is_old(protocol)

    def test_what_a_namespace_s_query_says_is_given_to_connect(self) -> None:
        for namespace, packet in (
            ("/a", Packet(CONNECT, "/a")),
            ("/a?", Packet(CONNECT, "/a", {})),
            ("/a?b=c%20d+e&b=f&g=", Packet(CONNECT, "/a", {"b": "f", "g": ""})),
            ("/a?b?c=d", Packet(CONNECT, "/a", {"b?c": "d"})),
        ):
            self.assertEqual(old_packet(Packet(CONNECT, namespace)), packet)

    def test_too_much_of_it_is_refused(self) -> None:
        with self.assertRaises(PacketError):
            old_packet(Packet(CONNECT, "/a?" + "b=c&" * 2000))

    def test_it_goes_before_other_data(self) -> None:
        packet = Packet(CONNECT, "/a?b=c", {"b": 1, "d": 2})
        self.assertEqual(old_packet(packet), Packet(CONNECT, "/a", {"b": "c", "d": 2}))

    def test_other_packets_lose_it(self) -> None:
        self.assertEqual(old_packet(Packet(EVENT, "/a?b=c", ["d"], 1)), Packet(EVENT, "/a", ["d"], 1))

    def test_they_are_told_of_errors_in_a_word(self) -> None:
        for told, data in (
            ({"message": "no"}, "no"),
            ({"message": "no", "data": None}, "no"),
            ({"message": "no", "data": {"a": 1}}, {"a": 1}),
            ({"message": "no", "data": 0}, 0),
        ):
            self.assertEqual(old_data(Packet(CONNECT_ERROR, "/", told)), data)

    def test_they_are_told_nothing_when_connected(self) -> None:
        self.assertIsNone(old_data(Packet(CONNECT, "/", {"sid": "a"})))
        self.assertEqual(old_data(Packet(EVENT, "/", ["a"])), ["a"])
