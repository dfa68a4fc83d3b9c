"""HeadRequest: a request that is taken apart only when somebody looks into it, and is then like any other."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from hunchensocket_tx.factory import GuardedSite
from tests.head_support import SETTINGS, Visit, head, send_to_both
from tests.wire_support import properties

NAMES = ["Host", "X-A", "x-a", "X-B", "Cookie", "Upgrade", "X-Nothing", "X-", "A", "X.A"]

VALUES = st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=12)

LOOKS = [
    "getHeader",
    "requestHeaders",
    "received_cookies",
    "getCookie",
    "client",
    "host",
    "responseHeaders",
]
"""What may be the first that somebody asks of a request."""


def look(request: Any, what: str) -> Any:
    """Ask a request for something."""
    if what == "getHeader":
        return [request.getHeader(name.encode()) for name in NAMES]
    if what == "getCookie":
        return request.getCookie(b"a")
    if what == "requestHeaders":
        return list(request.requestHeaders.getAllRawHeaders())
    if what == "responseHeaders":
        return sorted(name for name, _ in request.responseHeaders.getAllRawHeaders())
    return getattr(request, what)


class LookingTest(SynchronousTestCase):
    """Whatever is asked first, the answers are those of twisted.web's own requests."""

    def assert_same(self, data: bytes, looks: list[str]) -> None:
        pair = send_to_both([data], factory=True, look=lambda request: [look(request, what) for what in looks])
        self.assertEqual(pair.lean.status, 101)
        self.assertEqual(pair.lean_world.seen, pair.plain_world.seen)

    @given(st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=5), st.permutations(LOOKS))
    @properties
    def test_in_any_order(self, fields: list[tuple[str, str]], looks: list[str]) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields if name not in ("Host", "Upgrade"))
        self.assert_same(head("/chat/x?y=z", Cookie="a=b")[:-2] + lines.encode("latin-1") + b"\r\n", looks)

    def test_names_may_be_text(self) -> None:
        def ask(request: Any) -> list[Any]:
            return [request.getHeader(name) for name in ("host", "x-a", "X-None")]

        data = head("/chat", **{"X-A": "gr\xc3\xbc\xc3\x9fe"})
        pair = send_to_both([data], factory=True, look=ask)
        self.assertEqual(pair.plain_world.seen, [["example.com", "gr\xfc\xdfe", None]])
        self.assertEqual(pair.lean_world.seen, pair.plain_world.seen)

    def test_what_is_set_before_is_not_lost_when_it_is_taken_apart(self) -> None:
        def set_and_look(request: Any) -> Any:
            request.client = "somebody else"
            request.code = 102
            request.own = "kept"
            waiting = request.notifyFinish()
            request.requestHeaders.hasHeader(b"host")
            return (
                request.client,
                request.code,
                request.own,
                request.notifications == [waiting],
                request.site is None,
            )

        pair = send_to_both([head("/chat")], factory=True, look=set_and_look)
        self.assertEqual(pair.lean_world.seen, pair.plain_world.seen)

    def test_what_is_set_without_a_look_counts_for_the_answer(self) -> None:
        def set_fields(request: Any) -> None:
            request.responseHeaders = Headers({b"X-Answer": [b"1"]})

        def set_cookies(request: Any) -> None:
            request.cookies = [b"a=b"]

        for change, line in ((set_fields, b"x-answer: 1"), (set_cookies, b"set-cookie: a=b")):
            pair = send_to_both([head("/chat")], factory=True, look=change)
            self.assertIn(line, pair.lean.received.lower())

    def test_attributes_that_no_request_has_are_missed(self) -> None:
        def ask(request: Any) -> list[bool]:
            return [hasattr(request, "nothing"), hasattr(request, "requestHeaders"), hasattr(request, "nothing")]

        pair = send_to_both([head("/chat")], factory=True, look=ask)
        self.assertEqual(pair.lean_world.seen, [[False, True, False]])

    def test_fields_and_cookies_can_be_set_for_the_answer(self) -> None:
        def set_some(request: Any) -> None:
            request.setHeader(b"X-Own", b"1")
            request.addCookie(b"a", b"b")

        pair = send_to_both([head("/chat")], factory=True, look=set_some)
        self.assertIn(b"\r\nX-Own: 1\r\n", pair.lean.received)
        self.assertEqual(pair.lean.answer, pair.plain.answer)

    def test_no_value_keeps_it_busy_for_long(self) -> None:
        # It would take seconds for each look, if the time grew with the square.
        for value in ("a" + " " * 15000 + "b", "\t" * 15000, " \t" * 7500 + "a"):
            self.assert_same(head("/chat", **{"X-A": value}), ["getHeader"])


class RenderedTest(SynchronousTestCase):
    """It can be answered as any other, though nobody has looked into it."""

    def test_a_leaf_may_answer_it(self) -> None:
        class Leaf(Resource):
            isLeaf = True  # noqa: N815

            def render(self, request: Any) -> Any:
                request.write(b"hello")
                request.finish()
                return NOT_DONE_YET

        answers = [
            Visit(site).send(head("/")).answer
            for site in (Site(Leaf(), reactor=Clock()), GuardedSite(Leaf(), SETTINGS, Clock()))
        ]
        self.assertEqual(answers[0], answers[1])
