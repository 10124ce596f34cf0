# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes random policies, and the requests by which they are judged, out of a seed.

Each request of a cluster fits what the collection knows of such requests, and differs from others in
all that it does not know.
"""

from __future__ import annotations

import datetime
import random
import typing as t

from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    ASSUME,
    BUCKET_ARN,
    CONTROL,
    EC2,
    EIGHT,
    LAMBDA,
    LOOKALIKE,
    OBJECTS_ARN,
    OTHER_ACCOUNT,
    ROLE,
    ROLE_B,
    ROLE_B_ID,
    ROLE_ID,
    ROOT,
    Document,
    Raw,
    policy,
)

NOW = 1_795_000_000.0  # 2026-11-18
OTHER_ROLE = f"arn:aws:iam::{OTHER_ACCOUNT}:role/partner"
USER = f"arn:aws:iam::{ACCOUNT}:user/ada"
LOGGING = "logging.s3.amazonaws.com"
_YEAR = 365 * 86400

_ARN_VALUES = (
    *(ROLE, ROLE_B, LOOKALIKE, CONTROL, OTHER_ROLE, USER),
    *(f"arn:aws:iam::{ACCOUNT}:role/ray-*", "arn:*:iam::*:role/*", "arn:aws:iam::*:*"),
    *("*:role/ray-*", "arn:*:role/ray-team-a", f"arn:aws:iam::{ACCOUNT}:role/ray-team-?"),
)
_TRUTHS = ("true", "false", "True", "FALSE")
_MOMENTS = ("2020-01-01T00:00:00Z", "2026-11-01", "2024-05-01T09:30:00Z", "2099-01-01T00:00:00Z")
_STRINGS = (
    *("StringEquals", "StringNotEquals", "StringLike", "StringNotLike"),
    *("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
)
_ARNS = ("ArnLike", "ArnNotLike", "ArnEquals", "ArnNotEquals")
_ORDER = ("LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals", "Equals", "NotEquals")
_NUMBERS = tuple(f"Numeric{name}" for name in _ORDER)
_DATES = tuple(f"Date{name}" for name in _ORDER)
# The operators and values by which a key may be tested.
_GLOBAL_KEYS: dict[str, tuple[t.Sequence[str], t.Sequence[str]]] = {
    "aws:PrincipalArn": (_ARNS + _STRINGS, _ARN_VALUES),
    "aws:PrincipalAccount": (_STRINGS, (ACCOUNT, OTHER_ACCOUNT, "1*")),
    "aws:PrincipalType": (_STRINGS, ("AssumedRole", "User")),
    "aws:userid": (_STRINGS, (f"{ROLE_ID}:*", f"{ROLE_ID}:i-*", f"{ROLE_B_ID}:*", "AIDA*", "*")),
    "aws:username": (_STRINGS, ("ada", "a*")),
    "aws:MultiFactorAuthPresent": (("Bool",), _TRUTHS),
    "aws:MultiFactorAuthAge": (_NUMBERS, ("3600", "0")),
    "aws:TokenIssueTime": (_DATES, _MOMENTS),
    "aws:CurrentTime": (_DATES, _MOMENTS),
    "aws:EpochTime": (_NUMBERS, ("1577836800", "4070908800")),
    "aws:SecureTransport": (("Bool",), _TRUTHS),
    "aws:ViaAWSService": (("Bool",), _TRUTHS),
    "aws:PrincipalIsAWSService": (("Bool",), _TRUTHS),
    "aws:PrincipalServiceName": (_STRINGS, (EC2, "ec2*", LOGGING)),
    "aws:SourceAccount": (_STRINGS, (ACCOUNT, OTHER_ACCOUNT)),
    "aws:SourceArn": (_ARNS, ("arn:aws:s3:::*", "arn:aws:ec2:*:*:instance/*")),
    "aws:SourceVpce": (_STRINGS, ("vpce-1", "vpce-2", "vpce-*")),
    "aws:PrincipalOrgID": (_STRINGS, ("o-1", "o-2")),
    "aws:ResourceAccount": (_STRINGS, (ACCOUNT, OTHER_ACCOUNT)),
    "ec2:SourceInstanceARN": (_ARNS, (f"arn:aws:ec2:*:{ACCOUNT}:instance/*", "arn:aws:ec2:*:*:*")),
}
_S3_KEYS: dict[str, tuple[t.Sequence[str], t.Sequence[str]]] = {
    "s3:TlsVersion": (_NUMBERS, ("1.1", "1.2", "1.3")),
    "s3:signatureversion": (_STRINGS, ("AWS4-HMAC-SHA256", "AWS")),
}
_STS_KEYS: dict[str, tuple[t.Sequence[str], t.Sequence[str]]] = {
    "sts:ExternalId": (_STRINGS, ("x", "x*")),
}


class Maker:
    """Makes policies and requests, one after the other."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def some(self, values: t.Sequence[t.Any], most: int = 2) -> t.Any:
        """One of the values, or several as a list."""
        found = self.chance.sample(values, self.chance.randint(1, min(most, len(values))))
        return found[0] if len(found) == 1 and self.chance.random() < 0.7 else found

    # --- policies

    def deny(self) -> Raw:
        """A Deny of a bucket policy, mostly for everybody under a condition."""
        everybody = self.chance.random() < 0.7
        return {
            "Effect": "Deny",
            "Principal": "*" if everybody else {"AWS": self.some((*_PRINCIPALS, *_SESSIONS))},
            "Action": "s3:*" if self.chance.random() < 0.7 else self.some(("s3:Get*", *EIGHT)),
            "Resource": _BUCKET if everybody else self.some(_BUCKET),
            **self.condition(_S3_KEYS, always=everybody),
        }

    def identity_policy(self) -> Document:
        """A policy of the role itself, on S3."""
        statement = {"Action": self.some(("s3:*", "*", *EIGHT)), "Resource": _BUCKET}
        raws = [
            {"Effect": effect, **statement, **self.condition(_S3_KEYS, likely=0.7)}
            for effect in self.chance.choice((("Allow",), ("Allow", "Deny"), ("Allow", "Allow")))
        ]
        return policy(*raws)

    def bucket_policy(self) -> Document:
        """A bucket policy of others, in which the role may be named."""
        raws = []
        for number in range(self.chance.randint(0, 3)):
            principal: t.Any = {"AWS": self.some(_PRINCIPALS, 3)}
            if self.chance.random() < 0.3:
                principal = self.chance.choice(("*", {"Service": LOGGING}))
            raws.append(
                {
                    **({"Sid": f"Team{number}"} if self.chance.random() < 0.5 else {}),
                    "Effect": self.chance.choice(("Allow", "Allow", "Deny")),
                    "Principal": principal,
                    "Action": self.some(("s3:*", "s3:Get*", *EIGHT), 4),
                    "Resource": self.some(_BUCKET),
                    **self.condition(_S3_KEYS, likely=0.4),
                }
            )
        return policy(*raws)

    def policy_that_lists_the_role(self) -> Document:
        """A bucket policy of others with a statement that has the role in a list of its Condition,
        alone or beside others, by whichever operator.
        """
        operators = ("StringEquals", "StringLike", "StringEqualsIgnoreCase")
        own, other = f"{ROLE_ID}:*", f"{ROLE_B_ID}:*"
        key = self.chance.choice(("aws:PrincipalArn", "aws:userid"))
        if key == "aws:PrincipalArn":
            operators, own, other = (*operators, "ArnEquals", "ArnLike"), ROLE, ROLE_B
        quantifier = self.chance.choice(("", "ForAnyValue:", "ForAllValues:"))
        operator = self.chance.choice(operators) + self.chance.choice(("", "IfExists"))
        listed = {quantifier + operator: {key: self.chance.choice((own, [own], [other, own]))}}
        principals = ("*", {"AWS": "*"}, {"AWS": ROLE, "Service": LOGGING}, {"AWS": [ROLE, ROLE_B]})
        statement = {
            "Effect": "Allow",
            "Principal": self.chance.choice(principals),
            "Action": self.chance.choice(("s3:*", EIGHT)),
            "Resource": _BUCKET,
            "Condition": listed,
        }
        return policy(statement)

    def trust_policy(self) -> Document:
        """A trust policy of others, in which EC2 may be named. It is never empty."""
        raws = []
        for _number in range(self.chance.randint(1, 3)):
            principal: t.Any = {"AWS": self.some(_PRINCIPALS, 2)}
            if self.chance.random() < 0.6:
                principal = {"Service": self.some((EC2, LAMBDA))}
            if self.chance.random() < 0.15:
                principal = {"AWS": "*"}
            raws.append(
                {
                    "Effect": self.chance.choice(("Allow", "Allow", "Allow", "Deny")),
                    "Principal": principal,
                    "Action": self.some((ASSUME, ASSUME, "sts:*", "sts:TagSession")),
                    **self.condition(_STS_KEYS, likely=0.4),
                }
            )
        return policy(*raws)

    def condition(
        self, keys: t.Mapping[str, t.Any], likely: float = 0.3, always: bool = False
    ) -> Raw:
        """A Condition on some of the keys, or none."""
        if not always and self.chance.random() > likely:
            return {}
        tested = {**_GLOBAL_KEYS, **keys}
        block: dict[str, dict[str, t.Any]] = {}
        chosen = self.chance.sample(sorted(tested), self.chance.choice((1, 1, 2)))
        if self.chance.random() < 0.2:
            chosen = ["aws:PrincipalArn"]  # by far the most frequent one, with the most operators
        for key in chosen:
            operators, values = tested[key]
            operator = self.chance.choice(operators)
            if operator.startswith("ArnNot"):  # iam-simulate has none of them met by what is no ARN
                values = [value for value in values if value.count(":") >= 5]
            value = self.some(values)
            operator += self.chance.choice(("", "", "IfExists"))
            operator = self.chance.choice(("",) * 8 + ("ForAnyValue:", "ForAllValues:")) + operator
            if self.chance.random() < 0.15:
                operator, value = "Null", self.chance.choice(("true", "false", "False"))
            if self.chance.random() < 0.1:
                operator = operator.lower()
            block.setdefault(operator, {})[key] = value
        return {"Condition": block}

    # --- requests

    def request_of_cluster(self) -> tuple[str, dict[str, str]]:
        """The session of a cluster, and the condition keys of its request to S3."""
        instance = f"i-0{self.chance.randrange(16**16):016x}"
        return f"arn:aws:sts::{ACCOUNT}:assumed-role/ray-team-a/{instance}", {
            **self._moments("aws:TokenIssueTime", "aws:CurrentTime"),
            **self._of_principal(ROLE, ACCOUNT),
            "aws:PrincipalType": "AssumedRole",
            "aws:userid": f"{ROLE_ID}:{instance}",
            "aws:ResourceAccount": ACCOUNT,
            "ec2:SourceInstanceARN": f"arn:aws:ec2:us-west-2:{ACCOUNT}:instance/{instance}",
            **self.chance.choice(({}, {"aws:MultiFactorAuthPresent": "false"})),
            "s3:TlsVersion": self.chance.choice(("1.2", "1.3")),
            "s3:signatureversion": "AWS4-HMAC-SHA256",
        }

    def request_of_others(self) -> list[tuple[str, dict[str, str]]]:
        """Six other principals: a role of the account, one that is named alike, a user with a
        second factor, a role and a user of another account, and a service.
        """
        others = [
            (f"arn:aws:sts::{ACCOUNT}:assumed-role/ray-team-b/i-1", ROLE_B, f"{ROLE_B_ID}:i-1"),
            (f"arn:aws:sts::{ACCOUNT}:assumed-role/my-ray-team-a-2/ada", LOOKALIKE, "AROAX:ada"),
            (USER, USER, "AIDAX"),
            (f"arn:aws:sts::{OTHER_ACCOUNT}:assumed-role/partner/x", OTHER_ROLE, "AROAY:x"),
            (f"arn:aws:iam::{OTHER_ACCOUNT}:user/eve",) * 2 + ("AIDAY",),
        ]
        requests = [
            (name, {**self._of_principal(arn, arn.split(":")[4]), "aws:userid": unique_id})
            for name, arn, unique_id in others
        ]
        requests[2][1].update({"aws:username": "ada", "aws:MultiFactorAuthPresent": "true"})
        service = {"aws:PrincipalIsAWSService": "true", "aws:SourceAccount": ACCOUNT}
        requests.append((self.chance.choice((LAMBDA, LOGGING)), service))
        shared = self._moments("aws:CurrentTime")
        return [(name, {**shared, **context}) for name, context in requests]

    def request_of_ec2(self) -> tuple[str, dict[str, str]]:
        """EC2, as it asks for the role of an instance."""
        return EC2, {
            **self._moments("aws:CurrentTime"),
            "aws:PrincipalIsAWSService": "true",
            "aws:PrincipalServiceName": EC2,
            "aws:SecureTransport": "true",
            **self.chance.choice(({}, {"aws:SourceAccount": ACCOUNT})),
        }

    def _of_principal(self, arn: str, account: str) -> dict[str, str]:
        return {
            "aws:PrincipalArn": arn,
            "aws:PrincipalAccount": account,
            "aws:PrincipalIsAWSService": "false",
            "aws:SecureTransport": "true",
            "aws:ViaAWSService": "false",
            **self.chance.choice(({}, {"aws:SourceVpce": "vpce-1"})),
            **self.chance.choice(({}, {"aws:PrincipalOrgID": "o-1"})),
        }

    def _moments(self, *keys: str) -> dict[str, str]:
        moment = NOW + self.chance.choice((0, 1, _YEAR, 20 * _YEAR))
        text = datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).isoformat()
        return {**dict.fromkeys(keys, text), "aws:EpochTime": str(int(moment))}


_PRINCIPALS = (ROLE, ROLE_B, LOOKALIKE, CONTROL, ROOT, OTHER_ACCOUNT, USER, OTHER_ROLE)
_SESSIONS = tuple(
    f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}"
    for name in ("ray-team-a/ada", "ray-team-a/i-0aaaaaaaaaaaaaaaa", "ray-team-b/i-1")
)
_BUCKET = [BUCKET_ARN, OBJECTS_ARN]
