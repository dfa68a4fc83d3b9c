"""Packets of Socket.IO as msgpack."""

from __future__ import annotations

import struct
from datetime import datetime, timezone
from typing import Any
from unittest import skipIf

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

try:
    import msgpack
except ImportError:
    msgpack = None

import contextlib

from hunchensocket_tx.errors import InvalidSetting
from hunchensocket_tx.socketio.errors import PacketError, UnserializableData
from hunchensocket_tx.socketio.wire import msgpack_packets
from hunchensocket_tx.socketio.wire.msgpack_packets import msgpack_parser
from hunchensocket_tx.socketio.wire.packets import RESERVED_EVENTS, Packet, PacketType
from tests.wire_support import properties

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR = PacketType

without_msgpack = skipIf(msgpack is None, "needs msgpack")

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"))
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=12,
)


class AbsenceTests(SynchronousTestCase):
    """What happens without the package."""

    def test_the_extra_is_named(self) -> None:
        self.patch(msgpack_packets, "msgpack", None)
        with self.assertRaises(InvalidSetting) as caught:
            msgpack_parser(4)
        self.assertIn("hunchensocket-tx[msgpack]", str(caught.exception))


@without_msgpack
class WritingTests(SynchronousTestCase):
    """What clients are sent."""

    def test_the_example_of_the_protocol(self) -> None:
        self.assertEqual(
            msgpack_parser(4).encode(Packet(EVENT, "/", ["a", 1])),
            (b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1a\x01",),
        )

    def test_keys_without_a_value_are_not_there(self) -> None:
        for packet, fields in (
            (Packet(DISCONNECT, "/a"), {"type": 1, "nsp": "/a"}),
            (Packet(CONNECT, "/", {"sid": "a"}), {"type": 0, "nsp": "/", "data": {"sid": "a"}}),
            (Packet(ACK, "/", [], 0), {"type": 3, "nsp": "/", "data": [], "id": 0}),
        ):
            (message,) = msgpack_parser(4).encode(packet)
            assert isinstance(message, bytes)
            self.assertEqual(msgpack.unpackb(message), fields)

    def test_old_clients_are_told_less(self) -> None:
        for packet, fields in (
            (Packet(CONNECT, "/", {"sid": "a"}), {"type": 0, "nsp": "/"}),
            (Packet(CONNECT_ERROR, "/", {"message": "no"}), {"type": 4, "nsp": "/", "data": "no"}),
        ):
            (message,) = msgpack_parser(3).encode(packet)
            assert isinstance(message, bytes)
            self.assertEqual(msgpack.unpackb(message), fields)

    def test_times_are_text_as_in_json(self) -> None:
        (message,) = msgpack_parser(4).encode(Packet(EVENT, "/", ["a", datetime(2026, 1, 2, tzinfo=timezone.utc)]))
        self.assertIn(b"2026-01-02T00:00:00.000Z", bytes(message))  # type: ignore[arg-type]

    def test_halves_of_pairs_do_no_harm(self) -> None:
        (message,) = msgpack_parser(4).encode(Packet(EVENT, "/", ["a", "\ud800"]))
        self.assertTrue(message)

    def test_what_cannot_be_written_is_told(self) -> None:
        endless: list[Any] = ["a"]
        endless.append(endless)
        parser = msgpack_parser(4)
        for data in (["a", object()], ["a", 2**64], ["a", {1, 2}], endless):
            with self.assertRaises(UnserializableData):
                parser.encode(Packet(EVENT, "/", data))
        self.assertEqual(
            parser.encode(Packet(EVENT, "/", ["a", 1])), (b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1a\x01",)
        )

    def test_a_parser_is_the_same_for_the_same_values(self) -> None:
        self.assertIs(msgpack_parser(4, 1, 2), msgpack_parser(4, max_packet_size=2, max_attachments=3))
        self.assertIsNot(msgpack_parser(4), msgpack_parser(3))

    def test_other_protocols_have_no_parser(self) -> None:
        for protocol in (1, 5):
            with self.assertRaises(ValueError):
                msgpack_parser(protocol)


@without_msgpack
class ReadingTests(SynchronousTestCase):
    """What clients send."""

    def setUp(self) -> None:
        self.decoder = msgpack_parser(4).decoder()

    def read(self, **fields: Any) -> Packet | None:
        return self.decoder.receive(msgpack.packb({"type": 2, "nsp": "/", **fields}))

    def test_events_and_answers(self) -> None:
        self.assertEqual(self.read(data=["a", b"1"], id=7), Packet(EVENT, "/", ["a", b"1"], 7))
        self.assertEqual(self.read(type=3, data=[], id=0, nsp="/a"), Packet(ACK, "/a", [], 0))

    def test_what_clients_say_besides_is_of_no_account(self) -> None:
        self.assertEqual(self.read(data=["a"], options={"compress": True}), Packet(EVENT, "/", ["a"]))

    def test_what_is_undefined_is_not_there(self) -> None:
        undefined = msgpack.ExtType(0, b"\0")
        self.assertEqual(self.read(type=0, data=undefined, id=undefined), Packet(CONNECT))
        self.assertEqual(self.read(data=["a", undefined]), Packet(EVENT, "/", ["a", None]))

    def test_times_are_text_as_in_json(self) -> None:
        for milliseconds, text in (
            (0, "1970-01-01T00:00:00.000Z"),
            (1_767_312_245_678, "2026-01-02T00:04:05.678Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ):
            time = msgpack.ExtType(0, struct.pack(">q", milliseconds))
            self.assertEqual(self.read(data=["a", time]), Packet(EVENT, "/", ["a", text]))

    def test_other_extensions_of_node_are_bytes(self) -> None:
        for data in (b"", b"\1", b"\0\0", bytes(7), b"\xff" * 7 + b"\0" * 2, b"\x7f" * 8):
            self.assertEqual(self.read(data=["a", msgpack.ExtType(0, data)]), Packet(EVENT, "/", ["a", data]))

    def test_a_time_that_python_has_not_is_refused(self) -> None:
        time = msgpack.ExtType(0, struct.pack(">q", 8_640_000_000_000_000))
        with self.assertRaises(PacketError):
            self.read(data=["a", time])

    def test_old_clients_have_a_query_in_the_namespace(self) -> None:
        packed = msgpack.packb({"type": 0, "nsp": "/a?b=c"})
        self.assertEqual(msgpack_parser(3).decoder().receive(packed), Packet(CONNECT, "/a", {"b": "c"}))
        self.assertEqual(self.decoder.receive(packed), Packet(CONNECT, "/a?b=c"))

    def test_what_is_no_packet_is_refused(self) -> None:
        nothings: tuple[dict[str, Any], ...] = (
            {"type": 5, "data": ["a"]},
            {"type": -1},
            {"type": None},
            {"type": "2", "data": ["a"]},
            {"type": True},
            {"type": 2.0, "data": ["a"]},
            {"nsp": None, "data": ["a"]},
            {"nsp": b"/", "data": ["a"]},
            {"nsp": 1, "data": ["a"]},
            {"id": "1", "data": ["a"]},
            {"id": -1, "data": ["a"]},
            {"id": 1.0, "data": ["a"]},
            {"id": True, "data": ["a"]},
            {"data": []},
            {"data": None},
            {"data": [None]},
            {"data": [True]},
            {"data": [b"a"]},
            {"data": {"0": "a"}},
            {"type": 3, "data": {}},
            {"type": 0, "data": []},
            {"type": 1, "data": []},
            {"type": 4},
            {"type": 4, "data": 1},
            {"data": ["a", msgpack.ExtType(1, b"")]},
            *({"data": [name]} for name in RESERVED_EVENTS),
        )
        for fields in nothings:
            with self.assertRaises(PacketError, msg=repr(fields)):
                self.read(**fields)

    def test_what_is_no_msgpack_is_refused(self) -> None:
        packed = msgpack.packb({"type": 2, "nsp": "/", "data": ["a"]})
        for message in (
            b"",
            b"\xc1",
            b"\x90",
            b"\x01",
            packed[:-1],
            packed + b"\0",
            b"\x81\x90\x01",
            b"\x81\x01\x01",
            b"\xa1\xff",
            b"\x91" * 100_000,
            b"\xdd\x00\x01\x00\x00" * 100,
            '2["a"]',
        ):
            with self.assertRaises(PacketError, msg=repr(message[:20])):
                self.decoder.receive(message)

    def test_a_packet_that_is_too_large_is_refused(self) -> None:
        decoder = msgpack_parser(4, 1, 100).decoder()
        with self.assertRaises(PacketError):
            decoder.receive(msgpack.packb({"type": 2, "nsp": "/", "data": ["a", bytes(100)]}))

    @properties
    @given(st.lists(values), st.none() | st.integers(0, 2**53))
    def test_what_is_written_is_read(self, arguments: list[Any], number: int | None) -> None:
        packet = Packet(EVENT, "/a", ["name", *arguments], number)
        (message,) = msgpack_parser(4).encode(packet)
        self.assertEqual(self.decoder.receive(message), packet)

    @properties
    @given(st.binary())
    def test_anything_is_read_or_refused(self, message: bytes) -> None:
        for each in (message, b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data" + message):
            with contextlib.suppress(PacketError):
                self.decoder.receive(each)
