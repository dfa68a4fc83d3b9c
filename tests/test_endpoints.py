"""Tests of hunchensocket_tx.endpoints on sockets; Twisted's own protocols have a file of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost, NoProtocol
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent, readBody
from zope.interface.verify import verifyObject

from hunchensocket_tx.cascade import Accept
from hunchensocket_tx.client import connect
from hunchensocket_tx.endpoints import WebSocketClientEndpoint, WebSocketServerEndpoint
from hunchensocket_tx.errors import HandshakeRefused, InvalidSetting, InvalidURL, NotListening
from hunchensocket_tx.factory import WebSocketFactory
from tests.endpoint_support import VERSIONS, EndpointCase, Keeping, Recorder, loopback
from tests.harness import turns_until
from tests.support import serve


class BytesTests(EndpointCase):
    """Any bytes there and back."""

    async def check(self, data: bytes, server: dict[str, Any], client: dict[str, Any]) -> Any:
        protocol = await self.connect(await self.listen(**server), **client)
        protocol.transport.write(data)
        await turns_until(lambda: len(protocol.data) >= len(data))
        self.assertEqual(protocol.data, data)
        return protocol

    async def test_versions_with_binary_messages(self) -> None:
        for version in VERSIONS[:3]:
            protocol = await self.check(bytes(range(256)), {}, {"version": version})
            self.assertEqual(protocol.transport.stream.version, version)

    async def test_hixie_76_takes_text_by_default(self) -> None:
        await self.check("grüße\n".encode(), {}, {"version": 76})

    async def test_a_subprotocol_has_them_encoded_in_base64_at_both_ends(self) -> None:
        for version in VERSIONS:
            options = {"version": version, "subprotocols": ["base64"]}
            protocol = await self.check(bytes(range(256)), {}, options)
            self.assertEqual(protocol.transport.stream.subprotocol, "base64")

    async def test_an_encoding_may_be_set_at_both_ends(self) -> None:
        encodings: tuple[Literal["utf-8", "base64"], ...] = ("utf-8", "base64")
        for version in VERSIONS:
            for encoding in encodings:
                await self.check(b"hello", {"encoding": encoding}, {"encoding": encoding, "version": version})

    async def test_a_write_larger_than_a_message_may_be(self) -> None:
        for version, options in ((13, {}), (76, {"subprotocols": ["base64"]})):
            await self.check(bytes(range(256)) * 12_000, {}, {"version": version, **options})

    async def test_a_write_larger_than_what_may_wait(self) -> None:
        await self.check(bytes(3_000_000), {"max_send_buffer": 1_000_000}, {"max_send_buffer": 1_000_000})

    async def test_a_subprotocol_that_contradicts_the_encoding_is_not_agreed_upon(self) -> None:
        protocol = await self.check(b"a", {"encoding": "binary"}, {"subprotocols": ["base64", "binary"]})
        self.assertEqual(protocol.transport.stream.subprotocol, "binary")

    async def test_a_server_of_binary_messages_refuses_hixie_76(self) -> None:
        url = await self.listen(encoding="binary")
        await self.assertFailure(Deferred.fromCoroutine(self.connect(url, version=76)), HandshakeRefused)


class EndTests(EndpointCase):
    """Both protocols are told of the end, with a reason that they know."""

    async def reasons(self, end: Callable[[Any, Any], object], **options: Any) -> tuple[Any, Any]:
        """Return the reasons that client and server are given."""
        client = await self.connect(await self.listen(), **options)
        await turns_until(lambda: len(self.echo.protocols) == 1)
        [server] = self.echo.protocols
        end(client, server)
        ours, theirs = await client.lost, await server.lost
        return type(ours), type(theirs)

    async def test_losing_the_connection_is_done_for_both(self) -> None:
        for version in VERSIONS:
            for who in (0, 1):

                def end(*both: Any, who: int = who) -> None:
                    both[who].transport.loseConnection()

                self.assertEqual(await self.reasons(end, version=version), (ConnectionDone, ConnectionDone))

    async def test_what_was_written_before_arrives(self) -> None:
        data = bytes(1_000_000)

        def end(client: Any, server: Any) -> None:
            client.transport.write(data)
            client.transport.loseConnection()

        await self.reasons(end)
        self.assertEqual(self.echo.protocols[0].data, data)

    async def test_aborting_is_aborted_here_and_lost_there(self) -> None:
        types = await self.reasons(lambda client, server: client.transport.abortConnection())
        self.assertEqual(types, (ConnectionAborted, ConnectionLost))

    async def test_an_error_there_is_no_clean_end(self) -> None:
        def end(client: Any, server: Any) -> None:
            self.patch(server, "dataReceived", lambda data: 1 // 0)
            client.transport.write(b"a")

        self.assertEqual(await self.reasons(end), (ConnectionLost, ConnectionLost))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_nothing_arrives_after_losing_the_connection(self) -> None:
        def end(client: Any, server: Any) -> None:
            client.transport.loseConnection()
            server.transport.write(b"too late")

        await self.reasons(end)
        self.assertEqual(self.echo.protocols[0].data, b"")

    async def test_a_server_that_stops_listening_closes_politely(self) -> None:
        client = await self.connect(await self.listen())
        await self.port.stopListening()
        reason = await client.lost
        self.assertIsInstance(reason, ConnectionDone)
        self.assertEqual(self.echo.told, ["start", "stop"])

    async def test_a_server_may_listen_again(self) -> None:
        await self.listen()
        await self.port.stopListening()
        self.port.startListening()
        await self.connect(self.url())


class ClientTests(EndpointCase):
    """Connecting, as Twisted's endpoints have it."""

    async def test_the_protocol_is_connected_when_the_deferred_fires(self) -> None:
        protocol = await self.connect(await self.listen())
        self.assertTrue(protocol.connected)
        self.assertEqual(protocol.transport.getPeer(), self.port.getHost())

    async def test_the_factory_is_started_and_stopped(self) -> None:
        factory = Keeping(Recorder)
        url = await self.listen()
        protocol: Any = await WebSocketClientEndpoint(reactor, url).connect(factory)
        self.assertEqual(factory.told, ["start"])
        protocol.transport.loseConnection()
        await protocol.lost
        await turns_until(lambda: factory.told == ["start", "stop"])

    async def test_a_factory_that_builds_nothing_fails_and_closes(self) -> None:
        factory = Keeping(lambda: None)
        endpoint = WebSocketClientEndpoint(reactor, await self.listen())
        await self.assertFailure(endpoint.connect(factory), NoProtocol)
        await turns_until(lambda: factory.told == ["start", "stop"])
        await self.echo.protocols[0].lost

    async def test_an_error_in_the_factory_is_passed_on(self) -> None:
        endpoint = WebSocketClientEndpoint(reactor, await self.listen())
        await self.assertFailure(endpoint.connect(Keeping(lambda: 1 // 0)), ZeroDivisionError)  # type: ignore[arg-type,return-value]

    async def test_a_server_that_refuses_fails(self) -> None:
        factory = Keeping(Recorder)
        url = await self.listen("/here")
        endpoint = WebSocketClientEndpoint(reactor, url.replace("here", "there"))
        await self.assertFailure(endpoint.connect(factory), HandshakeRefused)
        self.assertEqual((factory.told, factory.protocols), (["start", "stop"], []))

    async def test_nobody_there_fails(self) -> None:
        url = await self.listen()
        await self.port.stopListening()
        endpoint = WebSocketClientEndpoint(reactor, url)
        await self.assertFailure(endpoint.connect(Keeping(Recorder)), NotListening)

    async def test_it_can_be_cancelled(self) -> None:
        silent = Keeping(Recorder)
        address = await serve(self, silent)
        factory = Keeping(Recorder)
        connecting = WebSocketClientEndpoint(reactor, f"ws://127.0.0.1:{address.port}/").connect(factory)
        await turns_until(lambda: bool(silent.protocols and silent.protocols[0].data))
        connecting.cancel()
        await self.assertFailure(connecting, CancelledError)
        await silent.protocols[0].lost
        self.assertEqual((factory.told, factory.protocols), (["start", "stop"], []))

    async def test_it_can_be_cancelled_before_anything_has_happened(self) -> None:
        connecting = WebSocketClientEndpoint(reactor, await self.listen()).connect(Keeping(Recorder))
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)

    async def test_a_protocol_may_leave_as_soon_as_it_is_connected(self) -> None:
        url = await self.listen()
        for leave in ("loseConnection", "abortConnection"):

            class Leaving(Recorder):
                way = leave

                def connectionMade(self) -> None:
                    getattr(self.transport, self.way)()

            protocol: Any = await WebSocketClientEndpoint(reactor, url).connect(Factory.forProtocol(Leaving))
            await protocol.lost

    async def test_the_first_bytes_may_come_with_the_answer(self) -> None:
        class Greeter(Recorder):
            def connectionMade(self) -> None:
                self.transport.write(b"hello")
                self.transport.loseConnection()

        url = await self.listen(factory=Factory.forProtocol(Greeter))
        protocol = await self.connect(url)
        await protocol.lost
        self.assertEqual(protocol.data, b"hello")


class ServerTests(EndpointCase):
    """Serving."""

    async def test_other_paths_are_not_found(self) -> None:
        url = await self.listen("/echo")
        agent: Any = Agent(reactor)
        for path, status in (("/echo", 426), ("/", 404), ("/echo/more", 404), ("/echo?a=b", 426)):
            http = url.replace("ws:", "http:").replace("/echo", path)
            response = await agent.request(b"GET", http.encode())
            await readBody(response)
            self.assertEqual(response.code, status, path)
            opening: Deferred[Any] = connect(http.replace("http:", "ws:"), reactor=reactor)
            if status == 404:
                refusal = await self.assertFailure(opening, HandshakeRefused)
                self.assertEqual(refusal.status, 404)
            else:
                stream = await opening
                stream.abort()
                await stream.when_closed()

    async def test_a_path_is_percent_encoded(self) -> None:
        await self.connect(await self.listen("/grüße"))

    async def test_settings_count(self) -> None:
        url = await self.listen(versions=[13])
        await self.assertFailure(Deferred.fromCoroutine(self.connect(url, version=76)), HandshakeRefused)

    async def test_a_factory_that_builds_nothing_closes(self) -> None:
        client = await self.connect(await self.listen(factory=Keeping(lambda: None)))
        reason = await client.lost
        self.assertIn("1013", str(reason))

    async def test_a_client_that_has_to_drop_bytes_closes(self) -> None:
        def handshake(stream: Any, mutex: object) -> None:
            stream.pauseProducing()

        factory = WebSocketFactory(lambda request: Accept(handshake), reactor=reactor)
        address = await serve(self, factory)
        options = {"slow_peers": "drop", "max_send_buffer": 1, "closing_timeout": 0.01, "compression": False}
        client = await self.connect(f"ws://127.0.0.1:{address.port}/", **options)
        for _ in range(50):
            client.transport.write(bytes(1_000_000))
        reason = await client.lost
        self.assertIsInstance(reason, ConnectionLost)
        await factory.close_all()


class ArgumentTests(SynchronousTestCase):
    """What is wrong is told at once."""

    def test_the_interfaces_are_provided(self) -> None:
        client = WebSocketClientEndpoint(reactor, "ws://localhost/")
        server = WebSocketServerEndpoint(reactor, loopback())
        verifyObject(IStreamClientEndpoint, client)
        verifyObject(IStreamServerEndpoint, server)

    def test_a_wrong_url(self) -> None:
        self.assertRaises(InvalidURL, WebSocketClientEndpoint, reactor, "http://localhost/")

    def test_a_wrong_encoding(self) -> None:
        for make in (
            lambda: WebSocketClientEndpoint(reactor, "ws://localhost/", encoding="latin-1"),  # type: ignore[arg-type]
            lambda: WebSocketServerEndpoint(reactor, loopback(), encoding="latin-1"),  # type: ignore[arg-type]
            lambda: WebSocketClientEndpoint(reactor, "ws://localhost/", encoding="binary", version=76),
        ):
            self.assertIn("encoding: ", str(self.assertRaises(InvalidSetting, make)))

    def test_a_wrong_path(self) -> None:
        for path in ("", "echo", "/a?b", "/a#b"):
            error = self.assertRaises(InvalidSetting, WebSocketServerEndpoint, reactor, loopback(), path)
            self.assertIn("path: ", str(error))

    def test_credentials_are_not_shown(self) -> None:
        self.assertNotIn("secret", repr(WebSocketClientEndpoint(reactor, "ws://me:secret@localhost/")))
