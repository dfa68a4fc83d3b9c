"""What scenarios and reports are made of, and how the clients that are written in Python play and make them.

A scenario is an object: ``url``; ``subprotocols`` to offer; ``origin``, if it is to be sent; ``compress``,
whether to offer permessage-deflate; and ``steps``, each a list of a verb and its arguments:

- ``["send", message]``; ``["send_parts", [message, ...]]``, as fragments of one message
- ``["receive"]``, a message, for the report
- ``["ping", text]``, and wait for the answer
- ``["close", code, reason]``, and wait for the end; ``["wait_closed"]``, for the server to close

A message is ``{"text": "...", "times": n}`` or ``{"binary": "hexadecimal", "times": n}``, to be repeated so often.

A report is an object: ``client``, its name and version; ``status``, of the HTTP answer; ``received``, messages;
``pongs``, texts; and, if the status is 101, ``subprotocol``, ``extensions``, and ``code`` and ``reason`` of its
end.
Messages are told in it without ``times``; one of more than 1000 bytes by the SHA-1 of its bytes and their number,
as ``{"text": "hexadecimal", "size": n}``, since JSON takes some of the clients long.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from hashlib import sha1
from importlib.metadata import version
from typing import Any, Protocol

Message = str | bytes
Scenario = dict[str, Any]

LONGEST = 1000
"""Most bytes of a message that a report tells in full."""


class Refused(Exception):
    """The server answered with another status than 101."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Connection(Protocol):
    """One client library's open WebSocket, as :func:`play` wants it."""

    subprotocol: str | None
    extensions: str

    async def send(self, message: Message) -> None:
        """Send a message."""

    async def send_parts(self, parts: Sequence[Message]) -> None:
        """Send a message in fragments."""

    async def receive(self) -> Message:
        """Wait for a message."""

    async def ping(self, payload: bytes) -> bytes:
        """Send a ping, wait for the pong and return what it brought."""

    async def close(self, code: int, reason: str) -> None:
        """Start the closing handshake."""

    async def closed(self) -> tuple[int, str]:
        """Wait for the end; return the close code and reason that the server sent."""


Opener = Callable[[Scenario], AbstractAsyncContextManager[Connection]]


def text(unit: str, times: int = 1) -> dict[str, Any]:
    """Return a text message for a scenario."""
    return {"text": unit, "times": times}


def binary(unit: bytes, times: int = 1) -> dict[str, Any]:
    """Return a binary message for a scenario."""
    return {"binary": unit.hex(), "times": times}


def decode(message: dict[str, Any]) -> Message:
    """Return a message of a scenario."""
    times: int = message["times"]
    if "text" in message:
        unit: str = message["text"]
        return unit * times
    return bytes.fromhex(message["binary"]) * times


def tell(message: Message) -> dict[str, Any]:
    """Return a message for a report."""
    kind, data = ("text", message.encode()) if isinstance(message, str) else ("binary", message)
    if len(data) > LONGEST:
        return {kind: sha1(data).hexdigest(), "size": len(data)}
    return {kind: message if isinstance(message, str) else message.hex()}


async def play(connection: Connection, steps: list[list[Any]], report: dict[str, Any]) -> None:
    """Go through the steps of a scenario."""
    for verb, *arguments in steps:
        if verb == "send":
            await connection.send(decode(arguments[0]))
        elif verb == "send_parts":
            await connection.send_parts([decode(part) for part in arguments[0]])
        elif verb == "receive":
            report["received"].append(tell(await connection.receive()))
        elif verb == "ping":
            report["pongs"].append((await connection.ping(arguments[0].encode())).decode())
        else:
            if verb == "close":
                await connection.close(*arguments)
            report["code"], report["reason"] = await connection.closed()


def run(package: str, open_connection: Opener) -> None:
    """Play the scenario on stdin with a package's client, and print the report."""

    async def main() -> None:
        scenario: Scenario = json.load(sys.stdin)
        report: dict[str, Any] = {
            "client": f"{package} {version(package)}",
            "status": 101,
            "received": [],
            "pongs": [],
        }
        try:
            async with open_connection(scenario) as connection:
                report["subprotocol"] = connection.subprotocol
                report["extensions"] = connection.extensions
                await play(connection, scenario["steps"], report)
        except Refused as refused:
            report["status"] = refused.status
        json.dump(report, sys.stdout)

    asyncio.run(main())
