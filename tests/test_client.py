"""connect(): messages both ways, in every version and style; what is sent of a request."""

from __future__ import annotations

import os
from http.cookiejar import CookieJar
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint

from hunchensocket_tx import (
    Accept,
    ConnectionClosed,
    DeflateOffer,
    InvalidSetting,
    Reject,
    WebSocketFactory,
    connect,
    conversation,
    current_stream,
    offered_subprotocols,
)
from tests.client_support import LANES, VERSIONS, ClientCase, field, switching, tell_end
from tests.harness import echo, turns
from tests.support import serve


class StylesTests(ClientCase):
    """Ways to talk."""

    async def test_every_version_echoes_with_the_lane_on_and_off(self) -> None:
        url = await self.serve_websockets()
        for version in VERSIONS:
            for lane in LANES:
                with self.subTest(version=version, lane=lane):
                    stream = await self.connect(url, version=version, fast_lane=lane)
                    self.assertEqual(stream.version, version)
                    for text in ("hello", "", "ü" * 70000):
                        stream.send(text)
                        self.assertEqual(await stream.receive(), text)
                    stream.close()
                    self.assertTrue((await stream.when_closed()).clean)

    async def test_binary_messages_are_bytes(self) -> None:
        stream = await self.connect(await self.serve_websockets())
        stream.send(b"\x00\xff")
        self.assertEqual(await stream.receive(), b"\x00\xff")

    async def test_messages_are_iterated_until_the_server_closes(self) -> None:
        async def count(stream: Any) -> None:
            for number in range(5):
                stream.send(str(number))

        url = await self.serve_websockets(conversation(count))
        for version in VERSIONS:
            with self.subTest(version=version):
                stream = await self.connect(url, version=version)
                self.assertEqual([text async for text in stream], ["0", "1", "2", "3", "4"])
                self.assertTrue((await stream.when_closed()).clean)

    async def test_a_message_handler_is_called(self) -> None:
        received: Deferred[tuple[str, bool]] = Deferred()

        def handshake(stream: Any, mutex: Any) -> Any:
            stream.send("hello")
            return lambda text: received.callback((text, current_stream() is stream))

        await self.connect(await self.serve_websockets(), handshake)
        self.assertEqual(await received, ("hello", True))

    async def test_a_conversation_can_be_had(self) -> None:
        answers: list[object] = []

        @conversation
        async def talk(stream: Any) -> None:
            stream.send("hello")
            answers.append(await stream.receive())

        stream = await self.connect(await self.serve_websockets(), talk)
        end = await stream.when_closed()
        self.assertEqual((answers, end.code, end.clean), (["hello"], 1000, True))

    async def test_messages_that_come_with_the_answer_reach_the_handler(self) -> None:
        received: list[object] = []
        site = await self.scripted(lambda request: switching(request) + b"\x81\x01a\x81\x01b\x88\x02\x03\xe8")
        stream = await self.connect(f"ws://127.0.0.1:{site.port}", lambda stream, mutex: received.append)
        await turns()
        self.assertEqual(received, ["a", "b"])
        await site.servers[0].until(lambda: b"\x88\x82" in site.servers[0].data)
        site.servers[0].transport.loseConnection()
        self.assertTrue((await stream.when_closed()).clean)

    async def test_who_sends_much_before_it_asks_gets_all_of_it_back(self) -> None:
        """The echo stops reading while its own answers wait; so we must not."""
        url = await self.serve_websockets()
        for version in VERSIONS:
            for lane in LANES:
                with self.subTest(version=version, lane=lane):
                    changes: Any = {"fast_lane": lane, "compression": False, "max_send_buffer": 2**25}
                    stream = await self.connect(url, version=version, **changes)
                    for _ in range(256):
                        stream.send("x" * 65536)
                    sizes = [len(await stream.receive()) for _ in range(256)]
                    self.assertEqual(sizes, [65536] * 256)

    async def test_messages_that_come_with_the_answer_wait_for_who_asks(self) -> None:
        site = await self.scripted(lambda request: switching(request) + b"\x81\x01a\x81\x01b\x88\x02\x03\xe8")
        stream = await self.connect(f"ws://127.0.0.1:{site.port}")
        await turns()
        self.assertEqual([await stream.receive(), await stream.receive()], ["a", "b"])
        error = await self.refused(stream.receive(), ConnectionClosed)
        self.assertEqual(error.code, 1000)

    async def test_a_handler_that_fails_closes_with_1011(self) -> None:
        closed: Deferred[Any] = Deferred()

        def handshake(stream: Any, mutex: Any) -> Any:
            raise ZeroDivisionError

        await self.connect(await self.serve_websockets(tell_end(closed)), handshake)
        self.assertEqual((await closed).code, 1011)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_a_handler_gets_a_message_in_pieces(self) -> None:
        received: Deferred[str] = Deferred()

        def handshake(stream: Any, mutex: Any) -> Any:
            async def message(incoming: Any) -> None:
                received.callback("".join([piece async for piece in incoming]))

            stream.send("x" * 100000)
            return message

        await self.connect(await self.serve_websockets(), handshake, pieces=True)
        self.assertEqual(await received, "x" * 100000)

    async def test_a_server_has_to_wait_for_a_client_that_does_not_ask(self) -> None:
        servers: list[Any] = []

        @conversation
        async def flood(stream: Any) -> None:
            servers.append(stream)
            for _ in range(64):
                stream.send(b"x" * 262144, compress=False)
                await stream.drained()
            servers.append("done")

        url = await self.serve_websockets(flood)
        for lane in LANES:
            with self.subTest(lane=lane):
                del servers[:]
                stream = await self.connect(url, fast_lane=lane)
                await turns(200)
                self.assertEqual(len(servers), 1)
                count = 0
                async for message in stream:
                    self.assertEqual(len(message), 262144)
                    count += 1
                self.assertEqual((count, servers[1:]), (64, ["done"]))


