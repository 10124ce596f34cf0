# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS accounts furnished without calls: roles, instance profiles and buckets put straight into
moto, as setup calls would.
"""

from __future__ import annotations

import json
import threading
import typing as t

from moto.iam.models import AWSManagedPolicy, iam_backends
from moto.s3.models import s3_backends

from ansible_collections.rayfleet.anyscale.tests.sandbox import _principals
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import PARTITION
from ansible_collections.rayfleet.anyscale.tests.sandbox._policy_documents import (
    accepted_bucket_policy,
    reordered,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._policy_store import PolicyStore
from ansible_collections.rayfleet.anyscale.tests.sandbox._principals import Document

_HOUR = "3600"
_IMAGE = "ami-12c6146b"


class AwsAccounts:
    """What is in AWS's accounts, for tests that prepare many clouds."""

    def __init__(self, policies: PolicyStore, lock: threading.Lock) -> None:
        self._policies = policies
        self._lock = lock

    def has_role(self, account_id: str, name: str) -> bool:
        """Whether an account has a role of this name."""
        with self._lock:
            return any(
                role.name == name for role in iam_backends[account_id][PARTITION].roles.values()
            )

    def add_role(
        self,
        account_id: str,
        name: str,
        trust: Document,
        path: str = "/",
        policies: t.Mapping[str, Document] | None = None,
        tags: t.Mapping[str, str] | None = None,
    ) -> None:
        """Create a role with its inline policies."""
        listed = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
        with self._lock:
            bound = reordered(_principals.bind(trust, 0.0))
            backend: t.Any = iam_backends[account_id][PARTITION]
            role = backend.create_role(
                name,
                json.dumps(trust),
                path,
                permissions_boundary=None,
                description=None,
                tags=listed,
                max_session_duration=_HOUR,
            )
            self._policies.put(role.id, bound, settled=True)
            for policy_name, document in (policies or {}).items():
                role.put_policy(policy_name, json.dumps(document))

    def attach_aws_policy(
        self, account_id: str, role_name: str, name: str, document: Document
    ) -> None:
        """Attach a policy that AWS manages to a role. Moto would load all of them, or has none."""
        with self._lock:
            backend: t.Any = iam_backends[account_id][PARTITION]
            make: t.Any = AWSManagedPolicy
            policy = make(
                name,
                account_id=account_id,
                region="us-east-1",
                path="/",
                document=json.dumps(document),
            )
            if policy.arn not in backend.managed_policies:
                backend.managed_policies[policy.arn] = policy
                backend.aws_managed_policies.append(policy)
            backend.managed_policies[policy.arn].attach_to(backend.get_role(role_name))

    def past_policies(self, key: str) -> list[Document | None]:
        """The policies that a bucket (by its name) or a role (by its unique id) had since it was
        prepared.
        """
        with self._lock:
            return [
                document and _principals.show(document) for document in self._policies.past(key)
            ]

    def add_instance_profile(self, account_id: str, name: str, *role_names: str) -> None:
        """Create an instance profile, of a role or of none."""
        with self._lock:
            iam_backends[account_id][PARTITION].create_instance_profile(name, "/", list(role_names))

    def has_instance_profile(self, account_id: str, name: str) -> bool:
        """Whether an account has an instance profile of this name."""
        with self._lock:
            profiles = iam_backends[account_id][PARTITION].instance_profiles
            return any(profile.name == name for profile in profiles.values())

    def add_bucket(
        self,
        account_id: str,
        name: str,
        region: str,
        policy: Document | None,
        tags: t.Mapping[str, str] | None = None,
        cors_rules: list[dict[str, t.Any]] | None = None,
    ) -> None:
        """Create a bucket, unless it is the account's already, and write its policy, its tags and
        its CORS rules if they are given.
        """
        with self._lock:
            backend = s3_backends[account_id][PARTITION]
            if name not in backend.buckets:
                backend.create_bucket(name, region)
            if policy:
                text = json.dumps(policy)
                self._policies.put(name, accepted_bucket_policy(text, name, 0.0), settled=True)
                backend.put_bucket_policy(name, text.encode())
            if tags:
                backend.put_bucket_tagging(name, dict(tags))
            if cors_rules:
                backend.put_bucket_cors(name, cors_rules)

    def add_instance(
        self,
        account_id: str,
        region: str,
        cloud_id: str,
        profile: str | None = None,
        state: str = "running",
    ) -> str:
        """Run an instance of a cloud with an instance profile of the account, or with none, and
        return its id. Anyscale tags instances so: ``aws_iam_policies.py`` of its Python package.
        """
        # Here, because it takes over a second that few tests need.
        from moto.ec2.models import ec2_backends

        with self._lock:
            backend: t.Any = ec2_backends[account_id][region]
            (instance,) = backend.run_instances(
                _IMAGE,
                1,
                None,
                [],
                region_name=region,
                instance_type="m5.large",
                is_instance_type_default=False,
                placement=None,
                tags={"instance": {"anyscale-cloud-id": cloud_id}},
            ).instances
            if profile:
                backend.associate_iam_instance_profile(
                    instance.id, iam_instance_profile_name=profile
                )
            if state == "stopped":
                instance.stop()
            return str(instance.id)
