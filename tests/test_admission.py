"""Tests of who may still come in (hunchensocket_tx.admission), and of resources that ask."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from hunchensocket_tx import HandshakeRefused, WebSocketResource, connect
from hunchensocket_tx.admission import client_name, judge_limits
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.tally import Tally
from tests import support
from tests.harness import echo
from tests.support import KEY3, RESPONSE, request_76, serve
from tests.test_tally import Stream


class ClientNameTests(SynchronousTestCase):
    """What counts as one client."""

    def test_an_ipv4_address_is_one_client(self) -> None:
        self.assertEqual(client_name("192.0.2.1"), "192.0.2.1")

    def test_an_ipv4_address_in_ipv6_s_clothing_is_the_same(self) -> None:
        self.assertEqual(client_name("::ffff:192.0.2.1"), "192.0.2.1")

    def test_a_network_of_64_bits_is_one_client(self) -> None:
        self.assertEqual(client_name("2001:db8::1"), "2001:db8::/64")
        self.assertEqual(client_name("2001:db8::ffff:0:0:1"), "2001:db8::/64")
        self.assertEqual(client_name("2001:db8:0:1::1"), "2001:db8:0:1::/64")

    def test_what_has_no_address_is_not_counted(self) -> None:
        for host in (None, "", "unix", "not an address"):
            with self.subTest(host=host):
                self.assertIsNone(client_name(host))


class LimitTests(SynchronousTestCase):
    """Limits, each with what it counts."""

    def cause(self, counted_as: str | None = None, **limits: Any) -> str | None:
        """Return why one more is refused, where two of client 'a' are there, one of them half open."""
        tally = Tally()
        for stream in (Stream(counted_as="a"), Stream(counted_as="a")):
            tally.begin(stream)
        tally.opened(stream, 11.0)
        refusal = judge_limits(tally, Settings(**limits), counted_as)
        if refusal is None:
            return None
        self.assertEqual((refusal.status, refusal.headers), (503, [("Retry-After", "5")]))
        return refusal.cause

    def test_there_is_no_limit_by_default(self) -> None:
        self.assertIsNone(self.cause("a"))

    def test_connections(self) -> None:
        self.assertEqual(self.cause(max_connections=2), "max_connections")
        self.assertIsNone(self.cause(max_connections=3))

    def test_connections_of_one_address(self) -> None:
        self.assertEqual(self.cause("a", max_connections_per_address=2), "max_connections_per_address")
        self.assertIsNone(self.cause("b", max_connections_per_address=2))
        self.assertIsNone(self.cause(None, max_connections_per_address=2))
        self.assertIsNone(self.cause("a", max_connections_per_address=3))

    def test_handshakes(self) -> None:
        self.assertEqual(self.cause(max_handshakes=1), "max_handshakes")
        self.assertIsNone(self.cause(max_handshakes=2))


class ResourceTests(TestCase):
    """A resource refuses who is one too many."""

    async def serve(self, *dispatchers: Any, **changes: Any) -> str:
        """Serve a resource, kept as ``resource``; return its URL."""
        self.resource = WebSocketResource(*(dispatchers or [echo]), **changes)
        self.address = await serve(self, self.resource)
        self.addCleanup(self.resource.close_all)
        return f"ws://127.0.0.1:{self.address.port}/"

    async def assert_refused(self, url: str, cause: str, **options: Any) -> None:
        refusals = self.resource.tally.refused[503, cause]
        error: Any = await self.assertFailure(connect(url, **options), HandshakeRefused)
        self.assertEqual((error.status, error.headers["retry-after"]), (503, ("5",)))
        self.assertEqual(self.resource.tally.refused[503, cause], refusals + 1)

    async def test_a_place_that_was_left_is_free_again(self) -> None:
        for limit in ("max_connections", "max_connections_per_address"):
            with self.subTest(limit=limit):
                url = await self.serve(**{limit: 1})
                first = await connect(url)
                await self.assert_refused(url, limit)
                await self.assert_refused(url, limit, version=76)
                left = next(iter(self.resource.streams)).when_closed()
                first.close()
                await left
                second = await connect(url)
                second.send("hello")
                self.assertEqual(await second.receive(), "hello")
                second.close()

    async def test_a_handshake_that_is_decided_on_counts(self) -> None:
        answer: Deferred[Any] = Deferred()
        url = await self.serve(lambda request: answer, max_handshakes=1)
        asked = connect(url, in_turn=False)
        while not self.resource.tally.opening:
            await self.turn()
        await self.assert_refused(url, "max_handshakes", in_turn=False)
        answer.callback(lambda stream, mutex: stream.send)
        stream = await asked
        self.assertEqual(self.resource.tally.opening, set())
        stream.close()

    async def test_a_handshake_that_is_half_open_counts(self) -> None:
        url = await self.serve(max_handshakes=1)
        client = await support.connect(self, self.address)
        client.write(request_76(self.address, key3=b""))
        await client.until(b"\r\n\r\n")
        await self.assert_refused(url, "max_handshakes")
        client.write(KEY3)
        await client.until(RESPONSE)
        stream = await connect(url)
        self.assertEqual(self.resource.tally.handshake_seconds.count, 2)
        stream.close()

    async def test_who_was_waited_for_too_long_is_refused_in_the_end(self) -> None:
        answers: list[Deferred[Any]] = []

        def slow(request: Any) -> Deferred[Any]:
            answers.append(Deferred())
            return answers[-1]

        url = await self.serve(slow, max_connections=1)
        asked = [connect(url, in_turn=False) for _ in range(2)]
        while len(answers) < 2:
            await self.turn()
        for answer in answers:
            answer.callback(lambda stream, mutex: stream.send)
        first, second = [await self.outcome(one) for one in asked]
        self.assertEqual({type(first).__name__, type(second).__name__}, {"WebSocketStream", "HandshakeRefused"})
        self.assertEqual(self.resource.tally.refused, {(503, "max_connections"): 1})

    async def test_refusals_are_counted_by_status_and_cause(self) -> None:
        url = await self.serve(lambda request: None, versions=[13, 76], legacy_over_tls_only=True)
        for options in ({}, {"origin": "http://evil.example"}, {"version": 8}, {"version": 76}):
            await self.assertFailure(connect(url, **options), HandshakeRefused)
        expected = {(404, "path"): 1, (403, "origin"): 1, (426, "version"): 1, (403, "tls"): 1}
        self.assertEqual(self.resource.tally.refused, expected)

    def turn(self) -> Deferred[None]:
        """Let the reactor turn once."""
        from twisted.internet import reactor

        turned: Deferred[None] = Deferred()
        calls: Any = reactor
        calls.callLater(0, turned.callback, None)
        return turned

    async def outcome(self, deferred: Deferred[Any]) -> Any:
        try:
            return await deferred
        except HandshakeRefused as error:
            return error
