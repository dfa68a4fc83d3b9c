"""The client's end of the opening handshake of RFC 6455 and its drafts, alone and against our server."""

from __future__ import annotations

from base64 import b64decode
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.errors import HandshakeFailed, HandshakeRefused
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.answer import Answer, AnswerReader
from hunchensocket_tx.wire.deflate_offer import DeflateOffer, usual_offers
from hunchensocket_tx.wire.events import Closed, Event, Opened, Piece, Reply
from hunchensocket_tx.wire.handshake import judge
from hunchensocket_tx.wire.hybi_client import HybiClientHandshake
from hunchensocket_tx.wire.hybi_handshake import HYBI_VERSIONS
from hunchensocket_tx.wire.opening import Agreement, Offer, OpeningRequest, Refusal
from tests.hybi_support import NONCE, TEXT, Frame
from tests.wire_support import LINE_BREAKERS, HandshakeTestCase, cut, cuts, parse_head, properties

ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The answer to :data:`NONCE`, by the RFC."""

RIGHT = {"upgrade": ["websocket"], "connection": ["Upgrade"], "sec-websocket-accept": [ACCEPT]}
"""The fields of a right answer to :func:`handshake`."""


def handshake(**changes: Any) -> HybiClientHandshake:
    """Return the client's end of the handshake of section 1.2, without its subprotocols.

    :param changes: other arguments.
    """
    arguments: dict[str, Any] = {
        "host": "server.example.com",
        "target": "/chat",
        "settings": Settings(),
        "random": lambda size: b64decode(NONCE)[:size],
        **changes,
    }
    return HybiClientHandshake(**arguments)


def asked(client: HybiClientHandshake) -> OpeningRequest:
    """Return a client's request as a server reads it."""
    first, fields = parse_head(client.request)
    method, target, http_version = first.split(" ")
    return OpeningRequest(method, target, fields, http_version=http_version)


class RequestTests(SynchronousTestCase):
    """Section 4.1, its first list."""

    def test_the_example(self) -> None:
        request = handshake(
            target="/chat?a=b", origin="http://example.com", subprotocols=["chat", "superchat"]
        ).request
        self.assertEqual(
            request,
            b"GET /chat?a=b HTTP/1.1\r\n"
            b"Host: server.example.com\r\n"
            b"Upgrade: websocket\r\n"
            b"Connection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Sec-WebSocket-Version: 13\r\n"
            b"Origin: http://example.com\r\n"
            b"Sec-WebSocket-Protocol: chat, superchat\r\n"
            b"\r\n",
        )

    def test_what_was_not_given_is_not_sent(self) -> None:
        names = {"host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version"}
        self.assertEqual(asked(handshake()).fields.keys(), names)

    def test_the_drafts_have_another_field_for_the_origin(self) -> None:
        for version in (8, 7):
            fields = asked(handshake(version=version, origin="http://example.com")).fields
            self.assertEqual(fields["sec-websocket-origin"], ["http://example.com"])
            self.assertNotIn("origin", fields)
            self.assertEqual(fields["sec-websocket-version"], [str(version)])

    def test_offers_stand_in_one_line_best_first(self) -> None:
        offers = [DeflateOffer(server_max_window_bits=9), DeflateOffer(client_max_window_bits=False)]
        line = "permessage-deflate; server_max_window_bits=9; client_max_window_bits, permessage-deflate"
        self.assertEqual(asked(handshake(offers=offers)).all("sec-websocket-extensions"), [line])

    def test_fields_of_the_application_are_sent(self) -> None:
        fields = asked(handshake(headers=[("Cookie", "a=1"), ("X", "1"), ("X", "2")])).fields
        self.assertEqual((fields["cookie"], fields["x"]), (["a=1"], ["1", "2"]))

    def test_each_request_has_a_key_of_its_own_of_16_bytes(self) -> None:
        keys = {
            asked(HybiClientHandshake("example.com", "/", Settings())).all("sec-websocket-key")[0]
            for _ in range(9)
        }
        self.assertEqual([len(b64decode(key, validate=True)) for key in keys], [16] * 9)

    def test_no_parameter_can_add_a_field(self) -> None:
        for breaker in LINE_BREAKERS:
            for changes in (
                {"host": f"example.com{breaker}"},
                {"target": f"/{breaker}"},
                {"origin": f"http://example.com{breaker}"},
                {"subprotocols": [f"sample{breaker}"]},
                {"headers": [("Cookie", f"a=1{breaker}")]},
                {"headers": [(f"Cookie{breaker}", "a=1")]},
            ):
                with self.subTest(changes), self.assertRaises(ValueError):
                    handshake(**changes)

    def test_a_target_that_is_no_path_of_printable_ascii_is_refused(self) -> None:
        for target in ("", "chat", "*", "http://example.com/", "/ch at", "/ch\xe4t", "/chat\x7f"):
            with self.subTest(target), self.assertRaises(ValueError):
                handshake(target=target)

    def test_a_subprotocol_that_is_no_word_or_comes_twice_is_refused(self) -> None:
        for names in (["a b"], ["a,b"], [""], ["caf\xe9"], ["chat", "chat"], ["a", " a"]):
            with self.subTest(names), self.assertRaises(ValueError):
                handshake(subprotocols=names)
        handshake(subprotocols=["chat", "Chat"])


