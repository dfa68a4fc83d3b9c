"""Tests of hunchensocket_tx.incoming: messages that are received piece by piece (``Accept(..., pieces=True)``)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from hunchensocket_tx import Accept, IncomingMessage, WebSocketResource, WebSocketStream, conversation
from hunchensocket_tx.cascade import run_cascade
from hunchensocket_tx.errors import ConnectionClosed
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.events import CloseReason, Message
from hunchensocket_tx.wire.frames import BINARY, CONTINUATION, FIN, TEXT
from hunchensocket_tx.wire.hixie import HixieCodec
from tests.hybi_stream_support import CONTEXT, HybiPeer, Sent, binary, close, has_frame, masked, open_13, text
from tests.stream_support import CLOSING, KEY_PARTS, Peer
from tests.support import frame_76, open_76, serve

Handler = Callable[[IncomingMessage], Awaitable[None]]

GATE_ERROR = "the gate is opened too early"


class Reader:
    """A handshake handler whose message handler takes a piece whenever the test lets it.

    :param pieces: how many pieces of a message it takes; None for all.
    """

    def __init__(self, pieces: int | None = None) -> None:
        self.begun: list[IncomingMessage] = []
        self.taken: list[Message] = []
        self.done = 0
        self.errors: list[ConnectionClosed] = []
        self._pieces = pieces
        self._gate: Deferred[None] | None = None

    def __call__(self, stream: WebSocketStream, mutex: DeferredLock) -> Handler:
        return self.message

    async def message(self, incoming: IncomingMessage) -> None:
        self.begun.append(incoming)
        taken = 0
        try:
            async for piece in incoming:
                self.taken.append(piece)
                taken += 1
                self._gate = Deferred()
                await self._gate
                if taken == self._pieces:
                    break
        except ConnectionClosed as error:
            self.errors.append(error)
            raise
        self.done += 1

    def go_on(self) -> None:
        """Let it be done with the piece that it took."""
        gate, self._gate = self._gate, None
        assert gate is not None, GATE_ERROR
        gate.callback(None)


def reading(*handshake: Any, **options: Any) -> HybiPeer:
    """Return a peer whose messages are handled piece by piece."""
    return HybiPeer(*handshake, pieces=True, **options).open()


def part(payload: bytes, *, first: int = CONTINUATION, final: bool = False) -> Sent:
    """Return a fragment of a message."""
    return Sent(first | (FIN if final else 0), payload)


class PiecesTest(SynchronousTestCase):
    """A handler gets each message at its start, and its pieces as they arrive (RFC 6455 section 5.4)."""

    def setUp(self) -> None:
        self.reader = Reader()
        self.peer = reading(self.reader)

    def test_the_message_is_there_before_its_end_is(self) -> None:
        self.peer.send_frames(part(b"a", first=TEXT))
        self.assertIsInstance(self.reader.begun[0], IncomingMessage)
        self.assertEqual(self.reader.taken, ["a"])

    def test_a_frame_is_not_waited_for_either(self) -> None:
        frame = masked(binary(b"abcdef"))
        self.peer.send(frame[:-3])
        self.assertEqual(self.reader.taken, [b"abc"])
        self.reader.go_on()
        self.peer.send(frame[-3:])
        self.assertEqual(self.reader.taken, [b"abc", b"def"])

    def test_it_ends_with_the_last_fragment(self) -> None:
        self.peer.send_frames(part(b"a", first=BINARY), part(b"b", final=True))
        self.reader.go_on()
        self.assertEqual(self.reader.done, 0)
        self.reader.go_on()
        self.assertEqual((self.reader.taken, self.reader.done), ([b"a", b"b"], 1))

    def test_it_ends_with_an_empty_last_fragment(self) -> None:
        self.peer.send_frames(part(b"a", first=BINARY))
        self.reader.go_on()
        self.peer.send_frames(part(b"", final=True))
        self.assertEqual((self.reader.taken, self.reader.done), ([b"a"], 1))

    def test_an_empty_message_has_no_pieces(self) -> None:
        self.peer.send_frames(text(""), binary(b""))
        self.assertEqual((len(self.reader.begun), self.reader.taken, self.reader.done), (2, [], 2))

    def test_characters_are_not_torn(self) -> None:
        for byte in masked(text("\N{EURO SIGN}")):
            self.peer.send(bytes([byte]))
        self.assertEqual(self.reader.taken, ["\N{EURO SIGN}"])

    def test_compressed_messages_are_inflated_piece_by_piece(self) -> None:
        reader = Reader()
        sender, peer = HybiPeer(deflate=CONTEXT).open(), reading(reader, deflate=CONTEXT)
        sender.stream.send("again and " * 50)
        sender.stream.send(b"again " * 50)
        for frame in sender.frames:
            half = len(frame.payload) // 2
            peer.send_frames(
                Sent(frame.first & ~FIN, frame.payload[:half]), part(frame.payload[half:], final=True)
            )
            done = reader.done
            while reader.done == done:
                reader.go_on()
        self.assertEqual(reader.done, 2)
        texts = [piece for piece in reader.taken if isinstance(piece, str)]
        self.assertEqual("".join(texts), "again and " * 50)

    def test_on_hixie_a_message_is_one_piece(self) -> None:
        reader = Reader()
        peer = hixie_reading(reader)
        peer.say("hello")
        self.assertEqual(reader.taken, ["hello"])
        reader.go_on()
        self.assertEqual(reader.done, 1)


class BackpressureTest(SynchronousTestCase):
    """Reading from the connection waits for who takes the pieces."""

    def test_reading_pauses_until_the_next_piece_is_asked_for(self) -> None:
        reader = Reader()
        peer = reading(reader)
        peer.send_frames(part(b"a", first=BINARY))
        self.assertFalse(peer.transport.reading)
        reader.go_on()
        self.assertTrue(peer.transport.reading)

    def test_pieces_that_were_read_already_wait(self) -> None:
        reader = Reader()
        peer = reading(reader)
        peer.send_frames(part(b"a", first=BINARY), part(b"b"), part(b"c", final=True))
        for taken in ([b"a"], [b"a", b"b"], [b"a", b"b", b"c"]):
            self.assertEqual(reader.taken, taken)
            reader.go_on()

    def test_the_next_message_waits_for_the_handler(self) -> None:
        for peer, reader in (
            (lambda reader: (reading(reader), reader))(Reader()),
            (lambda reader: (hixie_reading(reader), reader))(Reader()),
        ):
            peer.say("a", "b")
            self.assertEqual(len(reader.begun), 1)
            reader.go_on()
            self.assertEqual(len(reader.begun), 2)
            reader.go_on()
            self.assertEqual((reader.taken, reader.done), (["a", "b"], 2))

    def test_pings_are_answered_between_pieces_while_the_handler_waits_for_more(self) -> None:
        reader = Reader()
        peer = reading(reader)
        peer.send_frames(part(b"a", first=BINARY))
        reader.go_on()
        peer.send_frames(Sent(FIN | 9, b"?"))
        self.assertEqual(peer.frames, [Sent(FIN | 10, b"?")])

    def test_a_paused_stream_delivers_no_pieces(self) -> None:
        reader = Reader()
        peer = reading(reader)
        peer.stream.pauseProducing()
        peer.send_frames(part(b"a", first=BINARY))
        self.assertEqual(reader.begun, [])
        peer.stream.resumeProducing()
        self.assertEqual(reader.taken, [b"a"])


class LeavingTest(SynchronousTestCase):
    """What a handler leaves is dropped when it is done."""

    def assert_goes_on(self, peer: HybiPeer) -> None:
        """Check that the connection is read and answers."""
        self.assertTrue(peer.stream.is_open)
        self.assertTrue(peer.transport.reading)
        peer.send_frames(close(1000))
        self.assertEqual(peer.frames, [close(1000)])

    def test_the_rest_of_the_message_is(self) -> None:
        reader = Reader(pieces=1)
        peer = reading(reader)
        peer.send_frames(part(b"a", first=BINARY))
        reader.go_on()
        self.assertEqual(reader.done, 1)
        peer.send_frames(part(b"b"), part(b"c"), part(b"d", final=True))
        self.assertEqual((len(reader.begun), reader.taken), (1, [b"a"]))
        self.assert_goes_on(peer)

    def test_the_next_message_is_whole_again(self) -> None:
        reader = Reader(pieces=1)
        peer = reading(reader)
        peer.send_frames(part(b"a", first=BINARY), part(b"b", final=True), text("next"))
        reader.go_on()
        self.assertEqual(reader.taken, [b"a", "next"])

    def test_all_of_it_is_if_the_handler_takes_nothing(self) -> None:
        async def refuse(incoming: IncomingMessage) -> None:
            begun.append(incoming)

        begun: list[IncomingMessage] = []
        peer = reading(lambda stream, mutex: refuse)
        peer.send_frames(part(b"a", first=BINARY), part(b"b", final=True), text("next"))
        self.assertEqual(len(begun), 2)
        self.assert_goes_on(peer)

    def test_the_same_with_a_plain_function(self) -> None:
        begun: list[IncomingMessage] = []
        peer = reading(lambda stream, mutex: begun.append)
        peer.send_frames(part(b"a", first=BINARY), part(b"b", final=True), text("next"))
        self.assertEqual(len(begun), 2)
        self.assert_goes_on(peer)

    def test_everything_is_if_there_is_no_message_handler(self) -> None:
        peer = reading(lambda stream, mutex: None)
        peer.send_frames(part(b"a", first=BINARY), part(b"b", final=True), text("next"))
        self.assert_goes_on(peer)

    def test_on_hixie_too(self) -> None:
        peer = hixie_reading(lambda stream, mutex: None)
        peer.say("a", "b")
        peer.send(CLOSING)
        self.assertEqual(peer.received, CLOSING)

    def test_after_an_error_the_connection_is_closed_with_1011_and_the_rest_dropped(self) -> None:
        async def fail_late(incoming: IncomingMessage) -> None:
            async for _ in incoming:
                raise ZeroDivisionError

        def fail_at_once(incoming: IncomingMessage) -> None:
            raise ZeroDivisionError

        for handler in (fail_late, fail_at_once):
            with self.subTest(handler.__name__):
                peer = reading(lambda stream, mutex, handler=handler: handler)
                peer.send_frames(part(b"a", first=BINARY))
                self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
                self.assertEqual(peer.frames[0].payload[:2], (1011).to_bytes(2, "big"))
                peer.send_frames(part(b"b"), part(b"c", final=True), close(1011))
                peer.finish()
                self.assertEqual(self.successResultOf(peer.stream.when_closed()), CloseReason(1011, "", True))

    def test_a_conversation_may_take_messages_so(self) -> None:
        taken: list[Message] = []

        async def talk(stream: WebSocketStream) -> None:
            async for message in stream:
                incoming: Any = message
                async for piece in incoming:
                    taken.append(piece)

        peer = reading(conversation(talk))
        peer.send_frames(part(b"a", first=BINARY), part(b"b", final=True), text("next"))
        self.assertEqual(taken, [b"a", b"b", "next"])


class EndingTest(SynchronousTestCase):
    """Iterating fails if the connection ends before the message does."""

    ends: tuple[tuple[str, Callable[[HybiPeer], None], int], ...] = (
        ("loss", lambda peer: peer.drop(), 1006),
        ("half-close", lambda peer: peer.half_close(), 1006),
        ("their close", lambda peer: peer.send_frames(close(1001)), 1001),
        ("their mistake", lambda peer: peer.send_frames(Sent(FIN | 3, b"")), 1002),
    )

    def test_who_waits_for_the_next_piece_is_told(self) -> None:
        for name, end, code in self.ends:
            with self.subTest(name):
                reader = Reader()
                peer = reading(reader)
                peer.send_frames(part(b"a", first=BINARY))
                reader.go_on()
                end(peer)
                self.assertEqual([error.code for error in reader.errors], [code])

    def test_who_is_busy_with_a_piece_is_told_afterwards(self) -> None:
        for name, end, code in self.ends:
            with self.subTest(name):
                reader = Reader()
                peer = reading(reader)
                peer.send_frames(part(b"a", first=BINARY))
                end(peer)
                self.assertEqual(reader.errors, [])
                reader.go_on()
                self.assertEqual([error.code for error in reader.errors], [code])

    def test_a_handler_that_lets_it_pass_is_no_reason_for_the_log(self) -> None:
        for name, end, _ in self.ends:
            for waits in (True, False):
                with self.subTest(name, waits=waits):
                    reader = Reader()
                    peer = reading(reader)
                    peer.send_frames(part(b"a", first=BINARY))
                    if waits:
                        reader.go_on()
                    end(peer)
                    if not waits:
                        reader.go_on()
                    self.assertEqual(self.flushLoggedErrors(), [])

    def test_pieces_that_had_come_are_taken_first(self) -> None:
        reader = Reader()
        peer = reading(reader)
        peer.send_frames(part(b"a", first=BINARY), part(b"b"))
        peer.drop()
        reader.go_on()
        self.assertEqual((reader.taken, reader.errors), ([b"a", b"b"], []))
        reader.go_on()
        self.assertEqual(len(reader.errors), 1)

    def test_a_message_that_had_come_whole_ends_well(self) -> None:
        reader = Reader()
        peer = reading(reader)
        peer.send_frames(part(b"a", first=BINARY), part(b"b", final=True))
        peer.drop()
        reader.go_on()
        reader.go_on()
        self.assertEqual((reader.taken, reader.errors, reader.done), ([b"a", b"b"], [], 1))

    def test_a_message_over_the_limit_ends_with_1009(self) -> None:
        reader = Reader()
        peer = reading(reader, max_message_size=5)
        peer.send_frames(part(b"aaa", first=BINARY), part(b"bbb"))
        reader.go_on()
        self.assertEqual((reader.taken, [error.code for error in reader.errors]), ([b"aaa"], [1009]))


class AcceptTest(TestCase):
    """``Accept(handshake, pieces=True)`` asks for it."""

    async def serve(self, pieces: bool) -> Any:
        """Serve a handler that answers with the types of what it gets."""

        def handshake(stream: WebSocketStream, mutex: DeferredLock) -> Any:
            async def message(incoming: object) -> None:
                kinds = [type(incoming).__name__]
                if isinstance(incoming, IncomingMessage):
                    kinds += [type(piece).__name__ async for piece in incoming]
                stream.send(" ".join(kinds))

            return message

        return await serve(self, WebSocketResource(lambda request: Accept(handshake, pieces=pieces)))

    async def test_messages_are_incoming_ones_then(self) -> None:
        client = await open_13(self, await self.serve(pieces=True))
        client.write(masked(text("hello")))
        await has_frame(client, text("IncomingMessage str"))

    async def test_on_hixie_too(self) -> None:
        client = await open_76(self, await self.serve(pieces=True))
        client.write(frame_76("hello"))
        await client.until(frame_76("IncomingMessage str"))

    async def test_without_it_they_are_whole(self) -> None:
        client = await open_13(self, await self.serve(pieces=False))
        client.write(masked(part(b"hel", first=TEXT), part(b"lo", final=True)))
        await has_frame(client, text("str"))


def hixie_reading(handshake: Any) -> Peer:
    """Return a hixie-76 peer whose messages are handled piece by piece."""
    peer = Peer(handshake)
    codec = HixieCodec(Settings(), version=76, pieces=True, key_parts=KEY_PARTS)
    peer.stream = WebSocketStream(codec, Settings(), peer.clock)
    run_cascade(peer.stream, handshake)
    peer.transport.unregisterProducer()
    peer.stream.makeConnection(peer.transport)
    return peer.open()
