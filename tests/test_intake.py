"""Tests of hunchensocket_tx.intake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.errors import ConnectionClosed
from hunchensocket_tx.incoming import IncomingMessage
from hunchensocket_tx.intake import Intake
from hunchensocket_tx.wire.events import Closed, Event, Opened, Piece, Pong, Reply
from tests.wire_support import properties

END = ConnectionClosed(1006, "", False)

BATCHES = st.lists(st.lists(st.sampled_from(["text", b"bytes", "", Pong(b"")]), max_size=8), max_size=8)
"""Events as they come together."""


class OpenIntake(Intake):
    """An intake whose owner is a test.

    :param handle: takes events that are no messages.
    :param rested: called when there is nothing to do.
    """

    def __init__(self, handle: Callable[[Any], Deferred[None] | None], rested: Callable[[], None]) -> None:
        super().__init__()
        self._handle = handle
        self._rest = rested

    def _handle_event(self, event: Any) -> Deferred[None] | None:
        return self._handle(event)

    def _rested(self) -> None:
        self._rest()


class IntakeTestCase(SynchronousTestCase):
    """Gives each test an intake, and writes down what it does."""

    def setUp(self) -> None:
        self.told: list[Any] = []
        """Messages and other events, in the order in which they were handled."""
        self.rests = 0
        self.intake = OpenIntake(self.take, self.rest)
        self.intake._deliver = self.take
        self.pending: Deferred[None] | None = None
        """What the handlers return."""

    def take(self, event: Any) -> Deferred[None] | None:
        self.told.append(event)
        return self.pending

    def rest(self) -> None:
        self.rests += 1


class InboxTest(IntakeTestCase):
    """Messages wait for who asks."""

    def setUp(self) -> None:
        super().setUp()
        self.intake._deliver = self.intake.into_inbox()
        self.inbox = self.intake.inbox

    def test_messages_that_came_together_are_taken_at_once(self) -> None:
        self.intake._take_in(["a", b"b", ""])
        self.assertEqual([self.inbox.take() for _ in range(4)], ["a", b"b", "", None])
        self.assertFalse(self.intake._is_idle)
        self.assertNoResult(self.inbox.get())
        self.assertTrue(self.intake._is_idle)
        self.assertEqual(self.intake.messages_received, 3)

    def test_other_events_keep_their_place(self) -> None:
        self.intake._take_in(["a", Pong(b""), "b", Closed()])
        for number, expected in enumerate("ab"):
            self.assertEqual(self.successResultOf(self.inbox.get()), expected)
            self.assertEqual(len(self.told), number)
        self.assertNoResult(self.inbox.get())
        self.assertEqual(self.told, [Pong(b""), Closed()])

    def test_while_it_is_paused_or_blocked_none_is_taken(self) -> None:
        for reason in ("_paused", "_blocked"):
            with self.subTest(reason=reason):
                self.setUp()
                self.intake._take_in(["a", "b"])
                self.assertEqual(self.inbox.take(), "a")
                setattr(self.intake, reason, True)
                asked = self.inbox.get()
                self.assertNoResult(asked)
                setattr(self.intake, reason, False)
                self.intake._go_on()
                self.assertEqual(self.successResultOf(asked), "b")

    @properties
    @given(BATCHES, st.sets(st.integers(0, 40)), st.sets(st.integers(0, 8)))
    def test_all_are_taken_once_and_in_order_however_they_come_and_are_waited_for(
        self, batches: list[list[Event]], rests: set[int], ends: set[int]
    ) -> None:
        """It rests after some messages; after some batches, that ends."""
        self.setUp()
        resting: list[Deferred[None]] = []

        async def talk() -> None:
            while True:
                self.told.append(await self.inbox.get())
                if len(self.told) in rests:
                    resting.append(Deferred())
                    await resting[-1]

        talking = Deferred.fromCoroutine(talk())
        for number, batch in enumerate(batches):
            self.intake._take_in(list(batch))
            if resting and number in ends:
                resting.pop().callback(None)
        while resting:
            resting.pop().callback(None)
        self.assertEqual(self.told, [event for batch in batches for event in batch])
        self.assertTrue(self.intake._is_idle)
        self.intake._end_intake(END)
        self.failureResultOf(talking, ConnectionClosed)

    def test_who_is_called_with_a_message_takes_those_behind_it(self) -> None:
        got: list[object] = []

        def take(message: object) -> None:
            got.append(message)
            self.inbox.get().addCallback(take)

        self.inbox.get().addCallback(take)
        self.intake._take_in(["a", "b", Pong(b""), "c"])
        self.assertEqual(got, ["a", "b", "c"])
        self.assertTrue(self.intake._is_idle)


class OrderTest(IntakeTestCase):
    """Everything is handled in order and one at a time."""

    def test_messages_and_other_events_keep_their_order(self) -> None:
        events: list[Event] = [Opened(), "a", Reply(b"x"), b"b", Pong(b""), Closed()]
        self.intake._take_in(list(events))
        self.assertEqual(self.told, events)

    def test_it_rests_when_there_is_nothing_to_do(self) -> None:
        self.intake._take_in(["a", "b"])
        self.assertEqual(self.rests, 1)
        self.assertTrue(self.intake._is_idle)

    def test_without_a_handler_messages_are_dropped(self) -> None:
        intake = OpenIntake(self.take, self.rest)
        intake._take_in(["a", Pong(b"")])
        self.assertEqual(self.told, [Pong(b"")])

    def test_it_waits_for_who_is_not_done(self) -> None:
        for first in ("a", Opened()):
            with self.subTest(first=first):
                self.setUp()
                done = self.pending = Deferred()
                self.intake._take_in([first, "b"])
                self.intake._take_in(["c"])
                self.assertEqual(self.told, [first])
                self.assertTrue(self.intake._busy)
                self.assertFalse(self.intake._is_idle)
                self.pending = None
                done.callback(None)
                self.assertEqual(self.told, [first, "b", "c"])
                self.assertFalse(self.intake._busy)

    def test_a_handler_that_adds_events_is_not_entered_again(self) -> None:
        depth: list[str] = []

        def deliver(message: str) -> None:
            self.assertEqual(depth, [], f"{message} is handled within another")
            depth.append(message)
            if message == "a":
                self.intake._take_in(["c"])
            self.told.append(depth.pop())

        self.intake._deliver = deliver
        self.intake._take_in(["a", "b"])
        self.assertEqual(self.told, ["a", "b", "c"])

    def test_many_handlers_that_are_done_at_once_do_not_pile_up(self) -> None:
        count = 20_000
        done: Deferred[None] = Deferred()
        done.callback(None)

        def deliver(message: str) -> Deferred[None]:
            self.told.append(message)
            finished: Deferred[None] = Deferred()
            finished.callback(None)
            return finished

        self.intake._deliver = deliver
        self.intake._take_in(["x"] * count)
        self.assertEqual(len(self.told), count)

    def test_an_error_that_a_handler_lets_pass_is_logged_and_the_next_event_handled(self) -> None:
        done = self.pending = Deferred()
        self.intake._take_in(["a", "b"])
        self.pending = None
        done.errback(ZeroDivisionError())
        self.assertEqual(self.told, ["a", "b"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_what_is_cleared_is_not_handled(self) -> None:
        done = self.pending = Deferred()
        self.intake._take_in(["a", "b", Pong(b"")])
        self.intake._drop_events()
        done.callback(None)
        self.assertEqual(self.told, ["a"])
        self.assertTrue(self.intake._is_idle)


class HoldingTest(IntakeTestCase):
    """Messages wait while the application or the sending side wants none."""

    def test_messages_and_pieces_wait(self) -> None:
        for flag in ("_paused", "_blocked"):
            for message in ("text", b"binary", Piece("text", True)):
                with self.subTest(flag=flag, message=message):
                    self.setUp()
                    setattr(self.intake, flag, True)
                    self.intake._take_in([message])
                    self.assertEqual(self.told, [])
                    setattr(self.intake, flag, False)
                    self.intake._go_on()
                    self.assertEqual(len(self.told), 1)

    def test_what_the_protocol_asks_for_does_not_wait(self) -> None:
        self.intake._paused = self.intake._blocked = True
        events: list[Event] = [Reply(b"pong"), Pong(b""), Closed()]
        self.intake._take_in(list(events))
        self.assertEqual(self.told, events)

    def test_what_is_behind_a_message_that_waits_keeps_its_place(self) -> None:
        self.intake._paused = True
        self.intake._take_in(["a", Closed()])
        self.assertEqual(self.told, [])
        self.assertFalse(self.intake._is_idle)
        self.intake._paused = False
        self.intake._go_on()
        self.assertEqual(self.told, ["a", Closed()])

    def test_a_handler_may_pause_in_the_midst(self) -> None:
        def deliver(message: str) -> None:
            self.told.append(message)
            self.intake._paused = True

        self.intake._deliver = deliver
        self.intake._take_in(["a", "b"])
        self.assertEqual(self.told, ["a"])


class EndTest(IntakeTestCase):
    """The peer's closing is found behind what a handler holds up."""

    def test_it_is_found_with_our_answer_which_is_not_sent_twice(self) -> None:
        done = self.pending = Deferred()
        self.intake._take_in(["a", "b", Reply(b"close"), Closed(1000, "bye")])
        self.assertEqual(self.intake._take_end(), (Closed(1000, "bye"), Reply(b"close")))
        self.pending = None
        done.callback(None)
        self.assertEqual(self.told, ["a", "b", Closed(1000, "bye")])

    def test_it_may_need_no_answer(self) -> None:
        self.pending = Deferred()
        self.intake._take_in(["a", "b", Closed()])
        self.assertEqual(self.intake._take_end(), (Closed(), None))

    def test_it_is_not_found_where_there_is_none(self) -> None:
        self.pending = Deferred()
        waiting: tuple[list[Event], ...] = ([], ["a"], ["b", Reply(b"pong")])
        for events in waiting:
            self.intake._take_in(events)
            self.assertEqual(self.intake._take_end(), (None, None))

    def test_who_waits_for_messages_is_told(self) -> None:
        waiting = self.intake.inbox.get()
        self.intake._end_intake(END)
        self.failureResultOf(waiting, ConnectionClosed)

    def test_an_inbox_that_is_made_later_tells_it_as_well(self) -> None:
        self.intake._end_intake(END)
        self.failureResultOf(self.intake.inbox.get(), ConnectionClosed)


