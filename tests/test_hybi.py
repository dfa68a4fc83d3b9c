"""The codec of RFC 6455: frames, lengths, masks and fragments that it takes, and those it does not."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.events import Event, Failed, Message, Opened, Ping, Pong, Reply
from hunchensocket_tx.wire.hybi import HybiCodec
from tests.hybi_support import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    HybiTestCase,
    codes,
    fragments,
    open_codec,
)
from tests.wire_support import receive, single_bytes


class OpeningTests(SynchronousTestCase):
    """The handshake is complete with the HTTP head: what came along with it are frames already."""

    def test_the_first_call_opens_and_no_later_one(self) -> None:
        for client in (False, True):
            codec = HybiCodec(Settings(), client=client)
            self.assertEqual(codec.receive(b""), [Opened()])
            self.assertEqual(codec.receive(b""), [])

    def test_a_frame_behind_the_head_comes_after_the_opening(self) -> None:
        codec = HybiCodec(Settings())
        self.assertEqual(codec.receive(Frame(TEXT, b"hi").render(True)), [Opened(), "hi"])

    def test_a_broken_frame_behind_the_head_comes_after_the_opening(self) -> None:
        events = HybiCodec(Settings()).receive(b"\xff\xff")
        self.assertEqual(events[0], Opened())
        self.assertEqual(codes(events), [1002])

    def test_the_version_is_told(self) -> None:
        for version in (13, 8, 7):
            self.assertEqual(open_codec(version=version).version, version)


class VectorTests(SynchronousTestCase):
    """Section 5.7."""

    def assert_received(self, hexadecimal: str, expected: list[Event], client: bool) -> None:
        data = bytes.fromhex(hexadecimal)
        for pieces in ([data], single_bytes(data)):
            self.assertEqual(receive(open_codec(client=client), pieces), expected)

    def test_an_unmasked_text(self) -> None:
        self.assert_received("81 05 48 65 6c 6c 6f", ["Hello"], client=True)

    def test_a_masked_text(self) -> None:
        self.assert_received("81 85 37 fa 21 3d 7f 9f 4d 51 58", ["Hello"], client=False)

    def test_a_fragmented_unmasked_text(self) -> None:
        self.assert_received("01 03 48 65 6c 80 02 6c 6f", ["Hello"], client=True)

    def test_an_unmasked_ping_is_answered_by_the_masked_pong(self) -> None:
        pong = Reply(bytes.fromhex("8a 85 37 fa 21 3d 7f 9f 4d 51 58"))
        self.assert_received("89 05 48 65 6c 6c 6f", [pong, Ping(b"Hello")], client=True)

    def test_the_masked_pong(self) -> None:
        self.assert_received("8a 85 37 fa 21 3d 7f 9f 4d 51 58", [Pong(b"Hello")], client=False)

    def test_256_bytes(self) -> None:
        self.assert_received("82 7e 01 00" + "ab" * 256, [b"\xab" * 256], client=True)

    def test_64_kibibytes(self) -> None:
        self.assert_received("82 7f 00 00 00 00 00 01 00 00" + "ab" * 65536, [b"\xab" * 65536], client=True)


class MessageTests(HybiTestCase):
    """Section 5.6: text is str, binary is bytes."""

    def test_text_is_str_and_binary_is_bytes(self) -> None:
        self.assert_events([Frame(TEXT, b"h\xe2\x98\x83")], ["h☃"])
        self.assert_events([Frame(BINARY, b"h\xe2\x98\x83\x00\xff")], [b"h\xe2\x98\x83\x00\xff"])

    def test_empty_messages_are_messages(self) -> None:
        self.assert_events([Frame(TEXT), Frame(BINARY), Frame(TEXT)], ["", b"", ""])

    def test_messages_come_in_the_order_of_the_wire(self) -> None:
        self.assert_events([Frame(TEXT, b"a"), Frame(BINARY, b"b"), Frame(TEXT, b"c")], ["a", b"b", "c"])

    def test_every_length_around_the_borders_of_its_forms(self) -> None:
        for size in (1, 2, 3, 4, 5, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537):
            text = "x" * size
            with self.subTest(size):
                # The message behind it shows that not a byte too many was taken.
                self.assert_events([Frame(TEXT, text.encode()), Frame(BINARY, b"end")], [text, b"end"])

    def test_an_incomplete_message_is_not_delivered(self) -> None:
        self.assert_events([Frame(TEXT, b"a"), Frame(TEXT, b"half", announced=5)], ["a"])

    def test_versions_8_and_7_speak_the_same(self) -> None:
        frames = [Frame(PONG), *fragments(TEXT, [b"a", b"b"]), Frame(BINARY, b"c")]
        for version in (8, 7):
            self.assert_events(frames, [Pong(b""), "ab", b"c"], version=version)


class HeadTests(HybiTestCase):
    """Section 5.2 and 5.1: what no head may say fails with 1002."""

    def test_reserved_opcodes(self) -> None:
        for opcode in (3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF):
            with self.subTest(opcode):
                self.assert_fails(1002, [Frame(opcode)])

    def test_reserved_bits_that_no_extension_gave_a_meaning(self) -> None:
        for rsv in range(1, 8):
            for opcode in (TEXT, BINARY, CLOSE, PING, PONG):
                with self.subTest(rsv=rsv, opcode=opcode):
                    self.assert_fails(1002, [Frame(opcode, rsv=rsv)])

    def test_reserved_bits_on_a_continuation(self) -> None:
        for rsv in range(1, 8):
            with self.subTest(rsv):
                self.assert_fails(1002, [Frame(TEXT, fin=False), Frame(CONTINUATION, rsv=rsv)])

    def test_what_a_client_sends_unmasked_and_a_server_masked(self) -> None:
        for client in (False, True):
            for frame in (Frame(TEXT, b"hi"), Frame(TEXT), Frame(PING), Frame(CLOSE), Frame(BINARY, bytes(300))):
                with self.subTest(client=client, frame=frame):
                    codec = open_codec(client=client)
                    self.assertEqual(codes(codec.receive(frame.render(masked=client))), [1002])

    def test_a_wrong_mask_bit_fails_before_the_payload_comes(self) -> None:
        self.assertEqual(codes(open_codec().receive(b"\x81\x7e")), [1002])
        self.assertEqual(codes(open_codec(client=True).receive(b"\x81\xfe")), [1002])

    def test_lengths_in_more_bytes_than_they_need(self) -> None:
        for size, digits in ((0, 2), (5, 2), (125, 2), (0, 8), (125, 8), (126, 8), (65535, 8)):
            with self.subTest(size=size, digits=digits):
                self.assert_fails(1002, [Frame(BINARY, bytes(size), digits=digits)])

    def test_a_length_of_64_bits(self) -> None:
        for announced in (2**63, 2**63 + 5, 2**64 - 1):
            with self.subTest(announced):
                self.assert_fails(1002, [Frame(BINARY, b"hello", digits=8, announced=announced)])

    def test_what_came_before_a_broken_frame_is_delivered(self) -> None:
        self.assert_fails(1002, [Frame(TEXT, b"good"), Frame(3)], before=["good"])

    def test_a_failure_says_why(self) -> None:
        (failed,) = open_codec().receive(Frame(3).render(True))
        assert isinstance(failed, Failed)
        self.assertIn("opcode 3", failed.reason)


class FragmentTests(HybiTestCase):
    """Section 5.4."""

    def test_fragments_are_put_together(self) -> None:
        self.assert_events(fragments(TEXT, [b"frag", b"men", b"ted"]), ["fragmented"])
        self.assert_events(fragments(BINARY, [b"\x00", b"\x01\x02", b"\x03"]), [b"\x00\x01\x02\x03"])

    def test_empty_fragments_are_legal_anywhere(self) -> None:
        messages: list[tuple[list[bytes], Message]] = [
            ([b"", b""], ""),
            ([b"", b"a"], "a"),
            ([b"a", b""], "a"),
            ([b"", b"", b"a", b"", b"b", b"", b""], "ab"),
        ]
        for parts, expected in messages:
            with self.subTest(parts):
                self.assert_events([*fragments(TEXT, parts), Frame(TEXT, b"end")], [expected, "end"])

    def test_messages_in_fragments_and_whole_may_alternate(self) -> None:
        frames = [
            *fragments(TEXT, [b"a", b"b"]),
            Frame(BINARY, b"c"),
            *fragments(BINARY, [b"d", b"e"]),
            Frame(TEXT, b"f"),
        ]
        self.assert_events(frames, ["ab", b"c", b"de", "f"])

    def test_a_code_point_may_straddle_fragments(self) -> None:
        for text in ("é", "☃", "😀", "a☃b"):
            parts = single_bytes(text.encode())
            with self.subTest(text):
                self.assert_events(fragments(TEXT, parts), [text])

    def test_a_message_within_another(self) -> None:
        for opcode in (TEXT, BINARY):
            for fin in (False, True):
                with self.subTest(opcode=opcode, fin=fin):
                    self.assert_fails(1002, [Frame(TEXT, b"a", fin=False), Frame(opcode, b"b", fin=fin)])

    def test_a_message_within_one_that_has_no_bytes_yet(self) -> None:
        self.assert_fails(1002, [Frame(BINARY, fin=False), Frame(BINARY)])

    def test_a_continuation_of_nothing(self) -> None:
        for fin in (False, True):
            with self.subTest(fin):
                self.assert_fails(1002, [Frame(CONTINUATION, b"a", fin=fin)])

    def test_a_continuation_of_a_message_that_is_over(self) -> None:
        self.assert_fails(1002, [Frame(TEXT, b"a"), Frame(CONTINUATION, b"b")], before=["a"])
        self.assert_fails(1002, [*fragments(TEXT, [b"a", b"b"]), Frame(CONTINUATION)], before=["ab"])

    def test_a_continuation_of_a_control_frame(self) -> None:
        self.assert_fails(1002, [Frame(PONG), Frame(CONTINUATION)], before=[Pong(b"")])
