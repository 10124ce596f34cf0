# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roles get a bucket by one statement of ours, and lose it again, with every other statement left
alone.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import re
import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import (
    bucket_policy_plan,
    bucket_want,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_want import (
    Wanted,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    RefusedError,
    TaskError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    as_list,
    parse_policy,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    canonical,
    policies_equal,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    Identity,
    NamedPolicy,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    ANYSCALE_CLOUDFORMATION,
    BUCKET,
    BUCKET_ARN,
    CLOUD_FOUNDATION,
    CONTROL,
    EIGHT,
    FORMER_ID,
    LOG_DELIVERY,
    LOOKALIKE,
    OBJECTS_ARN,
    ON_BUCKET,
    ON_OBJECTS,
    OTHER_ACCOUNT,
    ROLE,
    ROLE_B,
    ROLE_B_ID,
    ROLE_ID,
    ROOT,
    TLS_ONLY,
    Document,
    Raw,
    allow,
    atoms,
    bucket_policies,
    deny,
    policy,
    without,
)

SESSIONS = f"arn:aws:sts::{ACCOUNT}:assumed-role/ray-team-a"
TEAM_A = Role(arn=ROLE, account_id=ACCOUNT, unique_id=ROLE_ID)
TEAM_B = Role(arn=ROLE_B, account_id=ACCOUNT, unique_id=ROLE_B_ID)
ARNS = {ROLE_ID: ROLE, ROLE_B_ID: ROLE_B}
WANTED = Wanted(bucket=BUCKET, roles=(TEAM_A,), arns=ARNS, dangling=frozenset({FORMER_ID}))
EMPTY = policy()
LIMIT = 20 * 1024
SID = "AnyscaleClusterAccess"


def ours(*principals: str, **elements: t.Any) -> Raw:
    """Our statement for some principals, as it is written, with some elements changed."""
    statement = {
        "Sid": SID,
        "Effect": "Allow",
        "Principal": {"AWS": list(principals or (ROLE,))},
        "Action": list(EIGHT),
        "Resource": [BUCKET_ARN, OBJECTS_ARN],
    }
    return {**statement, **elements}


def grant(**elements: t.Any) -> Raw:
    """An unmanaged statement that gives the role all that it needs, with some elements changed;
    ``None`` takes one out.
    """
    whole = {**ours(), "Sid": "Unmanaged", **elements}
    return {key: value for key, value in whole.items() if value is not None}


def decided(document: Document, wanted: Wanted = WANTED, **changes: t.Any) -> Plan:
    """The plan, once it is certain that the document given was not changed in place."""
    kept = copy.deepcopy(document)
    plan = bucket_policy_plan.decide(document, dataclasses.replace(wanted, **changes))
    assert document == kept
    assert bool(plan.reasons) is plan.changed
    assert plan.changed is not policies_equal(document, plan.after or EMPTY)
    if not plan.changed:
        assert plan.after == plan.before
    return plan


def absent(document: Document, **changes: t.Any) -> Plan:
    return decided(document, state="absent", **changes)


def left(plan: Plan) -> list[Raw]:
    """The statements that a plan leaves in the policy."""
    return statements_of(plan.after or EMPTY)


def assert_ours(raw: Raw, *principals: str) -> None:
    """Whether a statement is ours for just these principals, in the spelling that Anyscale's
    check reads.
    """
    assert canonical(raw) == canonical(ours(*principals))
    assert as_list(raw["Principal"]["AWS"]) == sorted(principals)
    assert sorted(raw["Action"]) == sorted(EIGHT)


def test_the_eight_actions_are_the_default() -> None:
    assert sorted(Wanted(bucket=BUCKET, roles=()).actions) == sorted(EIGHT)


def test_a_bucket_without_a_policy_gets_one_with_our_statement() -> None:
    plan = decided(parse_policy(None, "bucket policy"))
    (raw,) = left(plan)
    assert_ours(raw, ROLE)
    assert plan.after["Version"] == "2012-10-17"
    assert plan.reasons == ("access_missing",)
    assert plan.result["sid"] == SID
    assert plan.result["granted_by"] == {ROLE: [SID]}


HELD = {
    "by our statement": [ours()],
    "by s3:*, the one wildcard that Anyscale's check reads": [grant(Action="s3:*")],
    "by our statement, for others too": [ours(ROLE, ROLE_B)],
    "by our statement in another spelling": [
        ours(
            Principal={"AWS": ROLE},
            Action=EIGHT[::-1],
            Resource=[OBJECTS_ARN, BUCKET_ARN],
            Condition={},
        )
    ],
    "by an unmanaged statement": [grant()],
    "by an unmanaged statement without a Sid": [grant(Sid=None)],
    "by an unmanaged statement with an empty Condition": [grant(Condition={})],
    "among other principals": [
        grant(Principal={"AWS": [CONTROL, ROLE], "Service": "logging.s3.amazonaws.com"})
    ],
    "among other actions": [grant(Action=[*EIGHT, "s3:GetBucketAcl", "s3:GetObject*"])],
    "by the cloud foundation module's policy, its TLS-only Deny included": [
        TLS_ONLY,
        CLOUD_FOUNDATION,
    ],
    "split by resource": [
        grant(Action=list(ON_BUCKET), Resource=BUCKET_ARN),
        grant(Sid="Objects", Action=list(ON_OBJECTS), Resource=OBJECTS_ARN),
    ],
    "split by action": [
        grant(Sid=f"Part{index}", Action=action) for index, action in enumerate(EIGHT)
    ],
    "split between Anyscale's and ours": [ANYSCALE_CLOUDFORMATION, ours()],
    "on all resources": [grant(Resource="*")],
    "on resources with a wildcard": [grant(Resource=f"{BUCKET_ARN}*")],
}


@pytest.mark.parametrize("raws", HELD.values(), ids=list(HELD))
def test_access_that_is_held_is_left_as_it_is(raws: list[Raw]) -> None:
    plan = decided(policy(*raws))
    assert (plan.reasons, plan.warnings) == ((), ())
    assert plan.result["sid"] == SID


HELD_BY_UNIQUE_ID = {
    "our statement": [ours(ROLE_ID)],
    "our statement, among others": [ours(ROLE_ID, ROLE_B)],
    "an unmanaged statement": [grant(Principal={"AWS": ROLE_ID})],
    "a part of it": [
        grant(Action=list(ON_BUCKET)),
        grant(Sid="Objects", Principal={"AWS": ROLE_ID}, Action=list(ON_OBJECTS)),
    ],
}


@pytest.mark.parametrize("raws", HELD_BY_UNIQUE_ID.values(), ids=list(HELD_BY_UNIQUE_ID))
def test_access_that_is_held_by_a_unique_id_is_left_with_a_warning_since_anyscales_check_looks_for_the_arn(
    raws: list[Raw],
) -> None:
    plan = decided(policy(*raws))
    assert plan.reasons == ()
    (warning,) = plan.warnings
    assert ROLE in warning
    assert ROLE_ID in warning


def test_a_unique_id_beside_the_arn_or_replaced_by_it_does_not_affect_anyscales_check() -> None:
    assert decided(policy(ours(), grant(Principal={"AWS": ROLE_ID}))).warnings == ()
    assert decided(policy(ours(ROLE_ID, Action="*"))).warnings == ()
    assert absent(policy(ours(ROLE_ID, ROLE_B))).warnings == ()


MISSED = {
    "to no principal": [],
    "to log delivery": [LOG_DELIVERY],
    "with the four actions of Anyscale's CloudFormation": [TLS_ONLY, ANYSCALE_CLOUDFORMATION],
    "to another role": [grant(Principal={"AWS": ROLE_B})],
    "to a role whose name contains it": [grant(Principal={"AWS": LOOKALIKE})],
    "to a role of that name in another account": [
        grant(Principal={"AWS": ROLE.replace(ACCOUNT, OTHER_ACCOUNT)})
    ],
    "to another's unique id": [grant(Principal={"AWS": ROLE_B_ID})],
    "to the account's root": [grant(Principal={"AWS": ROOT})],
    "to the account's id": [grant(Principal={"AWS": ACCOUNT})],
    "to everybody": [grant(Principal="*")],
    "to everybody by kind": [grant(Principal={"AWS": "*"})],
    "to all but others": [grant(Principal=None, NotPrincipal={"AWS": ROLE_B})],
    "to it as another kind of principal": [grant(Principal={"Federated": ROLE})],
    "denied": [grant(Effect="Deny", Principal={"AWS": ROLE_B})],
    "by all actions": [grant(Action="*")],
    "by a wildcard for objects": [grant(Action=[*ON_BUCKET, "s3:*Object", "s3:*MultipartUpload*"])],
    "by all but one wildcard spelled out": [
        grant(Action=[*[a for a in EIGHT if a != "s3:GetObject"], "s3:GetObject*"])
    ],
    "by actions in another case, which Anyscale's check does not know": [
        grant(Action=[action.upper() for action in EIGHT])
    ],
    "by NotAction": [grant(Action=None, NotAction="s3:PutBucketPolicy")],
    "under a Condition": [grant(Condition={"StringEquals": {"aws:SourceVpc": "vpc-1"}})],
    "in part under a Condition": [
        grant(Action=EIGHT[1:]),
        grant(
            Sid="Strict", Action=EIGHT[0], Condition={"StringEquals": {"aws:SourceVpc": "vpc-1"}}
        ),
    ],
    "on the bucket alone": [grant(Resource=BUCKET_ARN)],
    "on the objects alone": [grant(Resource=OBJECTS_ARN)],
    "on a prefix": [grant(Resource=[BUCKET_ARN, f"{BUCKET_ARN}/team-a/*"])],
    "on one object": [grant(Resource=[BUCKET_ARN, f"{BUCKET_ARN}/x"])],
    "on another bucket": [grant(Resource=["arn:aws:s3:::other", "arn:aws:s3:::other/*"])],
    "on all but a prefix": [grant(Resource=None, NotResource=f"{BUCKET_ARN}/team-a/*")],
    "on the wrong resource for each action": [
        grant(Action=list(ON_BUCKET), Resource=OBJECTS_ARN),
        grant(Sid="Objects", Action=list(ON_OBJECTS), Resource=BUCKET_ARN),
    ],
    **{
        f"without {action}": [grant(Action=[other for other in EIGHT if other != action])]
        for action in EIGHT
    },
}


@pytest.mark.parametrize("raws", MISSED.values(), ids=list(MISSED))
def test_our_statement_is_appended_where_access_is_granted(raws: list[Raw]) -> None:
    plan = decided(policy(*raws, Id="fleet"))
    assert left(plan)[:-1] == raws
    assert_ours(left(plan)[-1], ROLE)
    assert plan.after["Id"] == "fleet"
    assert plan.reasons == ("access_missing",)
    assert SID in plan.result["granted_by"][ROLE]


def test_a_statement_object_is_kept_beside_ours() -> None:
    plan = decided({"Version": "2012-10-17", "Statement": LOG_DELIVERY})
    assert left(plan)[0] == LOG_DELIVERY
    assert_ours(left(plan)[1], ROLE)


def test_the_statements_that_grant_are_named_by_sid_or_place() -> None:
    document = policy(
        TLS_ONLY,
        ANYSCALE_CLOUDFORMATION,
        grant(Action="s3:GetObject"),
        grant(Sid="All", Action="*"),
    )
    assert decided(document).result["granted_by"] == {ROLE: ["#2", "Unmanaged", SID]}
    assert bucket_policy_plan.granted_by(document, WANTED) == {ROLE: ["#2", "Unmanaged"]}


def test_roles_share_one_statement_in_sorted_order() -> None:
    roles = tuple(
        Role(arn=f"arn:aws:iam::{ACCOUNT}:role/{name}", account_id=ACCOUNT)
        for name in ("zeta", "alpha", "mid")
    )
    document = EMPTY
    for role in roles:
        document = decided(document, roles=(role,)).after
    assert_ours(document["Statement"][0], *sorted(role.arn for role in roles))
    assert document == decided(EMPTY, roles=roles).after
    assert len(document["Statement"]) == 1


def test_only_roles_that_miss_something_are_added() -> None:
    plan = decided(policy(grant()), roles=(TEAM_A, TEAM_B))
    assert_ours(left(plan)[1], ROLE_B)
    assert plan.result["granted_by"] == {ROLE: ["Unmanaged"], ROLE_B: [SID]}


def test_our_statement_keeps_its_place() -> None:
    plan = decided(policy(TLS_ONLY, ours(ROLE_B), LOG_DELIVERY))
    assert [left(plan)[0], left(plan)[2]] == [TLS_ONLY, LOG_DELIVERY]
    assert_ours(left(plan)[1], ROLE, ROLE_B)


OURS_EDITED = {
    "an action taken out": ours(Action=EIGHT[1:]),
    "a Condition put in": ours(Condition={"StringEquals": {"aws:SourceVpc": "vpc-1"}}),
    "its resources narrowed": ours(Resource=[BUCKET_ARN, f"{BUCKET_ARN}/x/*"]),
    "its objects taken out": ours(Resource=BUCKET_ARN),
    "everybody put in": ours(ROLE, "*"),
    "everybody in the place of the role": ours("*"),
}


@pytest.mark.parametrize("edited", OURS_EDITED.values(), ids=list(OURS_EDITED))
def test_our_own_statement_is_repaired_in_its_place(edited: Raw) -> None:
    plan = decided(policy(TLS_ONLY, edited, LOG_DELIVERY))
    assert [left(plan)[0], left(plan)[2]] == [TLS_ONLY, LOG_DELIVERY]
    assert_ours(left(plan)[1], ROLE)
    assert "statement_differs" in plan.reasons


@pytest.mark.parametrize(
    "principal", ["*", {"AWS": "*"}, {"AWS": [ROLE, "*"]}], ids=["a string", "by kind", "in a list"]
)
def test_a_wildcard_principal_never_stays_in_our_statement(principal: t.Any) -> None:
    (raw,) = left(decided(policy(ours(Principal=principal))))
    assert_ours(raw, ROLE)


MORE_IN_OURS = {
    "an action more": (ours(Action=[*EIGHT, "s3:GetObjectTagging"]), True),
    "an action in the place of another": (ours(Action=[*EIGHT[1:], "s3:GetObjectTagging"]), False),
    "all actions of S3": (ours(Action="s3:*"), True),
    "all actions": (ours(Action="*"), False),
    "a wildcard beside ours": (ours(Action=[*EIGHT, "s3:Get*"]), True),
    "all actions but one": (
        without(ours(NotAction="s3:DeleteBucket"), "Action"),
        False,
    ),
    "an action more, under a Condition": (
        ours(
            Action=[*EIGHT, "s3:GetObjectTagging"],
            Condition={"Bool": {"aws:SecureTransport": "true"}},
        ),
        False,
    ),
    "another bucket": (ours(Resource=[BUCKET_ARN, "arn:aws:s3:::other/*"]), False),
}


@pytest.mark.parametrize("case", MORE_IN_OURS)
@pytest.mark.parametrize("others", [(), (ROLE_B,)], ids=["alone", "shared"])
def test_what_a_role_has_beyond_ours_under_our_sid_stays(
    case: str, others: tuple[str, ...]
) -> None:
    """In its statement, which is as good as another writer's. Ours is added where access is missing."""
    edited, has_access = MORE_IN_OURS[case]
    edited = {**edited, "Principal": {"AWS": [ROLE, *others]}}
    plan = decided(policy(TLS_ONLY, edited, LOG_DELIVERY))
    added = [] if has_access else [ours(ROLE, Sid=f"{SID}2")]
    assert left(plan) == [TLS_ONLY, edited, LOG_DELIVERY, *added]
    assert (plan.reasons, plan.warnings) == (() if has_access else ("access_missing",), ())
    assert not decided(plan.after).changed


READS_PUBLIC = {"Action": "s3:GetObject", "Resource": f"{BUCKET_ARN}/public/*"}
UNASKED_IN_OURS = {
    "less, on a prefix": ours(ROLE_B, **READS_PUBLIC),
    "one action less": ours(ROLE_B, Action=EIGHT[1:]),
    "one action more": ours(ROLE_B, Action=[*EIGHT, "s3:GetObjectVersion"]),
    "all actions": ours(ROLE_B, Action="s3:*"),
    "all, under a Condition": ours(ROLE_B, Condition={"StringEquals": {"aws:SourceVpc": "vpc-1"}}),
    "all, on the objects alone": ours(ROLE_B, Resource=OBJECTS_ARN),
    "less, as everybody has": ours("*", **READS_PUBLIC),
}


@pytest.mark.parametrize("raw", UNASKED_IN_OURS.values(), ids=list(UNASKED_IN_OURS))
def test_a_principal_with_other_rights_under_our_sid_stays_with_them_in_that_statement(
    raw: Raw,
) -> None:
    plan = decided(policy(raw, LOG_DELIVERY))
    assert left(plan) == [raw, LOG_DELIVERY, ours(ROLE, Sid=f"{SID}2")]
    assert (plan.reasons, plan.warnings) == (("access_missing",), ())


LESS_IN_OURS = {
    case: raw
    for case, raw in UNASKED_IN_OURS.items()
    if case not in ("one action more", "all actions")
}


@pytest.mark.parametrize("raw", LESS_IN_OURS.values(), ids=list(LESS_IN_OURS))
def test_a_role_is_taken_out_of_a_shared_statement_that_gives_it_less(raw: Raw) -> None:
    others = raw["Principal"]["AWS"]
    shared = {**raw, "Principal": {"AWS": [ROLE, *others]}}
    plan = decided(policy(shared, LOG_DELIVERY))
    assert left(plan) == [raw, LOG_DELIVERY, ours(ROLE, Sid=f"{SID}2")]
    assert "statement_differs" in plan.reasons
    assert [ROLE in warning for warning in plan.warnings] == [True] * ("Condition" in raw)


def test_the_roles_of_a_divided_statement_are_one_statement_again_when_all_have_been_asked_for() -> (
    None
):
    divided = decided(policy(ours(ROLE, ROLE_B, Action=EIGHT[1:]), LOG_DELIVERY)).after
    plan = decided(divided, roles=(TEAM_B,))
    assert left(plan) == [ours(ROLE, ROLE_B), LOG_DELIVERY]


def test_everybody_is_named_where_our_statement_no_longer_lets_them_in() -> None:
    (warning,) = decided(policy(TLS_ONLY, ours(ROLE, "*"))).warnings
    assert "Statement 2" in warning
    assert "(*)" in warning


UNMANAGED_WITH_OUR_SID = {
    "for a service, on a prefix": {**LOG_DELIVERY, "Sid": SID},
    "for another account, one action": grant(
        Sid=SID, Principal={"AWS": OTHER_ACCOUNT}, Action="s3:GetObject"
    ),
    "for this account, under a Condition": grant(
        Sid=SID, Principal={"AWS": ROOT}, Condition={"Bool": {"aws:SecureTransport": "true"}}
    ),
    "for a service, beside the role": grant(
        Sid=SID,
        Principal={"AWS": ROLE, "Service": "logging.s3.amazonaws.com"},
        Action="s3:PutObject",
    ),
    "for another account's role": grant(
        Sid=SID, Principal={"AWS": ROLE.replace(ACCOUNT, OTHER_ACCOUNT)}, Action="s3:GetObject"
    ),
    "for a user": grant(
        Sid=SID,
        Principal={"AWS": [ROLE, f"arn:aws:iam::{ACCOUNT}:user/ada"]},
        Action="s3:GetObject",
    ),
    "for an organisation": grant(
        Sid=SID, Principal="*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1a2b3c4d5e"}}
    ),
    "for all but a role": grant(Sid=SID, Principal=None, NotPrincipal={"AWS": ROLE_B}),
    "that denies another role": deny(
        Sid=SID, Principal={"AWS": CONTROL}, Action="s3:*", Resource=OBJECTS_ARN
    ),
}


