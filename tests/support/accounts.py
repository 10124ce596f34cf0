# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The AWS accounts of the tests: roles and buckets that are created, read and changed by plain calls
of the API, as another writer would.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox

Json = dict[str, t.Any]

ACCOUNT = "222222222222"
OTHER_ACCOUNT = "333333333333"
PARTNER_ACCOUNT = "444444444444"
REGION = "us-west-2"
ROLE = "ray-team-a"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
INSTANCE = "i-0abc1234def567890"

LAMBDA = {
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole",
}
PARTNER = {
    "Sid": "PartnerIngest",
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{PARTNER_ACCOUNT}:root"},
    "Action": "sts:AssumeRole",
    "Condition": {"StringEquals": {"sts:ExternalId": "partner-7f3a"}},
}
ACCOUNT_ITSELF = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    "Action": "sts:AssumeRole",
}
SESSION_VARIABLES = {
    "AWS_ACCESS_KEY_ID": "AccessKeyId",
    "AWS_SECRET_ACCESS_KEY": "SecretAccessKey",
    "AWS_SESSION_TOKEN": "SessionToken",
}


def policy(*statements: Json) -> Json:
    """A policy document of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def make_role(
    sandbox: Sandbox,
    name: str = ROLE,
    trust: Json | None = None,
    account: str = ACCOUNT,
    **more: t.Any,
) -> str:
    """A role, trusted by Lambda alone unless a trust policy is given; returns its ARN."""
    document = json.dumps(trust or policy(LAMBDA))
    answer = sandbox.client("iam", account).create_role(
        RoleName=name, AssumeRolePolicyDocument=document, **more
    )
    return str(answer["Role"]["Arn"])


def session(
    sandbox: Sandbox, role: str = ROLE, name: str = INSTANCE, path: str = "/"
) -> dict[str, str]:
    """The environment of a program that has a role's credentials, as a node gets them from its
    metadata service.
    """
    arn = make_role(sandbox, role, policy(ACCOUNT_ITSELF), Path=path)
    given = sandbox.client("sts", ACCOUNT).assume_role(RoleArn=arn, RoleSessionName=name)[
        "Credentials"
    ]
    return {variable: given[key] for variable, key in SESSION_VARIABLES.items()}


def delete_role(sandbox: Sandbox, name: str) -> str:
    """Delete a role; returns the unique id by which policies show it from now on."""
    iam = sandbox.client("iam", ACCOUNT)
    unique_id = str(iam.get_role(RoleName=name)["Role"]["RoleId"])
    for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=attached["PolicyArn"])
    iam.delete_role(RoleName=name)
    return unique_id


def trust_of(sandbox: Sandbox, name: str = ROLE) -> Json:
    """A role's trust policy."""
    document: Json = sandbox.client("iam", ACCOUNT).get_role(RoleName=name)["Role"][
        "AssumeRolePolicyDocument"
    ]
    return document


def put_trust(sandbox: Sandbox, document: Json, name: str = ROLE) -> None:
    """Replace a role's trust policy behind the module's back."""
    sandbox.client("iam", ACCOUNT).update_assume_role_policy(
        RoleName=name, PolicyDocument=json.dumps(document)
    )


def make_bucket(
    sandbox: Sandbox, name: str, document: Json | None = None, account: str = ACCOUNT
) -> None:
    """A bucket, with a policy if one is given."""
    s3 = sandbox.client("s3", account)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    if document:
        s3.put_bucket_policy(Bucket=name, Policy=json.dumps(document))


def bucket_policy_of(sandbox: Sandbox, name: str, account: str = ACCOUNT) -> Json | None:
    """A bucket's policy, ``None`` where it has none."""
    s3 = sandbox.client("s3", account)
    try:
        return t.cast(Json, json.loads(s3.get_bucket_policy(Bucket=name)["Policy"]))
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucketPolicy":
            raise
        return None


def put_bucket_policy(sandbox: Sandbox, name: str, document: Json) -> None:
    """Replace a bucket's policy behind the module's back."""
    sandbox.client("s3", ACCOUNT).put_bucket_policy(Bucket=name, Policy=json.dumps(document))


def register_cloud(sandbox: Sandbox, role_arn: str | None = None) -> str:
    """A cloud with the role that is registered for it at Anyscale, if any; returns its id."""
    return sandbox.organization.add_cloud("apollo", aws_config={"cluster_iam_role_id": role_arn})


def all_policies(sandbox: Sandbox, accounts: t.Iterable[str]) -> dict[str, t.Any]:
    """Every document that decides about access in these accounts, exactly as AWS shows it: the trust
    and all policies of each role, and the policies of buckets.
    """
    found: dict[str, t.Any] = {}
    for account in accounts:
        pages = sandbox.client("iam", account).get_paginator("get_account_authorization_details")
        for page in pages.paginate(Filter=["Role"]):
            for role in page["RoleDetailList"]:
                arn = role["Arn"]
                found[f"trust of {arn}"] = role["AssumeRolePolicyDocument"]
                found[f"policies of {arn}"] = role["RolePolicyList"]
                found[f"attachments of {arn}"] = role["AttachedManagedPolicies"]
        for bucket in sandbox.client("s3", account).list_buckets()["Buckets"]:
            name = bucket["Name"]
            found[f"policy of {name}"] = bucket_policy_of(sandbox, name, account)
    return found
