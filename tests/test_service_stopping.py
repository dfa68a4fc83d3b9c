"""A restart as users see it: a thousand clients chat with ``twistd hunchensocket`` when SIGTERM arrives."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from hunchensocket_tx import CloseReason, WebSocketStream, connect
from tests.processes import TwistdCase, unavailable

CLIENTS = 1000

VERSIONS = (13, 8, 7, 76)

CONNECTING = 50
"""Handshakes that are under way at a time."""

BALLS = 10
"""Messages that are under way at a time."""

ENOUGH = 50
"""Messages that everybody has heard before the signal is sent."""


class Crowd:
    """Clients in one room. Each message says whose turn it is, who then says who is next."""

    def __init__(self) -> None:
        self.streams: dict[int, WebSocketStream] = {}
        self.chatting: Deferred[None] = Deferred()
        """Fires when everybody has heard enough."""
        self._heard: Counter[int] = Counter()
        self._content = 0

    async def enter(self, url: str) -> None:
        """Open all WebSockets."""
        numbers = iter(range(CLIENTS))
        queues = [Deferred.fromCoroutine(self._enter_some(url, numbers)) for _ in range(CONNECTING)]
        await gatherResults(queues, consumeErrors=True)

    async def _enter_some(self, url: str, numbers: Iterator[int]) -> None:
        for number in numbers:
            version = VERSIONS[number % len(VERSIONS)]
            self.streams[number] = await connect(url, self._listener(number), version=version, in_turn=False)

    def chat(self) -> None:
        """Begin."""
        for ball in range(BALLS):
            self._speak(ball * CLIENTS // BALLS)

    def _speak(self, number: int) -> None:
        self.streams[number].send(str((number + 1) % CLIENTS))

    def _listener(self, number: int) -> Any:
        name = str(number)

        def message(text: str) -> None:
            if text == name:
                self._speak(number)
            self._heard[number] += 1
            self._content += self._heard[number] == ENOUGH
            if self._content == CLIENTS and not self.chatting.called:
                self.chatting.callback(None)

        return lambda stream, mutex: message


class RestartTests(TwistdCase):
    """SIGTERM while there is a lot going on."""

    def setUp(self) -> None:
        super().setUp()
        before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        if most != resource.RLIM_INFINITY and most < 2 * CLIENTS:
            unavailable(f"no more than {most} files can be open here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(before, 2 * CLIENTS), most))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (before, most))

    async def test_a_thousand_clients_are_told_and_none_is_cut_off(self) -> None:
        how_tcp_ended: Counter[type[BaseException] | type[None]] = Counter()
        connection_lost = WebSocketStream.connectionLost

        def lost(stream: WebSocketStream, reason: Failure) -> None:
            how_tcp_ended[type(reason.value)] += 1
            connection_lost(stream, reason)

        self.patch(WebSocketStream, "connectionLost", lost)
        program = self.listening()
        crowd = Crowd()
        await crowd.enter(f"ws://127.0.0.1:{(await program.address()).port}/chat")
        crowd.chat()
        await crowd.chatting
        program.signal("TERM")
        ends = Counter([await stream.when_closed() for stream in crowd.streams.values()])
        hixie = CLIENTS // len(VERSIONS)
        told = CloseReason(1001, "the server is restarting", True)
        self.assertEqual(ends, {told: CLIENTS - hixie, CloseReason(1005, "", True): hixie})
        self.assertEqual(how_tcp_ended, {ConnectionDone: CLIENTS})
        await program.shut_down()
        self.assertEqual(await program.ended, 0)
        self.assertIn(f"stopping, with {CLIENTS} WebSockets open", program.said)
        self.assertNotIn("dropped", program.said)
