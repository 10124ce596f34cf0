# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The truth table of Deny statements: which hit a role surely, which perhaps, which not at all."""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy import deny as policy_deny
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    BUCKET_ARN,
    CONTROL,
    EC2,
    LOOKALIKE,
    OBJECTS_ARN,
    OTHER_ACCOUNT,
    ROLE,
    ROLE_B,
    ROLE_B_ID,
    ROLE_ID,
    ROOT,
    TLS_ONLY,
    deny,
)

NOW = 1_795_000_000.0  # 2026-11-18
TEAM_A = Role(arn=ROLE, account_id=ACCOUNT, unique_id=ROLE_ID)
NAMELESS = Role(arn=ROLE, account_id=ACCOUNT)
SESSIONS = f"arn:aws:sts::{ACCOUNT}:assumed-role/ray-team-a"
NEEDED = [
    ("s3:ListBucket", BUCKET_ARN),
    ("s3:GetObject", OBJECTS_ARN),
    ("s3:PutObject", OBJECTS_ARN),
]


def denies(**elements: t.Any) -> dict[str, t.Any]:
    """A Deny of all for everybody, with some elements changed; ``None`` takes one out."""
    whole = {**deny(Principal="*", Action="s3:*", Resource=[BUCKET_ARN, OBJECTS_ARN]), **elements}
    return {key: value for key, value in whole.items() if value is not None}


def unless(operator: str, key: str, values: t.Any) -> dict[str, t.Any]:
    """A Deny of all for everybody, under one condition."""
    return denies(Condition={operator: {key: values}})


