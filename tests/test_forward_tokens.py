"""Tests of the tokens that lead to targets (hunchensocket_tx.forward_tokens)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from hunchensocket_tx import InvalidSetting, Reject
from hunchensocket_tx.forward_tokens import ForwardTokens, token_of


def request(*segments: bytes, **arguments: bytes) -> Any:
    """Return a request for segments below the resource's path, with a query."""
    made: Any = DummyRequest(list(segments))
    made.args = {name.encode(): [value] for name, value in arguments.items()}
    return made


class FolderCase(SynchronousTestCase):
    """Tests in a new folder of their own."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "tokens"

    def tokens(self, text: str) -> ForwardTokens:
        """Return the table of a file with a text."""
        self.path.write_text(text)
        return ForwardTokens(self.path, MemoryReactorClock())

    def replace(self, text: str) -> None:
        """Put another file in its place, as editors do; in place, in the same tick of the file system's clock and
        with the same size, a change would not be seen."""
        other = self.folder / "other"
        other.write_text(text)
        other.rename(self.path)


class TokenTests(SynchronousTestCase):
    """Where the token is in a request."""

    def test_it_is_the_last_segment_of_the_path(self) -> None:
        self.assertEqual(token_of(request(b"one", b"gr\xc3\xbc\xc3\x9fe")), "grüße")

    def test_the_query_goes_before_the_path(self) -> None:
        self.assertEqual(token_of(request(b"one", token=b"two")), "two")

    def test_there_may_be_none(self) -> None:
        for empty in (request(), request(b"")):
            self.assertEqual(token_of(empty), "")

    @given(st.binary())
    def test_any_bytes_are_some_token(self, token: bytes) -> None:
        self.assertIsInstance(token_of(request(token)), str)


class TableTests(FolderCase):
    """What is in a table."""

    def test_a_token_leads_to_its_target(self) -> None:
        tokens = self.tokens(
            "# who leads where\n\none: localhost:5901\ntwo:\t unix:/run/two.sock\n"
            "  a:b: [::1]:5902 \nold: unix_socket:/run/old.sock\n"
        )
        for token, target in (
            (b"one", "localhost:5901"),
            (b"two", "unix:/run/two.sock"),
            (b"a:b", "[::1]:5902"),
            (b"old", "unix_socket:/run/old.sock"),
        ):
            self.assertEqual(tokens(request(token)), target)

    def test_an_unknown_token_is_refused(self) -> None:
        tokens = self.tokens("one: localhost:5901\n")
        for refused in (request(b"two"), request(), request(b"one", token=b"two"), request(b"one:")):
            answer = tokens(refused)
            assert isinstance(answer, Reject)
            self.assertEqual(answer.status, 404)

    def test_a_folder_has_the_tokens_of_its_files(self) -> None:
        self.path.write_text("one: localhost:5901\n")
        (self.folder / "more").write_text("two: localhost:5902\n")
        for name in (".hidden", "backup~"):
            (self.folder / name).write_text("two: localhost:5903\n")
        (self.folder / "folder").mkdir()
        tokens = ForwardTokens(self.folder, MemoryReactorClock())
        self.assertEqual(tokens(request(b"one")), "localhost:5901")
        self.assertEqual(tokens(request(b"two")), "localhost:5902")
        (self.folder / "third").write_text("three: localhost:5903\n")
        self.assertEqual(tokens(request(b"three")), "localhost:5903")

    def test_what_is_wrong_is_told_with_its_place(self) -> None:
        for text, *words in (
            ("one: localhost:5901\ntwo localhost:5902\n", "line 2", "token: host:port"),
            ("one:localhost:5901\n", "line 1", "token: host:port"),
            (": localhost:5901\n", "line 1", "token: host:port"),
            ("one:\n", "line 1", "token: host:port"),
            ("one: localhost\n", "line 1", "'localhost'"),
            ("one: a:1\none: a:2\n", "line 2", "'one'", "already"),
        ):
            with self.subTest(text=text), self.assertRaises(InvalidSetting) as raised:
                self.tokens(text)
            for word in ("tokens: ", str(self.path), *words):
                self.assertIn(word, str(raised.exception))

    def test_a_file_that_is_not_there_or_not_text_is_told(self) -> None:
        with self.assertRaisesRegex(InvalidSetting, "tokens: .*No such file"):
            ForwardTokens(self.folder / "none", Clock())
        self.path.write_bytes(b"\xff: a:1\n")
        with self.assertRaisesRegex(InvalidSetting, f"tokens: {self.path} is not UTF-8"):
            ForwardTokens(self.path, Clock())


class ChangeTests(FolderCase):
    """A table that changes is read again."""

    def test_a_change_counts_at_once(self) -> None:
        tokens = self.tokens("one: localhost:5901\n")
        self.replace("one: localhost:5902\n")
        self.assertEqual(tokens(request(b"one")), "localhost:5902")

    def test_it_is_read_only_if_it_has_changed(self) -> None:
        tokens = self.tokens("one: localhost:5901\n")
        self.patch(Path, "read_text", lambda path, encoding: self.fail("there is nothing new in it"))
        self.assertEqual(tokens(request(b"one")), "localhost:5901")

    def test_a_mistake_leaves_all_as_it_was_and_is_told_once(self) -> None:
        tokens = self.tokens("one: localhost:5901\n")
        for spoil in (lambda: self.replace("one: localhost:5902\nnonsense\n"), lambda: os.unlink(self.path)):
            spoil()
            with capturedLogs() as events:
                for _ in range(3):
                    self.assertEqual(tokens(request(b"one")), "localhost:5901")
            errors = [event for event in events if event["log_level"] is LogLevel.error]
            self.assertEqual(len(errors), 1)
            self.assertIn(str(self.path), str(errors[0]["error"]))
        self.replace("one: localhost:5903\n")
        self.assertEqual(tokens(request(b"one")), "localhost:5903")
