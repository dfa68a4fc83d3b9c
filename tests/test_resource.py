"""WebSocketResource when it accepts: what a dispatcher sees, what it keeps count of, and how much it bears."""

from __future__ import annotations

import os
import resource as limits
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, TestCase
from twisted.web.http import Request
from twisted.web.resource import Resource

from hunchensocket_tx import (
    InvalidSetting,
    Settings,
    WebSocketResource,
    WebSocketStream,
    offered_subprotocols,
    select_subprotocol,
    websocket_handlers,
)
from tests.harness import complete_76, echo, serve_tls, silent, turns_until
from tests.support import KEY3, RESPONSE, RawClient, connect, frame_76, open_76, request_76, serve


class DispatcherTests(TestCase):
    """What a dispatcher and a handshake handler see of a request."""

    async def see(self, look: Callable[[Any], Any], path: str = "/", **changes: Any) -> Any:
        """Open a WebSocket at ``/chat`` and below; return what a function sees in the request."""
        seen: list[Any] = []

        def dispatcher(request: Request) -> Any:
            seen.append(look(request))
            return silent

        root = Resource()
        root.putChild(b"chat", WebSocketResource(dispatcher))
        await open_76(self, await serve(self, root), f"/chat{path}", **changes)
        return seen[0]

    async def test_it_sees_the_path_and_the_method(self) -> None:
        seen = await self.see(lambda request: (request.method, request.path, request.uri), "/a?x=1")
        self.assertEqual(seen, (b"GET", b"/chat/a", b"/chat/a?x=1"))

    async def test_it_sees_the_paths_before_and_below_the_resource(self) -> None:
        seen = await self.see(lambda request: (request.prepath, request.postpath), "/a/b%20c")
        self.assertEqual(seen, ([b"chat"], [b"a", b"b c"]))

    async def test_it_sees_the_arguments_of_the_query(self) -> None:
        seen = await self.see(lambda request: request.args, "?room=1&room=2&empty=")
        self.assertEqual(seen, {b"room": [b"1", b"2"], b"empty": [b""]})

    async def test_it_sees_header_fields(self) -> None:
        self.assertEqual(await self.see(lambda request: request.getHeader("x-token"), x_token="abc"), "abc")

    async def test_it_sees_cookies(self) -> None:
        seen = await self.see(lambda request: request.getCookie(b"session"), cookie="a=b; session=abc")
        self.assertEqual(seen, b"abc")

    async def test_it_sees_user_and_password(self) -> None:
        authorization = "Basic bWFsbG9yeTpzZWNyZXQ="
        seen = await self.see(
            lambda request: (request.getUser(), request.getPassword()), authorization=authorization
        )
        self.assertEqual(seen, (b"mallory", b"secret"))

    async def test_it_sees_the_client_s_address(self) -> None:
        self.assertEqual(await self.see(lambda request: request.getClientAddress().host), "127.0.0.1")

    async def test_it_sees_that_there_is_no_tls(self) -> None:
        self.assertFalse(await self.see(lambda request: request.isSecure()))

    async def test_it_sees_that_there_is_tls(self) -> None:
        seen: list[bool] = []

        def dispatcher(request: Request) -> Any:
            return lambda stream, mutex: seen.extend([request.isSecure(), stream.secure])

        address, endpoint = await serve_tls(self, WebSocketResource(dispatcher))
        client = await connect(self, address, endpoint)
        await complete_76(client, request_76(address, secure=True))
        self.assertEqual(seen, [True, True])

    async def test_it_sees_the_subprotocols_offered(self) -> None:
        self.assertEqual(await self.see(offered_subprotocols), ())
        self.assertEqual(await self.see(offered_subprotocols, sec_websocket_protocol="chat"), ("chat",))

    async def test_it_sees_a_list_of_subprotocols_as_one_and_as_several(self) -> None:
        """76 names one, which may contain spaces; texts after it have a list."""
        offered = await self.see(offered_subprotocols, sec_websocket_protocol="chat superchat")
        self.assertEqual(offered, ("chat superchat", "chat", "superchat"))

    async def test_it_can_select_the_best_subprotocol_it_supports(self) -> None:
        for supported, selected in ((["b", "a"], "b"), (["x", "a"], "a"), (["x"], None), ([], None)):
            found = await self.see(partial(select_subprotocol, supported=supported), sec_websocket_protocol="a b")
            self.assertEqual(found, selected)

    async def test_the_stream_has_the_request(self) -> None:
        pairs: list[Any] = []

        def dispatcher(request: Request) -> Any:
            return lambda stream, mutex: pairs.extend([request, stream.request])

        await open_76(self, await serve(self, WebSocketResource(dispatcher)))
        self.assertIs(pairs[0], pairs[1])

    async def test_one_that_reads_the_body_does_not_take_key3_away(self) -> None:
        def dispatcher(request: Any) -> Any:
            request.content.read()
            return silent

        await open_76(self, await serve(self, WebSocketResource(dispatcher)), content_length="8")

    async def test_the_first_that_accepts_wins(self) -> None:
        def saying(word: str) -> Any:
            def handshake(stream: WebSocketStream, mutex: object) -> None:
                stream.send(word)

            return lambda request: handshake

        resource = WebSocketResource(lambda request: None, saying("second"), saying("third"))
        client = await open_76(self, await serve(self, resource))
        await client.until(frame_76("second"))

    async def test_without_any_the_shared_list_is_asked(self) -> None:
        resource = WebSocketResource()
        websocket_handlers.append(echo)
        self.addCleanup(websocket_handlers.remove, echo)
        client = await open_76(self, await serve(self, resource))
        client.write(frame_76("hello"))
        await client.until(frame_76("hello"))


