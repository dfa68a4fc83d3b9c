"""Tests of a WebSocketStream's closing handshake, begun by either side or an error (hunchensocket_tx.stream)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import DeferredLock
from twisted.trial.unittest import TestCase

from hunchensocket_tx.resource import WebSocketResource
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.wire.events import CloseReason
from tests.stream_support import CLOSING, ClosingTestCase, Peer, PendingHandler
from tests.support import KEY3, RESPONSE, frame_76, open_76, serve

CLEAN = CloseReason(1005, "", True)


class OurCloseTest(ClosingTestCase):
    """We begin the closing handshake (hybi-00 1.4, 5.3)."""

    def test_it_writes_the_closing_frame_once(self) -> None:
        peer = Peer().open()
        for _ in range(3):
            peer.stream.close()
        self.assertEqual(peer.received, CLOSING)

    def test_codes_and_reasons_are_left_out(self) -> None:
        peer = Peer().open()
        peer.stream.close(4000, "enough of this")
        self.assertEqual(peer.received, CLOSING)

    def test_it_comes_behind_what_was_sent_before(self) -> None:
        peer = Peer().open()
        peer.stream.send("last words")
        peer.stream.close()
        self.assertEqual(peer.received, frame_76("last words") + CLOSING)

    def test_nothing_is_sent_behind_it(self) -> None:
        peer = Peer().open()
        peer.stream.close()
        self.assertFalse(peer.stream.send("too late"))
        peer.stream.write("too late")
        self.assertEqual(peer.received, CLOSING)

    def test_it_waits_for_the_answer(self) -> None:
        peer = Peer().open()
        peer.stream.close()
        self.assertTrue(peer.transport.reading)
        self.assertFalse(peer.transport.ended)
        self.assertNoResult(peer.stream.when_closed())

    def test_the_answer_ends_it_cleanly(self) -> None:
        peer = Peer().open()
        peer.stream.close()
        peer.send(CLOSING)
        self.assertTrue(peer.transport.ended)
        self.assertFalse(peer.transport.aborted)
        self.assertEqual(peer.received, CLOSING)
        peer.finish()
        self.assertEqual(self.successResultOf(peer.stream.when_closed()), CLEAN)

    def test_tcp_may_end_in_any_way_after_the_answer(self) -> None:
        peer = Peer().open()
        peer.stream.close()
        peer.send(CLOSING)
        peer.drop()
        self.assert_end(peer, 1005, True)

    def test_messages_before_the_answer_do_no_harm(self) -> None:
        peer = Peer().open()
        peer.stream.close()
        peer.send(frame_76("on its way") + CLOSING)
        peer.finish()
        self.assert_end(peer, 1005, True)

    def test_without_an_answer_the_connection_is_dropped_in_time(self) -> None:
        peer = Peer(closing_timeout=7).open()
        peer.stream.close()
        peer.clock.advance(6.9)
        self.assertFalse(peer.transport.aborted)
        peer.clock.advance(0.2)
        self.assertTrue(peer.transport.aborted)

    def test_a_handler_may_close(self) -> None:
        peer = Peer(lambda stream, mutex: lambda text: stream.close()).open()
        peer.say("bye")
        self.assertEqual(peer.received, CLOSING)
        peer.send(CLOSING)
        peer.finish()
        self.assert_end(peer, 1005, True)

    def test_a_handshake_handler_may_close(self) -> None:
        peer = Peer(lambda stream, mutex: stream.close()).open()
        self.assertEqual(peer.received, CLOSING)

    def test_closing_before_the_opening_handshake_is_complete_drops_the_connection(self) -> None:
        peer = Peer()
        peer.stream.close()
        self.assertTrue(peer.transport.aborted)
        self.assertEqual(peer.transport.value(), b"")

    def test_closing_what_is_closed_does_nothing(self) -> None:
        peer = Peer().open()
        peer.drop()
        peer.stream.close()
        self.assertEqual(peer.received, b"")

    def test_a_paused_stream_still_finds_the_answer(self) -> None:
        peer = Peer().open()
        peer.stream.pauseProducing()
        peer.stream.close()
        self.assertTrue(peer.transport.reading)
        peer.send(CLOSING)
        self.assertTrue(peer.transport.ended)
        peer.finish()
        self.assert_end(peer, 1005, True)

    def test_version_75_ends_tcp_without_a_frame(self) -> None:
        peer = Peer(version=75).open()
        peer.stream.send("last words")
        peer.stream.close()
        self.assertEqual(peer.received, frame_76("last words"))
        self.assertTrue(peer.transport.ended)
        self.assertFalse(peer.transport.aborted)


class BusyCloseTest(ClosingTestCase):
    """A handler that takes its time does not keep a closing stream from finding the peer's answer."""

    def setUp(self) -> None:
        self.handler = PendingHandler()
        self.peer = Peer(self.handler, max_message_size=100).open("a")

    def test_reading_goes_on_for_it(self) -> None:
        self.assertFalse(self.peer.transport.reading)
        self.peer.stream.close()
        self.assertTrue(self.peer.transport.reading)

    def test_reading_goes_on_for_a_limited_number_of_bytes(self) -> None:
        self.peer.stream.close()
        self.peer.say("x" * 60)
        self.assertTrue(self.peer.transport.reading)
        self.peer.say("x" * 60)
        self.assertFalse(self.peer.transport.reading)

    def test_the_answer_is_found_when_the_handler_is_done(self) -> None:
        self.peer.stream.close()
        self.peer.send(CLOSING)
        self.handler.finish()
        self.peer.finish()
        self.assert_end(self.peer, 1005, True)

    def test_the_answer_is_acted_upon_at_once(self) -> None:
        # Nothing that the handler might still send could be sent; there is no reason to make the peer wait.
        self.peer.stream.close()
        self.peer.send(CLOSING)
        self.assertTrue(self.peer.transport.ended)

    def test_the_end_is_clean_though_the_handler_is_never_done(self) -> None:
        self.peer.stream.close()
        self.peer.send(CLOSING)
        self.peer.drop()
        self.assert_end(self.peer, 1005, True)

    def test_a_peer_that_has_closed_meanwhile_is_answered_at_once(self) -> None:
        self.peer.send(CLOSING)
        self.peer.stream.close()
        self.assertEqual(self.peer.received, CLOSING)
        self.assertTrue(self.peer.transport.ended)
        self.peer.drop()
        self.assert_end(self.peer, 1005, True)

    def test_a_handler_may_wait_for_the_end(self) -> None:
        ends: list[CloseReason] = []

        def handshake(stream: WebSocketStream, mutex: DeferredLock) -> Any:
            async def message(text: str) -> None:
                stream.close()
                ends.append(await stream.when_closed())

            return message

        peer = Peer(handshake).open("bye")
        peer.send(CLOSING)
        self.assertTrue(peer.transport.ended)
        peer.finish()
        self.assertEqual(ends, [CLEAN])

    def test_what_the_handler_sends_too_late_is_dropped(self) -> None:
        self.peer.stream.close()
        self.handler.finish()
        self.assertEqual(self.peer.received, CLOSING)

    def test_without_an_answer_the_connection_is_dropped_in_time(self) -> None:
        self.peer.stream.close()
        self.peer.clock.advance(60)
        self.assertTrue(self.peer.transport.aborted)