@pytest.mark.parametrize("raw", UNMANAGED_WITH_OUR_SID.values(), ids=list(UNMANAGED_WITH_OUR_SID))
def test_an_unmanaged_statement_with_our_sid_is_not_widened_to_what_roles_get(raw: Raw) -> None:
    plan = decided(policy(raw))
    gained = atoms(plan.after) - atoms(policy(raw))
    lost = atoms(policy(raw)) - atoms(plan.after)
    assert {json.loads(atom)[1][1] for atom in gained} == {ROLE}
    assert {json.loads(atom)[1][1] for atom in lost} <= {ROLE}


@pytest.mark.parametrize("raw", UNMANAGED_WITH_OUR_SID.values(), ids=list(UNMANAGED_WITH_OUR_SID))
def test_an_unmanaged_statement_with_our_sid_stays_and_ours_gets_a_number_for_all_roles(
    raw: Raw,
) -> None:
    plan = decided(policy(raw, LOG_DELIVERY))
    second = decided(plan.after, roles=(TEAM_B,))
    assert left(second) == [raw, LOG_DELIVERY, ours(ROLE, ROLE_B, Sid=f"{SID}2")]
    assert plan.result["sid"] == second.result["sid"] == f"{SID}2"
    assert f"{SID}2" in plan.result["granted_by"][ROLE]
    edited = policy(raw, ours(ROLE, Sid=f"{SID}2", Action=EIGHT[1:]))
    assert left(decided(edited)) == [raw, ours(ROLE, Sid=f"{SID}2")]


