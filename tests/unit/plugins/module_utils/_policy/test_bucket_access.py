# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which side gives a role a bucket, and what Anyscale's own code says of the same documents."""

from __future__ import annotations

import dataclasses
import json
import types
import typing as t

import pytest
from anyscale.cli_logger import BlockLogger
from anyscale.utils.s3 import REQUIRED_S3_PERMISSIONS, verify_s3_access
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import (
    bucket_policy_plan,
    bucket_want,
    role_policy_plan,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy import bucket_access
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import canonical
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    Identity,
    NamedPolicy,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    BUCKET,
    BUCKET_ARN,
    EIGHT,
    LOOKALIKE,
    OBJECTS_ARN,
    ON_OBJECTS,
    ROLE,
    ROLE_B,
    ROLE_ID,
    ROOT,
    Document,
    Raw,
    allow,
    bucket_policies,
    deny,
    policy,
)

NOW = 1_795_000_000.0  # 2026-11-18
TEAM_A = Role(ROLE, ACCOUNT, ROLE_ID)
PAIRS = [(action, OBJECTS_ARN if action in ON_OBJECTS else BUCKET_ARN) for action in EIGHT]
BOTH = [BUCKET_ARN, OBJECTS_ARN]
GRANT = allow(Principal={"AWS": ROLE}, Action=EIGHT, Resource=BOTH)
OWN_GRANT = allow(Action=EIGHT, Resource=BOTH)
UNKNOWN_KEY = {"StringEquals": {"aws:SourceVpce": "vpce-1"}}


def grant(**elements: t.Any) -> Raw:
    return {**GRANT, **elements}


def own(**elements: t.Any) -> Raw:
    return {**OWN_GRANT, **elements}


# --- the bucket's policy --------------------------------------------------------------------------

# Whether every statement grants all in the form that Anyscale reads; and whether it allows it.
BY_BUCKET_POLICY: dict[str, tuple[Raw, bool, bool | None]] = {
    "by full names": (GRANT, True, True),
    "by s3:*": (grant(Action="s3:*"), True, True),
    "by s3:* beside a name": (grant(Action=["s3:*", "s3:GetObject"]), True, True),
    "by a star alone, which Anyscale does not read": (grant(Action="*"), False, True),
    "by wildcards of S3": (
        grant(Action=["s3:*Object", "s3:Get*", "s3:List*", "s3:Abort*"]),
        False,
        True,
    ),
    "by names in another case": (grant(Action=[name.lower() for name in EIGHT]), False, True),
    "on a wider resource": (grant(Resource="arn:aws:s3:::fleet-*"), True, True),
    "on other objects": (grant(Resource=[BUCKET_ARN, f"{BUCKET_ARN}/logs/*"]), False, None),
    "under a Condition that clusters meet": (
        grant(Condition={"Bool": {"aws:SecureTransport": "true"}}),
        False,
        True,
    ),
    "under a Condition on the request": (grant(Condition=UNKNOWN_KEY), False, None),
    "under a Condition that clusters do not meet": (
        grant(Condition={"Bool": {"aws:SecureTransport": "false"}}),
        False,
        False,
    ),
    "to every principal": (grant(Principal="*"), False, True),
    "to the account": (grant(Principal={"AWS": ROOT}), False, False),
    "to another role": (grant(Principal={"AWS": ROLE_B}), False, False),
    "to the role by its unique id": (grant(Principal={"AWS": ROLE_ID}), False, True),
    "a Deny": ({**GRANT, "Effect": "Deny"}, False, False),
}


@pytest.mark.parametrize("name", BY_BUCKET_POLICY)
def test_by_the_bucket_policy(name: str) -> None:
    raw, is_granted, is_allowed = BY_BUCKET_POLICY[name]
    assert (
        all(bucket_access.grants(raw, canonical(raw), TEAM_A, *pair) for pair in PAIRS)
        is is_granted
    )
    found = bucket_access.by_bucket_policy(policy(raw), TEAM_A, PAIRS, {}, NOW)
    assert found.verdict is is_allowed
    assert found.sources == (() if is_allowed is False else ("#1",))


