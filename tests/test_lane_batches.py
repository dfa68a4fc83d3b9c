"""Tests of hunchensocket_tx.lane: many connections that are ready at the same time; the same without the lane."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from twisted.internet import reactor
from twisted.internet.error import ConnectionAborted, ConnectionDone

from hunchensocket_tx.lane import BATCH
from hunchensocket_tx.lane_transport import PORTION
from tests.harness import turns, turns_until
from tests.lane_support import ConnectionCase, Echo, HalfCloser, OnLane, Oops, Peer, Recorder, failing, patterned


class HandlerTest(ConnectionCase):
    """What a handler does to others, and to itself, while several connections are ready."""

    async def both(self, *protocols: Recorder) -> list[Peer]:
        """Connect two protocols with peers."""
        return [await self.connected(protocol) for protocol in protocols]

    async def assert_only_one_is_dropped(self, method: str, trigger: Callable[[Peer, Recorder], object]) -> None:
        """Check what comes of an exception in a method while another connection is ready, too."""
        for error in (Oops("in a handler"), SystemExit(1)):
            failed = HalfCloser(**{method: failing(error)})
            other = Echo()
            peers = await self.both(failed, other)
            trigger(peers[0], failed)
            peers[1].send(b"and I?")
            await peers[1].until(6)
            self.assertEqual(peers[1].data, b"and I?")
            await failed.lost()
            await peers[0].until_end()
            self.assertEqual(len(self.flushLoggedErrors(type(error))), 1)
            self.assertEqual(failed.told.count("connectionLost"), 1)
            self.assertIsNone(other.reason)
            if method != "connectionLost":
                self.assertIs(failed.reason, error)

    async def test_an_exception_as_data_is_received_drops_that_connection_only(self) -> None:
        await self.assert_only_one_is_dropped("dataReceived", lambda peer, _: peer.send(b"?"))

    async def test_an_exception_at_the_peer_s_end_drops_that_connection_only(self) -> None:
        await self.assert_only_one_is_dropped("readConnectionLost", lambda peer, _: peer.half_close())

    async def test_an_exception_at_our_side_s_end_drops_that_connection_only(self) -> None:
        await self.assert_only_one_is_dropped(
            "writeConnectionLost", lambda _, protocol: protocol.link.loseWriteConnection()
        )

    async def test_an_exception_at_the_end_harms_no_other(self) -> None:
        await self.assert_only_one_is_dropped("connectionLost", lambda _, protocol: protocol.link.loseConnection())

    async def test_an_exception_of_a_producer_drops_that_connection_only(self) -> None:
        for error in (Oops("in a producer"), SystemExit(1)):
            producing, other = Recorder(), Echo()
            peer = await self.connected(producing, small=True)
            other_peer = await self.connected(other)
            producing.link.registerProducer(Breaking(error), True)
            producing.link.write(patterned(1_000_000))
            await turns()
            other_peer.send(b"and I?")
            await peer.until_end()
            await other_peer.until(6)
            self.assertIs(await producing.lost(), error)
            self.assertEqual(len(self.flushLoggedErrors(type(error))), 1)
            self.assertIsNone(other.reason)

    async def test_one_that_another_has_dropped_is_given_nothing_more(self) -> None:
        first, second = Recorder(), Recorder()
        first.then["dataReceived"] = lambda: second.link.abortConnection()
        second.then["dataReceived"] = lambda: first.link.abortConnection()
        for peer in await self.both(first, second):
            peer.send(b"now")
        await turns_until(lambda: bool(first.reason or second.reason))
        await turns()
        lost, kept = (first, second) if first.reason else (second, first)
        self.assertEqual(lost.told, ["connectionLost"])
        self.assertIsInstance(lost.reason, ConnectionAborted)
        self.assertEqual(kept.told, ["dataReceived"])

    async def test_one_that_another_has_paused_is_given_nothing_more(self) -> None:
        first, second = Recorder(), Recorder()
        first.then["dataReceived"] = lambda: second.link.pauseProducing()
        second.then["dataReceived"] = lambda: first.link.pauseProducing()
        for peer in await self.both(first, second):
            peer.send(b"now")
        await turns_until(lambda: bool(first.data or second.data))
        await turns()
        self.assertEqual(sorted([first.told, second.told]), [[], ["dataReceived"]])

    async def test_one_that_another_has_paused_does_not_learn_of_its_end(self) -> None:
        first, second = HalfCloser(), HalfCloser()
        first.then["readConnectionLost"] = lambda: second.link.pauseProducing()
        second.then["readConnectionLost"] = lambda: first.link.pauseProducing()
        for peer in await self.both(first, second):
            peer.half_close()
        await turns_until(lambda: bool(first.told or second.told))
        await turns()
        self.assertEqual(sorted([first.told, second.told]), [[], ["readConnectionLost"]])

    async def test_one_may_write_to_and_close_others(self) -> None:
        second = Recorder()
        first = Recorder(dataReceived=lambda: [second.link.write(b"from the first"), second.link.loseConnection()])
        peers = await self.both(first, second)
        peers[0].send(b"?")
        await peers[1].until_end()
        self.assertEqual(peers[1].data, b"from the first")
        self.assertIsInstance(await second.lost(), ConnectionDone)
        self.assertIsNone(first.reason)

    async def test_what_is_written_to_another_as_one_is_lost_is_sent(self) -> None:
        second = Recorder()
        first = Recorder(connectionLost=lambda: second.link.write(b"the first is gone"))
        peers = await self.both(first, second)
        first.link.loseConnection()
        await peers[1].until(17)
        self.assertEqual(peers[1].data, b"the first is gone")


class HandlerOnLaneTest(OnLane, HandlerTest):
    """The same on the lane."""


class Breaking:
    """A producer that fails when it is resumed."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def pauseProducing(self) -> None:
        pass

    def stopProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        raise self._error


