# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two forms of a compute config: the vendor's YAML schema and the body that the API keeps.

This module util is private to the collection. Pure. The YAML schema is what ``anyscale compute-config create -f`` reads,
see https://docs.anyscale.com/reference/compute-config-api

In the API's form a config has one *deployment config* for each cloud resource that it can run on; the first of them is
repeated at the top level for old clients, and all that old clients wrote is the top level alone.
"""

from __future__ import annotations

import copy
import decimal
import json
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

JsonObject = dict[str, t.Any]
_Reader = t.Callable[[t.Any, str], t.Any]

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
# The search decorates a config with its cloud; the create refuses it.
_DECORATIONS = ("cloud",)

_CUSTOM = "custom"
_ANY_ZONE = ("any",)
_CROSS_ZONE = "allow-cross-zone-autoscaling"
_CONFIG_DEFAULTS = {"idle_termination_minutes": 120}
WORKER_DEFAULTS = {"min_workers": 0, "max_workers": 10, "use_spot": False, "fallback_to_ondemand": False}

_RESOURCES = {
    "CPU": "cpu",
    "GPU": "gpu",
    "memory": "memory",
    "object_store_memory": "object_store_memory",
    "system_reserved_cpu_millicpu": "system_reserved_cpu_millicpu",
    "system_reserved_memory_bytes": "system_reserved_memory_bytes",
}
_REQUIRED_RESOURCE_ALIASES = {"cpu": "CPU", "gpu": "GPU", "tpu": "TPU", "Memory": "memory", "anyscale_tpu_hosts": "tpu_hosts"}
_MARKETS = {
    "ON_DEMAND": {"use_spot": False, "fallback_to_ondemand": False},
    "SPOT": {"use_spot": True, "fallback_to_ondemand": False},
    "PREFER_SPOT": {"use_spot": True, "fallback_to_ondemand": True},
}
_QUANTITY = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<unit>[KMGTPE]i|[kMGTPE])?\Z")
_UNITS = {unit: 1000**power for power, unit in enumerate(("", "k", "M", "G", "T", "P", "E"))} | {
    f"{unit}i": 1024**power for power, unit in enumerate("KMGTPE", start=1)
}


# --- the API's form ---------------------------------------------------------------------------------------------------


def deployments(config: t.Mapping[str, t.Any]) -> list[JsonObject]:
    """Copies of the deployment configs, without nulls; what the first one lacks is taken from the top level.

    Raises InputError where the document has another shape than the API gives it.
    """
    config = _mapping(config, "config")
    documents = _list(config.get("deployment_configs") or [{}], "config.deployment_configs")
    places = [f"config.deployment_configs[{index}]" for index in range(len(documents))]
    entries = [_without_nulls(_mapping(document, place)) for document, place in zip(documents, places, strict=True)]
    entries[0] = {**_without_nulls({key: config.get(key) for key in (*_REPEATED, *_OLD_INSTANCE_CONFIGS)}), **entries[0]}
    for entry, place in zip(entries, places, strict=True):
        _check_shape(entry, place)
    return [_current(entry) for entry in entries]


def compose(config: t.Mapping[str, t.Any], entries: t.Sequence[JsonObject]) -> JsonObject:
    """The body to publish: ``config`` with these deployment configs, the first one repeated at the top level."""
    replaced = (*_REPEATED, *_OLD_INSTANCE_CONFIGS, *_DECORATIONS, "deployment_configs")
    kept = {key: value for key, value in config.items() if key not in replaced and value is not None}
    repeated = {key: entries[0][key] for key in _REPEATED if key in entries[0]}
    return copy.deepcopy({**kept, **repeated, "deployment_configs": list(entries)})


def normalise(config: t.Mapping[str, t.Any]) -> JsonObject:
    """A config without what makes no difference: nulls, the service's defaults, legacy keys, the order of worker groups.

    A head node's zero resources are kept: they make it unschedulable, which is not what absent ones mean.
    """
    entries = deployments(config)
    rest = compose(config, [{}])
    for key, default in _CONFIG_DEFAULTS.items():
        if rest.get(key) == default:
            del rest[key]
    return _whole_numbers({**rest, "deployment_configs": [_normal_deployment(entry) for entry in entries]})


def same_config(one: t.Mapping[str, t.Any], other: t.Mapping[str, t.Any]) -> bool:
    """Whether two configs mean the same. Compared as JSON: in Python ``True == 1``."""
    return json.dumps(normalise(one), sort_keys=True) == json.dumps(normalise(other), sort_keys=True)


def worker_name(node: t.Mapping[str, t.Any]) -> str:
    """A worker group's name: the service names it after its instance type where it has none."""
    return str(node.get("name") or node.get("instance_type") or _CUSTOM)


