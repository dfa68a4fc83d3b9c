"""Tests of byte-stream protocols over WebSockets (hunchensocket_tx.adapters.protocol_handler)."""

from __future__ import annotations

from base64 import b64decode
from io import BytesIO
from itertools import pairwise
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress, IConsumer, IPushProducer, ITransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import LogLevel, capturedLogs
from twisted.protocols.basic import FileSender, LineReceiver
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from hunchensocket_tx.adapters import protocol_handler
from hunchensocket_tx.cascade import Accept
from hunchensocket_tx.resource import WebSocketResource
from tests.stream_support import CLOSING, LAST_FRAME, Peer, PushRecorder
from tests.support import RawClient, frame_76, open_76, serve

Encoding = Literal["utf-8", "base64", "binary"]

TEXT_ONLY: st.SearchStrategy[str] = st.text(st.characters(exclude_categories=["Cs"]))


class Recorder(Protocol):
    """A protocol that keeps what it is told; the test uses its transport."""

    transport: Any

    def __init__(self) -> None:
        self.data = b""
        self.lost: list[Failure] = []

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.append(reason)


class Wired:
    """A recorder at our end of a WebSocket, and the peer at the other.

    :param subprotocol: the one agreed upon.
    """

    def __init__(self, encoding: Encoding | None = None, *, subprotocol: str | None = None) -> None:
        self.protocol = Recorder()
        self.addresses: list[IAddress] = []
        self.peer = Peer(protocol_handler(self.factory(), encoding))
        self.peer.stream.subprotocol = subprotocol
        self.peer.open()

    def factory(self) -> Factory:
        """Return a factory that builds the recorder."""
        factory = Factory()

        def build(address: IAddress) -> Recorder:
            self.addresses.append(address)
            return self.protocol

        factory.buildProtocol = build  # type: ignore[assignment]
        return factory

    @property
    def transport(self) -> Any:
        """The protocol's transport."""
        return self.protocol.transport

    @property
    def sent(self) -> list[str]:
        """The messages that the peer got."""
        frames = self.peer.received.removesuffix(CLOSING).split(b"\xff")
        return [frame.removeprefix(b"\x00").decode() for frame in frames[:-1]]


