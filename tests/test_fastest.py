"""The choice of the fastest transport: the lane, write-through, or what there was."""

from __future__ import annotations

import select
from typing import Any

from twisted.internet.protocol import Protocol

from hunchensocket_tx import ClientTLS
from hunchensocket_tx.fastest import fastest_transport
from hunchensocket_tx.lane_transport import LaneTransport
from hunchensocket_tx.write_through import ThroughTransport
from tests.client_support import ClientCase, switching
from tests.stream_support import MemoryTransport


class ChoiceTests(ClientCase):
    """Which transport a client's stream has."""

    def transport(self, stream: Any) -> Any:
        """Return the one of a stream."""
        return stream._transport

    async def test_a_plain_socket_goes_to_the_lane(self) -> None:
        stream = await self.connect(await self.serve_websockets(), fast_lane=True)
        expected = LaneTransport if hasattr(select, "epoll") else ThroughTransport
        self.assertIsInstance(self.transport(stream), expected)

    async def test_with_the_lane_off_it_is_written_through(self) -> None:
        stream = await self.connect(await self.serve_websockets(), fast_lane=False)
        self.assertIsInstance(self.transport(stream), ThroughTransport)

    async def test_tls_stays_as_it_is(self) -> None:
        url, roots = await self.serve_tls()
        stream = await self.connect(url, tls=ClientTLS(roots))
        self.assertNotIsInstance(self.transport(stream), (LaneTransport, ThroughTransport))

    async def test_the_protocol_of_another_one_stays_as_it_is(self) -> None:
        site = await self.scripted(switching)
        await self.connect(f"ws://127.0.0.1:{site.port}")
        transport = site.servers[0].transport
        self.assertIs(fastest_transport(transport, Protocol(), lane=True), transport)

    def test_a_transport_in_memory_stays_as_it_is(self) -> None:
        transport: Any = MemoryTransport()
        protocol = Protocol()
        transport.protocol = protocol
        for lane in (True, False):
            self.assertIs(fastest_transport(transport, protocol, lane=lane), transport)