def _without_nulls(level: t.Mapping[str, t.Any]) -> JsonObject:
    return {key: value for key, value in level.items() if value is not None and value != {}}


def _check_shape(entry: JsonObject, path: str) -> None:
    """Refuse what could not be worked on: nobody else checks what the API or a file holds."""
    workers = _list(entry.get("worker_node_types", []), f"{path}.worker_node_types")
    levels = {path: entry, **{f"{path}.worker_node_types[{index}]": node for index, node in enumerate(workers)}}
    if "head_node_type" in entry:
        levels[f"{path}.head_node_type"] = entry["head_node_type"]
    for place, level in levels.items():
        objects = {key: value for key, value in _mapping(level, place).items() if key in _OBJECTS and value is not None}
        for key, value in objects.items():
            _mapping(value, f"{place}.{key}")
        custom = objects.get("resources", {}).get("custom_resources")
        if custom is not None:
            _amounts(custom, f"{place}.resources.custom_resources")
    if entry.get("allowed_azs", []) != []:
        _zones(entry["allowed_azs"], f"{path}.allowed_azs")


def _current(entry: JsonObject) -> JsonObject:
    """A deployment config whose legacy keys were moved to the ones in use."""
    entry = _current_level(entry)
    if "head_node_type" in entry:
        entry["head_node_type"] = _current_level(entry["head_node_type"])
    if "worker_node_types" in entry:
        entry["worker_node_types"] = [_current_level(node) for node in entry["worker_node_types"]]
    return entry


def _current_level(level: JsonObject) -> JsonObject:
    """One level (cluster, head, worker group) with its instance configuration under the one key; that key's content wins."""
    instance_config: JsonObject = {}
    for key in (*_OLD_INSTANCE_CONFIGS, INSTANCE_CONFIG):
        instance_config.update(level.get(key) or {})
    rest = _without_nulls({key: value for key, value in level.items() if key not in _OLD_INSTANCE_CONFIGS})
    for key in ("resources", "required_resources"):
        if key in rest:
            rest[key] = _without_nulls(rest[key])
    return {**rest, INSTANCE_CONFIG: instance_config} if instance_config else rest


def _normal_deployment(entry: JsonObject) -> JsonObject:
    normal = dict(entry)
    zones = normal.pop("allowed_azs", [])
    if tuple(zones) not in ((), _ANY_ZONE):
        normal["allowed_azs"] = sorted(zones)
    if not normal.get("auto_select_worker_config"):
        normal.pop("auto_select_worker_config", None)
    normal["flags"] = _without_nulls(normal.pop("flags", {}))
    if normal["flags"].get(_CROSS_ZONE) is False:
        del normal["flags"][_CROSS_ZONE]
    if "head_node_type" in normal:
        head = _normal_node(normal["head_node_type"])
        normal["head_node_type"] = {key: value for key, value in head.items() if key != "name"}
    workers = [{**_normal_node(node), "name": worker_name(node)} for node in normal.pop("worker_node_types", [])]
    if workers:
        normal["worker_node_types"] = sorted(workers, key=_place)
    return _without_nulls(normal)


