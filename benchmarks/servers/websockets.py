"""websockets: ``python -m benchmarks.servers.websockets PORT echo|broadcast [uvloop]``.

Without ``uvloop`` it runs on asyncio's own loop.
"""

import asyncio
import logging
import sys
from typing import Any

from websockets.asyncio.server import broadcast as send_to_all
from websockets.asyncio.server import serve

logging.disable(logging.CRITICAL)
members: set[Any] = set()


async def echo(websocket: Any) -> None:
    """Send everything back."""
    async for message in websocket:
        await websocket.send(message)


async def broadcast(websocket: Any) -> None:
    """Send everything to all."""
    members.add(websocket)
    try:
        async for message in websocket:
            send_to_all(members, message)
    finally:
        members.discard(websocket)


async def main() -> None:
    """Serve."""
    handler = broadcast if sys.argv[2] == "broadcast" else echo
    async with serve(
        handler, "127.0.0.1", int(sys.argv[1]), compression=None, max_size=None, backlog=1024
    ) as server:
        await server.serve_forever()


if sys.argv[3:] == ["uvloop"]:
    import uvloop

    uvloop.run(main())
else:
    asyncio.run(main())