class FairnessTest(ConnectionCase):
    """Those who say much do not keep the others from being heard."""

    async def test_a_quiet_peer_and_the_clock_have_their_turns_beside_a_loud_one(self) -> None:
        loud, quiet = Recorder(), Recorder()
        loud_peer = await self.connected(loud)
        quiet_peer = await self.connected(quiet)
        quiet.then["dataReceived"] = lambda: heard.append(len(loud.told))
        heard: list[int] = []
        ticks: list[int] = []
        clock: Any = reactor

        def tick() -> None:
            loud_peer.fill(1 << 21)
            ticks.append(len(loud.told))
            if len(ticks) < 30:
                clock.callLater(0, tick)

        tick()
        for _ in range(5):
            before, count = len(loud.told), len(heard)
            quiet_peer.send(b"?")
            await turns_until(lambda count=count: len(heard) > count)  # type: ignore[misc]
            self.assertLessEqual(heard[-1], before + 2)
        await turns_until(lambda: len(ticks) == 30)
        self.assertLessEqual(max(after - before for before, after in pairwise(ticks)), 2)

    async def test_many_at_once_are_all_served(self) -> None:
        echoes = [Echo() for _ in range(BATCH + 44)]
        peers = [await self.connected(echo) for echo in echoes]
        for number, peer in enumerate(peers):
            peer.send(b"%d" % number)
        for number, peer in enumerate(peers):
            await peer.until(len(str(number)))
            self.assertEqual(peer.data, b"%d" % number)


class FairnessOnLaneTest(OnLane, FairnessTest):
    """The same on the lane."""

    async def test_a_connection_is_read_once_in_a_turn(self) -> None:
        sizes: list[int] = []
        protocol = Recorder()
        protocol.then["dataReceived"] = lambda: sizes.append(len(protocol.data) - sum(sizes))
        peer = await self.connected(protocol)
        protocol.link.pauseProducing()
        total = peer.fill()
        protocol.link.resumeProducing()
        await turns(1)
        self.assertEqual(len(sizes), 1)
        await turns_until(lambda: len(protocol.data) == total)
        self.assertLessEqual(max(sizes), PORTION)
