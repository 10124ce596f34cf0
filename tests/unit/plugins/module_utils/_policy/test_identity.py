# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a role's own policies let it do: the truth table, with boundaries, conditions, variables and
wildcards.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    Action,
    Identity,
    NamedPolicy,
    judge,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.request_context import (
    cluster_context,
    control_plane_context,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    BUCKET_ARN,
    CONTROL,
    EC2,
    LOOKALIKE,
    OBJECTS_ARN,
    ROLE,
    ROLE_B,
    ROLE_ID,
    Raw,
    allow,
    deny,
    policy,
)

NOW = 1_795_000_000.0  # 2026-11-18
PASS_ROLE = Action(
    "iam:PassRole",
    ROLE,
    control_plane_context(CONTROL, ACCOUNT, "iam", NOW).with_values(
        {"iam:passedtoservice": (EC2,)}
    ),
)
GET_OBJECTS = Action(
    "s3:GetObject", OBJECTS_ARN, cluster_context(ROLE, ROLE_ID, ACCOUNT, "s3", NOW)
)
TO_EC2 = {"StringEquals": {"iam:PassedToService": EC2}}
GRANT = allow(Action="iam:PassRole", Resource=ROLE)


def granting(**elements: t.Any) -> list[Raw]:
    """One statement that passes the role, with some elements changed; ``None`` takes one out."""
    return [{key: value for key, value in {**GRANT, **elements}.items() if value is not None}]


