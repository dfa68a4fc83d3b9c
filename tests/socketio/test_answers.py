"""Tests of hunchensocket_tx.socketio.answers: what requests are answered with, over HTTP and for WebSockets."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from hunchensocket_tx.socketio.answers import (
    BUSY,
    FORBIDDEN,
    TOO_LARGE,
    UNKNOWN_SESSION,
    answer,
    answer_error,
    is_gone,
    read_body,
    reject,
)


class AnswerTests(SynchronousTestCase):
    """Answers as clients get them."""

    def setUp(self) -> None:
        request: Any = DummyRequest([b""])
        request.channel = object()
        self.request = request

    def test_an_answer_is_not_to_be_kept_nor_taken_for_something_else(self) -> None:
        answer(self.request, "4€".encode())
        fields = {name.lower(): values for name, values in self.request.responseHeaders.getAllRawHeaders()}
        self.assertEqual(self.request.written, ["4€".encode()])
        self.assertEqual(self.request.finished, 1)
        self.assertEqual(fields[b"content-type"], [b"text/plain; charset=UTF-8"])
        self.assertEqual(fields[b"content-length"], [b"4"])
        self.assertEqual(fields[b"cache-control"], [b"no-store"])
        self.assertEqual(fields[b"x-content-type-options"], [b"nosniff"])

    def test_who_is_gone_is_not_answered(self) -> None:
        self.request.channel = None
        self.assertTrue(is_gone(self.request))
        answer_error(self.request, FORBIDDEN)
        self.assertEqual(self.request.written, [])

    def test_errors_have_a_code_where_there_is_one(self) -> None:
        answer_error(self.request, UNKNOWN_SESSION)
        self.assertEqual(self.request.responseCode, 400)
        self.assertEqual(self.request.written, [b'{"code":1,"message":"Session ID unknown"}'])
        self.assertEqual(json.loads(TOO_LARGE.body), {"message": "Payload too large"})

    def test_who_comes_too_late_is_told_when_to_come_again(self) -> None:
        answer_error(self.request, BUSY)
        self.assertEqual(self.request.responseHeaders.getRawHeaders(b"retry-after"), [b"5"])
        self.assertIn(("Retry-After", "5"), reject(BUSY).headers)

    def test_a_websocket_is_refused_in_the_same_words(self) -> None:
        refusal = reject(FORBIDDEN)
        self.assertEqual((refusal.status, refusal.body), (403, b'{"code":4,"message":"Forbidden"}'))
        self.assertEqual(tuple(refusal.headers), (("Content-Type", "application/json"),))

    def test_bodies_are_read_up_to_a_limit(self) -> None:
        self.request.content = BytesIO(b"12345")
        self.assertEqual(read_body(self.request, 5), b"12345")
        self.assertEqual(read_body(self.request, 5), b"12345")
        self.assertIsNone(read_body(self.request, 4))
