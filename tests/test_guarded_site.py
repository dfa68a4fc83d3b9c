"""GuardedSite: a head that drips is dropped, whatever else a client does is not (hunchensocket_tx.factory)."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from hunchensocket_tx import Settings, WebSocketResource
from hunchensocket_tx.factory import GuardedSite
from tests.harness import SlowPage, echo
from tests.hybi_stream_support import NONCE, masked, read_frames, text
from tests.stream_support import MemoryTransport

SECONDS = 10
"""What ``handshake_timeout`` is in these tests."""

TOO_LONG = 2 * SECONDS + 0.5
"""What no head may take; the half second is for sums of floats."""

HEAD = b"GET /page HTTP/1.1\r\nHost: example.com\r\n\r\n"

UPGRADE = (
    "GET /websocket HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {NONCE}\r\n\r\n"
).encode()


class Page(Resource):
    """Reads what it is sent, and answers at once."""

    isLeaf = True  # noqa: N815

    def render_GET(self, request: Any) -> bytes:
        return b"a page"

    def render_POST(self, request: Any) -> bytes:
        return b"%d bytes" % len(request.content.read())


class TcpTransport(MemoryTransport):
    """A transport with the option that twisted.web sets."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass


class GuardTestCase(SynchronousTestCase):
    """A client in memory of a site, with a clock for both."""

    def setUp(self) -> None:
        self.clock = Clock()
        settings = Settings(handshake_timeout=SECONDS, ping_interval=0, websocket_timeout=0)
        self.slow = SlowPage()
        root = Resource()
        root.putChild(b"page", Page())
        root.putChild(b"slow", self.slow)
        root.putChild(b"websocket", WebSocketResource(echo, settings=settings, reactor=self.clock))
        # The site is started by whoever listens, which nobody does here, so that nothing is logged either.
        self.site = GuardedSite(root, settings, self.clock)
        self.connect()

    def connect(self) -> None:
        """Connect another client."""
        self.transport = TcpTransport()
        self.protocol = self.site.buildProtocol(None)
        self.protocol.makeConnection(self.transport)

    def send(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def wait(self, seconds: float) -> None:
        """Let time go by, a little at a time as a reactor does."""
        self.clock.pump([0.25] * int(seconds * 4))

    def drip(self, data: bytes, seconds: float) -> None:
        """Send data in so many seconds, a byte at a time, as long as the connection is there."""
        for index in range(len(data)):
            if self.transport.aborted:
                return
            self.send(data[index : index + 1])
            self.clock.pump([seconds / len(data) / 10] * 10)

    @property
    def answers(self) -> int:
        """How many answers came."""
        data: bytes = self.transport.value()
        return data.count(b"HTTP/1.1 ")


class DrippingTest(GuardTestCase):
    """A head may take ``handshake_timeout`` seconds, and takes less than twice as long."""

    moments = (0, 0.5, 2.5, 5, 7.5, 9.5)
    """Seconds between the connection and the first byte, as the guard looks at its own times."""

    def test_a_head_that_takes_a_little_less_is_served(self) -> None:
        for moment in self.moments:
            with self.subTest(moment=moment):
                self.connect()
                self.wait(moment)
                self.drip(HEAD, SECONDS - 0.5)
                self.assertFalse(self.transport.aborted)
                self.assertEqual(self.answers, 1)

    def test_a_head_without_end_is_dropped_before_it_takes_twice_as_long(self) -> None:
        for moment in self.moments:
            with self.subTest(moment=moment):
                self.connect()
                self.wait(moment)
                self.drip(HEAD[:-4] + b"\r\nX-Drip: " + b"x" * 100, TOO_LONG)
                self.assertTrue(self.transport.aborted)
                self.assertEqual(self.answers, 0)

    def test_a_first_line_without_end_is(self) -> None:
        for moment in self.moments:
            with self.subTest(moment=moment):
                self.connect()
                self.wait(moment)
                self.drip(b"GET /" + b"x" * 100, TOO_LONG)
                self.assertTrue(self.transport.aborted)

    def test_a_head_whose_first_line_takes_long_is(self) -> None:
        for share in (0.25, 0.5, 0.75, 0.9):
            with self.subTest(share=share):
                self.connect()
                first, rest = HEAD.split(b"\r\n", 1)
                self.drip(first + b"\r\n", TOO_LONG * share)
                self.drip(rest[:-2] + b"X-Drip: xxx", TOO_LONG * (1 - share))
                self.assertTrue(self.transport.aborted)

    def test_it_is_dropped_though_the_client_is_silent(self) -> None:
        self.send(HEAD[:-2])
        self.wait(2 * SECONDS)
        self.assertTrue(self.transport.aborted)

    def test_the_head_of_a_later_request_is_watched_too(self) -> None:
        self.send(HEAD)
        self.wait(3)
        self.assertEqual(self.answers, 1)
        self.drip(HEAD[:-4] + b"\r\nX-Drip: " + b"x" * 100, TOO_LONG)
        self.assertTrue(self.transport.aborted)

    def test_a_head_for_a_websocket_is_watched_too(self) -> None:
        self.drip(UPGRADE[:-2] + b"X-Drip: xxx", TOO_LONG)
        self.assertTrue(self.transport.aborted)

    def test_others_are_served_meanwhile(self) -> None:
        dripping, slow = self.transport, self.protocol
        slow.dataReceived(HEAD[:-2])
        self.connect()
        for _ in range(8):
            self.send(HEAD)
            self.wait(SECONDS / 4)
        self.assertTrue(dripping.aborted)
        self.assertEqual((self.transport.aborted, self.answers), (False, 8))

    def test_no_timer_is_left_of_one_that_was_dropped(self) -> None:
        self.send(HEAD[:-2])
        self.wait(2 * SECONDS)
        self.protocol.connectionLost(None)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class PatienceTest(GuardTestCase):
    """Whatever is no head may take its time."""

    def test_a_connection_may_be_quiet_between_requests(self) -> None:
        for _ in range(3):
            self.send(HEAD)
            self.wait(3 * SECONDS)
        self.assertEqual((self.transport.aborted, self.answers), (False, 3))

    def test_a_connection_may_be_quiet_before_the_first_request(self) -> None:
        self.wait(3 * SECONDS)
        self.send(HEAD)
        self.assertEqual((self.transport.aborted, self.answers), (False, 1))

    def test_a_body_may_drip(self) -> None:
        self.send(b"POST /page HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n\r\n")
        self.drip(b"x" * 60, 5 * SECONDS)
        self.assertIn(b"60 bytes", self.transport.value())

    def test_a_chunked_body_may_drip(self) -> None:
        self.send(b"POST /page HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.drip(b"5\r\nabcde\r\n" * 3 + b"0\r\n\r\n", 5 * SECONDS)
        self.assertIn(b"15 bytes", self.transport.value())

    def test_an_answer_may_take_long(self) -> None:
        self.send(HEAD.replace(b"/page", b"/slow"))
        self.wait(5 * SECONDS)
        self.assertFalse(self.transport.aborted)
        self.slow.requests[0].finish()
        self.assertEqual(self.answers, 1)

    def test_a_request_that_waits_for_the_answer_to_another_is_not_late(self) -> None:
        self.send(HEAD.replace(b"/page", b"/slow") + HEAD[:-2])
        self.wait(5 * SECONDS)
        self.assertFalse(self.transport.aborted)

    def test_requests_that_begin_whenever_the_guard_looks_are_not_taken_for_one(self) -> None:
        for cut in (4, 10, 25):
            with self.subTest(cut=cut):
                self.connect()
                self.wait(SECONDS - 0.5)
                for _ in range(4):
                    self.send(HEAD[:cut])
                    self.wait(1)
                    self.send(HEAD[cut:])
                    self.wait(SECONDS - 1)
                self.assertEqual((self.transport.aborted, self.answers), (False, 4))

    def test_no_timer_is_left_when_the_client_leaves(self) -> None:
        for data in (b"", HEAD, HEAD[:-2]):
            self.setUp()
            self.send(data)
            self.protocol.connectionLost(None)
            self.assertEqual(self.clock.getDelayedCalls(), [])


class WebSocketTest(GuardTestCase):
    """A WebSocket has its own timers."""

    def test_no_timer_of_the_guard_is_left_when_it_is_open(self) -> None:
        self.send(UPGRADE)
        self.assertTrue(self.transport.value().startswith(b"HTTP/1.1 101 "))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_frame_may_drip(self) -> None:
        self.send(UPGRADE)
        self.drip(masked(text("hello")), 5 * SECONDS)
        self.assertFalse(self.transport.aborted)
        self.assertEqual(read_frames(self.transport.value().partition(b"\r\n\r\n")[2]), [text("hello")])

    def test_it_may_be_opened_on_a_connection_that_was_used_before(self) -> None:
        self.send(HEAD)
        self.wait(2 * SECONDS)
        self.send(UPGRADE + masked(text("hello")))
        self.wait(3 * SECONDS)
        self.assertFalse(self.transport.aborted)
        self.assertTrue(self.transport.value().endswith(b"\x81\x05hello"))

    def test_after_an_attempt_at_one_in_vain_nothing_else_is_served(self) -> None:
        # What follows is not HTTP, whoever it was that answered.
        for path in (b"/websocket", b"/page", b"/nowhere"):
            with self.subTest(path=path):
                self.connect()
                attempt = UPGRADE.replace(b"/websocket", path).replace(b"Version: 13", b"Version: 99")
                self.send(attempt + HEAD)
                self.assertEqual(self.answers, 1)
                self.wait(2 * SECONDS)
                self.assertTrue(self.transport.ended or self.transport.aborted)
