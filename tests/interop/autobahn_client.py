"""The asyncio client of the package ``autobahn``; see :mod:`tests.interop.script`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateResponseAccept

from tests.interop.script import Connection, Message, Refused, Scenario, run


class AutobahnConnection(WebSocketClientProtocol):
    """A WebSocket; what happens to it is queued."""

    def __init__(self) -> None:
        super().__init__()
        self.subprotocol: str | None = None
        self.extensions = ""
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._pongs: asyncio.Queue[bytes] = asyncio.Queue()
        self._closed: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    # What autobahn calls

    def onConnect(self, response: Any) -> None:
        self.subprotocol = response.protocol
        self.extensions = response.headers.get("sec-websocket-extensions", "")

    def onOpen(self) -> None:
        self.opened.set_result(None)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N803
        self._messages.put_nowait(payload if isBinary else payload.decode())

    def onPong(self, payload: bytes) -> None:
        self._pongs.put_nowait(payload)

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:  # noqa: N803
        if self.opened.done():
            self._closed.set_result((code, reason or ""))
            return
        status = re.search(r"upgrade failed \D*(\d{3})\D", reason)  # it is told in words only
        self.opened.set_exception(Refused(int(status[1])) if status else ConnectionError(reason))

    # What a scenario wants

    async def send(self, message: Message) -> None:
        self.sendMessage(*_payload(message))

    async def send_parts(self, parts: Sequence[Message]) -> None:
        self.beginMessage(isBinary=isinstance(parts[0], bytes))
        for part in parts:
            self.sendMessageFrame(_payload(part)[0])
        self.endMessage()

    async def receive(self) -> Message:
        return await self._messages.get()

    async def ping(self, payload: bytes) -> bytes:
        self.sendPing(payload)
        return await self._pongs.get()

    async def close(self, code: int, reason: str) -> None:
        self.sendClose(code, reason)

    async def closed(self) -> tuple[int, str]:
        return await self._closed


def _payload(message: Message) -> tuple[bytes, bool]:
    return (message.encode(), False) if isinstance(message, str) else (message, True)


@asynccontextmanager
async def open_connection(scenario: Scenario) -> AsyncIterator[Connection]:
    """Connect as a scenario says."""
    factory = WebSocketClientFactory(
        scenario["url"], origin=scenario.get("origin"), protocols=scenario["subprotocols"] or None
    )
    factory.protocol = AutobahnConnection
    if scenario["compress"]:
        factory.setProtocolOptions(
            perMessageCompressionOffers=[PerMessageDeflateOffer()],
            perMessageCompressionAccept=PerMessageDeflateResponseAccept,
        )
    loop = asyncio.get_running_loop()
    transport, connection = await loop.create_connection(factory, factory.host, factory.port)
    try:
        await connection.opened
        yield connection
    finally:
        transport.close()


if __name__ == "__main__":
    run("autobahn", open_connection)
