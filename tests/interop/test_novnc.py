"""noVNC's own client library, and a VNC server behind ``twistd hunchensocket --forward``."""

from __future__ import annotations

import json
from hashlib import sha256
from random import Random
from typing import Any

from tests.interop.clients import HERE, need_node_package, need_program
from tests.processes import TwistdCase, start
from tests.proxy_support import HalfListener, listen

PICTURE = Random(6).randbytes(1 << 20)


class VNCServer(HalfListener):
    """Says what a VNC server without passwords says at first (RFC 6143 section 7.1), and sends a picture."""

    def connectionMade(self) -> None:
        self.transport.write(b"RFB 003.008\n")

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        if self.data == b"RFB 003.008\n":
            self.transport.write(b"\x01\x01")
        elif self.data == b"RFB 003.008\n\x01":
            self.transport.write(bytes(4) + PICTURE)
            self.transport.loseConnection()


class NoVNCTests(TwistdCase):
    """noVNC's Websock, which its RFB reads and writes with."""

    timeout = 30

    async def test_it_gets_a_picture(self) -> None:
        node = need_program("node")
        for package in ("ws", "@novnc/novnc"):
            need_node_package(package)
        program = self.listening(
            "--forward", f"127.0.0.1:{await listen(self, VNCServer)}", "--path", "/websockify"
        )
        url = f"ws://127.0.0.1:{(await program.address()).port}/websockify"
        client = start(self, node, str(HERE / "novnc_client.js"), url, str(len(PICTURE)), folder=str(self.folder))
        self.assertEqual(await client.ended, 0, client.said)
        report: dict[str, Any] = json.loads(client.out)
        expected = {
            "greeting": "RFB 003.008\n",
            "security": [1, 1],
            "result": 0,
            "picture": sha256(PICTURE).hexdigest(),
            "subprotocol": "binary",
            "code": 1000,
            "reason": "",
        }
        self.assertEqual(report, expected)
