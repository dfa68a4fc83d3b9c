"""A message that is received piece by piece, while it arrives."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from hunchensocket_tx.errors import ConnectionClosed
from hunchensocket_tx.inbox import Inbox
from hunchensocket_tx.wire.events import Message

__all__ = ["IncomingMessage"]


class IncomingMessage:
    """What a message handler gets, in place of a str or bytes, for ``Accept(handshake, pieces=True)``::

        async def message(incoming):
            async for piece in incoming:     # all str, or all bytes
                file.write(piece)

    Reading from the connection waits for who takes the pieces; what the handler leaves is dropped when it is done.
    Iterating raises :class:`ConnectionClosed` if the connection ends before the message does.
    """

    def __init__(self) -> None:
        self._inbox = Inbox()
        self._complete = False

    def __aiter__(self) -> IncomingMessage:
        return self

    async def __anext__(self) -> Message:
        try:
            return await self._inbox.get()
        except ConnectionClosed:
            if self._complete:
                raise StopAsyncIteration from None
            raise

    # What the stream calls

    def put(self, piece: Message) -> Deferred[None] | None:
        """Add a piece; see :meth:`Inbox.put`."""
        return self._inbox.put(piece) if piece else None

    def finish(self) -> None:
        """Tell that the message is complete."""
        self._complete = True
        self._inbox.end(ConnectionClosed(1000, "the message is complete", True))

    def fail(self, error: ConnectionClosed) -> None:
        """Tell that it will never be."""
        self._inbox.end(error)

    def discard(self) -> None:
        """Drop what nobody took."""
        self._inbox.discard()
