"""Tests of hunchensocket_tx.outgoing: what else is sent while a message goes out in parts, and closing then."""

from __future__ import annotations

import contextlib

from hunchensocket_tx.errors import UnsupportedMessage
from hunchensocket_tx.wire.frames import FIN, PING, PONG, TEXT
from tests.hybi_stream_support import CONTEXT, HybiPeer, PartsTestCase, Sent, read_messages
from tests.stream_support import CLOSING, Peer
from tests.support import frame_76


class OthersTest(PartsTestCase):
    """Whatever else is sent meanwhile follows behind it."""

    def test_other_messages_follow_in_order(self) -> None:
        peer = HybiPeer().open()
        outgoing = self.begin(peer, "a")
        self.assertTrue(peer.stream.send("first"))
        outgoing.write("b")
        self.assertTrue(peer.stream.send(b"second"))
        self.assertEqual(len(peer.frames), 2)
        self.end(outgoing)
        self.assertEqual(read_messages(peer.frames), ["ab", "first", b"second"])

    def test_on_hixie_too(self) -> None:
        peer = Peer().open()
        outgoing = self.begin(peer, "a")
        peer.stream.send("other")
        outgoing.write("b")
        self.end(outgoing)
        self.assertEqual(peer.received, frame_76("ab") + frame_76("other"))

    def test_they_are_not_compressed_as_the_compressor_is_busy(self) -> None:
        peer = HybiPeer(deflate=CONTEXT).open()
        outgoing = self.begin(peer, "a")
        peer.stream.send("secret " * 50, compress=False)
        peer.stream.send("public " * 50)
        self.end(outgoing)
        self.assertEqual([frame.compressed for frame in peer.frames[-2:]], [False, False])
        self.assertEqual(read_messages(peer.frames), ["a", "secret " * 50, "public " * 50])

    def test_pongs_do_not_wait(self) -> None:
        peer = HybiPeer().open()
        self.begin(peer, "a")
        peer.send_frames(Sent(FIN | PING, b"?"))
        self.assertEqual([frame.opcode for frame in peer.frames], [TEXT, PONG])

    def test_a_second_message_in_parts_waits_for_the_first(self) -> None:
        peer = HybiPeer().open()
        first, second = self.begin(peer, "a"), peer.stream.message()
        entered = self.entering(second)
        self.assertNoResult(entered)
        first.write("b")
        self.end(first)
        self.successResultOf(entered)
        second.write("c")
        self.end(second)
        self.assertEqual(read_messages(peer.frames), ["ab", "c"])

    def test_what_was_sent_before_a_second_one_begins_precedes_it(self) -> None:
        peer = HybiPeer().open()
        first, second = self.begin(peer, "a"), peer.stream.message()
        self.entering(second)
        peer.stream.send("between")
        self.end(first)
        second.write("b")
        self.end(second)
        self.assertEqual(read_messages(peer.frames), ["a", "between", "b"])

    def test_who_waits_for_the_first_to_end_may_give_up(self) -> None:
        peer = HybiPeer().open()
        first, second, third = self.begin(peer, "a"), peer.stream.message(), peer.stream.message()
        given_up, entered = self.entering(second), self.entering(third)
        given_up.cancel()
        self.failureResultOf(given_up)
        self.end(first)
        self.successResultOf(entered)

    def test_a_message_that_the_version_cannot_carry_is_refused_at_once(self) -> None:
        peer = Peer().open()
        outgoing = self.begin(peer, "a")
        self.assertRaises(UnsupportedMessage, peer.stream.send, b"binary")
        self.end(outgoing)
        self.assertEqual(peer.received, frame_76("a"))

    def test_one_that_cannot_be_encoded_does_not_stop_those_behind_it(self) -> None:
        peer = HybiPeer().open()
        outgoing = self.begin(peer, "a")
        with contextlib.suppress(UnicodeEncodeError):  # the earlier it is said the better
            peer.stream.send("\ud800")
        peer.stream.send("behind")
        self.ending(outgoing).addErrback(lambda failure: failure.trap(UnicodeEncodeError))
        self.assertEqual(read_messages(peer.frames), ["a", "behind"])
        self.successResultOf(self.entering(peer.stream.message()))

    def test_they_count_as_waiting_to_be_sent(self) -> None:
        # The peer that takes its time over the parts is slow for them, too.
        peer = HybiPeer(limit=1000, max_send_buffer=5000, slow_peers="drop").open()
        self.begin(peer, "a")
        taken = [peer.stream.send(b"x" * 1000) for _ in range(50)]
        self.assertEqual((taken[0], taken[-1]), (True, False))

    def test_what_was_taken_is_sent_though_the_parts_have_filled_the_buffer(self) -> None:
        peer = HybiPeer(limit=1000, max_send_buffer=5000, slow_peers="drop").open()
        outgoing = self.begin(peer, b"a" * 2000)
        self.assertTrue(peer.stream.send("taken"))
        outgoing.write(b"b" * 10_000)
        self.end(outgoing)
        while peer.transport.waiting:
            peer.transport.take()
        self.assertEqual(read_messages(peer.frames), [b"a" * 2000 + b"b" * 10_000, "taken"])


class HixieTornTest(PartsTestCase):
    """On hixie a closing frame in the midst of a text would end it there, as if it were whole (hybi-00 5.3)."""

    def assert_not_torn(self, peer: Peer) -> None:
        """Check that the message does not end, but the connection does, at the latest when its time is over."""
        peer.clock.advance(60)
        self.assertNotIn(b"\xff", peer.received)
        self.assertTrue(peer.transport.aborted or peer.transport.ended)

    def test_our_close(self) -> None:
        peer = Peer().open()
        self.begin(peer, "half")
        peer.stream.close()
        self.assert_not_torn(peer)

    def test_their_close(self) -> None:
        peer = Peer().open()
        self.begin(peer, "half")
        peer.send(CLOSING)
        self.assert_not_torn(peer)

    def test_their_half_close(self) -> None:
        peer = Peer().open()
        self.begin(peer, "half")
        peer.half_close()
        self.assert_not_torn(peer)

    def test_their_mistake(self) -> None:
        peer = Peer().open()
        self.begin(peer, "half")
        peer.send(b"\x00\xc3\x28\xff")
        self.assert_not_torn(peer)

    def test_silence(self) -> None:
        peer = Peer(websocket_timeout=60).open()
        self.begin(peer, "half")
        peer.clock.advance(60)
        self.assert_not_torn(peer)

    def test_slowness(self) -> None:
        peer = Peer(max_send_buffer=10).open()
        outgoing = self.begin(peer, "half")
        peer.transport.fill()
        self.write(outgoing, "another half")
        peer.stream.send("too much")
        self.assert_not_torn(peer)

    def test_slowness_when_the_end_of_the_message_is_not_sent_yet(self) -> None:
        peer = Peer(max_send_buffer=10).open()
        outgoing = self.begin(peer, "half")
        peer.transport.fill()
        self.write(outgoing, "another half")
        self.end(outgoing)
        peer.stream.send("too much")
        self.assert_not_torn(peer)