class CheckTestCase(SynchronousTestCase):
    """Has answers checked."""

    def check(self, client: HybiClientHandshake, /, **changes: str | list[str]) -> Agreement:
        """Have the right answer checked, but for some fields."""
        fields = {
            name.replace("_", "-"): [value] if isinstance(value, str) else value for name, value in changes.items()
        }
        return client.check(Answer(101, "Yes", {**RIGHT, **fields}))

    def assert_fails(self, client: HybiClientHandshake, text: str, /, **changes: str | list[str]) -> None:
        with self.subTest(changes), self.assertRaises(HandshakeFailed) as caught:
            self.check(client, **changes)
        self.assertIn(text, str(caught.exception))
        self.assertNotIsInstance(caught.exception, HandshakeRefused)


class CheckTests(CheckTestCase):
    """Section 4.1, its second list: what a client fails for."""

    def test_a_right_answer_is_taken(self) -> None:
        agreement = self.check(handshake())
        self.assertEqual((agreement.subprotocol, agreement.extensions), (None, ""))
        self.assertEqual(agreement.codec.receive(Frame(TEXT, b"hi").render(False)), [Opened(), "hi"])

    def test_unknown_fields_are_ignored(self) -> None:
        self.check(
            handshake(), server="x", set_cookie=["a=1", "b=2"], content_length="0", sec_websocket_version="13"
        )

    def test_another_status_is_a_refusal(self) -> None:
        for status in (200, 302, 400, 401, 404, 426, 500):
            with self.subTest(status), self.assertRaises(HandshakeRefused):
                handshake().check(Answer(status, "No", RIGHT))

    def test_http_1_0_fails(self) -> None:
        with self.assertRaises(HandshakeFailed):
            handshake().check(Answer(101, "Yes", RIGHT, http_version="1.0"))

    def test_a_missing_or_a_doubled_field_fails(self) -> None:
        names = {"upgrade": "Upgrade", "connection": "Connection", "sec-websocket-accept": "Sec-WebSocket-Accept"}
        for name, text in names.items():
            for values in ([], [""]):
                self.assert_fails(handshake(), text, **{name: values})
        for name in ("upgrade", "sec-websocket-accept"):
            self.assert_fails(handshake(), names[name], **{name: RIGHT[name] * 2})

    def test_upgrade_is_one_word_in_any_case(self) -> None:
        for value in ("websocket", "WebSocket", "WEBSOCKET"):
            self.check(handshake(), upgrade=value)
        for value in ("h2c", "websocket, h2c", "web socket", "websocket/13", "websockets", '"websocket"'):
            self.assert_fails(handshake(), "Upgrade", upgrade=value)

    def test_connection_is_a_list_that_names_upgrade_in_any_case(self) -> None:
        for value in ("upgrade", "UPGRADE", "keep-alive, Upgrade", ["keep-alive", "Upgrade"], ",upgrade,"):
            self.check(handshake(), connection=value)
        for value in ("close", "keep-alive", "upgrades", "up grade", '"upgrade"', "x-upgrade"):
            self.assert_fails(handshake(), "Connection", connection=value)

    def test_the_proof_compares_exactly(self) -> None:
        for index, char in enumerate(ACCEPT):
            for other in {char.swapcase(), "A", "="} - {char}:
                wrong = ACCEPT[:index] + other + ACCEPT[index + 1 :]
                self.assert_fails(handshake(), "Sec-WebSocket-Accept", sec_websocket_accept=wrong)
        for wrong in (ACCEPT[:-1], ACCEPT + "=", ACCEPT + ", " + ACCEPT, f'"{ACCEPT}"', NONCE):
            self.assert_fails(handshake(), "Sec-WebSocket-Accept", sec_websocket_accept=wrong)

    def test_the_proof_of_another_key_fails(self) -> None:
        self.assert_fails(handshake(random=bytes), "Sec-WebSocket-Accept")


