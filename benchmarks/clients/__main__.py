"""Compare WebSocket clients side by side, at a server that sends everything back.

::

    python -m benchmarks.compare --setup          # once: installs the others into .venv-peers
    python -m benchmarks.clients
    python -m benchmarks.clients --clients ours,picows --scenarios small --rounds 5
    python -m benchmarks.clients --server picows+uvloop

Each client runs alone in a process of its own, on one core, with one connection; the server is on another core.
The figure is how many messages come back for each CPU second of the client, which it takes itself, without its
start and its first 0.3 seconds. The rounds are interleaved, and medians shown. Only ratios within one run mean
anything. Text goes from and to ``str``, with everybody.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.dialects import Failed
from benchmarks.load import Result
from benchmarks.peers import CHECKOUT, PEERS, SERVERS, prepare, python_of, serving
from benchmarks.report import number, table

__all__ = ["main"]

CLIENTS = {
    "ours": "{python} -m benchmarks.clients.ours {run} handler",
    "ours, async for": "{python} -m benchmarks.clients.ours {run} loop",
    "autobahn": "{peers} -m benchmarks.clients.autobahn {run}",
    "websockets": "{peers} -m benchmarks.clients.websockets {run} asyncio",
    "websockets+uvloop": "{peers} -m benchmarks.clients.websockets {run} uvloop",
    "websockets, threads": "{peers} -m benchmarks.clients.websockets {run} threads",
    "aiohttp": "{peers} -m benchmarks.clients.aiohttp {run} asyncio",
    "aiohttp+uvloop": "{peers} -m benchmarks.clients.aiohttp {run} uvloop",
    "picows+uvloop": "{peers} -m benchmarks.clients.picows {run}",
}
"""The commands. ``{python}`` is the Python that runs this, ``{peers}`` the others', ``{run}`` what is wanted."""

PATIENCE = 20.0
"""Seconds that a client may take longer than it was told."""


@dataclass(frozen=True)
class Scenario:
    """What a client sends: messages of so many bytes, so many of which are under way."""

    size: int
    depth: int


SCENARIOS = {
    "pingpong": Scenario(125, 1),
    "pipelined": Scenario(125, 32),
    "large": Scenario(65536, 1),
}


def measure(name: str, scenario: str, options: argparse.Namespace) -> Result:
    """Start server and client, and return what the client measured.

    :raises Failed: telling what went wrong.
    """
    cores: list[int | None] = [*sorted(os.sched_getaffinity(0))]
    server_core, client_core = cores[:2] if len(cores) > 1 else (None, None)
    with serving(SERVERS[options.server], "echo", options.peers, server_core) as server:
        wanted = SCENARIOS[scenario]
        run = f"{server.port} {wanted.size} {wanted.depth} {options.seconds}"
        command = CLIENTS[name].format(python=sys.executable, peers=python_of(options.peers), run=run)
        try:
            client = subprocess.Popen(
                shlex.split(command), cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        except OSError as error:
            raise Failed(f"it does not start: {error} (benchmarks.compare --setup installs the others)") from error
        with client:
            prepare(client.pid, client_core)
            try:
                said, _ = client.communicate(timeout=options.seconds + PATIENCE)
            except subprocess.TimeoutExpired:
                client.kill()
                raise Failed("it does not come to an end") from None
    try:
        return Result(**json.loads(said))
    except ValueError:
        raise Failed(said.strip()[-300:]) from None


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.clients",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--clients", metavar="A;B", help=f"default: all; {'; '.join(CLIENTS)}")
    add("--scenarios", metavar="A,B", default=",".join(SCENARIOS), help=", ".join(SCENARIOS))
    add("--server", choices=SERVERS, default="hunchensocket", help="who sends everything back (hunchensocket)")
    add("--rounds", type=int, default=3, help="how often everything is measured (3)")
    add("--seconds", type=float, default=1.0, help="time measured in each round (1)")
    add("--reference", choices=CLIENTS, default="autobahn", help="the client that ratios are to (autobahn)")
    add("--peers", type=Path, default=PEERS, metavar="FOLDER", help="the others' virtual environment")
    options = parser.parse_args(arguments)
    options.clients = options.clients.split(";") if options.clients else list(CLIENTS)
    options.scenarios = options.scenarios.split(",")
    for known, given in ((CLIENTS, options.clients), (SCENARIOS, options.scenarios)):
        for name in given:
            if name not in known:
                parser.error(f"there is no {name!r}, only {'; '.join(known)}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    options = parsed(arguments)
    figures: dict[tuple[str, str], list[float]] = {}
    failures = []
    for turn in range(options.rounds):
        for scenario in options.scenarios:
            for name in options.clients:
                try:
                    result = measure(name, scenario, options)
                except Failed as error:
                    failures.append(f"{name}, {scenario}: {error}")
                    continue
                figures.setdefault((name, scenario), []).append(result.count / result.cost)
                said = number(figures[name, scenario][-1])
                print(f"round {turn + 1}  {scenario:10} {name:20} {said}", file=sys.stderr)
    print(f"Messages per CPU second of the client ({options.reference} = 1), server {options.server}\n")
    rows = [("client", *options.scenarios)]
    for name in options.clients:
        cells = []
        for scenario in options.scenarios:
            value = median(figures.get((name, scenario), [0.0]))
            base = median(figures.get((options.reference, scenario), [0.0]))
            cells.append(f"{number(value)} ({value / base:.1f})" if base else number(value))
        rows.append((name, *cells))
    print(table(rows))
    print("\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
