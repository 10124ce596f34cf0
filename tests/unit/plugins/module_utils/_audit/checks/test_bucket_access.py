# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Access to a bucket by its policy or by a role's own policies: of the clusters' role, and of the
role that Anyscale assumes.
"""

from __future__ import annotations

import json

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import Fact
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_want import (
    PRESETS,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import Identity
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    ACCESS,
    GONE,
    REFUSED,
    Json,
    Row,
    access,
    assert_verdict,
    checks_of,
    facts,
    named,
    own,
    plane,
    rows_of,
    verdict,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    BUCKET,
    BUCKET_ARN,
    CLOUD_FOUNDATION,
    CONTROL,
    EIGHT,
    FORMER_ID,
    LOOKALIKE,
    OBJECTS_ARN,
    ROLE,
    ROLE_B,
    ROLE_ID,
    TLS_ONLY,
    allow,
    deny,
)

READ = ["s3:ListBucket", "s3:GetBucketLocation", "s3:GetObject"]
THREE = ["s3:ListBucket", "s3:PutObject", "s3:GetObject"]
# What Anyscale's module for Terraform attaches to the clusters' role.
MODULE = allow(Sid="S3BucketAccess", Action=EIGHT, Resource=[BUCKET_ARN, OBJECTS_ARN])
OURS_EDITED = {**ACCESS, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}

# By check: what is the case, the facts that differ, the status, and words of the reason.
TABLE: dict[str, dict[str, Row]] = {
    "bucket_access": {
        "in two statements": (
            access(
                allow(Principal={"AWS": ROLE}, Action=EIGHT[:3], Resource=BUCKET_ARN),
                allow(Principal={"AWS": ROLE}, Action=EIGHT[3:], Resource=OBJECTS_ARN),
            ),
            "pass",
            BUCKET,
        ),
        "no policy": (access(), "fail", "nor its own policies grant the role"),
        "four of the eight": (
            access(
                {
                    **ACCESS,
                    "Action": ["s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:ListBucket"],
                }
            ),
            "warn",
            "s3:GetBucketLocation",
        ),
        "a role whose name contains it": (
            access({**ACCESS, "Principal": {"AWS": LOOKALIKE}}),
            "fail",
            "s3:GetObject",
        ),
        "a former role of its name": (
            access({**ACCESS, "Principal": {"AWS": FORMER_ID}}),
            "fail",
            "s3:GetObject",
        ),
        "the objects without the bucket": (
            access({**ACCESS, "Resource": OBJECTS_ARN}),
            "fail",
            "s3:ListBucket",
        ),
        "a wildcard": (
            access({**ACCESS, "Sid": "All", "Action": "*"}),
            "warn",
            "not in a form that",
        ),
        "a Condition": (
            access({**ACCESS, "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}),
            "warn",
            "depends on a condition",
        ),
        "the role's own policies": (
            {**access(), **own(allow(Action=["s3:*"], Resource=[BUCKET_ARN, OBJECTS_ARN]))},
            "pass",
            "Statement 1 (without a Sid) of policy team",
        ),
        "s3:*": (access({**ACCESS, "Sid": "All", "Action": "s3:*"}), "pass", "All"),
        "no objects": (
            access({**ACCESS, "Action": [one for one in EIGHT if one != "s3:PutObject"]}),
            "fail",
            "s3:PutObject",
        ),
        "what is required, in the role's own policies": (
            {**access(), **own(allow(Action=THREE, Resource=[BUCKET_ARN, OBJECTS_ARN]))},
            "warn",
            "s3:DeleteObject",
        ),
        "the module's policy": (
            {**access(TLS_ONLY), **own(MODULE)},
            "pass",
            "Sid 'S3BucketAccess'",
        ),
        "both": (own(MODULE), "pass", "the bucket's policy (AnyscaleClusterAccess)"),
        "to read, where that is asked for": (
            {
                **access({**ACCESS, "Sid": "Team", "Action": ["s3:ListBucket", "s3:Get*"]}),
                **own(allow(Action=READ, Resource=[BUCKET_ARN, OBJECTS_ARN])),
                "bucket_actions": PRESETS["read_only"],
            },
            "pass",
            BUCKET,
        ),
        "what is required, where that is asked for": (
            {
                **access({**ACCESS, "Sid": "Team", "Action": THREE}),
                "bucket_actions": PRESETS["required"],
            },
            "pass",
            "Team",
        ),
        "under a prefix, where that is asked for": (
            {
                **access(
                    {**ACCESS, "Sid": "Team", "Resource": [BUCKET_ARN, f"{BUCKET_ARN}/team-a/*"]}
                ),
                "bucket_prefix": "team-a/",
            },
            "pass",
            "Team",
        ),
        "under another prefix": (
            {
                **access(
                    {**ACCESS, "Sid": "Team", "Resource": [BUCKET_ARN, f"{BUCKET_ARN}/team-b/*"]}
                ),
                "bucket_prefix": "team-a/",
            },
            "fail",
            "s3:GetObject",
        ),
        "split between the two": (
            {
                **access({**ACCESS, "Sid": "Team", "Action": ["s3:ListBucket"]}),
                **own(allow(Action="s3:*Object", Resource=OBJECTS_ARN)),
            },
            "fail",
            "only together",
        ),
        "split, but for what clusters can do without": (
            {
                **access({**ACCESS, "Sid": "Team", "Action": THREE}),
                **own(
                    allow(
                        Action=sorted(set(EIGHT) - set(THREE)), Resource=[BUCKET_ARN, OBJECTS_ARN]
                    )
                ),
            },
            "warn",
            "missing some of it",
        ),
        "the module's policy, under a Condition": (
            {**access(), **own({**MODULE, "Condition": {"StringEquals": {"aws:SourceVpc": "v"}}})},
            "warn",
            "Sid 'S3BucketAccess'",
        ),
        "the module's policy, outside the boundary": (
            {
                **access(),
                "identity": Fact(
                    Identity((named(MODULE),), named(allow(Action="ec2:*", Resource="*")))
                ),
            },
            "fail",
            "s3:GetObject",
        ),
        "the role's own policies, in part": (
            {**access(), **own(allow(Action="s3:*", Resource=OBJECTS_ARN))},
            "fail",
            "s3:ListBucket",
        ),
        "the role's own policies, refused": (
            {**access(), "identity": REFUSED},
            "unknown",
            "refused",
        ),
        "a wildcard, with the role's own policies refused": (
            {**access({**ACCESS, "Sid": "All", "Action": "*"}), "identity": REFUSED},
            "warn",
            "not in a form that",
        ),
        "the role's own policies, refused where they do not count": (
            {"identity": REFUSED},
            "pass",
            "",
        ),
        "its unique id": (
            {
                **access({**ACCESS, "Principal": {"AWS": ROLE_ID}}),
                "principals": Fact({ROLE_ID: ROLE}),
            },
            "warn",
            "looks for the role by its ARN",
        ),
        "ours, edited, beside an unmanaged grant": (
            access({**OURS_EDITED}, {**ACCESS, "Sid": "Team"}),
            "warn",
            "has drifted",
        ),
        "a statement without a Principal": (
            access(
                ACCESS, allow(NotPrincipal={"AWS": ROLE_B}, Action="s3:Get*", Resource=OBJECTS_ARN)
            ),
            "warn",
            "traceback at Statement 2",
        ),
        "a Deny, which is another check": (
            access(ACCESS, deny(Principal="*", Action="s3:*", Resource=OBJECTS_ARN)),
            "pass",
            "",
        ),
    },
    "control_plane_bucket_access": {
        "by its own policies": ({}, "pass", CONTROL),
        "by the bucket's policy": (
            {**access(ACCESS, CLOUD_FOUNDATION), **plane()},
            "pass",
            "AllowAnyscaleResources",
        ),
        "neither": (plane(), "fail", "s3:GetObject"),
        "the clusters' access is not its own": ({**access(ACCESS), **plane()}, "fail", CONTROL),
        "by wildcards, which Anyscale does not read": (
            plane(allow(Action="*", Resource="*")),
            "warn",
            "not in a form that",
        ),
        "denied by the bucket's policy": (
            access(
                ACCESS, deny(Sid="Lock", Principal={"AWS": CONTROL}, Action="s3:*", Resource="*")
            ),
            "fail",
            "Sid 'Lock'",
        ),
        "denied outside a VPC": (
            access(
                ACCESS,
                deny(
                    Principal="*",
                    Action="s3:*",
                    Resource=[BUCKET_ARN, OBJECTS_ARN],
                    Condition={"StringNotEquals": {"aws:SourceVpc": "vpc-1"}},
                ),
            ),
            "warn",
            "may deny",
        ),
        "denied by its own policies": (
            plane(MODULE, deny(Sid="No", Action="s3:Put*", Resource="*")),
            "fail",
            "Sid 'No'",
        ),
        "to a bucket that is not the registered one": (
            {**plane(), "registered_bucket": Fact("another")},
            "fail",
            f"Bucket {BUCKET} is not the one registered for the cloud at Anyscale, another. Neither",
        ),
        "no such role": ({"control_plane_role": GONE}, "fail", "does not exist"),
        "its policies are unknown": ({"control_plane": REFUSED}, "unknown", "refused"),
    },
}
ROWS = rows_of(TABLE)


@pytest.mark.parametrize(("check", "changes", "status", "words"), ROWS.values(), ids=list(ROWS))
def test_verdicts(check: str, changes: Json, status: str, words: str) -> None:
    assert_verdict(check, changes, status, words)


def test_each_check_has_rows() -> None:
    assert set(TABLE) == checks_of("bucket_access")


def test_the_statement_for_the_control_plane_is_enough() -> None:
    remedy = json.loads(verdict("control_plane_bucket_access", facts(**plane()))["remedy"])
    added = facts(**plane(remedy))
    assert verdict("control_plane_bucket_access", added)["status"] == "pass"


def test_no_statement_is_to_be_added_for_a_bucket_that_is_not_the_registered_one() -> None:
    """It would let Anyscale into a bucket that may be another cloud's."""
    found = verdict(
        "control_plane_bucket_access", facts(**plane(), registered_bucket=Fact("another"))
    )
    assert "statement_to_add" not in found["evidence"]
    assert "cloud_iam_bucket" in found["remedy"]
    assert "{" not in found["remedy"]


def test_where_the_bucket_may_be_the_wrong_one_the_check_of_access_says_so_first() -> None:
    changes = {**access(), **own(), "registered_bucket": Fact("another")}
    found = verdict("bucket_access", facts(**changes))
    assert found["status"] == "fail"
    assert found["reason"].startswith(f"Bucket {BUCKET} is not the one registered for the cloud")


def test_what_the_role_has_by_its_own_policies_is_left_as_it_is() -> None:
    evidence = verdict("bucket_access", facts(**access(), **own(MODULE)))["evidence"]
    assert "after" not in evidence
    assert set(evidence["granted_by"]) == set(EIGHT)
    assert all("S3BucketAccess" in name for (name,) in evidence["granted_by"].values())
