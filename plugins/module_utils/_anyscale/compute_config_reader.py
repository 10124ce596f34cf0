# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Translate a compute config from the YAML schema of the anyscale CLI to the API's form.

This module util is private to the collection. Pure.
https://docs.anyscale.com/reference/compute-config-api
"""

from __future__ import annotations

import decimal
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_shape import (
    CROSS_ZONE,
    CUSTOM,
    INSTANCE_CONFIG,
    RESOURCES,
    JsonObject,
    amount_in,
    amounts_in,
    compose,
    mapping_in,
    schema_error,
    zones_in,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

_Reader = t.Callable[[t.Any, str], t.Any]
_REQUIRED_RESOURCE_ALIASES = {
    "cpu": "CPU",
    "gpu": "GPU",
    "tpu": "TPU",
    "Memory": "memory",
    "anyscale_tpu_hosts": "tpu_hosts",
}
_MARKETS = {
    "ON_DEMAND": {"use_spot": False, "fallback_to_ondemand": False},
    "SPOT": {"use_spot": True, "fallback_to_ondemand": False},
    "PREFER_SPOT": {"use_spot": True, "fallback_to_ondemand": True},
}
_QUANTITY = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<unit>[KMGTPE]i|[kMGTPE])?\Z")
_UNITS = {unit: 1000**power for power, unit in enumerate(("", "k", "M", "G", "T", "P", "E"))} | {
    f"{unit}i": 1024**power for power, unit in enumerate("KMGTPE", start=1)
}


def to_api(config: t.Mapping[str, t.Any]) -> JsonObject:
    """Translate a config from the YAML schema to the API's form, with only the given keys. The
    cloud is omitted.
    """
    if "configs" in mapping_in(config, "config"):
        entries = _multi_resource(config)
    else:
        entries = [_deployment(config, "config")]
    return compose({}, entries)


def _multi_resource(config: t.Mapping[str, t.Any]) -> list[JsonObject]:
    _refuse_unknown(config, "config", ("cloud", "configs", "flags"))
    documents = config["configs"]
    if not isinstance(documents, list) or not documents:
        raise schema_error("config.configs", documents, "a list of at least one config")
    common = mapping_in(config.get("flags") or {}, "config.flags")
    entries = [
        _deployment(document, f"config.configs[{index}]")
        for index, document in enumerate(documents)
    ]
    names = [entry.get("cloud_deployment") for entry in entries]
    if len(set(names)) < len(names):
        raise InputError(
            "config.configs names the same cloud_resource more than once.",
            "Declare each cloud resource once.",
        )
    return [
        {**entry, "flags": {**common, **entry.get("flags", {})}} if common else entry
        for entry in entries
    ]


def _deployment(document: t.Any, path: str) -> JsonObject:
    entry = _translate(document, path, {"cloud": Field("cloud", _text), **_DEPLOYMENT_FIELDS})
    entry.pop("cloud", None)
    if "worker_node_types" in entry and entry.setdefault("auto_select_worker_config", False):
        raise InputError(
            f"{path} has both auto_select_worker_config and worker_nodes.",
            "Remove one of them: they are mutually exclusive.",
        )
    return entry


class Field(t.NamedTuple):
    """How a key of the YAML schema is translated: the API's key, and the function that validates
    and converts its value.
    """

    target: str
    read: _Reader


def _translate(document: t.Any, path: str, fields: t.Mapping[str, Field]) -> JsonObject:
    """Translate the keys of one level. A null counts as absent; a target ``a.b`` is the key ``b``
    of the mapping ``a``.
    """
    _refuse_unknown(mapping_in(document, path), path, fields)
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
        raise InputError(
            f"{path} has an unknown key: {', '.join(map(repr, unknown))}.",
            f"The valid keys are {', '.join(sorted(allowed))}.",
        )


def _text(value: t.Any, path: str) -> str:
    if not isinstance(value, str) or not value:
        raise schema_error(path, value, "a non-empty string")
    return value


def _boolean(value: t.Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise schema_error(path, value, "true or false")
    return value


def _whole(value: t.Any, path: str) -> int:
    number = amount_in(value, path)
    if number != int(number):
        raise schema_error(path, value, "a whole number, since Anyscale stores no fractions here")
    return int(number)


def _at_least_one(value: t.Any, path: str) -> int:
    if _whole(value, path) < 1:
        raise schema_error(path, value, "at least 1")
    return _whole(value, path)


def _labels(value: t.Any, path: str) -> dict[str, str]:
    labels = mapping_in(value, path)
    for key, label in labels.items():
        if not isinstance(label, str):
            raise schema_error(f"{path}.{key}", label, "a string")
    return labels


def _memory(value: t.Any, path: str) -> int:
    """Bytes, from a number of them or from a Kubernetes quantity such as ``8Gi``."""
    if not isinstance(value, str):
        return _whole(value, path)
    match = _QUANTITY.match(value)
    if match is None:
        raise schema_error(path, value, "a number of bytes or a quantity such as 8Gi")
    return int(decimal.Decimal(match["number"]) * _UNITS[match["unit"] or ""])


def _resources(value: t.Any, path: str) -> JsonObject:
    amounts = {
        key: _whole(number, f"{path}.{key}") for key, number in mapping_in(value, path).items()
    }
    known = {RESOURCES[key]: number for key, number in amounts.items() if key in RESOURCES}
    custom = {key: number for key, number in amounts.items() if key not in RESOURCES}
    return {**known, **({"custom_resources": custom} if custom else {})}


def _architecture(value: t.Any, path: str) -> str:
    if value not in ("x86_64", "arm64"):
        raise schema_error(path, value, "x86_64 or arm64")
    return str(value)


def _required_resources(value: t.Any, path: str) -> JsonObject:
    aliased = {
        _REQUIRED_RESOURCE_ALIASES.get(key, key): amount
        for key, amount in mapping_in(value, path).items()
    }
    return _translate(aliased, path, REQUIRED_RESOURCE_FIELDS)


def _selector(value: t.Any, path: str) -> JsonObject:
    return _translate(value, path, _SELECTOR_FIELDS)


def _market(value: t.Any, path: str) -> JsonObject:
    market = _MARKETS.get(value.upper()) if isinstance(value, str) else None
    if market is None:
        raise schema_error(path, value, f"one of {', '.join(_MARKETS)}")
    return dict(market)


def _head(value: t.Any, path: str) -> JsonObject:
    return _node(value, path, _NODE_FIELDS)


def _node(value: t.Any, path: str, fields: t.Mapping[str, Field]) -> JsonObject:
    node = _translate(value, path, fields)
    if "required_resources" in node and node.setdefault("instance_type", CUSTOM) != CUSTOM:
        raise InputError(
            f"{path} has both instance_type and required_resources.",
            "Remove one of them: they are mutually exclusive.",
        )
    return node


def _workers(value: t.Any, path: str) -> list[JsonObject]:
    if not isinstance(value, list):
        raise schema_error(path, value, "a list of worker groups")
    workers = [_worker(group, f"{path}[{index}]") for index, group in enumerate(value)]
    names = [worker["name"] for worker in workers]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(
            f"{path} has more than one group named {', '.join(repeated)}.",
            "Give each group a unique name.",
        )
    return workers


def _worker(value: t.Any, path: str) -> JsonObject:
    worker = _node(value, path, _WORKER_FIELDS)
    if not worker.keys() & {"name", "instance_type"}:
        raise InputError(
            f"{path} does not identify a worker group.",
            "Set its name, instance_type or required_resources.",
        )
    if worker.get("max_workers", float("inf")) < worker.get("min_workers", 0):
        raise InputError(
            f"{path} has max_nodes below its min_nodes.", "Raise max_nodes or lower min_nodes."
        )
    if "name" not in worker:
        shape = worker.get("required_resources")
        worker["name"] = _shape_name(worker, shape) if shape else worker["instance_type"]
    return worker


def _shape_name(worker: JsonObject, shape: JsonObject) -> str:
    """The name that Anyscale's client gives to a group without an instance type, so that later runs
    find it.
    """
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


REQUIRED_RESOURCE_FIELDS = {
    "CPU": Field("cpu", _whole),
    "GPU": Field("gpu", _whole),
    "TPU": Field("tpu", _whole),
    "memory": Field("memory", _memory),
    "accelerator": Field("accelerator", _text),
    "tpu_hosts": Field("anyscale/tpu_hosts", _whole),
    "cpu_architecture": Field("cpu_architecture", _architecture),
}
_SELECTOR_FIELDS = {key: Field(key, _text) for key in ("provider", "region", "machine_pool", "id")}
_NODE_FIELDS = {
    "instance_type": Field("instance_type", _text),
    "resources": Field("resources", _resources),
    "required_resources": Field("required_resources", _required_resources),
    "labels": Field("labels", _labels),
    "required_labels": Field("required_labels", _labels),
    "advanced_instance_config": Field(INSTANCE_CONFIG, mapping_in),
    "flags": Field("flags", mapping_in),
    "cloud_deployment": Field("flags.cloud_deployment", _selector),
}
_WORKER_FIELDS = {
    "name": Field("name", _text),
    **_NODE_FIELDS,
    "min_nodes": Field("min_workers", _whole),
    "max_nodes": Field("max_workers", _at_least_one),
    "market_type": Field("", _market),
}
_DEPLOYMENT_FIELDS = {
    "cloud_resource": Field("cloud_deployment", _text),
    "zones": Field("allowed_azs", zones_in),
    "head_node": Field("head_node_type", _head),
    "worker_nodes": Field("worker_node_types", _workers),
    "auto_select_worker_config": Field("auto_select_worker_config", _boolean),
    "advanced_instance_config": Field(INSTANCE_CONFIG, mapping_in),
    "flags": Field("flags", mapping_in),
    "enable_cross_zone_scaling": Field(f"flags.{CROSS_ZONE}", _boolean),
    "min_resources": Field("flags.min_resources", amounts_in),
    "max_resources": Field("flags.max_resources", amounts_in),
}
KEYS = frozenset({"cloud", "configs", *_DEPLOYMENT_FIELDS})
