"""HeadReader: whatever a client sends, it is answered as by twisted.web, and dispatchers see the same request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import HTTPChannel
from twisted.web.server import Request

from hunchensocket_tx.head_reader import MAX_HEAD, HeadReader
from tests.head_support import (
    FIELDS_13,
    FIELDS_76,
    PAGE,
    Pair,
    Visit,
    World,
    details,
    head,
    lean_site,
    plain_site,
    send_to_both,
)
from tests.hybi_stream_support import masked, text
from tests.support import KEY3, RESPONSE, frame_76
from tests.wire_support import properties

TARGETS = [
    "/chat",
    "/chat/room%201?a=b&a=c&d=",
    "/no",
    "/nobody",
    "/back",
    "/page",
    "/nowhere",
    "/fail",
    "*",
    "x",
    "/",
]

NAMES = st.sampled_from(
    [
        *(*FIELDS_13, *FIELDS_76, "Cookie", "Authorization", "Content-Length", "Expect", "Transfer-Encoding"),
        *("Content-Type", "Sec-WebSocket-Protocol", "X-Forwarded-For", "x-y", "x"),
    ]
)

VALUES = st.one_of(
    st.sampled_from(
        ["", " ", "a: b", "\t tabs \t", "caf\xe9", "a=b; c=d; e", "Basic bWFsbG9yeTpzZWNyZXQ=", "close"]
    ),
    st.sampled_from(
        ["Upgrade, close", "websocket", "h2c", "13", "8", "0", "chunked", "100-continue", "chat, talk"]
    ),
    st.sampled_from(["example.com:81", "a\0b", "\x7f"]),
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=20),
)

EXTRA = st.lists(st.tuples(NAMES, VALUES), max_size=4)

BYTES = st.one_of(
    st.sampled_from([b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\r\n ", b"\r\n\r\n", b"?", b"a"]),
    st.binary(min_size=1, max_size=1),
)

MUTATIONS = st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 3), BYTES), max_size=3)
"""Where, of the whole; how many bytes to take out; what to put there."""


def cut(data: bytes, places: Sequence[float]) -> list[bytes]:
    """Cut data at places from 0 to 1."""
    ends = sorted({int(place * len(data)) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False) if start < end]


def mutate(data: bytes, mutations: Sequence[tuple[float, int, bytes]]) -> bytes:
    """Change some bytes."""
    for place, out, new in mutations:
        position = int(place * len(data))
        data = data[:position] + new + data[position + out :]
    return data


class OwnRequest(Request):
    """A request of a site's own kind."""


class SameCase(SynchronousTestCase):
    """Compares two sites."""

    def assert_same(self, *pieces: bytes, **options: Any) -> Pair:
        """Check that both answer, and tell dispatchers, the same; that ours may serve one request fewer."""
        pair = send_to_both(pieces, **options)
        self.flushLoggedErrors(ZeroDivisionError)
        plain, lean = pair.plain, pair.lean
        if isinstance(lean.transport.protocol, HeadReader) and b"\r\n\r\n" not in b"".join(pieces):
            self.assertEqual(lean.answer, b"")  # it waits for the end, where twisted.web may find fault at once
        elif lean.transport.ended and plain.answer != lean.answer:
            self.assertTrue(plain.answer.startswith(lean.answer), (plain.answer, lean.answer))
            self.assertEqual(pair.plain_world.seen[: len(pair.lean_world.seen)], pair.lean_world.seen)
            self.assertTrue(lean.answer)
        else:
            self.assertEqual(plain.answer, lean.answer)
            self.assertEqual(pair.plain_world.seen, pair.lean_world.seen)
        return pair


