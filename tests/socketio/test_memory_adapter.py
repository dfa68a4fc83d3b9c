"""Rooms in memory: who is in which, and who gets what."""

from __future__ import annotations

from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.socketio.adapter import EVERYBODY, USUAL, Audience, Flags, KeptSession
from hunchensocket_tx.socketio.errors import UnserializableData
from hunchensocket_tx.socketio.wire.packets import Packet, PacketType
from tests.socketio.room_support import Hall
from tests.wire_support import properties

EVENT = Packet(PacketType.EVENT, "/hall", ["said", 1])


def audience(rooms: str = "", but: str = "") -> Audience:
    """Return an audience of rooms with names of one letter."""
    return Audience(frozenset(rooms), frozenset(but))


class RoomTests(SynchronousTestCase):
    """Who is where."""

    def test_a_socket_is_in_the_rooms_it_joined_and_in_its_own(self) -> None:
        hall = Hall()
        hall.enter("a", "x", "y")
        self.assertEqual(hall.adapter.rooms_of("a"), {"a", "x", "y"})
        self.assertEqual(set(hall.adapter.local_rooms()), {"a", "x", "y"})

    def test_who_is_unknown_is_in_no_room(self) -> None:
        self.assertEqual(Hall().adapter.rooms_of("a"), frozenset())

    def test_rooms_without_members_are_gone(self) -> None:
        hall = Hall()
        hall.enter("a", "x", "y")
        hall.enter("b", "x")
        hall.adapter.leave("a", "y")
        self.assertEqual(set(hall.adapter.local_rooms()), {"a", "b", "x"})
        hall.leave("a")
        self.assertEqual(set(hall.adapter.local_rooms()), {"b", "x"})
        hall.adapter.leave("b", "x")
        hall.adapter.leave("b", "b")
        self.assertEqual(set(hall.adapter.local_rooms()), set())

    def test_leaving_a_room_one_is_not_in_does_nothing(self) -> None:
        hall = Hall("a")
        hall.enter("b", "x")
        for room in ("x", "none", "b"):
            hall.adapter.leave("a", room)
        hall.adapter.leave_all("nobody")
        self.assertEqual(hall.adapter.rooms_of("b"), {"b", "x"})

    def test_a_room_may_have_the_name_of_another_socket(self) -> None:
        hall = Hall("a", "b", "c")
        hall.adapter.join("b", ["a"])
        self.assertEqual(set(hall.adapter.local_members(audience("a"))), {"a", "b"})
        hall.leave("a")
        self.assertEqual(set(hall.adapter.local_members(audience("a"))), {"b"})

    def test_who_is_in_several_rooms_is_counted_once(self) -> None:
        hall = Hall("c")
        hall.enter("a", "x", "y")
        hall.enter("b", "y")
        self.assertEqual(sorted(hall.adapter.local_members(audience("xy"))), ["a", "b"])
        self.assertEqual(sorted(hall.adapter.local_members(audience("xy", "b"))), ["a"])
        self.assertEqual(sorted(hall.adapter.local_members(audience("", "x"))), ["b", "c"])
        self.assertEqual(sorted(hall.adapter.local_members(EVERYBODY)), ["a", "b", "c"])
        self.assertEqual(list(hall.adapter.local_members(audience("z"))), [])

    def test_members_may_change_while_one_goes_through_them(self) -> None:
        hall = Hall()
        for sid in "abc":
            hall.enter(sid, "x")
        for meant in (EVERYBODY, audience("x"), audience("x", "c"), audience("", "c")):
            for sid in hall.adapter.local_members(meant):
                hall.leave(sid)
                hall.enter(sid, "x")
                hall.enter(sid + "+", "x")

    def test_closing_forgets_all(self) -> None:
        hall = Hall("a", recovery_window=60)
        hall.adapter.join("a", ["x"])
        hall.adapter.broadcast(EVENT, EVERYBODY, USUAL)
        hall.adapter.keep_session(KeptSession("pid", "b", frozenset("b"), None))
        hall.adapter.close()
        self.assertEqual(set(hall.adapter.local_rooms()), set())
        self.assertEqual(hall.clock.getDelayedCalls(), [])

    @properties
    @given(
        st.lists(
            st.tuples(st.sampled_from(["join", "leave", "gone"]), st.sampled_from("abc"), st.sampled_from("abxy"))
        )
    )
    def test_it_knows_what_a_set_of_pairs_would(self, moves: list[tuple[str, str, str]]) -> None:
        hall = Hall()
        pairs: set[tuple[str, str]] = set()
        for move, sid, room in moves:
            if move == "join":
                hall.adapter.join(sid, [room])
                pairs.add((sid, room))
            elif move == "leave":
                hall.adapter.leave(sid, room)
                pairs.discard((sid, room))
            else:
                hall.adapter.leave_all(sid)
                pairs = {pair for pair in pairs if pair[0] != sid}
        self.assertEqual(set(hall.adapter.local_rooms()), {room for _, room in pairs})
        for sid in "abc":
            self.assertEqual(hall.adapter.rooms_of(sid), {room for known, room in pairs if known == sid})
        for room in "abxy":
            members = {known for known, where in pairs if where == room}
            self.assertEqual(set(hall.adapter.local_members(audience(room))), members)