SURELY = {
    "everybody": denies(),
    "everybody by kind": denies(Principal={"AWS": "*"}),
    "everybody, with an empty Condition": denies(Condition={}),
    "the role": denies(Principal={"AWS": ROLE}),
    "the role among others": denies(Principal={"Service": EC2, "AWS": [ROLE_B, ROLE]}),
    "the role by its unique id": denies(Principal={"AWS": ROLE_ID}),
    "the account by its root": denies(Principal={"AWS": ROOT}),
    "the account by its id": denies(Principal={"AWS": ACCOUNT}),
    "all but another role": denies(Principal=None, NotPrincipal={"AWS": [ROLE_B, LOOKALIKE]}),
    "all but another account": denies(Principal=None, NotPrincipal={"AWS": OTHER_ACCOUNT}),
    "all but a service": denies(Principal=None, NotPrincipal={"Service": EC2}),
    "one of the actions": denies(Action="s3:PutObject"),
    "one of the actions in another case": denies(Action="S3:putobject"),
    "one of the actions by a wildcard": denies(Action=["s3:DeleteBucket", "s3:Put*"]),
    "all actions": denies(Action="*"),
    "all but other actions": denies(
        Action=None, NotAction=["s3:GetBucketLocation", "s3:ListBucket"]
    ),
    "the objects alone": denies(Resource=OBJECTS_ARN),
    "the bucket alone": denies(Resource=BUCKET_ARN),
    "all resources": denies(Resource="*"),
    "all but other resources": denies(
        Resource=None, NotResource=["arn:aws:s3:::other", "arn:aws:s3:::other/*"]
    ),
    "all but the objects": denies(Resource=None, NotResource=OBJECTS_ARN),
    "those who are not another role": unless("StringNotEquals", "aws:PrincipalArn", ROLE_B),
    "those who are none of some roles": unless(
        "ArnNotLike", "aws:PrincipalArn", [ROLE_B, f"arn:aws:iam::{ACCOUNT}:role/admin-*"]
    ),
    "those who are not a role whose name contains theirs": unless(
        "StringNotLike", "aws:PrincipalArn", LOOKALIKE
    ),
    "those who are the role": unless("StringEquals", "aws:PrincipalArn", [ROLE_B, ROLE]),
    "those who are like the role": unless(
        "ArnLike", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:role/ray-*"
    ),
    "those of other accounts": unless("StringNotEquals", "aws:PrincipalAccount", OTHER_ACCOUNT),
    "those of the account": unless("StringEquals", "aws:PrincipalAccount", ACCOUNT),
    "those who do not have another's id": unless(
        "StringNotLike", "aws:userId", [f"{ROLE_B_ID}:*", OTHER_ACCOUNT]
    ),
    "those who have the role's id": unless("StringLike", "aws:userId", f"{ROLE_ID}:*"),
    "those who are on an instance with the role's id": unless(
        "StringLike", "aws:userId", f"{ROLE_ID}:i-*"
    ),
    "those who do not have a star in their id": unless(
        "StringNotEquals", "aws:userId", [f"{ROLE_ID}:*", f"{ROLE_ID}:i-*"]
    ),
    "those who use TLS": unless("Bool", "aws:SecureTransport", True),
    "those of no AWS service": unless("Bool", "aws:PrincipalIsAWSService", "false"),
    "a condition key in another case": unless("StringNotEquals", "AWS:principalarn", ROLE_B),
    "those who have a known key": unless("Null", "aws:PrincipalArn", "false"),
    "those of another type": unless("StringNotEquals", "aws:PrincipalType", "User"),
    "those who equal the role as an ARN": unless("ArnEquals", "aws:PrincipalArn", ROLE),
    "those who are not another role, whatever the case": unless(
        "StringNotEqualsIgnoreCase", "aws:PrincipalArn", ROLE_B.upper()
    ),
    "an operator with IfExists": unless("StringNotEqualsIfExists", "aws:PrincipalArn", ROLE_B),
    "an operator in another case": unless("stringNOTequals", "aws:PrincipalArn", ROLE_B),
    "an ARN operator whose wildcard would have to cross colons": unless(
        "ArnNotLike", "aws:PrincipalArn", "*:role/ray-*"
    ),
    "an ARN operator whose last wildcard alone may cross colons": unless(
        "ArnLike", "aws:PrincipalArn", "arn:*:iam:*:*:role/*"
    ),
    "those who are not on an instance of another account": unless(
        "ArnNotLike", "ec2:SourceInstanceARN", f"arn:aws:ec2:*:{OTHER_ACCOUNT}:instance/*"
    ),
    "those who are on an instance of the account": unless(
        "ArnLike", "ec2:SourceInstanceARN", f"arn:aws:ec2:*:{ACCOUNT}:instance/*"
    ),
    "those without a second factor, if it is known": unless(
        "BoolIfExists", "aws:MultiFactorAuthPresent", "false"
    ),
    "those who know no age of a second factor": unless("Null", "aws:MultiFactorAuthAge", True),
    "those whose second factor is old or unknown": unless(
        "NumericGreaterThanIfExists", "aws:MultiFactorAuthAge", "3600"
    ),
    "those who are not a user": unless("StringNotLike", "aws:username", "ray-*"),
    "those who have no user name": unless("Null", "aws:username", ["true"]),
    "those who have a known key, in another case": unless("Null", "aws:PrincipalArn", "False"),
    "those who have the key or have not": unless("Null", "aws:PrincipalArn", ["true", "false"]),
    "those whose credentials are temporary": unless("Null", "aws:TokenIssueTime", "FALSE"),
    "those whose credentials are younger than a past moment": unless(
        "DateGreaterThan", "aws:TokenIssueTime", "2024-05-01T00:00:00Z"
    ),
    "those who come after a past moment": unless(
        "DateGreaterThanEquals", "aws:CurrentTime", "2020-01-01"
    ),
    "those who come after a past moment, in seconds": unless(
        "NumericGreaterThan", "aws:EpochTime", 1577836800
    ),
    "those who do not come at a past moment": unless(
        "DateNotEquals", "aws:CurrentTime", "2020-01-01T00:00:00.123+02:00"
    ),
    "those who act for no other account": unless(
        "StringNotEquals", "aws:SourceAccount", OTHER_ACCOUNT
    ),
    "those who act for no resource": unless("Null", "aws:SourceArn", "true"),
    "those who come through no service": unless(
        "ForAllValues:StringEquals", "aws:CalledVia", "athena.amazonaws.com"
    ),
    "those who are of no other service": unless(
        "StringNotEqualsIfExists", "aws:PrincipalServiceName", EC2
    ),
    "all values of a key with one value": unless(
        "ForAllValues:StringNotEquals", "aws:PrincipalArn", ROLE_B
    ),
    "any value of a key with one value": unless(
        "ForAnyValue:ArnLike", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:role/ray-*"
    ),
    "those who do not sign by version 4": unless("StringNotEquals", "s3:signatureversion", "AWS"),
    "those who lack a key of another service": unless("Null", "iam:PassedToService", "true"),
    "two conditions that are both met": denies(
        Condition={
            "StringNotEquals": {"aws:PrincipalArn": ROLE_B, "aws:PrincipalAccount": OTHER_ACCOUNT}
        }
    ),
    "two operators that are both met": denies(
        Condition={
            "ArnNotEquals": {"aws:PrincipalArn": CONTROL},
            "Bool": {"aws:PrincipalIsAWSService": "false"},
        }
    ),
}

