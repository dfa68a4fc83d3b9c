"""What is done with the servers."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SCENARIOS", "Scenario"]


@dataclass(frozen=True)
class Scenario:
    """What is done with a server."""

    title: str
    kind: str
    """echo, connect, broadcast or idle."""
    connections: int
    size: int = 125
    """Bytes of a message."""
    depth: int = 1
    """Messages under way per connection."""

    @property
    def unit(self) -> str:
        """What the figure of a result counts."""
        return {
            "idle": "bytes of memory per connection",
            "connect": "connections per CPU second",
            "broadcast": "messages delivered per CPU second",
        }.get(self.kind, "messages per CPU second")


SCENARIOS = {
    "echo": Scenario("echo of 125 bytes, 64 connections", "echo", 64),
    "pipelined": Scenario("echo of 125 bytes, 16 connections, 32 under way on each", "echo", 16, depth=32),
    "echo4k": Scenario("echo of 4 KiB, 64 connections", "echo", 64, 4096),
    "echo64k": Scenario("echo of 64 KiB, 16 connections", "echo", 16, 65536),
    "echo1m": Scenario("echo of 1 MiB, 4 connections", "echo", 4, 1024 * 1024),
    "connect": Scenario("connect, handshake, echo, close; 32 at once", "connect", 32, 16),
    "broadcast100": Scenario("broadcast of 125 bytes to 100", "broadcast", 100),
    "broadcast1000": Scenario("broadcast of 125 bytes to 1000", "broadcast", 1000),
    "idle": Scenario("idle connections, memory of the server", "idle", 5000),
}
