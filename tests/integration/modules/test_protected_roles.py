# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roles that no cluster may run with, and clouds in another account, as the modules and the fleet
engine refuse them.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import (
    TOOLING_ACCOUNT,
    caller_key,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._seed_documents import account_trust
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import ONBOARDING_ROLE
from ansible_collections.rayfleet.anyscale.tests.support import engine_runs
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    OTHER_ACCOUNT,
    ROLE,
    ROLE_ARN,
    Json,
    make_role,
    policy,
)
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import Run, refused

CLOUD = Cloud("vision", ACCOUNT, role=ROLE, trust="lambda_only")
ONBOARDING_ARN = f"arn:aws:iam::{ACCOUNT}:role/{ONBOARDING_ROLE}"
# What each module is given beside the role.
MODULES: dict[str, t.Callable[[str], Json]] = {
    "iam_trust_ec2": lambda role: {"role": role},
    # The control-plane role has the bucket by its own policy already.
    "s3_cloud_access": lambda role: {
        "roles": [role],
        "bucket": CLOUD.bucket_name,
        "grant": "bucket_policy",
    },
    "compute_config_profile": lambda role: {
        "role": role,
        "cloud_id": CLOUD.cloud_id,
        "name": CLOUD.compute_config_name,
    },
}
LETS_CLUSTERS_RUN = ("iam_trust_ec2", "compute_config_profile")
Scene = t.Callable[[Sandbox], tuple[str, Json]]


@pytest.fixture(autouse=True)
def _seed(sandbox: Sandbox) -> None:
    sandbox.seed((CLOUD,))


def assumed(_sandbox: Sandbox) -> tuple[str, Json]:
    """The role that the run assumes."""
    keys = {"access_key": caller_key(TOOLING_ACCOUNT), "secret_key": "sandbox"}
    return ONBOARDING_ARN, {**keys, "assume_role_arn": ONBOARDING_ARN}


def assuming(sandbox: Sandbox) -> tuple[str, Json]:
    """The role that assumes that one."""
    make_role(sandbox, "runner", account_trust(ACCOUNT))
    role_arn = f"arn:aws:iam::{ACCOUNT}:role/runner"
    keys = sandbox.client("sts", ACCOUNT).assume_role(RoleArn=role_arn, RoleSessionName="job")
    trust = account_trust(ACCOUNT)
    sandbox.client("iam", ACCOUNT).update_assume_role_policy(
        RoleName=ONBOARDING_ROLE, PolicyDocument=json.dumps(trust)
    )
    return role_arn, {
        "access_key": keys["Credentials"]["AccessKeyId"],
        "secret_key": keys["Credentials"]["SecretAccessKey"],
        "session_token": keys["Credentials"]["SessionToken"],
        "assume_role_arn": ONBOARDING_ARN,
    }


def calling(sandbox: Sandbox) -> tuple[str, Json]:
    """The role of the caller, where none is assumed."""
    role, options = assuming(sandbox)
    return role, {name: value for name, value in options.items() if name != "assume_role_arn"}


def of_identity_center(sandbox: Sandbox) -> tuple[str, Json]:
    """A role that only AWS may change, by its name."""
    name = "AWSReservedSSO_AdministratorAccess_0123456789abcdef"
    make_role(sandbox, name, Path="/aws-reserved/sso.amazonaws.com/eu-west-1/")
    return name, {}


def of_the_control_plane(_sandbox: Sandbox) -> tuple[str, Json]:
    """The role that Anyscale assumes, as it is registered for the cloud."""
    return CLOUD.control_plane_role_arn, {"cloud_id": CLOUD.cloud_id}


PROTECTED: dict[str, tuple[Scene, str]] = {
    "the role that is assumed": (assumed, "role of this run itself"),
    "the role that assumes it": (assuming, "role of this run itself"),
    "the role of the caller": (calling, "role of this run itself"),
    "a control-plane role": (of_the_control_plane, "control-plane role"),
    "a role of Identity Center": (of_identity_center, "reserved for AWS"),
}


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("case", PROTECTED)
def test_each_module_refuses(sandbox: Sandbox, run_module: Run, case: str, module: str) -> None:
    arrange, words = PROTECTED[case]
    role, options = arrange(sandbox)
    given = {**MODULES[module](role), **options, "allow_privileged": True}
    if module not in LETS_CLUSTERS_RUN:
        del given["allow_privileged"]
    refused(sandbox, run_module, module, role, words, "cloud_iam_role", **given)


# --- roles like an administrator's ----------------------------------------------------------------

EVERYTHING = {"Sid": "Ops", "Effect": "Allow", "Action": "iam:*", "Resource": "*"}


def with_an_inline_policy(sandbox: Sandbox) -> None:
    """One that allows all of IAM."""
    sandbox.client("iam", ACCOUNT).put_role_policy(
        RoleName=ROLE, PolicyName="ops", PolicyDocument=json.dumps(policy(EVERYTHING))
    )


def with_an_attached_policy(sandbox: Sandbox) -> None:
    """One of the account, whose default version allows all of IAM."""
    iam = sandbox.client("iam", ACCOUNT)
    first = policy({**EVERYTHING, "Action": "ec2:DescribeTags"})
    arn = iam.create_policy(PolicyName="ops", PolicyDocument=json.dumps(first))["Policy"]["Arn"]
    iam.create_policy_version(
        PolicyArn=arn, PolicyDocument=json.dumps(policy(EVERYTHING)), SetAsDefault=True
    )
    iam.attach_role_policy(RoleName=ROLE, PolicyArn=arn)


