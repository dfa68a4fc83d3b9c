"""What was measured, as tables: medians, and ratios to one of the servers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from benchmarks.load import Result
from benchmarks.scenarios import SCENARIOS, Scenario

__all__ = ["Results", "details", "figure", "middle", "number", "summary", "table"]


class Results:
    """All results, and what failed, by server and scenario.

    :param known: the scenarios that there are.
    """

    def __init__(self, known: Mapping[str, Scenario] = SCENARIOS) -> None:
        self.known = known
        self.measured: dict[tuple[str, str], list[Result]] = {}
        self.failures: dict[tuple[str, str], list[str]] = {}

    def servers(self, scenario: str) -> list[str]:
        """Return the servers with results in a scenario."""
        return [server for server, other in self.measured if other == scenario]

    def scenarios(self) -> list[str]:
        """Return the scenarios with results."""
        return list(dict.fromkeys(scenario for _, scenario in self.measured))


def figure(scenario: Scenario, result: Result) -> float:
    """Return what a scenario is about: how many per CPU second, or bytes of memory for each."""
    if scenario.kind == "idle":
        return result.cost / result.count
    return result.count / result.cost


def middle(results: Results, server: str, scenario: str) -> float | None:
    """Return the median of the figures of a server."""
    measured = results.measured.get((server, scenario))
    return median(figure(results.known[scenario], result) for result in measured) if measured else None


def number(value: float) -> str:
    """Return a figure for people."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def ratio(value: float | None, base: float | None) -> str:
    """Return how many times the base a figure is."""
    return f"{value / base:.2f}" if value and base else "-"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return a table as reStructuredText has it; the first row is its head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = "  ".join("=" * width for width in widths)

    def line(row: Iterable[str]) -> str:
        first, *rest = (
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join([first, *rest]).rstrip()

    head, *body = map(line, rows)
    return "\n".join([rule, head, rule, *body, rule])


def details(results: Results, scenario: str, reference: str) -> str:
    """Return the table of one scenario: medians, how far they spread, and ratios to a server."""
    base = middle(results, reference, scenario)
    rows = [("server", results.known[scenario].unit, "ratio", "from", "to", "per second")]
    for server in results.servers(scenario):
        measured = results.measured[server, scenario]
        figures = [figure(results.known[scenario], result) for result in measured]
        per_second = number(median(result.per_second for result in measured))
        value = median(figures)
        rows.append(
            (server, number(value), ratio(value, base), number(min(figures)), number(max(figures)), per_second)
        )
    return f"{results.known[scenario].title}\n\n{table(rows)}"


def summary(results: Results, servers: Sequence[str], reference: str) -> str:
    """Return the table of all ratios to a server; memory is bytes."""
    scenarios = results.scenarios()
    rows = [("server", *scenarios)]
    for server in servers:
        cells = []
        for scenario in scenarios:
            value = middle(results, server, scenario)
            if value is None:
                cells.append("failed" if (server, scenario) in results.failures else "-")
            elif results.known[scenario].kind == "idle":
                cells.append(number(value))
            else:
                cells.append(ratio(value, middle(results, reference, scenario)))
        rows.append((server, *cells))
    return (
        f"Per CPU second, {reference} = 1 (idle: bytes of memory per connection, less is better)\n\n{table(rows)}"
    )
