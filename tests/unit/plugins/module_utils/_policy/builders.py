# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policy documents as they are met in AWS accounts, and hypothesis strategies that make more of
them.
"""

from __future__ import annotations

import copy
import json
import random
import typing as t

from hypothesis import strategies as st

Raw = dict[str, t.Any]
Document = dict[str, t.Any]

ACCOUNT = "123456789012"
OTHER_ACCOUNT = "210987654321"
BUCKET = "fleet-data"
BUCKET_ARN = f"arn:aws:s3:::{BUCKET}"
OBJECTS_ARN = f"{BUCKET_ARN}/*"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ray-team-a"
ROLE_B = f"arn:aws:iam::{ACCOUNT}:role/ray-team-b"
LOOKALIKE = f"arn:aws:iam::{ACCOUNT}:role/my-ray-team-a-2"
CONTROL = f"arn:aws:iam::{ACCOUNT}:role/anyscale-iam-role-1f2e"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ROLE_ID = "AROAQ3EGSIJTZ5AAAAAAA"
ROLE_B_ID = "AROAQ3EGSIJTZ5BBBBBBB"
FORMER_ID = "AROAQ3EGSIJTZ5OLDOLD1"

EC2 = "ec2.amazonaws.com"
EC2_CHINA = "ec2.amazonaws.com.cn"
LAMBDA = "lambda.amazonaws.com"
ASSUME = "sts:AssumeRole"

ON_BUCKET = ("s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation")
ON_OBJECTS = (
    "s3:PutObject",
    "s3:GetObject",
    "s3:DeleteObject",
    "s3:ListMultipartUploadParts",
    "s3:AbortMultipartUpload",
)
EIGHT = [*ON_BUCKET, *ON_OBJECTS]


def policy(*raws: Raw, **more: t.Any) -> Document:
    """A document with these statements."""
    return {"Version": "2012-10-17", "Statement": [copy.deepcopy(raw) for raw in raws], **more}


def allow(**elements: t.Any) -> Raw:
    """A statement that allows."""
    return {"Effect": "Allow", **elements}


def deny(**elements: t.Any) -> Raw:
    """A statement that denies."""
    return {"Effect": "Deny", **elements}


def without(raw: Raw, *elements: str) -> Raw:
    """A statement without some of its elements."""
    return {key: value for key, value in raw.items() if key not in elements}


TRUST_LAMBDA = allow(Sid="Functions", Principal={"Service": LAMBDA}, Action=ASSUME)
TRUST_CONTROL_PLANE = allow(
    Sid="AnyscaleControlPlaneAssumeRole",
    Principal={"AWS": "525325868955"},
    Action=ASSUME,
    Condition={"StringEquals": {"sts:ExternalId": "cld_4fxb3wsbdcq2n1p9"}},
)
TRUST_OF_THE_MANUAL = allow(Principal={"Service": [EC2]}, Action=ASSUME, Condition={})
TRUST_OF_CLOUDFORMATION = allow(Sid="Allow", Principal={"Service": EC2}, Action=ASSUME)
TRUST_OF_THE_CLI: Document = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Principal": {"Service": [EC2]}, "Action": ASSUME},
}

TLS_ONLY = deny(
    Sid="AllowSSLRequestsOnly",
    Principal="*",
    Action="s3:*",
    Resource=[BUCKET_ARN, OBJECTS_ARN],
    Condition={"Bool": {"aws:SecureTransport": "false"}},
)
CLOUD_FOUNDATION = allow(
    Sid="AllowAnyscaleResources",
    Principal={"AWS": [CONTROL, ROLE]},
    Action=sorted(EIGHT),
    Resource=[OBJECTS_ARN, BUCKET_ARN],
)
ANYSCALE_CLOUDFORMATION = allow(
    Principal={"AWS": [CONTROL, ROLE]},
    Action=["s3:PutObject", "s3:DeleteObject", "s3:GetObject", "s3:ListBucket"],
    Resource=[BUCKET_ARN, OBJECTS_ARN],
)
LOG_DELIVERY = allow(
    Sid="LogDelivery",
    Principal={"Service": "logging.s3.amazonaws.com"},
    Action="s3:PutObject",
    Resource=f"{BUCKET_ARN}/logs/*",
    Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}},
)


def atoms(document: Document) -> set[str]:
    """What a document says, cut into its smallest parts: one principal, one action, one resource
    each.
    """
    found = set()
    for raw in _list(document.get("Statement")):
        rest = without(raw, "Sid", "Principal", "Action", "Resource", "Condition")
        for principal in _principals(raw.get("Principal")):
            for action in _list(raw.get("Action")) or [None]:
                for resource in _list(raw.get("Resource")) or [None]:
                    found.add(
                        json.dumps(
                            [rest, principal, action, resource, raw.get("Condition") or {}],
                            sort_keys=True,
                        )
                    )
    return found


def _principals(element: t.Any) -> list[t.Any]:
    if not isinstance(element, dict):
        return [element]
    return [[kind, value] for kind, values in element.items() for value in _list(values)]


def _list(value: t.Any) -> list[t.Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def scalar_or_list(values: st.SearchStrategy[str], max_size: int = 3) -> st.SearchStrategy[t.Any]:
    """An element with one value or several, as AWS spells them."""
    return st.one_of(values, st.lists(values, min_size=1, max_size=max_size, unique=True))


_SIDS = st.sampled_from(["", "Allow", "Team", "Backup1", "Zz9"])
_CONDITIONS = st.sampled_from(
    [
        {},
        {"Bool": {"aws:SecureTransport": True}},
        {"StringEquals": {"sts:ExternalId": ["a", "b"]}},
        {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "NumericLessThan": {"s3:max-keys": 10}},
        {"ArnLike": {"aws:SourceArn": "arn:aws:lambda:*:123456789012:function:é"}},
    ]
)
_SERVICES = st.sampled_from([EC2, LAMBDA, "glue.amazonaws.com"])
_AWS = st.sampled_from([ROOT, OTHER_ACCOUNT, CONTROL, ROLE, ROLE_B, LOOKALIKE])


def _statement(
    effects: t.Sequence[str], **elements: st.SearchStrategy[t.Any]
) -> st.SearchStrategy[Raw]:
    return st.fixed_dictionaries(
        {"Effect": st.sampled_from(effects), **elements},
        optional={"Sid": _SIDS, "Condition": _CONDITIONS},
    )


def _principal(services: bool) -> st.SearchStrategy[Raw]:
    aws = {"AWS": scalar_or_list(_AWS)}
    service = {"Service": scalar_or_list(_SERVICES)}
    kinds = [st.fixed_dictionaries(aws)]
    if services:
        kinds += [st.fixed_dictionaries(service), st.fixed_dictionaries({**aws, **service})]
    return st.one_of(*kinds)


def _documents(
    statement: st.SearchStrategy[Raw], min_size: int, max_size: int = 4
) -> st.SearchStrategy[Document]:
    listed = st.lists(statement, min_size=min_size, max_size=max_size)
    return st.fixed_dictionaries(
        {"Version": st.just("2012-10-17"), "Statement": st.one_of(listed, statement)},
        optional={"Id": st.just("fleet")},
    )


def trust_policies(effects: t.Sequence[str] = ("Allow",)) -> st.SearchStrategy[Document]:
    """Trust policies; never empty, since IAM's are not."""
    actions = scalar_or_list(
        st.sampled_from([ASSUME, "sts:TagSession", "sts:*", "sts:AssumeRoleWithSAML"])
    )
    return _documents(
        _statement(effects, Principal=_principal(services=True), Action=actions), min_size=1
    )


