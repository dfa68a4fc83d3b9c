"""Tests of the counters that one can see (hunchensocket_tx.service.metrics)."""

from __future__ import annotations

import re
from typing import Any
from unittest import mock

from prometheus_client.parser import text_string_to_metric_families
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx import HandshakeRefused, connect
from hunchensocket_tx.service import Options
from tests import support
from tests.processes import Program, TwistdCase

METRICS_PORT = re.compile(rb"MetricsFactory starting on (\d+)\n")


class OptionTests(SynchronousTestCase):
    """Where the counters are to be seen."""

    def complaint(self, *arguments: str) -> str:
        """Return what is said about a wrong command line."""
        with self.assertRaises(SystemExit) as raised:
            Options().parseOptions(arguments)
        return str(raised.exception.code)

    def listens(self, description: str) -> tuple[Any, ...]:
        """Return where the endpoint listens."""
        options = Options()
        options.parseOptions(["--metrics", description])
        endpoint: Any = options.metrics_endpoint
        with mock.patch.object(type(reactor), "listenTCP") as listen:
            endpoint.listen(None)
        called: tuple[Any, ...] = (listen.call_args.args[0], listen.call_args.kwargs["interface"])
        return called

    def test_they_are_nowhere_by_default(self) -> None:
        options = Options()
        options.parseOptions([])
        self.assertIsNone(options.metrics_endpoint)

    def test_a_port_number_is_for_this_machine_only(self) -> None:
        self.assertEqual(self.listens("9090"), (9090, "127.0.0.1"))

    def test_an_endpoint_is_taken_as_it_is(self) -> None:
        self.assertEqual(self.listens("tcp:9090:interface=192.0.2.1"), (9090, "192.0.2.1"))

    def test_what_is_no_endpoint_is_refused(self) -> None:
        self.assertIn(
            "--metrics: 'tpc:1' is not an endpoint: Unknown endpoint type", self.complaint("--metrics", "tpc:1")
        )

    def test_without_the_package_it_is_said_how_to_get_it(self) -> None:
        with mock.patch("hunchensocket_tx.service.metrics.find_spec", return_value=None):
            self.assertEqual(
                self.complaint("--metrics", "9090"),
                "twistd hunchensocket: --metrics: it needs the package prometheus-client; pip install "
                "'hunchensocket-tx[metrics]'",
            )


class TwistdTests(TwistdCase):
    """The counters of ``twistd``, over HTTP."""

    async def metrics_address(self, program: Program) -> IPv4Address:
        """Return where the counters are."""
        await program.until(lambda: METRICS_PORT.search(program.out) is not None)
        found = METRICS_PORT.search(program.out)
        assert found is not None
        return IPv4Address("TCP", "127.0.0.1", int(found[1]))

    async def get(self, address: Any, path: str) -> str:
        """Return what a page says."""
        client = await support.connect(self, address)
        client.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        await client.closed
        self.assertEqual(client.status, 200)
        return client.body.decode()

    async def metrics(self, address: Any) -> dict[str, float]:
        """Return the samples, by name and labels."""
        text = await self.get(address, "/metrics")
        return {
            sample.name + "".join(f" {label}" for label in sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    async def test_what_clients_do_is_counted(self) -> None:
        program = self.listening("--metrics", "0")
        address, metrics = await program.address(), await self.metrics_address(program)
        url = f"ws://127.0.0.1:{address.port}"
        new, old = await gatherResults([connect(f"{url}/echo"), connect(f"{url}/chat", version=76)])
        for stream in (new, old):
            stream.send("hello")
            self.assertEqual(await stream.receive(), "hello")
        await self.assertFailure(connect(f"{url}/echo", origin="http://evil.example"), HandshakeRefused)
        old.close()
        await old.when_closed()
        found = await self.metrics(metrics)
        for name, value in {
            "hunchensocket_connections 13": 1,
            "hunchensocket_accepted_total 76": 1,
            "hunchensocket_messages_total received": 2,
            "hunchensocket_messages_total sent": 2,
            "hunchensocket_refused_total 403 origin": 1,
            "hunchensocket_handshake_seconds_count": 2,
        }.items():
            self.assertEqual(found.get(name), value, name)
        page = await self.get(metrics, "/")
        self.assertIn("<tr><td>13</td><td>1 open, 1 in all</td></tr>", page)
        self.assertIn("<tr><td>403 origin</td><td>1</td></tr>", page)
        new.close()
        await new.when_closed()

    async def test_the_public_port_tells_nothing(self) -> None:
        program = self.listening("--metrics", "0")
        client = await support.connect(self, await program.address())
        client.write(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
        await client.closed
        self.assertEqual(client.status, 404)

    async def test_a_port_that_is_taken_is_told_in_one_line(self) -> None:
        first = self.listening("--metrics", "0")
        port = (await self.metrics_address(first)).port
        second = self.listening("--metrics", str(port))
        self.assertEqual(await second.ended, 1)
        self.assertIn(b"twistd hunchensocket: --metrics: ", second.err)
        self.assertNotIn("Traceback", second.said)
