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
SCOPE = parse_scope(ACCOUNT, roles=["ray"], control_plane_roles=["anyscale"], buckets=["data"])
_READS = re.compile(r"\w+:(Get|List|Describe)\w+")


def statements(playbook: str, *leave_out: str) -> dict[str, dict[str, t.Any]]:
    return {
        statement["Sid"]: statement for statement in policy(playbook, SCOPE, leave_out)["Statement"]
    }


def test_every_playbook_has_a_policy() -> None:
    """But those that do not call AWS."""
    folder = Path(__file__).parents[5] / "playbooks"
    assert set(PLAYBOOKS) | {"awx", "awx_report"} == {path.stem for path in folder.glob("*.yml")}


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
