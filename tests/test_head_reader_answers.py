"""HeadReader when there is no WebSocket in the end: answers, log lines, notifyFinish, timers, and the closing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import File

from hunchensocket_tx import WebSocketFactory
from hunchensocket_tx.head_reader import HeadReader
from tests.harness import echo, serve_tls, tls_agreed, turns_until
from tests.head_support import (
    FIELDS_76,
    PAGE,
    SETTINGS,
    Pair,
    Visit,
    World,
    details,
    head,
    lean_site,
    send_to_both,
)
from tests.support import KEY3, RawClient, connect, serve

ANSWERS = {
    "/chat": 101,
    "/chat?bad": 400,
    "/no": 401,
    "/nobody": 404,
    "/back": 200,
    "/page": 200,
    "/nowhere": 404,
    "/fail": 500,
    "/fails": 500,
    "/own": 202,
    "/own/late": 202,
    "/begun": 202,
}
"""The status that each target is answered with."""

REFUSED = [target for target, status in ANSWERS.items() if status != 101]

LONG = 2 * (SETTINGS.handshake_timeout + SETTINGS.closing_timeout)
"""Seconds for which no connection may be there without a reason."""


def attempt(target: str, fields: dict[str, str] = FIELDS_76) -> bytes:
    """Return a request for a target, a bad one if that says so."""
    return head(target, fields, **({"Sec-WebSocket-Key1": "none"} if target.endswith("bad") else {}))


def own_answer(request: Any) -> Any:
    """Answer a request, as a dispatcher that does so by itself."""
    if request.path.startswith(b"/own") or request.path == b"/begun":
        request.setResponseCode(202)
        request.write(b"by ")
        request.write(b"myself")
        if request.path != b"/begun":
            request.finish()


class AnsweringTestCase(SynchronousTestCase):
    """Knows how requests end."""

    def visit(self, target: str, *behind: bytes) -> Pair:
        """Send a request, and more, to sites of both kinds; the ends of notifyFinish are noted down as seen."""
        self.clock = Clock()
        self.ends: dict[str, list[Any]] = {"plain": [], "lean": []}

        def look(request: Any) -> None:
            kind = "lean" if isinstance(request.channel, HeadReader) else "plain"
            request.notifyFinish().addBoth(self.ends[kind].append)
            own_answer(request)

        pair = send_to_both([attempt(target), *behind], clock=self.clock, factory=True, look=look)
        self.flushLoggedErrors()
        return pair


class AnswerTest(AnsweringTestCase):
    """What is no WebSocket is answered once, and that is the end."""

    def test_each_is_answered_as_by_twisted_web(self) -> None:
        for target, status in ANSWERS.items():
            with self.subTest(target=target):
                pair = self.visit(target)
                self.assertEqual(pair.lean.status, status)
                self.assertEqual(pair.lean.answer, pair.plain.answer)

    def test_nothing_is_answered_behind_it(self) -> None:
        for target in REFUSED:
            with self.subTest(target=target):
                pair = self.visit(target, KEY3 + PAGE, PAGE)
                self.assertEqual(pair.lean.received.count(b"HTTP/1.1 "), 1)
                self.assertTrue(pair.lean.transport.ended)

    def test_a_client_that_stays_is_dropped(self) -> None:
        for target in REFUSED:
            for behind in ((), (KEY3,), tuple([b"x" * 10000] * 20)):
                with self.subTest(target=target, pieces=len(behind)):
                    lean = self.visit(target, *behind).lean
                    self.clock.pump([0.5] * int(2 * LONG))
                    self.assertTrue(lean.transport.aborted or lean.transport.disconnecting)

    def test_what_it_goes_on_sending_is_not_kept(self) -> None:
        for target in REFUSED:
            with self.subTest(target=target):
                lean = self.visit(target).lean
                lean.send(*[b"x" * 10000] * 100)
                self.assertTrue(lean.transport.reading or lean.transport.disconnecting)

    def test_no_timer_is_left_when_it_leaves(self) -> None:
        for target in ANSWERS:
            for seconds in (0, 1, 1000):
                with self.subTest(target=target, seconds=seconds):
                    pair = self.visit(target, KEY3)
                    self.clock.pump([0.5] * int(2 * seconds))
                    for visit in pair[:2]:
                        visit.leave()
                    self.clock.advance(100)  # over the idle timeout that twisted.web leaves behind in some cases
                    self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_access_log_has_one_line_with_status_and_size(self) -> None:
        for target, status in ANSWERS.items():
            with self.subTest(target=target):
                pair = self.visit(target)
                for visit in pair[:2]:
                    visit.leave()
                self.assertEqual(pair.lean.logged, pair.plain.logged)
                if target != "/begun":  # there, one begins an answer, and another ends it
                    size = len(b"by myself") if status == 202 else len(pair.lean.body)
                    self.assertEqual(pair.lean.logged, [(target.encode(), status, size)])

    def test_notify_finish_tells_the_end_once(self) -> None:
        for target in ANSWERS:
            with self.subTest(target=target):
                pair = self.visit(target)
                for visit in pair[:2]:
                    visit.leave()
                ends = [type(end) for end in self.ends["lean"]]
                self.assertEqual(len(ends), len(pair.lean_world.seen))
                self.assertEqual(ends, [type(end) for end in self.ends["plain"]])

    def test_a_root_that_needs_no_search_may_fail_like_any_other(self) -> None:
        class Broken(Resource):
            isLeaf = True  # noqa: N815

            def render(self, request: Request) -> int:
                return 1 // 0

        clock, world = Clock(), World(Clock())
        world.root = Broken()
        visit = Visit(lean_site(world, clock)).send(attempt("/"))
        self.assertEqual(visit.status, 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class SlowAnswerTest(SynchronousTestCase):
    """A page may take its time over an attempt, too."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.world = World(self.clock)
        self.visit = Visit(lean_site(self.world, self.clock)).send(attempt("/later"))
        (self.request,) = self.world.later.requests
        self.ends: list[Any] = []
        self.request.notifyFinish().addBoth(self.ends.append)

    def test_it_may_take_long(self) -> None:
        self.clock.advance(1000)
        self.assertFalse(self.visit.transport.aborted)
        self.request.write(b"at last")
        self.request.finish()
        self.assertIn(b"at last", self.visit.body)
        self.assertEqual(self.ends, [None])
        self.assertTrue(self.visit.transport.ended)

    def test_a_client_that_leaves_is_told_to_it(self) -> None:
        self.visit.leave()
        self.assertIs(self.ends[0].type, ConnectionDone)
        self.assertRaises(RuntimeError, self.request.finish)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_flood_meanwhile_is_not_kept_in_memory(self) -> None:
        sent = 0
        while self.visit.transport.reading:
            self.visit.send(b"x" * 1000)
            sent += 1
        self.assertLess(sent, 100)
        self.request.finish()
        self.assertEqual(self.visit.received.count(b"HTTP/1.1 "), 1)

    def test_a_connection_that_it_drops_is_dropped(self) -> None:
        self.request.loseConnection()
        self.assertTrue(self.visit.transport.disconnecting)

    def test_it_is_told_by_the_request_who_asks(self) -> None:
        self.assertEqual(details(self.request)["client"], self.visit.transport.getPeer())
        self.assertEqual(details(self.request)["host"], self.visit.transport.getHost())

    def test_it_may_still_ask_when_the_client_has_left(self) -> None:
        self.visit.leave()
        self.assertEqual(self.request.getHeader(b"host"), b"example.com")
        self.assertEqual(self.request.getClientAddress(), self.visit.transport.getPeer())


