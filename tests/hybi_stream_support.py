"""A WebSocketStream of RFC 6455 in memory, and a client of it on real sockets; frames of both directions."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from hunchensocket_tx.broadcast import Group
from hunchensocket_tx.cascade import HandshakeHandler, run_cascade
from hunchensocket_tx.errors import ConnectionClosed
from hunchensocket_tx.outgoing import OutgoingMessage
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.wire.deflate import Deflate, DeflateParameters
from hunchensocket_tx.wire.events import Message
from hunchensocket_tx.wire.frames import BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, RSV1, TEXT, build_frame
from hunchensocket_tx.wire.hybi import HybiCodec
from tests.stream_support import ClosingTestCase, MemoryTransport, Peer
from tests.support import RawClient, connect

KEY = bytes.fromhex("37fa213d")
"""The masking key of the examples in section 5.7."""

NONCE = "dGhlIHNhbXBsZSBub25jZQ=="
"""The Sec-WebSocket-Key of the example in section 1.2."""

LONG = "compress me, " * 50
"""A text that is worth it."""

CONTEXT = DeflateParameters()
"""permessage-deflate whose windows go on from message to message."""

NO_CONTEXT = DeflateParameters(server_no_context_takeover=True, client_no_context_takeover=True)
"""permessage-deflate that starts each message anew."""


class Sent(NamedTuple):
    """A frame that the server sent (5.2)."""

    first: int
    payload: bytes

    @property
    def opcode(self) -> int:
        return self.first & 0x0F

    @property
    def final(self) -> bool:
        return bool(self.first & FIN)

    @property
    def compressed(self) -> bool:
        return bool(self.first & RSV1)


def text(payload: str) -> Sent:
    """Return the frame of a text that is sent as it is."""
    return Sent(FIN | TEXT, payload.encode())


def binary(payload: bytes) -> Sent:
    """Return the frame of bytes that are sent as they are."""
    return Sent(FIN | BINARY, payload)


def close(code: int, reason: str = "") -> Sent:
    """Return a Close frame with a code (5.5.1)."""
    return Sent(FIN | CLOSE, code.to_bytes(2, "big") + reason.encode())


def pong(payload: bytes = b"") -> Sent:
    """Return a Pong frame."""
    return Sent(FIN | PONG, payload)


def masked(*frames: Sent) -> bytes:
    """Return frames as a client sends them."""
    return b"".join(build_frame(frame.first, frame.payload, KEY) for frame in frames)


def split_frames(data: bytes) -> tuple[list[Sent], bytes]:
    """Return the frames that a server sent, and the start of one that is not complete."""
    frames: list[Sent] = []
    while len(data) >= 2:
        assert not data[1] & 0x80, "a server's frame is masked"
        size, head = data[1], 2
        if size > 125:
            head += 2 if size == 126 else 8
            if len(data) < head:
                break
            size = int.from_bytes(data[2:head], "big")
        if len(data) < head + size:
            break
        frames.append(Sent(data[0], data[head : head + size]))
        data = data[head + size :]
    return frames, data


def read_frames(data: bytes) -> list[Sent]:
    """Return the frames that a server sent; nothing else may be among them."""
    frames, rest = split_frames(data)
    assert not rest, f"{rest!r} is no frame"
    return frames


def read_messages(frames: Iterable[Sent], *, keeps: bool = True) -> list[Message]:
    """Return the messages in a server's frames, as a client reads them that has agreed on permessage-deflate.

    :param keeps: whether the server's window goes on from message to message.
    """
    found: list[Message] = []
    kind, compressed, payload = 0, False, b""
    inflater = zlib.decompressobj(-15)
    for frame in frames:
        if frame.opcode >= CLOSE:
            continue
        assert (frame.opcode == CONTINUATION) == bool(kind), "messages are mixed up"
        if frame.opcode != CONTINUATION:
            kind, compressed, payload = frame.opcode, frame.compressed, b""
        payload += frame.payload
        if frame.final:
            if compressed:
                inflater = inflater if keeps else zlib.decompressobj(-15)
                payload = inflater.decompress(payload + b"\x00\x00\xff\xff")
            found.append(payload.decode() if kind == TEXT else payload)
            kind = 0
    assert not kind, "a message is not complete"
    return found


class NarrowTransport(MemoryTransport):
    """A transport that is full as Twisted's are: over a limit, until all of what it has was taken by the peer."""

    def __init__(self, limit: int = 1000) -> None:
        super().__init__()
        self.limit = limit
        self.waiting = 0
        """Bytes that the peer has not taken yet."""
        self._full = False

    def write(self, data: bytes) -> None:
        super().write(data)
        self.waiting += len(data)
        if self.waiting > self.limit and self.producer is not None:
            self._full = True
            self.producer.pauseProducing()

    def take(self, size: int | None = None) -> None:
        """Let the peer take some bytes, by default all that there are at the moment."""
        self.waiting -= self.waiting if size is None else min(size, self.waiting)
        if not self.waiting and self._full and self.producer is not None:
            self._full = False
            self.producer.resumeProducing()


