"""Probe: a WebSocket that a session on polling is trying, before it goes over to it."""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall

from hunchensocket_tx.socketio.engine.polling import PollingTransport
from hunchensocket_tx.socketio.engine.session import EngineSession
from hunchensocket_tx.socketio.engine.websocket import WebSocketTransport
from hunchensocket_tx.socketio.errors import PayloadError
from hunchensocket_tx.socketio.session import Outgoing
from hunchensocket_tx.socketio.wire.engine import EnginePacket, EngineType
from hunchensocket_tx.wire.events import Message

__all__ = ["Probe"]

NOOP_INTERVAL = 0.1
"""Seconds between answers to GETs that come though the client could stop polling."""


class Probe:
    """The way from polling to a WebSocket.

    The client asks (``2probe``) and is answered; it stops polling, for which its GET needs an answer, and says
    that it is there (``5``). Until then polling is in use, both ways; whatever goes wrong, it stays so.

    :param session: on ``polling``.
    :param transport: the WebSocket.
    """

    __slots__ = ("_answered", "_noop", "_polling", "_session", "_timer", "transport")

    def __init__(self, session: EngineSession, polling: PollingTransport, transport: WebSocketTransport) -> None:
        self._session = session
        self._polling = polling
        self.transport = transport
        self._answered = False
        self._noop: IDelayedCall | None = None
        clock, settings = session.server.clock, session.server.settings
        self._timer: IDelayedCall = clock.callLater(settings.upgrade_timeout, self.stop)
        session.probe = self

    def receive(self, message: Message) -> None:
        """Take what comes over the WebSocket."""
        try:
            packet = self.transport.decode(message)
        except PayloadError:
            self.stop()
            return
        if packet == (EngineType.PING, "probe"):
            self.transport.send_packet(EnginePacket(EngineType.PONG, "probe"))
            self._answered = True
            self._polling.answer_noop()
        elif packet.type is EngineType.UPGRADE:
            self._go_over()
        else:
            self.stop()

    def poll_waits(self) -> None:
        """Take notice that a GET waits: answer it soon if nothing else does, as the client wants to stop."""
        if self._answered and (self._noop is None or not self._noop.active()):
            self._noop = self._session.server.clock.callLater(NOOP_INTERVAL, self._polling.answer_noop)

    def stop(self) -> None:
        """Try no longer: close the WebSocket."""
        self._end()
        self.transport.stream.close()

    def _go_over(self) -> None:
        """Use the WebSocket from now on, for what is queued first."""
        session, transport = self._session, self.transport
        self._end()
        queue = self._polling.hand_over()
        session.transport = transport
        for one in queue:
            if isinstance(one, Outgoing):
                transport.send(one)
            else:
                transport.send_packet(one)

    def _end(self) -> None:
        self._session.probe = None
        for timer in (self._timer, self._noop):
            if timer is not None and timer.active():
                timer.cancel()
