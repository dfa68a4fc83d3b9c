"""The server of the package ``aiohttp``, which sends no fragments."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import WSMsgType, web

from tests.interop.servers.saying import FAREWELL, LARGEST, PATHS, SUBPROTOCOLS, say


async def talk(websocket: Any, path: str) -> list[Any]:
    """Do what the path says, and send everything back; return code and reason of the end."""
    if path == "/leave":
        await websocket.close(code=FAREWELL[0], message=FAREWELL[1].encode())
    if path == "/ping":
        await websocket.ping(b"are you there?")
    while True:
        message = await websocket.receive()
        if message.type == WSMsgType.TEXT:
            await websocket.send_str(message.data)
        elif message.type == WSMsgType.BINARY:
            await websocket.send_bytes(message.data)
        elif message.type == WSMsgType.PONG:
            await websocket.send_str("you live")
        elif message.type == WSMsgType.CLOSE:
            return [message.data, message.extra]
        else:
            return [websocket.close_code, ""]


async def handle(request: Any) -> Any:
    """Serve one connection, and say how it ended."""
    if request.path not in PATHS:
        return web.Response(status=404)
    websocket = web.WebSocketResponse(
        protocols=SUBPROTOCOLS, max_msg_size=LARGEST, autoping=request.path != "/ping"
    )
    await websocket.prepare(request)
    say(closed=await talk(websocket, request.path))
    return websocket


async def main() -> None:
    """Serve."""
    application = web.Application()
    application.router.add_get("/{path}", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    say(port=runner.addresses[0][1])
    await asyncio.Event().wait()


asyncio.run(main())