class SamenessTest(SameCase):
    """All that a client may send, in all pieces."""

    @given(
        st.sampled_from(TARGETS),
        st.sampled_from([FIELDS_13, FIELDS_76]),
        EXTRA,
        st.booleans(),
        MUTATIONS,
        st.lists(st.floats(0, 1), max_size=3),
        st.sampled_from([b"", KEY3, KEY3 + frame_76("early"), masked(text("early")), PAGE]),
        st.booleans(),
        st.sampled_from([details, lambda request: None]),
    )
    @properties
    def test_each_request_is_answered_as_by_twisted_web(
        self,
        target: str,
        fields: dict[str, str],
        extra: list[tuple[str, str]],
        in_front: bool,
        mutations: list[tuple[float, int, bytes]],
        places: list[float],
        behind: bytes,
        factory: bool,
        look: Any,
    ) -> None:
        pairs = [*extra, *fields.items()] if in_front else [*fields.items(), *extra]
        lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in pairs), "", ""]
        data = mutate("\r\n".join(lines).encode("latin-1"), mutations)
        self.assert_same(*cut(data + behind, places), factory=factory, look=look)

    def test_each_end_of_a_request_is_the_same(self) -> None:
        for target in (*TARGETS, "/fails", "/slow"):
            for factory in (False, True):
                for look in (details, lambda request: None):
                    with self.subTest(target=target, factory=factory, look=look):
                        pair = self.assert_same(head(target), factory=factory, look=look)
                        self.assertTrue(pair.lean.received)

    def test_a_subclass_of_request_is_used_as_by_twisted_web(self) -> None:
        clock = Clock()
        world = World(clock, look=type)
        for site in (plain_site(world, clock), lean_site(world, clock)):
            site.requestFactory = OwnRequest
            self.assertEqual(Visit(site).send(head()).status, 101)
        self.assertEqual(world.seen, [OwnRequest, OwnRequest])

    def test_it_may_be_cut_anywhere(self) -> None:
        for data in (
            head("/chat/x?y=z", Cookie="a=b") + masked(text("early")),
            head("/chat", FIELDS_76) + KEY3 + frame_76("early"),
        ):
            for position in range(len(data)):
                with self.subTest(position=position):
                    pair = self.assert_same(data[:position], data[position:])
                    self.assertEqual(pair.lean.status, 101)

    def test_it_may_come_byte_by_byte(self) -> None:
        data = head("/chat", FIELDS_76) + KEY3 + frame_76("early")
        pair = self.assert_same(*(data[index : index + 1] for index in range(len(data))))
        self.assertEqual(pair.lean.body, RESPONSE + frame_76("early"))

    def test_dispatchers_see_the_same_request(self) -> None:
        data = head(
            "/chat/a%20b//c?x=1&x=2&empty=",
            Host="chat.example:8080",
            Cookie="a=b; c=d",
            Authorization="Basic bWFsbG9yeTpzZWNyZXQ=",
            X_Latin="\xe9\xff",
            X_Empty="",
        )
        seen = self.assert_same(data).lean_world.seen[0]
        self.assertEqual(seen["postpath"], [b"a b", b"", b"c"])
        self.assertEqual((seen["user"], seen["password"]), (b"mallory", b"secret"))
        self.assertEqual(seen["cookies"], {b"a": b"b", b"c": b"d"})
        self.assertEqual(seen["args"], {b"x": [b"1", b"2"], b"empty": [b""]})


