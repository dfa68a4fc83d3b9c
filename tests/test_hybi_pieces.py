"""The codec of RFC 6455 with ``pieces=True``: messages as they arrive."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hunchensocket_tx.wire.deflate import DeflateParameters
from hunchensocket_tx.wire.events import Closed, Event, Message, Piece, Pong
from tests.hybi_support import (
    BINARY,
    CONTINUATION,
    PONG,
    TEXT,
    Frame,
    HybiTestCase,
    close_frame,
    codes,
    fragments,
    open_codec,
    replies,
)
from tests.wire_support import cut, cuts, properties, receive, single_bytes


def joined(events: list[Event]) -> list[Message]:
    """Put pieces together to messages, as an application does."""
    messages: list[Message] = []
    parts: list[Message] = []
    for event in events:
        assert isinstance(event, Piece), event
        parts.append(event.data)
        if event.final:
            text = [part for part in parts if isinstance(part, str)]
            binary = [part for part in parts if isinstance(part, bytes)]
            assert not (text and binary), parts
            messages.append("".join(text) if text else b"".join(binary))
            parts = []
    assert not parts, parts
    return messages


class PieceTests(HybiTestCase):
    def assert_pieces(self, reads: list[bytes], expected: list[Event]) -> None:
        """Check what reads at a client come to."""
        self.assertEqual(receive(open_codec(client=True, pieces=True), reads), expected)

    def test_a_message_in_one_frame_is_one_final_piece(self) -> None:
        self.assert_pieces([Frame(TEXT, b"hi").render(False)], [Piece("hi", True)])
        self.assert_pieces([Frame(BINARY, b"hi").render(False)], [Piece(b"hi", True)])

    def test_an_empty_message_is_an_empty_final_piece_of_its_kind(self) -> None:
        self.assert_pieces([Frame(TEXT).render(False)], [Piece("", True)])
        self.assert_pieces([Frame(BINARY).render(False)], [Piece(b"", True)])
        self.assert_pieces([frame.render(False) for frame in fragments(TEXT, [b"", b"", b""])], [Piece("", True)])

    def test_each_fragment_is_a_piece_as_soon_as_it_is_there(self) -> None:
        for opcode, kind in ((TEXT, str), (BINARY, bytes)):
            codec = open_codec(client=True, pieces=True)
            for index, frame in enumerate(fragments(opcode, [b"a", b"b", b"c"])):
                data = b"abc"[index : index + 1]
                expected = Piece(data.decode() if kind is str else data, index == 2)
                self.assertEqual(codec.receive(frame.render(False)), [expected])

    def test_what_there_is_of_a_frame_is_a_piece(self) -> None:
        data = Frame(BINARY, b"abcdef").render(False)
        expected: list[Event] = [Piece(b"ab", False), Piece(b"cd", False), Piece(b"ef", True)]
        self.assert_pieces([data[:4], data[4:6], data[6:]], expected)

    def test_a_masked_frame_in_pieces_is_unmasked_right(self) -> None:
        data = Frame(BINARY, bytes(range(100))).render(True)
        events = receive(open_codec(pieces=True), single_bytes(data))
        self.assertEqual(joined(events), [bytes(range(100))])

    def test_a_split_code_point_waits_for_its_end(self) -> None:
        for text in ("é", "☃", "😀"):
            reads = [frame.render(False) for frame in fragments(TEXT, single_bytes(text.encode()))]
            with self.subTest(text):
                self.assert_pieces(reads, [Piece(text, True)])

    def test_text_before_a_split_code_point_does_not_wait(self) -> None:
        codec = open_codec(client=True, pieces=True)
        data = Frame(TEXT, "a☃b".encode()).render(False)
        self.assertEqual(codec.receive(data[:5]), [Piece("a", False)])
        self.assertEqual(codec.receive(data[5:]), [Piece("☃b", True)])

    def test_an_empty_last_fragment_ends_the_message(self) -> None:
        reads = [frame.render(False) for frame in fragments(TEXT, [b"a", b""])]
        self.assert_pieces(reads, [Piece("a", False), Piece("", True)])

    def test_control_frames_come_between_the_pieces(self) -> None:
        frames = [Frame(TEXT, b"a", fin=False), Frame(PONG, b"x"), Frame(CONTINUATION, b"b")]
        self.assert_pieces(
            [b"".join(frame.render(False) for frame in frames)], [Piece("a", False), Pong(b"x"), Piece("b", True)]
        )

    def test_a_close_within_a_message_leaves_it_without_end(self) -> None:
        frames = [Frame(TEXT, b"a", fin=False), close_frame(1001)]
        expected: list[Event | Frame] = [Piece("a", False), close_frame(1001), Closed(1001, "")]
        self.assert_pieces([b"".join(frame.render(False) for frame in frames)], replies(expected, True))

    def test_pieces_before_a_bad_byte_in_a_later_read_were_told(self) -> None:
        codec = open_codec(client=True, pieces=True)
        self.assertEqual(codec.receive(Frame(TEXT, b"a", announced=5).render(False)), [Piece("a", False)])
        self.assertEqual(codes(codec.receive(b"\xff")), [1007])

    def test_the_limit_of_a_message_holds(self) -> None:
        codec = open_codec(client=True, pieces=True, max_message_size=5)
        reads = [frame.render(False) for frame in fragments(TEXT, [b"aaa", b"bbb"])]
        self.assertEqual(codec.receive(reads[0]), [Piece("aaa", False)])
        self.assertEqual(codes(codec.receive(reads[1])), [1009])

    @properties
    @given(st.lists(st.one_of(st.text(max_size=50), st.binary(max_size=50)), max_size=5), cuts, st.booleans())
    def test_the_pieces_of_any_cut_make_up_the_messages(
        self, sent: list[Message], places: list[int], deflated: bool
    ) -> None:
        parameters = DeflateParameters() if deflated else None
        sender = open_codec(client=True, parameters=parameters, compression_threshold=0)
        data = b"".join(sender.encode(message) for message in sent)
        receiver = open_codec(pieces=True, parameters=parameters)
        self.assertEqual(joined(receive(receiver, cut(data, places))), sent)
