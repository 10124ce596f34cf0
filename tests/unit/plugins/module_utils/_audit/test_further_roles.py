# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roles beside the cloud's own that its clusters may run with: one outcome for all."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import FurtherRole
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import Fact
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.read_roles import ROLE_FACTS
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import (
    CHECKS,
    run_checks,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import Identity
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    ACCESS,
    GONE,
    PASS_ROLE,
    REFUSED,
    Json,
    access,
    facts,
    named,
    profile,
    role,
    trusting,
    verdict,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    OTHER_ACCOUNT,
    ROLE,
    ROLE_B,
    TRUST_LAMBDA,
    allow,
    policy,
)

NAME = ROLE_B.rpartition("/")[2]
PROFILE = f"arn:aws:iam::{ACCOUNT}:instance-profile/{NAME}"
BOTH_GRANTED = {**ACCESS, "Principal": {"AWS": [ROLE, ROLE_B]}}
BOTH_PASSED = allow(
    Action=["iam:PassRole", "iam:GetInstanceProfile"],
    Resource=[*PASS_ROLE["Resource"], ROLE_B, PROFILE],
)
OF_EACH = {check.id for check in CHECKS if check.of_each_role}


def further(is_wanted: bool = True, **changes: Fact[t.Any]) -> Json:
    """A further role in sync, but for changes of what was read of it."""
    read: Json = {
        **{name: getattr(facts(), name) for name in ROLE_FACTS},
        "role_wanted": Fact(parse_role(ROLE_B)),
        "role": Fact(role(Arn=ROLE_B, RoleName=NAME, RoleId="AROAFURTHERROLE00000")),
        "profile_name": Fact(NAME),
        "profile": Fact(profile(PROFILE, ROLE_B)),
        "role_profiles": Fact([profile(PROFILE, ROLE_B)]),
    }
    named_by = ("node group gpu",) if is_wanted else ("rule 2 of the Cloud IAM mapping of vm",)
    return {"further_roles": (FurtherRole(NAME, named_by, is_wanted, {**read, **changes}),)}


IN_SYNC = {
    **access(BOTH_GRANTED),
    "control_plane": Fact(Identity((named(BOTH_PASSED),))),
}
NOT_TRUSTED = Fact(policy(TRUST_LAMBDA))

