"""Tests of descriptions of endpoints: hunchensocket_tx.endpoint_strings, and the plugin that leads there."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.endpoints import clientFromString, quoteStringArgument, serverFromString
from twisted.internet.interfaces import (
    IStreamClientEndpointStringParserWithReactor,
    IStreamServerEndpointStringParser,
)
from twisted.internet.protocol import Factory
from twisted.plugin import IPlugin, getPlugins
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from hunchensocket_tx.endpoint_strings import parse_client, parse_server
from hunchensocket_tx.endpoints import WebSocketClientEndpoint, WebSocketServerEndpoint
from tests.endpoint_support import VERSIONS, Echo, Recorder
from tests.harness import Issued, PemFolder, turns_until
from tests.processes import CHECKOUT


def client(description: str) -> Any:
    """Return a client's endpoint."""
    return clientFromString(reactor, description)


def server(description: str) -> Any:
    """Return a server's endpoint."""
    return serverFromString(reactor, description)


class URLTests(SynchronousTestCase):
    """A client's description gives the URL."""

    def assert_urls(self, *pairs: tuple[str, str]) -> None:
        for description, url in pairs:
            with self.subTest(description=description):
                self.assertEqual(repr(client(description)), f"<WebSocketClientEndpoint {url}>")

    def test_a_url_is_a_description(self) -> None:
        for url in (
            "ws://127.0.0.1:8080/path",
            "ws://localhost/",
            "wss://www.example.com:4433/a/b?c=d&e=f=g",
            "ws://[::1]:8080/a=b",
            "ws://[::1]/",
        ):
            self.assert_urls((url, url))

    def test_options_may_follow_a_url(self) -> None:
        self.assert_urls(
            ("ws://localhost:8080/path:version=76:encoding=base64", "ws://localhost:8080/path"),
            ("ws://localhost/path?a=b:version=76", "ws://localhost/path?a=b"),
        )

    def test_colons_and_equals_signs_may_be_escaped(self) -> None:
        self.assert_urls(
            (r"ws://localhost\:8080/a\:b\=c", "ws://localhost:8080/a:b=c"),
            ("ws:" + quoteStringArgument("//localhost:8080/a:b?c=d:e"), "ws://localhost:8080/a:b?c=d:e"),
        )

    def test_host_port_and_path_may_be_given_apart(self) -> None:
        self.assert_urls(
            ("ws:localhost:8080", "ws://localhost:8080/"),
            ("ws:localhost", "ws://localhost/"),
            ("wss:localhost:443:path=/a?b=c", "wss://localhost/a?b=c"),
            ("ws:host=localhost:8080", "ws://localhost:8080/"),
            ("ws:localhost:port=8080", "ws://localhost:8080/"),
            (r"ws:\:\:1:8080", "ws://[::1]:8080/"),
            (r"ws:endpoint=unix\:/run/ws.sock:path=/x", "ws://localhost/x"),
            (r"ws:www.example.com:endpoint=unix\:/run/ws.sock", "ws://www.example.com/"),
        )

    @settings(deadline=None, max_examples=50)  # each looks for plugins
    @given(st.text("abc:=/?%2\\", max_size=12))
    def test_any_path_survives_being_quoted(self, rest: str) -> None:
        url = f"ws://localhost:8080/{rest}"
        quoted = "ws:" + quoteStringArgument(url.removeprefix("ws:"))
        self.assertEqual(repr(client(quoted)), repr(WebSocketClientEndpoint(reactor, url)))


