# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roles, their trust policies and their instance profiles."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    policies_equal,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox

ACCOUNT = "222222222222"


def statement(**changes: t.Any) -> dict[str, t.Any]:
    """The trust in EC2, changed; a change to ``None`` leaves the element out."""
    plain = {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return {element: value for element, value in {**plain, **changes}.items() if value is not None}


def policy(*statements: dict[str, t.Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def policy_of(raw: dict[str, t.Any]) -> t.Any:
    return json.loads(policy(raw))


NOTHING = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"},
    }
)


@pytest.fixture(autouse=True)
def scene(sandbox: Sandbox) -> None:
    """Two roles and an instance profile of the first."""
    iam = sandbox.client("iam", ACCOUNT)
    for name in ("ray", "friend"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(statement()))
    iam.create_instance_profile(InstanceProfileName="ray")
    iam.add_role_to_instance_profile(InstanceProfileName="ray", RoleName="ray")


def trust(sandbox: Sandbox, role: str = "ray") -> t.Any:
    return sandbox.client("iam", ACCOUNT).get_role(RoleName=role)["Role"][
        "AssumeRolePolicyDocument"
    ]


MISSING_ROLE = f"arn:aws:iam::{ACCOUNT}:role/missing"
ORIGIN = "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1ABCDEFGHIJKL"
SID_PATTERN = "Check that your input satisfies the regular expression [0-9A-Za-z]*"
MALFORMED = {
    "not JSON": ("{", "This policy contains invalid Json"),
    "no Statement": ('{"Version": "2012-10-17"}', "Missing required field Statement"),
    "Resource": (policy(statement(Resource="*")), "Has prohibited field Resource"),
    "no Principal": (policy(statement(Principal=None)), "Missing required field Principal"),
    "action of another service": (
        policy(statement(Action="s3:GetObject")),
        "AssumeRole policy may only specify STS AssumeRole actions.",
    ),
    "Sid with a dash": (
        policy(statement(Sid="for-ec2")),
        f"Statement IDs (SID) must be alpha-numeric. {SID_PATTERN}",
    ),
    "Sid twice": (
        policy(statement(Sid="A"), statement(Sid="A")),
        "Statement IDs (SID) in a single policy must be unique.",
    ),
    "role that never was": (
        policy(statement(Principal={"AWS": MISSING_ROLE})),
        f'Invalid principal in policy: "AWS":"{MISSING_ROLE}"',
    ),
    "unknown service": (
        policy(statement(Principal={"Service": "ec2"})),
        'Invalid principal in policy: "SERVICE":"ec2"',
    ),
    "service that AWS does not have": (
        policy(statement(Principal={"Service": "tagging.amazonaws.com"})),
        'Invalid principal in policy: "SERVICE":"tagging.amazonaws.com"',
    ),
    "everybody, as a string": (
        policy(statement(Principal="*")),
        'Invalid principal in policy: "STAR":"*"',
    ),
    "all but everybody, as a string": (
        policy(statement(Effect="Deny", Principal=None, NotPrincipal="*")),
        'Invalid principal in policy: "STAR":"*"',
    ),
    "origin access identity": (
        policy(statement(Principal={"AWS": ORIGIN})),
        f'Invalid principal in policy: "AWS":"{ORIGIN}"',
    ),
    "unknown operator": (
        policy(statement(Condition={"StringEqual": {"sts:ExternalId": "x"}})),
        "Invalid Condition type : StringEqual",
    ),
    "unknown set operator": (
        policy(statement(Condition={"ForEachValue:StringEquals": {"sts:ExternalId": "x"}})),
        "Invalid Condition type : ForEachValue:StringEquals",
    ),
    "no operator": (
        policy(statement(Condition={"sts:ExternalId": "x"})),
        "Syntax errors in policy.",
    ),
    "condition key without a service": (
        policy(statement(Condition={"StringEquals": {"ExternalId": "x"}})),
        "Invalid Condition key : ExternalId",
    ),
    "condition key of no service": (
        policy(statement(Condition={"StringEquals": {"cloud:ExternalId": "x"}})),
        "Invalid Condition key : cloud:ExternalId",
    ),
    "condition key with two colons": (
        policy(statement(Condition={"StringEquals": {"https://oidc.example.com:sub": "x"}})),
        "Condition can contain only one colon.",
    ),
}


@pytest.mark.parametrize(("text", "message"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_trust(aws: t.Any, refused: t.Any, text: str, message: str) -> None:
    iam = aws("iam")
    expected = ("MalformedPolicyDocument", 400, message)
    assert refused(iam.update_assume_role_policy, RoleName="ray", PolicyDocument=text) == expected
    assert refused(iam.create_role, RoleName="new", AssumeRolePolicyDocument=text) == expected


KEPT = {
    "lists of one": {
        "Statement": [
            statement(Action=["sts:AssumeRole"], Principal={"Service": ["ec2.amazonaws.com"]})
        ]
    },
    "statement object": {"Version": "2012-10-17", "Statement": statement()},
    "old version": {"Version": "2008-10-17", "Statement": [statement()]},
    "empty Sid and Condition": {
        "Version": "2012-10-17",
        "Statement": [statement(Sid="", Condition={})],
    },
    "two empty Sids": {
        "Version": "2012-10-17",
        "Statement": [statement(Sid=""), statement(Sid="")],
    },
    "federated user": {
        "Statement": [statement(Principal={"AWS": f"arn:aws:sts::{ACCOUNT}:federated-user/ada"})]
    },
    "an operator in another case": {
        "Statement": [
            statement(Condition={"ForAnyValue:stringLIKEifExists": {"AWS:calledvia": "y"}})
        ]
    },
    "condition key of an identity provider": {
        "Statement": [statement(Condition={"StringEquals": {"oidc.example.com/id/1:sub": "x"}})]
    },
    "NotPrincipal": {
        "Statement": [
            statement(Effect="Deny", Principal=None, NotPrincipal={"Service": "ec2.amazonaws.com"})
        ]
    },
    "identity provider": {
        "Statement": [statement(Principal={"Federated": "cognito-identity.amazonaws.com"})]
    },
    "China": {"Statement": [statement(Principal={"Service": "ec2.amazonaws.com.cn"})]},
    "account id": {"Statement": [statement(Principal={"AWS": "444444444444"})]},
}


@pytest.mark.parametrize("document", KEPT.values(), ids=KEPT)
def test_trust_is_kept_as_sent(sandbox: Sandbox, aws: t.Any, document: dict[str, t.Any]) -> None:
    aws("iam").update_assume_role_policy(RoleName="ray", PolicyDocument=json.dumps(document))
    assert trust(sandbox) == document


def test_trust_comes_back_in_an_order_of_iams_own(sandbox: Sandbox, aws: t.Any) -> None:
    services = ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com", "lambda.amazonaws.com"]
    keys = {"sts:ExternalId": ["a", "b", "c", "d"], "aws:SourceAccount": ACCOUNT}
    sent = statement(
        Principal={"Service": services},
        Action=["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"],
        Condition={"StringEquals": keys},
    )
    stored = []
    for order in (1, -1):
        document = {
            **sent,
            "Principal": {"Service": services[::order]},
            "Condition": {"StringEquals": dict(list(keys.items())[::order])},
        }
        aws("iam").update_assume_role_policy(RoleName="ray", PolicyDocument=policy(document))
        stored.append(json.dumps(trust(sandbox)))
    assert stored[0] == stored[1]
    (shown,) = json.loads(stored[0])["Statement"]
    assert policies_equal(policy_of(shown), policy_of(sent))
    orders = (
        list(shown["Principal"]["Service"]) != services,
        list(shown["Condition"]["StringEquals"]) != list(keys),
    )
    assert any(orders)


def test_trust_in_characters_beyond_latin_1_is_refused(aws: t.Any, refused: t.Any) -> None:
    for text, is_taken in (("é\u00ff", True), ("Ā", False), ("☂", False)):
        condition = {"StringEquals": {"sts:ExternalId": text}}
        document = {"Version": "2012-10-17", "Statement": statement(Condition=condition)}
        sent = json.dumps(document, ensure_ascii=False)
        if is_taken:
            aws("iam").update_assume_role_policy(RoleName="ray", PolicyDocument=sent)
            continue
        call = aws("iam").update_assume_role_policy
        code, status, message = refused(call, RoleName="ray", PolicyDocument=sent)
        assert (code, status) == ("ValidationError", 400)
        assert "must satisfy regular expression pattern" in message


def test_trusted_role_is_shown_by_its_id_once_it_is_gone(
    sandbox: Sandbox, aws: t.Any, refused: t.Any
) -> None:
    iam = sandbox.client("iam", ACCOUNT)
    friend = iam.get_role(RoleName="friend")["Role"]
    aws("iam").update_assume_role_policy(
        RoleName="ray", PolicyDocument=policy(statement(Principal={"AWS": friend["Arn"]}))
    )
    assert trust(sandbox)["Statement"] == [statement(Principal={"AWS": friend["Arn"]})]
    iam.delete_role(RoleName="friend")
    iam.create_role(RoleName="friend", AssumeRolePolicyDocument=policy(statement()))
    gone = statement(Principal={"AWS": friend["RoleId"]})
    assert trust(sandbox)["Statement"] == [gone]
    listed = {role["RoleName"]: role for role in iam.list_roles()["Roles"]}
    assert listed["ray"]["AssumeRolePolicyDocument"]["Statement"] == [gone]
    code, _status, message = refused(
        aws("iam").update_assume_role_policy, RoleName="ray", PolicyDocument=policy(gone)
    )
    assert (code, message) == (
        "MalformedPolicyDocument",
        f'Invalid principal in policy: "AWS":"{friend["RoleId"]}"',
    )


@pytest.mark.parametrize("quota", [2048, 4096])
def test_trust_quota_counts_no_white_space(
    sandbox: Sandbox, aws: t.Any, refused: t.Any, quota: int
) -> None:
    def document(size: int, indent: int | None) -> str:
        rest = len("".join(policy(statement(Sid="")).split()))
        return json.dumps(json.loads(policy(statement(Sid="A" * (size - rest)))), indent=indent)

    sandbox.settings(trust_quota=quota)
    aws("iam").update_assume_role_policy(RoleName="ray", PolicyDocument=document(quota, indent=8))
    error = ("LimitExceeded", 409, f"Cannot exceed quota for ACLSizePerRole: {quota}")
    too_long = document(quota + 1, indent=None)
    assert (
        refused(aws("iam").update_assume_role_policy, RoleName="ray", PolicyDocument=too_long)
        == error
    )
    assert (
        refused(aws("iam").create_role, RoleName="new", AssumeRolePolicyDocument=too_long) == error
    )


def test_service_linked_role_is_not_modifiable(aws: t.Any, refused: t.Any) -> None:
    role = aws("iam").create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com")["Role"]
    assert role["Path"].startswith("/aws-service-role/")
    parameters = {"RoleName": role["RoleName"], "PolicyDocument": policy(statement())}
    assert refused(aws("iam").update_assume_role_policy, **parameters)[:2] == (
        "UnmodifiableEntity",
        400,
    )


@pytest.mark.parametrize("path", ["/aws-reserved/sso.amazonaws.com/", "/aws-service-role/x/"])
def test_roles_in_reserved_paths_are_aws_own(
    sandbox: Sandbox, aws: t.Any, refused: t.Any, path: str
) -> None:
    document = json.loads(policy(statement()))
    sandbox.accounts.add_role(ACCOUNT, "reserved", document, path)
    new = {"RoleName": "new", "Path": path, "AssumeRolePolicyDocument": policy(statement())}
    assert refused(aws("iam").create_role, **new)[:2] == ("InvalidInput", 400)
    message = (
        "Cannot perform the operation on the protected role 'reserved' - this role is only "
        "modifiable by AWS"
    )
    own = {"PolicyName": "own", "PolicyDocument": NOTHING}
    for operation, parameters in {
        "update_assume_role_policy": {"PolicyDocument": policy(statement())},
        "put_role_policy": own,
        "delete_role": {},
    }.items():
        assert refused(getattr(aws("iam"), operation), RoleName="reserved", **parameters) == (
            "UnmodifiableEntity",
            400,
            message,
        )


def test_names_of_roles_differ_by_more_than_case(aws: t.Any, refused: t.Any) -> None:
    new = {"RoleName": "RAY", "AssumeRolePolicyDocument": policy(statement())}
    assert refused(aws("iam").create_role, **new)[:2] == ("EntityAlreadyExists", 409)


def test_tags_of_aws_are_nobody_elses_to_give(aws: t.Any, refused: t.Any) -> None:
    tags = [{"Key": "aws:cloudformation:stack-name", "Value": "x"}]
    assert refused(aws("iam").tag_role, RoleName="ray", Tags=tags)[:2] == ("InvalidInput", 400)
    new = {"RoleName": "new", "AssumeRolePolicyDocument": policy(statement()), "Tags": tags}
    assert refused(aws("iam").create_role, **new)[:2] == ("InvalidInput", 400)


def test_tags_are_in_get_role(aws: t.Any) -> None:
    tags = [{"Key": "tf_module", "Value": "iam"}]
    aws("iam").create_role(
        RoleName="tagged", AssumeRolePolicyDocument=policy(statement()), Tags=tags
    )
    assert aws("iam").get_role(RoleName="tagged")["Role"]["Tags"] == tags


REFUSED: dict[str, tuple[str, dict[str, str], tuple[str, int]]] = {
    "unknown role": ("get_role", {"RoleName": "missing"}, ("NoSuchEntity", 404)),
    "trust of an unknown role": (
        "update_assume_role_policy",
        {"RoleName": "missing", "PolicyDocument": policy(statement())},
        ("NoSuchEntity", 404),
    ),
    "role that exists": (
        "create_role",
        {"RoleName": "ray", "AssumeRolePolicyDocument": policy(statement())},
        ("EntityAlreadyExists", 409),
    ),
    "role in use": ("delete_role", {"RoleName": "ray"}, ("DeleteConflict", 409)),
    "unknown profile": (
        "get_instance_profile",
        {"InstanceProfileName": "missing"},
        ("NoSuchEntity", 404),
    ),
    "profile that exists": (
        "create_instance_profile",
        {"InstanceProfileName": "ray"},
        ("EntityAlreadyExists", 409),
    ),
    "same role again": (
        "add_role_to_instance_profile",
        {"InstanceProfileName": "ray", "RoleName": "ray"},
        ("LimitExceeded", 409),
    ),
    "second role": (
        "add_role_to_instance_profile",
        {"InstanceProfileName": "ray", "RoleName": "friend"},
        ("LimitExceeded", 409),
    ),
    "unknown role for a profile": (
        "add_role_to_instance_profile",
        {"InstanceProfileName": "ray", "RoleName": "missing"},
        ("NoSuchEntity", 404),
    ),
    "role that the profile does not hold": (
        "remove_role_from_instance_profile",
        {"InstanceProfileName": "ray", "RoleName": "friend"},
        ("NoSuchEntity", 404),
    ),
    "profile in use": (
        "delete_instance_profile",
        {"InstanceProfileName": "ray"},
        ("DeleteConflict", 409),
    ),
}


@pytest.mark.parametrize(("operation", "parameters", "error"), REFUSED.values(), ids=REFUSED)
def test_refused(
    aws: t.Any, refused: t.Any, operation: str, parameters: dict[str, str], error: tuple[str, int]
) -> None:
    assert refused(getattr(aws("iam"), operation), **parameters)[:2] == error


def test_instance_profile_shows_the_role_with_its_trust(sandbox: Sandbox, aws: t.Any) -> None:
    aws("iam").update_assume_role_policy(
        RoleName="ray", PolicyDocument=policy(statement(Sid="New"))
    )
    profile = aws("iam").get_instance_profile(InstanceProfileName="ray")["InstanceProfile"]
    assert [role["AssumeRolePolicyDocument"] for role in profile["Roles"]] == [trust(sandbox)]
