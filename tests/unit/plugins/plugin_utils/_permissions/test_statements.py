# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of permissions: a policy for every playbook, as IAM takes it. That they suffice, the
integration tests show.
"""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.modules import cloud_iam_info
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._permissions.scope import (
    parse_scope,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._permissions.statements import (
    PLAYBOOKS,
    READING,
    policy,
)

ACCOUNT = "123456789012"
NAMES: dict[str, t.Any] = {
    "roles": ["ray"],
    "control_plane_roles": ["anyscale"],
    "buckets": ["data"],
}
ROLE, CONTROL_PLANE = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("ray", "anyscale"))
POLICY = f"arn:aws:iam::{ACCOUNT}:policy/data-access"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
EVERYTHING: dict[str, t.Any] = {
    "bucket_policies": [POLICY],
    "permissions_boundary": BOUNDARY,
    "role_policies": True,
    "pass_role": True,
}
SCOPE = parse_scope(ACCOUNT, **NAMES, **EVERYTHING)
_READS = re.compile(r"\w+:(Get|List|Describe)\w+")


def statements(playbook: str, *leave_out: str) -> dict[str, dict[str, t.Any]]:
    return {
        statement["Sid"]: statement for statement in policy(playbook, SCOPE, leave_out)["Statement"]
    }


def test_every_playbook_has_a_policy() -> None:
    """But those that do not call AWS, and explain, which audits."""
    folder = Path(__file__).parents[5] / "playbooks"
    assert set(PLAYBOOKS) | {"awx", "awx_report", "explain"} == {
        path.stem for path in folder.glob("*.yml")
    }


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_the_policy_is_one_that_iam_takes(playbook: str) -> None:
    """Sids of letters and digits, each once; actions in full; resources that are the star or an ARN
    of the account or a bucket.
    """
    document = policy(playbook, SCOPE)
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert document["Version"] == "2012-10-17"
    assert len(set(sids)) == len(sids)
    assert all(sid.isalnum() for sid in sids)
    for statement in document["Statement"]:
        assert statement["Effect"] == "Allow"
        assert all(
            re.fullmatch(r"(ec2|iam|kms|s3):[A-Za-z]+", action) for action in statement["Action"]
        )
        assert all(
            re.fullmatch(
                r"\*|arn:aws:(iam::(123456789012|aws):|kms:\*:123456789012:|s3:::)[a-z].+", resource
            )
            for resource in statement["Resource"]
        )


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_the_sid_names_statements_that_only_read(playbook: str) -> None:
    for sid, statement in statements(playbook).items():
        assert sid.startswith(READING) == all(
            _READS.fullmatch(action) for action in statement["Action"]
        ), sid


def test_only_what_aws_cannot_limit_is_about_everything() -> None:
    found = {
        action
        for name in PLAYBOOKS
        for one in statements(name).values()
        if "*" in one["Resource"]
        for action in one["Action"]
    }
    assert found == {
        "iam:ListRoles",
        "iam:ListUsers",
        "iam:GetAccountAuthorizationDetails",
        "s3:ListAllMyBuckets",
        "ec2:DescribeInstances",
    }


def test_an_audit_needs_what_its_module_says() -> None:
    """And what reads many of them at once, which it does not."""
    needed = statements("audit", "ReadInBulk", "ListBuckets").values()
    found = {action for statement in needed for action in statement["Action"]}
    assert found == set(re.findall(r"C\(((?:ec2|iam|kms|s3):\w+)\)", cloud_iam_info.DOCUMENTATION))


PASSED_TO: dict[str, list[str]] = {
    "aws": ["ec2.amazonaws.com"],
    "aws-cn": ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"],
    "aws-us-gov": ["ec2.amazonaws.com"],
}


@pytest.mark.parametrize("partition", PASSED_TO)
def test_roles_are_passed_to_ec2_alone(partition: str) -> None:
    found = policy("onboard", parse_scope(ACCOUNT, partition, roles=["ray"]))["Statement"]
    (passing,) = (statement for statement in found if statement["Action"] == ["iam:PassRole"])
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": PASSED_TO[partition]}}
    assert passing["Resource"] == [f"arn:{partition}:iam::{ACCOUNT}:role/ray"]


def writes_of(playbook: str, **options: t.Any) -> dict[str, list[str]]:
    """What may be written to the policies of roles, by action, and of which roles."""
    found: dict[str, list[str]] = {}
    for statement in policy(playbook, parse_scope(ACCOUNT, **NAMES, **options))["Statement"]:
        for action in statement["Action"]:
            if re.fullmatch(r"iam:(Put|Delete|Attach|Detach)RolePolicy", action):
                found.setdefault(action, []).extend(statement["Resource"])
    return found


# What a policy may write beside what each does, by the options that ask for it.
OPTED_IN: dict[str, tuple[dict[str, t.Any], dict[str, dict[str, list[str]]]]] = {
    "nothing, by default": ({}, {"onboard": {}, "offboard": {}, "rollback": {}, "audit": {}}),
    "inline policies of cluster roles": (
        {"role_policies": True},
        {
            name: {"iam:PutRolePolicy": [ROLE], "iam:DeleteRolePolicy": [ROLE]}
            for name in ("onboard", "offboard", "rollback")
        },
    ),
    "managed policies": (
        {"bucket_policies": [POLICY]},
        {
            "onboard": {"iam:AttachRolePolicy": [ROLE], "iam:DetachRolePolicy": [ROLE]},
            "offboard": {"iam:DetachRolePolicy": [ROLE]},
            "rollback": {"iam:AttachRolePolicy": [ROLE], "iam:DetachRolePolicy": [ROLE]},
        },
    ),
    "inline policies of control-plane roles": (
        {"pass_role": True},
        {
            "onboard": {"iam:PutRolePolicy": [CONTROL_PLANE]},
            "offboard": {
                "iam:PutRolePolicy": [CONTROL_PLANE],
                "iam:DeleteRolePolicy": [CONTROL_PLANE],
            },
            "rollback": {
                "iam:PutRolePolicy": [CONTROL_PLANE],
                "iam:DeleteRolePolicy": [CONTROL_PLANE],
            },
        },
    ),
    "no boundary alone": ({"permissions_boundary": BOUNDARY}, {"onboard": {}}),
    "all, but not in an audit": (EVERYTHING, {"audit": {}, "verify_cluster": {}}),
}


@pytest.mark.parametrize(("options", "expected"), OPTED_IN.values(), ids=OPTED_IN)
def test_policies_of_roles_are_written_only_where_that_is_asked_for(
    options: dict[str, t.Any], expected: dict[str, dict[str, list[str]]]
) -> None:
    assert {name: writes_of(name, **options) for name in expected} == expected


@pytest.mark.parametrize("playbook", ["onboard", "rollback"])
def test_a_role_is_given_only_the_named_policies_and_none_without_the_boundary(
    playbook: str,
) -> None:
    boundary = {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}
    these = {"ArnLike": {"iam:PolicyARN": [POLICY]}}
    found = statements(playbook)
    assert found["AttachPolicies"]["Condition"] == {**these, **boundary}
    assert found["DetachPolicies"]["Condition"] == these
    assert found["WriteRolePolicies"]["Condition"] == boundary
    without = policy(playbook, parse_scope(ACCOUNT, **NAMES, role_policies=True))["Statement"]
    (writing,) = (one for one in without if one["Sid"] == "WriteRolePolicies")
    assert "Condition" not in writing


def test_what_can_be_left_out_is_left_out() -> None:
    whole, less = statements("onboard"), statements("onboard", "ReadInBulk", "PassRoles")
    assert set(whole) - set(less) == {"ReadInBulk", "PassRoles"}
    assert less == {sid: whole[sid] for sid in less}


MISTAKES = {
    "a playbook that there is not": ("onbord", [], "There is no playbook 'onbord'"),
    "what the playbook needs": ("onboard", ["ReadRoles"], "leave_out has 'ReadRoles'"),
    "what the playbook does not have": (
        "audit",
        ["PassRoles"],
        "leave_out has 'PassRoles'",
    ),
}


@pytest.mark.parametrize(("playbook", "leave_out", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_explained(playbook: str, leave_out: list[str], words: str) -> None:
    with pytest.raises(InputError) as caught:
        policy(playbook, SCOPE, leave_out)
    assert words in caught.value.message
    assert caught.value.remedy
