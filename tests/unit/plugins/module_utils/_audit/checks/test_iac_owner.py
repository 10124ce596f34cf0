# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check of the tools that own a cloud's documents, and the lines for them."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Fact,
    not_applicable,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_want import (
    PRESETS,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    ACCESS,
    REFUSED,
    TRUST,
    Json,
    Row,
    access,
    assert_verdict,
    checks_of,
    facts,
    own,
    role,
    rows_of,
    trusting,
    verdict,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ANYSCALE_CLOUDFORMATION,
    BUCKET,
    BUCKET_ARN,
    CLOUD_FOUNDATION,
    EIGHT,
    OBJECTS_ARN,
    ROLE_B,
    TLS_ONLY,
    TRUST_LAMBDA,
    allow,
    deny,
)

TERRAFORM = [{"Key": "tf_module", "Value": "cloudfoundation"}]
STACK = [{"Key": "aws:cloudformation:stack-name", "Value": "anyscale-prod"}]

TEMPLATE = [
    {"Key": "Name", "Value": "anyscale-prod"},
    {"Key": "anyscale-cloud-id", "Value": "cld_4fxb3wsbdcq2n1p9"},
    {"Key": "anyscale-deploy-environment", "Value": "production"},
]
# A statement of the collection in a trust policy that another tool manages.
WITH_OURS = trusting({**TRUST, "Sid": "AnyscaleEC2Trust"})
OWNED_ROLE: Json = {"role": Fact(role(Tags=TERRAFORM)), **WITH_OURS}

# By check: what is the case, the facts that differ, the status, and words of the reason.
TABLE: dict[str, dict[str, Row]] = {
    "document_owner": {
        "Terraform, of the role": (
            OWNED_ROLE,
            "warn",
            "Terraform (module cloudfoundation) manages the role",
        ),
        "Terraform, of the bucket": (
            {"bucket_tags": Fact(TERRAFORM)},
            "warn",
            "manages the bucket",
        ),
        "CloudFormation, of the bucket, and so maybe of the role": (
            {"bucket_tags": Fact(STACK), **WITH_OURS},
            "warn",
            "CloudFormation (stack anyscale-prod) manages the bucket, and probably the role, since "
            "CloudFormation puts no tags of its own on roles",
        ),
        "CloudFormation, of the bucket, and Terraform, of the role": (
            {"bucket_tags": Fact(STACK), **OWNED_ROLE},
            "warn",
            "Terraform (module cloudfoundation) manages the role and CloudFormation (stack "
            "anyscale-prod) manages the bucket, and will",
        ),
        "Anyscale's template, of the role": (
            {"role": Fact(role(Tags=TEMPLATE)), **WITH_OURS},
            "warn",
            "CloudFormation (stack anyscale-prod) manages the role",
        ),
        "Terraform, of a trust policy that is right without ours": (
            {"role": Fact(role(Tags=TERRAFORM))},
            "pass",
            "as its source has it",
        ),
        "Terraform, of a trust policy that is to change": (
            {"role": Fact(role(Tags=TERRAFORM)), **trusting(TRUST_LAMBDA)},
            "warn",
            "manages the role",
        ),
        "Terraform, of a bucket policy that is right without ours": (
            {"bucket_tags": Fact(TERRAFORM), **access(TLS_ONLY, CLOUD_FOUNDATION)},
            "pass",
            "manages the bucket, and the policy is as its source has it",
        ),
        "Terraform, of a bucket whose access the role has by its own policies": (
            {
                "bucket_tags": Fact(TERRAFORM),
                **access(TLS_ONLY),
                **own(allow(Action=EIGHT, Resource=[BUCKET_ARN, OBJECTS_ARN])),
            },
            "pass",
            "as its source has it",
        ),
        "Anyscale's template, of a bucket policy of four actions": (
            {"bucket_tags": Fact(STACK), **access(ANYSCALE_CLOUDFORMATION)},
            "warn",
            "manages the bucket",
        ),
        "the same, where no more is asked for": (
            {
                "bucket_tags": Fact(STACK),
                **access(ANYSCALE_CLOUDFORMATION),
                "bucket_actions": PRESETS["required"],
            },
            "pass",
            "as its source has it",
        ),
        "other tags": ({"role": Fact(role(Tags=[{"Key": "team", "Value": "ray"}]))}, "pass", ""),
        "the bucket's tags are refused": ({"bucket_tags": REFUSED}, "unknown", "refused"),
        "the bucket's tags are refused, but the role is owned": (
            {"bucket_tags": REFUSED, **OWNED_ROLE},
            "warn",
            "manages the role",
        ),
        "the bucket's tags are refused, but the role is owned, and both are reported": (
            {"bucket_tags": REFUSED, **OWNED_ROLE},
            "warn",
            "The bucket's tags could not be read (iam:Anything is missing):",
        ),
        "there is no bucket, but the role is owned": (
            {
                "bucket_tags": Fact(obstacle=not_applicable("There is no bucket.")),
                **OWNED_ROLE,
            },
            "warn",
            "manages the role",
        ),
    },
}
ROWS = rows_of(TABLE)


