"""The codec of RFC 6455: what it sends, whole and part by part, and which codecs send the same."""

from __future__ import annotations

import zlib
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.errors import UnsupportedMessage
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.deflate import DeflateParameters
from hunchensocket_tx.wire.events import Message, Pong
from hunchensocket_tx.wire.hybi import HybiCodec
from tests.hybi_support import BINARY, CONTINUATION, PING, TEXT, Frame, fragments, open_codec
from tests.wire_support import properties


def inflated(payload: bytes, bits: int = 15) -> bytes:
    """Inflate a message that needs no context."""
    return zlib.decompressobj(-bits).decompress(payload + b"\x00\x00\xff\xff")


class EncodeTests(SynchronousTestCase):
    """Section 5.6."""

    def test_str_is_a_text_frame_and_bytes_a_binary_one(self) -> None:
        for client in (False, True):
            codec = open_codec(client=client)
            self.assertEqual(codec.encode("h☃"), Frame(TEXT, b"h\xe2\x98\x83").render(client))
            self.assertEqual(codec.encode(b"\x00\xff"), Frame(BINARY, b"\x00\xff").render(client))

    def test_empty_messages_have_frames(self) -> None:
        for client in (False, True):
            codec = open_codec(client=client)
            self.assertEqual(codec.encode(""), Frame(TEXT).render(client))
            self.assertEqual(codec.encode(b""), Frame(BINARY).render(client))

    def test_every_length_around_the_borders_of_its_forms(self) -> None:
        for size in (124, 125, 126, 127, 65534, 65535, 65536, 65537):
            for client in (False, True):
                with self.subTest(size=size, client=client):
                    expected = Frame(BINARY, bytes(size)).render(client)
                    self.assertEqual(open_codec(client=client).encode(bytes(size)), expected)

    def test_a_lone_surrogate_has_no_frame(self) -> None:
        with self.assertRaises(UnicodeEncodeError):
            open_codec().encode("\ud800")

    def test_our_own_messages_are_not_limited(self) -> None:
        self.assertEqual(len(open_codec(max_message_size=5, max_frame_size=5).encode(b"123456")), 8)

    def test_a_ping_has_its_payload(self) -> None:
        for client in (False, True):
            for payload in (b"", b"x", bytes(125)):
                self.assertEqual(open_codec(client=client).ping(payload), Frame(PING, payload).render(client))


class MaskingKeyTests(SynchronousTestCase):
    """Sections 5.3 and 10.3: a client masks each frame with a new key that nobody can predict."""

    def test_each_frame_takes_four_new_random_bytes(self) -> None:
        asked: list[int] = []

        def random(size: int) -> bytes:
            asked.append(size)
            return bytes([len(asked)] * size)

        codec = HybiCodec(Settings(), client=True, random=random)
        sent = [codec.encode("a"), codec.encode_part(b"b", final=False), codec.ping(b""), codec.close(1000, "")]
        self.assertEqual([frame[2:6] for frame in sent], [bytes([index] * 4) for index in (1, 2, 3, 4)])
        self.assertEqual(asked, [4, 4, 4, 4])

    def test_what_is_like_bytes_and_what_is_not_compressed_is_masked_too(self) -> None:
        for parameters in (None, DeflateParameters()):
            codec = open_codec(client=True, parameters=parameters)
            for message in (b"\xff" * 9, bytearray(b"\xff" * 9), memoryview(b"\xff" * 9)):
                for compress in (True, False):
                    data = codec.encode(message, compress=compress)  # type: ignore[arg-type]
                    self.assertEqual(data, Frame(BINARY, b"\xff" * 9).render(True))
            self.assertEqual(codec.encode("a" * 500, compress=False), Frame(TEXT, b"a" * 500).render(True))

    def test_what_cannot_be_sent_is_refused_by_clients_too(self) -> None:
        codec = open_codec(client=True)
        self.assertRaises(UnsupportedMessage, codec.encode, 5)
        self.assertRaises(UnicodeEncodeError, codec.encode, "\ud800")

    def test_an_answer_takes_a_key_as_well(self) -> None:
        codec = HybiCodec(Settings(), client=True, random=lambda size: b"\x01\x02\x03\x04")
        events = codec.receive(Frame(PING, b"").render(False))
        self.assertIn(b"\x8a\x80\x01\x02\x03\x04", [getattr(event, "data", None) for event in events])

    def test_keys_differ_by_default(self) -> None:
        codec = HybiCodec(Settings(), client=True)
        self.assertGreater(len({codec.encode("")[2:] for _ in range(100)}), 90)

    def test_a_server_takes_none(self) -> None:
        codec = HybiCodec(Settings(), random=lambda size: self.fail("a server does not mask"))
        self.assertEqual(codec.encode("a"), b"\x81\x01a")