PERHAPS = {
    # No session of the role is among those that are left out.
    "all but the role and its account": denies(Principal=None, NotPrincipal={"AWS": [ROLE, ROOT]}),
    "all but the role by its unique id, and its account": denies(
        Principal=None, NotPrincipal={"AWS": [ROLE_ID, ROOT]}
    ),
    "all but the role": denies(Principal=None, NotPrincipal={"AWS": ROLE}),
    "those outside a VPC endpoint": unless("StringNotEquals", "aws:SourceVpce", "vpce-1a2b3c4d"),
    "those outside a VPC": unless("StringNotEqualsIfExists", "aws:SourceVpc", "vpc-1a2b3c4d"),
    "those outside a network": unless("NotIpAddress", "aws:SourceIp", "192.0.2.0/24"),
    "those outside an organisation": unless(
        "StringNotEquals", "aws:PrincipalOrgID", "o-1a2b3c4d5e"
    ),
    "those without a tag": unless("StringNotEquals", "aws:PrincipalTag/team", "ray"),
    "those who do not encrypt": unless(
        "StringNotEquals", "s3:x-amz-server-side-encryption", "aws:kms"
    ),
    "those who name no encryption": unless("Null", "s3:x-amz-server-side-encryption", "true"),
    "those who use an old TLS, newer than is certain": unless(
        "NumericLessThan", "s3:TlsVersion", "1.3"
    ),
    "those who use an old TLS, of several": unless(
        "NumericLessThan", "s3:TlsVersion", ["1.1", "1.3"]
    ),
    "one session of the role": unless(
        "StringEquals", "aws:userId", f"{ROLE_ID}:i-0aaaaaaaaaaaaaaaa"
    ),
    "all but one session of the role": unless(
        "StringNotEquals", "aws:userId", f"{ROLE_ID}:i-0aaaaaaaaaaaaaaaa"
    ),
    "some sessions of the role": unless(
        "StringLike", "aws:userId", [f"{ROLE_B_ID}:*", f"{ROLE_ID}:i-0a*"]
    ),
    "all but some sessions of the role": unless("StringNotLike", "aws:userId", f"{ROLE_ID}:i-0a*"),
    "one session of the role, whatever the case": unless(
        "StringEqualsIgnoreCase", "aws:userId", f"{ROLE_ID.lower()}:I-0AAAAAAAAAAAAAAAA"
    ),
    "those with no second factor": unless("Bool", "aws:MultiFactorAuthPresent", "false"),
    "those who say nothing of a second factor": unless(
        "Null", "aws:MultiFactorAuthPresent", "true"
    ),
    "all but one session of the role, as principals": denies(
        Principal=None, NotPrincipal={"AWS": f"{SESSIONS}/i-0aaaaaaaaaaaaaaaa"}
    ),
    "one session of the role, as a principal": denies(
        Principal={"AWS": [ROLE_B, f"{SESSIONS}/i-0aaaaaaaaaaaaaaaa"]}
    ),
    "a canonical user, which may stand for the account": denies(
        Principal={
            "CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
        }
    ),
    "services by a star": denies(Principal={"Service": "*"}),
    "an ARN operator with a star alone": unless("ArnNotLike", "aws:PrincipalArn", "*"),
    "an ARN operator on what is no ARN": unless("ArnLike", "aws:userId", f"{ROLE_ID}:*"),
    "Null with a value that is neither": unless("Null", "aws:PrincipalArn", "yes"),
    "a date that cannot be read": unless("DateLessThan", "aws:TokenIssueTime", "yesterday"),
    "those whose credentials are older than a future moment": unless(
        "DateLessThan", "aws:TokenIssueTime", "2030-01-01T00:00:00Z"
    ),
    "any value of an absent key, if it exists": unless(
        "ForAnyValue:StringNotEqualsIfExists", "aws:CalledVia", "athena.amazonaws.com"
    ),
    "an operator that is not known, on a key that is absent": unless(
        "FutureNotOperator", "aws:username", "x"
    ),
    "those who come from an address, on a private network": unless(
        "IpAddress", "aws:Ec2InstanceSourcePrivateIPv4", "10.0.0.0/8"
    ),
    "those who come before a time": unless(
        "DateLessThan", "aws:CurrentTime", "2030-01-01T00:00:00Z"
    ),
    "an operator that is not known": unless("FutureOperator", "aws:PrincipalArn", ROLE),
    "an operator on several values": unless("ForAnyValue:StringEquals", "aws:TagKeys", "x"),
    "a sure condition and one that depends": denies(
        Condition={
            "StringNotEquals": {"aws:PrincipalArn": ROLE_B, "aws:SourceVpce": "vpce-1a2b3c4d"}
        }
    ),
    "the role, under a condition that depends": denies(
        Principal={"AWS": ROLE}, Condition={"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    ),
}

NOT_AT_ALL = {
    "those without TLS": TLS_ONLY,
    "those without TLS, as a boolean": unless("Bool", "aws:SecureTransport", False),
    "those without TLS, if it is known": unless("BoolIfExists", "aws:SecureTransport", "false"),
    "those who use a TLS before 1.2": unless("NumericLessThan", "s3:TlsVersion", 1.2),
    "those whose credentials were issued before a past moment": unless(
        "DateLessThan", "aws:TokenIssueTime", "2024-05-01T09:30:00.123Z"
    ),
    "those whose credentials were issued up to a past moment, in seconds": unless(
        "DateLessThanEquals", "aws:TokenIssueTime", "1577836800"
    ),
    "those who came before a past moment": unless("NumericLessThan", "aws:EpochTime", 1577836800.5),
    "those who have a second factor": unless("Bool", "aws:MultiFactorAuthPresent", "true"),
    "those whose second factor is old": unless(
        "NumericGreaterThan", "aws:MultiFactorAuthAge", "3600"
    ),
    "those who have a user name": unless("Null", "aws:username", "False"),
    "those who act for another account": unless("StringEquals", "aws:SourceAccount", OTHER_ACCOUNT),
    "those who come through a service": unless(
        "ForAnyValue:StringEquals", "aws:CalledVia", "athena.amazonaws.com"
    ),
    "those who come through a service, negated": unless(
        "ForAnyValue:StringNotEquals", "aws:CalledVia", "athena.amazonaws.com"
    ),
    "those who pass a role": unless("StringLike", "iam:PassedToService", "*"),
    "those who sign by version 2": unless("StringEquals", "s3:signatureversion", "AWS"),
    "an ARN operator that would have to cross colons": unless(
        "ArnLike", "aws:PrincipalArn", "arn:*:role/ray-*"
    ),
    "a person's session of the role, as a principal": denies(Principal={"AWS": f"{SESSIONS}/ada"}),
    "another role's session": denies(Principal={"AWS": f"{SESSIONS}-2/i-0aaaaaaaaaaaaaaaa"}),
    "another role": denies(Principal={"AWS": ROLE_B}),
    "a role whose name contains it": denies(Principal={"AWS": LOOKALIKE}),
    "another role by its unique id": denies(Principal={"AWS": ROLE_B_ID}),
    "another account": denies(
        Principal={"AWS": [OTHER_ACCOUNT, f"arn:aws:iam::{OTHER_ACCOUNT}:root"]}
    ),
    "a service": denies(Principal={"Service": EC2}),
    "those who lack a known key": unless("Null", "aws:PrincipalArn", "true"),
    "those who come by an AWS service": unless("Bool", "aws:ViaAWSService", "true"),
    "those who are not the role, whatever the case": unless(
        "StringNotEqualsIgnoreCase", "aws:PrincipalArn", ROLE.upper()
    ),
    "all but everybody": denies(Principal=None, NotPrincipal="*"),
    "all but everybody by kind": denies(Principal=None, NotPrincipal={"AWS": ["*"]}),
    "actions that are not needed": denies(
        Action=["s3:PutBucketPolicy", "s3:DeleteBucket*", "s3:GetObjectAcl"]
    ),
    "all but the actions needed": denies(
        Action=None, NotAction=["s3:List*", "s3:GetObject", "S3:PUTOBJECT"]
    ),
    "all but all of S3": denies(Action=None, NotAction="s3:*"),
    "another bucket": denies(Resource=[f"{BUCKET_ARN}-2", f"{BUCKET_ARN}-2/*"]),
    "all but the bucket and its objects": denies(
        Resource=None, NotResource=[BUCKET_ARN, OBJECTS_ARN]
    ),
    "an action on a resource that it is not on": denies(
        Action="s3:ListBucket", Resource=OBJECTS_ARN
    ),
    "those who are not the role": unless("StringNotEquals", "aws:PrincipalArn", ROLE),
    "those who are neither the role nor another": unless(
        "ArnNotEquals", "aws:PrincipalArn", [CONTROL, ROLE]
    ),
    "those who are not like the role": unless(
        "ArnNotLike", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:role/ray-*"
    ),
    "those who are not the role, if they are known": unless(
        "StringNotLikeIfExists", "aws:PrincipalArn", ROLE
    ),
    "those who are not of the account": unless("StringNotEquals", "aws:PrincipalAccount", ACCOUNT),
    "those who do not have the role's id": unless(
        "StringNotLike", "aws:userid", [f"{ROLE_ID}:*", "AIDA*"]
    ),
    "those who are a person's session of the role": unless(
        "StringLike", "aws:userId", f"{ROLE_ID}:ada*"
    ),
    "those who have a star in their id": unless(
        "StringEquals", "aws:userId", [f"{ROLE_ID}:*", f"{ROLE_ID}:i-*"]
    ),
    "those who are another role": unless("StringEquals", "aws:PrincipalArn", ROLE_B),
    "those who are the role, in another case": unless(
        "StringEquals", "aws:PrincipalArn", ROLE.upper()
    ),
    "those who are AWS services": unless("Bool", "aws:PrincipalIsAWSService", "true"),
    "a condition that is not met and one that depends": denies(
        Condition={"StringNotEquals": {"aws:PrincipalArn": ROLE, "aws:SourceVpce": "vpce-1a2b3c4d"}}
    ),
    "two operators of which one is not met": denies(
        Condition={
            "NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"},
            "ArnNotLike": {"aws:PrincipalArn": ROLE},
        }
    ),
    "another role, under a condition that depends": denies(
        Principal={"AWS": ROLE_B}, Condition={"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    ),
    "actions that are not needed, under a condition that depends": denies(
        Action="s3:DeleteBucket", Condition={"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    ),
}

TABLE = {
    **{f"surely: {name}": (raw, True) for name, raw in SURELY.items()},
    **{f"perhaps: {name}": (raw, None) for name, raw in PERHAPS.items()},
    **{f"not: {name}": (raw, False) for name, raw in NOT_AT_ALL.items()},
}


@pytest.mark.parametrize(("raw", "verdict"), TABLE.values(), ids=list(TABLE))
def test_a_deny_hits(raw: t.Any, verdict: bool | None) -> None:
    kept = copy.deepcopy(raw)
    assert policy_deny.denies(raw, TEAM_A, NEEDED, NOW) is verdict
    assert raw == kept


@pytest.mark.parametrize(
    "raw",
    [
        unless("StringNotLike", "aws:userId", f"{ROLE_ID}:*"),
        unless("StringLike", "aws:userId", f"{ROLE_ID}:*"),
    ],
    ids=["all but an id", "an id"],
)
def test_only_a_request_can_decide_whether_a_role_of_unknown_id_is_denied(raw: t.Any) -> None:
    assert policy_deny.denies(raw, NAMELESS, NEEDED, NOW) is None


@pytest.mark.parametrize(
    "resource",
    [f"{BUCKET_ARN}/protected/*", f"{BUCKET_ARN}/*.csv", "arn:aws:s3:::*/protected/*"],
    ids=["a prefix", "a kind", "any bucket's"],
)
def test_a_deny_of_a_part_of_the_objects_is_not_overlooked(resource: str) -> None:
    assert policy_deny.denies(denies(Resource=resource), TEAM_A, NEEDED, NOW) is not False


def test_a_statement_that_allows_takes_nothing() -> None:
    assert policy_deny.denies(denies(Effect="Allow"), TEAM_A, NEEDED, NOW) is False


def test_a_deny_takes_nothing_from_a_role_that_needs_nothing() -> None:
    assert policy_deny.denies(denies(), TEAM_A, [], NOW) is False


VARIABLES = {
    "in an account": unless("StringNotEquals", "aws:PrincipalAccount", "${aws:ResourceAccount}"),
    "in a role's ARN": unless(
        "StringNotEquals",
        "aws:PrincipalArn",
        "arn:aws:iam::${aws:PrincipalAccount}:role/ray-team-a",
    ),
    "in a pattern": unless(
        "ArnNotLike", "aws:PrincipalArn", ["arn:aws:iam::${aws:ResourceAccount}:role/*"]
    ),
    "in those who are hit": unless(
        "StringEquals", "aws:PrincipalAccount", "${aws:ResourceAccount}"
    ),
    "in a resource": denies(Resource="arn:aws:s3:::${aws:PrincipalTag/bucket}/*"),
    "in all but a resource": denies(
        Resource=None, NotResource="arn:aws:s3:::${aws:PrincipalTag/bucket}*"
    ),
    "among other values": unless(
        "StringNotEquals", "aws:PrincipalAccount", [OTHER_ACCOUNT, "${aws:ResourceAccount}"]
    ),
}


@pytest.mark.parametrize("raw", VARIABLES.values(), ids=list(VARIABLES))
def test_only_a_request_can_decide_the_value_of_a_policy_variable(raw: t.Any) -> None:
    assert policy_deny.denies(raw, TEAM_A, NEEDED, NOW) is None


def test_a_value_that_is_met_whatever_a_policy_variable_beside_it_stands_for() -> None:
    values = ["${aws:ResourceAccount}", ACCOUNT]
    assert (
        policy_deny.denies(
            unless("StringNotEquals", "aws:PrincipalAccount", values), TEAM_A, NEEDED, NOW
        )
        is False
    )
    assert (
        policy_deny.denies(
            unless("StringEquals", "aws:PrincipalAccount", values), TEAM_A, NEEDED, NOW
        )
        is True
    )
