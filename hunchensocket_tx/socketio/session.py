"""What lies between transports and packets: a session, which outlives any HTTP request or WebSocket of a client.

``engine`` has the sessions of Engine.IO 3 and 4, ``first`` those of protocol 1; to all above they are alike.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import Any, Protocol

from hunchensocket_tx.socketio.handshake import Handshake
from hunchensocket_tx.socketio.wire.packets import Packet
from hunchensocket_tx.wire.events import Message

__all__ = ["Outgoing", "Session", "SessionListener", "SessionOpened"]


class Outgoing:
    """One packet, encoded, on its way to one session or to many.

    :param messages: the packet, as its generation writes it, with its attachments: nothing may come between them.
    :param compress: whether it may be compressed.
    :param shared: whether others get it, too, so that what a kind of transport makes of it is worth keeping.

    :ivar kept: what transports have made of it, by whatever that depends on.
    """

    __slots__ = ("compress", "kept", "messages", "shared")

    def __init__(self, messages: tuple[Message, ...], *, compress: bool = True, shared: bool = False) -> None:
        self.messages = messages
        self.compress = compress
        self.shared = shared
        self.kept: dict[Hashable, Any] = {}


class SessionListener(Protocol):
    """What a session tells to who is above it."""

    def message_received(self, message: Message) -> None:
        """Take an Engine.IO message: a Socket.IO packet, or a part of one."""

    def packet_received(self, packet: Packet) -> None:
        """Take a packet of protocol 1, which is its session's own."""

    def session_closed(self, reason: str) -> None:
        """Take notice that the session is over, once, with one of the names that Socket.IO has for reasons."""


class Session(ABC):
    """One client, as long as it is one, over whichever transports.

    :ivar sid: its id, which is a secret between the two.
    :ivar protocol: 1, or the number of its Engine.IO protocol: 3 or 4.
    :ivar handshake: how it introduced itself.
    """

    __slots__ = ("handshake", "listener", "protocol", "sid")

    def __init__(self, sid: str, protocol: int, handshake: Handshake) -> None:
        self.sid = sid
        self.protocol = protocol
        self.handshake = handshake
        self.listener: SessionListener

    @property
    @abstractmethod
    def transport_name(self) -> str:
        """The transport it uses now: ``polling`` or ``websocket``; more names in protocol 1."""

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether what is sent now may still reach the client."""

    @property
    @abstractmethod
    def is_writable(self) -> bool:
        """Whether what is sent now leaves at once; what is volatile is not sent otherwise."""

    @abstractmethod
    def send(self, outgoing: Outgoing) -> None:
        """Send a packet, behind all that was sent before; nothing happens when the session is over."""

    def send_message(self, message: Message) -> None:
        """Send an Engine.IO message, as :meth:`send`."""
        self.send(Outgoing((message,)))

    @abstractmethod
    def close(self, reason: str) -> None:
        """End the session: what was sent before still goes out, if the client takes it within some time.

        The listener's ``session_closed`` is called with the reason, before this returns, unless it was already.
        """


SessionOpened = Callable[[Session], SessionListener]
"""Who is told of each new session, before anything else happens with it; it may send at once."""