def test_a_unique_id_is_the_role_once_it_is_resolved() -> None:
    raw = grant(Principal={"AWS": ROLE_ID})
    statement = canonical(raw, {ROLE_ID: ROLE})
    assert all(bucket_access.grants(raw, statement, TEAM_A, *pair) for pair in PAIRS)


def test_what_is_missing_is_told_by_the_pair() -> None:
    document = policy(grant(Action=EIGHT[:3]), grant(Action="s3:PutObject", Condition=UNKNOWN_KEY))
    found = bucket_access.by_bucket_policy(document, TEAM_A, PAIRS, {}, NOW)
    assert found.missing == PAIRS[3:]
    assert found.verdicts[PAIRS[3]] is None


# --- the role's own policies ----------------------------------------------------------------------

BY_IDENTITY: dict[str, tuple[list[Raw], list[Raw] | None, bool | None]] = {
    "by full names": ([OWN_GRANT], None, True),
    "by s3:*": ([own(Action="s3:*")], None, True),
    "by two statements": ([own(Action=EIGHT[:4]), own(Action=EIGHT[4:])], None, True),
    "on all resources": ([own(Resource="*")], None, True),
    "on another bucket": ([own(Resource="arn:aws:s3:::other*")], None, False),
    "seven of the eight": ([own(Action=EIGHT[1:])], None, False),
    "under a Condition on the request": ([own(Condition=UNKNOWN_KEY)], None, None),
    "but denied": ([OWN_GRANT, deny(Action="s3:Put*", Resource="*")], None, False),
    "but perhaps denied": (
        [OWN_GRANT, deny(Action="s3:Put*", Resource="*", Condition=UNKNOWN_KEY)],
        None,
        None,
    ),
    "within a boundary": ([OWN_GRANT], [own(Action="s3:*", Resource="*")], True),
    "outside of a boundary": ([OWN_GRANT], [own(Action="ec2:*", Resource="*")], False),
    "by the boundary alone": ([], [OWN_GRANT], False),
    "denied by the boundary": (
        [OWN_GRANT],
        [own(Action="*", Resource="*"), deny(Action="s3:Get*", Resource="*")],
        False,
    ),
}


def identity_of(raws: list[Raw], boundary: list[Raw] | None = None) -> Identity:
    limit = None if boundary is None else NamedPolicy("limit", policy(*boundary))
    return Identity((NamedPolicy("own", policy(*raws)),), limit)


@pytest.mark.parametrize("name", BY_IDENTITY)
def test_by_the_roles_own_policies(name: str) -> None:
    raws, boundary, expected = BY_IDENTITY[name]
    found = bucket_access.by_identity(identity_of(raws, boundary), TEAM_A, PAIRS, NOW)
    assert found.verdict is expected
    assert all("of policy own" in source for source in found.sources)


# --- Anyscale's verification ----------------------------------------------------------------------


def ask_anyscale(document: Document, identity: Identity) -> bool | None:
    """What Anyscale's own code says; ``None`` if it fails with a traceback."""
    bucket = types.SimpleNamespace(
        name=BUCKET, Policy=lambda: types.SimpleNamespace(policy=json.dumps(document))
    )
    inline = [types.SimpleNamespace(policy_document=one.document) for one in identity.policies]
    role = types.SimpleNamespace(
        name=ROLE.rpartition("/")[2],
        policies=types.SimpleNamespace(all=lambda: inline),
        attached_policies=types.SimpleNamespace(all=list),
    )
    session = types.SimpleNamespace(resource=lambda _service: None)
    try:
        return bool(verify_s3_access(session, bucket, role, BlockLogger(log_output=False)))
    except KeyError:
        return None


def test_anyscale_looks_for_the_same_actions() -> None:
    assert REQUIRED_S3_PERMISSIONS == bucket_access.VERIFIED_ACTIONS