class HybiPeer(Peer):
    """A client of RFC 6455 in memory, connected to a stream of its own.

    :param handshake: the handshake handler to serve it with; by default messages are collected in ``messages``.
    :param deflate: what was agreed upon about permessage-deflate; None is without.
    :param pieces: whether the message handler gets messages piece by piece.
    :param limit: bytes over which its transport is full; by default as Twisted's.
    :param changes: single settings.
    """

    messages: list[Any]

    def __init__(
        self,
        handshake: HandshakeHandler | None = None,
        *,
        version: int = 13,
        deflate: DeflateParameters | None = None,
        pieces: bool = False,
        limit: int = 65536,
        **changes: Any,
    ) -> None:
        self.clock = Clock()
        self.transport: NarrowTransport = NarrowTransport(limit)
        self.messages = []
        settings = Settings(versions=[version], **changes)
        codec = HybiCodec(
            settings,
            version=version,
            deflate=None if deflate is None else Deflate(deflate, settings),
            pieces=pieces,
        )
        self.stream = WebSocketStream(codec, settings, self.clock)
        run_cascade(self.stream, handshake or (lambda stream, mutex: self.messages.append))
        self.stream.makeConnection(self.transport)
        self._preamble = b""

    def open(self, *texts: str) -> HybiPeer:
        """Complete the opening handshake, with messages behind it in the same segment."""
        self.send(masked(*map(text, texts)))
        return self

    def say(self, *texts: str) -> None:
        """Send messages as one segment."""
        self.send(masked(*map(text, texts)))

    def send_frames(self, *frames: Sent) -> None:
        """Send frames as one segment."""
        self.send(masked(*frames))

    @property
    def frames(self) -> list[Sent]:
        """What was sent to this peer."""
        return read_frames(self.received)

    @property
    def pings(self) -> list[bytes]:
        """The payloads of the pings sent to this peer."""
        return [frame.payload for frame in self.frames if frame.opcode == PING]

    def answer_pings(self) -> None:
        """Answer the last of them."""
        self.send_frames(pong(self.pings[-1]))


def group_of(*peers: Peer, **options: Any) -> Group:
    """Return a group of the streams of some peers."""
    group = Group(**options)
    for peer in peers:
        group.add(peer.stream)
    return group


class PartsTestCase(ClosingTestCase):
    """Enters and leaves messages that are sent part by part, as ``async with`` does."""

    def begin(self, peer: Peer, *parts: Message, compress: bool = True) -> OutgoingMessage:
        """Begin a message and write parts of it."""
        outgoing = peer.stream.message(compress=compress)
        self.assertIs(self.successResultOf(self.entering(outgoing)), outgoing)
        for part in parts:
            self.write(outgoing, part)
        return outgoing

    def entering(self, outgoing: OutgoingMessage) -> Deferred[OutgoingMessage]:
        """Return a Deferred that fires when the message may be written."""
        return Deferred.fromCoroutine(outgoing.__aenter__())

    def write(self, outgoing: OutgoingMessage, part: Message) -> None:
        """Write a part without waiting for anything."""
        outgoing.write(part).addErrback(lambda failure: failure.trap(ConnectionClosed))

    def ending(self, outgoing: OutgoingMessage, error: Exception | None = None) -> Deferred[None]:
        """Return a Deferred that fires when the block has been left."""
        kind = None if error is None else type(error)
        return Deferred.fromCoroutine(outgoing.__aexit__(kind, error, None))

    def end(self, outgoing: OutgoingMessage) -> None:
        """Complete a message."""
        self.successResultOf(self.ending(outgoing))

    def send_parts(self, peer: Peer, *parts: Message, compress: bool = True) -> None:
        """Send a whole message."""
        self.end(self.begin(peer, *parts, compress=compress))


def request_13(address: Any, path: str = "/", extensions: str | None = None) -> bytes:
    """Return the request of an opening handshake (4.1)."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{address.port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {NONCE}",
        *([f"Sec-WebSocket-Extensions: {extensions}"] if extensions else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


async def open_13(case: TestCase, address: Any, path: str = "/", extensions: str | None = None) -> RawClient:
    """Connect and complete the opening handshake; what comes then is in ``data``."""
    client = await connect(case, address)
    client.write(request_13(address, path, extensions))
    await client.until(b"\r\n\r\n")
    case.assertEqual(client.status, 101)
    client.data = client.body
    return client


def has_frame(client: RawClient, frame: Sent) -> Any:
    """Return a Deferred that fires when a client has received a frame."""
    return client.until(lambda data: frame in split_frames(data)[0])


def has_opcode(client: RawClient, opcode: int) -> Any:
    """Return a Deferred that fires when a client has received a frame of some kind."""
    return client.until(lambda data: opcode in (frame.opcode for frame in split_frames(data)[0]))
