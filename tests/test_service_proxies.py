"""``twistd hunchensocket`` behind proxies: whom it believes, and how it is told who the client is."""

from __future__ import annotations

import re
from typing import Any

from twisted.internet.address import IPv4Address

from tests.harness import answered_76
from tests.head_support import head
from tests.processes import Program, TwistdCase
from tests.support import connect, request_76

CLIENT = "192.0.2.1"

PROXY_1 = f"PROXY TCP4 {CLIENT} 198.51.100.1 4711 80\r\n".encode()

PROXY_2 = b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x21, 0x11, 0, 12, 192, 0, 2, 1, 198, 51, 100, 1, 18, 103, 0, 80])

HAPROXY = re.compile(rb"Site \(PROXY\) starting on (\d+)\n")


class TrustedProxyTests(TwistdCase):
    """``--trusted-proxy``."""

    async def client_of(self, *options: str, **fields: str) -> str:
        """Return who was the client of a WebSocket, by the access log."""
        program = self.listening(*options)
        client = await connect(self, await program.address())
        client.write(head("/echo", **fields))
        await client.until(b"\r\n\r\n")
        self.assertEqual(client.status, 101)
        client.abort()
        return await logged_client(program)

    async def test_who_the_client_is_can_be_told_by_it(self) -> None:
        for fields in ({"X-Forwarded-For": CLIENT}, {"Forwarded": f"for={CLIENT}"}):
            self.assertEqual(await self.client_of("--trusted-proxy", "127.0.0.1", **fields), CLIENT)

    async def test_who_the_client_is_cannot_be_told_by_others(self) -> None:
        found = await self.client_of("--trusted-proxy", "unix", X_Forwarded_For=CLIENT)
        self.assertEqual(found, "127.0.0.1")


class ProxyProtocolTests(TwistdCase):
    """``--listen haproxy:...``."""

    async def start_haproxy(self, *options: str) -> tuple[Program, IPv4Address]:
        """Start it; return it with its address."""
        program = self.twistd("--listen", "haproxy:tcp:0:interface=127.0.0.1", *options)
        await program.until(lambda: HAPROXY.search(program.out) is not None)
        found: Any = HAPROXY.search(program.out)
        return program, IPv4Address("TCP", "127.0.0.1", int(found[1]))

    async def test_both_versions_of_the_proxy_protocol_tell_who_the_client_is(self) -> None:
        for line in (PROXY_1, PROXY_2):
            program, address = await self.start_haproxy()
            client = await connect(self, address)
            client.write(line + request_76(address, "/echo"))
            await answered_76(client)
            client.abort()
            self.assertEqual(await logged_client(program), CLIENT)

    async def test_an_external_url_is_for_a_proxy_that_does_tls(self) -> None:
        _, address = await self.start_haproxy("--external-url", "wss://www.example.com")
        client = await connect(self, address)
        client.write(PROXY_2 + request_76(address, "/echo", origin="https://www.example.com"))
        await answered_76(client)

    async def test_who_does_not_speak_it_is_dropped(self) -> None:
        _, address = await self.start_haproxy()
        client = await connect(self, address)
        client.write(request_76(address, "/echo"))
        await client.closed
        self.assertEqual(client.data, b"")

    async def test_it_does_not_go_together_with_tls(self) -> None:
        program = self.twistd("--listen", "haproxy:ssl:0:privateKey=key.pem")
        self.assertEqual(await program.ended, 1)
        [line] = program.said.splitlines()
        self.assertIn("--listen: proxies send the PROXY protocol in front of TLS", line)
        self.assertIn("haproxy:tcp:", line)


async def logged_client(program: Program) -> str:
    """Return the address in the first line of the access log, once it is there."""
    line = re.compile(r'"([0-9a-f.:-]+)" - - \[')
    await program.until(lambda: line.search(program.said) is not None)
    found: Any = line.search(program.said)
    address: str = found[1]
    return address