class ContextTests(ClientCase):
    """``async with connect(...)``."""

    async def ends(self, *, failing: type[BaseException] | None = None, version: int = 13) -> tuple[Any, Any]:
        """Return how a WebSocket ends for both sides when its context does."""
        ended: Deferred[Any] = Deferred()
        url = await self.serve_websockets(tell_end(ended))
        try:
            async with connect(url, proxy=None, version=version) as stream:
                if failing is not None:
                    raise failing
        except BaseException as error:
            self.assertIs(type(error), failing)
        return await stream.when_closed(), await ended

    async def test_it_is_closed_with_1000_at_the_end(self) -> None:
        for version in VERSIONS:
            with self.subTest(version=version):
                client, server = await self.ends(version=version)
                self.assertEqual((client.clean, server.clean), (True, True))
                if version != 76:
                    self.assertEqual((client.code, server.code), (1000, 1000))

    async def test_it_is_closed_with_1011_after_an_exception(self) -> None:
        _, server = await self.ends(failing=ZeroDivisionError)
        self.assertEqual(server.code, 1011)

    async def test_messages_that_nobody_wants_do_not_keep_it_open(self) -> None:
        def server(request: Any) -> Any:
            return lambda stream, mutex: all(stream.send("x" * 1000) for _ in range(100))

        async with connect(await self.serve_websockets(server), proxy=None) as stream:
            await stream.receive()
        self.assertTrue((await stream.when_closed()).clean)

    async def test_a_coroutine_that_is_thrown_away_closes_it(self) -> None:
        ended: Deferred[Any] = Deferred()
        url = await self.serve_websockets(tell_end(ended))

        async def generate() -> Any:
            async with connect(url, proxy=None) as stream:
                yield stream

        generator = generate()
        async for _ in generator:
            break
        await generator.aclose()
        self.assertEqual((await ended).code, 1000)


