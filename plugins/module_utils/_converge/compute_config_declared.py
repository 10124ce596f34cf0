# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The declared part of a compute config: where it begins, and what it becomes with it.

This module util is private to the collection. Pure.
"""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_reader import (
    to_api,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_shape import (
    INSTANCE_CONFIG,
    WORKER_DEFAULTS,
    JsonObject,
    deployments,
    worker_name,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_groups import (
    PROFILE,
    Profiles,
    levels,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_observed import (
    Observed,
    resource_name,
    split_by_platform,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    option,
)

_SPEC = "cloud_iam_compute_config_spec"

# https://docs.anyscale.com/configuration/compute/aws: the keys that Anyscale sets itself when it
# launches an instance.
UNSUPPORTED_KEYS = frozenset(
    {
        "ClientToken",
        "DryRun",
        "ImageId",
        "InstanceType",
        "Ipv6Addresses",
        "LaunchTemplate",
        "MaxCount",
        "MinCount",
        "PrivateIpAddress",
        "SecurityGroups",
        "UserData",
    }
)


def starting_point(
    observed: Observed, declared: t.Mapping[str, t.Any] | None
) -> tuple[t.Mapping[str, t.Any], list[JsonObject]]:
    """The config to change and its deployment configs: the live one, also from the archive, else an
    empty one for a declared config, else the cloud's default.
    """
    cloud = {"cloud_id": observed.cloud_id}
    if observed.template is not None:
        live = observed.template["config"]
        return {**live, **cloud}, deployments(live)
    if declared is not None:
        return cloud, []
    if observed.default_config is None:
        raise InputError(
            f"The compute config {observed.name!r} does not exist, and there is no config to "
            "create it from.",
            f"Set {option('config', _SPEC)}, at least with a head_node.",
        )
    return {**observed.default_config, **cloud}, deployments(observed.default_config)


def _new_entry(declared: JsonObject, observed: Observed) -> JsonObject:
    """A new deployment config, completed as Anyscale's client does it."""
    head: JsonObject = {"name": "head-node"}
    if "head_node_type" not in declared and observed.default_config is not None:
        default = deployments(observed.default_config)[0].get("head_node_type", {})
        # Anyscale determines the resources from the instance type.
        head.update(
            {key: value for key, value in default.items() if key not in ("name", "resources")}
        )
    entry = _merged_entry({"head_node_type": head}, declared)
    if entry.get("worker_node_types") or entry.get("auto_select_worker_config"):
        # With workers, the head node runs no workload unless the config says so.
        entry["head_node_type"].setdefault("resources", {"cpu": 0, "gpu": 0})
    return entry


def enforced(
    entries: list[JsonObject], config: t.Mapping[str, t.Any], wanted: Profiles, observed: Observed
) -> list[JsonObject]:
    """The deployment configs with the declared keys set; ``configs`` also declares which of them
    exist.
    """
    declared = deployments(to_api(config))
    _check_declared(declared, wanted, observed)
    if "configs" in config:
        return [
            _enforced_entry(_for_same_resource(entries, one, observed), one, observed)
            for one in declared
        ]
    if not entries:
        return [_new_entry(declared[0], observed)]
    target = entries[0] if len(entries) == 1 else _for_same_resource(entries, declared[0], observed)
    if target is None:
        names = ", ".join(repr(entry.get("cloud_deployment")) for entry in entries)
        raise InputError(
            f"The compute config {observed.name!r} has several deployments ({names}), and config "
            "does not say to which one it applies.",
            f"Set cloud_resource in {option('config', _SPEC)} to one of them, or declare all of "
            "them in its configs.",
        )
    return [
        _enforced_entry(entry, declared[0], observed) if entry is target else entry
        for entry in entries
    ]


def _for_same_resource(
    entries: list[JsonObject], declared: JsonObject, observed: Observed
) -> JsonObject | None:
    name = resource_name(declared, observed)
    return next((entry for entry in entries if resource_name(entry, observed) == name), None)


def _enforced_entry(
    live: JsonObject | None, declared: JsonObject, observed: Observed
) -> JsonObject:
    if live is None:
        return _new_entry(declared, observed)
    if "cloud_deployment" in declared:
        if resource_name(live, observed) == resource_name(declared, observed):
            # The primary resource need not be named: adding its name is no change.
            declared = _without(declared, "cloud_deployment")
        else:
            live = _without(live, "cloud_resource_id")
    return _merged_entry(live, declared)


def _merged_entry(live: JsonObject, declared: JsonObject) -> JsonObject:
    by_name = ("head_node_type", "worker_node_types")
    merged = _merged(live, {key: value for key, value in declared.items() if key not in by_name})
    if "head_node_type" in declared:
        merged["head_node_type"] = _merged_node(
            live.get("head_node_type", {}), declared["head_node_type"]
        )
    if "worker_node_types" in declared:
        groups: dict[str, JsonObject] = {}
        for node in live.get("worker_node_types", []):
            groups.setdefault(worker_name(node), node)
        merged["worker_node_types"] = [
            _merged_node(groups.get(node["name"], WORKER_DEFAULTS), node)
            for node in declared["worker_node_types"]
        ]
    elif declared.get("auto_select_worker_config"):
        merged.pop("worker_node_types", None)
    return merged


def _merged_node(live: JsonObject, declared: JsonObject) -> JsonObject:
    merged = _merged(live, declared)
    if declared.get("instance_type", "custom") != "custom":
        merged.pop("required_resources", None)
    return merged


def _merged(live: t.Any, declared: t.Any) -> t.Any:
    """Merge mappings key by key; any other declared value replaces the live one."""
    if isinstance(live, dict) and isinstance(declared, dict):
        return {**live, **{key: _merged(live.get(key), value) for key, value in declared.items()}}
    return copy.deepcopy(declared)


def _without(entry: JsonObject, removed_key: str) -> JsonObject:
    return {key: value for key, value in entry.items() if key != removed_key}


def _check_declared(declared: list[JsonObject], wanted: Profiles, observed: Observed) -> None:
    known = [resource.get("name") for resource in observed.resources]
    for entry in declared:
        if known and entry.get("cloud_deployment", known[0]) not in known:
            raise InputError(
                f"config names the cloud resource {entry['cloud_deployment']!r}, which does not "
                f"exist in cloud {observed.cloud_id}.",
                f"Its cloud resources are {', '.join(map(str, known))}.",
            )
    for _label, entry in split_by_platform(declared, observed)[0]:
        _check_instance_configs(entry, wanted)


def _check_instance_configs(entry: JsonObject, wanted: Profiles) -> None:
    for group, level in levels(entry):
        place = (
            "The advanced_instance_config of "
            f"{f'node group {group!r}' if group else 'the cluster'} in config"
        )
        instance_config = level.get(INSTANCE_CONFIG, {})
        unsupported = sorted(UNSUPPORTED_KEYS & instance_config.keys())
        if unsupported:
            raise InputError(
                f"{place} has {', '.join(unsupported)}, which Anyscale sets itself.",
                "Remove them.",
            )
        arn = wanted.arn_of(group)
        profile = instance_config.get(PROFILE, {"Arn": arn})
        if profile != {"Arn": arn} and not wanted.keeps(group, profile):
            raise InputError(
                f"{place} has another {PROFILE} than {arn}.",
                "Remove it: this module sets it wherever it is needed.",
            )
