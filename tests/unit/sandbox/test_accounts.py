# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who calls and may: accounts, assumed roles, denied operations, unknown credentials, and the
record of the calls.
"""

from __future__ import annotations

import datetime
import json
import typing as t

import boto3
import pytest
from botocore import xform_name
from moto.core.utils import utcnow

from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox, _aws_callers

TOOLING = "111111111111"
ACCOUNT = "222222222222"


def add_role(sandbox: Sandbox, name: str, path: str = "/", **condition: t.Any) -> str:
    """A role that the tooling account may assume; returns its ARN."""
    principal = {"AWS": f"arn:aws:iam::{TOOLING}:root"}
    trust = {
        "Statement": {
            "Effect": "Allow",
            "Principal": principal,
            "Action": "sts:AssumeRole",
            **condition,
        }
    }
    iam = sandbox.client("iam", ACCOUNT)
    return str(
        iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=json.dumps(trust))[
            "Role"
        ]["Arn"]
    )


@pytest.mark.parametrize("path", ["/", "/teams/ml/"], ids=["no path", "path"])
def test_assumed_role_acts_in_its_account(sandbox: Sandbox, aws: t.Any, path: str) -> None:
    arn = add_role(sandbox, "onboarding", path)
    granted = aws("sts", TOOLING).assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    session = boto3.Session(
        granted["AccessKeyId"], granted["SecretAccessKey"], granted["SessionToken"], "us-west-2"
    )
    identity = session.client("sts", endpoint_url=sandbox.aws_url).get_caller_identity()
    assert identity["Account"] == ACCOUNT
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/onboarding/test"
    assert (
        session.client("iam", endpoint_url=sandbox.aws_url).get_role(RoleName="onboarding")["Role"][
            "Arn"
        ]
        == arn
    )
    operations = [(call["operation"], call["account_id"]) for call in sandbox.calls()]
    assert operations == [
        ("AssumeRole", TOOLING),
        ("GetCallerIdentity", ACCOUNT),
        ("GetRole", ACCOUNT),
    ]


EXTERNAL_ID: dict[str, t.Any] = {
    "Condition": {"StringEquals": {"sts:ExternalId": ["cld_1", "cld_2"]}}
}


@pytest.mark.parametrize(
    ("given", "granted"),
    [({}, False), ({"ExternalId": "cld_3"}, False), ({"ExternalId": "cld_2"}, True)],
    ids=["no external id", "wrong external id", "matching external id"],
)
def test_external_id(
    sandbox: Sandbox, aws: t.Any, refused: t.Any, given: dict[str, str], granted: bool
) -> None:
    parameters = {
        "RoleArn": add_role(sandbox, "guarded", **EXTERNAL_ID),
        "RoleSessionName": "test",
        **given,
    }
    if granted:
        assert aws("sts", TOOLING).assume_role(**parameters)["Credentials"]
    else:
        assert refused(aws("sts", TOOLING).assume_role, **parameters)[:2] == ("AccessDenied", 403)


def test_role_that_does_not_exist_cannot_be_assumed(aws: t.Any, refused: t.Any) -> None:
    parameters = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/missing", "RoleSessionName": "test"}
    code, status, message = refused(aws("sts", TOOLING).assume_role, **parameters)
    assert (code, status) == ("AccessDenied", 403)
    assert (
        "is not authorized to perform: sts:AssumeRole on resource: "
        "arn:aws:iam::222222222222:role/missing"
    ) in message


ROOT = f"arn:aws:iam::{TOOLING}:root"
PARTNER = "arn:aws:iam::444444444444:root"


def allow(
    aws: t.Any, effect: str = "Allow", action: t.Any = "sts:AssumeRole", **more: t.Any
) -> dict[str, t.Any]:
    """A statement about principals of AWS."""
    return {"Effect": effect, "Principal": {"AWS": aws}, "Action": action, **more}


TRUSTS: dict[str, tuple[list[dict[str, t.Any]], bool]] = {
    "root of the account": ([allow(ROOT)], True),
    "account id": ([allow(TOOLING)], True),
    "user": ([allow(f"arn:aws:iam::{TOOLING}:user/tooling")], True),
    "one of several": ([allow([PARTNER, ROOT])], True),
    "second statement": ([allow(PARTNER), allow(ROOT)], True),
    "every principal": ([allow("*")], True),
    "every action": ([allow(ROOT, action="sts:*")], True),
    "action in capitals": ([allow(ROOT, action=["sts:TagSession", "STS:ASSUMEROLE"])], True),
    "all but another action": (
        [{"Effect": "Allow", "Principal": {"AWS": ROOT}, "NotAction": "sts:TagSession"}],
        True,
    ),
    "other account": ([allow(PARTNER)], False),
    "other account's id": ([allow("444444444444")], False),
    "other user": ([allow(f"arn:aws:iam::{TOOLING}:user/other")], False),
    "service": ([{**allow(ROOT), "Principal": {"Service": "ec2.amazonaws.com"}}], False),
    "other action": ([allow(ROOT, action="sts:TagSession")], False),
    "all but this action": (
        [{"Effect": "Allow", "Principal": {"AWS": ROOT}, "NotAction": "sts:Assume*"}],
        False,
    ),
    "denied": ([allow(ROOT), allow("*", "Deny")], False),
    "others denied": (
        [
            allow(ROOT),
            {"Effect": "Deny", "NotPrincipal": {"AWS": ROOT}, "Action": "sts:AssumeRole"},
        ],
        True,
    ),
    "all others denied": (
        [
            allow(ROOT),
            {"Effect": "Deny", "NotPrincipal": {"AWS": PARTNER}, "Action": "sts:AssumeRole"},
        ],
        False,
    ),
    "external id of another's statement": ([allow(ROOT), allow(PARTNER, **EXTERNAL_ID)], True),
    "external id of the caller's statement": ([allow(ROOT, **EXTERNAL_ID), allow(PARTNER)], False),
}


@pytest.mark.parametrize(("statements", "granted"), TRUSTS.values(), ids=TRUSTS)
def test_role_is_assumed_by_whom_it_trusts(
    sandbox: Sandbox, aws: t.Any, refused: t.Any, statements: list[dict[str, t.Any]], granted: bool
) -> None:
    sandbox.client("iam", TOOLING).create_user(UserName="other")
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    sandbox.client("iam", ACCOUNT).create_role(
        RoleName="onboarding", AssumeRolePolicyDocument=document
    )
    parameters = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/onboarding", "RoleSessionName": "test"}
    if granted:
        assert aws("sts", TOOLING).assume_role(**parameters)["Credentials"]
    else:
        user = f"User: arn:aws:iam::{TOOLING}:user/tooling"
        message = (
            f"{user} is not authorized to perform: sts:AssumeRole on resource: "
            f"{parameters['RoleArn']}"
        )
        assert refused(aws("sts", TOOLING).assume_role, **parameters) == (
            "AccessDenied",
            403,
            message,
        )


def session_client(sandbox: Sandbox, aws: t.Any, role_arn: str, service: str) -> t.Any:
    """A client with the credentials of an assumed role."""
    granted = aws("sts", TOOLING).assume_role(RoleArn=role_arn, RoleSessionName="test")[
        "Credentials"
    ]
    session = boto3.Session(
        granted["AccessKeyId"], granted["SecretAccessKey"], granted["SessionToken"], "us-west-2"
    )
    return session.client(service, endpoint_url=sandbox.aws_url)


@pytest.mark.parametrize("named", ["role", "session"])
def test_role_may_trust_the_session_of_another(
    sandbox: Sandbox, aws: t.Any, refused: t.Any, named: str
) -> None:
    hub = add_role(sandbox, "hub")
    principal = {"role": hub, "session": f"arn:aws:sts::{ACCOUNT}:assumed-role/hub/test"}[named]
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow(principal)]})
    iam = sandbox.client("iam", "333333333333")
    iam.create_role(RoleName="spoke", AssumeRolePolicyDocument=document)
    parameters = {"RoleArn": "arn:aws:iam::333333333333:role/spoke", "RoleSessionName": "test"}
    sts = session_client(sandbox, aws, hub, "sts")
    assert sts.assume_role(**parameters)["Credentials"]
    assert refused(aws("sts", TOOLING).assume_role, **parameters)[0] == "AccessDenied"
    iam.update_assume_role_policy(
        RoleName="spoke", PolicyDocument=json.dumps({"Statement": allow(PARTNER)})
    )
    code, _status, message = refused(sts.assume_role, **parameters)
    assert (code, message.split(" is ")[0]) == (
        "AccessDenied",
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/hub/test",
    )


EXPIRED = {
    "sts": (
        "get_caller_identity",
        ("ExpiredToken", 403, "The security token included in the request is expired"),
    ),
    "iam": (
        "list_roles",
        ("ExpiredToken", 403, "The security token included in the request is expired"),
    ),
    "s3": ("list_buckets", ("ExpiredToken", 400, "The provided token has expired.")),
}


@pytest.mark.parametrize(
    ("service", "operation", "error"),
    [(key, *value) for key, value in EXPIRED.items()],
    ids=EXPIRED,
)
def test_session_that_is_over(
    sandbox: Sandbox,
    aws: t.Any,
    refused: t.Any,
    service: str,
    operation: str,
    error: tuple[str, int, str],
) -> None:
    arn = add_role(sandbox, "onboarding")
    lasting = session_client(sandbox, aws, arn, service)
    sandbox.settings(session_seconds=0)
    over = session_client(sandbox, aws, arn, service)
    assert refused(getattr(over, operation)) == error
    assert getattr(lasting, operation)()


LIFETIMES = {"AWS's hour": (None, 3600), "set": (120, 120)}


@pytest.mark.parametrize(("setting", "seconds"), LIFETIMES.values(), ids=LIFETIMES)
def test_session_lasts_until_its_end(
    sandbox: Sandbox,
    aws: t.Any,
    refused: t.Any,
    monkeypatch: pytest.MonkeyPatch,
    setting: int | None,
    seconds: int,
) -> None:
    sandbox.settings(session_seconds=setting)
    sts = session_client(sandbox, aws, add_role(sandbox, "onboarding"), "sts")
    begun = utcnow()
    monkeypatch.setattr(
        _aws_callers, "utcnow", lambda: begun + datetime.timedelta(seconds=seconds - 10)
    )
    assert sts.get_caller_identity()["Account"] == ACCOUNT
    monkeypatch.setattr(_aws_callers, "utcnow", lambda: begun + datetime.timedelta(seconds=seconds))
    assert refused(sts.get_caller_identity)[0] == "ExpiredToken"


DURATIONS: dict[str, tuple[int | None, dict[str, int], int]] = {
    "AWS's hour": (None, {}, 3600),
    "as asked for": (None, {"DurationSeconds": 900}, 900),
    "set": (120, {}, 120),
    "set, though more was asked for": (120, {"DurationSeconds": 900}, 120),
}


@pytest.mark.parametrize(("setting", "asked", "seconds"), DURATIONS.values(), ids=DURATIONS)
def test_expiration_is_returned(
    sandbox: Sandbox, aws: t.Any, setting: int | None, asked: dict[str, int], seconds: int
) -> None:
    sandbox.settings(session_seconds=setting)
    arn = add_role(sandbox, "onboarding")
    granted = aws("sts", TOOLING).assume_role(RoleArn=arn, RoleSessionName="test", **asked)[
        "Credentials"
    ]
    left = granted["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    assert left.total_seconds() == pytest.approx(seconds, abs=5)


def not_allowed(action: str, resource: str) -> str:
    """The end of AWS's message."""
    return (
        f" is not authorized to perform: {action} on resource: {resource} because no "
        f"identity-based policy allows the {action} action"
    )