class RequestTests(ClientCase):
    """What is sent, and what is made of the answer."""

    async def asked(self, url: str = "/", **changes: Any) -> bytes:
        """Return the head of a client's request."""
        site = await self.scripted(switching)
        await self.connect(f"ws://127.0.0.1:{site.port}{url}", **changes)
        return site.requests[0]

    async def test_the_request_has_path_query_and_host(self) -> None:
        request = await self.asked("/a/ü?b=c")
        self.assertEqual(request.split(b"\r\n")[0], b"GET /a/%C3%BC?b=c HTTP/1.1")
        self.assertRegex(field(request, "host") or "", r"^127\.0\.0\.1:\d+$")

    async def test_headers_and_origin_are_sent(self) -> None:
        request = await self.asked(headers={"User-Agent": "x"}, origin="https://o.example")
        self.assertEqual((field(request, "user-agent"), field(request, "origin")), ("x", "https://o.example"))

    async def test_headers_may_be_pairs(self) -> None:
        request = await self.asked(headers=[("X-A", "1"), ("X-A", "2")])
        self.assertIn(b"X-A: 1\r\nX-A: 2\r\n", request)

    async def test_the_keys_of_two_requests_differ(self) -> None:
        keys = {field(await self.asked(), "sec-websocket-key") for _ in range(2)}
        self.assertEqual(len(keys), 2)

    async def test_credentials_in_the_url_are_sent(self) -> None:
        seen: list[tuple[bytes, bytes]] = []

        def server(request: Any) -> Any:
            seen.append((request.getUser(), request.getPassword()))
            return lambda stream, mutex: None

        url = await self.serve_websockets(server)
        await self.connect(url.replace("//", "//us%40er:p%3Aw@"))
        self.assertEqual(seen, [(b"us@er", b"p:w")])

    async def test_an_authorization_of_ones_own_goes_before_them(self) -> None:
        site = await self.scripted(switching)
        url = f"ws://u:p@127.0.0.1:{site.port}"
        await self.connect(url, headers={"authorization": "Bearer x"})
        self.assertEqual(site.requests[0].lower().count(b"authorization:"), 1)
        self.assertIn(b"Bearer x", site.requests[0])

    async def test_cookies_are_kept_and_sent_again(self) -> None:
        def server(request: Any) -> Any:
            fields = [
                ("Set-Cookie", "a=1; HttpOnly; Path=/"),
                ("Set-Cookie", "b=2"),
                ("Set-Cookie", "c=3; Secure"),
            ]
            return Accept(lambda stream, mutex: stream.send(repr(request.received_cookies)), headers=fields)

        url, jar = await self.serve_websockets(server), CookieJar()
        first = await self.connect(url, cookies=jar)
        self.assertEqual(await first.receive(), "{}")
        second = await self.connect(url, cookies=jar)
        self.assertEqual(await second.receive(), "{b'a': b'1', b'b': b'2'}")

    async def test_cookies_of_ones_own_and_of_the_jar_are_one_field(self) -> None:
        jar = CookieJar()
        seen: list[list[bytes]] = []

        def take(request: Any) -> Accept:
            seen.append(request.requestHeaders.getRawHeaders(b"cookie") or [])
            return Accept(lambda stream, mutex: None, headers={"Set-Cookie": "a=1"})

        url = await self.serve_websockets(take)
        for _ in range(2):
            await self.connect(url, cookies=jar, headers={"Cookie": "b=2"})
        self.assertEqual(seen, [[b"b=2"], [b"b=2; a=1"]])

    async def test_one_subprotocol_without_a_list_is_told(self) -> None:
        connecting = self.connect("ws://127.0.0.1:1", subprotocols="chat")
        error = await self.refused(connecting, InvalidSetting)
        self.assertIn("['chat']", str(error))

    async def test_cookies_of_a_refusal_are_kept_too(self) -> None:
        url = await self.serve_websockets(lambda request: Reject(401, "", {"Set-Cookie": "a=1"}))
        jar = CookieJar()
        await self.assertFailure(self.connect(url, cookies=jar), Exception)
        self.assertEqual([cookie.name for cookie in jar], ["a"])

    async def test_the_subprotocol_is_agreed_upon(self) -> None:
        def server(request: Any) -> Any:
            return Accept(lambda stream, mutex: None, subprotocol=offered_subprotocols(request)[-1])

        url = await self.serve_websockets(server)
        for version in VERSIONS:
            offered = ["b"] if version == 76 else ["a", "b"]
            with self.subTest(version=version):
                stream = await self.connect(url, version=version, subprotocols=offered)
                self.assertEqual(stream.subprotocol, "b")

    async def test_compression_is_offered_as_the_settings_say(self) -> None:
        url = await self.serve_websockets()
        for changes, expected in (
            ({}, "permessage-deflate"),
            ({"compression": False}, ""),
            ({"offers": ()}, ""),
            ({"offers": [DeflateOffer(client_no_context_takeover=True)]}, "client_no_context_takeover"),
        ):
            with self.subTest(changes=changes):
                stream = await self.connect(url, **changes)
                self.assertIn(expected, stream.extensions)
                self.assertEqual(bool(stream.extensions), bool(expected))
                stream.send("x" * 10000)
                self.assertEqual(await stream.receive(), "x" * 10000)

    async def test_the_answer_can_be_looked_at(self) -> None:
        site = await self.scripted(lambda request: switching(request, "X-A: 1"))
        stream = await self.connect(f"ws://127.0.0.1:{site.port}")
        assert stream.answer is not None
        self.assertEqual((stream.answer.status, stream.answer.fields["x-a"]), (101, ["1"]))

    async def test_a_stream_knows_its_ends(self) -> None:
        url = await self.serve_websockets()
        for lane in LANES:
            with self.subTest(lane=lane):
                stream: Any = await self.connect(url, fast_lane=lane)
                self.assertEqual(stream.peer.port, int(url.rpartition(":")[2]))
                self.assertEqual((stream.host.host, stream.secure, stream.request), ("127.0.0.1", False, None))


