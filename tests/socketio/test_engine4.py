"""Engine.IO 4 on the wire: payloads and WebSocket messages."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.socketio.errors import PayloadError
from hunchensocket_tx.socketio.wire.engine import EnginePacket, EngineType, codec
from tests.wire_support import properties

TEXT = "text/plain; charset=UTF-8"
MESSAGE = EngineType.MESSAGE

texts = st.builds(
    EnginePacket, st.sampled_from(EngineType), st.text(st.characters(codec="utf-8", exclude_characters="\x1e"))
)
packets = texts | st.builds(EnginePacket, st.just(MESSAGE), st.binary())


class PayloadTests(SynchronousTestCase):
    """Bodies of requests and answers."""

    def setUp(self) -> None:
        self.codec = codec(4)

    def test_packets_are_joined_and_bytes_are_base64(self) -> None:
        written = [EnginePacket(MESSAGE, "hello"), EnginePacket(MESSAGE, b"\1\2\3\4")]
        self.assertEqual(self.codec.encode_payload(written, binary=True), (b"4hello\x1ebAQIDBA==", TEXT))
        self.assertEqual(self.codec.encode_payload(written, binary=False), (b"4hello\x1ebAQIDBA==", TEXT))
        self.assertEqual(self.codec.decode_payload(b"4hello\x1ebAQIDBA==", TEXT), written)

    def test_every_type_has_its_digit(self) -> None:
        for number, kind in enumerate(EngineType):
            body, _ = self.codec.encode_payload([EnginePacket(kind)], binary=False)
            self.assertEqual(body, b"%d" % number)
            self.assertEqual(self.codec.decode_payload(body, TEXT), [EnginePacket(kind)])

    def test_a_burst_of_packets_is_one_payload(self) -> None:
        written = [EnginePacket(MESSAGE, f'2["n",{number}]') for number in range(60)]
        self.assertEqual(self.codec.decode_payload(*self.codec.encode_payload(written, binary=True)), written)

    def test_the_type_of_a_text_body_is_of_no_account(self) -> None:
        for content_type in ("text/plain", "", "application/json"):
            self.assertEqual(self.codec.decode_payload(b"4a", content_type), [EnginePacket(MESSAGE, "a")])

    def test_a_binary_body_is_refused(self) -> None:
        for content_type in ("application/octet-stream", "Application/Octet-Stream; x=y"):
            with self.assertRaises(PayloadError):
                self.codec.decode_payload(b"4a", content_type)

    def test_what_is_no_payload_is_refused(self) -> None:
        for body in (b"", b"\x1e", b"4a\x1e", b"\x1e4a", b"7", b"abc", b"4\xff", "٤".encode(), b"-1", b" 4"):
            with self.assertRaises(PayloadError, msg=repr(body)):
                self.codec.decode_payload(body, TEXT)

    def test_what_is_no_base64_is_refused(self) -> None:
        for body in (
            b"bA",
            b"bAQIDBA",
            b"bAQ=",
            b"bAQ==AQ==",
            b"b!!!!",
            b"bAQ-_",
            b"bAQ I",
            b"bAQID\n",
            "bé".encode(),
        ):
            with self.assertRaises(PayloadError, msg=repr(body)):
                self.codec.decode_payload(body, TEXT)

    def test_no_bytes_at_all_are_a_message(self) -> None:
        self.assertEqual(self.codec.decode_payload(b"b", TEXT), [EnginePacket(MESSAGE, b"")])

    @properties
    @given(st.lists(packets, min_size=1), st.booleans())
    def test_what_is_written_is_read(self, written: list[EnginePacket], binary: bool) -> None:
        body, content_type = codec(4).encode_payload(written, binary=binary)
        self.assertEqual(codec(4).decode_payload(body, content_type), written)

    @properties
    @given(st.binary() | st.text().map(str.encode))
    def test_anything_is_read_or_refused(self, body: bytes) -> None:
        with contextlib.suppress(PayloadError):
            codec(4).decode_payload(body, TEXT)


class MessageTests(SynchronousTestCase):
    """Messages of WebSockets."""

    def setUp(self) -> None:
        self.codec = codec(4)

    def test_bytes_have_no_type(self) -> None:
        packet = EnginePacket(MESSAGE, b"\1\2")
        self.assertEqual(self.codec.encode_message(packet, binary=True), b"\1\2")
        self.assertEqual(self.codec.decode_message(b"\1\2"), packet)
        self.assertEqual(self.codec.decode_message(b""), EnginePacket(MESSAGE, b""))

    def test_bytes_are_base64_where_there_is_only_text(self) -> None:
        packet = EnginePacket(MESSAGE, b"\1\2\3\4")
        self.assertEqual(self.codec.encode_message(packet, binary=False), "bAQIDBA==")
        self.assertEqual(self.codec.decode_message("bAQIDBA=="), packet)

    def test_a_separator_is_text_there(self) -> None:
        self.assertEqual(self.codec.decode_message("4a\x1e4b"), EnginePacket(MESSAGE, "a\x1e4b"))

    def test_probes(self) -> None:
        self.assertEqual(self.codec.decode_message("2probe"), EnginePacket(EngineType.PING, "probe"))
        self.assertEqual(self.codec.encode_message(EnginePacket(EngineType.PONG, "probe"), binary=True), "3probe")

    def test_what_is_no_packet_is_refused(self) -> None:
        for message in ("", "7", "x", "٤", "bx"):
            with self.assertRaises(PayloadError, msg=message):
                self.codec.decode_message(message)

    @properties
    @given(packets, st.booleans())
    def test_what_is_written_is_read(self, packet: EnginePacket, binary: bool) -> None:
        self.assertEqual(codec(4).decode_message(codec(4).encode_message(packet, binary=binary)), packet)
