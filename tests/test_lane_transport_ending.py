"""Tests of hunchensocket_tx.lane_transport: how a connection ends, on the lane as on Twisted's own."""

from __future__ import annotations

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost

from tests.harness import turns, turns_until
from tests.lane_support import ConnectionCase, Echo, HalfCloser, OnLane, Recorder, open_descriptors, patterned

MUCH = 2_000_000
"""Bytes that no kernel keeps for a peer that does not read."""


class OnUnix(ConnectionCase):
    """The same tests with unix sockets."""

    is_unix = True


class ClosingTest(ConnectionCase):
    """We close."""

    async def test_all_is_sent_first(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol, small=True)
        data = patterned(MUCH)
        protocol.link.write(data)
        protocol.link.loseConnection()
        await peer.until_end(100_000)
        self.assertEqual(peer.data, data)
        self.assertIsInstance(await protocol.lost(), ConnectionDone)

    async def test_the_protocol_is_not_told_within_the_call(self) -> None:
        protocol = Recorder()
        await self.connected(protocol)
        protocol.link.loseConnection()
        self.assertIsNone(protocol.reason)
        await protocol.lost()
        self.assertEqual(protocol.told, ["connectionLost"])

    async def test_it_can_be_done_as_data_is_received(self) -> None:
        protocol = Echo(dataReceived=lambda: protocol.link.loseConnection())
        peer = await self.connected(protocol)
        peer.send(b"bye")
        await peer.until_end()
        self.assertEqual((peer.data, peer.was_reset), (b"bye", False))
        self.assertIsInstance(await protocol.lost(), ConnectionDone)

    async def test_it_can_be_done_by_stop_producing(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol)
        protocol.link.write(b"last words")
        protocol.link.stopProducing()
        await peer.until_end()
        self.assertEqual(peer.data, b"last words")

    async def test_it_can_be_done_while_reading_is_paused(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol)
        protocol.link.pauseProducing()
        protocol.link.loseConnection()
        await peer.until_end()
        self.assertIsInstance(await protocol.lost(), ConnectionDone)

    async def test_nothing_more_is_received(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol, small=True)
        protocol.link.write(patterned(MUCH))
        protocol.link.loseConnection()
        protocol.link.resumeProducing()
        peer.send(b"wait")
        await turns()
        self.assertEqual(protocol.told, [])

    async def test_whatever_is_called_afterwards_does_nothing(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol)
        link = protocol.link
        link.loseConnection()
        await protocol.lost()
        link.write(b"too late")
        link.writeSequence([b"much ", b"too late"])
        for call in (link.loseConnection, link.abortConnection, link.unregisterProducer):
            call()
        for call in (link.pauseProducing, link.resumeProducing, link.stopProducing):
            call()
        if self.is_lane:  # where Twisted's raise an exception
            link.loseWriteConnection()
            await turns()
        await peer.until_end()
        self.assertEqual((peer.data, peer.was_reset, protocol.told), (b"", False, ["connectionLost"]))

    async def test_what_is_written_as_the_connection_is_lost_is_dropped(self) -> None:
        protocol = Recorder(connectionLost=lambda: protocol.link.write(b"too late"))
        peer = await self.connected(protocol)
        protocol.link.loseConnection()
        await peer.until_end()
        self.assertEqual(peer.data, b"")

    async def test_no_descriptor_is_left(self) -> None:
        await turns()  # the reactor has its own open from now on
        before = open_descriptors()
        protocols = [Recorder() for _ in range(5)]
        peers = [await self.connected(protocol) for protocol in protocols]
        protocols[0].link.loseConnection()
        protocols[1].link.abortConnection()
        peers[2].half_close()
        peers[3].socket.close()
        protocols[4].link.write(patterned(MUCH))
        await turns()
        protocols[4].link.abortConnection()
        for protocol in protocols:
            await protocol.lost()
        for peer in peers:
            peer.socket.close()
        self.assertEqual(open_descriptors() - before, set())


class ClosingOnLaneTest(OnLane, ClosingTest):
    """The same on the lane."""

    async def test_what_is_offered_then_is_taken_by_nobody(self) -> None:
        protocol = Recorder()
        await self.connected(protocol)
        protocol.link.loseConnection()
        await protocol.lost()
        self.assertIsNone(protocol.link.offer(b"too late"))


class ClosingOnUnixTest(OnUnix, ClosingTest):
    """The same with unix sockets."""


class ClosingOnUnixLaneTest(OnUnix, OnLane, ClosingTest):
    """The same on the lane with unix sockets."""


