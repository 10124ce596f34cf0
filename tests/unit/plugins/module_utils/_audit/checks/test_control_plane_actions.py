# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role that Anyscale assumes may do with instances and services."""

from __future__ import annotations

import json

import pytest
from anyscale.aws_iam_policies import (
    ANYSCALE_IAM_PERMISSIONS_EC2_STEADY_STATE,
    ANYSCALE_IAM_PERMISSIONS_SERVICE_STEADY_STATE,
    get_anyscale_iam_permissions_ec2_restricted,
)
from anyscale.util import filter_actions_from_policy_document

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.control_plane_actions import (
    INSTANCE_ACTIONS,
    SERVICE_ACTIONS,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    CLOUD_ID,
    GONE,
    LAUNCHING,
    REFUSED,
    Json,
    Row,
    assert_verdict,
    checks_of,
    facts,
    named,
    plane,
    rows_of,
    verdict,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    allow,
    deny,
)

ON_INSTANCES, ON_SERVICES = LAUNCHING
RESTRICTED = get_anyscale_iam_permissions_ec2_restricted(CLOUD_ID)["Statement"]


def but(action: str) -> Json:
    """All that services need but one action."""
    return {**ON_SERVICES, "Action": [one for one in SERVICE_ACTIONS if one != action]}


TABLE: dict[str, dict[str, Row]] = {
    "control_plane_instances": {
        "Anyscale's restricted policy": (plane(*RESTRICTED), "pass", "launch and manage"),
        "wildcards": (
            plane(allow(Action=["ec2:*", "elasticfilesystem:*", "iam:*"], Resource="*")),
            "pass",
            "launch and manage",
        ),
        "nothing": (plane(), "fail", "ec2:RunInstances"),
        "no volumes": (
            plane(ON_INSTANCES, deny(Action="ec2:*Volume", Resource="*")),
            "warn",
            "ec2:AttachVolume, ec2:CreateVolume",
        ),
        "a Deny of launches": (
            plane(ON_INSTANCES, deny(Action="ec2:RunInstances", Resource="*")),
            "fail",
            "ec2:RunInstances",
        ),
        "a boundary": (
            plane(ON_INSTANCES, boundary=named(allow(Action="iam:*", Resource="*"))),
            "fail",
            "ec2:TerminateInstances",
        ),
        "no such role": ({"control_plane": GONE}, "fail", "does not exist"),
        "its policies are unknown": ({"control_plane": REFUSED}, "unknown", "refused"),
    },
    "control_plane_services": {
        "nothing": (plane(ON_INSTANCES), "warn", "and 47 more actions"),
        "no certificates": (plane(but("acm:ListCertificates")), "warn", "acm:ListCertificates"),
        "by wildcards, which Anyscale does not read": (
            plane(allow(Action="*", Resource="*")),
            "warn",
            "by wildcards",
        ),
        "no such role": ({"control_plane": GONE}, "fail", "does not exist"),
    },
}
ROWS = rows_of(TABLE)


@pytest.mark.parametrize(("check", "changes", "status", "words"), ROWS.values(), ids=list(ROWS))
def test_verdicts(check: str, changes: Json, status: str, words: str) -> None:
    assert_verdict(check, changes, status, words)


def test_each_check_has_rows() -> None:
    assert set(TABLE) == checks_of("control_plane_actions")


def test_the_actions_are_those_of_anyscale_s_own_policies() -> None:
    with_own_checks = {"iam:PassRole", "iam:GetInstanceProfile"}
    steady = filter_actions_from_policy_document(ANYSCALE_IAM_PERMISSIONS_EC2_STEADY_STATE)
    services = filter_actions_from_policy_document(ANYSCALE_IAM_PERMISSIONS_SERVICE_STEADY_STATE)
    assert set(INSTANCE_ACTIONS) == steady - with_own_checks
    assert set(SERVICE_ACTIONS) == services


@pytest.mark.parametrize("check", sorted(TABLE))
def test_the_statement_to_add_is_enough(check: str) -> None:
    remedy = json.loads(verdict(check, facts(**plane()))["remedy"])
    assert verdict(check, facts(**plane(remedy)))["status"] == "pass"


def test_a_fleet_that_runs_no_services_gets_no_long_reports() -> None:
    outcome = verdict("control_plane_services", facts(**plane(ON_INSTANCES)))
    assert len(json.dumps(outcome)) < 4000