class PartTests(SynchronousTestCase):
    """Section 5.4: a message whose end is not known yet goes in fragments."""

    def assert_parts(self, parts: list[Message], expected: list[Frame], **changes: Any) -> None:
        """Encode parts, of which the last one is final."""
        for client in (False, True):
            codec = open_codec(client=client, **changes)
            last = len(parts) - 1
            data = b"".join(codec.encode_part(part, final=index == last) for index, part in enumerate(parts))
            self.assertEqual(data, b"".join(frame.render(client) for frame in expected))

    def test_the_first_frame_has_the_kind_and_the_last_one_ends(self) -> None:
        self.assert_parts(["a", "b", "c"], fragments(TEXT, [b"a", b"b", b"c"]))
        self.assert_parts([b"a", b"b", b"c"], fragments(BINARY, [b"a", b"b", b"c"]))

    def test_one_part_is_one_frame(self) -> None:
        self.assert_parts(["a"], [Frame(TEXT, b"a")])

    def test_the_first_part_sets_the_kind(self) -> None:
        self.assert_parts(["a", b"b"], fragments(TEXT, [b"a", b"b"]))
        self.assert_parts([b"a", "b"], fragments(BINARY, [b"a", b"b"]))

    def test_an_empty_last_part_ends_the_message(self) -> None:
        self.assert_parts(["a", ""], fragments(TEXT, [b"a", b""]))

    def test_an_empty_message_keeps_its_kind(self) -> None:
        self.assert_parts([""], [Frame(TEXT)])
        self.assert_parts([b""], [Frame(BINARY)])
        self.assert_parts(["", "", ""], [Frame(TEXT)])
        self.assert_parts([b"", b""], [Frame(BINARY)])

    def test_empty_parts_take_no_frame(self) -> None:
        self.assert_parts(["", "a", "", "b", ""], fragments(TEXT, [b"a", b"b", b""]))

    def test_an_empty_first_part_sets_the_kind_as_well(self) -> None:
        self.assert_parts(["", b"a"], [Frame(TEXT, b"a")])

    def test_each_message_starts_anew(self) -> None:
        codec = open_codec()
        data = codec.encode_part("a", final=False) + codec.encode_part("b", final=True)
        data += codec.encode_part(b"c", final=False) + codec.encode_part(b"d", final=True) + codec.encode("e")
        frames = [*fragments(TEXT, [b"a", b"b"]), *fragments(BINARY, [b"c", b"d"]), Frame(TEXT, b"e")]
        self.assertEqual(data, b"".join(frame.render(False) for frame in frames))

    def test_a_ping_fits_between_parts(self) -> None:
        codec = open_codec()
        data = codec.encode_part("a", final=False) + codec.ping(b"") + codec.encode_part("b", final=True)
        expected = Frame(TEXT, b"a", fin=False), Frame(PING), Frame(CONTINUATION, b"b")
        self.assertEqual(data, b"".join(frame.render(False) for frame in expected))

    def test_a_lone_surrogate_has_no_frame(self) -> None:
        codec = open_codec()
        codec.encode_part("a", final=False)
        with self.assertRaises(UnicodeEncodeError):
            codec.encode_part("\ud800", final=False)


