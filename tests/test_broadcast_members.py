"""Tests of hunchensocket_tx.broadcast: slow members, and members that are busy with something else."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx import Group
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.wire.frames import CLOSE, FIN, PING
from tests.hybi_stream_support import (
    CONTEXT,
    LONG,
    NO_CONTEXT,
    HybiPeer,
    PartsTestCase,
    Sent,
    binary,
    group_of,
    read_messages,
    text,
)
from tests.stream_support import Peer
from tests.support import frame_76


class SlowPeersTest(SynchronousTestCase):
    """Who reads too slowly is treated as the group says, and nobody else notices."""

    def setUp(self) -> None:
        self.slow = HybiPeer(limit=1000, max_send_buffer=5000, slow_peers="wait").open()
        outflow = self.slow.stream._outflow
        assert outflow is not None
        while outflow.held < 5000:
            self.slow.stream.send(b"x" * 1000)
        self.held = outflow.held
        self.fast = [HybiPeer().open() for _ in range(2)]

    def send(self, **options: Any) -> int:
        """Send a message to a group in the midst of which is the slow one."""
        self.group = group_of(self.fast[0], self.slow, self.fast[1], **options)
        return self.group.send("hello")

    def drain(self) -> list[Sent]:
        """Let the slow one read everything; return what it got besides what filled its buffer."""
        while self.slow.transport.waiting:
            self.slow.transport.take()
        return [frame for frame in self.slow.frames if frame != binary(b"x" * 1000)]

    def assert_others_got_it(self) -> None:
        for peer in self.fast:
            self.assertEqual(peer.frames, [text("hello")])

    def test_drop_leaves_the_message_out(self) -> None:
        self.assertEqual(self.send(slow_peers="drop"), 2)
        self.assert_others_got_it()
        self.assertTrue(self.slow.stream.is_open)
        self.assertEqual(self.drain(), [])
        self.assertEqual(self.group.send("again"), 3)
        self.assertEqual(self.drain(), [text("again")])

    def test_drop_is_the_default(self) -> None:
        self.assertEqual(self.send(), 2)
        self.assertTrue(self.slow.stream.is_open)
        self.assertEqual(self.drain(), [])

    def test_close_closes_it_with_1013(self) -> None:
        self.assertEqual(self.send(slow_peers="close"), 2)
        self.assert_others_got_it()
        self.assertFalse(self.slow.stream.is_open)
        last = self.slow.frames[-1]
        self.assertEqual((last.opcode, last.payload[:2]), (CLOSE, (1013).to_bytes(2, "big")))
        self.slow.drop()
        self.assertNotIn(self.slow.stream, self.group)
        self.assertEqual(self.successResultOf(self.slow.stream.when_closed()).code, 1013)

    def test_wait_keeps_the_message(self) -> None:
        self.assertEqual(self.send(slow_peers="wait"), 3)
        self.assert_others_got_it()
        self.assertEqual(self.drain(), [text("hello")])

    def test_a_dropped_message_does_not_spoil_the_compression_of_the_next(self) -> None:
        peer = HybiPeer(limit=1000, max_send_buffer=5000, slow_peers="wait", deflate=CONTEXT).open()
        group = group_of(peer)
        for _ in range(10):
            peer.stream.send(b"x" * 1000, compress=False)
        self.assertEqual(group.send(LONG + "dropped"), 0)
        while peer.transport.waiting:
            peer.transport.take()
        self.assertEqual(group.send(LONG + "taken"), 1)
        self.assertEqual(read_messages(peer.frames)[-1], LONG + "taken")


class ReentranceTest(SynchronousTestCase):
    """Sending may have other streams closed, or the group changed, in its midst."""

    def test_a_stream_that_closes_during_a_send_gets_nothing(self) -> None:
        first, second, third = (HybiPeer().open() for _ in range(3))
        group = group_of(first, second, third)
        write = first.transport.write

        def write_and_drop(data: bytes) -> None:
            write(data)
            second.drop()

        first.transport.write = write_and_drop  # type: ignore[method-assign]
        self.assertEqual(group.send("hello"), 2)
        self.assertEqual(second.frames, [])
        self.assertEqual(third.frames, [text("hello")])
        self.assertNotIn(second.stream, group)

    def test_one_that_is_closed_as_too_slow_may_have_others_leave(self) -> None:
        first, second = HybiPeer(limit=1000, max_send_buffer=1).open(), HybiPeer().open()
        group = group_of(first, second, slow_peers="close")
        for _ in range(2):
            first.stream.send(b"x" * 2000)
        first.stream.drained().addErrback(lambda _: group.discard(second.stream))
        self.assertEqual(group.send("hello"), 1)
        self.assertEqual(len(group), 1)

    def test_a_handler_may_send_to_the_group_that_it_is_in(self) -> None:
        group = Group()

        def handshake(stream: WebSocketStream, mutex: object) -> Any:
            group.add(stream)
            return lambda message: group.send(message)

        peers = [HybiPeer(handshake).open() for _ in range(2)]
        peers[0].say("hello", "again")
        for peer in peers:
            self.assertEqual(peer.frames, [text("hello"), text("again")])


class PartsTest(PartsTestCase):
    """A message for all follows behind one that is on its way in parts to one of them."""

    def check(self, peer: Any, other: Any, keeps: bool, **options: Any) -> list[Sent]:
        """Send to a group of two while one gets another message in parts; return what that one was sent."""
        group = group_of(peer, other)
        outgoing = self.begin(peer, "a" * 500)
        self.assertEqual(group.send(LONG, **options), 2)
        self.write(outgoing, "b" * 500)
        self.end(outgoing)
        self.assertEqual(read_messages(peer.frames, keeps=keeps), ["a" * 500 + "b" * 500, LONG])
        self.assertEqual(read_messages(other.frames, keeps=keeps), [LONG])
        frames: list[Sent] = peer.frames
        return frames

    def test_without_compression(self) -> None:
        self.check(HybiPeer().open(), HybiPeer().open(), False)

    def test_with_compression_that_goes_on(self) -> None:
        self.check(HybiPeer(deflate=CONTEXT).open(), HybiPeer(deflate=CONTEXT).open(), True)

    def test_with_compression_that_starts_anew(self) -> None:
        self.check(HybiPeer(deflate=NO_CONTEXT).open(), HybiPeer(deflate=NO_CONTEXT).open(), False)

    def test_it_is_not_compressed_if_the_caller_says_so(self) -> None:
        peer, other = HybiPeer(deflate=CONTEXT).open(), HybiPeer(deflate=CONTEXT).open()
        frames = self.check(peer, other, True, compress=False)
        self.assertFalse(frames[-1].compressed)

    def test_on_hixie(self) -> None:
        peer, other = Peer().open(), Peer().open()
        group = group_of(peer, other)
        outgoing = self.begin(peer, "a")
        self.assertEqual(group.send("hello"), 2)
        self.assertEqual(other.received, frame_76("hello"))
        self.end(outgoing)
        self.assertEqual(peer.received, frame_76("a") + frame_76("hello"))

    def test_control_frames_of_others_do_not_matter(self) -> None:
        peer, other = HybiPeer().open(), HybiPeer().open()
        group = group_of(peer, other)
        other.send_frames(Sent(FIN | PING, b"?"))
        group.send("hello")
        self.assertEqual(other.frames[-1], text("hello"))
