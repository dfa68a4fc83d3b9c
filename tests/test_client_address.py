"""The client's address: what a trusted proxy says of it, for dispatchers, streams and the access log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.static import Data

from hunchensocket_tx import Settings, WebSocketFactory, WebSocketResource
from hunchensocket_tx.factory import GuardedSite
from tests.harness import echo, turns
from tests.head_support import PAGE, head
from tests.hybi_stream_support import close, masked
from tests.support import RawClient, connect, serve
from tests.test_kept_request import WAYS, Opening

LOCAL = "127.0.0.1"

CLIENT = "192.0.2.1"


class ClientAddressCase(TestCase):
    """Opens WebSockets as a proxy does."""

    timeout = 20

    async def open(self, site: Any, /, **fields: str) -> RawClient:
        """Open a WebSocket; let what has led there be over."""
        client = await connect(self, await serve(self, site))
        client.write(head("/chat", **fields))
        await client.until(b"\r\n\r\n")
        self.assertEqual(client.status, 101)
        await turns()
        return client

    async def end(self, client: RawClient) -> None:
        """Close it."""
        client.write(masked(close(1000)))
        await client.closed
        await turns()

    def log_line(self, path: str) -> str:
        """Return the one line of an access log."""
        [line] = Path(path).read_text().splitlines()
        return line


class HandlerTests(ClientAddressCase):
    """What dispatchers and handlers see."""

    async def seen(self, proxies: list[str], **fields: str) -> set[IAddress]:
        """Return the addresses that are told in all places, on all kinds of sites."""
        found: set[IAddress] = set()
        for way in WAYS:
            opening = Opening(lambda request: request.getClientAddress())
            site = way.site(opening)
            self.settings_of(site, proxies)
            client = await self.open(site, **fields)
            stream = await opening.opened
            found |= {opening.seen, stream.peer}
            assert stream.request is not None  # made again
            found.add(stream.request.getClientAddress())
            await self.end(client)
        return found

    def settings_of(self, site: Any, proxies: list[str]) -> None:
        site.resource.settings = Settings(origins="*", trusted_proxies=proxies)

    async def test_a_trusted_proxy_is_believed(self) -> None:
        for fields, expected in (
            ({"X-Forwarded-For": f"198.51.100.1, {CLIENT}"}, IPv4Address("TCP", CLIENT, 0)),
            ({"Forwarded": f'for="{CLIENT}:4711"'}, IPv4Address("TCP", CLIENT, 4711)),
            ({"X-Forwarded-For": "2001:db8::1"}, IPv6Address("TCP", "2001:db8::1", 0)),
        ):
            self.assertEqual(await self.seen([LOCAL], **fields), {expected})

    async def test_nobody_else_is_believed(self) -> None:
        for proxies in ([], ["10.0.0.1", "unix"]):
            found: Any = await self.seen(proxies, X_Forwarded_For=CLIENT, Forwarded=f"for={CLIENT}")
            self.assertEqual({address.host for address in found}, {LOCAL})

    async def test_without_the_fields_it_is_the_proxy_s(self) -> None:
        found: Any = await self.seen([LOCAL])
        self.assertEqual({address.host for address in found}, {LOCAL})


class UnixTests(ClientAddressCase):
    """Proxies on unix sockets."""

    async def test_they_are_trusted_if_that_is_wanted(self) -> None:
        for proxies, expected in ((["unix"], CLIENT), ([LOCAL], None)):
            opening = Opening(lambda request: getattr(request.getClientAddress(), "host", None))
            path = self.mktemp()
            await serve(self, WebSocketFactory(opening, trusted_proxies=proxies), f"unix:{path}")
            endpoint: IStreamClientEndpoint = UNIXClientEndpoint(reactor, path)
            client = await connect(self, None, endpoint)
            client.write(head("/chat", X_Forwarded_For=CLIENT))
            await client.until(b"\r\n\r\n")
            self.assertEqual(opening.seen, expected)


class AccessLogTests(ClientAddressCase):
    """The access log of our sites, whatever is asked for."""

    async def test_a_websocket_s_line_has_it(self) -> None:
        path = self.mktemp()
        client = await self.open(
            WebSocketFactory(echo, log_path=path, trusted_proxies=[LOCAL]), X_Forwarded_For=CLIENT
        )
        await self.end(client)
        self.assertTrue(self.log_line(path).startswith(f'"{CLIENT}" - - '))

    async def asked(self, site: Any, data: bytes) -> str:
        """Return the line of a request that is answered at once."""
        client = await connect(self, await serve(self, site))
        client.write(data)
        await client.closed
        await turns()
        return self.log_line(site.logPath)

    async def test_a_page_s_line_has_it(self) -> None:
        root, settings = Resource(), Settings(trusted_proxies=[LOCAL])
        root.putChild(b"page", Data(b"a page", "text/plain"))
        root.putChild(b"chat", WebSocketResource(echo, settings=settings))
        data = PAGE.replace(b"\r\n\r\n", f"\r\nConnection: close\r\nX-Forwarded-For: {CLIENT}\r\n\r\n".encode())
        line = await self.asked(GuardedSite(root, settings, log_path=self.mktemp()), data)
        self.assertTrue(line.startswith(f'"{CLIENT}" - - '))

    async def test_a_refusal_s_line_has_it(self) -> None:
        site = WebSocketFactory(echo, log_path=self.mktemp(), trusted_proxies=[LOCAL])
        line = await self.asked(site, head("/chat", X_Forwarded_For=CLIENT, Origin="http://elsewhere.example"))
        self.assertIn(" 403 ", line)
        self.assertTrue(line.startswith(f'"{CLIENT}" - - '))

    async def test_fields_that_contradict_each_other_are_refused_where_addresses_count(self) -> None:
        changes: Any = {"trusted_proxies": [LOCAL], "max_connections_per_address": 9}
        site = WebSocketFactory(echo, log_path=self.mktemp(), **changes)
        line = await self.asked(site, head("/chat", X_Forwarded_For=CLIENT, Forwarded="for=192.0.2.2"))
        self.assertIn(" 400 ", line)
        self.assertTrue(line.startswith(f'"{LOCAL}" - - '))
