# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The outcome of a cloud says what was done for it, why, and with which requests; never a secret, and
never what was done for others alone.
"""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError, TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet import engine as engines
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.engine import Engine
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.of_engine import (
    diffs_of,
    outcome_of,
    planned_outcome,
    reasons_of,
    warnings_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.done import Done
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._fleet.fleet_in_memory import (
    ACCOUNT,
    CALLER,
    KINDS,
    STAGES,
    InMemory,
    World,
    arn_of,
    cloud_of,
    in_sync_world,
)

pytestmark = pytest.mark.core

DENIED = AwsError("Denied.", "Ask.", code="AccessDenied", status=403)
SECRET = "0123456789-secret"


@pytest.fixture(autouse=True)
def _in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "KINDS", KINDS)


def done_of(
    world: World, clouds: list[Cloud], check_mode: bool = False, stages: t.Sequence[str] = STAGES
) -> list[Done]:
    """What was done for clouds, or would be."""
    engine = Engine(InMemory(world), state="present", stages=stages, threads=1, clock=world.clock)
    engine.plan(clouds)
    pending = dict.fromkeys(cloud for cloud in clouds if cloud.is_pending)
    return engine.predict(pending) if check_mode else engine.converge(pending)


def test_a_cloud_that_needs_no_change(tmp_path: Path) -> None:
    cloud = cloud_of("a", tmp_path)
    done_of(in_sync_world("a"), [cloud])
    assert planned_outcome(cloud) == {
        "state": "in_sync",
        "changed": False,
        "account_id": ACCOUNT,
        "reasons": [],
    }


def test_a_cloud_that_is_refused(tmp_path: Path) -> None:
    """With the facts of the error."""
    cloud = cloud_of("a", tmp_path)
    cloud.error = DENIED
    assert planned_outcome(cloud) == {
        "state": "failed",
        "changed": False,
        "account_id": ACCOUNT,
        "reasons": [],
        "msg": "Denied. Ask.",
        "error": {"code": "AccessDenied", "status": 403},
    }


def test_a_cloud_that_was_changed(tmp_path: Path) -> None:
    """Resource by resource: why, the backups, and the requests with who made them."""
    world, cloud = World(bucket__a=["other"]), cloud_of("a", tmp_path)
    done = done_of(world, [cloud])
    outcome = outcome_of(cloud, done, check_mode=False)
    files = outcome.pop("backup_files")
    assert sorted(Path(file).name.split(".")[1] for file in files) == ["4711"] * len(STAGES)
    assert outcome == {
        "state": "changed",
        "changed": True,
        "account_id": ACCOUNT,
        "reasons": [f"{stage}_without_a" for stage in STAGES],
        "resources": [f"{stage} a" for stage in STAGES],
        "warnings": [],
        "writes": [
            {"operation": "fake:Put", "request_id": f"request {stage} a"} for stage in STAGES
        ],
        "principal": CALLER,
        "overwritten": False,
        "role_arn": arn_of("a"),
        "compute_config": "compute_config a",
    }


def test_why_a_cloud_needs_changes(tmp_path: Path) -> None:
    """In the order of the writes, whichever was planned first."""
    cloud = cloud_of("a", tmp_path)
    done_of(World(), [cloud], check_mode=True)
    assert reasons_of(cloud) == [f"{stage}_without_a" for stage in STAGES]


def test_a_cloud_that_would_be_changed(tmp_path: Path) -> None:
    """The same, but for backups and requests."""
    cloud = cloud_of("a", tmp_path)
    outcome = outcome_of(cloud, done_of(World(), [cloud], check_mode=True), check_mode=True)
    assert (outcome["state"], outcome["changed"]) == ("would_change", True)
    assert outcome["reasons"] == [f"{stage}_without_a" for stage in STAGES]
    assert (outcome["backup_files"], outcome["writes"]) == ([], [])
    assert "principal" not in outcome


def test_a_cloud_that_another_writer_changed_is_in_sync(tmp_path: Path) -> None:
    """As it was wanted, before the engine wrote."""
    world, cloud = World(), cloud_of("a", tmp_path)
    engine = Engine(InMemory(world), state="present", stages=STAGES, threads=1, clock=world.clock)
    engine.plan([cloud])
    world.documents |= in_sync_world("a").documents
    outcome = outcome_of(cloud, engine.converge([cloud]), check_mode=False)
    assert (outcome["state"], outcome["changed"], outcome["reasons"]) == ("in_sync", False, [])


def test_a_cloud_that_failed_says_what_was_changed_before(tmp_path: Path) -> None:
    """With its backups, so that they can be restored."""
    world, cloud = World(), cloud_of("a", tmp_path)
    world.errors["write", "bucket a"] = DENIED
    outcome = outcome_of(cloud, done_of(world, [cloud]), check_mode=False)
    assert (outcome["state"], outcome["msg"], outcome["changed"]) == (
        "failed",
        "Denied. Ask. Written before: trust a.",
        True,
    )
    assert outcome["resources"] == ["trust a"]
    assert outcome["writes"] == [{"operation": "fake:Put", "request_id": "request trust a"}]
    assert Path(outcome["backup_files"][0]).is_file()


def test_what_an_error_says_to_be_written_is_not_said_twice(tmp_path: Path) -> None:
    """Of a resource of which a part was written, the error says so; it may be one of many clouds."""
    cloud = cloud_of("a", tmp_path)
    done = done_of(World(), [cloud])
    error = AwsError("Denied.", "Ask. Already written: bucket a.", written=["bucket a"])
    cloud.error = error
    msg = outcome_of(cloud, done[:2], check_mode=False)["msg"]
    assert msg == "Denied. Ask. Already written: bucket a. Written before: trust a."
    assert error.failure()["msg"] == "Denied. Ask. Already written: bucket a."


def test_a_cloud_that_is_refused_has_nothing_written_before(tmp_path: Path) -> None:
    cloud = cloud_of("a", tmp_path)
    cloud.error = DENIED
    assert outcome_of(cloud, [], check_mode=False)["msg"] == "Denied. Ask."


def test_a_cloud_of_which_a_part_was_not_reached(tmp_path: Path) -> None:
    """Because the run was stopped."""
    world, clouds = World(), [cloud_of(name, tmp_path) for name in ("a", "b")]
    engine = Engine(InMemory(world), state="present", stages=STAGES, threads=1, clock=world.clock)
    engine.plan(clouds)
    world.meanwhile = lambda step, _name: engine.stop() if step == "write" else None
    done = engine.converge(dict.fromkeys(clouds))
    first, second = (
        outcome_of(cloud, [one for one in done if cloud in one.clouds], check_mode=False)
        for cloud in clouds
    )
    assert (first["state"], first["resources"]) == ("not_reached", ["trust a"])
    assert (second["state"], second["changed"]) == ("not_reached", False)


def test_a_shared_resource_has_the_reasons_of_each_cloud(tmp_path: Path) -> None:
    """Not those of others."""
    clouds = [cloud_of(name, tmp_path, bucket="data") for name in ("a", "b")]
    done = done_of(World(), clouds, stages=["bucket"])
    outcomes = [outcome_of(cloud, done, check_mode=False) for cloud in clouds]
    assert [one["reasons"] for one in outcomes] == [["bucket_without_a"], ["bucket_without_b"]]
    assert outcomes[0]["backup_files"] == outcomes[1]["backup_files"] != []


def test_the_writes_before_a_failure_are_a_change(tmp_path: Path) -> None:
    """Of a resource of which only a part was written."""
    cloud = cloud_of("a", tmp_path)
    done = done_of(World(), [cloud], stages=["bucket"])
    done[0].plan, cloud.error = Plan(None, None), DENIED
    outcome = outcome_of(cloud, done, check_mode=False)
    assert (outcome["state"], outcome["changed"], outcome["resources"]) == ("failed", True, [])


def test_reasons_that_were_found_when_it_was_written_are_said(tmp_path: Path) -> None:
    """Another writer may have changed a resource since the plan."""
    cloud = cloud_of("a", tmp_path)
    done = done_of(World(), [cloud], stages=["bucket"])
    done[0].plan = dataclasses.replace(done[0].plan, reasons=("bucket_without_a", "found_later"))
    outcome = outcome_of(cloud, done, check_mode=False)
    assert outcome["reasons"] == ["bucket_without_a", "found_later"]


def test_what_was_overwritten_is_said(tmp_path: Path) -> None:
    cloud = cloud_of("a", tmp_path)
    done = done_of(World(), [cloud])
    done[-1].restorations = 1
    assert outcome_of(cloud, done, check_mode=False)["overwritten"]


def test_facts_are_those_of_what_was_done(tmp_path: Path) -> None:
    """A version that was published is another than the planned one, if another writer was faster.
    Of a bucket's policy there is none: it is planned for several roles.
    """
    cloud = cloud_of("a", tmp_path)
    done = done_of(World(), [cloud])
    by_stage = {one.resource.stage: one for one in done}
    for stage, result in {
        "compute_config": {"compute_config": "a:3"},
        "instance_profile": {"instance_profile_arn": "arn:profile"},
        "bucket": {"role_arn": "arn:of another cloud"},
    }.items():
        one = by_stage[stage]
        one.plan = dataclasses.replace(one.plan, result=result)
    outcome = outcome_of(cloud, done, check_mode=False)
    assert outcome["compute_config"] == "a:3"
    assert outcome["instance_profile_arn"] == "arn:profile"
    assert outcome["role_arn"] == arn_of("a")


def test_warnings_are_those_of_the_cloud(tmp_path: Path) -> None:
    """Of its own plans, and of what was done for it alone; each once."""
    clouds = [
        cloud_of("a", tmp_path, bucket="data"),
        cloud_of("b", tmp_path, bucket="data", role="old-b"),
    ]
    done = done_of(World(), clouds, stages=["trust", "bucket"])
    for one in done:
        warnings = (*one.plan.warnings, f"While {one.resource.stage} was written.")
        one.plan = dataclasses.replace(one.plan, warnings=warnings)
    first, second = (
        outcome_of(cloud, [one for one in done if cloud in one.clouds], check_mode=False)[
            "warnings"
        ]
        for cloud in clouds
    )
    assert first == ["trust a: While trust was written."]
    assert second == [
        "trust old-b: old-b is old.",
        "bucket data: old-b is old.",
        "trust old-b: While trust was written.",
    ]


def test_warnings_of_a_cloud_in_sync(tmp_path: Path) -> None:
    world, cloud = in_sync_world("old"), cloud_of("old", tmp_path)
    done_of(world, [cloud], stages=["trust"])
    assert not cloud.is_pending
    assert warnings_of(cloud) == ["trust old: old is old."]


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Neither in an error nor in a warning."""
    connection = {"secret_key": SECRET}
    cloud = cloud_of("a", tmp_path, connection=connection)
    done = done_of(World(), [cloud], stages=["trust"])
    done[0].plan = dataclasses.replace(done[0].plan, warnings=(f"with {SECRET}",))
    cloud.error = TaskError(f"With {SECRET}.", f"Not with {SECRET}.", header=SECRET)
    for outcome in (planned_outcome(cloud), outcome_of(cloud, done, check_mode=False)):
        assert outcome["state"] == "failed"
        assert SECRET not in str(outcome)
        assert "With ****" in outcome["msg"]