class WrongTests(SynchronousTestCase):
    """What is wrong raises ValueError, which names the option and the mend."""

    def assert_wrong(self, make: Any, *pairs: tuple[str, str]) -> None:
        for description, words in pairs:
            with self.subTest(description=description):
                error = self.assertRaises(ValueError, make, description)
                self.assertIn(words, str(error))

    def test_clients(self) -> None:
        self.assert_wrong(
            client,
            ("ws:", "'ws:///' is not"),
            ("ws:version=13", "host: name one, as ws:www.example.com"),
            ("ws:localhost:80:81", "'81': what is this"),
            ("ws:localhost:port=x", "port: give a number from 0 to 65535, not 'x'"),
            ("ws:localhost:65536", "port: give a number from 0 to 65535"),
            ("ws:localhost:path=x", "path: give one that starts with /"),
            ("ws:localhost:paht=/x", "paht: ws has no such option; it has host, port, path"),
            ("ws://localhost/:paht=x", "paht: ws has no such option"),
            ("ws://localhost/:path=/x", "path: it is in the URL already"),
            ("ws://localhost/#x", "fragment"),
            ("ws://localhost:80/a?b=c:d", r"write \: for :"),
            ("ws://localhost/a?b=c:d/e=f", r"write \: for :"),
            ("ws:localhost:version=9", "version: give one of 13, 8, 7, 76, not '9'"),
            ("ws:localhost:timeout=soon", "timeout: give a number of seconds, not 'soon'"),
            ("ws:localhost:timeout=-1", "timeout: give a number of seconds of 0.001 or more"),
            ("ws:localhost:idleTimeout=-1", "idleTimeout: give a number of seconds of 0 or more"),
            ("ws:localhost:encoding=rot13", "encoding: give utf-8, base64, binary"),
            ("ws:localhost:version=76:encoding=binary", "encoding: hixie-76 has no binary"),
            (r"ws:localhost:proxy=ftp\://localhost", "proxy: no proxy is spoken to as 'ftp'"),
            ("ws:localhost:endpoint=smoke", "endpoint: Unknown endpoint type"),
            ("ws:localhost:trustRoots=ca.pem", "trustRoots: it is for TLS, where the description begins with wss"),
            ("wss:localhost:trustRoots=/nowhere", "trustRoots: "),
            ("wss:localhost:certificate=/nowhere", "certificate: "),
            ("wss:localhost:privateKey=/nowhere", "privateKey: name the certificate"),
        )

    def test_servers(self) -> None:
        self.assert_wrong(
            server,
            ("ws:http", "port: give a number from 0 to 65535, not 'http'"),
            ("ws:80:81", "'81': what is this"),
            ("ws:80:paht=/x", "paht: ws has no such option; it has port, interface, path"),
            ("ws:80:path=x", "path: give one that starts with /"),
            ("ws:80:versions=13,9", "versions: give one of 13, 8, 7, 76, not '9'"),
            ("ws:80:versions=", "versions: name one or more"),
            ("ws:80:origins=www.example.com", "origins: 'www.example.com' is not an origin"),
            ("ws:80:idleTimeout=-1", "idleTimeout: give a number of seconds of 0 or more"),
            ("ws:80:encoding=rot13", "encoding: give utf-8, base64, binary"),
            ("ws:80:certificate=chain.pem", "certificate: it is for TLS, where the description begins with wss"),
            (r"ws:80:endpoint=tcp\:80", "port: leave it out, as the endpoint says where to listen"),
            (r"ws:interface=\:\:1:endpoint=tcp\:80", "interface: leave it out"),
            ("ws:endpoint=smoke", "endpoint: Unknown endpoint type"),
            ("wss:443", "certificate: TLS needs one"),
            ("wss:443:certificate=/nowhere", "certificate: "),
        )


