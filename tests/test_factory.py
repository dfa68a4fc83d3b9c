"""WebSocketFactory: WebSockets on all paths of a port, in front of an ordinary site."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data

from hunchensocket_tx import (
    InvalidSetting,
    Settings,
    WebSocketFactory,
    WebSocketResource,
    speedups,
    websocket_handlers,
)
from tests.harness import echo, silent, turns_until
from tests.support import RawClient, connect, frame_76, open_76, request_76, serve


def site() -> Resource:
    """Return a root with a page, and a WebSocket of its own below ``/chat``."""
    root = Resource()
    root.putChild(b"", Data(b"the index", "text/plain"))
    root.putChild(b"page", Data(b"a page", "text/plain"))
    root.putChild(b"chat", WebSocketResource(echo))
    return root


def only_at(path: bytes) -> Any:
    """Return a dispatcher for one path."""
    return lambda request: silent if request.path == path else None


class FactoryTests(TestCase):
    """A factory serves WebSockets and plain requests on one port."""

    async def get(self, factory: WebSocketFactory, path: str = "/") -> RawClient:
        """Ask for a page."""
        client = await connect(self, await serve(self, factory))
        client.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        await client.closed
        return client

    async def test_it_is_a_site(self) -> None:
        self.assertIsInstance(WebSocketFactory(echo), Site)

    def test_it_says_at_debug_level_what_is_in_use(self) -> None:
        for lane, word in ((True, "on"), (False, "off")):
            factory = WebSocketFactory(echo, fast_lane=lane)
            with capturedLogs() as events:
                factory.doStart()
            factory.doStop()
            (event,) = [event for event in events if "codecs" in event]
            self.assertEqual(event["log_level"], LogLevel.debug)
            self.assertEqual((event["codecs"], event["lane"]), (speedups.in_use, word))

    async def test_its_dispatchers_are_asked_on_all_paths(self) -> None:
        paths: list[bytes] = []

        def dispatcher(request: Any) -> Any:
            paths.append(request.path)
            return silent

        address = await serve(self, WebSocketFactory(dispatcher, root=site()))
        for path in ("/", "/page", "/not/there"):
            await open_76(self, address, path)
        self.assertEqual(paths, [b"/", b"/page", b"/not/there"])

    async def test_plain_requests_reach_the_root(self) -> None:
        self.assertEqual((await self.get(WebSocketFactory(echo, root=site()))).body, b"the index")

    async def test_plain_requests_reach_the_children_of_the_root(self) -> None:
        self.assertEqual((await self.get(WebSocketFactory(echo, root=site()), "/page")).body, b"a page")

    async def test_pages_that_the_root_does_not_have_are_404(self) -> None:
        self.assertEqual((await self.get(WebSocketFactory(echo, root=site()), "/nothing")).status, 404)

    async def test_without_a_root_plain_requests_are_told_what_this_is(self) -> None:
        self.assertEqual((await self.get(WebSocketFactory(echo), "/page")).status, 426)

    async def test_without_a_root_a_websocket_that_nobody_takes_is_404(self) -> None:
        address = await serve(self, WebSocketFactory(only_at(b"/here")))
        client = await connect(self, address)
        client.write(request_76(address, "/there"))
        await client.closed
        self.assertEqual(client.status, 404)

    async def test_a_websocket_that_nobody_takes_may_be_one_of_the_root(self) -> None:
        client = await open_76(self, await serve(self, WebSocketFactory(only_at(b"/"), root=site())), "/chat")
        client.write(frame_76("hello"))
        await client.until(frame_76("hello"))

    async def test_without_dispatchers_the_shared_list_is_asked(self) -> None:
        websocket_handlers.append(echo)
        self.addCleanup(websocket_handlers.remove, echo)
        client = await open_76(self, await serve(self, WebSocketFactory()), "/any")
        client.write(frame_76("hello"))
        await client.until(frame_76("hello"))

    async def test_settings_can_be_given_whole_and_one_by_one(self) -> None:
        factory = WebSocketFactory(echo, settings=Settings(max_message_size=5), origins="*")
        self.assertEqual(factory.websockets.settings, Settings(max_message_size=5, origins="*"))

    async def test_a_setting_that_makes_no_sense_is_refused(self) -> None:
        self.assertRaises(InvalidSetting, WebSocketFactory, echo, max_message_size=0)

    async def test_its_resource_keeps_the_streams(self) -> None:
        factory = WebSocketFactory(echo)
        client = await open_76(self, await serve(self, factory))
        self.assertEqual(len(factory.websockets.streams), 1)
        client.write(b"\xff\x00")
        await client.closed
        await turns_until(lambda: not factory.websockets.streams)

    async def test_close_all_closes_them(self) -> None:
        factory = WebSocketFactory(echo)
        client = await open_76(self, await serve(self, factory))
        gone = factory.close_all()
        await client.until(b"\xff\x00")
        client.write(b"\xff\x00")
        await gone
        self.assertEqual(factory.websockets.streams, set())

    async def test_quiet_websockets_are_closed_after_the_timeout(self) -> None:
        clock = Clock()
        client = await open_76(
            self, await serve(self, WebSocketFactory(echo, reactor=clock, websocket_timeout=60))
        )
        clock.advance(59)
        client.write(frame_76("still here"))
        await client.until(frame_76("still here"))
        clock.advance(59)
        client.write(frame_76("and here"))
        await client.until(frame_76("and here"))
        clock.advance(61)
        await client.until(b"\xff\x00")

    async def test_a_websocket_timeout_of_0_is_never(self) -> None:
        clock = Clock()
        client = await open_76(self, await serve(self, WebSocketFactory(echo, reactor=clock, websocket_timeout=0)))
        clock.advance(10_000_000)
        client.write(frame_76("still here"))
        await client.until(frame_76("still here"))

    async def test_two_factories_share_nothing(self) -> None:
        first, second = WebSocketFactory(echo), WebSocketFactory(echo)
        await open_76(self, await serve(self, first))
        self.assertEqual((len(first.websockets.streams), len(second.websockets.streams)), (1, 0))
