"""What is done with the servers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchmarks import scenarios

__all__ = ["SCENARIOS", "Scenario"]


@dataclass(frozen=True)
class Scenario(scenarios.Scenario):
    """What is done with a server, over which transport.

    In echo, each message is an event that asks for an acknowledgement, which brings it back.
    """

    transport: str = "websocket"


WEBSOCKET = {
    "echo": Scenario("WebSocket: event and acknowledgement of 125 bytes, 64 clients", "echo", 64),
    "pipelined": Scenario("WebSocket: the same, 16 clients, 16 under way with each", "echo", 16, depth=16),
    "echo4k": Scenario("WebSocket: event and acknowledgement of 4 KiB, 64 clients", "echo", 64, 4096),
    "broadcast100": Scenario("WebSocket: broadcast of 125 bytes to 100", "broadcast", 100),
    "idle": Scenario("WebSocket: idle clients, memory of the server", "idle", 5000),
}
POLLING = {
    f"polling-{name}": replace(scenario, transport="polling", title=scenario.title.replace("WebSocket", "polling"))
    for name, scenario in WEBSOCKET.items()
}
POLLING["polling-idle"] = replace(POLLING["polling-idle"], connections=2000)

SCENARIOS = WEBSOCKET | POLLING
