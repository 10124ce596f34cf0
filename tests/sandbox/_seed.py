# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts a fleet into the sandbox: roles, instance profiles, buckets, clouds and compute configs."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.rayfleet.anyscale.tests.sandbox import _seed_documents as documents
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import TOOLING_ACCOUNT
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import ONBOARDING_ROLE, REGION, Cloud

if t.TYPE_CHECKING:
    from ansible_collections.rayfleet.anyscale.tests.sandbox._server import Sandbox

_OWNER_TAGS = {
    "": {},
    "cloudformation": {
        "aws:cloudformation:stack-name": "anyscale-cloud",
        "aws:cloudformation:logical-id": "nodeRole",
    },
    "terraform": {"tf_module": "terraform-aws-anyscale-cloudfoundation-modules", "tf_sub_module": "aws-anyscale-iam"},
}


def seed_fleet(sandbox: Sandbox, fleet: t.Iterable[Cloud]) -> None:
    """Add these clouds to what is there already; accounts and buckets may be shared with it."""
    clients: dict[str, tuple[t.Any, t.Any]] = {}
    for cloud in fleet:
        if cloud.account_id not in clients:
            clients[cloud.account_id] = sandbox.client("iam", cloud.account_id), sandbox.client("s3", cloud.account_id)
            _add_onboarding_role(clients[cloud.account_id][0])
        iam, s3 = clients[cloud.account_id]
        _add_roles(iam, cloud)
        _add_instance_profile(iam, cloud)
        _add_bucket(s3, cloud)
        _add_to_organization(sandbox, cloud)


def _add_onboarding_role(iam: t.Any) -> None:
    trust = json.dumps(documents.account_trust(TOOLING_ACCOUNT))
    try:
        iam.create_role(RoleName=ONBOARDING_ROLE, AssumeRolePolicyDocument=trust)
    except iam.exceptions.EntityAlreadyExistsException:
        pass


def _add_roles(iam: t.Any, cloud: Cloud) -> None:
    iam.create_role(RoleName=cloud.control_plane_role_name, AssumeRolePolicyDocument=json.dumps(documents.control_plane_trust(cloud)))
    if cloud.trust:
        iam.create_role(
            RoleName=cloud.role_name,
            Path=cloud.role_path,
            AssumeRolePolicyDocument=json.dumps(documents.trust_policy(cloud)),
            Tags=[{"Key": key, "Value": value} for key, value in _OWNER_TAGS[cloud.owner].items()],
        )


def _add_instance_profile(iam: t.Any, cloud: Cloud) -> None:
    if cloud.profile != "missing":
        iam.create_instance_profile(InstanceProfileName=cloud.role_name)
    if cloud.profile == "filled":
        iam.add_role_to_instance_profile(InstanceProfileName=cloud.role_name, RoleName=cloud.role_name)


def _add_bucket(s3: t.Any, cloud: Cloud) -> None:
    try:
        s3.create_bucket(Bucket=cloud.bucket_name, CreateBucketConfiguration={"LocationConstraint": REGION})
    except s3.exceptions.BucketAlreadyOwnedByYou:
        pass
    policy = documents.bucket_policy(cloud)
    if policy:
        s3.put_bucket_policy(Bucket=cloud.bucket_name, Policy=json.dumps(policy))


def _add_to_organization(sandbox: Sandbox, cloud: Cloud) -> None:
    sandbox.organization.add_cloud(
        cloud.name,
        cloud_id=cloud.cloud_id,
        region=REGION,
        bucket=cloud.bucket_name,
        aws_config={
            "vpc_id": "vpc-0a1b2c3d4e5f60718",
            "subnet_ids": ["subnet-0a1b2c3d4e5f60718"],
            "zones": [f"{REGION}a"],
            "security_group_ids": ["sg-0a1b2c3d4e5f60718"],
            "anyscale_iam_role_id": cloud.control_plane_role_arn,
            "external_id": cloud.cloud_id,
            "cluster_iam_role_id": cloud.role_arn,
            "cluster_instance_profile_id": None,
        },
    )
    request = documents.compute_config(cloud)
    if request:
        sandbox.organization.create_template(request)
