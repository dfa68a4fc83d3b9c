"""picows on uvloop: ``python -m benchmarks.servers.picows PORT echo|broadcast``.

It is the one that works frame by frame, and never decodes text: what comes is sent back as it is.
"""

import logging
import sys
from typing import Any

import uvloop
from picows import WSListener, WSMsgType, ws_create_server

logging.disable(logging.CRITICAL)
members: set[Any] = set()


class Echo(WSListener):
    """Sends everything back."""

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        """A frame came."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        else:
            self.answer(transport, frame)

    def answer(self, transport: Any, frame: Any) -> None:
        """A frame with a message came."""
        transport.send(frame.msg_type, frame.get_payload_as_memoryview())


class Broadcast(Echo):
    """Sends everything to all."""

    def on_ws_connected(self, transport: Any) -> None:
        """The handshake is done."""
        members.add(transport)

    def on_ws_disconnected(self, transport: Any) -> None:
        """The connection is gone."""
        members.discard(transport)

    def answer(self, transport: Any, frame: Any) -> None:
        """A frame with a message came."""
        kind, payload = frame.msg_type, frame.get_payload_as_bytes()
        for member in members:
            member.send(kind, payload)


async def main() -> None:
    """Serve."""
    listener = Broadcast if sys.argv[2] == "broadcast" else Echo
    server = await ws_create_server(lambda request: listener(), "127.0.0.1", int(sys.argv[1]), backlog=1024)
    await server.serve_forever()


uvloop.run(main())
