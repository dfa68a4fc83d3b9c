"""The asyncio server of the package ``autobahn``."""

from __future__ import annotations

import asyncio
from typing import Any

from autobahn.asyncio.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from autobahn.websocket.types import ConnectionDeny

from tests.interop.servers.saying import FAREWELL, LARGEST, PATHS, SUBPROTOCOLS, say


class Talking(WebSocketServerProtocol):
    """Does what the path says, and sends everything back."""

    def onConnect(self, request: Any) -> str | None:
        self.path = request.path
        if request.path not in PATHS:
            raise ConnectionDeny(404)
        return next((name for name in SUBPROTOCOLS if name in request.protocols), None)

    def onOpen(self) -> None:
        if self.path == "/leave":
            self.sendClose(*FAREWELL)
        if self.path == "/ping":
            self.sendPing(b"are you there?")

    def onPong(self, payload: bytes) -> None:
        self.sendMessage(b"you live")

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N803
        if self.path != "/parts":
            self.sendMessage(payload, isBinary)
            return
        self.beginMessage(isBinary)
        for start in range(0, len(payload), 3):
            self.sendMessageFrame(payload[start : start + 3])
        self.endMessage()

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:  # noqa: N803
        say(closed=[code, reason])


def accept(offers: Any) -> Any:
    """Agree on the first offer of permessage-deflate."""
    return next(
        PerMessageDeflateOfferAccept(offer) for offer in offers if isinstance(offer, PerMessageDeflateOffer)
    )


async def main() -> None:
    """Serve."""
    factory = WebSocketServerFactory(protocols=SUBPROTOCOLS)
    factory.protocol = Talking
    factory.setProtocolOptions(maxMessagePayloadSize=LARGEST, perMessageCompressionAccept=accept)
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
    say(port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main())