class BookkeepingTests(TestCase):
    """What a resource counts and keeps, and how it closes."""

    async def test_open_streams_are_kept_until_they_are_closed(self) -> None:
        resource = WebSocketResource(echo)
        address = await serve(self, resource)
        first, _ = await open_76(self, address), await open_76(self, address)
        self.assertEqual(len(resource.streams), 2)
        first.write(b"\xff\x00")
        await first.closed
        await turns_until(lambda: len(resource.streams) == 1)

    async def test_handshakes_are_counted_by_version(self) -> None:
        resource = WebSocketResource(echo, versions=[76, 75])
        address = await serve(self, resource)
        await open_76(self, address)
        await open_76(self, address)
        old = await connect(self, address)
        old.write(request_76(address, key3=b"", sec_websocket_key1=None, sec_websocket_key2=None))
        await old.until(b"\r\n\r\n")
        self.assertEqual(resource.handshakes, {76: 2, 75: 1})

    async def test_settings_can_be_given_whole_and_changed_one_by_one(self) -> None:
        resource = WebSocketResource(echo, settings=Settings(max_message_size=5), closing_timeout=3)
        self.assertEqual((resource.settings.max_message_size, resource.settings.closing_timeout), (5, 3))

    async def test_a_setting_that_makes_no_sense_is_refused(self) -> None:
        self.assertRaises(InvalidSetting, WebSocketResource, echo, closing_timeout=-1)

    async def test_a_setting_that_does_not_exist_is_refused_by_name(self) -> None:
        error = self.assertRaises(TypeError, WebSocketResource, echo, orgins="*")
        self.assertIn("orgins", str(error))

    async def test_close_all_without_streams_fires_at_once(self) -> None:
        self.successResultOf(WebSocketResource(echo).close_all())

    async def test_close_all_closes_every_stream_cleanly(self) -> None:
        resource = WebSocketResource(echo)
        address = await serve(self, resource)
        clients = [await open_76(self, address) for _ in range(3)]
        ends = [stream.when_closed() for stream in resource.streams]
        gone = resource.close_all()
        for client in clients:
            await client.until(b"\xff\x00")
            client.write(b"\xff\x00")
        await gone
        self.assertEqual(resource.streams, set())
        self.assertTrue(all([(await end).clean for end in ends]))

    async def test_close_all_is_bounded_by_the_closing_timeout(self) -> None:
        clock = Clock()
        resource = WebSocketResource(echo, reactor=clock, closing_timeout=3)
        client = await open_76(self, await serve(self, resource))
        gone = resource.close_all()
        await client.until(b"\xff\x00")
        clock.advance(2.9)
        self.assertNoResult(gone)
        clock.advance(0.2)
        await gone
        await client.closed

    async def opening(self, resource: WebSocketResource) -> RawClient:
        """Return a client that has sent all of a handshake but its key3."""
        address = await serve(self, resource)
        client = await connect(self, address)
        client.write(request_76(address, key3=b""))
        await client.until(b"\r\n\r\n")
        return client

    async def test_close_all_lets_an_opening_handshake_be_completed_but_tells_no_handler(self) -> None:
        opened: list[object] = []
        resource = WebSocketResource(lambda request: lambda stream, mutex: opened.append(stream))
        client = await self.opening(resource)
        gone = resource.close_all()
        client.write(KEY3)
        await client.until(RESPONSE + b"\xff\x00")
        client.write(b"\xff\x00")
        await gone
        self.assertEqual(opened, [])

    async def test_close_all_waits_for_an_opening_handshake_no_longer_than_its_timeout(self) -> None:
        clock = Clock()
        resource = WebSocketResource(echo, reactor=clock, handshake_timeout=3)
        client = await self.opening(resource)
        gone = resource.close_all()
        clock.advance(2.9)
        self.assertNoResult(gone)
        clock.advance(0.2)
        await gone
        await client.closed
        self.assertEqual(client.body, b"")

    async def test_abort_all_drops_every_stream(self) -> None:
        resource = WebSocketResource(echo)
        client = await open_76(self, await serve(self, resource))
        resource.abort_all()
        await client.closed
        self.assertEqual((client.data, resource.streams), (b"", set()))

    async def test_a_client_that_never_sends_key3_is_dropped(self) -> None:
        clock = Clock()
        resource = WebSocketResource(echo, reactor=clock, handshake_timeout=4)
        address = await serve(self, resource)
        client = await connect(self, address)
        client.write(request_76(address, key3=b"1234567"))
        await client.until(b"\r\n\r\n")
        clock.advance(3.9)
        self.assertEqual(len(resource.streams), 1)
        clock.advance(0.2)
        await client.closed
        await turns_until(lambda: not resource.streams)
        self.assertEqual(clock.getDelayedCalls(), [])


