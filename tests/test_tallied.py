"""Tests of the streams that are counted (hunchensocket_tx.tallied), in memory."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx import ConnectionClosed, Group, WebSocketStream
from hunchensocket_tx.cascade import Accept
from hunchensocket_tx.testing import MemoryServer
from tests.harness import echo


class TalliedCase(SynchronousTestCase):
    """A server in memory, and its tally."""

    def serve(self, *dispatchers: Any, **changes: Any) -> None:
        self.server = MemoryServer(*(dispatchers or [echo]), **changes)

    def open(self, version: int = 13) -> WebSocketStream:
        stream: WebSocketStream = self.server.result(self.server.connect("/", version=version))
        ours: list[Any] = list(self.server.streams)
        self.ours = max(ours, key=lambda stream: stream.number)
        self.tally = self.ours.tally
        return stream

    def echoed(self, client: WebSocketStream, message: Any) -> None:
        client.send(message)
        self.assertEqual(self.server.result(client.receive()), message)


class CountTests(TalliedCase):
    """What is counted of a stream."""

    def test_messages_and_bytes_are_counted_both_ways(self) -> None:
        self.serve(compression=False)
        client = self.open()
        self.echoed(client, "hello")
        self.echoed(client, b"x" * 20000)  # which goes another way
        ours = self.ours
        self.assertEqual((ours.messages_received, ours.messages_sent), (2, 2))
        self.assertEqual((ours.bytes_received, ours.bytes_sent), (2 + 4 + 5 + 4 + 4 + 20000, 2 + 5 + 4 + 20000))
        self.assertEqual((client.messages_received, client.messages_sent), (2, 2))
        self.assertEqual((client.bytes_received, client.bytes_sent), (ours.bytes_sent, ours.bytes_received))

    def test_control_frames_are_no_messages(self) -> None:
        self.serve()
        client = self.open()
        self.server.result(client.ping())
        self.server.result(self.ours.ping())
        self.assertEqual((self.ours.messages_received, self.ours.messages_sent), (0, 0))
        self.assertGreater(self.ours.bytes_received, 0)

    def test_hixie_76_is_counted_as_well(self) -> None:
        self.serve()
        self.echoed(self.open(version=76), "hello")
        self.assertEqual((self.ours.messages_received, self.ours.messages_sent), (1, 1))
        self.assertEqual(self.tally.accepted, {76: 1})

    def test_a_message_in_pieces_is_one(self) -> None:
        def upload(request: Any) -> Accept:
            def handshake(stream: Any, mutex: Any) -> Any:
                async def message(incoming: Any) -> None:
                    async with stream.message() as outgoing:
                        async for piece in incoming:
                            await outgoing.write(piece)

                return message

            return Accept(handshake, pieces=True)

        self.serve(upload, compression=False)
        self.echoed(self.open(), "x" * 100000)
        self.assertEqual((self.ours.messages_received, self.ours.messages_sent), (1, 1))

    def test_a_broadcast_counts_at_each_stream(self) -> None:
        room = Group()

        def chat(request: Any) -> Any:
            def handshake(stream: Any, mutex: Any) -> None:
                room.add(stream)

            return handshake

        self.serve(chat)
        clients = [self.open(), self.open(version=76)]
        room.send("hello")
        for client in clients:
            self.assertEqual(self.server.result(client.receive()), "hello")
        self.assertEqual([stream.messages_sent for stream in room], [1, 1])

    def test_a_message_that_was_not_taken_is_not_counted(self) -> None:
        self.serve()
        self.open().close()
        ours = self.ours
        self.server.settle()
        self.assertFalse(ours.send("late"))
        self.assertEqual(ours.messages_sent, 0)

    def test_the_time_of_pings_is_counted(self) -> None:
        self.serve(ping_interval=5.0)
        self.open()
        self.server.result(self.ours.ping())
        self.server.advance(6)
        self.assertEqual(self.tally.ping_seconds.count, 2)

    def test_ends_are_counted_by_code(self) -> None:
        self.serve()
        client = self.open()
        client.close(4002, "bye")
        self.server.result(client.when_closed())
        self.assertEqual(self.tally.closed, {4002: 1})


class SlowPeerTests(TalliedCase):
    """Peers that do not read."""

    def fill(self, slow_peers: str) -> Any:
        """Open a WebSocket to a peer that takes nothing, and send too much."""
        self.serve(max_send_buffer=1000, slow_peers=slow_peers, send_timeout=30.0, compression=False)
        self.server.connection(self.open()).hold()
        for _ in range(20):
            self.ours.send("x" * 100_000)
        return self.ours

    def test_what_is_done_is_counted(self) -> None:
        for slow_peers in ("close", "drop"):
            with self.subTest(slow_peers=slow_peers):
                ours = self.fill(slow_peers)
                refused = 20 - ours.messages_sent if slow_peers == "drop" else 1
                self.assertGreater(refused, 0)
                self.assertEqual(self.tally.slow, {slow_peers: refused})

    def test_those_who_take_nothing_at_all_are_counted(self) -> None:
        ours = self.fill("wait")
        self.assertGreater(ours.send_buffer, 0)
        self.assertEqual(self.tally.totals().send_buffer, ours.send_buffer)
        self.server.advance(31)
        self.assertEqual(self.tally.slow, {"stuck": 1})


class RateTests(TalliedCase):
    """Peers that send too much."""

    def test_who_sends_more_than_allowed_is_closed_with_1008(self) -> None:
        self.serve(max_message_rate=10)
        client = self.open()
        for number in range(15):
            client.send(str(number))
        for number in range(10):
            self.assertEqual(self.server.result(client.receive()), str(number))
        with self.assertRaises(ConnectionClosed) as closed:
            self.server.result(client.receive())
        self.assertEqual((closed.exception.code, closed.exception.reason), (1008, "over 10 messages in a second"))
        self.assertEqual((self.tally.refused, self.tally.closed), ({(1008, "max_message_rate"): 1}, {1008: 1}))

    def test_on_hixie_the_connection_is_closed(self) -> None:
        self.serve(max_message_rate=10)
        client = self.open(version=76)
        for number in range(15):
            client.send(str(number))
        for number in range(10):
            self.assertEqual(self.server.result(client.receive()), str(number))
        with self.assertRaises(ConnectionClosed):
            self.server.result(client.receive())
        self.assertEqual(self.tally.refused, {(1008, "max_message_rate"): 1})

    def test_who_keeps_to_the_rate_is_not_disturbed(self) -> None:
        self.serve(max_message_rate=10)
        client = self.open()
        for _ in range(5):
            for _ in range(10):
                self.echoed(client, "hello")
            self.server.advance(1)
        self.assertTrue(client.is_open)

    def test_a_rate_may_be_less_than_one(self) -> None:
        self.serve(max_message_rate=0.5)
        client = self.open()
        self.echoed(client, "one")
        self.server.advance(2)
        self.echoed(client, "two")
        client.send("three")
        with self.assertRaises(ConnectionClosed):
            self.server.result(client.receive())