class SocketTests(TestCase):
    """Descriptions at work."""

    async def check(self, serving: str, connecting: str, data: bytes = b"hello", **changes: Any) -> Any:
        """Serve echo and connect to it; say something, and return the client's protocol.

        :param connecting: has ``PORT`` for the server's port.
        """
        port = await server(serving).listen(Factory.forProtocol(Echo))
        self.addCleanup(port.stopListening)
        number = getattr(port.getHost(), "port", None)
        protocol = await client(connecting.replace("PORT", str(number))).connect(Factory.forProtocol(Recorder))
        protocol.transport.write(data)
        await turns_until(lambda: protocol.data == data)
        return protocol.transport.stream

    async def test_every_version(self) -> None:
        for version in VERSIONS:
            subprotocols = "base64" if version == 76 else "chat,base64"
            stream = await self.check(
                "ws:0:path=/echo:interface=127.0.0.1",
                f"ws://127.0.0.1:PORT/echo:version={version}:subprotocol={subprotocols}",
            )
            self.assertEqual((stream.version, stream.subprotocol), (version, "base64"))

    async def test_many_options(self) -> None:
        stream = await self.check(
            r"ws:0:interface=127.0.0.1:versions=13:idleTimeout=0:subprotocol=chat:encoding=base64:origins=http\://a.b,http\://c.d",
            r"ws:127.0.0.1:PORT:path=/?a=b:origin=http\://c.d:timeout=5:idleTimeout=0:proxy=none:subprotocol=chat:encoding=base64",
        )
        self.assertEqual(stream.subprotocol, "chat")

    async def test_a_unix_socket(self) -> None:
        path = quoteStringArgument(os.path.relpath(self.mktemp()))
        below = quoteStringArgument(f"unix:{path}")
        await self.check(f"ws:endpoint={below}:path=/x", f"ws:endpoint={below}:path=/x")

    async def test_tls(self) -> None:
        issued, folder = Issued(), PemFolder(self.mktemp())
        certificate, key = folder.write("chain.pem", issued.pem), folder.write("key.pem", issued.key_pem())
        both = folder.write("both.pem", issued.pem, issued.key_pem())
        for serving in (
            f"wss:0:interface=127.0.0.1:certificate={certificate}:privateKey={key}",
            rf"wss:certificate={both}:endpoint=tcp\:0\:interface=127.0.0.1",
        ):
            for more in ("", f":certificate={certificate}:privateKey={key}"):
                stream = await self.check(
                    serving, f"wss://127.0.0.1:PORT/:hostname=localhost:trustRoots={certificate}{more}"
                )
                self.assertTrue(stream.secure)


class PluginTests(SynchronousTestCase):
    """How Twisted finds it."""

    def test_the_plugins_are_what_twisted_looks_for(self) -> None:
        for interface in (IStreamClientEndpointStringParserWithReactor, IStreamServerEndpointStringParser):
            plugins: list[Any] = list(getPlugins(interface))
            ours = {plugin.prefix: plugin for plugin in plugins if plugin.prefix in ("ws", "wss")}
            self.assertEqual(set(ours), {"ws", "wss"})
            for plugin in ours.values():
                verifyObject(interface, plugin)
                verifyObject(IPlugin, plugin)

    def test_a_prefix_in_capitals_is_the_same(self) -> None:
        self.assertIsInstance(client("WS://localhost/"), WebSocketClientEndpoint)
        self.assertIsInstance(server("WS:80"), WebSocketServerEndpoint)

    def test_they_lead_to_the_parsers(self) -> None:
        self.assertIsInstance(parse_client(reactor, "ws", ["localhost"], {}), WebSocketClientEndpoint)
        self.assertIsInstance(parse_server(reactor, "ws", ["80"], {}), WebSocketServerEndpoint)

    def run_code(self, code: str) -> str:
        """Run Python where nothing but this checkout is at hand, and return what it prints."""
        result = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout.strip()

    def test_a_new_process_finds_them(self) -> None:
        said = self.run_code(
            "from twisted.internet import reactor\n"
            "from twisted.internet.endpoints import clientFromString, serverFromString\n"
            "print(clientFromString(reactor, 'ws://localhost/x'))\n"
            "print(type(serverFromString(reactor, 'ws:80')).__name__)\n"
        )
        self.assertEqual(
            said.splitlines(), ["<WebSocketClientEndpoint ws://localhost/x>", "WebSocketServerEndpoint"]
        )

    def test_the_plugin_imports_nothing_slow(self) -> None:
        said = self.run_code(
            "import sys, twisted.plugins.hunchensocket_endpoints\n"
            "print(*(name for name in sys.modules if name.startswith(('hunchensocket_tx', 'twisted.web'))))\n"
        )
        self.assertEqual(said, "")