DENIED: dict[str, tuple[str, str, dict[str, str], str]] = {
    "account": ("iam", "GetAccountAuthorizationDetails", {}, "*"),
    "role": (
        "iam",
        "UpdateAssumeRolePolicy",
        {"RoleName": "onboarding", "PolicyDocument": "{}"},
        "role onboarding",
    ),
    "profile": (
        "iam",
        "AddRoleToInstanceProfile",
        {"InstanceProfileName": "ray", "RoleName": "r"},
        "instance profile ray",
    ),
    "bucket": ("s3", "GetBucketPolicy", {"Bucket": "data-1"}, '"arn:aws:s3:::data-1"'),
}


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "resource"), DENIED.values(), ids=DENIED
)
def test_denied_operation(
    sandbox: Sandbox,
    aws: t.Any,
    refused: t.Any,
    service: str,
    operation: str,
    parameters: dict[str, str],
    resource: str,
) -> None:
    sandbox.settings(denied=[operation])
    client = session_client(sandbox, aws, add_role(sandbox, "onboarding"), service)
    message = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/onboarding/test" + not_allowed(
        f"{service}:{operation}", resource
    )
    assert refused(getattr(client, xform_name(operation)), **parameters) == (
        "AccessDenied",
        403,
        message,
    )
    recorded = sandbox.calls()[-1]
    assert (recorded["operation"], recorded["status"]) == (operation, 403)