class WaysTests(ClientCase):
    """How a server is reached."""

    async def test_over_ipv6(self) -> None:
        address = await serve(self, WebSocketFactory(echo), r"tcp6:0:interface=\:\:1")
        for version in VERSIONS:
            stream = await self.connect(f"ws://[::1]:{address.port}/", version=version)
            stream.send("hello")
            self.assertEqual(await stream.receive(), "hello")

    async def test_over_a_unix_socket(self) -> None:
        path = f"{self.mktemp()[-20:]}.sock".replace("/", "-")
        await serve(self, WebSocketFactory(echo), f"unix:{path}")
        for version in VERSIONS:
            for lane in LANES:
                with self.subTest(version=version, lane=lane):
                    stream = await self.connect(f"ws+unix:{path}:/x", version=version, fast_lane=lane)
                    stream.send("hello")
                    self.assertEqual(await stream.receive(), "hello")
                    stream.close()
                    self.assertTrue((await stream.when_closed()).clean)

    async def test_over_an_endpoint_of_ones_own(self) -> None:
        site = await self.scripted(switching)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", site.port)
        await self.connect("ws://nowhere.invalid/x", endpoint=endpoint)
        self.assertEqual(field(site.requests[0], "host"), "nowhere.invalid")

    async def test_a_proxy_of_the_environment_is_not_used_on_the_way_to_an_endpoint(self) -> None:
        self.patch(os, "environ", {**os.environ, "all_proxy": "http://127.0.0.1:1", "no_proxy": ""})
        site = await self.scripted(switching)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", site.port)
        await self.connect("ws://nowhere.invalid/x", endpoint=endpoint, proxy="environment")

    async def test_many_at_once(self) -> None:
        url = await self.serve_websockets()
        streams = await gatherResults([self.connect(url, in_turn=False) for _ in range(50)])
        for number, stream in enumerate(streams):
            stream.send(str(number))
        self.assertEqual(
            await gatherResults([stream.receive() for stream in streams]), [str(number) for number in range(50)]
        )
