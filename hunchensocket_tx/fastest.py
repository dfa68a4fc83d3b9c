"""The choice of the fastest transport for a connection, once its opening handshake is done."""

from __future__ import annotations

from typing import Any

from hunchensocket_tx.lane import enter_lane
from hunchensocket_tx.takeover import has_sent_all
from hunchensocket_tx.write_through import write_through

__all__ = ["fastest_transport"]


def fastest_transport(transport: Any, protocol: Any, *, lane: bool) -> Any:
    """Return the transport to use in place of one that has come to a protocol.

    :param transport: whose ``protocol`` this protocol is; else, or while it has something to send, it stays.
    :param lane: whether to move it to the fast lane if possible.
    """
    if not has_sent_all(transport) or transport.protocol is not protocol:
        return transport
    moved = enter_lane(transport, protocol) if lane else None
    return moved or write_through(transport, protocol) or transport
