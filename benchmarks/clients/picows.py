"""picows on uvloop: ``python -m benchmarks.clients.picows PORT SIZE DEPTH SECONDS``.

It works frame by frame; text is decoded here, as others do it themselves.
"""

from __future__ import annotations

from typing import Any

import uvloop
from picows import WSListener, WSMsgType, ws_connect

from benchmarks.clients.run import Run

run = Run()


class Client(WSListener):
    """Is called with each frame."""

    def on_ws_connected(self, transport: Any) -> None:
        """The handshake is done."""
        for _ in range(run.depth):
            transport.send(WSMsgType.TEXT, run.message.encode())

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        """A frame came."""
        if frame.msg_type != WSMsgType.TEXT:
            transport.disconnect()
        elif run.goes_on(frame.get_payload_as_utf8_text()):
            transport.send(WSMsgType.TEXT, run.message.encode())
        else:
            transport.send_close(1000)


async def main() -> None:
    """Connect, and wait for the end."""
    transport, _ = await ws_connect(Client, run.url)
    await transport.wait_disconnected()


uvloop.run(main())
