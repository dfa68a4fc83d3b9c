"""A load generator in plain Python, on epoll, for WebSocket servers on 127.0.0.1.

Usage: ``python -m benchmarks.load SCENARIO --port PORT --pid PID``; it prints one line of JSON. PID is the
server's process, whose CPU time (or memory) is what is measured.

Each message of a run has the same length and one of four texts in turn. So all that a connection will ever send,
or has to receive, is a cycle of bytes that is made beforehand: to send is to send a slice of one cycle, to check
an echo is to compare with a place in the other. *Every byte* is compared. A server that splits a message into
fragments, or says anything of its own within the few seconds, fails; none of those measured does.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from select import EPOLLIN, EPOLLOUT, epoll
from socket import IPPROTO_TCP, SHUT_WR, TCP_NODELAY, create_connection, socket

from benchmarks.dialects import Dialect, Failed, hixie76, rfc6455
from benchmarks.scenarios import SCENARIOS, Scenario

__all__ = ["Result", "measure"]

RECEIVE = range(4096, 65536)
"""How many bytes are taken from a socket at a time: as many as may be due. To get a larger piece of memory each
time takes longer than everything else here."""
VARIANTS = 4  # different texts
AT_ONCE = 32  # opening handshakes under way
PATIENCE = 20.0  # seconds to wait for a server that does nothing
SETTLING = 0.2  # seconds: some servers let a connection take part only after they have answered
PRINTABLE = bytes(range(0x20, 0x7F))


@dataclass(frozen=True)
class Result:
    """What was measured."""

    count: int
    """Messages received, or connections made; for idle connections, those open."""
    seconds: float
    """Time that passed meanwhile."""
    cost: float
    """CPU seconds that the server took for them; for idle connections, bytes of memory."""

    @property
    def per_second(self) -> float:
        """How many per second of time that passed."""
        return self.count / self.seconds


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has taken, user's and system's, of all its threads."""
    return time.clock_gettime((~pid << 3) | 2)  # the clock that clock_getcpuclockid(3) gives for a process


def memory(pid: int) -> int:
    """Return the resident memory of a process in bytes.

    It is counted page by page; the figure in /proc/PID/status is a sum of counters that lags behind.
    """
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Rss:"))


class Connection:
    """One connection: how much it has sent and received, in bytes, and how much it may send."""

    def __init__(self, load: Load) -> None:
        # To connect within one machine takes no time worth another state, as long as the server's queue has room.
        self.socket = create_connection(("127.0.0.1", load.port), PATIENCE)
        self.socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.socket.send(load.dialect.request(load.port))
        self.load = load
        self.take: Callable[[bytes], None] = self.take_answer
        self.answer = b""
        self.sent = self.may_send = self.received = 0
        self.waits_to_send = False

    def ready(self, event: int) -> None:
        """Do what epoll says can be done."""
        if event & EPOLLOUT:
            self.flush()
        if event & ~EPOLLOUT:
            try:
                data = self.socket.recv(self.load.portion)
            except BlockingIOError:
                return
            self.take(data)

    def take_answer(self, data: bytes) -> None:
        """Take what answers the opening handshake."""
        if not data:
            raise Failed(f"the server ended the handshake after {self.answer[:100]!r}")
        self.answer += data
        rest = self.load.dialect.after_handshake(self.answer)
        if rest is not None:
            self.accepted(rest)

    def accepted(self, rest: bytes) -> None:
        """The opening handshake is done; this came after it."""
        self.answer = b""
        self.take = self.take_messages
        self.load.opened(self)
        if rest:
            self.take_messages(rest)

    def take_messages(self, data: bytes) -> None:
        """Take messages, or a part of one, and compare them with those expected."""
        load = self.load
        if not data:
            raise Failed(f"the server ended the connection after {self.received} bytes")
        if not load.expected.startswith(data, self.received % load.expected_period):
            raise Failed(f"wrong bytes after {self.received} right ones: {data[:100]!r}")
        before = self.received // load.expected_size
        self.received += len(data)
        count = self.received // load.expected_size - before
        if count:
            load.arrived(self, count)

    def take_end(self, data: bytes) -> None:
        """Take the end: the server's closing frame and the end of the stream."""
        closing = self.load.dialect.closing_answer
        self.answer += data
        if not self.answer.startswith(closing[: len(self.answer)]):
            raise Failed(f"not a closing frame: {self.answer[:100]!r}")
        if not data:
            if self.load.dialect.ends_by_itself and not self.answer:
                raise Failed("the server ended the connection without a closing frame")
            self.load.ended(self)

    def send(self, messages: int) -> None:
        """Send so many messages more."""
        self.may_send += messages * self.load.sent_size
        self.flush()

    def flush(self) -> None:
        """Send what may be sent, as far as the socket takes it."""
        while self.sent < self.may_send:
            start = self.sent % self.load.sent_period
            try:
                self.sent += self.socket.send(self.load.to_send[start : start + self.may_send - self.sent])
            except BlockingIOError:
                break
        if self.waits_to_send != (self.sent < self.may_send):
            self.waits_to_send = not self.waits_to_send
            self.load.poll.modify(self.socket.fileno(), EPOLLIN | EPOLLOUT * self.waits_to_send)

    def close(self) -> None:
        """Start the closing handshake."""
        self.take = self.take_end
        self.socket.send(self.load.dialect.close)
        if not self.load.dialect.ends_by_itself:
            self.socket.shutdown(SHUT_WR)


