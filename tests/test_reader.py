"""Tests of hunchensocket_tx.wire.reader on its own; what the frames come to, the tests of the codec say."""

from __future__ import annotations

import sys

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.events import Event, Piece
from hunchensocket_tx.wire.frames import Violation
from hunchensocket_tx.wire.reader import FrameReader
from tests.hybi_support import CONTINUATION, PING, TEXT, Frame, open_codec


class Owner:
    """Takes note of the control frames."""

    control_budget = 1

    def __init__(self) -> None:
        self.controls: list[tuple[int, bytes]] = []

    def take_control(self, opcode: int, payload: bytes, events: list[Event]) -> None:
        self.controls.append((opcode, payload))


class FrameReaderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.owner = Owner()
        self.events: list[Event] = []
        self.reader = FrameReader(Settings(), True, None, False)

    def read(self, *frames: Frame) -> None:
        for frame in frames:
            data = frame.render(True)
            self.assertEqual(self.reader.read(b"-" + data, 1, self.owner, self.events), 1 + len(data))

    def test_it_is_idle_between_messages(self) -> None:
        self.assertTrue(self.reader.is_idle)
        self.read(Frame(TEXT, b"a", fin=False))
        self.assertFalse(self.reader.is_idle)
        self.read(Frame(PING, b"x"))
        self.assertFalse(self.reader.is_idle)
        self.read(Frame(CONTINUATION, b"b"))
        self.assertTrue(self.reader.is_idle)
        self.assertEqual((self.events, self.owner.controls), (["ab"], [(PING, b"x")]))

    def test_it_is_not_idle_within_a_control_frame(self) -> None:
        data = Frame(PING, b"ab").render(True)
        self.assertEqual(self.reader.read(data[:-1], 0, self.owner, self.events), len(data) - 1)
        self.assertFalse(self.reader.is_idle)
        self.reader.read(data[-1:], 0, self.owner, self.events)
        self.assertTrue(self.reader.is_idle)
        self.assertEqual(self.owner.controls, [(PING, b"ab")])

    def test_it_stays_at_a_head_that_is_not_complete(self) -> None:
        data = Frame(TEXT, bytes(126)).render(True)
        for end in range(1, 8):
            self.assertEqual(self.reader.read(data[:end], 0, self.owner, self.events), 0)
            self.assertTrue(self.reader.is_idle)

    def test_the_owners_budget_is_used_up(self) -> None:
        self.read(Frame(PING))
        with self.assertRaises(Violation):
            self.read(Frame(PING))

    def test_pieces_are_told_as_they_come(self) -> None:
        self.reader = FrameReader(Settings(), True, None, True)
        self.read(Frame(TEXT, b"a", fin=False), Frame(CONTINUATION, b"b"))
        self.assertEqual(self.events, [Piece("a", False), Piece("b", True)])


class IdleMemoryTests(SynchronousTestCase):
    """What a codec holds that has nothing to remember."""

    def test_an_idle_codec_takes_200_bytes_at_most(self) -> None:
        codec = open_codec()
        cut = [frame.render(True) for frame in (Frame(TEXT, b"a", fin=False), Frame(CONTINUATION, b"b"))]
        for data in (b"", Frame(TEXT, b"hello").render(True), Frame(PING).render(True), *cut):
            codec.receive(data)
        self.assertLessEqual(sys.getsizeof(codec), 200)
        values = [getattr(codec, name) for name in codec.__slots__]
        self.assertEqual([value for value in values if isinstance(value, FrameReader | bytearray)], [])
