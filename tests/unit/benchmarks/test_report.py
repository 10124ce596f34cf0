# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Medians, scaled times, goals, tables and the page that holds them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.benchmarks import _goals, _page, _tables
from ansible_collections.rayfleet.anyscale.benchmarks._contenders import (
    AMAZON_AWS,
    BARE_BOTO3,
    INVENTORY,
    PER_CLOUD,
    PLAN,
    Contender,
)
from ansible_collections.rayfleet.anyscale.benchmarks._measure import Measure
from ansible_collections.rayfleet.anyscale.benchmarks._results import Results, row
from ansible_collections.rayfleet.anyscale.benchmarks._schedule import (
    DRIFTED,
    IN_SYNC,
    LISTED,
    QUICK,
    WHOLE,
    Cell,
    Scenario,
    Sizes,
    cells,
    in_round,
)


def measures(*seconds: float) -> list[Measure]:
    """Runs that took so long, each with more memory than the one before."""
    return [
        Measure(0, each, each / 2, 100.0 + number, 10.0 + number)
        for number, each in enumerate(seconds)
    ]


def results(*timed: tuple[Scenario, int, int | None, Contender, float]) -> Results:
    """Results of cells that took so many seconds."""
    return Results(
        {
            Cell(scenario, clouds, latency_ms, contender): row(
                clouds, measures(seconds), {"iam:GetRole": clouds}
            )
            for scenario, clouds, latency_ms, contender, seconds in timed
        }
    )


def test_a_row_has_the_median_the_ends_and_the_most_memory() -> None:
    made = row(10, measures(5.0, 1.0, 12.0), {"iam:GetRole": 20, "iam:AssumeRole": 5})
    assert (made.seconds, made.fastest, made.slowest, made.cpu_seconds) == (5.0, 1.0, 12.0, 2.5)
    assert (made.controller, made.fork) == (102.0, 12.0)
    assert (made.seconds_per_cloud, made.calls_per_cloud) == (0.5, 2.5)
    assert list(made.calls) == ["iam:AssumeRole", "iam:GetRole"]


def test_a_slow_contender_is_scaled_and_says_so() -> None:
    found = results((IN_SYNC, 50, 20, AMAZON_AWS, 60.0)).find(IN_SYNC, 20, AMAZON_AWS, 500)
    assert found is not None
    assert (found.seconds, found.clouds, found.scaled_from) == (600.0, 500, 50)
    assert found.calls_per_cloud == 1


@pytest.mark.parametrize(
    ("scenario", "latency_ms", "contender"),
    [(IN_SYNC, 20, PLAN), (IN_SYNC, 0, AMAZON_AWS), (DRIFTED, 20, AMAZON_AWS)],
    ids=["of who is not slow", "at another latency", "in another scenario"],
)
def test_nothing_is_scaled(scenario: Scenario, latency_ms: int, contender: Contender) -> None:
    measured = results((IN_SYNC, 50, 20, AMAZON_AWS, 60.0), (IN_SYNC, 50, 20, PLAN, 6.0))
    assert measured.find(scenario, latency_ms, contender, 500) is None


GOALS = {
    "faster than amazon.aws, scaled": (
        [(IN_SYNC, 50, 20, AMAZON_AWS, 60.0), (IN_SYNC, 500, 20, PER_CLOUD, 40.0)],
        "in sync, 500 clouds, cloud by cloud: times faster than amazon.aws",
        (15.0, "met"),
    ),
    "not fast enough": (
        [(DRIFTED, 50, 20, AMAZON_AWS, 60.0), (DRIFTED, 50, 20, PLAN, 6.1)],
        "all drifted, 50 clouds, with the plan: times faster than amazon.aws",
        (60 / 6.1, "missed"),
    ),
    "as fast as boto3 at a latency": (
        [(IN_SYNC, 500, 20, PLAN, 6.0), (IN_SYNC, 500, 20, BARE_BOTO3, 4.0)],
        "in sync, 500 clouds, 20 ms a call, with the plan: times the time of bare boto3",
        (1.5, "met"),
    ),
    "not as fast without a latency": (
        [(IN_SYNC, 2000, 0, PLAN, 41.0), (IN_SYNC, 2000, 0, BARE_BOTO3, 10.0)],
        "in sync, 2000 clouds, 0 ms a call, with the plan: times the time of bare boto3",
        (4.1, "missed"),
    ),
    "linear": (
        [(LISTED, 500, 20, INVENTORY, 2.0), (LISTED, 10000, 20, INVENTORY, 48.0)],
        "the inventory, ansible-inventory: time per cloud at 10000 clouds to that at 500",
        (1.2, "met"),
    ),
    "memory of the controller": (
        [(IN_SYNC, 2000, 20, PLAN, 20.0)],
        "all in sync, 2000 clouds, onboard, with the plan: MB of the controller",
        (100.0, "met"),
    ),
    "memory of a fork": (
        [(IN_SYNC, 2000, 20, PER_CLOUD, 20.0)],
        "all in sync, 2000 clouds, onboard, cloud by cloud: MB of a fork's own",
        (10.0, "met"),
    ),
    "half measured": (
        [(IN_SYNC, 500, 20, PLAN, 6.0)],
        "in sync, 500 clouds, 20 ms a call, with the plan: times the time of bare boto3",
        (None, "not measured"),
    ),
}


