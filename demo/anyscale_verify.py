# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges the seeded fleet from outside: Anyscale's own verification code and SDK, and the grants
as AWS holds them.

Nothing of the collection's plugins is used. On the command line, in the environment of a sandbox:
one line for each cloud, exit status 1 when something is wrong with one of them.
"""

from __future__ import annotations

import json
import sys
import typing as t

import anyscale
import boto3

from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET, Cloud, anyscale_verify
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import ONBOARDING_ROLE, REGION

BUCKET_ACTIONS = {"s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation"}
OBJECT_ACTIONS = {
    "s3:PutObject",
    "s3:GetObject",
    "s3:DeleteObject",
    "s3:ListMultipartUploadParts",
    "s3:AbortMultipartUpload",
}


def session_in(account_id: str) -> boto3.Session:
    """A session in a cloud's account, by the role that the onboarding assumes as well."""
    role = f"arn:aws:iam::{account_id}:role/{ONBOARDING_ROLE}"
    credentials = boto3.client("sts").assume_role(RoleArn=role, RoleSessionName="judge")[
        "Credentials"
    ]
    return boto3.Session(
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        region_name=REGION,
    )


def complaints(cloud: Cloud) -> list[str]:
    """What is wrong with a cloud."""
    session = session_in(cloud.account_id)
    verdict = anyscale_verify.verify_cloud(session, cloud)
    if not (verdict.roles and verdict.bucket):
        return list(verdict.complaints) or ["refused by Anyscale"]
    return [
        problem for problem in (missing_grants(cloud, session), wrong_profiles(cloud)) if problem
    ]


def missing_grants(cloud: Cloud, session: boto3.Session) -> str:
    """The actions that no unconditional Allow statement gives to exactly this role: Anyscale's
    code checks three of eight.
    """
    document = json.loads(
        session.client("s3").get_bucket_policy(Bucket=cloud.bucket_name)["Policy"]
    )
    missing = set()
    for resource, actions in (
        (f"arn:aws:s3:::{cloud.bucket_name}", BUCKET_ACTIONS),
        (f"arn:aws:s3:::{cloud.bucket_name}/*", OBJECT_ACTIONS),
    ):
        granted = {
            action
            for statement in document["Statement"]
            if statement["Effect"] == "Allow" and not statement.get("Condition")
            if cloud.role_arn in _listed(statement.get("Principal"), "AWS")
            and resource in _listed(statement.get("Resource"))
            for action in _listed(statement.get("Action"))
        }
        missing |= actions - granted
    return f"{cloud.role_name} lacks {', '.join(sorted(missing))}" if missing else ""


def wrong_profiles(cloud: Cloud) -> str:
    """The node groups of the compute config, read through Anyscale's SDK, that do not run with
    the role's profile.
    """
    try:
        config = anyscale.compute_config.get(
            name=cloud.compute_config_name, cloud=cloud.name
        ).config
    except RuntimeError as error:
        return str(error)
    groups = {"head node": config.head_node} | {
        f"worker {worker.name}": worker for worker in config.worker_nodes or ()
    }
    wrong = []
    for name, group in groups.items():
        own = getattr(group, "advanced_instance_config", None)  # hides the one of the whole cluster
        profile = (
            (own or config.advanced_instance_config or {})
            .get("IamInstanceProfile", {})
            .get("Arn", "no profile")
        )
        if profile != cloud.instance_profile_arn:
            wrong.append(f"{name} runs with {profile}")
    return "; ".join(wrong)


def _listed(value: t.Any, key: str = "") -> list[t.Any]:
    """A policy element as a list: itself, or its ``key``, may be a lone string or missing."""
    if key:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, list) else [value]


def main() -> int:
    """Print the verdicts."""
    fleet = {cloud.name: complaints(cloud) for cloud in FLEET}
    for name, problems in fleet.items():
        print(f"{name}: {'; '.join(problems) or 'all is well'}")
    return int(any(fleet.values()))


if __name__ == "__main__":
    sys.exit(main())
