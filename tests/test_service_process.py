"""service.py as users run it: ``twistd hunchensocket``, a process of its own."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.endpoints import TCP4ServerEndpoint, UNIXClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

import hunchensocket_tx
from tests.harness import Issued, answered_76, complete_76, tls_client
from tests.processes import TWISTD, Program, TwistdCase, start
from tests.support import RawClient, connect, frame_76, open_76, request_76

HANDLER = """
def shout(request):
    def handshake(stream, mutex):
        return lambda text: stream.send(text.upper())
    return handshake
"""


async def assert_echoes(case: TestCase, address: Any, path: str, text: str, answer: str) -> RawClient:
    """Check that a WebSocket answers a message with another; return the client."""
    client = await open_76(case, address, path)
    client.write(frame_76(text))
    await client.until(frame_76(answer))
    return client


async def get(case: TestCase, address: Any, path: str) -> RawClient:
    """Ask for a page; return the client when the server has closed."""
    client = await connect(case, address)
    client.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    await client.closed
    return client


async def taken_port(case: TestCase) -> str:
    """Return the number of a port that is taken until the test's end."""
    endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
    port = await endpoint.listen(Factory.forProtocol(Protocol))
    case.addCleanup(port.stopListening)
    return str(port.getHost().port)


class ServingTests(TwistdCase):
    """What ``twistd hunchensocket`` serves."""

    async def test_the_built_in_site_has_a_page(self) -> None:
        page = await get(self, await self.listening().address(), "/")
        self.assertEqual(page.status, 200)
        self.assertIn(b"<title>hunchensocket_tx", page.body)

    async def test_the_built_in_site_has_an_echo(self) -> None:
        address = await self.listening().address()
        await assert_echoes(self, address, "/echo", "Grüße", "Grüße")

    async def test_the_built_in_site_has_a_chat_room(self) -> None:
        address = await self.listening().address()
        speaker, listener = await open_76(self, address, "/chat"), await open_76(self, address, "/chat")
        speaker.write(frame_76("hello"))
        for client in (speaker, listener):
            await client.until(frame_76("hello"))

    async def test_a_handler_may_be_a_module_in_the_current_folder(self) -> None:
        self.write("my_handlers.py", HANDLER)
        address = await self.listening("--handler", "my_handlers.shout", "--path", "/shout").address()
        await assert_echoes(self, address, "/shout", "Hello", "HELLO")

    async def test_a_root_may_be_relative_to_the_current_folder(self) -> None:
        (self.folder / "static").mkdir()
        self.write("static/hello.txt", "from the folder")
        address = await self.listening("--root", "static").address()
        self.assertEqual((await get(self, address, "/hello.txt")).body, b"from the folder")

    async def test_an_origin_may_be_let_in(self) -> None:
        address = await self.listening("--origin", "https://www.example.com").address()
        for origin, status in (("https://www.example.com", 101), ("https://example.net", 403)):
            client = await connect(self, address)
            client.write(request_76(address, "/echo", origin=origin))
            await client.until(b"\r\n\r\n")
            self.assertEqual(client.status, status)

    async def test_tls_is_served_with_a_certificate(self) -> None:
        issued = Issued()
        self.write("certificate.pem", issued.pem.decode())
        self.write("key.pem", issued.key_pem().decode())
        program = self.twistd(
            *("--ssl-port", "0", "--interface", "127.0.0.1"),
            *("--certificate", "certificate.pem", "--private-key", "key.pem"),
        )
        address = await program.address()
        client = await connect(self, address, tls_client(address.port, issued))
        await complete_76(client, request_76(address, "/echo", secure=True))
        client.write(frame_76("Hello"))
        await client.until(frame_76("Hello"))

    async def test_an_endpoint_may_be_a_unix_socket(self) -> None:
        # endpoints come before the port: when that is told, the socket is there
        program = self.listening("--listen", "unix:ws.sock")
        await program.address()
        # relative, as the name of a unix socket must not be longer than about a hundred bytes
        path = os.path.relpath(self.folder / "ws.sock")
        client = await connect(self, None, UNIXClientEndpoint(reactor, path))
        client.write(request_76(IPv4Address("TCP", "127.0.0.1", 80), "/echo"))
        await answered_76(client)
        client.write(frame_76("Hello"))
        await client.until(frame_76("Hello"))


class StoppingTests(TwistdCase):
    """SIGTERM ends it gracefully; more of that is in tests/test_stopping.py."""

    async def test_open_websockets_are_closed(self) -> None:
        program = self.listening()
        address = await program.address()
        clients = [await open_76(self, address, path) for path in ("/echo", "/chat")]
        program.signal("TERM")
        for client in clients:
            await client.until(b"\xff\x00")
            self.assertEqual(client.data, b"\xff\x00")
            client.write(b"\xff\x00")
            await client.closed
        await program.shut_down()

    async def test_the_websockets_of_a_handler_are_closed(self) -> None:
        self.write("my_handlers.py", HANDLER)
        program = self.listening("--handler", "my_handlers.shout")
        client = await open_76(self, await program.address(), "/")
        program.signal("TERM")
        await client.until(b"\xff\x00")
        client.write(b"\xff\x00")
        await program.shut_down()

    async def test_a_client_that_is_gone_does_not_delay_the_end(self) -> None:
        program = self.listening()
        client = await open_76(self, await program.address(), "/echo")
        client.abort()
        await client.closed
        program.signal("TERM")
        await program.shut_down()

    async def test_a_unix_socket_is_removed(self) -> None:
        program = self.listening("--listen", "unix:ws.sock")
        await get(self, await program.address(), "/")
        self.assertTrue((self.folder / "ws.sock").exists())
        program.signal("TERM")
        await program.shut_down()
        self.assertFalse((self.folder / "ws.sock").exists())


