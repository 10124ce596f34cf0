# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policies and statements are compared by what they mean to AWS."""

from __future__ import annotations

import copy
import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    canonical,
    missing_statements,
    policies_equal,
    policies_identical,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    BASE,
    BUCKET_ARN,
    EC2,
    LAMBDA,
    LOG_DELIVERY,
    OBJECTS_ARN,
    OTHER_ACCOUNT,
    ROLE,
    ROLE_B,
    ROLE_B_ID,
    ROLE_ID,
    ROOT,
    TLS_ONLY,
    TRUST_CONTROL_PLANE,
    TRUST_LAMBDA,
    base,
    bucket_policies,
    deny,
    policy,
    respelled,
    trust_policies,
    without,
)

ARNS = {ROLE_ID: ROLE, ROLE_B_ID: ROLE_B}


def conditioned(operator: str, key: str, value: t.Any) -> dict[str, t.Any]:
    """The base statement under one condition."""
    return base(Condition={operator: {key: value}})


EQUAL_STATEMENTS = {
    "itself": (BASE, copy.deepcopy(BASE)),
    "the order of the elements": (BASE, dict(reversed(BASE.items()))),
    "Action: string and list of one": (BASE, base(Action=["s3:GetObject"])),
    "Resource: string and list of one": (BASE, base(Resource=[OBJECTS_ARN])),
    "Principal.AWS: string and list of one": (BASE, base(Principal={"AWS": [ROLE]})),
    "Principal.Service: string and list of one": (
        base(Principal={"Service": EC2}),
        base(Principal={"Service": [EC2]}),
    ),
    "NotAction: string and list of one": (
        base(Action=None, NotAction="s3:GetObject"),
        base(Action=None, NotAction=["s3:GetObject"]),
    ),
    "NotPrincipal: string and list of one": (
        base(Principal=None, NotPrincipal={"AWS": ROLE}),
        base(Principal=None, NotPrincipal={"AWS": [ROLE]}),
    ),
    "NotResource: string and list of one": (
        base(Resource=None, NotResource=OBJECTS_ARN),
        base(Resource=None, NotResource=[OBJECTS_ARN]),
    ),
    "condition value: string and list of one": (
        conditioned("StringEquals", "s3:prefix", "a"),
        conditioned("StringEquals", "s3:prefix", ["a"]),
    ),
    "order of actions": (
        base(Action=["s3:GetObject", "s3:PutObject"]),
        base(Action=["s3:PutObject", "s3:GetObject"]),
    ),
    "order of resources": (
        base(Resource=[BUCKET_ARN, OBJECTS_ARN]),
        base(Resource=[OBJECTS_ARN, BUCKET_ARN]),
    ),
    "order of AWS principals": (
        base(Principal={"AWS": [ROLE, ROLE_B]}),
        base(Principal={"AWS": [ROLE_B, ROLE]}),
    ),
    "order of service principals": (
        base(Principal={"Service": [EC2, LAMBDA]}),
        base(Principal={"Service": [LAMBDA, EC2]}),
    ),
    "order of kinds of principals": (
        base(Principal={"AWS": ROLE, "Service": EC2}),
        base(Principal={"Service": EC2, "AWS": ROLE}),
    ),
    "order of condition values": (
        conditioned("StringEquals", "s3:prefix", ["a", "b"]),
        conditioned("StringEquals", "s3:prefix", ["b", "a"]),
    ),
    "order of conditions": (
        base(Condition={"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"a:b": "c"}}),
        base(Condition={"StringEquals": {"a:b": "c"}, "Bool": {"aws:SecureTransport": "true"}}),
    ),
    "account id and root ARN in aws": (
        base(Principal={"AWS": ACCOUNT}),
        base(Principal={"AWS": ROOT}),
    ),
    "account id and root ARN in aws-cn": (
        base(Principal={"AWS": ACCOUNT}),
        base(Principal={"AWS": f"arn:aws-cn:iam::{ACCOUNT}:root"}),
    ),
    "account id and root ARN in aws-us-gov": (
        base(Principal={"AWS": ACCOUNT}),
        base(Principal={"AWS": f"arn:aws-us-gov:iam::{ACCOUNT}:root"}),
    ),
    "account ids and root ARNs in a list": (
        base(Principal={"AWS": [ACCOUNT, f"arn:aws:iam::{OTHER_ACCOUNT}:root"]}),
        base(Principal={"AWS": [OTHER_ACCOUNT, ROOT]}),
    ),
    "account id and root ARN in NotPrincipal": (
        deny(NotPrincipal={"AWS": ACCOUNT}, Action="s3:*", Resource=OBJECTS_ARN),
        deny(NotPrincipal={"AWS": ROOT}, Action="s3:*", Resource=OBJECTS_ARN),
    ),
    "an operator in another case": (
        base(Condition={"StringEquals": {"a:b": "c"}}),
        base(Condition={"stringequals": {"a:b": "c"}}),
    ),
    "no Condition and an empty one": (BASE, base(Condition={})),
    "no Sid and an empty one": (base(Sid=None), base(Sid="")),
    "an empty set of principals beside others": (
        BASE,
        base(Principal={"AWS": ROLE, "Service": []}),
    ),
    "empty sets of principals of any kind": (
        base(Principal={"Service": []}),
        base(Principal={"AWS": []}),
    ),
    "case of an action": (BASE, base(Action="S3:getobject")),
    "case of a NotAction": (
        base(Action=None, NotAction="s3:GetObject"),
        base(Action=None, NotAction="s3:GETOBJECT"),
    ),
    "case of a condition key": (
        conditioned("Bool", "aws:SecureTransport", "true"),
        conditioned("Bool", "aws:securetransport", "true"),
    ),
    "true as a string": (
        conditioned("Bool", "aws:SecureTransport", True),
        conditioned("Bool", "aws:SecureTransport", "true"),
    ),
    "false as a string": (
        conditioned("Bool", "aws:SecureTransport", False),
        conditioned("Bool", "aws:SecureTransport", "false"),
    ),
    "booleans as strings in a list": (
        conditioned("Bool", "a:b", [True, False]),
        conditioned("Bool", "a:b", ["false", "true"]),
    ),
    "an integer as a string": (
        conditioned("NumericLessThanEquals", "aws:MultiFactorAuthAge", 100),
        conditioned("NumericLessThanEquals", "aws:MultiFactorAuthAge", "100"),
    ),
    "floats as strings": (
        conditioned("NumericEquals", "aws:MultiFactorAuthAge", [100.01, 200.2]),
        conditioned("NumericEquals", "aws:MultiFactorAuthAge", ["200.2", "100.01"]),
    ),
    "a whole float and an integer": (
        conditioned("NumericEquals", "a:b", 1.0),
        conditioned("NumericEquals", "a:b", 1),
    ),
    "a role's ARN and its unique id": (BASE, base(Principal={"AWS": ROLE_ID})),
    "a role's ARN and its unique id in a list": (
        base(Principal={"AWS": [ROLE, ROLE_B]}),
        base(Principal={"AWS": [ROLE_B_ID, ROLE]}),
    ),
    "a role's ARN and its unique id in NotPrincipal": (
        base(Principal=None, NotPrincipal={"AWS": ROLE}),
        base(Principal=None, NotPrincipal={"AWS": ROLE_ID}),
    ),
    "an unresolved unique id and itself": (
        base(Principal={"AWS": "AROAUNKNOWNUNKNOWN123"}),
        base(Principal={"AWS": ["AROAUNKNOWNUNKNOWN123"]}),
    ),
    "everybody, as a string and by kind": (base(Principal="*"), base(Principal={"AWS": "*"})),
}


@pytest.mark.parametrize(("one", "other"), EQUAL_STATEMENTS.values(), ids=list(EQUAL_STATEMENTS))
def test_statements_are_equal(one: t.Any, other: t.Any) -> None:
    assert canonical(one, ARNS) == canonical(other, ARNS)
    assert policies_equal(policy(TRUST_LAMBDA, one), policy(other, TRUST_LAMBDA), ARNS)


UNEQUAL_STATEMENTS = {
    "Allow and Deny": (BASE, base(Effect="Deny")),
    "another Sid": (BASE, base(Sid="Two")),
    "a Sid in another case": (BASE, base(Sid="ONE")),
    "a Sid and none": (BASE, base(Sid=None)),
    "another action": (BASE, base(Action="s3:PutObject")),
    "an extra action": (BASE, base(Action=["s3:GetObject", "s3:PutObject"])),
    "an action and a wildcard that covers it": (BASE, base(Action="s3:Get*")),
    "Action and NotAction": (BASE, base(Action=None, NotAction="s3:GetObject")),
    "an added NotAction": (BASE, base(NotAction="s3:PutObject")),
    "another resource": (BASE, base(Resource=BUCKET_ARN)),
    "an extra resource": (BASE, base(Resource=[OBJECTS_ARN, BUCKET_ARN])),
    "a resource in another case": (BASE, base(Resource=OBJECTS_ARN.upper())),
    "Resource and NotResource": (BASE, base(Resource=None, NotResource=OBJECTS_ARN)),
    "an empty Resource and none": (base(Resource=[]), base(Resource=None)),
    "a Resource and none": (BASE, base(Resource=None)),
    "an empty Action and none": (base(Action=[]), base(Action=None)),
    "another role": (BASE, base(Principal={"AWS": ROLE_B})),
    "a role in another case": (BASE, base(Principal={"AWS": ROLE.replace("ray", "Ray")})),
    "a role of the same name in another account": (
        BASE,
        base(Principal={"AWS": ROLE.replace(ACCOUNT, OTHER_ACCOUNT)}),
    ),
    "a role of the same name in another partition": (
        BASE,
        base(Principal={"AWS": ROLE.replace("arn:aws:", "arn:aws-cn:")}),
    ),
    "a role and its account": (BASE, base(Principal={"AWS": ROOT})),
    "an extra principal": (BASE, base(Principal={"AWS": [ROLE, ROLE_B]})),
    "a role and everybody": (BASE, base(Principal="*")),
    "everybody and no principal": (base(Principal="*"), base(Principal={})),
    "everybody by kind and no principal": (
        base(Principal={"AWS": "*"}),
        base(Principal={"AWS": []}),
    ),
    "all services and everybody": (base(Principal={"Service": "*"}), base(Principal={"AWS": "*"})),
    "Principal and NotPrincipal": (BASE, base(Principal=None, NotPrincipal={"AWS": ROLE})),
    "NotPrincipal of everybody and Principal of everybody": (
        base(Principal="*"),
        base(Principal=None, NotPrincipal="*"),
    ),
    "the same text as another kind of principal": (
        base(Principal={"AWS": EC2}),
        base(Principal={"Service": EC2}),
    ),
    "root ARNs of two accounts": (
        base(Principal={"AWS": ROOT}),
        base(Principal={"AWS": OTHER_ACCOUNT}),
    ),
    "a user named root and the account": (
        base(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/root"}),
        base(Principal={"AWS": ACCOUNT}),
    ),
    "an account id and its root ARN as a condition value": (
        conditioned("StringEquals", "aws:PrincipalArn", ROOT),
        conditioned("StringEquals", "aws:PrincipalArn", ACCOUNT),
    ),
    "an account id without its leading zero": (
        base(Principal={"AWS": "012345678901"}),
        base(Principal={"AWS": "12345678901"}),
    ),
    "a role's ARN and another's unique id": (BASE, base(Principal={"AWS": ROLE_B_ID})),
    "a role's ARN and a former unique id": (BASE, base(Principal={"AWS": "AROAQ3EGSIJTZ5OLDOLD1"})),
    "a role's ARN and its unique id as a condition value": (
        conditioned("StringEquals", "aws:userid", ROLE),
        conditioned("StringEquals", "aws:userid", ROLE_ID),
    ),
    "an extra condition": (BASE, conditioned("Bool", "aws:SecureTransport", "true")),
    "a second condition": (
        conditioned("Bool", "aws:SecureTransport", "true"),
        base(
            Condition={
                "Bool": {"aws:SecureTransport": "true", "aws:MultiFactorAuthPresent": "true"}
            }
        ),
    ),
    "another operator": (
        conditioned("StringEquals", "s3:prefix", "a"),
        conditioned("StringNotEquals", "s3:prefix", "a"),
    ),
    "an operator and its IfExists form": (
        conditioned("StringEquals", "s3:prefix", "a"),
        conditioned("StringEqualsIfExists", "s3:prefix", "a"),
    ),
    "another condition key": (
        conditioned("StringEquals", "aws:SourceVpc", "a"),
        conditioned("StringEquals", "aws:SourceVpce", "a"),
    ),
    "another condition value": (
        conditioned("StringEquals", "s3:prefix", "a"),
        conditioned("StringEquals", "s3:prefix", "b"),
    ),
    "a condition value in another case": (
        conditioned("StringEquals", "s3:prefix", "a"),
        conditioned("StringEquals", "s3:prefix", "A"),
    ),
    "an extra condition value": (
        conditioned("StringEquals", "s3:prefix", "a"),
        conditioned("StringEquals", "s3:prefix", ["a", "b"]),
    ),
    "a condition on no value at all and none": (BASE, conditioned("StringEquals", "s3:prefix", [])),
    "the values of two condition keys exchanged": (
        base(Condition={"StringEquals": {"a:b": "1", "a:c": "2"}}),
        base(Condition={"StringEquals": {"a:b": "2", "a:c": "1"}}),
    ),
    "true and false": (
        conditioned("Bool", "aws:SecureTransport", True),
        conditioned("Bool", "aws:SecureTransport", False),
    ),
    "true and the number 1": (
        conditioned("StringEquals", "a:b", True),
        conditioned("StringEquals", "a:b", 1),
    ),
    "true and the word in another case": (
        conditioned("StringEquals", "a:b", True),
        conditioned("StringEquals", "a:b", "True"),
    ),
    "two integers": (
        conditioned("NumericEquals", "a:b", 10),
        conditioned("NumericEquals", "a:b", 100),
    ),
    "two integers too large for a float": (
        conditioned("NumericEquals", "a:b", 2**53),
        conditioned("NumericEquals", "a:b", 2**53 + 1),
    ),
    "two floats": (
        conditioned("NumericEquals", "a:b", 1.25),
        conditioned("NumericEquals", "a:b", 1.75),
    ),
    "two close floats": (
        conditioned("NumericEquals", "a:b", 100.01),
        conditioned("NumericEquals", "a:b", 100.010001),
    ),
    "a float and its whole part": (
        conditioned("NumericEquals", "a:b", 1.5),
        conditioned("NumericEquals", "a:b", 1),
    ),
    "an element that is not known": (BASE, base(Future="x")),
}


@pytest.mark.parametrize(
    ("one", "other"), UNEQUAL_STATEMENTS.values(), ids=list(UNEQUAL_STATEMENTS)
)
def test_statements_are_unequal(one: t.Any, other: t.Any) -> None:
    assert canonical(one, ARNS) != canonical(other, ARNS)
    assert not policies_equal(policy(one), policy(other), ARNS)
    assert missing_statements([one], policy(other)) == [one]


def test_a_unique_id_means_its_role_only_once_it_is_resolved() -> None:
    assert canonical(BASE) != canonical(base(Principal={"AWS": ROLE_ID}))


WITH_VARIABLE = base(Resource=f"{BUCKET_ARN}/${{aws:username}}/*")
VARIABLE_IN_CONDITION = conditioned("StringLike", "s3:prefix", ["home/${aws:username}/*"])


def versioned(version: str | None, *raws: t.Any) -> dict[str, t.Any]:
    """A document of some version, or of none."""
    return {**({"Version": version} if version else {}), "Statement": list(raws)}


EQUAL_POLICIES = {
    "the order of statements": (policy(TRUST_LAMBDA, BASE), policy(BASE, TRUST_LAMBDA)),
    "a statement as an object and as a list of one": (
        policy(BASE),
        {"Version": "2012-10-17", "Statement": BASE},
    ),
    "no statements, an empty list and null": (
        policy(),
        {"Version": "2012-10-17", "Statement": None},
    ),
    "no Statement at all and an empty list": (policy(), {"Version": "2012-10-17"}),
    "no Version and 2012-10-17 without policy variables": (versioned(None, BASE), policy(BASE)),
    "2008-10-17 and 2012-10-17 without policy variables": (
        versioned("2008-10-17", BASE),
        policy(BASE),
    ),
    "no Version and 2008-10-17 with a policy variable": (
        versioned(None, WITH_VARIABLE),
        versioned("2008-10-17", WITH_VARIABLE),
    ),
    "the same statement twice in both": (
        policy(BASE, TRUST_LAMBDA, BASE),
        policy(BASE, BASE, TRUST_LAMBDA),
    ),
}


@pytest.mark.parametrize(("one", "other"), EQUAL_POLICIES.values(), ids=list(EQUAL_POLICIES))
def test_policies_are_equal(one: t.Any, other: t.Any) -> None:
    assert policies_equal(one, other)
    assert policies_equal(other, one)


UNEQUAL_POLICIES = {
    "a statement more": (policy(BASE), policy(BASE, TRUST_LAMBDA)),
    "a statement and nothing": (policy(BASE), policy()),
    "a statement twice and once": (policy(BASE, BASE), policy(BASE)),
    "as many statements, another one twice": (
        policy(BASE, BASE, TRUST_LAMBDA),
        policy(BASE, TRUST_LAMBDA, TRUST_LAMBDA),
    ),
    "a statement cut in two": (
        policy(base(Action=["s3:GetObject", "s3:PutObject"])),
        policy(base(), base(Action="s3:PutObject")),
    ),
    "no Version and 2012-10-17 with a variable in Resource": (
        versioned(None, WITH_VARIABLE),
        policy(WITH_VARIABLE),
    ),
    "2008-10-17 and 2012-10-17 with a variable in Condition": (
        versioned("2008-10-17", VARIABLE_IN_CONDITION),
        policy(VARIABLE_IN_CONDITION),
    ),
    "2008-10-17 and 2012-10-17 with a variable in NotResource": (
        versioned("2008-10-17", base(Resource=None, NotResource=f"{BUCKET_ARN}/${{aws:userid}}")),
        policy(base(Resource=None, NotResource=f"{BUCKET_ARN}/${{aws:userid}}")),
    ),
    "2008-10-17 and 2012-10-17 with a variable in the second statement": (
        versioned("2008-10-17", BASE, WITH_VARIABLE),
        policy(BASE, WITH_VARIABLE),
    ),
}


@pytest.mark.parametrize(("one", "other"), UNEQUAL_POLICIES.values(), ids=list(UNEQUAL_POLICIES))
def test_policies_are_unequal(one: t.Any, other: t.Any) -> None:
    assert not policies_equal(one, other)
    assert not policies_equal(other, one)


IDENTICAL_POLICIES = {
    "another order of keys": (
        policy(BASE),
        dict(reversed(policy(dict(reversed(BASE.items()))).items())),
    ),
    "another order of actions and of principals": (
        policy(base(Action=["s3:GetObject", "s3:PutObject"], Principal={"AWS": [ROLE, ROLE_B]})),
        policy(base(Action=["s3:PutObject", "s3:GetObject"], Principal={"AWS": [ROLE_B, ROLE]})),
    ),
    "another order of the values of a condition": (
        policy(conditioned("StringLike", "s3:prefix", ["a", "b"])),
        policy(conditioned("StringLike", "s3:prefix", ["b", "a"])),
    ),
    "a role's ARN and its unique id": (policy(BASE), policy(base(Principal={"AWS": ROLE_ID}))),
    "the unique id in NotPrincipal": (
        policy(base(Principal=None, NotPrincipal={"AWS": [ROLE, ROLE_B_ID]})),
        policy(base(Principal=None, NotPrincipal={"AWS": [ROLE_B, ROLE_ID]})),
    ),
    "an account's id and the ARN of its root": (
        policy(base(Principal={"AWS": ACCOUNT})),
        policy(base(Principal={"AWS": ROOT})),
    ),
}


@pytest.mark.parametrize(
    ("one", "other"), IDENTICAL_POLICIES.values(), ids=list(IDENTICAL_POLICIES)
)
def test_what_aws_rewrites_makes_no_other_document(one: t.Any, other: t.Any) -> None:
    assert policies_identical(one, other, ARNS)
    assert policies_identical(other, one, ARNS)


# No such document is ever stored.
WITHOUT_STATEMENTS = (
    "no statements, an empty list and null",
    "no Statement at all and an empty list",
)
OTHER_SPELLINGS = {
    **{
        name: pair
        for name, pair in EQUAL_POLICIES.items()
        if name not in ("the same statement twice in both", *WITHOUT_STATEMENTS)
    },
    "Action: string and list of one": (policy(BASE), policy(base(Action=["s3:GetObject"]))),
    "Action: another case": (policy(BASE), policy(base(Action="s3:getobject"))),
    "Principal: string and list of one": (policy(BASE), policy(base(Principal={"AWS": [ROLE]}))),
    "an empty Condition and none": (policy(BASE), policy(base(Condition={}))),
    "an empty Sid and none": (policy(base(Sid=None)), policy(base(Sid=""))),
    "a Boolean and a string in a condition": (
        policy(conditioned("Bool", "aws:SecureTransport", True)),
        policy(conditioned("Bool", "aws:SecureTransport", "true")),
    ),
    "an Id and none": (policy(BASE), policy(BASE, Id="fleet")),
}


@pytest.mark.parametrize(("one", "other"), OTHER_SPELLINGS.values(), ids=list(OTHER_SPELLINGS))
def test_another_spelling_of_the_same_is_another_document(one: t.Any, other: t.Any) -> None:
    assert policies_equal(one, other)
    assert not policies_identical(one, other)
    assert not policies_identical(other, one)


DOCUMENTS = st.one_of(trust_policies(("Allow", "Deny")), bucket_policies(("Allow", "Deny")))
SEEDS = st.integers(0, 2**32)


@given(DOCUMENTS, SEEDS, SEEDS)
def test_equality_is_reflexive_symmetric_and_transitive_and_survives_any_spelling(
    document: t.Any, first: int, second: int
) -> None:
    one, other = respelled(document, first), respelled(document, second)
    assert policies_equal(document, copy.deepcopy(document))
    assert policies_equal(document, one)
    assert policies_equal(one, document)
    assert policies_equal(one, other)
    assert missing_statements(statements_of(document), one) == []


@given(st.lists(DOCUMENTS, min_size=3, max_size=3))
def test_equality_of_unrelated_policies_is_symmetric_and_transitive(documents: t.Any) -> None:
    one, two, three = documents
    assert policies_equal(one, two) == policies_equal(two, one)
    if policies_equal(one, two):
        assert policies_equal(one, three) == policies_equal(two, three)


def _doubled(raws: t.Any) -> t.Any:
    return [*raws, raws[0]]


def _flipped(raws: t.Any) -> t.Any:
    return [{**raws[0], "Effect": "Deny" if raws[0]["Effect"] == "Allow" else "Allow"}, *raws[1:]]


def _tightened(raws: t.Any) -> t.Any:
    return [
        {
            **raws[0],
            "Condition": {
                **raws[0].get("Condition", {}),
                "DateLessThan": {"aws:CurrentTime": "2030-01-01"},
            },
        },
        *raws[1:],
    ]


def _widened(raws: t.Any) -> t.Any:
    return [
        {**raws[0], "Principal": {**raws[0]["Principal"], "CanonicalUser": "79a59df900b949e5"}},
        *raws[1:],
    ]


def _negated(raws: t.Any) -> t.Any:
    return [{**without(raws[0], "Principal"), "NotPrincipal": raws[0]["Principal"]}, *raws[1:]]


CHANGES = [_doubled, _flipped, _tightened, _widened, _negated, lambda raws: raws[1:]]
CHANGE_NAMES = [
    "doubled",
    "Allow for Deny",
    "one more condition",
    "one more principal",
    "NotPrincipal for Principal",
    "taken out",
]


@pytest.mark.parametrize("change", CHANGES, ids=CHANGE_NAMES)
@given(document=DOCUMENTS.filter(lambda document: document["Statement"] != []), seed=SEEDS)
def test_a_changed_statement_makes_any_policy_unequal(
    change: t.Any, document: t.Any, seed: int
) -> None:
    changed = {**document, "Statement": change(statements_of(document))}
    assert not policies_equal(
        document, respelled(changed, seed) if change is not _negated else changed
    )


MISSING = {
    "nothing when all are there": ([BASE, TLS_ONLY], [TLS_ONLY, BASE], []),
    "nothing when they are spelled differently": (
        [BASE],
        [base(Action=["s3:GETOBJECT"], Condition={})],
        [],
    ),
    "those that are gone, in their order": (
        [TLS_ONLY, BASE, TRUST_LAMBDA],
        [BASE],
        [TLS_ONLY, TRUST_LAMBDA],
    ),
    "the second of two equal ones": ([BASE, BASE], [BASE], [BASE]),
    "one that was edited": ([BASE], [base(Effect="Deny")], [BASE]),
    "all, of an empty document": ([BASE], [], [BASE]),
}


@pytest.mark.parametrize(("wanted", "there", "missing"), MISSING.values(), ids=list(MISSING))
def test_missing_statements_are(wanted: t.Any, there: t.Any, missing: t.Any) -> None:
    assert missing_statements(wanted, policy(*there)) == missing


@pytest.mark.parametrize(
    "raw", [TLS_ONLY, LOG_DELIVERY, TRUST_CONTROL_PLANE], ids=["Deny", "service", "account"]
)
def test_canonicalising_changes_nothing_in_place(raw: t.Any) -> None:
    before = copy.deepcopy(raw)
    canonical(raw, ARNS)
    policies_equal(policy(raw), policy(raw), ARNS)
    assert raw == before
