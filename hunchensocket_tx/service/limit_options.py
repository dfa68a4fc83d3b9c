"""Limits to what clients may use up: connections, handshakes, messages, buffers."""

from __future__ import annotations

from typing import Any

from hunchensocket_tx.service.group import OptionGroup

__all__ = ["LimitOptions"]


class LimitOptions(OptionGroup):
    """Options that limit what clients may use up."""

    optParameters = [  # noqa: N815
        ["max-connections", None, None, "Most WebSockets at a time; others get 503 [default: any number]"],
        [
            "max-connections-per-address",
            None,
            None,
            "Most WebSockets of one client address (or IPv6 /64); others get 503 [default: any number]",
        ],
        [
            "max-handshakes",
            None,
            None,
            "Most opening handshakes under way at a time; others get 503 [default: any number]",
        ],
        [
            "max-message-rate",
            None,
            None,
            "Most messages a second of one client; who sends more is closed with 1008 [default: any number]",
        ],
        [
            "max-body-size",
            None,
            None,
            "Largest body of a request that is for no WebSocket, in bytes; others get 413 [default: 1048576]",
        ],
        [
            "max-send-buffer",
            None,
            None,
            "Bytes that may wait for a client that reads too slowly [default: 16777216]",
        ],
        [
            "slow-peers",
            None,
            None,
            "What to do when more than that waits: close (with 1013), drop the message, or wait [default: close]",
        ],
    ]

    def setting_changes(self) -> dict[str, Any]:
        """Return the settings that options give, or None."""
        counts = ("max-connections", "max-connections-per-address", "max-handshakes")
        return {
            **super().setting_changes(),
            **{name.replace("-", "_"): self.number(name, int, "a number, 0 for no limit") for name in counts},
            "max_message_rate": self.number("max-message-rate", float, "a number of messages a second"),
            "max_body_size": self.number("max-body-size", int, "a number of bytes, 0 for no limit"),
            "max_send_buffer": self.number("max-send-buffer", int, "a number of bytes"),
            "slow_peers": self["slow-peers"],
        }
