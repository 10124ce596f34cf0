# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documents that a fleet is found with: trust policies, bucket policies and compute configs, by
the name of the state.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.control_plane_actions import (
    INSTANCE_ACTIONS,
    SERVICE_ACTIONS,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import Cloud

Json = dict[str, t.Any]

PARTNER_ACCOUNT = "444444444444"
CONTROL_PLANE_ACCOUNT = "525325868955"
CONTROL_PLANE_POLICY = "Anyscale_IAM_Policy_Steady_State"  # as Anyscale's command line calls it
REGISTRY_POLICY = "AmazonEC2ContainerRegistryReadOnly"

_OBJECT_ACTIONS = (
    "s3:PutObject",
    "s3:GetObject",
    "s3:DeleteObject",
    "s3:ListMultipartUploadParts",
    "s3:AbortMultipartUpload",
)
_BUCKET_ACTIONS = ("s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation")
_OTHER_PROFILE = "ray-autoscaler-v1"


def policy(*statements: Json) -> Json:
    """A policy document of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _service_trust(
    services: str | list[str], action: str | list[str] = "sts:AssumeRole", **more: t.Any
) -> Json:
    return {"Effect": "Allow", "Principal": {"Service": services}, "Action": action, **more}


_LAMBDA = _service_trust("lambda.amazonaws.com")
LAMBDA_ONLY = policy(_LAMBDA)
_PARTNER: Json = {
    "Sid": "PartnerIngest",
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{PARTNER_ACCOUNT}:root"},
    "Action": "sts:AssumeRole",
    "Condition": {"StringEquals": {"sts:ExternalId": "partner-7f3a"}},
}


def trust_policy(cloud: Cloud) -> Json:
    """The trust policy of the role of a cloud's clusters."""
    only_here = {"StringEquals": {"aws:SourceAccount": cloud.account_id}}
    states: dict[str, Json] = {
        "lambda_only": LAMBDA_ONLY,
        "manual_page": policy(_service_trust(["ec2.amazonaws.com"], Condition={})),
        "cloudformation": policy(_service_trust("ec2.amazonaws.com", Sid="Allow")),
        "ec2_and_lambda": policy(_service_trust("ec2.amazonaws.com", Sid="Allow"), _LAMBDA),
        "list_action": policy(_service_trust("ec2.amazonaws.com", ["sts:AssumeRole"])),
        "conditional": policy(
            _service_trust("ec2.amazonaws.com", Sid="OnlyThisAccount", Condition=only_here)
        ),
        "foreign_principal": policy(_PARTNER, _LAMBDA),
        "many_services": policy(
            _service_trust(
                ["lambda.amazonaws.com", "ec2.amazonaws.com"], ["sts:AssumeRole", "sts:TagSession"]
            )
        ),
    }
    return states[cloud.trust]


def control_plane_trust(cloud: Cloud) -> Json:
    """The trust policy of the role that Anyscale's control plane assumes."""
    statement = {
        "Sid": "AnyscaleControlPlaneAssumeRole",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{CONTROL_PLANE_ACCOUNT}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": cloud.cloud_id}},
    }
    return policy(statement)


def control_plane_policies(cloud: Cloud) -> dict[str, Json]:
    """The inline policies of that role: those of Anyscale's command line, by the names that it
    gives them, and its access to the bucket as the module for Terraform gives it. A unit test
    compares the actions with the command line's.

    Of roles, the command line's policy passes all; the module's only its own, which is the default
    here.
    """
    own = [cloud.role_arn, cloud.instance_profile_arn]
    passed = "*" if cloud.control_plane == "passes_all" else own
    found = {
        CONTROL_PLANE_POLICY: policy(
            _allowed("IAM", ["iam:PassRole", "iam:GetInstanceProfile"], passed),
            _allowed("Instances", INSTANCE_ACTIONS, "*"),
        ),
        "Anyscale_IAM_Policy_Service_Steady_State": policy(
            _allowed("Services", SERVICE_ACTIONS, "*")
        ),
        **bucket_access(cloud),
    }
    if cloud.control_plane == "no_services":
        del found["Anyscale_IAM_Policy_Service_Steady_State"]
    return found


def role_policies(cloud: Cloud) -> dict[str, Json]:
    """The inline policies of the clusters' role."""
    return bucket_access(cloud) if cloud.owns_bucket_access else {}


def bucket_access(cloud: Cloud) -> dict[str, Json]:
    """The policy by which Anyscale's module for Terraform gives a role the bucket."""
    bucket = f"arn:aws:s3:::{cloud.bucket_name}"
    actions = [*_OBJECT_ACTIONS, *_BUCKET_ACTIONS]
    return {"S3BucketAccess": policy(_allowed("S3BucketAccess", actions, [bucket, f"{bucket}/*"]))}


def registry_policy() -> Json:
    """What of AWS's managed policy AmazonEC2ContainerRegistryReadOnly pulls images.
    https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEC2ContainerRegistryReadOnly.html
    """
    actions = (
        "ecr:GetAuthorizationToken",
        "ecr:BatchCheckLayerAvailability",
        "ecr:GetDownloadUrlForLayer",
        "ecr:BatchGetImage",
    )
    return policy({"Effect": "Allow", "Action": list(actions), "Resource": "*"})


def cors_rules() -> list[Json]:
    """The rule that Anyscale's CloudFormation template gives a bucket."""
    return [
        {
            "AllowedHeader": "*",
            "AllowedMethod": ["GET", "PUT", "POST", "HEAD", "DELETE"],
            "AllowedOrigin": "https://*.anyscale.com",
            "ExposeHeader": ["Accept-Ranges", "Content-Range", "Content-Length"],
        }
    ]


def _allowed(sid: str, actions: t.Iterable[str], resource: str | list[str]) -> Json:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}