class AgreementTests(CheckTestCase):
    """Subprotocols and extensions."""

    def test_one_of_the_subprotocols_may_be_chosen_or_none(self) -> None:
        for chosen in ("chat", "superchat"):
            client = handshake(subprotocols=["chat", "superchat"])
            self.assertEqual(self.check(client, sec_websocket_protocol=chosen).subprotocol, chosen)
        self.assertIsNone(self.check(handshake(subprotocols=["chat"])).subprotocol)

    def test_a_subprotocol_that_was_not_offered_fails(self) -> None:
        for chosen in (
            "other",
            "Chat",
            "chat, superchat",
            "",
            ["chat", "chat"],
            ["chat", "superchat"],
            "chat\x9b",
        ):
            client = handshake(subprotocols=["chat", "superchat"])
            self.assert_fails(client, "offered: chat, superchat", sec_websocket_protocol=chosen)
        for chosen in ("chat", "", "None"):
            self.assert_fails(handshake(), "offered: none", sec_websocket_protocol=chosen)

    def test_no_text_carries_control_characters(self) -> None:
        for name in ("upgrade", "sec-websocket-protocol", "sec-websocket-extensions"):
            with self.assertRaises(HandshakeFailed) as caught:
                self.check(handshake(), **{name: "a\x85b\x9bc\td"})
            self.assertTrue(str(caught.exception).isprintable(), str(caught.exception))

    def test_an_extension_is_told_as_it_stands_in_the_answer(self) -> None:
        line = 'permessage-deflate; server_max_window_bits="10"'
        client = handshake(offers=[DeflateOffer()])
        self.assertEqual(self.check(client, sec_websocket_extensions=line).extensions, line)
        self.assertEqual(self.check(client).extensions, "")
        self.assertEqual(self.check(client, sec_websocket_extensions="").extensions, "")

    def test_an_extension_that_was_not_offered_fails(self) -> None:
        for line in ("permessage-deflate", "x-webkit-deflate-frame", "deflate-stream"):
            self.assert_fails(handshake(), "not offered", sec_websocket_extensions=line)

    def test_compressed_frames_are_read_only_if_that_was_agreed_upon(self) -> None:
        compressed = Frame(TEXT, bytes.fromhex("f248cdc9c90700"), rsv=4).render(False)  # RFC 7692 section 7.2.3.1
        client = handshake(offers=[DeflateOffer()])
        codec = self.check(client, sec_websocket_extensions="permessage-deflate").codec
        self.assertEqual(codec.receive(compressed), [Opened(), "Hello"])
        self.assertNotIn("Hello", self.check(client).codec.receive(compressed))

    def test_messages_come_in_pieces_if_that_is_wanted(self) -> None:
        codec = self.check(handshake(pieces=True)).codec
        self.assertEqual(codec.receive(Frame(TEXT, b"hi").render(False)), [Opened(), Piece("hi", True)])


