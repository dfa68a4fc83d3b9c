"""How hixie-76 closes and hixie-75 does not, and what the cut of the input costs. Sections are hybi-00's."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.events import Closed, Event, Opened, Reply
from hunchensocket_tx.wire.hixie import HixieCodec
from tests.wire_support import (
    CLOSE,
    CodecTestCase,
    codec_75,
    cut,
    cuts,
    messages,
    open_codec,
    properties,
    receive,
    single_bytes,
)


class ClosingTests(CodecTestCase):
    """Sections 1.4, 5.3 and 6: both ends send FF 00, and nothing more after it."""

    def test_it_does_not_end_a_message_that_is_being_sent_in_parts(self) -> None:
        codec = HixieCodec(Settings(), key_parts=(1, 2))
        codec.encode_part("half", final=False)
        self.assertEqual(codec.close(1000, ""), b"")

    def test_the_peers_close_is_answered_and_ends(self) -> None:
        self.assert_events(CLOSE, [Reply(CLOSE), Closed()])

    def test_there_is_no_code_and_no_reason(self) -> None:
        self.assertIn(Closed(1005, ""), open_codec().receive(CLOSE))

    def test_both_ends_close_alike(self) -> None:
        self.assertEqual(open_codec(client=True).receive(CLOSE), [Reply(CLOSE), Closed()])

    def test_a_length_of_zero_in_more_bytes_closes_too(self) -> None:
        self.assert_events(b"\xff\x80\x00", [Reply(CLOSE), Closed()])
        self.assert_events(b"\xff\x80\x80\x80\x00", [Reply(CLOSE), Closed()])

    def test_what_came_before_the_close_is_delivered_before_it(self) -> None:
        self.assert_events(b"\x00bye\xff" + CLOSE, ["bye", Reply(CLOSE), Closed()])

    def test_nothing_after_the_close_is_delivered_or_answered(self) -> None:
        self.assert_events(CLOSE + b"\x00never\xff" + CLOSE + b"\x00\x80\xff\x80\x80", [Reply(CLOSE), Closed()])

    def test_the_close_inside_a_text_is_its_terminator_and_a_new_text(self) -> None:
        self.assert_events(b"\x00a\xff\x00b\xff", ["a", "b"])

    def test_the_close_inside_a_counted_frame_is_skipped(self) -> None:
        self.assert_events(b"\x80\x02\xff\x00\x00next\xff", ["next"])

    def test_our_close_is_ff_00_whatever_the_code(self) -> None:
        for code, reason in ((1000, ""), (1005, ""), (1011, "oops"), (4000, "☃" * 200)):
            with self.subTest(code):
                self.assertEqual(open_codec().close(code, reason), CLOSE)

    def test_we_close_once(self) -> None:
        codec = open_codec()
        codec.close(1000, "")
        self.assertEqual(codec.close(1000, ""), b"")

    def test_the_answer_to_our_close_is_not_answered(self) -> None:
        codec = open_codec()
        codec.close(1000, "")
        self.assertEqual(receive(codec, single_bytes(CLOSE)), [Closed()])

    def test_after_an_answered_close_we_do_not_close_again(self) -> None:
        codec = open_codec()
        codec.receive(CLOSE)
        self.assertEqual(codec.close(1000, ""), b"")

    def test_what_the_peer_sent_before_it_saw_our_close_is_still_told(self) -> None:
        codec = open_codec()
        codec.close(1000, "")
        self.assertEqual(codec.receive(b"\x00late\xff" + CLOSE), ["late", Closed()])

    def test_two_ends_that_close_at_once_are_done(self) -> None:
        server, client = open_codec(), open_codec(client=True)
        from_server, from_client = server.close(1000, ""), client.close(1000, "")
        self.assertEqual(server.receive(from_client), [Closed()])
        self.assertEqual(client.receive(from_server), [Closed()])

    def test_a_close_from_end_to_end(self) -> None:
        server, client = open_codec(), open_codec(client=True)
        (reply, closed) = client.receive(server.close(1001, "going away"))
        assert isinstance(reply, Reply)
        self.assertEqual(closed, Closed())
        self.assertEqual(server.receive(reply.data), [Closed()])


class Version75Tests(SynchronousTestCase):
    """Section 7 of HIXIE76.md: the same frames, no challenge, no closing handshake."""

    def test_it_is_open_at_once(self) -> None:
        self.assertEqual(HixieCodec(Settings(), version=75).receive(b""), [Opened()])

    def test_frames_that_came_with_the_head_are_delivered(self) -> None:
        self.assertEqual(HixieCodec(Settings(), version=75).receive(b"\x00hi\xff"), [Opened(), "hi"])

    def test_it_opens_once(self) -> None:
        codec = codec_75()
        self.assertEqual(codec.receive(b""), [])

    def test_it_says_that_it_has_no_closing_handshake(self) -> None:
        self.assertFalse(codec_75().has_closing_handshake)
        self.assertTrue(open_codec().has_closing_handshake)

    def test_it_knows_its_number(self) -> None:
        self.assertEqual((codec_75().version, open_codec().version, open_codec(client=True).version), (75, 76, 76))

    def test_its_close_sends_nothing(self) -> None:
        self.assertEqual(codec_75().close(1000, "bye"), b"")

    def test_ff_00_is_a_frame_to_skip(self) -> None:
        data = CLOSE + b"\x00next\xff"
        self.assertEqual(codec_75().receive(data), ["next"])
        self.assertEqual(receive(codec_75(), single_bytes(data)), ["next"])

    def test_frames_are_those_of_76(self) -> None:
        self.assertEqual(codec_75().encode("hi"), b"\x00hi\xff")
        self.assertEqual(codec_75().receive(b"\x01skip\xff\x80\x01a\x00\xff"), [""])


frames = st.one_of(
    st.binary(max_size=6).map(lambda payload: b"\x00" + payload.replace(b"\xff", b"") + b"\xff"),
    st.text(max_size=4).map(lambda text: b"\x00" + text.encode("utf-8", "replace") + b"\xff"),
    st.builds(
        lambda kind, payload: bytes([kind, len(payload)]) + payload,
        st.integers(0x80, 0xFF),
        st.binary(max_size=9),
    ),
    st.sampled_from([CLOSE, b"\xff\x80\x00", b"\x80\x80\x80", b"\x01"]),
    st.binary(max_size=4),
)


class CutTests(SynchronousTestCase):
    """The network may cut anywhere; that changes nothing, and costs nothing."""

    @properties
    @given(st.lists(frames).map(b"".join), cuts, st.sampled_from(["close", "replace"]))
    def test_the_events_do_not_depend_on_the_cut(self, data: bytes, places: list[int], invalid_utf8: str) -> None:
        def run(pieces: list[bytes]) -> list[Event]:
            limits: dict[str, Any] = {"max_message_size": 8, "max_skip_size": 8, "invalid_utf8": invalid_utf8}
            return receive(open_codec(**limits), pieces)

        whole = run([data])
        self.assertEqual(run(single_bytes(data)), whole)
        self.assertEqual(run(cut(data, places)), whole)

    @properties
    @given(
        st.lists(st.tuples(st.integers(0, 0xFE), st.text(st.characters(exclude_categories=["Cs"]), max_size=40)))
    )
    def test_of_frames_of_all_types_the_texts_are_delivered(self, sent: list[tuple[int, str]]) -> None:
        data = b""
        for kind, text in sent:
            payload = text.encode()
            if kind < 0x80:
                data += bytes([kind]) + payload + b"\xff"
            else:
                data += bytes([kind, 0x80 | len(payload) >> 7, len(payload) & 0x7F]) + payload
        self.assertEqual(open_codec().receive(data), [text for kind, text in sent if kind == 0])

    def test_a_large_text_may_drip_in(self) -> None:
        # 200,000 searches of all that came before would be 20 gigabytes.
        codec = open_codec()
        self.assertEqual(receive(codec, [b"\x00", *[b"a"] * 200_000]), [])
        self.assertEqual(codec.receive(b"\xff"), ["a" * 200_000])

    def test_the_kept_text_is_not_searched_again(self) -> None:
        searched = 0

        class Counted(bytes):
            def find(self, sub: bytes | int, start: int | None = 0, end: int | None = None) -> int:  # type: ignore[override]
                nonlocal searched
                searched += len(self) - (start or 0)
                return super().find(sub, start, end)

        codec = open_codec()
        receive(codec, [Counted(b"\x00"), *[Counted(b"a" * 10)] * 1000, Counted(b"\xff")])
        self.assertLessEqual(searched, 10_001)

    def test_a_large_frame_to_skip_may_drip_in(self) -> None:
        for start, end in ((b"\x01", b"\xff"), (b"\x80\x8c\x9a\x40", b"")):
            codec = open_codec()
            self.assertEqual(receive(codec, [start, *[b"a"] * 200_000, end]), [])
            self.assertEqual(codec.receive(b"\x00next\xff"), ["next"])

    def test_many_small_frames_may_come_at_once(self) -> None:
        self.assertEqual(len(messages(open_codec().receive(b"\x00\xff" * 200_000))), 200_000)
