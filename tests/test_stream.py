"""Tests of hunchensocket_tx.stream: messages in, messages out. What else it does has files of its own."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred, DeferredLock
from twisted.internet.interfaces import IConsumer, IHalfCloseableProtocol, IProtocol, IPushProducer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from hunchensocket_tx.errors import ConnectionClosed, MisuseError, UnsupportedMessage
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.wire.hixie import HixieCodec
from tests.stream_support import CLOSING, Peer, PendingHandler
from tests.support import KEY3, RESPONSE, frame_76

Handler = Any


class AttributesTest(SynchronousTestCase):
    """What a stream tells about itself."""

    def test_it_provides_what_twisted_asks_for(self) -> None:
        for interface in (IProtocol, IHalfCloseableProtocol, IConsumer, IPushProducer):
            with self.subTest(interface=interface.__name__):
                verifyObject(interface, Peer().stream)

    def test_it_knows_both_addresses(self) -> None:
        stream = Peer().stream
        self.assertEqual(stream.peer, IPv4Address("TCP", "192.168.1.1", 54321))
        self.assertEqual(stream.host, IPv4Address("TCP", "10.0.0.1", 12345))

    def test_it_knows_its_version(self) -> None:
        for version in (76, 75):
            self.assertEqual(Peer(version=version).stream.version, version)

    def test_it_knows_whether_it_is_secure(self) -> None:
        for secure in (True, False):
            self.assertIs(Peer(secure=secure).stream.secure, secure)

    def test_its_repr_names_the_peer_and_the_state(self) -> None:
        peer = Peer().open()
        self.assertIn("192.168.1.1", repr(peer.stream))
        self.assertIn("open", repr(peer.stream))

    def test_its_repr_works_before_it_has_a_transport(self) -> None:
        # A log message about a stream must never fail, whenever it comes.
        stream = WebSocketStream(HixieCodec(Settings()), Settings(), Clock())
        self.assertIn("connecting", repr(stream))

    def test_it_counts_the_bytes_sent(self) -> None:
        peer = Peer().open()
        peer.stream.send("abc")
        self.assertEqual(peer.stream.bytes_sent, len(RESPONSE + frame_76("abc")))


class OpeningTest(SynchronousTestCase):
    """hybi-00 5.2, steps 7 to 13: key3 may come late and in pieces; frames may come along with it."""

    def test_nothing_is_answered_before_key3_is_complete(self) -> None:
        peer = Peer()
        for byte in KEY3[:-1]:
            peer.send(bytes([byte]))
        self.assertEqual(peer.transport.value(), b"")
        peer.send(KEY3[-1:])
        self.assertEqual(peer.transport.value(), RESPONSE)

    def test_the_handshake_handler_is_called_when_key3_is_complete(self) -> None:
        called: list[tuple[WebSocketStream, DeferredLock]] = []
        peer = Peer(lambda stream, mutex: called.append((stream, mutex)))
        peer.send(KEY3[:-1])
        self.assertEqual(called, [])
        peer.send(KEY3[-1:])
        self.assertEqual(called, [(peer.stream, peer.stream.mutex)])

    def test_a_handshake_handler_may_send_at_once(self) -> None:
        peer = Peer(lambda stream, mutex: stream.send("welcome") and None).open()
        self.assertEqual(peer.transport.value(), RESPONSE + frame_76("welcome"))

    def test_version_75_is_open_at_once(self) -> None:
        peer = Peer(version=75).open("early")
        self.assertEqual(peer.messages, ["early"])


class ReceivingTest(SynchronousTestCase):
    """Messages reach the message handler in order, one at a time, and none is lost."""

    def test_messages_in_the_segment_of_key3_are_delivered(self) -> None:
        self.assertEqual(Peer().open("a", "", "b").messages, ["a", "", "b"])

    def test_a_message_in_pieces_is_delivered_once_it_is_whole(self) -> None:
        peer = Peer().open()
        for byte in frame_76("grüße"):
            self.assertEqual(peer.messages, [])
            peer.send(bytes([byte]))
        self.assertEqual(peer.messages, ["grüße"])

    @example_settings(deadline=None, max_examples=100)
    @given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))), st.lists(st.integers(0, 200)))
    def test_it_does_not_matter_how_the_bytes_are_cut(self, texts: list[str], cuts: list[int]) -> None:
        data = KEY3 + b"".join(map(frame_76, texts))
        edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
        peer = Peer()
        for start, end in pairwise(edges):
            peer.send(data[start:end])
        self.assertEqual(peer.messages, texts)
        self.assertEqual(peer.received, b"")

    def test_the_next_message_waits_for_a_pending_handler(self) -> None:
        handler = PendingHandler()
        peer = Peer(handler).open("a", "b")
        peer.say("c")
        for so_far in (["a"], ["a", "b"], ["a", "b", "c"]):
            self.assertEqual(handler.started, so_far)
            handler.finish()
        self.assertEqual(peer.received, frame_76("A") + frame_76("B") + frame_76("C"))

    def test_reading_pauses_while_a_handler_is_pending(self) -> None:
        handler = PendingHandler()
        peer = Peer(handler).open()
        self.assertTrue(peer.transport.reading)
        peer.say("a", "b")
        self.assertFalse(peer.transport.reading)
        handler.finish()
        self.assertFalse(peer.transport.reading)
        handler.finish()
        self.assertTrue(peer.transport.reading)

    def test_reading_goes_on_while_handlers_are_done_at_once(self) -> None:
        paused: list[None] = []
        peer = Peer().open()
        self.patch(peer.transport, "pauseProducing", lambda: paused.append(None))
        peer.say("a", "b")
        self.assertEqual(paused, [])

    def test_messages_wait_for_a_pending_handshake_handler(self) -> None:
        handshake: Deferred[Handler] = Deferred()
        got: list[str] = []
        peer = Peer(lambda stream, mutex: handshake).open("a", "b")
        self.assertFalse(peer.transport.reading)
        peer.say("c")
        handshake.callback(got.append)
        self.assertEqual(got, ["a", "b", "c"])
        self.assertTrue(peer.transport.reading)

    def test_a_message_that_arrives_while_one_is_handled_waits_its_turn(self) -> None:
        order: list[str] = []

        def handshake(stream: WebSocketStream, mutex: DeferredLock) -> Handler:
            def message(text: str) -> None:
                order.append(f"{text} begins")
                if text == "a":
                    peer.say("b")
                order.append(f"{text} ends")

            return message

        peer = Peer(handshake).open()
        peer.say("a")
        self.assertEqual(order, ["a begins", "a ends", "b begins", "b ends"])

    def test_many_messages_need_no_deep_recursion(self) -> None:
        peer = Peer().open(*["x"] * 5000)
        self.assertEqual(len(peer.messages), 5000)

    def test_many_messages_whose_handlers_return_fired_deferreds_need_no_deep_recursion(self) -> None:
        handled: list[str] = []

        async def message(text: str) -> None:
            handled.append(text)

        Peer(lambda stream, mutex: message).open(*["x"] * 5000)
        self.assertEqual(len(handled), 5000)

    def test_messages_are_dropped_if_there_is_no_message_handler(self) -> None:
        peer = Peer(lambda stream, mutex: None).open("a")
        peer.say("b")
        self.assertTrue(peer.stream.send("still open"))


class PausingTest(SynchronousTestCase):
    """The application may pause reading (IPushProducer)."""

    def test_pausing_stops_reading_and_resuming_goes_on(self) -> None:
        peer = Peer().open()
        peer.stream.pauseProducing()
        self.assertFalse(peer.transport.reading)
        peer.stream.resumeProducing()
        self.assertTrue(peer.transport.reading)

    def test_what_is_read_already_is_kept_until_resumed(self) -> None:
        peer = Peer().open()
        peer.stream.pauseProducing()
        peer.say("a", "b")
        self.assertEqual(peer.messages, [])
        peer.stream.resumeProducing()
        self.assertEqual(peer.messages, ["a", "b"])

    def test_a_handler_may_pause_before_the_next_message_of_the_segment(self) -> None:
        got: list[str] = []

        def handshake(stream: WebSocketStream, mutex: DeferredLock) -> Handler:
            def message(text: str) -> None:
                got.append(text)
                stream.pauseProducing()

            return message

        peer = Peer(handshake).open("a", "b")
        self.assertEqual(got, ["a"])
        peer.stream.resumeProducing()
        self.assertEqual(got, ["a", "b"])

    def test_resuming_does_not_disturb_a_pending_handler(self) -> None:
        handler = PendingHandler()
        peer = Peer(handler).open("a", "b")
        peer.stream.pauseProducing()
        peer.stream.resumeProducing()
        self.assertFalse(peer.transport.reading)
        self.assertEqual(handler.started, ["a"])

    def test_a_handler_that_is_done_does_not_end_the_pause(self) -> None:
        handler = PendingHandler()
        peer = Peer(handler).open("a", "b")
        peer.stream.pauseProducing()
        handler.finish()
        self.assertFalse(peer.transport.reading)
        self.assertEqual(handler.started, ["a"])

    def test_stopping_closes(self) -> None:
        peer = Peer().open()
        peer.stream.stopProducing()
        self.assertEqual(peer.received, CLOSING)


class SendingTest(SynchronousTestCase):
    """``send``: whole frames, in order (hybi-00 5.3)."""

    def test_text_is_sent_as_a_frame(self) -> None:
        peer = Peer().open()
        for text in ("grüße", "", "\N{PILE OF POO}", "\x00"):
            self.assertTrue(peer.stream.send(text))
        expected = map(frame_76, ("grüße", "", "\N{PILE OF POO}", "\x00"))
        self.assertEqual(peer.received, b"".join(expected))

    def test_bytes_are_refused_with_the_version_and_the_way_out(self) -> None:
        peer = Peer().open()
        with self.assertRaises(UnsupportedMessage) as caught:
            peer.stream.send(b"data")
        for word in ("76", "str", "base64"):
            self.assertIn(word, str(caught.exception))
        self.assertIsInstance(caught.exception, TypeError)
        self.assertEqual(peer.received, b"")

    def test_after_a_refusal_the_stream_is_still_open(self) -> None:
        peer = Peer().open()
        self.assertRaises(UnsupportedMessage, peer.stream.send, b"data")
        self.assertTrue(peer.stream.send("text"))

    def test_it_is_not_taken_before_the_stream_is_open(self) -> None:
        peer = Peer()
        self.assertFalse(peer.stream.send("early"))
        self.assertEqual(peer.transport.value(), b"")

    def test_write_sends_a_message(self) -> None:
        peer = Peer().open()
        peer.stream.write("piece")
        self.assertEqual(peer.received, frame_76("piece"))


class ReceiveTest(SynchronousTestCase):
    """``receive``: messages for those who ask, with the inbox as message handler."""

    def setUp(self) -> None:
        self.peer = Peer(lambda stream, mutex: stream.inbox.put).open()

    def test_it_gives_messages_in_order(self) -> None:
        self.peer.say("a", "b")
        for text in ("a", "b"):
            self.assertEqual(self.successResultOf(self.peer.stream.receive()), text)

    def test_reading_pauses_until_the_next_message_is_asked_for(self) -> None:
        self.peer.say("a")
        self.assertFalse(self.peer.transport.reading)
        self.peer.stream.receive()
        self.assertFalse(self.peer.transport.reading)
        self.peer.stream.receive()
        self.assertTrue(self.peer.transport.reading)

    def test_it_fails_when_the_peer_closes(self) -> None:
        asked = self.peer.stream.receive()
        self.peer.send(CLOSING)
        error = self.failureResultOf(asked, ConnectionClosed).value
        self.assertEqual((error.code, error.clean), (1005, True))

    def test_it_fails_when_the_connection_is_lost(self) -> None:
        asked = self.peer.stream.receive()
        self.peer.drop()
        self.assertEqual(self.failureResultOf(asked, ConnectionClosed).value.code, 1006)

    def test_messages_before_the_loss_are_given_first(self) -> None:
        self.peer.say("a", "b")
        self.peer.drop()
        for text in ("a", "b"):
            self.assertEqual(self.successResultOf(self.peer.stream.receive()), text)
        self.failureResultOf(self.peer.stream.receive(), ConnectionClosed)

    def test_it_may_be_given_up(self) -> None:
        asked = self.peer.stream.receive()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.peer.say("a")
        self.assertEqual(self.successResultOf(self.peer.stream.receive()), "a")

    def test_only_one_may_wait(self) -> None:
        self.peer.stream.receive()
        self.assertRaises(MisuseError, self.peer.stream.receive)
