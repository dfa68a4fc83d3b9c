"""What the tests of the wire need: the draft's vectors, requests as values, heads taken apart, cut input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.events import Codec, Event, Failed, Message
from hunchensocket_tx.wire.handshake import judge
from hunchensocket_tx.wire.hixie import HixieCodec
from hunchensocket_tx.wire.opening import Offer, OpeningRequest, Refusal
from tests.support import KEY1, KEY2

properties = settings(deadline=None, max_examples=200, database=None, suppress_health_check=[HealthCheck.too_slow])
"""For property tests: no deadline, as no test may depend on the speed of the machine."""

LINE_BREAKERS = ("\r\nX-Evil: 1", "\nX-Evil: 1", "\rX-Evil: 1", "\0")
"""What turns one field into two, or ends it early, wherever a careless writer lets it through."""


class Vector(NamedTuple):
    """An opening handshake of hixie-76 with its known answer."""

    key1: str
    key2: str
    key3: bytes
    part1: int
    part2: int
    response: bytes


VECTORS = [
    # Section 1.2.
    Vector(KEY1, KEY2, b"^n:ds[4U", 829309203, 259970620, b"8jKS'y:G*Co,Wxa-"),
    # Section 1.3.
    Vector(
        "18x 6]8vM;54 *(5:  {   U1]8  z [  8",
        "1_ tx7X d  <  nw  334J702) 7]o}` 0",
        b"Tm[K T2u",
        155712099,
        173347027,
        b"fQJ,fN/4F4!~K~MH",
    ),
    # Section 5.2.
    Vector(
        "3e6b263  4 17 80", "17  9 G`ZD9   2 2b 7X 3 /r90", b"WjN}|M(6", 906585445, 179922739, b"n`9eBk9z$R8pOtVb"
    ),
    # Two more with a key3 that is no text.
    Vector(
        "36 7   74 i  92 2'm 9 0G",
        "y  R2 48 Q1O4  e|BV3 i5 1  u- 65",
        bytes.fromhex("01d1dd3bd15663ff"),
        367749229,
        225585015,
        bytes.fromhex("0b99fa55bd01237b45a2f1d0878aeeeb"),
    ),
    Vector(
        "30  ;- 5=5 u 4 1  7336",
        ":2 8 G(  07A 93Ql 3 *20 Ox0G'w",
        bytes.fromhex("5d9fb0670fe4fa75"),
        381927167,
        350991650,
        bytes.fromhex("b6bc2a9ea00c1cb90faddc97906017a8"),
    ),
]


def opening(target: str = "/demo", /, **changes: Any) -> OpeningRequest:
    """Return the request of the draft's section 1.2, without its subprotocol.

    :param changes: ``method``, ``secure``, ``trusted``; and fields to add or replace, ``_`` for ``-``: None
        leaves one out, a list repeats one.
    """
    method = changes.pop("method", "GET")
    flags = {name: changes.pop(name, False) for name in ("secure", "trusted")}
    fields: dict[str, str | Sequence[str] | None] = {
        "host": "example.com",
        "connection": "Upgrade",
        "upgrade": "WebSocket",
        "origin": "http://example.com",
        "sec-websocket-key1": KEY1,
        "sec-websocket-key2": KEY2,
    }
    fields.update((name.replace("_", "-"), value) for name, value in changes.items())
    lines = {
        name: [value] if isinstance(value, str) else list(value)
        for name, value in fields.items()
        if value is not None
    }
    return OpeningRequest(method, target, lines, **flags)


OFFICIAL_ANSWER = (
    b"HTTP/1.1 101 WebSocket Protocol Handshake\r\n"
    b"Upgrade: WebSocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Origin: http://example.com\r\n"
    b"Sec-WebSocket-Location: ws://example.com/demo\r\n"
    b"Sec-WebSocket-Protocol: sample\r\n"
    b"\r\n"
    b"8jKS'y:G*Co,Wxa-"
)
"""The server's answer to that request with subprotocol and key3 (section 1.2)."""