class LeavingTest(SynchronousTestCase):
    """A dispatcher that nobody waits for any more."""

    def test_it_may_look_into_the_request_then(self) -> None:
        for factory in (False, True):
            with self.subTest(factory=factory):
                clock = Clock()
                decision: Deferred[Any] = Deferred(lambda _: None)
                requests: list[Any] = []

                def decide(request: Any, decision: Any = decision, requests: Any = requests) -> Any:
                    requests.append(request)
                    return decision

                world = World(clock, decide, factory, look=lambda request: None)
                visit = Visit(lean_site(world, clock)).send(attempt("/slow"))
                visit.leave()
                self.assertEqual(requests[0].getHeader(b"host"), b"example.com")
                self.assertEqual(requests[0].getClientAddress(), visit.transport.getPeer())


class TimerTest(SynchronousTestCase):
    """Clients that send no head."""

    def visit(self, *pieces: bytes, seconds: float | None = None) -> Visit:
        self.clock = Clock()
        site = lean_site(World(self.clock), self.clock)
        if seconds is not None:
            site.timeOut = seconds
        return Visit(site).send(*pieces)

    def check(self, visit: Visit, seconds: float) -> None:
        """Check that a client is dropped after some seconds, not before, and that no timer is left."""
        self.clock.pump([0.25] * int(4 * seconds - 1))
        self.assertFalse(visit.transport.aborted)
        self.clock.pump([0.25] * 2)
        self.assertTrue(visit.transport.aborted)
        visit.leave()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_silent_one_is_dropped_after_the_site_s_timeout(self) -> None:
        self.check(self.visit(), 60)
        self.check(self.visit(seconds=7), 7)

    def test_one_that_sends_a_part_is_dropped_after_the_handshake_timeout(self) -> None:
        for data in (b"G", b"GET /chat", attempt("/chat")[:-1]):
            self.check(self.visit(data), SETTINGS.handshake_timeout)

    def test_one_that_drips_is_dropped_as_well(self) -> None:
        visit = self.visit()
        for index in range(int(4 * SETTINGS.handshake_timeout)):
            self.assertFalse(visit.transport.aborted)
            visit.send(attempt("/chat")[index : index + 1])
            self.clock.advance(0.25)
        self.assertTrue(visit.transport.aborted)

    def test_no_timer_is_left_when_it_leaves_before(self) -> None:
        for data in (b"", b"G", attempt("/chat")[:-1], PAGE, b"\x16\x03\x01"):
            visit = self.visit(data)
            visit.leave()
            self.clock.advance(60)  # twisted.web has timers for those it has said 400 to
            self.assertEqual(self.clock.getDelayedCalls(), [])


