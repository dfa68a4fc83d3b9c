"""``python -m hunchensocket_tx`` with a server of others."""

from __future__ import annotations

import json
import sys

from twisted.trial.unittest import TestCase

from tests.interop.clients import PATIENCE, need_package, python
from tests.processes import start


class WebsocketsTests(TestCase):
    """The server of ``websockets``."""

    timeout = PATIENCE

    async def test_lines_come_back_and_the_end_is_clean(self) -> None:
        need_package("websockets")
        server = start(self, *python("servers/websockets_server.py"), folder=".")
        await server.until(lambda: b"\n" in server.out)
        url = f"ws://127.0.0.1:{json.loads(server.out.splitlines()[0])['port']}/echo"
        options = (url, "--proxy", "none", "--subprotocol", "v1.example")
        program = start(self, sys.executable, "-m", "hunchensocket_tx", *options, folder=".")
        program.write("Grüße\n/binary 00 ff\n/ping\n".encode())
        await program.until(lambda: b"pong after" in program.err)
        program.write(b"/close 4002 enough\n")
        self.assertEqual(await program.ended, 0, program.said)
        self.assertEqual(program.out, "Grüße\n/binary 00 ff\n".encode())
        self.assertIn(b"open: version 13, subprotocol v1.example, extensions permessage-deflate", program.err)
        self.assertIn(b"closed cleanly: 4002 enough\n", program.err)
        await server.until(lambda: b'"closed": [4002, "enough"]' in server.out)
