"""aiohttp: ``python -m benchmarks.clients.aiohttp PORT SIZE DEPTH SECONDS asyncio|uvloop``."""

from __future__ import annotations

import asyncio

from aiohttp import ClientSession

from benchmarks.clients.run import Run

run = Run()


async def loop() -> None:
    """Ask for each message."""
    async with ClientSession() as session, session.ws_connect(run.url) as websocket:
        for _ in range(run.depth):
            await websocket.send_str(run.message)
        async for message in websocket:
            if not run.goes_on(message.data):
                break
            await websocket.send_str(run.message)


if run.way == "uvloop":
    import uvloop

    uvloop.run(loop())
else:
    asyncio.run(loop())