class UnusualTest(SameCase):
    """What is left to twisted.web."""

    def assert_left(self, *pieces: bytes) -> Pair:
        """Check that a channel of twisted.web has taken over."""
        pair = self.assert_same(*pieces)
        self.assertNotIsInstance(pair.lean.transport.protocol, HeadReader)
        return pair

    def test_other_methods_and_versions_are(self) -> None:
        for first in (b"POST /chat HTTP/1.1", b"get /chat HTTP/1.1", b"GET /chat HTTP/1.0", b"GET /chat HTTP/2.0"):
            with self.subTest(first=first):
                self.assert_left(first + head().partition(b" HTTP/1.1")[2])

    def test_first_lines_that_are_none_are(self) -> None:
        for first in (b"", b"GET", b"GET  /chat HTTP/1.1", b"GET /a b HTTP/1.1", b" GET /"):
            with self.subTest(first=first):
                self.assert_left(first + b"\r\n" + head().partition(b"\r\n")[2])

    def test_requests_without_upgrade_are(self) -> None:
        self.assertEqual(self.assert_left(PAGE).lean.body, b"a page")
        self.assertEqual(self.assert_left(head("/chat", {"Host": "a"})).lean.status, 426)
        self.assertEqual(self.assert_left(head(Upgrade=None)).lean.status, 400)

    def test_requests_with_a_body_are(self) -> None:
        for fields in ({"Content-Length": "8"}, {"content-LENGTH": "0"}, {"Transfer-Encoding": "chunked"}):
            with self.subTest(fields=fields):
                self.assert_left(head("/chat", FIELDS_76, **fields) + KEY3)
        self.assertEqual(self.assert_left(head(Expect="100-continue")).lean.received.count(b"HTTP/1.1 100 "), 1)

    def test_lines_that_end_or_go_on_in_other_ways_are(self) -> None:
        usual = head(X_A="1", X_B="2")
        for old, new in (
            (b"\r\nX-B", b"\nX-B"),
            (b"\r\nX-B", b"\r\n X-B"),
            (b"\r\nX-B", b"\rX-B"),
            (b"X-B: 2", b"X-B"),
            (b"X-B: 2", b"X B: 2"),
            (b"X-B: 2", b"X-B : 2"),
            (b"X-B: 2", b": 2"),
            (b"X-B: 2", b"X-B: \x00"),
            (b"X-B: 2", b"X-B: \x7f"),
            (b"X-B: 2", b"X-\xc4: 2"),
        ):
            with self.subTest(new=new):
                self.assert_left(usual.replace(old, new))

    def test_an_empty_line_before_the_first_is(self) -> None:
        self.assertEqual(self.assert_left(b"\r\n" + head()).lean.status, 101)

    def test_heads_that_are_too_large_are(self) -> None:
        for data in (
            head(X_Long="x" * MAX_HEAD),
            head("/chat?" + "x" * MAX_HEAD),
            b"GET /" + b"x" * MAX_HEAD,
            head(X_Long="x" * (MAX_HEAD - 300))[:-2] + b"X-Y: z\r\n" * 40 + b"\r\n",
        ):
            self.assert_left(data)
            self.assert_left(*(data[start : start + 1000] for start in range(0, len(data), 1000)))

    def test_heads_with_too_many_fields_are(self) -> None:
        for count in (490, 501, 3000):
            pair = self.assert_same(head()[:-2] + b"a:\r\n" * count + b"\r\n")
            self.assertEqual(pair.lean.status, 101 if count < 495 else 400)

    def test_what_is_no_http_is(self) -> None:
        for data in (
            b"\x16\x03\x01\x02\x00\x01",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\0" * 9,
            b"SSH-2.0-x\r\n",
        ):
            with self.subTest(data=data):
                self.assert_left(data)
                self.assert_left(*(bytes([byte]) for byte in data))

    def test_an_upgrade_to_something_else_leaves_the_connection_for_other_requests(self) -> None:
        # As curl and Java's HttpClient ask for at first; they go on in HTTP/1.1 if it is not granted.
        data = head("/page", {"Host": "a", "Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c"})
        pair = self.assert_left(data + PAGE)
        self.assertEqual(pair.lean.received.count(b"HTTP/1.1 200 OK"), 2)
        self.assertFalse(pair.lean.transport.ended)

    def test_requests_that_are_pipelined_are(self) -> None:
        pair = self.assert_left(PAGE + head() + masked(text("early")))
        self.assertEqual(pair.lean.received.count(b"HTTP/1.1 200 OK"), 1)
        self.assertTrue(pair.lean.received.endswith(b"\x81\x05early"))

    def test_the_site_s_channel_can_still_open_a_websocket_later(self) -> None:
        visit = self.assert_left(PAGE).lean
        visit.send(head(), masked(text("hello")))
        self.assertTrue(visit.received.endswith(b"\x81\x05hello"))

    def test_no_head_keeps_it_busy_for_long(self) -> None:
        # It would not be done before the sun is, if the time grew with the square or the cube.
        for value in (b" " * 16000 + b"\x01", b"a" + b" " * 16000 + b"b", b"\t" * 16000 + b"\x00", b" \t" * 8000):
            self.assert_same(head()[:-2] + b"X:" + value + b"\r\n\r\n")


