"""The WebSocket transport of Engine.IO: one message is one packet."""

from __future__ import annotations

from collections.abc import Hashable

from hunchensocket_tx.socketio.engine.session import EngineSession
from hunchensocket_tx.socketio.errors import PayloadError
from hunchensocket_tx.socketio.session import Outgoing
from hunchensocket_tx.socketio.wire.engine import EnginePacket, EngineType
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.wire.events import CloseReason, Message

__all__ = ["WebSocketTransport"]

MESSAGE = EngineType.MESSAGE

WITHOUT_BINARY = (75, 76)
"""Versions that have text only; their clients cannot tell so, as they learn too late which version it is."""

USUAL_CODES = (1000, 1001, 1005, 1006)
"""Close codes without a fault: the end, going away, none, and a connection that was cut."""

OWN_CODES = 3000
"""From here on, codes are the applications' own."""


class WebSocketTransport:
    """A WebSocket of one session: that in use, or one that is being tried.

    :param stream: open.
    :param binary: whether the client has not said that it takes no binary data.
    """

    name = "websocket"

    __slots__ = ("_binary", "_session", "stream")

    def __init__(self, session: EngineSession, stream: WebSocketStream, *, binary: bool) -> None:
        self._session = session
        self.stream = stream
        self._binary = binary and stream.version not in WITHOUT_BINARY
        stream.when_closed().addCallback(self._closed)

    # What the session uses (Transport)

    @property
    def is_writable(self) -> bool:
        """Whether the peer takes what it is sent."""
        return self.stream.is_writable

    def send(self, outgoing: Outgoing) -> None:
        """Send a packet of the application's."""
        if outgoing.shared:
            self._send_shared(outgoing)
            return
        stream, compress = self.stream, outgoing.compress
        for message in outgoing.messages:
            stream.send("4" + message if isinstance(message, str) else self._encode(message), compress=compress)

    def send_packet(self, packet: EnginePacket) -> None:
        """Send a packet of Engine.IO's own."""
        self.stream.send(self._session.codec.encode_message(packet, binary=self._binary))

    def close(self) -> None:
        """Close the WebSocket, which is how clients are told."""
        self.stream.close()
        self._session.forget()

    def drop(self, farewell: EngineType) -> None:
        """Close the WebSocket."""
        self.stream.close()

    def _send_shared(self, outgoing: Outgoing) -> None:
        """Send what others get, too; it is framed once for all who share the bytes."""
        key = ("websocket", self._session.protocol, self._binary)
        kept: list[tuple[Message, dict[Hashable, bytes]]] | None = outgoing.kept.get(key)
        if kept is None:
            kept = outgoing.kept[key] = [(self._encode(message), {}) for message in outgoing.messages]
        for message, shared in kept:
            self.stream.send_shared(message, shared, outgoing.compress, "close")

    def _encode(self, message: Message) -> Message:
        return self._session.codec.encode_message(EnginePacket(MESSAGE, message), binary=self._binary)

    # What the stream calls

    def received(self, message: Message) -> None:
        """Take a message; a handler of the stream's."""
        session = self._session
        if session.transport is not self:
            if session.probe is not None and session.probe.transport is self:
                session.probe.receive(message)
            return
        if not session.is_open:
            return
        session.heard()
        if type(message) is str and message[:1] == "4" and message.isascii():  # most are so; codecs read it alike
            session.listener.message_received(message[1:])
            return
        try:
            packet = self.decode(message)
        except PayloadError as error:
            session.fail("parse error", f"it sends what is no packet: {error}")
        else:
            session.receive(packet)

    def decode(self, message: Message) -> EnginePacket:
        """Return the packet that a message is.

        :raises PayloadError: if it is none.
        """
        return self._session.codec.decode_message(message)

    def _closed(self, end: CloseReason) -> None:
        session = self._session
        if session.transport is self:
            session.lose(closing_name(end))
        elif session.probe is not None and session.probe.transport is self:
            session.probe.stop()


def closing_name(end: CloseReason) -> str:
    """Return what Socket.IO calls the end of a WebSocket: closed, as either side may, or for a fault."""
    return "transport close" if end.code in USUAL_CODES or end.code >= OWN_CODES else "transport error"
