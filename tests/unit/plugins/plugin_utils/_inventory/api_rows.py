# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows as they are read from the Anyscale API, for the tests of what is made of them."""

from __future__ import annotations

import typing as t

Json = dict[str, t.Any]

ACCOUNT = "222222222222"
OTHER_ACCOUNT = "333333333333"
# The section of a fleet file that permits everything that there is in these tests.
ALLOW_ALL: Json = {
    "accounts": [ACCOUNT, OTHER_ACCOUNT],
    "roles": ["*"],
    "buckets": ["*"],
    "shared": {"roles": ["*"], "buckets": ["*"]},
    "unlisted": "include",
}


def role_arn(name: str, account_id: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account_id}:role/{name}"


def resource(name: str = "vm-aws-us-west-2", **changes: t.Any) -> Json:
    """A resource on virtual machines in AWS, with all that the API shows of one that is set up."""
    row = {
        "cloud_resource_id": f"cldrsrc_{name.replace('-', '')}",
        "name": name,
        "provider": "AWS",
        "compute_stack": "VM",
        "region": "us-west-2",
        "created_at": None,
        "is_default": True,
        "object_storage": {"bucket_name": "s3://speech-data", "region": None},
        "aws_config": {
            "anyscale_iam_role_id": role_arn("speech-crossacct"),
            "cluster_iam_role_id": role_arn("speech-nodes"),
            "cluster_instance_profile_id": None,
        },
    }
    return {**row, **changes}


def row(
    name: t.Any = "speech", *resources: Json, cloud_id: str = "cld_1", **changes: t.Any
) -> Json:
    """A cloud whose resources were read; without any given, the usual one."""
    cloud = {
        "id": cloud_id,
        "name": name,
        "provider": "AWS",
        "compute_stack": "VM",
        "is_aioa": False,
    }
    return {
        "cloud": cloud,
        "chosen": True,
        "failure": None,
        "resources": list(resources) or [resource()],
        **changes,
    }
