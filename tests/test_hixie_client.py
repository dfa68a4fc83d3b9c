"""The client's end of the opening handshake of hixie-76, alone and against our server. Sections are hybi-00's."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.errors import HandshakeFailed
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.events import Closed, Opened, Reply
from hunchensocket_tx.wire.hixie_client import HixieClientHandshake
from hunchensocket_tx.wire.opening import Offer, OpeningRequest
from tests.support import RESPONSE, client_handshake
from tests.wire_support import LINE_BREAKERS, OFFICIAL_ANSWER, HandshakeTestCase, parse_head, properties


def parse_request(data: bytes, *, secure: bool = False) -> tuple[OpeningRequest, bytes]:
    """Take a client's request apart as a server does, into the request and what is behind its head."""
    head, separator, rest = data.partition(b"\r\n\r\n")
    first, fields = parse_head(head + separator)
    method, target, _ = first.split(" ")
    return OpeningRequest(method, target, fields, secure), rest


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
        handshake = HixieClientHandshake("Example.COM:8080", "/Demo", origin="http://example.com")
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
                parameters: dict[str, Any] = {
                    "host": "example.com",
                    "target": "/",
                    "origin": "http://example.com",
                    **changes,
                }
                with self.subTest(changes), self.assertRaises(ValueError):
                    HixieClientHandshake(**parameters)

    def test_a_target_that_is_no_path_of_printable_ascii_is_refused(self) -> None:
        for target in ("", "demo", "http://example.com/", "/de mo", "/d\xe9mo", "/demo\x7f"):
            with self.subTest(target), self.assertRaises(ValueError):
                client_handshake_for(target)


def client_handshake_for(target: str) -> HixieClientHandshake:
    """Return a client's handshake for a target."""
    return HixieClientHandshake("example.com", target, origin="http://example.com")


class ClientCheckTests(SynchronousTestCase):
    """Section 4.1 steps 32 to 41: what a client fails for. Names compare in lower case, most values exactly."""

    def answer(self, **changes: list[str]) -> dict[str, list[str]]:
        fields = {
            "upgrade": ["WebSocket"],
            "connection": ["Upgrade"],
            "sec-websocket-origin": ["http://example.com"],
            "sec-websocket-location": ["ws://example.com/demo"],
        }
        fields.update((name.replace("_", "-"), values) for name, values in changes.items())
        return fields

    def assert_fails(self, handshake: HixieClientHandshake, **changes: list[str]) -> None:
        with self.subTest(changes), self.assertRaises(HandshakeFailed):
            handshake.check(101, self.answer(**changes))

    def test_a_right_answer_is_taken(self) -> None:
        client_handshake().check(101, self.answer())

    def test_the_official_answer_is_taken(self) -> None:
        _, fields = parse_head(OFFICIAL_ANSWER[: -len(RESPONSE)])
        client_handshake(subprotocol="sample").check(101, fields)

    def test_another_status_fails(self) -> None:
        for status in (100, 200, 302, 400, 403, 407, 426, 500):
            with self.subTest(status), self.assertRaises(HandshakeFailed) as caught:
                client_handshake().check(status, self.answer())
            self.assertIn(str(status), str(caught.exception))

    def test_unknown_fields_are_ignored(self) -> None:
        client_handshake().check(101, self.answer(server=["x"], date=["y"], set_cookie=["a=1", "b=2"]))

    def test_a_missing_field_fails(self) -> None:
        for name in self.answer():
            self.assert_fails(client_handshake(), **{name: []})

    def test_a_repeated_field_fails(self) -> None:
        for name, values in self.answer().items():
            self.assert_fails(client_handshake(), **{name: values * 2})

    def test_upgrade_compares_exactly(self) -> None:
        for value in ("websocket", "WEBSOCKET", "WebSocket, h2c", ""):
            self.assert_fails(client_handshake(), upgrade=[value])

    def test_connection_compares_in_lower_case(self) -> None:
        client_handshake().check(101, self.answer(connection=["upgrade"]))
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
        client_handshake(origin="http://Example.COM").check(101, self.answer())

    def test_a_subprotocol_that_was_asked_for_has_to_come_back(self) -> None:
        client_handshake(subprotocol="sample").check(101, self.answer(sec_websocket_protocol=["sample"]))
        for values in ([], ["Sample"], ["other"], [""], ["sample", "sample"], ["sample, other"]):
            self.assert_fails(client_handshake(subprotocol="sample"), sec_websocket_protocol=values)

    def test_a_subprotocol_that_was_not_asked_for_fails_even_if_it_is_empty(self) -> None:
        for values in (["sample"], ["None"], ["", ""], [""]):
            self.assert_fails(client_handshake(), sec_websocket_protocol=values)


class RoundTripTests(HandshakeTestCase):
    """Our client against our server, through bytes, with keys that nobody chose."""

    def meet(
        self, handshake: HixieClientHandshake, *, secure: bool = False, subprotocol: str | None = None
    ) -> Offer:
        """Let both ends complete the handshake and say a word each; both close."""
        request, key3 = parse_request(handshake.request, secure=secure)
        offer = self.offer(request, origins="*")
        status, fields = parse_head(offer.accept(subprotocol, [("Set-Cookie", "a=1")]))
        handshake.check(int(status.split(" ")[1]), fields)
        server, client = offer.codec(), handshake.codec(Settings())
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
                            HixieClientHandshake(host, target, secure=secure, origin="http://a.example"),
                            secure=secure,
                        )

    def test_a_subprotocol(self) -> None:
        offer = self.meet(client_handshake(subprotocol="sample"), subprotocol="sample")
        self.assertEqual(offer.subprotocols, ("sample",))

    def test_a_subprotocol_with_spaces_and_commas(self) -> None:
        self.meet(client_handshake(subprotocol="my own, dear protocol"), subprotocol="my own, dear protocol")
