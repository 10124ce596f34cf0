# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The instance profile at each level of a compute config: find, set and remove it.

This module util is private to the collection. Pure.

A node group (the head, or a group of workers) with its own instance configuration ignores that of
the cluster entirely, so that the profile is set there too. A node group without one inherits the
cluster's and is not changed, unless it is to have another profile than the cluster: then it gets a
copy of the cluster's with that profile. https://docs.anyscale.com/configuration/compute/aws
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_shape import (
    INSTANCE_CONFIG,
    JsonObject,
    deployments,
    json_copy,
    worker_name,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_arn
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_observed import (
    Observed,
    split_by_platform,
)

PROFILE = "IamInstanceProfile"
HEAD = "head_node"
_AUTOMATIC = "automatic workers"
_GROUP_DIFFERS = "node_group_profile_differs"
_HIDDEN = {"profile_missing": "node_group_hides_profile", "profile_differs": _GROUP_DIFFERS}


@dataclasses.dataclass(frozen=True)
class NodeGroup:
    """A node group on AWS virtual machines, and its instance profile in the compute config: an ARN,
    a name, or none.

    is_own: whether the group itself names it, and not the cluster. machine_pool: the name of the
    pool that its instances come from, if any.
    """

    deployment: str | None
    name: str
    profile: str | None
    is_own: bool = False
    machine_pool: str | None = None


@dataclasses.dataclass(frozen=True)
class Profiles:
    """The profiles that are wanted: the cluster's, and those of the node groups that are named.

    keeps_own: whether any other node group keeps another profile that it names itself.
    """

    arn: str
    by_group: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    keeps_own: bool = False

    def arn_of(self, group: str | None) -> str:
        """The ARN that a level is to have, of its own or of the cluster."""
        return self.arn if group is None else self.by_group.get(group, self.arn)

    def keeps(self, group: str | None, profile: t.Any) -> bool:
        """Whether a level keeps the profile that it has."""
        may_differ = self.keeps_own and group is not None and group not in self.by_group
        return may_differ and bool(profile) and not same_profile(profile, self.arn)

    def manages(self, group: str | None, profile: t.Any) -> bool:
        """Whether the profile of a level is one that was set there, by either kind of ARN or by
        name.
        """
        return any(same_profile(profile, arn) for arn in (self.arn, self.arn_of(group)))


@dataclasses.dataclass(frozen=True)
class Finding:
    """A level with a wrong profile; ``node_group`` is ``None`` for the cluster level."""

    reason: str
    deployment: str | None
    node_group: str | None
    before: str | None
    after: str | None


def node_groups(observed: Observed) -> list[NodeGroup]:
    """The head node and the worker groups of a live compute config that run on AWS virtual
    machines.
    """
    applicable, _others = split_by_platform(deployments(observed.config or {}), observed)
    return [
        _node_group(label, name, level, entry)
        for label, entry in applicable
        for name, level in _nodes(entry)
    ]


def _node_group(label: str | None, name: str, level: JsonObject, entry: JsonObject) -> NodeGroup:
    is_own = INSTANCE_CONFIG in level
    profile = profile_text((level if is_own else entry).get(INSTANCE_CONFIG, {}).get(PROFILE))
    return NodeGroup(label, name, profile, is_own and profile is not None, _machine_pool(level))


def machine_pools(config: t.Mapping[str, t.Any]) -> set[str]:
    """The machine pools that the node groups of a config name."""
    pools = (
        _machine_pool(level) for entry in deployments(config) for _name, level in levels(entry)
    )
    return set(filter(None, pools))


def _machine_pool(level: JsonObject) -> str | None:
    place = level.get("flags", {}).get("cloud_deployment")
    pool = place.get("machine_pool") if isinstance(place, dict) else None
    return pool if isinstance(pool, str) else None


def _nodes(entry: JsonObject) -> t.Iterator[tuple[str, JsonObject]]:
    """The node groups, each with its own level. Workers that Anyscale selects have only the
    cluster's.
    """
    yield from ((name, level) for name, level in levels(entry) if name is not None)
    if entry.get("auto_select_worker_config"):
        yield _AUTOMATIC, {}


def levels(entry: JsonObject) -> t.Iterator[tuple[str | None, JsonObject]]:
    """The levels that can have an instance configuration: the cluster (``None``), the head, and
    each worker group.
    """
    yield None, entry
    if "head_node_type" in entry:
        yield HEAD, entry["head_node_type"]
    for node in entry.get("worker_node_types", []):
        yield worker_name(node), node


def set_profiles(entry: JsonObject, label: str | None, wanted: Profiles) -> t.Iterator[Finding]:
    """Set the profiles in place at every level that needs it. Yields a finding for each level that
    changes.
    """
    inherited = entry.get(INSTANCE_CONFIG, {}).get(PROFILE)
    for group, level in levels(entry):
        arn = wanted.arn_of(group)
        inherits = group is not None and INSTANCE_CONFIG not in level
        profile = inherited if inherits else level.get(INSTANCE_CONFIG, {}).get(PROFILE)
        if (inherits and arn == wanted.arn) or wanted.keeps(group, profile):
            continue
        reason = _difference(profile, arn)
        if reason is None and not inherits:
            continue
        if inherits:
            level[INSTANCE_CONFIG] = json_copy(entry[INSTANCE_CONFIG])
            reason = _GROUP_DIFFERS
        level.setdefault(INSTANCE_CONFIG, {})[PROFILE] = {"Arn": arn}
        yield Finding(
            str(reason) if group is None else _HIDDEN.get(str(reason), str(reason)),
            label,
            group,
            profile_text(profile),
            arn,
        )


def take_out_profiles(
    entry: JsonObject, label: str | None, wanted: Profiles, warnings: list[str]
) -> t.Iterator[Finding]:
    """Take the profiles out in place. Yields a finding for each level that changes; adds a warning
    for each other profile that stays.
    """
    for group, level in levels(entry):
        profile = level.get(INSTANCE_CONFIG, {}).get(PROFILE)
        if not profile or wanted.keeps(group, profile):
            continue
        if not wanted.manages(group, profile):
            place = f"Node group {group!r}" if group else "The cluster's instance configuration"
            warnings.append(
                f"{place} has another instance profile, {profile_text(profile)}, which was not "
                "changed."
            )
            continue
        del level[INSTANCE_CONFIG][PROFILE]
        if not level[INSTANCE_CONFIG]:
            del level[INSTANCE_CONFIG]
        yield Finding("profile_present", label, group, profile_text(profile), None)


def missing_groups(entries: t.Iterable[JsonObject], wanted: Profiles) -> tuple[str, list[str]]:
    """The first of the named node groups that no deployment config has, if any, and all that there
    are.
    """
    names = dict.fromkeys(name for entry in entries for name, _level in levels(entry) if name)
    missing = next((group for group in wanted.by_group if group not in names), "")
    return missing, list(names)


def _difference(profile: t.Any, arn: str) -> str | None:
    """Why a profile is not ``{"Arn": arn}``, as a reason code."""
    if profile == {"Arn": arn}:
        return None
    if not profile:
        return "profile_missing"
    if isinstance(profile, dict) and "Name" in profile:
        return "profile_by_name"
    kind = _identity(profile_text(profile))[0]
    return "wrong_arn_kind" if kind and kind != _identity(arn)[0] else "profile_differs"


def same_profile(profile: t.Any, arn: str) -> bool:
    """Whether a profile is the one of ``arn``, by either kind of ARN or by name."""
    _kind, account_id, name = _identity(arn)
    _found_kind, found_account_id, found_name = _identity(profile_text(profile))
    return found_name == name and found_account_id in ("", account_id)


def _identity(text: str | None) -> tuple[str, str, str]:
    """Kind (``role``, ``instance-profile``), account and name of an ARN; only the name for a bare
    name.
    """
    arn = parse_arn(text or "")
    if arn is None:
        return "", "", text or ""
    return arn.resource.partition("/")[0], arn.account_id, arn.resource.rpartition("/")[2]


def profile_text(profile: t.Any) -> str | None:
    """The text of a profile: its ARN, else its name."""
    if isinstance(profile, dict):
        profile = profile.get("Arn") or profile.get("Name")
    return None if profile is None else str(profile)
