"""Which codec of Engine.IO a session gets."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.socketio.wire.engine import EngineCodec, EnginePacket, EngineType, codec


class CodecTests(SynchronousTestCase):
    """The choice of a codec."""

    def test_there_is_one_for_each_protocol(self) -> None:
        for protocol in (3, 4):
            chosen: EngineCodec = codec(protocol)
            self.assertEqual(chosen.protocol, protocol)

    def test_each_session_of_3_has_its_own_as_it_remembers_a_dialect(self) -> None:
        first, second = codec(3), codec(3)
        first.decode_payload("3:4Ã©".encode(), "text/plain")
        written = [EnginePacket(EngineType.MESSAGE, "é")]
        self.assertNotEqual(
            first.encode_payload(written, binary=False), second.encode_payload(written, binary=False)
        )

    def test_there_are_no_others(self) -> None:
        for protocol in (0, 1, 2, 5):
            with self.assertRaises(ValueError):
                codec(protocol)