class BroadcastTests(SynchronousTestCase):
    """Who gets it, and how."""

    def test_all_get_it_with_one_set_of_encodings(self) -> None:
        hall = Hall("a", "b")
        flags = Flags(compress=False)
        hall.adapter.broadcast(EVENT, EVERYBODY, flags)
        self.assertEqual(hall.heard(), {"a": [["said", 1]], "b": [["said", 1]]})
        self.assertIs(hall.sockets["a"].encodings[0], hall.sockets["b"].encodings[0])
        self.assertEqual(hall.sockets["a"].flags, [flags])

    def test_only_those_who_are_meant_get_it(self) -> None:
        hall = Hall("a", "b", "c")
        hall.adapter.broadcast(EVENT, audience("ab", "b"), USUAL)
        self.assertEqual(list(hall.heard()), ["a"])

    def test_who_is_in_a_room_but_not_connected_yet_does_not(self) -> None:
        hall = Hall("a")
        hall.adapter.join("b", ["x"])
        hall.adapter.broadcast(EVENT, audience("x"), USUAL)
        self.assertEqual(hall.heard(), {})

    def test_sockets_may_come_and_go_meanwhile(self) -> None:
        hall = Hall()

        def replace(sid: str) -> None:
            hall.leave(sid)
            hall.enter(sid + "+", "x")

        for sid in "abc":
            hall.enter(sid, "x").then = partial(replace, sid)
        for meant in (audience("x"), audience("x", "c"), EVERYBODY):
            hall.adapter.broadcast(EVENT, meant, USUAL)

    def test_others_than_events_have_no_offset(self) -> None:
        hall = Hall("a", recovery_window=60)
        hall.adapter.broadcast(EVENT, EVERYBODY, Flags(volatile=True))
        hall.adapter.broadcast(EVENT._replace(id=3), EVERYBODY, USUAL)
        hall.adapter.broadcast(EVENT._replace(type=PacketType.ACK), EVERYBODY, USUAL)
        self.assertEqual(hall.heard(), {"a": [["said", 1]] * 3})
        self.assertEqual(hall.clock.getDelayedCalls(), [])


class OffsetTests(SynchronousTestCase):
    """Broadcasts where sockets can come back."""

    def setUp(self) -> None:
        self.hall = Hall("a", "b", recovery_window=60)

    def restored(self, pid: str, offset: str) -> Any:
        """Have a socket come back."""
        return self.successResultOf(self.hall.adapter.restore_session(pid, offset))

    def test_each_event_has_an_offset_that_is_the_same_for_all(self) -> None:
        self.hall.adapter.broadcast(EVENT, EVERYBODY, USUAL)
        self.hall.adapter.broadcast(EVENT, EVERYBODY, USUAL)
        first, second = self.hall.sockets["a"].got
        self.assertEqual(first[:2], ["said", 1])
        self.assertNotEqual(first[2], second[2])
        self.assertEqual(self.hall.sockets["b"].got, [first, second])
        self.assertEqual(EVENT.data, ["said", 1])

    def test_what_was_missed_comes_as_it_was_encoded(self) -> None:
        self.hall.adapter.broadcast(EVENT, EVERYBODY, USUAL)
        offset = self.hall.sockets["a"].got[0][-1]
        self.hall.adapter.keep_session(KeptSession("pid", "a", frozenset("a"), {"name": "Anna"}))
        self.hall.leave("a")
        self.hall.adapter.broadcast(EVENT, EVERYBODY, USUAL)
        restored = self.restored("pid", offset)
        self.assertEqual(restored.session, ("pid", "a", {"a"}, {"name": "Anna"}))
        (missed,) = restored.missed
        self.assertEqual(missed.packet, EVENT._replace(data=self.hall.sockets["b"].got[1]))
        self.assertIs(missed.encodings, self.hall.sockets["b"].encodings[1])

    def test_what_cannot_be_written_is_not_kept(self) -> None:
        self.hall.adapter.broadcast(EVENT, EVERYBODY, USUAL)
        offset = self.hall.sockets["a"].got[0][-1]

        def fail() -> None:
            raise UnserializableData("NaN")

        self.hall.sockets["a"].then = fail
        self.assertRaises(UnserializableData, self.hall.adapter.broadcast, EVENT, EVERYBODY, USUAL)
        self.hall.adapter.keep_session(KeptSession("pid", "b", frozenset("b"), None))
        self.assertEqual(self.restored("pid", offset).missed, [])

    def test_what_is_sent_after_the_end_is_not_kept(self) -> None:
        self.hall.adapter.close()
        self.hall.adapter.broadcast(EVENT, EVERYBODY, USUAL)
        self.assertEqual(self.hall.clock.getDelayedCalls(), [])

    def test_without_a_window_nobody_comes_back(self) -> None:
        self.hall = Hall("a")
        self.hall.adapter.keep_session(KeptSession("pid", "b", frozenset("b"), None))
        self.assertIsNone(self.restored("pid", "x.0"))


