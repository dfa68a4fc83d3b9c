"""Proxies that nobody here wrote: how tests start them, and what is done with each."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.internet.tcp import Server
from twisted.trial.unittest import TestCase

from hunchensocket_tx import WebSocketResource
from hunchensocket_tx.client import connect
from hunchensocket_tx.errors import ProxyFailed
from hunchensocket_tx.proxies import Proxy
from hunchensocket_tx.proxy_endpoint import through
from hunchensocket_tx.tls import ClientTLS
from tests.harness import Issued, echo, turns_until
from tests.processes import Program, start, unavailable
from tests.proxy_support import Echo, Listener, TLSListener, listen, tls_pair
from tests.support import serve

MEGABYTE = bytes(range(256)) * 4096


def need_daemon(name: str) -> str:
    """Return the path of a program, which may be for the administrator; skip the test if there is none."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        unavailable(f"there is no program {name}")
    return str(path)


def free_port() -> int:
    """Return a port of this machine that is free, as these programs do not tell what they were given."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ProxyProgram(TestCase):
    """Starts a proxy, and connects through it.

    :cvar scheme: of the proxy's URL.
    :cvar ending: the signal that ends it. One that is killed leaves its children behind, if it has any.
    """

    scheme = "http"
    ending = "TERM"
    timeout = 60

    def setUp(self) -> None:
        # Not below the checkout: who runs as root may not have let others in there, as whom some of these run.
        self.folder = Path(tempfile.mkdtemp())
        self.folder.chmod(0o755)
        self.addCleanup(shutil.rmtree, self.folder)
        self.tls: Any = None  # for a proxy that speaks it

    def command(self, port: int, credentials: tuple[str, str] | None) -> list[str]:
        """Return the command that serves in the foreground on a port of 127.0.0.1.

        :param credentials: that it is to ask for.
        """
        raise NotImplementedError

    def write(self, name: str, *lines: str) -> str:
        """Write a file for the program; return its path."""
        path = self.folder / name
        path.write_text("\n".join([*lines, ""]))
        return str(path)

    async def start(self, credentials: tuple[str, str] | None = None) -> Proxy:
        """Start it, wait until it listens; return it without the credentials."""
        port = free_port()
        await self.run_program(port, *self.command(port, credentials))
        return Proxy.parse(f"{self.scheme}://127.0.0.1:{port}")

    async def run_program(self, port: int, *command: str) -> Program:
        """Start a program, and wait until it listens on a port; it is ended after the test."""
        program = start(self, *command, folder=str(self.folder))
        self.addCleanup(self.stop, program)
        while True:
            assert not program.has_ended, program.said
            try:
                listener: Any = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), Listener())
            except ConnectError:
                await deferLater(reactor, 0.02)
                continue
            listener.transport.abortConnection()
            await listener.lost
            return program

    async def stop(self, program: Program) -> None:
        """End a program, and wait until it has."""
        if not program.has_ended:
            program.signal(self.ending)
            await program.ended

    def through(self, proxy: Proxy, host: str, port: int) -> IStreamClientEndpoint:
        """Return the endpoint that is tested."""
        return through(proxy, reactor, host, port, tls=self.tls)

    async def connect(self, endpoint: IStreamClientEndpoint, listener: Listener) -> None:
        """Connect a protocol, which is disconnected after the test."""
        await connectProtocol(endpoint, listener)

        def hang_up() -> Deferred[None] | None:
            if listener.lost.called:
                return None
            listener.transport.abortConnection()
            return listener.lost

        self.addCleanup(hang_up)

    async def assert_echo(self, endpoint: IStreamClientEndpoint, listener: Listener) -> None:
        """Check that there is an echo, and that much comes back as it was."""
        await self.connect(endpoint, listener)
        listener.transport.write(MEGABYTE)
        await listener.until(lambda: len(listener.data) >= len(MEGABYTE))
        self.assertTrue(listener.data == MEGABYTE)

    async def assert_websocket(self, url: str, proxy: Proxy, **options: Any) -> None:
        """Check that messages come back from a server behind the proxy."""
        if self.tls is None:
            options["proxy"] = str(proxy) if proxy.username is None else proxy
        else:  # connect() trusts the system's authorities for proxies
            options["endpoint"] = self.through(proxy, "localhost", int(url.rstrip("/").rpartition(":")[2]))
        async with connect(url, **options) as stream:
            for message in ("hello", "x" * 100_000):
                stream.send(message)
                self.assertEqual(await stream.receive(), message)
        self.assertTrue((await stream.when_closed()).clean)
        descriptors: Any = reactor
        await turns_until(lambda: not any(isinstance(reader, Server) for reader in descriptors.getReaders()))

    async def assert_fails(self, proxy: Proxy, port: int, *words: str) -> None:
        """Check that a port cannot be reached through the proxy, and that some of the words are said of it."""
        waiting: Any = self.through(proxy, "127.0.0.1", port).connect(Factory.forProtocol(Listener))
        told = str(await self.assertFailure(waiting, ProxyFailed))
        self.assertIn(str(proxy), told)
        self.assertTrue(any(word in told for word in words), told)


class Tunnelling(ProxyProgram):
    """What each proxy is to do."""

    async def test_an_echo_is_heard_through_it(self) -> None:
        proxy = await self.start()
        port = await listen(self, Echo)
        await self.assert_echo(self.through(proxy, "127.0.0.1", port), Listener())

    async def test_a_name_is_looked_up_by_it(self) -> None:
        proxy = await self.start()
        port = await listen(self, Echo)
        await self.assert_echo(self.through(proxy, "localhost", port), Listener())

    async def test_tls_goes_through_it(self) -> None:
        server, client = tls_pair(self)
        proxy = await self.start()
        endpoint = self.through(proxy, "127.0.0.1", await listen(self, Echo, server))
        listener = TLSListener()
        await self.assert_echo(wrapClientTLS(client, endpoint), listener)
        self.assertIn("handshake", listener.events)

    async def test_websockets_of_any_version_go_through_it(self) -> None:
        proxy = await self.start()
        address = await serve(self, WebSocketResource(echo))
        for version in (13, 76):
            await self.assert_websocket(f"ws://localhost:{address.port}/", proxy, version=version)

    async def test_websockets_with_tls_go_through_it(self) -> None:
        proxy = await self.start()
        issued = Issued()
        own = self.write("server.pem", issued.pem.decode(), issued.key_pem().decode())
        address = await serve(
            self, WebSocketResource(echo), f"ssl:0:interface=127.0.0.1:privateKey={own}:certKey={own}"
        )
        await self.assert_websocket(f"wss://localhost:{address.port}/", proxy, tls=ClientTLS(own))

    async def test_a_port_where_nobody_listens_is_told(self) -> None:
        await self.assert_fails(
            await self.start(), free_port(), "cannot reach", "nobody listens", "did not connect"
        )


class Authenticating(Tunnelling):
    """What is to be done by those that ask for a username and a password."""

    async def test_username_and_password_are_sent(self) -> None:
        proxy = await self.start(("ada", "secret"))
        port = await listen(self, Echo)
        known = Proxy(proxy.scheme, proxy.host, proxy.port, "ada", "secret")
        await self.assert_echo(self.through(known, "127.0.0.1", port), Listener())

    async def test_websockets_go_through_it_with_username_and_password(self) -> None:
        proxy = await self.start(("ada", "secret"))
        known = Proxy(proxy.scheme, proxy.host, proxy.port, "ada", "secret")
        address = await serve(self, WebSocketResource(echo))
        await self.assert_websocket(f"ws://127.0.0.1:{address.port}/", known)

    async def test_without_them_it_is_told_where_to_put_them(self) -> None:
        proxy = await self.start(("ada", "secret"))
        example = f"put them into its URL, as {self.scheme}://user:password@127.0.0.1:{proxy.port}"
        await self.assert_fails(proxy, free_port(), example)

    async def test_wrong_ones_are_told(self) -> None:
        proxy = await self.start(("ada", "secret"))
        stranger = Proxy(proxy.scheme, proxy.host, proxy.port, "ada", "secrets")
        await self.assert_fails(stranger, free_port(), "does not accept the username and password")
