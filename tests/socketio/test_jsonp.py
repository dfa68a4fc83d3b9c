"""Payloads as scripts and forms."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.socketio.errors import PayloadError
from hunchensocket_tx.socketio.wire.jsonp import (
    jsonp_answer,
    jsonp_body,
    jsonp_error,
    jsonp_string_body,
    script_string,
)
from tests.wire_support import properties


def form(**fields: str) -> bytes:
    return urlencode(fields).encode()


def escaped(payload: str) -> str:
    """Return what the client of Engine.IO puts into its form."""
    return payload.replace("\\n", "\\\n").replace("\n", "\\n")


class AnswerTests(SynchronousTestCase):
    """Scripts."""

    def test_an_answer_calls_the_function_of_its_number(self) -> None:
        self.assertEqual(jsonp_answer("0", '4["a"]'), b'___eio[0]("4[\\"a\\"]");')
        self.assertEqual(jsonp_answer("12", "8::", "io.j"), b'io.j[12]("8::");')

    def test_an_error_of_protocol_1(self) -> None:
        self.assertEqual(
            jsonp_error("3", "handshake unauthorized"), b'io.j[3](new Error("handshake unauthorized"));'
        )

    def test_separators_of_lines_are_escaped(self) -> None:
        self.assertEqual(jsonp_answer("0", "\u2028\u2029é\n\0"), b'___eio[0]("\\u2028\\u2029\\u00e9\\n\\u0000");')

    def test_an_element_is_never_ended(self) -> None:
        self.assertEqual(script_string("</script><!--"), '"<\\/script><!--"')

    def test_what_is_no_number_is_refused(self) -> None:
        for index in ("", "a", "-1", "0]", "alert(1)", "1.0", "٣", "1" * 17, " 1"):
            with self.assertRaises(PayloadError, msg=index):
                jsonp_answer(index, "")
            with self.assertRaises(PayloadError, msg=index):
                jsonp_error(index, "")

    @properties
    @given(st.text())
    def test_any_payload_comes_out_of_its_string(self, payload: str) -> None:
        self.assertEqual(json.loads(script_string(payload)), payload)


class FormTests(SynchronousTestCase):
    """Bodies of POSTs."""

    def test_the_payload_is_a_field(self) -> None:
        self.assertEqual(jsonp_body(b"d=4%3A4%E2%82%ac+x"), "4:4€ x")
        self.assertEqual(jsonp_body(b"a=b&d=2%3A4a"), "2:4a")

    def test_newlines_are_told_from_escaped_ones(self) -> None:
        self.assertEqual(jsonp_body(form(d="a\\nb")), "a\nb")
        self.assertEqual(jsonp_body(form(d="a\\\\nb")), "a\\nb")
        self.assertEqual(jsonp_body(form(d="a\\\\\\\\nb")), "a\\\\\\nb")
        self.assertEqual(jsonp_body(form(d='4["\\\\"]')), '4["\\\\"]')

    def test_what_has_no_payload_is_refused(self) -> None:
        many = b"&".join(b"a=b" for _ in range(100))
        for body in (b"", b"a=b", b"4:4abc", b"d=%ff", b"d=\xff", b"d=%ed%a0%80", many + b"&d=1"):
            with self.assertRaises(PayloadError, msg=repr(body)):
                jsonp_body(body)
            with self.assertRaises(PayloadError, msg=repr(body)):
                jsonp_string_body(body)

    def test_a_payload_of_protocol_1_is_a_string_of_json(self) -> None:
        self.assertEqual(jsonp_string_body(form(d='"5:::{\\"name\\":\\"é\\"}"')), '5:::{"name":"é"}')
        for text in ("", "1", "[]", "null", '"a', "5:::{}"):
            with self.assertRaises(PayloadError, msg=text):
                jsonp_string_body(form(d=text))

    @properties
    @given(st.text("\\n ab€😀+&=%") | st.text())
    def test_what_clients_write_is_read(self, payload: str) -> None:
        # A backslash before a newline is ambiguous in the protocol; JSON has no newlines but as escapes.
        payload = payload.replace("\\\n", "")
        self.assertEqual(jsonp_body(form(d=escaped(payload))), payload)