class TheirCloseTest(ClosingTestCase):
    """The peer begins the closing handshake (hybi-00 1.4, 5.3)."""

    def test_it_is_answered_and_tcp_ended(self) -> None:
        peer = Peer().open()
        peer.send(CLOSING)
        self.assertEqual(peer.received, CLOSING)
        self.assertTrue(peer.transport.ended)
        self.assertFalse(peer.transport.aborted)

    def test_it_is_clean(self) -> None:
        peer = Peer().open()
        peer.send(CLOSING)
        peer.finish()
        self.assertEqual(self.successResultOf(peer.stream.when_closed()), CLEAN)

    def test_in_the_segment_of_key3(self) -> None:
        peer = Peer()
        peer.send(KEY3 + frame_76("hello") + CLOSING)
        self.assertEqual(peer.messages, ["hello"])
        self.assertEqual(peer.transport.value(), RESPONSE + CLOSING)

    def test_nothing_behind_it_is_delivered(self) -> None:
        peer = Peer().open()
        peer.send(CLOSING + frame_76("ghost"))
        peer.say("ghost")
        self.assertEqual(peer.messages, [])
        self.assertEqual(peer.received, CLOSING)

    def test_nothing_can_be_sent_any_more(self) -> None:
        peer = Peer().open()
        peer.send(CLOSING)
        self.assertFalse(peer.stream.send("too late"))
        peer.stream.close()
        self.assertEqual(peer.received, CLOSING)

    def test_answers_to_earlier_messages_are_sent_first(self) -> None:
        handler = PendingHandler()
        peer = Peer(handler).open("a", "b")
        peer.send(CLOSING)
        self.assertEqual(peer.received, b"")
        handler.finish()
        handler.finish()
        self.assertEqual(peer.received, frame_76("A") + frame_76("B") + CLOSING)
        self.assertTrue(peer.transport.ended)

    def test_a_peer_that_takes_nothing_is_dropped_in_time(self) -> None:
        peer = Peer(closing_timeout=7).open()
        peer.send(CLOSING)
        peer.clock.advance(7)
        self.assertTrue(peer.transport.aborted)

    def test_both_may_close_at_once(self) -> None:
        peer = Peer(lambda stream, mutex: lambda text: stream.close()).open()
        peer.send(frame_76("bye") + CLOSING)
        self.assertEqual(peer.received, CLOSING)
        self.assertTrue(peer.transport.ended)
        peer.finish()
        self.assert_end(peer, 1005, True)


