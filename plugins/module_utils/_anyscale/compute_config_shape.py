# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compute configs in the Anyscale API's form: their deployment configs, and comparison by meaning.

This module util is private to the collection. Pure.
https://docs.anyscale.com/configuration/compute
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

JsonObject = dict[str, t.Any]
INSTANCE_CONFIG = "advanced_configurations_json"
_OLD_INSTANCE_CONFIGS = ("gcp_advanced_configurations_json", "aws_advanced_configurations_json")
_OBJECTS = (INSTANCE_CONFIG, *_OLD_INSTANCE_CONFIGS, "flags", "resources", "required_resources")
_REPEATED = (
    "allowed_azs",
    "head_node_type",
    "worker_node_types",
    "auto_select_worker_config",
    "flags",
    INSTANCE_CONFIG,
)
# The search adds the cloud to a config; the create rejects it.
_READ_ONLY_KEYS = ("cloud",)
CUSTOM = "custom"
ANY_ZONE = ("any",)
CROSS_ZONE = "allow-cross-zone-autoscaling"
_CONFIG_DEFAULTS = {"idle_termination_minutes": 120}
WORKER_DEFAULTS = {
    "min_workers": 0,
    "max_workers": 10,
    "use_spot": False,
    "fallback_to_ondemand": False,
}
RESOURCES = {
    "CPU": "cpu",
    "GPU": "gpu",
    "memory": "memory",
    "object_store_memory": "object_store_memory",
    "system_reserved_cpu_millicpu": "system_reserved_cpu_millicpu",
    "system_reserved_memory_bytes": "system_reserved_memory_bytes",
}


def deployments(config: t.Mapping[str, t.Any]) -> list[JsonObject]:
    """Copies of the deployment configs, without nulls. Keys missing in the first one are taken from
    the top level.

    Raises InputError if the document is not in the API's form.
    """
    config = mapping_in(config, "config")
    documents = list_in(config.get("deployment_configs") or [{}], "config.deployment_configs")
    places = [f"config.deployment_configs[{index}]" for index in range(len(documents))]
    entries = [
        without_nulls(_checked_mapping(document, place))
        for document, place in zip(documents, places, strict=True)
    ]
    entries[0] = {
        **without_nulls({key: config.get(key) for key in (*_REPEATED, *_OLD_INSTANCE_CONFIGS)}),
        **entries[0],
    }
    for entry, place in zip(entries, places, strict=True):
        _check_shape(entry, place)
    return [_current(entry) for entry in entries]


def compose(config: t.Mapping[str, t.Any], entries: t.Sequence[JsonObject]) -> JsonObject:
    """The request body to publish: ``config`` with these deployment configs, the first repeated at
    the top level.
    """
    replaced = (*_REPEATED, *_OLD_INSTANCE_CONFIGS, *_READ_ONLY_KEYS, "deployment_configs")
    kept = {
        key: value for key, value in config.items() if key not in replaced and value is not None
    }
    repeated = {key: entries[0][key] for key in _REPEATED if key in entries[0]}
    return json_copy({**kept, **repeated, "deployment_configs": list(entries)})


def normalize(config: t.Mapping[str, t.Any]) -> JsonObject:
    """Normalize a config for comparison: nulls, Anyscale's defaults, legacy keys and the order of
    worker groups do not matter.

    Zero resources of a head node are kept: unlike absent ones, they make it unschedulable.
    """
    entries = deployments(config)
    rest = compose(config, [{}])
    for key, default in _CONFIG_DEFAULTS.items():
        if rest.get(key) == default:
            del rest[key]
    return _whole_numbers(
        {**rest, "deployment_configs": [_normal_deployment(entry) for entry in entries]}
    )


def same_config(one: t.Mapping[str, t.Any], other: t.Mapping[str, t.Any]) -> bool:
    """Whether two configs mean the same. Compared as JSON: in Python ``True == 1``."""
    return _json.dumps(normalize(one), sort_keys=True) == _json.dumps(
        normalize(other), sort_keys=True
    )


def worker_name(node: t.Mapping[str, t.Any]) -> str:
    """A worker group's name. Without one, Anyscale uses its instance type."""
    return str(node.get("name") or node.get("instance_type") or CUSTOM)


def without_nulls(level: t.Mapping[str, t.Any]) -> JsonObject:
    """A level without the keys that say nothing: null and the empty object."""
    return {key: value for key, value in level.items() if value is not None and value != {}}


def _check_shape(entry: JsonObject, path: str) -> None:
    """Reject documents of another form: nothing else validates what the API or a file contains."""
    workers = list_in(entry.get("worker_node_types", []), f"{path}.worker_node_types")
    levels = {
        path: entry,
        **{f"{path}.worker_node_types[{index}]": node for index, node in enumerate(workers)},
    }
    if "head_node_type" in entry:
        levels[f"{path}.head_node_type"] = entry["head_node_type"]
    for place, level in levels.items():
        objects = {
            key: value
            for key, value in _checked_mapping(level, place).items()
            if key in _OBJECTS and value is not None
        }
        for key, value in objects.items():
            _checked_mapping(value, f"{place}.{key}")
        custom = objects.get("resources", {}).get("custom_resources")
        if custom is not None:
            amounts_in(custom, f"{place}.resources.custom_resources")
    if entry.get("allowed_azs", []) != []:
        zones_in(entry["allowed_azs"], f"{path}.allowed_azs")


