"""The values of an opening handshake, and the one place where heads are written."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.wire.opening import OpeningRequest, Refusal, check_extra_headers, render_head
from tests.wire_support import LINE_BREAKERS, opening


class OpeningRequestTests(SynchronousTestCase):
    def test_all_returns_the_values_line_by_line(self) -> None:
        self.assertEqual(list(opening(cookie=["a=1", "b=2"]).all("cookie")), ["a=1", "b=2"])

    def test_an_absent_field_has_no_values(self) -> None:
        self.assertEqual(list(opening().all("cookie")), [])

    def test_nothing_is_secure_or_trusted_unless_it_is_said(self) -> None:
        request = OpeningRequest("GET", "/", {})
        self.assertFalse(request.secure)
        self.assertFalse(request.trusted)

    def test_it_is_frozen(self) -> None:
        request: Any = opening()
        with self.assertRaises(FrozenInstanceError):
            request.trusted = True


class RefusalTests(SynchronousTestCase):
    def test_it_has_no_more_fields_unless_they_are_given(self) -> None:
        self.assertEqual(list(Refusal(400, "why").headers), [])


class ExtraHeaderTests(SynchronousTestCase):
    """Hybi-00 section 5.2: fields of the application's own may stand beside those of the handshake."""

    def test_fields_are_returned_unchanged_and_in_order(self) -> None:
        fields = [("Set-Cookie", "a=1; Path=/"), ("X-Trace_Id", "7"), ("Set-Cookie", "b=2"), ("X-Empty", "")]
        self.assertEqual(list(check_extra_headers(iter(fields))), fields)

    def test_fields_of_the_handshake_are_refused_in_any_case(self) -> None:
        for name in (
            "Upgrade",
            "Connection",
            "CONTENT-LENGTH",
            "transfer-encoding",
            "Host",
            "Sec-WebSocket-Origin",
            "sec-websocket-location",
            "Sec-WebSocket-Protocol",
            "Sec-WebSocket-Accept",
            "WebSocket-Origin",
            "websocket-protocol",
        ):
            with self.subTest(name), self.assertRaises(ValueError):
                check_extra_headers([(name, "value")])

    def test_a_name_that_is_no_token_is_refused(self) -> None:
        for name in ("", "X Y", "X:", "X\r\nY", "X\n", "X\0", "caf\xe9", "X\t", '"X"', "☃"):
            with self.subTest(name), self.assertRaises(ValueError):
                check_extra_headers([(name, "value")])

    def test_a_value_that_would_break_out_of_its_line_is_refused(self) -> None:
        for breaker in LINE_BREAKERS:
            with self.subTest(breaker), self.assertRaises(ValueError):
                check_extra_headers([("X-Name", f"value{breaker}")])

    def test_a_value_that_cannot_be_encoded_is_refused(self) -> None:
        with self.assertRaises(ValueError):
            check_extra_headers([("X-Name", "☃")])

    def test_one_bad_field_among_good_ones_is_found(self) -> None:
        with self.assertRaises(ValueError) as caught:
            check_extra_headers([("X-Good", "1"), ("X-Bad", "\n"), ("X-Good", "2")])
        self.assertIn("X-Bad", str(caught.exception))


class RenderHeadTests(SynchronousTestCase):
    """Whatever becomes a head passes here, so this is where nothing may break out of its line."""

    def test_lines_end_with_crlf_and_an_empty_line_ends_the_head(self) -> None:
        self.assertEqual(
            render_head("GET / HTTP/1.1", [("Host", "example.com"), ("Cookie", "a=1")]),
            b"GET / HTTP/1.1\r\nHost: example.com\r\nCookie: a=1\r\n\r\n",
        )

    def test_a_head_may_have_no_fields(self) -> None:
        self.assertEqual(render_head("HTTP/1.1 101 Yes", []), b"HTTP/1.1 101 Yes\r\n\r\n")

    def test_bytes_read_as_iso_8859_1_are_written_as_they_were(self) -> None:
        self.assertIn(b"X: caf\xc3\xa9\r\n", render_head("A", [("X", "café".encode().decode("latin-1"))]))

    def test_a_value_that_would_break_out_of_its_line_is_refused(self) -> None:
        for breaker in LINE_BREAKERS:
            with self.subTest(breaker), self.assertRaises(ValueError):
                render_head("HTTP/1.1 101 Yes", [("X-Name", f"value{breaker}")])

    def test_a_name_that_would_break_out_of_its_line_is_refused(self) -> None:
        for breaker in LINE_BREAKERS:
            with self.subTest(breaker), self.assertRaises(ValueError):
                render_head("HTTP/1.1 101 Yes", [(f"X-Name{breaker}", "value")])

    def test_a_first_line_that_is_more_than_a_line_is_refused(self) -> None:
        for breaker in LINE_BREAKERS:
            with self.subTest(breaker), self.assertRaises(ValueError):
                render_head(f"GET /{breaker} HTTP/1.1", [])
