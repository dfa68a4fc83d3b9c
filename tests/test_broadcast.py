"""Tests of hunchensocket_tx.broadcast: one message for many streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx import Group
from hunchensocket_tx.wire.deflate import DeflateParameters
from hunchensocket_tx.wire.events import Message
from tests.hybi_stream_support import (
    CONTEXT,
    LONG,
    NO_CONTEXT,
    HybiPeer,
    close,
    group_of,
    read_messages,
    text,
)
from tests.stream_support import Peer
from tests.support import frame_76

SMALL_WINDOW = DeflateParameters(server_no_context_takeover=True, server_max_window_bits=10)


class EncodingCounter:
    """Counts how often messages are encoded for the streams of some peers."""

    def __init__(self, case: SynchronousTestCase, peers: Sequence[Peer]) -> None:
        self.count = 0
        for peer in peers:
            codec: Any = peer.stream._codec
            case.patch(type(codec), "encode", self.counting(type(codec).encode))

    def counting(self, encode: Any) -> Any:
        if getattr(encode, "counts", False):
            return encode

        def counted(*args: Any, **options: Any) -> bytes:
            self.count += 1
            data: bytes = encode(*args, **options)
            return data

        counted.counts = True  # type: ignore[attr-defined]
        return counted


class MembersTest(SynchronousTestCase):
    """Streams come, and leave by themselves when they close."""

    def test_it_knows_its_streams_in_the_order_in_which_they_came(self) -> None:
        peers = [HybiPeer().open() for _ in range(3)]
        group = group_of(*peers)
        self.assertEqual(len(group), 3)
        self.assertEqual(list(group), [peer.stream for peer in peers])
        self.assertIn(peers[0].stream, group)
        self.assertNotIn(HybiPeer().stream, group)

    def test_one_that_comes_twice_is_there_once(self) -> None:
        peer = HybiPeer().open()
        group = group_of(peer, peer)
        self.assertEqual(len(group), 1)
        self.assertEqual(group.send("once"), 1)
        self.assertEqual(peer.frames, [text("once")])

    def test_one_can_be_discarded(self) -> None:
        peer = HybiPeer().open()
        group = group_of(peer)
        for _ in range(2):
            group.discard(peer.stream)
        self.assertEqual((len(group), group.send("nobody"), peer.frames), (0, 0, []))

    def test_one_can_come_back(self) -> None:
        peer = HybiPeer().open()
        group = group_of(peer)
        group.discard(peer.stream)
        group.add(peer.stream)
        self.assertEqual(group.send("back"), 1)
        peer.drop()
        self.assertEqual(len(group), 0)

    def test_closed_ones_leave(self) -> None:
        peer, stays = HybiPeer().open(), HybiPeer().open()
        group = group_of(peer, stays)
        peer.send_frames(close(1000))
        peer.finish()
        self.assertEqual(list(group), [stays.stream])

    def test_one_that_is_closed_already_does_not_stay(self) -> None:
        peer = HybiPeer().open()
        peer.drop()
        self.assertEqual(len(group_of(peer)), 0)

    def test_closing_ones_get_nothing(self) -> None:
        peer = HybiPeer().open()
        group = group_of(peer)
        peer.stream.close()
        self.assertEqual(group.send("too late"), 0)
        self.assertEqual(peer.frames, [close(1000)])

    def test_one_that_is_not_open_yet_gets_nothing(self) -> None:
        peer = Peer()
        self.assertEqual(group_of(peer).send("too early"), 0)
        self.assertEqual(peer.transport.value(), b"")

    def test_members_may_leave_and_come_while_it_is_gone_through(self) -> None:
        peers = [HybiPeer().open() for _ in range(3)]
        group = group_of(*peers)
        for stream in group:
            group.discard(stream)
            group.add(HybiPeer().open().stream)
        self.assertEqual(len(group), 3)

    def test_a_stream_may_be_in_several_groups(self) -> None:
        peer = HybiPeer().open()
        groups = [group_of(peer), group_of(peer)]
        self.assertEqual([group.send("hello") for group in groups], [1, 1])
        peer.drop()
        self.assertEqual([len(group) for group in groups], [0, 0])


class SendTest(SynchronousTestCase):
    """Everybody gets a message as his connection can carry it."""

    def mixed(self) -> dict[str, Any]:
        """Return open peers of all sorts."""
        return {
            "13": HybiPeer().open(),
            "8": HybiPeer(version=8).open(),
            "context": HybiPeer(deflate=CONTEXT).open(),
            "no context": HybiPeer(deflate=NO_CONTEXT).open(),
            "small window": HybiPeer(deflate=SMALL_WINDOW).open(),
            "76": Peer().open(),
            "75": Peer(version=75).open(),
        }

    def read(self, name: str, peer: Any) -> list[Message]:
        """Return what a peer understands."""
        if isinstance(peer, HybiPeer):
            return read_messages(peer.frames, keeps=name == "context")
        return [part[1:].decode() for part in peer.received.split(b"\xff") if part]

    def test_texts_reach_all_versions(self) -> None:
        peers = self.mixed()
        group = group_of(*peers.values())
        messages = ["short", LONG, "grün " * 100, LONG]
        self.assertEqual([group.send(message) for message in messages], [len(peers)] * 4)
        for name, peer in peers.items():
            with self.subTest(name):
                self.assertEqual(self.read(name, peer), messages)

    def test_bytes_skip_hixie(self) -> None:
        peers = self.mixed()
        self.assertEqual(group_of(*peers.values()).send(b"\xff\x00" * 100), len(peers) - 2)
        for name, peer in peers.items():
            expected = [] if name in ("76", "75") else [b"\xff\x00" * 100]
            self.assertEqual(self.read(name, peer), expected)
            self.assertTrue(peer.stream.is_open)

    def test_it_is_compressed_for_those_with_whom_that_was_agreed_upon(self) -> None:
        peers = self.mixed()
        group_of(*peers.values()).send(LONG)
        for name in ("context", "no context", "small window"):
            self.assertTrue(peers[name].frames[0].compressed)
        for name in ("13", "8"):
            self.assertEqual(peers[name].frames, [text(LONG)])

    def test_it_is_not_compressed_if_the_caller_says_so(self) -> None:
        peers = self.mixed()
        group_of(*peers.values()).send(LONG, compress=False)
        for name, peer in peers.items():
            if name in ("75", "76"):
                self.assertEqual(peer.received, frame_76(LONG))
            else:
                self.assertEqual(peer.frames, [text(LONG)])

    def test_own_messages_may_come_between(self) -> None:
        for deflate in (CONTEXT, NO_CONTEXT):
            peer, other = HybiPeer(deflate=deflate).open(), HybiPeer(deflate=deflate).open()
            group = group_of(peer, other)
            group.send(LONG + "1")
            peer.stream.send(LONG + "2")
            group.send(LONG + "3")
            keeps = deflate is CONTEXT
            self.assertEqual(read_messages(peer.frames, keeps=keeps), [LONG + "1", LONG + "2", LONG + "3"])
            self.assertEqual(read_messages(other.frames, keeps=keeps), [LONG + "1", LONG + "3"])

    def test_some_may_be_left_out(self) -> None:
        peers = [HybiPeer().open() for _ in range(4)]
        group = group_of(*peers)
        self.assertEqual(group.send("others", but=[peers[0].stream, peers[2].stream]), 2)
        self.assertEqual([len(peer.frames) for peer in peers], [0, 1, 0, 1])

    def test_a_set_may_be_left_out_and_strangers_do_no_harm(self) -> None:
        peer = HybiPeer().open()
        group = group_of(peer)
        self.assertEqual(group.send("a", but={peer.stream}), 0)
        self.assertEqual(group.send("b", but=[HybiPeer().stream]), 1)

    def test_one_group_may_be_left_out_of_another(self) -> None:
        peers = [HybiPeer().open() for _ in range(3)]
        everybody, some = group_of(*peers), group_of(peers[0])
        self.assertEqual(everybody.send("others", but=some), 2)

    def test_an_empty_group_sends_to_nobody(self) -> None:
        self.assertEqual(Group().send("anybody?"), 0)

    def test_text_without_utf8_is_refused_and_nobody_gets_it(self) -> None:
        peers = [HybiPeer().open(), Peer().open()]
        self.assertRaises(UnicodeEncodeError, group_of(*peers).send, "\ud800")
        self.assertEqual([peer.received for peer in peers], [b"", b""])


class EncodingTest(SynchronousTestCase):
    """A message is encoded once for all who get the same bytes."""

    def count(self, peers: Sequence[Peer], message: Message = LONG, **options: Any) -> int:
        """Return how often it is encoded for some peers."""
        group, counter = group_of(*peers), EncodingCounter(self, peers)
        self.assertEqual(group.send(message, **options), len(peers))
        return counter.count

    def test_once_for_all_without_compression(self) -> None:
        self.assertEqual(self.count([HybiPeer(version=version).open() for version in (13, 8, 7, 13)]), 1)

    def test_once_for_all_on_hixie(self) -> None:
        self.assertEqual(self.count([Peer(version=version).open() for version in (76, 75, 76)]), 1)

    def test_once_for_all_whose_compression_starts_anew(self) -> None:
        self.assertEqual(self.count([HybiPeer(deflate=NO_CONTEXT).open() for _ in range(5)]), 1)

    def test_once_for_each_size_of_the_window(self) -> None:
        peers = [HybiPeer(deflate=deflate).open() for deflate in (NO_CONTEXT, SMALL_WINDOW) * 2]
        self.assertEqual(self.count(peers), 2)

    def test_for_each_whose_compression_goes_on(self) -> None:
        self.assertEqual(self.count([HybiPeer(deflate=CONTEXT).open() for _ in range(3)]), 3)

    def test_once_for_all_if_it_is_not_to_be_compressed(self) -> None:
        peers = [HybiPeer(deflate=deflate).open() for deflate in (CONTEXT, NO_CONTEXT, None, CONTEXT)]
        self.assertEqual(self.count(peers, compress=False), 1)

    def test_once_for_each_version_that_differs(self) -> None:
        self.assertEqual(self.count([HybiPeer().open(), Peer().open(), HybiPeer().open(), Peer().open()]), 2)

    def test_not_at_all_for_those_who_are_left_out_or_closed(self) -> None:
        peers = [HybiPeer().open(), Peer().open(), HybiPeer(deflate=CONTEXT).open()]
        group, counter = group_of(*peers), EncodingCounter(self, peers)
        peers[2].stream.close()
        self.assertEqual(group.send(LONG, but=[peers[1].stream]), 1)
        self.assertEqual(counter.count, 1)
