# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Translate a compute config from the API's form to the YAML schema of the anyscale CLI.

This module util is private to the collection. Pure.
https://docs.anyscale.com/reference/compute-config-api
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_reader import (
    REQUIRED_RESOURCE_FIELDS,
    Field,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_shape import (
    ANY_ZONE,
    CROSS_ZONE,
    CUSTOM,
    INSTANCE_CONFIG,
    RESOURCES,
    WORKER_DEFAULTS,
    JsonObject,
    deployments,
    without_nulls,
    worker_name,
)


def to_yaml_schema(config: t.Mapping[str, t.Any], cloud_name: str | None) -> JsonObject:
    """Translate a config to the YAML schema. Keys without an equivalent, such as the idle
    termination, are omitted.
    """
    cloud = {"cloud": cloud_name} if cloud_name else {}
    entries = [_yaml_deployment(entry) for entry in deployments(config)]
    return {**cloud, **entries[0]} if len(entries) == 1 else {**cloud, "configs": entries}


def _yaml_deployment(entry: JsonObject) -> JsonObject:
    flags = dict(entry.get("flags", {}))
    automatic = bool(entry.get("auto_select_worker_config"))
    workers = entry.get("worker_node_types", [])
    zones = entry.get("allowed_azs", [])
    head = _yaml_node(entry.get("head_node_type", {}))
    if head.get("resources") == {"CPU": 0, "GPU": 0} and (workers or automatic):
        # Anyscale's client adds these to every head node of a cluster with workers.
        del head["resources"]
    document = {
        "cloud_resource": entry.get("cloud_deployment"),
        "zones": None if tuple(zones) in ((), ANY_ZONE) else zones,
        "head_node": head if head.keys() & {"instance_type", "required_resources"} else None,
        "worker_nodes": None if automatic else _yaml_workers(workers),
        "auto_select_worker_config": automatic or None,
        "enable_cross_zone_scaling": flags.pop(CROSS_ZONE, None) or None,
        "min_resources": flags.pop("min_resources", None),
        "max_resources": flags.pop("max_resources", None),
        "advanced_instance_config": entry.get(INSTANCE_CONFIG),
        "flags": flags,
    }
    return without_nulls(document)


def _yaml_workers(nodes: t.Sequence[JsonObject]) -> list[JsonObject]:
    """Worker groups. Anyscale lets groups share a name, the YAML schema does not: later ones get a
    number.
    """
    taken: set[str] = set()
    groups = []
    for node in nodes:
        name = base = worker_name(node)
        count = 1
        while name in taken:
            count += 1
            name = f"{base}-{count}"
        taken.add(name)
        groups.append(_yaml_worker({**WORKER_DEFAULTS, **node}, name))
    return groups


def _yaml_worker(node: JsonObject, name: str) -> JsonObject:
    market = "ON_DEMAND"
    if node["use_spot"]:
        market = "PREFER_SPOT" if node["fallback_to_ondemand"] else "SPOT"
    counts = {
        "min_nodes": node["min_workers"],
        "max_nodes": node["max_workers"],
        "market_type": market,
    }
    return {"name": name, **_yaml_node(node), **counts}


def _yaml_node(node: JsonObject) -> JsonObject:
    flags = dict(node.get("flags", {}))
    instance_type = node.get("instance_type")
    required = node.get("required_resources") if instance_type in (None, CUSTOM) else None
    document = {
        "instance_type": None if required else instance_type,
        "required_resources": _yaml_keys(required or {}, REQUIRED_RESOURCE_FIELDS),
        "resources": _yaml_resources(node.get("resources", {})),
        "labels": node.get("labels"),
        "required_labels": node.get("required_labels"),
        "advanced_instance_config": node.get(INSTANCE_CONFIG),
        "cloud_deployment": flags.pop("cloud_deployment", None),
        "flags": flags,
    }
    return without_nulls(document)


def _yaml_keys(amounts: JsonObject, fields: t.Mapping[str, Field]) -> JsonObject:
    names = {field.target: key for key, field in fields.items()}
    return {names.get(key, key): value for key, value in amounts.items()}


def _yaml_resources(resources: JsonObject) -> JsonObject:
    names = {target: key for key, target in RESOURCES.items()}
    known = {
        names.get(key, key): value for key, value in resources.items() if key != "custom_resources"
    }
    return {**known, **(resources.get("custom_resources") or {})}