def _place(worker: JsonObject) -> tuple[str, ...]:
    """Where a group is in the order. Groups of one name do not change places when their instance configurations change."""
    apart = {key: value for key, value in worker.items() if key != "advanced_configurations_json"}
    return worker["name"], json.dumps(apart, sort_keys=True), json.dumps(worker, sort_keys=True)


def _normal_node(node: JsonObject) -> JsonObject:
    normal = {key: value for key, value in node.items() if key not in WORKER_DEFAULTS or value != WORKER_DEFAULTS[key]}
    if not normal.get("use_spot"):
        normal.pop("fallback_to_ondemand", None)
    if "resources" in normal:
        resources = {_RESOURCES.get(key, key): value for key, value in normal["resources"].items()}
        custom = resources.pop("custom_resources", {})
        # The service keeps whole numbers only.
        whole = {key: int(value) for key, value in custom.items()}
        normal["resources"] = {**resources, **({"custom_resources": whole} if whole else {})}
    return _without_nulls(normal)


def _whole_numbers(value: t.Any) -> t.Any:
    """JSON knows one kind of number: 8.0 is 8."""
    if isinstance(value, dict):
        return {key: _whole_numbers(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_whole_numbers(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


# --- from the vendor's YAML schema ------------------------------------------------------------------------------------


def to_api(config: t.Mapping[str, t.Any]) -> JsonObject:
    """The API's form of a config in the YAML schema, with the keys that were given and no others. The cloud is left out."""
    if "configs" in _mapping(config, "config"):
        entries = _multi_resource(config)
    else:
        entries = [_deployment(config, "config")]
    return compose({}, entries)


def _multi_resource(config: t.Mapping[str, t.Any]) -> list[JsonObject]:
    _refuse_unknown(config, "config", ("cloud", "configs", "flags"))
    documents = config["configs"]
    if not isinstance(documents, list) or not documents:
        raise _wrong("config.configs", documents, "a list of at least one config")
    common = _mapping(config.get("flags") or {}, "config.flags")
    entries = [_deployment(document, f"config.configs[{index}]") for index, document in enumerate(documents)]
    names = [entry.get("cloud_deployment") for entry in entries]
    if len(set(names)) < len(names):
        raise InputError("config.configs names the same cloud_resource more than once.", "Give each cloud resource one config.")
    return [{**entry, "flags": {**common, **entry.get("flags", {})}} if common else entry for entry in entries]


def _deployment(document: t.Any, path: str) -> JsonObject:
    entry = _translate(document, path, {"cloud": _Field("cloud", _text), **_DEPLOYMENT_FIELDS})
    entry.pop("cloud", None)
    if "worker_node_types" in entry:
        if entry.setdefault("auto_select_worker_config", False):
            raise InputError(
                f"{path} has both auto_select_worker_config and worker_nodes.", "Leave one of them out: they exclude each other."
            )
    return entry


class _Field(t.NamedTuple):
    """What becomes of a key of the YAML schema: the API's key, and the function that checks and translates its value."""

    target: str
    read: _Reader


def _translate(document: t.Any, path: str, fields: t.Mapping[str, _Field]) -> JsonObject:
    """Translate the keys of one level. A null is as good as absent; a target ``a.b`` is a key of the mapping ``a``."""
    _refuse_unknown(_mapping(document, path), path, fields)
    body: JsonObject = {}
    for key, field in fields.items():
        if document.get(key) is None:
            continue
        value = field.read(document[key], f"{path}.{key}")
        outer, dot, inner = field.target.partition(".")
        if dot:
            body.setdefault(outer, {})[inner] = value
        elif outer:
            body[outer] = value
        else:
            body.update(value)
    return body


def _refuse_unknown(document: t.Mapping[str, t.Any], path: str, allowed: t.Iterable[str]) -> None:
    unknown = sorted(str(key) for key in document if key not in allowed)
    if unknown:
        raise InputError(f"{path} has no key {', '.join(map(repr, unknown))}.", f"Its keys are {', '.join(sorted(allowed))}.")


def _wrong(path: str, value: t.Any, expected: str) -> InputError:
    shown = repr(value)
    return InputError(f"{path} is {shown if len(shown) <= 80 else shown[:80] + '...'}.", f"It must be {expected}.")


def _mapping(value: t.Any, path: str) -> JsonObject:
    if not isinstance(value, t.Mapping) or not all(isinstance(key, str) for key in value):
        raise _wrong(path, value, "a mapping with strings as keys")
    return copy.deepcopy(dict(value))


def _list(value: t.Any, path: str) -> list[t.Any]:
    if not isinstance(value, list):
        raise _wrong(path, value, "a list")
    return value


def _text(value: t.Any, path: str) -> str:
    if not isinstance(value, str) or not value:
        raise _wrong(path, value, "a string that is not empty")
    return value


def _boolean(value: t.Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(path, value, "true or false")
    return value


def _whole(value: t.Any, path: str) -> int:
    number = _amount(value, path)
    if number != int(number):
        raise _wrong(path, value, "a whole number: the service keeps no fractions here")
    return int(number)


def _at_least_one(value: t.Any, path: str) -> int:
    if _whole(value, path) < 1:
        raise _wrong(path, value, "at least 1")
    return _whole(value, path)


def _amount(value: t.Any, path: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise _wrong(path, value, "a number, 0 or more")
    return value


def _amounts(value: t.Any, path: str) -> JsonObject:
    return {key: _amount(number, f"{path}.{key}") for key, number in _mapping(value, path).items()}


def _labels(value: t.Any, path: str) -> dict[str, str]:
    labels = _mapping(value, path)
    for key, label in labels.items():
        if not isinstance(label, str):
            raise _wrong(f"{path}.{key}", label, "a string")
    return labels


def _zones(value: t.Any, path: str) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(zone, str) for zone in value):
        raise _wrong(path, value, "a list of availability zones, or ['any']")
    return list(value)


def _memory(value: t.Any, path: str) -> int:
    """Bytes, from a number of them or from a Kubernetes quantity such as ``8Gi``."""
    if not isinstance(value, str):
        return _whole(value, path)
    match = _QUANTITY.match(value)
    if match is None:
        raise _wrong(path, value, "a number of bytes or a quantity such as 8Gi")
    return int(decimal.Decimal(match["number"]) * _UNITS[match["unit"] or ""])


def _resources(value: t.Any, path: str) -> JsonObject:
    amounts = {key: _whole(number, f"{path}.{key}") for key, number in _mapping(value, path).items()}
    known = {_RESOURCES[key]: number for key, number in amounts.items() if key in _RESOURCES}
    custom = {key: number for key, number in amounts.items() if key not in _RESOURCES}
    return {**known, **({"custom_resources": custom} if custom else {})}


def _architecture(value: t.Any, path: str) -> str:
    if value not in ("x86_64", "arm64"):
        raise _wrong(path, value, "x86_64 or arm64")
    return str(value)


def _required_resources(value: t.Any, path: str) -> JsonObject:
    aliased = {_REQUIRED_RESOURCE_ALIASES.get(key, key): amount for key, amount in _mapping(value, path).items()}
    return _translate(aliased, path, _REQUIRED_RESOURCE_FIELDS)


def _selector(value: t.Any, path: str) -> JsonObject:
    return _translate(value, path, _SELECTOR_FIELDS)


def _market(value: t.Any, path: str) -> JsonObject:
    market = _MARKETS.get(value.upper()) if isinstance(value, str) else None
    if market is None:
        raise _wrong(path, value, f"one of {', '.join(_MARKETS)}")
    return dict(market)


def _head(value: t.Any, path: str) -> JsonObject:
    return _node(value, path, _NODE_FIELDS)


def _node(value: t.Any, path: str, fields: t.Mapping[str, _Field]) -> JsonObject:
    node = _translate(value, path, fields)
    if "required_resources" in node and node.setdefault("instance_type", _CUSTOM) != _CUSTOM:
        raise InputError(f"{path} has both instance_type and required_resources.", "Leave one of them out: they exclude each other.")
    return node


def _workers(value: t.Any, path: str) -> list[JsonObject]:
    if not isinstance(value, list):
        raise _wrong(path, value, "a list of worker groups")
    workers = [_worker(group, f"{path}[{index}]") for index, group in enumerate(value)]
    names = [worker["name"] for worker in workers]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"{path} has more than one group named {', '.join(repeated)}.", "Give each group a name of its own.")
    return workers


def _worker(value: t.Any, path: str) -> JsonObject:
    worker = _node(value, path, _WORKER_FIELDS)
    if not worker.keys() & {"name", "instance_type"}:
        raise InputError(f"{path} does not say which group it is.", "Give it a name, an instance_type or required_resources.")
    if worker.get("max_workers", float("inf")) < worker.get("min_workers", 0):
        raise InputError(f"{path} has max_nodes below its min_nodes.", "Raise max_nodes or lower min_nodes.")
    if "name" not in worker:
        shape = worker.get("required_resources")
        worker["name"] = _shape_name(worker, shape) if shape else worker["instance_type"]
    return worker


def _shape_name(worker: JsonObject, shape: JsonObject) -> str:
    """The name that the vendor's client gives to a group without an instance type, so that it is found again."""
    labels = {**worker.get("labels", {}), **worker.get("required_labels", {})}
    accelerator = shape.get("accelerator") or labels.get("ray.io/accelerator-type")
    parts = [f"FP-{shape.get('cpu', 0)}CPU-{shape.get('memory', 0) // 1024**3}GB"]
    if shape.get("tpu"):
        parts.append(f"{shape['tpu']}TPU")
        if shape.get("anyscale/tpu_hosts"):
            parts.append(f"{shape['anyscale/tpu_hosts']}TPUHost")
    elif shape.get("gpu"):
        parts.append(f"{shape['gpu']}GPU")
    if accelerator and len(parts) > 1:
        parts.append(accelerator)
    if shape.get("cpu_architecture") == "arm64":
        parts.append("ARM64")
    return "-".join(parts)


_REQUIRED_RESOURCE_FIELDS = {
    "CPU": _Field("cpu", _whole),
    "GPU": _Field("gpu", _whole),
    "TPU": _Field("tpu", _whole),
    "memory": _Field("memory", _memory),
    "accelerator": _Field("accelerator", _text),
    "tpu_hosts": _Field("anyscale/tpu_hosts", _whole),
    "cpu_architecture": _Field("cpu_architecture", _architecture),
}
_SELECTOR_FIELDS = {key: _Field(key, _text) for key in ("provider", "region", "machine_pool", "id")}
_NODE_FIELDS = {
    "instance_type": _Field("instance_type", _text),
    "resources": _Field("resources", _resources),
    "required_resources": _Field("required_resources", _required_resources),
    "labels": _Field("labels", _labels),
    "required_labels": _Field("required_labels", _labels),
    "advanced_instance_config": _Field(INSTANCE_CONFIG, _mapping),
    "flags": _Field("flags", _mapping),
    "cloud_deployment": _Field("flags.cloud_deployment", _selector),
}
_WORKER_FIELDS = {
    "name": _Field("name", _text),
    **_NODE_FIELDS,
    "min_nodes": _Field("min_workers", _whole),
    "max_nodes": _Field("max_workers", _at_least_one),
    "market_type": _Field("", _market),
}
_DEPLOYMENT_FIELDS = {
    "cloud_resource": _Field("cloud_deployment", _text),
    "zones": _Field("allowed_azs", _zones),
    "head_node": _Field("head_node_type", _head),
    "worker_nodes": _Field("worker_node_types", _workers),
    "auto_select_worker_config": _Field("auto_select_worker_config", _boolean),
    "advanced_instance_config": _Field(INSTANCE_CONFIG, _mapping),
    "flags": _Field("flags", _mapping),
    "enable_cross_zone_scaling": _Field(f"flags.{_CROSS_ZONE}", _boolean),
    "min_resources": _Field("flags.min_resources", _amounts),
    "max_resources": _Field("flags.max_resources", _amounts),
}

KEYS = frozenset({"cloud", "configs", *_DEPLOYMENT_FIELDS})


# --- to the vendor's YAML schema --------------------------------------------------------------------------------------


def to_vendor(config: t.Mapping[str, t.Any], cloud_name: str | None) -> JsonObject:
    """The YAML schema's form of a config, as far as that schema goes (it has no idle termination, for one)."""
    cloud = {"cloud": cloud_name} if cloud_name else {}
    entries = [_vendor_deployment(entry) for entry in deployments(config)]
    return {**cloud, **entries[0]} if len(entries) == 1 else {**cloud, "configs": entries}


def _vendor_deployment(entry: JsonObject) -> JsonObject:
    flags = dict(entry.get("flags", {}))
    automatic = bool(entry.get("auto_select_worker_config"))
    workers = entry.get("worker_node_types", [])
    zones = entry.get("allowed_azs", [])
    head = _vendor_node(entry.get("head_node_type", {}))
    if head.get("resources") == {"CPU": 0, "GPU": 0} and (workers or automatic):
        del head["resources"]  # the vendor's client adds them to every head node that has workers beside it
    vendor = {
        "cloud_resource": entry.get("cloud_deployment"),
        "zones": None if tuple(zones) in ((), _ANY_ZONE) else zones,
        "head_node": head if head.keys() & {"instance_type", "required_resources"} else None,
        "worker_nodes": None if automatic else _vendor_workers(workers),
        "auto_select_worker_config": automatic or None,
        "enable_cross_zone_scaling": flags.pop(_CROSS_ZONE, None) or None,
        "min_resources": flags.pop("min_resources", None),
        "max_resources": flags.pop("max_resources", None),
        "advanced_instance_config": entry.get(INSTANCE_CONFIG),
        "flags": flags,
    }
    return _without_nulls(vendor)


def _vendor_workers(nodes: t.Sequence[JsonObject]) -> list[JsonObject]:
    """Worker groups. The service lets groups share a name, the YAML schema does not: the later ones get a number."""
    taken: set[str] = set()
    groups = []
    for node in nodes:
        name = base = worker_name(node)
        count = 1
        while name in taken:
            count += 1
            name = f"{base}-{count}"
        taken.add(name)
        groups.append(_vendor_worker({**WORKER_DEFAULTS, **node}, name))
    return groups


def _vendor_worker(node: JsonObject, name: str) -> JsonObject:
    market = "ON_DEMAND"
    if node["use_spot"]:
        market = "PREFER_SPOT" if node["fallback_to_ondemand"] else "SPOT"
    counts = {"min_nodes": node["min_workers"], "max_nodes": node["max_workers"], "market_type": market}
    return {"name": name, **_vendor_node(node), **counts}


def _vendor_node(node: JsonObject) -> JsonObject:
    flags = dict(node.get("flags", {}))
    instance_type = node.get("instance_type")
    required = node.get("required_resources") if instance_type in (None, _CUSTOM) else None
    vendor = {
        "instance_type": None if required else instance_type,
        "required_resources": _vendor_keys(required or {}, _REQUIRED_RESOURCE_FIELDS),
        "resources": _vendor_resources(node.get("resources", {})),
        "labels": node.get("labels"),
        "required_labels": node.get("required_labels"),
        "advanced_instance_config": node.get(INSTANCE_CONFIG),
        "cloud_deployment": flags.pop("cloud_deployment", None),
        "flags": flags,
    }
    return _without_nulls(vendor)


def _vendor_keys(amounts: JsonObject, fields: t.Mapping[str, _Field]) -> JsonObject:
    names = {field.target: key for key, field in fields.items()}
    return {names.get(key, key): value for key, value in amounts.items()}


def _vendor_resources(resources: JsonObject) -> JsonObject:
    names = {target: key for key, target in _RESOURCES.items()}
    known = {names.get(key, key): value for key, value in resources.items() if key != "custom_resources"}
    return {**known, **(resources.get("custom_resources") or {})}