def test_our_statement_keeps_its_sid_beside_an_unmanaged_one_with_the_same_sid() -> None:
    theirs = {**LOG_DELIVERY, "Sid": SID}
    assert left(decided(policy(theirs, ours()), roles=(TEAM_B,))) == [theirs, ours(ROLE, ROLE_B)]


def test_our_statement_is_repaired_even_where_another_grants_access() -> None:
    plan = decided(policy(grant(), ours(Action=EIGHT[1:])))
    assert left(plan)[0] == grant()
    assert_ours(left(plan)[1], ROLE)
    assert plan.reasons == ("statement_differs",)


def test_our_statement_is_spelled_as_anyscales_check_reads_it() -> None:
    plan = bucket_policy_plan.decide(
        policy(ours(Action=[action.lower() for action in EIGHT])), WANTED
    )
    assert plan.changed
    assert_ours(left(plan)[0], ROLE)


def test_our_statement_twice_becomes_one_with_the_roles_of_both() -> None:
    plan = decided(policy(ours(ROLE), LOG_DELIVERY, ours(ROLE_B)))
    assert left(plan)[1:] == [LOG_DELIVERY]
    assert_ours(left(plan)[0], ROLE, ROLE_B)
    assert "duplicate_statement" in plan.reasons


def test_a_deleted_principal_is_pruned_from_our_statement_even_where_nothing_else_differs() -> None:
    plan = decided(policy(ours(FORMER_ID, ROLE)))
    assert_ours(left(plan)[0], ROLE)
    assert plan.reasons == ("dangling_principal",)