class PieceTest(IntakeTestCase):
    """A message in pieces is handed over at its start, and taken piece by piece."""

    def next_of(self, incoming: IncomingMessage) -> Deferred[Any]:
        """Ask for the next piece."""
        return Deferred.fromCoroutine(incoming.__anext__())

    def test_the_handler_gets_the_message_with_its_first_piece(self) -> None:
        self.pending = Deferred()
        self.intake._take_in([Piece("a", False)])
        [incoming] = self.told
        self.assertIsInstance(incoming, IncomingMessage)
        self.assertEqual(self.successResultOf(self.next_of(incoming)), "a")

    def test_the_next_piece_waits_until_it_is_asked_for(self) -> None:
        self.pending = Deferred()
        self.intake._take_in([Piece("a", False), Piece("b", False), Pong(b"")])
        [incoming] = self.told
        self.successResultOf(self.next_of(incoming))
        self.assertTrue(self.intake._busy)
        self.assertEqual(self.successResultOf(self.next_of(incoming)), "b")
        self.assertNoResult(self.next_of(incoming))
        self.assertEqual(self.told, [incoming, Pong(b"")])

    def test_it_ends_with_the_last_piece(self) -> None:
        self.pending = Deferred()
        self.intake._take_in([Piece("a", False), Piece("b", True)])
        incoming = self.told[0]
        for expected in "ab":
            self.assertEqual(self.successResultOf(self.next_of(incoming)), expected)
        self.failureResultOf(self.next_of(incoming), StopAsyncIteration)

    def test_the_next_message_waits_for_the_handler(self) -> None:
        done = self.pending = Deferred()
        self.intake._take_in([Piece("a", True), Piece("b", True)])
        incoming = self.told[0]
        self.successResultOf(self.next_of(incoming))
        self.failureResultOf(self.next_of(incoming), StopAsyncIteration)
        self.assertEqual(len(self.told), 1)
        done.callback(None)
        self.assertEqual(len(self.told), 2)

    def test_what_the_handler_leaves_is_dropped_when_it_is_done(self) -> None:
        done = self.pending = Deferred()
        self.intake._take_in([Piece("a", False), Piece("b", False), Piece("c", True), Piece("next", True)])
        self.assertEqual(len(self.told), 1)
        done.callback(None)
        self.assertEqual(len(self.told), 2)

    def test_a_handler_that_is_done_at_once_leaves_everything(self) -> None:
        # It returned no Deferred to wait for: whoever would take the pieces?
        self.intake._take_in([Piece("a", False), Piece("b", True), Piece("next", True), Pong(b"")])
        self.assertEqual(len(self.told), 3)
        self.assertTrue(self.intake._is_idle)

    def test_who_waits_for_the_rest_is_told_that_it_will_not_come(self) -> None:
        self.pending = Deferred()
        self.intake._take_in([Piece("a", False)])
        [incoming] = self.told
        self.successResultOf(self.next_of(incoming))
        rest = self.next_of(incoming)
        self.intake._end_intake(END)
        self.assertIs(self.failureResultOf(rest, ConnectionClosed).value, END)
