"""Hunchensocket's client: ``python -m benchmarks.clients.ours PORT SIZE DEPTH SECONDS handler|loop``.

``handler`` is called with each message, ``loop`` asks for them with ``async for``.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import react

from benchmarks.clients.run import Run
from hunchensocket_tx import Settings, connect

run = Run()
settings = Settings(compression=False)


async def handler(reactor: Any) -> None:
    """Have a function called."""

    def handshake(stream: Any, mutex: Any) -> Any:
        def message(text: str) -> None:
            if run.goes_on(text):
                stream.send(run.message)
            else:
                stream.close()

        for _ in range(run.depth):
            stream.send(run.message)
        return message

    stream = await connect(run.url, handshake, settings=settings)
    await stream.when_closed()


async def loop(reactor: Any) -> None:
    """Ask for each message."""
    async with connect(run.url, settings=settings) as stream:
        for _ in range(run.depth):
            stream.send(run.message)
        async for text in stream:
            if not run.goes_on(text):
                break
            stream.send(run.message)


react(lambda reactor: {"handler": handler, "loop": loop}[run.way](reactor))
