# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The floor: the same calls by boto3 alone, in a pool of threads. Reads what onboarding reads,
writes where it differs.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import functools
import json
import os
import typing as t
from pathlib import Path

import boto3
import urllib3
from botocore.config import Config

Json = dict[str, t.Any]

_ACTIONS = (
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:GetBucketLocation",
    "s3:PutObject",
    "s3:GetObject",
    "s3:DeleteObject",
)
_TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "ec2.amazonaws.com"},
    "Action": "sts:AssumeRole",
}


class Fleet:
    """The clients that all threads share: one session, and for each account keys of its own."""

    def __init__(self, threads: int) -> None:
        self._config = Config(max_pool_connections=threads)
        self._session = boto3.Session()
        self._http = urllib3.PoolManager(maxsize=threads)
        self._clients: dict[str, tuple[t.Any, t.Any]] = {}

    def connect(self, hosts: t.Iterable[Json]) -> None:
        """Assume one role in each account."""
        roles = {
            host["cloud_iam_account_id"]: (
                host["cloud_iam_assume_role_arn"],
                host["cloud_iam_region"],
            )
            for host in hosts
        }
        sts = self._session.client("sts", config=self._config)
        for account, (role, region) in roles.items():
            credentials = sts.assume_role(RoleArn=role, RoleSessionName="bench")["Credentials"]
            client = functools.partial(
                self._session.client,
                region_name=region,
                config=self._config,
                aws_access_key_id=credentials["AccessKeyId"],
                aws_secret_access_key=credentials["SecretAccessKey"],
                aws_session_token=credentials["SessionToken"],
            )
            self._clients[account] = client("iam"), client("s3")

    def converge(self, host: Json) -> None:
        """One cloud."""
        account, bucket = host["cloud_iam_account_id"], host["cloud_iam_bucket"]
        role = f"{host['cloud_iam_cloud_id']}-cluster_node_role"
        iam, s3 = self._clients[account]
        trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
        if "ec2.amazonaws.com" not in json.dumps(trust):
            trust["Statement"].append(_TRUST)
            iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))
        policy = json.loads(
            s3.get_bucket_policy(Bucket=bucket, ExpectedBucketOwner=account)["Policy"]
        )
        if role not in json.dumps(policy):
            policy["Statement"].append(_grant(f"arn:aws:iam::{account}:role/{role}", bucket))
            s3.put_bucket_policy(
                Bucket=bucket, ExpectedBucketOwner=account, Policy=json.dumps(policy)
            )
        profile = iam.get_instance_profile(InstanceProfileName=role)["InstanceProfile"]["Arn"]
        self._converge_compute_config(host, profile)

    def _converge_compute_config(self, host: Json, profile: str) -> None:
        name, cloud_id = host["cloud_iam_compute_config"], host["cloud_iam_cloud_id"]
        found = self._anyscale(
            "search?count=1", {"name": {"equals": name}, "cloud_id": cloud_id, "version": -1}
        )["results"][0]
        if profile in json.dumps(found):
            return
        config = found["config"]
        del config["cloud"]
        for level in (config, *config["deployment_configs"]):
            level["advanced_configurations_json"] = {"IamInstanceProfile": {"Arn": profile}}
        self._anyscale(
            "", {"name": name, "anonymous": False, "new_version": True, "config": config}
        )

    def _anyscale(self, path: str, body: Json) -> Json:
        url = f"{os.environ['ANYSCALE_HOST']}/api/v2/compute_templates/{path}"
        answer = self._http.request(
            "POST",
            url,
            json=body,
            headers={"Authorization": f"Bearer {os.environ['ANYSCALE_CLI_TOKEN']}"},
        )
        if answer.status >= 300:
            raise RuntimeError(f"{url} answered {answer.status}: {answer.data!r}")
        return answer.json()


def _grant(role_arn: str, bucket: str) -> Json:
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    return {
        "Effect": "Allow",
        "Principal": {"AWS": role_arn},
        "Action": list(_ACTIONS),
        "Resource": resources,
    }


def main() -> None:
    """Converge all clouds of an inventory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inventory", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    hosts = list(
        json.loads(options.inventory.read_text())["all"]["children"]["anyscale_clouds"][
            "hosts"
        ].values()
    )
    fleet = Fleet(options.threads)
    fleet.connect(hosts)
    with concurrent.futures.ThreadPoolExecutor(options.threads) as pool:
        for _done in pool.map(fleet.converge, hosts):
            pass


if __name__ == "__main__":
    main()