class HandshakeTestCase(SynchronousTestCase):
    """Judges requests, and says what was wrong if the verdict is not the expected one."""

    def offer(self, request: OpeningRequest, **changes: Any) -> Offer:
        """Judge a request under some settings; it has to be acceptable."""
        verdict = judge(request, Settings(**changes))
        if isinstance(verdict, Refusal):
            self.fail(f"refused: {verdict}")
        return verdict

    def refusal(self, request: OpeningRequest, **changes: Any) -> Refusal:
        """Judge a request under some settings; it has to be refused."""
        verdict = judge(request, Settings(**changes))
        if not isinstance(verdict, Refusal):
            self.fail(f"offered: {verdict}")
        return verdict

    def assert_refused(self, status: int, request: OpeningRequest, **changes: Any) -> Refusal:
        """Check that a request is refused with a status; return the refusal."""
        refusal = self.refusal(request, **changes)
        self.assertEqual(refusal.status, status, refusal.reason)
        return refusal

    def location(self, request: OpeningRequest, **changes: Any) -> str:
        """Return what an accepted client is told that it connected to."""
        (location,) = parse_head(self.offer(request, **changes).accept(None, ()))[1]["sec-websocket-location"]
        return location


def parse_head(head: bytes) -> tuple[str, dict[str, list[str]]]:
    """Take a head apart, as a plain HTTP parser does: its first line; names in lower case and their values."""
    assert head.endswith(b"\r\n\r\n"), head
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    fields: dict[str, list[str]] = {}
    for line in lines:
        name, value = line.split(": ", 1)
        fields.setdefault(name.lower(), []).append(value)
    return first, fields


def receive(codec: Codec, pieces: Iterable[bytes]) -> list[Event]:
    """Feed a codec piece by piece, and let it go on where it had more than it makes at once."""
    events: list[Event] = []
    for piece in pieces:
        events += codec.receive(piece)
        while codec.has_more:
            events += codec.receive(b"")
    return events


def single_bytes(data: bytes) -> list[bytes]:
    """Cut data into its bytes."""
    return [data[index : index + 1] for index in range(len(data))]


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """Cut data in some places, of which those behind its end count from the start again."""
    ends = sorted({place % (len(data) + 1) for place in places})
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


cuts = st.lists(st.integers(0, 10_000), max_size=8)
"""Places for :func:`cut`."""


CLOSE = b"\xff\x00"
"""The closing handshake of hixie-76."""


def codec_at_server(vector: Vector = VECTORS[0], **changes: Any) -> HixieCodec:
    """Return the server's codec behind the head of an answer to a hixie-76 client."""
    return HixieCodec(Settings(**changes), key_parts=(vector.part1, vector.part2))


def codec_at_client(**changes: Any) -> HixieCodec:
    """Return the client's codec behind the head of the answer."""
    return HixieCodec(Settings(**changes), client=True, expected_response=VECTORS[0].response)


def open_codec(*, client: bool = False, **changes: Any) -> HixieCodec:
    """Return a codec that has its challenge behind it."""
    codec = codec_at_client(**changes) if client else codec_at_server(**changes)
    codec.receive(VECTORS[0].response if client else VECTORS[0].key3)
    return codec


def codec_75(**changes: Any) -> HixieCodec:
    """Return an open codec of version 75."""
    codec = HixieCodec(Settings(**changes), version=75)
    codec.receive(b"")
    return codec


def messages(events: list[Event]) -> list[Message]:
    """Return the messages among events."""
    return [event for event in events if isinstance(event, (str, bytes))]


class CodecTestCase(SynchronousTestCase):
    """Feeds an open server of version 76, the data whole and in single bytes: the cut must never matter."""

    def assert_events(self, data: bytes, expected: list[Event], **changes: Any) -> None:
        self.assertEqual(open_codec(**changes).receive(data), expected)
        self.assertEqual(receive(open_codec(**changes), single_bytes(data)), expected)

    def assert_fails(self, code: int, data: bytes, **changes: Any) -> None:
        """Check that the codec gives up on the data, and that nothing follows."""
        for pieces in ([data], single_bytes(data)):
            codec = open_codec(**changes)
            events = receive(codec, pieces)
            self.assertEqual([event.code for event in events if isinstance(event, Failed)], [code], events)
            self.assertIsInstance(events[-1], Failed)
            self.assertEqual(codec.receive(b"\x00later\xff" + CLOSE), [])
