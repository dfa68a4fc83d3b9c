"""The small strict parsers for header fields: what they take, what they leave, and that they never raise."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.wire.headers import (
    forwarded_parameters,
    is_field_value,
    tokens,
)
from tests.wire_support import LINE_BREAKERS, properties

wire_text = st.text(st.characters(max_codepoint=0xFF))
"""A field as it can arrive: any bytes, read as ISO 8859-1."""


class TokenTests(SynchronousTestCase):
    """RFC 9110 sections 5.6.1 and 5.6.2."""

    def test_the_tokens_of_a_list_are_lower_cased_and_kept_in_order(self) -> None:
        self.assertEqual(tokens(["keep-alive, Upgrade"]), ["keep-alive", "upgrade"])

    def test_a_list_over_several_lines_is_one_list(self) -> None:
        self.assertEqual(tokens(["keep-alive", "Upgrade,TE"]), ["keep-alive", "upgrade", "te"])

    def test_spaces_tabs_and_empty_elements_do_not_count(self) -> None:
        self.assertEqual(tokens([" ,\ta ,, b\t,", "", ","]), ["a", "b"])

    def test_all_characters_of_a_token_are_taken(self) -> None:
        self.assertEqual(tokens(["!#$%&'*+-.^_`|~0z"]), ["!#$%&'*+-.^_`|~0z"])

    def test_what_is_no_token_is_left_out(self) -> None:
        for text in (
            "two words",
            'quo"ted',
            "a/b",
            "a=b",
            "caf\xe9",
            "websocket\n",
            "\xa0websocket",
            "\x0bwebsocket",
        ):
            with self.subTest(text):
                self.assertEqual(tokens([f"first,{text},last"]), ["first", "last"])

    def test_no_lines_have_no_tokens(self) -> None:
        self.assertEqual(tokens([]), [])

    @properties
    @given(st.lists(wire_text))
    def test_nothing_makes_it_raise(self, values: list[str]) -> None:
        for token in tokens(values):
            self.assertEqual(tokens([token]), [token])


class ForwardedTests(SynchronousTestCase):
    """RFC 7239 section 4. Only what the nearest proxy said can be believed, and that is the last element."""

    def test_the_parameters_of_one_element(self) -> None:
        self.assertEqual(
            forwarded_parameters(["for=192.0.2.60;proto=https;host=example.com;by=203.0.113.43"]),
            {"for": "192.0.2.60", "proto": "https", "host": "example.com", "by": "203.0.113.43"},
        )

    def test_the_last_element_counts(self) -> None:
        self.assertEqual(
            forwarded_parameters(["for=a;proto=https, for=b;proto=http"]), {"for": "b", "proto": "http"}
        )

    def test_the_last_line_counts(self) -> None:
        self.assertEqual(forwarded_parameters(["for=a;proto=https", "for=b"]), {"for": "b"})

    def test_names_are_lower_cased_and_values_are_not(self) -> None:
        self.assertEqual(forwarded_parameters(["Proto=HTTPS"]), {"proto": "HTTPS"})

    def test_quoted_values_lose_their_quotes(self) -> None:
        self.assertEqual(
            forwarded_parameters(['for="[2001:db8::1]:4711";host="example.com:8080"']),
            {"for": "[2001:db8::1]:4711", "host": "example.com:8080"},
        )

    def test_spaces_around_parameters_do_not_count(self) -> None:
        self.assertEqual(forwarded_parameters(["for=a , for=b ; proto=https "]), {"for": "b", "proto": "https"})

    def test_a_semicolon_between_quotes_separates_nothing(self) -> None:
        # A proxy quotes the Host that the client sent: what is inside is the client's word, not the proxy's.
        parameters = forwarded_parameters(['proto=http;host="a;proto=https;b"'])
        self.assertEqual(parameters.get("proto"), "http")

    def test_a_comma_between_quotes_separates_nothing(self) -> None:
        parameters = forwarded_parameters(['proto=http;host="a,proto=https;b=c"'])
        self.assertNotEqual(parameters.get("proto"), "https")

    def test_a_backslash_between_quotes_keeps_a_quote_from_ending_them(self) -> None:
        parameters = forwarded_parameters([r'proto=http;host="a\",proto=https;b=\""'])
        self.assertNotEqual(parameters.get("proto"), "https")

    def test_an_open_quote_of_the_client_does_not_swallow_the_proxys_element(self) -> None:
        self.assertNotEqual(forwarded_parameters(['for="a, for=b;proto=http']).get("proto"), "https")

    def test_broken_parameters_are_left_out(self) -> None:
        self.assertEqual(forwarded_parameters(['proto;=b;for=c d;by="e;host=f']).get("proto"), None)

    def test_nothing_was_forwarded(self) -> None:
        for values in ([], [""], [","], [";"]):
            with self.subTest(values):
                self.assertEqual(forwarded_parameters(values), {})

    @properties
    @given(st.lists(wire_text))
    def test_nothing_makes_it_raise(self, values: list[str]) -> None:
        forwarded_parameters(values)
        forwarded_parameters([f'proto="{value}";host={value}' for value in values])


class FieldValueTests(SynchronousTestCase):
    """RFC 9110 section 5.5."""

    def test_printable_text_and_tabs_are_fine(self) -> None:
        for text in ("", "a b\tc", 'k="v"; Path=/', "caf\xe9"):
            with self.subTest(text):
                self.assertTrue(is_field_value(text))

    def test_what_would_end_the_line_is_not(self) -> None:
        for text in LINE_BREAKERS:
            with self.subTest(text):
                self.assertFalse(is_field_value("a" + text))

    def test_control_characters_are_not(self) -> None:
        for code in (*range(0x09), *range(0x0A, 0x20), 0x7F):
            with self.subTest(code):
                self.assertFalse(is_field_value(f"a{chr(code)}b"))

    def test_what_is_not_in_iso_8859_1_is_not(self) -> None:
        self.assertFalse(is_field_value("☃"))

    @properties
    @given(st.text())
    def test_what_is_fine_can_be_encoded(self, text: str) -> None:
        if is_field_value(text):
            self.assertEqual(text.encode("latin-1").splitlines() or [b""], [text.encode("latin-1")])
