"""The receiving side: what a codec yields, handled in order and one at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from hunchensocket_tx.errors import ConnectionClosed
from hunchensocket_tx.inbox import Inbox
from hunchensocket_tx.incoming import IncomingMessage
from hunchensocket_tx.wire.events import Closed, Event, Piece, Reply

__all__ = ["Intake"]

Pending = Deferred[Any] | None


def _nobody(message: object) -> None:
    """Handle what nobody asked for."""


class Intake:
    """Hands messages to a handler and everything else to the stream; waits while either takes its time.

    :param handle: takes an event that is no message; may return a Deferred, which must not fail, to wait for.
    :param rested: called whenever there is nothing to do any more, for now.

    :ivar deliver: takes messages, likewise.
    :ivar paused: whether the application wants no messages for now.
    :ivar blocked: whether what is sent has to be got rid of first.
    :ivar busy: whether a handler is not done yet.
    """

    _log = Logger()

    __slots__ = (
        "_end",
        "_events",
        "_handle",
        "_inbox",
        "_incoming",
        "_rested",
        "_running",
        "blocked",
        "busy",
        "deliver",
        "paused",
    )

    def __init__(self, handle: Callable[[Any], Pending], rested: Callable[[], None]) -> None:
        self._handle = handle
        self._rested = rested
        self._events: deque[Event] = deque()
        self._inbox: Inbox | None = None
        self._incoming: tuple[IncomingMessage, Pending] | None = None
        self._end: ConnectionClosed | None = None
        self._running = False
        self.deliver: Callable[[Any], Pending] = _nobody
        self.paused = self.blocked = self.busy = False

    @property
    def inbox(self) -> Inbox:
        """Where messages wait to be asked for, if its ``put`` is the handler."""
        if self._inbox is None:
            self._inbox = Inbox()
            if self._end is not None:
                self._inbox.end(self._end)
        return self._inbox

    @property
    def is_done(self) -> bool:
        """Whether everything was handled."""
        return not self._events and not self.busy

    def add(self, events: Iterable[Event]) -> None:
        """Queue events and handle what can be handled now."""
        self._events.extend(events)
        self.run()

    @property
    def has_end(self) -> bool:
        """Whether the peer's closing is waiting behind other events."""
        return bool(self._events) and isinstance(self._events[-1], Closed)

    def take_end(self) -> tuple[Closed | None, Reply | None]:
        """Return the peer's closing that is waiting behind other events, if it is, and our answer to it.

        The closing stays in its place; the answer is for the caller to send.
        """
        end = self._events[-1] if self._events else None
        if not isinstance(end, Closed):
            return None, None
        answer = self._events[-2] if len(self._events) > 1 else None
        if not isinstance(answer, Reply):
            return end, None
        del self._events[-2]
        return end, answer

    def clear(self) -> None:
        """Forget what was not handled yet."""
        self._events.clear()

    def run(self) -> None:
        """Handle events in order, until there are none or something has to be waited for."""
        if self._running:
            return
        self._running = True
        try:
            while self._events and not self.busy and not self._is_held(self._events[0]):
                pending = self._take(self._events.popleft())
                if pending is not None:
                    self.busy = True
                    pending.addBoth(self._go_on)
        finally:
            self._running = False
        self._rested()

    def end(self, error: ConnectionClosed) -> None:
        """Tell who waits for messages, or for the rest of one, that none will come any more."""
        self._end = error
        if self._inbox is not None:
            self._inbox.end(error)
        if self._incoming is not None:
            self._incoming[0].fail(error)

    def _is_held(self, event: Event) -> bool:
        """Tell whether an event has to wait: messages may, what the protocol asks for does not."""
        return (self.paused or self.blocked) and isinstance(event, (str, bytes, Piece))

    def _take(self, event: Event) -> Pending:
        if isinstance(event, (str, bytes)):
            return self.deliver(event)
        if isinstance(event, Piece):
            return self._take_piece(event)
        return self._handle(event)

    def _take_piece(self, piece: Piece) -> Pending:
        """Begin or go on with a message in pieces; with the last one, wait for its handler."""
        if self._incoming is None:
            incoming = IncomingMessage()
            handled = self.deliver(incoming)
            if handled is None:
                incoming.discard()
            else:
                handled.addBoth(lambda _: incoming.discard())
            self._incoming = incoming, handled
        incoming, handled = self._incoming
        taken = incoming.put(piece.data)
        if not piece.final:
            return taken
        self._incoming = None
        incoming.finish()
        return handled if handled is not None else taken

    def _go_on(self, result: object) -> None:
        self.busy = False
        if isinstance(result, Failure):
            self._log.failure("a handler let an error pass", result)
        self.run()
