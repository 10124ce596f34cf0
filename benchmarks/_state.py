# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the stand-in server holds: the documents of every cloud, which the contenders read and
write.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.rayfleet.anyscale.benchmarks import _fleet
from ansible_collections.rayfleet.anyscale.tests.sandbox import (
    _seed_documents as documents,
    generated_fleet,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import TOOLING_ACCOUNT
from ansible_collections.rayfleet.anyscale.tests.sandbox._organization import (
    ORGANIZATION_ID,
    OWNER,
    Organization,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._seed import register
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import ONBOARDING_ROLE, Cloud

Json = dict[str, t.Any]
InAccount = tuple[str, str]  # an account, or a cloud, and a name that is unique there

_SHOWN_OF_A_CLOUD = (
    "id",
    "name",
    "provider",
    "is_k8s",
    "is_aioa",
    "cluster_management_stack_version",
    "is_private_cloud",
)


class Documents(t.NamedTuple):
    """What of a cloud is converged."""

    trust: str
    bucket_policy: str
    compute_config: bytes


class Fleet:
    """The clouds of a shape, the documents of each in both of its states, and what stays as it is."""

    def __init__(self, shape: _fleet.Shape) -> None:
        self.clouds = generated_fleet.clouds(*shape)
        self.organization = Organization()
        for cloud in self.clouds:
            register(self.organization, cloud)
        self.in_sync = [self._documents(cloud, with_profile=True) for cloud in self.clouds]
        self.drifted = [
            self._documents(generated_fleet.drifted(cloud), with_profile=False)
            for cloud in self.clouds
        ]
        self.cloud_rows = {
            cloud["name"]: _encoded({**cloud, "creator": OWNER})
            for cloud in self.organization.clouds.values()
        }
        self.resource_rows = {
            cloud_id: [_encoded(one) for one in found]
            for cloud_id, found in self.organization.resources.items()
        }
        self.mappings = {
            (cloud_id, resource["cloud_resource_id"]): _encoded(_without_mapping(resource))
            for cloud_id, found in self.organization.resources.items()
            for resource in found
        }
        self.owners = {cloud.bucket_name: cloud.account_id for cloud in self.clouds}
        self.profiles = {(cloud.account_id, cloud.role_name) for cloud in self.clouds}
        self.other_roles = dict(_other_roles(self.clouds))
        self.inline_policies = {
            (cloud.account_id, cloud.control_plane_role_name): {
                name: compact(document)
                for name, document in documents.control_plane_policies(cloud).items()
            }
            for cloud in self.clouds
        }
        self.roles: dict[str, list[str]] = {account: [] for account in generated_fleet.ACCOUNTS}
        for account, role in sorted({*self.profiles, *self.other_roles}):
            self.roles[account].append(role)

    def template(self, request: Json, version: int) -> Json:
        """A compute config as the service stores what a request asks for."""
        return {
            **self.organization.templates.unsaved(request, OWNER["id"], ORGANIZATION_ID),
            "version": version,
        }

    def row(self, template: Json) -> bytes:
        """A stored compute config as a search shows it: with its creator and its cloud. Made once,
        not for each search.
        """
        cloud = self.organization.clouds[template["config"]["cloud_id"]]
        config = {**template["config"], "cloud": {key: cloud[key] for key in _SHOWN_OF_A_CLOUD}}
        return _encoded({**template, "config": config, "creator": {**OWNER, "deleted_at": None}})

    def _documents(self, cloud: Cloud, with_profile: bool) -> Documents:
        row = self.row(self.template(_fleet.compute_config(cloud, with_profile), version=1))
        return Documents(
            compact(documents.trust_policy(cloud)), compact(documents.bucket_policy(cloud)), row
        )


class State:
    """Everything that can be written: trust policies, bucket policies, and the versions of compute
    configs.
    """

    def __init__(self, fleet: Fleet, share: float) -> None:
        """share: of the clouds, evenly spread, how many have drifted; at least one, if any."""
        self.fleet = fleet
        self._drifted = [
            (fleet.clouds[number], fleet.drifted[number])
            for number in generated_fleet.drifted_numbers(len(fleet.clouds), share)
        ]
        self.trust: dict[InAccount, str] = dict(fleet.other_roles)
        self.compute_configs: dict[InAccount, list[bytes]] = {}
        policies: dict[str, dict[str, None]] = {}
        found_of = dict(zip(fleet.clouds, fleet.in_sync, strict=True)) | dict(self._drifted)
        for cloud, found in found_of.items():
            self.trust[cloud.account_id, cloud.role_name] = found.trust
            policies.setdefault(cloud.bucket_name, {})[found.bucket_policy] = None
            self.compute_configs[cloud.cloud_id, cloud.compute_config_name] = [found.compute_config]
        self.bucket_policies = {bucket: _merged(list(texts)) for bucket, texts in policies.items()}

    def still_drifted(self) -> dict[str, int]:
        """How many of the clouds that had drifted are as they were, in each of their parts."""
        return {
            "trust": sum(
                self.trust[cloud.account_id, cloud.role_name] == found.trust
                for cloud, found in self._drifted
            ),
            "bucket": sum(
                cloud.role_arn not in self.bucket_policies[cloud.bucket_name]
                for cloud, _found in self._drifted
            ),
            "compute_config": sum(
                self._newest(cloud) is found.compute_config for cloud, found in self._drifted
            ),
        }

    def _newest(self, cloud: Cloud) -> bytes:
        return self.compute_configs[cloud.cloud_id, cloud.compute_config_name][-1]


def compact(document: t.Any) -> str:
    """A document as text without blanks, as AWS counts its size."""
    return json.dumps(document, separators=(",", ":"))


def _merged(policies: list[str]) -> str:
    """One bucket policy with the statements of several, without their Sids, which would repeat."""
    if len(policies) == 1:
        return policies[0]
    statements = [
        {key: value for key, value in statement.items() if key != "Sid"}
        for policy in policies
        for statement in json.loads(policy)["Statement"]
    ]
    return compact(documents.policy(*statements))


def _without_mapping(resource: Json) -> Json:
    """What the service answers about the Cloud IAM mapping of a resource without any rules."""
    spec = {
        "cloud_deployment_id": resource["cloud_resource_id"],
        "cloud_provider": resource["provider"],
        "compute_stack": resource["compute_stack"],
        "dataplane_iam_mapping": {},
    }
    return {"result": {"spec": spec}}


def _encoded(document: Json) -> bytes:
    return json.dumps(document).encode()


def _other_roles(clouds: t.Iterable[Cloud]) -> t.Iterator[tuple[InAccount, str]]:
    """The trust policies of the roles that are there besides those of the clusters."""
    for account in generated_fleet.ACCOUNTS:
        yield (account, ONBOARDING_ROLE), compact(documents.account_trust(TOOLING_ACCOUNT))
    for cloud in clouds:
        yield (
            (cloud.account_id, cloud.control_plane_role_name),
            compact(documents.control_plane_trust(cloud)),
        )