_ACTIONS = st.one_of(
    st.sampled_from(["s3:*", "*", "s3:Get*", "S3:GetObject", "s3:GetObject", []]),
    st.lists(st.sampled_from([*EIGHT[:1], "s3:PutObject", "s3:GetObject", "s3:*Object"])),
    st.just(sorted(bucket_access.VERIFIED_ACTIONS)),
)
_EFFECTS = st.sampled_from(["Allow", "Allow", "Allow", "Deny"])
_RESOURCES = st.sampled_from(["*", BUCKET_ARN, BOTH, "arn:aws:s3:::other/*", [OBJECTS_ARN, "*"]])
_PRINCIPALS = st.sampled_from(["*", {"AWS": "*"}, *({"AWS": one} for one in (ROLE, LOOKALIKE))])
_OTHER_PRINCIPALS = st.sampled_from([{"AWS": [ROLE_B, ROLE]}, {"AWS": ROLE_ID}, {"AWS": ROOT}])


def _statements(**elements: st.SearchStrategy[t.Any]) -> st.SearchStrategy[list[Raw]]:
    whole = st.fixed_dictionaries(
        {"Effect": _EFFECTS, "Resource": _RESOURCES, **elements},
        optional={"Condition": st.just(UNKNOWN_KEY)},
    )
    return st.lists(whole, max_size=3)


_OF_BUCKETS = st.one_of(
    _statements(Action=_ACTIONS, Principal=st.one_of(_PRINCIPALS, _OTHER_PRINCIPALS)),
    _statements(Action=_ACTIONS, NotPrincipal=_PRINCIPALS),
    _statements(NotAction=_ACTIONS, Principal=_PRINCIPALS),
)
_OF_ROLES = st.one_of(_statements(Action=_ACTIONS), _statements(NotAction=_ACTIONS))


@given(bucket=_OF_BUCKETS, of_role=_OF_ROLES)
def test_anyscale_says_the_same(bucket: list[Raw], of_role: list[Raw]) -> None:
    document, identity = policy(*bucket), identity_of(of_role)
    found = bucket_access.anyscale_verifies(document, identity, ROLE, BUCKET)
    assert found is ask_anyscale(document, identity)


def test_what_is_split_between_the_sides_is_not_found() -> None:
    document = policy(grant(Action=["s3:ListBucket", "s3:PutObject"]))
    identity = identity_of([own(Action=["s3:GetObject"])])
    assert bucket_access.anyscale_verifies(document, identity, ROLE, BUCKET) is False
    assert ask_anyscale(document, identity) is False


@pytest.mark.parametrize("of_bucket", [True, False])
def test_fewer_actions_are_looked_for_where_fewer_are_wanted(of_bucket: bool) -> None:
    reads = ["s3:GetObject", "s3:ListBucket"]
    found = (
        bucket_access.verified_by_bucket_policy(policy(grant(Action=reads)), ROLE, reads)
        if of_bucket
        else bucket_access.verified_by_identity(identity_of([own(Action=reads)]), BUCKET, reads)
    )
    assert found


@pytest.mark.parametrize("preset", ["all", "required"])
@given(document=bucket_policies())
def test_anyscale_accepts_what_is_planned_by_either_way(preset: str, document: Document) -> None:
    actions = bucket_want.PRESETS[preset]
    wanted = bucket_want.Wanted(BUCKET, (TEAM_A,), actions=actions, now=NOW)
    by_bucket = bucket_policy_plan.decide(document, wanted).after
    assert ask_anyscale(by_bucket, identity_of([])) is True
    grant = role_policy_plan.Grant(wanted.usual_sid, actions, wanted.resources)
    target = role_policy_plan.Target(ROLE, "ours")
    by_role = role_policy_plan.grant_all(policy(), [grant], target).after
    released = bucket_policy_plan.decide(by_bucket, dataclasses.replace(wanted, state="released"))
    own = Identity((NamedPolicy("ours", by_role),))
    assert ask_anyscale(released.after, own) is True
