"""Hunchensocket itself: ``python -m benchmarks.socketio.servers.ours PORT``.

A ``SocketIOResource`` in a site without an access log, as the others have none.
"""

import sys
from typing import Any

import twisted.internet.reactor
from twisted.web.resource import Resource

from hunchensocket_tx import Settings
from hunchensocket_tx.factory import GuardedSite
from hunchensocket_tx.socketio import Socket, SocketIO, SocketIOResource

reactor: Any = twisted.internet.reactor
settings = Settings(compression=False)
io = SocketIO(ping_interval=120)


@io.on("connection")
def connection(socket: Socket) -> None:
    """Take part."""

    @socket.on("echo")
    def echo(text: Any) -> Any:
        """Answer with what came."""
        return text

    @socket.on("say")
    def say(text: Any) -> None:
        """Tell all."""
        io.emit("said", text)


class QuietSite(GuardedSite):
    """A site without an access log."""

    def log(self, request: Any) -> None:
        """Say nothing (Site)."""


root = Resource()
root.putChild(b"socket.io", SocketIOResource(io, settings=settings))
reactor.listenTCP(int(sys.argv[1]), QuietSite(root, settings), 1024, "127.0.0.1")
reactor.run()