class ProtocolErrorTest(ClosingTestCase):
    """The peer breaks the protocol or a limit: we say good-bye, and close our side only, lest it be reset."""

    errors = (("bad UTF-8", b"\x00\xc3\x28\xff", 1007), ("too big", b"\x00" + b"x" * 101, 1009))

    def test_it_is_told_and_our_side_is_closed(self) -> None:
        for name, data, _ in self.errors:
            with self.subTest(error=name):
                peer = Peer(max_message_size=100).open()
                peer.send(data)
                self.assertEqual(peer.received, CLOSING)
                self.assertTrue(peer.transport.half_closed)
                self.assertFalse(peer.transport.disconnecting)
                self.assertFalse(peer.stream.send("too late"))

    def test_the_end_is_unclean_and_has_a_code(self) -> None:
        for name, data, code in self.errors:
            with self.subTest(error=name):
                peer = Peer(max_message_size=100).open()
                peer.send(data)
                peer.half_close()
                self.assertTrue(peer.transport.ended)
                peer.finish()
                self.assert_end(peer, code, False)

    def test_messages_before_it_are_delivered_and_none_behind_it(self) -> None:
        peer = Peer().open()
        peer.send(frame_76("before") + b"\x00\xc3\x28\xff" + frame_76("behind"))
        peer.say("behind")
        self.assertEqual(peer.messages, ["before"])

    def test_a_peer_that_goes_on_is_dropped_in_time(self) -> None:
        peer = Peer(closing_timeout=7).open()
        peer.send(b"\x00\xc3\x28\xff")
        for _ in range(7):
            peer.say("whatever")
            peer.clock.advance(1)
        self.assertTrue(peer.transport.aborted)

    def test_other_connections_do_not_notice(self) -> None:
        bad, good = Peer().open(), Peer().open()
        bad.send(b"\x00\xc3\x28\xff")
        good.say("fine")
        self.assertEqual(good.messages, ["fine"])

    def test_bad_utf8_may_be_replaced(self) -> None:
        peer = Peer(invalid_utf8="replace").open()
        peer.send(b"\x00\xc3\x28\xff")
        self.assertEqual(peer.messages, ["\N{REPLACEMENT CHARACTER}("])


class SocketTest(TestCase):
    """Ends on real sockets."""

    async def serve(self, handshake: Any) -> Any:
        return await serve(self, WebSocketResource(lambda request: handshake))

    async def test_the_client_closes(self) -> None:
        streams: list[WebSocketStream] = []
        client = await open_76(self, await self.serve(lambda stream, mutex: streams.append(stream)))
        client.write(CLOSING)
        await client.closed
        self.assertEqual(client.data, CLOSING)
        self.assertEqual(await streams[0].when_closed(), CLEAN)

    async def test_the_server_closes(self) -> None:
        streams: list[WebSocketStream] = []

        def handshake(stream: WebSocketStream, mutex: DeferredLock) -> None:
            streams.append(stream)
            stream.close()

        client = await open_76(self, await self.serve(handshake))
        await client.until(CLOSING)
        client.write(CLOSING)
        await client.closed
        self.assertEqual(await streams[0].when_closed(), CLEAN)

    async def test_a_client_whose_text_is_bad_reads_the_closing_frame(self) -> None:
        client = await open_76(self, await self.serve(lambda stream, mutex: None))
        client.write(b"\x00\xc3\x28\xff" + b"x" * 100_000)
        await client.closed
        self.assertEqual(client.data, CLOSING)