class LoadTests(TestCase):
    """Much at once."""

    async def test_ten_thousand_messages_come_back_in_order(self) -> None:
        client = await open_76(self, await serve(self, WebSocketResource(echo)))
        expected = b"".join(frame_76(f"message {number}") for number in range(10_000))
        client.write(expected)
        await client.until(lambda data: len(data) >= len(expected))
        self.assertEqual(client.data, expected)

    async def test_a_mebibyte_of_text_goes_both_ways(self) -> None:
        client = await open_76(self, await serve(self, WebSocketResource(echo)))
        expected = frame_76("0123456789abcdé" * 65536)
        self.assertEqual(len(expected), 2 + 1024 * 1024)
        client.write(expected)
        await client.until(lambda data: len(data) >= len(expected))
        self.assertEqual(client.data, expected)

    async def test_two_thousand_connections_at_once(self) -> None:
        count = 2000
        self.allow_files(2 * count + 200)
        resource = WebSocketResource(echo)
        address = await serve(self, resource, f"tcp:0:interface=127.0.0.1:backlog={count}")
        clients: list[RawClient] = await gatherResults(
            [Deferred.fromCoroutine(open_76(self, address)) for _ in range(count)]
        )
        self.assertEqual(len(resource.streams), count)
        for number, client in enumerate(clients):
            client.write(frame_76(f"I am {number}"))
        for number, client in enumerate(clients):
            await client.until(frame_76(f"I am {number}"))
            client.write(b"\xff\x00")
        for client in clients:
            await client.closed
        await turns_until(lambda: not resource.streams)
        self.assertEqual(resource.handshakes, {76: count})

    def allow_files(self, wanted: int) -> None:
        """Raise the limit of open files for a test; skip it where that is not allowed, save in CI."""
        soft, hard = limits.getrlimit(limits.RLIMIT_NOFILE)
        if soft != limits.RLIM_INFINITY and soft < wanted:
            if hard != limits.RLIM_INFINITY and hard < wanted and not os.environ.get("CI"):
                raise SkipTest(f"only {hard} open files are allowed here, {wanted} are needed")
            limits.setrlimit(limits.RLIMIT_NOFILE, (wanted, hard))
            self.addCleanup(limits.setrlimit, limits.RLIMIT_NOFILE, (soft, hard))
