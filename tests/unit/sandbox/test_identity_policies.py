# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A caller's identity-based policy: how it is evaluated, which permissions each call takes, and
whom it is for.
"""

from __future__ import annotations

import json
import typing as t

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._identity_policies import (
    Permission,
    effect,
)

TOOLING, ACCOUNT, OTHER_ACCOUNT = "111111111111", "222222222222", "333333333333"
IAM = f"arn:aws:iam::{ACCOUNT}:"
ROLE = f"{IAM}role/ray/lab/Team-a"
Json = dict[str, t.Any]


def allow(action: t.Any = "iam:GetRole", resource: t.Any = "*", **more: t.Any) -> Json:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def policy(*statements: Json) -> Json:
    return {"Version": "2012-10-17", "Statement": list(statements)}


# --- how a policy is evaluated --------------------------------------------------------------------

EC2 = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
EFFECTS: dict[str, tuple[Json, str | None]] = {
    "no statement": (policy(), None),
    "the action and the resource": (policy(allow(resource=ROLE)), "Allow"),
    "a statement without a list": ({"Statement": allow()}, "Allow"),
    "one of several actions and resources": (
        policy(allow(["iam:PassRole", "iam:GetRole"], ["x", ROLE])),
        "Allow",
    ),
    "the second statement": (policy(allow("iam:ListRoles"), allow()), "Allow"),
    "another action": (policy(allow("iam:GetRolePolicy")), None),
    "another service's action": (policy(allow("s3:GetRole")), None),
    "the action in other letters": (policy(allow("IAM:getrole")), "Allow"),
    "all actions of the service": (policy(allow("iam:*")), "Allow"),
    "all actions": (policy(allow("*")), "Allow"),
    "actions that begin so": (policy(allow("iam:Get*")), "Allow"),
    "actions that begin otherwise": (policy(allow("iam:List*")), None),
    "one letter left open": (policy(allow("iam:Get?ole")), "Allow"),
    "two letters for one": (policy(allow("iam:Get?Role")), None),
    "another resource": (policy(allow(resource=f"{IAM}role/ray/lab/Team-b")), None),
    "the resource in other letters": (policy(allow(resource=ROLE.lower())), None),
    "the role without its path": (policy(allow(resource=f"{IAM}role/Team-a")), None),
    "a star that matches slashes": (policy(allow(resource=f"{IAM}role/*-a")), "Allow"),
    "a pattern that ends too early": (policy(allow(resource=f"{IAM}role/ray/*/Team")), None),
    "brackets are letters": (policy(allow(resource=f"{IAM}role/ray/lab/[T]eam-a")), None),
    "a dot is a dot": (policy(allow(resource=ROLE.replace("-", "."))), None),
    "denied first": (policy(allow(Effect="Deny"), allow()), "Deny"),
    "denied last": (policy(allow(), allow("iam:*", Effect="Deny")), "Deny"),
    "something else denied": (policy(allow(), allow("iam:PassRole", Effect="Deny")), "Allow"),
    "a condition on a key that the call has not": (policy(allow(Condition=EC2)), None),
    "denied on such a condition": (policy(allow(), allow(Effect="Deny", Condition=EC2)), "Allow"),
}


@pytest.mark.parametrize(("document", "expected"), EFFECTS.values(), ids=EFFECTS)
def test_a_policy_is_evaluated(document: Json, expected: str | None) -> None:
    assert effect(document, Permission("iam:GetRole", ROLE)) == expected


CONDITIONS: dict[str, tuple[Json, str | None]] = {
    "met": ({"iam:PassedToService": "ec2.amazonaws.com"}, "Allow"),
    "met by one of several": (
        {"iam:PassedToService": ["ec2.amazonaws.com.cn", "ec2.amazonaws.com"]},
        "Allow",
    ),
    "the key in other letters": ({"IAM:passedtoservice": "ec2.amazonaws.com"}, "Allow"),
    "another value": ({"iam:PassedToService": "lambda.amazonaws.com"}, None),
    "the value in other letters": ({"iam:PassedToService": "EC2.amazonaws.com"}, None),
    "a star is a letter here": ({"iam:PassedToService": "ec2.*"}, None),
    "one of two keys": (
        {"iam:PassedToService": "ec2.amazonaws.com", "aws:PrincipalTag/team": "ml"},
        None,
    ),
}


@pytest.mark.parametrize(("keys", "expected"), CONDITIONS.values(), ids=CONDITIONS)
def test_a_condition_is(keys: Json, expected: str | None) -> None:
    document = policy(allow("iam:PassRole", Condition={"StringEquals": keys}))
    assert (
        effect(
            document, Permission("iam:PassRole", ROLE, {"iam:passedtoservice": "ec2.amazonaws.com"})
        )
        == expected
    )


PATTERNS: dict[str, tuple[str, str | None]] = {
    "the ARN": (f"{IAM}policy/data-access", "Allow"),
    "a pattern": (f"{IAM}policy/data-*", "Allow"),
    "another policy": (f"{IAM}policy/data", None),
    "a star for an account": ("arn:aws:iam::*:policy/data-access", "Allow"),
    "a star across colons": ("arn:aws:*:policy/data-access", None),
    "a star for it all": ("*", None),
}


@pytest.mark.parametrize(("pattern", "expected"), PATTERNS.values(), ids=PATTERNS)
def test_an_arn_is_like(pattern: str, expected: str | None) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html"""
    condition = {"ArnLike": {"iam:PolicyARN": ["x", pattern]}}
    document = policy(allow("iam:AttachRolePolicy", Condition=condition))
    keys = {"iam:policyarn": f"{IAM}policy/data-access"}
    assert effect(document, Permission("iam:AttachRolePolicy", ROLE, keys)) == expected


