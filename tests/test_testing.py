"""Tests of hunchensocket_tx.testing: handlers are tested without sockets."""

from __future__ import annotations

import sys
from collections.abc import Callable
from http.cookiejar import CookieJar
from subprocess import run
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.endpoints import connectProtocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from hunchensocket_tx.adapters import conversation
from hunchensocket_tx.cascade import Accept, Reject
from hunchensocket_tx.errors import ConnectionClosed, HandshakeRefused, InvalidURL, MisuseError, VersionRefused
from hunchensocket_tx.resource import WebSocketResource, offered_subprotocols
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.testing import MemoryServer, StreamPair
from hunchensocket_tx.wire.events import CloseReason
from tests.processes import CHECKOUT
from tests.support import RawClient

VERSIONS = (13, 8, 7, 76)


def shout(request: Request) -> Callable[[WebSocketStream, DeferredLock], Any] | None:
    """Answer in capitals, but not at ``/none``."""
    if request.path == b"/none":
        return None
    return lambda stream, mutex: lambda text: stream.send(text.upper())


async def talk(server: MemoryServer) -> list[object]:
    """Have a conversation with a server that shouts."""
    async with server.connect("/") as stream:
        heard = []
        for text in ("hello", "good-bye"):
            stream.send(text)
            heard.append(await stream.receive())
    return [*heard, (await stream.when_closed()).code]


class ServerTest(SynchronousTestCase):
    """Clients talk with a server of one's own dispatchers."""

    def test_every_version_carries_messages_both_ways(self) -> None:
        for version in VERSIONS:
            with self.subTest(version=version):
                server = MemoryServer(shout)
                stream = server.result(server.connect("/", version=version))
                stream.send("hello")
                self.assertEqual(server.result(stream.receive()), "HELLO")
                self.assertEqual([(one.version, one.is_open) for one in server.streams], [(version, True)])

    def test_a_coroutine_is_run_to_its_end(self) -> None:
        server = MemoryServer(shout)
        self.assertEqual(server.result(talk(server)), ["HELLO", "GOOD-BYE", 1000])

    def test_nothing_is_left_behind_once_it_is_closed(self) -> None:
        for version in VERSIONS:
            with self.subTest(version=version):
                server = MemoryServer(shout)
                stream = server.result(server.connect("/", version=version))
                stream.close()
                self.assertTrue(server.result(stream.when_closed()).clean)
                self.assertEqual((server.streams, server.clock.getDelayedCalls()), ([], []))

    def test_a_dispatcher_sees_the_request(self) -> None:
        jar = CookieJar()

        def accept(request: Request) -> Accept:
            said = [request.path, request.args[b"q"][0], request.getHeader("x-extra"), request.getHeader("host")]
            talk = conversation(lambda stream: self._say(stream, said))
            return Accept(talk, subprotocol=offered_subprotocols(request)[1], headers={"Set-Cookie": "a=b"})

        server = MemoryServer(accept)
        stream = server.result(
            server.connect(
                "ws://www.example.com/path?q=1", subprotocols=["x", "y"], headers={"X-Extra": "z"}, cookies=jar
            )
        )
        self.assertEqual(server.result(stream.receive()), "[b'/path', b'1', 'z', 'www.example.com']")
        self.assertEqual((stream.subprotocol, [cookie.name for cookie in jar]), ("y", ["a"]))

    async def _say(self, stream: WebSocketStream, said: object) -> None:
        stream.send(str(said))

    def test_refusals_are_raised(self) -> None:
        server = MemoryServer(shout, lambda request: Reject(403, "no"), versions=[13])
        with self.assertRaises(HandshakeRefused) as caught:
            server.result(server.connect("/none"))
        self.assertEqual((caught.exception.status, caught.exception.body), (403, b"no"))
        with self.assertRaises(VersionRefused):
            server.result(server.connect("/", version=8))
        self.assertEqual(server.streams, [])

    def test_origins_are_judged(self) -> None:
        server = MemoryServer(shout, origins=["https://www.example.com"])
        server.result(server.connect(origin="https://www.example.com"))
        with self.assertRaises(HandshakeRefused):
            server.result(server.connect(origin="https://evil.example"))

    def test_a_dispatcher_may_take_its_time(self) -> None:
        decision: Deferred[Any] = Deferred()
        server = MemoryServer(lambda request: decision)
        opening = server.connect()
        with self.assertRaisesRegex(AssertionError, "advance"):
            server.result(opening)
        decision.callback(lambda stream, mutex: lambda text: stream.send(text * 2))
        stream = server.result(opening)
        stream.send("ha")
        self.assertEqual(server.result(stream.receive()), "haha")

    def test_a_handler_that_fails_is_logged_and_closes(self) -> None:
        server = MemoryServer(lambda request: lambda stream, mutex: lambda text: {}[text])
        stream = server.result(server.connect())
        stream.send("hello")
        self.assertEqual(server.result(stream.when_closed()).code, 1011)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_a_handler_at_the_client_gets_the_messages(self) -> None:
        server, heard = MemoryServer(shout), list[str]()
        stream = server.result(server.connect("/", lambda stream, mutex: heard.append))
        stream.send("hello")
        server.settle()
        self.assertEqual(heard, ["HELLO"])

    def test_a_peer_that_breaks_rules_is_connected_by_the_endpoint(self) -> None:
        server = MemoryServer(shout)
        client = server.result(connectProtocol(server.endpoint, RawClient()))
        client.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n")
        server.settle()
        self.assertTrue(client.data.startswith(b"HTTP/1.1 400 "), client.data)

    def test_there_is_no_tls(self) -> None:
        with self.assertRaises(MisuseError):
            MemoryServer(shout).connect("wss://localhost/")
        with self.assertRaises(InvalidURL):
            MemoryServer(shout).connect("http://localhost/")


