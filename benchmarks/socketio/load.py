"""A load generator that speaks Socket.IO 5 over Engine.IO 4, as clients 3.x and 4.x do, over WebSocket or polling.

Usage: ``python -m benchmarks.socketio.load SCENARIO --port PORT --pid PID``; it prints one line of JSON.

As with ``benchmarks.load``, which it is made from, all that is sent and expected is known beforehand, and each
byte of each packet compared. Heartbeats are not expected: a run is over before the first one.

Over polling a client has two connections, as a browser has: one on which a GET is always under way, and one for
POSTs, each of which carries all that has come together while the one before was under way.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from socket import IPPROTO_TCP, TCP_NODELAY, create_connection

from benchmarks.dialects import MASK, Dialect, Failed, head, masked, rfc6455
from benchmarks.load import PATIENCE, Connection, Load, measure
from benchmarks.socketio.scenarios import SCENARIOS, Scenario

__all__ = ["dialect_of", "kind_of_client"]

SEPARATOR = b"\x1e"
PATH = b"/socket.io/?EIO=4&transport="
PORTION = 65536
LENGTH = re.compile(rb"\r\nContent-Length: *(\d+)\r\n", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\nTransfer-Encoding: *chunked\r\n", re.IGNORECASE)
UNQUOTED = bytes.maketrans(b'"\\', b"''")
"""Makes text of what JSON would write with a backslash."""

ACKNOWLEDGED = (b'427["echo","%b"]', b'437["%b"]')
TOLD = (b'42["say","%b"]', b'42["said","%b"]')


def frame(packet: bytes) -> bytes:
    """Return the WebSocket frame of a packet as a client sends it."""
    return head(1, len(packet), 0x80) + MASK + masked(packet)


def dialect_of(scenario: Scenario) -> Dialect:
    """Return what is said and has to be heard, in bytes."""
    said, heard = TOLD if scenario.kind == "broadcast" else ACKNOWLEDGED

    def sent(text: bytes) -> bytes:
        return said % text.translate(UNQUOTED)

    def expected(text: bytes) -> bytes:
        return heard % text.translate(UNQUOTED)

    if scenario.transport == "polling":
        return replace(
            rfc6455(),
            sent_frame=lambda text: sent(text) + SEPARATOR,
            received_frame=lambda text: expected(text) + SEPARATOR,
        )
    return replace(
        rfc6455(),
        target=PATH + b"websocket",
        sent_frame=lambda text: frame(sent(text)),
        received_frame=lambda text: head(1, len(expected(text)), 0) + expected(text),
    )


def kind_of_client(scenario: Scenario) -> Callable[[Load], Connection]:
    """Return what makes clients for a scenario."""
    return PollingClient if scenario.transport == "polling" else WebSocketClient


class WebSocketClient(Connection):
    """A client over WebSocket: it says ``40``, and has connected when it is told so."""

    def accepted(self, rest: bytes) -> None:
        """The WebSocket is open."""
        self.answer = b""
        self.take = self.take_packets
        self.take_packets(rest)

    def take_packets(self, data: bytes) -> None:
        """Take the packets before those that are counted."""
        self.answer += data
        while (packet := self.next_packet()) is not None:
            if packet.startswith(b"0{"):
                self.socket.send(frame(b"40"))
            elif packet.startswith(b"40{"):
                super().accepted(self.answer)
                return
            else:
                raise Failed(f"unexpected packet: {packet[:100]!r}")

    def next_packet(self) -> bytes | None:
        """Return the next packet, as soon as it is complete."""
        if len(self.answer) < 4:
            return None
        start, size = 2, self.answer[1]
        if size == 126:
            start, size = 4, int.from_bytes(self.answer[2:4], "big")
        if len(self.answer) < start + size:
            return None
        packet, self.answer = self.answer[start : start + size], self.answer[start + size :]
        return packet


class HTTPConnection:
    """A connection that is used for one request after the other.

    :param taken: called with the body of each answer.
    """

    def __init__(self, load: Load, taken: Callable[[bytes], None]) -> None:
        self.socket = create_connection(("127.0.0.1", load.port), PATIENCE)
        self.socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.taken = taken
        self.answer = b""

    def ready(self, event: int) -> None:
        """Take what has come."""
        try:
            data = self.socket.recv(PORTION)
        except BlockingIOError:
            return
        if not data:
            raise Failed(f"the server ended a connection after {self.answer[:100]!r}")
        self.answer += data
        body = body_of(self.answer)
        if body is not None:
            self.answer = b""
            self.taken(body)

    def ask(self, request: bytes) -> None:
        """Send a request; it has room in the socket's buffer, as nothing else is under way."""
        if self.socket.send(request) != len(request):
            raise Failed("a request is too long")


