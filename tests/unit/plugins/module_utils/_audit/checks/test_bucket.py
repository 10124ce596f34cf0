# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of a bucket: what its policy grants and denies, where it is, and whom it names."""

from __future__ import annotations

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Fact,
    not_applicable,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    ACCESS,
    GONE,
    REFUSED,
    Json,
    Row,
    access,
    assert_verdict,
    checks_of,
    on,
    own,
    rows_of,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    BUCKET,
    BUCKET_ARN,
    FORMER_ID,
    OBJECTS_ARN,
    OTHER_ACCOUNT,
    ROLE,
    ROLE_ID,
    TLS_ONLY,
    deny,
)

# By check: what is the case, the facts that differ, the status, and words of the reason.
TABLE: dict[str, dict[str, Row]] = {
    "bucket_deny": {
        "only without TLS": (access(ACCESS, TLS_ONLY), "pass", ""),
        "in the bucket's policy": (
            access(ACCESS, deny(Sid="Lock", Principal="*", Action="s3:Put*", Resource=OBJECTS_ARN)),
            "fail",
            "Sid 'Lock'",
        ),
        "outside a VPC endpoint": (
            access(
                ACCESS, {**TLS_ONLY, "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}}
            ),
            "warn",
            "depends on each request",
        ),
        "in the role's own policies": (
            own(deny(Sid="NoDelete", Action="s3:DeleteObject", Resource="*")),
            "fail",
            "Sid 'NoDelete'",
        ),
        "in the role's own policies, in part": (
            own(deny(Action="s3:*", Resource=f"{BUCKET_ARN}/secret/*")),
            "warn",
            "may deny",
        ),
        "of another bucket": (
            own(deny(Action="s3:*", Resource="arn:aws:s3:::other/*")),
            "pass",
            "",
        ),
        "the role's own policies, refused": ({"identity": REFUSED}, "unknown", "refused"),
    },
    "bucket_account": {
        "no such bucket": (
            {"bucket_region": GONE, "bucket_policy": Fact(obstacle=not_applicable("none"))},
            "fail",
            f"Bucket {BUCKET} does not exist",
        ),
        "another account's": (
            {"bucket_region": Fact(obstacle=not_applicable("other")), "bucket_policy": REFUSED},
            "fail",
            f"not in account {ACCOUNT}",
        ),
        "its region refused, its policy read": ({"bucket_region": REFUSED}, "pass", ""),
        "all refused": ({"bucket_region": REFUSED, "bucket_policy": REFUSED}, "unknown", "refused"),
        "the cloud in another account": (
            {"cloud_account": Fact(OTHER_ACCOUNT)},
            "fail",
            f"the cloud is in account {OTHER_ACCOUNT}",
        ),
        "not the cloud's bucket": (
            {"registered_bucket": Fact("another")},
            "warn",
            f"Bucket {BUCKET} is not the one registered for the cloud at Anyscale, another.",
        ),
        "the cloud's bucket is unknown": ({"registered_bucket": REFUSED}, "pass", ""),
    },
    "bucket_region": {
        "no region of the cloud": (on(region=None), "unknown", "no region for the cloud"),
        "another region": (
            {"bucket_region": Fact("eu-west-1")},
            "fail",
            "is in eu-west-1, not in us-west-2",
        ),
        "another region, registered": (
            {
                "bucket_region": Fact("eu-west-1"),
                **on(object_storage={"bucket_name": f"s3://{BUCKET}", "region": "eu-west-1"}),
            },
            "warn",
            "as registered",
        ),
        "no such bucket": ({"bucket_region": GONE}, "not_applicable", "does not exist"),
        "the cloud's region is unknown": ({"primary": REFUSED}, "unknown", "refused"),
    },
    "bucket_dangling_principals": {
        "a deleted one": (
            access(ACCESS, {**ACCESS, "Sid": "Old", "Principal": {"AWS": FORMER_ID}}),
            "warn",
            f"names {FORMER_ID} in Statement 2 (Sid 'Old').",
        ),
        "one that exists": (
            {
                **access({**ACCESS, "Principal": {"AWS": ROLE_ID}}),
                "principals": Fact({ROLE_ID: ROLE}),
            },
            "pass",
            "",
        ),
        "they may not be looked up": (
            {**access({**ACCESS, "Principal": {"AWS": FORMER_ID}}), "principals": REFUSED},
            "unknown",
            "refused",
        ),
        "they may not be looked up, and none is shown": ({"principals": REFUSED}, "pass", ""),
    },
}
ROWS = rows_of(TABLE)


@pytest.mark.parametrize(("check", "changes", "status", "words"), ROWS.values(), ids=list(ROWS))
def test_verdicts(check: str, changes: Json, status: str, words: str) -> None:
    assert_verdict(check, changes, status, words)


def test_each_check_has_rows() -> None:
    assert set(TABLE) == checks_of("bucket")
