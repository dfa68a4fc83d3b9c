"""The asyncio server of the package ``websockets``."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from tests.interop.servers.saying import FAREWELL, LARGEST, PATHS, SUBPROTOCOLS, say


async def talk(websocket: Any) -> None:
    """Do what the path says, and send everything back."""
    if websocket.request.path == "/leave":
        await websocket.close(*FAREWELL)
    if websocket.request.path == "/ping":
        await (await websocket.ping())
        await websocket.send("you live")
    async for message in websocket:
        if websocket.request.path == "/parts":
            await websocket.send([message[start : start + 3] for start in range(0, len(message), 3)])
        else:
            await websocket.send(message)


async def handle(websocket: Any) -> None:
    """Serve one connection, and say how it ended."""
    with suppress(ConnectionClosed):  # which has another code than 1000; it is told below as any other
        await talk(websocket)
    await websocket.wait_closed()
    say(closed=[websocket.close_code, websocket.close_reason])


def check(websocket: Any, request: Any) -> Any:
    """Refuse requests for other paths."""
    return None if request.path in PATHS else websocket.respond(HTTPStatus.NOT_FOUND, "nothing is here\n")


def choose(websocket: Any, offered: Any) -> Any:
    """Choose a subprotocol, if one is offered; by itself, the package demands it."""
    return next((name for name in SUBPROTOCOLS if name in offered), None)


async def main() -> None:
    """Serve."""
    options: Any = {"process_request": check, "select_subprotocol": choose, "max_size": LARGEST}
    async with serve(handle, "127.0.0.1", 0, **options) as server:
        say(port=next(iter(server.sockets)).getsockname()[1])
        await server.serve_forever()


asyncio.run(main())
