"""What both protocols of Engine.IO write alike."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.socketio.errors import PayloadError
from hunchensocket_tx.socketio.wire.engine_packets import (
    DIGITS,
    EnginePacket,
    EngineType,
    base64_data,
    base64_text,
    packet_of_text,
    text_of_body,
)
from tests.wire_support import properties


class PacketTests(SynchronousTestCase):
    """Packets of text."""

    def test_types_are_digits(self) -> None:
        self.assertEqual(DIGITS, "0123456")
        for kind in EngineType:
            self.assertEqual(packet_of_text(DIGITS[kind]), EnginePacket(kind, ""))
            self.assertEqual(packet_of_text(DIGITS[kind] + "4b"), EnginePacket(kind, "4b"))

    def test_packets_without_data_cost_nothing(self) -> None:
        self.assertIs(packet_of_text("2"), packet_of_text("2"))

    def test_what_has_no_type_is_refused(self) -> None:
        for text in ("", "7", "x", "٤", "-1", " 4"):
            with self.assertRaises(PayloadError, msg=text):
                packet_of_text(text)


class Base64Tests(SynchronousTestCase):
    """Bytes as text."""

    @properties
    @given(st.binary())
    def test_what_is_written_is_read(self, data: bytes) -> None:
        self.assertEqual(base64_data(base64_text(data)), data)

    def test_what_is_no_base64_is_refused(self) -> None:
        for text in ("A", "AQ", "AQ=", "AQ==AQ==", "AQ==\n", " AQ==", "=AQ=", "A-_=", "AQé=", "AQIDA", "===="):
            with self.assertRaises(PayloadError, msg=text):
                base64_data(text)


class BodyTests(SynchronousTestCase):
    """Text of requests."""

    def test_bodies_are_utf8(self) -> None:
        self.assertEqual(text_of_body("€".encode()), "€")
        for body in (b"\xff", b"\xed\xa0\x80", b"\xe2\x82"):
            with self.assertRaises(PayloadError, msg=repr(body)):
                text_of_body(body)