class RoundTripTests(HandshakeTestCase):
    """Our client against our server, through bytes."""

    def meet(
        self, client: HybiClientHandshake, offer: Offer, subprotocol: str | None, places: list[int]
    ) -> Agreement:
        """Let both ends complete the handshake and say a few words each; the client closes."""
        server = offer.codec()
        reader, agreement, events = AnswerReader((101,)), None, list[Event]()
        words: list[str | bytes] = ["from the server", "again " * 200, b"\x00" * 300]
        head = offer.accept(subprotocol, [("Set-Cookie", "a=1")])
        for piece in cut(head + b"".join(map(server.encode, words)), places):
            if agreement is not None:
                events += agreement.codec.receive(piece)
            elif (answer := reader.receive(piece)) is not None:
                agreement = client.check(answer)
                events += agreement.codec.receive(reader.rest)
        assert agreement is not None
        self.assertEqual(events, [Opened(), *words])
        codec = agreement.codec
        self.assertEqual(server.receive(b"".join(map(codec.encode, words))), [Opened(), *words])
        reply, closed = server.receive(codec.close(1000, "bye"))
        assert isinstance(reply, Reply)
        self.assertEqual([closed, *codec.receive(reply.data)], [Closed(1000, "bye"), Closed(1000)])
        return agreement

    @properties
    @given(
        st.sampled_from(HYBI_VERSIONS),
        st.lists(st.sampled_from(["chat", "superchat", "Chat", "x"]), unique=True),
        st.booleans(),
        st.booleans(),
        st.tuples(st.integers(9, 15), st.integers(9, 15)),
        st.tuples(st.booleans(), st.booleans()),
        st.binary(min_size=16, max_size=16),
        cuts,
    )
    def test_they_come_to_terms(
        self,
        version: int,
        subprotocols: list[str],
        chooses: bool,
        has_origin: bool,
        bits: tuple[int, int],
        keep: tuple[bool, bool],
        key: bytes,
        places: list[int],
    ) -> None:
        ours, theirs = (
            Settings(compression_window_bits=bits[end], compression_context_takeover=keep[end]) for end in (0, 1)
        )
        client = handshake(
            version=version,
            settings=ours,
            subprotocols=subprotocols,
            origin="http://server.example.com" if has_origin else None,
            offers=usual_offers(ours),
            random=lambda size: key,
        )
        offer = judge(asked(client), theirs)
        assert not isinstance(offer, Refusal), offer
        self.assertEqual((offer.version, offer.subprotocols), (version, tuple(subprotocols)))
        subprotocol = subprotocols[-1] if subprotocols and chooses else None
        agreement = self.meet(client, offer, subprotocol, places)
        self.assertEqual((agreement.subprotocol, agreement.extensions), (subprotocol, offer.extensions))
        self.assertTrue(agreement.extensions)

    def test_a_server_that_does_not_compress(self) -> None:
        for version in HYBI_VERSIONS:
            client = handshake(version=version, offers=[DeflateOffer()])
            offer = self.offer(asked(client), compression=False)
            self.assertEqual(self.meet(client, offer, None, []).extensions, "")

    def test_our_window_is_no_larger_than_set_whatever_the_server_allows(self) -> None:
        random = Random(0).randbytes(2000)
        sizes = []
        for bits in (9, 15):
            settings = Settings(compression_window_bits=bits)
            client = handshake(offers=[DeflateOffer()], settings=settings)
            extensions = ["permessage-deflate; client_max_window_bits=15"]
            codec = client.check(Answer(101, "", {**RIGHT, "sec-websocket-extensions": extensions})).codec
            codec.encode(random)
            sizes.append(len(codec.encode(random)))
        self.assertGreater(sizes[0], 5 * sizes[1])

    def test_windows_of_8_bits(self) -> None:
        client = handshake(
            offers=[DeflateOffer(client_max_window_bits=8)], settings=Settings(compression_threshold=0)
        )
        agreement = self.meet(client, self.offer(asked(client)), None, [])
        self.assertIn("client_max_window_bits=8", agreement.extensions)

    def test_at_each_border_of_the_answer_it_is_the_same(self) -> None:
        for border in range(300):
            client = handshake(subprotocols=["chat"], offers=usual_offers(Settings()))
            self.meet(client, self.offer(asked(client)), "chat", [border])

    def test_each_single_byte_of_the_answer_that_is_wrong_is_noticed_or_does_not_matter(self) -> None:
        client = handshake(subprotocols=["chat"], offers=usual_offers(Settings()))
        head = self.offer(asked(client)).accept("chat", ())
        for index in range(len(head)):
            for mask in (0x01, 0x20, 0x80):
                wrong = head[:index] + bytes([head[index] ^ mask]) + head[index + 1 :]
                with self.subTest(wrong):
                    self.assert_noticed_or_harmless(client, wrong)

    def assert_noticed_or_harmless(self, client: HybiClientHandshake, head: bytes) -> None:
        """Check that a head with one wrong byte agrees to no more than the right one, or fails."""
        try:
            answer = AnswerReader((101,)).receive(head)
            if answer is None:
                return  # there is no end; the timer takes care of that
            agreement = client.check(answer)
        except HandshakeFailed:
            return
        self.assertEqual(answer.all("sec-websocket-accept"), [ACCEPT])
        self.assertEqual([value.lower() for value in answer.all("upgrade")], ["websocket"])
        self.assertIn(agreement.subprotocol, ("chat", None))
        self.assertEqual(agreement.subprotocol is None, not answer.all("sec-websocket-protocol"))
        self.assertEqual(agreement.extensions == "", not answer.all("sec-websocket-extensions"))
