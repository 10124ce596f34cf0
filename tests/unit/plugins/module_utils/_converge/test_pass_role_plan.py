# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A control-plane role may pass exactly the roles that clusters run with, to EC2 alone."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    ec2_services,
    parse_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import pass_role_plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.pass_role import (
    PassRolePlanner,
    merged_planners,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.pass_role_plan import (
    PASS_SID,
    PROFILE_SID,
    Wanted,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_policy_plan import (
    Target,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    Identity,
    NamedPolicy,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    CONTROL,
    EC2,
    LAMBDA,
    ROLE,
    ROLE_B,
    Document,
    Raw,
    allow,
    deny,
    policy,
)

PROFILE, PROFILE_B = (role.replace(":role/", ":instance-profile/") for role in (ROLE, ROLE_B))
TARGET = Target(CONTROL, "AnyscalePassRole")
WANTED = Wanted((ROLE,), (PROFILE,), 1_795_000_000.0)
BOTH = Wanted((ROLE, ROLE_B), (PROFILE, PROFILE_B), WANTED.now)
TO_EC2 = {"StringEquals": {"iam:PassedToService": EC2}}
LAUNCH = allow(Sid="Launch", Action="ec2:RunInstances", Resource="*")


def passes(*roles: str, **elements: t.Any) -> Raw:
    statement = {"Sid": PASS_SID, "Action": ["iam:PassRole"], "Resource": list(roles or (ROLE,))}
    return allow(**{**statement, "Condition": TO_EC2, **elements})


def reads(*profiles: str, **elements: t.Any) -> Raw:
    statement = {
        "Sid": PROFILE_SID,
        "Action": ["iam:GetInstanceProfile"],
        "Resource": list(profiles or (PROFILE,)),
    }
    return allow(**{**statement, **elements})


def allowed(
    document: Document, *others: Raw, wanted: Wanted = WANTED, boundary: Raw | None = None
) -> Plan:
    """The plan, beside another policy of the role."""
    limit = None if boundary is None else NamedPolicy("limit", policy(boundary))

    def own(now: Document) -> Identity:
        return Identity((NamedPolicy("ops", policy(*others)), NamedPolicy("ours", now)), limit)

    plan = pass_role_plan.allow(document, wanted, own, TARGET)
    assert not pass_role_plan.allow(plan.after, wanted, own, TARGET).changed
    return plan


# The statements before, those of another policy, and the statements after.
PRESENT: dict[str, tuple[list[Raw], list[Raw], list[Raw]]] = {
    "into no policy": ([], [], [passes(), reads()]),
    "beside others": ([LAUNCH], [LAUNCH], [LAUNCH, passes(), reads()]),
    "there already": ([passes(), reads()], [], [passes(), reads()]),
    "there for another role": (
        [passes(ROLE_B), reads(PROFILE_B)],
        [],
        [passes(ROLE_B, ROLE), reads(PROFILE_B, PROFILE)],
    ),
    "where another policy passes it": (
        [],
        [allow(Action="iam:PassRole", Resource=ROLE)],
        [reads()],
    ),
    "where another policy passes all": (
        [],
        [allow(Action=["iam:PassRole", "iam:Get*"], Resource="*")],
        [],
    ),
    "where another policy passes it to another service": (
        [],
        [passes(Condition={"StringEquals": {"iam:PassedToService": LAMBDA}}), reads()],
        [passes()],
    ),
    "where another policy passes it under a Condition": (
        [],
        [passes(Condition={"StringEquals": {"aws:SourceVpce": "vpce-1"}}), reads()],
        [passes()],
    ),
}


@pytest.mark.parametrize("case", PRESENT)
def test_what_is_missing_is_allowed(case: str) -> None:
    before, others, after = PRESENT[case]
    plan = allowed(policy(*before), *others)
    assert plan.after == policy(*after)
    assert plan.reasons == (("pass_role_missing",) if before != after else ())
    assert set(plan.result["granted_by"]) == {ROLE, PROFILE}
    assert all(plan.result["granted_by"].values())


def test_what_is_denied_cannot_be_allowed() -> None:
    with pytest.raises(RefusedError, match="'No'"):
        allowed(policy(), deny(Sid="No", Action="iam:PassRole", Resource="*"))
    with pytest.raises(RefusedError, match="boundary"):
        allowed(policy(), boundary=allow(Action="ec2:*", Resource="*"))
    unsure = deny(Action="iam:PassRole", Resource="*", Condition={"Bool": {"aws:X": "true"}})
    plan = allowed(policy(passes(), reads()), LAUNCH)
    assert plan.warnings == ()
    found = pass_role_plan.allow(
        policy(passes(), reads()),
        WANTED,
        lambda now: Identity((NamedPolicy("ops", policy(unsure)), NamedPolicy("ours", now))),
        TARGET,
    )
    assert (found.changed, len(found.warnings)) == (False, 1)


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-iso"])
def test_only_ec2_of_the_partition(partition: str) -> None:
    arns = [arn.replace("arn:aws:", f"arn:{partition}:") for arn in (CONTROL, ROLE, PROFILE)]
    control, role, profile = arns
    plan = pass_role_plan.allow(
        policy(),
        Wanted((role,), (profile,)),
        lambda now: Identity((NamedPolicy("ours", now),)),
        Target(control, "p"),
    )
    (services,) = statements_of(plan.after)[0]["Condition"]["StringEquals"].values()
    assert (
        {services} == ec2_services(partition)
        if isinstance(services, str)
        else set(services) == ec2_services(partition)
    )
    assert [raw["Resource"] for raw in statements_of(plan.after)] == [[role], [profile]]


ABSENT: dict[str, tuple[list[Raw], list[Raw]]] = {
    "the whole policy": ([passes(), reads()], []),
    "one role of two": (
        [LAUNCH, passes(ROLE_B, ROLE), reads(PROFILE_B, PROFILE)],
        [LAUNCH, passes(ROLE_B), reads(PROFILE_B)],
    ),
    "whatever its path is": ([passes(ROLE.replace("role/", "role/ray/"))], []),
    "in other letters": (
        [passes(ROLE.upper().replace("ARN:AWS:IAM", "arn:aws:iam").replace("ROLE/", "role/"))],
        [],
    ),
    "not of another account": (
        [passes(ROLE.replace("123456789012", "210987654321"))],
        [passes(ROLE.replace("123456789012", "210987654321"))],
    ),
    "not all roles": ([passes("*")], [passes("*")]),
    "not of another writer": ([passes(Sid="Theirs")], [passes(Sid="Theirs")]),
    "of no policy": ([], []),
}


@pytest.mark.parametrize("case", ABSENT)
def test_what_is_ours_leaves(case: str) -> None:
    before, after = ABSENT[case]
    plan = pass_role_plan.withdraw(policy(*before), WANTED, TARGET)
    assert plan.after == policy(*after)
    assert plan.reasons == (("pass_role_present",) if before != after else ())
    assert plan.before == policy(*before)


def test_clouds_that_share_a_control_plane_role_are_planned_together() -> None:
    planners = [
        PassRolePlanner((parse_role(role),), (name,), state)
        for role, name, state in (
            (ROLE, "a", "present"),
            (ROLE_B, "b", "present"),
            (ROLE, "a", "present"),
            (ROLE_B, "b", "absent"),
        )
    ]
    absent, present = merged_planners(planners)
    assert (absent.state, absent.profiles) == ("absent", ("b",))
    assert (present.roles, present.profiles) == ((parse_role(ROLE), parse_role(ROLE_B)), ("a", "b"))


def test_one_run_for_two_is_two_runs_for_one() -> None:
    one = allowed(policy(LAUNCH), wanted=Wanted((ROLE,), (PROFILE,), WANTED.now)).after
    two = allowed(one, wanted=Wanted((ROLE_B,), (PROFILE_B,), WANTED.now)).after
    assert two == allowed(policy(LAUNCH), wanted=BOTH).after
