"""The client's end of the opening handshake of hixie-76, alone and against our server. Sections are hybi-00's."""

from __future__ import annotations

import re
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.errors import HandshakeFailed
from hunchensocket_tx.wire.answer import Answer
from hunchensocket_tx.wire.events import Closed, Failed, Opened, Piece, Reply
from hunchensocket_tx.wire.hixie import challenge_response
from hunchensocket_tx.wire.hixie_client import HixieClientHandshake, make_key
from hunchensocket_tx.wire.hixie_handshake import key_part
from hunchensocket_tx.wire.opening import Offer, OpeningRequest
from tests.support import RESPONSE, client_handshake
from tests.wire_support import LINE_BREAKERS, OFFICIAL_ANSWER, HandshakeTestCase, parse_head, properties


def parse_request(data: bytes, *, secure: bool = False) -> tuple[OpeningRequest, bytes]:
    """Take a client's request apart as a server does, into the request and what is behind its head."""
    head, separator, rest = data.partition(b"\r\n\r\n")
    first, fields = parse_head(head + separator)
    method, target, _ = first.split(" ")
    return OpeningRequest(method, target, fields, secure), rest


class MakeKeyTests(SynchronousTestCase):
    """Section 4.1 steps 16 to 25."""

    @properties
    @given(st.randoms(use_true_random=False))
    def test_the_server_finds_the_part(self, random: Random) -> None:
        key, part = make_key(random)
        self.assertEqual(key_part(key), part)

    @properties
    @given(st.randoms(use_true_random=False))
    def test_keys_are_made_as_the_draft_has_it(self, random: Random) -> None:
        key, part = make_key(random)
        spaces = key.count(" ")
        noise = re.sub("[0-9 ]", "", key)
        self.assertTrue(1 <= spaces <= 12)
        self.assertTrue(1 <= len(noise) <= 12)
        self.assertTrue(set(noise) <= {chr(code) for code in (*range(0x21, 0x30), *range(0x3A, 0x7F))}, noise)
        self.assertEqual(key, key.strip(" "))
        self.assertLessEqual(part, 4294967295 // spaces)
        self.assertEqual(re.sub("[^0-9]", "", key), str(part * spaces))

    def test_all_numbers_of_spaces_occur(self) -> None:
        random = Random(76)
        self.assertEqual({make_key(random)[0].count(" ") for _ in range(500)}, set(range(1, 13)))


class ClientRequestTests(SynchronousTestCase):
    """Section 4.1 steps 1 to 31."""

    def test_the_fields_of_a_request(self) -> None:
        request, key3 = parse_request(client_handshake(subprotocol="sample").request)
        self.assertEqual((request.method, request.target), ("GET", "/demo"))
        keys = {name: request.fields[name] for name in ("sec-websocket-key1", "sec-websocket-key2")}
        expected = {
            "upgrade": ["WebSocket"],
            "connection": ["Upgrade"],
            "host": ["example.com"],
            "origin": ["http://example.com"],
            "sec-websocket-protocol": ["sample"],
        }
        self.assertEqual(request.fields, {**expected, **keys})
        self.assertEqual(len(key3), 8)

    def test_without_a_subprotocol_there_is_no_field_for_it(self) -> None:
        request, _ = parse_request(client_handshake().request)
        self.assertNotIn("sec-websocket-protocol", request.fields)

    def test_fields_of_the_application_are_sent(self) -> None:
        request, _ = parse_request(client_handshake(headers=[("Cookie", "a=1")]).request)
        self.assertEqual(request.fields["cookie"], ["a=1"])

    def test_the_host_is_sent_in_lower_case(self) -> None:
        handshake = client_handshake(host="Example.COM:8080", target="/Demo")
        request, _ = parse_request(handshake.request)
        self.assertEqual(request.fields["host"], ["example.com:8080"])
        self.assertEqual(request.target, "/Demo")

    def test_fields_come_in_random_order(self) -> None:
        orders = {
            tuple(parse_request(client_handshake(random=Random(seed)).request)[0].fields) for seed in range(9)
        }
        self.assertGreater(len(orders), 1)

    def test_keys_differ_from_request_to_request(self) -> None:
        requests = [parse_request(client_handshake().request) for _ in range(4)]
        for name in ("sec-websocket-key1", "sec-websocket-key2"):
            self.assertEqual(len({request.fields[name][0] for request, _ in requests}), 4)
        self.assertEqual(len({key3 for _, key3 in requests}), 4)

    def test_no_parameter_can_add_a_field(self) -> None:
        for breaker in LINE_BREAKERS:
            for changes in (
                {"host": f"example.com{breaker}"},
                {"target": f"/{breaker}"},
                {"origin": f"http://example.com{breaker}"},
                {"subprotocol": f"sample{breaker}"},
                {"headers": [("Cookie", f"a=1{breaker}")]},
                {"headers": [(f"Cookie{breaker}", "a=1")]},
            ):
                with self.subTest(changes), self.assertRaises(ValueError):
                    client_handshake(**changes)

    def test_a_subprotocol_that_would_not_arrive_as_it_is_is_refused(self) -> None:
        for subprotocol in ("", " ", " sample", "sample ", "sam\tple", "caf\xe9", "\u2603", "sample\x7f"):
            with self.subTest(subprotocol), self.assertRaises(ValueError):
                client_handshake(subprotocol=subprotocol)

    def test_a_target_that_is_no_path_of_printable_ascii_is_refused(self) -> None:
        for target in ("", "demo", "http://example.com/", "/de mo", "/d\xe9mo", "/demo\x7f"):
            with self.subTest(target), self.assertRaises(ValueError):
                client_handshake(target=target)


RIGHT = {
    "upgrade": ["WebSocket"],
    "connection": ["Upgrade"],
    "sec-websocket-origin": ["http://example.com"],
    "sec-websocket-location": ["ws://example.com/demo"],
}
"""The fields of a right answer to :func:`client_handshake`."""


class ClientCheckTests(SynchronousTestCase):
    """Section 4.1 steps 32 to 41: what a client fails for. Names compare in lower case, most values exactly."""

    def answer(self, status: int = 101, /, **changes: list[str]) -> Answer:
        fields = {name.replace("_", "-"): values for name, values in changes.items()}
        return Answer(status, "", {**RIGHT, **fields})

    def assert_fails(self, handshake: HixieClientHandshake, **changes: list[str]) -> None:
        with self.subTest(changes), self.assertRaises(HandshakeFailed):
            handshake.check(self.answer(**changes))

    def test_a_right_answer_is_taken(self) -> None:
        client_handshake().check(self.answer())

    def test_the_official_answer_is_taken(self) -> None:
        _, fields = parse_head(OFFICIAL_ANSWER[: -len(RESPONSE)])
        client_handshake(subprotocol="sample").check(Answer(101, "", fields))

    def test_another_status_fails(self) -> None:
        for status in (100, 200, 302, 400, 403, 407, 426, 500):
            with self.subTest(status), self.assertRaises(HandshakeFailed) as caught:
                client_handshake().check(self.answer(status))
            self.assertIn(str(status), str(caught.exception))

    def test_http_1_0_fails(self) -> None:
        with self.assertRaisesRegex(HandshakeFailed, "HTTP/1.0"):
            client_handshake().check(Answer(101, "", RIGHT, http_version="1.0"))

    def test_any_reason_will_do(self) -> None:
        for reason in ("", "Switching Protocols", "Web Socket Protocol Handshake"):
            client_handshake().check(Answer(101, reason, RIGHT))

    def test_the_text_names_the_field_and_what_it_should_be(self) -> None:
        with self.assertRaises(HandshakeFailed) as caught:
            client_handshake().check(self.answer(sec_websocket_location=["ws://example.com/"]))
        for part in ("sec-websocket-location", "'ws://example.com/'", "'ws://example.com/demo'"):
            self.assertIn(part, str(caught.exception))

    def test_unknown_fields_are_ignored(self) -> None:
        client_handshake().check(self.answer(server=["x"], date=["y"], set_cookie=["a=1", "b=2"]))

    def test_a_missing_field_fails(self) -> None:
        for name in RIGHT:
            self.assert_fails(client_handshake(), **{name: []})

    def test_a_repeated_field_fails(self) -> None:
        for name, values in RIGHT.items():
            self.assert_fails(client_handshake(), **{name: values * 2})

    def test_upgrade_compares_exactly(self) -> None:
        for value in ("websocket", "WEBSOCKET", "WebSocket, h2c", ""):
            self.assert_fails(client_handshake(), upgrade=[value])

    def test_connection_compares_in_lower_case(self) -> None:
        client_handshake().check(self.answer(connection=["upgrade"]))
        for value in ("close", "keep-alive, Upgrade", ""):
            self.assert_fails(client_handshake(), connection=[value])

    def test_another_location_fails(self) -> None:
        for value in (
            "ws://example.com/",
            "ws://example.com/Demo",
            "ws://example.com/demo?",
            "wss://example.com/demo",
            "ws://example.com:80/demo",
            "ws://evil.example/demo",
        ):
            self.assert_fails(client_handshake(), sec_websocket_location=[value])

    def test_another_origin_fails(self) -> None:
        for value in ("http://evil.example", "https://example.com", "null", "*"):
            self.assert_fails(client_handshake(), sec_websocket_origin=[value])

    def test_the_origin_may_come_back_in_lower_case(self) -> None:
        client_handshake(origin="http://Example.COM").check(self.answer())

    def test_a_subprotocol_that_was_asked_for_has_to_come_back(self) -> None:
        client_handshake(subprotocol="sample").check(self.answer(sec_websocket_protocol=["sample"]))
        for values in ([], ["Sample"], ["other"], [""], ["sample", "sample"], ["sample, other"]):
            self.assert_fails(client_handshake(subprotocol="sample"), sec_websocket_protocol=values)

    def test_a_subprotocol_that_was_not_asked_for_fails_even_if_it_is_empty(self) -> None:
        for values in (["sample"], ["None"], ["", ""], [""]):
            self.assert_fails(client_handshake(), sec_websocket_protocol=values)


class ResponseTests(SynchronousTestCase):
    """Section 4.1 steps 42 and 43: the sixteen bytes behind the head."""

    def test_the_response_to_another_challenge_fails(self) -> None:
        for response in (RESPONSE, bytes(16), RESPONSE[::-1]):
            (failed,) = client_handshake().check(Answer(101, "", RIGHT)).codec.receive(response)
            assert isinstance(failed, Failed)
            self.assertIn("challenge", failed.reason)

    def test_a_response_that_is_wrong_in_one_bit_fails(self) -> None:
        for seed in range(8):
            handshake = client_handshake(random=Random(seed))
            right = solve(handshake)
            for index in range(16):
                wrong = bytes(octet ^ (1 << seed if place == index else 0) for place, octet in enumerate(right))
                (failed,) = handshake.check(Answer(101, "", RIGHT)).codec.receive(wrong)
                self.assertIsInstance(failed, Failed)
            self.assertEqual(handshake.check(Answer(101, "", RIGHT)).codec.receive(right), [Opened()])

    def test_messages_come_in_pieces_if_that_is_wanted(self) -> None:
        handshake = client_handshake(pieces=True)
        codec = handshake.check(Answer(101, "", RIGHT)).codec
        self.assertEqual(codec.receive(solve(handshake) + b"\x00hi\xff"), [Opened(), Piece("hi", True)])


def solve(handshake: HixieClientHandshake) -> bytes:
    """Return the response that a server has to make to a request."""
    request, key3 = parse_request(handshake.request)
    part1, part2 = (key_part(request.all(f"sec-websocket-key{index}")[0]) for index in (1, 2))
    return challenge_response(part1, part2, key3)


class RoundTripTests(HandshakeTestCase):
    """Our client against our server, through bytes, with keys that nobody chose."""

    def meet(
        self, handshake: HixieClientHandshake, *, secure: bool = False, subprotocol: str | None = None
    ) -> Offer:
        """Let both ends complete the handshake and say a word each; both close."""
        request, key3 = parse_request(handshake.request, secure=secure)
        offer = self.offer(request, origins="*")
        status, fields = parse_head(offer.accept(subprotocol, [("Set-Cookie", "a=1")]))
        agreement = handshake.check(Answer(int(status.split(" ")[1]), "", fields))
        self.assertEqual((agreement.subprotocol, agreement.extensions), (subprotocol, ""))
        server, client = offer.codec(), agreement.codec
        reply, opened = server.receive(key3)
        assert isinstance(reply, Reply)
        self.assertEqual(opened, Opened())
        self.assertEqual(
            client.receive(reply.data + server.encode("from the server")), [Opened(), "from the server"]
        )
        self.assertEqual(server.receive(client.encode("from the client")), ["from the client"])
        answer, closed = server.receive(client.close(1000, ""))
        assert isinstance(answer, Reply)
        self.assertEqual([closed, *client.receive(answer.data)], [Closed(), Closed()])
        return offer

    @properties
    @given(st.randoms(use_true_random=False))
    def test_any_keys_will_do(self, random: Random) -> None:
        self.meet(client_handshake(random=random))

    def test_keys_of_the_system(self) -> None:
        for _ in range(100):
            self.meet(client_handshake())

    def test_addresses_of_all_kinds(self) -> None:
        for host in (
            "example.com",
            "Example.COM",
            "example.com:8080",
            "[::1]",
            "[2001:DB8::1]:8443",
            "127.0.0.1:1",
        ):
            for target in ("/", "/demo?a=b&c=%20", "//double", "/%7Euser/../x", "/?"):
                for secure in (False, True):
                    with self.subTest(host=host, target=target, secure=secure):
                        self.meet(
                            client_handshake(host=host, target=target, secure=secure, origin="http://a.example"),
                            secure=secure,
                        )

    def test_a_subprotocol(self) -> None:
        offer = self.meet(client_handshake(subprotocol="sample"), subprotocol="sample")
        self.assertEqual(offer.subprotocols, ("sample",))

    def test_a_subprotocol_with_spaces_and_commas(self) -> None:
        self.meet(client_handshake(subprotocol="my own, dear protocol"), subprotocol="my own, dear protocol")
