"""Many small messages through our client and our server: none is lost, all stay in order, no memory is.

::

    python -m benchmarks.ten_million                          # ten million, RFC 6455: about half a minute
    python -m benchmarks.ten_million --version 76
    python -m benchmarks.ten_million --messages 1000000 --tls
    python -m benchmarks.ten_million --loop                   # async for, instead of a message handler

The client is this process, the server another one, which sends everything back. The messages are the numbers from
0 on, and the client compares each with the one that has to come. It prints messages per second, and CPU time and
memory of both. The exit status is 1 if a number is missing or out of order, if nothing came for ten seconds, or if
either process has grown by over 4 MiB since a hundredth of the messages were through: with ten million of them,
that is less than half a byte for each.

It needs Linux, for the other process's CPU time and memory.
"""

from __future__ import annotations

import argparse
import datetime
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import twisted.internet.reactor
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twisted.internet.defer import DeferredLock
from twisted.internet.task import LoopingCall, react

from benchmarks.load import cpu_seconds, memory
from benchmarks.peers import CHECKOUT, end
from benchmarks.report import number, table
from hunchensocket_tx import ClientTLS, Settings, WebSocketFactory, WebSocketStream, connect
from hunchensocket_tx.tls import server_options

WINDOW = 1000
"""Messages under way."""

PATIENCE = 10.0
"""Seconds without a message after which those under way are lost."""

GROWTH = 4 * 1024 * 1024
"""Bytes by which a process may grow."""

SETTINGS = Settings(compression=False)

Measured = dict[str, int]
"""Bytes of memory of each process."""


class Exchange:
    """The numbers on their way to the server and back.

    :param total: how many.
    :param warm: called when a hundredth of them is through.
    """

    def __init__(self, total: int, warm: Callable[[], None]) -> None:
        self.received = 0
        self.wrong = ""
        self._total = total
        self._warm = warm
        self._sent = 0

    def begin(self, stream: WebSocketStream) -> None:
        """Send as many as may be under way."""
        for _ in range(min(WINDOW, self._total)):
            self._send_next(stream)

    def take(self, stream: WebSocketStream, text: object) -> None:
        """Compare a message with the number that has to come, and send the next one; close after the last one."""
        if text != str(self.received):
            self.wrong = f"{text!r:.100} came in place of {self.received}"
            stream.abort()
            return
        self.received += 1
        if self.received == self._total // 100:
            self._warm()
        if self._sent < self._total:
            self._send_next(stream)
        elif self.received == self._total:
            stream.close()

    def _send_next(self, stream: WebSocketStream) -> None:
        stream.send(str(self._sent))
        self._sent += 1

    def watch(self, stream: WebSocketStream) -> LoopingCall:
        """Drop the connection when nothing comes any more."""
        before = -1

        def look() -> None:
            nonlocal before
            if self.received == before:
                self.wrong = f"nothing came for {PATIENCE:g} seconds after {before} messages"
                stream.abort()
            before = self.received

        looking = LoopingCall(look)
        looking.start(PATIENCE)
        return looking


def serve(certificate: str | None) -> None:
    """Send everything back, on a free port, which is printed; with TLS if there is a certificate."""
    reactor: Any = twisted.internet.reactor
    factory = WebSocketFactory(lambda request: lambda stream, mutex: stream.send, settings=SETTINGS)
    if certificate is None:
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    else:
        port = reactor.listenSSL(0, factory, server_options(certificate), interface="127.0.0.1")
    print(port.getHost().port, flush=True)
    reactor.run()


@contextmanager
def serving(certificate: Path | None) -> Iterator[tuple[int, int]]:
    """Let the server run; give its port and its process's number."""
    command = [sys.executable, "-m", "benchmarks.ten_million", "--serve"]
    if certificate is not None:
        command.append(str(certificate))
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield int(server.stdout.readline()), server.pid
        finally:
            end(server)


def write_certificate(path: Path) -> None:
    """Write a certificate for ``localhost``, which signs itself, and its key, to one PEM file."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(certificate.public_bytes(Encoding.PEM) + secret)


async def converse(exchange: Exchange, url: str, options: argparse.Namespace, tls: ClientTLS | None) -> None:
    """Send and receive all, in the way that is wanted; return when the connection is gone."""

    def handshake(stream: WebSocketStream, mutex: DeferredLock) -> Callable[[object], None]:
        exchange.begin(stream)
        return lambda text: exchange.take(stream, text)

    handler = None if options.loop else handshake
    stream = await connect(url, handler, version=options.version, tls=tls, proxy=None, settings=SETTINGS)
    watching = exchange.watch(stream)
    if options.loop:
        exchange.begin(stream)
        async for text in stream:
            exchange.take(stream, text)
    closed = await stream.when_closed()
    watching.stop()
    if exchange.received < options.messages and not exchange.wrong:
        exchange.wrong = f"it ended after {exchange.received} messages: {closed}"


async def run(options: argparse.Namespace, certificate: Path | None) -> None:
    """Do it all, and print what was measured.

    :raises SystemExit: if anything went wrong.
    """
    tls = None if certificate is None else ClientTLS(certificate, server_name="localhost")
    with serving(certificate) as (port, server):
        processes = {"client": os.getpid(), "server": server}
        before: Measured = {}
        exchange = Exchange(
            options.messages, lambda: before.update({name: memory(pid) for name, pid in processes.items()})
        )
        begun, spent = time.monotonic(), {name: cpu_seconds(pid) for name, pid in processes.items()}
        await converse(exchange, f"{'ws' if tls is None else 'wss'}://127.0.0.1:{port}/", options, tls)
        if exchange.wrong:
            raise SystemExit(exchange.wrong)
        seconds = time.monotonic() - begun
        spent = {name: cpu_seconds(pid) - spent[name] for name, pid in processes.items()}
        after = {name: memory(pid) for name, pid in processes.items()}
    print(f"{options.messages:,} messages in {seconds:.1f} s: {number(options.messages / seconds)} per second\n")
    rows = [
        (name, f"{spent[name]:.1f}", f"{before[name] // 1024:,}", f"{after[name] // 1024:,}") for name in processes
    ]
    print(table([("", "CPU seconds", "KiB at 1 %", "KiB at the end"), *rows]))
    for name in processes:
        if after[name] - before[name] > GROWTH:
            raise SystemExit(f"the {name} has grown by {after[name] - before[name]:,} bytes")


def main() -> None:
    """Do what the command line says, and exit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000_000, help="how many, 100 or more (ten million)")
    parser.add_argument("--version", type=int, choices=(13, 8, 7, 76), default=13, help="of the protocol (13)")
    parser.add_argument("--tls", action="store_true", help="with a certificate made for this")
    parser.add_argument("--loop", action="store_true", help="ask for messages, instead of having a handler called")
    parser.add_argument("--serve", nargs="?", const="", help=argparse.SUPPRESS, metavar="CERTIFICATE")
    options = parser.parse_args()
    if options.messages < 100:
        parser.error("--messages: 100 at least, as memory is compared with that at a hundredth of them")
    if options.serve is not None:
        serve(options.serve or None)
        return
    with TemporaryDirectory() as folder:
        certificate = Path(folder) / "localhost.pem" if options.tls else None
        if certificate is not None:
            write_certificate(certificate)
        react(lambda reactor: run(options, certificate))


if __name__ == "__main__":
    main()
