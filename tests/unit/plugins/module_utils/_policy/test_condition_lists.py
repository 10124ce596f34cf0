# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A role leaves the lists in Conditions that name it; what is left never allows more than before."""

from __future__ import annotations

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.condition_lists import (
    without_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    OBJECTS_ARN,
    ROLE,
    ROLE_B,
    ROLE_B_ID,
    ROLE_ID,
    Raw,
    allow,
)

TEAM_A = Role(ROLE, ACCOUNT, ROLE_ID)
# The condition, and what becomes of it: ``None`` where the statement goes.
ROWS: dict[str, tuple[Raw, Raw | None]] = {
    "the role's ARN alone": ({"ArnEquals": {"aws:PrincipalArn": ROLE}}, None),
    "the role's ARN among others": (
        {"StringEquals": {"aws:PrincipalArn": [ROLE_B, ROLE]}},
        {"StringEquals": {"aws:PrincipalArn": [ROLE_B]}},
    ),
    "all sessions by the id": ({"StringLike": {"aws:userid": f"{ROLE_ID}:*"}}, None),
    "one session by the id": (
        {"StringLike": {"aws:userId": [f"{ROLE_B_ID}:*", f"{ROLE_ID}:i-1"]}},
        {"StringLike": {"aws:userId": [f"{ROLE_B_ID}:*"]}},
    ),
    "beside another key": (
        {"ArnLike": {"aws:PrincipalArn": [ROLE, ROLE_B], "aws:SourceArn": "arn:aws:s3:::x"}},
        {"ArnLike": {"aws:PrincipalArn": [ROLE_B], "aws:SourceArn": "arn:aws:s3:::x"}},
    ),
    "if it is there": ({"StringEqualsIfExists": {"aws:PrincipalArn": [ROLE]}}, None),
    "of any value": ({"ForAnyValue:StringEquals": {"aws:PrincipalArn": [ROLE]}}, None),
    "not the role": (
        {"ArnNotEquals": {"aws:PrincipalArn": [ROLE, ROLE_B]}},
        {"ArnNotEquals": {"aws:PrincipalArn": [ROLE, ROLE_B]}},
    ),
    "a pattern that names more": (
        {"ArnLike": {"aws:PrincipalArn": [f"arn:aws:iam::{ACCOUNT}:role/ray-*"]}},
        {"ArnLike": {"aws:PrincipalArn": [f"arn:aws:iam::{ACCOUNT}:role/ray-*"]}},
    ),
    "another key": (
        {"StringEquals": {"aws:ResourceTag/owner": ROLE}},
        {"StringEquals": {"aws:ResourceTag/owner": ROLE}},
    ),
    "an empty list": (
        {"StringEquals": {"aws:PrincipalArn": []}},
        {"StringEquals": {"aws:PrincipalArn": []}},
    ),
}


@pytest.mark.parametrize("case", ROWS)
def test_the_lists_of_conditions(case: str) -> None:
    before, after = ROWS[case]
    raw = allow(Principal="*", Action="s3:*", Resource=OBJECTS_ARN, Condition=before)
    expected = None if after is None else {**raw, "Condition": after}
    assert without_role(raw, TEAM_A) == expected


def test_an_unknown_id_names_nothing() -> None:
    raw = allow(Principal="*", Condition={"StringLike": {"aws:userid": ":*"}})
    assert without_role(raw, Role(ROLE, ACCOUNT)) == raw
