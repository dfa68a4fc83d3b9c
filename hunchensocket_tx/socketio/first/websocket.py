"""WebSockets as transports of protocol 1, Flash's, too: a packet is a message."""

from __future__ import annotations

from hunchensocket_tx.socketio.first.session import FirstSession
from hunchensocket_tx.socketio.session import Outgoing
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.wire.events import CloseReason, Message

__all__ = ["WebSocketTransport"]

GOING_AWAY = 1001
"""With this, browsers close when a page is left."""

LOST = 1006
"""With this, we are told of TCP that has ended without more words."""


class WebSocketTransport:
    """An open WebSocket.

    :param name: ``websocket`` or ``flashsocket``.
    """

    __slots__ = ("_session", "_stream", "name")

    lasts = True

    def __init__(self, name: str, stream: WebSocketStream, session: FirstSession) -> None:
        self.name = name
        self._stream = stream
        self._session: FirstSession | None = session
        stream.when_closed().addCallback(self._closed)

    @property
    def is_ready(self) -> bool:
        """Whether it is open; how much waits to be sent then is its own care."""
        return self._stream.is_open

    @property
    def is_writable(self) -> bool:
        """Whether nothing waits to be sent."""
        return self._stream.is_writable

    def send(self, outgoing: Outgoing) -> None:
        """Send a packet; if others get it, too, its frame is made once."""
        packet = outgoing.messages[0]
        if outgoing.shared:
            self._stream.send_shared(packet, outgoing.kept, outgoing.compress, "close")
        else:
            self._stream.send(packet, compress=outgoing.compress)

    def send_all(self, packets: list[str]) -> None:
        """Send packets, each as a message."""
        for packet in packets:
            self._stream.send(packet)

    def close(self) -> None:
        """Close it."""
        self._session = None
        self._stream.close()

    def receive(self, message: Message) -> None:
        """Take a message; a message handler."""
        if self._session is not None:
            self._session.receive(message)

    def _closed(self, end: CloseReason) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.lose(self, _final_reason(end))


def _final_reason(end: CloseReason) -> str | None:
    """Return why the session ends with its WebSocket; None if the client may come back to it."""
    if end.clean:
        return "transport close" if end.code == GOING_AWAY else None
    return None if end.code == LOST else "transport error"
