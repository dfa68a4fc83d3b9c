"""The JavaScript clients of socket.io, from 0.9 to 4.x, in a browser of today, on a page of another origin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.static import File

from tests.interop.clients import HERE, PATIENCE, need_node_package, need_package, need_program, python, run_client
from tests.interop.socketio_conversations import Client, Exchange, assert_all_well
from tests.support import serve

WITH_JSONP = ("polling", "jsonp", "websocket", "upgrade")

MSGPACK = "socket.io-msgpack-parser"

CLIENTS = (
    Client("sio0", ("polling", "jsonp", "websocket")),
    Client("sio1", WITH_JSONP, sends_blobs=True),
    Client("sio2", WITH_JSONP, sends_blobs=True),
    Client("sio3", WITH_JSONP, sends_blobs=True),
    Client("sio4", ("polling", "websocket", "upgrade"), sends_blobs=True),
    Client("sio4", ("polling", "websocket", "upgrade"), MSGPACK),
)


async def run_all(case: TestCase, exchange: Exchange) -> list[Any]:
    """Let all clients run in one browser."""
    need_package("selenium")
    programs = {name: need_program(name) for name in ("chromium", "chromedriver")}
    folders = {client.package: Path(need_node_package(client.package), "dist") for client in CLIENTS}
    root = Resource()
    root.putChild(b"", File(str(HERE / "socketio_page.html")))
    root.putChild(b"scenarios.js", File(str(HERE / "socketio_scenarios.js")))
    for name, folder in folders.items():
        root.putChild(name.encode(), File(str(folder)))
    page = f"http://127.0.0.1:{(await serve(case, root)).port}"
    await exchange.start(origins=[page])
    plans = []
    for number, client in enumerate(CLIENTS):
        # Each has a host of its own, as browsers limit the requests to one.
        plan = await exchange.plan(client, f"client{number}.localhost")
        bundle = f"{client.package}/socket.io{'.msgpack.min' if client.parser else ''}.js"
        plans.append({**plan, "bundle": bundle, "parser": None})
    report = await run_client(
        case, python("socketio_browser.py"), {"page": f"{page}/", "plans": plans, **programs}
    )
    reports: list[Any] = report["reports"]
    return reports


class ChromiumTests(TestCase):
    """In Chromium."""

    timeout = PATIENCE + 30

    async def test_every_client_manages_every_scenario(self) -> None:
        reports = await run_all(self, Exchange(self, CLIENTS))
        assert_all_well(self, list(zip(CLIENTS, reports, strict=True)))
