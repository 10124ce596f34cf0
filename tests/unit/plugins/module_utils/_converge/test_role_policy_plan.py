# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A statement of ours is merged into a role's inline policy, and leaves it again, with every other
statement left alone.
"""

from __future__ import annotations

import copy
import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import role_policy_plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_want import (
    SID,
    OfBucket,
    sid_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_policy_plan import (
    CHARS_LIMIT,
    Grant,
    Target,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    length_of,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    BUCKET,
    BUCKET_ARN,
    EC2,
    EIGHT,
    OBJECTS_ARN,
    ROLE,
    ROLE_B,
    Document,
    Raw,
    allow,
    deny,
    policy,
)

TARGET = Target(ROLE, "AnyscaleClusterAccess")
BOTH = (BUCKET_ARN, OBJECTS_ARN)
OTHER_BOTH = ("arn:aws:s3:::other", "arn:aws:s3:::other/*")
GRANT = Grant(SID, tuple(EIGHT), BOTH)
TO_EC2 = {"StringEquals": {"iam:PassedToService": EC2}}
PASS = Grant("AnyscalePassRole", ("iam:PassRole",), (ROLE,), TO_EC2)
LOGS = allow(Sid="Logs", Action="logs:PutLogEvents", Resource="*")
NO_KEYS = deny(Action="iam:*", Resource="*")
STRICT = {"Bool": {"aws:SecureTransport": "true"}}


def ours(*resources: str, **elements: t.Any) -> Raw:
    """Our statement for the bucket, with some elements changed."""
    return allow(**{"Sid": SID, "Action": EIGHT, "Resource": list(resources or BOTH), **elements})


def granted(document: Document, *grants: Grant, target: Target = TARGET) -> Plan:
    """The plan, once it is certain that the document given was not changed in place, and that a
    second run changes nothing.
    """
    kept = copy.deepcopy(document)
    plan = role_policy_plan.grant_all(document, grants or (GRANT,), target)
    assert document == kept
    assert plan.changed is (plan.after != document)
    again = role_policy_plan.grant_all(plan.after, grants or (GRANT,), target)
    assert (again.changed, again.after) == (False, plan.after)
    return plan


def revoked(document: Document, bucket: str = BUCKET) -> Plan:
    plan = role_policy_plan.revoke_all(document, SID, OfBucket(bucket), TARGET)
    assert plan.changed is (plan.after != document)
    assert not role_policy_plan.revoke_all(plan.after, SID, OfBucket(bucket), TARGET).changed
    return plan


# The statements before and after, and the reasons.
PRESENT: dict[str, tuple[list[Raw], list[Raw], tuple[str, ...]]] = {
    "into no policy": ([], [ours()], ("access_missing",)),
    "beside others, in their order": (
        [LOGS, NO_KEYS],
        [LOGS, NO_KEYS, ours()],
        ("access_missing",),
    ),
    "there already": ([LOGS, ours(), NO_KEYS], [LOGS, ours(), NO_KEYS], ()),
    "there in another spelling": (
        [ours(Action=EIGHT[::-1], Resource=[OBJECTS_ARN, BUCKET_ARN])],
        [ours(Action=EIGHT[::-1], Resource=[OBJECTS_ARN, BUCKET_ARN])],
        (),
    ),
    "there with actions in another case": (
        [ours(Action=[action.upper() for action in EIGHT])],
        [ours(Action=[action.upper() for action in EIGHT])],
        (),
    ),
    "there for another bucket": (
        [ours(*OTHER_BOTH), LOGS],
        [ours(*OTHER_BOTH, *BOTH), LOGS],
        ("access_missing",),
    ),
    "with an action less": (
        [LOGS, ours(Action=EIGHT[1:]), NO_KEYS],
        [LOGS, ours(), NO_KEYS],
        ("access_missing", "statement_differs"),
    ),
    "with an action less, for another bucket too": (
        [ours(*OTHER_BOTH, *BOTH, Action=EIGHT[1:])],
        [ours(*OTHER_BOTH, Action=EIGHT[1:]), ours(Sid=f"{SID}2")],
        ("access_missing", "statement_differs"),
    ),
    "with an action more, which stays": (
        [ours(Action=[*EIGHT, "s3:GetObjectTagging"])],
        [ours(Action=[*EIGHT, "s3:GetObjectTagging"]), ours(Sid=f"{SID}2")],
        ("access_missing",),
    ),
    "with all actions, which stay": (
        [ours(Action="s3:*")],
        [ours(Action="s3:*"), ours(Sid=f"{SID}2")],
        ("access_missing",),
    ),
    "without the objects": ([ours(BUCKET_ARN)], [ours()], ("access_missing",)),
    "under a Condition": (
        [ours(Condition=STRICT)],
        [ours()],
        ("access_missing", "statement_differs"),
    ),
    "there twice": (
        [ours(), LOGS, ours(Sid=f"{SID}2")],
        [ours(), LOGS],
        ("duplicate_statement",),
    ),
    "as a Deny, which stays": (
        [ours(Effect="Deny")],
        [ours(Effect="Deny"), ours(Sid=f"{SID}2")],
        ("access_missing",),
    ),
    "by all resources but some, which stays": (
        [allow(Sid=SID, Action=EIGHT, NotResource=OTHER_BOTH[0])],
        [allow(Sid=SID, Action=EIGHT, NotResource=OTHER_BOTH[0]), ours(Sid=f"{SID}2")],
        ("access_missing",),
    ),
    "under another Sid, which is another writer's": (
        [ours(Sid="S3BucketAccess")],
        [ours(Sid="S3BucketAccess"), ours()],
        ("access_missing",),
    ),
}


@pytest.mark.parametrize("case", PRESENT)
def test_a_statement_is_merged(case: str) -> None:
    before, after, reasons = PRESENT[case]
    plan = granted(policy(*before, Id="kept"))
    assert plan.after == policy(*after, Id="kept")
    assert plan.reasons == reasons


def test_a_condition_that_goes_is_named() -> None:
    (warning,) = granted(policy(ours(Condition=STRICT))).warnings
    assert "SecureTransport" in warning


def test_what_is_passed_is_passed_to_ec2_alone() -> None:
    """A statement that lost its Condition grants more, and is as good as another writer's."""
    wide = allow(Sid=PASS.sid, Action="iam:PassRole", Resource=[ROLE, ROLE_B])
    plan = granted(policy(wide), PASS)
    assert statements_of(plan.after) == [wide, PASS.statement(f"{PASS.sid}2", (ROLE,))]
    assert plan.after["Statement"][1]["Condition"] == TO_EC2


