"""permessage-deflate (RFC 7692): negotiation at the server, and both directions of its data.

Contexts are made when they are first used: a connection that has not sent or received a compressed message
holds none. Inflating is bounded: one byte over the limit, and it stops.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.headers import Extension

engine: Any
try:
    # About a third faster both ways at the same size (benchmarks/deflate_engines.py); an extra installs it.
    engine = import_module("zlib_ng.zlib_ng")
except ImportError:
    engine = zlib

__all__ = ["EXTENSION", "Deflate", "DeflateParameters", "InflateError", "TooMuchOutput", "negotiate"]

EXTENSION = "permessage-deflate"

TAIL = b"\x00\x00\xff\xff"
"""What a sync flush ends with, and the wire leaves out (7.2.1)."""

MAX_FINAL_BLOCKS = 128
"""Blocks with BFINAL=1 in one message, each of which costs a new inflater."""


class InflateError(Exception):
    """The data is not DEFLATE."""


class TooMuchOutput(Exception):
    """The data inflates to more than the limit; ``args[0]`` is as much as was wanted."""


@dataclass(frozen=True)
class DeflateParameters:
    """What server and client agreed upon (7.1).

    :ivar server_no_context_takeover: the server starts each message with an empty window.
    :ivar client_no_context_takeover: the client does.
    :ivar server_max_window_bits: size of the server's window as a power of two, 8 to 15.
    :ivar client_max_window_bits: size of the client's.
    :ivar tells_server_window: whether the size of the server's window has to be told even if it is the largest,
        since the client asked for one.
    """

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = 15
    client_max_window_bits: int = 15
    tells_server_window: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        """Return the parameters as they stand in the header field."""
        parts = [EXTENSION]
        for name in ("server_no_context_takeover", "client_no_context_takeover"):
            if getattr(self, name):
                parts.append(name)
        for name in ("server_max_window_bits", "client_max_window_bits"):
            if getattr(self, name) < 15 or (self.tells_server_window and name.startswith("server")):
                parts.append(f"{name}={getattr(self, name)}")
        return "; ".join(parts)


def negotiate(offers: Iterable[Extension], settings: Settings) -> DeflateParameters | None:
    """Return the server's answer to the first acceptable offer, or None to go on without compression (7.1)."""
    if not settings.compression:
        return None
    for offer in offers:
        if offer.name == EXTENSION and (parameters := _answer(offer, settings)) is not None:
            return parameters
    return None


def _answer(offer: Extension, settings: Settings) -> DeflateParameters | None:
    wanted: dict[str, int | None] = {}
    for name, value in offer.parameters:
        if name in wanted or not _is_valid(name, value):
            return None
        wanted[name] = int(value) if value is not None else None
    ours = settings.compression_window_bits
    server_bits = min(wanted.get("server_max_window_bits") or 15, ours)
    if server_bits == 8:
        return None  # zlib cannot keep a raw window of 256 bytes
    client_bits = 15
    if "client_max_window_bits" in wanted:
        client_bits = min(wanted["client_max_window_bits"] or 15, ours)
    keep = settings.compression_context_takeover
    return DeflateParameters(
        server_no_context_takeover="server_no_context_takeover" in wanted or not keep,
        client_no_context_takeover="client_no_context_takeover" in wanted or not keep,
        server_max_window_bits=server_bits,
        client_max_window_bits=client_bits,
        tells_server_window="server_max_window_bits" in wanted,
    )


def _is_valid(name: str, value: str | None) -> bool:
    if name in ("server_no_context_takeover", "client_no_context_takeover"):
        return value is None
    if name == "client_max_window_bits" and value is None:
        return True
    return name in ("server_max_window_bits", "client_max_window_bits") and value in _BITS


_BITS = frozenset(str(bits) for bits in range(8, 16))