@pytest.mark.parametrize(("check", "changes", "status", "words"), ROWS.values(), ids=list(ROWS))
def test_verdicts(check: str, changes: Json, status: str, words: str) -> None:
    assert_verdict(check, changes, status, words)


def test_each_check_has_rows() -> None:
    assert set(TABLE) == checks_of("iac_owner")


# Whose tags, which tags, what is there, and the first lines of the remedy.
OWNERS: dict[str, tuple[str, list[dict[str, str]], Json, str]] = {
    "the module, for the role": (
        "role",
        TERRAFORM,
        {},
        "anyscale_cluster_node_custom_assume_role_policy = jsonencode({",
    ),
    "Terraform, for the role": (
        "role",
        [{"Key": "ManagedBy", "Value": "terraform"}],
        {},
        "assume_role_policy = jsonencode({",
    ),
    "CloudFormation, for the role": (
        "role",
        [{"Key": "ManagedBy", "Value": "CloudFormation"}],
        {},
        "AssumeRolePolicyDocument of role ray-team-a\n[",
    ),
    "the module, for the bucket": (
        "bucket",
        TERRAFORM,
        {},
        "anyscale_custom_s3_policy = jsonencode({",
    ),
    "Terraform, for the bucket": (
        "bucket",
        [{"Key": "managed-by", "Value": "Terraform"}],
        {},
        "\npolicy = jsonencode({",
    ),
    "CloudFormation, for the bucket": (
        "bucket",
        STACK,
        {},
        f"PolicyDocument of the policy of bucket {BUCKET}\n[",
    ),
    "a drifted role": ("role", TERRAFORM, trusting(TRUST_LAMBDA), '"AnyscaleEC2Trust"'),
    "a drifted bucket": ("bucket", STACK, access(), '"AnyscaleClusterAccess"'),
}


@pytest.mark.parametrize(("whose", "tags", "changes", "line"), OWNERS.values(), ids=list(OWNERS))
def test_lines_for_the_owner(
    whose: str, tags: list[dict[str, str]], changes: Json, line: str
) -> None:
    tagged = {"role": Fact(role(Tags=tags))} if whose == "role" else {"bucket_tags": Fact(tags)}
    one = verdict("document_owner", facts(**{**WITH_OURS, **tagged, **changes}))
    assert line in one["remedy"]
    assert whose in one["evidence"]["owners"]


def test_the_stack_of_the_bucket_gets_lines_for_both() -> None:
    one = verdict("document_owner", facts(bucket_tags=Fact(STACK), **WITH_OURS))
    assert "PolicyDocument of the policy of bucket" in one["remedy"]
    assert "AssumeRolePolicyDocument of role" in one["remedy"]
    assert set(one["evidence"]["owners"]) == {"role", "bucket"}


@pytest.mark.parametrize(
    ("tags", "permission"),
    [
        (REFUSED, "iam:Anything"),
        (Fact(obstacle=not_applicable("There is no bucket.")), None),
        (Fact([]), None),
    ],
    ids=["refused", "no bucket", "read"],
)
def test_what_could_not_be_read_is_named_beside_an_owner(
    tags: Fact[t.Any], permission: str | None
) -> None:
    """An owner of the role is no answer to whether the bucket has one."""
    one = verdict("document_owner", facts(bucket_tags=tags, **OWNED_ROLE))
    assert one["evidence"].get("missing_permission") == permission
    assert ("could not be read" in one["reason"]) == bool(permission)


def test_a_policy_variable_is_no_template_for_terraform() -> None:
    home = allow(
        Sid="Home",
        Principal={"AWS": ROLE_B},
        Action="s3:GetObject",
        Resource=f"{BUCKET_ARN}/home/${{aws:userid}}/%{{x}}",
    )
    tags = Fact([{"Key": "managed_by", "Value": "terraform"}])
    remedy = verdict("document_owner", facts(bucket_tags=tags, **access(ACCESS, home)))["remedy"]
    assert "/home/$${aws:userid}/%%{x}" in remedy


def test_the_user_s_own_statements_stay_in_the_module_s_variable() -> None:
    lock = deny(Sid="Lock", Principal="*", Action="s3:DeleteBucket", Resource=BUCKET_ARN)
    found = facts(bucket_tags=Fact(TERRAFORM), **access(TLS_ONLY, CLOUD_FOUNDATION, lock, ACCESS))
    remedy = verdict("document_owner", found)["remedy"]
    sids = re.findall(r'"Sid": "(\w+)"', remedy)
    assert sids == ["Lock", "AnyscaleClusterAccess"]