NOT_JUDGED: dict[str, Json] = {
    "another operator": allow(Condition={"StringLike": {"iam:PassedToService": "ec2.*"}}),
    "NotAction": {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
    "NotResource": {**allow(), "NotResource": "*"},
    "a Principal": allow(Principal="*"),
    "no Resource": {"Effect": "Allow", "Action": "*"},
}


@pytest.mark.parametrize("case", NOT_JUDGED)
def test_what_cannot_be_judged_is_no_setting(sandbox: Sandbox, case: str) -> None:
    with pytest.raises(ValueError, match="cannot judge"):
        sandbox.settings(identity_policies={ACCOUNT: policy(NOT_JUDGED[case])})
    assert sandbox.settings()["identity_policies"] == {}


# --- which permissions a call takes ---------------------------------------------------------------


class Call(t.NamedTuple):
    """A call, the action and the resource that it takes, and how AWS's message calls the latter."""

    operation: str
    parameters: Json
    action: str
    resource: str
    called: str


BUCKET, PROFILE, MANAGED = (
    "arn:aws:s3:::data-1",
    f"{IAM}instance-profile/ray/",
    "arn:aws:iam::aws:policy/ReadOnlyAccess",
)
ITS_POLICY, NEW_PROFILE = (
    {"RoleName": "Team-a", "PolicyName": "p"},
    {"InstanceProfileName": "new", "Path": "/ray/"},
)
CALLS: dict[str, Call] = {
    "a role under a path": Call(
        "GetRole", {"RoleName": "Team-a"}, "iam:GetRole", ROLE, "role Team-a"
    ),
    "a role that is not there": Call(
        "GetRole", {"RoleName": "missing"}, "iam:GetRole", f"{IAM}role/missing", "role missing"
    ),
    "a role's inline policy": Call(
        "GetRolePolicy", ITS_POLICY, "iam:GetRolePolicy", ROLE, "role Team-a"
    ),
    "a role's policies": Call(
        "ListRolePolicies", {"RoleName": "Team-a"}, "iam:ListRolePolicies", ROLE, "role Team-a"
    ),
    "an instance profile": Call(
        "GetInstanceProfile",
        {"InstanceProfileName": "Team-a"},
        "iam:GetInstanceProfile",
        f"{PROFILE}Team-a",
        "instance profile Team-a",
    ),
    "an instance profile to be made": Call(
        "CreateInstanceProfile",
        NEW_PROFILE,
        "iam:CreateInstanceProfile",
        f"{PROFILE}new",
        "instance profile new",
    ),
    "a managed policy": Call(
        "GetPolicy", {"PolicyArn": MANAGED}, "iam:GetPolicy", MANAGED, f"policy {MANAGED}"
    ),
    "a user": Call("GetUser", {"UserName": "jo"}, "iam:GetUser", f"{IAM}user/jo", "user jo"),
    "all roles": Call("ListRoles", {}, "iam:ListRoles", "*", "*"),
    "a bucket's policy": Call(
        "GetBucketPolicy", {"Bucket": "data-1"}, "s3:GetBucketPolicy", BUCKET, f'"{BUCKET}"'
    ),
    "where a bucket is": Call(
        "GetBucketLocation", {"Bucket": "data-1"}, "s3:GetBucketLocation", BUCKET, f'"{BUCKET}"'
    ),
    "a bucket's objects": Call(
        "ListObjectsV2", {"Bucket": "data-1"}, "s3:ListBucket", BUCKET, f'"{BUCKET}"'
    ),
    "an object": Call(
        "GetObject",
        {"Bucket": "data-1", "Key": "a/b"},
        "s3:GetObject",
        f"{BUCKET}/a/b",
        f'"{BUCKET}"',
    ),
    "all buckets": Call("ListBuckets", {}, "s3:ListAllMyBuckets", "*", '"arn:aws:s3:::*"'),
}


@pytest.fixture(name="furnished")
def _furnished(sandbox: Sandbox) -> Sandbox:
    iam, s3 = sandbox.client("iam", ACCOUNT), sandbox.client("s3", ACCOUNT)
    trust = policy(
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{TOOLING}:root"},
            "Action": "sts:AssumeRole",
        }
    )
    iam.create_role(RoleName="Team-a", Path="/ray/lab/", AssumeRolePolicyDocument=json.dumps(trust))
    iam.create_instance_profile(InstanceProfileName="Team-a", Path="/ray/")
    s3.create_bucket(Bucket="data-1", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    return sandbox


def refusal(function: t.Callable[..., t.Any], parameters: Json) -> str:
    """AWS's message where it does not let the caller do it; empty where it does, whatever comes of
    it.
    """
    try:
        function(**parameters)
    except ClientError as error:
        return (
            error.response["Error"]["Message"]
            if error.response["Error"]["Code"] == "AccessDenied"
            else ""
        )
    return ""


@pytest.mark.parametrize("case", CALLS)
def test_a_call_takes_its_permission_and_no_other(
    furnished: Sandbox, aws: t.Any, case: str
) -> None:
    operation, parameters, action, resource, called = CALLS[case]
    call = getattr(aws(action.partition(":")[0]), xform_name(operation))
    furnished.settings(identity_policies={ACCOUNT: policy(allow(action, resource))})
    assert refusal(call, parameters) == ""
    user = (
        f"User: arn:aws:iam::{ACCOUNT}:user/administrator is not authorized to perform: {action} "
        f"on resource: {called}"
    )
    furnished.settings(
        identity_policies={
            ACCOUNT: policy(allow(f"{action}s", resource), allow(action, f"{resource}s"))
        }
    )
    assert (
        refusal(call, parameters)
        == f"{user} because no identity-based policy allows the {action} action"
    )
    furnished.settings(
        identity_policies={ACCOUNT: policy(allow("*"), allow(action, resource, Effect="Deny"))}
    )
    assert refusal(call, parameters) == f"{user} with an explicit deny in an identity-based policy"


def test_a_head_request_takes_the_permission_to_list(
    furnished: Sandbox, aws: t.Any, refused: t.Any
) -> None:
    """Its answer has no body, and so no code and no message."""
    furnished.settings(identity_policies={ACCOUNT: policy(allow("s3:ListBucket", BUCKET))})
    assert aws("s3").head_bucket(Bucket="data-1")
    furnished.settings(identity_policies={ACCOUNT: policy(allow("s3:HeadBucket"))})
    assert refused(aws("s3").head_bucket, Bucket="data-1")[1] == 403


PASSING: dict[str, tuple[Json, bool]] = {
    "not at all": (allow("iam:GetRole"), False),
    "any role": (allow("iam:PassRole"), True),
    "this role": (allow("iam:PassRole", ROLE), True),
    "another role": (allow("iam:PassRole", f"{IAM}role/Team-a"), False),
    "to EC2": (allow("iam:PassRole", ROLE, Condition=EC2), True),
    "to another service": (
        allow(
            "iam:PassRole",
            Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
        ),
        False,
    ),
}


@pytest.mark.parametrize(("statement", "may_pass"), PASSING.values(), ids=PASSING)
def test_a_role_is_put_into_a_profile_by_whom_may_pass_it(
    furnished: Sandbox, aws: t.Any, statement: Json, may_pass: bool
) -> None:
    adding = allow("iam:AddRoleToInstanceProfile", f"{PROFILE}Team-a")
    furnished.settings(identity_policies={ACCOUNT: policy(adding, statement)})
    parameters = {"InstanceProfileName": "Team-a", "RoleName": "Team-a"}
    message = refusal(aws("iam").add_role_to_instance_profile, parameters)
    assert (f"iam:PassRole on resource: {ROLE} because" in message) != may_pass


BOUNDARY = f"{IAM}policy/boundary"
OF_BOUNDARY = {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}
OF_POLICY = {"ArnLike": {"iam:PolicyARN": [MANAGED]}}
ITS_DOCUMENT = {**ITS_POLICY, "PolicyDocument": json.dumps(policy(allow()))}
# Of writes to the policies of a role: the call, the condition, and whether they are allowed without and
# with the boundary.
WRITES: dict[str, tuple[str, Json, Json, tuple[bool, bool]]] = {
    "an inline policy": ("PutRolePolicy", ITS_DOCUMENT, OF_BOUNDARY, (False, True)),
    "an inline policy that goes": ("DeleteRolePolicy", ITS_POLICY, OF_BOUNDARY, (False, True)),
    "an attached policy": (
        "AttachRolePolicy",
        {"RoleName": "Team-a", "PolicyArn": MANAGED},
        {**OF_POLICY, **OF_BOUNDARY},
        (False, True),
    ),
    "another attached policy": (
        "AttachRolePolicy",
        {"RoleName": "Team-a", "PolicyArn": f"{MANAGED}2"},
        {**OF_POLICY, **OF_BOUNDARY},
        (False, False),
    ),
    "a detached policy": (
        "DetachRolePolicy",
        {"RoleName": "Team-a", "PolicyArn": MANAGED},
        OF_POLICY,
        (True, True),
    ),
}


@pytest.mark.parametrize("case", WRITES)
def test_policies_of_roles_are_written_under_conditions(
    furnished: Sandbox, aws: t.Any, case: str
) -> None:
    operation, parameters, condition, expected = WRITES[case]
    iam = furnished.client("iam", ACCOUNT)
    iam.create_policy(PolicyName="boundary", PolicyDocument=json.dumps(policy(allow())))
    statement = allow(f"iam:{operation}", ROLE, Condition=condition)
    furnished.settings(identity_policies={ACCOUNT: policy(statement)})
    call = getattr(aws("iam"), xform_name(operation))
    without = refusal(call, parameters) == ""
    iam.put_role_permissions_boundary(RoleName="Team-a", PermissionsBoundary=BOUNDARY)
    assert (without, refusal(call, parameters) == "") == expected


ASSUMING: dict[str, tuple[Json, str, bool]] = {
    "the role": (allow("sts:AssumeRole", ROLE), TOOLING, True),
    "a role of that name in any account": (
        allow("sts:AssumeRole", "arn:aws:iam::*:role/ray/lab/Team-a"),
        TOOLING,
        True,
    ),
    "another role": (allow("sts:AssumeRole", f"{IAM}role/Team-a"), TOOLING, False),
    "a role that does not trust the caller": (allow("sts:AssumeRole"), OTHER_ACCOUNT, False),
}


@pytest.mark.parametrize(("statement", "caller", "may_assume"), ASSUMING.values(), ids=ASSUMING)
def test_a_role_is_assumed_by_whom_both_sides_let(
    furnished: Sandbox, aws: t.Any, statement: Json, caller: str, may_assume: bool
) -> None:
    """What the role may do then is another matter."""
    furnished.settings(identity_policies={caller: policy(statement), ACCOUNT: policy()})
    message = refusal(aws("sts", caller).assume_role, {"RoleArn": ROLE, "RoleSessionName": "test"})
    assert ("sts:AssumeRole" in message) != may_assume


# --- whom a policy is for -------------------------------------------------------------------------


def test_a_policy_is_for_the_recorded_callers_of_its_account(
    furnished: Sandbox, aws: t.Any, refused: t.Any
) -> None:
    furnished.settings(identity_policies={ACCOUNT: policy()})
    assert refused(aws("iam").list_roles)[:2] == ("AccessDenied", 403)
    assert furnished.client("iam", ACCOUNT).list_roles()["Roles"]
    assert aws("iam", OTHER_ACCOUNT).list_roles()["Roles"] == []
    assert aws("sts").get_caller_identity()["Account"] == ACCOUNT
    furnished.settings(identity_policies={})
    assert aws("iam").list_roles()["Roles"]