# --- diffs ----------------------------------------------------------------------------------------


def test_the_diff_of_a_shared_document_is_displayed_once(tmp_path: Path) -> None:
    """For the first of its clouds; the others name it."""
    clouds = [cloud_of(name, tmp_path, bucket="data") for name in ("a", "b")]
    done = done_of(World(bucket__data=["other"]), clouds, stages=["bucket"])
    [first] = diffs_of(clouds[0], done)
    assert (first["before_header"], first["after_header"]) == (
        "a: bucket data (before)",
        "a: bucket data (after)",
    )
    assert [word in first["before"] for word in ("other", '"a"', '"b"')] == [True, False, False]
    assert [word in first["after"] for word in ("other", '"a"', '"b"')] == [True, True, True]
    assert diffs_of(clouds[1], done) == [{"prepared": "b: bucket data: displayed for a\n"}]


def test_there_is_a_diff_for_each_document_that_changed(tmp_path: Path) -> None:
    """What was found to be in sync has none, and no document is displayed as none."""
    cloud = cloud_of("a", tmp_path)
    done = done_of(World(), [cloud])
    done[0].plan = Plan(done[0].plan.after, done[0].plan.after)
    diffs = diffs_of(cloud, done)
    assert [diff["before_header"] for diff in diffs] == [
        f"a: {stage} a (before)" for stage in STAGES[1:]
    ]
    assert {diff["before"] for diff in diffs} == {""}
