"""The built-in site: a page with an echo and a chat room, which a newcomer sees first."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from twisted.internet.defer import DeferredLock
from twisted.web.resource import Resource
from twisted.web.server import Request
from twisted.web.static import Data

from hunchensocket_tx.broadcast import Group
from hunchensocket_tx.cascade import HandshakeHandler, MessageHandler
from hunchensocket_tx.resource import WebSocketResource
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.socketio import SocketIO, SocketIOResource
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.wire.events import Message

__all__ = ["ChatRoom", "about", "add_demo", "demo_page", "echo"]


def echo(request: Request) -> HandshakeHandler:
    """Return each message as it came; a dispatcher."""

    def handshake(stream: WebSocketStream, mutex: DeferredLock) -> MessageHandler:
        return stream.send

    return handshake


VERSION_NAMES = {
    13: "RFC 6455 (version 13)",
    8: "the drafts hybi-08 to -12 of RFC 6455 (version 8)",
    7: "the draft hybi-07 of RFC 6455 (version 7)",
    76: "hixie-76",
    75: "hixie-75",
}


def about(request: Request) -> HandshakeHandler:
    """Tell the client in one message what the connection speaks, and close; a dispatcher."""

    def handshake(stream: WebSocketStream, mutex: DeferredLock) -> None:
        stream.send(f"{VERSION_NAMES[stream.version]}; extensions: {stream.extensions or 'none'}")
        stream.close()

    return handshake


class ChatRoom:
    """Sends each message, as it came, to everyone in the room, the sender included; a dispatcher.

    :param io: serves the same room to clients of Socket.IO, who say ``socket.send(message)``; by default one with
        usual settings.
    """

    def __init__(self, io: SocketIO | None = None) -> None:
        self.present = Group()
        self.io = io or SocketIO()
        self.io.on("connection", lambda socket: socket.on("message", self._said))

    def __call__(self, request: Request) -> HandshakeHandler:
        """Take every request."""
        return self._enter

    def _enter(self, stream: WebSocketStream, mutex: DeferredLock) -> MessageHandler:
        self.present.add(stream)
        return self.say

    def _said(self, *values: Any) -> None:
        """Take what a client of Socket.IO sends, which may be any JSON."""
        for value in values:
            if isinstance(value, (str, bytes)):
                self.say(value)

    def say(self, message: Message) -> None:
        """Send a message to everyone, however connected."""
        self.present.send(message)
        if self.io.sockets.sockets:
            self.io.send(message)


def demo_page() -> Resource:
    """Return a root resource that serves the page."""
    root = Resource()
    page = files("hunchensocket_tx.demo").joinpath("page.html").read_bytes()
    root.putChild(b"", Data(page, "text/html; charset=utf-8"))
    return root


def add_demo(
    root: Resource,
    settings: Settings,
    reactor: Any = None,
    *,
    io: SocketIO | None = None,
    client: str | None = None,
) -> list[WebSocketResource]:
    """Put ``/echo``, ``/chat`` and ``/about`` below a root resource, and ``/socket.io``, where the chat is, too.

    :param io: serves it; by default one with usual settings.
    :param client: a folder with Socket.IO's JavaScript client, to be served beside it.
    :returns: the four, whose streams are to be closed in the end.
    """
    room = ChatRoom(io)
    resources: dict[bytes, WebSocketResource] = {
        path: WebSocketResource(dispatcher, settings=settings, reactor=reactor)
        for path, dispatcher in ((b"echo", echo), (b"chat", room), (b"about", about))
    }
    resources[b"socket.io"] = SocketIOResource(room.io, client=client, settings=settings, reactor=reactor)
    for path, resource in resources.items():
        root.putChild(path, resource)
    return list(resources.values())
