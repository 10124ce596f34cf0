# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policy documents are read, compared by meaning, matched and edited as AWS understands them."""

from __future__ import annotations

import copy
import fnmatch
import itertools
import json
import time
import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import PolicyError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    as_list,
    compact_json,
    describe_statement,
    free_sid,
    parse_policy,
    statement_name,
    statements_of,
    with_statements,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    canonical,
    missing_statements,
    policies_equal,
    statements_equal,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.principals import (
    statement_unique_ids,
    without_principals,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.wildcards import (
    matches_pattern,
    patterns_intersect,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
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
    allow,
    bucket_policies,
    deny,
    policy,
    respelled,
    trust_policies,
    without,
)

ARNS = {ROLE_ID: ROLE, ROLE_B_ID: ROLE_B}
BASE = allow(Sid="One", Principal={"AWS": ROLE}, Action="s3:GetObject", Resource=OBJECTS_ARN)


def base(**elements: t.Any) -> dict[str, t.Any]:
    """The base statement with some elements changed; ``None`` takes one out."""
    return {key: value for key, value in {**BASE, **elements}.items() if value is not None}


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
    assert statements_equal(one, other, ARNS)
    assert statements_equal(other, one, ARNS)
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
    "everybody and nobody": (base(Principal="*"), base(Principal={})),
    "everybody by kind and nobody": (base(Principal={"AWS": "*"}), base(Principal={"AWS": []})),
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
    assert not statements_equal(one, other, ARNS)
    assert not statements_equal(other, one, ARNS)
    assert not policies_equal(policy(one), policy(other), ARNS)
    assert missing_statements([one], policy(other)) == [one]


def test_a_unique_id_means_its_role_only_once_it_is_resolved() -> None:
    assert not statements_equal(BASE, base(Principal={"AWS": ROLE_ID}))


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


MALFORMED = {
    "not JSON": '{"Version": "2012-10-17", "Statement": [{]}',
    "empty text": "",
    "a list": "[]",
    "a number": "3",
    "null as text": "null",
    "Statement is a word": '{"Version": "2012-10-17", "Statement": "null"}',
    "Statement is a number": '{"Version": "2012-10-17", "Statement": 42}',
    "a statement is a word": '{"Version": "2012-10-17", "Statement": ["x"]}',
    "a statement without Effect": '{"Version": "2012-10-17", "Statement": [{"Action": "s3:GetObject"}]}',
    "a Condition that is a word": '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Condition": "x"}]}',  # noqa: E501
    (
        "a Condition whose operator has no keys"
    ): '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Condition": {"Bool": "x"}}]}',
    (
        "a Principal with a number in it"
    ): '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": {"AWS": [123456789012]}}]}',
    (
        "a statement with another Effect"
    ): '{"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]}',
    "a Sid that is a list": '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Sid": ["One"]}]}',
    "a Sid that is an object": '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Sid": {"One": 1}}]}',  # noqa: E501
    "a Sid that is a number": '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Sid": 1}]}',
    "half a character in a value": '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Resource": "\\ud800"}]}',  # noqa: E501
    "half a character in a key": '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "\\udfff": "*"}]}',  # noqa: E501
    (
        "half a character outside of statements"
    ): '{"Version": "2012-10-17", "Id": "\\ud800", "Statement": []}',
    "lists in lists": "[" * 2_000,
    "lists in lists without end": "[" * 100_000,
    "lists in lists, each closed": "[" * 2_000 + "]" * 2_000,
    "lists in lists in a statement": '{"Statement": [{"Effect": "Deny", "Resource": '
    + "[" * 500
    + "]" * 500
    + "}]}",
    "objects in objects": '{"Statement": [], "Id": ' + '{"a":' * 500 + "1" + "}" * 500 + "}",
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=list(MALFORMED))
def test_a_malformed_document_is_an_error_that_says_whose_it_is(text: str) -> None:
    with pytest.raises(PolicyError, match="policy of bucket fleet-data") as caught:
        parse_policy(text, "policy of bucket fleet-data")
    assert caught.value.remedy
    assert len(caught.value.message) < 300
    caught.value.message.encode()


def test_an_error_in_a_statement_says_which_one() -> None:
    with pytest.raises(PolicyError, match="2"):
        parse_policy({"Version": "2012-10-17", "Statement": [BASE, "x"]}, "policy of bucket b")


@pytest.mark.parametrize(
    "statement", [BASE, [BASE], []], ids=["an object", "a list", "an empty list"]
)
def test_a_document_is_read_from_text_and_from_an_object_alike(statement: t.Any) -> None:
    document = {"Version": "2008-10-17", "Id": "fleet", "Statement": statement}
    assert parse_policy(json.dumps(document), "x") == document
    assert parse_policy(document, "x") == document


def test_no_policy_is_an_empty_document_of_the_current_version() -> None:
    document = parse_policy(None, "x")
    assert document["Version"] == "2012-10-17"
    assert statements_of(document) == []


def test_statements_come_in_their_order_whether_one_or_many() -> None:
    assert statements_of(policy(TLS_ONLY, BASE)) == [TLS_ONLY, BASE]
    assert statements_of({"Version": "2012-10-17", "Statement": BASE}) == [BASE]
    assert statements_of({"Version": "2012-10-17", "Statement": None}) == []


def test_other_statements_leave_all_else_in_a_document_alone() -> None:
    document = {"Version": "2008-10-17", "Id": "fleet", "Statement": BASE}
    kept = copy.deepcopy(document)
    assert with_statements(document, [TLS_ONLY]) == {
        "Version": "2008-10-17",
        "Id": "fleet",
        "Statement": [TLS_ONLY],
    }
    assert document == kept


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


def test_a_free_sid_is_the_given_one_or_a_numbered_one_that_nobody_has() -> None:
    assert free_sid(policy(TLS_ONLY), "Ours") == "Ours"
    taken = [base(Sid="Ours")]
    for _count in range(12):
        sid = free_sid(policy(*taken), "Ours")
        assert sid.startswith("Ours") and sid[len("Ours") :].isdigit()
        assert sid not in [raw["Sid"] for raw in taken]
        taken.append(base(Sid=sid))


def test_a_free_sid_is_found_in_a_document_whose_statement_is_an_object() -> None:
    assert free_sid({"Version": "2012-10-17", "Statement": base(Sid="Ours")}, "Ours") != "Ours"


WITHOUT_PRINCIPALS = {
    "one of several goes": ({"AWS": [ROLE, ROLE_B]}, "AWS", ROLE, {"AWS": [ROLE_B]}),
    "the last of its kind goes, other kinds stay": (
        {"AWS": ROLE, "Service": EC2},
        "AWS",
        ROLE,
        {"Service": EC2},
    ),
    "the last of all goes": ({"AWS": ROLE}, "AWS", ROLE, None),
    "the last of all goes, without its kind": (ROLE, "AWS", ROLE, None),
    "the last of a list goes": ({"AWS": [ROLE]}, "AWS", ROLE, None),
    "the same text as another kind stays": (
        {"Service": EC2, "Federated": EC2},
        "Service",
        EC2,
        {"Federated": EC2},
    ),
    "nobody goes": ({"AWS": [ROLE_B, ROOT]}, "AWS", ROLE, {"AWS": [ROLE_B, ROOT]}),
    "another kind is not looked at": ({"AWS": [ROLE]}, "Service", ROLE, {"AWS": [ROLE]}),
    "everybody stays": ("*", "AWS", ROLE, "*"),
}


@pytest.mark.parametrize(
    ("principal", "kind", "gone", "left"), WITHOUT_PRINCIPALS.values(), ids=list(WITHOUT_PRINCIPALS)
)
@pytest.mark.parametrize("element", ["Principal", "NotPrincipal"])
def test_without_principals(
    principal: t.Any, kind: str, gone: str, left: t.Any, element: str
) -> None:
    raw = {**base(Principal=None), element: principal}
    kept = copy.deepcopy(raw)
    shorter = without_principals(raw, kind, lambda value: value == gone, element)
    assert raw == kept
    if left is None:
        assert shorter is None
    else:
        assert shorter is not None
        assert statements_equal(shorter, {**raw, element: left})
        assert without(shorter, element) == without(raw, element)


def test_principals_are_not_taken_out_of_those_excepted_unless_that_is_asked_for() -> None:
    raw = base(Principal=None, NotPrincipal={"AWS": [ROLE, ROLE_B]})
    assert without_principals(raw, "AWS", lambda value: value == ROLE) == raw


UNIQUE_IDS = {
    "of a role": ({"AWS": ROLE_ID}, [ROLE_ID]),
    "of a user, in a list": ({"AWS": [ROLE, "AIDAQ3EGSIJTZ5USERONE"]}, ["AIDAQ3EGSIJTZ5USERONE"]),
    "of two": ({"AWS": [ROLE_ID, ROLE_B_ID]}, [ROLE_ID, ROLE_B_ID]),
    "none in ARNs and account ids": ({"AWS": [ROLE, ROOT, ACCOUNT]}, []),
    "none in services": ({"Service": EC2}, []),
    "none in everybody": ("*", []),
    "none in a canonical user": ({"CanonicalUser": ROLE_ID}, []),
}


@pytest.mark.parametrize(("principal", "found"), UNIQUE_IDS.values(), ids=list(UNIQUE_IDS))
def test_unique_ids_among_the_principals(principal: t.Any, found: t.Any) -> None:
    condition = {"StringLike": {"aws:userid": "AROAQ3EGSIJTZ5INCOND1:*"}}
    assert sorted(statement_unique_ids(base(Principal=principal, Condition=condition))) == sorted(
        found
    )


def test_unique_ids_among_those_excepted_from_a_deny() -> None:
    assert statement_unique_ids(base(Principal=None, NotPrincipal={"AWS": [ROLE_ID, ROLE]})) == [
        ROLE_ID
    ]


def test_a_statement_is_described_by_its_sid_or_its_place() -> None:
    assert "AllowSSLRequestsOnly" in describe_statement(TLS_ONLY, 3)
    assert "2" in describe_statement(without(TLS_ONLY, "Sid"), 1)
    assert statement_name(TLS_ONLY, 3) == "AllowSSLRequestsOnly"
    assert statement_name({**TLS_ONLY, "Sid": ""}, 1) == "#2"


ACTION_COVERED = {
    "itself": ("s3:GetObject", "s3:GetObject", True),
    "in another case": ("S3:getobject", "s3:GetObject", True),
    "a star at its end": ("s3:Get*", "s3:GetObject", True),
    "a star within": ("s3:*Object", "s3:GetObject", True),
    "a question mark": ("s3:GetObjec?", "s3:GetObject", True),
    "all of the service": ("s3:*", "s3:GetObject", True),
    "all": ("*", "s3:GetObject", True),
    "one of a list": (["s3:PutObject", "s3:GetObject"], "s3:GetObject", True),
    "another action": ("s3:PutObject", "s3:GetObject", False),
    "only its beginning": ("s3:Get", "s3:GetObject", False),
    "a longer name": ("s3:GetObjectAcl", "s3:GetObject", False),
    "another service": ("sts:*", "s3:GetObject", False),
    "a question mark too many": ("s3:GetObject?", "s3:GetObject", False),
    "nothing": ([], "s3:GetObject", False),
}


@pytest.mark.parametrize(
    ("actions", "action", "covered"), ACTION_COVERED.values(), ids=list(ACTION_COVERED)
)
def test_an_action_is_covered_by(actions: t.Any, action: str, covered: bool) -> None:
    assert canonical(base(Action=actions)).includes_action(action) is covered


@pytest.mark.parametrize(
    ("actions", "action", "covered"), ACTION_COVERED.values(), ids=list(ACTION_COVERED)
)
def test_an_action_is_left_out_by_not_action(actions: t.Any, action: str, covered: bool) -> None:
    assert canonical(base(Action=None, NotAction=actions)).includes_action(action) is not covered


# pattern, (covers the bucket, touches it), (covers all objects, touches some)
RESOURCES = {
    "the bucket": (BUCKET_ARN, (True, True), (False, False)),
    "its objects": (OBJECTS_ARN, (False, False), (True, True)),
    "both": ([BUCKET_ARN, OBJECTS_ARN], (True, True), (True, True)),
    "both by one star": (f"{BUCKET_ARN}*", (True, True), (True, True)),
    "all buckets": ("arn:aws:s3:::*", (True, True), (True, True)),
    "everything": ("*", (True, True), (True, True)),
    "a prefix": (f"{BUCKET_ARN}/logs/*", (False, False), (False, True)),
    "an object": (f"{BUCKET_ARN}/logs/x", (False, False), (False, True)),
    "a kind of objects": (f"{BUCKET_ARN}/*.csv", (False, False), (False, True)),
    "objects below any folder": (f"{BUCKET_ARN}/*/x", (False, False), (False, True)),
    "a kind of objects in any bucket": ("arn:aws:s3:::*/*.csv", (False, False), (False, True)),
    "objects of a bucket that a variable names": (
        "arn:aws:s3:::${aws:PrincipalTag/bucket}/*",
        (False, False),
        (False, True),
    ),
    "objects below a variable": (f"{BUCKET_ARN}/${{aws:username}}*", (False, False), (False, True)),
    "objects of one letter": (f"{BUCKET_ARN}/?", (False, False), (False, True)),
    "a bucket whose name begins alike": (f"{BUCKET_ARN}-2", (False, False), (False, False)),
    "objects of a bucket whose name begins alike": (
        f"{BUCKET_ARN}-2/*",
        (False, False),
        (False, False),
    ),
    "a question mark in the bucket's name": (
        "arn:aws:s3:::fleet?data/*",
        (False, False),
        (True, True),
    ),
    "a dot is no wildcard": ("arn:aws:s3:::fleet.data/*", (False, False), (False, False)),
    "another bucket": ("arn:aws:s3:::other", (False, False), (False, False)),
    "another case": (OBJECTS_ARN.upper(), (False, False), (False, False)),
}


@pytest.mark.parametrize(
    ("resources", "bucket", "objects"), RESOURCES.values(), ids=list(RESOURCES)
)
def test_a_statement_is_about_a_bucket_or_its_objects(
    resources: t.Any, bucket: t.Any, objects: t.Any
) -> None:
    statement = canonical(base(Resource=resources))
    assert (
        statement.includes_resource(BUCKET_ARN),
        statement.overlaps_resource(BUCKET_ARN),
    ) == bucket
    assert (
        statement.includes_resource(OBJECTS_ARN),
        statement.overlaps_resource(OBJECTS_ARN),
    ) == objects


NOT_RESOURCES = {
    "all but the bucket": (BUCKET_ARN, (False, False), (True, True)),
    "all but its objects": (OBJECTS_ARN, (True, True), (False, False)),
    "all but a prefix": (f"{BUCKET_ARN}/logs/*", (True, True), (False, True)),
    "all but both": ([BUCKET_ARN, OBJECTS_ARN], (False, False), (False, False)),
    "all but another bucket": ("arn:aws:s3:::other*", (True, True), (True, True)),
    "all but everything": ("*", (False, False), (False, False)),
}


@pytest.mark.parametrize(
    ("resources", "bucket", "objects"), NOT_RESOURCES.values(), ids=list(NOT_RESOURCES)
)
def test_a_statement_with_not_resource_is_about(
    resources: t.Any, bucket: t.Any, objects: t.Any
) -> None:
    statement = canonical(base(Resource=None, NotResource=resources))
    assert (
        statement.includes_resource(BUCKET_ARN),
        statement.overlaps_resource(BUCKET_ARN),
    ) == bucket
    assert (
        statement.includes_resource(OBJECTS_ARN),
        statement.overlaps_resource(OBJECTS_ARN),
    ) == objects


MATCHES = {
    "itself": ("abc", "abc", True),
    "not a part": ("b", "abc", False),
    "not its beginning": ("ab", "abc", False),
    "a star for nothing": ("abc*", "abc", True),
    "a star for slashes and colons": ("arn:*:x", "arn:a/b:c:x", True),
    "two stars": ("a*c*e", "abcde", True),
    "a star that must give some back": ("*ab", "aab", True),
    "a star for a line break": ("a*", "a\nb", True),
    "no trailing line break": ("abc", "abc\n", False),
    "a question mark for one": ("a?c", "abc", True),
    "a question mark not for none": ("abc?", "abc", False),
    "brackets are brackets": ("[abc]", "a", False),
    "brackets match themselves": ("x[1].*", "x[1].y", True),
    "a dot is a dot": ("a.c", "abc", False),
    "case counts": ("abc", "ABC", False),
    "nothing matches nothing": ("", "", True),
}


@pytest.mark.parametrize(("pattern", "text", "verdict"), MATCHES.values(), ids=list(MATCHES))
def test_a_pattern_matches(pattern: str, text: str, verdict: bool) -> None:
    assert matches_pattern(pattern, text) is verdict


INTERSECT = {
    "one of them a text": ("a*c", "abc", True),
    "two texts": ("abc", "abd", False),
    "stars that cross": ("a*", "*b", True),
    "stars that cross around a text in both": ("*/protected/*", "b/*", True),
    "stars that stand for nothing": ("ab*", "*ab", True),
    "beginnings that differ": ("a*", "b*", False),
    "ends that differ": ("*a", "*b", False),
    "a question mark for a letter": ("a?c", "ab*", True),
    "question marks for a star": ("???", "a*c", True),
    "too few question marks": ("?", "a*c", False),
    "nothing and a star": ("", "*", True),
    "nothing and a question mark": ("", "?", False),
}


@pytest.mark.parametrize(("one", "other", "verdict"), INTERSECT.values(), ids=list(INTERSECT))
def test_two_patterns_intersect(one: str, other: str, verdict: bool) -> None:
    assert {patterns_intersect(*pair) for pair in ((one, other), (other, one))} == {verdict}


TEXTS = [
    "".join(letters) for length in range(7) for letters in itertools.product("ab", repeat=length)
]
PATTERNS = st.text("ab*?", max_size=4)


@given(PATTERNS, PATTERNS)
def test_two_patterns_intersect_where_a_text_matches_both(one: str, other: str) -> None:
    assert patterns_intersect(one, other) is any(
        matches_pattern(one, text) and matches_pattern(other, text) for text in TEXTS
    )


@given(PATTERNS, st.sampled_from(TEXTS))
def test_a_pattern_matches_as_the_shell_does(pattern: str, text: str) -> None:
    assert matches_pattern(pattern, text) is fnmatch.fnmatchcase(text, pattern)


ADVERSARIAL = {
    "stars between letters": "a*" * 512 + "b",
    "stars alone": "*" * 1024 + "b",
    "question marks between stars": "*?" * 512 + "b",
}


@pytest.mark.parametrize("pattern", ADVERSARIAL.values(), ids=list(ADVERSARIAL))
def test_a_pattern_made_to_take_forever_does_not(pattern: str) -> None:
    began = time.monotonic()
    assert not matches_pattern(pattern, "a" * 1024)
    assert not patterns_intersect(pattern, "*a" * 512)
    assert time.monotonic() - began < 10


@given(DOCUMENTS)
def test_the_compact_form_is_the_same_document_without_white_space(document: t.Any) -> None:
    text = compact_json(document)
    assert json.loads(text) == document
    assert not any(space in text for space in (" ", "\n", "\t"))


def test_the_compact_form_keeps_white_space_within_texts_and_counts_a_letter_once() -> None:
    assert compact_json({"a": ["b c", "é"]}) == '{"a":["b c","é"]}'


def test_a_list_is_a_list_a_scalar_is_one_of_one_and_nothing_is_empty() -> None:
    assert as_list(["a", "b"]) == ["a", "b"]
    assert as_list("ab") == ["ab"]
    assert as_list(None) == []
    assert as_list(BASE) == [BASE]


@pytest.mark.parametrize(
    "raw", [TLS_ONLY, LOG_DELIVERY, TRUST_CONTROL_PLANE], ids=["Deny", "service", "account"]
)
def test_canonicalising_changes_nothing_in_place(raw: t.Any) -> None:
    before = copy.deepcopy(raw)
    canonical(raw, ARNS)
    policies_equal(policy(raw), policy(raw), ARNS)
    assert raw == before
