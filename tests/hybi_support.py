"""What the tests of RFC 6455 on the wire need: frames as the RFC draws them, codecs at both ends, requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.deflate import Deflate, DeflateParameters
from hunchensocket_tx.wire.events import Event, Failed, Opened, Reply
from hunchensocket_tx.wire.hybi import HybiCodec
from hunchensocket_tx.wire.opening import OpeningRequest
from tests.wire_support import receive, single_bytes

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

KEY = bytes.fromhex("37fa213d")
"""The masking key of the examples in section 5.7."""


class Frame(NamedTuple):
    """A frame as section 5.2 draws it, right or wrong.

    :ivar rsv: the three reserved bits: 4 is RSV1.
    :ivar digits: bytes of extended length; None for as few as are needed.
    :ivar announced: the length that is told, if it is not the payload's.
    """

    opcode: int
    payload: bytes = b""
    fin: bool = True
    rsv: int = 0
    digits: int | None = None
    announced: int | None = None

    def render(self, masked: bool) -> bytes:
        """Return its bytes, masked as from a client or plain as from a server."""
        length = len(self.payload) if self.announced is None else self.announced
        digits = self.digits
        if digits is None:
            digits = 0 if length <= 125 else 2 if length <= 65535 else 8
        short = {0: length, 2: 126, 8: 127}[digits]
        head = bytes([self.fin << 7 | self.rsv << 4 | self.opcode, masked << 7 | short])
        head += length.to_bytes(digits, "big") if digits else b""
        return head + KEY + xor(self.payload, KEY) if masked else head + self.payload


def xor(data: bytes, key: bytes) -> bytes:
    """Mask data as section 5.3 says it: octet i with octet i MOD 4."""
    return bytes(octet ^ key[index % 4] for index, octet in enumerate(data))


def fragments(opcode: int, parts: Sequence[bytes], rsv: int = 0) -> list[Frame]:
    """Return a message in fragments (5.4)."""
    last = len(parts) - 1
    return [
        Frame(CONTINUATION if index else opcode, part, index == last, 0 if index else rsv)
        for index, part in enumerate(parts)
    ]


def close_frame(code: int, reason: bytes = b"") -> Frame:
    """Return a Close frame with a code (5.5.1)."""
    return Frame(CLOSE, code.to_bytes(2, "big") + reason)


def open_codec(
    *,
    client: bool = False,
    version: int = 13,
    parameters: DeflateParameters | None = None,
    pieces: bool = False,
    **changes: Any,
) -> HybiCodec:
    """Return an open codec whose masking keys are :data:`KEY`.

    :param parameters: of permessage-deflate; None is without.
    :param changes: settings.
    """
    limits = Settings(**changes)
    deflate = None if parameters is None else Deflate(parameters, limits, client=client)
    codec = HybiCodec(
        limits, version=version, client=client, deflate=deflate, pieces=pieces, random=lambda size: KEY[:size]
    )
    assert codec.receive(b"") == [Opened()]
    return codec


def crumbs(data: bytes) -> list[bytes]:
    """Cut data into its bytes; only what lies deep in it, and would take long, stays whole."""
    if len(data) < 2000:
        return single_bytes(data)
    return [*single_bytes(data[:500]), data[500:-500], *single_bytes(data[-500:])]


def codes(events: Iterable[Event]) -> list[int]:
    """Return the codes of the failures among events."""
    return [event.code for event in events if isinstance(event, Failed)]


class HybiTestCase(SynchronousTestCase):
    """Feeds frames to a server, masked, and to a client, plain; whole and in single bytes: neither may matter."""

    def each_way(
        self, frames: Sequence[Frame], check: Callable[[HybiCodec, list[Event], bool], None], **changes: Any
    ) -> None:
        """Feed frames in each way, and check the codec and what it told.

        :param changes: what :func:`open_codec` takes, less the role.
        """
        for client in (False, True):
            data = b"".join(frame.render(not client) for frame in frames)
            for way, pieces in (("whole", [data]), ("bytes", crumbs(data))):
                with self.subTest(client=client, way=way):
                    codec = open_codec(client=client, **changes)
                    check(codec, receive(codec, pieces), client)

    def assert_events(self, frames: Sequence[Frame], expected: Sequence[Event | Frame], **changes: Any) -> None:
        """Check what frames come to. A frame among what is expected stands for the reply that it is."""

        def check(codec: HybiCodec, events: list[Event], client: bool) -> None:
            self.assertEqual(events, replies(expected, client))

        self.each_way(frames, check, **changes)

    def assert_fails(
        self, code: int, frames: Sequence[Frame], before: Sequence[Event | Frame] = (), **changes: Any
    ) -> None:
        """Check that the codec gives up with a code on what comes after some events, and that nothing follows."""

        def check(codec: HybiCodec, events: list[Event], client: bool) -> None:
            self.assertEqual(codes(events), [code], events)
            self.assertEqual(events[:-1], replies(before, client))
            later = b"".join(frame.render(not client) for frame in (Frame(TEXT, b"later"), close_frame(1000)))
            self.assertEqual(codec.receive(later), [])

        self.each_way(frames, check, **changes)


def replies(events: Iterable[Event | Frame], client: bool) -> list[Event]:
    """Return events with the frames among them as replies of one end."""
    return [Reply(event.render(client)) if isinstance(event, Frame) else event for event in events]


NONCE = "dGhlIHNhbXBsZSBub25jZQ=="
"""The Sec-WebSocket-Key of the example in section 1.2."""


def opening_13(target: str = "/chat", /, **changes: Any) -> OpeningRequest:
    """Return the request of section 1.2 without its subprotocols, from a page of the server itself.

    :param changes: ``method``, ``http_version``, ``secure``, ``trusted``; and fields to add or replace, ``_`` for
        ``-``: None leaves one out, a list repeats one.
    """
    method = changes.pop("method", "GET")
    flags = {name: changes.pop(name) for name in ("http_version", "secure", "trusted") if name in changes}
    fields: dict[str, str | Sequence[str] | None] = {
        "host": "server.example.com",
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-key": NONCE,
        "origin": "http://server.example.com",
        "sec-websocket-version": "13",
    }
    fields.update((name.replace("_", "-"), value) for name, value in changes.items())
    lines = {
        name: [value] if isinstance(value, str) else list(value)
        for name, value in fields.items()
        if value is not None
    }
    return OpeningRequest(method, target, lines, **flags)
