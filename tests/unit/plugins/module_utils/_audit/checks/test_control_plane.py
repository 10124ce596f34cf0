# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of the role that Anyscale assumes: what it may do with a cloud's role and profile."""

from __future__ import annotations

import json

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Fact,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    BOTH_HOLD,
    CONFIG,
    GIVEN_BY_CLOUD,
    GONE,
    NO_PROFILE,
    OTHER_NAME,
    OTHER_PROFILE,
    PASS_ROLE,
    PROFILE,
    REFUSED,
    Json,
    Row,
    assert_verdict,
    checks_of,
    facts,
    named,
    plane,
    rows_of,
    template,
    verdict,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    CONTROL,
    EC2,
    ROLE,
    ROLE_B,
    allow,
    deny,
)

# By check: what is the case, the facts that differ, the status, and words of the reason.
TABLE: dict[str, dict[str, Row]] = {
    "control_plane_pass_role": {
        "only to EC2": (
            plane(
                allow(
                    Action="iam:PassRole",
                    Resource="*",
                    Condition={"StringEquals": {"iam:PassedToService": EC2}},
                )
            ),
            "pass",
            CONTROL,
        ),
        "nothing": (plane(), "fail", "a policy of the role"),
        "only its own role": (
            plane({**PASS_ROLE, "Resource": ROLE_B}),
            "fail",
            "clusters do not start",
        ),
        "a Deny": (
            plane(PASS_ROLE, deny(Sid="Guard", Action="iam:*", Resource="*")),
            "fail",
            "Statement 2 (Sid 'Guard') of policy team denies",
        ),
        "a boundary": (
            plane(PASS_ROLE, boundary=named(allow(Action="ec2:*", Resource="*"))),
            "fail",
            "its permissions boundary",
        ),
        "a tag": (
            plane({**PASS_ROLE, "Condition": {"StringEquals": {"iam:ResourceTag/team": "ray"}}}),
            "warn",
            "depends on a condition",
        ),
        "no such role": ({"control_plane": GONE}, "fail", f"Role {CONTROL}"),
        "its ARN is unknown": ({"control_plane_arn": REFUSED}, "unknown", "refused"),
    },
    "control_plane_get_instance_profile": {
        "nothing": (plane({**PASS_ROLE, "Action": "iam:PassRole"}), "fail", PROFILE),
        "a profile that is still to be made": (NO_PROFILE, "pass", PROFILE),
        "only another profile": (
            plane({**PASS_ROLE, "Resource": [ROLE, OTHER_PROFILE]}),
            "fail",
            PROFILE,
        ),
        "only another profile, which clusters are given": (
            {
                "profile": GONE,
                **OTHER_NAME,
                **GIVEN_BY_CLOUD,
                **plane({**PASS_ROLE, "Resource": [ROLE, OTHER_PROFILE]}),
            },
            "pass",
            OTHER_PROFILE,
        ),
        "not the one that the compute config names": (
            {
                **BOTH_HOLD,
                "compute_configs": {CONFIG: Fact(template(OTHER_PROFILE))},
                **plane(PASS_ROLE),
            },
            "fail",
            OTHER_PROFILE,
        ),
    },
}
TABLE["control_plane_pass_role_width"] = {
    "every role": (plane({**PASS_ROLE, "Resource": "*"}), "warn", "every role of the account"),
    "every role of the account": (
        plane({**PASS_ROLE, "Resource": f"arn:aws:iam::{ACCOUNT}:role/*"}),
        "warn",
        "Statement 1 (without a Sid) of policy team",
    ),
    "every role, to EC2 alone": (
        plane(
            allow(
                Action="iam:*",
                Resource="*",
                Condition={"StringEquals": {"iam:PassedToService": EC2}},
            )
        ),
        "warn",
        "any role that EC2 may assume",
    ),
    "every role but one": (
        plane(
            {**PASS_ROLE, "Resource": "*"},
            deny(Action="iam:PassRole", Resource=f"arn:aws:iam::{ACCOUNT}:role/admin"),
        ),
        "warn",
        "every role",
    ),
    "roles of a name": (
        plane({**PASS_ROLE, "Resource": f"arn:aws:iam::{ACCOUNT}:role/ray-*"}),
        "pass",
        "name",
    ),
    "roles with a tag": (
        plane(
            {
                **PASS_ROLE,
                "Resource": "*",
                "Condition": {"StringEquals": {"iam:ResourceTag/team": "ray"}},
            }
        ),
        "pass",
        "no others",
    ),
    "a Deny of all but those": (
        plane(
            {**PASS_ROLE, "Resource": "*"},
            deny(Action="iam:PassRole", NotResource=f"arn:aws:iam::{ACCOUNT}:role/ray-*"),
        ),
        "pass",
        "no others",
    ),
    "a boundary with names": (
        plane({**PASS_ROLE, "Resource": "*"}, boundary=named(PASS_ROLE)),
        "pass",
        "no others",
    ),
    "a boundary without": (
        plane({**PASS_ROLE, "Resource": "*"}, boundary=named(allow(Action="*", Resource="*"))),
        "warn",
        "every role",
    ),
    "no such role": ({"control_plane": GONE}, "not_applicable", "does not exist"),
}
ROWS = rows_of(TABLE)


@pytest.mark.parametrize(("check", "changes", "status", "words"), ROWS.values(), ids=list(ROWS))
def test_verdicts(check: str, changes: Json, status: str, words: str) -> None:
    assert_verdict(check, changes, status, words)


def test_each_check_has_rows() -> None:
    assert set(TABLE) == checks_of("control_plane")


def test_the_statement_to_add_for_the_control_plane() -> None:
    found = facts(**plane())
    assert json.loads(verdict("control_plane_pass_role", found)["remedy"]) == {
        "Sid": "AnyscalePassClusterRole",
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": ROLE,
        "Condition": {"StringEquals": {"iam:PassedToService": EC2}},
    }
    assert json.loads(verdict("control_plane_get_instance_profile", found)["remedy"]) == {
        "Sid": "AnyscaleGetClusterInstanceProfile",
        "Effect": "Allow",
        "Action": "iam:GetInstanceProfile",
        "Resource": PROFILE,
    }


def test_the_statements_to_add_are_enough() -> None:
    missing = facts(**plane())
    checks = ("control_plane_pass_role", "control_plane_get_instance_profile")
    added = facts(**plane(*(json.loads(verdict(check, missing)["remedy"]) for check in checks)))
    assert [verdict(check, added)["status"] for check in checks] == ["pass", "pass"]


def test_the_statement_to_use_instead_is_narrow_and_enough() -> None:
    found = verdict("control_plane_pass_role_width", facts(**plane({**PASS_ROLE, "Resource": "*"})))
    narrowed = facts(**plane(json.loads(found["remedy"])))
    assert verdict("control_plane_pass_role_width", narrowed)["status"] == "pass"
    assert verdict("control_plane_pass_role", narrowed)["status"] == "pass"
