"""The clients of Python packages: ``websockets``, ``aiohttp`` and ``autobahn``."""

from __future__ import annotations

from tests.interop import conversations
from tests.interop.clients import need_package, python


class WebsocketsTests(conversations.Fragmenting, conversations.Pinging, conversations.Deflating):
    """The client of ``websockets``, on asyncio."""

    def command(self) -> list[str]:
        need_package("websockets")
        return python("websockets_client.py")


class AiohttpTests(conversations.Pinging, conversations.Deflating):
    """The client of ``aiohttp``, which sends no fragments."""

    def command(self) -> list[str]:
        need_package("aiohttp")
        return python("aiohttp_client.py")


class AutobahnTests(conversations.Fragmenting, conversations.Pinging, conversations.Deflating):
    """The client of ``autobahn``, on asyncio."""

    def command(self) -> list[str]:
        need_package("autobahn")
        return python("autobahn_client.py")
