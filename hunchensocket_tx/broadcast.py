"""Groups of streams: one message for many, encoded once for all that can share the bytes."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from typing import Literal

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from hunchensocket_tx.errors import InvalidSetting, UnsupportedMessage
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.wire.events import CloseReason, Message

__all__ = ["Group"]


class Group:
    """Open streams, of whatever versions, that get messages together.

    Sending never waits for anybody: who reads too slowly is treated as ``slow_peers`` says, and nobody else
    notices. Streams leave by themselves when they close.

    :param slow_peers: what to do with a message for a stream whose buffer is full (see the setting
        ``max_send_buffer``): ``"drop"`` it, ``"close"`` the stream with 1013, or keep it and ``"wait"``.
    :raises InvalidSetting: if it is none of these.
    """

    _log = Logger()

    def __init__(self, slow_peers: Literal["drop", "close", "wait"] = "drop") -> None:
        if slow_peers not in ("drop", "close", "wait"):
            raise InvalidSetting(f"slow_peers: give 'drop', 'close' or 'wait', not {slow_peers!r}")
        self._slow_peers: Literal["drop", "close", "wait"] = slow_peers
        self._streams: dict[WebSocketStream, Deferred[CloseReason]] = {}

    def add(self, stream: WebSocketStream) -> None:
        """Let a stream take part until it closes or is discarded."""
        if stream not in self._streams:
            closed = self._streams[stream] = stream.when_closed()
            closed.addCallback(lambda _: self.discard(stream)).addErrback(
                lambda failure: failure.trap(CancelledError)
            )

    def discard(self, stream: WebSocketStream) -> None:
        """Let a stream take part no more."""
        closed = self._streams.pop(stream, None)
        if closed is not None:
            closed.cancel()  # nothing is kept at a stream that comes and goes

    def __contains__(self, stream: object) -> bool:
        return stream in self._streams

    def __len__(self) -> int:
        return len(self._streams)

    def __iter__(self) -> Iterator[WebSocketStream]:
        return iter(tuple(self._streams))

    def send(self, message: Message, *, but: Collection[WebSocketStream] = (), compress: bool = True) -> int:
        """Send a message to all, in the order in which they came.

        A message that a stream's version cannot carry (bytes on hixie-76) is not sent to that stream.

        :param but: streams that do not get it.
        :param compress: whether to compress it for those with whom that was agreed upon.
        :returns: how many streams took it.
        """
        shared: dict[Hashable, bytes] = {}
        taken = 0
        for stream in tuple(self._streams):
            if but and stream in but:
                continue
            try:
                taken += stream.send_shared(message, shared, compress, self._slow_peers)
            except UnsupportedMessage as error:
                self._log.debug("{stream} is left out: {error}", stream=stream, error=error)
        return taken
