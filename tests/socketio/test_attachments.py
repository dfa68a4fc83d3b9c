"""Packets of Socket.IO with bytes in them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.socketio.errors import PacketError, UnserializableData
from hunchensocket_tx.socketio.wire.attachments import dumps_apart
from hunchensocket_tx.socketio.wire.json_packets import json_parser
from hunchensocket_tx.socketio.wire.json_text import dumps
from hunchensocket_tx.socketio.wire.packets import Packet, PacketType, Parser
from hunchensocket_tx.wire.events import Message
from tests.wire_support import properties

EVENT, ACK = PacketType.EVENT, PacketType.ACK

values = st.recursive(
    st.none() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


def read(parser: Parser, *messages: Message) -> Packet | None:
    """Return the packet of messages, each of which but the last must leave it incomplete."""
    decoder = parser.decoder()
    for message in messages[:-1]:
        assert decoder.receive(message) is None, message
    return decoder.receive(messages[-1])


class WritingTests(SynchronousTestCase):
    """What clients are sent."""

    def test_the_examples_of_the_protocol(self) -> None:
        for protocol in (3, 4):
            parser = json_parser(protocol)
            self.assertEqual(
                parser.encode(Packet(EVENT, "/admin", ["baz", b"\1", b"\2"], 13)),
                (
                    '52-/admin,13["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
                    b"\1",
                    b"\2",
                ),
            )
            self.assertEqual(
                parser.encode(Packet(ACK, "/", ["bar", b"\1"], 15)),
                ('61-15["bar",{"_placeholder":true,"num":0}]', b"\1"),
            )

    def test_bytes_are_found_at_any_depth_and_of_any_class(self) -> None:
        packet = Packet(EVENT, "/", ["a", {"b": (bytearray(b"1"), [{"c": memoryview(b"2")}])}, b"3", "é"])
        self.assertEqual(
            json_parser(4).encode(packet),
            (
                '53-["a",{"b":[{"_placeholder":true,"num":0},[{"c":{"_placeholder":true,"num":1}}]]},'
                '{"_placeholder":true,"num":2},"\\u00e9"]',
                b"1",
                b"2",
                b"3",
            ),
        )

    def test_what_is_sent_is_not_changed(self) -> None:
        buffer = bytearray(b"1")
        data = ["a", {"b": buffer}]
        messages = json_parser(4).encode(Packet(EVENT, "/", data))
        buffer[0] = 0
        self.assertEqual(messages[1], b"1")
        self.assertEqual(data, ["a", {"b": buffer}])

    def test_the_same_bytes_twice_are_two_attachments(self) -> None:
        piece = b"1"
        self.assertEqual(len(dumps_apart([piece, piece])[1]), 2)

    def test_what_cannot_be_written_is_told(self) -> None:
        for data in ([b"", float("nan")], [object(), b""]):
            with self.assertRaises(UnserializableData):
                dumps_apart(data)


class ReadingTests(SynchronousTestCase):
    """What clients send."""

    def setUp(self) -> None:
        self.parser = json_parser(4)

    def test_the_examples_of_the_protocol(self) -> None:
        for protocol in (3, 4):
            parser = json_parser(protocol)
            header = '52-/admin,13["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'
            self.assertEqual(
                read(parser, header, b"\1", b"\2"), Packet(EVENT, "/admin", ["baz", b"\1", b"\2"], 13)
            )
            self.assertEqual(
                read(parser, '61-15["bar",{"_placeholder":true,"num":0}]', b"\1"),
                Packet(ACK, "/", ["bar", b"\1"], 15),
            )

    def test_placeholders_are_in_any_order(self) -> None:
        header = '52-["a",{"b":{"num":1,"_placeholder":true}},[{"_placeholder":true,"num":0}]]'
        self.assertEqual(read(self.parser, header, b"0", b"1"), Packet(EVENT, "/", ["a", {"b": b"1"}, [b"0"]]))

    def test_an_attachment_may_be_empty_or_of_no_use(self) -> None:
        header = '52-["a",{"_placeholder":true,"num":1}]'
        self.assertEqual(read(self.parser, header, b"0", b""), Packet(EVENT, "/", ["a", b""]))

    def test_there_may_be_no_attachments(self) -> None:
        self.assertEqual(read(self.parser, '50-["a"]'), Packet(EVENT, "/", ["a"]))
        self.assertEqual(read(self.parser, "60-1[]"), Packet(ACK, "/", [], 1))

    def test_what_only_looks_like_a_placeholder_is_left(self) -> None:
        data = ["a", {"_placeholder": 1, "num": 0}, {"_placeholder": "true", "num": 0}, {"num": 0}]
        self.assertEqual(read(self.parser, f"51-{dumps(data)}", b""), Packet(EVENT, "/", data))

    def test_a_packet_may_follow_another(self) -> None:
        decoder = self.parser.decoder()
        for number in range(2):
            self.assertIsNone(decoder.receive('51-["a",{"_placeholder":true,"num":0}]'))
            self.assertEqual(decoder.receive(b"%d" % number), Packet(EVENT, "/", ["a", b"%d" % number]))
            self.assertEqual(decoder.receive('2["b"]'), Packet(EVENT, "/", ["b"]))

    def test_clients_do_not_share_what_is_due(self) -> None:
        first, second = self.parser.decoder(), self.parser.decoder()
        first.receive('51-["a",{"_placeholder":true,"num":0}]')
        self.assertEqual(second.receive('2["b"]'), Packet(EVENT, "/", ["b"]))

    def test_an_answer_of_protocol_3_has_its_attachments_under_the_type_of_others(self) -> None:
        parser = json_parser(3)
        self.assertEqual(read(parser, '30-7["a"]'), Packet(ACK, "/", ["a"], 7))
        self.assertEqual(
            read(parser, '31-/admin,7[{"_placeholder":true,"num":0}]', b"1"), Packet(ACK, "/admin", [b"1"], 7)
        )
        self.assertEqual(read(parser, '3/an-d,7["-"]'), Packet(ACK, "/an-d", ["-"], 7))
        with self.assertRaises(PacketError):
            read(self.parser, '30-7["a"]')

    def test_text_instead_of_an_attachment_is_refused(self) -> None:
        with self.assertRaises(PacketError):
            read(self.parser, '51-["a",{"_placeholder":true,"num":0}]', '2["b"]')

    def test_a_number_of_attachments_that_is_none_is_refused(self) -> None:
        for count in ("", "-1", "1.0", "x", "٣", " 1", "+1", "1e0", "1" * 10):
            for kind in "56":
                with self.assertRaises(PacketError, msg=count):
                    read(self.parser, f'{kind}{count}-["a"]')
        for text in ("5", "6", "51", '51["a"]', "51-", "51-{}", "51-/a,", '51-["connect"]', '51--["a"]', "51-2"):
            with self.assertRaises(PacketError, msg=text):
                read(self.parser, text)

    def test_a_placeholder_that_stands_for_nothing_is_refused_at_once(self) -> None:
        for number in ("1", "-1", "0.0", '"0"', "true", "null", "[]", "1e0"):
            with self.assertRaises(PacketError, msg=number):
                read(self.parser, f'51-["a",[{{"_placeholder":true,"num":{number}}}]]')
        for text in ('51-["a",{"_placeholder":true}]', '50-["a",{"_placeholder":true,"num":0}]'):
            with self.assertRaises(PacketError, msg=text):
                read(self.parser, text)

    def test_two_placeholders_for_the_same_bytes_are_refused(self) -> None:
        same = '{"_placeholder":true,"num":0}'
        with self.assertRaises(PacketError):
            read(self.parser, f'52-["a",{same},{same}]')

    def test_too_many_attachments_are_refused_at_once(self) -> None:
        parser = json_parser(4, 2)
        self.assertIsNone(parser.decoder().receive('52-["a"]'))
        with self.assertRaises(PacketError):
            parser.decoder().receive('53-["a"]')

    def test_attachments_that_are_too_large_together_are_refused(self) -> None:
        parser = json_parser(4, 10, 10)
        self.assertEqual(read(parser, '52-["a"]', bytes(5), bytes(5)), Packet(EVENT, "/", ["a"]))
        decoder = parser.decoder()
        decoder.receive('53-["a"]')
        decoder.receive(bytes(5))
        with self.assertRaises(PacketError):
            decoder.receive(bytes(6))

    def test_depth_does_no_harm(self) -> None:
        for depth in (100, 900, 100_000):
            text = f'51-["a",{"[" * depth}{{"_placeholder":true,"num":0}}{"]" * depth}]'
            try:
                packet = read(self.parser, text, b"1")
            except PacketError:
                continue
            self.assertIsNotNone(packet)

    @properties
    @given(st.sampled_from([EVENT, ACK]), st.lists(values), st.sampled_from([3, 4]))
    def test_what_is_written_is_read(self, kind: PacketType, arguments: list[Any], protocol: int) -> None:
        parser = json_parser(protocol, 1000)
        packet = Packet(kind, "/a", ["name", *arguments], 1)
        messages = parser.encode(packet)
        self.assertEqual(read(parser, *messages), packet)
        self.assertEqual(str(messages[0])[0] in "56", len(messages) > 1)