def with_policies_that_cannot_be_read(sandbox: Sandbox) -> None:
    """The caller may do all but that."""
    may = [
        {**EVERYTHING, "Action": "*"},
        {**EVERYTHING, "Sid": "No", "Effect": "Deny", "Action": "iam:ListAttachedRolePolicies"},
    ]
    sandbox.settings(identity_policies={ACCOUNT: policy(*may)})


PRIVILEGED: dict[str, tuple[t.Callable[[Sandbox], None], str]] = {
    "an inline policy": (with_an_inline_policy, "(Sid 'Ops') of policy ops allows"),
    "an attached policy": (with_an_attached_policy, "(Sid 'Ops') of policy ops allows"),
    "policies that cannot be read": (
        with_policies_that_cannot_be_read,
        "Grant iam:ListAttachedRolePolicies",
    ),
}


@pytest.mark.parametrize("module", LETS_CLUSTERS_RUN)
@pytest.mark.parametrize("case", PRIVILEGED)
def test_a_role_like_an_administrator_is_refused_unless_the_operator_permits_it(
    sandbox: Sandbox, run_module: Run, case: str, module: str
) -> None:
    arrange, words = PRIVILEGED[case]
    arrange(sandbox)
    given = {**MODULES[module](ROLE_ARN), "account_id": ACCOUNT}
    refused(sandbox, run_module, module, ROLE_ARN, words, "cloud_iam_allow_privileged", **given)
    sandbox.clear_calls()
    assert run_module(module, allow_privileged=True, **given)["changed"]
    assert not [call for call in sandbox.calls() if call["operation"].endswith("RolePolicies")]


def test_a_role_that_became_an_administrators_is_offboarded(
    sandbox: Sandbox, run_module: Run
) -> None:
    for module in MODULES:
        assert run_module(module, **MODULES[module](ROLE_ARN))["changed"]
    with_an_inline_policy(sandbox)
    for module in MODULES:
        given = MODULES[module](ROLE_ARN)
        assert not run_module(module, **given)["changed"]
        assert run_module(module, state="absent", **given)["changed"]


def variables_of(cloud: Cloud) -> Json:
    """The variables of a cloud in an inventory written by hand, without their prefix."""
    return {
        "account_id": ACCOUNT,
        "cloud_id": cloud.cloud_id,
        "role": cloud.role_arn,
        "bucket": cloud.bucket_name,
        "compute_config": cloud.compute_config_name,
        "access_key": caller_key(ACCOUNT),
        "secret_key": "sandbox",
        "lock_dir": str(Path.home() / "locks"),
    }


def test_the_engine_refuses_only_the_cloud_of_such_a_role(sandbox: Sandbox) -> None:
    """The other one is converged, and its variables may permit it."""
    other = Cloud("speech", ACCOUNT, role="speech-ray", trust="lambda_only")
    sandbox.seed((other,))
    with_an_inline_policy(sandbox)
    variables = {cloud.name: variables_of(cloud) for cloud in (CLOUD, other)}
    outcomes = engine_runs.converge(variables, confirm=False)
    assert {name: one["state"] for name, one in outcomes.items()} == {
        "vision": "failed",
        "speech": "changed",
    }
    assert "cloud_iam_allow_privileged" in outcomes["vision"]["msg"]
    assert outcomes["vision"]["changed"] is False
    variables["vision"]["allow_privileged"] = "true"
    assert engine_runs.converge(variables, confirm=False)["vision"]["state"] == "changed"


# --- the account that is registered ---------------------------------------------------------------

ELSEWHERE = Cloud("elsewhere", OTHER_ACCOUNT, role="elsewhere-ray")
MISTAKEN: Json = {"account_id": ACCOUNT, "cloud_id": ELSEWHERE.cloud_id}
NAMED = (ACCOUNT, OTHER_ACCOUNT, ELSEWHERE.cloud_id, "cloud_iam_account_id", "cloud_iam_cloud_id")


@pytest.mark.parametrize("module", MODULES)
def test_a_module_refuses_the_id_of_a_cloud_in_another_account(
    sandbox: Sandbox, run_module: Run, module: str
) -> None:
    """Whether it would grant or revoke."""
    sandbox.seed((ELSEWHERE,))
    given = MODULES[module](ROLE_ARN)
    refused(sandbox, run_module, module, *NAMED, **{**given, **MISTAKEN})
    if module != "compute_config_profile":  # that cloud's config does not lead to the role
        run_module(module, **given)
        refused(sandbox, run_module, module, *NAMED, **{**given, **MISTAKEN}, state="absent")


def test_the_engine_changes_nothing_for_such_a_row(sandbox: Sandbox) -> None:
    sandbox.seed((ELSEWHERE,))
    sandbox.clear_calls()
    outcome = engine_runs.converge({"row": {**variables_of(CLOUD), **MISTAKEN}})["row"]
    assert outcome["state"] == "failed"
    assert [words for words in NAMED if words not in outcome["msg"]] == []
    assert sandbox.writes() == []


def test_a_cloud_that_is_deleted_at_anyscale_can_be_offboarded(
    sandbox: Sandbox, run_module: Run
) -> None:
    given = {**MODULES["iam_trust_ec2"](ROLE_ARN), "account_id": ACCOUNT}
    assert run_module("iam_trust_ec2", **given)["changed"]
    gone = {**given, "cloud_id": "cld_000000000000"}
    assert run_module("iam_trust_ec2", **gone, state="absent")["changed"]
    refused(sandbox, run_module, "iam_trust_ec2", "404", **gone)
