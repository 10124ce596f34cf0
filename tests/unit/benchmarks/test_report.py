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
    AUDIT,
    BARE_AUDIT,
    BARE_BOTO3,
    INVENTORY,
    ONBOARD,
    ROLE,
    Contender,
)
from ansible_collections.rayfleet.anyscale.benchmarks._measure import Measure
from ansible_collections.rayfleet.anyscale.benchmarks._results import Results, row
from ansible_collections.rayfleet.anyscale.benchmarks._schedule import (
    AUDITED,
    DRIFTED,
    IN_SYNC,
    LISTED,
    QUICK,
    SHARED,
    UNSHARED,
    WHOLE,
    Cell,
    Scenario,
    Sizes,
    all_rounds,
    cells,
    in_round,
)


def measures(*seconds: float) -> list[Measure]:
    """Runs that took so long, each with more memory than the one before."""
    return [
        Measure(0, each, each / 2, 100.0 + number, 10.0 + number, 110.0 + number)
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
    assert (made.controller, made.fork, made.together) == (102.0, 12.0, 112.0)
    assert (made.seconds_per_cloud, made.calls_per_cloud) == (0.5, 2.5)
    assert list(made.calls) == ["iam:AssumeRole", "iam:GetRole"]


def test_a_slow_contender_is_scaled_and_says_so() -> None:
    found = results((IN_SYNC, 50, 20, AMAZON_AWS, 60.0)).find(IN_SYNC, 20, AMAZON_AWS, 500)
    assert found is not None
    assert (found.seconds, found.clouds, found.scaled_from) == (600.0, 500, 50)
    assert found.calls_per_cloud == 1


@pytest.mark.parametrize(
    ("scenario", "latency_ms", "contender"),
    [(IN_SYNC, 20, ONBOARD), (IN_SYNC, 0, AMAZON_AWS), (DRIFTED, 20, AMAZON_AWS)],
    ids=["of who is not slow", "at another latency", "in another scenario"],
)
def test_nothing_is_scaled(scenario: Scenario, latency_ms: int, contender: Contender) -> None:
    measured = results((IN_SYNC, 50, 20, AMAZON_AWS, 60.0), (IN_SYNC, 50, 20, ONBOARD, 6.0))
    assert measured.find(scenario, latency_ms, contender, 500) is None


GOALS = {
    "the role, against amazon.aws, scaled": (
        [(IN_SYNC, 50, 20, AMAZON_AWS, 60.0), (IN_SYNC, 500, 20, ROLE, 60.0)],
        "the role, cloud by cloud, all in sync, 500 clouds: times faster than amazon.aws",
        (10.0, "met"),
    ),
    "not fast enough": (
        [(DRIFTED, 50, 20, AMAZON_AWS, 60.0), (DRIFTED, 500, 20, ONBOARD, 30.1)],
        "all drifted, 500 clouds, 20 ms a call: times faster than amazon.aws",
        (600 / 30.1, "missed"),
    ),
    "as fast as boto3 at a latency": (
        [(IN_SYNC, 500, 20, ONBOARD, 3.0), (IN_SYNC, 500, 20, BARE_BOTO3, 5.0)],
        "all in sync, 500 clouds, 20 ms a call: times the time of bare boto3",
        (0.6, "met"),
    ),
    "not as fast without a latency": (
        [(IN_SYNC, 2000, 0, ONBOARD, 13.1), (IN_SYNC, 2000, 0, BARE_BOTO3, 10.0)],
        "all in sync, 2000 clouds, 0 ms a call: times the time of bare boto3",
        (1.31, "missed"),
    ),
    "twice as slow as boto3": (
        [(DRIFTED, 2000, 20, ONBOARD, 50.0), (DRIFTED, 2000, 20, BARE_BOTO3, 25.0)],
        "all drifted, 2000 clouds, 20 ms a call: times the time of bare boto3",
        (2.0, "met"),
    ),
    "calls": (
        [(DRIFTED, 2000, 20, ONBOARD, 50.0)],
        "all drifted, 2000 clouds, 20 ms a call: calls a cloud",
        (1.0, "met"),
    ),
    "calls of an audit": (
        [(AUDITED, 2000, 20, AUDIT, 50.0)],
        "audit, all in sync, 2000 clouds: calls a cloud",
        (1.0, "met"),
    ),
    "shared buckets": (
        [(SHARED, 200, 20, ONBOARD, 5.0), (UNSHARED, 200, 20, ONBOARD, 4.0)],
        "all drifted, 200 clouds on 5 buckets: times the time of 200 buckets",
        (1.25, "missed"),
    ),
    "nothing written to shared buckets": (
        [(SHARED, 200, 20, ONBOARD, 5.0)],
        "all drifted, 200 clouds on 5 buckets: PutBucketPolicy in all",
        (0, "met"),
    ),
    "an audit against the plan": (
        [(AUDITED, 500, 20, AUDIT, 8.1), (IN_SYNC, 500, 20, ONBOARD, 4.0)],
        "audit, all in sync, 500 clouds: times the time of onboard's plan",
        (2.025, "missed"),
    ),
    "linear": (
        [(LISTED, 500, 20, INVENTORY, 2.0), (LISTED, 10000, 20, INVENTORY, 48.0)],
        "ansible-inventory, the inventory: time per cloud at 10000 clouds to that at 500",
        (1.2, "met"),
    ),
    "memory of the controller": (
        [(DRIFTED, 2000, 20, ONBOARD, 20.0)],
        "onboard, all drifted, 2000 clouds: MB of the controller",
        (100.0, "met"),
    ),
    "memory of the engine": (
        [(IN_SYNC, 2000, 20, ONBOARD, 20.0)],
        "onboard, all in sync, 2000 clouds: MB of the engine",
        (10.0, "met"),
    ),
    "half measured": (
        [(IN_SYNC, 500, 20, ONBOARD, 6.0)],
        "all in sync, 500 clouds, 20 ms a call: times the time of bare boto3",
        (None, "not measured"),
    ),
}


@pytest.mark.parametrize(("timed", "text", "expected"), GOALS.values(), ids=GOALS)
def test_goals(
    timed: list[tuple[Scenario, int, int | None, Contender, float]],
    text: str,
    expected: tuple[float | None, str],
) -> None:
    goal = next(goal for goal in _goals.goals(results(*timed), WHOLE) if goal.text == text)
    figure, outcome = expected
    assert goal.outcome == outcome
    assert goal.figure is figure or math.isclose(goal.figure or 0, figure or 0)


@pytest.mark.parametrize(("puts", "outcome"), [(5, "met"), (6, "missed")])
def test_writes_to_shared_buckets_are_counted_in_all(puts: int, outcome: str) -> None:
    cell = Cell(SHARED, 200, 20, ONBOARD)
    made = Results({cell: row(200, measures(1.0), {"s3:PutBucketPolicy": puts, "iam:GetRole": 1})})
    text = "all drifted, 200 clouds on 5 buckets: PutBucketPolicy in all"
    goal = next(goal for goal in _goals.goals(made, WHOLE) if goal.text == text)
    assert (goal.figure, goal.outcome) == (puts, outcome)


@pytest.mark.parametrize(
    ("together", "figure"),
    [((100, 139, 299), 1.0), ((100, 139, 498), 2.0), ((100, 99, 100), 39 / 199)],
    ids=["as the fleet", "twice as fast", "not at all"],
)
def test_growth_of_memory(together: tuple[int, int, int], figure: float) -> None:
    counts = (50, 2000, 10000)
    made = Results(
        {
            Cell(IN_SYNC, clouds, 20, ONBOARD): row(
                clouds, [Measure(0, 1.0, 1.0, 50.0, 50.0, megabytes)], {}
            )
            for clouds, megabytes in zip(counts, together, strict=True)
        }
    )
    text = "onboard, all in sync: memory for each cloud beyond 50, at 10000 clouds to that at 2000"
    goal = next(goal for goal in _goals.goals(made, WHOLE) if goal.text == text)
    assert goal.figure is not None
    assert math.isclose(goal.figure, figure)


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
    return _tables.report(made, _goals.goals(made, WHOLE), {"processor": "one"}, 5)


def test_the_report_has_a_line_of_each_contender_at_each_size() -> None:
    text = report(
        (IN_SYNC, 50, 20, ONBOARD, 6.0),
        (IN_SYNC, 50, 20, AMAZON_AWS, 60.0),
        (IN_SYNC, 500, 20, ONBOARD, 8.0),
        (IN_SYNC, 500, 20, BARE_BOTO3, 4.0),
    )
    lines = {tuple(line.split()) for line in text.splitlines()}
    assert "**All in sync, 20 ms a call**" in text
    assert (
        *["50", "onboard", "1", "6.0", "6.0", "-", "6.0", "120.0", "3.0", "-", "1.0"],
        *["100", "MB", "10", "MB", "110", "MB"],
    ) in lines
    assert (
        *["500", "onboard", "1", "8.0", "8.0", "-", "8.0", "16.0", "4.0", "2.0", "1.0"],
        *["100", "MB", "10", "MB", "110", "MB"],
    ) in lines
    assert (
        *["500", "amazon.aws", "1", "600.0", "(from", "50)", "600.0", "-", "600.0", "1200.0"],
        *["300.0", "150.0", "1.0", "100", "MB", "10", "MB", "110", "MB"],
    ) in lines
    assert "* bare boto3, all in sync: GetRole 1" in text.splitlines()
    assert "* processor: one" in text.splitlines()


def test_the_report_is_valid_restructuredtext() -> None:
    core = pytest.importorskip("docutils.core")
    text = report(
        (IN_SYNC, 50, 20, ONBOARD, 6.0),
        (IN_SYNC, 50, None, ONBOARD, 9.0),
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


def test_an_audit_is_compared_with_its_own_floor() -> None:
    text = report((AUDITED, 500, 20, AUDIT, 9.0), (AUDITED, 500, 20, BARE_AUDIT, 6.0))
    assert "**Audit, all in sync, 20 ms a call**" in text
    assert "* audit, all in sync: GetRole 1" in text.splitlines()
    assert "* bare boto3, audit, all in sync: GetRole 1" in text.splitlines()
    assert any(line.split()[:10:9] == ["500", "1.5"] for line in text.splitlines())


def test_every_second_round_goes_backwards() -> None:
    scheduled = cells(QUICK)
    assert in_round(scheduled, 0) == scheduled
    assert in_round(scheduled, 1) == scheduled[::-1]


def test_long_runs_are_measured_in_fewer_rounds() -> None:
    scheduled = all_rounds(cells(WHOLE), 5)
    rounds = {cell: sum(other == cell for _round, other in scheduled) for cell in cells(WHOLE)}
    assert set(rounds.values()) == {1, 3, 5}
    assert {rounds[cell] for cell in cells(WHOLE) if cell.expected_seconds < 15} == {5}
    assert rounds[Cell(AUDITED, 10000, 20, AUDIT)] == 1


@pytest.mark.parametrize(
    ("sizes", "rounds", "minutes"), [(QUICK, 1, 4), (WHOLE, 5, 40)], ids=["quick", "whole"]
)
def test_the_time_of_all_is_bounded(sizes: Sizes, rounds: int, minutes: float) -> None:
    scheduled = all_rounds(cells(sizes), rounds)
    assert sum(cell.expected_seconds for _round, cell in scheduled) < 60 * minutes


@pytest.mark.parametrize("sizes", [QUICK, WHOLE], ids=["quick", "whole"])
def test_nothing_is_scheduled_twice(sizes: Sizes) -> None:
    assert len(set(cells(sizes))) == len(cells(sizes))


def test_fleets_larger_than_wanted_are_left_out() -> None:
    scheduled = cells(WHOLE.up_to(500))
    assert len(set(scheduled)) == len(scheduled) < len(cells(WHOLE))
    assert max(cell.clouds for cell in scheduled) == 500


def test_the_quick_form_has_every_row_of_the_whole() -> None:
    assert [(cell.scenario, cell.latency_ms, cell.contender) for cell in cells(QUICK)] == [
        (cell.scenario, cell.latency_ms, cell.contender) for cell in cells(WHOLE)
    ]


@pytest.mark.parametrize("sizes", [QUICK, WHOLE], ids=["quick", "whole"])
def test_all_goals_are_measured_when_all_is_run(sizes: Sizes) -> None:
    made = results(
        *(
            (cell.scenario, cell.clouds, cell.latency_ms, cell.contender, 1.0)
            for cell in cells(sizes)
        )
    )
    goals = _goals.goals(made, sizes)
    assert [goal.text for goal in goals if goal.outcome == "not measured"] == []
    assert len({goal.text for goal in goals}) == len(goals)


def test_no_goal_compares_a_size_with_itself() -> None:
    texts = [goal.text for goal in _goals.goals(results(), WHOLE.up_to(500))]
    assert texts
    assert not [text for text in texts if " to that at " in text and "500 clouds to" not in text]
    assert not [text for text in texts if "at 500 clouds to that at 500" in text]
