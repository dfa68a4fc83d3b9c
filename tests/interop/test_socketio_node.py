"""The JavaScript clients of socket.io, from 0.9 to 4.x, on node."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from tests.interop.clients import HERE, PATIENCE, need_node_package, need_program, run_client
from tests.interop.socketio_conversations import Client, Exchange, assert_all_well

ALL = ("polling", "websocket", "upgrade")

MSGPACK = "socket.io-msgpack-parser"

CLIENTS = (
    Client("sio0", ("polling", "websocket")),
    Client("sio1", ALL),
    Client("sio2", ALL),
    Client("sio3", ALL),
    Client("sio4", ALL),
    Client("sio3", ALL, MSGPACK),
    Client("sio4", ALL, MSGPACK),
)


async def run_all(case: TestCase, exchange: Exchange) -> list[Any]:
    """Let each client run in a process of its own, all at once."""
    command = [need_program("node"), str(HERE / "socketio_client.js")]
    for package in (*(client.package for client in CLIENTS), MSGPACK):
        need_node_package(package)
    await exchange.start(origins="*")  # the WebSocket of 0.9 sends an Origin that has no scheme
    plans = [await exchange.plan(client) for client in CLIENTS]
    running = [Deferred.fromCoroutine(run_client(case, command, plan)) for plan in plans]
    return await gatherResults(running, consumeErrors=True)


class NodeTests(TestCase):
    """On node."""

    timeout = PATIENCE + 30

    async def test_every_client_manages_every_scenario(self) -> None:
        reports = await run_all(self, Exchange(self, CLIENTS))
        assert_all_well(self, list(zip(CLIENTS, reports, strict=True)))
