"""The benchmarks run; how fast anything is, no test says."""

from __future__ import annotations

import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from benchmarks import load
from benchmarks.chart import Panel, draw
from benchmarks.clients.__main__ import main as compare_clients
from benchmarks.compare import main
from benchmarks.dialects import Dialect, Failed, hixie76, rfc6455
from benchmarks.load import Result, measure
from benchmarks.peers import PEERS, SERVERS, Entry, serving
from benchmarks.report import Results, details, summary
from benchmarks.scenarios import Scenario
from benchmarks.socketio.__main__ import SERVERS as SOCKETIO_SERVERS
from benchmarks.socketio.__main__ import main as compare_socketio
from benchmarks.socketio.load import body_of, dialect_of, kind_of_client
from benchmarks.socketio.scenarios import Scenario as SocketIOScenario
from benchmarks.ten_million import Exchange
from tests.processes import CHECKOUT

OURS = ("hunchensocket", "hunchensocket-site")
SECONDS = 0.05
DIALECTS = {"rfc6455": rfc6455(), "binary": rfc6455(binary=True), "hixie76": hixie76()}
SCENARIOS = (
    Scenario("small", "echo", 4, 125, 3),
    Scenario("large", "echo", 2, 1024 * 1024),
    Scenario("connections", "connect", 4, 16),
    Scenario("all", "broadcast", 5),
    Scenario("nothing", "idle", 20),
)


class LoadTest(SynchronousTestCase):
    """The load generator and our own servers, over real sockets."""

    def test_everything_comes_back(self) -> None:
        self.patch(load, "SETTLING", 0.05)
        for name in OURS:
            for mode in ("echo", "broadcast"):
                with serving(SERVERS[name], mode, PEERS) as server:
                    for scenario in SCENARIOS:
                        if (scenario.kind == "broadcast") != (mode == "broadcast"):
                            continue
                        for dialect in DIALECTS:
                            with self.subTest(server=name, scenario=scenario.title, dialect=dialect):
                                result = measure(
                                    scenario, DIALECTS[dialect], server.port, server.pid, SECONDS, warm_up=0
                                )
                                self.assertGreater(result.count, 0)

    def test_what_is_no_echo_is_noticed(self) -> None:
        with serving(SERVERS["hunchensocket"], "broadcast", PEERS) as server:
            for dialect in DIALECTS.values():
                with self.assertRaisesRegex(Failed, "wrong bytes"):
                    measure(SCENARIOS[0], dialect, server.port, server.pid, SECONDS)

    def test_a_server_that_does_not_start_is_quoted(self) -> None:
        for command in ("{python} -c 'raise SystemExit(\"not today\")'", "not-today"):
            with self.assertRaisesRegex(Failed, "does not start: .*not.today"), serving(Entry(command), "", PEERS):
                self.fail("it started")


class HandshakeTest(SynchronousTestCase):
    """Answers to the opening handshake are judged."""

    def answer(self, dialect: Dialect) -> bytes:
        """Return one that is right."""
        return b"HTTP/1.1 101 Fine\r\n" + dialect.accept + b"\r\n\r\n" + dialect.proof

    def test_what_follows_a_right_one_is_left(self) -> None:
        for dialect in DIALECTS.values():
            self.assertEqual(dialect.after_handshake(self.answer(dialect) + b"more"), b"more")

    def test_a_part_of_one_is_not_judged(self) -> None:
        for dialect in DIALECTS.values():
            self.assertIsNone(dialect.after_handshake(self.answer(dialect)[:-1]))

    def test_a_wrong_one_fails(self) -> None:
        for dialect in DIALECTS.values():
            right = self.answer(dialect)
            for wrong in (right.replace(b"101", b"200"), right.replace(b"Sec-", b"X-").replace(b"Upgrade", b"X")):
                with self.assertRaises(Failed):
                    dialect.after_handshake(wrong)
        with self.assertRaisesRegex(Failed, "challenge"):
            dialect.after_handshake(self.answer(dialect)[:-1] + b"?")


