"""The client of the package ``websockets``; see :mod:`tests.interop.script`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from tests.interop.script import Connection, Message, Refused, Scenario, run


class WebsocketsConnection:
    """An open WebSocket."""

    def __init__(self, websocket: ClientConnection) -> None:
        assert websocket.response is not None
        self.subprotocol: str | None = websocket.subprotocol
        self.extensions = websocket.response.headers.get("Sec-WebSocket-Extensions", "")
        self._websocket = websocket

    async def send(self, message: Message) -> None:
        await self._websocket.send(message)

    async def send_parts(self, parts: Sequence[Message]) -> None:
        await self._websocket.send(parts)

    async def receive(self) -> Message:
        return await self._websocket.recv()

    async def ping(self, payload: bytes) -> bytes:
        await (await self._websocket.ping(payload))  # which is done by a pong with this payload, and no other
        return payload

    async def close(self, code: int, reason: str) -> None:
        await self._websocket.close(code, reason)

    async def closed(self) -> tuple[int, str]:
        await self._websocket.wait_closed()
        return self._websocket.close_code or 0, self._websocket.close_reason or ""


@asynccontextmanager
async def open_connection(scenario: Scenario) -> AsyncIterator[Connection]:
    """Connect as a scenario says."""
    origin = scenario.get("origin")
    try:
        websocket = await connect(
            scenario["url"],
            origin=None if origin is None else Origin(origin),
            subprotocols=[Subprotocol(name) for name in scenario["subprotocols"]] or None,
            compression="deflate" if scenario["compress"] else None,
        )
    except InvalidStatus as error:
        raise Refused(error.response.status_code) from error
    async with websocket:
        yield WebsocketsConnection(websocket)


if __name__ == "__main__":
    run("websockets", open_connection)
