"""python-socketio on uvicorn: ``python -m benchmarks.socketio.servers.python_socketio_uvicorn PORT``.

With what ``uvicorn[standard]`` installs: uvloop, httptools and websockets.
"""

import logging
import sys
from typing import Any

import socketio
import uvicorn

logging.disable(logging.CRITICAL)
io = socketio.AsyncServer(async_mode="asgi", ping_interval=120)


@io.on("echo")  # type: ignore[untyped-decorator]
async def echo(sid: str, text: Any) -> Any:
    """Answer with what came."""
    return text


@io.on("say")  # type: ignore[untyped-decorator]
async def say(sid: str, text: Any) -> None:
    """Tell all."""
    await io.emit("said", text)


uvicorn.run(socketio.ASGIApp(io), host="127.0.0.1", port=int(sys.argv[1]), log_config=None, access_log=False)
