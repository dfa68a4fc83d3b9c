"""Answers that are not a 101: each becomes one exception that says what to do about it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.errors import HandshakeFailed, HandshakeRefused, VersionRefused
from hunchensocket_tx.wire.answer import Answer
from hunchensocket_tx.wire.refusals import check_switched
from tests.wire_support import properties


class RefusalTestCase(SynchronousTestCase):
    """Has answers judged."""

    def refused(
        self,
        status: int,
        reason: str = "No",
        /,
        *,
        version: int = 13,
        body: bytes = b"",
        **fields: str | list[str],
    ) -> HandshakeRefused:
        """Return what an answer becomes.

        :param fields: ``_`` for ``-``; a list repeats one.
        """
        lines = {
            name.replace("_", "-"): [value] if isinstance(value, str) else value for name, value in fields.items()
        }
        with self.assertRaises(HandshakeRefused) as caught:
            check_switched(Answer(status, reason, lines, body=body), version)
        error: HandshakeRefused = caught.exception
        return error

    def assert_says(self, error: Exception, *parts: str) -> None:
        """Check that the text of an exception has these parts, in one line."""
        for part in parts:
            self.assertIn(part, str(error))
        self.assertEqual(str(error).splitlines(), [str(error)])


class SwitchedTests(SynchronousTestCase):
    def test_a_101_is_no_refusal(self) -> None:
        for version in (13, 8, 7, 76):
            check_switched(Answer(101, "", {}), version)

    def test_http_1_0_has_no_upgrade(self) -> None:
        with self.assertRaisesRegex(HandshakeFailed, "HTTP/1.0") as caught:
            check_switched(Answer(101, "", {}, http_version="1.0"), 13)
        self.assertNotIsInstance(caught.exception, HandshakeRefused)


class MendTests(RefusalTestCase):
    """What a user reads first."""

    def test_status_and_reason_are_told(self) -> None:
        self.assert_says(self.refused(418, "I'm a teapot"), "answered 418 I'm a teapot: ")
        self.assert_says(self.refused(418, ""), "answered 418: ")

    def test_each_status_has_its_mend(self) -> None:
        for status, *parts in (
            (200, "no WebSocket at this path", "proxy"),
            (204, "no WebSocket at this path"),
            (400, "version=76", "origin=...", "Host"),
            (401, "credentials", "ws://user:password@host/", "headers"),
            (403, "origin=...", "cookie", "credentials"),
            (404, "no WebSocket at this path", "URL"),
            (405, "no WebSocket at this path", "URL"),
            (407, "proxy='http://user:password@host:port'"),
            (418, "URL"),
            (421, "host name"),
            (426, "version=76"),
            (429, "later"),
            (500, "in trouble", "log"),
            (502, "in trouble", "log"),
            (503, "later"),
        ):
            with self.subTest(status):
                error = self.refused(int(status), "No")
                self.assert_says(error, str(status), *map(str, parts))
                self.assertNotIsInstance(error, VersionRefused)

    def test_who_spoke_hixie_is_told_to_try_another_version(self) -> None:
        for status in (400, 426):
            error = self.refused(status, version=76)
            self.assert_says(error, "version=13")
            self.assertNotIn("version=76", str(error))

    def test_a_redirection_tells_where_to_and_how_to_follow(self) -> None:
        for status in (301, 302, 303, 307, 308):
            error = self.refused(status, location="wss://example.com/new")
            self.assert_says(error, "wss://example.com/new", "max_redirects=5")

    def test_a_redirection_to_nowhere_is_not_to_be_followed(self) -> None:
        for status in (300, 302, 304):
            self.assertNotIn("max_redirects", str(self.refused(status)))


class DetailTests(RefusalTestCase):
    def test_status_fields_and_body_are_inside(self) -> None:
        error = self.refused(401, www_authenticate=["Basic", "Digest"], set_cookie="a=1", body=b"\x00\xff")
        self.assertEqual(
            (error.status, error.headers, error.body),
            (401, {"www-authenticate": ("Basic", "Digest"), "set-cookie": ("a=1",)}, b"\x00\xff"),
        )

    def test_plain_text_is_quoted_up_to_its_first_line_end(self) -> None:
        for kind in ("text/plain", "text/plain; charset=utf-8", "Text/Plain"):
            error = self.refused(403, body="\n héllo there \r\nmore".encode(), content_type=kind)
            self.assert_says(error, "(it says: héllo there)")

    def test_other_bodies_are_not_quoted(self) -> None:
        for kind in ("text/html", "application/json", ""):
            self.assertNotIn("hello", str(self.refused(403, body=b"<p>hello", content_type=kind)))
        self.assertNotIn("hello", str(self.refused(403, body=b"hello")))

    def test_a_body_of_nothing_is_not_quoted(self) -> None:
        for body in (b"", b" \r\n\t", b"\0\x1b"):
            self.assertNotIn("it says", str(self.refused(403, body=body, content_type="text/plain")))

    def test_a_body_that_is_no_utf_8_is_quoted_as_far_as_it_is(self) -> None:
        self.assert_says(self.refused(403, body=b"caf\xe9 hello", content_type="text/plain"), "hello")

    @properties
    @given(st.text(max_size=300), st.binary(max_size=300), st.sampled_from([200, 302, 400, 404, 426, 500]))
    def test_no_answer_writes_to_a_terminal_or_a_second_line(self, text: str, body: bytes, status: int) -> None:
        for version in ("8" + text, "13, 14"):
            error = self.refused(
                status, text, body=body, content_type="text/plain", location=text, sec_websocket_version=version
            )
            self.assertTrue(str(error).isprintable(), str(error))
            self.assertLess(len(str(error)), 1000)

    def test_long_answers_make_short_texts(self) -> None:
        error = self.refused(
            400,
            "n" * 9000,
            sec_websocket_version=",".join(map(str, range(100, 9000))),
            body=b"x" * 4096,
            content_type="text/plain",
        )
        self.assertLess(len(str(error)), 1000)
        self.assertLess(len(str(self.refused(302, location="/" + "x" * 9000))), 1000)


class VersionTests(RefusalTestCase):
    """RFC 6455 section 4.4."""

    def test_a_server_that_speaks_others_is_to_be_asked_for_one(self) -> None:
        for status in (400, 426):
            for spoken, mend in (
                ("8", "say version=8"),
                ("8, 7", "say version=8 or version=7"),
                (["7", "8"], "say version=8 or version=7"),
                ("6, 8", "say version=8"),
            ):
                error = self.refused(status, sec_websocket_version=spoken)
                self.assertIsInstance(error, VersionRefused)
                self.assert_says(error, "version 13", mend)

    def test_who_spoke_hixie_is_told_of_the_later_ones(self) -> None:
        error = self.refused(426, version=76, sec_websocket_version="13, 8, 7")
        self.assertIsInstance(error, VersionRefused)
        self.assert_says(error, "version 76", "13, 8, 7", "say version=13")

    def test_a_server_that_speaks_none_of_ours(self) -> None:
        error = self.refused(426, sec_websocket_version="14, 6")
        self.assertIsInstance(error, VersionRefused)
        self.assert_says(error, "14, 6", "we speak 13, 8, 7 and 76")

    def test_details_are_inside(self) -> None:
        error = self.refused(426, sec_websocket_version="8", body=b"no")
        self.assertEqual(
            (error.status, error.headers, error.body), (426, {"sec-websocket-version": ("8",)}, b"no")
        )

    def test_a_server_that_speaks_ours_refused_it_for_something_else(self) -> None:
        # Go's gorilla/websocket tells its version in each refusal.
        for spoken in ("13", "8, 13", ["8", "13"]):
            error = self.refused(400, sec_websocket_version=spoken)
            self.assertNotIsInstance(error, VersionRefused)
            self.assert_says(error, "origin=...")

    def test_an_empty_list_tells_nothing(self) -> None:
        for spoken in ("", " , ", ["", ""]):
            self.assertNotIsInstance(self.refused(426, sec_websocket_version=spoken), VersionRefused)

    def test_other_statuses_are_about_something_else(self) -> None:
        for status in (200, 403, 404, 500):
            self.assertNotIsInstance(self.refused(status, sec_websocket_version="8"), VersionRefused)