class CompressedSendingTests(SynchronousTestCase):
    """RFC 7692 section 7.2.1: RSV1 on the first frame; below the threshold, or if told so, plain."""

    NO_CONTEXT = DeflateParameters(server_no_context_takeover=True, client_no_context_takeover=True)

    def test_a_message_that_shrinks_is_compressed(self) -> None:
        for client in (False, True):
            for message, opcode in (("a" * 1000, TEXT), (b"a" * 1000, BINARY)):
                data = open_codec(client=client, parameters=self.NO_CONTEXT).encode(message)
                self.assertEqual(data[0], 0xC0 | opcode)
                self.assertLess(len(data), 50)

    def test_it_inflates_to_the_message(self) -> None:
        data = open_codec(parameters=self.NO_CONTEXT).encode("h☃" * 100)
        self.assertEqual(inflated(data[2:]).decode(), "h☃" * 100)

    def test_the_flush_marker_is_left_out(self) -> None:
        data = open_codec(parameters=self.NO_CONTEXT).encode("a" * 1000)
        self.assertFalse(data.endswith(b"\x00\x00\xff\xff"))

    def test_a_message_below_the_threshold_is_plain(self) -> None:
        codec = open_codec(parameters=DeflateParameters(), compression_threshold=10)
        self.assertEqual(codec.encode("a" * 9), Frame(TEXT, b"a" * 9).render(False))
        self.assertEqual(codec.encode("a" * 10)[0], 0xC1)

    def test_the_threshold_counts_bytes(self) -> None:
        codec = open_codec(parameters=DeflateParameters(), compression_threshold=9)
        self.assertEqual(codec.encode("☃☃☃")[0], 0xC1)

    def test_compression_can_be_declined_for_one_message(self) -> None:
        codec = open_codec(parameters=DeflateParameters())
        plain = Frame(TEXT, b"a" * 1000).render(False)
        self.assertEqual(codec.encode("a" * 1000, compress=False), plain)
        self.assertEqual(codec.encode("a" * 1000)[0], 0xC1)

    def test_without_an_agreement_nothing_is_compressed(self) -> None:
        self.assertEqual(open_codec().encode("a" * 1000), Frame(TEXT, b"a" * 1000).render(False))

    def test_rsv1_is_on_the_first_part_only(self) -> None:
        codec = open_codec(parameters=self.NO_CONTEXT)
        noise = [Random(index).randbytes(100_000) for index in range(3)]
        data = [codec.encode_part(part, final=index == 2) for index, part in enumerate(noise)]
        frames = [frame for frame in data if frame]
        self.assertGreater(len(frames), 1)
        self.assertEqual([frame[0] for frame in frames], [0x42, *[0] * (len(frames) - 2), 0x80])

    def test_parts_are_compressed_as_one_message(self) -> None:
        for parts in (["abc" * 50, "abc" * 50], ["", "abc" * 50, ""], ["abc", ""], [""], ["", ""]):
            codec = open_codec(parameters=self.NO_CONTEXT)
            last = len(parts) - 1
            data = b"".join(codec.encode_part(part, final=index == last) for index, part in enumerate(parts))
            with self.subTest(parts):
                self.assertEqual(data[0], 0xC1)
                self.assertEqual(inflated(data[2:]).decode(), "".join(parts))

    def test_parts_can_be_plain(self) -> None:
        codec = open_codec(parameters=DeflateParameters())
        data = codec.encode_part("a" * 100, final=False, compress=False)
        # What counts is what was said with the first part.
        data += codec.encode_part("b" * 100, final=True, compress=True)
        expected = fragments(TEXT, [b"a" * 100, b"b" * 100])
        self.assertEqual(data, b"".join(frame.render(False) for frame in expected))

    def test_parts_that_begin_compressed_stay_so(self) -> None:
        codec = open_codec(parameters=self.NO_CONTEXT)
        data = codec.encode_part("a" * 100, final=False) + codec.encode_part("b", final=True, compress=False)
        self.assertEqual(inflated(data[2:]), b"a" * 100 + b"b")

    def test_control_frames_are_never_compressed(self) -> None:
        codec = open_codec(parameters=DeflateParameters(), compression_threshold=0)
        self.assertEqual(codec.ping(b"a" * 100), Frame(PING, b"a" * 100).render(False))
        self.assertEqual(codec.close(1000, "a" * 100)[:2], b"\x88\x66")

    def test_an_uncompressed_message_between_compressed_ones_does_not_disturb_them(self) -> None:
        sender = open_codec(parameters=DeflateParameters())
        receiver = open_codec(client=True, parameters=DeflateParameters())
        for message, compress in (("a" * 100, True), ("b" * 100, False), ("ab" * 50, True), ("short", True)):
            self.assertEqual(receiver.receive(sender.encode(message, compress=compress)), [message])


