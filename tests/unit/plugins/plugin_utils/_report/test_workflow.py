# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the operator reads at the end of an AWX workflow."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.workflow import (
    workflow_lines,
    workflow_problems,
)

pytestmark = pytest.mark.core

Json = dict[str, t.Any]


def step(counts: Json, jobs: int = 1, failed: t.Sequence[str] = (), **more: list[str]) -> Json:
    """A step's sums."""
    other: Json = {"written_in_part": [], "runs": [], "reports": [], **more}
    return {"jobs": jobs, "counts": counts, "failed_clouds": list(failed), **other}


def undo(runs: str) -> str:
    """The words for how runs are undone."""
    return f"undo {runs}"


ROLLOUT = {
    "audit before": step(
        {"clouds": {"error": 0, "fail": 3, "warn": 0, "pass": 1}}, reports=["/before/report.html"]
    ),
    "onboard canary": step({"selected": 4, "changed": 1, "failed": 0, "deferred": 2}, runs=["12"]),
    "onboard": step(
        {"selected": 4, "changed": 1, "failed": 1},
        2,
        ["lab"],
        written_in_part=["lab"],
        runs=["13", "14"],
    ),
}


def test_the_steps_the_reports_and_the_way_back() -> None:
    assert workflow_lines(ROLLOUT, undo) == [
        "audit before (1 job): 3 with failed checks, 1 passed",
        "  Report: /before/report.html",
        "onboard canary (1 job): 4 selected, 1 changed, 2 deferred",
        "onboard (2 jobs): 4 selected, 1 changed, 1 failed",
        "  Failed: lab",
        "  Of these, a part was written for: lab",
        "To undo what was changed: undo 12, 13, 14",
    ]


@pytest.mark.parametrize(
    ("steps", "lines"),
    [
        pytest.param({}, ["No earlier job of the workflow published its counts."], id="no jobs"),
        pytest.param(
            {"onboard": step({"selected": 0, "changed": 0})},
            ["onboard (1 job): 0 selected"],
            id="no clouds, nothing to undo",
        ),
        pytest.param(
            {"audit": step({"clouds": {}, "drifted": 0})},
            ["audit (1 job): no clouds"],
            id="an empty audit",
        ),
        pytest.param(
            {"audit": step({"clouds": {"fail": 1, "warn": 1, "pass": 2}, "drifted": 2})},
            ["audit (1 job): 1 with failed checks, 1 with warnings, 2 passed; 2 drifted"],
            id="drift",
        ),
        pytest.param(
            {"audit\x1b[31m": step({"clouds": {"pass": 1}})},
            ["audit\\x1b[31m (1 job): 1 passed"],
            id="a control character",
        ),
    ],
)
def test_lines(steps: Json, lines: list[str]) -> None:
    assert workflow_lines(steps, undo) == lines


def test_a_long_list_of_failed_clouds_is_short() -> None:
    names = [f"c{number}" for number in range(5000)]
    [_head, failed] = workflow_lines({"onboard": step({"selected": 5000}, failed=names)}, undo)
    assert failed.endswith("c19 and 4980 more")


@pytest.mark.parametrize(
    ("required", "problems"),
    [
        pytest.param([], [], id="nothing is required"),
        pytest.param(["audit before", "onboard canary"], [], id="all went well"),
        pytest.param(["onboard"], ["1 cloud failed in step onboard."], id="a cloud failed"),
        pytest.param(
            ["onboard", "audit after"],
            [
                "1 cloud failed in step onboard.",
                "No job of step audit after published its counts. Check the jobs of the workflow.",
            ],
            id="one failed, one is missing",
        ),
    ],
)
def test_problems(required: list[str], problems: list[str]) -> None:
    assert workflow_problems(ROLLOUT, required) == problems
