"""Tests of hunchensocket_tx.outgoing: messages that are sent part by part."""

from __future__ import annotations

from random import Random
from string import ascii_letters
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock

from hunchensocket_tx.errors import ConnectionClosed, MisuseError, UnsupportedMessage
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.wire.events import Message
from hunchensocket_tx.wire.frames import BINARY, CLOSE, CONTINUATION, TEXT
from tests.hybi_stream_support import (
    CONTEXT,
    NO_CONTEXT,
    HybiPeer,
    PartsTestCase,
    Sent,
    close,
    read_messages,
)
from tests.stream_support import Peer
from tests.support import frame_76


class PartsTest(PartsTestCase):
    """A message goes out in fragments (RFC 6455 section 5.4)."""

    def test_the_first_fragment_has_the_kind_and_the_last_says_so(self) -> None:
        for parts, opcode in ((("a", "b"), TEXT), ((b"a", b"b"), BINARY)):
            peer = HybiPeer().open()
            self.send_parts(peer, *parts)
            self.assertEqual([frame.opcode for frame in peer.frames], [opcode, CONTINUATION, CONTINUATION])
            self.assertEqual([frame.final for frame in peer.frames], [False, False, True])

    def test_parts_are_sent_at_once(self) -> None:
        peer = HybiPeer().open()
        self.begin(peer, "a")
        self.assertEqual(peer.frames, [Sent(TEXT, b"a")])

    def test_the_peer_gets_one_message_of_the_kind_of_the_parts(self) -> None:
        for parts, whole in ((("grü", "n", "e"), "grüne"), ((b"\xff", b"\x00"), b"\xff\x00")):
            peer = HybiPeer().open()
            self.send_parts(peer, *parts)
            self.assertEqual(read_messages(peer.frames), [whole])

    def test_an_empty_message_is_an_empty_text(self) -> None:
        peer = HybiPeer().open()
        self.send_parts(peer)
        self.assertEqual(read_messages(peer.frames), [""])

    def test_empty_parts_change_nothing_but_the_kind(self) -> None:
        for parts, whole in ((("", "a", ""), "a"), ((b"", b""), b"")):
            peer = HybiPeer().open()
            self.send_parts(peer, *parts)
            self.assertEqual(read_messages(peer.frames), [whole])

    def test_parts_of_two_kinds_are_refused(self) -> None:
        for first, second in (("a", b"b"), (b"a", "b"), ("", b"b")):
            peer = HybiPeer().open()
            outgoing = self.begin(peer, first)
            before = peer.frames
            self.assertRaises(MisuseError, outgoing.write, second)
            self.assertEqual(peer.frames, before)

    def test_on_hixie_it_is_one_frame_of_text(self) -> None:
        for version in (75, 76):
            peer = Peer(version=version).open()
            outgoing = self.begin(peer, "a", "b")
            self.assertEqual(peer.received, b"\x00ab")
            self.end(outgoing)
            self.assertEqual(peer.received, frame_76("ab"))

    def test_on_hixie_an_empty_one_is_an_empty_frame(self) -> None:
        peer = Peer().open()
        self.send_parts(peer)
        self.assertEqual(peer.received, frame_76(""))

    def test_on_hixie_bytes_are_unsupported(self) -> None:
        peer = Peer().open()
        outgoing = self.begin(peer)
        self.assertRaises(UnsupportedMessage, outgoing.write, b"a")

    def test_it_can_be_used_in_a_handler(self) -> None:
        def handshake(stream: WebSocketStream, mutex: DeferredLock) -> Any:
            async def message(letters: str) -> None:
                async with stream.message() as outgoing:
                    for letter in letters:
                        await outgoing.write(letter)

            return message

        peer = HybiPeer(handshake).open("abc", "de")
        self.assertEqual(read_messages(peer.frames), ["abc", "de"])


class DeflateTest(PartsTestCase):
    """A message in parts is compressed as a whole (RFC 7692 section 7.2.1)."""

    def exchange(self, *messages: tuple[Message, ...], compress: bool = True) -> None:
        """Check that messages in parts are understood, with other messages between them."""
        for deflate in (CONTEXT, NO_CONTEXT):
            peer = HybiPeer(deflate=deflate).open()
            expected: list[Message] = []
            for parts in messages:
                self.send_parts(peer, *parts, compress=compress)
                kind: Any = parts[0][:0] if parts else ""
                expected.append(kind.join(parts))
                peer.stream.send("whole, " * 20)
                expected.append("whole, " * 20)
            self.assertEqual(read_messages(peer.frames, keeps=deflate is CONTEXT), expected)

    def test_it_is_understood(self) -> None:
        self.exchange(("a" * 500, "b" * 500), (b"c" * 500, b"d"))

    def test_an_empty_one_is_understood_also_after_others(self) -> None:
        self.exchange((), ("a" * 500,), (), (), ("",), (b"", b""))

    def test_the_first_fragment_alone_is_marked(self) -> None:
        peer = HybiPeer(deflate=CONTEXT).open()
        noise = "".join(Random(1).choices(ascii_letters, k=100_000))
        self.send_parts(peer, noise[:50_000], noise[50_000:])
        self.assertGreater(len(peer.frames), 1)
        self.assertEqual([frame.compressed for frame in peer.frames], [True] + [False] * (len(peer.frames) - 1))

    def test_it_is_not_compressed_if_the_caller_says_so(self) -> None:
        peer = HybiPeer(deflate=CONTEXT).open()
        self.send_parts(peer, "a" * 500, "b" * 500, compress=False)
        self.assertFalse(any(frame.compressed for frame in peer.frames))
        self.assertEqual(read_messages(peer.frames), ["a" * 500 + "b" * 500])


