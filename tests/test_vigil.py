"""Tests of hunchensocket_tx.vigil."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.vigil import Vigil


class Watched:
    """A stream that writes down what its vigil does.

    :param pings: whether its version has pings.
    :param changes: settings.
    """

    def __init__(self, pings: bool = True, **changes: Any) -> None:
        self.clock = Clock()
        self.listening = True
        self.asked_to_listen = 0
        self.pinged: list[float] = []
        self.given_up: list[str] = []
        self.vigil = Vigil(self.clock, Settings(**changes), pings, self)

    def is_listening(self) -> bool:
        return self.listening

    def is_busy(self) -> bool:
        return not self.listening

    def read_ahead(self) -> None:
        self.asked_to_listen += 1

    def send_keepalive_ping(self) -> None:
        self.pinged.append(self.clock.seconds())

    def give_up(self, reason: str) -> None:
        self.given_up.append(reason)

    def hear(self) -> None:
        """Let a byte of the peer come."""
        self.vigil.last_received = self.clock.seconds()


class WaitTest(SynchronousTestCase):
    """A vigil waits for one thing at a time."""

    def setUp(self) -> None:
        self.watched = Watched()
        self.called: list[str] = []

    def test_it_calls_when_the_time_is_over_and_only_once(self) -> None:
        self.watched.vigil.wait(10, lambda: self.called.append("now"))
        self.watched.clock.advance(9.9)
        self.assertEqual(self.called, [])
        self.watched.clock.pump([0.2, 100])
        self.assertEqual(self.called, ["now"])

    def test_a_new_thing_takes_the_place_of_the_old(self) -> None:
        self.watched.vigil.wait(10, lambda: self.called.append("old"))
        self.watched.vigil.wait(20, lambda: self.called.append("new"))
        self.watched.clock.pump([15, 15])
        self.assertEqual(self.called, ["new"])

    def test_it_can_be_stopped_again_and_again(self) -> None:
        self.watched.vigil.wait(10, lambda: self.called.append("late"))
        for _ in range(2):
            self.watched.vigil.stop()
        self.watched.clock.advance(10)
        self.assertEqual(self.called, [])
        self.assertEqual(self.watched.clock.getDelayedCalls(), [])

    def test_what_is_called_may_wait_for_the_next_thing(self) -> None:
        self.watched.vigil.wait(1, lambda: self.watched.vigil.wait(1, lambda: self.called.append("second")))
        self.watched.clock.pump([1, 1])
        self.assertEqual(self.called, ["second"])

    def test_it_stops_watching_life(self) -> None:
        self.watched.vigil.watch_life()
        self.watched.vigil.wait(1000, lambda: None)
        self.watched.clock.pump([100] * 9)
        self.assertEqual(self.watched.pinged, [])


class PingTest(SynchronousTestCase):
    """A quiet peer is pinged, and given up if nothing comes."""

    def watch(self, **changes: Any) -> Watched:
        """Return what is watched for life, with an interval of 20 and a timeout of 10 seconds."""
        watched = Watched(**{"ping_interval": 20, "ping_timeout": 10, **changes})
        watched.vigil.watch_life()
        return watched

    def test_it_is_pinged_when_it_was_quiet_for_the_interval(self) -> None:
        watched = self.watch()
        watched.clock.advance(19.9)
        self.assertEqual(watched.pinged, [])
        watched.clock.advance(0.1)
        self.assertEqual(len(watched.pinged), 1)

    def test_bytes_postpone_the_ping(self) -> None:
        watched = self.watch()
        for _ in range(10):
            watched.clock.advance(15)
            watched.hear()
        self.assertEqual(watched.pinged, [])

    def test_the_ping_comes_an_interval_after_the_last_byte(self) -> None:
        watched = self.watch()
        watched.clock.advance(7)
        watched.hear()
        watched.clock.pump([1] * 40)
        self.assertEqual(watched.pinged, [27])

    def test_without_a_byte_it_is_given_up_once(self) -> None:
        watched = self.watch()
        watched.clock.pump([20, 9.9])
        self.assertEqual(watched.given_up, [])
        watched.clock.pump([0.2, 100, 100])
        self.assertEqual(len(watched.given_up), 1)
        self.assertEqual(len(watched.pinged), 1)

    def test_the_reason_names_the_seconds(self) -> None:
        watched = self.watch(ping_timeout=2.5)
        watched.clock.pump([20, 2.5])
        self.assertIn("2.5 seconds", watched.given_up[0])

    def test_any_byte_after_the_ping_is_a_sign_of_life(self) -> None:
        watched = self.watch()
        for _ in range(5):
            watched.clock.pump([20, 9])
            watched.hear()
        watched.clock.advance(20)
        self.assertEqual(len(watched.pinged), 6)
        self.assertEqual(watched.given_up, [])

    def test_a_byte_within_the_clock_s_resolution_of_the_ping_is_one_too(self) -> None:
        # On the same machine the answer may be there before a coarse clock has moved.
        watched = self.watch()
        watched.clock.advance(20)
        watched.hear()
        watched.clock.advance(10)
        self.assertEqual(watched.given_up, [])

    def test_who_answers_is_pinged_again_when_it_is_quiet_again(self) -> None:
        watched = self.watch()
        for _ in range(100):
            watched.clock.advance(1)
            if watched.pinged and watched.pinged[-1] == watched.clock.seconds() - 1:
                watched.hear()
        # A byte came a second after each ping.
        self.assertEqual(watched.pinged[:2], [20, 41])
        self.assertEqual(watched.given_up, [])

    def test_a_long_timeout_does_not_make_pings_rare(self) -> None:
        # They keep proxies from cutting quiet connections as well.
        watched = self.watch(ping_timeout=1000)
        for number in range(1, 6):
            watched.clock.advance(20)
            self.assertEqual(len(watched.pinged), number)
            watched.clock.advance(1)
            watched.hear()

    def test_a_timeout_longer_than_the_interval_is_waited_for(self) -> None:
        watched = self.watch(ping_timeout=50)
        watched.clock.pump([1] * 69)
        self.assertEqual(watched.given_up, [])
        watched.clock.advance(1)
        self.assertEqual(len(watched.given_up), 1)

    def test_with_a_timeout_of_0_it_is_pinged_and_never_given_up(self) -> None:
        watched = self.watch(ping_timeout=0)
        watched.clock.pump([20] * 10)
        self.assertEqual(watched.pinged, [20 * turn for turn in range(1, 11)])
        self.assertEqual(watched.given_up, [])

    def test_it_is_not_pinged_while_nobody_listens(self) -> None:
        watched = self.watch()
        watched.listening = False
        watched.clock.pump([20] * 10)
        self.assertEqual(watched.pinged, [])

    def test_it_is_pinged_again_when_somebody_listens_again(self) -> None:
        watched = self.watch()
        watched.listening = False
        watched.clock.pump([10] * 10)
        watched.listening = True
        watched.hear()
        watched.clock.pump([5] * 9)
        self.assertTrue(watched.pinged)

    def test_it_is_not_given_up_for_what_nobody_could_hear(self) -> None:
        watched = self.watch()
        watched.clock.advance(20)
        watched.listening = False
        watched.clock.pump([10] * 10)
        self.assertEqual(watched.given_up, [])


class IdlenessTest(SynchronousTestCase):
    """Without pings, ``websocket_timeout`` counts."""

    def watches(self, **changes: Any) -> list[Watched]:
        """Return what is watched without pings: as its version has none, or as the interval is 0."""
        found = [
            Watched(pings=False, websocket_timeout=100, **changes),
            Watched(pings=True, ping_interval=0, websocket_timeout=100, **changes),
        ]
        for watched in found:
            watched.vigil.watch_life()
        return found

    def test_it_is_given_up_when_no_byte_was_exchanged_for_so_long(self) -> None:
        for watched in self.watches():
            watched.clock.advance(99.9)
            self.assertEqual(watched.given_up, [])
            watched.clock.pump([0.2, 1000])
            self.assertEqual(len(watched.given_up), 1)
            self.assertIn("100 seconds", watched.given_up[0])

    def test_it_is_not_pinged(self) -> None:
        for watched in self.watches():
            watched.clock.pump([10] * 20)
            self.assertEqual(watched.pinged, [])

    def test_bytes_in_either_direction_count(self) -> None:
        for watched in self.watches():
            for _ in range(5):
                watched.clock.advance(60)
                watched.vigil.last_sent = watched.clock.seconds()
                watched.clock.advance(60)
                watched.hear()
            self.assertEqual(watched.given_up, [])

    def test_it_is_not_given_up_while_nobody_listens(self) -> None:
        for watched in self.watches():
            watched.listening = False
            watched.clock.pump([60] * 10)
            self.assertEqual(watched.given_up, [])

    def test_0_is_never(self) -> None:
        watched = Watched(pings=False, websocket_timeout=0)
        watched.vigil.watch_life()
        self.assertEqual(watched.clock.getDelayedCalls(), [])