def cycle(frames: list[bytes], more: int) -> bytes:
    """Return frames one after the other, again and again, so that ``more`` bytes follow any place in the first."""
    once = b"".join(frames)
    return once * (more // len(once) + 2)


class Load:
    """Connections to one server that echo; what other scenarios do else is in subclasses."""

    def __init__(
        self, scenario: Scenario, dialect: Dialect, port: int, make: Callable[[Load], Connection] = Connection
    ) -> None:
        self.scenario, self.dialect, self.port, self.make = scenario, dialect, port, make
        pool = PRINTABLE * (scenario.size // len(PRINTABLE) + 2)
        texts = [pool[start : start + scenario.size] for start in range(VARIANTS)]
        sent, expected = map(dialect.sent_frame, texts), map(dialect.received_frame, texts)
        self.sent_size, self.expected_size = (
            len(dialect.sent_frame(texts[0])),
            len(dialect.received_frame(texts[0])),
        )
        self.sent_period, self.expected_period = self.sent_size * VARIANTS, self.expected_size * VARIANTS
        self.to_send = memoryview(cycle(list(sent), self.sent_size * scenario.depth))
        self.portion = min(max(self.expected_size * scenario.depth, RECEIVE.start), RECEIVE.stop)
        self.expected = cycle(list(expected), self.portion)
        self.poll = epoll()
        self.connections: dict[int, Connection] = {}
        self.watched: dict[int, Callable[[int], None]] = {}
        self.opening = 0
        self.count = 0
        self.stopping = False

    def connect(self) -> None:
        """Open one connection more."""
        connection = self.make(self)
        self.connections[connection.socket.fileno()] = connection
        self.watch(connection.socket, connection.ready)
        self.opening += 1

    def watch(self, watched: socket, ready: Callable[[int], None]) -> None:
        """Call a function with what epoll says of a socket."""
        self.watched[watched.fileno()] = ready
        self.poll.register(watched.fileno(), EPOLLIN)

    def opened(self, connection: Connection) -> None:
        """A handshake is done."""
        self.opening -= 1

    def arrived(self, connection: Connection, count: int) -> None:
        """So many messages have come back."""
        self.count += count
        if not self.stopping:
            connection.send(count)

    def ended(self, connection: Connection) -> None:
        """A connection is closed by both ends."""
        del self.connections[connection.socket.fileno()]
        connection.socket.close()

    def turn(self, seconds: float) -> None:
        """Do what is to be done now; if nothing is, wait so long for something."""
        for number, event in self.poll.poll(seconds):
            self.watched[number](event)

    def run(self, seconds: float) -> None:
        """Go on for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.turn(left)

    def until(self, done: Callable[[], bool], what: str) -> None:
        """Go on until something holds.

        :raises Failed: if it takes too long.
        """
        end = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > end:
                raise Failed(f"{what}: not within {PATIENCE:.0f} seconds")
            self.turn(0.1)

    def open(self, count: int) -> None:
        """Open so many connections."""
        for _ in range(count):
            self.connect()
            self.until(lambda: self.opening < AT_ONCE, "opening handshakes")
        self.until(lambda: not self.opening, "opening handshakes")
        self.run(SETTLING)

    def start(self) -> None:
        """Open the connections and send the first messages."""
        self.open(self.scenario.connections)
        for connection in tuple(self.connections.values()):
            connection.send(self.scenario.depth)

    def all_received(self) -> bool:
        """Tell whether everything that was sent has come back."""
        return all(
            connection.received // self.expected_size == connection.may_send // self.sent_size
            for connection in self.connections.values()
        )

    def stop(self) -> None:
        """Wait for all that is under way, and close all connections."""
        self.stopping = True
        self.until(self.all_received, "messages under way")
        for connection in tuple(self.connections.values()):
            connection.close()
        self.until(lambda: not self.connections, "the end of all connections")


class Connects(Load):
    """Connections that are closed after one echo; a new one takes the place of each."""

    def start(self) -> None:
        """Open the first connections."""
        for _ in range(self.scenario.connections):
            self.connect()

    def opened(self, connection: Connection) -> None:
        """A handshake is done: send the one message."""
        super().opened(connection)
        connection.send(1)

    def arrived(self, connection: Connection, count: int) -> None:
        """It has come back."""
        connection.close()

    def ended(self, connection: Connection) -> None:
        """Open the next connection."""
        super().ended(connection)
        self.count += 1
        if not self.stopping:
            self.connect()

    def stop(self) -> None:
        """Let those that are there come to their end."""
        self.stopping = True
        self.until(lambda: not self.connections, "the end of all connections")


class Broadcast(Load):
    """A connection whose messages go to all, itself and the others; the next one when all have the one before."""

    def start(self) -> None:
        """Open the sender's connection and the others, and send the first message."""
        self.open(self.scenario.connections + 1)
        self.sender = next(iter(self.connections.values()))
        self.sender.send(1)

    def arrived(self, connection: Connection, count: int) -> None:
        """Somebody has received a message."""
        self.count += count
        if not self.count % len(self.connections) and not self.stopping:
            self.sender.send(1)

    def all_received(self) -> bool:
        """Tell whether everybody has received every message."""
        sent = self.sender.may_send // self.sent_size
        return all(c.received == sent * self.expected_size for c in self.connections.values())


KINDS = {"echo": Load, "connect": Connects, "broadcast": Broadcast}


def measure_idle(load: Load, pid: int) -> Result:
    """Return what connections cost a server that do nothing after their handshake, in bytes of its memory."""
    warm_up = Load(Scenario("", "echo", 50), load.dialect, load.port, load.make)
    warm_up.start()
    warm_up.run(SETTLING)
    warm_up.stop()
    before, begun = memory(pid), time.monotonic()
    load.open(load.scenario.connections)
    seconds = time.monotonic() - begun
    load.run(SETTLING)
    taken = memory(pid) - before
    load.stop()
    return Result(load.scenario.connections, seconds, taken)


def measure(
    scenario: Scenario,
    dialect: Dialect,
    port: int,
    pid: int,
    seconds: float,
    warm_up: float = 0.3,
    make: Callable[[Load], Connection] = Connection,
) -> Result:
    """Do to a server what a scenario says.

    :param pid: the server's process.
    :param seconds: time that is measured.
    :param warm_up: seconds before it, under the same load.
    :param make: makes the connections.
    :raises Failed: if anything but the expected bytes comes.
    :raises OSError: if a connection breaks.
    """
    load = KINDS.get(scenario.kind, Load)(scenario, dialect, port, make)
    if scenario.kind == "idle":
        return measure_idle(load, pid)
    load.start()
    load.run(warm_up)
    count, cpu, begun = load.count, cpu_seconds(pid), time.monotonic()
    load.run(seconds)
    result = Result(load.count - count, time.monotonic() - begun, cpu_seconds(pid) - cpu)
    load.stop()
    if not result.count:
        raise Failed("nothing happened")
    return result


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--protocol", choices=("rfc6455", "hixie76"), default="rfc6455")
    parser.add_argument("--binary", action="store_true", help="binary messages (RFC 6455 only)")
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    dialect = hixie76() if options.protocol == "hixie76" else rfc6455(options.binary)
    try:
        result = measure(SCENARIOS[options.scenario], dialect, options.port, options.pid, options.seconds)
    except (Failed, OSError) as error:
        print(json.dumps({"error": f"{error}" or repr(error)}))
        return 1
    print(json.dumps(asdict(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
