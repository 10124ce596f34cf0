# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The EC2 call that the collection makes: which instances of a cloud run, and with which instance
profile.

This module util is private to the collection. I/O, read-only.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.instances import Instance
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession

# Anyscale tags what it creates for a cloud so, and its permissions to terminate instances depend on
# it: aws_iam_policies.py in Anyscale's Python package, and the Terraform module of its clouds.
_TAG = "anyscale-cloud-id"
_STATES = ("pending", "running")
_PAGE = 1000


def running_instances(session: AwsSession, region: str, cloud_id: str) -> list[Instance]:
    """``DescribeInstances``: the instances of a cloud that run or are about to, in the region of
    the session.
    """
    filters = [
        {"Name": f"tag:{_TAG}", "Values": [cloud_id]},
        {"Name": "instance-state-name", "Values": list(_STATES)},
    ]
    return [
        Instance(
            instance["InstanceId"],
            region,
            instance["State"]["Name"],
            (instance.get("IamInstanceProfile") or {}).get("Arn"),
        )
        for page in _pages(session, filters)
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
    ]


def _pages(session: AwsSession, filters: list[dict[str, t.Any]]) -> t.Iterator[dict[str, t.Any]]:
    token: dict[str, str] = {}
    while True:
        page = session.call("ec2", "describe_instances", Filters=filters, MaxResults=_PAGE, **token)
        yield page
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}