class CompareTest(SynchronousTestCase):
    """The command."""

    def compare(self, *options: str) -> tuple[int, str]:
        """Run it for a moment with our own server; return the exit status and what it printed."""
        printed = StringIO()
        with redirect_stdout(printed), redirect_stderr(StringIO()):
            status = main(["--rounds", "1", "--seconds", "0.2", "--reference", "hunchensocket", *options])
        return status, printed.getvalue()

    def test_it_prints_tables_and_draws_a_chart(self) -> None:
        chart = Path(self.mktemp())
        status, printed = self.compare("--servers", "hunchensocket", "--scenarios", "echo", "--chart", str(chart))
        self.assertEqual(status, 0, printed)
        self.assertRegex(printed, r"(?m)^hunchensocket +1\.00$")
        root = ElementTree.parse(chart).getroot()
        self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")

    def test_it_says_what_failed(self) -> None:
        status, printed = self.compare(
            "--add", "liar", "{python} -m benchmarks.servers.ours {port} broadcast factory",
            "--servers", "liar", "--scenarios", "echo",
        )  # fmt: skip
        self.assertEqual(status, 1)
        self.assertIn("failed 1 times: liar, echo: wrong bytes", printed)

    def test_unknown_names_are_refused(self) -> None:
        for options in (["--servers", "apache"], ["--scenarios", "dance"], ["--binary", "--protocol", "hixie76"]):
            with self.assertRaises(SystemExit):
                self.compare(*options)


class ClientsTest(SynchronousTestCase):
    """The command that compares clients."""

    def compare(self, *options: str) -> tuple[int, str]:
        """Run it for a moment; return the exit status and what it printed."""
        printed = StringIO()
        with redirect_stdout(printed), redirect_stderr(StringIO()):
            status = compare_clients(["--rounds", "1", "--seconds", "0.05", "--scenarios", "pipelined", *options])
        return status, printed.getvalue()

    def test_it_prints_a_table(self) -> None:
        status, printed = self.compare("--clients", "ours;ours, async for", "--reference", "ours")
        self.assertEqual(status, 0, printed)
        self.assertRegex(printed, r"(?m)^ours +[\d,]+ \(1\.0\)$")
        self.assertRegex(printed, r"(?m)^ours, async for +[\d,]+ \(\d\.\d\)$")

    def test_it_says_what_failed(self) -> None:
        status, printed = self.compare("--clients", "picows+uvloop", "--peers", "/nowhere")
        self.assertEqual(status, 1)
        self.assertIn("picows+uvloop, pipelined: it does not start", printed)

    def test_unknown_names_are_refused(self) -> None:
        with self.assertRaises(SystemExit):
            self.compare("--clients", "curl")


class SocketIOTest(SynchronousTestCase):
    """The Socket.IO server, its load generator, and the command that compares."""

    def test_everything_comes_back(self) -> None:
        self.patch(load, "SETTLING", 0.05)
        scenarios = (
            ("small", "echo", 4, 125, 3),
            ("medium", "echo", 2, 4096, 1),
            ("all", "broadcast", 5, 125, 1),
            ("nothing", "idle", 20, 125, 1),
        )
        for transport in ("websocket", "polling"):
            for values in scenarios:
                scenario = SocketIOScenario(*values, transport=transport)
                # Each has a server of its own, as broadcasts reach whoever is not gone yet.
                with serving(SOCKETIO_SERVERS["ours"], "", PEERS) as server, self.subTest(scenario=scenario):
                    result = measure(
                        scenario,
                        dialect_of(scenario),
                        server.port,
                        server.pid,
                        SECONDS,
                        warm_up=0,
                        make=kind_of_client(scenario),
                    )
                    self.assertGreater(result.count, 0)

    def test_bodies_are_taken_whole(self) -> None:
        fixed = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
        for answer in (fixed, chunked):
            self.assertEqual(body_of(answer), b"hello")
            for size in range(len(answer)):
                self.assertIsNone(body_of(answer[:size]))
        for wrong in (fixed.replace(b"200", b"400"), b"HTTP/1.1 200 OK\r\n\r\nhello"):
            with self.assertRaises(Failed):
                body_of(wrong)

    def compare(self, *options: str) -> tuple[int, str]:
        """Run the command for a moment; return the exit status and what it printed."""
        printed = StringIO()
        with redirect_stdout(printed), redirect_stderr(StringIO()):
            status = compare_socketio(["--rounds", "1", "--seconds", "0.2", *options])
        return status, printed.getvalue()

    def test_it_prints_a_table(self) -> None:
        status, printed = self.compare(
            "--servers", "ours", "--reference", "ours", "--scenarios", "echo,polling-echo"
        )  # fmt: skip
        self.assertEqual(status, 0, printed)
        self.assertRegex(printed, r"(?m)^ours +1\.00 +1\.00$")

    def test_it_says_what_failed(self) -> None:
        status, printed = self.compare("--servers", "uvicorn", "--scenarios", "echo", "--peers", "/nowhere")
        self.assertEqual(status, 1)
        self.assertIn("failed 1 times: uvicorn, echo: it does not start", printed)

    def test_unknown_names_are_refused(self) -> None:
        for options in (["--servers", "apache"], ["--scenarios", "dance"]):
            with self.assertRaises(SystemExit):
                self.compare(*options)


