"""What every JavaScript client of socket.io is to manage, whatever its generation, transport and environment.

All clients run at once, against one server, and each goes through all scenarios of ``socketio_scenarios.js`` in
one go, which is one test: where tests run in several processes, each of these would let all clients run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.protocols.portforward import ProxyFactory
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource

from hunchensocket_tx.socketio import SocketIOResource
from tests.interop.socketio_app import GIVEN, TOKEN, Application, describe
from tests.support import serve

MANY = 60

TEXTS = {
    "latin": "Grüße " + "".join(map(chr, range(0x80, 0x100))),
    "wide": "😀 👩‍👩‍👧 € 世界 Привет \uffff",
    "separators": "\u2028\u2029\x1e\x00 \ufffd5\ufffd3:::x",
    "quotes": "\"'\\ \\n \\\\n \n\r\n\t </script> 1:2+3 %20&=",
    "none": "",
}

VALUES = ["text 😀", 42, -1.5, 2**53 - 1, True, None, [], {}, {"deep": [{"er": ["ü", None]}]}]

BYTES = {
    "every": bytes(range(256)),
    "nested": [{"deep": b"\xc3\xbc\x00"}, "text 😀", b""],
    "number": 1,
}

FIRST_TRANSPORTS = {"polling": "xhr-polling", "jsonp": "jsonp-polling", "websocket": "websocket"}
"""What transports are called in protocol 1."""

LENGTHS = {"ascii": 100_000, "latin": 50_000, "emoji": 25_000}

PROTOCOLS = (1, 3, 3, 4, 4)
"""Of clients, by major version."""


@dataclass(frozen=True)
class Client:
    """A version of the client, and what it is tried with.

    :ivar package: what it is installed as: the major version is part of the name.
    :ivar transports: see ``socketio_scenarios.js``.
    :ivar parser: a package with a parser of packets that it is to use.
    :ivar sends_blobs: whether it sends a Blob, too, as browsers can, with the usual parser.
    """

    package: str
    transports: tuple[str, ...]
    parser: str | None = None
    sends_blobs: bool = False

    @property
    def name(self) -> str:
        """What it calls itself."""
        return f"{self.package} {self.parser or ''}".strip()

    @property
    def generation(self) -> int:
        """Its major version."""
        return int(self.package.removeprefix("sio"))


class Cable(ProxyFactory):
    """Forwards a port's connections to another port of this machine, until it is cut."""

    noisy = False

    def __init__(self, port: int) -> None:
        super().__init__("127.0.0.1", port)
        self._lines: list[Any] = []

    def buildProtocol(self, address: Any) -> Any:
        line = super().buildProtocol(address)
        self._lines.append(line)
        return line

    def cut(self) -> None:
        """Drop all connections; new ones may be made."""
        lines, self._lines = self._lines, []
        for line in lines:
            if line.transport is not None:
                line.transport.abortConnection()


class Exchange:
    """The server, and a cable to it for each client, as that is cut for all who use it."""

    def __init__(self, case: TestCase, clients: Sequence[Client]) -> None:
        self._case = case
        self._clients = clients
        self._cables: dict[int, Cable] = {}

    async def start(self, **settings: Any) -> None:
        """Serve for the length of a test.

        :param settings: those of SocketIOResource.
        """
        application = Application(lambda port: self._cables[port].cut(), parsers=("json", "msgpack"))
        resource = SocketIOResource(application.io, **settings)
        self._case.addCleanup(resource.close_all)
        root = Resource()
        root.putChild(b"socket.io", resource)
        self.port: int = (await serve(self._case, root)).port

    async def plan(self, client: Client, host: str = "127.0.0.1") -> dict[str, Any]:
        """Return what a client is to do."""
        cable = Cable(self.port)
        address: IPv4Address = await serve(self._case, cable)
        self._cables[address.port] = cable
        self._case.addCleanup(cable.cut)
        return {
            "client": client.package,
            "name": client.name,
            "generation": client.generation,
            "parser": client.parser,
            "transports": client.transports,
            "url": f"http://{host}:{self.port}",
            "cutUrl": f"http://{host}:{address.port}",
            "texts": TEXTS,
            "values": VALUES,
            "blob": client.sends_blobs,
            "crowd": sum(len(other.transports) for other in self._clients),
        }