def test_several_statements_are_merged_at_once() -> None:
    plan = granted(policy(LOGS), GRANT, PASS)
    assert [raw["Sid"] for raw in statements_of(plan.after)] == ["Logs", SID, PASS.sid]


HASHED = sid_of(EIGHT[:2])
ABSENT: dict[str, tuple[list[Raw], list[Raw]]] = {
    "the whole statement": ([LOGS, ours(), NO_KEYS], [LOGS, NO_KEYS]),
    "the last statement": ([ours()], []),
    "of one bucket of two": ([ours(*OTHER_BOTH, *BOTH)], [ours(*OTHER_BOTH)]),
    "a numbered one": ([ours(Sid=f"{SID}2")], []),
    "one for other actions": ([ours(Sid=HASHED, Action=EIGHT[:2])], []),
    "a numbered one for other actions": ([ours(Sid=f"{HASHED}2", Action=EIGHT[:2])], []),
    "one for a prefix": ([ours(BUCKET_ARN, f"{BUCKET_ARN}/team-a/*")], []),
    "one for a prefix with a colon": ([ours(BUCKET_ARN, f"{BUCKET_ARN}/team:a/*")], []),
    "one for a prefix with a space": ([ours(BUCKET_ARN, f"{BUCKET_ARN}/team a/*")], []),
    "not another bucket with keys that name it after a colon": (
        [ours("arn:aws:s3:::other", f"arn:aws:s3:::other/x:{BUCKET}/*")],
        [ours("arn:aws:s3:::other", f"arn:aws:s3:::other/x:{BUCKET}/*")],
    ),
    "not what is no bucket": (
        [ours(f"arn:aws:sqs:us-west-2:222222222222:{BUCKET}")],
        [ours(f"arn:aws:sqs:us-west-2:222222222222:{BUCKET}")],
    ),
    "one that was given another action": ([ours(Action=[*EIGHT, "s3:GetObjectTagging"])], []),
    "in the partition of China": ([ours("arn:aws-cn:s3:::fleet-data/*")], []),
    "not another bucket whose name begins like it": (
        [ours("arn:aws:s3:::fleet-data-2", "arn:aws:s3:::fleet-data-2/*")],
        [ours("arn:aws:s3:::fleet-data-2", "arn:aws:s3:::fleet-data-2/*")],
    ),
    "not all buckets": ([ours("*")], [ours("*")]),
    "not a statement of another writer": (
        [ours(Sid="S3BucketAccess")],
        [ours(Sid="S3BucketAccess")],
    ),
    "not a statement whose Sid begins like ours": (
        [ours(Sid=f"{SID}Legacy")],
        [ours(Sid=f"{SID}Legacy")],
    ),
    "not a Deny": ([ours(Effect="Deny")], [ours(Effect="Deny")]),
    "from no policy": ([], []),
}


