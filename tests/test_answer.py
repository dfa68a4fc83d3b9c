"""HTTP answers as a client reads them: heads, bodies, and that it does not matter how they were cut."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.errors import HandshakeFailed
from hunchensocket_tx.wire.answer import MAX_BODY, MAX_CHUNK_LINE, MAX_FIELDS, MAX_HEAD, Answer, AnswerReader
from tests.wire_support import cut, cuts, properties, single_bytes

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"

CHUNKED = b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n"

HTTP_LIKE = st.lists(
    st.sampled_from(
        [
            b"HTTP/1.1 ",
            b"101 Yes\r\n",
            b"100 \r\n\r\n",
            b"404 No\r\n",
            b"A: b\r\n",
            b"Content-Length: 5\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"\r\n",
            b"\r",
            b"\n",
            b"3\r\nabc\r\n",
            b"0\r\n\r\n",
            b"x" * 5000,
            b"\x00\xff",
        ]
    )
    | st.binary(max_size=5),
    max_size=12,
).map(b"".join)
"""Bytes with a chance of being an answer."""


def outcome(pieces: Iterable[bytes]) -> Answer | str | None:
    """Return the answer in these bytes; why there is none; or None if more is wanted."""
    reader = AnswerReader((101,))
    try:
        for piece in pieces:
            answer = reader.receive(piece)
            if answer is not None:
                return answer
    except HandshakeFailed as error:
        # What it quotes of bytes that are not HTTP depends on how many there are.
        return str(error).partition("begins with")[0]
    return None


def read(data: bytes) -> Answer:
    """Return the answer that these bytes are."""
    answer = AnswerReader((101,)).receive(data)
    assert answer is not None, f"{data[:100]!r} is not complete"
    return answer


class ReadingTestCase(SynchronousTestCase):
    """Reads answers whole and in single bytes: the cut must never matter."""

    def assert_answer(self, data: bytes, expected: Answer) -> None:
        for pieces in ([data], single_bytes(data)):
            self.assertEqual(outcome(pieces), expected)

    def assert_fails(self, data: bytes, *parts: str) -> None:
        """Check that bytes are refused, with these parts in the text."""
        for pieces in ([data], single_bytes(data)):
            reason = outcome(pieces)
            assert isinstance(reason, str), f"{data[:100]!r} makes {reason}"
            for part in parts:
                self.assertIn(part, reason)

    def body(self, data: bytes) -> bytes:
        """Return the body of an answer, once there is as much of it as is kept."""
        answers = [outcome(pieces) for pieces in ([data], single_bytes(data))]
        self.assertEqual(answers[0], answers[1])
        assert isinstance(answers[0], Answer), answers
        return answers[0].body


class HeadTests(ReadingTestCase):
    """RFC 9112 sections 3 to 5."""

    def test_the_head_is_taken_apart(self) -> None:
        self.assert_answer(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX:\r\nx: \t a b\xe9 \t\r\n\r\n",
            Answer(101, "Switching Protocols", {"upgrade": ["websocket"], "x": ["", "a b\xe9"]}),
        )

    def test_the_reason_may_be_missing(self) -> None:
        for line in (b"HTTP/1.1 101", b"HTTP/1.1 101 "):
            self.assert_answer(line + b"\r\n\r\n", Answer(101, "", {}))

    def test_the_version_is_told(self) -> None:
        self.assert_answer(b"HTTP/1.0 101 Yes\r\n\r\n", Answer(101, "Yes", {}, "1.0"))

    def test_absent_fields_have_no_values(self) -> None:
        self.assertEqual(read(SWITCHED).all("sec-websocket-accept"), ())

    def test_what_is_no_status_line_fails(self) -> None:
        for line in (
            b"HTTP/1.1",
            b"HTTP/1.1 ",
            b"HTTP/1.1 99 No",
            b"HTTP/1.1 600 No",
            b"HTTP/1.1 1010 No",
            b"HTTP/1.1  101 No",
            b"HTTP/1.1\t101 No",
            b"HTTP/1.1 101\tNo",
            b"HTTP/1.1 101No",
            b"HTTP/1.1 +10 No",
            b"HTTP/1.1 \xb2\xb2\xb2 No",
            b"HTTP/1.2 101 No",
            b"HTTP/1.10 101 No",
            b"HTTP/1.1 101 N\ro",
            b"HTTP/1.1 101 N\no",
            b"HTTP/1.1 101 N\0o",
            b"HTTP/1.1 404 \x1b[2J",
        ):
            self.assert_fails(line + b"\r\n\r\n", "status line")

    def test_what_is_no_field_fails(self) -> None:
        for line in (
            b"no colon",
            b": no name",
            b"blank : before the colon",
            b" folded: line",
            b"\tfolded",
            b"A: b\nB: c",
            b"A: b\rB: c",
            b"A: b\0",
            b"A: b\x7f",
            b"N\xe9: b",
            b'"A": b',
        ):
            self.assert_fails(b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n" + line + b"\r\n\r\n", "field")

    def test_line_ends_are_cr_and_lf(self) -> None:
        self.assertIsNone(outcome([SWITCHED.replace(b"\r\n", b"\n")]))
        self.assertIsNone(outcome([SWITCHED.replace(b"\r\n", b"\r")]))

    def test_what_is_no_web_server_is_noticed_at_its_first_bytes(self) -> None:
        for data in (b"SSH-2.0-OpenSSH_9.2p1\r\n", b"220 mail ESMTP", b"\0", b"HTTP/2", b"http/1.1", b"\x88\x02"):
            self.assert_fails(data, "not a web server")
        with self.assertRaisesRegex(HandshakeFailed, "SSH-2.0-OpenSSH_9.2p"):
            AnswerReader(()).receive(b"SSH-2.0-OpenSSH_9.2p1\r\n")

    def test_a_tls_alert_tells_what_to_say(self) -> None:
        self.assert_fails(b"\x15\x03\x01\x00\x02\x02\x46", "TLS", "wss://")

    def test_a_beginning_of_the_right_kind_is_waited_for(self) -> None:
        for size in range(len(SWITCHED)):
            self.assertIsNone(outcome([SWITCHED[:size]]))


class LimitTests(ReadingTestCase):
    """What a server cannot make us keep."""

    def test_a_head_of_the_limit_is_taken_and_a_longer_one_refused_however_they_are_cut(self) -> None:
        start = b"HTTP/1.1 101 Yes\r\nA: "
        for size in range(MAX_HEAD - 4, MAX_HEAD + 5):
            head = start + b"a" * (size - len(start))
            for border in range(1, 5):
                end = size + border
                data = head + b"\r\n\r\n"
                with self.subTest(size=size, border=border):
                    answers = [outcome([data]), outcome([data[:end], data[end:]]), outcome([data[:-1], data[-1:]])]
                    kinds = {type(answer) for answer in answers}
                    self.assertEqual(kinds, {Answer if size <= MAX_HEAD else str})

    def test_a_head_without_an_end_is_refused(self) -> None:
        reader = AnswerReader((101,))
        reader.receive(b"HTTP/1.1 101 Yes\r\n")
        with self.assertRaisesRegex(HandshakeFailed, str(MAX_HEAD)):
            for _ in range(MAX_HEAD // 1000 + 2):
                reader.receive(b"a" * 1000)

    def test_there_are_not_too_many_fields(self) -> None:
        head = b"HTTP/1.1 101 Yes\r\n" + b"A: b\r\n" * MAX_FIELDS
        self.assertEqual(len(read(head + b"\r\n").all("a")), MAX_FIELDS)
        self.assert_fails(head + b"B: c\r\n\r\n", str(MAX_FIELDS))

    def test_a_quotation_of_what_is_wrong_is_short(self) -> None:
        for data in (b"HTTP/1.1 " + b"a" * 9999, b"HTTP/1.1 101 Yes\r\n" + b"a" * 9999):
            reason = outcome([data + b"\r\n\r\n"])
            assert isinstance(reason, str)
            self.assertLess(len(reason), 200)

    def test_the_line_before_a_chunk_is_not_too_long(self) -> None:
        longest = b"1;" + b"x" * (MAX_CHUNK_LINE - 4) + b"\r\n"
        self.assertEqual(self.body(CHUNKED + longest + b"a\r\n" + longest + b"b\r\n0\r\n"), b"ab")
        self.assertEqual(self.body(CHUNKED + b"1\r\na\r\n" + b"x" + longest), b"a")
        self.assertEqual(self.body(CHUNKED + b"1;" + b"x" * MAX_CHUNK_LINE), b"")

    def test_many_small_chunks_that_come_byte_by_byte_take_linear_time(self) -> None:
        # If each byte had all chunks taken apart again, this would take a minute.
        self.assertEqual(self.body(CHUNKED + b"1\r\na\r\n" * MAX_BODY), b"a" * MAX_BODY)


class BehindTheHeadTests(ReadingTestCase):
    """Interim answers before it, and what comes behind it."""

    def test_bytes_behind_a_101_are_kept(self) -> None:
        frames = b"\x81\x02hi\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
        for size in range(len(frames) + 1):
            reader = AnswerReader((101,))
            self.assertIsNotNone(reader.receive(SWITCHED + frames[:size]))
            self.assertEqual(reader.rest, frames[:size])

    def test_at_each_border_the_answer_and_the_rest_are_the_same(self) -> None:
        for border in range(len(SWITCHED)):
            reader = AnswerReader((101,))
            self.assertIsNone(reader.receive(SWITCHED[:border]))
            self.assertEqual(reader.receive(SWITCHED[border:] + b"\x81\x00"), read(SWITCHED))
            self.assertEqual(reader.rest, b"\x81\x00")

    def test_interim_answers_are_passed(self) -> None:
        interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        self.assert_answer(interim + SWITCHED, read(SWITCHED))
        self.assert_answer(interim + b"HTTP/1.1 204 No\r\n\r\n", Answer(204, "No", {}))

    def test_a_switch_that_nobody_asked_for_fails(self) -> None:
        with self.assertRaisesRegex(HandshakeFailed, "nobody asked for"):
            AnswerReader(range(200, 600)).receive(SWITCHED)

    def test_any_status_may_be_the_one_behind_which_something_begins(self) -> None:
        reader = AnswerReader(range(200, 600))
        answer = reader.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ntunnel")
        assert answer is not None
        self.assertEqual((answer.status, answer.body, reader.rest), (200, b"", b"tunnel"))


class BodyTests(ReadingTestCase):
    """RFC 9112 sections 6 and 7, as far as a quotation needs it."""

    HEAD = b"HTTP/1.1 404 Not Found\r\n"

    def test_a_body_of_known_length(self) -> None:
        self.assertEqual(self.body(self.HEAD + b"Content-Length: 5\r\n\r\nabcdef"), b"abcde")
        self.assertEqual(self.body(self.HEAD + b"Content-Length: 0\r\n\r\nabcdef"), b"")
        self.assertEqual(self.body(self.HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nabc"), b"ab")

    def test_a_long_body_is_kept_in_part(self) -> None:
        for fields in (b"", b"Content-Length: 99999999999999\r\n", b"Content-Length: 5000\r\n"):
            self.assertEqual(self.body(self.HEAD + fields + b"\r\n" + b"a" * 5000), b"a" * MAX_BODY)
        self.assertEqual(self.body(CHUNKED + b"1388\r\n" + b"a" * 5000), b"a" * MAX_BODY)

    def test_a_body_without_a_length_goes_on_until_the_end(self) -> None:
        for fields in (b"", b"Content-Length: x\r\n", b"Content-Length: 5\r\nContent-Length: 6\r\n"):
            reader = AnswerReader((101,))
            self.assertIsNone(reader.receive(self.HEAD + fields + b"\r\nabcdefg"))
            self.assertEqual(reader.end().body, b"abcdefg")

    def test_chunks_are_put_together(self) -> None:
        self.assertEqual(self.body(CHUNKED + b"3\r\nabc\r\nA ;x=y\r\n0123456789\r\n0\r\n\r\n"), b"abc0123456789")
        self.assertEqual(self.body(CHUNKED + b"1000\r\n" + b"a" * 4096 + b"\r\n"), b"a" * MAX_BODY)

    def test_what_is_no_chunk_ends_the_body(self) -> None:
        for nonsense in (b"", b"-1", b"0x3", b"x", b"+3", b"123456789", b"\xb2"):
            self.assertEqual(self.body(CHUNKED + b"3\r\nabc\r\n" + nonsense + b"\r\nabc"), b"abc")

    def test_some_statuses_have_none(self) -> None:
        for line in (b"204 No Content", b"304 Not Modified"):
            self.assertEqual(self.body(b"HTTP/1.1 " + line + b"\r\nContent-Length: 5\r\n\r\n"), b"")

    def test_the_head_stays_the_same_with_a_body(self) -> None:
        self.assert_answer(
            b"HTTP/1.0 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno",
            Answer(502, "Bad Gateway", {"content-length": ["2"]}, "1.0", b"no"),
        )


class EndTests(ReadingTestCase):
    """The connection ends before the answer does."""

    def test_nothing_was_said(self) -> None:
        with self.assertRaisesRegex(HandshakeFailed, "without an answer"):
            AnswerReader((101,)).end()

    def test_only_an_interim_answer_was_given(self) -> None:
        reader = AnswerReader((101,))
        reader.receive(b"HTTP/1.1 100 Continue\r\n\r\n")
        with self.assertRaisesRegex(HandshakeFailed, "without an answer"):
            reader.end()

    def test_the_head_is_not_complete(self) -> None:
        for size in range(1, len(SWITCHED)):
            reader = AnswerReader((101,))
            reader.receive(SWITCHED[:size])
            with self.assertRaisesRegex(HandshakeFailed, "in the midst"):
                reader.end()

    def test_what_there_is_of_a_body_is_told(self) -> None:
        for start in (b"HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\n", CHUNKED + b"9\r\n"):
            reader = AnswerReader((101,))
            self.assertIsNone(reader.receive(start + b"abc"))
            self.assertEqual(reader.end().body, b"abc")


class AnyBytesTests(SynchronousTestCase):
    """Whatever a server sends."""

    @properties
    @given(HTTP_LIKE, cuts)
    def test_the_cut_does_not_matter(self, data: bytes, places: list[int]) -> None:
        self.assertEqual(outcome(cut(data, places)), outcome([data]))
        self.assertEqual(outcome(single_bytes(b"HTTP/1.1 " + data)), outcome([b"HTTP/1.1 " + data]))

    @properties
    @given(HTTP_LIKE)
    def test_an_end_gives_an_answer_or_fails(self, data: bytes) -> None:
        reader = AnswerReader((101,))
        try:
            answer = reader.receive(b"HTTP/1.1 " + data) or reader.end()
        except HandshakeFailed:
            return
        self.assertLessEqual(len(answer.body), MAX_BODY)