def account_trust(account_id: str) -> Json:
    """The trust policy of a role that an account's principals may assume."""
    return policy(
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{account_id}:root"},
            "Action": "sts:AssumeRole",
        }
    )


def bucket_policy(cloud: Cloud) -> Json | None:
    """The policy of a cloud's bucket, if it has one."""
    bucket = f"arn:aws:s3:::{cloud.bucket_name}"
    both = [bucket, f"{bucket}/*"]
    roles = [cloud.role_arn, cloud.control_plane_role_arn]
    basic = ("s3:PutObject", "s3:DeleteObject", "s3:GetObject", "s3:ListBucket")
    tls_only = {
        "Sid": "AllowSSLRequestsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": both,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    states: dict[str, Json | None] = {
        "none": None,
        "cloudformation": policy(_grant(roles, basic, both)),
        "cloud_foundation": policy(
            tls_only,
            _grant(roles, (*_OBJECT_ACTIONS, *_BUCKET_ACTIONS), both, Sid="AllowAnyscaleResources"),
        ),
        "managed": policy(
            tls_only,
            _grant(
                cloud.role_arn,
                (*_BUCKET_ACTIONS, *_OBJECT_ACTIONS),
                both,
                Sid="AnyscaleClusterAccess",
            ),
        ),
        "foreign_reader": policy(
            _grant(PARTNER_ACCOUNT, ["s3:GetObject"], f"{bucket}/exports/*", Sid="AnalyticsExport")
        ),
        "complete": policy(
            _grant(cloud.role_arn, _OBJECT_ACTIONS, f"{bucket}/*", Sid="ClusterObjects"),
            _grant(cloud.role_arn, _BUCKET_ACTIONS, bucket, Sid="ClusterBucket"),
        ),
    }
    return states[cloud.bucket_policy]


def _grant(
    principal: str | list[str], actions: t.Iterable[str], resource: str | list[str], **more: str
) -> Json:
    return {
        **more,
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": list(actions),
        "Resource": resource,
    }


def compute_config(cloud: Cloud) -> Json | None:
    """The request that made a cloud's compute config, as Anyscale's CLI sends it; ``None`` where
    there is none.
    """
    other = f"arn:aws:iam::{cloud.account_id}:instance-profile/{_OTHER_PROFILE}"
    disk = {
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 500, "VolumeType": "gp3"}}
        ]
    }
    gpu_worker = {
        "name": "gpu",
        "instance_type": "g5.4xlarge",
        "min_workers": 0,
        "max_workers": 4,
        "use_spot": True,
    }
    states: dict[str, Json | None] = {
        "missing": None,
        "in_sync": _request(cloud, _profile(cloud.instance_profile_arn)),
        "role_arn": _request(cloud, _profile(cloud.role_arn)),
        "other_profile": _request(cloud, {**_profile(other), **disk}),
        "hidden_by_worker": _request(
            cloud,
            _profile(cloud.instance_profile_arn),
            {**gpu_worker, "advanced_configurations_json": disk},
        ),
        "worker_of_another_role": _request(
            cloud,
            _profile(cloud.instance_profile_arn),
            {**gpu_worker, "advanced_configurations_json": _profile(other)},
        ),
    }
    return states[cloud.compute_config]


def _profile(arn: str) -> Json:
    return {"IamInstanceProfile": {"Arn": arn}}


def _request(cloud: Cloud, advanced: Json, *more_workers: Json) -> Json:
    cpu_worker = {
        "name": "cpu",
        "instance_type": "m5.4xlarge",
        "min_workers": 0,
        "max_workers": 10,
        "use_spot": False,
    }
    cluster: Json = {
        "head_node_type": {
            "name": "head-node",
            "instance_type": "m5.2xlarge",
            "resources": {"cpu": 0, "gpu": 0},
        },
        "worker_node_types": [cpu_worker, *more_workers],
        "advanced_configurations_json": advanced,
        "auto_select_worker_config": False,
        "flags": {"allow-cross-zone-autoscaling": False},
    }
    config = {"cloud_id": cloud.cloud_id, **cluster, "deployment_configs": [cluster]}
    return {
        "name": cloud.compute_config_name,
        "anonymous": False,
        "new_version": True,
        "config": config,
    }