def test_a_role_made_anew_is_granted_access_in_the_place_of_the_former() -> None:
    plan = decided(policy(TLS_ONLY, ours(FORMER_ID)))
    assert left(plan)[0] == TLS_ONLY
    assert_ours(left(plan)[1], ROLE)
    assert sorted(plan.reasons) == ["access_missing", "dangling_principal"]


def test_an_id_that_is_not_known_to_dangle_is_left_in_our_statement() -> None:
    assert not decided(policy(ours(ROLE, "AIDAQ3EGSIJTZ5USERONE"))).changed


STALE = allow(
    Sid="Stale", Principal={"AWS": [FORMER_ID, ROLE_B]}, Action="s3:GetObject", Resource=OBJECTS_ARN
)
OF_READERS = ours(
    FORMER_ID,
    ROLE_B,
    Sid=bucket_want.sid_of(bucket_want.PRESETS["read_only"]),
    Action=list(bucket_want.PRESETS["read_only"]),
)
BLOCKING = {
    "unmanaged": (policy(TLS_ONLY, STALE), ["Stale"]),
    "unmanaged, without a Sid": (policy(TLS_ONLY, without(STALE, "Sid")), ["2"]),
    "unmanaged, alone in it": (policy({**STALE, "Principal": {"AWS": FORMER_ID}}), ["Stale"]),
    "unmanaged, denied": (policy({**STALE, "Effect": "Deny"}), ["Stale"]),
    "unmanaged, excepted from a Deny": (
        policy(
            deny(
                Sid="Stale",
                NotPrincipal={"AWS": [FORMER_ID, ROLE, ROOT]},
                Action="s3:*",
                Resource=OBJECTS_ARN,
            )
        ),
        ["Stale"],
    ),
    "in two": (policy(STALE, {**STALE, "Sid": "Older"}), ["Stale", "Older"]),
    "ours": (policy(ours(FORMER_ID)), []),
    "ours, with another preset": (policy(OF_READERS), []),
    "unmanaged, with a Sid of ours": (
        policy({**OF_READERS, "Principal": {"AWS": [FORMER_ID, ROOT]}}),
        [OF_READERS["Sid"]],
    ),
    "with the ids of principals that exist": (policy(grant(Principal={"AWS": ROLE_ID})), []),
}


@pytest.mark.parametrize(("document", "named"), BLOCKING.values(), ids=list(BLOCKING))
def test_statements_that_make_s3_refuse_every_write_are_named(
    document: Document, named: list[str]
) -> None:
    blocking = bucket_policy_plan.blocking_ids(document, WANTED)
    assert len(blocking) == len(named)
    assert all(name in text for name, text in zip(named, blocking, strict=True))


@pytest.mark.parametrize(
    ("state", "reasons"),
    [
        ("present", ("access_missing", "dangling_principal")),
        ("absent", ("access_present", "dangling_principal")),
        ("released", ("access_in_bucket_policy",)),
    ],
)
def test_a_deleted_principal_is_pruned_from_our_statement_with_another_preset(
    state: str, reasons: tuple[str, ...]
) -> None:
    own = [] if state == "present" else [ours()]
    plan = decided(policy(TLS_ONLY, OF_READERS, *own), state=state)
    assert plan.reasons == reasons
    assert left(plan)[:2] == [TLS_ONLY, {**OF_READERS, "Principal": {"AWS": [ROLE_B]}}]
    assert not decided(plan.after, state=state).changed


def test_each_such_statement_is_named_with_its_own_principals() -> None:
    """And with none of another's."""
    one, other = FORMER_ID, f"{FORMER_ID[:-1]}{'A' if FORMER_ID[-1] != 'A' else 'B'}"
    document = policy(
        {**STALE, "Principal": {"AWS": one}}, {**STALE, "Sid": "Older", "Principal": {"AWS": other}}
    )
    wanted = dataclasses.replace(WANTED, dangling=frozenset((one, other)))
    assert list(bucket_policy_plan.blocking_ids(document, wanted).values()) == [{one}, {other}]


def test_a_deleted_principal_in_an_unmanaged_statement_stays_without_pruning() -> None:
    assert left(decided(policy(STALE)))[0] == STALE
    assert not decided(policy(STALE, ours())).changed


def test_a_deleted_principal_in_an_unmanaged_statement_is_pruned_on_request() -> None:
    plan = decided(policy(TLS_ONLY, STALE, ours()), prune=True)
    assert left(plan)[0] == TLS_ONLY
    assert canonical(left(plan)[1]) == canonical({**STALE, "Principal": {"AWS": ROLE_B}})
    assert left(plan)[2] == ours()
    assert plan.reasons == ("dangling_principal_in_other_statement",)


def test_an_unmanaged_statement_with_deleted_principals_alone_is_pruned_as_a_whole() -> None:
    plan = decided(policy({**STALE, "Principal": {"AWS": [FORMER_ID]}}, ours()), prune=True)
    assert left(plan) == [ours()]


def test_pruning_takes_out_no_existing_principal() -> None:
    assert not decided(policy(grant(Principal={"AWS": [ROLE_ID, ROLE_B]})), prune=True).changed


def test_pruning_never_makes_a_deny_hit_more_roles_or_fewer() -> None:
    protecting = deny(
        Sid="Mine",
        NotPrincipal={"AWS": [ROLE, ROOT, FORMER_ID]},
        Action="s3:*",
        Resource=OBJECTS_ARN,
    )
    plan = decided(policy(protecting, ours()), prune=True)
    assert canonical(left(plan)[0]) == canonical(
        {**protecting, "NotPrincipal": {"AWS": [ROLE, ROOT]}}
    )


@pytest.mark.parametrize("state", ["present", "absent"])
def test_the_only_exception_of_a_statement_is_not_pruned_but_an_error_that_names_the_statement(
    state: str,
) -> None:
    last = deny(
        Sid="Mine", NotPrincipal={"AWS": [FORMER_ID]}, Action="s3:DeleteBucket", Resource=BUCKET_ARN
    )
    with pytest.raises(RefusedError, match="Mine") as caught:
        decided(policy(ours(), last), prune=True, state=state)
    assert caught.value.details["statement"] == last
    assert left(decided(policy(ours(), last), state=state))[-1] == last


READ = ("s3:GetObject", "s3:ListBucket")


def test_other_actions_get_a_statement_of_their_own_beside_the_usual_one() -> None:
    plan = decided(policy(ours(ROLE_B)), actions=READ)
    assert left(plan)[0] == ours(ROLE_B)
    raw = left(plan)[1]
    assert re.fullmatch(f"{SID}[0-9A-Za-z]+", raw["Sid"])
    assert raw["Sid"] == plan.result["sid"]
    assert (raw["Effect"], raw["Principal"]["AWS"], sorted(raw["Action"])) == (
        "Allow",
        [ROLE],
        sorted(READ),
    )
    assert not decided(plan.after, actions=READ).changed


def test_the_sid_of_other_actions_is_theirs_whatever_their_order() -> None:
    sid = decided(EMPTY, actions=READ).result["sid"]
    assert decided(EMPTY, actions=READ[::-1]).result["sid"] == sid
    assert decided(EMPTY, actions=(*READ, "s3:PutObject")).result["sid"] not in (sid, SID)
    assert decided(EMPTY, actions=tuple(EIGHT[::-1])).result["sid"] == SID