class HalfClosingTest(ConnectionCase):
    """One side is closed before the other."""

    async def test_we_can_send_when_the_peer_has_closed_its_side(self) -> None:
        protocol = HalfCloser()
        peer = await self.connected(protocol)
        peer.half_close()
        await turns_until(lambda: bool(protocol.told))
        protocol.link.write(b"I have something")
        await turns()
        protocol.link.write(b" to say")
        protocol.link.loseConnection()
        await peer.until_end()
        self.assertEqual(peer.data, b"I have something to say")
        await protocol.lost()
        self.assertEqual(protocol.told, ["readConnectionLost", "connectionLost"])

    async def test_we_can_receive_when_we_have_closed_our_side(self) -> None:
        protocol = HalfCloser()
        peer = await self.connected(protocol)
        protocol.link.write(b"that was all")
        protocol.link.loseWriteConnection()
        await peer.until_end()
        self.assertEqual((peer.data, peer.was_reset), (b"that was all", False))
        peer.send(b"thanks")
        peer.half_close()
        await turns_until(lambda: "readConnectionLost" in protocol.told)
        self.assertEqual(protocol.data, b"thanks")
        protocol.link.loseConnection()
        self.assertIsInstance(await protocol.lost(), ConnectionDone)
        self.assertEqual(
            protocol.told, ["writeConnectionLost", "dataReceived", "readConnectionLost", "connectionLost"]
        )

    async def test_all_is_sent_before_our_side_is_closed(self) -> None:
        protocol = HalfCloser()
        peer = await self.connected(protocol, small=True)
        data = patterned(MUCH)
        protocol.link.write(data)
        protocol.link.loseWriteConnection()
        await turns()
        self.assertEqual(protocol.told, [])
        await peer.until_end(100_000)
        self.assertEqual(peer.data, data)

    async def test_what_is_written_when_our_side_is_closed_is_dropped(self) -> None:
        protocol = HalfCloser()
        peer = await self.connected(protocol)
        protocol.link.loseWriteConnection()
        await turns_until(lambda: bool(protocol.told))
        protocol.link.write(b"too late")
        await turns()
        peer.send(b"heard")
        await turns_until(lambda: bool(protocol.data))
        await peer.until_end()
        self.assertEqual((peer.data, protocol.reason), (b"", None))

    async def test_our_side_may_be_closed_twice(self) -> None:
        protocol = HalfCloser()
        await self.connected(protocol)
        protocol.link.loseWriteConnection()
        protocol.link.loseWriteConnection()
        await turns()
        self.assertEqual(protocol.told, ["writeConnectionLost"])

    async def test_without_a_word_for_it_the_protocol_can_receive_when_our_side_is_closed(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol)
        protocol.link.loseWriteConnection()
        await peer.until_end()
        peer.send(b"goes on")
        await turns_until(lambda: bool(protocol.data))
        self.assertEqual(protocol.told, ["dataReceived"])

    async def test_without_a_word_for_it_the_peer_s_end_is_the_connection_s(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol)
        peer.half_close()
        self.assertIsInstance(await protocol.lost(), ConnectionDone)
        await peer.until_end()
        self.assertEqual(protocol.told, ["connectionLost"])

    async def test_the_peer_s_end_is_not_told_while_reading_is_paused(self) -> None:
        protocol = HalfCloser()
        peer = await self.connected(protocol)
        protocol.link.pauseProducing()
        peer.half_close()
        await turns()
        self.assertEqual(protocol.told, [])
        protocol.link.resumeProducing()
        await turns_until(lambda: bool(protocol.told))
        self.assertEqual(protocol.told, ["readConnectionLost"])

    async def test_when_both_sides_are_closed_the_protocol_closes(self) -> None:
        protocol = HalfCloser(writeConnectionLost=lambda: protocol.link.loseConnection())
        peer = await self.connected(protocol)
        peer.half_close()
        await turns_until(lambda: bool(protocol.told))
        protocol.link.loseWriteConnection()
        self.assertIsInstance(await protocol.lost(), ConnectionDone)
        self.assertEqual(protocol.told, ["readConnectionLost", "writeConnectionLost", "connectionLost"])


class HalfClosingOnLaneTest(OnLane, HalfClosingTest):
    """The same on the lane."""

    async def test_what_is_offered_when_our_side_is_closed_is_dropped(self) -> None:
        protocol = HalfCloser()
        await self.connected(protocol)
        protocol.link.loseWriteConnection()
        await turns_until(lambda: bool(protocol.told))
        self.assertIsNone(protocol.link.offer(b"too late"))
        await turns()
        self.assertIsNone(protocol.reason)