class Deflate:
    """Compresses what one end sends and inflates what it receives.

    :param parameters: what was agreed upon.
    :param settings: gives level, memory and the size below which messages are left alone.
    :param client: whether this is the client's end.
    """

    __slots__ = (
        "_compressor",
        "_final_blocks",
        "_inflater",
        "_keeps",
        "_parameters",
        "_peer_keeps",
        "_settings",
        "_sizes",
        "_window",
    )

    def __init__(self, parameters: DeflateParameters, settings: Settings, *, client: bool = False) -> None:
        server = (not parameters.server_no_context_takeover, parameters.server_max_window_bits)
        peer = (not parameters.client_no_context_takeover, parameters.client_max_window_bits)
        if client:
            server, peer = peer, server
        self._keeps, self._peer_keeps = server[0], peer[0]
        self._sizes = (max(server[1], 9), max(peer[1], 9))  # zlib sends with 9 bits where 8 were agreed upon
        self._settings = settings
        self._compressor: Any = None
        self._inflater: Any = None
        self._final_blocks = 0  # in the message that is being inflated
        self._window = bytearray()  # what was inflated last, for a stream that goes on behind a final block

    @property
    def variant(self) -> tuple[int, ...] | None:
        """Return a value that is equal for ends whose compressed messages are the same; None if there are none,
        as what this end sends depends on what it sent before."""
        if self._keeps:
            return None
        settings = self._settings
        return (
            self._sizes[0],
            settings.compression_level,
            settings.compression_memory_level,
            settings.compression_threshold,
        )

    def compress(self, data: bytes) -> bytes | None:
        """Compress a message (7.2.1); None if it is better sent as it is."""
        if len(data) < self._settings.compression_threshold:
            return None
        compressed = self.compress_part(data, final=True)
        if not self._keeps and len(compressed) >= len(data):
            return None
        return compressed

    def compress_part(self, data: bytes, *, final: bool) -> bytes:
        """Compress a part of a message, of any size."""
        compressor = self._compressor
        if compressor is None:
            compressor = engine.compressobj(
                self._settings.compression_level,
                engine.DEFLATED,
                -self._sizes[0],
                self._settings.compression_memory_level,
            )
        part: bytes = compressor.compress(data)
        if final:
            part += compressor.flush(engine.Z_SYNC_FLUSH)
            part = part[: -len(TAIL)]
        self._compressor = compressor if self._keeps or not final else None
        return part

    def inflate(self, data: bytes, limit: int, *, final: bool) -> bytes:
        """Inflate a part of a message (7.2.2).

        :param limit: most bytes to return.
        :param final: whether the message ends with this part.
        :raises TooMuchOutput: if there is more; no more than a byte of that has been made.
        :raises InflateError: if this is not DEFLATE.
        """
        if final:
            data += TAIL
        pieces: list[bytes] = []
        while True:
            inflater = self._inflater
            if inflater is None:
                inflater = self._inflater = engine.decompressobj(-self._sizes[1], bytes(self._window))
            try:
                piece = inflater.decompress(data, limit + 1)
            except engine.error as error:
                raise InflateError(str(error)) from None
            if len(piece) > limit:
                raise TooMuchOutput(b"".join(pieces) + piece[:limit])
            limit -= len(piece)
            pieces.append(piece)
            self._remember(piece)
            if not inflater.eof:
                break
            # A block with BFINAL=1 ended the stream, not the message (7.2.3.4): go on behind it.
            data, self._inflater = inflater.unused_data, None
            self._final_blocks += 1
            if self._final_blocks > MAX_FINAL_BLOCKS:
                raise InflateError("too many final blocks")
            if not data:
                break
        if final:
            self._final_blocks = 0
        if final and not self._peer_keeps:
            self._inflater = None
            self._window.clear()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _remember(self, piece: bytes) -> None:
        """Keep the last window of what was inflated; cut seldom, so that many small pieces cost linear time."""
        self._window += piece
        size = 1 << self._sizes[1]
        if len(self._window) > 2 * size:
            del self._window[:-size]