def test_other_actions_that_a_role_has_already_are_not_granted_again() -> None:
    assert not decided(policy(ours()), actions=READ).changed


ON_WHICH = {
    **dict.fromkeys(ON_BUCKET, BUCKET_ARN),
    **dict.fromkeys(ON_OBJECTS, OBJECTS_ARN),
    "s3:ListBucketVersions": BUCKET_ARN,
    "s3:GetEncryptionConfiguration": BUCKET_ARN,
    "s3:GetBucketObjectLockConfiguration": BUCKET_ARN,
    "s3:GetObjectTagging": OBJECTS_ARN,
    "s3:DeleteObjectVersion": OBJECTS_ARN,
    "s3:RestoreObject": OBJECTS_ARN,
    "s3:BypassGovernanceRetention": OBJECTS_ARN,
}


@pytest.mark.parametrize(("action", "resource"), ON_WHICH.items(), ids=list(ON_WHICH))
def test_an_action_counts_on_the_resource_that_it_is_on(action: str, resource: str) -> None:
    for granted in (BUCKET_ARN, OBJECTS_ARN):
        document = policy(grant(Action=action, Resource=granted))
        assert decided(document, actions=(action,)).changed is (granted != resource)


def test_two_kinds_of_access_live_side_by_side() -> None:
    both = decided(decided(EMPTY, roles=(TEAM_B,), actions=READ).after).after
    assert len(both["Statement"]) == 2
    assert not decided(both).changed
    assert not decided(both, roles=(TEAM_B,), actions=READ).changed


@pytest.mark.parametrize("letter", ["x", "é"], ids=["plain letters", "letters of two bytes"])
@pytest.mark.parametrize(("part", "warns"), [(90, False), (96, True), (120, True)])
def test_a_policy_near_the_limit_is_warned_about_and_planned(
    letter: str, part: int, warns: bool
) -> None:
    """S3 measures a form of its own: what is longer by our count may be accepted."""
    length = (LIMIT * part // 100 - _bytes(decided(EMPTY).after)) // len(letter.encode())
    plan = decided(policy({**LOG_DELIVERY, "Resource": letter * length}))
    used = _bytes(plan.after)
    assert (plan.result["bytes_used"], plan.result["bytes_limit"]) == (used, LIMIT)
    assert [str(used) in warning for warning in plan.warnings] == [True] * warns
    assert decided(plan.after).warnings == ()


def test_a_policy_that_grants_access_is_no_matter_of_the_limit() -> None:
    assert not decided(policy(ours(), {**LOG_DELIVERY, "Resource": "x" * LIMIT})).changed


def _bytes(document: Document) -> int:
    return len(json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode())


SURE_DENIES = {
    "the role": {"Principal": {"AWS": ROLE}},
    "the role's unique id": {"Principal": {"AWS": ROLE_ID}},
    "everybody": {"Principal": "*"},
    "all but others": {"NotPrincipal": {"AWS": ROLE_B}},
    "all but other roles by a Condition": {
        "Principal": "*",
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": ROLE_B}},
    },
    "other accounts by a Condition": {
        "Principal": "*",
        "Condition": {"StringNotEquals": {"aws:PrincipalAccount": OTHER_ACCOUNT}},
    },
}


@pytest.mark.parametrize(
    "others",
    [[], [ours()], [CLOUD_FOUNDATION]],
    ids=["with nothing", "with ours", "with an unmanaged grant"],
)
@pytest.mark.parametrize("elements", SURE_DENIES.values(), ids=list(SURE_DENIES))
def test_a_deny_that_hits_the_role_is_an_error_that_names_it(
    elements: Raw, others: list[Raw]
) -> None:
    raw = deny(Sid="LockedOut", Action="s3:*", Resource=[BUCKET_ARN, OBJECTS_ARN], **elements)
    with pytest.raises(TaskError, match="LockedOut") as caught:
        decided(policy(*others, raw))
    assert ROLE in caught.value.message
    assert caught.value.details["statement"] == raw


@pytest.mark.parametrize("elements", SURE_DENIES.values(), ids=list(SURE_DENIES))
def test_a_deny_does_not_hinder_taking_access_away(elements: Raw) -> None:
    raw = deny(Sid="LockedOut", Action="s3:*", Resource=[BUCKET_ARN, OBJECTS_ARN], **elements)
    assert left(absent(policy(raw, ours()))) == [raw]


@pytest.mark.parametrize("others", [[], [ours()]], ids=["with nothing", "with ours"])
def test_a_deny_that_may_hit_the_role_is_a_warning_that_names_it(others: list[Raw]) -> None:
    raw = deny(
        Sid="OnlyOurNetwork",
        Principal="*",
        Action="s3:*",
        Resource=OBJECTS_ARN,
        Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}},
    )
    (warning,) = decided(policy(raw, *others)).warnings
    assert "OnlyOurNetwork" in warning
    assert ROLE in warning


HARMLESS_DENIES = {
    "TLS only": TLS_ONLY,
    "another role": deny(Principal={"AWS": ROLE_B}, Action="s3:*", Resource=OBJECTS_ARN),
    "an action that is not needed": deny(
        Principal="*", Action=["s3:DeleteBucket", "s3:PutBucketPolicy"], Resource=BUCKET_ARN
    ),
    "all but the role by a Condition": deny(
        Principal="*",
        Action="s3:*",
        Resource=[BUCKET_ARN, OBJECTS_ARN],
        Condition={"StringNotEquals": {"aws:PrincipalArn": [ROLE, CONTROL]}},
    ),
}


@pytest.mark.parametrize("raw", HARMLESS_DENIES.values(), ids=list(HARMLESS_DENIES))
def test_a_harmless_deny_is_no_warning(raw: Raw) -> None:
    plan = decided(policy(raw))
    assert left(plan)[0] == raw
    assert_ours(left(plan)[1], ROLE)
    assert plan.warnings == ()


