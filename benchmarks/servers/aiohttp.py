"""aiohttp on uvloop: ``python -m benchmarks.servers.aiohttp PORT echo|broadcast``."""

import sys

import uvloop
from aiohttp import web

members: set[web.WebSocketResponse] = set()


async def send(websocket: web.WebSocketResponse, data: str | bytes) -> None:
    """Send a message of the kind that came."""
    if isinstance(data, str):
        await websocket.send_str(data)
    else:
        await websocket.send_bytes(data)


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Send everything back."""
    websocket = web.WebSocketResponse(compress=False)
    await websocket.prepare(request)
    async for message in websocket:
        await send(websocket, message.data)
    return websocket


async def broadcast(request: web.Request) -> web.WebSocketResponse:
    """Send everything to all."""
    websocket = web.WebSocketResponse(compress=False)
    await websocket.prepare(request)
    members.add(websocket)
    async for message in websocket:
        for member in tuple(members):
            await send(member, message.data)
    members.discard(websocket)
    return websocket


app = web.Application()
app.router.add_get("/", broadcast if sys.argv[2] == "broadcast" else echo)
web.run_app(
    app,
    host="127.0.0.1",
    port=int(sys.argv[1]),
    access_log=None,
    print=None,
    backlog=1024,
    loop=uvloop.new_event_loop(),
)
