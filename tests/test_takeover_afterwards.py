"""What becomes of a request, its connection and its site once the connection was taken over."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data

from hunchensocket_tx import Accept, Reject, WebSocketResource, WebSocketStream
from tests.harness import (
    PatientClient,
    answered_76,
    connect_as,
    echo,
    silent,
    turns,
    turns_until,
)
from tests.support import KEY3, RawClient, connect, frame_76, open_76, request_76, serve
from tests.test_takeover import GET, Holding


class AfterwardsTests(TestCase):
    """What becomes of the request, its connection and its site."""

    async def open(
        self, *, site_clock: IReactorTime | None = None, log_path: str | None = None
    ) -> tuple[RawClient, WebSocketStream]:
        """Open a WebSocket on a site; return its two ends."""
        opened: Deferred[WebSocketStream] = Deferred()
        self.ends: list[Any] = []

        def dispatcher(request: Request) -> Any:
            request.notifyFinish().addBoth(self.ends.append)

            def handshake(stream: WebSocketStream, mutex: object) -> Any:
                opened.callback(stream)
                return stream.send

            return handshake

        self.resource = WebSocketResource(dispatcher)
        site = Site(self.resource, timeout=5, reactor=site_clock or reactor, logPath=log_path)
        client = await open_76(self, await serve(self, site), "/chat?room=1")
        return client, await opened

    async def test_the_site_s_idle_timeout_is_off(self) -> None:
        clock = Clock()
        client, _ = await self.open(site_clock=clock)
        clock.advance(1000)
        client.write(frame_76("still here"))
        await client.until(frame_76("still here"))
        clock.advance(1000)
        client.write(frame_76("and here"))
        await client.until(frame_76("and here"))

    async def test_the_site_s_idle_timeout_is_off_while_a_dispatcher_is_asked(self) -> None:
        clock = Clock()
        decision: Deferred[Any] = Deferred()
        site = Site(WebSocketResource(lambda request: decision), timeout=5, reactor=clock)
        address = await serve(self, site)
        client = await connect(self, address)
        client.write(request_76(address))
        await turns()
        clock.advance(1000)
        decision.callback(lambda stream, mutex: stream.send)
        await answered_76(client)

    async def test_notify_finish_fires_after_a_clean_end(self) -> None:
        client, _ = await self.open()
        self.assertEqual(self.ends, [])
        client.write(b"\xff\x00")
        await turns_until(lambda: bool(self.ends))
        self.assertEqual(self.ends, [None])

    async def test_notify_finish_fails_after_an_unclean_end(self) -> None:
        client, _ = await self.open()
        client.abort()
        await turns_until(lambda: bool(self.ends))
        self.assertIsInstance(self.ends[0].value, ConnectionLost)

    async def test_the_access_log_has_no_line_while_it_is_open(self) -> None:
        path = self.mktemp()
        await self.open(log_path=path)
        self.assertEqual(Path(path).read_text(), "")

    async def check_access_log(self, end: Callable[[RawClient], None]) -> None:
        """Open a WebSocket and end it; the log has one line then."""
        path = self.mktemp()
        client, stream = await self.open(log_path=path)
        end(client)
        await stream.when_closed()
        lines = Path(path).read_text().splitlines()
        self.assertEqual(len(lines), 1, lines)
        self.assertIn('"GET /chat?room=1 HTTP/1.1" 101 ', lines[0])
        self.assertTrue(lines[0].startswith('"127.0.0.1" '), lines[0])

    async def test_the_access_log_has_one_line_with_101_after_a_clean_end(self) -> None:
        await self.check_access_log(lambda client: client.write(b"\xff\x00"))

    async def test_the_access_log_has_one_line_with_101_after_an_unclean_end(self) -> None:
        await self.check_access_log(RawClient.abort)

    async def test_the_access_log_counts_the_bytes_behind_the_head(self) -> None:
        path = self.mktemp()
        client, stream = await self.open(log_path=path)
        client.write(frame_76("hello") + b"\xff\x00")
        await stream.when_closed()
        self.assertIn(f" 101 {16 + len(frame_76('hello')) + 2} ", Path(path).read_text())

    async def test_a_pipelined_request_before_it_is_answered_first(self) -> None:
        root = Resource()
        root.putChild(b"page", Data(b"a page", "text/plain"))
        root.putChild(b"chat", WebSocketResource(echo))
        address = await serve(self, root)
        client = await connect(self, address)
        page = b"GET /page HTTP/1.1\r\nHost: example.com\r\n\r\n"
        client.write(page + page + request_76(address, "/chat") + frame_76("glued"))
        await client.until(frame_76("glued"))
        self.assertEqual(client.data.count(b"HTTP/1.1 200 OK"), 2)
        self.assertLess(client.data.rindex(b"a page"), client.data.index(b"HTTP/1.1 101 "))

    async def test_an_earlier_request_on_the_same_connection_may_take_its_time(self) -> None:
        holding = Holding()
        root = Resource()
        root.putChild(b"page", holding)
        root.putChild(b"chat", WebSocketResource(echo))
        address = await serve(self, root)
        client = await connect(self, address)
        client.write(b"GET /page HTTP/1.1\r\nHost: example.com\r\n\r\n")
        request = await holding.held
        client.write(request_76(address, "/chat") + frame_76("glued"))
        await turns()
        request.setHeader(b"content-length", b"0")
        request.finish()
        await client.until(frame_76("glued"))

    async def test_nothing_of_it_stays_in_memory(self) -> None:
        remembered: list[weakref.ref[Any]] = []

        def handshake(stream: WebSocketStream, mutex: object) -> Any:
            assert stream.request is not None
            remembered.extend(map(weakref.ref, (stream, stream.request, stream.request.channel)))
            return stream.send

        resource = WebSocketResource(lambda request: handshake)
        client = await open_76(self, await serve(self, resource))
        client.abort()
        await client.closed
        await turns()
        gc.collect()
        self.assertEqual([reference() for reference in remembered], [None, None, None])
        self.assertEqual(resource.streams, set())


def _answer(answer: object, asked: Deferred[Any]) -> None:
    """Be the canceller of a Deferred that has an answer nevertheless."""
    asked.callback(answer)


class LeavingTests(TestCase):
    """The client leaves while a dispatcher is being asked."""

    async def leave(self, decision: Deferred[Any]) -> WebSocketResource:
        """Ask a dispatcher, leave, and wait until that is known."""
        gone: Deferred[None] = Deferred()

        def dispatcher(request: Request) -> Deferred[Any]:
            request.notifyFinish().addErrback(lambda failure: gone.callback(None))
            return decision

        resource = WebSocketResource(dispatcher)
        address = await serve(self, resource)
        client = await connect(self, address)
        client.write(request_76(address))
        await turns()
        client.abort()
        await gone
        return resource

    async def test_the_dispatcher_s_deferred_is_cancelled(self) -> None:
        cancelled: list[Deferred[Any]] = []
        decision: Deferred[Any] = Deferred(cancelled.append)
        resource = await self.leave(decision)
        await turns()
        self.assertEqual(cancelled, [decision])
        self.assertEqual((resource.streams, resource.handshakes.total()), (set(), 0))
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_whatever_the_dispatcher_says_then_is_dropped_in_silence(self) -> None:
        """Cancelling is a wish: a dispatcher may have its answer nevertheless."""
        for answer in (silent, Accept(silent), Reject(403, "no"), None):
            with self.subTest(answer=answer):
                resource = await self.leave(Deferred(partial(_answer, answer)))
                await turns()
                self.assertEqual(resource.streams, set())
                self.assertEqual(self.flushLoggedErrors(), [])

    async def test_a_dispatcher_that_fails_otherwise_is_logged(self) -> None:
        await self.leave(Deferred(lambda asked: asked.errback(ZeroDivisionError("in cleaning up"))))
        await turns()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_a_coroutine_can_clean_up(self) -> None:
        steps: list[str] = []
        gone: Deferred[None] = Deferred()

        async def dispatcher(request: Request) -> None:
            try:
                await Deferred()
            except CancelledError:
                steps.append("cancelled")
                raise
            finally:
                gone.callback(None)

        address = await serve(self, WebSocketResource(dispatcher))
        client = await connect(self, address)
        client.write(request_76(address))
        await turns()
        client.abort()
        await gone
        self.assertEqual(steps, ["cancelled"])


class AnswerAndCloseTests(TestCase):
    """The end of a connection whose handshake was refused: what the client sends late must not harm the answer."""

    async def refuse(self) -> PatientClient:
        """Send the head of a bad request; return when the server has closed its side, with this one open."""
        self.clock = Clock()
        self.resource = WebSocketResource(echo, reactor=self.clock, closing_timeout=7)
        self.logged: list[Any] = []
        site = Site(self.resource, reactor=reactor)
        self.patch(site, "log", self.logged.append)
        address = await serve(self, site)
        client = await connect_as(self, PatientClient(), address)
        client.write(request_76(address, key3=b"", sec_websocket_key1="none"))
        await client.server_done
        return client

    async def test_the_server_reads_and_drops_what_comes_late(self) -> None:
        client = await self.refuse()
        for piece in (KEY3, GET, GET):
            client.write(piece)
            await turns()
        self.assertFalse(client.is_closed, "a reset would have thrown the answer away")
        self.assertEqual((client.status, client.data.count(b"HTTP/1.1"), self.logged), (400, 1, []))

    async def test_a_client_that_stays_is_dropped_after_the_closing_timeout(self) -> None:
        await self.refuse()
        self.clock.advance(6.9)
        await turns()
        self.assertEqual(self.logged, [])
        self.clock.advance(0.2)
        await turns()
        self.assertEqual(len(self.logged), 1)

    async def test_no_timer_is_left_when_the_client_closes(self) -> None:
        client = await self.refuse()
        transport: Any = client.transport
        transport.loseConnection()
        await client.closed
        await turns_until(lambda: bool(self.logged))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_the_access_log_has_one_line_with_the_status_and_size(self) -> None:
        client = await self.refuse()
        client.abort()
        await turns_until(lambda: bool(self.logged))
        await turns()
        self.assertEqual([(each.code, each.sentLength) for each in self.logged], [(400, len(client.body))])
