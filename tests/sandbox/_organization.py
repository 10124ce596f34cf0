# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one Anyscale organization holds: its people, its clouds and their resources, its compute
configs.
"""

from __future__ import annotations

import copy
import hashlib
import threading
import typing as t

from ansible_collections.rayfleet.anyscale.tests.sandbox._anyscale_errors import ApiError, not_found
from ansible_collections.rayfleet.anyscale.tests.sandbox._clock import Clock
from ansible_collections.rayfleet.anyscale.tests.sandbox._compute_schema import (
    check_meaning,
    check_shape,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._compute_templates import ComputeTemplates
from ansible_collections.rayfleet.anyscale.tests.sandbox._launches import STATES, Launches
from ansible_collections.rayfleet.anyscale.tests.sandbox._scheduler import Scheduler, machine_pool

Json = dict[str, t.Any]

OWNER_TOKEN = "aph0_sandbox"
MEMBER_TOKEN = "aph0_sandboxmember"
ORGANIZATION_ID = "org_sandbox"
OWNER = {
    "id": "usr_owner",
    "name": "Olga",
    "lastname": "Owner",
    "username": "olga@example.com",
    "email": "olga@example.com",
}
MEMBER = {
    "id": "usr_member",
    "name": "Max",
    "lastname": "Member",
    "username": "max@example.com",
    "email": "max@example.com",
}
_HIBERNATED = (
    "has been hibernated due to inactivity. The cloud is being started and should be available in "
    "5-10 minutes."
)


def opaque_id(prefix: str, name: str) -> str:
    """The same id for the same name in every run, in the form of the service's ids."""
    return f"{prefix}_{hashlib.sha256(name.encode()).hexdigest()[:24]}"


class Organization:
    """The state behind the API. ``lock`` is held during each read and write."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Back to an organization without clouds."""
        self.clock = Clock()
        self.templates = ComputeTemplates(self.clock)
        self.clouds: dict[str, Json] = {}
        self.resources: dict[str, list[Json]] = {}
        self.mappings: dict[str, Json] = {}
        self.launches = Launches(self.clock)
        self.hibernated: set[str] = set()
        self.scheduler = Scheduler(self.clock)
        self.machine_pools: list[Json] = []

    def add_cloud(
        self,
        name: str,
        cloud_id: str | None = None,
        region: str = "us-west-2",
        provider: str = "AWS",
        compute_stack: str = "VM",
        bucket: str | None = None,
        aws_config: Json | None = None,
    ) -> str:
        """Register a cloud with its one resource, the primary one; returns the cloud's id."""
        cloud_id = cloud_id or opaque_id("cld", name)
        with self.lock:
            self.clouds[cloud_id] = _cloud(self, cloud_id, name, region, provider, compute_stack)
            self.clouds[cloud_id]["credentials"] = (aws_config or {}).get(
                "anyscale_iam_role_id"
            ) or ""
            self.resources[cloud_id] = []
            self.add_resource(
                cloud_id, f"{compute_stack.lower()}-{provider.lower()}-{region}", bucket, aws_config
            )
        return cloud_id

    def add_resource(
        self, cloud_id: str, name: str, bucket: str | None = None, aws_config: Json | None = None
    ) -> str:
        """Add a resource to a cloud; the first one is the primary. Returns the resource's id."""
        with self.lock:
            resource = _resource(self, self.clouds[cloud_id], name, bucket, aws_config)
            resource["is_default"] = not self.resources[cloud_id]
            self.resources[cloud_id].append(resource)
            return str(resource["cloud_resource_id"])

    def add_machine_pool(
        self, name: str, launch_templates: list[Json], cloud_ids: list[str] | None = None
    ) -> str:
        """Add a machine pool, which is attached to these clouds; returns its id."""
        with self.lock:
            pool_id = opaque_id("mp", name)
            pool = machine_pool(name, pool_id, ORGANIZATION_ID, launch_templates, cloud_ids or [])
            self.machine_pools.append(pool)
            return pool_id

    def cloud(self, cloud_id: str) -> Json:
        """A cloud, or the 404."""
        if cloud_id not in self.clouds:
            raise not_found(cloud_id)
        return self.clouds[cloud_id]

    def role_of(self, name: str) -> str:
        """The ARN of the role that the clusters of a cloud of this name run with."""
        for cloud_id, cloud in self.clouds.items():
            if cloud["name"] == name:
                config = self.primary_resource(cloud_id)["aws_config"] or {}
                return str(config["cluster_iam_role_id"])
        raise ValueError(f"No such cloud: {name}.")

    def primary_resource(self, cloud_id: str) -> Json:
        """The resource that a new compute config is for; without it (or asleep) the service fails."""
        cloud = self.cloud(cloud_id)
        if cloud_id in self.hibernated:
            raise ApiError(599, f"Cloud {cloud['id']} {_HIBERNATED}")
        primary = [resource for resource in self.resources[cloud_id] if resource["is_default"]]
        if len(primary) != 1:
            raise ApiError(500, "Internal server error")
        return primary[0]

    def create_template(
        self, body: t.Any, creator_id: str = OWNER["id"], settled: bool = True
    ) -> Json:
        """Create a compute config, or its next version, with all the checks of the service in its
        order.

        ``settled``: searches find it at once, however far they lag behind.
        """
        check_shape(body)
        with self.lock:
            resource = self.primary_resource(body["config"]["cloud_id"])
            check_meaning(
                body["config"], resource["provider"] == "AWS" and resource["compute_stack"] == "VM"
            )
            return self.templates.create(body, creator_id, ORGANIZATION_ID, settled)

    def launch(
        self,
        kind: str,
        cloud_id: str,
        name: str,
        compute_config_id: str | None = None,
        state: str | None = None,
    ) -> str:
        """Add a launch to a cloud, as its creator would, and return its id. Without a state, it is
        active.
        """
        with self.lock:
            template = compute_config_id and self.templates.get(compute_config_id)
            cloud = {key: self.cloud(cloud_id)[key] for key in ("id", "name", "provider")}
            return self.launches.add(
                kind, name, cloud, template or None, OWNER, state or STATES[kind]
            )

    def mapping(self, cloud_id: str, resource_id: str) -> Json:
        """The Cloud IAM mapping spec of a resource. The service does not check that the cloud has
        that resource.
        """
        self.cloud(cloud_id)
        owned = self.resources[cloud_id]
        if resource_id == "default" and owned:
            resource_id = owned[0]["cloud_resource_id"]
        known = {
            resource["cloud_resource_id"]: resource
            for resources in self.resources.values()
            for resource in resources
        }
        if resource_id not in known:
            raise not_found(resource_id)
        resource = known[resource_id]
        spec = {
            "cloud_deployment_id": resource_id,
            "cloud_provider": resource["provider"],
            "compute_stack": resource["compute_stack"],
            "dataplane_iam_mapping": {},
        }
        return copy.deepcopy(self.mappings.get(resource_id, spec))