ALLOWED: dict[str, list[Raw]] = {
    "by name": [GRANT],
    "in another case": granting(Action="IAM:passrole"),
    "among other actions": granting(Action=["ec2:RunInstances", "iam:PassRole"]),
    "by a wildcard in the action": granting(Action="iam:Pass*"),
    "all actions": granting(Action="*"),
    "all but other actions": granting(Action=None, NotAction=["iam:Create*", "s3:*"]),
    "on all resources": granting(Resource="*"),
    "on all roles of the account": granting(Resource=f"arn:aws:iam::{ACCOUNT}:role/*"),
    "on a role by a question mark": granting(Resource=f"arn:aws:iam::{ACCOUNT}:role/ray-team-?"),
    "on all but another role": granting(Resource=None, NotResource=ROLE_B),
    "only to EC2": granting(Condition=TO_EC2),
    "only to services, EC2 among them": granting(
        Condition={"StringLike": {"iam:PassedToService": ["lambda.*", "ec2.*"]}}
    ),
    "only to EC2, if it is known": granting(
        Condition={"StringEqualsIfExists": {"iam:PassedToService": EC2}}
    ),
    "only where a service is named": granting(Condition={"Null": {"iam:PassedToService": "false"}}),
    "with what IAM leaves where sessions are revoked": [
        GRANT,
        deny(
            Action="*",
            Resource="*",
            Condition={"DateLessThan": {"aws:TokenIssueTime": "2024-05-01T09:30:00.123Z"}},
        ),
    ],
    "with a Deny of old TLS, of which IAM knows nothing": [
        GRANT,
        deny(Action="*", Resource="*", Condition={"NumericLessThan": {"s3:TlsVersion": "1.3"}}),
    ],
    "only to the role, by an ARN": granting(
        Condition={"arnlike": {"aws:PrincipalArn": f"arn:*:iam::{ACCOUNT}:role/*"}}
    ),
    "only from a past moment on": granting(
        Condition={"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}
    ),
    "by the second statement": [allow(Action="s3:*", Resource="*"), GRANT],
    "with a Deny of another role": [GRANT, deny(Action="iam:PassRole", Resource=ROLE_B)],
    "with a Deny of another action": [GRANT, deny(Action="iam:Create*", Resource="*")],
    "with a Deny of all other services": [
        GRANT,
        deny(
            Action="iam:PassRole",
            Resource="*",
            Condition={"StringNotEquals": {"iam:PassedToService": EC2}},
        ),
    ],
}
CONDITIONAL: dict[str, list[Raw]] = {
    "only in one region": granting(
        Condition={"StringEquals": {"aws:RequestedRegion": "us-west-2"}}
    ),
    "only for roles with a tag": granting(
        Condition={"StringEquals": {"iam:ResourceTag/team": "ray"}}
    ),
    "only to some instances": granting(
        Condition={"ArnLike": {"iam:AssociatedResourceArn": "arn:aws:ec2:*:*:instance/*"}}
    ),
    "on a resource with a variable": granting(
        Resource="arn:aws:iam::${aws:PrincipalAccount}:role/ray-*"
    ),
    "on all but a resource with a variable": granting(
        Resource=None, NotResource="arn:aws:iam::*:role/${aws:username}*"
    ),
    "until a moment": granting(
        Condition={"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}
    ),
    "with a Deny outside an organization": [
        GRANT,
        deny(
            Action="*",
            Resource="*",
            Condition={"StringNotEquals": {"aws:PrincipalOrgID": "o-1a2b3c4d5e"}},
        ),
    ],
    "with a Deny of a resource with a variable": [
        GRANT,
        deny(Action="iam:*", Resource="arn:aws:iam::*:role/${aws:PrincipalTag/x}"),
    ],
}
DENIED: dict[str, list[Raw]] = {
    "nothing at all": [],
    "another action": granting(Action="iam:GetRole"),
    "all but this action": granting(Action=None, NotAction="iam:Pass*"),
    "another role": granting(Resource=ROLE_B),
    "a role whose name contains it": granting(Resource=LOOKALIKE),
    "the instance profile in the place of the role": granting(
        Resource=ROLE.replace(":role/", ":instance-profile/")
    ),
    "all but this role": granting(Resource=None, NotResource=f"arn:aws:iam::{ACCOUNT}:role/ray-*"),
    "only to another service": granting(
        Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    ),
    "to EC2, but not from this account": granting(
        Condition={**TO_EC2, "StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}}
    ),
    "only by an ARN whose wildcard would have to cross colons": granting(
        Condition={"ArnLike": {"aws:PrincipalArn": "arn:*:role/*"}}
    ),
    "only with a second factor": granting(
        Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    ),
    "until a past moment": granting(
        Condition={"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}
    ),
    "a Deny without a second factor": [
        GRANT,
        deny(
            Action="*",
            Resource="*",
            Condition={"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
        ),
    ],
    "a Deny beside it": [GRANT, deny(Action="iam:*", Resource="*")],
    "a Deny before it": [deny(Action="iam:PassRole", Resource=ROLE), GRANT],
    "a Deny of all but other roles": [GRANT, deny(Action="*", NotResource=ROLE_B)],
    "a Deny of passing to EC2": [
        GRANT,
        deny(Action="iam:PassRole", Resource="*", Condition=TO_EC2),
    ],
    "a Deny without a grant": [deny(Action="s3:*", Resource="*")],
}
TABLE = {
    **{f"allowed: {name}": (raws, "allowed") for name, raws in ALLOWED.items()},
    **{f"conditional: {name}": (raws, "conditional") for name, raws in CONDITIONAL.items()},
    **{f"denied: {name}": (raws, "denied") for name, raws in DENIED.items()},
}


@pytest.mark.parametrize(("raws", "answer"), TABLE.values(), ids=list(TABLE))
def test_statements_in_one_policy_or_in_many(raws: list[Raw], answer: str) -> None:
    together = Identity((NamedPolicy("one", policy(*raws)),))
    apart = Identity(
        tuple(NamedPolicy(str(number), policy(raw)) for number, raw in enumerate(raws))
    )
    assert judge(together, PASS_ROLE).answer == judge(apart, PASS_ROLE).answer == answer


@pytest.mark.parametrize(("raws", "answer"), TABLE.values(), ids=list(TABLE))
def test_a_boundary_must_allow_it_as_well(raws: list[Raw], answer: str) -> None:
    bounded = Identity(
        (NamedPolicy("grant", policy(GRANT)),), NamedPolicy("boundary", policy(*raws))
    )
    verdict = judge(bounded, PASS_ROLE)
    assert verdict.answer == answer
    assert verdict.by_boundary is (answer != "allowed")


def test_a_boundary_grants_nothing_by_itself() -> None:
    verdict = judge(Identity((), NamedPolicy("boundary", policy(GRANT))), PASS_ROLE)
    assert (verdict.answer, verdict.by_boundary) == ("denied", False)


def test_a_boundary_is_not_to_blame_alone_for_what_nothing_allows() -> None:
    verdict = judge(Identity((), NamedPolicy("boundary", policy())), PASS_ROLE)
    assert (verdict.answer, verdict.by_boundary) == ("denied", False)


# The statement's resource, and what it is for all objects of a bucket.
PARTS = {
    "all objects": (OBJECTS_ARN, "allowed"),
    "everything in the bucket": (f"{BUCKET_ARN}*", "allowed"),
    "a prefix": (f"{BUCKET_ARN}/exports/*", "conditional"),
    "one object": (f"{BUCKET_ARN}/readme", "conditional"),
    "the bucket alone": (BUCKET_ARN, "denied"),
    "another bucket": (f"{BUCKET_ARN}-2/*", "denied"),
}


@pytest.mark.parametrize(("where", "answer"), PARTS.values(), ids=list(PARTS))
def test_a_part_of_the_objects(where: str, answer: str) -> None:
    identity = Identity((NamedPolicy("objects", policy(allow(Action="s3:Get*", Resource=where))),))
    assert judge(identity, GET_OBJECTS).answer == answer


def test_the_statements_are_returned_with_their_places() -> None:
    refusal = deny(Sid="NoEscalation", Action="iam:*", Resource="*")
    verdict = judge(
        Identity(
            (
                NamedPolicy("grant", policy(GRANT)),
                NamedPolicy("guard", policy(allow(Action="s3:*"), refusal)),
            )
        ),
        PASS_ROLE,
    )
    assert [str(place) for place in verdict.statements] == [
        "Statement 1 (without a Sid) of policy grant",
        "Statement 2 (Sid 'NoEscalation') of policy guard",
    ]
    assert [place.raw for place in verdict.denying] == [refusal]
