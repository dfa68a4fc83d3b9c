"""The client of node's package ``ws``."""

from __future__ import annotations

from tests.interop import conversations
from tests.interop.clients import HERE, need_node_package, need_program


class WsTests(conversations.Fragmenting, conversations.Pinging, conversations.Deflating):
    """The client of ``ws``."""

    def command(self) -> list[str]:
        node = need_program("node")
        need_node_package("ws")
        return [node, str(HERE / "ws_client.js")]

    async def test_without_a_common_subprotocol_there_is_none(self) -> None:
        # The RFC lets a client go on without; this one gives up, as browsers do.
        report = await self.converse("choose", subprotocols=["other"])
        self.assertEqual(report["error"], "Server sent no subprotocol")
