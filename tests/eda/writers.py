# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What another writer does to a cloud, call by call, each before the sandbox."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import boto3
import yaml

from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import REGION, VISION_ACCOUNT
from ansible_collections.rayfleet.anyscale.tests.support.accounts import LAMBDA, policy
from ansible_collections.rayfleet.anyscale.tests.support.cloud_ways import (
    OWN_POLICY,
    make_managed_policy,
    managed_policy_of,
)

_BY_ROLE = {"cloud_iam_bucket_grant": "role_policy"}
# Variables of the clouds whose role has the bucket by its own policies.
_VARIABLES: dict[str, dict[str, str]] = {
    "PutRolePolicy": _BY_ROLE,
    "DeleteRolePolicy": _BY_ROLE,
    "DetachRolePolicy": _BY_ROLE,
}
_DENIED = policy({"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"})


class Writer:
    """The administrator of the account."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        given = {"endpoint_url": sandbox.aws_url, **sandbox.credentials(VISION_ACCOUNT)}
        self.iam, self.s3 = boto3.client("iam", **given), boto3.client("s3", **given)
        self.guard = self.versions = ""

    def prepare(self, clouds: t.Mapping[str, Cloud], inventory: Path) -> None:
        """The managed policies, and the variables of the clouds that need others."""
        content = yaml.safe_load(inventory.read_text())
        hosts = content["all"]["children"]["anyscale_clouds"]["hosts"]
        for name, variables in _VARIABLES.items():
            hosts[clouds[name].name].update(variables)
        managed = clouds["DetachRolePolicy"]
        hosts[managed.name]["cloud_iam_bucket_policy_arn"] = make_managed_policy(
            self.sandbox, managed
        )
        inventory.write_text(yaml.safe_dump(content))
        made = self.iam.create_policy(PolicyName="guard", PolicyDocument=json.dumps(_DENIED))
        self.guard = made["Policy"]["Arn"]
        versions = clouds["DeletePolicyVersion"]
        made = self.iam.create_policy(PolicyName="versions", PolicyDocument=json.dumps(_DENIED))
        self.versions = made["Policy"]["Arn"]
        self.iam.attach_role_policy(RoleName=versions.role_name, PolicyArn=self.versions)

    def take_from_profile(self, cloud: Cloud) -> None:
        """Take the role out of its instance profile."""
        name = cloud.role_name
        self.iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name)


def drifted_clouds() -> dict[str, Cloud]:
    """The clouds, by what ends with which call, in one account."""
    return {
        call: Cloud(call.lower(), VISION_ACCOUNT, role=f"{call}-ray", trust="lambda_only")
        for call in DRIFTS
    }


def _update_trust(writer: Writer, cloud: Cloud) -> None:
    writer.sandbox.drift(cloud.name)


def _delete_role(writer: Writer, cloud: Cloud) -> None:
    name = {"RoleName": cloud.role_name}
    writer.take_from_profile(cloud)
    for attached in writer.iam.list_attached_role_policies(**name)["AttachedPolicies"]:
        writer.iam.detach_role_policy(**name, PolicyArn=attached["PolicyArn"])
    for policy_name in writer.iam.list_role_policies(**name)["PolicyNames"]:
        writer.iam.delete_role_policy(**name, PolicyName=policy_name)
    writer.iam.delete_role(**name)


def _create_role(writer: Writer, cloud: Cloud) -> None:
    """As a tool that replaces it."""
    _delete_role(writer, cloud)
    document = json.dumps(policy(LAMBDA))
    writer.iam.create_role(RoleName=cloud.role_name, AssumeRolePolicyDocument=document)


def _add_to_profile(writer: Writer, cloud: Cloud) -> None:
    writer.take_from_profile(cloud)
    name = cloud.role_name
    writer.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


def _put_boundary(writer: Writer, cloud: Cloud) -> None:
    writer.iam.put_role_permissions_boundary(
        RoleName=cloud.role_name, PermissionsBoundary=writer.guard
    )


def _delete_boundary(writer: Writer, cloud: Cloud) -> None:
    _put_boundary(writer, cloud)
    writer.iam.delete_role_permissions_boundary(RoleName=cloud.role_name)


def _replace_policy_version(writer: Writer, _cloud: Cloud) -> None:
    named = {"PolicyArn": writer.versions}
    writer.iam.create_policy_version(**named, PolicyDocument=json.dumps(_DENIED))
    writer.iam.set_default_policy_version(**named, VersionId="v2")
    writer.iam.delete_policy_version(**named, VersionId="v1")


def _create_bucket(writer: Writer, cloud: Cloud) -> None:
    writer.s3.delete_bucket(Bucket=cloud.bucket_name)
    place = {"LocationConstraint": REGION}
    writer.s3.create_bucket(Bucket=cloud.bucket_name, CreateBucketConfiguration=place)


def _decrypt(writer: Writer, cloud: Cloud) -> None:
    _encrypt(writer, cloud)
    writer.s3.delete_bucket_encryption(Bucket=cloud.bucket_name)


def _delete_profile(writer: Writer, cloud: Cloud) -> None:
    writer.take_from_profile(cloud)
    writer.iam.delete_instance_profile(InstanceProfileName=cloud.role_name)


def _replace_bucket_policy(writer: Writer, cloud: Cloud) -> None:
    other = {"Effect": "Deny", "Principal": {"AWS": f"arn:aws:iam::{VISION_ACCOUNT}:root"}}
    statement = {
        **other,
        "Action": "s3:DeleteBucket",
        "Resource": f"arn:aws:s3:::{cloud.bucket_name}",
    }
    writer.s3.put_bucket_policy(Bucket=cloud.bucket_name, Policy=json.dumps(policy(statement)))


def _encrypt(writer: Writer, cloud: Cloud) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    writer.s3.put_bucket_encryption(
        Bucket=cloud.bucket_name, ServerSideEncryptionConfiguration={"Rules": [rule]}
    )


def _replace_inline_policy(writer: Writer, cloud: Cloud) -> None:
    writer.iam.put_role_policy(
        RoleName=cloud.role_name, PolicyName=OWN_POLICY, PolicyDocument=json.dumps(_DENIED)
    )


# By the call that the page on events lists: what ends with it.
DRIFTS: dict[str, t.Callable[[Writer, Cloud], object]] = {
    "UpdateAssumeRolePolicy": _update_trust,
    "DeleteRole": _delete_role,
    "RemoveRoleFromInstanceProfile": Writer.take_from_profile,
    "DeleteInstanceProfile": _delete_profile,
    "PutBucketPolicy": _replace_bucket_policy,
    "DeleteBucketPolicy": lambda writer, cloud: writer.s3.delete_bucket_policy(
        Bucket=cloud.bucket_name
    ),
    "PutBucketEncryption": _encrypt,
    "PutRolePolicy": _replace_inline_policy,
    "DeleteRolePolicy": lambda writer, cloud: writer.iam.delete_role_policy(
        RoleName=cloud.role_name, PolicyName=OWN_POLICY
    ),
    "AttachRolePolicy": lambda writer, cloud: writer.iam.attach_role_policy(
        RoleName=cloud.role_name, PolicyArn=writer.guard
    ),
    "DetachRolePolicy": lambda writer, cloud: writer.iam.detach_role_policy(
        RoleName=cloud.role_name, PolicyArn=managed_policy_of(cloud)
    ),
    "PutRolePermissionsBoundary": _put_boundary,
    "DeleteRolePermissionsBoundary": _delete_boundary,
    "CreateRole": _create_role,
    "AddRoleToInstanceProfile": _add_to_profile,
    "DeletePolicyVersion": _replace_policy_version,
    "DeleteBucket": lambda writer, cloud: writer.s3.delete_bucket(Bucket=cloud.bucket_name),
    "CreateBucket": _create_bucket,
    "DeleteBucketEncryption": _decrypt,
}
