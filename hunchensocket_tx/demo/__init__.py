"""The built-in site: a page with an echo and a chat room, which a newcomer sees first."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from twisted.internet.defer import DeferredLock
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.static import Data

from hunchensocket_tx.cascade import HandshakeHandler, MessageHandler
from hunchensocket_tx.resource import WebSocketResource
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.wire.events import Message

__all__ = ["ChatRoom", "add_demo", "demo_page", "echo"]


def echo(request: Request) -> HandshakeHandler:
    """Return each message as it came; a dispatcher."""

    def handshake(stream: WebSocketStream, mutex: DeferredLock) -> MessageHandler:
        return stream.send

    return handshake


class ChatRoom:
    """Sends each message, as it came, to everyone in the room, the sender included; a dispatcher."""

    def __init__(self) -> None:
        self.present: set[WebSocketStream] = set()

    def __call__(self, request: Request) -> HandshakeHandler:
        """Take every request."""
        return self._enter

    def _enter(self, stream: WebSocketStream, mutex: DeferredLock) -> MessageHandler:
        self.present.add(stream)
        stream.when_closed().addCallback(lambda _: self.present.discard(stream))
        return self._say

    def _say(self, message: Message) -> None:
        for stream in tuple(self.present):
            stream.send(message)


def demo_page() -> Resource:
    """Return a root resource that serves the page."""
    root = Resource()
    page = files("hunchensocket_tx.demo").joinpath("page.html").read_bytes()
    root.putChild(b"", Data(page, "text/html; charset=utf-8"))
    return root


def add_demo(root: Resource, settings: Settings, reactor: Any = None) -> list[WebSocketResource]:
    """Put ``/echo`` and ``/chat`` below a root resource.

    :returns: the two, whose streams are to be closed in the end.
    """
    resources = []
    for path, dispatcher in ((b"echo", echo), (b"chat", ChatRoom())):
        resources.append(WebSocketResource(dispatcher, settings=settings, reactor=reactor))
        root.putChild(path, resources[-1])
    return resources
