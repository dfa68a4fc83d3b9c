"""Tests of ``twistd hunchensocket --socketio`` (hunchensocket_tx.service.socketio), with WebSockets and HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent, readBody

from hunchensocket_tx import WebSocketStream
from hunchensocket_tx import connect as connect_ours
from hunchensocket_tx.service import Options
from hunchensocket_tx.socketio import SocketIO
from tests.processes import TwistdCase
from tests.support import connect

APPLICATION = """
from hunchensocket_tx.socketio import SocketIO

io = SocketIO({settings})

@io.on("connection")
def connection(socket):
    @socket.on("add")
    def add(a, b):
        return a + b

def handler(request):
    return lambda stream, mutex: lambda text: stream.send(text.upper())

something_else = 1
"""

polled = SocketIO()


class SocketIOOptionTests(SynchronousTestCase):
    """Whoever gets it wrong is told so."""

    def complaint(self, *arguments: str) -> str:
        """Return what is said about a wrong command line."""
        with self.assertRaises(SystemExit) as raised:
            Options().parseOptions(arguments)
        return str(raised.exception.code)

    def test_what_cannot_be_imported_is_told(self) -> None:
        self.assertIn(
            "--socketio: 'no_such_module.io' cannot be", self.complaint("--socketio", "no_such_module.io")
        )

    def test_what_is_no_application_is_told(self) -> None:
        self.assertIn("--socketio: 'os.path' is not a SocketIO", self.complaint("--socketio", "os.path"))

    def test_a_folder_that_is_none_is_told(self) -> None:
        complaint = self.complaint("--socketio-client", "/no/such/folder")
        self.assertIn("--socketio-client: '/no/such/folder' is not a folder", complaint)

    def test_a_client_is_served_beside_an_application(self) -> None:
        complaint = self.complaint("--handler", "os.getcwd", "--socketio-client", "/")
        self.assertIn("name one with --socketio", complaint)

    def test_workers_and_polling_do_not_go_together(self) -> None:
        complaint = self.complaint("--socketio", f"{__name__}.polled", "--workers", "2")
        self.assertIn("--workers: a client of Socket.IO that polls must reach the same process", complaint)


class TwistdSocketIOTests(TwistdCase):
    """The program, and clients."""

    async def socket(self, address: IPv4Address) -> WebSocketStream:
        """Connect to the main namespace, as a client of 4.x."""
        url = f"ws://127.0.0.1:{address.port}/socket.io/?EIO=4&transport=websocket"
        stream = await connect_ours(url)
        self.addCleanup(stream.abort)
        self.assertEqual(json.loads((await self.received(stream))[1:])["upgrades"], [])
        stream.send("40")
        self.assertEqual(list(json.loads((await self.received(stream))[2:])), ["sid"])
        return stream

    async def received(self, stream: WebSocketStream) -> str:
        """Return the next message, which is text."""
        message = await stream.receive()
        assert isinstance(message, str)
        return message

    async def get(self, address: IPv4Address, path: str) -> tuple[int, bytes]:
        """Return status and body of an answer."""
        agent: Any = Agent(reactor)
        answer = await agent.request(b"GET", f"http://127.0.0.1:{address.port}{path}".encode())
        return answer.code, await readBody(answer)

    def application(self, settings: str = "") -> None:
        """Write an application into the folder."""
        self.write("application.py", APPLICATION.format(settings=settings))

    async def test_an_application_is_served_and_answers(self) -> None:
        self.application()
        program = self.listening("--socketio", "application.io")
        stream = await self.socket(await program.address())
        stream.send('420["add",2,3]')
        self.assertEqual(await self.received(stream), "430[5]")
        program.signal("TERM")
        self.assertEqual(await program.ended, 0, program.said)
        self.assertTrue((await stream.when_closed()).clean)

    async def test_a_client_that_polls_is_let_go_when_the_program_ends(self) -> None:
        self.application()
        program = self.listening("--socketio", "application.io")
        address = await program.address()
        status, body = await self.get(address, "/socket.io/?EIO=4&transport=polling")
        self.assertEqual((status, body[:1]), (200, b"0"))
        sid = json.loads(body[1:])["sid"]
        polling = await connect(self, address)
        path = f"/socket.io/?EIO=4&transport=polling&sid={sid}"
        polling.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        await self.get(address, "/")  # the one before it has arrived, too
        program.signal("TERM")
        await polling.closed
        self.assertTrue(polling.data.endswith(b"\r\n\r\n1"), polling.data)
        self.assertEqual(await program.ended, 0, program.said)

    async def test_a_handler_is_served_beside_it(self) -> None:
        self.application()
        program = self.listening("--socketio", "application.io", "--handler", "application.handler")
        address = await program.address()
        await self.socket(address)
        stream = await connect_ours(f"ws://127.0.0.1:{address.port}/any/where")
        stream.send("hello")
        self.assertEqual(await stream.receive(), "HELLO")
        stream.close()

    async def test_files_are_served_beside_it(self) -> None:
        self.application()
        self.write("page.txt", "a page")
        program = self.listening("--socketio", "application.io", "--root", str(self.folder))
        address = await program.address()
        self.assertEqual(await self.get(address, "/page.txt"), (200, b"a page"))
        await self.socket(address)

    async def test_the_javascript_client_is_served_from_a_folder(self) -> None:
        self.application()
        (Path(self.folder) / "dist").mkdir()
        self.write("dist/socket.io.js", "io = 1;")
        program = self.listening("--socketio", "application.io", "--socketio-client", str(self.folder / "dist"))
        address = await program.address()
        self.assertEqual(await self.get(address, "/socket.io/socket.io.js"), (200, b"io = 1;"))
        await self.socket(address)

    async def test_the_built_in_chat_is_there_for_both_kinds_of_clients(self) -> None:
        program = self.listening()
        address = await program.address()
        socket = await self.socket(address)
        stream = await connect_ours(f"ws://127.0.0.1:{address.port}/chat")
        self.addCleanup(stream.abort)
        socket.send('42["message","hello"]')
        self.assertEqual(await self.received(socket), '42["message","hello"]')
        self.assertEqual(await stream.receive(), "hello")
        stream.send("and back")
        self.assertEqual(await self.received(socket), '42["message","and back"]')

    async def test_workers_serve_websockets(self) -> None:
        self.application("transports=['websocket']")
        program = self.listening("--socketio", "application.io", "--workers", "2")
        await program.until(lambda: program.out.count(b" serves\n") == 2)
        stream = await self.socket(await program.address())
        stream.send('420["add",2,3]')
        self.assertEqual(await self.received(stream), "430[5]")
