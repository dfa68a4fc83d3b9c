"""How much memory a server takes that sends a lot to one slow reader, in each of three ways to wait for it.

Usage: ``python benchmarks/slow_reader.py [MEBIBYTES]`` (1024 by default). The server runs in a process of its own
and prints its peak memory; the client is a plain socket that reads in small portions.
"""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
from base64 import b64encode
from typing import Any

import twisted.internet.reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPullProducer
from zope.interface import implementer

from hunchensocket_tx import WebSocketFactory, WebSocketStream, conversation

reactor: Any = twisted.internet.reactor

MESSAGE = bytes(16 * 1024)
CLOSE_FRAME = b"\x88\x02\x03\xe8"
PORTION = 256 * 1024  # bytes that the client reads at a time


@implementer(IPullProducer)
class Source:
    """Produces so many messages as its stream has room for."""

    def __init__(self, stream: WebSocketStream, count: int, done: Deferred[None]) -> None:
        self._stream, self._left, self._done = stream, count, done

    def resumeProducing(self) -> None:
        """Send one message (IPullProducer)."""
        self._stream.write(MESSAGE)
        self._left -= 1
        if not self._left:
            self._stream.unregisterProducer()
            self._done.callback(None)

    def stopProducing(self) -> None:
        """Nothing to stop (IProducer)."""


def serve(way: str, count: int) -> None:
    """Serve one client in the way told, and print the peak of memory in KiB."""

    @conversation
    async def send_all(stream: WebSocketStream) -> None:
        if way == "producer":
            done: Deferred[None] = Deferred()
            stream.registerProducer(Source(stream, count, done), False)
            await done
        elif way == "drained":
            for _ in range(count):
                stream.send(MESSAGE)
                await stream.drained()
        else:
            async with stream.message() as message:
                for _ in range(count):
                    await message.write(MESSAGE)
        stream.close()
        await stream.when_closed()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
        reactor.stop()

    factory = WebSocketFactory(send_all, compression=False)
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    print(port.getHost().port, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
    reactor.run()


def read_slowly(port: int) -> int:
    """Open a WebSocket and read until its end; return the bytes read."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PORTION)
        key = b64encode(bytes(16)).decode()
        client.sendall(
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        total = 0
        end = b""
        while not end.endswith(CLOSE_FRAME):
            portion = client.recv(PORTION)
            total += len(portion)
            end = (end + portion)[-len(CLOSE_FRAME) :]
        return total


def main() -> None:
    """Run each way once."""
    mebibytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    count = mebibytes * 1024 * 1024 // len(MESSAGE)
    for way in ("producer", "drained", "parts"):
        command = [sys.executable, __file__, "serve", way, str(count)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            port, before = map(int, server.stdout.readline().split())
            total = read_slowly(port)
            peak = int(server.stdout.readline())
        print(f"{way:9} {total / 2**20:8.1f} MiB read; memory {before} KiB at start, {peak} KiB at the peak")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        main()
