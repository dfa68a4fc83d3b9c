"""Clients that nobody here wrote: how tests start them, what they are told to do, and what they report.

A client is a program of its own, so that the reactor, which serves, keeps running. It reads one scenario as JSON
from stdin, plays it, and prints one report as JSON. :mod:`tests.interop.script` says what these are made of.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.tcp import Server
from twisted.logger import Logger
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Request

from hunchensocket_tx import (
    Accept,
    CloseReason,
    Settings,
    WebSocketResource,
    WebSocketStream,
    conversation,
    select_subprotocol,
)
from hunchensocket_tx.cascade import Dispatcher, HandshakeHandler, MessageHandler
from hunchensocket_tx.demo import add_demo, demo_page, echo
from hunchensocket_tx.wire.events import Message
from tests.harness import turns_until
from tests.processes import CHECKOUT, start, unavailable
from tests.support import serve

_log = Logger()

HERE = Path(__file__).resolve().parent

PATIENCE = 90.0
"""Seconds after which a client is stopped that does not end by itself."""


def need_program(name: str) -> str:
    """Return the path of a program; skip the test if there is none."""
    path = shutil.which(name)
    if path is None:
        unavailable(f"there is no program {name}")
    return str(path)


def need_package(name: str) -> None:
    """Skip the test if a Python package of the extra ``interop`` is not installed."""
    if find_spec(name) is None:
        unavailable(f"the Python package {name} is not installed; the extra 'interop' has it")


def need_perl_module(name: str) -> None:
    """Skip the test if a Perl module is not installed."""
    if subprocess.run([need_program("perl"), f"-M{name}", "-e1"], capture_output=True, check=False).returncode:
        unavailable(f"Perl has no {name}")


def need_node_package(name: str) -> str:
    """Return a package's folder; skip the test if it is not in NODE_PATH or the checkout's node_modules."""
    folders = (*os.environ.get("NODE_PATH", "").split(os.pathsep), str(CHECKOUT / "node_modules"))
    found = [path for folder in folders if folder and os.path.isdir(path := os.path.join(folder, name))]
    if not found:
        unavailable(f"node has no package {name}, in NODE_PATH or in node_modules of the checkout")
    return found[0]


def python(script: str) -> list[str]:
    """Return the command for a script in this folder that is written in Python."""
    return [sys.executable, str(HERE / script)]


async def run_client(case: TestCase, command: Sequence[str], scenario: dict[str, Any]) -> dict[str, Any]:
    """Let a client play a scenario; return its report."""
    client = start(case, *command, folder=".")
    client.write(json.dumps(scenario).encode())
    transport: Any = client.transport
    transport.closeStdin()
    # Not killed at once: it may have programs of its own to stop. If it stays, trial's timeout ends it.
    stop = reactor.callLater(PATIENCE, client.signal, "TERM")
    status = await client.ended
    if stop.active():
        stop.cancel()
    if status != 0:
        raise AssertionError(f"{command} ended with {status}; it said:\n{client.said}")
    report: dict[str, Any] = json.loads(client.out)
    _log.info("the client was {client}", client=report["client"])
    return report


def leave(request: Request) -> HandshakeHandler:
    """Close at once; a dispatcher."""
    return lambda stream, mutex: stream.close(4001, "enough, für heute")


def shout(request: Request) -> HandshakeHandler:
    """Return text in capitals; a dispatcher as one writes it for hixie-76, which has text only."""

    def handshake(stream: WebSocketStream, mutex: DeferredLock) -> MessageHandler:
        def message(text: str) -> None:
            stream.send(text.upper())

        return message

    return handshake


def choose(request: Request) -> Accept:
    """Echo, in the better one of two subprotocols; a dispatcher."""
    return Accept(echo(request), subprotocol=select_subprotocol(request, ["v2.example", "v1.example"]))


def nobody(request: Request) -> None:
    """Take no request; a dispatcher."""


@conversation
async def tell_in_parts(stream: WebSocketStream) -> None:
    """Send each message back in fragments of three characters or bytes."""
    async for message in stream:
        async with stream.message() as outgoing:
            for start in range(0, len(message), 3):
                await outgoing.write(message[start : start + 3])


@conversation
async def ping_first(stream: WebSocketStream) -> None:
    """Say that the client lives when it has answered a ping, and close."""
    await stream.ping()
    stream.send("you live")


class Watched:
    """Echoes, and keeps the streams and how they ended; a dispatcher."""

    def __init__(self) -> None:
        self.streams: list[WebSocketStream] = []
        self.ends: list[Deferred[CloseReason]] = []

    def __call__(self, request: Request) -> HandshakeHandler:
        """Take every request."""

        def handshake(stream: WebSocketStream, mutex: DeferredLock) -> Callable[[Message], bool]:
            self.streams.append(stream)
            self.ends.append(stream.when_closed())
            return stream.send

        return handshake


class InteropCase(TestCase):
    """Tests against the demo site with some more WebSockets, on a free port of this machine."""

    timeout = PATIENCE + 30

    def setUp(self) -> None:
        self.watched = Watched()

    def site(self) -> Resource:
        """Return a new root resource of the site."""
        settings = Settings()
        root = demo_page()
        add_demo(root, settings)
        handlers: dict[str, Dispatcher] = {
            "choose": choose,
            "leave": leave,
            "nobody": nobody,
            "parts": tell_in_parts,
            "ping": ping_first,
            "shout": shout,
            "watched": self.watched,
        }
        for path, dispatcher in handlers.items():
            root.putChild(path.encode(), WebSocketResource(dispatcher, settings=settings))
        return root

    async def serve(self, endpoint: str = "tcp:0:interface=127.0.0.1") -> int:
        """Serve the site for the length of the test; return the port."""
        address = await serve(self, self.site(), endpoint)
        self.addCleanup(self._all_gone)
        port: int = address.port
        return port

    def _all_gone(self) -> Deferred[None]:
        """Wait until the server has noticed that its clients, which have ended, are gone."""
        descriptors: Any = reactor
        return Deferred.fromCoroutine(
            turns_until(lambda: not any(isinstance(reader, Server) for reader in descriptors.getReaders()))
        )
