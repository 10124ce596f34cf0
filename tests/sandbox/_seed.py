# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts a fleet into the sandbox: roles, instance profiles, buckets, clouds and compute configs."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.rayfleet.anyscale.tests.sandbox import _seed_documents as documents
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import TOOLING_ACCOUNT
from ansible_collections.rayfleet.anyscale.tests.sandbox._launches import STATES
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import (
    FLEET,
    ONBOARDING_ROLE,
    REGION,
    Cloud,
)

if t.TYPE_CHECKING:
    from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_accounts import AwsAccounts
    from ansible_collections.rayfleet.anyscale.tests.sandbox._organization import Organization
    from ansible_collections.rayfleet.anyscale.tests.sandbox._server import Sandbox

# The tags by which a tool that made them is known. CloudFormation puts none of its own on roles,
# https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1159, but those of the
# template: here anyscale-cloud-setup.yaml of Anyscale's command line.
ROLE_TAGS: dict[str, dict[str, str]] = {
    "": {},
    "cloudformation": {
        "Name": "anyscale-cloud",
        "anyscale-cloud-id": "cld_4fxb3wsbdcq2n1p9",
        "anyscale-deploy-environment": "production",
    },
    "terraform": {
        "tf_module": "terraform-aws-anyscale-cloudfoundation-modules",
        "tf_sub_module": "aws-anyscale-iam",
    },
}
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html
# and anyscale-cloud-setup.yaml of Anyscale's command line.
BUCKET_TAGS: dict[str, dict[str, str]] = {
    "cloudformation": {
        "aws:cloudformation:stack-name": "anyscale-cloud",
        "aws:cloudformation:logical-id": "S3Bucket",
        "anyscale-deploy-environment": "production",
    },
}


def seed_fleet(sandbox: Sandbox, fleet: t.Iterable[Cloud]) -> None:
    """Add these clouds to what is there already; accounts and buckets may be shared with it."""
    for cloud in fleet:
        if not sandbox.accounts.has_role(cloud.account_id, ONBOARDING_ROLE):
            sandbox.accounts.add_role(
                cloud.account_id, ONBOARDING_ROLE, documents.account_trust(TOOLING_ACCOUNT)
            )
        _add_roles(sandbox.accounts, cloud)
        _add_instance_profile(sandbox.accounts, cloud)
        sandbox.accounts.add_bucket(
            cloud.account_id,
            cloud.bucket_name,
            REGION,
            documents.bucket_policy(cloud),
            tags=BUCKET_TAGS.get(cloud.owner),
            cors_rules=documents.cors_rules() if cloud.cors else None,
        )
        register(sandbox.organization, cloud)
        request = documents.compute_config(cloud)
        if request:
            sandbox.organization.create_template(request)


def seed_for_guide(sandbox: Sandbox) -> None:
    """The fleet, and what the pages of the guide find beside it: launches of a cloud, and a managed
    policy that gives roles a bucket.
    """
    seed_fleet(sandbox, FLEET)
    by_name = {cloud.name: cloud for cloud in FLEET}
    seed_running(sandbox, by_name["search-prod"])
    cloud = by_name["vision-prod"]
    (granted,) = documents.bucket_access(cloud).values()
    sandbox.client("iam", cloud.account_id).create_policy(
        PolicyName=f"{cloud.name}-bucket", PolicyDocument=json.dumps(granted)
    )


def _add_roles(accounts: AwsAccounts, cloud: Cloud) -> None:
    accounts.add_role(
        cloud.account_id,
        cloud.control_plane_role_name,
        documents.control_plane_trust(cloud),
        policies=documents.control_plane_policies(cloud),
    )
    if cloud.trust:
        trust, tags = documents.trust_policy(cloud), ROLE_TAGS[cloud.owner]
        accounts.add_role(
            cloud.account_id,
            cloud.role_name,
            trust,
            cloud.role_path,
            policies=documents.role_policies(cloud),
            tags=tags,
        )
        if cloud.registry:
            accounts.attach_aws_policy(
                cloud.account_id,
                cloud.role_name,
                documents.REGISTRY_POLICY,
                documents.registry_policy(),
            )


def _add_instance_profile(accounts: AwsAccounts, cloud: Cloud) -> None:
    if cloud.profile != "missing":
        roles = [cloud.role_name] if cloud.profile == "filled" else []
        accounts.add_instance_profile(cloud.account_id, cloud.role_name, *roles)


def register(organization: Organization, cloud: Cloud) -> None:
    """Let an organization have the cloud, with the resource that a customer's own account is."""
    organization.add_cloud(
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


def seed_running(sandbox: Sandbox, cloud: Cloud) -> None:
    """Let a cluster, a service, a job, a schedule and a workspace run with the newest version of a
    seeded cloud's compute config, and two instances with the instance profile that it names. They
    keep it when the next version is published.
    """
    name = {"name": {"equals": cloud.compute_config_name}, "cloud_id": cloud.cloud_id}
    (newest,) = sandbox.organization.templates.search(name, 0.0)
    for kind in STATES:
        launch = f"{cloud.name}-{kind}"
        sandbox.organization.launch(kind, cloud.cloud_id, launch, newest["id"])
    arn = newest["config"]["advanced_configurations_json"]["IamInstanceProfile"]["Arn"]
    profile = arn.rpartition("/")[2]
    if not sandbox.accounts.has_instance_profile(cloud.account_id, profile):
        sandbox.accounts.add_instance_profile(cloud.account_id, profile)
    for _number in range(2):
        sandbox.accounts.add_instance(cloud.account_id, REGION, cloud.cloud_id, profile)