@pytest.mark.parametrize(("timed", "text", "expected"), GOALS.values(), ids=GOALS)
def test_goals(
    timed: list[tuple[Scenario, int, int | None, Contender, float]],
    text: str,
    expected: tuple[float | None, str],
) -> None:
    goal = next(goal for goal in _goals.goals(results(*timed)) if goal.text == text)
    figure, outcome = expected
    assert goal.outcome == outcome
    assert goal.figure is figure or math.isclose(goal.figure or 0, figure or 0)


def test_a_table_lines_up() -> None:
    assert _tables.table(("a", "long head"), [("cell", "x"), ("b", "")]).splitlines() == [
        "====  =========",
        "a     long head",
        "====  =========",
        "cell  x",
        "b",
        "====  =========",
    ]


def report(*timed: tuple[Scenario, int, int | None, Contender, float]) -> str:
    """The report of these results."""
    made = results(*timed)
    return _tables.report(made, _goals.goals(made), {"processor": "one"}, 5)


def test_the_report_has_a_line_of_each_contender_at_each_size() -> None:
    text = report(
        (IN_SYNC, 50, 20, PLAN, 6.0),
        (IN_SYNC, 50, 20, AMAZON_AWS, 60.0),
        (IN_SYNC, 500, 20, PLAN, 8.0),
        (IN_SYNC, 500, 20, BARE_BOTO3, 4.0),
    )
    lines = {tuple(line.split()) for line in text.splitlines()}
    assert "**All in sync, 20 ms a call**" in text
    assert (
        "50",
        "onboard,",
        "with",
        "the",
        "plan",
        *["1", "6.0", "6.0", "-", "6.0", "120.0", "3.0", "-", "1.0", "100", "MB", "10", "MB"],
    ) in lines
    assert (
        "500",
        "onboard,",
        "with",
        "the",
        "plan",
        *["1", "8.0", "8.0", "-", "8.0", "16.0", "4.0", "2.0", "1.0", "100", "MB", "10", "MB"],
    ) in lines
    assert (
        "500",
        "amazon.aws",
        *[
            "1",
            "600.0",
            "(from",
            "50)",
            "600.0",
            "-",
            "600.0",
            "1200.0",
            "300.0",
            "150.0",
            "1.0",
            "100",
            "MB",
            "10",
            "MB",
        ],
    ) in lines
    assert "* bare boto3, all in sync: GetRole 1" in text.splitlines()
    assert "* processor: one" in text.splitlines()


def test_the_report_is_valid_restructuredtext() -> None:
    core = pytest.importorskip("docutils.core")
    text = report(
        (IN_SYNC, 50, 20, PLAN, 6.0),
        (IN_SYNC, 50, None, PLAN, 9.0),
        (LISTED, 500, 20, INVENTORY, 2.0),
    )
    core.publish_string(text, settings_overrides={"report_level": 1, "halt_level": 1})


def test_a_report_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    page = tmp_path / "page.rst"
    page.write_text(_page.PAGE.read_text())
    for text in ("The first.", "The second."):
        _page.write(text, page)
    written = page.read_text()
    assert "The first." not in written
    assert written.count("The second.") == 1
    before = _page.PAGE.read_text().partition(".. BEGIN report")[0]
    after = _page.PAGE.read_text().partition(".. END report")[2]
    assert page.read_text().startswith(before)
    assert page.read_text().endswith(after)


def test_a_page_without_its_place_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.rst"
    page.write_text("By hand.")
    with pytest.raises(ValueError, match="lacks the marks"):
        _page.write("The first.", page)
    assert page.read_text() == "By hand."


def test_every_second_round_goes_backwards() -> None:
    scheduled = cells(QUICK)
    assert in_round(scheduled, 0) == scheduled
    assert in_round(scheduled, 1) == scheduled[::-1]


@pytest.mark.parametrize("sizes", [QUICK, WHOLE], ids=["quick", "whole"])
def test_nothing_is_scheduled_twice(sizes: Sizes) -> None:
    assert len(set(cells(sizes))) == len(cells(sizes))


def test_all_goals_are_measured_when_all_is_run() -> None:
    made = results(
        *(
            (cell.scenario, cell.clouds, cell.latency_ms, cell.contender, 1.0)
            for cell in cells(WHOLE)
        )
    )
    assert [goal.text for goal in _goals.goals(made) if goal.outcome == "not measured"] == []