class HalfClosingOnUnixTest(OnUnix, HalfClosingTest):
    """The same with unix sockets."""


class HalfClosingOnUnixLaneTest(OnUnix, OnLane, HalfClosingTest):
    """The same on the lane with unix sockets."""


class AbortingTest(ConnectionCase):
    """We drop the connection."""

    async def test_the_peer_is_reset(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol)
        protocol.link.abortConnection()
        self.assertEqual(protocol.told, [])
        await peer.until_end()
        self.assertTrue(peer.was_reset)
        self.assertIsInstance(await protocol.lost(), ConnectionAborted)

    async def test_what_waits_is_dropped(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol, small=True)
        protocol.link.write(patterned(MUCH))
        await turns()
        protocol.link.write(b"more")
        protocol.link.abortConnection()
        protocol.link.write(b"more")
        self.assertIsInstance(await protocol.lost(), ConnectionAborted)
        await peer.until_end()
        self.assertLess(len(peer.data), MUCH)

    async def test_it_can_be_done_while_a_peer_that_never_reads_keeps_us_from_closing(self) -> None:
        protocol = Recorder()
        await self.connected(protocol, small=True)
        protocol.link.write(patterned(MUCH))
        protocol.link.loseConnection()
        await turns()
        self.assertIsNone(protocol.reason)
        protocol.link.abortConnection()
        self.assertIsInstance(await protocol.lost(), ConnectionAborted)

    async def test_it_can_be_done_as_data_is_received(self) -> None:
        def abort() -> None:
            protocol.link.abortConnection()
            protocol.link.abortConnection()
            self.assertIsNone(protocol.reason)

        protocol = Recorder(dataReceived=abort)
        peer = await self.connected(protocol)
        peer.send(b"?")
        self.assertIsInstance(await protocol.lost(), ConnectionAborted)
        self.assertEqual(protocol.told, ["dataReceived", "connectionLost"])

    async def test_nothing_is_received_any_more(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol)
        peer.send(b"has arrived")
        protocol.link.abortConnection()
        protocol.link.resumeProducing()
        await protocol.lost()
        self.assertEqual(protocol.told, ["connectionLost"])


class AbortingOnLaneTest(OnLane, AbortingTest):
    """The same on the lane."""


class ResetTest(ConnectionCase):
    """The peer drops the connection."""

    async def test_while_we_read(self) -> None:
        protocol = HalfCloser()
        peer = await self.connected(protocol)
        peer.reset()
        self.assertIsInstance(await protocol.lost(), ConnectionLost)
        self.assertEqual(protocol.told, ["connectionLost"])

    async def test_while_reading_is_paused(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol)
        protocol.link.pauseProducing()
        peer.reset()
        await turns()
        self.assertIsNone(protocol.reason)
        protocol.link.resumeProducing()
        self.assertIsInstance(await protocol.lost(), ConnectionLost)

    async def test_when_we_write_while_reading_is_paused(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol)
        protocol.link.pauseProducing()
        peer.reset()
        await turns()
        protocol.link.write(b"anybody there?")
        self.assertIsInstance(await protocol.lost(), ConnectionLost)

    async def test_while_we_have_something_to_send(self) -> None:
        for paused in (False, True):
            protocol = Recorder()
            peer = await self.connected(protocol, small=True)
            if paused:
                protocol.link.pauseProducing()
            protocol.link.write(patterned(MUCH))
            await turns()
            peer.reset()
            self.assertIsInstance(await protocol.lost(), ConnectionLost)

    async def test_while_we_close(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol, small=True)
        protocol.link.write(patterned(MUCH))
        protocol.link.loseConnection()
        await turns()
        peer.reset()
        self.assertIsInstance(await protocol.lost(), ConnectionLost)

    async def test_as_we_answer(self) -> None:
        protocol = Echo(dataReceived=lambda: peer.reset())
        peer = await self.connected(protocol)
        peer.send(b"?")
        self.assertIsInstance(await protocol.lost(), ConnectionLost)
        self.assertEqual(protocol.told, ["dataReceived", "connectionLost"])


class ResetOnLaneTest(OnLane, ResetTest):
    """The same on the lane."""

    async def test_when_something_is_offered(self) -> None:
        protocol = Recorder()
        peer = await self.connected(protocol)
        peer.reset()
        self.assertIsNone(protocol.link.offer(b"anybody there?"))
        self.assertIsNone(protocol.reason)
        self.assertIsInstance(await protocol.lost(), ConnectionLost)
