"""A WebSocketStream on a socket, whichever transport it has, and a peer that reads when it is told."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock

from hunchensocket_tx.cascade import HandshakeHandler, run_cascade
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.wire.deflate import Deflate, DeflateParameters
from hunchensocket_tx.wire.events import Codec
from hunchensocket_tx.wire.hixie import HixieCodec
from hunchensocket_tx.wire.hybi import HybiCodec
from hunchensocket_tx.write_through import write_through
from tests.harness import silent, turns_until
from tests.hybi_stream_support import Sent, masked, split_frames
from tests.lane_support import ConnectionCase, Peer, Recorder, patterned

MEBIBYTE = 1 << 20

LETTERS = bytes(65 + number % 58 for number in range(256))
"""What makes ASCII of bytes."""


def ascii_text(size: int) -> str:
    """Return ASCII of which no part looks like another."""
    return patterned(size).translate(LETTERS).decode()


def mixed_messages(*, binary: bool = True) -> list[Any]:
    """Return messages of all kinds, small and large, around the sizes from which on they are sent otherwise."""
    found: list[Any] = []
    for size in (0, 1, 125, 8192, 16384, 16385, 65536, 200_000):
        found += [ascii_text(size), "é☃𝄞"[: size or 1] + ascii_text(size)]
        if binary:
            found += [patterned(size), bytearray(patterned(size)), memoryview(patterned(size))]
    return found


def as_received(messages: Sequence[Any]) -> list[str | bytes]:
    """Return what a peer makes of messages."""
    return [message if isinstance(message, str) else bytes(message) for message in messages]


class StreamCase(ConnectionCase):
    """Tests with a WebSocketStream on Twisted's own transports."""

    def move(self, transport: Any, protocol: Protocol) -> Any:
        transport.protocol = protocol
        return transport

    async def opened(
        self,
        handshake: HandshakeHandler = silent,
        *,
        version: int = 13,
        deflate: DeflateParameters | None = None,
        **changes: Any,
    ) -> Peer:
        """Connect a peer for which the kernel keeps little with ``self.stream``, which is open.

        :param changes: settings.
        """
        accepted = await self.accepted(Recorder(), small=True)
        settings = Settings(versions=[version], **changes)
        codec: Codec = HixieCodec(settings, version=version)
        if version == 13:
            codec = HybiCodec(settings, deflate=None if deflate is None else Deflate(deflate, settings))
        self.clock = Clock()
        self.stream = WebSocketStream(codec, settings, self.clock)
        run_cascade(self.stream, handshake)
        moving: Any = self.stream
        self.link = accepted.link = self.move(accepted.transport, moving)
        self.link.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        self.stream.makeConnection(self.link)
        self.stream.dataReceived(b"")
        self.assertTrue(self.stream.is_open)
        return self.peer

    async def frames(self, last: Sent, portion: int = 50_000) -> list[Sent]:
        """Have the peer read some bytes at a time until a frame comes; return all that came."""
        wanted = last.payload
        await turns_until(lambda: self.peer.has_ended(portion) or self.peer.data.endswith(wanted))
        frames, rest = split_frames(bytes(self.peer.data))
        self.assertEqual((rest, frames[-1]), (b"", last))
        return frames

    def say(self, *frames: Sent) -> None:
        """Have the peer send frames."""
        self.peer.send(masked(*frames))


class Through(StreamCase):
    """The same with write-through."""

    def move(self, transport: Any, protocol: Protocol) -> Any:
        return write_through(transport, protocol)
