# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a role's own policies are planned to be, in each partition, and what stands in the way."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_policy import (
    BucketPlanner,
    LiveBucketPolicy,
    merged_planners,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_want import (
    PRESETS,
    SID,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    PolicyReconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_bucket_access import (
    BucketGrantPlanner,
    BucketWant,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_policy import (
    LiveRolePolicy,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AwsError,
    RefusedError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    Identity,
    NamedPolicy,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    BUCKET,
    BUCKET_ARN,
    EIGHT,
    OBJECTS_ARN,
    ROLE,
    ROLE_ID,
    Raw,
    allow,
    deny,
    policy,
)

BOTH = [BUCKET_ARN, OBJECTS_ARN]
GRANT = allow(Sid="S3BucketAccess", Action=EIGHT, Resource=BOTH)
SOMETIMES = {"StringEquals": {"aws:SourceVpce": "vpce-1"}}


def live(
    *ours: Raw, own: tuple[Raw, ...] = (), boundary: Raw | None = None, arn: str = ROLE
) -> LiveRolePolicy:
    limit = None if boundary is None else NamedPolicy("limit", policy(boundary))
    return LiveRolePolicy(
        "inline policy",
        policy(*ours),
        policy_name="ours",
        role_arn=arn,
        role={"Arn": arn, "RoleId": ROLE_ID},
        own=Identity((NamedPolicy("own", policy(*own)),), limit),
    )


def planned(found: LiveRolePolicy, want: BucketWant = BucketWant(BUCKET)) -> Plan:  # noqa: B008
    return BucketGrantPlanner(want).plan(found)


# The role's other policies, and whether a statement of ours is needed.
ROWS: dict[str, tuple[tuple[Raw, ...], bool]] = {
    "nothing": ((), True),
    "all by name": ((GRANT,), False),
    "all by s3:*": ((allow(Action="s3:*", Resource="*"),), False),
    "all by a star, which Anyscale's check does not read": (
        (allow(Action="*", Resource="*"),),
        True,
    ),
    "all under a Condition": (({**GRANT, "Condition": SOMETIMES},), True),
    "all on the objects": (({**GRANT, "Resource": OBJECTS_ARN},), True),
    "all on all buckets, whose name Anyscale's check does not find": (
        ({**GRANT, "Resource": "arn:aws:s3:::fleet-d*"},),
        True,
    ),
}


@pytest.mark.parametrize("case", ROWS)
def test_a_statement_is_added_where_the_others_do_not_suffice(case: str) -> None:
    own, is_needed = ROWS[case]
    plan = planned(live(own=own))
    assert plan.changed is is_needed
    assert plan.result["granted_by"][ROLE]
    assert not planned(live(*plan.after["Statement"], own=own)).changed


@pytest.mark.parametrize("preset", PRESETS)
def test_each_preset_is_complete_by_its_own_actions(preset: str) -> None:
    want = BucketWant(BUCKET, PRESETS[preset], "team-a/")
    plan = planned(live(), want)
    (raw,) = plan.after["Statement"]
    assert raw["Action"] == list(PRESETS[preset])
    assert raw["Resource"] == [BUCKET_ARN, f"{BUCKET_ARN}/team-a/*"]
    assert not planned(live(raw), want).changed


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_the_bucket_is_in_the_partition_of_the_role(partition: str) -> None:
    arn = ROLE.replace("arn:aws:", f"arn:{partition}:")
    plan = planned(live(arn=arn))
    (raw,) = plan.after["Statement"]
    assert raw["Resource"] == [f"arn:{partition}:s3:::{BUCKET}", f"arn:{partition}:s3:::{BUCKET}/*"]
    assert not planned(live(raw, arn=arn)).changed


def test_what_is_denied_is_refused_and_what_may_be_is_said() -> None:
    no = deny(Sid="No", Action="s3:PutObject", Resource="*")
    for found in (live(own=(no,)), live(own=(no, GRANT)), live(no)):
        with pytest.raises(RefusedError, match="'No'"):
            planned(found)
    with pytest.raises(RefusedError, match="boundary limit"):
        planned(live(boundary=allow(Action="ec2:*", Resource="*")))
    plan = planned(live(own=({**no, "Condition": SOMETIMES}, GRANT)))
    (warning,) = plan.warnings
    assert "'No') of policy own may deny" in warning


# --- the bucket's policy, with what the role's own policies allow ---------------------------------

REFERENCE = parse_role(ROLE)


def bucket_planner(state: str = "present", **more: t.Any) -> BucketPlanner:
    store: t.Any = type("Store", (), {"bucket": BUCKET, "planners": []})()
    given = {"counts_own": True, "policy_name": SID, **more}
    return BucketPlanner(store, (REFERENCE,), state, **given)


def bucket_policy(*raws: Raw, own: t.Any = None) -> LiveBucketPolicy:
    return LiveBucketPolicy(
        "bucket policy",
        policy(*raws),
        roles={REFERENCE: Role(ROLE, ACCOUNT, ROLE_ID)},
        identities={} if own is None else {REFERENCE: own},
    )


BY_BUCKET = {**GRANT, "Principal": {"AWS": ROLE}}
# What is wanted, and whether the role's own policies are read for it.
DOUBTS: dict[str, tuple[BucketPlanner, LiveBucketPolicy, bool]] = {
    "access that is complete": (bucket_planner(), bucket_policy(BY_BUCKET), False),
    "no access": (bucket_planner(), bucket_policy(), True),
    "no access, by the bucket's policy alone": (
        bucket_planner(counts_own=False),
        bucket_policy(),
        False,
    ),
    "no access any more": (bucket_planner("absent"), bucket_policy(), True),
    "a role that could not be read": (
        bucket_planner(),
        LiveBucketPolicy("p", policy(), roles={REFERENCE: RefusedError("No.")}),
        False,
    ),
}


@pytest.mark.parametrize("case", DOUBTS)
def test_own_policies_are_read_where_the_plan_depends_on_them(case: str) -> None:
    planner, found, is_read = DOUBTS[case]
    assert planner.in_doubt(found) == ([REFERENCE] if is_read else [])


def own(*raws: Raw, name: str = "own", boundary: Raw | None = None) -> Identity:
    limit = None if boundary is None else NamedPolicy("limit", policy(boundary))
    return Identity((NamedPolicy(name, policy(*raws)),), limit)


COUNTED: dict[str, tuple[t.Any, bool]] = {
    "complete": (own(GRANT), True),
    "incomplete": (own({**GRANT, "Action": EIGHT[1:]}), False),
    "denied": (own(GRANT, deny(Action="s3:*", Resource="*")), False),
    "in a form that Anyscale's check does not read": (own(allow(Action="*", Resource="*")), False),
    "not readable": (AwsError("AccessDenied", code="AccessDenied"), False),
}


@pytest.mark.parametrize("case", COUNTED)
def test_own_policies_count_where_they_are_complete(case: str) -> None:
    found, is_enough = COUNTED[case]
    assert bucket_planner().plan(bucket_policy(own=found)).changed is not is_enough


LEAVING: dict[str, tuple[dict[str, t.Any], tuple[Raw, ...], list[str]]] = {
    "it has it by its own policies": ({}, (GRANT,), ["access_in_bucket_policy"]),
    "it is going to": ({}, (), ["access_in_bucket_policy"]),
    "it is going to have less": (
        {"actions": PRESETS["read_only"]},
        (),
        [],
    ),
}


@pytest.mark.parametrize("case", LEAVING)
def test_a_role_that_leaves_the_buckets_policy_for_another_cloud_does_not_come_back(
    case: str,
) -> None:
    """If that cloud's way to the bucket is enough for the one that takes any."""
    more, raws, reasons = LEAVING[case]
    either = bucket_planner()
    leaves = dataclasses.replace(
        bucket_planner("released", counts_own=False, **more), store=either.store
    )
    either.store.planners += [leaves, either]
    ours = {**BY_BUCKET, "Sid": SID}
    found = bucket_policy(ours, own=own(*raws))
    assert either.in_doubt(found) == [REFERENCE]
    planners = merged_planners(either.store.planners)
    plan = PolicyReconciler(either.store, planners, []).plan(found)
    assert list(plan.reasons) == reasons
    assert plan.after == policy(*(() if reasons else (ours,)))


def test_a_deny_among_the_own_policies_is_named() -> None:
    no = deny(Sid="No", Action="s3:PutObject", Resource="*")
    (warning,) = bucket_planner().plan(bucket_policy(own=own(GRANT, no))).warnings
    assert "'No') of policy own denies" in warning
    assert bucket_planner().plan(bucket_policy(own=own(GRANT))).warnings == ()


# A boundary, and what is said of it.
BOUNDARIES: dict[str, tuple[Raw | None, list[str]]] = {
    "none": (None, []),
    "all of S3": (allow(Action="s3:*", Resource="*"), []),
    "other services": (allow(Action="ec2:*", Resource="*"), ["boundary limit of"]),
    "all but one action": (
        allow(NotAction="s3:PutObject", Resource="*"),
        ["does not certainly allow s3:PutObject on bucket"],
    ),
    "another bucket": (
        allow(Action="s3:*", Resource="arn:aws:s3:::other*"),
        [f"does not certainly allow {', '.join(EIGHT)} on bucket"],
    ),
    "under a Condition": (
        allow(Action="s3:*", Resource="*", Condition=SOMETIMES),
        ["boundary limit of"],
    ),
    "a Deny": (
        deny(Sid="No", Action="s3:*", Resource="*"),
        ["'No') of policy limit denies"],
    ),
}


@pytest.mark.parametrize("case", BOUNDARIES)
@pytest.mark.parametrize("raws", [(), (GRANT,)], ids=["no own policies", "own policies"])
def test_a_boundary_that_limits_what_the_buckets_policy_grants_is_named(
    case: str, raws: tuple[Raw, ...]
) -> None:
    boundary, phrases = BOUNDARIES[case]
    found = bucket_policy(own=own(*raws, boundary=boundary))
    warnings = bucket_planner().plan(found).warnings
    assert len(warnings) == len(phrases)
    assert all(phrase in warning for phrase, warning in zip(phrases, warnings, strict=True))
    assert bucket_planner("absent").plan(bucket_policy(own=own(boundary=boundary))).warnings == ()


def test_what_the_same_task_takes_away_does_not_count_as_what_is_left() -> None:
    arn = "arn:aws:iam::123456789012:policy/bucket"
    planner = bucket_planner("absent", policy_arn=arn)
    ours = own({**GRANT, "Sid": SID}, name=SID)
    attached = own(GRANT, name=arn)
    assert planner.plan(bucket_policy(own=ours)).warnings == ()
    assert planner.plan(bucket_policy(own=attached)).warnings == ()
    (warning,) = planner.plan(bucket_policy(own=own(GRANT, name=SID))).warnings
    assert "S3BucketAccess" in warning


def test_what_is_left_is_named_whatever_the_actions_and_the_prefix_of_the_task() -> None:
    planner = bucket_planner("absent", actions=PRESETS["read_only"], prefix="team-a/")
    left = {**GRANT, "Action": "s3:PutObject", "Resource": f"{BUCKET_ARN}/team-b/*"}
    (warning,) = planner.plan(bucket_policy(own=own(left))).warnings
    assert "'S3BucketAccess') of policy own still allows" in warning
