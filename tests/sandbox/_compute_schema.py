# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the Anyscale API accepts as a compute config: the shape of the request (422) and its meaning
(400).
"""

from __future__ import annotations

import functools
import typing as t

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape
from botocore.validate import ParamValidator

from ansible_collections.rayfleet.anyscale.tests.sandbox._anyscale_errors import ApiError

Json = dict[str, t.Any]
Problem = dict[str, t.Any]


class MapOf(t.NamedTuple):
    """An object with free keys and values of one type."""

    value: t.Any


_ADVANCED: Json = {
    "advanced_configurations_json": dict,
    "aws_advanced_configurations_json": dict,
    "gcp_advanced_configurations_json": dict,
}
_RESOURCES: Json = {
    **dict.fromkeys(("cpu", "gpu", "memory", "object_store_memory"), int),
    **dict.fromkeys(("system_reserved_cpu_millicpu", "system_reserved_memory_bytes"), int),
    "custom_resources": MapOf(float),
}
_PHYSICAL_RESOURCES: Json = {
    **dict.fromkeys(("cpu", "gpu", "memory", "tpu", "anyscale/tpu_hosts"), int),
    **dict.fromkeys(("accelerator", "cpu_architecture"), str),
}
_NODE: Json = {
    **_ADVANCED,
    "name": str,
    "instance_type": str,
    "resources": _RESOURCES,
    "physical_resources": _PHYSICAL_RESOURCES,
    "required_resources": _PHYSICAL_RESOURCES,
    "labels": MapOf(str),
    "required_labels": MapOf(str),
    "flags": dict,
}
_WORKER: Json = {
    **_NODE,
    "min_workers": int,
    "max_workers": int,
    "use_spot": bool,
    "fallback_to_ondemand": bool,
}
_CLUSTER: Json = {
    "allowed_azs": [str],
    "head_node_type": _NODE,
    "worker_node_types": [_WORKER],
    "auto_select_worker_config": bool,
    "flags": dict,
}
_DEPLOYMENT: Json = {
    **_CLUSTER,
    "advanced_configurations_json": dict,
    "cloud_deployment": str,
    "cloud_resource_id": str,
}
_CONFIG: Json = {
    **_CLUSTER,
    **_ADVANCED,
    **dict.fromkeys(("idle_termination_minutes", "maximum_uptime_minutes", "max_workers"), int),
    **dict.fromkeys(("cloud_id", "region"), str),
    "deployment_configs": [_DEPLOYMENT],
}
_CREATE: Json = {
    "name": str,
    "project_id": str,
    "config": _CONFIG,
    "anonymous": bool,
    "new_version": bool,
}

_CLUSTER_FLAGS = (
    "allow-cross-zone-autoscaling",
    "min_resources",
    "max_resources",
    "max-cpus",
    "max-gpus",
)
_NODE_FLAGS = ("cloud_deployment",)
_LABELS = ("ray.io/accelerator-type", "ray.io/tpu-topology")


def check_shape(body: t.Any) -> None:
    """Refuse with a 422 what is not shaped like a request to create a compute config."""
    problems = list(_misshaped(body, _CREATE, ("body",)))
    if not problems:
        config = body.get("config")
        problems = list(_missing(body)) or [
            problem
            for loc, cluster in _clusters(config)
            for problem in _out_of_bounds(cluster, loc)
        ]
    if problems:
        raise ApiError(422, problems)


def check_meaning(config: Json, is_aws_vm: bool) -> None:
    """Refuse with a 400 unknown flags and, on AWS virtual machines, what EC2 RunInstances does not
    know.
    """
    for loc, cluster in _clusters(config):
        for level, known in (
            (cluster, _CLUSTER_FLAGS),
            *((node, _NODE_FLAGS) for unused, node in _nodes(cluster, loc)),
        ):
            unknown = sorted(set(level.get("flags") or {}) - set(known))
            if unknown:
                raise ApiError(400, f"Unknown flag: {unknown[0]}.")
            for key in ("advanced_configurations_json", "aws_advanced_configurations_json"):
                if is_aws_vm and level.get(key):
                    _check_launch_options(level[key])


def _problem(loc: tuple[t.Any, ...], message: str, kind: str) -> Problem:
    return {"loc": list(loc), "msg": message, "type": kind}


def _misshaped(value: t.Any, schema: t.Any, loc: tuple[t.Any, ...]) -> t.Iterator[Problem]:
    if value is None and len(loc) > 1:
        return
    if isinstance(schema, MapOf):
        schema = dict.fromkeys(value, schema.value) if isinstance(value, dict) else dict
    if isinstance(schema, dict) and isinstance(value, dict):
        for key, item in value.items():
            if key in schema:
                yield from _misshaped(item, schema[key], (*loc, key))
            else:
                yield _problem((*loc, key), "extra fields not permitted", "value_error.extra")
    elif isinstance(schema, list) and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _misshaped(item, schema[0], (*loc, index))
    elif not _is_a(value, schema):
        kind = schema if isinstance(schema, type) else type(schema)
        yield _problem(loc, f"value is not a valid {kind.__name__}", f"type_error.{kind.__name__}")


def _is_a(value: t.Any, schema: t.Any) -> bool:
    if schema is bool:
        return isinstance(value, bool)
    if schema is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(schema, type) and isinstance(value, schema) and not isinstance(value, bool)


def _missing(body: Json) -> t.Iterator[Problem]:
    config = body.get("config")
    if config is None:
        yield _problem(("body", "config"), "field required", "value_error.missing")
        return
    if not config.get("cloud_id"):
        yield _problem(("body", "config", "cloud_id"), "field required", "value_error.missing")
    for loc, cluster in _clusters(config):
        if cluster.get("head_node_type") is None:
            yield _problem((*loc, "head_node_type"), "field required", "value_error.missing")
        elif not cluster["head_node_type"].get("name"):
            yield _problem(
                (*loc, "head_node_type", "name"), "field required", "value_error.missing"
            )


def _out_of_bounds(cluster: Json, loc: tuple[t.Any, ...]) -> t.Iterator[Problem]:
    zones = cluster.get("allowed_azs") or []
    if "any" in zones and len(zones) > 1:
        yield _problem(
            (*loc, "allowed_azs"),
            "'any' cannot be combined with other availability zones",
            "value_error",
        )
    for at, node in _nodes(cluster, loc):
        at_most = node.get("max_workers")
        if at_most is not None and at_most < max(1, node.get("min_workers") or 0):
            yield _problem(
                (*at, "max_workers"), "must be at least 1 and at least min_workers", "value_error"
            )
        labels = node.get("required_labels") or {}
        for label in labels:
            if label not in _LABELS:
                yield _problem(
                    (*at, "required_labels", label), "label is not supported", "value_error"
                )
        required = node.get("required_resources") or {}
        if "ray.io/accelerator-type" in labels and not (required.get("gpu") or required.get("tpu")):
            yield _problem(
                (*at, "required_labels"),
                "an accelerator needs gpu or tpu in required_resources",
                "value_error",
            )


def _clusters(config: Json) -> t.Iterator[tuple[tuple[t.Any, ...], Json]]:
    """The cluster at the top of the config, and the one of each deployment config, with their
    places.
    """
    yield ("body", "config"), config
    for index, deployment in enumerate(config.get("deployment_configs") or []):
        yield ("body", "config", "deployment_configs", index), deployment


def _nodes(cluster: Json, loc: tuple[t.Any, ...]) -> t.Iterator[tuple[tuple[t.Any, ...], Json]]:
    if cluster.get("head_node_type"):
        yield (*loc, "head_node_type"), cluster["head_node_type"]
    for index, worker in enumerate(cluster.get("worker_node_types") or []):
        yield (*loc, "worker_node_types", index), worker


def _check_launch_options(options: Json) -> None:
    report = ParamValidator().validate({"MinCount": 1, "MaxCount": 1, **options}, _run_instances())
    if report.has_errors():
        raise ApiError(400, f"Invalid advanced instance configuration: {report.generate_report()}")


@functools.cache
def _run_instances() -> Shape:
    model = ServiceModel(Loader().load_service_model("ec2", "service-2"), "ec2")
    return model.operation_model("RunInstances").input_shape