class FileTest(TestCase):
    """Answers that a producer writes, on real sockets."""

    SIZE = 3_000_000

    def setUp(self) -> None:
        path = Path(self.mktemp())
        path.mkdir()
        self.content = bytes(range(256)) * (self.SIZE // 256)
        (path / "file").write_bytes(self.content)
        self.ends: list[Any] = []

        def nobody(request: Any) -> None:
            request.notifyFinish().addBoth(self.ends.append)

        self.site = WebSocketFactory(nobody, root=File(str(path)))
        self.logged: list[tuple[int, int]] = []
        self.patch(self.site, "log", lambda request: self.logged.append((request.code, request.sentLength)))

    async def fetch(self, client: RawClient) -> None:
        """Check that a client gets the whole file, and that the server knows."""
        client.write(head("/file"))
        await client.closed
        self.assertEqual(client.status, 200)
        self.assertEqual(client.body, self.content)
        await turns_until(lambda: bool(self.ends))
        self.assertEqual((self.ends, self.logged), ([None], [(200, len(self.content))]))

    async def test_a_large_file_is_sent_whole(self) -> None:
        await self.fetch(await connect(self, await serve(self, self.site)))

    async def test_it_is_over_tls(self) -> None:
        client = await connect(self, *await serve_tls(self, self.site))
        await tls_agreed(client)
        await self.fetch(client)

    async def test_a_client_that_leaves_in_the_midst_of_it_is_told(self) -> None:
        client = await connect(self, await serve(self, self.site))
        transport: Any = client.transport
        client.write(head("/file"))
        await client.until(b"\r\n\r\n")
        transport.pauseProducing()
        client.abort()
        await turns_until(lambda: bool(self.ends))
        self.assertIsInstance(self.ends[0], Failure)


class SocketTest(TestCase):
    """Ends on real sockets."""

    async def test_an_answer_to_a_client_that_goes_on_sending_is_not_lost(self) -> None:
        for root in (None, File(".")):
            site = WebSocketFactory(lambda request: None, root=root)
            client = await connect(self, await serve(self, site))
            client.write(head("/nothing") + b"x" * 100_000)
            await client.closed
            self.assertEqual(client.status, 404)
            self.assertTrue(client.body)

    async def test_a_plain_site_and_ours_say_the_same(self) -> None:
        for make in (Site, lambda root: WebSocketFactory(echo, root=root)):
            client = await connect(self, await serve(self, make(File("."))))
            client.write(b"GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            await client.closed
            self.assertEqual(client.status, 404)
