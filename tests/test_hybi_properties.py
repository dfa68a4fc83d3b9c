"""The codec of RFC 6455: what holds for any data and any cut (section 6 of RFC6455.md)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.wire.deflate import DeflateParameters
from hunchensocket_tx.wire.events import Failed, Message
from tests.hybi_support import Frame, codes, open_codec
from tests.wire_support import cut, cuts, properties, receive, single_bytes

parameters = st.sampled_from(
    [
        None,
        DeflateParameters(),
        DeflateParameters(server_no_context_takeover=True),
        DeflateParameters(client_no_context_takeover=True),
        DeflateParameters(server_no_context_takeover=True, client_no_context_takeover=True),
        DeflateParameters(server_max_window_bits=9, client_max_window_bits=10),
        DeflateParameters(True, True, 10, 9),
    ]
)

# Hypothesis is slow with large values of its own: repeated small ones make messages of every form of length.
texts = st.builds(str.__mul__, st.text(max_size=100), st.sampled_from([1, 1, 2, 7, 700]))
binaries = st.builds(bytes.__mul__, st.binary(max_size=100), st.sampled_from([1, 1, 2, 7, 700]))
some_messages: st.SearchStrategy[list[Message]] = st.lists(st.one_of(texts, binaries), max_size=6)

frames = st.builds(
    Frame,
    opcode=st.sampled_from([0, 0, 1, 1, 2, 8, 9, 10, 3]),
    payload=st.one_of(
        st.binary(max_size=20), st.sampled_from([b"\x03\xe8", b"Hello", b"\xf2\x48\xcd\xc9\xc9\x07\x00"])
    ),
    fin=st.booleans(),
    rsv=st.sampled_from([0, 0, 0, 4, 1]),
    digits=st.sampled_from([None, None, None, 2, 8]),
    announced=st.sampled_from([None, None, None, 30, 61]),
)


class RoundTripTests(SynchronousTestCase):
    """What one end encodes the other delivers, whatever the cut."""

    def assert_arrives(
        self, sent: list[Message], places: list[int], client: bool, agreed: DeflateParameters | None
    ) -> None:
        sender = open_codec(client=client, parameters=agreed)
        data = b"".join(sender.encode(message) for message in sent)
        for pieces in ([data], cut(data, places)):
            receiver = open_codec(client=not client, parameters=agreed)
            self.assertEqual(receive(receiver, pieces), sent)

    @properties
    @given(some_messages, cuts, parameters)
    def test_from_client_to_server(
        self, sent: list[Message], places: list[int], agreed: DeflateParameters | None
    ) -> None:
        self.assert_arrives(sent, places, True, agreed)

    @properties
    @given(some_messages, cuts, parameters)
    def test_from_server_to_client(
        self, sent: list[Message], places: list[int], agreed: DeflateParameters | None
    ) -> None:
        self.assert_arrives(sent, places, False, agreed)

    def test_every_length_around_the_borders_with_and_without_deflate(self) -> None:
        for size in (0, 1, 63, 64, 65, 124, 125, 126, 127, 65534, 65535, 65536, 65537):
            for agreed in (None, DeflateParameters(True, True), DeflateParameters()):
                for client in (False, True):
                    with self.subTest(size=size, agreed=agreed, client=client):
                        self.assert_arrives(["x" * size, bytes(size)], [1, 3, 9], client, agreed)


class CutTests(SynchronousTestCase):
    """How the bytes are cut must never matter, right or wrong as they are."""

    def assert_same(self, data: bytes, places: list[int], agreed: DeflateParameters | None, client: bool) -> None:
        def feed(pieces: list[bytes]) -> list[object]:
            codec = open_codec(client=client, parameters=agreed, max_message_size=50, max_frame_size=60)
            # A reason may depend on the cut; the code must not.
            return [event.code if isinstance(event, Failed) else event for event in receive(codec, pieces)]

        whole = feed([data])
        self.assertEqual(feed(single_bytes(data)), whole)
        self.assertEqual(feed(cut(data, places)), whole)

    @properties
    @given(st.lists(frames, max_size=8), cuts, parameters, st.booleans())
    def test_frames_right_and_wrong(
        self, some: list[Frame], places: list[int], agreed: DeflateParameters | None, client: bool
    ) -> None:
        self.assert_same(b"".join(frame.render(not client) for frame in some), places, agreed, client)

    @properties
    @given(st.binary(max_size=100), cuts, parameters, st.booleans())
    def test_noise(self, data: bytes, places: list[int], agreed: DeflateParameters | None, client: bool) -> None:
        self.assert_same(data, places, agreed, client)

    @properties
    @given(some_messages, st.integers(0, 10_000), st.integers(1, 255), st.booleans())
    def test_a_flipped_bit_never_raises(self, sent: list[Message], place: int, flip: int, client: bool) -> None:
        agreed = DeflateParameters()
        sender = open_codec(client=client, parameters=agreed)
        data = bytearray(b"".join(sender.encode(message) for message in sent) or b"\x00")
        data[place % len(data)] ^= flip
        codec = open_codec(client=not client, parameters=agreed)
        codec.receive(bytes(data))
        # Nothing that follows makes it raise or fail twice.
        self.assertLessEqual(len(codes(codec.receive(bytes(200)))), 1)