Outcome = Sequence[tuple[Client, Any]]
"""What clients have reported."""


class SocketIOConversations:
    """What is to have come of the scenarios, for every client.

    :param case: the test.
    :param outcome: of all clients.
    :param client: the one to look at.
    :param report: its own.
    """

    def __init__(self, case: TestCase, outcome: Outcome, client: Client, report: Any) -> None:
        self.case = case
        self.outcome = outcome
        self.client = client
        self.report = report

    def faults(self) -> Iterator[str]:
        """Go through all scenarios, and yield what is wrong, with the scenario's name."""
        for name in sorted(dir(self)):
            if name.startswith("scenario_"):
                try:
                    getattr(self, name)()
                except AssertionError as error:
                    yield f"{self.client.name}, {name.removeprefix('scenario_')}: {error}"

    def told(self, name: str) -> Iterator[tuple[str, Any]]:
        """Go through what came of a scenario, by transport."""
        found = [(transport, self.report[transport].get(name)) for transport in self.client.transports]
        self.case.assertTrue(any(told is not None for _, told in found))
        for transport, told in found:
            if told is not None:
                if isinstance(told, dict) and "error" in told:
                    self.case.fail(f"{transport}: {told['error']}")
                yield transport, told

    def check(self, name: str, expected: Callable[[str], Any] | Any) -> None:
        """Compare what came of a scenario on each transport."""
        for transport, told in self.told(name):
            wanted = expected(transport) if callable(expected) else expected
            self.case.assertEqual(told, wanted, transport)

    def since(self, generation: int, value: Any, before: Any) -> Any:
        """Return what holds since a generation, or what did before."""
        return value if self.client.generation >= generation else before

    def scenario_it_connects_and_is_known(self) -> None:
        for transport, told in self.told("connect"):
            names = self.since(1, {"jsonp": "polling"}, FIRST_TRANSPORTS)
            expected = {
                "id": told["id"],
                "protocol": PROTOCOLS[self.client.generation],
                "transport": names.get(transport, transport),
                "name": "Zoë & 😀",
            }
            self.case.assertEqual(told["facts"], expected)
            self.case.assertGreaterEqual(len(told["id"]), 15)

    def scenario_events_come_back_and_are_answered(self) -> None:
        expected = {"echoed": VALUES, "answer": VALUES, "later": [7], "nothing": [None], "several": [1, "zwei"]}
        self.check("events", expected)

    def scenario_it_answers_events(self) -> None:
        self.check("questions", {"all": [5, "so viel: ½"], "first": 50})

    def scenario_text_of_all_kinds_is_understood_on_both_sides(self) -> None:
        points = {name: [ord(character) for character in text] for name, text in TEXTS.items()}
        self.check(
            "texts", {name: {"heard": each, "answer": each, "echoed": each} for name, each in points.items()}
        )

    def scenario_messages_without_names_come_back(self) -> None:
        self.check("messages", [*TEXTS.values(), {"some": ["thing", "ü"]}])

    def scenario_texts_of_100_kilobytes_come_back(self) -> None:
        self.check("large", {name: {"heard": length, "same": True} for name, length in LENGTHS.items()})

    def scenario_60_events_at_once_come_in_order_both_ways(self) -> None:
        def more(number: int) -> list[Any]:
            with_bytes = self.client.generation > 0 and number % 7 == 3
            return [{"bytes": bytes([number, 255]).hex()}] * with_bytes

        counted = [[number, *more(number), *["ü"] * (number % 7 == 5)] for number in range(MANY)]
        heard = [[number, *more(number)] if more(number) else number for number in range(MANY)]
        self.check("burst", {"counted": counted, "heard": heard})

    def scenario_namespaces_are_opened_and_refused(self) -> None:
        refusals = {
            0: (["connect_failed", "unauthorized"], False),
            1: (["error", {"code": 7}], ["error", "Invalid namespace"]),
            3: (
                ["connect_error", {"message": "not you, ünbefugt", "data": {"code": 7}}],
                ["connect_error", {"message": "Invalid namespace"}],
            ),
        }
        forbidden, nowhere = refusals[self.since(3, 3, self.since(1, 1, 0))]
        expected = {
            "hello": [TOKEN],
            "where": ["/admin"],
            "dynamic": ["/room-7"],
            "forbidden": forbidden,
            "nowhere": nowhere,
            "still": ["here"],
            "heardBelow": [],
        }
        self.check("namespaces", expected)

    def scenario_rooms_get_what_is_for_them(self) -> None:
        first = ["to both", "to two rooms", "to the first"]
        second = ["to the second", "to both", "to the second, again", "to two rooms"]
        self.check("rooms", [first, second, ["to two rooms"]])

    def scenario_it_is_told_when_the_server_disconnects_it(self) -> None:
        for transport, told in self.told("server_disconnects"):
            self.case.assertEqual(told.pop("namespaceReason", None), self.since(1, "io server disconnect", None))
            expected = {
                "still": ["here"],
                "reason": self.since(1, "io server disconnect", "booted"),
                "connected": False,
                "told": ["server namespace disconnect", None],
            }
            self.case.assertEqual(told, expected, transport)

    def scenario_the_server_is_told_when_it_disconnects(self) -> None:
        reason = self.since(1, "io client disconnect", "booted")
        last_words = self.since(1, "farewell", None)
        self.check("client_disconnects", {"reason": reason, "told": ["client namespace disconnect", last_words]})

    def scenario_it_comes_back_after_a_cut(self) -> None:
        for transport, told in self.told("reconnect"):
            reasons = self.since(1, ("transport close", "transport error"), (None,))
            self.case.assertIn(told.pop("reason", None), reasons, transport)
            if self.client.generation > 0:
                self.case.assertIn(told["told"], (["transport close", None], ["transport error", None]), transport)
            expected = {
                "buffered": ["said while away"],
                "sameId": False,
                "where": ["/admin"],
                "told": told["told"],
            }
            self.case.assertEqual(told, expected, transport)

    def scenario_it_meets_all_others_in_a_room(self) -> None:
        names = [f"{client.name}, {transport} 😀" for client, _ in self.outcome for transport in client.transports]
        for transport, told in self.told("crowd"):
            self.case.assertEqual(sorted(told["told"]), sorted(f"Hello from {name}" for name in names), transport)
            self.case.assertEqual(sorted(told["answers"]), sorted(names), transport)


