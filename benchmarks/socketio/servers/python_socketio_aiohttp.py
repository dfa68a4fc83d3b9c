"""python-socketio on aiohttp: ``python -m benchmarks.socketio.servers.python_socketio_aiohttp PORT [uvloop]``.

Without ``uvloop`` it runs on asyncio's own loop.
"""

import asyncio
import logging
import sys
from typing import Any

import socketio
from aiohttp import web

logging.disable(logging.CRITICAL)
io = socketio.AsyncServer(async_mode="aiohttp", ping_interval=120)
app = web.Application()
io.attach(app)


@io.on("echo")  # type: ignore[untyped-decorator]
async def echo(sid: str, text: Any) -> Any:
    """Answer with what came."""
    return text


@io.on("say")  # type: ignore[untyped-decorator]
async def say(sid: str, text: Any) -> None:
    """Tell all."""
    await io.emit("said", text)


if sys.argv[2:] == ["uvloop"]:
    import uvloop

    loop = uvloop.new_event_loop()
else:
    loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, backlog=1024, print=None, loop=loop)
