# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which permissions a call takes: its IAM actions, and the ARNs of what they are on.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import typing as t

from moto.iam.models import iam_backends

from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import PARTITION, AwsCall
from ansible_collections.rayfleet.anyscale.tests.sandbox._identity_policies import Permission
from ansible_collections.rayfleet.anyscale.tests.sandbox._trail import QUEUE_REGION

PASS_ROLE = "iam:PassRole"

_NEEDS_NONE = ("GetCallerIdentity",)
# Operations of S3 that take an action of another name.
_S3_ACTIONS = {
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
}
# What an operation of IAM is on, by the parameter that names it. Where it has several, the first of
# these counts.
_KINDS = {"InstanceProfileName": "instance-profile", "RoleName": "role", "UserName": "user"}
_EC2 = {"iam:passedtoservice": "ec2.amazonaws.com"}
# Of these, AWS documents the condition keys of the role's boundary and of the policy.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_identityandaccessmanagement.html
_ON_POLICIES_OF_ROLES = (
    "AttachRolePolicy",
    "DeleteRolePolicy",
    "DetachRolePolicy",
    "PutRolePolicy",
)


def permissions_of(call: AwsCall) -> list[Permission]:
    """All that the caller must be allowed."""
    if call.operation in _NEEDS_NONE:
        return []
    if call.service == "s3":
        return [Permission(f"s3:{_S3_ACTIONS.get(call.operation, call.operation)}", _s3_arn(call))]
    permission = Permission(f"{call.service}:{call.operation}", _arn(call), _keys(call))
    if call.operation == "AddRoleToInstanceProfile":
        return [permission, Permission(PASS_ROLE, _named_arn(call, "RoleName"), _EC2)]
    return [permission]


def _s3_arn(call: AwsCall) -> str:
    path = "/".join(call.parameters[name] for name in ("Bucket", "Key") if name in call.parameters)
    return f"arn:{PARTITION}:s3:::{path}" if path else "*"


def _arn(call: AwsCall) -> str:
    """A star where AWS cannot limit the operation to anything."""
    if call.service == "sqs":
        name = call.resource.rpartition("/")[2]
        return f"arn:{PARTITION}:sqs:{QUEUE_REGION}:{call.account_id}:{name}"
    named = next((parameter for parameter in _KINDS if parameter in call.parameters), None)
    return _named_arn(call, named) if named else call.resource or "*"


def _keys(call: AwsCall) -> dict[str, str]:
    """The condition keys of the request."""
    if call.service != "iam" or call.operation not in _ON_POLICIES_OF_ROLES:
        return {}
    roles = iam_backends[call.account_id][PARTITION].roles.values()
    boundaries = (
        role.permissions_boundary_arn
        for role in roles
        if role.name == call.parameters.get("RoleName")
    )
    keys = {
        "iam:permissionsboundary": next(boundaries, None),
        "iam:policyarn": call.parameters.get("PolicyArn"),
    }
    return {name: value for name, value in keys.items() if value}


def _named_arn(call: AwsCall, parameter: str) -> str:
    """The ARN with its path; of what is not there (yet), the path that the call gives it."""
    kind, name = _KINDS[parameter], call.parameters[parameter]
    backend = iam_backends[call.account_id][PARTITION]
    there: t.Mapping[str, t.Any] = {
        "instance-profile": backend.instance_profiles,
        "role": backend.roles,
        "user": backend.users,
    }
    path = call.parameters.get("Path", "/")
    found = (entity.arn for entity in there[kind].values() if entity.name == name)
    return next(found, f"arn:{PARTITION}:iam::{call.account_id}:{kind}{path}{name}")
