"""Proxies in front of our server: how tests start them, each with its recipe in ``docs/examples``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.internet.tcp import Server
from twisted.web.server import Request

from hunchensocket_tx import ClientTLS, WebSocketFactory, WebSocketStream, connect
from tests.harness import Issued, turns_until
from tests.interop.proxies import ProxyProgram, free_port, need_daemon
from tests.processes import CHECKOUT, TWISTD, Program, start
from tests.support import RawClient, serve
from tests.support import connect as connect_raw

CLIENT = "127.0.0.2"
"""Where clients connect from, to be told apart from the proxies, who do from 127.0.0.1."""

PORT = re.compile(rb"Site(?: \(PROXY\))? starting on (\d+)\n")

MODULES = "/usr/lib/apache2/modules"


class Echo:
    """Sends messages back, and keeps who the clients are and the streams; a dispatcher."""

    def __init__(self) -> None:
        self.clients: list[IAddress] = []
        self.streams: list[WebSocketStream] = []

    def __call__(self, request: Request) -> Callable[..., Any]:
        """Take every request."""
        self.clients.append(request.getClientAddress())

        def handshake(stream: WebSocketStream, mutex: object) -> Callable[..., Any]:
            self.streams.append(stream)
            return stream.send

        return handshake


class BehindProxy(ProxyProgram):
    """Starts our server, a proxy in front of it by a recipe, and clients in front of that.

    :cvar recipe: the file in ``docs/examples``.
    :cvar endpoints: on what our server listens, with the address that the recipe has for it.
    :cvar knows_scheme: whether the proxy says that there was TLS; else ``external_url`` has to.
    """

    recipe = ""
    endpoints = {"127.0.0.1:8080": "tcp:0:interface=127.0.0.1"}
    knows_scheme = True

    def setUp(self) -> None:
        super().setUp()
        self.echo = Echo()
        self.secure = False
        self.certificate = ""
        self.backends: dict[str, int] = {}
        self.changes: dict[str, str] = {}
        self.port = 0

    async def serve(self, *, secure: bool = False, **settings: Any) -> None:
        """Start our server, and the proxy.

        :param secure: whether the proxy is to speak TLS.
        """
        self.prepare(secure)
        if secure and not self.knows_scheme:
            settings["external_url"] = f"wss://localhost:{self.port}"
        factory = WebSocketFactory(self.echo, trusted_proxies=["127.0.0.1"], **settings)
        for name, endpoint in self.endpoints.items():
            self.backends[name] = (await serve(self, factory, endpoint)).port
        self.addCleanup(self._all_gone)
        await self.run_program(self.port, *self.proxy_command())

    async def serve_by_twistd(self, handler: str) -> Program:
        """Start our server by the command in the recipe, and the proxy with TLS.

        :param handler: text of a module with a dispatcher.
        """
        self.prepare(secure=True)
        self.write("told.py", handler)
        program = start(self, TWISTD, *self.twistd_options(), folder=str(self.folder))
        await program.until(lambda: len(PORT.findall(program.out)) == len(self.endpoints))
        self.backends = dict(zip(self.endpoints, map(int, PORT.findall(program.out)), strict=True))
        await self.run_program(self.port, *self.proxy_command())
        return program

    def twistd_options(self) -> list[str]:
        """Return what the recipe's comment gives to twistd, with free ports and this test's address."""
        lines = [line[1:].strip() for line in self.recipe_text().splitlines() if line.startswith("#   ")]
        command = " ".join(lines).replace("\\", "")
        for name in self.endpoints:
            port = name.rpartition(":")[2]
            self.assertIn(port, command)
            command = command.replace(port, "0")
        name, *options = command.replace("www.example.com", f"localhost:{self.port}").split()
        self.assertEqual(name, "twistd")
        return ["--pidfile=", *options, "--handler", "told.dispatcher"]

    def recipe_text(self) -> str:
        """Return the recipe as it is."""
        return (CHECKOUT / "docs" / "examples" / self.recipe).read_text("utf-8")

    def prepare(self, secure: bool) -> None:
        """Find a port for the proxy, and a certificate."""
        self.port, self.secure = free_port(), secure
        issued = Issued()
        self.certificate = self.write("server.pem", issued.pem.decode(), issued.key_pem().decode())

    def _all_gone(self) -> Deferred[None]:
        descriptors: Any = reactor
        return Deferred.fromCoroutine(
            turns_until(lambda: not any(isinstance(reader, Server) for reader in descriptors.getReaders()))
        )

    def proxy_command(self) -> list[str]:
        """Return the command that starts the proxy in the foreground; skip the test if there is none."""
        raise NotImplementedError

    def filled_in(self) -> str:
        """Return the recipe for this test: with its ports and files, each of which must be in it."""
        text = self.recipe_text()
        backends = {name: f"127.0.0.1:{port}" for name, port in self.backends.items()}
        for old, new in {**self.public_side(), **self.changes, **backends}.items():
            self.assertIn(old, text)
            text = text.replace(old, new)
        return text

    def public_side(self) -> dict[str, str]:
        """Return what to replace in the recipe for clients to reach the proxy."""
        raise NotImplementedError

    def endpoint(self) -> IStreamClientEndpoint:
        """Return an endpoint that connects to the proxy from the client's address."""
        return TCP4ClientEndpoint(reactor, "127.0.0.1", self.port, bindAddress=(CLIENT, 0))

    async def raw(self) -> tuple[RawClient, IPv4Address]:
        """Connect a raw client to the proxy; return it, and the address it used."""
        address = IPv4Address("TCP", "127.0.0.1", self.port)
        return await connect_raw(self, address, self.endpoint()), address

    async def call(self, **options: Any) -> WebSocketStream:
        """Open a WebSocket through the proxy."""
        scheme = "ws"
        if self.secure:
            scheme, options["tls"] = "wss", ClientTLS(self.certificate)
        url = f"{scheme}://localhost:{self.port}/echo?x=1"
        stream: WebSocketStream = await connect(url, endpoint=self.endpoint(), **options)

        def drop() -> Deferred[Any]:
            stream.abort()
            return stream.when_closed()

        self.addCleanup(drop)
        return stream


