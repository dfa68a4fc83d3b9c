"""Tests of a WebSocketStream whose TCP connection ends, wholly or by half (hunchensocket_tx.stream)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.trial.unittest import TestCase

from hunchensocket_tx.resource import WebSocketResource
from hunchensocket_tx.stream import WebSocketStream
from tests.stream_support import CLOSING, ClosingTestCase, Peer, PendingHandler
from tests.support import connect, frame_76, open_76, request_76, serve


class LostTest(ClosingTestCase):
    """TCP ends without a closing handshake: unclean, 1006."""

    def test_it_is_unclean(self) -> None:
        peer = Peer().open()
        peer.drop()
        self.assert_end(peer, 1006, False)

    def test_it_is_unclean_also_if_tcp_ended_in_peace(self) -> None:
        peer = Peer().open()
        peer.finish()
        self.assert_end(peer, 1006, False)

    def test_it_is_unclean_if_our_close_was_not_answered(self) -> None:
        peer = Peer().open()
        peer.stream.close()
        peer.drop()
        self.assert_end(peer, 1006, False)

    def test_it_is_unclean_before_the_stream_was_open(self) -> None:
        peer = Peer()
        peer.drop()
        self.assert_end(peer, 1006, False)

    def test_the_reason_says_why(self) -> None:
        peer = Peer().open()
        peer.drop()
        self.assertIn("lost", self.successResultOf(peer.stream.when_closed()).reason.lower())

    def test_sending_afterwards_is_not_taken(self) -> None:
        peer = Peer().open()
        peer.drop()
        self.assertFalse(peer.stream.send("too late"))

    def test_messages_that_arrived_before_are_delivered(self) -> None:
        handler = PendingHandler()
        peer = Peer(handler).open("a", "b", "c")
        peer.drop()
        handler.finish()
        handler.finish()
        self.assertEqual(handler.started, ["a", "b", "c"])

    def test_messages_that_arrived_during_the_handshake_handler_are_delivered(self) -> None:
        handshake: Deferred[Any] = Deferred()
        got: list[str] = []
        peer = Peer(lambda stream, mutex: handshake).open("a", "b")
        peer.drop()
        handshake.callback(got.append)
        self.assertEqual(got, ["a", "b"])

    def test_messages_kept_by_a_pause_are_delivered_when_resumed(self) -> None:
        peer = Peer().open()
        peer.stream.pauseProducing()
        peer.say("a")
        peer.drop()
        peer.stream.resumeProducing()
        self.assertEqual(peer.messages, ["a"])

    def test_no_timer_is_left(self) -> None:
        def never(peer: Peer) -> None:
            """Leave the opening handshake incomplete."""

        stages = [never, lambda peer: peer.open(), lambda peer: peer.open().stream.close()]
        for number, stage in enumerate([*stages, lambda peer: peer.open().send(CLOSING)]):
            with self.subTest(stage=number):
                peer = Peer()
                stage(peer)
                peer.drop()
                self.assertEqual(peer.clock.getDelayedCalls(), [])


class WhenClosedTest(ClosingTestCase):
    """``when_closed`` fires for all who ask."""

    def test_it_fires_for_all_who_asked_before_and_after(self) -> None:
        peer = Peer().open()
        before = [peer.stream.when_closed() for _ in range(3)]
        peer.drop()
        results = [self.successResultOf(waiter) for waiter in [*before, peer.stream.when_closed()]]
        self.assertEqual({(end.code, end.clean) for end in results}, {(1006, False)})

    def test_waiting_can_be_given_up(self) -> None:
        peer = Peer().open()
        given_up, other = peer.stream.when_closed(), peer.stream.when_closed()
        given_up.addErrback(lambda _: None)
        given_up.cancel()
        peer.drop()
        self.successResultOf(other)

    def test_it_may_be_asked_from_its_own_callback(self) -> None:
        peer = Peer().open()
        chained = peer.stream.when_closed().addCallback(lambda _: peer.stream.when_closed())
        peer.drop()
        self.successResultOf(chained)

    def test_in_its_callback_the_stream_is_closed(self) -> None:
        peer = Peer().open()
        sent = peer.stream.when_closed().addCallback(lambda _: peer.stream.send("too late"))
        peer.drop()
        self.assertFalse(self.successResultOf(sent))


class AbortTest(ClosingTestCase):
    """``abort`` drops the connection at once."""

    def test_it_aborts_the_transport_without_a_closing_frame(self) -> None:
        peer = Peer().open()
        peer.stream.abort()
        self.assertTrue(peer.transport.aborted)
        self.assertEqual(peer.received, b"")

    def test_it_is_unclean(self) -> None:
        peer = Peer().open()
        peer.stream.abort()
        peer.drop()
        self.assert_end(peer, 1006, False)

    def test_nothing_is_taken_afterwards(self) -> None:
        # The transport tells its end in a later turn of the reactor only.
        peer = Peer().open()
        peer.stream.abort()
        self.assertFalse(peer.stream.send("too late"))
        peer.stream.close()
        self.assertEqual(peer.received, b"")

    def test_messages_at_hand_are_not_delivered_any_more(self) -> None:
        got: list[str] = []

        def handshake(stream: WebSocketStream, mutex: DeferredLock) -> Any:
            def message(text: str) -> None:
                got.append(text)
                stream.abort()

            return message

        Peer(handshake).open("a", "b")
        self.assertEqual(got, ["a"])

    def test_it_may_be_called_again(self) -> None:
        peer = Peer().open()
        peer.stream.abort()
        peer.stream.abort()
        peer.drop()
        peer.stream.abort()
        self.assert_end(peer, 1006, False)


class HalfCloseTest(ClosingTestCase):
    """The peer shuts down its side of TCP, and may still read (IHalfCloseableProtocol)."""

    def test_we_close_and_end_tcp(self) -> None:
        peer = Peer().open()
        peer.half_close()
        self.assertEqual(peer.received, CLOSING)
        self.assertTrue(peer.transport.ended)
        peer.finish()
        self.assert_end(peer, 1006, False)

    def test_the_answer_of_a_pending_handler_is_sent_first(self) -> None:
        handler = PendingHandler()
        peer = Peer(handler).open("a", "b")
        peer.half_close()
        self.assertFalse(peer.transport.ended)
        handler.finish()
        handler.finish()
        self.assertEqual(peer.received, frame_76("A") + frame_76("B") + CLOSING)
        self.assertTrue(peer.transport.ended)

    def test_behind_a_closing_frame_the_end_is_clean(self) -> None:
        peer = Peer().open()
        peer.send(CLOSING)
        peer.half_close()
        peer.finish()
        self.assert_end(peer, 1005, True)

    def test_instead_of_an_answer_to_our_close_it_ends_tcp(self) -> None:
        peer = Peer().open()
        peer.stream.close()
        peer.half_close()
        self.assertEqual(peer.received, CLOSING)
        self.assertTrue(peer.transport.ended)
        peer.finish()
        self.assert_end(peer, 1006, False)

    def test_before_key3_it_ends_tcp_without_a_frame(self) -> None:
        peer = Peer()
        peer.half_close()
        self.assertEqual(peer.transport.value(), b"")
        self.assertTrue(peer.transport.ended)

    def test_a_peer_that_takes_nothing_is_dropped_in_time(self) -> None:
        peer = Peer(closing_timeout=7).open()
        peer.half_close()
        peer.clock.advance(7)
        self.assertTrue(peer.transport.aborted)


class SocketTest(TestCase):
    """Ends of real sockets."""

    async def test_a_client_that_shuts_down_its_side_gets_its_answer(self) -> None:
        handler = PendingHandler()
        client = await open_76(self, await serve(self, WebSocketResource(lambda request: handler)))
        transport: Any = client.transport
        client.write(frame_76("question"))
        transport.loseWriteConnection()
        await handler.asked
        handler.finish()
        await client.closed
        self.assertEqual(client.data, frame_76("QUESTION") + CLOSING)

    async def test_a_client_that_vanishes_is_noticed(self) -> None:
        streams: list[WebSocketStream] = []
        resource = WebSocketResource(lambda request: lambda stream, mutex: streams.append(stream))
        client = await open_76(self, await serve(self, resource))
        client.abort()
        end = await streams[0].when_closed()
        self.assertEqual((end.code, end.clean), (1006, False))
        self.assertEqual(resource.streams, set())

    async def test_aborting_drops_the_client(self) -> None:
        resource = WebSocketResource(lambda request: lambda stream, mutex: stream.abort())
        client = await connect(self, address := await serve(self, resource))
        client.write(request_76(address))
        await client.closed
