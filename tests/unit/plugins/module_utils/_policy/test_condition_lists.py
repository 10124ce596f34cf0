# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A role leaves the lists in Conditions that name it; what is left allows no principal more than
before, and none but the role less.
"""

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
    "the role's ARN in other spellings": (
        {
            "ArnLike": {
                "aws:PrincipalArn": [
                    ROLE.replace("role/ray", "role/Ray"),
                    ROLE.replace("role/", "role/lab/"),
                    ROLE_B,
                ]
            }
        },
        {"ArnLike": {"aws:PrincipalArn": [ROLE_B]}},
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
    "beside one that requests without the key meet": (
        {
            "ArnEqualsIfExists": {"aws:PrincipalArn": ROLE},
            "StringLike": {"aws:userid": f"{ROLE_ID}:*"},
        },
        None,
    ),
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


# Whether the statement is for the role alone where its list names no other: not where requests
# without the key, such as those of AWS services, meet the condition.
FORMS = {
    "{}": True,
    "{}IfExists": False,
    "ForAllValues:{}": False,
    "ForAllValues:{}IfExists": False,
    "ForAnyValue:{}": True,
    "ForAnyValue:{}IfExists": False,  # what these two do together is not documented
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["StringEquals", "arnlike", "STRINGLIKE"])
def test_a_list_is_emptied_only_where_the_statement_is_for_the_role_alone(
    form: str, name: str
) -> None:
    def listed(*values: str) -> Raw:
        condition = {form.format(name): {"aws:PrincipalArn": list(values)}}
        return allow(Principal="*", Action="s3:*", Resource=OBJECTS_ARN, Condition=condition)

    assert without_role(listed(ROLE, ROLE_B), TEAM_A) == listed(ROLE_B)
    assert without_role(listed(ROLE), TEAM_A) == (None if FORMS[form] else listed(ROLE))


@pytest.mark.parametrize("case", ROWS)
def test_the_lists_of_conditions(case: str) -> None:
    before, after = ROWS[case]
    raw = allow(Principal="*", Action="s3:*", Resource=OBJECTS_ARN, Condition=before)
    expected = None if after is None else {**raw, "Condition": after}
    assert without_role(raw, TEAM_A) == expected


def test_an_unknown_id_names_nothing() -> None:
    raw = allow(Principal="*", Condition={"StringLike": {"aws:userid": ":*"}})
    assert without_role(raw, Role(ROLE, ACCOUNT)) == raw