class Nginx(BehindProxy):
    """Debian's nginx."""

    recipe = "nginx.conf"

    def public_side(self) -> dict[str, str]:
        plain, tls = (free_port(), self.port) if self.secure else (self.port, free_port())
        return {
            "listen 80;": f"listen 127.0.0.1:{plain};",
            "listen 443 ssl;": f"listen 127.0.0.1:{tls} ssl;",
            "/etc/ssl/certs/www.example.com.pem": self.certificate,
            "/etc/ssl/private/www.example.com.key": self.certificate,
        }

    def proxy_command(self) -> list[str]:
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        lines = [
            "daemon off;",
            f"pid {self.folder}/{self.port}.pid;",
            "error_log stderr;",
            "events {}",
            "http {",
            "access_log off;",
            *(f"{kind}_temp_path {self.folder}/{kind};" for kind in kinds),
            f"include {self.write('recipe.conf', self.filled_in())};",
            "}",
        ]
        config = self.write("nginx.conf", *lines)
        return [need_daemon("nginx"), "-p", str(self.folder), "-e", "stderr", "-c", config]


class HAProxy(BehindProxy):
    """Debian's HAProxy."""

    recipe = "haproxy.cfg"
    endpoints = {**BehindProxy.endpoints, "127.0.0.1:8081": "haproxy:tcp:0:interface=127.0.0.1"}
    knows_scheme = False

    def public_side(self) -> dict[str, str]:
        tls = f" ssl crt {self.certificate}" if self.secure else ""
        old = "bind :443 ssl crt /etc/ssl/private/www.example.com.pem"
        return {old: f"bind 127.0.0.1:{self.port}{tls}"}

    def proxy_command(self) -> list[str]:
        return [need_daemon("haproxy"), "-db", "-q", "-f", self.write("haproxy.cfg", self.filled_in())]


class Apache(BehindProxy):
    """Debian's Apache (package ``apache2-bin``)."""

    recipe = "apache.conf"
    ending = "KILL"  # one process, which now and then does not heed another signal on a busy machine

    def public_side(self) -> dict[str, str]:
        return {
            "*:443": f"127.0.0.1:{self.port}",
            "SSLEngine on": f"SSLEngine {'on' if self.secure else 'off'}",
            "/etc/ssl/certs/www.example.com.pem": self.certificate,
            "/etc/ssl/private/www.example.com.key": self.certificate,
        }

    def proxy_command(self) -> list[str]:
        names = ("mpm_event", "authz_core", "headers", "proxy", "proxy_http", "ssl")
        lines = [
            f"ServerRoot {self.folder}",
            *(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in names),
            "ServerName localhost",
            f"Listen 127.0.0.1:{self.port}",
            f"PidFile {self.folder}/{self.port}.pid",
            *(["Timeout 2"] if self.changes else []),  # the longer of it and the recipe's counts
            "ErrorLog /dev/stderr",
            f"Include {self.write('recipe.conf', self.filled_in())}",
        ]
        return [need_daemon("apache2"), "-X", "-f", self.write("apache.conf", *lines)]