class InquiryTests(SynchronousTestCase):
    """Broadcasts with answers."""

    def setUp(self) -> None:
        self.hall = Hall("a", "b", "c")
        self.answers: list[Any] = []

    def ask(self, meant: Audience = EVERYBODY) -> Deferred[None]:
        """Ask all who are meant."""
        return self.hall.adapter.broadcast_with_ack(EVENT, meant, USUAL, self.answers.append)

    def test_it_is_over_when_all_have_answered(self) -> None:
        asked = self.ask(audience("ab"))
        self.hall.sockets["b"].answer([1, 2])
        self.assertNoResult(asked)
        self.hall.sockets["a"].answer([])
        self.assertIsNone(self.successResultOf(asked))
        self.assertEqual(self.answers, [[1, 2], []])

    def test_who_disconnects_is_not_waited_for(self) -> None:
        asked = self.ask(audience("ab"))
        self.hall.sockets["b"].answer(None)
        self.hall.sockets["a"].answer([1])
        self.assertIsNone(self.successResultOf(asked))
        self.assertEqual(self.answers, [[1]])

    def test_without_anybody_it_is_over_at_once(self) -> None:
        self.assertIsNone(self.successResultOf(self.ask(audience("z"))))

    def test_when_it_is_cancelled_no_socket_waits_for_answers_any_more(self) -> None:
        asked = self.ask()
        self.hall.sockets["a"].answer([1])
        asked.cancel()
        self.failureResultOf(asked)
        self.assertEqual([socket.asking for socket in self.hall.sockets.values()], [{}, {}, {}])

    def test_when_it_cannot_be_written_no_socket_waits_for_answers(self) -> None:
        def fail(*_: Any) -> int:
            raise UnserializableData("NaN")

        self.hall.sockets["b"].ask = fail
        self.assertRaises(UnserializableData, self.ask)
        self.assertEqual(self.hall.sockets["a"].asking, {})

    def test_who_disconnects_while_others_are_asked_is_not(self) -> None:
        def ask(*arguments: Any) -> int:
            self.hall.sockets["b"].connected = False
            return 0

        self.hall.sockets["a"].ask = ask
        asked = self.ask()
        self.hall.sockets["c"].answer([1])
        self.assertEqual(self.hall.sockets["b"].asking, {})
        self.assertNoResult(asked)

    def test_an_answer_that_comes_at_once_does_not_end_it_early(self) -> None:
        def ask(data: Any, encodings: Any, flags: Any, on_answer: Any) -> int:
            on_answer(None)
            return 0

        self.hall.sockets["a"].ask = ask
        asked = self.ask(audience("ab"))
        self.assertNoResult(asked)
        self.hall.sockets["b"].answer([1])
        self.successResultOf(asked)


class TogetherTests(SynchronousTestCase):
    """What is done with all who are meant."""

    def test_they_join_and_leave_rooms(self) -> None:
        hall = Hall("a", "b", "c")
        hall.adapter.sockets_join(audience("ab"), USUAL, iter("xy"))
        self.assertEqual(sorted(hall.adapter.local_members(audience("y"))), ["a", "b"])
        hall.adapter.sockets_leave(audience("x", "a"), USUAL, iter("xy"))
        self.assertEqual(sorted(hall.adapter.local_members(audience("xy"))), ["a"])

    def test_they_are_fetched(self) -> None:
        hall = Hall("a", "b", "c")
        fetched = self.successResultOf(hall.adapter.fetch_sockets(audience("", "b"), USUAL))
        self.assertEqual(fetched, [hall.sockets["a"], hall.sockets["c"]])

    def test_they_are_disconnected(self) -> None:
        hall = Hall("a", "b", "c")
        hall.adapter.disconnect_sockets(audience("a"), USUAL, False)
        hall.adapter.disconnect_sockets(audience("b"), USUAL, True)
        self.assertEqual([socket.disconnected for socket in hall.sockets.values()], [False, True, None])

    def test_there_are_no_other_servers(self) -> None:
        adapter = Hall().adapter
        adapter.server_side_emit(["hello"])
        self.assertEqual(self.successResultOf(adapter.server_side_emit_with_ack(["hello"], None)), [])
