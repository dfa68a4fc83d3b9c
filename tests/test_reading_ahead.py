"""connection.py and the codec's has_more: what is compressed does not come out all at once."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.deflate import Deflate, DeflateParameters
from hunchensocket_tx.wire.frames import RSV1, TEXT, build_frame
from hunchensocket_tx.wire.hybi import HybiCodec
from tests.hybi_stream_support import HybiPeer
from tests.stream_support import PendingHandler

AGREED = DeflateParameters(server_no_context_takeover=True, client_no_context_takeover=True)

LIMIT = 1000


def zeros(count: int) -> bytes:
    """Return so many compressed messages, each of which inflates to just the limit, as a client sends them."""
    payload = Deflate(AGREED, Settings(), client=True).compress_part(bytes(LIMIT), final=True)
    return build_frame(0x80 | RSV1 | TEXT, payload, b"\1\2\3\4") * count


class CodecTests(SynchronousTestCase):
    def test_no_more_than_the_limit_is_made_at_once_and_nothing_is_lost(self) -> None:
        settings = Settings(max_message_size=LIMIT)
        codec = HybiCodec(settings, deflate=Deflate(AGREED, settings))
        codec.receive(b"")
        counts = [len(codec.receive(zeros(5)))]
        while codec.has_more:
            counts.append(len(codec.receive(b"")))
        self.assertEqual(counts, [1, 1, 1, 1, 1])


class ConnectionTests(SynchronousTestCase):
    def test_all_messages_are_handled_in_order(self) -> None:
        peer = HybiPeer(deflate=AGREED, max_message_size=LIMIT).open()
        peer.send(zeros(3000))  # far more than a stack is deep
        self.assertEqual(len(peer.messages), 3000)

    def test_while_a_handler_is_busy_the_rest_stays_compressed(self) -> None:
        handler = PendingHandler()
        peer = HybiPeer(handler, deflate=AGREED, max_message_size=LIMIT).open()
        peer.send(zeros(50))
        self.assertEqual(len(handler.started), 1)
        self.assertFalse(peer.transport.reading)
        for number in range(2, 51):
            handler.finish()
            self.assertEqual(len(handler.started), number)

    def test_nothing_more_is_read_for_a_ping_then(self) -> None:
        asked: list[Deferred[float]] = []
        handler = PendingHandler()
        peer = HybiPeer(handler, deflate=AGREED, max_message_size=LIMIT, ping_timeout=5).open()
        peer.send(zeros(1))
        asked.append(peer.stream.ping())
        self.assertTrue(peer.transport.reading)
        peer.send(zeros(50))
        self.assertFalse(peer.transport.reading)
        peer.clock.advance(5)
        self.failureResultOf(asked[0])
