"""Compare WebSocket servers side by side.

::

    python -m benchmarks.compare --setup                      # once: installs the others into .venv-peers
    python -m benchmarks.compare                              # all servers, all scenarios, RFC 6455
    python -m benchmarks.compare --protocol hixie76
    python -m benchmarks.compare --servers autobahn,hunchensocket --scenarios echo,connect --rounds 5
    python -m benchmarks.compare --scenarios echo --chart benchmarks/echo.svg

Each server runs alone in a process of its own, on one core; the load comes from another process on another core.
The rounds are interleaved (A B C, A B C, ...), so that what disturbs the machine for a while hits all alike.
Medians are shown.

The figure is per CPU second of the server: how many messages it handles for each second that it has a core. That
clock, clock_getcpuclockid(3), stands still while the server waits for the load, and while another process has the
core. So on a busy machine, where messages per second of time tell how busy it is, this figure still tells what a
message costs the server. It is not immune to all: caches are shared, and a server that finds less to do at a time,
since the load generator could not keep up, gains less from doing it together. That is to the disadvantage of the
fastest ones: beside a load generator in C, picows came out about a tenth lower here on echo and broadcast100. Only
ratios within one run mean anything.

It needs Linux, for this clock, for epoll and for pinning. Where there is one core only, nothing is pinned.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.chart import Panel, draw
from benchmarks.dialects import Failed
from benchmarks.load import Result
from benchmarks.peers import BOTH, CHECKOUT, PEERS, SERVERS, Entry, Server, prepare, serving, set_up
from benchmarks.report import Results, details, figure, middle, number, summary
from benchmarks.scenarios import SCENARIOS

__all__ = ["compare", "main"]

REFERENCES = {"rfc6455": "autobahn", "hixie76": "txws"}


def run_load(scenario: str, server: Server, options: argparse.Namespace, core: int | None) -> Result:
    """Put a server under load; return the result.

    :raises Failed: telling what went wrong.
    """
    command = [sys.executable, "-m", "benchmarks.load", scenario, "--port", str(server.port)]
    command += ["--pid", str(server.pid), "--protocol", options.protocol, "--seconds", str(options.seconds)]
    if options.binary:
        command.append("--binary")
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as load:
        prepare(load.pid, core)
        said, _ = load.communicate()
    try:
        found = json.loads(said)
    except ValueError:
        raise Failed(f"the load generator ended with status {load.returncode}") from None
    if "error" in found:
        raise Failed(found["error"])
    return Result(**found)


def measure(name: str, scenario: str, options: argparse.Namespace) -> Result:
    """Start a server, measure one scenario, end it."""
    cores: list[int | None] = [*sorted(os.sched_getaffinity(0))]
    server_core, load_core = cores[:2] if len(cores) > 1 else (None, None)
    mode = "broadcast" if SCENARIOS[scenario].kind == "broadcast" else "echo"
    with serving(SERVERS[name], mode, options.peers, server_core) as server:
        return run_load(scenario, server, options, load_core)


def compare(options: argparse.Namespace) -> Results:
    """Measure what the options say, in rounds; what failed twice is not tried again."""
    results = Results()
    begun = time.monotonic()
    turns = [
        (number_of_round, scenario, name)
        for number_of_round in range(1, options.rounds + 1)
        for scenario in options.scenarios
        for name in options.servers
    ]
    for number_of_round, scenario, name in turns:
        failures = results.failures.get((name, scenario), [])
        if len(failures) > 1:
            continue
        try:
            result = measure(name, scenario, options)
            results.measured.setdefault((name, scenario), []).append(result)
            said = number(figure(SCENARIOS[scenario], result))
        except Failed as error:
            results.failures[name, scenario] = [*failures, str(error)]
            said = str(error)
        passed = f"{time.monotonic() - begun:4.0f} s  round {number_of_round}"
        print(f"{passed}  {scenario:14} {name:20} {said}", file=sys.stderr)
    return results


def panels(results: Results) -> list[Panel]:
    """Return the panels of the chart."""
    return [
        Panel(
            SCENARIOS[scenario].title,
            SCENARIOS[scenario].unit,
            {name: middle(results, name, scenario) or 0.0 for name in results.servers(scenario)},
            SCENARIOS[scenario].kind == "idle",
        )
        for scenario in results.scenarios()
    ]


def conditions(options: argparse.Namespace) -> str:
    """Return under which conditions was measured."""
    kind = "binary" if options.binary else "text"
    return (
        f"{options.protocol}, {kind}, {options.rounds} rounds of {options.seconds:g} s, Python "
        f"{platform.python_version()}, {platform.system()} {platform.machine()}, {time.strftime('%Y-%m-%d')}"
    )


def show(results: Results, options: argparse.Namespace) -> None:
    """Print the tables and write the files that are wanted."""
    print(conditions(options))
    for scenario in results.scenarios():
        print(f"\n{details(results, scenario, options.reference)}")
    print(f"\n{summary(results, options.servers, options.reference)}")
    for (name, scenario), said in results.failures.items():
        print(f"failed {len(said)} times: {name}, {scenario}: {said[-1]}")
    if options.chart and results.measured:
        options.chart.write_text(draw(panels(results), conditions(options)), encoding="utf-8")
    if options.json:
        rows = [
            {"server": name, "scenario": scenario, **asdict(result)}
            for (name, scenario), measured in results.measured.items()
            for result in measured
        ]
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options; those that name servers and scenarios are judged."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--servers", type=words, metavar="A,B", help=f"default: all that speak the protocol; {', '.join(SERVERS)}")
    add("--scenarios", type=words, default=list(SCENARIOS), metavar="A,B", help=", ".join(SCENARIOS))
    add("--rounds", type=int, default=3, help="how often everything is measured (3)")
    add("--seconds", type=float, default=1.0, help="time measured in each round (1)")
    add("--protocol", choices=BOTH, default="rfc6455")
    add("--binary", action="store_true", help="binary messages; one of the others does not decode text")
    add("--reference", help="the server that ratios are to (autobahn; for hixie76 txws)")
    add(
        "--add",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "COMMAND"),
        help="one more server, for both protocols; in the command {python} is this Python, {peers} the others', "
        "{port} the port to listen on, {mode} echo or broadcast",
    )
    add("--chart", type=Path, metavar="FILE", help="write a bar chart of the medians (SVG)")
    add("--json", type=Path, metavar="FILE", help="write every result")
    add("--peers", type=Path, default=PEERS, metavar="FOLDER", help="the others' virtual environment")
    add("--setup", action="store_true", help="make that environment, and end")
    options = parser.parse_args(arguments)
    SERVERS.update((name, Entry(command)) for name, command in options.add)
    options.reference = options.reference or REFERENCES[options.protocol]
    if options.servers is None:
        options.servers = [name for name, entry in SERVERS.items() if options.protocol in entry.protocols]
    for name in options.servers:
        if name not in SERVERS or options.protocol not in SERVERS[name].protocols:
            parser.error(f"no server {name!r} for {options.protocol}; there are {', '.join(SERVERS)}")
    for name in options.scenarios:
        if name not in SCENARIOS:
            parser.error(f"no scenario {name!r}; there are {', '.join(SCENARIOS)}")
    if options.binary and options.protocol == "hixie76":
        parser.error("hixie76 has no binary messages")
    return options


def words(text: str) -> list[str]:
    """Split an option at its commas."""
    return text.split(",")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    options = parsed(arguments)
    if options.setup:
        set_up(options.peers)
        return 0
    results = compare(options)
    show(results, options)
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())
