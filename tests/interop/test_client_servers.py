"""Our client with the servers of others, and with our own in another process."""

from __future__ import annotations

from tests.interop import calls
from tests.interop.clients import HERE, need_node_package, need_package, need_program, python


def node(package: str) -> list[str]:
    """Return the command for the server of a package of node."""
    program = need_program("node")
    need_node_package(package)
    return [program, str(HERE / "servers" / f"{package.partition('-')[0]}_server.js")]


def packaged(package: str) -> list[str]:
    """Return the command for the server of a package of Python."""
    need_package(package)
    return python(f"servers/{package}_server.py")


class WebsocketsTests(calls.FragmentingCalls, calls.DeflatingCalls):
    """The server of ``websockets``."""

    def command(self) -> list[str]:
        return packaged("websockets")


class AiohttpTests(calls.DraftCalls, calls.DeflatingCalls):
    """The server of ``aiohttp``."""

    echoed_code = 1000

    def command(self) -> list[str]:
        return packaged("aiohttp")


class AutobahnTests(calls.DraftCalls, calls.FragmentingCalls, calls.DeflatingCalls):
    """The server of ``autobahn``."""

    drafts = (8,)
    echoed_code = 1000

    def command(self) -> list[str]:
        return packaged("autobahn")


class WsTests(calls.DraftCalls, calls.FragmentingCalls, calls.DeflatingCalls):
    """The server of node's ``ws``."""

    drafts = (8,)

    def command(self) -> list[str]:
        return node("ws")


class FayeTests(calls.DeflatingCalls):
    """The server of node's ``faye-websocket``, which compresses with another package."""

    def command(self) -> list[str]:
        need_node_package("permessage-deflate")
        return node("faye-websocket")


class FayeHixieTests(calls.HixieCalls):
    """The same in hixie-76."""

    goodbye = (None, None)

    def command(self) -> list[str]:
        need_node_package("permessage-deflate")
        return node("faye-websocket")


class OwnTests(calls.DraftCalls, calls.FragmentingCalls, calls.DeflatingCalls):
    """Our own server."""

    def command(self) -> list[str]:
        return python("servers/own_server.py")


class OwnHixieTests(calls.HixieCalls):
    """The same in hixie-76."""

    def command(self) -> list[str]:
        return python("servers/own_server.py")

    async def test_a_subprotocol_is_agreed_upon(self) -> None:
        stream = await self.call(subprotocols=["v1.example"])
        self.assertEqual(stream.subprotocol, "v1.example")
        await self.check_echo(stream, "hello")