def bucket_policies(effects: t.Sequence[str] = ("Allow",)) -> st.SearchStrategy[Document]:
    """Unmanaged bucket policies: our Sid is in none of them."""
    actions = st.one_of(
        st.just(EIGHT),
        scalar_or_list(st.sampled_from([*EIGHT, "s3:*", "s3:Get*", "s3:PutBucketAcl"])),
    )
    resources = scalar_or_list(st.sampled_from([BUCKET_ARN, OBJECTS_ARN, f"{BUCKET_ARN}/logs/*"]))
    statement = _statement(
        effects, Principal=_principal(services=True), Action=actions, Resource=resources
    )
    return _documents(statement, min_size=0)


def respelled(document: Document, seed: int) -> Document:
    """The same document in another spelling that means the same: order, lists, case of actions, ids
    for root ARNs.
    """
    chance = random.Random(seed)
    raws = [_respelled_statement(raw, chance) for raw in _list(document["Statement"])]
    chance.shuffle(raws)
    return {**document, "Statement": raws[0] if len(raws) == 1 and chance.random() < 0.5 else raws}


def _respelled_statement(raw: Raw, chance: random.Random) -> Raw:
    other: Raw = {
        key: copy.deepcopy(value) for key, value in chance.sample(sorted(raw.items()), len(raw))
    }
    other["Action"] = _respelled_values(
        [chance.choice([str.upper, str.lower])(action) for action in _list(raw["Action"])], chance
    )
    if "Resource" in raw:
        other["Resource"] = _respelled_values(_list(raw["Resource"]), chance)
    other["Principal"] = {
        kind: _respelled_values([_respelled_root(value, chance) for value in _list(values)], chance)
        for kind, values in raw["Principal"].items()
    }
    other["Condition"] = {
        operator: {
            key: _respelled_values([_respelled_scalar(v) for v in _list(values)], chance)
            for key, values in keys.items()
        }
        for operator, keys in raw.get("Condition", {}).items()
    }
    other["Sid"] = raw.get("Sid", "")
    for element in ("Condition", "Sid"):
        if not other[element] and chance.random() < 0.5:
            del other[element]
    return other


def _respelled_values(values: list[t.Any], chance: random.Random) -> t.Any:
    shuffled = chance.sample(values, len(values))
    return shuffled[0] if len(shuffled) == 1 and chance.random() < 0.5 else shuffled


def _respelled_root(principal: str, chance: random.Random) -> str:
    spellings = [
        [f"arn:{partition}:iam::{account}:root" for partition in ("aws", "aws-cn", "aws-us-gov")]
        + [account]
        for account in (ACCOUNT, OTHER_ACCOUNT)
    ]
    return next((chance.choice(same) for same in spellings if principal in same), principal)


def _respelled_scalar(value: t.Any) -> t.Any:
    return value if isinstance(value, str) else json.dumps(value)


BASE = allow(Sid="One", Principal={"AWS": ROLE}, Action="s3:GetObject", Resource=OBJECTS_ARN)


def base(**elements: t.Any) -> dict[str, t.Any]:
    """The base statement with some elements changed; ``None`` takes one out."""
    return {key: value for key, value in {**BASE, **elements}.items() if value is not None}
