"""Adapter has all that one between servers needs: here are two, and nothing but JSON passes between them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.socketio.adapter import Audience, Flags
from hunchensocket_tx.socketio.errors import AckTimeout
from hunchensocket_tx.socketio.memory_adapter import MemoryAdapter
from hunchensocket_tx.socketio.namespace import Namespace
from hunchensocket_tx.socketio.remote_socket import RemoteSocket, details_of
from hunchensocket_tx.socketio.server import SocketIO
from hunchensocket_tx.socketio.wire.packets import Packet, PacketType
from tests.socketio.api_support import LATEST, SECOND, Client


class SharedAdapter(MemoryAdapter):
    """The rooms of a namespace that several servers share.

    :param known: all adapters there are.
    """

    namespace: Namespace

    def __init__(self, namespace: Namespace, known: list[SharedAdapter]) -> None:
        super().__init__(namespace)
        self._known = known
        known.append(self)

    def _tell(self, flags: Flags, message: str, audience: Audience, *more: Any) -> list[Deferred[Any]]:
        """Tell other servers of this namespace; return what they answer."""
        text = json.dumps([message, sorted(audience.rooms), sorted(audience.but), flags, more])
        others = [other for other in self._known if other is not self and not flags.local]
        return [other.told(text) for other in others if other.namespace.name == self.namespace.name]

    def told(self, text: str) -> Deferred[Any]:
        """Do as another server says; return what is to be answered, as JSON."""
        message, rooms, but, flags, more = json.loads(text)
        audience, local = Audience(frozenset(rooms), frozenset(but)), Flags(*flags)._replace(local=True)
        if message == "broadcast":
            super().broadcast(self._event(*more), audience, local)
        elif message == "ask":
            answers: list[Any] = []
            asked = super().broadcast_with_ack(self._event(*more), audience, local, answers.append)
            return asked.addCallback(lambda _: json.dumps(answers))
        elif message == "fetch":
            return (
                super()
                .fetch_sockets(audience, local)
                .addCallback(lambda sockets: json.dumps([details_of(socket) for socket in sockets]))
            )
        elif message == "emit":
            return Deferred.fromCoroutine(self._handle(*more))
        else:
            getattr(super(), message)(audience, local, *more)
        return gatherResults([])

    def _event(self, data: list[Any]) -> Packet:
        return Packet(PacketType.EVENT, self.namespace.name, data)

    async def _handle(self, data: list[Any]) -> str:
        answer = self.namespace.server_event_received(data)
        return json.dumps(await answer if isinstance(answer, Deferred) else answer)

    def broadcast(self, packet: Packet, audience: Audience, flags: Flags) -> None:
        super().broadcast(packet, audience, flags)
        self._tell(flags, "broadcast", audience, packet.data)

    def broadcast_with_ack(
        self, packet: Packet, audience: Audience, flags: Flags, on_answer: Callable[[list[Any]], None]
    ) -> Deferred[None]:
        def take(text: str) -> None:
            for values in json.loads(text):
                on_answer(values)

        others = [answer.addCallback(take) for answer in self._tell(flags, "ask", audience, packet.data)]
        here = super().broadcast_with_ack(packet, audience, flags, on_answer)
        return gatherResults([here, *others], consumeErrors=True).addCallback(lambda _: None)

    def fetch_sockets(self, audience: Audience, flags: Flags) -> Deferred[list[Any]]:
        def join(fetched: list[Any]) -> list[Any]:
            here, *others = fetched
            details = [item for text in others for item in json.loads(text)]
            return [*here, *(RemoteSocket(self.namespace, item) for item in details)]

        here = super().fetch_sockets(audience, flags)
        return gatherResults([here, *self._tell(flags, "fetch", audience)]).addCallback(join)

    def sockets_join(self, audience: Audience, flags: Flags, rooms: Iterable[str]) -> None:
        super().sockets_join(audience, flags, rooms)
        self._tell(flags, "sockets_join", audience, sorted(rooms))

    def sockets_leave(self, audience: Audience, flags: Flags, rooms: Iterable[str]) -> None:
        super().sockets_leave(audience, flags, rooms)
        self._tell(flags, "sockets_leave", audience, sorted(rooms))

    def disconnect_sockets(self, audience: Audience, flags: Flags, close: bool) -> None:
        super().disconnect_sockets(audience, flags, close)
        self._tell(flags, "disconnect_sockets", audience, close)

    def server_side_emit(self, arguments: list[Any]) -> None:
        self._tell(Flags(), "emit", Audience(), arguments)

    def server_side_emit_with_ack(self, arguments: list[Any], timeout: float | None) -> Deferred[list[Any]]:
        answers = self._tell(Flags(), "emit", Audience(), arguments)
        return gatherResults(answers).addCallback(lambda texts: [json.loads(text) for text in texts])


class SharedRoomTests(SynchronousTestCase):
    """Two servers, each with a client."""

    def setUp(self) -> None:
        self.clock = Clock()
        known: list[SharedAdapter] = []

        def adapter(namespace: Namespace) -> SharedAdapter:
            return SharedAdapter(namespace, known)

        self.here, self.there = (SocketIO(adapter=adapter, reactor=self.clock) for _ in range(2))
        self.anna = Client(self.here, LATEST, "/")
        self.bert = Client(self.there, SECOND)
        self.forget()

    def forget(self) -> None:
        """Forget what clients have got."""
        self.anna.got()
        self.bert.got()

    def test_events_reach_clients_of_both(self) -> None:
        self.here.emit("said", 1)
        self.assertEqual((self.anna.got(), self.bert.got()), (['2["said",1]'], ['2["said",1]']))
        self.anna.socket().broadcast.emit("said", 2)
        self.assertEqual((self.anna.got(), self.bert.got()), ([], ['2["said",2]']))
        self.here.local.emit("said", 3)
        self.assertEqual((self.anna.got(), self.bert.got()), (['2["said",3]'], []))
        self.here.to(self.bert.socket().id).emit("said", 4)
        self.assertEqual((self.anna.got(), self.bert.got()), ([], ['2["said",4]']))

    def test_clients_of_both_answer(self) -> None:
        answers = self.here.timeout(3).emit_with_ack("ask")
        self.anna.says('30["A"]')
        self.assertNoResult(answers)
        self.bert.says('30["B"]')
        self.assertEqual(self.successResultOf(answers), ["A", "B"])

    def test_when_time_is_over_nobody_waits(self) -> None:
        answers = self.here.timeout(3).emit_with_ack("ask")
        self.anna.says('30["A"]')
        self.clock.advance(4)
        self.assertEqual(self.failureResultOf(answers, AckTimeout).value.answers, ["A"])

    def test_sockets_are_fetched_and_used_from_afar(self) -> None:
        here, afar = self.successResultOf(self.here.fetch_sockets())
        self.assertIs(here, self.anna.socket())
        self.assertIsInstance(afar, RemoteSocket)
        self.assertEqual((afar.id, afar.rooms), (self.bert.socket().id, self.bert.socket().rooms))
        self.assertEqual(afar.handshake, self.bert.socket().handshake)
        afar.emit("said", 1)
        self.assertEqual((self.anna.got(), self.bert.got()), ([], ['2["said",1]']))
        afar.join("x")
        self.assertIn("x", self.bert.socket().rooms)
        answer = afar.emit_with_ack("ask")
        self.bert.says('30["B"]')
        self.assertEqual(self.successResultOf(answer), "B")
        afar.disconnect(close=True)
        self.assertEqual(self.there.namespaces["/"].sockets, {})

    def test_rooms_are_joined_and_left_from_afar(self) -> None:
        self.here.sockets_join("x", "y")
        self.here.to("x").sockets_leave("y")
        for client in (self.anna, self.bert):
            self.assertEqual(client.socket().rooms, {"x", client.socket().id})

    def test_servers_talk_to_each_other(self) -> None:
        heard: list[Any] = []

        def hello(*arguments: Any) -> str:
            heard.append(arguments)
            return "welcome"

        for server in (self.here, self.there):
            server.on("hello", hello)
        self.here.server_side_emit("hello", 1)
        self.assertEqual(heard, [(1,)])
        answers = self.here.server_side_emit_with_ack("hello", 2)
        self.assertEqual(self.successResultOf(answers), ["welcome"])