ABSENT = {
    "from ours, others stay in it": (
        [TLS_ONLY, ours(ROLE, ROLE_B)],
        [TLS_ONLY, ours(ROLE_B)],
        ["access_present"],
    ),
    "from ours, which goes": ([ours(), TLS_ONLY], [TLS_ONLY], ["access_present"]),
    "from ours, which shows its unique id": (
        [ours(ROLE_ID), TLS_ONLY],
        [TLS_ONLY],
        ["access_present"],
    ),
    "from ours, there twice": ([ours(), TLS_ONLY, ours()], [TLS_ONLY], ["access_present"]),
    "from ours with the actions edited": (
        [ours(ROLE, ROLE_B, Action="s3:*")],
        None,
        ["access_present"],
    ),
    "from an unmanaged one": (
        [grant(), LOG_DELIVERY],
        [LOG_DELIVERY],
        ["access_in_other_statement"],
    ),
    "from an unmanaged one, others stay in it": (
        [CLOUD_FOUNDATION],
        [{**CLOUD_FOUNDATION, "Principal": {"AWS": CONTROL}}],
        ["access_in_other_statement"],
    ),
    "from an unmanaged one, other kinds stay in it": (
        [grant(Principal={"AWS": ROLE, "Service": "logging.s3.amazonaws.com"})],
        [grant(Principal={"Service": "logging.s3.amazonaws.com"})],
        ["access_in_other_statement"],
    ),
    "from an unmanaged one with a wildcard": (
        [grant(Action="s3:*"), TLS_ONLY],
        [TLS_ONLY],
        ["access_in_other_statement"],
    ),
    "from an unmanaged one with NotAction": (
        [grant(Action=None, NotAction="s3:x"), TLS_ONLY],
        [TLS_ONLY],
        ["access_in_other_statement"],
    ),
    "from an unmanaged one under a Condition": (
        [grant(Condition={"Bool": {"aws:SecureTransport": True}}), TLS_ONLY],
        [TLS_ONLY],
        ["access_in_other_statement"],
    ),
    "from an unmanaged one on a prefix": (
        [grant(Resource=f"{BUCKET_ARN}/x/*"), TLS_ONLY],
        [TLS_ONLY],
        ["access_in_other_statement"],
    ),
    "from an unmanaged one, which shows its unique id": (
        [grant(Principal={"AWS": ROLE_ID}), TLS_ONLY],
        [TLS_ONLY],
        ["access_in_other_statement"],
    ),
    "from an unmanaged one that names a session of it": (
        [grant(Principal={"AWS": [f"{SESSIONS}/i-0aaaaaaaaaaaaaaaa", f"{SESSIONS}-2/ada"]})],
        [grant(Principal={"AWS": f"{SESSIONS}-2/ada"})],
        ["access_in_other_statement"],
    ),
    "from ours and an unmanaged one": (
        [ANYSCALE_CLOUDFORMATION, ours()],
        [{**ANYSCALE_CLOUDFORMATION, "Principal": {"AWS": CONTROL}}],
        ["access_in_other_statement", "access_present"],
    ),
}


@pytest.mark.parametrize(("before", "after", "reasons"), ABSENT.values(), ids=list(ABSENT))
def test_a_role_is_removed(before: list[Raw], after: list[Raw] | None, reasons: list[str]) -> None:
    plan = absent(policy(*before))
    if after is not None:
        assert policies_equal(plan.after, policy(*after))
        assert [raw for raw in left(plan) if raw in before] == [
            raw for raw in before if raw in after
        ]
    assert ROLE not in json.dumps(left(plan))
    assert ROLE_ID not in json.dumps(left(plan))
    assert set(reasons) <= set(plan.reasons)
    assert plan.result["granted_by"] == {ROLE: []}
    assert not absent(plan.after).changed


def test_a_role_is_removed_from_every_kind_of_our_statements() -> None:
    both = decided(decided(EMPTY, actions=("s3:GetBucketAcl",)).after).after
    assert len(both["Statement"]) == 2
    for actions in (tuple(EIGHT), ("s3:GetBucketAcl",)):
        plan = absent(both, actions=actions)
        assert (left(plan), plan.reasons) == ([], ("access_present",))


@pytest.mark.parametrize(
    "raw",
    [ours(), grant(), grant(Action="s3:*")],
    ids=["ours", "an unmanaged one", "an unmanaged one with a wildcard"],
)
def test_the_last_statement_removed_leaves_a_policy_to_delete(raw: Raw) -> None:
    plan = absent(policy(raw))
    assert plan.changed
    assert left(plan) == []


NOTHING_TO_TAKE_OUT = {
    "no policy": [],
    "log delivery": [LOG_DELIVERY],
    "ours for others": [ours(ROLE_B)],
    "a role whose name contains it": [grant(Principal={"AWS": LOOKALIKE})],
    "another's unique id": [grant(Principal={"AWS": ROLE_B_ID})],
    "the account as a whole": [grant(Principal={"AWS": [ROOT, ACCOUNT]})],
    "everybody, which names no role": [grant(Principal="*")],
    "all but the role": [grant(Principal=None, NotPrincipal={"AWS": ROLE})],
    "the role denied": [deny(Principal={"AWS": ROLE}, Action="s3:*", Resource=OBJECTS_ARN)],
    "the role excepted from a Deny": [
        deny(NotPrincipal={"AWS": [ROLE, ROOT]}, Action="s3:*", Resource=OBJECTS_ARN)
    ],
}


@pytest.mark.parametrize("raws", NOTHING_TO_TAKE_OUT.values(), ids=list(NOTHING_TO_TAKE_OUT))
def test_absent_leaves_alone(raws: list[Raw]) -> None:
    assert not absent(policy(*raws)).changed


def test_absent_prunes_deleted_principals_from_ours_and_on_request_from_unmanaged_statements() -> (
    None
):
    document = policy(STALE, ours(ROLE, ROLE_B, FORMER_ID))
    kept, cleaned = left(absent(document)), left(absent(document, prune=True))
    assert kept[0] == STALE
    assert canonical(cleaned[0]) == canonical({**STALE, "Principal": {"AWS": ROLE_B}})
    for raws in (kept, cleaned):
        assert_ours(raws[1], ROLE_B)


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_resources_are_in_the_partition(partition: str) -> None:
    role = Role(arn=ROLE.replace("arn:aws:", f"arn:{partition}:"), account_id=ACCOUNT)
    plan = decided(EMPTY, roles=(role,), partition=partition)
    (raw,) = left(plan)
    assert raw["Resource"] == [f"arn:{partition}:s3:::{BUCKET}", f"arn:{partition}:s3:::{BUCKET}/*"]
    assert not decided(plan.after, roles=(role,), partition=partition).changed


ROLES = st.sampled_from([(TEAM_A,), (TEAM_B,), (TEAM_A, TEAM_B), (TEAM_B, TEAM_A)])
OUR_PART = st.sampled_from([[], [ours()], [ours(ROLE, ROLE_B)], [ours(ROLE_B, CONTROL)]])


def _with(document: Document, ours_there: list[Raw]) -> Document:
    return {**document, "Statement": [*statements_of(document), *ours_there]}


def _allows(document: Document, role: str, action: str, resource: str) -> bool:
    """Whether a document of the strategies allows an action in a form that Anyscale reads, without a
    Condition.
    """
    return any(
        raw["Effect"] == "Allow"
        and not raw.get("Condition")
        and role in as_list(raw["Principal"].get("AWS"))
        and {action, "s3:*"}.intersection(as_list(raw.get("Action")))
        and resource in as_list(raw["Resource"])
        for raw in statements_of(document)
    )


def _has_all(document: Document, role: str) -> bool:
    return all(_allows(document, role, action, BUCKET_ARN) for action in ON_BUCKET) and all(
        _allows(document, role, action, OBJECTS_ARN) for action in ON_OBJECTS
    )


@given(bucket_policies(), OUR_PART, ROLES)
def test_merging_keeps_every_unmanaged_statement_and_adds_just_ours(
    others: Document, there: list[Raw], roles: t.Any
) -> None:
    document = _with(others, there)
    plan = decided(document, roles=roles)
    assert plan.changed is not all(_has_all(document, role.arn) for role in roles)
    assert all(_has_all(plan.after, role.arn) for role in roles)
    foreign = [raw for raw in left(plan) if raw.get("Sid") != SID]
    assert foreign == statements_of(others)
    assert atoms(document) <= atoms(plan.after)
    missing = [role.arn for role in roles if not _has_all(document, role.arn)]
    added = atoms(plan.after) - atoms(document)
    assert added <= atoms(policy(ours(*missing))) if missing else not added
    assert without(plan.after, "Statement") == without(document, "Statement")


@given(bucket_policies(("Allow", "Deny")), OUR_PART, ROLES)
def test_merging_twice_equals_merging_once(
    others: Document, there: list[Raw], roles: t.Any
) -> None:
    try:
        plan = decided(_with(others, there), roles=roles)
    except TaskError:
        assert any(raw["Effect"] == "Deny" for raw in statements_of(others))
        return
    again = decided(plan.after, roles=roles)
    assert not again.changed
    assert again.after == plan.after
    assert again.result == plan.result


