# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results as text that reads well on a terminal and is valid reStructuredText."""

from __future__ import annotations

import textwrap
import typing as t

from ansible_collections.rayfleet.anyscale.benchmarks._goals import Goal
from ansible_collections.rayfleet.anyscale.benchmarks._results import Results, Row
from ansible_collections.rayfleet.anyscale.benchmarks._schedule import Scenario

_HEAD = (
    "clouds",
    "contender",
    "runs",
    "seconds",
    "from - to",
    "ms a cloud",
    "CPU s",
    "of boto3",
    "calls",
    "controller",
    "fork",
    "together",
)
_GOALS_HEAD = ("goal", "limit", "figure", "outcome")


def table(head: t.Sequence[str], rows: t.Sequence[t.Sequence[str]]) -> str:
    """A simple table. A first column must never be empty: that would continue the row above."""
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]
    rule = "  ".join("=" * width for width in widths)
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (head, *rows)
    ]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule])


def report(
    results: Results, goals: t.Sequence[Goal], machine: t.Mapping[str, str], rounds: int
) -> str:
    """All of it: the machine, the times, the calls, the goals."""
    described = "\n".join(f"* {name}: {value}" for name, value in machine.items())
    times = "1 round" if rounds == 1 else f"{rounds} rounds"
    parts = [f"{times}, on this machine:\n\n{described}"]
    for scenario, latency_ms in results.tables():
        parts.append(
            f"**{_title(scenario, latency_ms)}**\n\n{_times(results, scenario, latency_ms)}"
        )
    parts.append(f"**Calls for each cloud, by operation**\n\n{_calls(results)}")
    parts.append(f"**Goals**\n\n{_goals(goals)}")
    return "\n\n".join(parts)


def _title(scenario: Scenario, latency_ms: int | None) -> str:
    where = "against the sandbox" if latency_ms is None else f"{latency_ms} ms a call"
    return f"{scenario.title[0].upper()}{scenario.title[1:]}, {where}"


def _times(results: Results, scenario: Scenario, latency_ms: int | None) -> str:
    rows = []
    for clouds in results.sizes(scenario, latency_ms):
        floor = results.floor(scenario, latency_ms, clouds)
        for contender in results.contenders(scenario, latency_ms):
            row = results.find(scenario, latency_ms, contender, clouds)
            if row is not None:
                rows.append((str(clouds), contender.title, *_figures(row, floor)))
    return table(_HEAD, rows)


def _figures(row: Row, floor: Row | None) -> tuple[str, ...]:
    """One line's figures. A time that was scaled says from how many clouds."""
    scaled = f" (from {row.scaled_from})" if row.scaled_from else ""
    return (
        str(row.runs),
        f"{row.seconds:.1f}{scaled}",
        f"{row.fastest:.1f} - {row.slowest:.1f}",
        f"{row.seconds_per_cloud * 1000:.1f}",
        f"{row.cpu_seconds:.1f}",
        f"{row.seconds / floor.seconds:.1f}" if floor else "-",
        f"{row.calls_per_cloud:.1f}",
        f"{row.controller:.0f} MB" if row.controller else "-",
        f"{row.fork:.0f} MB" if row.fork else "-",
        f"{row.together:.0f} MB" if row.together else "-",
    )


def _calls(results: Results) -> str:
    """A list, since the names of the operations make long lines. The largest number of clouds that
    a contender was run on counts.
    """
    items = []
    for scenario, latency_ms in results.tables():
        for contender in results.contenders(scenario, latency_ms):
            rows = [
                results.find(scenario, latency_ms, contender, clouds)
                for clouds in results.sizes(scenario, latency_ms)
            ]
            last = next((row for row in reversed(rows) if row is not None), None)
            if last is not None and last.calls and latency_ms == 20:
                calls = ", ".join(
                    f"{name.partition(':')[2]} {count:.3g}" for name, count in last.calls.items()
                )
                items.append(
                    textwrap.fill(
                        f"* {scenario.of(contender)}: {calls}",
                        120,
                        subsequent_indent="  ",
                    )
                )
    return "\n".join(items)


def _goals(goals: t.Sequence[Goal]) -> str:
    rows = []
    for goal in goals:
        figure = "-" if goal.figure is None else f"{goal.figure:.2f}"
        rows.append(
            (goal.text, f"{'>=' if goal.at_least else '<='} {goal.limit:g}", figure, goal.outcome)
        )
    return table(_GOALS_HEAD, rows)
