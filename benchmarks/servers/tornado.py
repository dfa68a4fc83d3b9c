"""Tornado on asyncio's loop: ``python -m benchmarks.servers.tornado PORT echo|broadcast``."""

import asyncio
import sys
from typing import Any

from tornado.web import Application
from tornado.websocket import WebSocketHandler

members: set[Any] = set()


class Echo(WebSocketHandler):
    """Sends everything back."""

    def on_message(self, message: str | bytes) -> None:
        """A message came."""
        self.write_message(message, isinstance(message, bytes))


class Broadcast(WebSocketHandler):
    """Sends everything to all."""

    def open(self) -> None:
        """The handshake is done."""
        members.add(self)

    def on_close(self) -> None:
        """The connection is gone."""
        members.discard(self)

    def on_message(self, message: str | bytes) -> None:
        """A message came."""
        for member in members:
            member.write_message(message, isinstance(message, bytes))


async def main() -> None:
    """Serve."""
    handler = Broadcast if sys.argv[2] == "broadcast" else Echo
    app = Application([("/", handler)], log_function=lambda handler: None)
    app.listen(int(sys.argv[1]), "127.0.0.1", backlog=1024)
    await asyncio.Event().wait()


asyncio.run(main())
