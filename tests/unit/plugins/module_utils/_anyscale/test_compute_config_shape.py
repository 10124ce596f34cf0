# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compute configs of the API: what makes a difference between two, and what they must look like."""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_shape import (
    compose,
    deployments,
    normalize,
    same_config,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

JsonObject = dict[str, t.Any]

BASE: JsonObject = {
    "cloud_id": "cld_x",
    "head_node_type": {"name": "head", "instance_type": "m5.large"},
    "worker_node_types": [
        {"name": "a", "instance_type": "m5.large"},
        {"name": "b", "instance_type": "m5.xlarge"},
    ],
    "flags": {"max_resources": {"CPU": 8}},
}


def changed(**keys: t.Any) -> JsonObject:
    return {**copy.deepcopy(BASE), **keys}


SAME = {
    "nulls": changed(max_workers=None, region=None, allowed_azs=None, deployment_configs=None),
    "any zone": changed(allowed_azs=["any"]),
    "no zones": changed(allowed_azs=[]),
    "the default idle termination": changed(idle_termination_minutes=120),
    "no automatic workers": changed(auto_select_worker_config=False),
    "the head node's name": changed(
        head_node_type={"name": "head-node", "instance_type": "m5.large", "flags": {}}
    ),
    "the order of worker groups": changed(worker_node_types=BASE["worker_node_types"][::-1]),
    "the defaults of a worker group": changed(
        worker_node_types=[
            {
                "name": "a",
                "instance_type": "m5.large",
                "min_workers": 0,
                "max_workers": 10,
                "use_spot": False,
            },
            {"name": "b", "instance_type": "m5.xlarge", "fallback_to_ondemand": True},
        ]
    ),
    "a flag at its default": changed(
        flags={"allow-cross-zone-autoscaling": False, "max_resources": {"CPU": 8.0}}
    ),
    "the search's decoration": changed(cloud={"id": "cld_x", "name": "demo"}),
    "the deployment config instead of the top level": {
        "cloud_id": "cld_x",
        "deployment_configs": [{key: value for key, value in BASE.items() if key != "cloud_id"}],
    },
    "both": compose(BASE, deployments(BASE)),
}


@pytest.mark.parametrize("other", SAME.values(), ids=SAME.keys())
def test_no_difference(other: JsonObject) -> None:
    assert same_config(BASE, other)


MISSHAPEN = {
    "not an object": ([], "config is []"),
    "deployment configs that are no list": (
        changed(deployment_configs={"a": 1}),
        "config.deployment_configs is {'a': 1}",
    ),
    "a deployment config that is null": (
        changed(deployment_configs=[None]),
        "deployment_configs[0] is None",
    ),
    "a head that is a text": (changed(head_node_type="m5.large"), "head_node_type is 'm5.large'"),
    "a worker group that is null": (
        changed(worker_node_types=[None]),
        "worker_node_types[0] is None",
    ),
    "worker groups that are no list": (
        changed(worker_node_types={"a": {}}),
        "worker_node_types is {'a': {}}",
    ),
    "a text as instance configuration": (
        changed(advanced_configurations_json="{}"),
        "advanced_configurations_json is '{}'",
    ),
    "the same of old": (
        changed(aws_advanced_configurations_json="{}"),
        "aws_advanced_configurations_json is '{}'",
    ),
    "the same of the head": (
        changed(head_node_type={"instance_type": "m5.large", "advanced_configurations_json": "{}"}),
        "head_node_type.advanced_configurations_json is '{}'",
    ),
    "resources that are a number": (
        changed(head_node_type={"resources": 8}),
        "head_node_type.resources is 8",
    ),
    "flags that are a list": (changed(flags=["a"]), "flags is ['a']"),
    "a custom resource that is null": (
        changed(worker_node_types=[{"resources": {"custom_resources": {"x": None}}}]),
        "worker_node_types[0].resources.custom_resources.x is None",
    ),
    "zones that are a number": (changed(allowed_azs=2), "allowed_azs is 2"),
}


@pytest.mark.parametrize("read", [deployments, normalize], ids=["deployments", "normalize"])
@pytest.mark.parametrize(("document", "words"), MISSHAPEN.values(), ids=MISSHAPEN.keys())
def test_what_the_api_never_gives_is_refused(
    document: t.Any, words: str, read: t.Callable[[t.Any], t.Any]
) -> None:
    """By the place where it is: it would otherwise end the whole task with a traceback."""
    with pytest.raises(InputError) as caught:
        read(document)
    assert words in caught.value.message
    assert caught.value.remedy


DIFFERENT = {
    "another idle termination": changed(idle_termination_minutes=60),
    "another zone": changed(allowed_azs=["us-west-2a"]),
    "another flag": changed(flags={"max_resources": {"CPU": 9}}),
    "an unschedulable head node": changed(
        head_node_type={
            "name": "head",
            "instance_type": "m5.large",
            "resources": {"cpu": 0, "gpu": 0},
        }
    ),
    "one group fewer": changed(worker_node_types=BASE["worker_node_types"][:1]),
    "another name of a group": changed(
        worker_node_types=[
            {"name": "A", "instance_type": "m5.large"},
            {"name": "b", "instance_type": "m5.xlarge"},
        ]
    ),
    "an instance configuration": changed(advanced_configurations_json={"EbsOptimized": True}),
    "what the deployment config says instead": changed(
        deployment_configs=[{"flags": {"max_resources": {"CPU": 9}}}]
    ),
}


@pytest.mark.parametrize("other", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_difference(other: JsonObject) -> None:
    assert not same_config(BASE, other)


def test_the_order_of_keys_is_no_difference() -> None:
    assert same_config(changed(flags={"x": 1, "y": 2}), changed(flags={"y": 2, "x": 1}))


def test_true_is_not_one() -> None:
    assert not same_config(changed(flags={"x": True}), changed(flags={"x": 1}))


@pytest.mark.parametrize(
    "key", ["aws_advanced_configurations_json", "gcp_advanced_configurations_json"]
)
def test_legacy_instance_configurations_are_moved_and_nothing_is_lost(key: str) -> None:
    old = changed(**{key: {"A": 1, "B": 2}, "advanced_configurations_json": {"B": 3}})
    old["head_node_type"][key] = {"C": 4}
    body = compose(old, deployments(old))
    assert (
        body["advanced_configurations_json"]
        == {"A": 1, "B": 3}
        == body["deployment_configs"][0]["advanced_configurations_json"]
    )
    assert body["head_node_type"]["advanced_configurations_json"] == {"C": 4}
    assert key not in str(body)


def test_foreign_keys_are_kept_and_nulls_are_not_sent() -> None:
    config = changed(idle_termination_minutes=30, maximum_uptime_minutes=None, novelty={"x": None})
    body = compose(config, deployments(config))
    assert (body["idle_termination_minutes"], body["novelty"]) == (30, {"x": None})
    assert "maximum_uptime_minutes" not in body


def test_deployments_are_copies() -> None:
    config = changed()
    deployments(config)[0]["flags"]["max_resources"]["CPU"] = 99
    assert config == BASE
