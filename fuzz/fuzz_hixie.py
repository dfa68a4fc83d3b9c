"""The codec of hixie-76 and -75, at both ends.

An input is a byte of flags, one that chooses settings, four sizes to cut by, and what arrives.
"""

from __future__ import annotations

from functools import partial

from fuzz.common import ROOMY, Input, assembled, assert_same_pieces, cut, echo, feed, messages
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.events import Closed, Event, Failed, Opened, Reply
from hunchensocket_tx.wire.hixie import HixieCodec, challenge_response

CLIENT, OLD, UNCHALLENGED = 1, 2, 4
"""Flags: which end, version 75, and that the opening is behind us already."""

SETTINGS = (
    Settings(max_message_size=5000, max_skip_size=5000),
    Settings(max_message_size=20, max_skip_size=30),
    Settings(max_message_size=5000, max_skip_size=5000, invalid_utf8="replace"),
    Settings(max_message_size=20, max_skip_size=30, invalid_utf8="replace"),
)

KEY_PARTS, KEY3 = (829309203, 259970620), b"^n:ds[4U"
"""Those of the example in section 1.2 of the draft."""

KEY3_SIZE, RESPONSE_SIZE = 8, 16

FAILURES = (1002, 1007, 1009)


def reference(frames: bytes, *, closing: bool) -> list[Event]:
    """Read frames as section 5.3 puts it, without limits and without a care for time or memory."""
    events: list[Event] = []
    position = 0
    try:
        while True:
            kind = frames[position]
            position += 1
            if kind < 0x80:
                end = frames.index(0xFF, position)
                if kind == 0x00:
                    events.append(frames[position:end].decode(errors="replace"))
                position = end + 1
                continue
            length, byte = 0, 0x80
            while byte & 0x80:
                byte = frames[position]
                position += 1
                length = length * 128 + (byte & 0x7F)
            if closing and kind == 0xFF and length == 0:
                return [*events, Closed()]
            position += length
    except (IndexError, ValueError):
        return events  # the last frame is not complete


def check(data: bytes) -> None:
    """Check what has to hold of any input."""
    source = Input(data)
    flags = source.byte()
    settings = source.choose(SETTINGS)
    sizes = source.take(4)
    stream = source.rest()
    client, version = bool(flags & CLIENT), 75 if flags & OLD else 76
    challenged = version == 76 and not flags & UNCHALLENGED
    make = partial(
        HixieCodec,
        settings,
        version=version,
        client=client,
        key_parts=KEY_PARTS if challenged and not client else None,
        expected_response=challenge_response(*KEY_PARTS, KEY3) if challenged and client else None,
    )
    limit = settings.max_message_size + RESPONSE_SIZE
    events = feed(make(), [stream], limit)
    assert events == feed(make(), cut(stream, sizes), limit), f"cut differently: {events}"
    pieces = feed(make(pieces=True), [stream], limit)
    assert assembled(pieces) == events, f"{pieces} is not {events} in pieces"
    assert_same_pieces(pieces, feed(make(pieces=True), cut(stream, sizes), limit))

    received = messages(events)
    assert all(len(text) <= settings.max_message_size for text in received), "a message is too long"
    if client or settings.invalid_utf8 == "replace":
        assert not any(isinstance(event, Failed) and event.code == 1007 for event in events), "U+FFFD was wanted"
    assert all(event.code in FAILURES and event.reason for event in events if isinstance(event, Failed))
    assert version == 76 or not any(isinstance(event, Closed | Reply) for event in events), "75 has no such thing"

    opening = 0 if not challenged else RESPONSE_SIZE if client else KEY3_SIZE
    told = [event for event in events if isinstance(event, str | Closed)]
    expected = reference(stream[opening:], closing=version == 76)
    if events and isinstance(events[-1], Failed):
        expected = expected[: len(told)]
    assert told == expected, f"{told} is not {expected}"

    answers = b"".join(event.data for event in events if isinstance(event, Reply))
    peer = HixieCodec(
        ROOMY,
        version=version,
        client=not client,
        expected_response=challenge_response(*KEY_PARTS, stream[:8]) if challenged and not client else None,
    )
    heard = feed(peer, [answers], RESPONSE_SIZE)
    assert (Opened() in heard) == (Opened() in events or not challenged or client), f"{answers!r} opens nothing"
    assert any(isinstance(event, Closed) for event in heard) == any(isinstance(event, Closed) for event in events)
    assert not messages(heard)
    assert not any(isinstance(event, Failed) for event in heard), f"{answers!r} is wrong"

    echo(received, make(), HixieCodec(ROOMY, version=version, client=not client), sizes)
