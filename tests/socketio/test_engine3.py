"""Engine.IO 3 on the wire: payloads of text and of bytes, in both dialects, and WebSocket messages."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.socketio.errors import PayloadError
from hunchensocket_tx.socketio.wire.engine import EnginePacket, EngineType, codec
from hunchensocket_tx.socketio.wire.engine3 import Engine3
from tests.wire_support import properties

TEXT = "text/plain; charset=UTF-8"
BINARY = "application/octet-stream"
MESSAGE = EngineType.MESSAGE

texts = st.builds(EnginePacket, st.sampled_from(EngineType), st.text())
packets = texts | st.builds(EnginePacket, st.just(MESSAGE), st.binary())


def messages(*data: str | bytes) -> list[EnginePacket]:
    return [EnginePacket(MESSAGE, each) for each in data]


def old(text: str) -> str:
    """Return a packet as 1.x puts it into a text payload."""
    return text.encode().decode("latin-1")


class TextPayloadTests(SynchronousTestCase):
    """Bodies of text: a length in UTF-16 code units before each packet."""

    def setUp(self) -> None:
        self.codec = Engine3()

    def test_the_example_of_the_protocol(self) -> None:
        body = "6:4hello2:4€10:b4AQIDBA==".encode()
        written = messages("hello", "€", b"\1\2\3\4")
        self.assertEqual(self.codec.encode_payload(written, binary=False), (body, TEXT))
        self.assertEqual(self.codec.decode_payload(body, TEXT), written)

    def test_an_emoji_counts_as_two(self) -> None:
        self.assertEqual(
            self.codec.encode_payload(messages("😀", "a"), binary=False), ("3:4😀2:4a".encode(), TEXT)
        )
        self.assertEqual(self.codec.decode_payload("3:4😀2:4a".encode(), TEXT), messages("😀", "a"))

    def test_no_packets_are_an_empty_payload(self) -> None:
        for binary in (True, False):
            self.assertEqual(self.codec.encode_payload([], binary=binary), (b"0:", TEXT))
        self.assertEqual(self.codec.decode_payload(b"0:", TEXT), [])
        self.assertEqual(self.codec.decode_payload(b"0:2:4a0:", TEXT), messages("a"))

    def test_ascii_is_the_same_whether_the_client_takes_bytes_or_not(self) -> None:
        for binary in (True, False):
            self.assertEqual(self.codec.encode_payload(messages("a", "b"), binary=binary), (b"2:4a2:4b", TEXT))

    def test_what_is_no_payload_is_refused(self) -> None:
        for text in (
            "",
            ":",
            "4a",
            "3:4a",
            "2:4ab",
            "2:4a2",
            "2:4a2:",
            "1:7",
            "1:x",
            "-1:4",
            "+2:4a",
            " 2:4a",
            "1e1:4aaaaaaaaa",
            "٢:4a",
            "2:😀",
            "2:4😀",
            "٢:4😀",
            "4:4😀",
            "4😀",
            "99999999999:4a",
            "00000000002:4a",
            "99999999999:4😀",
            "3:b5A",
            "1:b",
            "2:b4é",
            "3:b4A",
        ):
            with self.assertRaises(PayloadError, msg=text):
                self.codec.decode_payload(text.encode(), TEXT)

    def test_what_is_not_utf8_is_refused(self) -> None:
        with self.assertRaises(PayloadError):
            self.codec.decode_payload(b"2:4\xff", TEXT)

    def test_zeros_before_a_length_do_no_harm(self) -> None:
        self.assertEqual(self.codec.decode_payload(b"002:4a", TEXT), messages("a"))

    @properties
    @given(st.lists(packets))
    def test_what_is_written_is_read(self, written: list[EnginePacket]) -> None:
        body, content_type = Engine3().encode_payload(written, binary=False)
        reader = Engine3()
        reader.dialect = 2
        self.assertEqual(reader.decode_payload(body, content_type), written)

    @properties
    @given(st.binary() | st.text().map(str.encode) | st.text("0123456:b€😀é").map(str.encode))
    def test_anything_is_read_or_refused(self, body: bytes) -> None:
        for content_type in (TEXT, BINARY):
            with contextlib.suppress(PayloadError):
                Engine3().decode_payload(body, content_type)


class DialectTests(SynchronousTestCase):
    """1.x encodes the text of packets twice where 2.x does once."""

    def setUp(self) -> None:
        self.codec = Engine3()

    def test_text_encoded_twice_is_read(self) -> None:
        self.assertEqual(self.codec.decode_payload("4:4â\x82¬".encode(), TEXT), messages("€"))
        self.assertEqual(self.codec.dialect, 1)

    def test_text_encoded_once_is_read(self) -> None:
        self.assertEqual(self.codec.decode_payload("2:4€".encode(), TEXT), messages("€"))
        self.assertEqual(self.codec.dialect, 2)

    def test_ascii_tells_nothing(self) -> None:
        self.codec.decode_payload(b"2:4a", TEXT)
        self.assertEqual(self.codec.dialect, 0)

    def test_characters_that_nobody_wrote_as_utf8_tell_of_the_newer_one(self) -> None:
        self.assertEqual(self.codec.decode_payload("2:4é".encode(), TEXT), messages("é"))
        self.assertEqual(self.codec.dialect, 2)

    def test_one_packet_of_several_tells_for_all(self) -> None:
        self.assertEqual(self.codec.decode_payload("3:4Ã©2:4€".encode(), TEXT), messages("Ã©", "€"))

    def test_the_newer_one_is_never_doubted_again(self) -> None:
        self.codec.decode_payload("2:4€".encode(), TEXT)
        self.assertEqual(self.codec.decode_payload("3:4Ã©".encode(), TEXT), messages("Ã©"))

    def test_the_older_one_is_doubted_when_there_is_proof(self) -> None:
        self.codec.decode_payload("3:4Ã©".encode(), TEXT)
        self.assertEqual(self.codec.decode_payload("2:4€".encode(), TEXT), messages("€"))
        self.assertEqual(self.codec.dialect, 2)

    def test_halves_of_pairs_are_replaced(self) -> None:
        half = b"4\xed\xa0\x80".decode("latin-1")
        self.assertEqual(self.codec.decode_payload(f"4:{half}".encode(), TEXT), messages("\ufffd"))
        self.assertEqual(self.codec.decode_payload(b"\0\4\xff4\xed\xa0\x80", BINARY), messages("\ufffd"))

    def test_a_session_is_answered_in_its_dialect(self) -> None:
        self.codec.decode_payload("4:4â\x82¬".encode(), TEXT)
        self.assertEqual(
            self.codec.encode_payload(messages("€", "a"), binary=False), ("4:4â\x82¬2:4a".encode(), TEXT)
        )

    def test_another_session_is_of_no_account(self) -> None:
        self.codec.decode_payload("4:4â\x82¬".encode(), TEXT)
        self.assertEqual(Engine3().encode_payload(messages("€"), binary=False), ("2:4€".encode(), TEXT))

    @properties
    @given(st.lists(st.text(), min_size=1))
    def test_what_is_written_in_the_older_one_is_read(self, data: list[str]) -> None:
        pieces = [old("4" + text) for text in data]
        body = "".join(f"{len(piece)}:{piece}" for piece in pieces).encode()
        reader = Engine3()
        self.assertEqual(reader.decode_payload(body, TEXT), messages(*data))
        self.assertEqual(reader.encode_payload(messages(*data), binary=False)[0], body)


class BinaryPayloadTests(SynchronousTestCase):
    """Bodies of bytes: a byte for each digit of the length before each packet."""

    def setUp(self) -> None:
        self.codec = Engine3()

    def test_the_example_of_the_protocol(self) -> None:
        body = bytes.fromhex("00 04 ff 34 e2 82 ac 01 05 ff 04 01 02 03 04")
        written = messages("€", b"\1\2\3\4")
        self.assertEqual(self.codec.encode_payload(written, binary=True), (body, BINARY))
        self.assertEqual(self.codec.decode_payload(body, BINARY), written)
        self.assertEqual(self.codec.decode_payload(body, "Application/Octet-Stream; charset=UTF-8"), written)

    def test_a_length_has_as_many_digits_as_it_needs(self) -> None:
        body, _ = self.codec.encode_payload(messages(bytes(1234)), binary=True)
        self.assertEqual(body[:7], b"\1\1\2\3\5\xff\4")

    def test_text_that_both_dialects_must_read_is_written_so(self) -> None:
        self.assertEqual(self.codec.encode_payload(messages("é"), binary=True), (b"\0\3\xff4\xc3\xa9", BINARY))

    def test_long_text_is_written_so(self) -> None:
        # Browsers' 1.x gives each character of a text payload to a function, as an argument of its own.
        for length, content_type in ((40_000, TEXT), (60_000, BINARY)):
            written = messages("x" * length)
            body, told = self.codec.encode_payload(written, binary=True)
            self.assertEqual(told, content_type)
            self.assertEqual(self.codec.decode_payload(body, told), written)
            self.assertEqual(self.codec.encode_payload(written, binary=False)[1], TEXT)

    def test_base64_is_read_within_it(self) -> None:
        self.assertEqual(self.codec.decode_payload(b"\0\6\xffb4AQI=", BINARY), messages(b"\1\2"))

    def test_nothing_at_all_is_no_packets(self) -> None:
        self.assertEqual(self.codec.decode_payload(b"", BINARY), [])

    def test_what_is_no_payload_is_refused(self) -> None:
        for body in (
            b"\0",
            b"\0\2",
            b"\0\xff4",
            b"\0\2\xff4",
            b"\2\1\xff4",
            b"\0\x0a\xff4aaaaaaaaa",
            b"\x001\xff4",
            b"\0" + b"\1" * 400 + b"\xff4",
            b"\0" + b"\0" * 10 + b"\1\xff4",
            b"\1\0\xff",
            b"\0\0\xff",
            b"\1\1\xff\2",
            b"\1\1\xff4",
            b"\0\1\xff7",
            b"\0\1\xff\4",
            b"\0\2\xff4\xff",
            b"\0\2\xff4a\0",
            b"2:4a",
        ):
            with self.assertRaises(PayloadError, msg=repr(body)):
                self.codec.decode_payload(body, BINARY)

    @properties
    @given(st.lists(packets))
    def test_what_is_written_is_read(self, written: list[EnginePacket]) -> None:
        body, content_type = Engine3().encode_payload(written, binary=True)
        self.assertEqual(Engine3().decode_payload(body, content_type), written)


class MessageTests(SynchronousTestCase):
    """Messages of WebSockets."""

    def setUp(self) -> None:
        self.codec = Engine3()

    def test_bytes_have_the_type_as_a_number_before_them(self) -> None:
        packet = EnginePacket(MESSAGE, b"\1\2")
        self.assertEqual(self.codec.encode_message(packet, binary=True), b"\4\1\2")
        self.assertEqual(self.codec.decode_message(b"\4\1\2"), packet)
        self.assertEqual(self.codec.decode_message(b"\4"), EnginePacket(MESSAGE, b""))

    def test_bytes_are_base64_where_there_is_only_text(self) -> None:
        packet = EnginePacket(MESSAGE, b"\1\2\3\4")
        self.assertEqual(self.codec.encode_message(packet, binary=False), "b4AQIDBA==")
        self.assertEqual(self.codec.decode_message("b4AQIDBA=="), packet)

    def test_there_are_no_dialects(self) -> None:
        self.assertEqual(self.codec.decode_message("4Ã©"), EnginePacket(MESSAGE, "Ã©"))
        self.assertEqual(self.codec.encode_message(EnginePacket(MESSAGE, "é"), binary=True), "4é")

    def test_what_is_no_packet_is_refused(self) -> None:
        for message in ("", b"", "7", "x", "b", "b7AQ==", "b2AQ==", "b4A", b"\2", b"4a", b"\7"):
            with self.assertRaises(PayloadError, msg=repr(message)):
                self.codec.decode_message(message)

    @properties
    @given(packets, st.booleans())
    def test_what_is_written_is_read(self, packet: EnginePacket, binary: bool) -> None:
        self.assertEqual(codec(3).decode_message(codec(3).encode_message(packet, binary=binary)), packet)
