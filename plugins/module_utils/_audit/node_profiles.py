# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The instance profile that each node group of a cluster gets, and which of three layers decides
it.

This module util is private to the collection. Pure. Anyscale uses the profile in the compute
config, else the one that is registered for the cloud resource, else the one that is named like the
cloud resource's role. https://docs.anyscale.com/configuration/compute/aws
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    account_of,
    parse_arn,
    role_name_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts, Json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    CheckAborted,
    unknown,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import (
    instance_profile_plan,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_groups import (
    HEAD,
    NodeGroup,
    node_groups,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_observed import (
    Observed,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError

BY_COMPUTE_CONFIG = "compute_config"
BY_CLOUD = "cloud"
BY_ROLE_NAME = "role_name"


@dataclasses.dataclass(frozen=True)
class Effective:
    """A node group's profile, as an ARN or as the compute config has it, and the layer that decides
    it.
    """

    deployment: str | None
    node_group: str
    instance_profile_arn: str
    decided_by: str

    @property
    def name(self) -> str:
        """The name of the profile, which is unique in its account."""
        return role_name_of(self.instance_profile_arn)

    @property
    def kind(self) -> str:
        """How the profile is named: ``instance_profile`` or ``role``, after the kind of its ARN, or
        ``name``.
        """
        arn = parse_arn(self.instance_profile_arn)
        return arn.resource.partition("/")[0].replace("-", "_") if arn else "name"

    def is_one_of(self, profiles: t.Iterable[Json]) -> bool:
        """Whether it is one of these profiles. Paths in ARNs are not compared, since Anyscale does
        not know them.
        """
        arn = parse_arn(self.instance_profile_arn)
        own = (arn.account_id if arn else "", self.name)
        return any(
            own
            in (
                (account_of(one["Arn"]), one["InstanceProfileName"]),
                ("", one["InstanceProfileName"]),
            )
            for one in profiles
        )


def observed_config(facts: Facts, name: str) -> Observed:
    """A compute config with the resources of its cloud."""
    return Observed(
        name, facts.cloud_id or "", facts.compute_configs[name].get(), facts.resources.get()
    )


def effective_profiles(facts: Facts, name: str) -> list[Effective]:
    """The profile of each node group of a live compute config."""
    return facts.once(("effective_profiles", name), lambda: _effective_profiles(facts, name))


def _effective_profiles(facts: Facts, name: str) -> list[Effective]:
    try:
        groups = node_groups(observed_config(facts, name))
    except TaskError as error:
        raise unknown(f"{name}: {error.message}", error.remedy) from error
    return [_of_group(facts, group) for group in groups]


def without_compute_config(facts: Facts) -> Effective:
    """The profile of a cluster on the primary resource whose compute config names none."""
    resource = facts.primary.get()
    return _fallback(facts, resource, resource.get("name"), "any")


def profiles_with_role(facts: Facts) -> list[Json]:
    """The instance profiles that hold the role and that clusters use, as far as is known."""
    in_use = _in_use(facts)
    return [
        profile
        for profile in facts.role_profiles.value or []
        if any(one.is_one_of([profile]) for one in in_use)
    ]


def _in_use(facts: Facts) -> list[Effective]:
    """The profile of each node group of the compute configs; without any compute config, the
    default one.
    """
    in_use = []
    for name, config in facts.compute_configs.items():
        with contextlib.suppress(CheckAborted):
            in_use += effective_profiles(facts, name) if config.value else []
    if not facts.compute_configs and facts.primary.is_known:
        with contextlib.suppress(CheckAborted):
            in_use.append(without_compute_config(facts))
    return in_use


def _of_group(facts: Facts, group: NodeGroup) -> Effective:
    name = "head" if group.name == HEAD else group.name
    if group.profile is not None:
        return Effective(group.deployment, name, group.profile, BY_COMPUTE_CONFIG)
    named = [
        resource for resource in facts.resources.get() if resource.get("name") == group.deployment
    ]
    return _fallback(facts, named[0] if named else facts.primary.get(), group.deployment, name)


def _fallback(facts: Facts, resource: Json, deployment: str | None, name: str) -> Effective:
    config = resource.get("aws_config") or {}
    if config.get("cluster_instance_profile_id"):
        return Effective(deployment, name, config["cluster_instance_profile_id"], BY_CLOUD)
    role_arn = config.get("cluster_iam_role_id") or facts.default_role.get().arn
    arn = instance_profile_plan.new_arn(role_name_of(role_arn), role_arn)
    known = [
        profile["Arn"]
        for profile in facts.instance_profiles()
        if profile["InstanceProfileName"] == role_name_of(role_arn)
    ]
    return Effective(deployment, name, known[0] if known else arn, BY_ROLE_NAME)
