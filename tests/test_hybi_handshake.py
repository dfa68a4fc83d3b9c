"""The opening handshake of RFC 6455 at the server: keys, subprotocols, extensions, and the answer."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.events import Closed, Failed, Opened, Piece
from hunchensocket_tx.wire.handshake import judge
from hunchensocket_tx.wire.hybi_handshake import HYBI_VERSIONS, HybiOffer, accept_value
from hunchensocket_tx.wire.opening import Refusal
from tests.hybi_support import NONCE, TEXT, Frame, close_frame, opening_13
from tests.wire_support import HandshakeTestCase, parse_head, properties


class AcceptValueTests(HandshakeTestCase):
    """Section 4.2.2 step 5.4."""

    def test_the_vector(self) -> None:
        self.assertEqual(accept_value(NONCE), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")

    def test_the_text_is_hashed_and_not_what_it_stands_for(self) -> None:
        # Both decode to the same bytes: the last character has bits to spare.
        self.assertNotEqual(accept_value("AAAAAAAAAAAAAAAAAAAAAA=="), accept_value("AAAAAAAAAAAAAAAAAAAAAB=="))


class RequestTests(HandshakeTestCase):
    """Section 4.2.1."""

    def test_http_1_0_is_refused(self) -> None:
        for version in ("HTTP/1.0", "HTTP/0.9"):
            self.assert_refused(400, opening_13(http_version=version))

    def test_a_key_of_any_16_bytes_is_taken(self) -> None:
        for nonce in (bytes(16), b"\xff" * 16, bytes(range(16))):
            key = b64encode(nonce).decode()
            head = self.offer(opening_13(sec_websocket_key=key)).accept(None, ())
            self.assertEqual(parse_head(head)[1]["sec-websocket-accept"], [accept_value(key)])

    def test_a_key_is_there_once(self) -> None:
        for key in (None, [NONCE, NONCE], [NONCE, "x"]):
            with self.subTest(key):
                self.assert_refused(400, opening_13(sec_websocket_key=key))

    def test_a_key_has_16_bytes_in_base64(self) -> None:
        keys = [b64encode(bytes(size)).decode() for size in (0, 1, 15, 17, 18, 20, 32)]
        for key in (
            *keys,
            "",
            "x",
            "A" * 24,
            "A" * 22,  # no padding
            NONCE[:-2] + "!=",
            "=" + NONCE[:-1],
            "A=" + NONCE[2:],
            NONCE + "==",
            NONCE + ", " + NONCE,
            "dGhlIHNhbXBsZSBu\n25jZQ==",
            "dGhlIHNhbXBsZSB bm5jZQ==",
            "dGhlIHNhbXBsZSBub25j-_==",
            "é" * 22 + "==",
            "☃" * 24,
        ):
            with self.subTest(key):
                self.assert_refused(400, opening_13(sec_websocket_key=key))

    def test_a_body_is_refused(self) -> None:
        self.assert_refused(400, opening_13(content_length="5"))
        self.assert_refused(400, opening_13(transfer_encoding="chunked"))

    def test_a_body_of_nothing_is_none(self) -> None:
        self.offer(opening_13(content_length="0"))

    @properties
    @given(st.text(max_size=30))
    def test_no_key_makes_it_raise(self, key: str) -> None:
        self.assertIsInstance(judge(opening_13(sec_websocket_key=key), Settings()), (Refusal, HybiOffer))


class SubprotocolTests(HandshakeTestCase):
    """Sections 4.1 item 10 and 11.3.4."""

    def test_none(self) -> None:
        self.assertEqual(self.offer(opening_13()).subprotocols, ())

    def test_they_come_in_the_clients_order(self) -> None:
        for value in ("superchat, chat", "superchat,chat", "superchat ,\tchat", ["superchat", "chat"]):
            with self.subTest(value):
                offer = self.offer(opening_13(sec_websocket_protocol=value))
                self.assertEqual(offer.subprotocols, ("superchat", "chat"))

    def test_their_case_counts(self) -> None:
        offer = self.offer(opening_13(sec_websocket_protocol="Chat, chat"))
        self.assertEqual(offer.subprotocols, ("Chat", "chat"))

    def test_a_dot_or_a_plus_is_right_in_a_name(self) -> None:
        offer = self.offer(opening_13(sec_websocket_protocol="v2.json+x.example.com"))
        self.assertEqual(offer.subprotocols, ("v2.json+x.example.com",))

    def test_what_is_no_token_is_refused(self) -> None:
        for value in ("a b", "chat, a b", "a;b", "a/b", 'a"b', "é", "a=b", "(a)"):
            with self.subTest(value):
                self.assert_refused(400, opening_13(sec_websocket_protocol=value))


class AnswerTests(HandshakeTestCase):
    """Section 4.2.2 step 5."""

    def test_the_answer_to_the_example(self) -> None:
        for version in HYBI_VERSIONS:
            offer = self.offer(
                opening_13(sec_websocket_version=str(version), sec_websocket_protocol="chat, superchat")
            )
            first, fields = parse_head(offer.accept("chat", ()))
            self.assertEqual(first, "HTTP/1.1 101 Switching Protocols")
            self.assertEqual(
                fields,
                {
                    "upgrade": ["websocket"],
                    "connection": ["Upgrade"],
                    "sec-websocket-accept": ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
                    "sec-websocket-protocol": ["chat"],
                },
            )

    def test_without_a_subprotocol_there_is_no_field_for_it(self) -> None:
        _, fields = parse_head(self.offer(opening_13()).accept(None, ()))
        self.assertNotIn("sec-websocket-protocol", fields)

    def test_the_applications_fields_come_along_in_their_order(self) -> None:
        extra = [("Set-Cookie", "a=1"), ("X-Name", "caf\xe9"), ("Set-Cookie", "b=2")]
        head = self.offer(opening_13()).accept(None, extra)
        self.assertEqual(parse_head(head)[1]["set-cookie"], ["a=1", "b=2"])
        self.assertIn(b"X-Name: caf\xe9\r\n", head)

    def test_whether_it_is_secure_is_told(self) -> None:
        for secure, scheme in ((False, "http"), (True, "https")):
            offer = self.offer(opening_13(secure=secure, origin=f"{scheme}://server.example.com"))
            self.assertEqual(offer.secure, secure)

    def test_a_trusted_proxy_tells_whether_it_is_secure(self) -> None:
        request = opening_13(trusted=True, x_forwarded_proto="https", origin="https://server.example.com")
        self.assertTrue(self.offer(request).secure)


class ExtensionTests(HandshakeTestCase):
    """Section 9.1; RFC 7692 section 7.1."""

    OFFER = "permessage-deflate; client_max_window_bits"

    def told(self, offered: str | list[str] | None, **changes: Any) -> list[str]:
        """Return the values of the field in the answer."""
        offer = self.offer(opening_13(sec_websocket_extensions=offered), **changes)
        told = parse_head(offer.accept(None, ()))[1].get("sec-websocket-extensions", [])
        self.assertEqual([offer.extensions] if offer.extensions else [], told)
        return told

    def test_nothing_offered_is_nothing_told(self) -> None:
        self.assertEqual(self.told(None), [])

    def test_deflate_is_agreed_upon_in_one_line(self) -> None:
        expected = ["permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"]
        self.assertEqual(self.told(self.OFFER), expected)
        self.assertEqual(self.told(["x-other", self.OFFER]), expected)

    def test_it_can_be_switched_off(self) -> None:
        self.assertEqual(self.told(self.OFFER, compression=False), [])

    def test_other_extensions_are_not_agreed_upon(self) -> None:
        # deflate-stream undoes what masking protects from.
        self.assertEqual(self.told("deflate-stream, x-webkit-deflate-frame, foo; bar=1"), [])

    def test_a_malformed_offer_is_declined_and_no_failure(self) -> None:
        for offered in ("permessage-deflate; =", "permessage-deflate; server_max_window_bits=99", ";;;", '"', ""):
            with self.subTest(offered):
                self.assertEqual(self.told(offered), [])


class CodecTests(HandshakeTestCase):
    """What follows the head."""

    def test_it_is_the_servers_and_open_at_once(self) -> None:
        codec = self.offer(opening_13()).codec()
        data = Frame(TEXT, b"hi").render(True) + close_frame(1000).render(True)
        events = codec.receive(data)
        self.assertEqual(events[:2], [Opened(), "hi"])
        self.assertEqual(events[-1], Closed(1000, ""))
        self.assertEqual(codec.encode("ho"), b"\x81\x02ho")

    def test_it_has_the_limits_of_the_settings(self) -> None:
        codec = self.offer(opening_13(), max_message_size=5).codec()
        events = codec.receive(Frame(TEXT, announced=6).render(True))
        self.assertEqual([event.code for event in events if isinstance(event, Failed)], [1009])

    def test_it_yields_pieces_if_told_so(self) -> None:
        codec = self.offer(opening_13()).codec(pieces=True)
        self.assertEqual(codec.receive(Frame(TEXT, b"hi").render(True)), [Opened(), Piece("hi", True)])

    def test_it_compresses_if_agreed_upon_and_not_otherwise(self) -> None:
        for offered, first in (("permessage-deflate", 0xC1), (None, 0x81)):
            codec = self.offer(opening_13(sec_websocket_extensions=offered)).codec()
            self.assertEqual(codec.encode("a" * 1000)[0], first)

    def test_each_one_is_new(self) -> None:
        offer = self.offer(opening_13(sec_websocket_extensions="permessage-deflate"))
        self.assertEqual(offer.codec().encode("a" * 1000), offer.codec().encode("a" * 1000))
