"""The JavaScript clients of socket.io, from 0.9 to 4.x, on node."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from tests.interop import socketio_conversations as conversations
from tests.interop.clients import HERE, need_node_package, need_program, run_client
from tests.interop.socketio_conversations import Client, Exchange, Visit

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


class OnNode:
    """What the clients have in common."""

    visit = Visit(run_all, CLIENTS)


class Client0Tests(OnNode, conversations.SocketIOConversations):
    """socket.io-client 0.9, of protocol 1."""

    client = CLIENTS[0]


class Client1Tests(OnNode, conversations.UpgradingConversations):
    """socket.io-client 1.x, of Engine.IO 3 as it was first."""

    client = CLIENTS[1]


class Client2Tests(OnNode, conversations.UpgradingConversations):
    """socket.io-client 2.x, of Engine.IO 3."""

    client = CLIENTS[2]


class Client3Tests(OnNode, conversations.UpgradingConversations):
    """socket.io-client 3.x, of Engine.IO 4."""

    client = CLIENTS[3]


class Client4Tests(OnNode, conversations.UpgradingConversations):
    """socket.io-client 4.x."""

    client = CLIENTS[4]


class Client3MsgpackTests(OnNode, conversations.UpgradingConversations):
    """socket.io-client 3.x, with packets in msgpack."""

    client = CLIENTS[5]


class Client4MsgpackTests(OnNode, conversations.UpgradingConversations):
    """socket.io-client 4.x, with packets in msgpack."""

    client = CLIENTS[6]
