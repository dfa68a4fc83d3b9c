"""Tests of hunchensocket_tx.testing_transport: connections in memory behave as those of sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IHalfCloseableProtocol, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import alsoProvides

from hunchensocket_tx.testing_transport import MemoryConnection, MemoryEndpoint
from tests.stream_support import PullProducer, PushRecorder
from tests.support import serve
from tests.wire_support import properties

LARGE = 1024 * 1024


class Recorder(Protocol):
    """Writes down what it is told; ``replies`` are called with it, each by what they reply to."""

    transport: Any

    def __init__(self, **replies: Callable[[Recorder], object]) -> None:
        self.told: list[str] = []
        self.data = b""
        self.lost: Deferred[None] = Deferred()
        self.replies = replies

    def tell(self, what: str) -> None:
        self.told.append(what)
        if what in self.replies:
            self.replies[what](self)

    def connectionMade(self) -> None:
        self.tell("made")

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        if self.told[-1] != "data":
            self.tell("data")

    def readConnectionLost(self) -> None:
        self.tell("end")

    def writeConnectionLost(self) -> None:
        self.tell("ended")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.tell(type(reason.value).__name__)
        self.lost.callback(None)


def half_closeable(recorder: Recorder) -> Recorder:
    """Have it told of the end of the other side alone."""
    alsoProvides(recorder, IHalfCloseableProtocol)
    return recorder


def half_closing_client(question: bytes) -> Recorder:
    """Return a client that asks, closes its side, and its other side when the server has done so."""

    def ask(client: Recorder) -> None:
        client.transport.write(question)
        client.transport.loseWriteConnection()

    return half_closeable(Recorder(made=ask, end=lambda client: client.transport.loseConnection()))


class Pair:
    """A connection between two recorders, or other protocols."""

    def __init__(self, client: Any = None, server: Any = None) -> None:
        self.clock = Clock()
        self.connection = MemoryConnection(self.clock, 50000)
        self.client, self.server = client or Recorder(), server or Recorder()
        self.connection.client.protocol = self.client
        self.connection.server.protocol = self.server
        self.client.makeConnection(self.connection.client)
        self.server.makeConnection(self.connection.server)

    def settle(self) -> None:
        self.clock.advance(0)


class DeliveryTest(SynchronousTestCase):
    """Bytes arrive in later turns, in order."""

    def test_nothing_arrives_within_a_write(self) -> None:
        pair = Pair()
        pair.client.transport.write(b"hello")
        self.assertEqual(pair.server.data, b"")
        pair.settle()
        self.assertEqual(pair.server.data, b"hello")

    def test_a_reply_does_not_arrive_within_the_delivery_that_it_replies_to(self) -> None:
        order: list[str] = []

        def reply(server: Recorder) -> None:
            server.transport.writeSequence([b"wor", b"ld"])
            order.append("replied")

        pair = Pair(Recorder(data=lambda client: order.append("received")), Recorder(data=reply))
        pair.client.transport.write(b"hello")
        pair.settle()
        self.assertEqual(order, ["replied", "received"])
        self.assertEqual(pair.client.data, b"world")

    @properties
    @given(st.lists(st.tuples(st.sampled_from(["write", "pause", "resume", "turn"]), st.binary(max_size=9))))
    def test_all_bytes_arrive_once_and_in_order(self, steps: list[tuple[str, bytes]]) -> None:
        pair = Pair()
        for step, data in steps:
            if step == "write":
                pair.client.transport.write(data)
            elif step == "turn":
                pair.settle()
            else:
                getattr(pair.server.transport, f"{step}Producing")()
        pair.server.transport.resumeProducing()
        pair.settle()
        self.assertEqual(pair.server.data, b"".join(data for step, data in steps if step == "write"))

    def test_nothing_arrives_at_an_end_that_does_not_read(self) -> None:
        pair = Pair()
        pair.server.transport.pauseProducing()
        pair.client.transport.write(b"hello")
        pair.client.transport.loseConnection()
        pair.settle()
        self.assertEqual((pair.server.told, pair.client.told), (["made"], ["made"]))
        pair.server.transport.resumeProducing()
        pair.settle()
        self.assertEqual(pair.server.told, ["made", "data", "ConnectionDone"])

    def test_what_is_held_arrives_when_it_is_released(self) -> None:
        pair = Pair()
        pair.connection.hold()
        pair.client.transport.write(b"hello")
        pair.server.transport.write(b"good-bye")
        pair.server.transport.loseWriteConnection()
        pair.clock.advance(1000)
        self.assertEqual((pair.client.told, pair.server.told), (["made"], ["made"]))
        pair.connection.release()
        pair.settle()
        self.assertEqual(pair.client.told, ["made", "data", "ConnectionDone"])
        self.assertEqual((pair.client.data, pair.server.data), (b"good-bye", b"hello"))

    def test_writing_to_an_end_that_is_closed_loses_the_connection(self) -> None:
        pair = Pair(client=half_closeable(Recorder()))
        pair.server.transport.loseConnection()
        pair.settle()
        self.assertEqual(pair.client.told, ["made", "end"])
        pair.client.transport.write(b"hello")
        pair.settle()
        self.assertEqual(pair.client.told, ["made", "end", "ConnectionLost"])
        self.assertEqual(pair.server.told, ["made", "ConnectionDone"])

    def test_cut_both_ends_lose_the_connection_and_what_was_on_its_way(self) -> None:
        pair = Pair()
        pair.client.transport.write(b"hello")
        pair.client.transport.pauseProducing()
        pair.connection.hold()
        pair.connection.cut()
        self.assertEqual(pair.client.told, ["made"])
        pair.settle()
        self.assertEqual(pair.client.told, ["made", "ConnectionLost"])
        self.assertEqual(pair.server.told, ["made", "ConnectionLost"])

    def test_text_cannot_be_written(self) -> None:
        with self.assertRaises(TypeError):
            Pair().client.transport.write("hello")

    def test_an_end_whose_protocol_fails_is_lost(self) -> None:
        pair = Pair(server=Recorder(data=lambda server: [][0]))
        pair.client.transport.write(b"hello")
        pair.settle()
        self.assertEqual(len(self.flushLoggedErrors(IndexError)), 1)
        self.assertEqual(pair.server.told[-1], "IndexError")
        self.assertEqual(pair.client.told[-1], "ConnectionLost")

    def test_addresses_and_options_are_as_tcp_s(self) -> None:
        pair = Pair()
        client, server = pair.client.transport, pair.server.transport
        self.assertEqual((client.getHost(), client.getPeer()), (server.getPeer(), server.getHost()))
        client.setTcpNoDelay(True)
        server.setTcpKeepAlive(1)
        self.assertEqual((client.getTcpNoDelay(), client.getTcpKeepAlive()), (True, False))
        self.assertEqual((server.getTcpNoDelay(), server.getTcpKeepAlive()), (False, True))


class ProducerTest(SynchronousTestCase):
    """Producers write as fast as the other end reads."""

    def test_a_push_producer_is_paused_while_much_waits(self) -> None:
        pair, producer = Pair(), PushRecorder()
        pair.client.transport.registerProducer(producer, True)
        pair.client.transport.write(bytes(65536))
        self.assertEqual(producer.told, [])
        pair.client.transport.write(b"!")
        self.assertEqual(producer.told, ["pause"])
        pair.settle()
        self.assertEqual(producer.told, ["pause", "resume"])

    def test_a_pull_producer_is_asked_whenever_nothing_waits(self) -> None:
        pair = Pair()
        pieces: Iterator[bytes] = iter([b"a", b"b", b"c"])

        def produce() -> None:
            piece = next(pieces, None)
            if piece is None:
                pair.client.transport.unregisterProducer()
            else:
                pair.client.transport.write(piece)

        pair.client.transport.registerProducer(PullProducer(produce), False)
        pair.client.transport.loseConnection()
        pair.settle()
        self.assertEqual((pair.server.data, pair.server.told[-1]), (b"abc", "ConnectionDone"))

    def test_a_producer_is_stopped_when_the_connection_is_lost_or_was_before(self) -> None:
        pair, first, second = Pair(), PushRecorder(), PushRecorder()
        pair.client.transport.registerProducer(first, True)
        pair.connection.cut()
        pair.settle()
        pair.client.transport.registerProducer(second, True)
        self.assertEqual((first.told, second.told), (["stop"], ["stop"]))

    def test_there_is_one_producer_at_a_time(self) -> None:
        pair = Pair()
        pair.client.transport.registerProducer(PushRecorder(), True)
        with self.assertRaises(RuntimeError):
            pair.client.transport.registerProducer(PushRecorder(), True)


class EndpointTest(SynchronousTestCase):
    """The endpoint connects in a later turn."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.endpoint = MemoryEndpoint(Factory.forProtocol(Recorder), self.clock)

    def test_each_connection_has_another_address(self) -> None:
        waiting = [connectProtocol(self.endpoint, Recorder()) for _ in range(2)]
        self.assertNoResult(waiting[0])
        self.clock.advance(0)
        first, second = map(self.successResultOf, waiting)
        self.assertNotEqual(first.transport.getHost(), second.transport.getHost())
        self.assertEqual([one.client.protocol for one in self.endpoint.connections], [first, second])

    def test_a_cancelled_attempt_makes_no_connection(self) -> None:
        waiting = connectProtocol(self.endpoint, Recorder())
        waiting.cancel()
        self.clock.advance(0)
        self.failureResultOf(waiting)
        self.assertEqual(self.endpoint.connections, [])

    def test_a_factory_without_a_protocol_refuses(self) -> None:
        class Full(Factory):
            def buildProtocol(self, address: object) -> None:
                return None

        waiting = connectProtocol(MemoryEndpoint(Full(), self.clock), Recorder())
        self.clock.advance(0)
        self.failureResultOf(waiting, ConnectError)


