"""A connection is taken over on every transport that Twisted has, wherever its bytes are cut."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.protocols.policies import ProtocolWrapper
from twisted.trial.unittest import TestCase
from twisted.web.http import HTTPChannel
from twisted.web.server import Request, Site

from hunchensocket_tx import WebSocketResource, WebSocketStream
from hunchensocket_tx.lane_transport import LaneTransport
from hunchensocket_tx.write_through import ThroughTransport
from tests.harness import answered_76, complete_76, echo, serve_tls, tls_agreed, turns, turns_until
from tests.stream_support import PushRecorder
from tests.support import KEY3, RawClient, connect, frame_76, request_76, serve

ADDRESS = IPv4Address("TCP", "127.0.0.1", 80)
"""What clients believe to talk to: a transport need not have an address of this kind."""

MANY = [f"message {number}: {'x' * 100}" for number in range(500)]
"""Messages of more bytes than twisted.web keeps for a request that is being handled (16 KiB)."""


def _tcp_client(address: Any) -> IStreamClientEndpoint:
    return TCP4ClientEndpoint(reactor, "127.0.0.1", address.port)


class Transports:
    """Tests for each kind of transport. Section 5.2 of hybi-00: the head, key3, then frames, however cut."""

    class Tests(TestCase):
        secure = False

        async def listen(self, site: Site) -> IStreamClientEndpoint | None:
            """Serve a site; return the endpoint for clients."""
            raise NotImplementedError

        async def connect_to(self, *dispatchers: Callable[[Request], Any]) -> RawClient:
            """Serve dispatchers, and connect to them."""
            self.resource = WebSocketResource(*dispatchers)
            self.addCleanup(self.check_that_no_stream_is_left)
            self.site = Site(self.resource, reactor=reactor)
            client = await connect(self, ADDRESS, await self.listen(self.site))
            await self.prepare(client)
            return client

        async def prepare(self, client: RawClient) -> None:
            """Do what comes before HTTP."""

        async def check_that_no_stream_is_left(self) -> None:
            """Cleanups run in reverse order, so the clients are gone."""
            await turns_until(lambda: not self.resource.streams)

        def request(self, **changes: Any) -> bytes:
            """Return a request for this transport."""
            return request_76(ADDRESS, secure=self.secure, **changes)

        async def check_echo(self, client: RawClient, text: str = "hello") -> None:
            """Have the client say something and hear it back."""
            client.write(frame_76(text))
            await client.until(frame_76(text))

        async def test_it_is_taken_over_while_the_request_is_rendered(self) -> None:
            client = await self.connect_to(echo)
            await complete_76(client, self.request())
            await self.check_echo(client)

        async def test_it_is_taken_over_when_a_dispatcher_s_deferred_fires(self) -> None:
            decision: Deferred[Any] = Deferred()
            client = await self.connect_to(lambda request: decision)
            client.write(self.request())
            await turns()
            self.assertEqual(client.data, b"")
            decision.callback(lambda stream, mutex: stream.send)
            await answered_76(client)
            await self.check_echo(client)

        async def test_key3_may_come_in_a_later_segment(self) -> None:
            client = await self.connect_to(echo)
            client.write(self.request(key3=b""))
            await turns()
            await complete_76(client, KEY3)
            await self.check_echo(client)

        async def test_key3_may_come_only_after_the_head_of_the_answer(self) -> None:
            client = await self.connect_to(echo)
            client.write(self.request(key3=b""))
            await client.until(b"\r\n\r\n")
            self.assertEqual(client.body, b"", "nothing may follow before key3")
            await complete_76(client, KEY3)
            await self.check_echo(client)

        async def test_key3_may_be_a_declared_body(self) -> None:
            client = await self.connect_to(echo)
            await complete_76(client, self.request(content_length="8"))
            await self.check_echo(client)

        async def test_a_declared_key3_may_come_later_with_frames_behind_it(self) -> None:
            client = await self.connect_to(echo)
            client.write(self.request(content_length="8", key3=b""))
            await turns()
            await complete_76(client, KEY3 + frame_76("glued"))
            await client.until(frame_76("glued"))

        async def test_all_may_come_byte_by_byte(self) -> None:
            client = await self.connect_to(echo)
            data = self.request() + frame_76("drip")
            for position in range(len(data)):
                client.write(data[position : position + 1])
                await turns(3)
            await answered_76(client)
            await client.until(frame_76("drip"))

        async def test_frames_may_be_glued_to_key3(self) -> None:
            client = await self.connect_to(echo)
            await complete_76(client, self.request() + frame_76("one") + frame_76("two"))
            await client.until(frame_76("one") + frame_76("two"))

        async def test_many_frames_may_be_glued_to_key3(self) -> None:
            client = await self.connect_to(echo)
            frames = b"".join(map(frame_76, MANY))
            await complete_76(client, self.request() + frames)
            await client.until(lambda data: len(data) >= len(frames))
            self.assertEqual(client.data, frames)

        async def test_frames_may_come_while_a_dispatcher_is_asked(self) -> None:
            decision: Deferred[Any] = Deferred()
            client = await self.connect_to(lambda request: decision)
            client.write(self.request() + frame_76("glued"))
            await turns()
            client.write(frame_76("late"))
            await turns()
            decision.callback(lambda stream, mutex: stream.send)
            await answered_76(client)
            await client.until(frame_76("glued") + frame_76("late"))
            await self.check_echo(client)

        async def test_so_many_frames_may_come_meanwhile_that_twisted_web_stops_reading(self) -> None:
            decision: Deferred[Any] = Deferred()
            channels: list[Any] = []

            def dispatcher(request: Request) -> Deferred[Any]:
                channels.append(request.channel)
                return decision

            client = await self.connect_to(dispatcher)
            frames = b"".join(map(frame_76, MANY))
            client.write(self.request())
            await turns()
            client.write(frames)
            await turns_until(lambda: sum(map(len, channels[0]._dataBuffer)) > 0x4000)
            await turns()
            decision.callback(lambda stream, mutex: stream.send)
            await answered_76(client)
            await client.until(lambda data: len(data) >= len(frames))
            self.assertEqual(client.data, frames)
            await self.check_echo(client)

        async def test_nothing_of_twisted_web_is_between_the_reactor_and_the_stream(self) -> None:
            streams: list[WebSocketStream] = []
            seen: list[Any] = []

            def dispatcher(request: Request) -> Any:
                seen.append(request.transport)
                return lambda stream, mutex: streams.append(stream)

            client = await self.connect_to(dispatcher)
            await complete_76(client, self.request())
            (transport,) = seen
            reader = transport.wrappedProtocol if isinstance(transport, ProtocolWrapper) else transport.protocol
            if isinstance(transport.connectionLost.__self__, LaneTransport):  # where it was moved to
                reader = transport.connectionLost.__self__
            if isinstance(reader, (LaneTransport, ThroughTransport)):
                reader = reader.protocol
            self.assertIs(reader, streams[0])

        async def test_backpressure_reaches_the_stream_s_producer_and_not_the_channel(self) -> None:
            channel_calls: list[str] = []
            self.patch(HTTPChannel, "pauseProducing", lambda channel: channel_calls.append("pause"))
            self.patch(HTTPChannel, "resumeProducing", lambda channel: channel_calls.append("resume"))
            streams: list[WebSocketStream] = []
            client = await self.connect_to(lambda request: lambda stream, mutex: streams.append(stream))
            await complete_76(client, self.request())
            client_transport: Any = client.transport
            client_transport.pauseProducing()
            producer = PushRecorder()
            streams[0].registerProducer(producer, True)
            text = "x" * 1_000_000
            while "pause" not in producer.told:
                streams[0].write(text)
                await turns()
            client_transport.resumeProducing()
            await turns_until(lambda: "resume" in producer.told)
            self.assertEqual((producer.told[:2], channel_calls), (["pause", "resume"], []))

        async def test_a_clean_end_is_told_to_both_sides(self) -> None:
            streams: list[WebSocketStream] = []
            client = await self.connect_to(lambda request: lambda stream, mutex: streams.append(stream))
            await complete_76(client, self.request())
            client.write(b"\xff\x00")
            await client.closed
            self.assertEqual(client.data, b"\xff\x00")
            self.assertTrue((await streams[0].when_closed()).clean)

        async def test_a_refusal_is_answered_in_full_and_closes(self) -> None:
            client = await self.connect_to(echo)
            client.write(self.request(sec_websocket_key1="none"))
            await client.closed
            self.assertEqual(client.status, 400)
            self.assertEqual(client.body.count(b"\n"), 1)


class TcpTests(Transports.Tests):
    """TCP."""

    async def listen(self, site: Site) -> IStreamClientEndpoint | None:
        address = await serve(self, site)
        return _tcp_client(address)

    async def test_it_may_be_cut_anywhere(self) -> None:
        endpoint = _tcp_client(await serve(self, Site(WebSocketResource(echo), reactor=reactor)))
        data = self.request() + frame_76("one") + frame_76("two")
        for position in range(1, len(data)):
            client = await connect(self, ADDRESS, endpoint)
            client.write(data[:position])
            await turns(3)
            client.write(data[position:])
            await answered_76(client)
            await client.until(frame_76("one") + frame_76("two"))
            client.abort()


class TlsTests(Transports.Tests):
    """TLS."""

    secure = True

    async def listen(self, site: Site) -> IStreamClientEndpoint | None:
        _, endpoint = await serve_tls(self, site)
        return endpoint

    async def prepare(self, client: RawClient) -> None:
        await tls_agreed(client)


class UnixTests(Transports.Tests):
    """A unix socket."""

    async def listen(self, site: Site) -> IStreamClientEndpoint | None:
        path = os.path.relpath(self.mktemp())  # absolute ones are longer than a unix socket's name may be
        await serve(self, site, f"unix:{path}")
        return UNIXClientEndpoint(reactor, path)


class ProxyProtocolTests(Transports.Tests):
    """TCP behind a proxy that speaks the PROXY protocol: a wrapper between the socket and the site."""

    preamble = b"PROXY TCP4 192.0.2.7 192.0.2.1 56324 80\r\n"

    async def listen(self, site: Site) -> IStreamClientEndpoint | None:
        return _tcp_client(await serve(self, site, "haproxy:tcp:0:interface=127.0.0.1"))

    async def prepare(self, client: RawClient) -> None:
        client.write(self.preamble)
        await turns()

    async def test_the_peer_is_the_client_that_the_proxy_names(self) -> None:
        streams: list[WebSocketStream] = []
        client = await self.connect_to(lambda request: lambda stream, mutex: streams.append(stream))
        await complete_76(client, self.request())
        self.assertEqual(streams[0].peer, IPv4Address("TCP", "192.0.2.7", 56324))

    async def test_a_dispatcher_sees_the_client_that_the_proxy_names(self) -> None:
        seen: list[Any] = []

        def dispatcher(request: Request) -> Any:
            seen.append(request.getClientAddress())
            return echo(request)

        client = await self.connect_to(dispatcher)
        await complete_76(client, self.request())
        self.assertEqual(seen, [IPv4Address("TCP", "192.0.2.7", 56324)])

    async def test_the_proxy_s_line_may_share_a_segment_with_all_the_rest(self) -> None:
        endpoint = _tcp_client(
            await serve(self, Site(WebSocketResource(echo), reactor=reactor), "haproxy:tcp:0:interface=127.0.0.1")
        )
        client = await connect(self, ADDRESS, endpoint)
        await complete_76(client, self.preamble + self.request() + frame_76("glued"))
        await client.until(frame_76("glued"))
