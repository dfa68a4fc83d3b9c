"""A message that is sent part by part, before its end is known."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

from twisted.internet.defer import Deferred

from hunchensocket_tx.errors import MisuseError
from hunchensocket_tx.wire.events import Message

__all__ = ["OutgoingMessage"]


class Sender(Protocol):
    """What an outgoing message asks of its stream."""

    def begin_message(self) -> Deferred[object]:
        """Postpone what is sent from now on; fires when the message may begin."""

    def send_part(self, data: Message, *, final: bool, compress: bool) -> None:
        """Send a part of the message."""

    def end_message(self, *, complete: bool) -> None:
        """Send what was postponed, or close if the message is not complete."""

    def drained(self) -> Deferred[None]:
        """Fire when little is left to send."""


class OutgoingMessage:
    """One message of unknown length; :meth:`WebSocketStream.message` makes it::

        async with stream.message() as outgoing:
            async for row in database:
                await outgoing.write(row)    # all str, or all bytes; waits for slow readers

    Whatever else is sent on the stream meanwhile follows behind it. If the block raises, the message cannot be
    taken back: the connection is closed.
    """

    def __init__(self, stream: Sender, compress: bool) -> None:
        self._stream = stream
        self._compress = compress
        self._kind: type[Message] | None = None

    async def __aenter__(self) -> OutgoingMessage:
        await self._stream.begin_message()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        complete = False
        try:
            if error is None:
                self._stream.send_part(b"" if self._kind is bytes else "", final=True, compress=self._compress)
                complete = True
        finally:
            self._stream.end_message(complete=complete)

    def write(self, data: Message) -> Deferred[None]:
        """Send the next part.

        :returns: a Deferred that fires when little is left to send; it fails if the WebSocket closes.
        :raises MisuseError: if it is not of the kind of the first part.
        :raises UnsupportedMessage: if this connection's version has no such kind of message.
        """
        kind = str if isinstance(data, str) else bytes
        if self._kind not in (None, kind):
            raise MisuseError("a message is all str or all bytes; this part is of another kind than the first")
        self._stream.send_part(data, final=False, compress=self._compress)
        self._kind = kind
        return self._stream.drained()
