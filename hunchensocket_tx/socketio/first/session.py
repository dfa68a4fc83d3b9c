"""A session of protocol 1: its packets, what waits for a transport, and its timers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.socketio.errors import PacketError
from hunchensocket_tx.socketio.handshake import Handshake
from hunchensocket_tx.socketio.session import Outgoing, Session, SessionListener
from hunchensocket_tx.socketio.settings import SocketIOSettings
from hunchensocket_tx.socketio.wire.first import (
    DISCONNECT,
    HEARTBEAT,
    RECONNECT,
    FirstType,
    receipt,
    split,
    understand,
)
from hunchensocket_tx.socketio.wire.packets import PacketType
from hunchensocket_tx.wire.events import Message

__all__ = ["FirstSession", "Transport"]

OVERHEAD = 64
"""Bytes that a packet takes beside its text, about."""

TO_ACKNOWLEDGE = frozenset({FirstType.MESSAGE, FirstType.JSON, FirstType.EVENT})
"""What the library acknowledges, if the client wants that."""

SHUTTING_DOWN = "server shutting down"


class Transport(Protocol):
    """A way to a client: a WebSocket, a document without end, or a GET that waits."""

    @property
    def name(self) -> str:
        """As the client calls it."""

    @property
    def lasts(self) -> bool:
        """Whether it goes on when something was sent; only then there are heartbeats."""

    @property
    def is_ready(self) -> bool:
        """Whether it takes packets now; they wait otherwise, until :meth:`FirstSession.flush` is called."""

    @property
    def is_writable(self) -> bool:
        """Whether what is sent leaves at once."""

    def send(self, outgoing: Outgoing) -> None:
        """Send a packet."""

    def send_all(self, packets: list[str]) -> None:
        """Send packets, of which there is at least one, at once."""

    def close(self) -> None:
        """End it, as another takes its place, or the session is over; nothing is told of it any more."""


class FirstSession(Session):
    """A client of protocol 1, from its handshake on.

    What is sent while there is no transport waits for the next one. A timer is set for what is due next, and not
    moved when that changes to something later.

    :param limits: of WebSockets; ``max_send_buffer`` holds for what waits here, too.
    :param forget: called with this when nothing more can come of it.
    """

    _log = Logger()
    __slots__ = (
        "_beat_due",
        "_clock",
        "_corked",
        "_due",
        "_forget",
        "_has_begun",
        "_held",
        "_held_size",
        "_limits",
        "_name",
        "_reason",
        "_settings",
        "_silent_since",
        "_timer",
        "_timer_due",
        "_transport",
    )

    def __init__(
        self,
        sid: str,
        handshake: Handshake,
        settings: SocketIOSettings,
        limits: Settings,
        clock: IReactorTime,
        forget: Callable[[FirstSession], None],
    ) -> None:
        super().__init__(sid, 1, handshake)
        self._settings = settings
        self._limits = limits
        self._clock = clock
        self._forget: Callable[[FirstSession], None] | None = forget
        self._transport: Transport | None = None
        self._name = ""
        self._held: list[str] = []
        self._held_size = 0
        self._corked = False  # as more may be to send soon
        self._has_begun = False  # and has a listener
        self._reason: str | None = None  # why it is over
        self._silent_since: float | None = None  # the first heartbeat that has no answer
        self._beat_due = 0.0
        self._due = self._timer_due = 0.0
        self._timer: Any = None
        self._wait(settings.handshake_timeout)

    # What those above use

    @property
    def transport_name(self) -> str:
        """The transport it uses, or has used last; empty before the first one."""
        return self._name

    @property
    def is_open(self) -> bool:
        """Whether what is sent now may still reach the client."""
        return self._reason is None

    @property
    def is_writable(self) -> bool:
        """Whether what is sent now leaves at once."""
        transport = self._transport
        if transport is None or self._reason is not None:
            return False
        return transport.is_writable and (self._corked or not self._held)

    def send(self, outgoing: Outgoing) -> None:
        """Send a packet, now or by the next transport; nothing happens when the session is over."""
        transport = self._transport
        if self._reason is not None:
            return
        if transport is not None and transport.lasts and transport.is_ready and not self._held:
            transport.send(outgoing)
        else:
            self._send(str(outgoing.messages[0]))

    def close(self, reason: str) -> None:
        """End the session; the client is told, also if its next request is what it can be told with."""
        self._end(reason, RECONNECT if reason == SHUTTING_DOWN else DISCONNECT, linger=True)

    # What the server uses

    def begin(self, listener: SessionListener) -> None:
        """Tell a listener what happens from now on."""
        self.listener = listener
        self._has_begun = True
        if self._reason is not None:
            self._tell_end(self._reason)

    def abandon(self) -> None:
        """Wait no longer for a client that is to be told of the end."""
        if self._reason is not None:
            self._let_go()

    def disconnect(self) -> None:
        """End the session, as the client wants."""
        self._end("client namespace disconnect", DISCONNECT)

    # What transports use

    def attach(self, transport: Transport) -> None:
        """Use another transport, in place of that which there may be."""
        former, self._transport = self._transport, transport
        self._name = transport.name
        if former is not None:
            former.close()
        if self._reason is not None:
            self._say_goodbye(transport)
        elif transport.lasts:
            self._silent_since = None
            self._beat_due = self._clock.seconds() + self._beat_interval
            self._wait(self._beat_interval)
            self.flush()
        elif self._held and not self._corked:
            self.flush()
        else:
            self._wait(self._settings.polling_duration)

    def lose(self, transport: Transport, final_reason: str | None = None) -> None:
        """Take notice that a transport is gone.

        :param final_reason: why the session ends with it; None if the client may come back.
        """
        if transport is not self._transport:
            return
        self._transport = None
        if self._reason is not None:
            self._let_go()
        elif final_reason is not None:
            self._end(final_reason)
        else:
            self._wait(self._settings.close_timeout)

    def flush(self) -> None:
        """Send what waits, if there is a transport that takes it."""
        transport = self._transport
        if not self._held or transport is None or not transport.is_ready or self._corked:
            return
        held = self._take_held()
        if not transport.lasts:
            self._transport = None
            self._wait(self._settings.close_timeout)
        transport.send_all(held)

    def receive(self, message: Message) -> None:
        """Take what a WebSocket brought: a packet."""
        try:
            self._receive(message)
        except PacketError as error:
            self._refuse(error)

    def receive_all(self, packets: list[str]) -> bool:
        """Take what a POST brought, and send all answers together.

        :returns: whether these are packets; if not, the session is over.
        """
        self._corked = True
        try:
            for packet in packets:
                self._receive(packet)
        except PacketError as error:
            self._refuse(error)
            return False
        finally:
            self._corked = False
            self.flush()
        return True

    # Receiving

    def _receive(self, message: Message) -> None:
        self._silent_since = None
        if message == HEARTBEAT or self._reason is not None:
            return
        if not isinstance(message, str):
            raise PacketError("packets of protocol 1 are text")
        packet = split(message)
        if packet.id is not None and not packet.asks and packet.type in TO_ACKNOWLEDGE:
            self._send(receipt(packet))
        meaning = understand(packet)
        if meaning is None:
            return
        if meaning.namespace == "/":
            if meaning.type is PacketType.DISCONNECT:
                self.disconnect()
                return
            if meaning.type is PacketType.CONNECT:
                return  # it is connected from the start
        try:
            self.listener.packet_received(meaning)
        except Exception:
            self._log.failure("session of {peer} ends: a packet cannot be handled", peer=self.handshake.address)
            self._end("transport error")

    def _refuse(self, error: Exception) -> None:
        self._log.info("session of {peer}: {error}", peer=self.handshake.address, error=error)
        self.close("parse error")

    # Sending

    def _send(self, packet: str) -> None:
        """Send a packet behind all that waits; or hold it, within bounds."""
        size = len(packet) + OVERHEAD
        if self._held_size + size > self._limits.max_send_buffer:
            self._log.info("session of {peer}: it is too slow", peer=self.handshake.address)
            self._end("transport error")
            return
        self._held.append(packet)
        self._held_size += size
        self.flush()

    def _take_held(self) -> list[str]:
        held, self._held, self._held_size = self._held, [], 0
        return held

    # Ending

    def _end(self, reason: str, farewell: str | None = None, *, linger: bool = False) -> None:
        """Be over.

        :param farewell: the last packet; None for no word more.
        :param linger: whether to wait for a request that can be answered with it.
        """
        if self._reason is not None:
            return
        self._reason = reason
        if farewell is None:
            self._take_held()
        else:
            self._held.append(farewell)
        if self._transport is not None:
            self._say_goodbye(self._transport)
        elif not linger:
            self._let_go()
        if self._has_begun:
            self._tell_end(reason)

    def _tell_end(self, reason: str) -> None:
        """Tell the listener, and let go of it, as it knows this session; its faults are no others' business."""
        listener = self.listener
        del self.listener
        try:
            listener.session_closed(reason)
        except Exception:
            self._log.failure("the end of a session of {peer} cannot be handled", peer=self.handshake.address)

    def _say_goodbye(self, transport: Transport) -> None:
        """Send what is left, and close the transport."""
        self._transport = None
        held = self._take_held()
        if held:
            transport.send_all(held)
        transport.close()
        self._let_go()

    def _let_go(self) -> None:
        """Be forgotten."""
        self._take_held()
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        forget, self._forget = self._forget, None
        if forget is not None:
            forget(self)

    # Time

    def _wait(self, seconds: float) -> None:
        """Have :meth:`_time_is_over` called, unless this is called again before."""
        self._due = self._clock.seconds() + seconds
        if self._timer is not None:
            if self._timer_due <= self._due:
                return  # it looks again then
            self._timer.cancel()
        self._timer_due = self._due
        self._timer = self._clock.callLater(seconds, self._look)

    def _look(self) -> None:
        """See whether it is time."""
        self._timer = None
        if self._timer_due < self._due:
            self._wait(self._due - self._clock.seconds())
        else:
            self._time_is_over()

    def _time_is_over(self) -> None:
        transport = self._transport
        if self._reason is not None:
            self._let_go()
        elif transport is None:
            self._end("transport close")
        elif transport.lasts:
            self._beat()
        else:
            self._transport = None
            self._wait(self._settings.close_timeout)
            transport.close()

    @property
    def _beat_interval(self) -> float:
        """Seconds between heartbeats: a client ends a session, too, if it hears nothing for the timeout."""
        return min(self._settings.ping_interval, self._settings.heartbeat_timeout / 2)

    def _beat(self) -> None:
        """Ask a client whether it lives; end its session if it has not answered for too long."""
        now = self._clock.seconds()
        patience = self._settings.heartbeat_timeout
        if self._silent_since is not None and now >= self._silent_since + patience:
            self._log.info(
                "session of {peer}: no heartbeat for {patience} s", peer=self.handshake.address, patience=patience
            )
            self._end("ping timeout")
            return
        if now >= self._beat_due:
            self._beat_due = now + self._beat_interval
            if self._silent_since is None:
                self._silent_since = now
            self._send(HEARTBEAT)
            if self._transport is None:
                return  # it was too slow for that, and is gone
        silent_since = now if self._silent_since is None else self._silent_since
        self._wait(min(self._beat_due, silent_since + patience) - now)
