"""Sockets that come back as if they had not been cut off (connection state recovery, 4.6 and newer)."""

from __future__ import annotations

from collections import OrderedDict, deque
from secrets import token_urlsafe
from typing import NamedTuple

from hunchensocket_tx.socketio.adapter import Audience, KeptSession, Missed, RestoredSession
from hunchensocket_tx.socketio.session import Outgoing
from hunchensocket_tx.socketio.wire.packets import Packet, Parser
from hunchensocket_tx.timers import Timer, Timers

__all__ = ["RECOVERABLE_REASONS", "Held", "Recovery", "new_private_id"]

RECOVERABLE_REASONS = frozenset(
    {
        "transport error",
        "transport close",
        "forced close",
        "ping timeout",
        "server shutting down",
        "forced server close",
    }
)
"""Why sockets disconnect that may come back; where one side wanted it, they may not."""


def new_private_id() -> str:
    """Return a ``pid``: who knows it can come back as the socket that it is of."""
    return token_urlsafe(15)


class Held(NamedTuple):
    """An event that some may have missed."""

    number: int
    sent: float
    audience: Audience
    packet: Packet
    encodings: dict[Parser, Outgoing]


class Recovery:
    """What was sent to a namespace lately, and which of its sockets may come back to get it.

    :param window: seconds for which both are kept.
    :param timers: tell the time, and when it is over: there is one timer, whatever is kept.
    :param max_sessions: how many sockets are kept; the oldest go first. Protects memory.
    :param max_events: how many events are kept; the oldest go first, and sockets that may have missed them cannot
        come back. Protects memory.
    """

    def __init__(self, window: float, timers: Timers, max_sessions: int, max_events: int) -> None:
        self._window = window
        self._timers = timers
        self._max_sessions = max_sessions
        self._max_events = max_events
        self._name = token_urlsafe(6)  # tells our offsets from those of other processes, and of former ones
        self._last = 0
        self._dropped = 0
        self._events: deque[Held] = deque()
        self._sessions: OrderedDict[str, tuple[float, KeptSession]] = OrderedDict()  # by pid, oldest first
        self._timer: Timer | None = None

    def __len__(self) -> int:
        """Return how many events and sockets are kept."""
        return len(self._events) + len(self._sessions)

    # Events

    def hold(self, packet: Packet, audience: Audience) -> Held:
        """Keep an event; what is returned has it as it is to be sent: with its offset as one more argument."""
        self._last += 1
        marked = packet._replace(data=[*packet.data, f"{self._name}.{self._last}"])
        held = Held(self._last, self._timers.seconds(), audience, marked, {})
        self._events.append(held)
        if len(self._events) > self._max_events:
            self._drop_oldest()
        self._watch()
        return held

    def drop(self, held: Held) -> None:
        """Do not keep an event: it could not be sent."""
        self._events.remove(held)

    def _drop_oldest(self) -> None:
        self._dropped = self._events.popleft().number

    # Sockets

    def keep(self, session: KeptSession) -> None:
        """Keep a socket that was cut off."""
        self._sessions[session.pid] = self._timers.seconds(), session
        if len(self._sessions) > self._max_sessions:
            self._sessions.popitem(last=False)
        self._watch()

    def restore(self, pid: str, offset: str) -> RestoredSession | None:
        """Return a socket that was kept, with all it has missed; it is kept no longer.

        :param pid: what the client says is its private id.
        :param offset: what the client says was the offset of the last event it got.
        :returns: None if it is not known, or not known any more what came after that offset.
        """
        self._drop_old()
        _, session = self._sessions.pop(pid, (0.0, None))
        number = self._number(offset)
        if session is None or number is None:
            return None
        missed = []
        for held in reversed(self._events):
            if held.number <= number:
                break
            if _is_for(session.rooms, held.audience):
                missed.append(Missed(held.packet, held.encodings))
        missed.reverse()
        return RestoredSession(session, missed)

    def _number(self, offset: str) -> int | None:
        """Return the number of an event whose successors are all held still."""
        name, _, digits = offset.partition(".")
        if name != self._name or not digits.isdecimal() or len(digits) > len(str(self._last)):
            return None
        number = int(digits)
        return number if self._dropped <= number <= self._last else None

    # Time

    def _watch(self) -> None:
        """Look again when what is oldest now may be dropped."""
        if self._timer is None:
            self._timer = self._timers.callLater(self._window, self._expire)

    def _expire(self) -> None:
        self._timer = None
        self._drop_old()
        if self:
            self._watch()

    def _drop_old(self) -> None:
        threshold = self._timers.seconds() - self._window
        while self._events and self._events[0].sent <= threshold:
            self._drop_oldest()
        while self._sessions and next(iter(self._sessions.values()))[0] <= threshold:
            self._sessions.popitem(last=False)

    def close(self) -> None:
        """Forget all."""
        self._events.clear()
        self._sessions.clear()
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()


def _is_for(rooms: frozenset[str], audience: Audience) -> bool:
    """Tell whether who is in these rooms is meant."""
    return (not audience.rooms or not rooms.isdisjoint(audience.rooms)) and rooms.isdisjoint(audience.but)