def test_only_recorded_callers_are_denied_and_only_what_is_set(
    sandbox: Sandbox, aws: t.Any, refused: t.Any
) -> None:
    assert sandbox.settings()["denied"] == []
    sandbox.settings(denied=["ListRoles"])
    assert refused(aws("iam").list_roles)[0] == "AccessDenied"
    assert (
        sandbox.client("iam", ACCOUNT).list_roles()["Roles"]
        == aws("iam").list_instance_profiles()["InstanceProfiles"]
        == []
    )
    sandbox.reset()
    assert aws("iam").list_roles()["Roles"] == []


def test_base_credentials_are_the_tooling_accounts(sandbox: Sandbox) -> None:
    variables = sandbox.environment()
    session = boto3.Session(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
    identity = session.client(
        "sts", "us-west-2", endpoint_url=sandbox.aws_url
    ).get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == (
        TOOLING,
        f"arn:aws:iam::{TOOLING}:user/tooling",
    )


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [("iam", "list_roles", "InvalidClientTokenId"), ("s3", "list_buckets", "InvalidAccessKeyId")],
    ids=["iam", "s3"],
)
def test_unknown_access_key(
    sandbox: Sandbox, refused: t.Any, service: str, operation: str, code: str
) -> None:
    session = boto3.Session("AKIAIOSFODNN7EXAMPLE", "secret", region_name="us-west-2")
    client = session.client(service, endpoint_url=sandbox.aws_url)
    assert refused(getattr(client, operation))[:2] == (code, 403)


