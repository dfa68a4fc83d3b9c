"""The fuzz targets, over their corpora and without atheris; and whether what they share notices anything."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from fuzz import fuzz_answer, fuzz_handshake, fuzz_hixie, fuzz_hybi
from fuzz.common import Input, assembled, assert_same_pieces, cut, echo, feed
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.events import Closed, Event, Failed, Opened, Piece, Ping
from hunchensocket_tx.wire.hixie import HixieCodec
from hunchensocket_tx.wire.hybi import HybiCodec

FUZZ = Path(fuzz_hixie.__file__).parent


class CorpusTests(SynchronousTestCase):
    """What was found once is not found again."""

    def run_corpus(self, name: str, check: Callable[[bytes], None]) -> None:
        inputs = sorted((FUZZ / "corpus" / name).iterdir())
        self.assertTrue(inputs)
        for path in inputs:
            try:
                check(path.read_bytes())
            except Exception as error:
                raise AssertionError(f"{path}: {error!r}") from error

    def test_the_corpus_of_hixie_passes(self) -> None:
        self.run_corpus("hixie", fuzz_hixie.check)

    def test_the_corpus_of_hybi_passes(self) -> None:
        self.run_corpus("hybi", fuzz_hybi.check)

    def test_the_corpus_of_the_handshake_passes(self) -> None:
        self.run_corpus("handshake", fuzz_handshake.check)

    def test_the_corpus_of_the_answer_passes(self) -> None:
        self.run_corpus("answer", fuzz_answer.check)

    def test_an_empty_input_passes(self) -> None:
        for check in (fuzz_hixie.check, fuzz_hybi.check, fuzz_handshake.check, fuzz_answer.check):
            check(b"")

    def test_targets_can_be_imported_without_atheris(self) -> None:
        program = (
            "import sys; sys.modules['atheris'] = None; import fuzz.__main__, fuzz.fuzz_hixie, fuzz.fuzz_hybi, "
            "fuzz.fuzz_handshake, fuzz.fuzz_answer"
        )
        subprocess.run([sys.executable, "-c", program], cwd=FUZZ.parent, check=True)


class InputTests(SynchronousTestCase):
    """How an input is taken apart."""

    def test_an_input_is_taken_from_the_front(self) -> None:
        source = Input(b"\x05\x04abcd")
        self.assertEqual(
            (source.byte(), source.choose("xyz"), source.take(2), bool(source), source.rest(), bool(source)),
            (5, "y", b"ab", True, b"cd", False),
        )

    def test_an_input_that_is_used_up_gives_zeros(self) -> None:
        source = Input(b"")
        self.assertEqual((source.byte(), source.choose("xyz"), source.take(2)), (0, "x", b""))

    def test_cutting_loses_nothing(self) -> None:
        for sizes in (b"", b"\x00", b"\x01", b"\x00\x03", b"\xff"):
            self.assertEqual(b"".join(cut(b"0123456789", sizes)), b"0123456789")

    def test_sizes_are_used_over_and_over(self) -> None:
        self.assertEqual(list(cut(b"012345", b"\x01\x02")), [b"0", b"12", b"3", b"45"])


class Scripted(HixieCodec):
    """A codec that tells what it is told to, in place of what arrives."""

    __slots__ = ("script",)

    def __init__(self, *script: list[Event]) -> None:
        super().__init__(Settings())
        self.script = list(script)

    def receive(self, data: bytes) -> list[Event]:
        return self.script.pop(0) if self.script else []


class FeedTests(SynchronousTestCase):
    """What is noticed of any codec."""

    def test_events_behind_the_end_are_noticed(self) -> None:
        for end in (Closed(), Failed(1002, "no")):
            with self.assertRaises(AssertionError):
                feed(Scripted([Opened()], [end, "late"]), [b"x"], 100)
            with self.assertRaises(AssertionError):
                feed(Scripted([end], [], ["late"]), [b"x"], 100)
            self.assertEqual(feed(Scripted([end]), [b"x"], 100), [end])

    def test_two_ends_are_noticed(self) -> None:
        with self.assertRaises(AssertionError):
            feed(Scripted([Closed(), Failed(1002, "no")]), [b"x"], 100)

    def test_bytes_that_are_kept_over_the_limit_are_noticed(self) -> None:
        text = b"\x00" + b"a" * 20
        self.assertEqual(feed(HixieCodec(Settings()), [text], 20), [Opened()])
        with self.assertRaises(AssertionError):
            feed(HixieCodec(Settings()), [text], 19)

    def test_a_message_that_does_not_come_back_is_noticed(self) -> None:
        echo(["one", "two"], HixieCodec(Settings()), HixieCodec(Settings()), b"\x01")
        with self.assertRaises(AssertionError):
            echo(["one", "two"], HixieCodec(Settings()), Scripted([Opened()], ["one"]), b"\x01")

    def test_parts_are_sent_back_too(self) -> None:
        sender = HybiCodec(Settings())
        echo(["hällo", b"", b"\x00" * 300], sender, HybiCodec(Settings(), client=True), b"\x07")


class PieceTests(SynchronousTestCase):
    """How events of one stream are compared that was cut differently."""

    def test_pieces_are_assembled_where_the_last_one_is(self) -> None:
        events: list[Event] = [Opened(), Piece("a", False), Ping(b""), Piece("b", True), Piece(b"c", True)]
        self.assertEqual(assembled(events), [Opened(), Ping(b""), "ab", b"c"])

    def test_an_incomplete_message_is_left_out(self) -> None:
        self.assertEqual(assembled([Piece("a", False), Failed(1007, "")]), [Failed(1007, "")])

    def test_it_does_not_matter_how_many_pieces_there_are(self) -> None:
        assert_same_pieces([Piece("ab", False)], [Piece("a", False), Piece("b", False)])

    def test_pieces_that_differ_are_noticed(self) -> None:
        others: list[list[Event]] = [[Piece("b", False)], [Piece("a", True)], [Ping(b""), Piece("a", False)], []]
        for other in others:
            with self.assertRaises(AssertionError):
                assert_same_pieces([Piece("a", False)], other)

    def test_a_broken_message_may_have_been_told_in_part(self) -> None:
        assert_same_pieces([Failed(1007, "")], [Piece("a", False), Failed(1007, "")])

    def test_a_complete_message_before_a_failure_has_to_be_told(self) -> None:
        with self.assertRaises(AssertionError):
            assert_same_pieces([Failed(1007, "")], [Piece("a", True), Failed(1007, "")])
