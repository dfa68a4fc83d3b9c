"""The codec of RFC 6455 and its drafts, at both ends, with and without permessage-deflate.

An input is a byte of flags, three that choose settings, what was agreed upon and the version, four sizes to cut
by, and what arrives: as it is, or with the flag SCRIPT as :func:`read_script` makes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from fuzz.common import ROOMY, Input, assembled, assert_same_pieces, cut, echo, feed, held, messages
from hunchensocket_tx.errors import InvalidCloseCode
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.deflate import Deflate, DeflateParameters
from hunchensocket_tx.wire.events import Closed, Event, Failed, Message, Opened, Ping, Pong, Reply
from hunchensocket_tx.wire.frames import CLOSE, CONTINUATION, FIN, PING, PONG, RSV1, TEXT, build_frame
from hunchensocket_tx.wire.hybi import HybiCodec

CLIENT, SCRIPT = 1, 2
"""Flags: which end, and that the frames are to be made."""

SETTINGS = (
    Settings(max_message_size=70_000, compression_threshold=0, compression_memory_level=1),
    Settings(
        max_message_size=40, max_frame_size=60, max_fragments=3, max_control_frames=2, compression_threshold=10
    ),
)

PARAMETERS = (
    None,
    DeflateParameters(),
    DeflateParameters(server_no_context_takeover=True, client_no_context_takeover=True),
    DeflateParameters(server_max_window_bits=9, client_max_window_bits=9),
    DeflateParameters(client_max_window_bits=8),
    DeflateParameters(server_no_context_takeover=True, server_max_window_bits=10, client_max_window_bits=12),
)

OVERHEAD = 14 + 125
"""Bytes that may be held besides a message: a frame's head and the payload of a control frame."""

FAILURES = (1002, 1007, 1008, 1009)

CLOSE_CODES = frozenset((*range(1000, 1004), 1005, *range(1007, 1015), *range(3000, 5000)))
"""What may come or be sent (7.4), and 1005 for none."""

MASK = bytes.fromhex("5a00ff81")


@dataclass(frozen=True)
class Agreement:
    """What both ends of a connection know."""

    version: int
    parameters: DeflateParameters | None

    def deflate(self, settings: Settings, client: bool) -> Deflate | None:
        """Return the compression of one end."""
        return None if self.parameters is None else Deflate(self.parameters, settings, client=client)

    def codec(self, settings: Settings, client: bool, *, pieces: bool = False) -> HybiCodec:
        """Return a new codec."""
        return HybiCodec(
            settings,
            version=self.version,
            client=client,
            deflate=self.deflate(settings, client),
            pieces=pieces,
            random=lambda size: MASK[:size],
        )

    def peer_window_bits(self, client: bool) -> int:
        """Return the size of the window that the peer of an end has to keep to."""
        if self.parameters is None:
            return 15
        return self.parameters.server_max_window_bits if client else self.parameters.client_max_window_bits


class Frame(NamedTuple):
    """A frame of a script.

    :ivar first: its first byte.
    :ivar payload: what it carries.
    :ivar packed: the same, compressed, if the script says so.
    """

    first: int
    payload: bytes
    packed: bytes | None


def read_script(script: Input, deflate: Deflate | None) -> list[Frame]:
    """Return frames that are made, so that masking and compression do not keep the fuzzer from what lies behind.

    Each is told by its first byte, a byte with its size and so many bytes of payload, which are compressed if the
    size has its high bit set.
    """
    frames = []
    while script:
        first, size = script.byte(), script.byte()
        payload, packed = script.take(size & 0x7F), None
        if size & 0x80 and deflate is not None:
            packed = deflate.compress_part(payload, final=bool(first & FIN))
        frames.append(Frame(first, payload, packed))
    return frames


def reference(frames: list[Frame]) -> Iterator[tuple[Message | Ping | Pong, int]]:
    """Yield what a script tells, and in how many frames, up to where that is not plain to see.

    It does not judge: where the script breaks a rule, the codec may not go on, but this may.
    """
    kind, compressed, parts = 0, False, list[bytes]()
    for first, payload, packed in frames:
        opcode = first & 0x0F
        if opcode < CLOSE and opcode != CONTINUATION:
            kind, compressed, parts = opcode, bool(first & RSV1), []
        if (packed is not None) != (compressed and opcode < CLOSE) or (opcode == CONTINUATION and not kind):
            return
        if opcode == PING:
            yield Ping(payload), 1
        elif opcode == PONG:
            yield Pong(payload), 1
        elif opcode < CLOSE:
            parts.append(payload)
            if first & FIN:
                message = b"".join(parts)
                yield message.decode(errors="replace") if kind == TEXT else message, len(parts)
                kind = 0


def check(data: bytes) -> None:
    """Check what has to hold of any input."""
    source = Input(data)
    flags = source.byte()
    settings = source.choose(SETTINGS)
    agreement = Agreement(parameters=source.choose(PARAMETERS), version=source.choose((13, 8, 7)))
    sizes = source.take(4)
    client = bool(flags & CLIENT)
    if not flags & SCRIPT:
        stream = source.rest()
        events = _receive(agreement, settings, client, stream, sizes)
    else:
        frames = read_script(source, agreement.deflate(settings, not client))
        key = None if client else MASK
        stream = b"".join(build_frame(first, packed or payload, key) for first, payload, packed in frames)
        events = _receive(agreement, settings, client, stream, sizes)
        _check_content(events, frames, settings)
    _check_limits(events, settings)
    _check_replies(events, agreement, client)
    echo(messages(events), agreement.codec(SETTINGS[0], client), agreement.codec(ROOMY, not client), sizes)
    _check_sent(events, stream, agreement, client)


