# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the facts about one cloud from Anyscale, each on its own: a refused read makes only the
facts unknown that depend on it.

This module util is private to the collection. I/O only, and never a call that writes.
"""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.launch_layers import (
    InstanceConfigs,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.registration import (
    Registration,
    read_registration,
    registration_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    account_of,
    default_role_name,
    parse_bucket,
    parse_role,
    partition_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import (
    DefaultRole,
    Json,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Fact,
    Value,
    fact,
    not_applicable,
    obstacle_of,
    unknown,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import (
    compute_config_observed,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_groups import (
    machine_pools,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AnyscaleError


def reads(
    service: str = "",
) -> t.Callable[[t.Callable[[t.Any], Value]], functools.cached_property[Fact[Value]]]:
    """Make a method a property that reads once and is a fact. ``service`` is the AWS service that
    may refuse the read.
    """

    def as_fact(method: t.Callable[[t.Any], Value]) -> functools.cached_property[Fact[Value]]:
        @functools.wraps(method)
        def read(self: t.Any) -> Fact[Value]:
            return fact(functools.partial(method, self), service)

        return functools.cached_property(read)

    return as_fact


class AnyscaleReader:
    """Reads the facts about the cloud that the parameters name. Without a client, the facts that
    only Anyscale has are unknown.
    """

    def __init__(self, params: t.Mapping[str, t.Any], anyscale: AnyscaleClient | None) -> None:
        self.params = params
        self._anyscale = anyscale
        self._found_id: Fact[str] = (
            Fact(params["cloud_id"]) if params.get("cloud_id") else self._find_id(params["cloud"])
        )
        self.cloud_id = self._found_id.value

    @reads()
    def cloud(self) -> Json:
        """The cloud as the API returns it."""
        return self._client().cloud(self._known_cloud_id())

    @reads()
    def resources(self) -> list[Json]:
        """The cloud's resources."""
        return list(read_registration(self._client(), self._known_cloud_id()).resources)

    @reads()
    def primary(self) -> Json:
        """The resource that is used where a compute config names none."""
        registration = self._registered
        if registration.primary is None:
            raise unknown(
                f"Cloud {self.cloud_id} has {len(registration.primaries)} primary resources; "
                "there must be one.",
                "Run 'anyscale cloud get', and make one of its resources the default.",
            )
        return registration.primary

    @reads()
    def mappings(self) -> list[Json]:
        """The Cloud IAM mapping of each resource on AWS virtual machines that has rules."""
        found = []
        for resource in self.resources.get():
            resource_id = resource.get("cloud_resource_id") or resource.get("cloud_deployment_id")
            if resource_id and not compute_config_observed.other_kind(resource):
                mapping = self._client().iam_mapping(self._known_cloud_id(), resource_id)
                rules = {key: mapping.get(key) for key in ("rules", "fallback_rule")}
                found.append({"resource": resource.get("name"), **rules})
        return [mapping for mapping in found if mapping["rules"]]

    @reads()
    def scheduler_flavors(self) -> InstanceConfigs:
        """What the flavors of the organization's scheduler set for instances."""
        self._expect_virtual_machines()
        return self._client().scheduler_flavors()

    @reads()
    def machine_pools(self) -> InstanceConfigs:
        """What the organization's machine pools set for instances, where a compute config names
        one.
        """
        configs = [found.value["config"] for found in self.compute_configs.values() if found.value]
        is_needed = any(machine_pools(config) for config in configs)
        return self._client().machine_pools() if is_needed else {}

    @functools.cached_property
    def compute_configs(self) -> dict[str, Fact[Json | None]]:
        """The newest versions of the compute configs to check, by name."""
        return {
            name: fact(functools.partial(self.compute_config, name))
            for name in self.params.get("compute_config") or []
        }

    @reads()
    def registered_bucket(self) -> str | None:
        """The bucket of the primary resource."""
        address = self._registered_primary.bucket
        return parse_bucket(address, "The cloud's bucket") if address else None

    @reads()
    def control_plane_arn(self) -> str:
        """The role that Anyscale assumes to launch clusters."""
        self._expect_virtual_machines()
        arn = self._registered_primary.control_plane_arn or self.cloud.get().get("credentials")
        if not arn or not isinstance(arn, str):
            raise unknown(
                "Anyscale returned no control-plane role for the cloud.",
                "Run 'anyscale cloud get', and register the cloud with its control-plane role.",
            )
        return _role_arn(arn, "anyscale_iam_role_id")

    @reads()
    def cloud_account(self) -> str:
        """The account that the cloud is in: the one in the parameters, else that of the role that
        Anyscale assumes.
        """
        return self.params.get("account_id") or account_of(self.control_plane_arn.get())

    @reads()
    def default_role(self) -> DefaultRole:
        """The role that is registered for the cloud, else the one that Anyscale created for it."""
        registered = self._registered_primary.role_arn
        if registered is not None:
            return DefaultRole(_role_arn(registered, "cluster_iam_role_id"), "registered")
        place = f"arn:{partition_of(self.control_plane_arn.get())}:iam::{self.cloud_account.get()}"
        return DefaultRole(
            f"{place}:role/{default_role_name(self._known_cloud_id())}", "convention"
        )

    @reads()
    def role_wanted(self) -> RoleReference:
        """The role to check: the one in the parameters, else the cloud's default role."""
        self._expect_virtual_machines()
        if self.params.get("role") is not None:
            return parse_role(self.params["role"])
        if self.default_role.is_known:
            return parse_role(self.default_role.get().arn)
        return RoleReference(default_role_name(self._known_cloud_id()))

    @reads()
    def bucket(self) -> str:
        """The bucket to check: the one in the parameters, else the one registered for the cloud."""
        self._expect_virtual_machines()
        name = (
            parse_bucket(self.params["bucket"])
            if self.params.get("bucket")
            else self.registered_bucket.get()
        )
        if name is None:
            raise unknown(
                f"No bucket is registered for cloud {self.cloud_id}.",
                "Set cloud_iam_bucket (the module's option bucket).",
            )
        return name

    def compute_config(self, name: str) -> Json | None:
        """The newest version of a compute config, ``None`` where none has that name."""
        return self._client().newest_compute_config(name, self._known_cloud_id())

    @functools.cached_property
    def elsewhere(self) -> str:
        """What the cloud runs on, where that is known not to be AWS virtual machines."""
        if self.primary.is_known:
            return compute_config_observed.other_kind(self.primary.get()) or ""
        provider = self.cloud.get().get("provider") if self.cloud.is_known else None
        return "" if provider in (None, "AWS") else f"its provider is {provider}"

    @property
    def _registered(self) -> Registration:
        return registration_of(self.resources.get())

    @property
    def _registered_primary(self) -> Registration:
        """What is registered for the primary resource, which there has to be."""
        self.primary.get()
        return self._registered

    def _expect_virtual_machines(self) -> None:
        """Skip the reads that only make sense for a cloud on AWS virtual machines."""
        if self.elsewhere:
            raise not_applicable(
                f"The cloud does not run on AWS virtual machines: {self.elsewhere}."
            )

    def _client(self) -> AnyscaleClient:
        if self._anyscale is None:
            raise unknown(
                "Anyscale was not queried.",
                "Set cloud_iam_publish (the module's option anyscale) to true.",
            )
        return self._anyscale

    def _known_cloud_id(self) -> str:
        return self._found_id.get()

    def _find_id(self, name: str) -> Fact[str]:
        """The ID of the cloud that has a name. A name that no cloud has is a mistake in the
        playbook, and ends the task.
        """
        if self._anyscale is None:
            return Fact(
                obstacle=unknown(
                    "The cloud's ID is not known, since Anyscale was not queried.",
                    "Set cloud_iam_cloud_id (the module's option cloud_id).",
                )
            )
        try:
            return Fact(self._anyscale.find_cloud(name)["id"])
        except AnyscaleError as error:
            return Fact(obstacle=obstacle_of(error))


def _role_arn(value: str, where: str) -> str:
    """A role's ARN as Anyscale has it; any other value leaves the role unknown."""
    role = parse_role(value, f"The cloud's {where}")
    if role.arn is None:
        raise unknown(
            f"The cloud's {where} is {value!r}, which is not an ARN.",
            "Run 'anyscale cloud get', and register the role with its ARN.",
        )
    return str(role.arn)
