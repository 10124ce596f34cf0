# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module iam_pass_role against IAM as the sandbox plays it."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    OTHER_ACCOUNT,
    ROLE,
    ROLE_ARN,
    Json,
    make_role,
    policy,
)
from ansible_collections.rayfleet.anyscale.tests.support.call_budgets import IN_SYNC, TOOLING
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import (
    Run,
    converge,
    documented_reasons,
    refused,
    settled,
    write_operations,
)

MODULE, RESTORE = "iam_pass_role", "backup_restore"
CONTROL, NAME = "anyscale-control-plane", "AnyscalePassRole"
PROFILE_ARN = ROLE_ARN.replace(":role/", ":instance-profile/")
LAUNCH = {"Sid": "Launch", "Effect": "Allow", "Action": "ec2:RunInstances", "Resource": "*"}
GIVEN = {"control_plane_role": CONTROL, "roles": [ROLE], "account_id": ACCOUNT}


def passes(*arns: str) -> Json:
    return {
        "Sid": NAME,
        "Effect": "Allow",
        "Action": ["iam:PassRole"],
        "Resource": list(arns),
        "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
    }


def reads(*arns: str) -> Json:
    return {
        "Sid": "AnyscaleGetInstanceProfile",
        "Effect": "Allow",
        "Action": ["iam:GetInstanceProfile"],
        "Resource": list(arns),
    }


@pytest.fixture
def scene(sandbox: Sandbox) -> Sandbox:
    """A control-plane role, and a role for clusters."""
    make_role(sandbox, CONTROL)
    make_role(sandbox)
    return sandbox


def put(sandbox: Sandbox, *statements: Json, name: str = NAME) -> None:
    sandbox.client("iam", ACCOUNT).put_role_policy(
        RoleName=CONTROL, PolicyName=name, PolicyDocument=json.dumps(policy(*statements))
    )


def stored(sandbox: Sandbox) -> dict[str, Json]:
    iam = sandbox.client("iam", ACCOUNT)
    return {
        name: iam.get_role_policy(RoleName=CONTROL, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=CONTROL)["PolicyNames"]
    }


def test_create_modify_delete(scene: Sandbox, run_module: Run) -> None:
    put(scene, LAUNCH, name="ops")
    made = converge(scene, run_module, MODULE, ["pass_role_missing"], **GIVEN)
    assert stored(scene)[NAME] == policy(passes(ROLE_ARN), reads(PROFILE_ARN))
    assert set(made["granted_by"]) == {ROLE_ARN, PROFILE_ARN}
    other = make_role(scene, "ray-team-b", Path="/ray/")
    profile = scene.client("iam", ACCOUNT).create_instance_profile(
        InstanceProfileName="ray-team-b", Path="/profiles/"
    )["InstanceProfile"]["Arn"]
    both = {**GIVEN, "roles": [ROLE, "ray-team-b"]}
    converge(scene, run_module, MODULE, ["pass_role_missing"], **both)
    assert stored(scene)[NAME] == policy(passes(ROLE_ARN, other), reads(PROFILE_ARN, profile))
    converge(scene, run_module, MODULE, ["pass_role_present"], **GIVEN, state="absent")
    assert stored(scene)[NAME] == policy(passes(other), reads(profile))
    gone = converge(scene, run_module, MODULE, ["pass_role_present"], **both, state="absent")
    assert gone["role_policy"] is None
    assert stored(scene) == {"ops": policy(LAUNCH)}


def test_a_permission_that_is_there_needs_no_statement(scene: Sandbox, run_module: Run) -> None:
    put(scene, {**LAUNCH, "Action": ["iam:PassRole", "iam:Get*"]}, name="ops")
    result = settled(scene, run_module, MODULE, **GIVEN)
    assert all("of policy ops" in where[0] for where in result["granted_by"].values())
    scene.clear_calls()
    settled(scene, run_module, MODULE, **GIVEN, state="absent")


def test_the_registered_control_plane_role_of_a_cloud(sandbox: Sandbox, run_module: Run) -> None:
    sandbox.seed((IN_SYNC,))
    given = {"cloud_id": IN_SYNC.cloud_id, "account_id": ACCOUNT, **TOOLING}
    iam = sandbox.client("iam", ACCOUNT)
    for name in iam.list_role_policies(RoleName=IN_SYNC.control_plane_role_name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=IN_SYNC.control_plane_role_name, PolicyName=name)
    made = run_module(MODULE, **given)
    assert (made["changed"], made["role_arn"]) == (True, IN_SYNC.control_plane_role_arn)
    assert IN_SYNC.role_arn in made["granted_by"]