class SiteTest(SynchronousTestCase):
    """A site may be tested as a whole."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.root = Resource()
        self.root.putChild(b"shout", WebSocketResource(shout, reactor=self.clock))

    def assert_shouts(self, server: MemoryServer) -> None:
        for version in VERSIONS:
            stream = server.result(server.connect("/shout", version=version))
            stream.send("hello")
            self.assertEqual(server.result(stream.receive()), "HELLO")
        self.assertEqual([stream.version for stream in server.streams], list(VERSIONS))
        self.assertRaises(HandshakeRefused, server.result, server.connect("/none"))

    def test_what_no_dispatcher_takes_goes_to_the_root(self) -> None:
        self.assert_shouts(MemoryServer(lambda request: None, root=self.root, clock=self.clock))

    def test_a_factory_is_served_as_it_is(self) -> None:
        self.assert_shouts(MemoryServer(factory=Site(self.root, reactor=self.clock), clock=self.clock))

    def test_a_factory_takes_no_settings(self) -> None:
        with self.assertRaises(MisuseError):
            MemoryServer(factory=Site(self.root, reactor=self.clock), ping_interval=1)


class TimeTest(SynchronousTestCase):
    """Time passes when it is told to."""

    def test_pings_keep_a_quiet_connection(self) -> None:
        pair = StreamPair()
        pair.advance(3600)
        self.assertTrue(pair.client.is_open and pair.server.is_open)

    def test_a_connection_without_pings_ends_at_its_time(self) -> None:
        pair = StreamPair(version=76, websocket_timeout=60)
        pair.advance(59.9)
        self.assertTrue(pair.client.is_open and pair.server.is_open)
        pair.advance(0.1)
        self.assertFalse(pair.client.is_open or pair.server.is_open)

    def test_timers_see_the_time_that_they_are_due_at(self) -> None:
        pair, seen = StreamPair(), list[float]()
        for seconds in (0.1, 0.3, 0.2, 7, 0.7):
            pair.clock.callLater(seconds, lambda: seen.append(round(pair.clock.seconds(), 6)))
        pair.advance(1)
        self.assertEqual((seen, pair.clock.seconds()), ([0.1, 0.2, 0.3, 0.7], 1.0))

    def test_a_ping_takes_as_long_as_it_is_held(self) -> None:
        pair = StreamPair()
        answered = pair.server.ping()
        pair.connection(pair.server).server.hold()
        pair.advance(1.5)
        pair.connection(pair.server).server.release()
        self.assertEqual(pair.result(answered), 1.5)

    def test_a_client_that_vanishes_is_found_out(self) -> None:
        pair = StreamPair(ping_interval=20, ping_timeout=10, closing_timeout=5)
        pair.connection(pair.client).hold()
        pair.advance(34.9)
        self.assertFalse(pair.server.is_open)
        pair.advance(0.1)
        self.assertEqual(pair.result(pair.server.when_closed()).code, 1006)


class StreamPairTest(SynchronousTestCase):
    """Code that is given a stream gets one."""

    def test_either_end_gets_what_the_other_sends(self) -> None:
        for version in VERSIONS:
            with self.subTest(version=version):
                pair = StreamPair(version=version)
                for sender, receiver in ((pair.client, pair.server), (pair.server, pair.client)):
                    sender.send("one")
                    sender.send("two" * 100_000)
                    self.assertEqual(pair.result(receiver.receive()), "one")
                    self.assertEqual(pair.result(receiver.receive()), "two" * 100_000)

    def test_nothing_happens_within_a_send(self) -> None:
        pair = StreamPair()
        waiting = pair.server.receive()
        pair.client.send("hello")
        self.assertNoResult(waiting)
        self.assertEqual(pair.result(waiting), "hello")

    def test_the_codes_of_a_closing_are_seen_at_both_ends(self) -> None:
        pair = StreamPair()
        pair.server.close(4001, "enough")
        self.assertEqual(pair.result(pair.client.when_closed()), CloseReason(4001, "enough", True))
        self.assertEqual(pair.result(pair.server.when_closed()), CloseReason(4001, "", True))

    def test_a_slow_peer_is_waited_for(self) -> None:
        pair = StreamPair(slow_peers="wait")
        pair.connection(pair.server).server.hold()
        pair.server.send(bytes(100_000), compress=False)
        drained = pair.server.drained()
        self.assertRaises(AssertionError, pair.result, drained)
        pair.connection(pair.server).server.release()
        self.assertIsNone(pair.result(drained))
        self.assertEqual(len(pair.result(pair.client.receive())), 100_000)

    def test_a_cut_ends_both(self) -> None:
        pair = StreamPair()
        waiting = pair.client.receive()
        pair.connection(pair.client).cut()
        with self.assertRaises(ConnectionClosed) as caught:
            pair.result(waiting)
        self.assertEqual((caught.exception.code, caught.exception.clean), (1006, False))
        self.assertEqual(pair.result(pair.server.when_closed()).code, 1006)

    def test_the_streams_read_at_the_ends_themselves(self) -> None:
        """Else a client would not see that the server has closed its side only."""
        for version in VERSIONS:
            pair = StreamPair(version=version)
            connection = pair.connection(pair.server)
            self.assertIs(connection, pair.connection(pair.client))
            self.assertIs(connection.client.protocol, pair.client)
            self.assertIs(connection.server.protocol, pair.server)

    def test_a_stream_of_another_server_is_not_known(self) -> None:
        with self.assertRaises(MisuseError):
            StreamPair().connection(StreamPair().client)


class ResultTest(SynchronousTestCase):
    """What a Deferred or coroutine has come to."""

    def setUp(self) -> None:
        self.server = MemoryServer(shout)

    def test_a_result_may_be_asked_for_again(self) -> None:
        waiting: Deferred[int] = Deferred()
        self.assertRaises(AssertionError, self.server.result, waiting)
        self.server.clock.callLater(2, waiting.callback, 7)
        self.server.advance(2)
        self.assertEqual([self.server.result(waiting), self.server.result(waiting)], [7, 7])

    def test_a_failure_that_comes_later_is_raised_later(self) -> None:
        waiting: Deferred[int] = Deferred()
        self.assertRaises(AssertionError, self.server.result, waiting)
        waiting.errback(KeyError("late"))
        self.assertRaises(KeyError, self.server.result, waiting)
        self.assertIsNone(self.server.result(waiting))


class ReactorTest(TestCase):
    """With a reactor in the clock's place, tests await."""

    timeout = 20

    async def test_bytes_move_in_the_reactor_s_turns(self) -> None:
        server = MemoryServer(shout, clock=reactor)
        self.assertEqual(await talk(server), ["HELLO", "GOOD-BYE", 1000])

    async def test_its_time_is_not_ours_to_set_going(self) -> None:
        server = MemoryServer(shout, clock=reactor)
        for move in (server.settle, lambda: server.advance(1)):
            self.assertRaises(MisuseError, move)

    def test_none_is_installed_without_need(self) -> None:
        script = """if True:
            import sys
            from hunchensocket_tx.testing import StreamPair
            for version in (13, 8, 7, 76):
                pair = StreamPair(version=version)
                pair.client.send("hello")
                assert pair.result(pair.server.receive()) == "hello"
                pair.advance(1000)
            assert "twisted.internet.reactor" not in sys.modules
        """
        ended = run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=False)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