class WrongOptionTests(TwistdCase):
    """What is wrong ends it with one line on stderr, which names the option, and a status that is not 0."""

    async def assert_refused(self, program: Program, *words: str) -> None:
        """Check how it ends, and that its line has these words in it."""
        self.assertGreater(await program.ended, 0)
        self.assertNotIn("Traceback", program.said)
        lines = program.err.decode().splitlines()
        self.assertEqual(len(lines), 1, f"stderr:\n{program.err.decode()}\nstdout:\n{program.out.decode()}")
        self.assertTrue(lines[0].startswith("twistd hunchensocket: "), lines[0])
        for word in words:
            self.assertIn(word, lines[0])

    async def test_an_unknown_option(self) -> None:
        await self.assert_refused(self.twistd("--ports", "80"), "--ports")

    async def test_a_wrong_value(self) -> None:
        await self.assert_refused(self.twistd("--port", "http"), "--port:", "'http'")

    async def test_a_missing_certificate(self) -> None:
        await self.assert_refused(
            self.twistd("--ssl-port", "0", "--certificate", "no.pem"), "--certificate:", "no.pem", "No such file"
        )

    async def test_a_key_that_is_not_the_certificate_s(self) -> None:
        self.write("certificate.pem", Issued().pem.decode())
        self.write("key.pem", Issued().key_pem().decode())
        program = self.twistd("--ssl-port", "0", "--certificate", "certificate.pem", "--private-key", "key.pem")
        await self.assert_refused(program, "--private-key:", "key.pem", "certificate.pem")

    async def test_a_handler_that_does_not_exist(self) -> None:
        for name in ("no_such_module.handler", "no_such_module"):
            await self.assert_refused(self.listening("--handler", name), "--handler:", repr(name))

    async def refuse_module(self, text: str, *words: str) -> None:
        """Check what is said about a handler in a module with this text."""
        self.write("broken.py", text)
        await self.assert_refused(self.listening("--handler", "broken.handler"), "--handler:", "broken", *words)

    async def test_a_handler_whose_module_has_a_syntax_error(self) -> None:
        await self.refuse_module("def (", "syntax")

    async def test_a_handler_whose_module_imports_what_is_missing(self) -> None:
        await self.refuse_module("import no_such_module", "no_such_module")

    async def test_a_handler_whose_module_raises_an_error_of_several_lines(self) -> None:
        await self.refuse_module("raise ValueError('first line\\nsecond line')", "first line")

    async def test_a_handler_whose_module_exits(self) -> None:
        await self.refuse_module("raise SystemExit")

    async def test_a_port_that_is_taken(self) -> None:
        port = await taken_port(self)
        program = self.twistd("--port", port, "--interface", "127.0.0.1")
        await self.assert_refused(program, "--port:", port, "in use")

    async def test_an_endpoint_that_is_taken(self) -> None:
        endpoint = f"tcp:{await taken_port(self)}:interface=127.0.0.1"
        await self.assert_refused(self.twistd("--listen", endpoint), f"--listen {endpoint}:", "in use")

    async def test_an_interface_that_is_not_here(self) -> None:
        program = self.twistd("--port", "0", "--interface", "192.0.2.1")
        await self.assert_refused(program, "192.0.2.1")

    async def test_an_endpoint_with_an_impossible_port(self) -> None:
        await self.assert_refused(self.twistd("--listen", "tcp:65536:interface=127.0.0.1"), "--listen", "65536")

    async def test_a_unix_socket_in_no_folder(self) -> None:
        await self.assert_refused(self.twistd("--listen", "unix:no/folder.sock"), "--listen unix:no/folder.sock:")


class DaemonTests(TwistdCase):
    """Without ``-n`` it goes into the background; whoever started it hears of an error all the same."""

    timeout = 20  # in seconds, for the starter not to be waited for for ever

    async def test_a_daemon_that_cannot_listen_says_so_and_leaves_no_pid_file(self) -> None:
        port = await taken_port(self)
        command = (TWISTD, "--pidfile=twistd.pid", "--logfile=twistd.log", "hunchensocket")
        program = start(self, *command, "--port", port, "--interface", "127.0.0.1", folder=str(self.folder))
        self.assertEqual(await program.ended, 1)
        self.assertIn("--port:", program.err.decode())
        self.assertFalse((self.folder / "twistd.pid").exists())


class InformationTests(TwistdCase):
    """What it tells about itself."""

    async def test_help_names_the_options_and_ends_with_status_0(self) -> None:
        program = self.twistd("--help")
        self.assertEqual(await program.ended, 0)
        self.assertIn(b"--ssl-port", program.out)
        self.assertEqual(program.err, b"")

    async def test_version_is_told(self) -> None:
        program = self.twistd("--version")
        self.assertEqual(await program.ended, 0)
        self.assertIn(hunchensocket_tx.__version__.encode(), program.out)
        self.assertEqual(program.err, b"")

    async def test_twistd_lists_the_command_with_nothing_on_stderr(self) -> None:
        program = start(self, TWISTD, "--help", folder=str(self.folder))
        self.assertEqual(await program.ended, 0)
        self.assertIn(b"\n    hunchensocket ", program.out)
        self.assertEqual(program.err, b"")
