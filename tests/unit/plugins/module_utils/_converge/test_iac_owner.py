# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A resource's tags show which other tool owns it."""

from __future__ import annotations

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iac_owner import owner_of
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
)

OWNERS = {
    "CloudFormation by the stack's name": (
        {"aws:cloudformation:stack-name": "anyscale-prod"},
        ("CloudFormation", "anyscale-prod"),
    ),
    "CloudFormation by all that it tags": (
        {
            "aws:cloudformation:stack-id": f"arn:aws:cloudformation:eu-west-1:{ACCOUNT}:stack/prod/1f2e",
            "aws:cloudformation:logical-id": "ClusterNodeRole",
            "aws:cloudformation:stack-name": "anyscale-prod",
        },
        ("CloudFormation", "anyscale-prod"),
    ),
    "CloudFormation by the stack's id alone": (
        {"aws:cloudformation:stack-id": "arn:aws:cloudformation:..."},
        ("CloudFormation",),
    ),
    "CloudFormation by the logical id alone": (
        {"aws:cloudformation:logical-id": "ClusterNodeRole"},
        ("CloudFormation",),
    ),
    "Terraform by Anyscale's module": (
        {"tf_module": "aws-anyscale-iam"},
        ("Terraform", "aws-anyscale-iam"),
    ),
    "Terraform by Anyscale's submodule": (
        {"tf_sub_module": "aws-anyscale-s3-policy"},
        ("Terraform", "aws-anyscale-s3-policy"),
    ),
    "Terraform by both": (
        {"tf_sub_module": "aws-anyscale-iam", "tf_module": "cloudfoundation"},
        ("Terraform",),
    ),
    "Terraform by who manages it": ({"ManagedBy": "Terraform"}, ("Terraform",)),
    "Terraform by who manages it, in another spelling": (
        {"managed-by": "terraform"},
        ("Terraform",),
    ),
    "CloudFormation by who manages it": ({"ManagedBy": "CloudFormation"}, ("CloudFormation",)),
    "Terraform among other tags": (
        {"Name": "ray", "team": "a", "managed_by": "terraform"},
        ("Terraform",),
    ),
}


@pytest.mark.parametrize(("tags", "words"), OWNERS.values(), ids=list(OWNERS))
def test_the_owner_is(tags: dict[str, str], words: tuple[str, ...]) -> None:
    owner = owner_of([{"Key": key, "Value": value} for key, value in tags.items()])
    assert owner is not None
    assert all(word in owner for word in words)


UNOWNED = {
    "no tags": [],
    "no list of tags": None,
    "tags that say nothing of it": [
        {"Key": "Name", "Value": "terraform"},
        {"Key": "team", "Value": "CloudFormation"},
    ],
    "managed by Ansible": [{"Key": "ManagedBy", "Value": "ansible"}],
    "a tag that is named alike": [
        {"Key": "tf_modules", "Value": "x"},
        {"Key": "cloudformation:stack-name", "Value": "x"},
    ],
}


@pytest.mark.parametrize("tags", UNOWNED.values(), ids=list(UNOWNED))
def test_there_is_no_owner_by(tags: list[dict[str, str]] | None) -> None:
    assert owner_of(tags) is None
