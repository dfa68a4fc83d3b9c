"""The parsers of tokens and of ``Sec-WebSocket-Extensions``, RFC 6455 section 9.1."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.wire.headers import Extension, is_token, parse_extensions
from tests.wire_support import properties

TOKEN_CHARS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class TokenTests(SynchronousTestCase):
    """RFC 9110 section 5.6.2."""

    def test_every_character_of_a_token(self) -> None:
        self.assertTrue(is_token(TOKEN_CHARS))
        self.assertEqual([char for char in map(chr, range(0x250)) if is_token(char)], sorted(TOKEN_CHARS))

    def test_nothing_is_no_token(self) -> None:
        self.assertFalse(is_token(""))

    def test_one_wrong_character_is_enough(self) -> None:
        for text in (
            "a b",
            " a",
            "a ",
            "a\n",
            "a\r\n",
            "a\0",
            "a,b",
            "a;b",
            "a=b",
            'a"',
            "a/b",
            "ä",
            "a☃",
            "\u0661",
        ):
            with self.subTest(text):
                self.assertFalse(is_token(text))


class ExtensionTests(SynchronousTestCase):
    def assert_parsed(self, line: str, *expected: Extension) -> None:
        self.assertEqual(parse_extensions([line]), list(expected))

    def test_the_examples(self) -> None:
        """They stand in sections 9.1 of RFC 6455 and 7.1.3 of RFC 7692."""
        self.assert_parsed("foo", Extension("foo"))
        self.assert_parsed("bar; baz=2", Extension("bar", (("baz", "2"),)))
        self.assert_parsed("foo, bar; baz=2", Extension("foo"), Extension("bar", (("baz", "2"),)))
        self.assert_parsed(
            "mux; max-channels=4; flow-control, deflate-stream",
            Extension("mux", (("max-channels", "4"), ("flow-control", None))),
            Extension("deflate-stream"),
        )
        self.assert_parsed('private-extension; a="x"', Extension("private-extension", (("a", "x"),)))
        self.assert_parsed(
            "permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate",
            Extension("permessage-deflate", (("client_max_window_bits", None), ("server_max_window_bits", "10"))),
            Extension("permessage-deflate"),
        )

    def test_lines_are_one_list(self) -> None:
        self.assertEqual(
            parse_extensions(["foo", "bar; baz=2", "foo"]),
            [Extension("foo"), Extension("bar", (("baz", "2"),)), Extension("foo")],
        )

    def test_no_line_is_no_extension(self) -> None:
        self.assertEqual(parse_extensions([]), [])
        self.assertEqual(parse_extensions(["", " "]), [])

    def test_white_space_around_separators_means_nothing(self) -> None:
        expected = Extension("a", (("b", "1"), ("c", None)))
        for line in ("a;b=1;c", "a ; b=1 ; c", " a\t;\tb=1;  c ", "a; b = 1; c"):
            with self.subTest(line):
                self.assert_parsed(line, expected)

    def test_empty_elements_mean_nothing(self) -> None:
        self.assert_parsed(",foo,, ,bar,", Extension("foo"), Extension("bar"))

    def test_repeated_parameters_are_all_kept(self) -> None:
        self.assert_parsed("a; b=1; b=2; b", Extension("a", (("b", "1"), ("b", "2"), ("b", None))))

    def test_a_quoted_value_is_one_without_its_quotes(self) -> None:
        self.assert_parsed('a; b="10"; c', Extension("a", (("b", "10"), ("c", None))))

    def test_a_quoted_value_has_to_be_a_token(self) -> None:
        for value in ('""', '"a b"', '"a,b"', '"a;b"', '"é"', '"a', 'a"', '"a"b', '"a""b"', '"a\\"'):
            with self.subTest(value):
                self.assertNotIn("bad", [extension.name for extension in parse_extensions([f"bad; x={value}"])])

    def test_separators_within_quotes_do_not_separate(self) -> None:
        self.assert_parsed('bad; x="a, evil; y", good', Extension("good"))

    def test_a_malformed_element_is_left_out_and_the_others_stay(self) -> None:
        for bad in (
            "a b",
            "a; b c",
            "a;",
            "a;;b",
            "; b",
            "=",
            "a=1",
            "a; =1",
            "a; b=",
            "a; b=1=2",
            "a; b=(1)",
            "ä",
        ):
            with self.subTest(bad):
                self.assert_parsed(
                    f"first, {bad}, last; x=1", Extension("first"), Extension("last", (("x", "1"),))
                )

    def test_an_open_quote_does_not_reach_into_the_next_line(self) -> None:
        self.assertEqual(parse_extensions(['a; b="1', "good"]), [Extension("good")])

    def test_names_and_values_keep_their_case(self) -> None:
        self.assert_parsed("Foo; Bar=Baz", Extension("Foo", (("Bar", "Baz"),)))

    @properties
    @given(st.lists(st.text(max_size=40), max_size=3))
    def test_no_text_makes_it_raise(self, lines: list[str]) -> None:
        for name, parameters in parse_extensions(lines):
            self.assertTrue(is_token(name))
            for parameter, value in parameters:
                self.assertTrue(is_token(parameter))
                self.assertTrue(value is None or is_token(value))

    tokens = st.text(TOKEN_CHARS, min_size=1, max_size=8)

    @properties
    @given(st.lists(st.tuples(tokens, st.lists(st.tuples(tokens, st.none() | tokens), max_size=3)), max_size=4))
    def test_what_is_written_is_read(self, some: list[tuple[str, list[tuple[str, str | None]]]]) -> None:
        line = ", ".join(
            "; ".join([name, *(key if value is None else f"{key}={value}" for key, value in parameters)])
            for name, parameters in some
        )
        self.assert_parsed(line, *(Extension(name, tuple(parameters)) for name, parameters in some))
