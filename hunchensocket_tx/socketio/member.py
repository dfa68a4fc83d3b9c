"""A client in a namespace, as its connection sees it: what comes from it and how, and its beginning and end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from hunchensocket_tx.socketio.acks import Acks, Taker
from hunchensocket_tx.socketio.adapter import USUAL, Adapter, Audience, Flags, KeptSession, Local, Missed, Server
from hunchensocket_tx.socketio.broadcasting import Broadcasting
from hunchensocket_tx.socketio.calling import NO_ANSWER, Handler, call_all, settled
from hunchensocket_tx.socketio.errors import SocketDisconnected, UnserializableData
from hunchensocket_tx.socketio.event_queue import EventQueue
from hunchensocket_tx.socketio.handshake import Handshake
from hunchensocket_tx.socketio.listeners import CatchAll
from hunchensocket_tx.socketio.operators import BroadcastOperator
from hunchensocket_tx.socketio.recovery import RECOVERABLE_REASONS
from hunchensocket_tx.socketio.session import Outgoing, Session
from hunchensocket_tx.socketio.wire.packets import Packet, PacketType, Parser
from hunchensocket_tx.timers import Timer

__all__ = ["BY_CLIENT", "BY_SERVER", "NEWEST", "Home", "Line", "Member"]

NEWEST = 4
"""The generation of 3.x and 4.x, by its Engine.IO protocol."""

APART = 0.001
"""Seconds in which a client reads what went before by itself. Who awaits one message after the other may lose the
second of two that are read at once."""

BY_CLIENT = "client namespace disconnect"
BY_SERVER = "server namespace disconnect"


class Line(Protocol):
    """A connection, as its members see it."""

    @property
    def session(self) -> Session:
        """The client."""

    @property
    def parser(self) -> Parser:
        """Writes and reads its packets."""

    def left(self, name: str, reason: str) -> None:
        """Forget a member, by the name of its namespace: it has disconnected."""

    def waited(self, size: int) -> None:
        """Count the bytes of events that wait: so many more, or less."""

    def disconnect(self) -> None:
        """Disconnect the client from all its namespaces, and end its session."""

    def close(self, reason: str) -> None:
        """End the session, and everything with it."""


class Home(Broadcasting, ABC):
    """A namespace, as its members see it.

    :ivar name: with a slash in front.
    :ivar io: the server that it is of.
    :ivar adapter: knows who is in which room.
    :ivar sockets: those that are connected in this process, by their ids.
    """

    name: str
    io: Server
    adapter: Adapter
    sockets: Mapping[str, Local]

    def everybody(self) -> BroadcastOperator:
        """Return an operator that means all sockets of the namespace."""
        return BroadcastOperator(self)

    @abstractmethod
    def greet(self, member: Member) -> Deferred[Any] | None:
        """Call the handlers of ``connection``; a Deferred tells when they have done, if they take their time."""

    @abstractmethod
    def remove(self, member: Member) -> None:
        """Take a member out: it has disconnected, or may not connect at all."""


class Member(CatchAll):
    """What of a Socket is no concern of the application's; see there."""

    __slots__ = (
        "_acks",
        "_connection",
        "_data",
        "_early",
        "_greeting",
        "_queue",
        "connected",
        "handshake",
        "id",
        "namespace",
        "pid",
        "recovered",
    )

    _log = Logger()

    def __init__(self, connection: Line, namespace: Home, sid: str, handshake: Handshake) -> None:
        super().__init__()
        self.id = sid
        self.namespace = namespace
        self.handshake = handshake
        self.connected = False
        self.recovered = False
        self.pid: str | None = None  # the private id, if it may come back
        self._connection = connection
        self._data: Any = None
        self._acks: Acks | None = None
        self._queue: EventQueue | None = self._new_queue()
        self._early: list[Outgoing] | None = []  # what is sent before the client knows that it is connected
        self._greeting: Timer | None = None  # runs until the application is told

    @property
    def is_expected(self) -> bool:
        """Whether it is not decided yet if it may connect."""
        return self._early is not None

    # Beginning and end

    def restore(self, kept: KeptSession) -> None:
        """Be the socket again that was cut off, before this one begins."""
        self.recovered = True
        self.pid = kept.pid
        self._data = kept.data
        self.namespace.adapter.join(self.id, kept.rooms)

    def begin(self, missed: Sequence[Missed] = ()) -> None:
        """Tell the client that it is connected, and the application, too; the namespace knows it already.

        :param missed: events that it gets before, as it was here already.
        """
        early, self._early = self._early, None
        self.connected = True
        for event in missed:
            self._catch_up(event)
        facts = {"sid": self.id} if self.pid is None else {"sid": self.id, "pid": self.pid}
        self._send(Packet(PacketType.CONNECT, self.namespace.name, facts), USUAL)
        for outgoing in early or ():
            self._connection.session.send(outgoing)
        session = self._connection.session
        if not self.connected:
            return  # that was more than may wait for the client
        if session.protocol == NEWEST and session.transport_name == "websocket":
            self._greeting = self.namespace.io.clock.callLater(APART, self._greet)
        else:
            self._greet()

    def _catch_up(self, event: Missed) -> None:
        try:
            self.deliver(event.packet, event.encodings, USUAL)
        except UnserializableData:  # nobody was there to whom it had to be written when it was sent
            self._log.failure("{socket}: an event that it missed cannot be sent", socket=self)

    def _greet(self) -> None:
        """Have the application told, and then get what events have come."""
        self._greeting = None
        pending = self.namespace.greet(self)
        queue = self._queue
        if queue is not None:
            if pending is None:
                queue.go_on()
            else:
                pending.addBoth(queue.go_on)

    def end(self, reason: str) -> None:
        """Take it out of everything, unless that is done already, or under way.

        :param reason: why, by one of Socket.IO's names.
        """
        if self._greeting is not None:  # a client may say something and leave at once
            self._greeting.cancel()
            self._greet()
        if not self.connected and not self.is_expected:
            return
        was_connected, self.connected, self._early = self.connected, False, None
        if self._queue is not None:
            self._queue.clear()
        if was_connected:
            self.call_handlers("disconnecting", reason)
            if self.pid is not None and reason in RECOVERABLE_REASONS:
                rooms = self.namespace.adapter.rooms_of(self.id)
                self.namespace.adapter.keep_session(KeptSession(self.pid, self.id, rooms, self._data))
        self.namespace.remove(self)
        self._connection.left(self.namespace.name, reason)
        if self._acks is not None:
            self._acks.close()
        if was_connected:
            self.call_handlers("disconnect", reason)
        self.off()  # handlers know the socket: without this, only a garbage collection could free it
        self._hooks = None

    def dismiss(self) -> None:
        """Disconnect it, and tell the client."""
        self._send(Packet(PacketType.DISCONNECT, self.namespace.name), USUAL)
        self.end(BY_SERVER)

    def shut_down(self) -> None:
        """End the client's session, as the server is going away."""
        self._connection.close("server shutting down")

    # From the client

    def event_received(self, arguments: list[Any], ack_id: int | None, size: int) -> None:
        """Handle an event, or have it wait for its turn.

        :param arguments: its name and arguments.
        :param ack_id: that of the answer that is wanted, or None.
        :param size: its bytes, about.
        """
        if self._queue is not None:
            self._queue.put(arguments, ack_id, size)
            return
        pending = self._handle(arguments, ack_id)
        if pending is not None:
            self._queue = self._new_queue()
            pending.addBoth(self._queue.go_on)

    def ack_received(self, ack_id: int, values: list[Any]) -> None:
        """Take an answer."""
        if self._acks is not None:
            self._acks.answer(ack_id, values)

    def _new_queue(self) -> EventQueue:
        return EventQueue(self._handle, self._connection.waited, self._idle)

    def _idle(self) -> None:
        self._queue = None

    def _handle(self, arguments: list[Any], ack_id: int | None) -> Deferred[Any] | None:
        if self._hooks is not None and self._hooks.middleware:
            return Deferred.fromCoroutine(self._handle_if_let(arguments, ack_id))
        return self._call(arguments, ack_id)

    async def _handle_if_let(self, arguments: list[Any], ack_id: int | None) -> None:
        """Handle an event if the middleware lets it."""
        try:
            for middleware in self._hooked().middleware:
                await settled(middleware(arguments))
        except Exception as error:
            self._refused(error)
            return
        if self.connected:
            pending = self._call(arguments, ack_id)
            if pending is not None:
                await pending

    def _refused(self, error: Exception) -> None:
        handlers = self._listeners.get("error", ())
        if handlers:
            call_all(handlers, ("error", error))
        else:
            self._log.failure(
                "{socket}: an event was refused, and nobody handles errors", Failure(error), socket=self
            )

    def _call(self, arguments: list[Any], ack_id: int | None) -> Deferred[Any] | None:
        """Call the handlers of an event, and answer with what they return."""
        handlers = self._listeners.get(arguments[0], ())
        catch_all = () if self._hooks is None else self._hooks.incoming
        if not handlers and not catch_all:
            return None
        answer = call_all(handlers, arguments, catch_all)
        if isinstance(answer, Deferred):
            return answer if ack_id is None else answer.addCallback(self._answer, ack_id, bool(handlers))
        if ack_id is not None:
            self._answer(answer, ack_id, bool(handlers))
        return None

    def _answer(self, answer: Any, ack_id: int, is_handled: bool) -> None:
        """Answer an event with what its handlers returned; a catch-all handler may, but need not."""
        if answer is NO_ANSWER or (answer is None and not is_handled):
            return
        values = list(answer) if type(answer) is tuple else [answer]
        try:
            self._send(Packet(PacketType.ACK, self.namespace.name, values, ack_id), USUAL)
        except UnserializableData:
            self._log.failure("{socket}: what a handler returned cannot be sent as an answer", socket=self)

    # To the client

    def _send(self, packet: Packet, flags: Flags) -> bool:
        """Send a packet, if there is a client, and tell whether it was sent."""
        session = self._connection.session
        if not self.connected and self._early is None:
            return False
        if flags.volatile and not (self.connected and session.is_writable):
            return False
        messages = self._connection.parser.encode(packet)
        self._transmit(packet, Outgoing(messages, compress=flags.compress))
        return True

    def _transmit(self, packet: Packet, outgoing: Outgoing) -> None:
        if self._hooks is not None and packet.type is PacketType.EVENT:
            call_all((), packet.data, self._hooks.outgoing)
        if self._early is not None:
            self._early.append(outgoing)
        elif self.connected:
            self._connection.session.send(outgoing)

    def deliver(self, packet: Packet, encodings: dict[Any, Outgoing], flags: Flags) -> None:
        """Send a packet that others get, too.

        :param encodings: what parsers have made of it; this client's adds its own.
        :raises UnserializableData: if it cannot be written.
        """
        if flags.volatile and not self._connection.session.is_writable:
            return
        self._transmit_shared(packet, self._connection.parser, encodings, flags)

    def _transmit_shared(self, packet: Packet, key: Any, encodings: dict[Any, Outgoing], flags: Flags) -> bool:
        outgoing = encodings.get(key)
        if outgoing is None:
            try:
                messages = self._connection.parser.encode(packet)
            except UnserializableData as error:
                if self._connection.session.protocol != 1:
                    raise
                messages = ()  # bytes, which clients before 1.0 cannot get; the others must
                self._log.info("{socket} and others of before 1.0 are left out: {error}", socket=self, error=error)
            outgoing = encodings[key] = Outgoing(messages, compress=flags.compress, shared=True)
        if not outgoing.messages:
            return False
        self._transmit(packet, outgoing)
        return True

    # For operators and adapters

    def send_event(self, data: list[Any], flags: Flags, ack: Handler | None = None) -> None:
        """Send an event: its name and arguments; as :meth:`emit`."""
        if ack is None:
            packet = Packet(PacketType.EVENT, self.namespace.name, data)
            if self.pid is None or flags.volatile or not self.connected:
                self._send(packet, flags)
            else:  # the adapter keeps it, for the case that the client misses it and comes back
                self.namespace.adapter.broadcast(packet, Audience(frozenset((self.id,))), flags)
            return
        acks = self._asking()
        ack_id = acks.new_id()
        if self._send(Packet(PacketType.EVENT, self.namespace.name, data, ack_id), flags):
            acks.call(ack_id, ack, flags.timeout)
        elif flags.timeout is not None:
            call_all((ack,), (data[0], _not_sent()))

    def ask_event(self, data: list[Any], flags: Flags) -> Deferred[Any]:
        """Send an event: its name and arguments; and ask for an answer; as :meth:`emit_with_ack`."""
        acks = self._asking()
        ack_id = acks.new_id()
        if self._send(Packet(PacketType.EVENT, self.namespace.name, data, ack_id), flags):
            return acks.wait(ack_id, flags.timeout)
        return fail(_not_sent())

    def ask(self, data: list[Any], encodings: dict[Any, Outgoing], flags: Flags, taker: Taker) -> int:
        """Send an event that others get, too, and ask for an answer.

        :param data: its name and arguments.
        :param encodings: what parsers have made of it, by parser and id; this client's adds its own.
        :param taker: called with the values of the answer, or with the reason why there will be none.
        :returns: the id, for :meth:`forget_ack`.
        :raises UnserializableData: if it cannot be written.
        """
        acks = self._asking()
        ack_id = acks.new_id()
        packet = Packet(PacketType.EVENT, self.namespace.name, data, ack_id)
        key = self._connection.parser, ack_id
        if self.connected and self._transmit_shared(packet, key, encodings, flags):
            acks.take(ack_id, taker)
        else:
            taker(_not_sent())
        return ack_id

    def forget_ack(self, ack_id: int) -> None:
        """Do not wait for an answer any more."""
        if self._acks is not None:
            self._acks.forget(ack_id)

    def _asking(self) -> Acks:
        if self._acks is None:
            self._acks = Acks(self.namespace.io.clock)
        return self._acks


def _not_sent() -> SocketDisconnected:
    return SocketDisconnected("the event could not be sent, so there will be no answer")