def test_calls_are_recorded(sandbox: Sandbox, aws: t.Any, refused: t.Any) -> None:
    add_role(sandbox, "ray")
    aws("iam").get_role(RoleName="ray")
    aws("s3").create_bucket(
        Bucket="data-1", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    refused(aws("s3").get_bucket_policy, Bucket="data-1")
    read = {
        "service": "iam",
        "operation": "GetRole",
        "account_id": ACCOUNT,
        "resource": "ray",
        "status": 200,
        "write": False,
    }
    made = {"service": "s3", "operation": "CreateBucket", "resource": "data-1", "write": True}
    failed = {
        "service": "s3",
        "operation": "GetBucketPolicy",
        "resource": "data-1",
        "status": 404,
        "write": False,
    }
    assert sandbox.calls() == [read, {**read, **made}, {**read, **failed}]
    assert sandbox.writes() == [{**read, **made}]
    sandbox.clear_calls()
    assert sandbox.calls() == []


@pytest.mark.parametrize("service", ["iam", "s3"])
def test_request_ids(aws: t.Any, service: str) -> None:
    call = getattr(aws(service), {"iam": "list_roles", "s3": "list_buckets"}[service])
    ids = [call()["ResponseMetadata"]["RequestId"] for _attempt in range(2)]
    assert all(ids)
    assert ids[0] != ids[1]


def test_request_id_of_an_error_is_in_header_and_body(aws: t.Any) -> None:
    with pytest.raises(aws("iam").exceptions.NoSuchEntityException) as caught:
        aws("iam").get_role(RoleName="missing")
    metadata = caught.value.response["ResponseMetadata"]
    assert metadata["RequestId"] == metadata["HTTPHeaders"]["x-amzn-requestid"]


def test_reset_empties_every_account(sandbox: Sandbox, aws: t.Any) -> None:
    add_role(sandbox, "ray")
    aws("s3").create_bucket(
        Bucket="data-1", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    sandbox.reset()
    assert sandbox.calls() == []
    assert aws("iam").list_roles()["Roles"] == []
    assert aws("s3").list_buckets()["Buckets"] == []
