"""EngineSession: a client of Engine.IO 3 or 4, from its handshake to its end."""

from __future__ import annotations

import json
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.socketio.handshake import Handshake
from hunchensocket_tx.socketio.session import Outgoing, Session, SessionOpened
from hunchensocket_tx.socketio.settings import SocketIOSettings
from hunchensocket_tx.socketio.wire.engine import EngineCodec, EnginePacket, EngineType
from hunchensocket_tx.wire.events import Message

__all__ = ["EngineSession", "Home", "Transport", "Trial"]

MESSAGE, PING, PONG, CLOSE = EngineType.MESSAGE, EngineType.PING, EngineType.PONG, EngineType.CLOSE

PRECISION = 0.01
"""Seconds that do not matter; what is left of a time may never quite become nothing, in binary fractions."""


class Transport(Protocol):
    """What a session sends with."""

    name: str
    """``polling`` or ``websocket``."""

    @property
    def is_writable(self) -> bool:
        """Whether what is sent now leaves at once."""

    def send(self, outgoing: Outgoing) -> None:
        """Send a packet of the application's, now or later."""

    def send_packet(self, packet: EnginePacket) -> None:
        """Send one of Engine.IO's own."""

    def close(self) -> None:
        """Say, behind all that was sent, that the session is over, and have the session forgotten then."""

    def drop(self, farewell: EngineType) -> None:
        """Send nothing any more but this, if it can leave at once."""


class Home(Protocol):
    """What a session asks of the server whose it is."""

    settings: SocketIOSettings
    limits: Settings
    clock: IReactorTime
    upgrades: bool
    """Whether clients may go over to a WebSocket."""

    def forget(self, session: EngineSession) -> None:
        """Let a session's id be unknown from now on."""


class Trial(Protocol):
    """What a session, and its transports, ask of a WebSocket that is being tried beside polling."""

    @property
    def transport(self) -> Transport:
        """The WebSocket."""

    def receive(self, message: Message) -> None:
        """Take what came over it."""

    def poll_waits(self) -> None:
        """Take notice that a GET waits."""

    def stop(self) -> None:
        """Give it up."""


