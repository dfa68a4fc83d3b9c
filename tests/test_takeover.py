"""What taking a connection over relies on in twisted.web, one test for each, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.protocols.policies import ProtocolWrapper
from twisted.trial.unittest import TestCase
from twisted.web.http import HTTPChannel, Request, _GenericHTTPChannelProtocol
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from hunchensocket_tx import NotUpgradable
from hunchensocket_tx.takeover import has_sent_all, redirect, take_over
from tests.harness import (
    serve_tls,
    turns,
    turns_until,
)
from tests.support import KEY3, RawClient, connect, serve

GET = b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"


class Holding(Resource):
    """Keeps requests unanswered."""

    isLeaf = True  # noqa: N815

    def __init__(self, look: Callable[[Any], object] = lambda request: None) -> None:
        super().__init__()
        self.look = look
        self.held: Deferred[Any] = Deferred()

    def render(self, request: Request) -> int:
        self.look(request)
        self.held.callback(request)
        return NOT_DONE_YET


class AssumptionTests(TestCase):
    """What the docstring of ``takeover`` says about the running Twisted, seen on a real connection."""

    async def hold(
        self, data: bytes = GET, look: Callable[[Any], object] = lambda request: None, clock: Any = reactor
    ) -> tuple[RawClient, Any]:
        """Send a request that is kept unanswered; return the client and the request."""
        holding = Holding(look)
        site = Site(holding, timeout=60, reactor=clock)
        client = await connect(self, await serve(self, site))
        client.write(data)
        return client, await holding.held

    async def test_the_channel_of_a_request_is_an_http_channel(self) -> None:
        _, request = await self.hold()
        self.assertIsInstance(request.channel, HTTPChannel)

    async def test_the_channel_writes_to_its_transport(self) -> None:
        client, request = await self.hold()
        request.channel.transport.write(b"from the transport")
        await client.until(b"from the transport")

    async def test_the_request_names_the_same_transport(self) -> None:
        _, request = await self.hold()
        self.assertIs(request.transport, request.channel.transport)

    async def test_what_follows_in_the_same_segment_is_in_the_line_buffer(self) -> None:
        seen: list[object] = []

        def look(request: Any) -> None:
            seen.extend([list(request.channel._dataBuffer), request.channel.clearLineBuffer()])

        await self.hold(GET + KEY3, look)
        self.assertEqual(seen, [[], KEY3])

    async def test_what_follows_a_declared_body_is_in_the_data_buffer(self) -> None:
        seen: list[bytes] = []
        head = b"GET / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 8\r\n\r\n"

        def look(request: Any) -> None:
            seen.extend([request.content.read(), b"".join(request.channel._dataBuffer)])

        await self.hold(head + KEY3 + b"behind", look)
        self.assertEqual(seen, [KEY3, b"behind"])

    async def test_what_comes_while_a_request_is_handled_is_in_the_data_buffer(self) -> None:
        client, request = await self.hold(GET + b"glued ")
        client.write(b"later")
        await turns()
        self.assertEqual(b"".join(request.channel._dataBuffer), b"glued later")
        self.assertEqual(request.channel.clearLineBuffer(), b"")

    async def test_reading_stops_when_the_data_buffer_is_full(self) -> None:
        client, request = await self.hold()
        readers: Any = reactor
        self.assertIn(request.transport, readers.getReaders())
        client.write(b"x" * 0x5000)
        await turns_until(lambda: request.transport not in readers.getReaders())
        self.assertGreater(sum(map(len, request.channel._dataBuffer)), 0x4000)

    async def test_the_channel_is_the_transport_s_push_producer(self) -> None:
        _, request = await self.hold()
        self.assertIs(request.transport.producer, request.channel)
        self.assertTrue(request.transport.streamingProducer)

    async def test_set_timeout_with_none_ends_the_channel_s_idle_timer(self) -> None:
        clock = Clock()
        _, request = await self.hold(clock=clock)
        others = len(clock.getDelayedCalls())
        request.channel.setTimeout(60)
        self.assertEqual(len(clock.getDelayedCalls()), others + 1)
        request.channel.setTimeout(None)
        self.assertEqual(len(clock.getDelayedCalls()), others)

    async def test_a_channel_that_is_not_persistent_closes_after_the_answer(self) -> None:
        client, request = await self.hold()
        self.assertTrue(request.channel.persistent)
        request.channel.persistent = 0
        request.finish()
        await client.closed

    async def test_the_reader_of_a_tcp_transport_is_in_front_of_the_channel(self) -> None:
        _, request = await self.hold()
        self.assertIsInstance(request.transport.protocol, _GenericHTTPChannelProtocol)
        self.assertIs(request.transport.protocol._channel, request.channel)

    async def test_the_reader_of_a_tls_transport_is_what_it_wraps(self) -> None:
        holding = Holding()
        client = await connect(self, *await serve_tls(self, holding))
        client.write(GET)
        request = await holding.held
        self.assertIsInstance(request.transport, ProtocolWrapper)
        self.assertIsInstance(request.transport.wrappedProtocol, _GenericHTTPChannelProtocol)

    async def test_the_reader_calls_whatever_the_channel_s_data_received_is(self) -> None:
        client, request = await self.hold()
        received: Deferred[bytes] = Deferred()
        request.channel.dataReceived = received.callback
        client.write(b"to the replacement")
        self.assertEqual(await received, b"to the replacement")

    async def test_what_is_to_be_sent_is_in_the_two_buffers(self) -> None:
        client, request = await self.hold()
        transport: Any = request.transport
        self.assertTrue(has_sent_all(transport))
        transport.write(b"some")
        self.assertFalse(has_sent_all(transport))
        await client.until(b"some")
        self.assertTrue(has_sent_all(transport))
        self.assertFalse(has_sent_all(Protocol()))  # type: ignore[arg-type]

    async def test_a_protocol_of_somebody_s_own_stays_in_front_of_the_channel(self) -> None:
        _, request = await self.hold()
        transport: Any = request.transport
        transport.protocol = stranger = Protocol()
        redirect(transport, Protocol())
        self.assertIs(transport.protocol, stranger)

    async def test_the_notifications_are_what_notify_finish_returned(self) -> None:
        _, request = await self.hold()
        finished = request.notifyFinish()
        finished.addErrback(lambda failure: None)
        self.assertEqual(request.notifications, [finished])

    async def test_the_channel_s_factory_writes_the_access_log(self) -> None:
        client, request = await self.hold()
        logged: list[Request] = []
        self.assertIsInstance(request.channel.factory, Site)
        self.patch(request.channel.factory, "log", logged.append)
        request.finish()
        await client.until(b"\r\n\r\n")
        self.assertEqual(logged, [request])

    async def test_a_request_knows_whether_its_answer_has_begun(self) -> None:
        _, request = await self.hold()
        self.assertFalse(request.startedWriting)
        request.write(b"answer")
        self.assertTrue(request.startedWriting)

    async def test_a_begun_answer_cannot_be_taken_over(self) -> None:
        _, request = await self.hold()
        request.write(b"answer")
        self.assertRaises(NotUpgradable, take_over, request, Protocol())

    async def test_a_request_whose_client_is_gone_cannot_be_taken_over(self) -> None:
        client, request = await self.hold()
        gone = request.notifyFinish()
        client.abort()
        await gone.addErrback(lambda failure: None)
        self.assertRaises(NotUpgradable, take_over, request, Protocol())

    async def test_a_channel_of_another_kind_cannot_be_taken_over(self) -> None:
        _, request = await self.hold()
        self.patch(request, "channel", object())
        self.assertRaises(NotUpgradable, take_over, request, Protocol())