class BackpressureTest(PartsTestCase):
    """Who writes parts waits for slow readers."""

    def test_it_waits_while_the_transport_is_full(self) -> None:
        for peer in (HybiPeer().open(), Peer().open()):
            outgoing = self.begin(peer)
            self.successResultOf(outgoing.write("a"))
            peer.transport.fill()
            written = outgoing.write("b")
            self.assertNoResult(written)
            peer.transport.empty()
            self.successResultOf(written)

    def test_it_fails_when_the_connection_ends(self) -> None:
        peer = HybiPeer().open()
        outgoing = self.begin(peer)
        peer.transport.fill()
        written = outgoing.write("b")
        peer.drop()
        self.failureResultOf(written, ConnectionClosed)
        self.failureResultOf(outgoing.write("c"), ConnectionClosed)

    def test_a_handler_whose_peer_has_left_ends_quietly(self) -> None:
        def handshake(stream: WebSocketStream, mutex: DeferredLock) -> Any:
            async def message(_: str) -> None:
                async with stream.message() as outgoing:
                    while True:
                        await outgoing.write("x" * 2000)

            return message

        peer = HybiPeer(handshake).open("go")
        peer.drop()
        self.assertEqual(self.flushLoggedErrors(), [])


class ErrorTest(PartsTestCase):
    """A message that cannot be completed ends the connection."""

    def test_an_error_in_the_block_closes_with_1011(self) -> None:
        peer = HybiPeer().open()
        self.successResultOf(self.ending(self.begin(peer, "a"), ZeroDivisionError()))
        self.assertEqual(peer.frames[0], Sent(TEXT, b"a"))
        self.assertEqual(peer.frames[1].payload[:2], (1011).to_bytes(2, "big"))
        self.assertEqual(len(peer.frames), 2)
        self.assertFalse(peer.stream.is_open)

    def test_on_hixie_it_drops_the_connection_as_nothing_else_would_be_understood(self) -> None:
        for version in (75, 76):
            peer = Peer(version=version).open()
            self.successResultOf(self.ending(self.begin(peer, "a"), ZeroDivisionError()))
            self.assertEqual(peer.received, b"\x00a")
            self.assertTrue(peer.transport.aborted)

    def test_what_was_to_follow_is_dropped(self) -> None:
        peer = HybiPeer().open()
        outgoing = self.begin(peer, "a")
        peer.stream.send("other")
        self.successResultOf(self.ending(outgoing, ZeroDivisionError()))
        self.assertEqual([frame.opcode for frame in peer.frames], [TEXT, CLOSE])

    def test_the_error_is_the_caller_s_to_see(self) -> None:
        peer = HybiPeer().open()

        async def fail() -> None:
            async with peer.stream.message():
                raise ZeroDivisionError

        self.failureResultOf(Deferred.fromCoroutine(fail()), ZeroDivisionError)

    def test_a_second_message_that_waits_does_not_wait_for_ever(self) -> None:
        peer = HybiPeer().open()
        first, second = self.begin(peer, "a"), peer.stream.message()
        entered = self.entering(second)
        self.successResultOf(self.ending(first, ZeroDivisionError()))
        self.assertTrue(entered.called)
        if entered.called:
            entered.addErrback(lambda failure: failure.trap(ConnectionClosed))


class ClosingTest(PartsTestCase):
    """The connection closes in the midst of a message (RFC 6455 section 5.4: control frames may come between)."""

    def test_our_close_comes_at_once_and_the_rest_is_dropped(self) -> None:
        peer = HybiPeer().open()
        outgoing = self.begin(peer, "a")
        peer.stream.send("other")
        peer.stream.close(4000)
        self.failureResultOf(outgoing.write("b"), ConnectionClosed)
        self.end(outgoing)
        self.assertEqual(peer.frames, [Sent(TEXT, b"a"), close(4000)])

    def test_their_close_is_answered_at_once(self) -> None:
        peer = HybiPeer().open()
        outgoing = self.begin(peer, "a")
        peer.send_frames(close(1001))
        self.failureResultOf(outgoing.write("b"), ConnectionClosed)
        self.end(outgoing)
        self.assertEqual(peer.frames, [Sent(TEXT, b"a"), close(1001)])

    def test_a_message_on_a_closed_stream_comes_to_nothing(self) -> None:
        peer = HybiPeer().open()
        peer.stream.close()
        outgoing = self.begin(peer)
        self.failureResultOf(outgoing.write("a"), ConnectionClosed)
        self.end(outgoing)
        self.assertEqual(peer.frames, [close(1000)])
