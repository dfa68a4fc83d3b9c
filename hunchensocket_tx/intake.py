"""The receiving side: what a codec yields, handled in order and one at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from hunchensocket_tx.errors import ConnectionClosed
from hunchensocket_tx.inbox import Inbox
from hunchensocket_tx.incoming import IncomingMessage
from hunchensocket_tx.wire.events import Closed, Event, Message, Piece, Reply

__all__ = ["Intake", "Pending", "ignore"]

Pending = Deferred[Any] | None


def ignore(message: object) -> None:
    """Handle what nobody asked for."""


class Intake(ABC):
    """What a connection receives: hands messages to a handler and everything else to the connection, and waits
    while either takes its time. Connections inherit from it, as every message passes here.

    :ivar _deliver: takes messages; may return a Deferred, which must not fail, to wait for.
    :ivar _paused: whether the application wants no messages for now.
    :ivar _blocked: whether what is sent has to be got rid of first.
    :ivar _busy: whether a handler is not done yet.
    :ivar _calm: whether there is nothing to do when the events at hand are handled.
    """

    _log = Logger()

    __slots__ = ("__dict__", "_blocked", "_busy", "_calm", "_deliver", "_events", "_paused", "_running")

    # What few need:
    _inbox: Inbox | None = None
    _incoming: tuple[IncomingMessage, Pending] | None = None
    _no_more: ConnectionClosed | None = None

    def __init__(self) -> None:
        self._events: list[Event] | None = None  # those that wait, the next one last
        self._running = False
        self._deliver: Callable[[Any], Pending] = ignore
        self._paused = self._blocked = self._busy = self._calm = False

    @abstractmethod
    def _handle_event(self, event: Any) -> Pending:
        """Take an event that is no message; may return a Deferred, which must not fail, to wait for."""

    @abstractmethod
    def _rested(self) -> None:
        """Do what is to be done whenever there is nothing to handle any more, for now."""

    @property
    def inbox(self) -> Inbox:
        """Where messages wait to be asked for, if its ``put`` is the message handler."""
        if self._inbox is None:
            self._inbox = Inbox()
            if self._no_more is not None:
                self._inbox.end(self._no_more)
        return self._inbox

    def into_inbox(self) -> Callable[[Message], Pending]:
        """Return a message handler that leaves all messages to who asks the inbox for them."""
        self.inbox.source = self._next_message
        return self.inbox.put

    def _next_message(self) -> Message | None:
        """Take the next event, if it is a message that may be handled now."""
        events = self._events
        if not events or self._paused or self._blocked:
            return None
        message = events[-1]
        if not isinstance(message, (str, bytes)):
            return None
        del events[-1]
        if not events:
            self._events = None
        return message

    @property
    def _is_idle(self) -> bool:
        """Whether everything was handled."""
        return not self._events and not self._busy

    def _take_in(self, events: list[Event]) -> None:
        """Queue events, which are this object's from now on, and handle what can be handled now."""
        events.reverse()
        if self._events:
            self._events[:0] = events
        else:
            self._events = events
        self._go_on()

    @property
    def _has_end(self) -> bool:
        """Whether the peer's closing is waiting behind other events."""
        return self._events is not None and isinstance(self._events[0], Closed)

    def _take_end(self) -> tuple[Closed | None, Reply | None]:
        """Return the peer's closing that is waiting behind other events, if it is, and our answer to it.

        The closing stays in its place; the answer is for the caller to send.
        """
        events = self._events
        end = events[0] if events else None
        if not events or not isinstance(end, Closed):
            return None, None
        answer = events[1] if len(events) > 1 else None
        if not isinstance(answer, Reply):
            return end, None
        del events[1]
        return end, answer

    def _drop_events(self) -> None:
        """Forget what was not handled yet."""
        self._events = None

    def _go_on(self) -> None:
        """Handle events in order, until there are none or something has to be waited for."""
        if self._running:
            return
        self._running = True
        try:
            while (events := self._events) and not self._busy:
                event = events[-1]
                kind = type(event)
                if kind is str or kind is bytes:
                    if self._paused or self._blocked:
                        break
                    del events[-1]
                    pending = self._deliver(event)
                elif kind is Piece and (self._paused or self._blocked):
                    break
                else:
                    del events[-1]
                    pending = self._take_piece(event) if isinstance(event, Piece) else self._handle_event(event)
                if pending is not None:
                    self._busy = True
                    self._calm = False
                    pending.addBoth(self._handled)
        finally:
            self._running = False
            if not self._events:
                self._events = None
        if not self._calm:
            self._rested()

    def _end_intake(self, error: ConnectionClosed) -> None:
        """Tell who waits for messages, or for the rest of one, that none will come any more."""
        self._no_more = error
        if self._inbox is not None:
            self._inbox.end(error)
            self._inbox.source = None  # which knows us, too
        if self._incoming is not None:
            self._incoming[0].fail(error)

    def _take_piece(self, piece: Piece) -> Pending:
        """Begin or go on with a message in pieces; with the last one, wait for its handler."""
        if self._incoming is None:
            incoming = IncomingMessage()
            handled = self._deliver(incoming)
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

    def _handled(self, result: object) -> None:
        self._busy = False
        if isinstance(result, Failure):
            self._log.failure("a handler let an error pass", result)
        self._go_on()
