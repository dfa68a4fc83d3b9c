"""Saying to whom something goes, and how, and then sending it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from hunchensocket_tx.errors import MisuseError
from hunchensocket_tx.socketio.adapter import EVERYBODY, USUAL, Audience, Flags, Space
from hunchensocket_tx.socketio.calling import until_done
from hunchensocket_tx.socketio.errors import AckTimeout
from hunchensocket_tx.socketio.wire.packets import RESERVED_EVENTS, Packet, PacketType

__all__ = ["BroadcastOperator", "event_data", "room_names"]

Answered = Callable[[Exception | None, list[Any]], Any]
"""Who is told how a broadcast was answered: None or an AckTimeout, and the first value of each answer."""


def event_data(event: str, arguments: Iterable[Any]) -> list[Any]:
    """Return what a packet carries that is an event.

    :raises MisuseError: if its name is no str, or one that Socket.IO keeps for itself (protocol 5).
    """
    if not isinstance(event, str):
        raise MisuseError(f"an event's name is a str, not {event!r}")
    if event in RESERVED_EVENTS:
        raise MisuseError(f"{event!r} is Socket.IO's own event: give yours another name")
    return [event, *arguments]


def room_names(rooms: Iterable[str | Iterable[str]]) -> frozenset[str]:
    """Return rooms that are given one by one, or several at once.

    :raises MisuseError: if something else is given.
    """
    names: set[str] = set()
    for given in rooms:
        several = isinstance(given, Iterable) and not isinstance(given, str)
        for name in given if several else (given,):
            if not isinstance(name, str):
                raise MisuseError(f"a room's name is a str, not {name!r}")
            names.add(name)
    return frozenset(names)


class BroadcastOperator:
    """Sockets of a namespace that are meant, and how something is sent to them.

    It never changes: each word returns a new one, so that it can be kept and used again::

        others = io.to("lobby").except_(socket.id)
        others.volatile.emit("typing", name)

    :param namespace: that one.
    :param audience: who is meant; without more words, all.
    """

    __slots__ = ("_audience", "_flags", "_namespace")

    _log = Logger()

    def __init__(self, namespace: Space, audience: Audience = EVERYBODY, flags: Flags = USUAL) -> None:
        self._namespace = namespace
        self._audience = audience
        self._flags = flags

    def _with(self, audience: Audience | None = None, **flags: Any) -> BroadcastOperator:
        return BroadcastOperator(self._namespace, audience or self._audience, self._flags._replace(**flags))

    # To whom

    def to(self, *rooms: str | Iterable[str]) -> BroadcastOperator:
        """Mean who is in these rooms, besides those named before; a socket's id is a room, too.

        :raises MisuseError: if none is given, as that would mean all.
        """
        names = room_names(rooms)
        if not names:
            raise MisuseError("name a room: without any, all would be meant")
        return self._with(self._audience._replace(rooms=self._audience.rooms | names))

    in_ = to

    def except_(self, *rooms: str | Iterable[str]) -> BroadcastOperator:
        """Leave out who is in one of these rooms."""
        return self._with(self._audience._replace(but=self._audience.but | room_names(rooms)))

    @property
    def local(self) -> BroadcastOperator:
        """Mean sockets of this process only."""
        return self._with(local=True)

    # How

    @property
    def volatile(self) -> BroadcastOperator:
        """Leave out those to whom it cannot be sent at once."""
        return self._with(volatile=True)

    def compress(self, compress: bool) -> BroadcastOperator:
        """Say whether it may be compressed; it may, unless told otherwise."""
        return self._with(compress=compress)

    def timeout(self, seconds: float) -> BroadcastOperator:
        """Wait so long for answers."""
        return self._with(timeout=seconds)

    # What

    def emit(self, event: str, *arguments: Any, ack: Answered | None = None) -> None:
        """Send an event.

        :param arguments: what JSON can carry, and bytes at any depth.
        :param ack: called when all who got it have answered, or disconnected, or the timeout is over: with None
            or an AckTimeout, and with the first value of each answer.
        :raises MisuseError: if the event's name is Socket.IO's own, or the arguments cannot be written.
        """
        if ack is None:
            self._namespace.adapter.broadcast(self._packet(event, arguments), self._audience, self._flags)
            return
        asked = self.emit_with_ack(event, *arguments)
        asked.addCallbacks(
            lambda answers: until_done(ack(None, answers)),
            lambda failure: until_done(ack(failure.value, _answers_in(failure.value))),
        )
        asked.addErrback(lambda failure: self._log.failure("what was to take answers failed", failure))

    def send(self, *arguments: Any) -> None:
        """Send the event ``message``."""
        self.emit("message", *arguments)

    def emit_with_ack(self, event: str, *arguments: Any) -> Deferred[list[Any]]:
        """Send an event, and collect the answers.

        :returns: the first value of each answer (None for one without values), as they came; who disconnects is
            waited for no longer. May be cancelled.
        :raises AckTimeout: through the Deferred, if ``timeout`` was given, and not all have answered in time;
            ``answers`` has those that came.
        :raises MisuseError: if the event's name is Socket.IO's own, or the arguments cannot be written.
        """
        answers: list[Any] = []
        asked = self._namespace.adapter.broadcast_with_ack(
            self._packet(event, arguments),
            self._audience,
            self._flags,
            lambda values: answers.append(values[0] if values else None),
        )
        seconds = self._flags.timeout
        answered: Deferred[list[Any]] = asked.addCallback(lambda _: answers)
        return answered if seconds is None else self._limited(answered, answers, seconds)

    def _packet(self, event: str, arguments: Iterable[Any]) -> Packet:
        return Packet(PacketType.EVENT, self._namespace.name, event_data(event, arguments))

    def _limited(self, answered: Deferred[list[Any]], answers: list[Any], seconds: float) -> Deferred[list[Any]]:
        """Let answers be waited for so long only."""
        timer = self._namespace.io.clock.callLater(seconds, answered.cancel)

        def ended(result: Any) -> Any:
            if timer.active():
                timer.cancel()
            elif isinstance(result, Failure):
                raise AckTimeout(f"not all have answered in {seconds} s", answers)
            return result

        return answered.addBoth(ended)

    # What else can be done with those who are meant

    def fetch_sockets(self) -> Deferred[list[Any]]:
        """Return those who are meant: Sockets of this process, and RemoteSockets of others."""
        return self._namespace.adapter.fetch_sockets(self._audience, self._flags)

    def sockets_join(self, *rooms: str | Iterable[str]) -> None:
        """Put all who are meant into rooms."""
        self._namespace.adapter.sockets_join(self._audience, self._flags, room_names(rooms))

    def sockets_leave(self, *rooms: str | Iterable[str]) -> None:
        """Take all who are meant out of rooms."""
        self._namespace.adapter.sockets_leave(self._audience, self._flags, room_names(rooms))

    def disconnect_sockets(self, close: bool = False) -> None:
        """Disconnect all who are meant, with the reason ``server namespace disconnect``.

        :param close: whether from all namespaces, by closing their connections.
        """
        self._namespace.adapter.disconnect_sockets(self._audience, self._flags, close)


def _answers_in(error: BaseException) -> list[Any]:
    return error.answers if isinstance(error, AckTimeout) else []