class UpgradingConversations(SocketIOConversations):
    """More scenarios, for clients since 1.0."""

    def scenario_binary_comes_back_at_any_depth(self) -> None:
        sent = describe(BYTES | ({"blob": BYTES["every"]} if self.client.sends_blobs else {}))
        expected = {
            "heard": sent,
            "answer": sent,
            "echoed": [sent["every"], sent, {"bytes": ""}],
            "given": describe(GIVEN),
            "asked": [{"again": {"bytes": "00ff"}}],
            "size": 100_000,
            "same": True,
        }
        self.check("binary", expected)

    def scenario_it_upgrades_without_losing_anything(self) -> None:
        with_bytes = [[number, {"bytes": bytes([number, 255]).hex()}] for number in range(MANY)]
        heard = [with_bytes[number] if number % 7 == 3 else number for number in range(MANY)]
        expected = {"before": "polling", "after": "websocket", "seen": "websocket", "lost": False, "heard": heard}
        self.check("upgrade", expected)


def assert_all_well(case: TestCase, outcome: Outcome) -> None:
    """Check that all clients have managed all scenarios; tell all that was wrong."""
    faults: list[str] = []
    for client, report in outcome:
        kind = SocketIOConversations if client.generation == 0 else UpgradingConversations
        if "upgrade" not in client.transports and client.generation > 0:
            case.fail(f"{client.name} is not tried with an upgrade")
        faults += kind(case, outcome, client, report).faults()
    case.assertEqual(faults, [], "\n".join(faults))
