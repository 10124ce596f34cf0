# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who calls: accounts, assumed roles, unknown credentials, and the record of the calls."""

from __future__ import annotations

import json
import typing as t

import boto3
import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox

TOOLING = "111111111111"
ACCOUNT = "222222222222"


def add_role(sandbox: Sandbox, name: str, path: str = "/", **condition: t.Any) -> str:
    """A role that the tooling account may assume; returns its ARN."""
    principal = {"AWS": f"arn:aws:iam::{TOOLING}:root"}
    trust = {"Statement": {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **condition}}
    iam = sandbox.client("iam", ACCOUNT)
    return str(iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"])


@pytest.mark.parametrize("path", ["/", "/teams/ml/"], ids=["no path", "path"])
def test_assumed_role_acts_in_its_account(sandbox: Sandbox, aws: t.Any, path: str) -> None:
    arn = add_role(sandbox, "onboarding", path)
    granted = aws("sts", TOOLING).assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    session = boto3.Session(granted["AccessKeyId"], granted["SecretAccessKey"], granted["SessionToken"], "us-west-2")
    identity = session.client("sts", endpoint_url=sandbox.aws_url).get_caller_identity()
    assert identity["Account"] == ACCOUNT
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/onboarding/test"
    assert session.client("iam", endpoint_url=sandbox.aws_url).get_role(RoleName="onboarding")["Role"]["Arn"] == arn
    operations = [(call["operation"], call["account_id"]) for call in sandbox.calls()]
    assert operations == [("AssumeRole", TOOLING), ("GetCallerIdentity", ACCOUNT), ("GetRole", ACCOUNT)]


EXTERNAL_ID: dict[str, t.Any] = {"Condition": {"StringEquals": {"sts:ExternalId": ["cld_1", "cld_2"]}}}


@pytest.mark.parametrize(
    ("given", "granted"),
    [({}, False), ({"ExternalId": "cld_3"}, False), ({"ExternalId": "cld_2"}, True)],
    ids=["no external id", "wrong external id", "right external id"],
)
def test_external_id(sandbox: Sandbox, aws: t.Any, refused: t.Any, given: dict[str, str], granted: bool) -> None:
    parameters = {"RoleArn": add_role(sandbox, "guarded", **EXTERNAL_ID), "RoleSessionName": "test", **given}
    if granted:
        assert aws("sts", TOOLING).assume_role(**parameters)["Credentials"]
    else:
        assert refused(aws("sts", TOOLING).assume_role, **parameters)[:2] == ("AccessDenied", 403)


def test_role_that_does_not_exist_cannot_be_assumed(aws: t.Any, refused: t.Any) -> None:
    parameters = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/nobody", "RoleSessionName": "test"}
    code, status, message = refused(aws("sts", TOOLING).assume_role, **parameters)
    assert (code, status) == ("AccessDenied", 403)
    assert "is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::222222222222:role/nobody" in message


def test_base_credentials_are_the_tooling_accounts(sandbox: Sandbox) -> None:
    variables = sandbox.environment()
    session = boto3.Session(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
    identity = session.client("sts", "us-west-2", endpoint_url=sandbox.aws_url).get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == (TOOLING, f"arn:aws:iam::{TOOLING}:user/tooling")


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [("iam", "list_roles", "InvalidClientTokenId"), ("s3", "list_buckets", "InvalidAccessKeyId")],
    ids=["iam", "s3"],
)
def test_unknown_access_key(sandbox: Sandbox, refused: t.Any, service: str, operation: str, code: str) -> None:
    session = boto3.Session("AKIAIOSFODNN7EXAMPLE", "secret", region_name="us-west-2")
    client = session.client(service, endpoint_url=sandbox.aws_url)
    assert refused(getattr(client, operation))[:2] == (code, 403)


def test_calls_are_recorded(sandbox: Sandbox, aws: t.Any, refused: t.Any) -> None:
    add_role(sandbox, "ray")
    aws("iam").get_role(RoleName="ray")
    aws("s3").create_bucket(Bucket="data-1", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    refused(aws("s3").get_bucket_policy, Bucket="data-1")
    read = {"service": "iam", "operation": "GetRole", "account_id": ACCOUNT, "resource": "ray", "status": 200, "write": False}
    made = {"service": "s3", "operation": "CreateBucket", "resource": "data-1", "write": True}
    failed = {"service": "s3", "operation": "GetBucketPolicy", "resource": "data-1", "status": 404, "write": False}
    assert sandbox.calls() == [read, {**read, **made}, {**read, **failed}]
    assert sandbox.writes() == [{**read, **made}]
    sandbox.clear_calls()
    assert sandbox.calls() == []


@pytest.mark.parametrize("service", ["iam", "s3"])
def test_request_ids(aws: t.Any, service: str) -> None:
    call = getattr(aws(service), {"iam": "list_roles", "s3": "list_buckets"}[service])
    ids = [call()["ResponseMetadata"]["RequestId"] for _attempt in range(2)]
    assert all(ids) and ids[0] != ids[1]


def test_request_id_of_an_error_is_in_header_and_body(aws: t.Any) -> None:
    with pytest.raises(aws("iam").exceptions.NoSuchEntityException) as caught:
        aws("iam").get_role(RoleName="nobody")
    metadata = caught.value.response["ResponseMetadata"]
    assert metadata["RequestId"] == metadata["HTTPHeaders"]["x-amzn-requestid"]


def test_reset_empties_every_account(sandbox: Sandbox, aws: t.Any) -> None:
    add_role(sandbox, "ray")
    aws("s3").create_bucket(Bucket="data-1", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    sandbox.reset()
    assert sandbox.calls() == []
    assert aws("iam").list_roles()["Roles"] == []
    assert aws("s3").list_buckets()["Buckets"] == []
