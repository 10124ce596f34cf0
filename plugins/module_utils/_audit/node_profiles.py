# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The instance profile that each node group of a cluster gets, by all layers that decide it.

This module util is private to the collection. Pure. Anyscale uses the profile in the compute
config, else the one that is registered for the cloud resource, else the one that is named like the
cloud resource's role. https://docs.anyscale.com/configuration/compute/aws

Cloud IAM mapping comes before all of these: where a rule matches a workload, its clusters get the
profile that the rule names, and with the fallback rule FAIL no other cluster starts.
https://docs.anyscale.com/iam/cloud-iam-mapping

A flavor of the scheduler and a launch template of a machine pool have an instance configuration
too. Anyscale does not document how it merges with the compute config's, so that the node group may
get its profile, or lose the compute config's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    account_of,
    parse_arn,
    parse_instance_profile,
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
    PROFILE,
    NodeGroup,
    node_groups,
    profile_text,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_observed import (
    Observed,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_plan import (
    KEEP,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    TaskError,
)

BY_COMPUTE_CONFIG = "compute_config"
BY_CLOUD = "cloud"
BY_ROLE_NAME = "role_name"
BY_MAPPING = "iam_mapping"
BY_FLAVOR = "scheduler_flavor"
BY_POOL = "machine_pool"
_DOCUMENTED = (BY_COMPUTE_CONFIG, BY_CLOUD, BY_ROLE_NAME)
_UNDOCUMENTED = (BY_FLAVOR, BY_POOL)
_WORDS = {
    BY_COMPUTE_CONFIG: "from the compute config",
    BY_CLOUD: "the default of the cloud",
    BY_ROLE_NAME: "by the name of the default role",
    BY_MAPPING: "from Cloud IAM mapping",
    BY_FLAVOR: "from scheduler flavor",
    BY_POOL: "from machine pool",
}
# Whether a node group runs with the role that it is to run with. UNDECIDED: that depends on a layer
# whose order is not documented. KEPT: it has a profile of its own, which it is to keep.
RIGHT, WRONG, UNDECIDED, KEPT = "right", "wrong", "undecided", "kept"
_FAIL = "FAIL"
# How much of a layer's name a message shows: a selector may have any length.
_LONGEST_LAYER = 100
Configs = t.Mapping[str, t.Sequence[Json]]


@dataclasses.dataclass(frozen=True)
class Choice:
    """A profile, as an ARN or as the layer that decides it has it; empty where it is not known.

    layer: the name of the flavor or machine pool, or the selector of the rule.
    """

    instance_profile_arn: str
    decided_by: str
    layer: str = ""

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

    @property
    def decided_in_words(self) -> str:
        """The layer that decides, for people."""
        return _WORDS[self.decided_by]

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

    def __str__(self) -> str:
        words = f"{self.decided_in_words} {self.layer[:_LONGEST_LAYER]}".strip()
        return f"{self.instance_profile_arn or 'an unknown one'} ({words})"


@dataclasses.dataclass(frozen=True)
class Effective(Choice):
    """A node group's profile, and the layer that decides it.

    alternatives: what it gets instead, by the workload (Cloud IAM mapping), or by a layer whose
    order is not documented. is_own: whether the group itself names its profile.
    """

    deployment: str | None = None
    node_group: str = ""
    alternatives: tuple[Choice, ...] = ()
    is_own: bool = False

    @property
    def by_workload(self) -> list[Choice]:
        """What workloads that match a rule of the Cloud IAM mapping get."""
        return [choice for choice in (self, *self.alternatives) if choice.decided_by == BY_MAPPING]

    @property
    def documented(self) -> list[Choice]:
        """What all other workloads get; nothing, where those do not start."""
        return [choice for choice in (self, *self.alternatives) if choice.decided_by in _DOCUMENTED]

    @property
    def undocumented(self) -> list[Choice]:
        """What it may get, by the layers whose order is not documented."""
        return [choice for choice in self.alternatives if choice.decided_by in _UNDOCUMENTED]

    def as_json(self) -> Json:
        """The group for the result."""
        return {
            "deployment": self.deployment,
            "node_group": self.node_group,
            "instance_profile_arn": self.instance_profile_arn,
            "decided_by": self.decided_by,
            "alternatives": [dataclasses.asdict(choice) for choice in self.alternatives],
        }


def observed_config(facts: Facts, name: str) -> Observed:
    """A compute config with the resources of its cloud."""
    return Observed(
        name, facts.cloud_id or "", facts.compute_configs[name].get(), facts.resources.get()
    )


def missing_config(facts: Facts, name: str) -> str:
    """That there is no such compute config; empty where there is one."""
    if facts.compute_configs[name].get() is not None:
        return ""
    return f"{name}: cloud {facts.cloud_id} has no compute config of that name."


def effective_profiles(facts: Facts, name: str) -> list[Effective]:
    """The profile of each node group of a live compute config, by the layers that could be read."""
    return facts.once(("effective_profiles", name), lambda: _effective_profiles(facts, name))


def _effective_profiles(facts: Facts, name: str) -> list[Effective]:
    return [_of_group(facts, group) for group in _node_groups(facts, name)]


def _node_groups(facts: Facts, name: str) -> list[NodeGroup]:
    try:
        return node_groups(observed_config(facts, name))
    except TaskError as error:
        raise unknown(f"{name}: {error.message}", error.remedy) from error


def without_compute_config(facts: Facts) -> Effective:
    """The profile of a cluster on the primary resource whose compute config names none."""
    resource = facts.primary.get()
    return _effective(facts, resource, NodeGroup(resource.get("name"), "any", None))


def named_profiles(facts: Facts, name: str) -> list[Effective]:
    """The node groups for which a compute config itself names a profile, whatever else decides."""
    return [
        Effective(
            group.profile,
            BY_COMPUTE_CONFIG,
            deployment=group.deployment,
            node_group=group.name,
            is_own=group.is_own,
        )
        for group in _node_groups(facts, name)
        if group.profile is not None
    ]


def standing(facts: Facts, group: Effective) -> str:
    """Whether a node group runs with the role that it is to run with, for workloads that match no
    rule of the Cloud IAM mapping: one of the words above.
    """
    if keeps_own(facts, group):
        return KEPT
    profiles = facts.of_group(group.node_group).role_profiles.get()
    holds = {choice.is_one_of(profiles) for choice in (*group.documented, *group.undocumented)}
    if False not in holds:
        return RIGHT
    return WRONG if holds == {False} and group.documented else UNDECIDED


def keeps_own(facts: Facts, group: Effective) -> bool:
    """Whether a node group names another profile itself, and is to keep it."""
    may_differ = facts.node_groups == KEEP and group.node_group not in facts.group_roles
    return (
        may_differ
        and group.is_own
        and group.decided_by == BY_COMPUTE_CONFIG
        and not group.is_one_of(facts.role_profiles.get())
    )


def require_layers(facts: Facts, groups: t.Iterable[Effective]) -> None:
    """Raise where a layer could not be read that may decide the profile of one of these groups, for
    workloads that match no rule of the Cloud IAM mapping.
    """
    facts.scheduler_flavors.get()
    if any(choice.decided_by == BY_POOL for group in groups for choice in group.alternatives):
        facts.machine_pools.get()


def profiles_with_role(facts: Facts) -> list[Json]:
    """The instance profiles that hold the role and that clusters use, as far as is known."""
    in_use = _in_use(facts)
    return [
        profile
        for profile in facts.role_profiles.value or []
        if any(one.is_one_of([profile]) for one in in_use)
    ]


def _in_use(facts: Facts) -> list[Choice]:
    """The profiles of each node group of the compute configs; without any compute config, the
    default one.
    """
    groups: list[Effective] = []
    for name, config in facts.compute_configs.items():
        with contextlib.suppress(CheckAborted):
            groups += effective_profiles(facts, name) if config.value else []
    if not facts.compute_configs and facts.primary.is_known:
        with contextlib.suppress(CheckAborted):
            groups.append(without_compute_config(facts))
    return [choice for group in groups for choice in (group, *group.alternatives)]


def _of_group(facts: Facts, group: NodeGroup) -> Effective:
    named = [
        resource for resource in facts.resources.get() if resource.get("name") == group.deployment
    ]
    return _effective(facts, named[0] if named else None, group)


def _effective(facts: Facts, resource: Json | None, group: NodeGroup) -> Effective:
    """The profile by the compute config or the cloud, unless a rule decides for each workload; with
    what other layers make of it.
    """
    documented = (
        Choice(group.profile, BY_COMPUTE_CONFIG)
        if group.profile is not None
        else _by_cloud(facts, resource)
    )
    rules, fallback = _mapping_of(facts, group.deployment)
    choices = [] if rules and fallback == _FAIL else [documented]
    choices += [_by_rule(facts, rule) for rule in rules]
    others = [
        choice
        for choice in _by_undocumented(facts, resource, group)
        if choice.instance_profile_arn != documented.instance_profile_arn
    ]
    first = choices[0]
    return Effective(
        first.instance_profile_arn,
        first.decided_by,
        first.layer,
        deployment=group.deployment,
        node_group=group.name,
        alternatives=(*choices[1:], *dict.fromkeys(others)),
        is_own=group.is_own,
    )


def _by_cloud(facts: Facts, resource: Json | None) -> Choice:
    """The profile without one in the compute config."""
    resource = facts.primary.get() if resource is None else resource
    config = resource.get("aws_config") or {}
    if config.get("cluster_instance_profile_id"):
        return Choice(config["cluster_instance_profile_id"], BY_CLOUD)
    role_arn = config.get("cluster_iam_role_id") or facts.default_role.get().arn
    arn = instance_profile_plan.new_arn(role_name_of(role_arn), role_arn)
    return Choice(_known(facts, role_name_of(role_arn)) or arn, BY_ROLE_NAME)


def _known(facts: Facts, name: str) -> str:
    """The ARN of the profile of a name, if it was read."""
    arns = (
        profile["Arn"]
        for profile in facts.instance_profiles()
        if profile["InstanceProfileName"] == name
    )
    return next(arns, "")


def _mapping_of(facts: Facts, deployment: str | None) -> tuple[list[Json], str | None]:
    """The rules of a resource, and what happens where none matches."""
    for mapping in facts.mappings.value or []:
        if mapping.get("resource") == deployment:
            return mapping["rules"], mapping.get("fallback_rule")
    return [], None


def _by_rule(facts: Facts, rule: Json) -> Choice:
    """What a rule gives: Anyscale looks for the profile of the name that is its value."""
    value, selector = rule.get("value"), str(rule.get("selector") or "")
    try:
        name = parse_instance_profile(value if isinstance(value, str) else "")
    except InputError:
        return Choice("", BY_MAPPING, selector)
    role_arn = (facts.role.value or {}).get("Arn") or facts.default_role.get().arn
    arn = instance_profile_plan.new_arn(name, role_arn.partition(":role/")[0] + f":role/{name}")
    return Choice(_known(facts, name) or arn, BY_MAPPING, selector)


def _by_undocumented(facts: Facts, resource: Json | None, group: NodeGroup) -> t.Iterator[Choice]:
    """What flavors and machine pools make of the profile: their own, and where they may hide the
    compute config's without naming one, the cloud's.
    """
    for name, configs in (facts.scheduler_flavors.value or {}).items():
        yield from _of_layer(facts, resource, Choice("", BY_FLAVOR, name), configs)
    if group.machine_pool is None:
        return
    pool = Choice("", BY_POOL, group.machine_pool)
    pools: Configs = facts.machine_pools.value or {}
    if group.machine_pool in pools:
        # Its machines are launched for all workloads, maybe without the compute config.
        yield from _of_layer(facts, resource, pool, [{}, *pools[group.machine_pool]])
    else:
        yield pool


def _of_layer(
    facts: Facts, resource: Json | None, layer: Choice, configs: t.Sequence[Json]
) -> t.Iterator[Choice]:
    for config in configs:
        profile = profile_text(config.get(PROFILE))
        arn = profile or _by_cloud(facts, resource).instance_profile_arn
        yield dataclasses.replace(layer, instance_profile_arn=arn)