def body_of(answer: bytes) -> bytes | None:
    """Return the body of an answer, as soon as it is complete.

    :raises Failed: if it is no 200.
    """
    fields, separator, rest = answer.partition(b"\r\n\r\n")
    if not separator:
        return None
    if not fields.startswith(b"HTTP/1.1 200 "):
        raise Failed(f"a request was refused: {fields[:20]!r}, {rest[:100]!r}")
    fields += b"\r\n"
    if (length := LENGTH.search(fields)) is not None:
        return rest if len(rest) >= int(length[1]) else None
    if not CHUNKED.search(fields):
        raise Failed(f"no length of the body: {fields!r}")
    body = b""
    while True:
        size, separator, rest = rest.partition(b"\r\n")
        if not separator or len(rest) < (length_of_chunk := int(size, 16)) + 2:
            return None
        if not length_of_chunk:
            return body
        body += rest[:length_of_chunk]
        rest = rest[length_of_chunk + 2 :]


class PollingClient(Connection):
    """A client over HTTP long-polling."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.polls = HTTPConnection(load, self.take_open)
        self.socket, self.ready = self.polls.socket, self.polls.ready  # type: ignore[method-assign]
        self.posts: HTTPConnection | None = None
        self.posting = False
        self.sent = self.may_send = self.received = 0
        self.polls.ask(self.request(b"GET", b"") + b"\r\n")

    def request(self, method: bytes, sid: bytes) -> bytes:
        """Return the head of a request, as clients in node send it, without the empty line."""
        return (
            b"%b %bpolling&t=abcd1234%b HTTP/1.1\r\nUser-Agent: node-XMLHttpRequest\r\nAccept: */*\r\n"
            b"Host: 127.0.0.1:%d\r\nConnection: keep-alive\r\n" % (method, PATH, sid, self.load.port)
        )

    def take_open(self, body: bytes) -> None:
        """Take the open packet, and connect."""
        if not body.startswith(b"0{"):
            raise Failed(f"unexpected packet: {body[:100]!r}")
        sid = b"&sid=" + json.loads(body[1:])["sid"].encode()
        self.poll = self.request(b"GET", sid) + b"\r\n"
        self.post = (
            self.request(b"POST", sid) + b"Content-type: text/plain;charset=UTF-8\r\nContent-Length: %d\r\n\r\n"
        )
        self.polls.taken = self.take_ok
        self.polls.ask(self.post % 2 + b"40")

    def take_ok(self, body: bytes) -> None:
        """Take what answers a POST, on whichever connection."""
        if body.lower() != b"ok":
            raise Failed(f"a POST was answered by {body[:100]!r}")
        if self.posting:
            self.posting = False
            self.flush()
        else:
            self.polls.taken = self.take_connected
            self.polls.ask(self.poll)

    def take_connected(self, body: bytes) -> None:
        """Take what answers CONNECT."""
        if not body.startswith(b"40{"):
            raise Failed(f"unexpected packet: {body[:100]!r}")
        self.polls.taken = self.take_polled
        self.polls.ask(self.poll)
        self.load.opened(self)

    def take_polled(self, body: bytes) -> None:
        """Take packets, and ask for more before they are looked at, as clients do."""
        self.polls.ask(self.poll)
        self.take_messages(body + SEPARATOR)

    def flush(self) -> None:
        """Post all that may be sent, unless a POST is under way."""
        if self.posting or self.sent == self.may_send:
            return
        if self.posts is None:
            self.posts = HTTPConnection(self.load, self.take_ok)
            self.load.watch(self.posts.socket, self.posts.ready)
        start, size = self.sent % self.load.sent_period, self.may_send - self.sent - len(SEPARATOR)
        self.posting = True
        self.sent = self.may_send
        self.posts.ask(self.post % size + self.load.to_send[start : start + size])

    def close(self) -> None:
        """Be gone: a GET that waits is not answered when its client is."""
        if self.posts is not None:
            self.posts.socket.close()
        self.load.ended(self)


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    scenario = SCENARIOS[options.scenario]
    try:
        result = measure(
            scenario,
            dialect_of(scenario),
            options.port,
            options.pid,
            options.seconds,
            make=kind_of_client(scenario),
        )
    except (Failed, OSError) as error:
        print(json.dumps({"error": f"{error}" or repr(error)}))
        return 1
    print(json.dumps(asdict(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