REFUSALS: dict[str, tuple[Json, tuple[str, ...]]] = {
    "a control-plane role that is not there": ({"control_plane_role": "none"}, ("does not exist",)),
    "a role that is not there": ({"roles": ["none"]}, ("none", "does not exist")),
    "the control-plane role itself": ({"roles": [CONTROL]}, ("control-plane role",)),
    "a role of another account": (
        {"roles": [ROLE_ARN.replace(ACCOUNT, OTHER_ACCOUNT)]},
        (OTHER_ACCOUNT,),
    ),
    "a role of another account, where no option names the account": (
        {"account_id": None, "roles": [ROLE_ARN.replace(ACCOUNT, OTHER_ACCOUNT)]},
        (OTHER_ACCOUNT, ACCOUNT),
    ),
    "a role with another path": (
        {"roles": [ROLE_ARN.replace(ROLE, f"ray/{ROLE}")]},
        (f"ray/{ROLE}", ROLE_ARN),
    ),
    "the control-plane role itself, in other letters": (
        {"roles": [f"arn:aws:iam::{ACCOUNT}:role/{CONTROL.upper()}"]},
        ("control-plane role",),
    ),
    "an instance profile of another account": (
        {"instance_profiles": [PROFILE_ARN.replace(ACCOUNT, OTHER_ACCOUNT)]},
        (OTHER_ACCOUNT, ACCOUNT),
    ),
    "no role": ({"roles": []}, ("empty list",)),
    "a control-plane role of AWS": (
        {"control_plane_role": "AWSServiceRoleForSupport"},
        ("does not exist",),
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_it_refuses(scene: Sandbox, run_module: Run, case: str) -> None:
    options, phrases = REFUSALS[case]
    refused(scene, run_module, MODULE, *phrases, **{**GIVEN, **options})


def test_the_run_never_changes_its_own_role(scene: Sandbox, run_module: Run) -> None:
    """Neither as the control-plane role nor as one that is passed."""
    trust = policy(
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "sts:AssumeRole",
        }
    )
    arn = make_role(scene, "runner", trust)
    made = scene.client("sts", ACCOUNT).assume_role(RoleArn=arn, RoleSessionName="job")
    keys = {
        "access_key": made["Credentials"]["AccessKeyId"],
        "secret_key": made["Credentials"]["SecretAccessKey"],
        "session_token": made["Credentials"]["SessionToken"],
    }
    for own in ({"control_plane_role": "runner"}, {"roles": ["runner"]}):
        refused(scene, run_module, MODULE, arn, "of this run itself", **{**GIVEN, **keys, **own})


def test_the_quota_is_known_before_the_write(scene: Sandbox, run_module: Run) -> None:
    put(scene, {**LAUNCH, "Resource": f"arn:aws:ec2:::{'x' * 9800}"}, name="long")
    refused(scene, run_module, MODULE, "10240", "inline policies", **GIVEN)


def test_it_can_be_taken_back(scene: Sandbox, run_module: Run) -> None:
    put(scene, LAUNCH)
    made = run_module(MODULE, **GIVEN, backup=True)
    scene.clear_calls()
    back = run_module(RESTORE, files=[made["backup_file"]])
    assert back["document"] == policy(LAUNCH)
    assert write_operations(scene) == ["PutRolePolicy"]
    assert stored(scene) == {NAME: policy(LAUNCH)}


Arrange = t.Callable[[Sandbox], None]
REASONS: dict[str, tuple[Arrange, Json]] = {
    "pass_role_missing": (lambda sandbox: None, {}),
    "statement_differs": (
        lambda sandbox: put(
            sandbox,
            {
                **passes(ROLE_ARN),
                "Condition": {
                    **passes()["Condition"],
                    "Bool": {"aws:SecureTransport": "false"},
                },
            },
        ),
        {},
    ),
    "duplicate_statement": (
        lambda sandbox: put(
            sandbox, passes(f"{ROLE_ARN}-2"), {**passes(f"{ROLE_ARN}-3"), "Sid": f"{NAME}2"}
        ),
        {},
    ),
    "pass_role_present": (lambda sandbox: put(sandbox, passes(ROLE_ARN)), {"state": "absent"}),
}


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_occurs(scene: Sandbox, run_module: Run, reason: str) -> None:
    arrange, options = REASONS[reason]
    arrange(scene)
    assert reason in run_module(MODULE, **GIVEN, **options)["reasons"]


def test_each_documented_reason_has_a_case() -> None:
    """But the one of all policies, which has its own tests."""
    assert documented_reasons(MODULE) == {*REASONS, "unmanaged_statement_lost"}
