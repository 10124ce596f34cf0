# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what Anyscale tells about one cloud, each fact on its own: what is refused ends nothing but
what hangs on it.

This module util is private to the collection. I/O only, and never a call that writes.
"""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
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
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import compute_config_plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AnyscaleError


def reads(
    service: str = "",
) -> t.Callable[[t.Callable[[t.Any], Value]], functools.cached_property[Fact[Value]]]:
    """Make a method a property that reads once and is a fact. ``service`` is the one of AWS that
    may refuse the read.
    """

    def as_fact(method: t.Callable[[t.Any], Value]) -> functools.cached_property[Fact[Value]]:
        @functools.wraps(method)
        def read(self: t.Any) -> Fact[Value]:
            return fact(functools.partial(method, self), service)

        return functools.cached_property(read)

    return as_fact


class AnyscaleReader:
    """Reads about the cloud that parameters name. Without a client, what only Anyscale knows is not
    known.
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
        """The cloud's row."""
        return self._client().cloud(self._known_cloud_id())

    @reads()
    def resources(self) -> list[Json]:
        """The cloud's resources."""
        return self._client().cloud_resources(self._known_cloud_id())

    @reads()
    def primary(self) -> Json:
        """The resource that counts where none is named."""
        resources = self.resources.get()
        primary = (
            resources
            if len(resources) == 1
            else [resource for resource in resources if resource.get("is_default")]
        )
        if len(primary) != 1:
            raise unknown(
                f"Cloud {self.cloud_id} has {len(primary)} primary resources; there must be "
                "exactly one.",
                "Check 'anyscale cloud get' and make one of its resources the default.",
            )
        return primary[0]

    @reads()
    def mappings(self) -> list[Json]:
        """The Cloud IAM mapping of each resource on AWS virtual machines that has rules."""
        found = []
        for resource in self.resources.get():
            resource_id = resource.get("cloud_resource_id") or resource.get("cloud_deployment_id")
            if resource_id and not compute_config_plan.other_kind(resource):
                mapping = self._client().iam_mapping(self._known_cloud_id(), resource_id)
                told = {key: mapping.get(key) for key in ("rules", "fallback_rule")}
                found.append({"resource": resource.get("name"), **told})
        return [mapping for mapping in found if mapping["rules"]]

    @reads()
    def registered_bucket(self) -> str | None:
        """The bucket of the primary resource."""
        address = (self.primary.get().get("object_storage") or {}).get("bucket_name")
        return parse_bucket(address, "The cloud's bucket") if address else None

    @reads()
    def control_plane_arn(self) -> str:
        """The role that Anyscale assumes to launch clusters."""
        self._expect_virtual_machines()
        config = self.primary.get().get("aws_config") or {}
        arn = config.get("anyscale_iam_role_id") or self.cloud.get().get("credentials")
        if not arn:
            raise unknown(
                "Anyscale does not tell which role it assumes.", "Look at 'anyscale cloud get'."
            )
        return _role_arn(arn, "anyscale_iam_role_id")

    @reads()
    def cloud_account(self) -> str:
        """The account that the cloud is in: as the parameters say, else that of the role that
        Anyscale assumes.
        """
        return self.params.get("account_id") or account_of(self.control_plane_arn.get())

    @reads()
    def default_role(self) -> DefaultRole:
        """The role that the cloud registered, else the one that Anyscale made for it."""
        registered = (self.primary.get().get("aws_config") or {}).get("cluster_iam_role_id")
        if registered:
            return DefaultRole(_role_arn(registered, "cluster_iam_role_id"), "registered")
        place = f"arn:{partition_of(self.control_plane_arn.get())}:iam::{self.cloud_account.get()}"
        return DefaultRole(
            f"{place}:role/{default_role_name(self._known_cloud_id())}", "convention"
        )

    @reads()
    def role_wanted(self) -> RoleReference:
        """The role to look at: the one in the parameters, else the cloud's default."""
        self._expect_virtual_machines()
        if self.params.get("role") is not None:
            return parse_role(self.params["role"])
        if self.default_role.is_known:
            return parse_role(self.default_role.get().arn)
        return RoleReference(default_role_name(self._known_cloud_id()))

    @reads()
    def bucket(self) -> str:
        """The bucket to look at: the one in the parameters, else the cloud's."""
        self._expect_virtual_machines()
        name = (
            parse_bucket(self.params["bucket"])
            if self.params.get("bucket")
            else self.registered_bucket.get()
        )
        if name is None:
            raise unknown(f"Cloud {self.cloud_id} has no bucket of its own.", "Give bucket.")
        return name

    def compute_config(self, name: str) -> Json | None:
        """The newest version of a compute config, ``None`` where there is none of that name."""
        return self._client().newest_compute_config(name, self._known_cloud_id())

    @functools.cached_property
    def elsewhere(self) -> str:
        """What the cloud runs on, where that is known not to be AWS virtual machines."""
        if self.primary.is_known:
            return compute_config_plan.other_kind(self.primary.get()) or ""
        provider = self.cloud.get().get("provider") if self.cloud.is_known else None
        return "" if provider in (None, "AWS") else f"its provider is {provider}"

    def _expect_virtual_machines(self) -> None:
        """Spare the reads of what means nothing for any other cloud."""
        if self.elsewhere:
            raise not_applicable(
                f"The cloud does not run on AWS virtual machines: {self.elsewhere}."
            )

    def _client(self) -> AnyscaleClient:
        if self._anyscale is None:
            raise unknown("Anyscale was not asked.", "Set anyscale to true.")
        return self._anyscale

    def _known_cloud_id(self) -> str:
        return self._found_id.get()

    def _find_id(self, name: str) -> Fact[str]:
        """The id of the cloud of a name. A name that no cloud has is a mistake in the playbook, and
        ends the task.
        """
        if self._anyscale is None:
            return Fact(
                obstacle=unknown(
                    "Without Anyscale, nothing tells the cloud's id.", "Give cloud_id."
                )
            )
        try:
            return Fact(self._anyscale.find_cloud(name)["id"])
        except AnyscaleError as error:
            return Fact(obstacle=obstacle_of(error))


def _role_arn(value: str, where: str) -> str:
    """A role's ARN as Anyscale has it; anything else is no fact to go by."""
    role = parse_role(value, f"The cloud's {where}")
    if role.arn is None:
        raise unknown(
            f"The cloud's {where} is {value!r}, which is not an ARN.",
            "Look at 'anyscale cloud get'.",
        )
    return str(role.arn)
