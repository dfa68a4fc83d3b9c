"""Packets of Socket.IO as text of JSON, without attachments."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.socketio.errors import PacketError, UnserializableData
from hunchensocket_tx.socketio.wire.json_packets import json_parser
from hunchensocket_tx.socketio.wire.packets import RESERVED_EVENTS, Packet, PacketType
from tests.wire_support import properties

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR = PacketType

JSON5 = json_parser(4)
JSON4 = json_parser(3)

namespaces = st.just("/") | st.text(st.characters(exclude_characters=",?", codec="utf-8")).map("/".__add__)
ids = st.none() | st.integers(0, 10**16 - 1)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
names = st.text().filter(lambda name: name not in RESERVED_EVENTS) | st.integers()
events = st.builds(
    lambda namespace, name, arguments, number: Packet(EVENT, namespace, [name, *arguments], number),
    namespaces,
    names,
    st.lists(values),
    ids,
)
answers = st.builds(Packet, st.just(ACK), namespaces, st.lists(values), ids)
packets = events | answers


def read(text: str, protocol: int = 4) -> Packet | None:
    return json_parser(protocol).decoder().receive(text)


class WritingTests(SynchronousTestCase):
    """What clients are sent."""

    def test_the_examples_of_the_protocol(self) -> None:
        for packet, text in (
            (Packet(CONNECT, "/", {"sid": "abc"}), '0{"sid":"abc"}'),
            (Packet(CONNECT, "/admin", {"sid": "abc"}), '0/admin,{"sid":"abc"}'),
            (Packet(CONNECT_ERROR, "/", {"message": "Not authorized"}), '4{"message":"Not authorized"}'),
            (Packet(DISCONNECT, "/admin"), "1/admin,"),
            (Packet(DISCONNECT), "1"),
            (Packet(EVENT, "/", ["foo"]), '2["foo"]'),
            (Packet(EVENT, "/admin", ["bar", 1], 12), '2/admin,12["bar",1]'),
            (Packet(EVENT, "/", ["bar"], 0), '20["bar"]'),
            (Packet(ACK, "/admin", ["bar"], 13), '3/admin,13["bar"]'),
            (Packet(ACK, "/", [], 13), "313[]"),
        ):
            self.assertEqual(JSON5.encode(packet), (text,))

    def test_old_clients_are_not_told_an_id_when_they_connect(self) -> None:
        self.assertEqual(JSON4.encode(Packet(CONNECT, "/", {"sid": "abc"})), ("0",))
        self.assertEqual(JSON4.encode(Packet(CONNECT, "/admin", {"sid": "abc"})), ("0/admin,",))

    def test_old_clients_are_refused_with_a_string_or_with_data(self) -> None:
        for error, text in (
            ({"message": "no"}, '4"no"'),
            ({"message": "no", "data": {"code": 1}}, '4{"code":1}'),
            ({"message": "no", "data": None}, '4"no"'),
        ):
            self.assertEqual(JSON4.encode(Packet(CONNECT_ERROR, "/", error)), (text,))
        self.assertEqual(JSON4.encode(Packet(CONNECT_ERROR, "/a", {"message": "no"})), ('4/a,"no"',))

    def test_events_and_answers_are_the_same_for_all(self) -> None:
        for packet in (Packet(EVENT, "/a", ["b", {"c": "é"}], 1), Packet(ACK, "/", [1], 2)):
            self.assertEqual(JSON4.encode(packet), JSON5.encode(packet))

    def test_what_cannot_be_written_is_told(self) -> None:
        for data in (["a", float("nan")], ["a", object()], ["a", b"", object()], ["a", {b"b": 1}]):
            with self.assertRaises(UnserializableData):
                JSON5.encode(Packet(EVENT, "/", data))

    def test_bytes_belong_in_events_and_answers_alone(self) -> None:
        for packet in (
            Packet(CONNECT, "/", {"sid": b""}),
            Packet(CONNECT_ERROR, "/", {"message": "a", "data": b""}),
        ):
            with self.assertRaises(UnserializableData):
                JSON5.encode(packet)

    def test_a_parser_is_the_same_for_the_same_values(self) -> None:
        self.assertIs(json_parser(4, 10, 20), json_parser(4, max_packet_size=20, max_attachments=10))
        self.assertIsNot(json_parser(4), json_parser(3))

    def test_other_protocols_have_no_parser(self) -> None:
        for protocol in (1, 2, 5):
            with self.assertRaises(ValueError):
                json_parser(protocol)


class ReadingTests(SynchronousTestCase):
    """What clients send."""

    def test_the_examples_of_the_protocol(self) -> None:
        for text, packet in (
            ("0", Packet(CONNECT)),
            ("0{}", Packet(CONNECT, "/", {})),
            ('0/admin,{"token":"a,b"}', Packet(CONNECT, "/admin", {"token": "a,b"})),
            ("1", Packet(DISCONNECT)),
            ("1/admin,", Packet(DISCONNECT, "/admin")),
            ('2["foo"]', Packet(EVENT, "/", ["foo"])),
            ('2/admin,["bar"]', Packet(EVENT, "/admin", ["bar"])),
            ('212["foo"]', Packet(EVENT, "/", ["foo"], 12)),
            ('2/admin,12["foo","[]"]', Packet(EVENT, "/admin", ["foo", "[]"], 12)),
            ("2[1]", Packet(EVENT, "/", [1])),
            ("2/,[1.5]", Packet(EVENT, "/", [1.5])),
            ("3[]", Packet(ACK, "/", [])),
            ("30[1]", Packet(ACK, "/", [1], 0)),
            ("3/admin,9007199254740991[]", Packet(ACK, "/admin", [], 9007199254740991)),
            ('4"no"', Packet(CONNECT_ERROR, "/", {"message": "no"})),
            ('4{"message":"no"}', Packet(CONNECT_ERROR, "/", {"message": "no"})),
            ('2["_", {"_placeholder":true,"num":0}]', Packet(EVENT, "/", ["_", {"_placeholder": True, "num": 0}])),
        ):
            self.assertEqual(read(text), packet)
            self.assertEqual(read(text, 3), packet)

    def test_a_namespace_may_end_with_the_text(self) -> None:
        for protocol in (3, 4):
            self.assertEqual(read("0/admin", protocol), Packet(CONNECT, "/admin"))
            self.assertEqual(read("1/admin", protocol), Packet(DISCONNECT, "/admin"))

    def test_old_clients_have_a_query_in_the_namespace(self) -> None:
        self.assertEqual(
            read("0/admin?token=1&a=%C3%A9&b=&token=2,", 3),
            Packet(CONNECT, "/admin", {"token": "2", "a": "é", "b": ""}),
        )
        self.assertEqual(read("0/admin?token=1", 3), Packet(CONNECT, "/admin", {"token": "1"}))
        self.assertEqual(read("0/admin?,", 3), Packet(CONNECT, "/admin", {}))
        self.assertEqual(read('2/admin?token=1,["a"]', 3), Packet(EVENT, "/admin", ["a"]))

    def test_newer_ones_have_none(self) -> None:
        self.assertEqual(read("0/admin?token=1,"), Packet(CONNECT, "/admin?token=1"))

    def test_what_is_no_packet_is_refused(self) -> None:
        for text in (
            "",
            "7",
            "9[1]",
            "a",
            "٢[1]",
            " 2[1]",
            "0[]",
            '0"a"',
            "0null ,",
            "01",
            "0{",
            '1{"a":1}',
            "1[]",
            "2",
            "21",
            "2/admin",
            "2/admin,",
            "2{}",
            '2"a"',
            "2[]",
            "2[null]",
            "2[true]",
            "2[{}]",
            "2[[1]]",
            '2["a"',
            '2["a"]]',
            "2[1e999]",
            '2["a",NaN]',
            '2-1["a"]',
            '2 1["a"]',
            '2+1["a"]',
            '2٣["a"]',
            '2/a,٣["a"]',
            '2x["a"]',
            '2/a,x["a"]',
            '2["a"]1',
            "2" + "1" * 17 + '["a"]',
            "2/a," + "1" * 17 + '["a"]',
            "2" + "[" * 200_000,
            "3",
            "31",
            "3{}",
            "31{}",
            "4",
            "41",
            "4[]",
            "4null",
        ):
            for protocol in (3, 4):
                with self.assertRaises(PacketError, msg=text[:30]):
                    read(text, protocol)

    def test_names_of_events_of_the_server_itself_are_refused(self) -> None:
        for name in RESERVED_EVENTS:
            for text in (f'2["{name}"]', f'2/admin,["{name}"]', f'21["{name}",1]'):
                with self.assertRaises(PacketError, msg=text):
                    read(text)

    def test_null_is_nothing(self) -> None:
        self.assertEqual(read("0null"), Packet(CONNECT))
        self.assertEqual(read("1null"), Packet(DISCONNECT))

    def test_bytes_that_nobody_announced_are_refused(self) -> None:
        with self.assertRaises(PacketError):
            JSON5.decoder().receive(b"")

    @properties
    @given(packets, st.sampled_from([3, 4]))
    def test_what_is_written_is_read(self, packet: Packet, protocol: int) -> None:
        parser = json_parser(protocol)
        (text,) = parser.encode(packet)
        self.assertEqual(parser.decoder().receive(text), packet)

    @properties
    @given(st.text() | st.text('0123456-/?,[]{}"ab '), st.sampled_from([3, 4]))
    def test_anything_is_read_or_refused(self, text: str, protocol: int) -> None:
        try:
            packet = read(text, protocol)
        except PacketError:
            return
        self.assertIsInstance(packet, (Packet, type(None)))

    @properties
    @given(packets, st.data())
    def test_a_packet_cut_short_is_refused(self, packet: Packet, data: Any) -> None:
        text = str(JSON5.encode(packet)[0])
        cut = text[: data.draw(st.integers(0, len(text) - 1))]
        with self.assertRaises(PacketError):
            read(cut)