def _current(entry: JsonObject) -> JsonObject:
    """A deployment config with its legacy keys replaced by the current ones."""
    entry = _current_level(entry)
    if "head_node_type" in entry:
        entry["head_node_type"] = _current_level(entry["head_node_type"])
    if "worker_node_types" in entry:
        entry["worker_node_types"] = [_current_level(node) for node in entry["worker_node_types"]]
    return entry


def _current_level(level: JsonObject) -> JsonObject:
    """One level (cluster, head, worker group) with its instance configuration under the current
    key, whose content takes precedence.
    """
    instance_config: JsonObject = {}
    for key in (*_OLD_INSTANCE_CONFIGS, INSTANCE_CONFIG):
        instance_config.update(level.get(key) or {})
    rest = without_nulls(
        {key: value for key, value in level.items() if key not in _OLD_INSTANCE_CONFIGS}
    )
    for key in ("resources", "required_resources"):
        if key in rest:
            rest[key] = without_nulls(rest[key])
    return {**rest, INSTANCE_CONFIG: instance_config} if instance_config else rest


def _normal_deployment(entry: JsonObject) -> JsonObject:
    normal = dict(entry)
    zones = normal.pop("allowed_azs", [])
    if tuple(zones) not in ((), ANY_ZONE):
        normal["allowed_azs"] = sorted(zones)
    if not normal.get("auto_select_worker_config"):
        normal.pop("auto_select_worker_config", None)
    normal["flags"] = without_nulls(normal.pop("flags", {}))
    if normal["flags"].get(CROSS_ZONE) is False:
        del normal["flags"][CROSS_ZONE]
    if "head_node_type" in normal:
        head = _normal_node(normal["head_node_type"])
        normal["head_node_type"] = {key: value for key, value in head.items() if key != "name"}
    workers = [
        {**_normal_node(node), "name": worker_name(node)}
        for node in normal.pop("worker_node_types", [])
    ]
    if workers:
        normal["worker_node_types"] = sorted(workers, key=_sort_key)
    return without_nulls(normal)


def _sort_key(worker: JsonObject) -> tuple[str, ...]:
    """The sort key of a worker group. Groups with the same name keep their order if their instance
    configurations change.
    """
    rest = {key: value for key, value in worker.items() if key != "advanced_configurations_json"}
    return worker["name"], _json.dumps(rest, sort_keys=True), _json.dumps(worker, sort_keys=True)


def _normal_node(node: JsonObject) -> JsonObject:
    normal = {
        key: value
        for key, value in node.items()
        if key not in WORKER_DEFAULTS or value != WORKER_DEFAULTS[key]
    }
    if not normal.get("use_spot"):
        normal.pop("fallback_to_ondemand", None)
    if "resources" in normal:
        resources = {RESOURCES.get(key, key): value for key, value in normal["resources"].items()}
        custom = resources.pop("custom_resources", {})
        # Anyscale stores whole numbers only.
        whole = {key: int(value) for key, value in custom.items()}
        normal["resources"] = {**resources, **({"custom_resources": whole} if whole else {})}
    return without_nulls(normal)


def _whole_numbers(value: t.Any) -> t.Any:
    """JSON has one number type: 8.0 equals 8."""
    if isinstance(value, dict):
        return {key: _whole_numbers(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_whole_numbers(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def schema_error(path: str, value: t.Any, expected: str) -> InputError:
    """The error for a value of the wrong shape, with its path."""
    text = repr(value)
    return InputError(
        f"{path} is {text if len(text) <= 80 else text[:80] + '...'}.", f"It must be {expected}."
    )


def json_copy(value: t.Any) -> t.Any:
    """A copy of a JSON document: several times faster than ``copy.deepcopy``, and configs are copied
    often.
    """
    if isinstance(value, dict):
        return {key: json_copy(part) for key, part in value.items()}
    if isinstance(value, list):
        return [json_copy(part) for part in value]
    return value


def mapping_in(value: t.Any, path: str) -> JsonObject:
    """A copy of a value that has to be a mapping."""
    return json_copy(dict(_checked_mapping(value, path)))


def _checked_mapping(value: t.Any, path: str) -> t.Mapping[str, t.Any]:
    """A value that has to be a mapping, itself: to copy it takes longer than all else."""
    if not isinstance(value, t.Mapping) or not all(isinstance(key, str) for key in value):
        raise schema_error(path, value, "a mapping with strings as keys")
    return value


def list_in(value: t.Any, path: str) -> list[t.Any]:
    """A value that has to be a list."""
    if not isinstance(value, list):
        raise schema_error(path, value, "a list")
    return value


def amount_in(value: t.Any, path: str) -> int | float:
    """A value that has to be a number, 0 or more."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not 0 <= value < float("inf")
    ):
        raise schema_error(path, value, "a number, 0 or more")
    return value


def amounts_in(value: t.Any, path: str) -> JsonObject:
    """A value that has to be a mapping to numbers, 0 or more."""
    return {
        key: amount_in(number, f"{path}.{key}") for key, number in mapping_in(value, path).items()
    }


def zones_in(value: t.Any, path: str) -> list[str]:
    """A value that has to be a list of availability zones."""
    if not isinstance(value, list) or not value or not all(isinstance(zone, str) for zone in value):
        raise schema_error(path, value, "a list of availability zones, or ['any']")
    return list(value)
