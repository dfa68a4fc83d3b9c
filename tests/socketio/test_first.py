"""Packets and payloads of protocol 1."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.socketio.errors import PacketError, PayloadError, UnserializableData
from hunchensocket_tx.socketio.wire.first import (
    FIRST,
    FirstPacket,
    FirstType,
    decode_payload,
    encode_payload,
    receipt,
    split,
    understand,
)
from hunchensocket_tx.socketio.wire.packets import Packet, PacketType
from tests.wire_support import properties

EVENT = PacketType.EVENT
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def read(text: str) -> Packet | None:
    """Return what a packet means."""
    return FIRST.decoder().receive(text)


def write(*packet: Any) -> Any:
    """Return the text of a packet."""
    (text,) = FIRST.encode(Packet(*packet))
    return text


class ReadingTests(SynchronousTestCase):
    """What clients send."""

    def test_an_event_has_a_name_and_arguments(self) -> None:
        self.assertEqual(read('5:::{"name":"echo","args":["x",1]}'), Packet(EVENT, "/", ["echo", "x", 1]))

    def test_the_arguments_may_be_missing(self) -> None:
        for data in ('{"name":"e"}', '{"name":"e","args":null}', '{"name":"e","args":[]}'):
            with self.subTest(data=data):
                self.assertEqual(read(f"5:::{data}"), Packet(EVENT, "/", ["e"]))

    def test_arguments_that_are_no_list_are_one(self) -> None:
        self.assertEqual(read('5:::{"name":"e","args":{"a":1}}'), Packet(EVENT, "/", ["e", {"a": 1}]))

    def test_only_an_id_with_a_plus_asks_the_application(self) -> None:
        self.assertEqual(read('5:1+:/a:{"name":"e"}'), Packet(EVENT, "/a", ["e"], 1))
        self.assertEqual(read('5:1:/a:{"name":"e"}'), Packet(EVENT, "/a", ["e"]))

    def test_a_message_is_text_as_it_is(self) -> None:
        self.assertEqual(read("3::/a:b:c\n€😀"), Packet(EVENT, "/a", ["message", "b:c\n€😀"]))
        for text in ("3", "3:", "3::", "3:::"):
            with self.subTest(text=text):
                self.assertEqual(read(text), Packet(EVENT, "/", ["message", ""]))

    def test_a_json_message_is_any_value(self) -> None:
        self.assertEqual(read('4:::{"a":[null]}'), Packet(EVENT, "/", ["message", {"a": [None]}]))
        self.assertEqual(read("4:2+::null"), Packet(EVENT, "/", ["message", None], 2))

    def test_an_acknowledgement_may_have_values(self) -> None:
        self.assertEqual(read('6:::12+["a",2]'), Packet(PacketType.ACK, "/", ["a", 2], 12))
        for text in ("6::/a:12", "6::/a:12+", "6::/a:12+[]"):
            with self.subTest(text=text):
                self.assertEqual(read(text), Packet(PacketType.ACK, "/a", [], 12))

    def test_a_namespace_may_have_a_query(self) -> None:
        for text in ("1::/a?b=c&d=%20", "1::/a:?b=c&d=%20"):
            with self.subTest(text=text):
                self.assertEqual(read(text), Packet(PacketType.CONNECT, "/a", {"b": "c", "d": " "}))
        self.assertEqual(read("1::/a"), Packet(PacketType.CONNECT, "/a"))
        self.assertEqual(read("1::"), Packet(PacketType.CONNECT, "/"))

    def test_a_query_with_very_many_fields_is_refused(self) -> None:
        self.assertIsNotNone(read("1::/a?" + "&a=" * 999))
        for packet in ("1::/a?" + "&a=" * 1001, "1::/a:?" + "&a=" * 1001):
            with self.assertRaises(PacketError):
                read(packet)

    def test_parts_may_be_missing_at_the_end(self) -> None:
        for text in ("0", "0:", "0::", "0:::"):
            with self.subTest(text=text):
                self.assertEqual(read(text), Packet(PacketType.DISCONNECT, "/"))
        self.assertEqual(read("0::/a"), Packet(PacketType.DISCONNECT, "/a"))

    def test_heartbeats_errors_and_nothing_mean_nothing(self) -> None:
        for text in ("2", "2::", "7:::1+0", "7::/a:2", "8::", "8"):
            with self.subTest(text=text):
                self.assertIsNone(read(text))

    def test_events_of_the_server_s_own_names_are_passed_over(self) -> None:
        for name in ("connect", "disconnect", "disconnecting"):
            with self.subTest(name=name):
                self.assertIsNone(read(f'5:::{{"name":"{name}","args":[1]}}'))

    def test_what_is_no_packet_is_refused(self) -> None:
        for text in (
            *("", "9::", "x", "10::", "-1::", "2x", "5:a::{}", f"5:{'1' * 16}+::{{}}", "\ufffd1\ufffd2", "٣:::"),
            *("5::", "5:::", "5:::[]", "5:::{}", '5:::{"name":1}', '5:::{"name":"e"', "5:::NaN", "5:::1e999"),
            *("4::", "4:::", "4:::{", "6::", "6:::", "6:::a", "6:::1+{}", "6:::1+[", "6:::1 ", "6:::-1"),
            f"4:::{'[' * 100_000}",
        ):
            with self.subTest(text=text[:40]):
                self.assertRaises(PacketError, read, text)
        self.assertRaises(PacketError, FIRST.decoder().receive, b"2::")

    @properties
    @given(st.text(st.sampled_from('0123456789:+/?{}[]"name,args\ufffd')))
    def test_whatever_comes_is_a_packet_or_refused(self, text: str) -> None:
        with contextlib.suppress(PacketError):
            read(text)

    def test_a_receipt_is_for_the_endpoint_as_it_was_written(self) -> None:
        packet = split("3:7:/a?b=c:x")
        self.assertEqual(packet, FirstPacket(FirstType.MESSAGE, 7, False, "/a?b=c", "x"))
        self.assertEqual(receipt(packet), "6::/a?b=c:7")
        self.assertEqual(receipt(split("3:7::x")), "6:::7")


class WritingTests(SynchronousTestCase):
    """What a server sends."""

    def test_namespaces_are_connected_and_disconnected(self) -> None:
        self.assertEqual(write(PacketType.CONNECT, "/", {"sid": "x"}), "1::")
        self.assertEqual(write(PacketType.CONNECT, "/a"), "1::/a")
        self.assertEqual(write(PacketType.DISCONNECT, "/"), "0::")
        self.assertEqual(write(PacketType.DISCONNECT, "/a"), "0::/a")

    def test_a_refusal_is_that_one_is_unauthorized(self) -> None:
        self.assertEqual(write(PacketType.CONNECT_ERROR, "/a", {"message": "no"}), "7::/a:2")

    def test_an_event_has_arguments_if_there_are_any(self) -> None:
        self.assertEqual(write(EVENT, "/a", ["e"]), '5::/a:{"name":"e"}')
        self.assertEqual(
            write(EVENT, "/", ["e", "é", (1, None)], 3), '5:3+::{"name":"e","args":["\\u00e9",[1,null]]}'
        )

    def test_what_send_sends_is_a_message(self) -> None:
        self.assertEqual(write(EVENT, "/a", ["message", "x:y €"]), "3::/a:x:y €")
        self.assertEqual(write(EVENT, "/", ["message", "x"], 1), "3:1+::x")
        self.assertEqual(write(EVENT, "/", ["message", {"a": 1}]), '4:::{"a":1}')
        self.assertEqual(write(EVENT, "/", ["message", 1, 2]), '5:::{"name":"message","args":[1,2]}')
        self.assertEqual(write(EVENT, "/", ["message"]), '5:::{"name":"message"}')

    def test_text_that_is_no_unicode_is_sent_as_json(self) -> None:
        self.assertEqual(write(EVENT, "/", ["message", "\ud800"]), '4:::"\\ud800"')

    def test_an_answer_has_its_values_if_there_are_any(self) -> None:
        self.assertEqual(write(PacketType.ACK, "/a", ["x", 1], 5), '6::/a:5+["x",1]')
        self.assertEqual(write(PacketType.ACK, "/", [], 5), "6:::5")

    def test_there_is_no_binary_data_and_no_nan(self) -> None:
        for value in (b"x", float("nan"), object()):
            for name in ("e", "message"):
                with self.subTest(value=value, name=name):
                    self.assertRaises(UnserializableData, write, EVENT, "/", [name, value])

    @properties
    @given(st.text().filter(lambda name: name not in ("connect", "message", "disconnect")), st.lists(JSON_VALUES))
    def test_events_come_back_as_they_were(self, name: str, arguments: list[Any]) -> None:
        packet = Packet(EVENT, "/a", [name, *arguments], 7)
        self.assertEqual(understand(split(write(*packet))), packet)

    @properties
    @given(JSON_VALUES)
    def test_messages_come_back_as_they_were(self, value: Any) -> None:
        packet = Packet(EVENT, "/", ["message", value])
        self.assertEqual(read(write(*packet)), packet)


class PayloadTests(SynchronousTestCase):
    """Several packets in one body."""

    def test_one_packet_is_bare_and_several_are_framed(self) -> None:
        self.assertEqual(encode_payload(["3:::a"]), "3:::a")
        self.assertEqual(encode_payload(["3:::a", "2::"]), "\ufffd5\ufffd3:::a\ufffd3\ufffd2::")

    def test_lengths_count_utf_16_code_units(self) -> None:
        payload = "\ufffd6\ufffd3:::😀\ufffd5\ufffd3:::€"
        self.assertEqual(encode_payload(["3:::😀", "3:::€"]), payload)
        self.assertEqual(decode_payload(payload), ["3:::😀", "3:::€"])

    def test_one_packet_may_be_framed(self) -> None:
        self.assertEqual(decode_payload("\ufffd3\ufffd2::"), ["2::"])

    def test_there_may_be_no_packet(self) -> None:
        self.assertEqual(decode_payload(""), [])

    def test_wrong_lengths_are_refused(self) -> None:
        for text in (
            *("\ufffd", "\ufffd\ufffd2::", "\ufffd4\ufffd2::", "\ufffd2\ufffd2::", "\ufffd3\ufffd2::x"),
            *("\ufffd-3\ufffd2::", f"\ufffd{'9' * 10}\ufffd2::", "\ufffd5\ufffd3:::😀", "\ufffd٣\ufffd2::"),
            "\ufffd5\ufffd3:::\ud800",
        ):
            with self.subTest(text=text):
                self.assertRaises(PayloadError, decode_payload, text)

    @properties
    @given(st.lists(TEXTS, min_size=2))
    def test_payloads_come_back_as_they_were(self, packets: list[str]) -> None:
        self.assertEqual(decode_payload(encode_payload(packets)), packets)

    @properties
    @given(st.lists(TEXTS, min_size=2))
    def test_javascript_reads_the_same(self, packets: list[str]) -> None:
        units = encode_payload(packets).encode("utf-16-le")
        found, position = [], 0
        while position < len(units):
            end = _find_mark(units, position + 2)
            size = int(units[position + 2 : end].decode("utf-16-le")) * 2
            found.append(units[end + 2 : end + 2 + size].decode("utf-16-le"))
            position = end + 2 + size
        self.assertEqual(found, packets)

    @properties
    @given(st.text(st.sampled_from("\ufffd0123:a😀")))
    def test_whatever_comes_is_a_payload_or_refused(self, text: str) -> None:
        try:
            packets = decode_payload(text)
        except PayloadError:
            return
        self.assertLessEqual(sum(map(len, packets)), len(text))

    def test_json_is_written_as_ascii(self) -> None:
        text = write(EVENT, "/", ["e", "\u2028😀"])
        self.assertTrue(text.isascii())
        self.assertEqual(json.loads(text[4:])["args"], ["\u2028😀"])


def _find_mark(units: bytes, start: int) -> int:
    """Return where the next U+FFFD is in UTF-16, as JavaScript would find it."""
    return next(at for at in range(start, len(units), 2) if units[at : at + 2] == b"\xfd\xff")