class TransportTest(SynchronousTestCase):
    """The protocol finds a transport like any other."""

    def test_it_provides_what_protocols_expect(self) -> None:
        for interface in (ITransport, IConsumer, IPushProducer):
            with self.subTest(interface=interface.__name__):
                verifyObject(interface, Wired().transport)

    def test_the_factory_is_given_the_peers_address(self) -> None:
        wired = Wired()
        self.assertEqual(wired.addresses, [wired.peer.stream.peer])

    def test_it_knows_both_addresses(self) -> None:
        wired = Wired()
        self.assertEqual(wired.transport.getPeer(), wired.peer.stream.peer)
        self.assertEqual(wired.transport.getHost(), wired.peer.stream.host)

    def test_a_factory_that_builds_nothing_closes(self) -> None:
        factory = Factory()
        factory.buildProtocol = lambda addr: None  # type: ignore[method-assign]
        peer = Peer(protocol_handler(factory)).open("a")
        self.assertEqual(peer.received, CLOSING)

    def test_an_error_in_the_protocol_is_logged_once_and_closes(self) -> None:
        wired = Wired()
        self.patch(wired.protocol, "dataReceived", lambda data: 1 // 0)
        wired.peer.say("a", "b")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(wired.peer.received, CLOSING)

    def test_protocols_that_take_it_for_tcp_may_do_so(self) -> None:
        Wired().transport.setTcpNoDelay(True)

    def test_many_bytes_are_sent_as_several_messages(self) -> None:
        for encoding in ("utf-8", "base64"):
            with self.subTest(encoding=encoding):
                wired, text = Wired(encoding), "grüße" * 30_000
                wired.transport.write(text.encode())
                self.assertLessEqual(max(len(message.encode()) for message in wired.sent), 65536)
                sent = "".join(
                    b64decode(message).decode("latin-1") if encoding == "base64" else message
                    for message in wired.sent
                )
                self.assertEqual(sent.encode("latin-1" if encoding == "base64" else "utf-8"), text.encode())

    def test_it_can_pause_and_resume_reading(self) -> None:
        wired = Wired()
        wired.transport.pauseProducing()
        self.assertFalse(wired.peer.transport.reading)
        wired.peer.say("a")
        self.assertEqual(wired.protocol.data, b"")
        wired.transport.resumeProducing()
        self.assertTrue(wired.peer.transport.reading)
        self.assertEqual(wired.protocol.data, b"a")


class TextTest(SynchronousTestCase):
    """Bytes travel as UTF-8 text, which is the default on hixie-76."""

    def test_what_the_peer_says_arrives_as_utf8(self) -> None:
        wired = Wired()
        wired.peer.say("grüße", "", "!")
        self.assertEqual(wired.protocol.data, "grüße!".encode())

    def test_what_is_written_is_sent_as_text(self) -> None:
        wired = Wired()
        wired.transport.write("grüße".encode())
        wired.transport.writeSequence([b"a", b"b"])
        self.assertEqual(wired.sent, ["grüße", "ab"])

    def test_a_character_split_over_writes_is_sent_whole(self) -> None:
        wired = Wired()
        for byte in "ü\N{PILE OF POO}x".encode():
            wired.transport.write(bytes([byte]))
        self.assertEqual(wired.sent, ["ü", "\N{PILE OF POO}", "x"])

    @settings(deadline=None, max_examples=50)
    @given(TEXT_ONLY, st.lists(st.integers(0, 100)))
    def test_it_does_not_matter_how_the_bytes_are_cut(self, text: str, cuts: list[int]) -> None:
        wired, data = Wired(), text.encode()
        edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
        for start, end in pairwise(edges):
            wired.transport.write(data[start:end])
        self.assertEqual("".join(wired.sent), text)

    def test_nothing_written_is_nothing_sent(self) -> None:
        wired = Wired()
        wired.transport.write(b"")
        self.assertEqual(wired.sent, [])

    def test_bytes_that_are_not_utf8_close_and_the_log_says_what_to_do(self) -> None:
        wired = Wired()
        with capturedLogs() as events:
            wired.transport.write(b"\xff\xfe")
        self.assertEqual(wired.peer.received, CLOSING)
        (event,) = (event for event in events if event["log_level"] is LogLevel.error)
        self.assertIn("base64", event["log_format"])


class Base64Test(SynchronousTestCase):
    """Any bytes travel as base64 text."""

    def test_it_is_chosen_by_the_subprotocol(self) -> None:
        wired = Wired(subprotocol="base64")
        wired.transport.write(b"\xff\x00")
        self.assertEqual(wired.sent, ["/wA="])

    def test_another_subprotocol_does_not_choose_it(self) -> None:
        wired = Wired(subprotocol="chat")
        wired.transport.write(b"a")
        self.assertEqual(wired.sent, ["a"])

    @settings(deadline=None, max_examples=50)
    @given(st.lists(st.binary(min_size=1)))
    def test_what_is_written_arrives(self, pieces: list[bytes]) -> None:
        wired = Wired("base64")
        for piece in pieces:
            wired.transport.write(piece)
        self.assertEqual([b64decode(text) for text in wired.sent], pieces)

    def test_what_the_peer_says_is_decoded(self) -> None:
        wired = Wired("base64")
        wired.peer.say("/wA=", "", "YQ==")
        self.assertEqual(wired.protocol.data, b"\xff\x00a")

    def test_what_is_not_base64_closes_and_does_not_arrive(self) -> None:
        for text in ("Y", "YQ=", "Y Q==", "YQ==!", "ü"):
            with self.subTest(text=text):
                wired = Wired("base64")
                wired.peer.say(text)
                self.assertEqual(wired.peer.received, CLOSING)
                self.assertEqual(wired.protocol.data, b"")

    def test_nothing_written_is_nothing_sent(self) -> None:
        wired = Wired("base64")
        wired.transport.write(b"")
        wired.transport.writeSequence([])
        self.assertEqual(wired.sent, [])


class EndTest(SynchronousTestCase):
    """The protocol is told of the end once, with a reason that it knows."""

    def test_losing_the_connection_closes_behind_what_was_written(self) -> None:
        wired = Wired()
        wired.transport.write(b"bye")
        wired.transport.loseConnection()
        self.assertTrue(wired.transport.disconnecting)
        self.assertEqual(wired.peer.received, frame_76("bye") + CLOSING)
        self.assertEqual(wired.protocol.lost, [])

    def test_a_clean_end_is_connection_done(self) -> None:
        ours, theirs = Wired(), Wired()
        ours.transport.loseConnection()
        for wired in (ours, theirs):
            wired.peer.send(CLOSING)
            wired.peer.finish()
            (reason,) = wired.protocol.lost
            self.assertTrue(reason.check(ConnectionDone))

    def test_an_unclean_end_says_why(self) -> None:
        wired = Wired()
        wired.peer.drop()
        (reason,) = wired.protocol.lost
        self.assertFalse(reason.check(ConnectionDone))
        self.assertTrue(reason.check(ConnectionLost))
        self.assertIn("1006", str(reason.value))

    def test_aborting_drops_the_connection(self) -> None:
        wired = Wired()
        wired.transport.abortConnection()
        self.assertTrue(wired.peer.transport.aborted)
        self.assertTrue(wired.transport.disconnecting)
        wired.peer.drop()
        (reason,) = wired.protocol.lost
        self.assertTrue(reason.check(ConnectionAborted))

    def test_nothing_is_delivered_once_it_has_ended(self) -> None:
        for end in ("loseConnection", "abortConnection", "stopProducing"):
            with self.subTest(end=end):
                wired = Wired()
                getattr(wired.transport, end)()
                wired.peer.say("too late")
                self.assertEqual(wired.protocol.data, b"")
                self.assertTrue(wired.transport.disconnecting)

    def test_the_last_data_arrives_before_the_end(self) -> None:
        wired = Wired()
        order: list[object] = []
        self.patch(wired.protocol, "dataReceived", order.append)
        self.patch(wired.protocol, "connectionLost", lambda reason: order.append("lost"))
        wired.peer.send(frame_76("last") + CLOSING)
        wired.peer.finish()
        self.assertEqual(order, [b"last", "lost"])

    def test_a_paused_protocol_that_loses_the_connection_gets_a_clean_end(self) -> None:
        wired = Wired()
        wired.transport.pauseProducing()
        wired.transport.loseConnection()
        self.assertTrue(wired.peer.transport.reading)

    def test_writing_when_it_is_over_does_no_harm(self) -> None:
        wired = Wired()
        wired.peer.drop()
        wired.transport.write(b"too late")
        wired.transport.loseConnection()
        self.assertEqual(wired.peer.received, b"")


class ProducerTest(SynchronousTestCase):
    """Producers of bytes, as ITransport and IConsumer promise them."""

    def setUp(self) -> None:
        self.wired = Wired()
        self.producer = PushRecorder()
        self.wired.transport.registerProducer(self.producer, True)

    def test_a_producer_is_paused_resumed_and_stopped(self) -> None:
        self.wired.peer.transport.fill()
        self.wired.peer.transport.empty()
        self.wired.peer.drop()
        self.assertEqual(self.producer.told, ["pause", "resume", "stop"])

    def test_an_unregistered_producer_is_left_alone(self) -> None:
        self.wired.transport.unregisterProducer()
        self.wired.peer.transport.fill()
        self.assertEqual(self.producer.told, [])

    def test_losing_the_connection_waits_for_the_producer(self) -> None:
        # ITransport.loseConnection: "if there is a registered producer on a transport it will not be closed until
        # the producer has been unregistered".
        self.wired.transport.loseConnection()
        self.wired.transport.write(b"the rest")
        self.assertEqual(self.producer.told, [])
        self.assertEqual(self.wired.peer.received, frame_76("the rest"))
        self.wired.transport.unregisterProducer()
        self.assertEqual(self.wired.peer.received, frame_76("the rest") + CLOSING)


class Shouter(LineReceiver):
    """A line protocol as found in the wild."""

    delimiter = b"\n"
    transport: Any

    def lineReceived(self, line: bytes) -> None:
        if line == b"bye":
            self.transport.loseConnection()
        else:
            self.transport.write(line.upper() + self.delimiter)


class SocketTest(TestCase):
    """Protocols on real sockets."""

    async def connect(self, protocol: type[Protocol], encoding: Encoding | None = None) -> RawClient:
        resource = WebSocketResource(protocol_handler(Factory.forProtocol(protocol), encoding))
        return await open_76(self, await serve(self, resource))

    async def test_a_line_protocol_works(self) -> None:
        client = await self.connect(Shouter)
        client.write(frame_76("hel") + frame_76("lo\nwor") + frame_76("ld\nbye\n"))
        await client.until(LAST_FRAME)
        client.write(CLOSING)
        await client.closed
        self.assertEqual(client.data, frame_76("HELLO\n") + frame_76("WORLD\n") + CLOSING)

    async def test_it_may_be_accepted_by_a_dispatcher(self) -> None:
        handler = protocol_handler(Factory.forProtocol(Shouter))
        client = await open_76(self, await serve(self, WebSocketResource(lambda request: Accept(handler))))
        client.write(frame_76("hello\n"))
        await client.until(frame_76("HELLO\n"))

    async def test_twisted_can_send_a_file(self) -> None:
        content = bytes(range(256)) * 1000

        class Sender(Recorder):
            def connectionMade(self) -> None:
                sending = FileSender().beginFileTransfer(BytesIO(content), self.transport)
                sending.addCallback(lambda _: self.transport.loseConnection())

        client = await self.connect(Sender, "base64")
        await client.until(LAST_FRAME)
        frames = client.data.removesuffix(CLOSING).split(b"\xff")[:-1]
        self.assertEqual(b"".join(b64decode(frame[1:]) for frame in frames), content)