class VariantTests(SynchronousTestCase):
    """A message for many is encoded once for all that have an equal variant; None is like no other."""

    FREE = DeflateParameters(server_no_context_takeover=True)

    def codecs(self) -> list[HybiCodec]:
        settings: list[dict[str, Any]] = [
            {"compression_level": 1},
            {"compression_level": 9},
            {"compression_memory_level": 1},
            {"compression_threshold": 0},
            {"compression_threshold": 400},
        ]
        free = DeflateParameters(server_no_context_takeover=True, server_max_window_bits=10)
        with_client = DeflateParameters(server_no_context_takeover=True, client_max_window_bits=9)
        return [
            open_codec(),
            open_codec(version=8),
            open_codec(version=7),
            open_codec(client=True),
            open_codec(parameters=DeflateParameters()),
            *[open_codec(parameters=parameters) for parameters in (self.FREE, free, with_client)],
            *[open_codec(parameters=self.FREE, **changes) for changes in settings],
        ]

    def test_equal_variants_send_equal_bytes(self) -> None:
        text = "".join(str(number**3) for number in range(60))
        for message in (text, text.encode(), "x" * 80, b"", "short"):
            for compress in (True, False):
                sent: dict[Any, bytes] = {}
                for codec in self.codecs():
                    variant = codec.variant(type(message), compress)
                    if variant is not None:
                        data = codec.encode(message, compress=compress)
                        with self.subTest(message=message, compress=compress, variant=variant):
                            self.assertEqual(data, sent.setdefault(variant, data))

    def test_servers_without_compression_are_all_alike(self) -> None:
        variants = {open_codec(version=version).variant(str, True) for version in (13, 8, 7)}
        self.assertEqual(len(variants), 1)
        self.assertNotIn(None, variants)

    def test_a_message_that_is_not_compressed_is_the_same_for_all_servers(self) -> None:
        variants = {
            open_codec(parameters=parameters).variant(str, False)
            for parameters in (None, DeflateParameters(), self.FREE)
        }
        self.assertEqual(len(variants), 1)
        self.assertNotIn(None, variants)

    def test_clients_and_kept_contexts_are_like_no_other(self) -> None:
        self.assertIsNone(open_codec(client=True).variant(str, True))
        self.assertIsNone(open_codec(client=True, parameters=self.FREE).variant(bytes, True))
        self.assertIsNone(open_codec(parameters=DeflateParameters()).variant(str, True))

    def test_the_peers_context_does_not_matter(self) -> None:
        peers = [
            DeflateParameters(server_no_context_takeover=True, client_no_context_takeover=free)
            for free in (False, True)
        ]
        variants = {open_codec(parameters=parameters).variant(str, True) for parameters in peers}
        self.assertEqual(len(variants), 1)

    def test_a_variant_can_be_a_key(self) -> None:
        for codec in self.codecs():
            hash(codec.variant(str, True))


class PartPropertyTests(SynchronousTestCase):
    @properties
    @given(st.lists(st.text(max_size=200), min_size=1, max_size=6), st.booleans(), st.booleans())
    def test_parts_arrive_as_one_message(self, parts: list[str], client: bool, deflated: bool) -> None:
        parameters = DeflateParameters() if deflated else None
        sender = open_codec(client=client, parameters=parameters)
        receiver = open_codec(client=not client, parameters=parameters)
        for _ in range(2):
            for index, part in enumerate(parts):
                final = index == len(parts) - 1
                events = receiver.receive(sender.encode_part(part, final=final))
                self.assertEqual(events, ["".join(parts)] if final else [])
            self.assertEqual(receiver.receive(Frame(10).render(client)), [Pong(b"")])
