"""Tests of hunchensocket_tx.socketio.engine.lean_http: what is a poll, and what is not."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.socketio.engine.lean_http import (
    Unusual,
    content_type_of,
    field_lines,
    make_answer,
    read_head,
)

GET = b"GET /a/?EIO=4&sid=x&t=1&sid=y HTTP/1.1\r\nHost: h\r\nX-Y:z\r\n\r\n"
POST = b"POST /a/?sid=x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX: y\r\n\r\nhello"


class HeadTests(SynchronousTestCase):
    """Heads of requests."""

    def test_a_get(self) -> None:
        head = read_head(GET + b"more")
        assert head is not None
        self.assertEqual(head.line, b"GET /a/?EIO=4&sid=x&t=1&sid=y HTTP/1.1")
        self.assertEqual(head.path, b"/a/")
        self.assertEqual(head.parameters, {b"EIO": b"4", b"sid": b"y", b"t": b"1"})
        self.assertEqual(head.fields, b"\r\nHost: h\r\nX-Y:z")
        self.assertEqual((head.size, head.body_size), (len(GET), None))

    def test_a_post_and_its_length_wherever_it_is(self) -> None:
        fields = [b"Host: h", b"X: y"]
        for name in (b"Content-Length", b"content-length"):
            for place in range(3):
                lines = [*fields[:place], name + b": 5", *fields[place:]]
                head = read_head(b"\r\n".join([b"POST /a/?sid=x HTTP/1.1", *lines, b"", b"hello"]))
                assert head is not None
                self.assertEqual((head.fields, head.body_size), (b"\r\nHost: h\r\nX: y", 5))

    def test_a_part_of_one_is_none(self) -> None:
        for data in (GET, POST.removesuffix(b"hello")):
            for size in range(len(data)):
                self.assertIsNone(read_head(data[:size]))

    def test_what_is_unusual_is_told(self) -> None:
        for data in (
            GET.replace(b"GET", b"PUT"),
            GET.replace(b"GET", b"get"),
            GET.replace(b"1.1", b"1.0"),
            GET.replace(b"/a/?", b"/a/"),
            GET.replace(b"/a/?", b"http://h/a/? "),
            GET.replace(b"&t=1", b";t=1"),
            GET.replace(b"GET ", b"GET  "),
            GET.replace(b"1.1\r\n", b"1.1\n"),
            b"\r\n" + GET,
            GET.replace(b"z", b"z" * 17000),
            b"x" * 17000,
            POST.replace(b"Content-Length: 5\r\n", b""),
            POST.replace(b"Length: 5", b"LENGTH: 5"),
            *(
                POST.replace(b" 5", length)
                for length in (b" +5", b" -5", b" 5 ", b"  5", b" 0x5", b" ", b" 5,5", b" 5" * 10)
            ),
        ):
            with self.assertRaises(Unusual, msg=data[:100]):
                read_head(data)


class FieldTests(SynchronousTestCase):
    """Fields of requests."""

    def test_the_type_of_the_body_is_told(self) -> None:
        self.assertEqual(
            content_type_of(b"\r\nHost: h\r\nContent-type:text/plain;charset=UTF-8 "), "text/plain;charset=UTF-8"
        )
        self.assertEqual(content_type_of(b"\r\nHost: h\r\nConnection: Keep-Alive"), "")
        self.assertEqual(content_type_of(b""), "")

    def test_what_is_unusual_is_told(self) -> None:
        for line in (
            b"Content-Length: 5",
            b"content-length:5",
            b"Transfer-Encoding: chunked",
            b"Expect: 100-continue",
            b"Upgrade: websocket",
            b"Connection: close",
            b"Connection: keep-alive, upgrade",
            b" folded",
            b"no field",
            b"Content-Length : 5",
            b": x",
            b"X: a\nContent-Length: 5",
            b"X: a\rContent-Length: 5",
            b"X: a\x00",
            b"X\x80: a",
        ):
            for fields in (b"\r\nHost: h\r\n" + line, b"\r\n" + line + b"\r\nHost: h"):
                with self.assertRaises(Unusual, msg=fields):
                    content_type_of(fields)


class AnswerTests(SynchronousTestCase):
    """Answers."""

    def test_one(self) -> None:
        fields = field_lines([(b"Server", [b"s"]), (b"Vary", [b"a", b"b"])])
        answer = make_answer(400, fields, b"text/plain", b"body")
        self.assertRegex(
            answer,
            rb"\AHTTP/1.1 400 Bad Request\r\nServer: s\r\nVary: a\r\nVary: b\r\nDate: [^\r]+ GMT\r\n"
            rb"Content-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody\Z",
        )