@pytest.mark.parametrize("case", ABSENT)
def test_our_statement_leaves(case: str) -> None:
    before, after = ABSENT[case]
    plan = revoked(policy(*before, Id="kept"))
    assert plan.after == policy(*after, Id="kept")
    assert plan.reasons == (("access_present",) if before != after else ())
    assert (plan.result["role_policy"] is None) is (not after)


_OTHERS = st.lists(st.sampled_from([LOGS, NO_KEYS, ours(Sid="S3BucketAccess")]))
_OURS = st.lists(
    st.sampled_from([ours(), ours(*OTHER_BOTH), ours(Action=EIGHT[:3]), ours(Action="s3:*")]),
    max_size=2,
)


@given(_OTHERS, _OURS, st.booleans())
def test_nothing_unmanaged_is_lost(others: list[Raw], there: list[Raw], is_present: bool) -> None:
    document = policy(*others, *there)
    plan = granted(document) if is_present else revoked(document)
    assert [raw for raw in statements_of(plan.after) if raw in others] == others
    buckets = {name for raw in there for name in raw["Resource"]} & set(OTHER_BOTH)
    kept = {name for raw in statements_of(plan.after) for name in raw["Resource"]}
    assert kept >= buckets


@pytest.mark.parametrize("free", [0, -1])
def test_the_quota_of_all_inline_policies_may_be_used_up(free: int) -> None:
    length = length_of(granted(policy()).after)
    target = Target(ROLE, "p", CHARS_LIMIT - length - free)
    if free == 0:
        assert granted(policy(), target=target).changed
        return
    with pytest.raises(RefusedError, match=f"{CHARS_LIMIT + 1}.*{CHARS_LIMIT}") as caught:
        granted(policy(), target=target)
    assert caught.value.details == {"chars_used": CHARS_LIMIT + 1, "chars_limit": CHARS_LIMIT}


def test_a_policy_that_grows_no_longer_is_no_matter_of_the_quota() -> None:
    full = Target(ROLE, "p", CHARS_LIMIT)
    assert granted(policy(ours(), ours(Sid=f"{SID}2")), target=full).changed
    assert not granted(policy(ours()), target=full).changed
