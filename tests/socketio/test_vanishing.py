"""Clients that vanish without a word: nothing is left of them."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from hunchensocket_tx import connect as open_websocket
from hunchensocket_tx.socketio import Socket, SocketIO, SocketIOResource
from tests.support import connect

MANY = 10_000

HANDSHAKES = (b"/socket.io/?EIO=4&transport=polling", b"/socket.io/?EIO=3&transport=polling", b"/socket.io/1/")
"""One for each generation."""


class VanishingTests(TestCase):
    """The server's time is a clock's; its clients are real."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.ends: list[str] = []
        io = SocketIO(reactor=self.clock)
        io.on("connection", self.connected)
        self.resource = SocketIOResource(io, reactor=self.clock)
        root = Resource()
        root.putChild(b"socket.io", self.resource)
        site: Any = Site(root, timeout=None)
        site.log = lambda request: None  # events of the log are kept until somebody reads it
        listening: Any = reactor
        port = listening.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.address = port.getHost()

    def connected(self, socket: Socket) -> None:
        """Give each socket something to hold on to."""
        socket.join("everybody")
        socket.on("disconnect", self.ends.append)
        socket.emit("hello", {"to": socket.id}, ack=self.ends.append)

    async def handshakes(self, count: int) -> None:
        """Let so many clients begin a session, over one connection, and say no more."""
        client = await connect(self, self.address)
        requests = (b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % HANDSHAKES[number % 3] for number in range(count - 1))
        client.write(b"".join(requests))
        client.write(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % HANDSHAKES[0])
        await client.closed
        self.assertEqual(client.data.count(b"HTTP/1.1 200 OK"), count)
        client.data = b""

    def pass_timeouts(self) -> None:
        """Let more time go by than any client has."""
        for _ in range(20):
            self.clock.advance(10)

    async def test_ten_thousand_are_gone_after_their_timeouts_and_so_is_their_memory(self) -> None:
        await self.handshakes(300)  # what is made once is there now
        self.pass_timeouts()
        gc.collect()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.ends.clear()
        before, _ = tracemalloc.get_traced_memory()
        await self.handshakes(MANY)
        self.assertEqual(len(self.resource.sessions), MANY)
        held, _ = tracemalloc.get_traced_memory()
        self.pass_timeouts()
        self.assertEqual(self.resource.sessions, [])
        self.assertEqual(len(self.ends), 2 * (MANY // 3))  # those of 4.x have connected to no namespace
        self.ends.clear()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        self.assertLess(after - before, (held - before) / 10)  # dicts that are empty keep their room
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_those_that_are_on_a_websocket_and_fall_silent_are_gone_too(self) -> None:
        url = f"ws://127.0.0.1:{self.address.port}/socket.io/?EIO=4&transport=websocket"
        stream = await open_websocket(url)
        self.addCleanup(stream.abort)
        opened = stream.receive()
        while not opened.called:  # the first packet does not come along with the answer
            self.clock.advance(0.001)
            await deferLater(reactor, 0, lambda: None)
        stream.send("40")
        await stream.receive()
        self.pass_timeouts()
        self.assertEqual(self.ends, ["ping timeout"])
        self.assertEqual(self.resource.sessions, [])
        await stream.when_closed()
