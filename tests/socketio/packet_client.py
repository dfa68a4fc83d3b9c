"""A client of Socket.IO protocol 5 over a WebSocket, as small as can be: it knows text packets only."""

from __future__ import annotations

import json
from typing import Any

from hunchensocket_tx import WebSocketStream

ADDRESS = "ws://127.0.0.1:{}/socket.io/?EIO=4&transport=websocket"


class PacketClient:
    """One client, in one namespace.

    :param stream: its WebSocket, just opened.
    :param namespace: which it is in.
    """

    def __init__(self, stream: WebSocketStream, namespace: str = "/") -> None:
        self._stream = stream
        self._prefix = "" if namespace == "/" else f"{namespace},"
        self._asked = 0
        self.facts: dict[str, Any] = {}

    async def connect(self, auth: object = None) -> str:
        """Connect to the namespace; return the type of the answer, 0 or 4, whose data is in ``facts``."""
        opening = await self._stream.receive()
        assert isinstance(opening, str) and opening.startswith("0{"), opening
        self._send(f"0{self._prefix}{'' if auth is None else json.dumps(auth)}")
        kind, self.facts = await self._receive()
        return kind

    def emit(self, *arguments: Any) -> None:
        """Send an event."""
        self._send(f"2{self._prefix}{json.dumps(arguments)}")

    async def ask(self, *arguments: Any) -> list[Any]:
        """Send an event, and return its answer; nothing else may come meanwhile."""
        self._asked += 1
        self._send(f"2{self._prefix}{self._asked}{json.dumps(arguments)}")
        kind, answer = await self._receive(str(self._asked))
        assert kind == "3", (kind, answer)
        return list(answer)

    async def heard(self) -> list[Any]:
        """Return the next event."""
        kind, event = await self._receive()
        assert kind == "2", (kind, event)
        return list(event)

    async def answer(self, ack_id: int, *values: Any) -> list[Any]:
        """Answer the next event, which must ask for that with this id, and return it."""
        kind, event = await self._receive(str(ack_id))
        assert kind == "2", (kind, event)
        self._send(f"3{self._prefix}{ack_id}{json.dumps(values)}")
        return list(event)

    def leave(self) -> None:
        """Cut the connection."""
        self._stream.abort()

    def _send(self, packet: str) -> None:
        self._stream.send(f"4{packet}")

    async def _receive(self, ack_id: str = "") -> tuple[str, Any]:
        """Return the next packet's type and data; heartbeats are answered."""
        while (message := await self._stream.receive()) == "2":
            self._stream.send("3")
        assert isinstance(message, str), message
        before = f"{self._prefix}{ack_id}"
        assert message.startswith("4") and message[2:].startswith(before), message
        text = message[2 + len(before) :]
        return message[1], json.loads(text) if text else None