@given(bucket_policies(("Allow", "Deny")), OUR_PART, ROLES)
def test_absent_takes_just_the_roles_out_and_is_final(
    others: Document, there: list[Raw], roles: t.Any
) -> None:
    document = _with(others, there)
    plan = absent(document, roles=roles)
    arns = [role.arn for role in roles]
    after = plan.after or EMPTY
    assert atoms(after) <= atoms(document)
    assert all(json.loads(atom)[1][1] in arns for atom in atoms(document) - atoms(after))
    for raw in left(plan):
        assert raw["Effect"] == "Deny" or not set(arns) & set(as_list(raw["Principal"].get("AWS")))
    assert not absent(after, roles=roles).changed


def _names_no_role(document: Document) -> bool:
    return not any(role in json.dumps(document) for role in (f'{ROLE}"', f'{ROLE_B}"'))


@given(bucket_policies().filter(_names_no_role), ROLES)
def test_absent_undoes_present_where_nothing_was_granted_before(
    document: Document, roles: t.Any
) -> None:
    undone = absent(decided(document, roles=roles).after, roles=roles)
    assert left(undone) == statements_of(document)


@given(bucket_policies(), st.permutations([TEAM_A, TEAM_B]))
def test_the_order_in_which_roles_come_makes_no_difference(
    document: Document, roles: t.Any
) -> None:
    one_by_one = document
    for role in roles:
        one_by_one = decided(one_by_one, roles=(role,)).after
    assert one_by_one == decided(document, roles=(TEAM_A, TEAM_B)).after


UNDER_OUR_SID = st.builds(
    lambda number, principals, elements: ours(*principals, Sid=SID + number, **elements),
    st.sampled_from(["", "2", "3"]),
    st.lists(st.sampled_from([ROLE, ROLE_B, CONTROL]), min_size=1, unique=True),
    st.sampled_from([{}, {}, *(without(raw, "Principal") for raw in UNASKED_IN_OURS.values())]).map(
        lambda raw: without(raw, "Sid")
    ),
)


def _access(document: Document, of: t.Callable[[str], bool]) -> set[str]:
    """What a document allows some principals, whichever statement it stands in."""
    return {atom for atom in atoms(document) if of(str(json.loads(atom)[1]))}


@given(bucket_policies(), st.lists(UNDER_OUR_SID, max_size=3), ROLES)
def test_access_that_was_not_asked_for_neither_grows_nor_shrinks(
    others: Document, under_our_sid: list[Raw], roles: t.Any
) -> None:
    document = _with(others, under_our_sid)
    plan = decided(document, roles=roles)

    def unasked(principal: str) -> bool:
        return not any(f"'{role.arn}'" in principal for role in roles)

    assert _access(plan.after, unasked) == _access(document, unasked)
    assert all(_has_all(plan.after, role.arn) for role in roles)
    assert [raw for raw in left(plan) if raw.get("Sid", "")[: len(SID)] != SID] == statements_of(
        others
    )
    sids = [raw["Sid"] for raw in left(plan) if raw.get("Sid", "").startswith(SID)]
    if len({raw["Sid"] for raw in under_our_sid}) == len(under_our_sid):
        assert len(set(sids)) == len(sids)
    again = decided(plan.after, roles=roles)
    assert (again.changed, again.result) == (False, plan.result)


# --- the other way, and what is left --------------------------------------------------------------

OWN = {ROLE: ("Statement 1 of policy bucket",)}
TO_ROOT = grant(Sid="Account", Principal={"AWS": ROOT})
TO_ORGANIZATION = grant(
    Sid="Org", Principal="*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
)


def test_access_by_the_roles_own_policies_is_not_missing_here() -> None:
    plan = decided(policy(LOG_DELIVERY), own_grants=OWN)
    assert not plan.changed
    assert plan.result["granted_by"] == {ROLE: [*OWN[ROLE]]}
    both = decided(policy(LOG_DELIVERY), roles=(TEAM_A, TEAM_B), own_grants=OWN)
    assert_ours(left(both)[-1], ROLE_B)


def test_where_own_policies_cannot_be_read_it_is_said_only_if_that_matters() -> None:
    unread = {ROLE: "AccessDenied"}
    (warning,) = decided(EMPTY, unread=unread).warnings
    assert "AccessDenied" in warning
    assert decided(policy(ours()), unread=unread).warnings == ()


RELEASED: dict[str, tuple[list[Raw], list[Raw]]] = {
    "from ours": ([TLS_ONLY, ours(), LOG_DELIVERY], [TLS_ONLY, LOG_DELIVERY]),
    "from ours, others stay": ([ours(ROLE, ROLE_B)], [ours(ROLE_B)]),
    "from a numbered one": ([ours(Sid=f"{SID}2")], []),
    "from one for other actions": ([ours(Sid=bucket_want.sid_of(EIGHT[:2]))], []),
    "from ours by its unique id": ([ours(ROLE_ID, ROLE_B)], [ours(ROLE_B)]),
    "not from an unmanaged one": ([grant()], [grant()]),
    "not from one for everybody under a Condition": (
        [ours("*", Condition={"ArnEquals": {"aws:PrincipalArn": ROLE}})],
        [ours("*", Condition={"ArnEquals": {"aws:PrincipalArn": ROLE}})],
    ),
    "from none": ([TLS_ONLY], [TLS_ONLY]),
}


@pytest.mark.parametrize("case", RELEASED)
def test_a_role_leaves_our_statements_alone(case: str) -> None:
    before, after = RELEASED[case]
    plan = decided(policy(*before), state="released")
    assert [canonical(raw) for raw in left(plan)] == [canonical(raw) for raw in after]
    assert plan.reasons == (("access_in_bucket_policy",) if before != after else ())


READ_ONLY = bucket_want.PRESETS["read_only"]
MORE = ("s3:PutObject", "s3:DeleteObject")
ON_PREFIX = f"{BUCKET_ARN}/team-a/*"
# What is wanted, what the role's own policies allow beside it, and what they do not that ours does.
STAYING: dict[str, tuple[dict[str, t.Any], list[Raw], str]] = {
    "more actions": ({"actions": READ_ONLY}, [], "s3:DeleteObject"),
    "more objects": ({"prefix": "team-a/"}, [], "s3:GetObject"),
    "more actions, some of them by a role policy": (
        {"actions": READ_ONLY},
        [allow(Action=["s3:PutObject", "s3:List*", "s3:AbortMultipartUpload"], Resource="*")],
        "ray-team-a s3:DeleteObject, and",
    ),
    "more actions, by a role policy that may not apply": (
        {"actions": READ_ONLY},
        [
            allow(
                Action="s3:*", Resource="*", Condition={"StringEquals": {"aws:SourceVpc": "vpc-1"}}
            )
        ],
        "s3:DeleteObject",
    ),
    "more actions, all of them by a role policy": (
        {"actions": READ_ONLY},
        [
            allow(Action="s3:List*", Resource=[BUCKET_ARN, OBJECTS_ARN]),
            allow(Action=[*MORE, "s3:AbortMultipartUpload"], Resource=OBJECTS_ARN),
        ],
        "",
    ),
    "more objects, all of them by a role policy": (
        {"prefix": "team-a/"},
        [allow(Action="s3:*Object*", Resource=OBJECTS_ARN), allow(Action="s3:*", Resource="*")],
        "",
    ),
}


