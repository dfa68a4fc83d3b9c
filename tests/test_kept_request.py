"""KeptRequest: a request is at hand as long as its WebSocket is, and in memory as long as somebody wants it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import TestCase
from twisted.web.server import Request, Site

from hunchensocket_tx import WebSocketFactory, WebSocketResource, WebSocketStream
from tests.harness import turns, turns_until
from tests.head_support import details, head
from tests.hybi_stream_support import close, masked, text
from tests.support import RawClient, connect, serve

TARGET = "/chat/a%20b?x=1&x=2"

FIELDS = {"Cookie": "a=b; c=d", "Authorization": "Basic bWFsbG9yeTpzZWNyZXQ=", "X-A": "caf\xe9", "X-B": "a: b"}


class Way:
    """A kind of site, with a dispatcher on it."""

    def __init__(self, name: str, make: Callable[..., Any], **settings: Any) -> None:
        self.name = name
        self._make = make
        self._settings = settings

    def __repr__(self) -> str:
        return self.name

    def site(self, dispatcher: Callable[[Any], Any]) -> Site:
        site: Site = self._make(dispatcher, origins="*", **self._settings)
        return site


def _stock(dispatcher: Callable[[Any], Any], **settings: Any) -> Site:
    return Site(WebSocketResource(dispatcher, **settings), reactor=reactor)


WAYS = [
    Way("a stock site", _stock, fast_lane=False),
    Way("a stock site with the lane", _stock, fast_lane=True),
    Way("a factory", WebSocketFactory, fast_lane=False),
    Way("a factory with the lane", WebSocketFactory, fast_lane=True),
]


class Opening:
    """What a dispatcher and a handshake handler have seen; of the request, only what was asked for."""

    def __init__(self, look: Callable[[Any], Any] = lambda request: None) -> None:
        self._look = look
        self.seen: Any = None
        self.same = False
        self.gone: list[weakref.ref[Any]] = []
        self.opened: Deferred[WebSocketStream] = Deferred()

    def __call__(self, request: Request) -> Any:
        self.seen = self._look(request)
        self.gone = [weakref.ref(request), weakref.ref(request.channel)]
        number = id(request)

        def handshake(stream: WebSocketStream, mutex: object) -> Any:
            self.same = id(stream.request) == number
            self.opened.callback(stream)
            return stream.send

        return handshake


class KeptRequestCase(TestCase):
    """Opens WebSockets, while the garbage collector rests."""

    timeout = 20

    def setUp(self) -> None:
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

    async def open(self, way: Way, opening: Any, **changes: str) -> RawClient:
        """Open a WebSocket; let what has led there be over."""
        client = await connect(self, await serve(self, way.site(opening)))
        client.write(head(TARGET, **FIELDS, **changes))
        await client.until(b"\r\n\r\n")
        self.assertEqual(client.status, 101)
        await turns()
        return client

    async def end(self, client: RawClient) -> None:
        """Close a WebSocket."""
        client.write(masked(close(1000)))
        await client.closed
        await turns()

    async def in_each_way(self, look: Callable[[Any], Any] = lambda request: None) -> Any:
        """Yield each way, what was opened, and its two ends."""
        for way in WAYS:
            opening = Opening(look)
            client = await self.open(way, opening)
            yield way, opening, client, await opening.opened


class AtHandTest(KeptRequestCase):
    """Who asks for it gets it, the same or one that is equal."""

    async def test_in_the_handshake_handler_it_is_the_very_request(self) -> None:
        async for way, opening, _, _ in self.in_each_way():
            self.assertTrue(opening.same, way)

    async def test_it_is_equal_afterwards(self) -> None:
        async for way, opening, _, stream in self.in_each_way(details):
            self.assertEqual(details(stream.request), opening.seen, way)

    async def test_it_is_equal_when_nobody_had_looked_into_it_before(self) -> None:
        expected = Opening(details)
        await self.open(WAYS[0], expected)
        for key in ("host", "client", "name", "url"):
            del expected.seen[key]  # they are of that connection
        async for way, _, _, stream in self.in_each_way():
            now = details(stream.request)
            self.assertEqual({key: now[key] for key in expected.seen}, expected.seen, way)

    async def test_it_is_equal_when_the_websocket_is_closed(self) -> None:
        async for way, opening, client, stream in self.in_each_way(details):
            await self.end(client)
            self.assertEqual(details(stream.request), opening.seen, way)

    async def test_it_is_the_same_for_two_who_have_it_at_once(self) -> None:
        async for way, _, _, stream in self.in_each_way():
            first, second = stream.request, stream.request
            self.assertIs(first, second, way)

    async def test_it_belongs_to_the_site(self) -> None:
        async for way, opening, _, stream in self.in_each_way(lambda request: request.site):
            self.assertIs(stream.request.site, opening.seen, way)

    async def test_sessions_can_be_had_of_it(self) -> None:
        async for way, _, _, stream in self.in_each_way():
            session = stream.request.getSession()
            self.addCleanup(session.expire)
            self.assertIs(stream.request.site.getSession(session.uid), session, way)

    async def test_it_does_not_let_anybody_answer_it(self) -> None:
        async for way, _, client, stream in self.in_each_way():
            request = stream.request
            self.assertTrue(request.startedWriting, way)
            self.assertEqual(request.code, 101, way)
            client.data = b""
            client.write(masked(text("still a WebSocket")))
            await client.until(b"still a WebSocket")

    async def test_who_keeps_it_has_the_same_later(self) -> None:
        for way in WAYS:
            kept: list[Any] = []
            opening = Opening(kept.append)
            client = await self.open(way, opening)
            stream = await opening.opened
            self.assertIs(stream.request, kept[0], way)
            await self.end(client)
            self.assertIs(stream.request, kept[0], way)

    async def test_a_handshake_handler_may_be_done_after_its_stream_is_closed(self) -> None:
        for way in WAYS:
            streams: list[WebSocketStream] = []
            done: Deferred[Any] = Deferred()

            def handshake(stream: WebSocketStream, mutex: object, streams: Any = streams, done: Any = done) -> Any:
                streams.append(stream)
                return done

            client = await self.open(way, lambda request, handshake=handshake: handshake)
            streams[0].abort()
            await client.closed
            done.callback(lambda message: None)
            await turns()
            request: Any = streams[0].request
            self.assertEqual(request.path, b"/chat/a%20b", way)
            self.assertEqual(request.getHeader(b"cookie"), b"a=b; c=d", way)


class NotifyFinishTest(KeptRequestCase):
    """Whoever waits for the end is told of it."""

    async def check(self, ask: Callable[[list[Any]], Any]) -> None:
        for way in WAYS:
            for clean in (True, False):
                ends: list[Any] = []
                opening = Opening(ask(ends))
                client = await self.open(way, opening)
                self.assertEqual(ends, [], way)
                if clean:
                    await self.end(client)
                else:
                    client.abort()
                await turns_until(lambda ends=ends: bool(ends))  # type: ignore[misc]
                if clean:
                    self.assertEqual(ends, [None], way)
                else:
                    self.assertIs(ends[0].type, ConnectionLost, way)

    async def test_one_who_asked_in_the_dispatcher_is(self) -> None:
        await self.check(lambda ends: lambda request: request.notifyFinish().addBoth(ends.append) and None)

    async def test_one_who_has_looked_into_the_request_as_well_is(self) -> None:

        def ask(ends: list[Any]) -> Any:
            return lambda request: details(request) and request.notifyFinish().addBoth(ends.append) and None

        await self.check(ask)


class MemoryTest(KeptRequestCase):
    """What nobody wants is let go, without the garbage collector."""

    async def test_an_open_websocket_keeps_neither_its_request_nor_the_channel(self) -> None:
        for look in (lambda request: None, lambda request: details(request) and None):
            async for way, opening, _, _ in self.in_each_way(look):
                self.assertEqual([reference() for reference in opening.gone], [None, None], way)

    async def test_it_does_not_if_its_dispatcher_took_its_time(self) -> None:
        for way in WAYS:
            decision: Deferred[Any] = Deferred()
            gone: list[weakref.ref[Any]] = []

            def dispatcher(request: Any, decision: Any = decision, gone: Any = gone) -> Any:
                gone.append(weakref.ref(request))
                return decision

            client = await connect(self, await serve(self, way.site(dispatcher)))
            client.write(head(TARGET))
            await turns_until(lambda gone=gone: bool(gone))  # type: ignore[misc]
            decision.callback(lambda stream, mutex: stream.send)
            await client.until(b"\r\n\r\n")
            await turns()
            self.assertIsNone(gone[0](), way)

    async def test_one_that_was_made_again_is_let_go_again(self) -> None:
        async for way, _, _, stream in self.in_each_way():
            made = weakref.ref(stream.request)
            self.assertIsNone(made(), way)
            details(stream.request)
            self.assertEqual(stream.request.path, b"/chat/a%20b", way)

    async def test_no_cycle_is_left_of_a_connection(self) -> None:
        for way in WAYS:
            for ask in (False, True):
                opening = Opening((lambda request: details(request) and None) if ask else lambda request: None)
                client = await self.open(way, opening)
                stream = weakref.ref(await opening.opened)
                del opening.opened  # it has the stream, and the site has it
                await self.end(client)
                self.assertEqual(self.cycles(), [], way)
                self.assertIsNone(stream(), way)

    async def test_none_is_left_of_one_that_began_with_another_request(self) -> None:
        for way in WAYS:
            opening = Opening()
            client = await connect(self, await serve(self, way.site(opening)))
            client.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await client.until(b"WebSocket")
            client.data = b""
            client.write(head(TARGET))
            await client.until(b" 101 ")
            await opening.opened
            await self.end(client)
            self.assertEqual(self.cycles(), [], way)

    async def test_none_is_left_of_one_that_was_refused(self) -> None:
        for way in WAYS:
            for bad in ({"Sec-WebSocket-Version": "99"}, {"Upgrade": None}):
                client = await connect(self, await serve(self, way.site(Opening())))
                client.write(head(TARGET, **bad))
                await client.closed
                await turns()
                self.assertEqual(self.cycles(), [], way)

    def cycles(self) -> list[str]:
        """Return what of ours, or of twisted.web, the garbage collector would have to collect now."""
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            gc.collect()
            kinds = [type(each) for each in gc.garbage]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
        ours = {kind for kind in kinds if kind.__module__.startswith(("hunchensocket_tx", "twisted.web"))}
        return sorted(f"{kind.__module__}.{kind.__name__}" for kind in ours)


class MadeAgainTest(KeptRequestCase):
    """A request that was made again is as good as the first one."""

    async def test_who_waits_for_its_end_is_told(self) -> None:
        async for way, _, client, stream in self.in_each_way():
            with self.subTest(way=way):
                ends: list[Any] = []
                request = stream.request
                assert request is not None
                request.notifyFinish().addBoth(ends.append)
                del request
                await self.end(client)
                self.assertEqual(ends, [None])
