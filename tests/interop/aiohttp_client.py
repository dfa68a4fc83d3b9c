"""The client of the package ``aiohttp``; see :mod:`tests.interop.script`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError

from tests.interop.script import Connection, Message, Refused, Scenario, run


class AiohttpConnection:
    """An open WebSocket."""

    def __init__(self, websocket: ClientWebSocketResponse[Any]) -> None:
        self.subprotocol = websocket.protocol
        # The header field is not told, only whether, and with how large a window, to compress.
        self.extensions = "permessage-deflate" if websocket.compress else ""
        self._websocket = websocket

    async def send(self, message: Message) -> None:
        if isinstance(message, str):
            await self._websocket.send_str(message)
        else:
            await self._websocket.send_bytes(message)

    async def send_parts(self, parts: Sequence[Message]) -> None:
        raise NotImplementedError("aiohttp's client does not send fragments")

    async def receive(self) -> Message:
        message = await self._websocket.receive()
        assert message.type in (WSMsgType.TEXT, WSMsgType.BINARY), message
        data: Message = message.data
        return data

    async def ping(self, payload: bytes) -> bytes:
        await self._websocket.ping(payload)
        message = await self._websocket.receive()
        assert message.type is WSMsgType.PONG, message
        return bytes(message.data)

    async def close(self, code: int, reason: str) -> None:
        await self._websocket.close(code=code, message=reason.encode())

    async def closed(self) -> tuple[int, str]:
        message = await self._websocket.receive()
        reason = message.extra if message.type is WSMsgType.CLOSE else ""  # else it is the answer to our own
        return self._websocket.close_code or 0, reason or ""


@asynccontextmanager
async def open_connection(scenario: Scenario) -> AsyncIterator[Connection]:
    """Connect as a scenario says."""
    pings = any(verb == "ping" for verb, *_ in scenario["steps"])
    try:
        async with (
            ClientSession() as session,
            session.ws_connect(
                scenario["url"],
                origin=scenario.get("origin"),
                protocols=scenario["subprotocols"],
                compress=15 if scenario["compress"] else 0,
                autoping=not pings,  # with it, pongs are not shown
            ) as websocket,
        ):
            yield AiohttpConnection(websocket)
    except WSServerHandshakeError as error:
        raise Refused(error.status) from error


if __name__ == "__main__":
    run("aiohttp", open_connection)
