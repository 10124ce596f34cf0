# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bucket policies: what S3 accepts, what it makes of them, and who may touch them."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox

ACCOUNT = "222222222222"
OTHER_ACCOUNT = "333333333333"
BUCKET = "anyscale-data"
ARN = f"arn:aws:s3:::{BUCKET}"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/ray"
EC2 = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}


def statement(**changes: t.Any) -> dict[str, t.Any]:
    """A grant to the role, changed; a change to ``None`` leaves the element out."""
    plain = {
        "Effect": "Allow",
        "Principal": {"AWS": ROLE_ARN},
        "Action": "s3:GetObject",
        "Resource": f"{ARN}/*",
    }
    return {element: value for element, value in {**plain, **changes}.items() if value is not None}


def policy(*statements: dict[str, t.Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture(autouse=True)
def scene(sandbox: Sandbox) -> None:
    """A role and a bucket."""
    sandbox.client("iam", ACCOUNT).create_role(RoleName="ray", AssumeRolePolicyDocument=policy(EC2))
    make_bucket(sandbox)


def make_bucket(sandbox: Sandbox) -> None:
    location = {"LocationConstraint": "us-west-2"}
    sandbox.client("s3", ACCOUNT).create_bucket(Bucket=BUCKET, CreateBucketConfiguration=location)


def stored(sandbox: Sandbox) -> t.Any:
    return json.loads(sandbox.client("s3", ACCOUNT).get_bucket_policy(Bucket=BUCKET)["Policy"])[
        "Statement"
    ]


MALFORMED = {
    "not JSON": ("{", "This policy contains invalid Json"),
    "not an object": ("[]", "Policies must be valid JSON and the first byte must be '{'"),
    "empty text": ("", "Policies must be valid JSON and the first byte must be '{'"),
    "no Statement": ('{"Version": "2012-10-17"}', "Missing required field Statement"),
    "empty Statement": (policy(), "Missing required field Statement"),
    "unknown top element": ('{"Statements": []}', "Unknown field Statements"),
    "unknown Version": (
        '{"Version": "2020-01-01", "Statement": []}',
        "The policy must contain a valid version string",
    ),
    "unknown element": (policy(statement(Actions="s3:GetObject")), "Unknown field Actions"),
    "no Principal": (policy(statement(Principal=None)), "Missing required field Principal"),
    "no Action": (policy(statement(Action=[])), "Missing required field Action"),
    "no Resource": (policy(statement(Resource=None)), "Missing required field Resource"),
    "no Effect": (policy(statement(Effect=None)), "Missing required field Effect"),
    "unknown Effect": (policy(statement(Effect="Permit")), "Invalid effect: Permit"),
    "resource of another bucket": (
        policy(statement(Resource="arn:aws:s3:::other/*")),
        "Policy has invalid resource",
    ),
    "resource that begins like the bucket": (
        policy(statement(Resource=f"{ARN}-2/*")),
        "Policy has invalid resource",
    ),
    "resource *": (policy(statement(Resource="*")), "Policy has invalid resource"),
    "action of another service": (
        policy(statement(Action="iam:PassRole")),
        "Policy has invalid action",
    ),
    "object action on the bucket": (
        policy(statement(Resource=ARN)),
        "Action does not apply to any resource(s) in statement",
    ),
    "bucket action on the objects": (
        policy(statement(Action="s3:ListBucket")),
        "Action does not apply to any resource(s) in statement",
    ),
    "role that never was": (
        policy(statement(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/missing"})),
        "Invalid principal in policy",
    ),
    "role without its path": (
        policy(statement(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/path/ray"})),
        "Invalid principal in policy",
    ),
    "unknown unique id": (
        policy(statement(Principal={"AWS": "AROAXXXXXXXXXXXXXXXXX"})),
        "Invalid principal in policy",
    ),
    "role name alone": (policy(statement(Principal={"AWS": "ray"})), "Invalid principal in policy"),
    "principal as text": (policy(statement(Principal=ROLE_ARN)), "Invalid principal in policy"),
    "unknown service": (
        policy(statement(Principal={"Service": "ec2"})),
        "Invalid principal in policy",
    ),
    "service that AWS does not have": (
        policy(statement(Principal={"Service": "tagging.amazonaws.com"})),
        "Invalid principal in policy",
    ),
    "unknown operator": (
        policy(statement(Condition={"StringEqual": {"aws:PrincipalArn": "x"}})),
        "Invalid Condition type : StringEqual",
    ),
    "condition key of another service": (
        policy(statement(Condition={"StringEquals": {"iam:PassedToService": "x"}})),
        "Policy has an invalid condition key",
    ),
    "unknown global condition key": (
        policy(statement(Condition={"StringEquals": {"aws:PrincipalName": "x"}})),
        "Policy has an invalid condition key",
    ),
    "unknown condition key of S3": (
        policy(statement(Condition={"StringEquals": {"s3:Bucket": "x"}})),
        "Policy has an invalid condition key",
    ),
}


@pytest.mark.parametrize(("text", "message"), MALFORMED.values(), ids=MALFORMED)
def test_malformed(aws: t.Any, refused: t.Any, text: str, message: str) -> None:
    assert refused(aws("s3").put_bucket_policy, Bucket=BUCKET, Policy=text) == (
        "MalformedPolicy",
        400,
        message,
    )


ACCEPTED_PRINCIPALS = {
    "role": {"AWS": ROLE_ARN},
    "everybody": "*",
    "everybody, as AWS": {"AWS": "*"},
    "root of any account": {"AWS": "arn:aws:iam::999999999999:root"},
    "session of a role": {"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/ray/session"},
    "federated user": {"AWS": f"arn:aws:sts::{ACCOUNT}:federated-user/ada"},
    "origin access identity of CloudFront": {
        "AWS": "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1ABCDEFGHIJKL"
    },
    "service": {"Service": "logging.s3.amazonaws.com"},
    "canonical user": {
        "CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
    },
}


@pytest.mark.parametrize("principal", ACCEPTED_PRINCIPALS.values(), ids=ACCEPTED_PRINCIPALS)
def test_accepted_principal(sandbox: Sandbox, aws: t.Any, principal: t.Any) -> None:
    aws("s3").put_bucket_policy(Bucket=BUCKET, Policy=policy(statement(Principal=principal)))
    assert stored(sandbox) == [statement(Principal=principal)]


NORMALIZED = {
    "list of one action": ({"Action": ["s3:GetObject"]}, {"Action": "s3:GetObject"}),
    "list of one resource": ({"Resource": [f"{ARN}/*"]}, {"Resource": f"{ARN}/*"}),
    "list of one principal": ({"Principal": {"AWS": [ROLE_ARN]}}, {"Principal": {"AWS": ROLE_ARN}}),
    "longer list": (
        {"Action": ["s3:PutObject", "s3:GetObject"]},
        {"Action": ["s3:PutObject", "s3:GetObject"]},
    ),
    "account id": (
        {"Principal": {"AWS": "444444444444"}},
        {"Principal": {"AWS": "arn:aws:iam::444444444444:root"}},
    ),
    "boolean in a condition": (
        {"Condition": {"Bool": {"aws:SecureTransport": [False]}}},
        {"Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    ),
}


@pytest.mark.parametrize(("sent", "shown"), NORMALIZED.values(), ids=NORMALIZED)
def test_normalized(
    sandbox: Sandbox, aws: t.Any, sent: dict[str, t.Any], shown: dict[str, t.Any]
) -> None:
    aws("s3").put_bucket_policy(Bucket=BUCKET, Policy=policy(statement(**sent)))
    assert stored(sandbox) == [statement(**shown)]


def test_statement_object_becomes_a_list(sandbox: Sandbox, aws: t.Any) -> None:
    aws("s3").put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Statement": statement()}))
    assert stored(sandbox) == [statement()]


def test_size_is_that_of_the_compact_document(aws: t.Any, refused: t.Any) -> None:
    def document(size: int, indent: int | None) -> str:
        rest = len(json.dumps(json.loads(policy(statement(Sid=""))), separators=(",", ":")))
        return json.dumps(json.loads(policy(statement(Sid="x" * (size - rest)))), indent=indent)

    aws("s3").put_bucket_policy(Bucket=BUCKET, Policy=document(20480, indent=4))
    message = "Normalized policy document exceeds the maximum allowed size of 20480 bytes."
    too_long = document(20481, indent=None)
    assert refused(aws("s3").put_bucket_policy, Bucket=BUCKET, Policy=too_long) == (
        "MalformedPolicy",
        400,
        message,
    )


def test_principal_of_a_deleted_role_is_shown_by_its_id_and_blocks_writes(
    sandbox: Sandbox, aws: t.Any, refused: t.Any
) -> None:
    iam = sandbox.client("iam", ACCOUNT)
    role_id = iam.get_role(RoleName="ray")["Role"]["RoleId"]
    aws("s3").put_bucket_policy(Bucket=BUCKET, Policy=policy(statement()))
    iam.delete_role(RoleName="ray")
    assert stored(sandbox) == [statement(Principal={"AWS": role_id})]
    iam.create_role(RoleName="ray", AssumeRolePolicyDocument=policy(EC2))
    assert stored(sandbox) == [statement(Principal={"AWS": role_id})]
    invalid = ("MalformedPolicy", 400, "Invalid principal in policy")
    assert (
        refused(aws("s3").put_bucket_policy, Bucket=BUCKET, Policy=policy(*stored(sandbox)))
        == invalid
    )
    aws("s3").put_bucket_policy(Bucket=BUCKET, Policy=policy(statement()))
    assert stored(sandbox) == [statement()]


def test_id_of_a_living_role_is_shown_as_its_arn(sandbox: Sandbox, aws: t.Any) -> None:
    role_id = sandbox.client("iam", ACCOUNT).get_role(RoleName="ray")["Role"]["RoleId"]
    aws("s3").put_bucket_policy(Bucket=BUCKET, Policy=policy(statement(Principal={"AWS": role_id})))
    assert stored(sandbox) == [statement()]


def test_deleted_policy(aws: t.Any, refused: t.Any) -> None:
    aws("s3").put_bucket_policy(Bucket=BUCKET, Policy=policy(statement()))
    aws("s3").delete_bucket_policy(Bucket=BUCKET)
    assert refused(aws("s3").get_bucket_policy, Bucket=BUCKET)[:2] == ("NoSuchBucketPolicy", 404)


def test_policy_is_deleted_with_its_bucket(sandbox: Sandbox, aws: t.Any, refused: t.Any) -> None:
    aws("s3").put_bucket_policy(Bucket=BUCKET, Policy=policy(statement()))
    aws("s3").delete_bucket(Bucket=BUCKET)
    assert refused(aws("s3").get_bucket_policy, Bucket=BUCKET)[:2] == ("NoSuchBucket", 404)
    make_bucket(sandbox)
    assert refused(aws("s3").get_bucket_policy, Bucket=BUCKET)[:2] == ("NoSuchBucketPolicy", 404)


OPERATIONS: dict[str, dict[str, t.Any]] = {
    "get_bucket_policy": {},
    "put_bucket_policy": {"Policy": policy(statement())},
    "delete_bucket_policy": {},
    "get_bucket_policy_status": {},
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_policy_is_the_owner_accounts_business(aws: t.Any, refused: t.Any, operation: str) -> None:
    call = getattr(aws("s3", OTHER_ACCOUNT), operation)
    assert refused(call, Bucket=BUCKET, **OPERATIONS[operation])[:2] == ("MethodNotAllowed", 405)


@pytest.mark.parametrize(
    "operation", [*OPERATIONS, "get_bucket_location", "list_objects_v2", "get_bucket_tagging"]
)
def test_unexpected_owner(aws: t.Any, refused: t.Any, operation: str) -> None:
    parameters = {
        "Bucket": BUCKET,
        "ExpectedBucketOwner": OTHER_ACCOUNT,
        **OPERATIONS.get(operation, {}),
    }
    assert refused(getattr(aws("s3"), operation), **parameters)[:2] == ("AccessDenied", 403)


def test_expected_owner(aws: t.Any) -> None:
    aws("s3").put_bucket_policy(
        Bucket=BUCKET, Policy=policy(statement()), ExpectedBucketOwner=ACCOUNT
    )
    assert aws("s3").get_bucket_policy(Bucket=BUCKET, ExpectedBucketOwner=ACCOUNT)["Policy"]


def test_head_with_an_unexpected_owner(aws: t.Any, refused: t.Any) -> None:
    assert refused(aws("s3").head_bucket, Bucket=BUCKET, ExpectedBucketOwner=OTHER_ACCOUNT)[:2] == (
        "403",
        403,
    )