def _receive(agreement: Agreement, settings: Settings, client: bool, stream: bytes, sizes: bytes) -> list[Event]:
    """Return the events of what arrives; check that they are the same however it is cut and handed out."""

    def receive(pieces: bool, data: list[bytes]) -> list[Event]:
        codec = agreement.codec(settings, client, pieces=pieces)
        events = feed(codec, data, settings.max_message_size + OVERHEAD)
        deflate = codec._deflate
        window = 1 << max(agreement.peer_window_bits(client), 9)  # what 8 bits say, zlib does with 9
        assert deflate is None or held(deflate) <= 2 * window, "the window grows"
        return events

    chunks = list(cut(stream, sizes))
    whole, pieces = receive(False, [stream]), receive(True, [stream])
    cut_whole, cut_pieces = receive(False, chunks), receive(True, chunks)
    assert assembled(pieces) == whole, f"{pieces} is not {whole} in pieces"
    assert assembled(cut_pieces) == cut_whole, f"{cut_pieces} is not {cut_whole} in pieces"
    if agreement.peer_window_bits(client) < 15 and (_is_broken(whole) or _is_broken(cut_whole)):
        # A peer that refers farther back than it may is caught or not, as zlib has the bytes at hand or not.
        common = min(len(events) - _is_broken(events) for events in (whole, cut_whole))
        assert whole[:common] == cut_whole[:common], f"cut differently: {whole} != {cut_whole}"
        return whole
    # What is inflated at once is broken before anybody sees that it is no UTF-8 either: the code is the same.
    deflated = agreement.parameters is not None
    assert _told(whole, deflated) == _told(cut_whole, deflated), f"cut differently: {whole} != {cut_whole}"
    assert_same_pieces(_told(pieces, deflated), _told(cut_pieces, deflated))
    return whole


def _is_broken(events: list[Event]) -> bool:
    return isinstance(event := events[-1], Failed) and event.code == 1007


def _told(events: list[Event], deflated: bool) -> list[Event]:
    return [*events[:-1], Failed(1007, "broken")] if deflated and _is_broken(events) else events


def _check_content(events: list[Event], frames: list[Frame], settings: Settings) -> None:
    """Check that what a script tells arrives, up to where it breaks a rule or a limit."""
    told = [event for event in events if isinstance(event, str | bytes | Ping | Pong)]
    expected = list(reference(frames))
    assert all(one == other for one, (other, _) in zip(told, expected, strict=False)), f"{told} is not {expected}"
    assert len(told) >= len(expected) or isinstance(events[-1], Failed | Closed), (
        f"{told} lacks some of {expected}"
    )
    assert all(count <= settings.max_fragments for _, count in expected[: len(told)]), (
        "there are too many fragments"
    )


def _check_limits(events: list[Event], settings: Settings) -> None:
    for message in messages(events):
        size = len(message.encode()) if isinstance(message, str) else len(message)
        assert size <= settings.max_message_size, "a message is too long"
    controls = [event for event in events if isinstance(event, Ping | Pong | Closed)]
    assert all(event.code in CLOSE_CODES for event in controls if isinstance(event, Closed))
    assert len(controls) <= settings.max_control_frames, "there are too many control frames"
    failures = [event for event in events if isinstance(event, Failed)]
    assert all(event.code in FAILURES and event.reason for event in failures), f"{failures} are not to be sent"


def _check_replies(events: list[Event], agreement: Agreement, client: bool) -> None:
    """Check that the peer gets the answers that it has to get."""
    answers = b"".join(event.data for event in events if isinstance(event, Reply))
    told = feed(agreement.codec(ROOMY, not client), [answers], OVERHEAD)
    expected: list[Event] = [Opened()]
    for event in events:
        if isinstance(event, Ping):
            expected.append(Pong(event.payload))
        elif isinstance(event, Closed):
            expected.append(Closed(event.code))
    assert [event for event in told if not isinstance(event, Reply)] == expected, f"answered were {told}"


def _check_sent(events: list[Event], stream: bytes, agreement: Agreement, client: bool) -> None:
    """Check that pings and closes arrive as they were sent, and that no wrong code is."""
    sender = agreement.codec(ROOMY, client)
    wire, expected = b"", [event for event in events if isinstance(event, Ping | Closed)]
    for event in expected:
        wire += sender.ping(event.payload) if isinstance(event, Ping) else sender.close(event.code, event.reason)
    told = feed(agreement.codec(ROOMY, not client), [wire], OVERHEAD)
    assert [event for event in told if isinstance(event, Ping | Closed)] == expected, f"{told} is not {expected}"

    code, reason = int.from_bytes(stream[:2], "big"), stream[2:].decode("latin-1")
    try:
        wire = agreement.codec(ROOMY, client).close(code, reason)
    except InvalidCloseCode:
        assert code not in CLOSE_CODES
        return
    assert code in CLOSE_CODES
    closed = feed(agreement.codec(ROOMY, not client), [wire], OVERHEAD)[-1]
    assert isinstance(closed, Closed)
    assert closed.code == code
    if code != 1005:
        assert reason.startswith(closed.reason)
        assert closed.reason == reason or len(closed.reason.encode()) > 120, "too much is cut off"
