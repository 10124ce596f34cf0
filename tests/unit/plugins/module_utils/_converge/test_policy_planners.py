# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules judge dates in conditions by the clock: what is over denies nothing, what is to come may."""

from __future__ import annotations

import types
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_policy import (
    BucketPlanner,
    LiveBucketPolicy,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.trust_policy import (
    LiveTrust,
    TrustPlanner,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    ASSUME,
    BUCKET,
    OBJECTS_ARN,
    ROLE,
    ROLE_ID,
    Raw,
    deny,
    policy,
)


def trust_warnings(condition: Raw) -> tuple[str, ...]:
    document = policy(deny(Sid="D", Principal={"AWS": "*"}, Action=ASSUME, Condition=condition))
    role = {"Arn": ROLE, "RoleName": "ray-team-a", "RoleId": ROLE_ID}
    return TrustPlanner().plan(LiveTrust("trust policy", document, role=role)).warnings


def bucket_warnings(condition: Raw) -> tuple[str, ...]:
    raw = deny(Sid="D", Principal="*", Action="s3:*", Resource=OBJECTS_ARN, Condition=condition)
    reference, store = parse_role(ROLE), t.cast(t.Any, types.SimpleNamespace(bucket=BUCKET))
    roles = {reference: Role(ROLE, ACCOUNT, ROLE_ID)}
    live = LiveBucketPolicy("bucket policy", policy(raw), roles=roles)
    return BucketPlanner(store, (reference,)).plan(live).warnings


@pytest.mark.parametrize("warnings", [trust_warnings, bucket_warnings])
@pytest.mark.parametrize(("year", "number"), [(2020, 0), (9999, 1)])
def test_a_deny_until_a_date(
    warnings: t.Callable[[Raw], tuple[str, ...]], year: int, number: int
) -> None:
    until = {"DateLessThan": {"aws:CurrentTime": f"{year}-01-01T00:00:00Z"}}
    assert len(warnings(until)) == number