def _cloud(
    organization: Organization,
    cloud_id: str,
    name: str,
    region: str,
    provider: str,
    compute_stack: str,
) -> Json:
    return {
        "id": cloud_id,
        "name": name,
        "provider": provider,
        "compute_stack": compute_stack,
        "region": region,
        "config": {"max_stopped_instances": 0},
        "is_k8s": compute_stack == "K8S",
        "is_aioa": False,
        "availability_zones": [f"{region}a"],
        "is_bring_your_own_resource": True,
        "is_private_cloud": False,
        "cluster_management_stack_version": "v2",
        "is_private_service_cloud": None,
        "auto_add_user": True,
        "lineage_tracking_enabled": False,
        "external_id": None,
        "type": "PUBLIC",
        "creator_id": OWNER["id"],
        "created_at": organization.clock.now(),
        "status": "ready",
        "state": "ACTIVE",
        "version": "v2",
        "is_default": not organization.clouds,
        "customer_aggregated_logs_config_id": opaque_id("calc", name),
        "is_aggregated_logs_enabled": False,
        "system_cluster_config_id": None,
    }


def _resource(
    organization: Organization, cloud: Json, name: str, bucket: str | None, aws_config: Json | None
) -> Json:
    resource_id = opaque_id("cldrsrc", f"{cloud['id']}/{name}")
    return {
        "cloud_resource_id": resource_id,
        "cloud_deployment_id": resource_id,
        "name": name,
        "provider": cloud["provider"],
        "compute_stack": cloud["compute_stack"],
        "region": cloud["region"],
        "networking_mode": "PUBLIC",
        "created_at": organization.clock.now(),
        "object_storage": {"bucket_name": f"s3://{bucket}", "region": None, "endpoint": None}
        if bucket
        else None,
        "aws_config": aws_config,
        **dict.fromkeys(
            ("file_storage", "gcp_config", "azure_config", "kubernetes_config", "connector_config")
        ),
        **dict.fromkeys(
            (
                "operator_status",
                "operator_status_details",
                "connector_status",
                "connector_status_details",
            )
        ),
    }
