"""websockets: ``python -m benchmarks.clients.websockets PORT SIZE DEPTH SECONDS asyncio|uvloop|threads``."""

from __future__ import annotations

import asyncio

from websockets.asyncio.client import connect
from websockets.sync.client import connect as connect_in_thread

from benchmarks.clients.run import Run

run = Run()


async def loop() -> None:
    """Ask for each message."""
    async with connect(run.url, compression=None, proxy=None) as websocket:
        for _ in range(run.depth):
            await websocket.send(run.message)
        async for text in websocket:
            if not run.goes_on(text):
                break
            await websocket.send(run.message)


def block() -> None:
    """Wait for each message."""
    with connect_in_thread(run.url, compression=None, proxy=None) as websocket:
        for _ in range(run.depth):
            websocket.send(run.message)
        for text in websocket:
            if not run.goes_on(text):
                break
            websocket.send(run.message)


if run.way == "threads":
    block()
elif run.way == "uvloop":
    import uvloop

    uvloop.run(loop())
else:
    asyncio.run(loop())
