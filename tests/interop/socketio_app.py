"""The application that JavaScript clients of all generations talk to, as ``socketio_scenarios.js`` has it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from hunchensocket_tx.socketio import ConnectRefused, Socket, SocketIO

TOKEN = "sésame"
"""What opens ``/admin``."""

GIVEN = ({"nested": [b"\x00\x80\xff", {"text": "ü"}]}, b"")
"""What the server sends of its own that is binary."""


def describe(value: Any) -> Any:
    """Return a value as JSON can tell it."""
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, dict):
        return {name: describe(part) for name, part in value.items()}
    return [describe(part) for part in value] if isinstance(value, (list, tuple)) else value


class Application:
    """Handlers of everything that clients do.

    :param cut: called with a port of this machine, to cut the connections of all who came through it.
    :param settings: those of :class:`SocketIO`.
    """

    def __init__(self, cut: Callable[[int], None], **settings: Any) -> None:
        self.io = SocketIO(**settings)
        self._cut = cut
        self._ends: defaultdict[str, Deferred[tuple[str, str | None]]] = defaultdict(Deferred)
        self._present = 0
        self._told = 0
        self.io.on("connection", self._connected)
        admin = self.io.of("/admin")
        admin.use(self._check_token)
        admin.on("connection", self._admin_connected)
        self.io.of("/forbidden").use(self._refuse)
        self.io.of(re.compile(r"/room-\d+")).on("connection", self._where_connected)

    def _connected(self, socket: Socket) -> None:
        self._say_who_they_are(socket)
        self._echo(socket)
        self._ask(socket)
        self._count(socket)
        self._use_rooms(socket)
        self._send_away(socket)
        self._end(socket)
        self._crowd(socket)

    def _say_who_they_are(self, socket: Socket) -> None:
        @socket.on("facts")
        def facts() -> dict[str, Any]:
            return {
                "id": socket.id,
                "protocol": socket.protocol,
                "transport": socket.transport_name,
                "name": socket.handshake.query.get("name"),
            }

    def _echo(self, socket: Socket) -> None:
        @socket.on("echo")
        def echo(*arguments: Any) -> Any:
            return arguments

        @socket.on("echo_event")
        def echo_event(*arguments: Any) -> None:
            socket.emit("echoed", *arguments)

        @socket.on("message")
        def message(*arguments: Any) -> None:
            socket.send(*arguments)

        @socket.on("later")
        async def later(value: Any) -> Any:
            return await deferLater(reactor, 0.01, lambda: value)

        @socket.on("nothing")
        def nothing() -> None:
            pass

        @socket.on("several")
        def several() -> tuple[int, str]:
            return 1, "zwei"

        @socket.on("points")
        def points(text: str) -> tuple[list[int], str]:
            return [ord(character) for character in text], text

        @socket.on("size")
        def size(data: str | bytes) -> tuple[int, str | bytes]:
            return len(data), data

        @socket.on("describe")
        def tell(value: Any) -> tuple[Any, Any]:
            return describe(value), value

        @socket.on("give_bytes")
        def give_bytes() -> None:
            socket.emit("bytes", *GIVEN)

    def _ask(self, socket: Socket) -> None:
        @socket.on("ask_me")
        def ask_me(*numbers: int) -> Deferred[Any]:
            answered: Deferred[Any] = Deferred()
            socket.emit("question", *numbers, ack=lambda *values: answered.callback(list(values)))
            return answered

        @socket.on("ask_me_more")
        async def ask_me_more(*numbers: int) -> Any:
            return await socket.timeout(60).emit_with_ack("question", *numbers)

        @socket.on("ask_bytes")
        async def ask_bytes() -> Any:
            return describe(await socket.emit_with_ack("bytes_question", b"\x00\xff"))

    def _count(self, socket: Socket) -> None:
        counted: list[Any] = []

        @socket.on("count")
        def count(*arguments: Any) -> None:
            counted.append(describe(arguments))

        @socket.on("counted")
        def tell_counted() -> list[Any]:
            return counted

        @socket.on("burst")
        def burst(many: int) -> None:
            for number in range(many):
                with_bytes = socket.protocol > 1 and number % 7 == 3
                socket.emit("number", number, *[bytes([number, 255])] * with_bytes)

    def _use_rooms(self, socket: Socket) -> None:
        @socket.on("join")
        def join(room: str) -> None:
            socket.join(room)

        @socket.on("leave_room")
        def leave_room(room: str) -> None:
            socket.leave(room)

        @socket.on("say")
        def say(rooms: list[str], text: str) -> None:
            self.io.to(rooms).emit("said", text)

        @socket.on("say_to_others")
        def say_to_others(room: str, text: str) -> None:
            socket.to(room).emit("said", text)

        @socket.on("say_except")
        def say_except(room: str, but: str, text: str) -> None:
            self.io.to(room).except_(but).emit("said", text)

    def _send_away(self, socket: Socket) -> None:
        @socket.on("send_me_away")
        def send_me_away(close: bool) -> None:
            socket.disconnect(close=close)

    def _end(self, socket: Socket) -> None:
        name = socket.handshake.query.get("name")

        @socket.on("last_words")
        def last_words(words: str) -> None:
            socket.data["last words"] = words

        @socket.on("cut")
        def cut() -> None:
            self._cut(int(socket.handshake.headers["host"].rpartition(":")[2]))

        @socket.on("disconnect")
        def disconnected(reason: str) -> None:
            if name is not None and not self._ends[name].called:
                self._ends[name].callback((reason, socket.data.get("last words")))

        @socket.on("end_of")
        def end_of(name: str) -> Deferred[tuple[str, str | None]]:
            return self._ends[name]

    def _crowd(self, socket: Socket) -> None:
        crowd = self.io.to("crowd")

        @socket.on("join_crowd")
        def join_crowd(size: int) -> None:
            socket.join("crowd")
            self._present += 1
            if self._present == size:
                crowd.emit("complete")

        @socket.on("tell_crowd")
        async def tell_crowd(text: str) -> None:
            crowd.emit("told", text)
            self._told += 1
            if self._told == self._present:
                crowd.emit("all_told", await crowd.timeout(60).emit_with_ack("who"))

    # Namespaces

    def _check_token(self, socket: Socket) -> None:
        # Older clients have no auth, but a query.
        given = socket.handshake.auth if socket.protocol == 4 else socket.handshake.query
        if given.get("token") != TOKEN:
            raise ConnectRefused("you are not the admin")

    def _admin_connected(self, socket: Socket) -> None:
        socket.emit("hello", TOKEN)
        self._where_connected(socket)
        self._send_away(socket)

    def _refuse(self, socket: Socket) -> None:
        raise ConnectRefused("not you, ünbefugt", {"code": 7})

    def _where_connected(self, socket: Socket) -> None:
        @socket.on("where")
        def where() -> str:
            return socket.namespace.name
