"""What the tests of the bridge share: a target, a server that forwards to it, and clients, all in memory."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import connectProtocol
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from hunchensocket_tx import WebSocketStream
from hunchensocket_tx.forwarding import forward
from hunchensocket_tx.testing import MemoryEndpoint, MemoryServer
from tests.proxy_support import HalfListener
from tests.support import RawClient

PORT_80 = IPv4Address("TCP", "127.0.0.1", 80)

MIB = 1 << 20

RANDOM = Random(6).randbytes(10 * MIB)
"""Bytes that cannot be compressed."""


@implementer(IStreamClientEndpoint)
class Unreachable:
    """An endpoint that answers as it is told.

    :param answer: what ``connect`` returns.
    """

    def __init__(self, answer: Deferred[Any]) -> None:
        self.answer = answer

    def connect(self, protocolFactory: object) -> Deferred[Any]:  # noqa: N803
        return self.answer


class BridgeCase(SynchronousTestCase):
    """A target in memory, a server that forwards to it, and clients of that."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.targets: list[HalfListener] = []
        factory = Factory()
        factory.buildProtocol = self.build  # type: ignore[assignment,method-assign]
        self.endpoint = MemoryEndpoint(factory, self.clock)
        self.serve(self.endpoint)

    def build(self, address: object) -> HalfListener:
        """Make a target for a connection."""
        self.targets.append(HalfListener())
        return self.targets[-1]

    def serve(self, target: Any, *, changes: dict[str, Any] | None = None, **options: Any) -> None:
        """Forward to a target from now on.

        :param changes: single settings of the server.
        """
        dispatcher = forward(target, reactor=self.clock, **options)
        self.server = MemoryServer(dispatcher, clock=self.clock, **(changes or {}))

    def open(self, version: int = 13, **options: Any) -> WebSocketStream:
        """Open a WebSocket; one of hixie-76 offers base64."""
        options.setdefault("subprotocols", ["base64"] if version == 76 else [])
        return self.server.result(self.server.connect(version=version, **options))

    def raw(self, request: bytes) -> RawClient:
        """Send a request as it is; return the client when what comes in answer has come."""
        client = RawClient()
        connecting = connectProtocol(self.server.endpoint, client)
        self.server.result(connecting)
        client.write(request)
        self.server.settle()
        return client

    def end_of(self, client: WebSocketStream) -> tuple[int, str, bool]:
        """Return how a client's WebSocket has ended."""
        client.inbox.discard()
        end = self.server.result(client.when_closed())
        return end.code, end.reason, end.clean

    @property
    def target(self) -> HalfListener:
        """The one target that was connected to."""
        [target] = self.targets
        return target