class KeyTest(SynchronousTestCase):
    """Section 5.2 of hybi-00: key3 follows the head, which does not say so."""

    def test_it_may_come_with_the_head_or_behind_it_in_pieces(self) -> None:
        for split in range(len(KEY3) + 1):
            clock = Clock()
            visit = Visit(lean_site(World(clock), clock))
            visit.send(head("/chat", FIELDS_76) + KEY3[:split])
            self.assertEqual(visit.status, 101)
            visit.send(KEY3[split:] + frame_76("hello"))
            self.assertEqual(visit.body, RESPONSE + frame_76("hello"))


class SlowDispatcherTest(SynchronousTestCase):
    """Clients go on sending while a dispatcher is being asked."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.cancelled: list[Any] = []
        self.decision: Deferred[Any] = Deferred(self.cancelled.append)
        self.world = World(self.clock, lambda request: self.decision)
        self.visit = Visit(lean_site(self.world, self.clock)).send(head("/slow", FIELDS_76))

    def accept(self) -> None:
        self.decision.callback(lambda stream, mutex: stream.send)

    def test_nothing_of_it_is_lost(self) -> None:
        self.visit.send(KEY3[:3], KEY3[3:] + frame_76("one"), frame_76("two"))
        self.assertEqual(self.visit.received, b"")
        self.accept()
        self.visit.send(frame_76("three"))
        self.assertEqual(self.visit.body, RESPONSE + frame_76("one") + frame_76("two") + frame_76("three"))

    def test_a_flood_is_not_read(self) -> None:
        frames, sent = frame_76("x" * 998), 0
        self.visit.send(KEY3)
        while self.visit.transport.reading:
            self.visit.send(frames)
            sent += 1
        self.assertLess(sent, 100)
        self.accept()
        self.assertTrue(self.visit.transport.reading)
        self.assertEqual(self.visit.body, RESPONSE + frames * sent)

    def test_a_client_that_leaves_cancels_it(self) -> None:
        self.visit.leave()
        self.assertEqual(self.cancelled, [self.decision])
        self.assertEqual((self.visit.received, self.clock.getDelayedCalls()), (b"", []))

    def test_no_timer_runs_meanwhile(self) -> None:
        self.clock.advance(1000)
        self.assertFalse(self.visit.transport.aborted)
        self.accept()
        self.visit.send(KEY3)
        self.assertEqual(self.visit.body, RESPONSE)


class ConnectionTest(SynchronousTestCase):
    """What a stream needs of the connection that it gets."""

    def test_small_packets_are_sent_at_once_as_those_of_twisted_web_are(self) -> None:
        pair = send_to_both([head()])
        self.assertEqual((pair.plain.transport.no_delay, pair.lean.transport.no_delay), (True, True))

    def test_the_transport_calls_the_stream_itself(self) -> None:
        pair = send_to_both([head()])
        for world, visit in ((pair.plain_world, pair.plain), (pair.lean_world, pair.lean)):
            self.assertEqual(world.resources[0].streams, {visit.transport.protocol})

    def test_a_channel_that_it_is_left_to_reads_the_transport_itself(self) -> None:
        protocol = send_to_both([PAGE]).lean.transport.protocol
        self.assertIsInstance(getattr(protocol, "_channel", protocol), HTTPChannel)