class TwinTest(TestCase):
    """What protocols are told is the same over sockets."""

    timeout = 20

    async def compare(self, make: Callable[[], tuple[Recorder, Recorder]], size: int = 0) -> None:
        """Connect a client and a server both ways; compare what all four were told, and how much they got."""
        seen = []
        for in_memory in (True, False):
            client, server = make()
            factory = Factory.forProtocol(lambda server=server: server)  # type: ignore[misc]
            endpoint: IStreamClientEndpoint
            if in_memory:
                endpoint = MemoryEndpoint(factory, reactor)
            else:
                address = await serve(self, factory)
                endpoint = TCP4ClientEndpoint(reactor, address.host, address.port)
            await connectProtocol(endpoint, client)
            await gatherResults([client.lost, server.lost])
            seen.append((client.told, server.told, len(client.data), len(server.data)))
        self.assertEqual(*seen)
        self.assertEqual(seen[0][2] + seen[0][3], size)

    async def test_closing_sends_what_was_written_before(self) -> None:
        def speak(client: Recorder) -> None:
            client.transport.write(bytes(LARGE))
            client.transport.loseConnection()

        await self.compare(lambda: (Recorder(made=speak), Recorder()), LARGE)

    async def test_half_closed_it_still_gets_an_answer(self) -> None:
        def answer(server: Recorder) -> None:
            server.transport.write(bytes(LARGE))
            server.transport.loseConnection()

        await self.compare(
            lambda: (half_closing_client(b"question"), half_closeable(Recorder(end=answer))),
            LARGE + len(b"question"),
        )

    async def test_a_protocol_that_knows_no_half_close_loses_the_connection(self) -> None:
        await self.compare(lambda: (half_closing_client(b"question"), Recorder()), len(b"question"))

    async def test_aborting_tells_the_other_end_that_it_was_no_clean_end(self) -> None:
        def speak(client: Recorder) -> None:
            client.transport.write(b"question")

        def abort(server: Recorder) -> None:
            server.transport.abortConnection()

        await self.compare(lambda: (Recorder(made=speak), Recorder(data=abort)), len(b"question"))

    async def test_what_is_written_after_half_closing_is_dropped(self) -> None:
        def speak(client: Recorder) -> None:
            client.transport.loseWriteConnection()

        def more(client: Recorder) -> None:
            client.transport.write(b"more")
            client.transport.loseConnection()

        await self.compare(lambda: (half_closeable(Recorder(made=speak, ended=more)), Recorder()))
