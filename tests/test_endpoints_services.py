"""Tests of services that keep a connection open, with hunchensocket_tx.endpoints."""

from __future__ import annotations

from typing import Any

from twisted.application.internet import ClientService
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from hunchensocket_tx.adapters import conversation
from hunchensocket_tx.endpoints import WebSocketClientEndpoint, WebSocketClientService
from hunchensocket_tx.errors import InvalidURL, NotListening
from hunchensocket_tx.factory import WebSocketFactory
from hunchensocket_tx.stream import WebSocketStream
from tests.endpoint_support import VERSIONS, EndpointCase, Keeping, Recorder, loopback
from tests.harness import echo, turns, turns_until


async def after(waiting: Any) -> Any:
    """Return what a Deferred of a service gives, once the service is done with it; it takes no calls meanwhile."""
    try:
        return await waiting
    finally:
        await turns(1)


def at_once(attempt: int) -> float:
    """Retry without delay."""
    return 0


class ClientServiceTests(EndpointCase):
    """Twisted's own, with a byte-stream protocol."""

    def keep(self, endpoint: Any, **options: Any) -> ClientService:
        """Start a service that is stopped in the end."""
        self.clients = Keeping(Recorder)
        service = ClientService(endpoint, self.clients, **options)
        service.startService()
        self.addCleanup(lambda: Deferred.fromCoroutine(after(service.stopService())))
        return service

    async def test_it_connects_again_when_the_server_comes_back(self) -> None:
        for version in VERSIONS:
            await self.listen()
            service = self.keep(WebSocketClientEndpoint(reactor, self.url(), version=version), retryPolicy=at_once)
            first: Any = await after(service.whenConnected())
            host = self.port.getHost()
            await self.port.stopListening()
            await first.lost
            await after(self.assertFailure(service.whenConnected(failAfterFailures=1), NotListening))
            await self.listen(port=host.port)
            second: Any = await after(service.whenConnected())
            self.assertIsNot(second, first)
            second.transport.write(b"hello")
            await turns_until(lambda second=second: second.data == b"hello")  # type: ignore[misc]
            await after(service.stopService())
            await second.lost

    async def test_it_takes_a_description_and_waits_longer_each_time(self) -> None:
        url = await self.listen()
        await self.port.stopListening()
        clock = Clock()
        self.keep(clientFromString(reactor, url), clock=clock)
        delays = []
        for _ in range(3):
            await turns_until(lambda: bool(clock.getDelayedCalls()))
            [retry] = clock.getDelayedCalls()
            delays.append(retry.getTime() - clock.seconds())
            clock.advance(delays[-1])
        for attempt, delay in enumerate(delays, 1):
            self.assertGreaterEqual(delay, 1.5**attempt)
            self.assertLess(delay, 1.5**attempt + 1)

    async def test_a_protocol_that_leaves_at_once_is_connected_again(self) -> None:
        await self.listen()
        for leave in ("loseConnection", "abortConnection"):
            clients: list[Recorder] = []

            class Leaving(Recorder):
                way = leave
                all = clients

                def connectionMade(self) -> None:
                    self.all.append(self)
                    if len(self.all) < 3:
                        getattr(self.transport, self.way)()

            endpoint = WebSocketClientEndpoint(reactor, self.url())
            service = ClientService(endpoint, Keeping(Leaving), retryPolicy=at_once)
            service.startService()
            await turns_until(lambda clients=clients: len(clients) == 3)  # type: ignore[misc]
            await after(service.stopService())

    async def test_it_can_be_stopped_while_it_connects(self) -> None:
        await self.listen()
        service = self.keep(WebSocketClientEndpoint(reactor, self.url()))
        await after(service.stopService())
        self.assertEqual(self.clients.protocols, [])


class WebSocketClientServiceTests(TestCase):
    """Ours, with a message handler."""

    async def serve(self, port: int = 0) -> str:
        self.factory = WebSocketFactory(echo, reactor=reactor)
        self.port: Any = await loopback(port).listen(self.factory)
        self.addCleanup(self.port.stopListening)
        self.addCleanup(self.factory.close_all)
        return f"ws://127.0.0.1:{self.port.getHost().port}/"

    async def start(self, handler: Any, url: str | None = None, **options: Any) -> WebSocketClientService:
        service = WebSocketClientService(
            url or await self.serve(), handler, retry_policy=at_once, reactor=reactor, **options
        )
        service.startService()
        self.addCleanup(lambda: Deferred.fromCoroutine(after(service.stopService())))
        return service

    async def test_the_handler_is_called_anew_for_each_websocket(self) -> None:
        for version in VERSIONS:
            got: list[str] = []

            def handler(stream: WebSocketStream, mutex: object, got: list[str] = got) -> Any:
                stream.send(f"I am {len(got)}")
                return got.append

            service = await self.start(handler, version=version)
            await turns_until(lambda got=got: len(got) == 1)  # type: ignore[misc]
            host = self.port.getHost()
            await self.port.stopListening()
            await self.factory.close_all()
            await self.serve(host.port)
            await turns_until(lambda got=got: len(got) == 2)  # type: ignore[misc]
            self.assertEqual([text.lower() for text in got], ["i am 0", "i am 1"])
            await after(service.stopService())

    async def test_a_conversation_that_is_over_begins_again(self) -> None:
        talks: list[str] = []

        @conversation
        async def talk(stream: WebSocketStream) -> None:
            stream.send("hello")
            talks.append(str(await stream.receive()).lower())
            if len(talks) == 3:
                await stream.receive()

        await self.start(talk)
        await turns_until(lambda: len(talks) == 3)

    async def test_a_handler_that_aborts_is_called_again(self) -> None:
        streams: list[WebSocketStream] = []

        def handler(stream: WebSocketStream, mutex: object) -> None:
            streams.append(stream)
            if len(streams) < 3:
                stream.abort()

        await self.start(handler)
        await turns_until(lambda: len(streams) == 3)

    async def test_it_tells_the_stream_that_is_open(self) -> None:
        service = await self.start(lambda stream, mutex: None)
        stream = await after(service.when_open())
        self.assertTrue(stream.is_open)
        self.assertIs(await after(service.when_open()), stream)
        await after(service.stopService())
        self.assertTrue((await stream.when_closed()).clean)
        await self.assertFailure(service.when_open(), CancelledError)

    async def test_it_tells_why_it_cannot_be_opened(self) -> None:
        url = await self.serve()
        await self.port.stopListening()
        service = await self.start(lambda stream, mutex: None, url)
        await after(self.assertFailure(service.when_open(fail_after=2), NotListening))

    async def test_stopping_gives_up_connecting(self) -> None:
        service = await self.start(lambda stream, mutex: None)
        opening: Deferred[WebSocketStream] = service.when_open()
        await after(service.stopService())
        await self.assertFailure(opening, CancelledError)

    def test_a_wrong_url_is_told_at_once(self) -> None:
        self.assertRaises(InvalidURL, WebSocketClientService, "localhost", lambda stream, mutex: None)