class TenMillionTest(SynchronousTestCase):
    """Fewer, that is."""

    def test_all_come_back_in_order(self) -> None:
        for options in ([], ["--version", "76", "--tls", "--loop"]):
            with self.subTest(options=options):
                command = [sys.executable, "-m", "benchmarks.ten_million", "--messages", "20000", *options]
                done = subprocess.run(
                    command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
                )
                self.assertEqual(done.returncode, 0, done.stdout)
                self.assertRegex(done.stdout, r"^20,000 messages in .* per second\n")
                self.assertRegex(done.stdout, r"(?m)^server +[\d.]+ +[\d,]+ +[\d,]+$")

    def test_a_number_out_of_order_is_told(self) -> None:
        stream = FakeStream()
        exchange = Exchange(100, lambda: None)
        exchange.begin(stream)  # type: ignore[arg-type]
        for number in "0", "1", "3":
            exchange.take(stream, number)  # type: ignore[arg-type]
        self.assertEqual(exchange.wrong, "'3' came in place of 2")
        self.assertEqual(stream.did, [*map(str, range(100)), "abort"])


class FakeStream:
    """A stream that writes down what it is told to do."""

    def __init__(self) -> None:
        self.did: list[str] = []

    def send(self, text: str) -> None:
        self.did.append(text)

    def abort(self) -> None:
        self.did.append("abort")


class ReportTest(SynchronousTestCase):
    """Tables and charts."""

    def setUp(self) -> None:
        self.results = Results()
        self.results.measured = {
            ("a", "echo"): [Result(100, 1, 1), Result(300, 1, 1), Result(200, 1, 1)],
            ("b", "echo"): [Result(3000, 2, 1)],
            ("a", "idle"): [Result(10, 1, 15000)],
        }
        self.results.failures = {("b", "idle"): ["oh", "no"]}

    def test_a_table_has_medians_and_their_ratios(self) -> None:
        table = [line.split() for line in details(self.results, "echo", "a").splitlines()]
        self.assertIn(["a", "200", "1.00", "100", "300", "200"], table)
        self.assertIn(["b", "3,000", "15.00", "3,000", "3,000", "1,500"], table)

    def test_the_summary_has_ratios_and_bytes(self) -> None:
        table = [line.split() for line in summary(self.results, ["a", "b"], "a").splitlines()]
        self.assertIn(["server", "echo", "idle"], table)
        self.assertIn(["a", "1.00", "1,500"], table)
        self.assertIn(["b", "15.00", "failed"], table)

    def test_a_chart_has_the_best_first_whatever_the_names(self) -> None:
        panels = [
            Panel("<&>", "more", {"a&b": 1, '"c"': 3, "hunchensocket": 2}),
            Panel("2", "less", {"a": 1}, True),
        ]
        root = ElementTree.fromstring(draw(panels, "<note>"))
        texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
        self.assertEqual(texts[:8], ["<&>", "more", '"c"', "3", "hunchensocket", "2", "a&b", "1"])
        self.assertEqual(texts[-1], "<note>")
        bars = [element.get("class") for element in root.iter("{http://www.w3.org/2000/svg}rect")]
        self.assertEqual(bars, ["ground", "bar", "bar ours", "bar", "bar"])
