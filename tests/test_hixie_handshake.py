"""The opening handshake of hixie-76 and -75: keys, and the server's answer. Sections are hybi-00's."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.wire.events import Opened, Reply
from hunchensocket_tx.wire.hixie_handshake import hixie_subprotocols, key_part
from hunchensocket_tx.wire.opening import Refusal
from tests.support import KEY3
from tests.wire_support import (
    LINE_BREAKERS,
    OFFICIAL_ANSWER,
    VECTORS,
    HandshakeTestCase,
    opening,
    parse_head,
)


class KeyPartTests(SynchronousTestCase):
    """Section 5.2 steps 4 to 7, and section 2 of HIXIE76.md with all that a server must abort for."""

    def assert_refused(self, *keys: str) -> None:
        for key in keys:
            with self.subTest(key), self.assertRaises(ValueError):
                key_part(key)

    def test_the_vectors(self) -> None:
        for vector in VECTORS:
            with self.subTest(vector):
                self.assertEqual((key_part(vector.key1), key_part(vector.key2)), (vector.part1, vector.part2))

    def test_a_key_without_digits_is_refused(self) -> None:
        self.assert_refused("", " ", "a b c", "! @")

    def test_a_key_without_spaces_is_refused(self) -> None:
        self.assert_refused("12", "1a2", VECTORS[2].key1.replace(" ", ""), VECTORS[2].key2.replace(" ", ""))

    def test_a_number_over_32_bits_is_refused(self) -> None:
        self.assert_refused("1 2345678901", "4294967296 ", "9 " + "9" * 5000)

    def test_the_largest_number_is_taken(self) -> None:
        self.assertEqual(key_part("4294967 295"), 4294967295)

    def test_a_number_that_is_no_multiple_of_the_spaces_is_refused(self) -> None:
        self.assert_refused("7 7 7", "1 0 1  ", "1  ")

    def test_zero_is_a_number(self) -> None:
        self.assertEqual(key_part("a 0 b c"), 0)

    def test_leading_zeros_do_not_make_a_number_larger(self) -> None:
        self.assertEqual(key_part("0" * 5000 + " 12"), 12)
        self.assert_refused("0" * 5000 + " 4294967296")

    def test_only_the_space_counts_as_a_space(self) -> None:
        self.assert_refused("1\t2", "1\xa02", "1\u20032", "1\n2", "1\x0b2")
        self.assertEqual(key_part("1\t \xa02"), 12)

    def test_only_ascii_digits_count_as_digits(self) -> None:
        self.assert_refused("\u0661 \u0662", "\xb2 \xb3", "\uff11 \uff12")
        self.assertEqual(key_part("\xb28 \u06614"), 84)

    def test_a_vector_with_one_more_space_is_refused(self) -> None:
        # One of the official keys; a lenient HTTP layer that collapses or adds spaces breaks the handshake.
        self.assert_refused(VECTORS[0].key1 + " ", VECTORS[1].key1 + " ")


class SubprotocolTests(SynchronousTestCase):
    """Section 1 of HIXIE76.md: one protocol, by later texts a list of words, or one with commas."""

    def offered(self, *values: str, name: str = "sec_websocket_protocol") -> tuple[str, ...]:
        offered = hixie_subprotocols(opening(**{name: list(values)}))
        if isinstance(offered, Refusal):
            self.fail(f"refused: {offered}")
        return offered

    def test_none_is_asked_for(self) -> None:
        self.assertEqual(self.offered(), ())
        self.assertEqual(self.offered(""), ())

    def test_one_is_asked_for(self) -> None:
        self.assertEqual(self.offered("sample"), ("sample",))

    def test_the_whole_value_comes_first(self) -> None:
        for value in ("my own protocol", "chat, superchat", "a b,c"):
            with self.subTest(value):
                self.assertEqual(self.offered(value)[0], value)

    def test_the_words_come_in_the_clients_order(self) -> None:
        self.assertEqual(self.offered("superchat chat"), ("superchat chat", "superchat", "chat"))

    def test_the_parts_between_commas_come_in_the_clients_order(self) -> None:
        for value in ("superchat,chat", "superchat, chat", "superchat ,chat"):
            with self.subTest(value):
                offered = self.offered(value)
                self.assertEqual(
                    [name for name in offered if name in ("chat", "superchat")], ["superchat", "chat"]
                )

    def test_nothing_is_offered_twice_or_empty(self) -> None:
        offered = self.offered("a a, b,, a,")
        self.assertEqual(len(offered), len(set(offered)))
        self.assertNotIn("", offered)

    def test_the_field_of_version_75_is_read_as_well(self) -> None:
        self.assertEqual(self.offered("sample", name="websocket_protocol"), ("sample",))

    def test_two_fields_are_refused(self) -> None:
        for request in (
            opening(sec_websocket_protocol=["a", "b"]),
            opening(sec_websocket_protocol=["a", "a"]),
            opening(sec_websocket_protocol="a", websocket_protocol="a"),
        ):
            verdict = hixie_subprotocols(request)
            assert isinstance(verdict, Refusal)
            self.assertEqual(verdict.status, 400)

    def test_nothing_is_offered_that_is_not_printable_ascii(self) -> None:
        # 4.1: U+0020 to U+007E. What is offered may be echoed into the head of the answer.
        for bad in (*LINE_BREAKERS, "\x7f", "caf\xe9", "a\tb"):
            verdict = hixie_subprotocols(opening(sec_websocket_protocol=f"sample{bad}"))
            names = () if isinstance(verdict, Refusal) else verdict
            with self.subTest(bad):
                self.assertEqual([name for name in names if not all(" " <= char <= "~" for char in name)], [])


class AnswerTests(HandshakeTestCase):
    """Section 5.2 steps 10 to 13; section 3 of HIXIE76.md. Clients compare these bytes."""

    def test_the_official_exchange(self) -> None:
        offer = self.offer(opening(sec_websocket_protocol="sample"))
        data = offer.accept("sample", ())
        reply, opened = offer.codec().receive(KEY3)
        assert isinstance(reply, Reply)
        self.assertEqual(data + reply.data, OFFICIAL_ANSWER)
        self.assertEqual(opened, Opened())

    def test_every_vector_from_its_request_to_its_response(self) -> None:
        for vector in VECTORS:
            offer = self.offer(opening(sec_websocket_key1=vector.key1, sec_websocket_key2=vector.key2))
            with self.subTest(vector):
                self.assertEqual(offer.codec().receive(vector.key3), [Reply(vector.response), Opened()])

    def test_without_a_subprotocol_there_is_no_field_for_it(self) -> None:
        for request in (opening(), opening(sec_websocket_protocol="sample")):
            self.assertNotIn(b"protocol:", self.offer(request).accept(None, ()).lower())

    def test_nothing_tells_of_a_body(self) -> None:
        # The sixteen bytes behind the head are outside of HTTP's framing.
        _, fields = parse_head(self.offer(opening(content_length="8")).accept(None, ()))
        self.assertNotIn("content-length", fields)
        self.assertNotIn("transfer-encoding", fields)

    def test_every_field_stands_there_once(self) -> None:
        _, fields = parse_head(self.offer(opening(sec_websocket_protocol="sample")).accept("sample", ()))
        self.assertEqual({name: len(values) for name, values in fields.items()}, dict.fromkeys(fields, 1))

    def test_the_fields_of_the_application_follow(self) -> None:
        cookies = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
        _, fields = parse_head(self.offer(opening()).accept(None, cookies))
        self.assertEqual(fields["set-cookie"], ["a=1", "b=2"])

    def test_the_origin_is_echoed_as_it_was_sent(self) -> None:
        for origin in ("http://example.com", "HTTP://Example.com", "null", "file://"):
            _, fields = parse_head(self.offer(opening(origin=origin), origins="*").accept(None, ()))
            self.assertEqual(fields["sec-websocket-origin"], [origin])

    def test_a_subprotocol_cannot_add_a_field(self) -> None:
        for breaker in LINE_BREAKERS:
            with self.subTest(breaker), self.assertRaises(ValueError):
                self.offer(opening()).accept(f"sample{breaker}", ())

    def test_a_field_of_the_application_cannot_add_another(self) -> None:
        for breaker in LINE_BREAKERS:
            with self.subTest(breaker), self.assertRaises(ValueError):
                self.offer(opening()).accept(None, [("X-Name", f"value{breaker}")])

    def test_version_75_begins_with_its_own_three_lines(self) -> None:
        request = opening(sec_websocket_key1=None, sec_websocket_key2=None, websocket_protocol="sample")
        offer = self.offer(request, versions=[75])
        self.assertEqual(
            offer.accept("sample", ()),
            b"HTTP/1.1 101 Web Socket Protocol Handshake\r\n"
            b"Upgrade: WebSocket\r\n"
            b"Connection: Upgrade\r\n"
            b"WebSocket-Origin: http://example.com\r\n"
            b"WebSocket-Location: ws://example.com/demo\r\n"
            b"WebSocket-Protocol: sample\r\n"
            b"\r\n",
        )
        self.assertEqual(offer.codec().receive(b"\x00hi\xff"), [Opened(), "hi"])
