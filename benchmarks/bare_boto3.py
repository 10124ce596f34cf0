# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The floor: the same calls by boto3 alone, in a pool of threads. Reads what onboarding reads, and
writes where it differs; or reads what an audit reads.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import functools
import json
import os
import threading
import typing as t
from pathlib import Path

import boto3
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError

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
        self._buckets: dict[str, threading.Lock] = {}

    def connect(self, hosts: t.Sequence[Json]) -> None:
        """Assume one role in each account."""
        self._buckets = {host["cloud_iam_bucket"]: threading.Lock() for host in hosts}
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
        """One cloud. What it has registered is asked for once, and again before a change."""
        account, bucket = host["cloud_iam_account_id"], host["cloud_iam_bucket"]
        iam, s3 = self._clients[account]
        role = self._registered(host)["cluster_iam_role_id"].rpartition("/")[2]
        trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
        if "ec2.amazonaws.com" not in json.dumps(trust):
            self._registered(host)
            trust["Statement"].append(_TRUST)
            iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))
        with self._buckets[bucket]:  # other clouds may have the same
            _converge_bucket(s3, account, role, bucket)
        profile = iam.get_instance_profile(InstanceProfileName=role)["InstanceProfile"]["Arn"]
        self._converge_compute_config(host, profile)

    def audit(self, host: Json) -> None:
        """Read all about one cloud, and judge nothing."""
        account, bucket = host["cloud_iam_account_id"], host["cloud_iam_bucket"]
        iam, s3 = self._clients[account]
        cloud = f"clouds/{host['cloud_iam_cloud_id']}"
        self._anyscale("GET", cloud)
        resource = self._anyscale("GET", f"{cloud}/resources")["results"][0]
        self._anyscale("GET", f"{cloud}/deployment/{resource['cloud_resource_id']}/config")
        self._newest_compute_config(host)
        registered = resource["aws_config"]
        cluster, control_plane = (
            registered[key].rpartition("/")[2]
            for key in ("cluster_iam_role_id", "anyscale_iam_role_id")
        )
        for role in (cluster, control_plane):
            iam.get_role(RoleName=role)
            iam.list_attached_role_policies(RoleName=role)
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
                iam.get_role_policy(RoleName=role, PolicyName=name)
        iam.get_instance_profile(InstanceProfileName=cluster)
        iam.list_instance_profiles_for_role(RoleName=cluster)
        s3.get_bucket_location(Bucket=bucket, ExpectedBucketOwner=account)
        s3.get_bucket_policy(Bucket=bucket, ExpectedBucketOwner=account)
        s3.get_bucket_encryption(Bucket=bucket, ExpectedBucketOwner=account)
        for read, missing in (
            (s3.get_bucket_tagging, "NoSuchTagSet"),
            (s3.get_bucket_cors, "NoSuchCORSConfiguration"),
        ):
            try:
                read(Bucket=bucket, ExpectedBucketOwner=account)
            except ClientError as error:
                if error.response["Error"]["Code"] != missing:
                    raise

    def _registered(self, host: Json) -> Json:
        found = self._anyscale("GET", f"clouds/{host['cloud_iam_cloud_id']}/resources")
        return t.cast(Json, found["results"][0]["aws_config"])

    def _newest_compute_config(self, host: Json) -> Json:
        search = {
            "name": {"equals": host["cloud_iam_compute_config"]},
            "cloud_id": host["cloud_iam_cloud_id"],
            "version": -1,
        }
        found = self._anyscale("POST", "compute_templates/search?count=1", search)
        return t.cast(Json, found["results"][0])

    def _converge_compute_config(self, host: Json, profile: str) -> None:
        found = self._newest_compute_config(host)
        if profile in json.dumps(found):
            return
        config = found["config"]
        del config["cloud"]
        for level in (config, *config["deployment_configs"]):
            level["advanced_configurations_json"] = {"IamInstanceProfile": {"Arn": profile}}
        created = {"name": host["cloud_iam_compute_config"], "anonymous": False}
        created |= {"new_version": True, "config": config}
        self._anyscale("POST", "compute_templates/", created)

    def _anyscale(self, method: str, path: str, body: Json | None = None) -> Json:
        url = f"{os.environ['ANYSCALE_HOST']}/api/v2/{path}"
        headers = {"Authorization": f"Bearer {os.environ['ANYSCALE_CLI_TOKEN']}"}
        answer = self._http.request(method, url, json=body, headers=headers)
        if answer.status >= 300:
            raise RuntimeError(f"{url} answered {answer.status}: {answer.data!r}")
        return t.cast(Json, answer.json())


def _converge_bucket(s3: t.Any, account: str, role: str, bucket: str) -> None:
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket, ExpectedBucketOwner=account)["Policy"])
    if role not in json.dumps(policy):
        policy["Statement"].append(_grant(f"arn:aws:iam::{account}:role/{role}", bucket))
        s3.put_bucket_policy(Bucket=bucket, ExpectedBucketOwner=account, Policy=json.dumps(policy))


def _grant(role_arn: str, bucket: str) -> Json:
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    return {
        "Effect": "Allow",
        "Principal": {"AWS": role_arn},
        "Action": list(_ACTIONS),
        "Resource": resources,
    }


def main() -> None:
    """Converge all clouds of an inventory, or read what an audit of them reads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inventory", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--audit", action="store_true")
    options = parser.parse_args()
    hosts = list(
        json.loads(options.inventory.read_text())["all"]["children"]["anyscale_clouds"][
            "hosts"
        ].values()
    )
    fleet = Fleet(options.threads)
    fleet.connect(hosts)
    with concurrent.futures.ThreadPoolExecutor(options.threads) as pool:
        for _done in pool.map(fleet.audit if options.audit else fleet.converge, hosts):
            pass


if __name__ == "__main__":
    main()
