# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The live state of a compute config, and which of its deployments run on AWS virtual machines.

This module util is private to the collection. Pure.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_shape import (
    JsonObject,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError


class WithoutVmsError(RefusedError):
    """A compute config uses no AWS virtual machines, and so cannot have an instance profile."""


@dataclasses.dataclass(frozen=True)
class Observed:
    """The live state: the newest version of the compute config (archived or not), and its cloud's
    resources and default.

    Without ``resources``, every deployment config is assumed to run on AWS virtual machines.
    others: the names of the cloud's compute configs, where this one does not exist.
    """

    name: str
    cloud_id: str
    template: t.Mapping[str, t.Any] | None = None
    resources: t.Sequence[t.Mapping[str, t.Any]] = ()
    default_config: t.Mapping[str, t.Any] | None = None
    others: t.Sequence[str] = ()

    @property
    def archived(self) -> bool:
        """Whether the compute config exists, but is archived."""
        return bool(self.template and self.template.get("archived_at"))

    @property
    def config(self) -> t.Mapping[str, t.Any] | None:
        """The live config that clusters can use."""
        return self.template["config"] if self.template and not self.archived else None


def refuse_without_vms(observed: Observed) -> None:
    """Raise if no resource of a cloud has AWS virtual machines."""
    others = [other_kind(resource) for resource in observed.resources]
    if others and all(others):
        raise without_vms(observed, [kind for kind in others if kind])


def without_vms(observed: Observed, reasons: t.Iterable[str]) -> WithoutVmsError:
    """The error for a compute config without AWS virtual machines."""
    return WithoutVmsError(
        f"The compute config {observed.name!r} of cloud {observed.cloud_id} does not run on AWS "
        f"virtual machines ({', '.join(reasons)}), so it cannot have an instance profile.",
        "Remove this cloud from the hosts, or add a cloud resource with AWS virtual machines to "
        "it.",
    )


def other_kind(resource: t.Mapping[str, t.Any]) -> str | None:
    """A description of a resource that has no AWS virtual machines; ``None`` for one that has."""
    provider, stack = str(resource.get("provider")), str(resource.get("compute_stack") or "VM")
    is_aws_vm = (provider.upper(), stack.upper()) == ("AWS", "VM")
    return None if is_aws_vm else f"{resource.get('name')} is {stack} on {provider}"


def split_by_platform(
    entries: t.Iterable[JsonObject], observed: Observed
) -> tuple[list[tuple[str | None, JsonObject]], list[JsonObject]]:
    """The deployment configs on AWS virtual machines, each with its name, and the others with the
    reason.
    """
    applicable: list[tuple[str | None, JsonObject]] = []
    others: list[JsonObject] = []
    for entry in entries:
        name = resource_name(entry, observed)
        resource = next(
            (resource for resource in observed.resources if resource.get("name") == name), None
        )
        if not observed.resources:
            applicable.append((name, entry))
        elif resource is None:
            others.append({"deployment": name, "reason": f"the cloud has no resource {name!r}"})
        elif kind := other_kind(resource):
            others.append({"deployment": name, "reason": kind})
        else:
            applicable.append((name, entry))
    return applicable, others


def resource_name(entry: JsonObject, observed: Observed) -> str | None:
    """The name of a deployment config's cloud resource; the primary resource's if it names none."""
    if entry.get("cloud_deployment"):
        return str(entry["cloud_deployment"])
    by_id = [
        resource
        for resource in observed.resources
        if resource.get("cloud_resource_id") == entry.get("cloud_resource_id")
    ]
    candidates = by_id if entry.get("cloud_resource_id") else observed.resources
    if len(candidates) > 1:
        candidates = [resource for resource in observed.resources if resource.get("is_default")]
    if observed.resources and len(candidates) != 1:
        raise RefusedError(
            f"Cloud {observed.cloud_id} has {len(candidates)} primary resources; there must be "
            "exactly one.",
            "Check 'anyscale cloud get' and make one of its resources the default.",
        )
    return candidates[0].get("name") if candidates else None