# The check, the facts that differ, the status, and words of the reason and of the remedy.
ROWS: dict[str, tuple[str, Json, str, str, str]] = {
    "in sync": ("trust_ec2", {**IN_SYNC, **further()}, "pass", "allows EC2", ""),
    "EC2 is not trusted": (
        "trust_ec2",
        {**IN_SYNC, **further(trust=NOT_TRUSTED)},
        "fail",
        f"Role {NAME} (node group gpu): No statement of the trust policy",
        "onboard",
    ),
    "EC2 is not trusted by the role of a live rule": (
        "trust_ec2",
        {**IN_SYNC, **further(is_wanted=False, trust=NOT_TRUSTED)},
        "fail",
        "(rule 2 of the Cloud IAM mapping of vm)",
        "cloud_iam_mapping_rules",
    ),
    "EC2 is trusted by neither role": (
        "trust_ec2",
        {**IN_SYNC, **trusting(TRUST_LAMBDA), **further(trust=NOT_TRUSTED)},
        "fail",
        f"No statement of the trust policy allows EC2 to assume the role. Role {NAME}",
        "onboard",
    ),
    "EC2 is not trusted by the cloud's own role": (
        "trust_ec2",
        {**IN_SYNC, **trusting(TRUST_LAMBDA), **further()},
        "fail",
        "No statement of the trust policy",
        "onboard",
    ),
    "it does not exist": (
        "trust_ec2",
        {**IN_SYNC, **further(role=GONE)},
        "fail",
        f"Role {ROLE_B} does not exist in account {ACCOUNT}",
        "correct what names it: node group gpu",
    ),
    "it could not be read": (
        "trust_ec2",
        {**IN_SYNC, **further(role=REFUSED)},
        "unknown",
        f"Role {NAME} (node group gpu): It was refused",
        "Allow it",
    ),
    "it is in another account": (
        "role_account",
        {
            **IN_SYNC,
            **further(role_wanted=Fact(parse_role(ROLE_B.replace(ACCOUNT, OTHER_ACCOUNT)))),
        },
        "fail",
        f"is in account {OTHER_ACCOUNT}",
        "",
    ),
    "its profile does not exist": (
        "instance_profile_exists",
        {**IN_SYNC, **further(profile=GONE, role_profiles=Fact([]))},
        "fail",
        f"Instance profile {NAME} does not exist",
        "onboard",
    ),
    "its profile holds another role": (
        "instance_profile_role",
        {**IN_SYNC, **further(profile=Fact(profile(PROFILE, ROLE)))},
        "fail",
        f"holds {ROLE}, not {ROLE_B}",
        "",
    ),
    "the bucket does not grant it": (
        "bucket_access",
        {**IN_SYNC, **access(ACCESS), **further()},
        "fail",
        f"Role {NAME} (node group gpu): ",
        "onboard",
    ),
    "Anyscale cannot pass it": (
        "control_plane_pass_role",
        {**IN_SYNC, **further(), "control_plane": Fact(Identity((named(PASS_ROLE),)))},
        "fail",
        f"iam:PassRole on {ROLE_B}",
        "AnyscalePassClusterRole",
    ),
    "Anyscale cannot read its profile": (
        "control_plane_get_instance_profile",
        {**IN_SYNC, **further(), "control_plane": Fact(Identity((named(PASS_ROLE),)))},
        "fail",
        f"iam:GetInstanceProfile on {PROFILE}",
        "AnyscaleGetClusterInstanceProfile",
    ),
}


@pytest.mark.parametrize(
    ("check", "changes", "status", "words", "remedy"), ROWS.values(), ids=ROWS.keys()
)
def test_verdicts(check: str, changes: Json, status: str, words: str, remedy: str) -> None:
    found = verdict(check, facts(**changes))
    assert found["status"] == status, found["reason"]
    assert words in found["reason"]
    assert remedy in found["remedy"]
    assert found["evidence"]["roles"][NAME]["named_by"]


def test_a_further_role_in_sync_changes_nothing_but_evidence() -> None:
    without, found = run_checks(facts(**IN_SYNC)), run_checks(facts(**IN_SYNC, **further()))
    for before, after in zip(without, found, strict=True):
        roles = after["evidence"].pop("roles", {})
        same = f" It is the same for {NAME}." if roles.get(NAME, {}).get("status") == "pass" else ""
        assert after == {**before, "reason": before["reason"] + same}
        assert set(roles) == ({NAME} if after["id"] in OF_EACH else set())
        assert {one["status"] for one in roles.values()} <= {"pass", "not_applicable"}
    json.dumps(found)


def test_many_roles_are_summed_up() -> None:
    (one,) = further(trust=NOT_TRUSTED)["further_roles"]
    many = tuple(dataclasses.replace(one, name=f"role-{number}") for number in range(40))
    found = verdict("trust_ec2", facts(**IN_SYNC, further_roles=many))
    assert found["reason"].endswith("So it is for 35 more roles.")
    assert "role-5 " not in found["reason"]
    assert len(found["evidence"]["roles"]) == 40


def test_a_further_role_is_judged_by_no_compute_config() -> None:
    found = facts(**IN_SYNC, **further())
    of_role = found.of_role(found.further_roles[0])
    assert not of_role.compute_configs
    assert not of_role.further_roles
    kept = {field.name for field in dataclasses.fields(found)} - {
        *ROLE_FACTS,
        *("compute_configs", "further_roles", "group_roles", "_derived"),
    }
    assert all(getattr(of_role, name) == getattr(found, name) for name in kept)
