# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""cloud_launches_info, and the checks of an audit that are about the same, against the sandbox."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._launches import PATHS, SECRET, STATES
from ansible_collections.rayfleet.anyscale.tests.sandbox._seed_documents import compute_config
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    REGION,
    Json,
    make_role,
)
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import (
    Run,
    documented_returns,
    failure,
)

CLOUD = Cloud(
    "vision",
    ACCOUNT,
    role="ray-team-a",
    trust="manual_page",
    bucket_policy="complete",
    profile="filled",
    compute_config="in_sync",
)
WANTED: Json = {
    "cloud_id": CLOUD.cloud_id,
    "account_id": ACCOUNT,
    "compute_config": [CLOUD.compute_config_name],
}
_LISTINGS = {f"GET {path}" for path in PATHS}


def version_of(sandbox: Sandbox, state: str) -> str:
    """The next version of the compute config, as a cloud in this state has it; its id."""
    request = t.cast(Json, compute_config(dataclasses.replace(CLOUD, compute_config=state)))
    return str(sandbox.organization.create_template(request)["id"])


@pytest.fixture(name="older")
def _older(sandbox: Sandbox) -> str:
    """A cloud, and the id of a version of its compute config with another profile. The newest one
    names the role's.
    """
    sandbox.seed((dataclasses.replace(CLOUD, compute_config="missing"),))
    older = version_of(sandbox, "other_profile")
    newest = version_of(sandbox, "in_sync")
    for kind in STATES:
        sandbox.organization.launch(kind, CLOUD.cloud_id, f"new-{kind}", newest)
    return older


def test_all_kinds_and_instances(sandbox: Sandbox, run_module: Run, older: str) -> None:
    for kind in STATES:
        sandbox.organization.launch(kind, CLOUD.cloud_id, f"old-{kind}", older)
    sandbox.organization.launch("cluster", CLOUD.cloud_id, "gone", older, "Terminated")
    make_role(sandbox, "other")
    sandbox.accounts.add_instance_profile(ACCOUNT, "other", "other")
    right = sandbox.accounts.add_instance(ACCOUNT, REGION, CLOUD.cloud_id, CLOUD.role_name)
    wrong = sandbox.accounts.add_instance(ACCOUNT, REGION, CLOUD.cloud_id, "other")
    sandbox.accounts.add_instance(ACCOUNT, REGION, "cld_other", "other")
    sandbox.clear_calls()
    result = run_module("cloud_launches_info", aws=True, **WANTED)
    documented = set(documented_returns("cloud_launches_info")) - {"error"}
    assert set(result) - {"invocation"} == {"changed", "warnings", *documented}
    assert result["changed"] is False
    assert {one["name"]: one["verdict"] for one in result["launches"]} == {
        **{f"new-{kind}": "wanted" for kind in STATES},
        **{f"old-{kind}": "older_version" for kind in STATES},
    }
    assert {one["id"]: one["verdict"] for one in result["instances"]} == {
        right: "wanted",
        wrong: "other",
    }
    assert result["counts"] == {"wanted": 6, "other": 1, "older_version": 5, "cannot_tell": 0}
    assert (result["truncated"], result["unread"], result["warnings"]) == ([], {}, [])
    assert SECRET not in json.dumps(result)
    assert sandbox.writes() == []
    assert run_module("cloud_launches_info", check=True, aws=True, **WANTED) == result


def test_calls_are_bounded(sandbox: Sandbox, run_module: Run, older: str) -> None:
    for number in range(60):
        sandbox.organization.launch("cluster", CLOUD.cloud_id, f"old-{number}", older)
    sandbox.clear_calls()
    result = run_module("cloud_launches_info", limit=1, **WANTED)
    made = [call["operation"] for call in sandbox.calls()]
    assert {name: made.count(name) for name in _LISTINGS} == dict.fromkeys(_LISTINGS, 1)
    assert "DescribeInstances" not in made
    assert result["truncated"] == ["cluster"]
    assert result["warnings"][0].endswith("There are more launches of kind cluster than were read.")


@pytest.mark.parametrize("check", ["launches_use_the_config", "instances_run_with_the_role"])
def test_checks_of_an_audit(sandbox: Sandbox, run_module: Run, older: str, check: str) -> None:
    sandbox.organization.launch("job", CLOUD.cloud_id, "nightly", older)
    sandbox.accounts.add_instance(ACCOUNT, REGION, CLOUD.cloud_id)
    without = run_module("cloud_iam_info", **WANTED)
    assert check not in [one["id"] for one in without["checks"]]
    sandbox.clear_calls()
    found = run_module("cloud_iam_info", check_launches=True, **WANTED)
    assert {one["id"]: one["status"] for one in found["checks"]}[check] == "fail"
    assert sandbox.writes() == []


# A read that is refused: the options beside it, the check, and the permission that it names.
@pytest.mark.parametrize(
    ("operation", "check", "permission"),
    [
        ("DescribeInstances", "instances_run_with_the_role", "ec2:DescribeInstances"),
        ("ListInstanceProfilesForRole", "instances_run_with_the_role", None),
        ("ListInstanceProfilesForRole", "launches_use_the_config", None),
    ],
)
def test_refused_read_is_unknown(
    sandbox: Sandbox,
    run_module: Run,
    older: str,
    operation: str,
    check: str,
    permission: str | None,
) -> None:
    sandbox.accounts.add_instance(ACCOUNT, REGION, CLOUD.cloud_id, CLOUD.role_name)
    sandbox.settings(denied=[operation])
    found = run_module("cloud_iam_info", check_launches=True, **WANTED)
    (one,) = [one for one in found["checks"] if one["id"] == check]
    assert one["status"] == "unknown"
    wanted = permission or f"iam:{operation}"
    assert one["evidence"]["missing_permission"] == wanted
    if permission:
        failed = failure(run_module("cloud_launches_info", aws=True, **WANTED))
        assert f"Grant {permission} to the caller" in failed["msg"]


def test_region_that_is_none(sandbox: Sandbox, run_module: Run, older: str) -> None:
    """It would be part of the name of a host that gets signed requests."""
    sandbox.organization.resources[CLOUD.cloud_id][0]["region"] = "x.example.com/#"
    failed = failure(run_module("cloud_launches_info", aws=True, **WANTED))
    assert "which is not a region of partition aws" in failed["msg"]


def test_answer_of_another_form(sandbox: Sandbox, run_module: Run, older: str) -> None:
    sandbox.organization.launches._rows["job"][0]["config"] = "none"
    failed = failure(run_module("cloud_launches_info", **WANTED))
    assert "a launch whose config has another form than in its API" in failed["msg"]


def test_kubernetes_has_nothing_to_list(sandbox: Sandbox, run_module: Run, older: str) -> None:
    sandbox.organization.resources[CLOUD.cloud_id][0]["compute_stack"] = "K8S"
    result = run_module("cloud_launches_info", aws=True, **WANTED)
    assert (result["launches"], result["instances"]) == ([], [])
    assert "does not run on AWS virtual machines" in result["warnings"][0]
