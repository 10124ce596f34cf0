# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Artifacts add up to what one job for all would have published, however the hosts were sliced."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.awx_artifacts import (
    merge_artifacts,
)

Json = dict[str, t.Any]


def total(jobs: int, counts: Json, failed: tuple[str, ...] = (), **more: list[str]) -> Json:
    """The sums of a step."""
    other: Json = {"written_in_part": [], "runs": [], "reports": [], **more}
    return {"jobs": jobs, "counts": counts, "failed_clouds": list(failed), **other}


def artifact(step: str = "onboard", failing: tuple[str, ...] = (), **counts: t.Any) -> Json:
    """What a job publishes."""
    return {"step": step, "counts": counts, "failed_clouds": list(failing)}


@pytest.mark.parametrize(
    ("artifacts", "expected"),
    [
        pytest.param({}, {}, id="no jobs, no steps"),
        pytest.param(
            {"a_1": artifact(changed=2), "a_2": artifact(changed=3, right=1)},
            {"onboard": total(2, {"changed": 5, "right": 1})},
            id="slices add up, also what only one of them counts",
        ),
        pytest.param(
            {
                "a_1": artifact(clouds={"fail": 1, "pass": 2}),
                "a_2": artifact(clouds={"fail": 4, "pass": 0}),
            },
            {"onboard": total(2, {"clouds": {"fail": 5, "pass": 2}})},
            id="counts within counts",
        ),
        pytest.param(
            {"a_1": artifact("audit before", n=1), "a_9": artifact("audit after", n=2)},
            {"audit before": total(1, {"n": 1}), "audit after": total(1, {"n": 2})},
            id="steps are kept apart",
        ),
        pytest.param(
            {"a_2": artifact(failing=("c", "a")), "a_1": artifact(failing=("b", "a"))},
            {"onboard": total(2, {}, ("a", "b", "c"))},
            id="failed clouds, each once",
        ),
        pytest.param(
            {"a_1": {**artifact(), "written_in_part": ["c", "a"]}, "a_2": artifact()},
            {"onboard": total(2, {}, written_in_part=["a", "c"])},
            id="the failed clouds of which a part was written",
        ),
        pytest.param(
            {"a_10": {**artifact(), "runs": ["10"]}, "a_9": {**artifact(), "runs": ["9"]}},
            {"onboard": total(2, {}, runs=["9", "10"])},
            id="the runs that replaced documents, the first one first",
        ),
        pytest.param(
            {"a_1": {**artifact(), "paths": {"json": "/r.json", "html": "/r.html"}}},
            {"onboard": total(1, {}, reports=["/r.html"])},
            id="the report that people read",
        ),
        pytest.param(
            {"a_1": {**artifact(), "paths": {"sarif": "/r.sarif", "csv": "/r.csv"}}},
            {"onboard": total(1, {}, reports=["/r.sarif"])},
            id="the first report, without one that people read",
        ),
    ],
)
def test_merged(artifacts: Json, expected: Json) -> None:
    assert merge_artifacts(artifacts) == expected


def test_the_steps_are_in_the_order_of_their_jobs() -> None:
    """Whatever the playbooks of them are called."""
    artifacts = {f"a_{number}": artifact(step) for number, step in ((9, "one"), (10, "another"))}
    assert list(merge_artifacts(artifacts)) == ["one", "another"]


@given(
    clouds=st.lists(st.sampled_from(["changed", "right", "failed"]), max_size=30),
    slices=st.integers(1, 5),
)
def test_slices_add_up_to_the_whole(clouds: list[str], slices: int) -> None:
    """Every n-th cloud for each slice, as AWX cuts them."""

    def job(outcomes: dict[int, str]) -> Json:
        failed = tuple(
            f"cloud-{number}" for number, outcome in outcomes.items() if outcome == "failed"
        )
        return artifact(
            failing=failed,
            **{
                kind: list(outcomes.values()).count(kind) for kind in ("changed", "right", "failed")
            },
        )

    outcomes = dict(enumerate(clouds))
    parts = {
        f"anyscale_onboard_{first}": job(dict(list(outcomes.items())[first::slices]))
        for first in range(slices)
    }
    whole = merge_artifacts({"anyscale_onboard_0": job(outcomes)})["onboard"]
    assert merge_artifacts(parts)["onboard"] == {**whole, "jobs": slices}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("text", id="a text"),
        pytest.param({"counts": {}, "failed_clouds": []}, id="no step"),
        pytest.param({"step": "onboard", "counts": [], "failed_clouds": []}, id="a list of counts"),
        pytest.param(artifact(changed="two"), id="a count that is no number"),
        pytest.param(artifact(changed=True), id="a count that is a boolean"),
        pytest.param({**artifact(), "runs": "4711"}, id="runs that are no list"),
        pytest.param({**artifact(), "written_in_part": 1}, id="clouds that are no list"),
        pytest.param({**artifact(), "paths": ["/r.html"]}, id="a list of reports"),
    ],
)
def test_what_is_no_artifact_is_refused_by_its_name(value: t.Any) -> None:
    with pytest.raises(InputError, match="anyscale_onboard_7"):
        merge_artifacts({"anyscale_onboard_7": value})
