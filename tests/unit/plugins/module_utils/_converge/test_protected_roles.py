# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which roles no cluster may run with."""

from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given, strategies as st
from moto.iam.aws_managed_policies import aws_managed_policies_data

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.protected_roles import (
    Judged,
    administrator_statement,
    refuse_administrator,
    refuse_control_plane,
    refuse_own,
    refuse_reserved,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError

ACCOUNT, OTHER = "123456789012", "210987654321"
NOW = 1_795_000_000.0  # 2026-11-18
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ray-team-a"


@pytest.mark.parametrize(
    ("role", "kind"),
    [
        (f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/x.amazonaws.com/any", "service-linked"),
        (f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/eu/any", "reserved for AWS"),
        (f"arn:aws-cn:iam::{ACCOUNT}:role/aws-reserved/any", "reserved for AWS"),
        ("AWSServiceRoleForBatch", "service-linked"),
        ("AWSReservedSSO_AdministratorAccess_0123456789abcdef", "Identity Center"),
        ("awsreservedsso_any", "reserved for AWS"),
    ],
)
def test_roles_of_aws_are_refused(role: str, kind: str) -> None:
    with pytest.raises(RefusedError, match=kind) as refused:
        refuse_reserved(role)
    assert role in refused.value.message
    assert "role (cloud_iam_role in playbooks)" in refused.value.remedy


@pytest.mark.parametrize(
    "role",
    [ROLE, "ray", f"arn:aws:iam::{ACCOUNT}:role/team/aws-reserved/ray", "my-AWSReservedSSO_role"],
)
def test_other_roles_are_not_roles_of_aws(role: str) -> None:
    refuse_reserved(role)


SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/ray-team-a/rayfleet"
CALLERS: dict[str, tuple[str, bool]] = {
    "a session of the role": (SESSION, True),
    "the role": (ROLE, True),
    "the role, with a path": (ROLE.replace("role/", "role/ops/"), True),
    "another role": (ROLE.replace("team-a", "team-b"), False),
    "no ARN": ("ray-team-a", False),
    "a session of the role, whose name has another case": (SESSION.replace("ray-t", "Ray-T"), True),
    "a session in another partition's notation": (SESSION.replace("aws", "aws-cn", 1), True),
    "a session of a role of the name in another account": (SESSION.replace(ACCOUNT, OTHER), False),
    "a session of another role": (SESSION.replace("team-a", "team-b"), False),
    "a user of the name": (f"arn:aws:iam::{ACCOUNT}:user/ray-team-a", False),
    "the account": (f"arn:aws:iam::{ACCOUNT}:root", False),
    "a federated user": (f"arn:aws:sts::{ACCOUNT}:federated-user/ray-team-a", False),
}


@pytest.mark.parametrize("case", CALLERS)
@pytest.mark.parametrize("path", ["", "tools/ci/"])
def test_the_role_of_the_run_is_refused(case: str, path: str) -> None:
    caller, is_refused = CALLERS[case]
    role = ROLE.replace("role/", f"role/{path}")
    callers = [f"arn:aws:iam::{OTHER}:user/ci", caller]
    if not is_refused:
        refuse_own(role, callers)
        return
    with pytest.raises(RefusedError, match="role of this run itself") as refused:
        refuse_own(role, callers)
    assert role in refused.value.message
    assert caller in refused.value.message


def test_a_control_plane_role_is_refused() -> None:
    refuse_control_plane(ROLE, [ROLE.replace("team-a", "team-b"), ROLE.replace(ACCOUNT, OTHER)])
    with pytest.raises(RefusedError, match=f"{ROLE} is a control-plane role"):
        refuse_control_plane(ROLE, [ROLE.replace("team-a", "team-b"), ROLE])


# Policies of AWS, of which moto has copies, and whether they are for administrators.
OF_AWS = {
    "AdministratorAccess": True,
    "AdministratorAccess-Amplify": True,
    "IAMFullAccess": True,
    "PowerUserAccess": True,
    "SageMakerStudioAdminIAMDefaultExecutionPolicy": True,
    "SageMakerStudioUserIAMPermissiveExecutionPolicy": True,
    "AmazonEC2ContainerRegistryReadOnly": False,
    "AmazonEKSWorkerNodePolicy": False,
    "AmazonS3FullAccess": False,
    "AmazonSSMManagedInstanceCore": False,
    "CloudWatchAgentServerPolicy": False,
    "ReadOnlyAccess": False,
}


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_the_policies_of_aws_are_judged_by_what_they_allow(partition: str) -> None:
    policies = json.loads(aws_managed_policies_data)
    judged = Judged(ROLE.replace("arn:aws:", f"arn:{partition}:"), now=NOW)
    found = {
        name: bool(administrator_statement(judged, name, policies[name]["Document"]))
        for name in OF_AWS
    }
    assert found == OF_AWS


def allow(action: t.Any, resource: t.Any = "*", **more: t.Any) -> dict[str, t.Any]:
    """A statement of a policy."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def under(operator: str, key: str, value: str, **more: t.Any) -> dict[str, t.Any]:
    """A statement that allows everything under a condition."""
    return {**allow("*", Condition={operator: {key: value}}), **more}


POLICY = f"arn:aws:iam::{ACCOUNT}:policy/team/ops"
RUN = f"arn:aws:iam::{OTHER}:role/ops/onboarding"
OWN_ARNS = (
    f"arn:aws:iam::{OTHER}:user/operator",
    RUN,
    f"arn:aws:sts::{OTHER}:assumed-role/ci-runner/job-7",
)
ALL_ROLES = f"arn:aws:iam::{ACCOUNT}:role/*"
LIKE_AN_ADMINISTRATOR: dict[str, dict[str, t.Any]] = {
    "everything": allow("*"),
    "everything, in lists": allow(["s3:GetObject", "*"], ["arn:aws:s3:::data", "*"]),
    "everything, in the long notation": allow("*:*"),
    "everything, with several stars": allow("**", "**"),
    "all of IAM": allow("iam:*"),
    "all of IAM, in capitals": allow("IAM:*"),
    "all of IAM, as a shorter pattern": allow("i*"),
    "all of IAM, with a question mark": allow("i?m:*"),
    "all of IAM, in an ARN": allow("iam:*", "arn:aws:iam::*:*"),
    "all of IAM, on the roles of the account": allow("iam:*", ALL_ROLES),
    "all of IAM, on the roles of a partition": allow("iam:*", "arn:*:iam::*:role/*"),
    "all of IAM, with an empty condition": allow("iam:*", Condition={}),
    "any role": allow("sts:AssumeRole"),
    "any role, in another case": allow("STS:assumerole"),
    "any role, as a pattern": allow("sts:Assume*"),
    "any role, in an ARN": allow("sts:AssumeRole", ALL_ROLES),
    "any role, with a variable for the account": allow(
        "sts:AssumeRole", "arn:aws:iam::${aws:PrincipalAccount}:role/*"
    ),
    "the policies of any role": allow(["iam:PutRolePolicy"]),
    "the keys of any user": allow("iam:CreateAccessKey", f"arn:aws:iam::{ACCOUNT}:user/*"),
    "the content of any policy": allow("iam:CreatePolicyVersion"),
    "all actions but some": {"Effect": "Allow", "NotAction": ["s3:*"], "Resource": "*"},
    "all actions but those of IAM": {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
    "all actions but one of IAM": {
        "Effect": "Allow",
        "NotAction": ["sts:*", "iam:CreateUser"],
        "Resource": "*",
    },
    "the roles of another account": allow("sts:AssumeRole", f"arn:aws:iam::{OTHER}:role/*"),
    "the roles of accounts that begin with a digit": allow(
        "sts:AssumeRole", "arn:aws:iam::2*:role/*"
    ),
    "the roles of accounts with digits in them": allow(
        "sts:AssumeRole", "arn:aws:iam::?1*7*2:role/*"
    ),
    "the roles of another account, all of IAM": allow("sts:*", f"arn:aws:iam::{OTHER}:*"),
    "all resources but the roles of its account": {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "NotResource": ALL_ROLES,
    },
    "its own inline policies": allow("iam:PutRolePolicy", ROLE),
    "its own policies, in a pattern": allow("iam:Attach*", f"arn:aws:iam::{ACCOUNT}:role/ray-*"),
    "its own policies, with a variable": allow(
        "iam:PutRolePolicy", "arn:aws:iam::${aws:PrincipalAccount}:role/ray-team-a"
    ),
    "all but the others' policies": {
        "Effect": "Allow",
        "Action": "iam:PutRolePolicy",
        "NotResource": f"{ROLE}-2",
    },
    "the content of its own policy": allow("iam:CreatePolicyVersion", POLICY),
    "the version of its own policy": allow(
        "iam:SetDefaultPolicyVersion", f"arn:aws:iam::{ACCOUNT}:policy/team/*"
    ),
    "the role of the run": allow("sts:AssumeRole", RUN),
    "the role of the run, in a pattern": allow("sts:AssumeRole", "arn:aws:iam::*:role/ops/*"),
    "the role of the caller's session": allow(
        "sts:AssumeRole", f"arn:aws:iam::{OTHER}:role/ci-runner"
    ),
    "all resources but one": {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "NotResource": f"arn:aws:iam::{ACCOUNT}:role/admin",
    },
    "all resources but those that begin with a letter": {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "NotResource": f"arn:aws:iam::{ACCOUNT}:role/q*",
    },
    "everything by TLS, as each cluster asks": under("Bool", "aws:SecureTransport", "true"),
    "everything for its own account": under("StringEquals", "aws:PrincipalAccount", ACCOUNT),
    "everything for the role itself": under("ArnLike", "aws:PrincipalArn", ROLE),
    "everything since a day that is past": under(
        "DateGreaterThan", "aws:CurrentTime", "2025-01-01T00:00:00Z"
    ),
    "everything in its own account": under("StringEquals", "aws:ResourceAccount", ACCOUNT),
    "everything in other accounts": under("StringNotEquals", "aws:ResourceAccount", ACCOUNT),
    "all resources but those of a variable": {
        "Effect": "Allow",
        "Action": "iam:*",
        "NotResource": "arn:aws:iam::*:*/${aws:PrincipalTag/team}",
    },
}
HARMLESS: dict[str, dict[str, t.Any]] = {
    "a Deny of everything": {**allow("*"), "Effect": "Deny"},
    "everything under a condition": allow("*", Condition={"Bool": {"aws:ViaAWSService": "true"}}),
    "everything without TLS": under("Bool", "aws:SecureTransport", "false"),
    "everything by an endpoint": under("StringEquals", "aws:SourceVpce", "vpce-1"),
    "everything for other accounts": under("StringEquals", "aws:PrincipalAccount", OTHER),
    "everything until a day that is past": under(
        "DateLessThan", "aws:CurrentTime", "2025-01-01T00:00:00Z"
    ),
    "everything until a day to come": under(
        "DateLessThan", "aws:CurrentTime", "2099-01-01T00:00:00Z"
    ),
    "the policies of roles with a boundary": under(
        "StringEquals", "iam:PermissionsBoundary", POLICY, Action="iam:PutRolePolicy"
    ),
    "all of S3": allow("s3:*"),
    "reading IAM": allow(["iam:Get*", "iam:List*", "iam:PassRole"]),
    "who the caller is": allow("sts:GetCallerIdentity"),
    "one role": allow("sts:AssumeRole", f"arn:aws:iam::{OTHER}:role/reader"),
    "the roles of a prefix": allow("sts:AssumeRole", "arn:aws:iam::*:role/ray-*"),
    "the roles of a path": allow("iam:*", f"arn:aws:iam::{ACCOUNT}:role/ray/*"),
    "reading itself": allow(["iam:GetRole", "iam:ListRolePolicies"], ROLE),
    "its own name in another account": allow("iam:*", ROLE.replace(ACCOUNT, OTHER)),
    "the policies of another role": allow("iam:PutRolePolicy", f"{ROLE}-2"),
    "itself, as a role to assume": allow("sts:AssumeRole", ROLE),
    "another policy of the account": allow("iam:*", f"arn:aws:iam::{ACCOUNT}:policy/other"),
    "its own policy, under a condition": allow(
        "iam:PutRolePolicy", ROLE, Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    ),
    "all roles of other accounts, whose names begin with letters": allow(
        "sts:AssumeRole", "arn:aws:iam::*:role/ops-*"
    ),
    "all resources but the roles of all accounts": {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "NotResource": "arn:aws:iam::*:role/*",
    },
    "everything in a bucket": allow("*", ["arn:aws:s3:::data", "arn:aws:s3:::data/*"]),
    "all actions but those for administrators": {
        "Effect": "Allow",
        "NotAction": ["iam:*", "sts:*"],
        "Resource": "*",
    },
    "all resources but those of IAM": {
        "Effect": "Allow",
        "Action": "*",
        "NotResource": "arn:aws:iam::*",
    },
    "no action": {"Effect": "Allow", "Resource": "*"},
}


def why(*statements: dict[str, t.Any]) -> str:
    """Why a role with a policy of these statements is like an administrator."""
    judged = Judged(ROLE, policies=(POLICY,), own_arns=OWN_ARNS, now=NOW)
    return administrator_statement(judged, "ops", {"Statement": list(statements)})


@pytest.mark.parametrize("case", LIKE_AN_ADMINISTRATOR)
def test_a_statement_for_administrators(case: str) -> None:
    assert why(LIKE_AN_ADMINISTRATOR[case]).startswith("Statement 1 (without a Sid) of policy ops")


@pytest.mark.parametrize("case", HARMLESS)
def test_a_harmless_statement(case: str) -> None:
    assert why(HARMLESS[case]) == ""


@given(
    st.lists(st.sampled_from(list(HARMLESS.values()))),
    st.sampled_from(sorted(LIKE_AN_ADMINISTRATOR)),
)
def test_no_other_statement_hides_one_for_administrators(
    others: list[dict[str, t.Any]], case: str
) -> None:
    assert why(*others) == ""
    found = why(*others, {**LIKE_AN_ADMINISTRATOR[case], "Sid": "Ops"})
    assert found.startswith(f"Statement {len(others) + 1} (Sid 'Ops') of policy ops allows ")


def test_a_role_like_an_administrator_is_refused_with_the_reason_and_the_option() -> None:
    refuse_administrator(ROLE, "")
    with pytest.raises(RefusedError) as refused:
        refuse_administrator(ROLE, "its policy allows it")
    message = refused.value.failure()["msg"]
    assert ROLE in message
    assert "its policy allows it" in message
    assert "allow_privileged (cloud_iam_allow_privileged in playbooks) to true" in message
