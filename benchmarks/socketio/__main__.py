"""Compare Socket.IO servers side by side, with clients of Socket.IO 5 (3.x and 4.x) over WebSocket and polling.

::

    python -m benchmarks.compare --setup          # once: installs the others into .venv-peers
    python -m benchmarks.socketio
    python -m benchmarks.socketio --servers ours,aiohttp --scenarios polling-echo --rounds 9

Each server runs alone in a process of its own, on one core; the clients are in another process on another core.
The figure is per CPU second of the server: acknowledged events, or broadcasts delivered; ``benchmarks.compare``
tells why. Over polling, a message of ``polling-echo`` is two requests, a POST and a GET that waits for the answer.
The rounds are interleaved, and medians shown. Only ratios within one run mean anything.

python-socketio takes at most 16 packets in a POST, and closes the session of a client that sends more. That is why
``pipelined`` has no more under way.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.dialects import Failed
from benchmarks.load import Result
from benchmarks.peers import CHECKOUT, PEERS, Entry, prepare, serving
from benchmarks.report import Results, details, figure, number, summary
from benchmarks.socketio.scenarios import SCENARIOS

__all__ = ["main"]

SERVERS = {
    "ours": Entry("{python} -m benchmarks.socketio.servers.ours {port}"),
    "uvicorn": Entry("{peers} -m benchmarks.socketio.servers.python_socketio_uvicorn {port}"),
    "aiohttp": Entry("{peers} -m benchmarks.socketio.servers.python_socketio_aiohttp {port}"),
    "aiohttp+uvloop": Entry("{peers} -m benchmarks.socketio.servers.python_socketio_aiohttp {port} uvloop"),
}
"""The commands: this package's server, and python-socketio's on three foundations."""

PATIENCE = 60.0
"""Seconds that the load generator may take longer than it was told: thousands of clients have to connect."""


def measure(name: str, scenario: str, options: argparse.Namespace) -> Result:
    """Start a server, measure one scenario, end it.

    :raises Failed: telling what went wrong.
    """
    cores: list[int | None] = [*sorted(os.sched_getaffinity(0))]
    server_core, load_core = cores[:2] if len(cores) > 1 else (None, None)
    with serving(SERVERS[name], "", options.peers, server_core) as server:
        command = [sys.executable, "-m", "benchmarks.socketio.load", scenario, "--port", str(server.port)]
        command += ["--pid", str(server.pid), "--seconds", str(options.seconds)]
        with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as load:
            prepare(load.pid, load_core)
            try:
                said, _ = load.communicate(timeout=options.seconds + PATIENCE)
            except subprocess.TimeoutExpired:
                load.kill()
                raise Failed("the load generator does not come to an end") from None
    try:
        found = json.loads(said)
    except ValueError:
        raise Failed(f"the load generator ended with status {load.returncode}") from None
    if "error" in found:
        raise Failed(found["error"])
    return Result(**found)


def compare(options: argparse.Namespace) -> Results:
    """Measure what the options say, in rounds."""
    results = Results(SCENARIOS)
    for turn in range(options.rounds):
        for scenario in options.scenarios:
            for name in options.servers:
                try:
                    result = measure(name, scenario, options)
                    results.measured.setdefault((name, scenario), []).append(result)
                    said = number(figure(SCENARIOS[scenario], result))
                except Failed as error:
                    results.failures.setdefault((name, scenario), []).append(str(error))
                    said = str(error)
                print(f"round {turn + 1}  {scenario:20} {name:15} {said}", file=sys.stderr)
    return results


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.socketio",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--servers", metavar="A,B", default=",".join(SERVERS), help=f"default: all; {', '.join(SERVERS)}")
    add("--scenarios", metavar="A,B", default=",".join(SCENARIOS), help=f"default: all; {', '.join(SCENARIOS)}")
    add("--rounds", type=int, default=3, help="how often everything is measured (3)")
    add("--seconds", type=float, default=1.0, help="time measured in each round (1)")
    add("--reference", choices=SERVERS, default="uvicorn", help="the server that ratios are to (uvicorn)")
    add("--json", type=Path, metavar="FILE", help="write every result")
    add("--peers", type=Path, default=PEERS, metavar="FOLDER", help="the others' virtual environment")
    options = parser.parse_args(arguments)
    for known, name in ((SERVERS, "servers"), (SCENARIOS, "scenarios")):
        given = getattr(options, name).split(",")
        setattr(options, name, given)
        for one in given:
            if one not in known:
                parser.error(f"there is no {one!r}, only {', '.join(known)}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    options = parsed(arguments)
    results = compare(options)
    for scenario in results.scenarios():
        print(f"{details(results, scenario, options.reference)}\n")
    print(summary(results, options.servers, options.reference))
    for (name, scenario), said in results.failures.items():
        print(f"failed {len(said)} times: {name}, {scenario}: {said[-1]}")
    if options.json:
        rows = [
            {"server": name, "scenario": scenario, **asdict(result)}
            for (name, scenario), measured in results.measured.items()
            for result in measured
        ]
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())
