"""Events of one socket, one at a time and in order, however long their handlers take."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

__all__ = ["EventQueue"]

OVERHEAD = 256
"""Bytes that an event takes, about, besides its arguments."""

Handle = Callable[[list[Any], int | None], Deferred[Any] | None]
"""Handles an event: its name and arguments, and the id of the answer that is wanted, if one is. It does not raise;
it returns a Deferred, which does not fail, if that takes its time."""


class EventQueue:
    """Events that have come while something else was under way; it is there as long as that.

    :param handle: is called with one after the other.
    :param waited: is told how many more bytes wait, or less.
    :param emptied: is called when nothing is under way any more.
    """

    __slots__ = ("_emptied", "_events", "_handing_on", "_handle", "_idle", "_waited")

    _log = Logger()

    def __init__(self, handle: Handle, waited: Callable[[int], None], emptied: Callable[[], None]) -> None:
        self._handle = handle
        self._waited = waited
        self._emptied = emptied
        self._events: deque[tuple[list[Any], int | None, int]] = deque()
        self._idle = False
        self._handing_on = False

    def put(self, arguments: list[Any], ack_id: int | None, size: int) -> None:
        """Have an event handled when it is its turn.

        :param size: its bytes, about.
        """
        size += OVERHEAD
        self._events.append((arguments, ack_id, size))
        self._waited(size)

    def clear(self) -> None:
        """Drop the events, as the socket is gone."""
        self._waited(-sum(size for _, _, size in self._events))
        self._events.clear()

    def go_on(self, result: object = None) -> None:
        """Handle the events that wait, as what was under way is done.

        It is a loop, not a recursion: there may be thousands, each done at once.
        """
        if isinstance(result, Failure):
            self._log.failure("an event could not be handled", result)
        self._idle = True
        if self._handing_on:
            return
        self._handing_on = True
        while self._idle and self._events:
            arguments, ack_id, size = self._events.popleft()
            self._waited(-size)
            pending = self._handle(arguments, ack_id)
            if pending is not None:
                self._idle = False
                pending.addBoth(self.go_on)
        self._handing_on = False
        if self._idle:
            self._emptied()
