# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compute configs written in the YAML of the anyscale CLI, where that takes a decision."""

from __future__ import annotations

import copy
import typing as t

from anyscale.compute_config.models import (
    ComputeConfig,
)

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_writer import (
    to_yaml_schema,
)

JsonObject = dict[str, t.Any]

GIB = 1024**3

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


def test_groups_that_share_a_name_are_distinguished_in_the_file() -> None:
    group = {"name": "a", "instance_type": "m5.large"}
    written = to_yaml_schema(
        changed(worker_node_types=[group, group, {"name": "a-2", "instance_type": "m5.large"}]),
        "demo",
    )
    assert [node["name"] for node in written["worker_nodes"]] == ["a", "a-2", "a-2-2"]
    ComputeConfig.from_dict(copy.deepcopy(written))


def test_a_head_node_alone_that_runs_nothing_is_written_as_such() -> None:
    resting = changed(
        head_node_type={"instance_type": "m5.large", "resources": {"cpu": 0, "gpu": 0}},
        worker_node_types=[],
    )
    assert to_yaml_schema(resting, "demo")["head_node"]["resources"] == {"CPU": 0, "GPU": 0}


def test_an_instance_type_wins_over_a_shape_beside_it() -> None:
    node = {
        "name": "head",
        "instance_type": "m5.large",
        "required_resources": {"cpu": 2, "memory": GIB},
    }
    written = to_yaml_schema(changed(head_node_type=node), "demo")
    assert written["head_node"] == {"instance_type": "m5.large"}
    ComputeConfig.from_dict(copy.deepcopy(written))