class EngineSession(Session):
    """One client.

    :param server: whose session it is.

    :ivar codec: for its packets.
    :ivar binary: whether polling may carry binary data; the client may have said no (``b64``).
    :ivar transport: the one in use.
    :ivar probe: the WebSocket that is being tried beside polling, if one is.
    :ivar last_heard: when something came, in the clock's seconds (Engine.IO 3), or from when the time until the
        next ping counts, and that for its answer (Engine.IO 4).
    """

    _log = Logger()
    __slots__ = (
        "_awaits_pong",
        "_reason",
        "_timer",
        "binary",
        "codec",
        "last_heard",
        "probe",
        "server",
        "transport",
    )

    def __init__(
        self,
        server: Home,
        sid: str,
        codec: EngineCodec,
        handshake: Handshake,
        *,
        binary: bool,
    ) -> None:
        super().__init__(sid, codec.protocol, handshake)
        self.server = server
        self.codec = codec
        self.binary = binary
        self.transport: Transport
        self.probe: Trial | None = None
        self.last_heard = 0.0
        self._reason: str | None = None
        self._timer: IDelayedCall | None = None
        self._awaits_pong = False

    def __repr__(self) -> str:  # without its id, which is a secret
        return f"<EngineSession protocol={self.protocol} address={self.handshake.address}>"

    def begin(self, transport: Transport, opened: SessionOpened) -> None:
        """Tell the client and who is above that the session has begun.

        Whatever is sent meanwhile goes out behind the packet that opens it.
        """
        self.transport = transport
        settings = self.server.settings
        told: dict[str, object] = {
            "sid": self.sid,
            "upgrades": ["websocket"] if transport.name == "polling" and self.server.upgrades else [],
            "pingInterval": round(settings.ping_interval * 1000),
            "pingTimeout": round(settings.ping_timeout * 1000),
        }
        if self.protocol >= 4:
            told["maxPayload"] = settings.max_http_buffer_size
        transport.send_packet(EnginePacket(EngineType.OPEN, json.dumps(told, separators=(",", ":"))))
        self.last_heard = self.server.clock.seconds()
        self.listener = opened(self)
        if self._reason is None:
            self._beat_later()
        else:  # it was closed at once
            self._tell_end(self._reason)

    # What is above it uses (Session)

    @property
    def transport_name(self) -> str:
        """``polling`` or ``websocket``."""
        return self.transport.name

    @property
    def is_open(self) -> bool:
        """Whether it is not over."""
        return self._reason is None

    @property
    def is_writable(self) -> bool:
        """Whether what is sent now leaves at once."""
        return self._reason is None and self.transport.is_writable

    def send(self, outgoing: Outgoing) -> None:
        """Send a packet."""
        if self._reason is None:
            self.transport.send(outgoing)

    def close(self, reason: str) -> None:
        """End the session, once what was sent is out, or the client takes it no more."""
        if self._end(reason):
            self.transport.close()
            self._tell_end(reason)

    # What transports use

    def receive(self, packet: EnginePacket) -> None:
        """Take a packet that came over the transport in use."""
        kind = packet.type
        if self._reason is not None:
            return
        if kind is MESSAGE:
            self.listener.message_received(packet.data)
        elif kind is CLOSE:
            self.lose("transport close", EngineType.NOOP)
        elif kind is (PING if self.protocol >= 4 else PONG):
            self.fail("transport error", "it answers heartbeats that it has to send, or the reverse")
        elif kind is PING:
            self.transport.send_packet(EnginePacket(PONG, packet.data))
        elif kind is PONG and self._awaits_pong:
            self._awaits_pong = False
            self.last_heard += self.server.settings.ping_interval
            self._beat_later()

    def heard(self) -> None:
        """Take notice that something came, which in Engine.IO 3 is all that is known of a client's life."""
        if self.protocol == 3:
            self.last_heard = self.server.clock.seconds()

    def lose(self, reason: str, farewell: EngineType = CLOSE) -> None:
        """End the session at once, as its client or the transport is gone.

        :param farewell: what a request that waits is answered with.
        """
        if self._end(reason):
            self.transport.drop(farewell)
            self.forget()
            self._tell_end(reason)

    def fail(self, reason: str, fault: str) -> None:
        """End the session at once, for a fault of its client."""
        if self._reason is None:
            self._log.info("{session} is ended: {fault}", session=self, fault=fault)
            self.lose(reason)

    def forget(self) -> None:
        """Let the session's id be unknown from now on."""
        self.server.forget(self)

    def _end(self, reason: str) -> bool:
        """Let the session be over, if it was not; return whether it was not."""
        if self._reason is not None:
            return False
        self._reason = reason
        self._stop_beat()
        if self.probe is not None:
            self.probe.stop()
        return True

    def _tell_end(self, reason: str) -> None:
        """Tell who is above, if there is somebody yet, and let go of it, as it knows this session."""
        listener = getattr(self, "listener", None)
        if listener is None:
            return
        del self.listener
        try:
            listener.session_closed(reason)
        except Exception:
            self._log.failure("{session} is over, which could not be handled", session=self)

    # Heartbeats

    @property
    def is_late(self) -> bool:
        """Whether a sign of life is overdue, even if no timer has said so yet."""
        waits = self._reason is None and (self.protocol == 3 or self._awaits_pong)
        return waits and self._time_left() <= 0

    def _time_left(self) -> float:
        """Return the seconds until the client has to have given a sign of life."""
        settings = self.server.settings
        return self.last_heard + settings.ping_interval + settings.ping_timeout - self.server.clock.seconds()

    def _beat_later(self) -> None:
        """Set the timer, for a time that does not depend on how late the last one was."""
        self._stop_beat()
        left = self._time_left()
        if self.protocol == 3:
            beat = self._look_for_life
        else:
            beat = self._beat
            if not self._awaits_pong:
                left -= self.server.settings.ping_timeout
        self._timer = self.server.clock.callLater(max(0.0, left), beat)

    def _stop_beat(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _beat(self) -> None:
        """Ask the client for a sign of life, or end the session, as none came (Engine.IO 4)."""
        if self._awaits_pong:
            self.lose("ping timeout")
        else:
            self._awaits_pong = True
            in_time = self.server.clock.seconds() - self.server.settings.ping_interval
            self.last_heard = max(self.last_heard, in_time - PRECISION)  # later if this process was held up
            self.transport.send_packet(EnginePacket(PING))
            if self._reason is None:
                self._beat_later()

    def _look_for_life(self) -> None:
        """End the session if the client has sent nothing for too long (Engine.IO 3)."""
        if self._time_left() > PRECISION:
            self._beat_later()
        else:
            self.lose("ping timeout")
