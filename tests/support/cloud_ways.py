# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What clouds are found with of the ways by which clusters get a role, and a role its bucket: policies
of roles, and Cloud IAM mappings.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_want import (
    ACTIONS,
    SID,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    Json,
    make_role,
    policy,
    put_bucket_policy,
)

OWN_POLICY = SID  # by default, of the inline policy that grants the access
# The name that Anyscale's module for Terraform gives the policy.
MODULES_POLICY = "S3BucketAccess"
# Of another writer of Cloud IAM mappings.
OTHER_RULE = {"selector": "project=alpha", "value": "ray-of-others"}


def _grant(cloud: Cloud, **more: t.Any) -> Json:
    """The statement that grants all that clusters need in the bucket."""
    bucket = f"arn:aws:s3:::{cloud.bucket_name}"
    both = [bucket, f"{bucket}/*"]
    return {**more, "Effect": "Allow", "Action": list(ACTIONS), "Resource": both}


def own_access(cloud: Cloud, sid: str = MODULES_POLICY) -> Json:
    """The document of a policy of the role that gives it the bucket of its cloud."""
    return policy(_grant(cloud, Sid=sid))


def inline_policy(
    sandbox: Sandbox, cloud: Cloud, name: str = OWN_POLICY, role: str | None = None
) -> Json | None:
    """An inline policy of a role of a cloud, by default the cloud's own role."""
    iam = sandbox.client("iam", cloud.account_id)
    try:
        found = iam.get_role_policy(RoleName=role or cloud.role_name, PolicyName=name)
    except iam.exceptions.NoSuchEntityException:
        return None
    return t.cast(Json, found["PolicyDocument"])


def give_own_access(sandbox: Sandbox, cloud: Cloud, name: str = MODULES_POLICY) -> None:
    """Let an inline policy of the role give it the bucket."""
    sandbox.client("iam", cloud.account_id).put_role_policy(
        RoleName=cloud.role_name,
        PolicyName=name,
        PolicyDocument=json.dumps(own_access(cloud, name)),
    )


def make_managed_policy(sandbox: Sandbox, cloud: Cloud) -> str:
    """A managed policy, attached to no role, that gives the bucket; returns its ARN."""
    made = sandbox.client("iam", cloud.account_id).create_policy(
        PolicyName=managed_policy_of(cloud).rpartition("/")[2],
        PolicyDocument=json.dumps(own_access(cloud)),
    )
    return str(made["Policy"]["Arn"])


def managed_policy_of(cloud: Cloud) -> str:
    """The ARN of that policy."""
    return f"arn:aws:iam::{cloud.account_id}:policy/{cloud.name}-bucket"


def make_further_role(sandbox: Sandbox, cloud: Cloud) -> str:
    """A role of a cloud besides its own, that only Lambda may assume; returns its ARN."""
    return make_role(sandbox, further_role_of(cloud), account=cloud.account_id)


def further_role_of(cloud: Cloud) -> str:
    """The name of that role."""
    return f"{cloud.name}-gpu"


def add_rule_of_others(sandbox: Sandbox, cloud: Cloud) -> None:
    """Let the Cloud IAM mapping have a rule of another writer."""
    put_mapping(sandbox, cloud, [OTHER_RULE])


def put_mapping(sandbox: Sandbox, cloud: Cloud, rules: list[Json]) -> None:
    """Replace the Cloud IAM mapping of the primary resource."""
    resource_id = sandbox.organization.primary_resource(cloud.cloud_id)["cloud_resource_id"]
    sandbox.organization.mappings[resource_id] = {
        **sandbox.organization.mapping(cloud.cloud_id, resource_id),
        "dataplane_iam_mapping": {
            "mode": "CUSTOMER_MANAGED",
            "rules": rules,
            "fallback_rule": "CLOUD_DEFAULT",
        },
    }


def mapping_rules(sandbox: Sandbox, cloud: Cloud) -> list[tuple[str, str]]:
    """The rules of that mapping: the selector and the value of each."""
    resource_id = sandbox.organization.primary_resource(cloud.cloud_id)["cloud_resource_id"]
    mapping = sandbox.organization.mapping(cloud.cloud_id, resource_id)["dataplane_iam_mapping"]
    return [(rule["selector"], rule["value"]) for rule in mapping.get("rules", [])]


def put_our_statement(sandbox: Sandbox, cloud: Cloud) -> None:
    """Let the bucket's policy grant the access by our own statement."""
    statement = _grant(cloud, Sid=SID, Principal={"AWS": [cloud.role_arn]})
    put_bucket_policy(sandbox, cloud.bucket_name, policy(statement))
