"""Tests of hunchensocket_tx.write_through: what transports have to do, and what it alone does."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Protocol

from hunchensocket_tx.write_through import write_through
from tests import test_lane_transport, test_lane_transport_ending, test_lane_transport_producers
from tests.lane_support import ConnectionCase


class Through(ConnectionCase):
    """The tests of other transports with write-through."""

    def move(self, transport: Any, protocol: Protocol) -> Any:
        return write_through(transport, protocol)


class ReceivingTest(Through, test_lane_transport.ReceivingTest):
    """What a protocol is given."""


class ReceivingOnUnixTest(Through, test_lane_transport.ReceivingOnUnixTest):
    """The same with unix sockets."""


class SendingTest(Through, test_lane_transport.SendingTest):
    """What a peer is sent."""


class SendingOnUnixTest(Through, test_lane_transport.SendingOnUnixTest):
    """The same with unix sockets."""


class AboutTest(Through, test_lane_transport.AboutTest):
    """What a transport tells of itself."""


class ClosingTest(Through, test_lane_transport_ending.ClosingTest):
    """We close."""


class HalfClosingTest(Through, test_lane_transport_ending.HalfClosingTest):
    """One side is closed."""


class AbortingTest(Through, test_lane_transport_ending.AbortingTest):
    """We drop the connection."""


class ResetTest(Through, test_lane_transport_ending.ResetTest):
    """The peer drops the connection."""


class ProducerTest(Through, test_lane_transport_producers.ProducerTest):
    """A registered push producer."""
