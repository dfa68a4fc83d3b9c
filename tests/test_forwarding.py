"""Tests of the bridge in memory (hunchensocket_tx.forwarding); tests/test_service_forwarding.py has sockets."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface import implementer

from hunchensocket_tx import HandshakeRefused, WebSocketStream
from tests.client_support import VERSIONS
from tests.forwarding_support import MIB, PORT_80, RANDOM, BridgeCase
from tests.proxy_support import HalfListener
from tests.support import request_76


class BytesTests(BridgeCase):
    """What goes in at one end comes out at the other."""

    def test_bytes_go_both_ways_in_every_version(self) -> None:
        for version in VERSIONS:
            with self.subTest(version=version):
                client = self.open(version)
                text = b64encode(b"\x00\xff").decode()
                message = text if version == 76 else b"\x00\xff"
                client.send(message)
                self.server.settle()
                self.assertEqual(self.targets[-1].data, b"\x00\xff")
                self.targets[-1].transport.write(b"\x00\xff")
                self.assertEqual(self.server.result(client.receive()), message)

    def test_binary_is_agreed_upon_before_base64(self) -> None:
        client = self.open(subprotocols=["base64", "binary"])
        self.assertEqual(client.subprotocol, "binary")

    def test_base64_is_agreed_upon_if_it_is_all_that_is_offered(self) -> None:
        client = self.open(subprotocols=["base64"])
        self.target.transport.write(b"\xff\x00")
        self.assertEqual(self.server.result(client.receive()), "/wA=")

    def test_hixie_has_base64_also_if_binary_is_offered_first(self) -> None:
        client = self.raw(request_76(PORT_80, sec_websocket_protocol="binary, base64"))
        self.assertIn(b"\r\nSec-WebSocket-Protocol: base64\r\n", client.head)

    def test_hixie_without_base64_is_told_what_to_do(self) -> None:
        for offered in ([], ["binary"]):
            with self.assertRaises(HandshakeRefused) as raised:
                self.open(76, subprotocols=offered)
            self.assertEqual(raised.exception.status, 400)
            self.assertIn(b"offer the subprotocol base64", raised.exception.body)
        self.assertEqual(self.targets, [])

    def test_what_the_target_speaks_is_agreed_upon_first(self) -> None:
        self.serve(self.endpoint, subprotocols=["mqtt"])
        client = self.open(subprotocols=["binary", "mqtt"])
        self.assertEqual(client.subprotocol, "mqtt")
        client.send(b"\x10")
        self.server.settle()
        self.assertEqual(self.target.data, b"\x10")

    def test_text_reaches_the_target_as_utf8(self) -> None:
        self.open().send("Grüße")
        self.server.settle()
        self.assertEqual(self.target.data, "Grüße".encode())

    def test_what_is_not_base64_closes(self) -> None:
        client = self.open(subprotocols=["base64"])
        client.send("!")
        self.assertEqual(self.end_of(client), (1007, "this is not base64", True))

    def test_what_the_client_sends_before_the_target_is_connected_is_kept(self) -> None:
        ready: Deferred[None] = Deferred()

        @implementer(IStreamClientEndpoint)
        class Slow:
            def connect(slow, protocolFactory: Any) -> Deferred[Any]:  # noqa: N803, N805
                return ready.addCallback(lambda _: self.endpoint.connect(protocolFactory))

        self.serve(Slow())
        client = self.open()
        client.send(b"early")
        client.close()
        self.server.settle()
        ready.callback(None)
        self.assertEqual(self.end_of(client)[0], 1000)
        self.assertEqual((self.target.data, self.target.events[-1]), (b"early", "read lost"))

    def test_small_packets_are_sent_at_once_and_a_vanished_target_is_noticed(self) -> None:
        self.open()
        [connection] = self.endpoint.connections
        self.assertTrue(connection.client.getTcpNoDelay())
        self.assertTrue(connection.client.getTcpKeepAlive())

    def test_what_the_target_says_first_arrives(self) -> None:
        self.patch(HalfListener, "connectionMade", lambda target: target.transport.write(b"RFB 003.008\n"))
        self.assertEqual(self.server.result(self.open().receive()), b"RFB 003.008\n")


class EndTests(BridgeCase):
    """Each end is told how the other one has ended."""

    def test_the_target_gets_all_before_it_is_told_of_the_clients_end(self) -> None:
        client = self.open()
        for _ in range(10):
            client.send(bytes(MIB // 2))
        client.close()
        self.end_of(client)
        self.assertEqual(len(self.target.data), 5 * MIB)
        self.assertEqual(self.target.events[-1], "read lost")

    def test_the_target_that_ends_closes_behind_all_it_said(self) -> None:
        for half in (True, False):
            with self.subTest(half=half):
                client = self.open()
                transport = self.targets[-1].transport
                transport.write(b"the last words")
                transport.loseWriteConnection() if half else transport.loseConnection()
                self.assertEqual(self.server.result(client.receive()), b"the last words")
                self.assertEqual(self.end_of(client), (1000, "", True))

    def test_a_target_that_has_closed_its_side_still_gets_what_was_on_its_way(self) -> None:
        client = self.open()
        self.server.connection(client).client.hold()
        client.send(b"on its way")
        self.target.transport.loseWriteConnection()
        self.server.settle()
        self.server.connection(client).client.release()
        self.assertEqual(self.end_of(client)[0], 1000)
        self.assertEqual(self.target.data, b"on its way")

    def test_a_target_that_is_lost_is_told_as_an_error_of_a_gateway(self) -> None:
        client = self.open()
        self.target.transport.abortConnection()
        self.assertEqual(self.end_of(client), (1014, "the connection to the target was lost", True))

    def test_a_client_that_vanishes_resets_the_target(self) -> None:
        client = self.open()
        lost: list[Any] = []
        self.patch(self.target, "connectionLost", lost.append)
        client.abort()
        self.server.settle()
        [reason] = lost
        self.assertIsNone(reason.check(ConnectionDone))
        self.assertEqual(self.target.events, ["made"])

    def test_a_server_that_goes_away_lets_the_target_go(self) -> None:
        client = self.open()
        self.server.streams[0].close(1001, "going away")
        self.assertEqual(self.end_of(client)[:2], (1001, "going away"))
        self.assertEqual(self.target.events, ["made", "read lost"])

    def test_a_target_that_takes_nothing_in_the_end_is_dropped(self) -> None:
        self.serve(self.endpoint, timeout=7)
        client = self.open()
        self.target.transport.pauseProducing()
        client.send(b"never read")
        client.close()
        self.end_of(client)
        [connection] = self.endpoint.connections
        self.server.advance(6.9)
        self.assertFalse(connection.client.disconnected)
        self.server.advance(0.2)
        self.assertTrue(connection.client.disconnected)

    def test_no_timer_is_left_behind(self) -> None:
        client = self.open()
        client.close()
        self.end_of(client)
        self.target.transport.loseConnection()
        self.server.settle()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class BackpressureTests(BridgeCase):
    """Each end is read as fast as the other one reads, so that little is kept between them."""

    def take(self, client: WebSocketStream, size: int) -> bytes:
        """Receive as many bytes."""
        received = bytearray()
        while len(received) < size:
            message = self.server.result(client.receive())
            assert isinstance(message, bytes)
            received += message
        return bytes(received)

    def test_a_slow_client_slows_the_target(self) -> None:
        client = self.open()
        client.pauseProducing()
        self.target.transport.write(RANDOM)
        self.server.settle()
        [stream] = self.server.streams
        self.assertLess(stream.bytes_sent, 2 * MIB)  # of which the client reads one ahead
        client.resumeProducing()
        self.assertEqual(self.take(client, len(RANDOM)), RANDOM)

    def test_a_slow_target_slows_the_client(self) -> None:
        client = self.open()
        self.target.transport.pauseProducing()
        for start in range(0, len(RANDOM), MIB // 2):
            client.send(RANDOM[start : start + MIB // 2])
        read: list[int] = []
        [stream] = self.server.streams
        deliver = stream.dataReceived

        def count(data: bytes) -> None:
            read.append(len(data))
            deliver(data)

        self.patch(stream, "dataReceived", count)
        self.server.settle()
        self.assertLess(sum(read), 2 * MIB)
        self.target.transport.resumeProducing()
        self.server.settle()
        self.assertEqual(self.target.data, RANDOM)

    def test_a_write_larger_than_the_send_buffer_arrives(self) -> None:
        self.serve(self.endpoint, changes={"max_send_buffer": 1000})
        client = self.open()
        client.pauseProducing()
        self.target.transport.write(RANDOM[:MIB])
        self.server.settle()
        client.resumeProducing()
        self.assertEqual(self.take(client, MIB), RANDOM[:MIB])
        self.assertTrue(client.is_open)
