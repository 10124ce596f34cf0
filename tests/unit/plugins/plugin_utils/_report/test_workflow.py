# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the operator reads at the end of an AWX workflow."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.workflow import (
    expected_slices,
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


LIST = "list the runs"
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
    assert workflow_lines(ROLLOUT, undo, 2, LIST) == [
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
            {"onboard": step({"selected": 4}, 2, runs=["13"])},
            [
                "onboard (2 of 3 jobs): 4 selected",
                "To undo what was changed: undo 13",
                "1 of 3 jobs of step onboard published nothing, such as one that timed out or was "
                "canceled, and may have changed clouds all the same: list the runs.",
            ],
            id="a slice is missing",
        ),
        pytest.param(
            {"audit\x1b[31m": step({"clouds": {"pass": 1}})},
            ["audit\\x1b[31m (1 job): 1 passed"],
            id="a control character",
        ),
    ],
)
def test_lines(steps: Json, lines: list[str]) -> None:
    assert (
        workflow_lines(
            steps, undo, 3 if "onboard" in steps and steps["onboard"]["runs"] else 1, LIST
        )
        == lines
    )


def test_a_long_list_of_failed_clouds_is_short() -> None:
    names = [f"c{number}" for number in range(5000)]
    [_head, failed] = workflow_lines(
        {"onboard": step({"selected": 5000}, failed=names)}, undo, 1, LIST
    )
    assert failed.endswith("c19 and 4980 more")


# The steps that are required, the slices of an onboarding, and what is said.
@pytest.mark.parametrize(
    ("required", "slices", "problems"),
    [
        pytest.param([], 2, [], id="nothing is required"),
        pytest.param(["audit before", "onboard canary"], 2, [], id="all went well"),
        pytest.param(["onboard"], 2, ["1 cloud failed in step onboard."], id="a cloud failed"),
        pytest.param(
            ["onboard", "audit after"],
            2,
            [
                "1 cloud failed in step onboard.",
                "No job of step audit after published its counts. Check the jobs of the workflow.",
            ],
            id="one failed, one is missing",
        ),
        pytest.param(
            [],
            4,
            [
                "2 of 4 jobs of step onboard published nothing, such as one that timed out or was "
                "canceled, and may have changed clouds all the same: list the runs."
            ],
            id="slices are missing",
        ),
    ],
)
def test_problems(required: list[str], slices: int, problems: list[str]) -> None:
    assert workflow_problems(ROLLOUT, required, slices, LIST) == problems


@pytest.mark.parametrize(
    ("configured", "hosts", "jobs"),
    [
        pytest.param(4, 12, 4, id="more clouds than slices"),
        pytest.param(4, 3, 3, id="fewer: AWX makes no slice without a host"),
        pytest.param(4, 0, 4, id="no inventory, which an onboarding has"),
    ],
)
def test_as_many_slices_are_expected_as_awx_makes(configured: int, hosts: int, jobs: int) -> None:
    assert expected_slices(configured, hosts) == jobs