@pytest.mark.parametrize("case", STAYING)
def test_a_role_stays_where_its_own_policies_allow_less(case: str) -> None:
    """Another cloud may need it. Other roles, and narrower statements of ours, are left alone."""
    changes, own, lost = STAYING[case]
    identities = {ROLE: Identity((NamedPolicy("own", policy(*own)),))} if own else {}
    narrow = ours(Sid=f"{SID}2", Action=["s3:GetObject"], Resource=[ON_PREFIX])
    before = policy(ours(ROLE_ID, ROLE_B), narrow)
    plan = decided(before, state="released", identities=identities, **changes)
    assert left(plan) == [ours(ROLE_ID, ROLE_B) if lost else ours(ROLE_B)]
    assert [(lost in text, ROLE in text) for text in plan.warnings[:1]] == [(True, True)] * bool(
        lost
    )


@pytest.mark.parametrize(
    ("element", "value"),
    [
        ("Action", "s3:*"),
        ("Action", "s3:putobject"),
        ("NotAction", "s3:DeleteBucket"),
        ("NotResource", f"{BUCKET_ARN}/private/*"),
        ("Resource", f"{BUCKET_ARN}*"),
    ],
)
def test_a_role_stays_in_a_statement_of_ours_that_was_widened(element: str, value: str) -> None:
    widened = {**ours(), element: value}
    if element.startswith("Not"):
        del widened[element.removeprefix("Not")]
    plan = decided(policy(widened), state="released", actions=READ_ONLY)
    assert not plan.changed
    assert "do not certainly allow the same" in plan.warnings[0]


def test_a_role_that_is_denied_is_not_released() -> None:
    no = deny(Sid="No", Principal={"AWS": ROLE}, Action="s3:*", Resource=OBJECTS_ARN)
    with pytest.raises(RefusedError, match="'No'"):
        decided(policy(ours(), no), state="released")


STILL: dict[str, tuple[list[Raw], dict[str, t.Any], list[str]]] = {
    "nothing": ([ours()], {}, []),
    "everybody": ([grant(Sid="All", Principal="*")], {}, ["'All') still allows"]),
    "everybody, under a Condition": ([TO_ORGANIZATION], {}, ["'Org') may still allow"]),
    "everybody, elsewhere": ([grant(Principal="*", Resource="arn:aws:s3:::other/*")], {}, []),
    "the account, which is up to the role's own policies": ([TO_ROOT], {}, []),
    "the account, with own policies": (
        [TO_ROOT],
        {"own_grants": OWN},
        ["'Account') allows access to account", "policy bucket still allows"],
    ),
    "own policies": ([ours()], {"own_grants": OWN}, ["policy bucket still allows"]),
    "own policies that cannot be read": (
        [ours()],
        {"unread": {ROLE: "AccessDenied"}},
        ["could not be found out: AccessDenied"],
    ),
    "all but some": (
        [grant(Sid="Rest", Principal=None, NotPrincipal={"AWS": ROLE_B})],
        {},
        ["'Rest') may still allow"],
    ),
    "all but it": ([grant(Principal=None, NotPrincipal={"AWS": ROLE})], {}, []),
    "all but some, something else": (
        [grant(Principal=None, NotPrincipal={"AWS": ROLE_B}, Action="s3:PutBucketTagging")],
        {},
        [],
    ),
    "everybody, another action than the task's": (
        [grant(Sid="All", Principal="*", Action="s3:PutObject")],
        {"actions": bucket_want.PRESETS["read_only"]},
        ["'All') still allows"],
    ),
    "everybody, an action of the task's alone": (
        [grant(Sid="All", Principal="*", Action="s3:GetBucketAcl")],
        {"actions": ("s3:GetBucketAcl",)},
        ["'All') still allows"],
    ),
    "everybody, on another prefix than the task's": (
        [grant(Sid="All", Principal="*", Resource=f"{BUCKET_ARN}/team-b/*")],
        {"prefix": "team-a/"},
        ["'All') may still allow"],
    ),
    "everybody, on the task's prefix": (
        [grant(Sid="All", Principal="*", Resource=f"{BUCKET_ARN}/team-a/*")],
        {"prefix": "team-a/"},
        ["'All') still allows"],
    ),
    "the account, another action than the task's": (
        [grant(Sid="Account", Principal={"AWS": ROOT}, Action="s3:PutObject")],
        {"actions": bucket_want.PRESETS["read_only"], "unread": {ROLE: "AccessDenied"}},
        ["'Account') allows access to account", "could not be found out"],
    ),
    "all but some, another action than the task's": (
        [grant(Sid="Rest", Principal=None, NotPrincipal={"AWS": ROLE_B}, Action="s3:PutObject")],
        {"actions": bucket_want.PRESETS["read_only"]},
        ["'Rest') may still allow"],
    ),
    "a list in a Condition that names it alone": (
        [grant(Principal="*", Condition={"ArnEquals": {"aws:PrincipalArn": ROLE}})],
        {},
        [],
    ),
    "a list in a Condition that names it alone, which requests without the key meet": (
        [grant(Sid="L", Principal="*", Condition={"ArnLikeIfExists": {"aws:PrincipalArn": ROLE}})],
        {},
        ["'L') still allows"],
    ),
    "a list in a Condition that names it alone, for a service": (
        [
            grant(
                Principal={"AWS": ROLE, "Service": "logging.s3.amazonaws.com"},
                Condition={"ArnLikeIfExists": {"aws:PrincipalArn": ROLE}},
            )
        ],
        {},
        [],
    ),
    "a list in a Condition that names a pattern": (
        [grant(Sid="L", Principal="*", Condition={"ArnLike": {"aws:PrincipalArn": f"{ROLE}*"}})],
        {},
        ["'L') still allows"],
    ),
}


@pytest.mark.parametrize("case", STILL)
def test_what_still_grants_access_is_named(case: str) -> None:
    raws, changes, phrases = STILL[case]
    warnings = absent(policy(*raws), **changes).warnings
    assert len(warnings) == len(phrases)
    assert all(phrase in warning for phrase, warning in zip(phrases, warnings, strict=True))


def test_a_list_in_a_condition_never_widens() -> None:
    """The statement goes with its last value."""
    listed = grant(
        Principal="*",
        Condition={"StringLike": {"aws:userid": [f"{ROLE_ID}:*", f"{ROLE_B_ID}:*"]}},
    )
    plan = absent(policy(listed))
    assert left(plan)[0]["Condition"] == {"StringLike": {"aws:userid": [f"{ROLE_B_ID}:*"]}}
    assert left(absent(plan.after, roles=(TEAM_B,))) == []
    assert plan.reasons == ("access_present", "access_in_other_statement")


@pytest.mark.parametrize("preset", bucket_want.PRESETS)
@pytest.mark.parametrize("prefix", ["", "team-a/"])
def test_a_preset_on_a_prefix(preset: str, prefix: str) -> None:
    actions = bucket_want.PRESETS[preset]
    plan = decided(policy(TLS_ONLY), actions=actions, prefix=prefix)
    raw = left(plan)[-1]
    assert raw["Resource"] == [BUCKET_ARN, f"{BUCKET_ARN}/{prefix}*"]
    assert set(raw["Action"]) == set(actions)
    assert (raw["Sid"] == SID) is (preset == "all" and not prefix)
    assert not decided(plan.after, actions=actions, prefix=prefix).changed


def test_access_to_the_whole_bucket_is_access_to_a_prefix() -> None:
    """What is there beyond what is wanted is not taken away."""
    assert not decided(policy(ours()), prefix="team-a/").changed
    other = ours(Resource=[BUCKET_ARN, f"{BUCKET_ARN}/team-b/*"])
    assert decided(policy(other), prefix="team-a/").changed
