# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the roles may use the key that a bucket is encrypted with: by its policy, by their own
policies where that leaves it to these, or by a grant.
"""

from __future__ import annotations

import json

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import Fact
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    CONTROL_ROLE,
    GONE,
    REFUSED,
    REGION,
    Json,
    Row,
    assert_verdict,
    checks_of,
    facts,
    own,
    plane,
    rows_of,
    verdict,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    BUCKET_ARN,
    CONTROL,
    OTHER_ACCOUNT,
    ROLE,
    ROLE_B,
    ROOT,
    allow,
    deny,
    policy,
)

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BOTH = ["kms:Decrypt", "kms:GenerateDataKey"]
# What KMS gives a key that is made without a policy: the account's own policies decide.
TO_ACCOUNT = allow(Principal={"AWS": ROOT}, Action="kms:*", Resource="*")
# As in the example anyscale-v2-kms of Anyscale's module for Terraform.
TO_ROLES = allow(
    Principal={"AWS": [ROLE, CONTROL]},
    Action=[
        "kms:Decrypt",
        "kms:Encrypt",
        "kms:ReEncrypt*",
        "kms:GenerateDataKey*",
        "kms:DescribeKey",
    ],
    Resource="*",
)
USE = allow(Action=BOTH, Resource=KEY)


def key(*raws: Json, grants: object = (), **metadata: object) -> Json:
    """The bucket has a key with this policy."""
    return {
        "bucket_key": Fact(
            {"Arn": KEY, "KeyState": "Enabled", "KeyManager": "CUSTOMER", **metadata}
        ),
        "key_policy": Fact(policy(*raws)),
        "key_grants": Fact(list(grants)) if isinstance(grants, (list, tuple)) else grants,
    }


def grant(role: str, *operations: str, **more: object) -> Json:
    """A grant as KMS shows it."""
    return {"GranteePrincipal": role, "Operations": list(operations), **more}


def when(raw: Json, name: str, value: object, operator: str = "StringEquals") -> Json:
    """A statement under a condition."""
    return {**raw, "Condition": {operator: {name: value}}}


BY_POLICIES = {**own(USE), **plane(USE)}
TABLE: dict[str, dict[str, Row]] = {
    "bucket_key": {
        "none of a customer": ({}, "pass", "not encrypted with"),
        "unknown": ({"bucket_key": REFUSED}, "unknown", "refused"),
        "to the roles": (key(TO_ROLES), "pass", "both roles"),
        "to the roles, by S3": (
            key(when(TO_ROLES, "kms:ViaService", f"s3.{REGION}.amazonaws.com")),
            "pass",
            "both roles",
        ),
        "to the roles, by S3 elsewhere": (
            key(when(TO_ROLES, "kms:ViaService", "s3.eu-west-1.amazonaws.com")),
            "fail",
            "kms:Decrypt",
        ),
        "to the account, by S3": (
            key(
                allow(
                    Principal={"AWS": "*"},
                    Action="kms:*",
                    Resource="*",
                    Condition={"StringEquals": {"kms:CallerAccount": ACCOUNT}},
                )
            ),
            "pass",
            "both roles",
        ),
        "to the roles, for this bucket": (
            key(when(TO_ROLES, "kms:EncryptionContext:aws:s3:arn", f"{BUCKET_ARN}*", "StringLike")),
            "pass",
            "both roles",
        ),
        "to the roles, from one VPC": (
            key(when(TO_ROLES, "aws:SourceVpc", "vpc-1")),
            "warn",
            "depends on a condition",
        ),
        "to the account alone": (key(TO_ACCOUNT), "fail", KEY),
        "to the account, and both have it": ({**key(TO_ACCOUNT), **BY_POLICIES}, "pass", KEY),
        "to the account, and the clusters' role has it": (
            {**key(TO_ACCOUNT), **own(USE)},
            "fail",
            CONTROL,
        ),
        "both have it, but the key does not leave it to them": (
            {**key(allow(Principal={"AWS": ROLE_B}, Action="kms:*", Resource="*")), **BY_POLICIES},
            "fail",
            "kms:Decrypt, kms:GenerateDataKey",
        ),
        "to read alone": (
            key(TO_ACCOUNT, {**TO_ROLES, "Action": "kms:Decrypt"}),
            "fail",
            f"{ROLE} kms:GenerateDataKey on",
        ),
        "by grants": (
            key(
                grants=[
                    grant(ROLE, "Decrypt", "GenerateDataKey"),
                    grant(CONTROL, *["Decrypt", "GenerateDataKey"]),
                ]
            ),
            "pass",
            KEY,
        ),
        "by a grant with constraints": (
            key(
                {**TO_ROLES, "Principal": {"AWS": CONTROL}},
                grants=[
                    grant(
                        *(ROLE, "Decrypt", "GenerateDataKey"),
                        Constraints={"EncryptionContextSubset": {"a": "b"}},
                    )
                ],
            ),
            "warn",
            ROLE,
        ),
        "a Deny in the key's policy": (
            key(TO_ROLES, deny(Principal="*", Action="kms:Decrypt", Resource="*")),
            "fail",
            "kms:Decrypt",
        ),
        "a Deny in a policy of its own": (
            {**key(TO_ROLES), **own(deny(Action="kms:*", Resource="*"))},
            "fail",
            ROLE,
        ),
        "a Deny that may apply": (
            key(
                TO_ROLES,
                deny(
                    Principal="*",
                    Action="kms:*",
                    Resource="*",
                    Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1"}},
                ),
            ),
            "warn",
            "depends",
        ),
        "grants that cannot be read, where they matter": (
            key(TO_ACCOUNT, grants=REFUSED),
            "unknown",
            "refused",
        ),
        "grants that cannot be read, where they do not": (
            key(TO_ROLES, grants=REFUSED),
            "pass",
            KEY,
        ),
        "a policy that cannot be read": (
            {**key(TO_ROLES), "key_policy": REFUSED},
            "unknown",
            "refused",
        ),
        "own policies that cannot be read": (
            {**key(TO_ROLES), "identity": REFUSED},
            "unknown",
            "refused",
        ),
        "disabled": (key(TO_ROLES, KeyState="PendingDeletion"), "fail", "PendingDeletion"),
        "without a control-plane role": (
            {**key({**TO_ROLES, "Principal": {"AWS": ROLE}}), "control_plane_role": GONE},
            "pass",
            KEY,
        ),
        "of another account": (
            {
                **key(TO_ROLES),
                "control_plane_role": Fact(
                    {**CONTROL_ROLE, "Arn": CONTROL.replace(ACCOUNT, OTHER_ACCOUNT)}
                ),
            },
            "fail",
            OTHER_ACCOUNT,
        ),
    },
}
ROWS = rows_of(TABLE)


@pytest.mark.parametrize(("check", "changes", "status", "words"), ROWS.values(), ids=list(ROWS))
def test_verdicts(check: str, changes: Json, status: str, words: str) -> None:
    assert_verdict(check, changes, status, words)


def test_each_check_has_rows() -> None:
    assert set(TABLE) == checks_of("bucket_key")


def test_the_statement_to_add_is_enough() -> None:
    remedy = json.loads(verdict("bucket_key", facts(**key(TO_ACCOUNT)))["remedy"])
    assert remedy["Principal"] == {"AWS": [CONTROL, ROLE]}
    assert verdict("bucket_key", facts(**key(TO_ACCOUNT, remedy)))["status"] == "pass"
