# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compute configs from the YAML of the anyscale CLI, compared with what Anyscale's own classes make of
them, there and back.
"""

from __future__ import annotations

import copy
import re
import typing as t

import pytest
from anyscale.client.openapi_client import ApiClient
from anyscale.compute_config._private.compute_config_sdk import PrivateComputeConfigSDK
from anyscale.compute_config.models import (
    ComputeConfig,
    MultiResourceComputeConfig,
    compute_config_type_from_dict,
)

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_reader import (
    to_api,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_shape import (
    compose,
    normalize,
    same_config,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_writer import (
    to_yaml_schema,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

JsonObject = dict[str, t.Any]
ARN = "arn:aws:iam::210987654321:instance-profile/team-a-ray"
GIB = 1024**3

ANYSCALE_CONFIGS = {
    "a head node alone": {"head_node": {"instance_type": "m5.large"}, "worker_nodes": []},
    "automatic workers": {
        "head_node": {"instance_type": "m5.large"},
        "auto_select_worker_config": True,
    },
    "workers on each market": {
        "head_node": {"instance_type": "m5.2xlarge"},
        "worker_nodes": [
            {"instance_type": "m5.large", "min_nodes": 1, "max_nodes": 2},
            {"instance_type": "m5.xlarge", "market_type": "SPOT"},
            {"name": "spare", "instance_type": "m5.xlarge", "market_type": "PREFER_SPOT"},
        ],
    },
    "instance configurations at every level": {
        "head_node": {
            "instance_type": "m5.large",
            "advanced_instance_config": {"IamInstanceProfile": {"Arn": ARN}},
        },
        "worker_nodes": [
            {
                "instance_type": "m5.large",
                "advanced_instance_config": {"TagSpecifications": [{"Tags": []}]},
            }
        ],
        "advanced_instance_config": {"IamInstanceProfile": {"Arn": ARN}},
    },
    "zones, flags and limits": {
        "head_node": {"instance_type": "m5.large", "flags": {"x": 1}, "labels": {"team": "a"}},
        "worker_nodes": [],
        "zones": ["us-west-2b", "us-west-2a"],
        "enable_cross_zone_scaling": True,
        "min_resources": {"CPU": 1},
        "max_resources": {"CPU": 64, "GPU": 2.5, "licence": 3},
        "flags": {"idle": {"x": None}},
    },
    "logical resources": {
        "head_node": {
            "instance_type": "m5.large",
            "resources": {
                "CPU": 2,
                "memory": GIB,
                "licence": 1,
                "system_reserved_cpu_millicpu": 500,
            },
        },
        "worker_nodes": [],
    },
    "a shape in place of an instance type": {
        "cloud_resource": "vm-aws",
        "head_node": {"required_resources": {"CPU": 4, "memory": "8Gi"}},
        "worker_nodes": [
            {"required_resources": {"CPU": 4, "memory": "16Gi", "GPU": 1, "accelerator": "T4"}},
            {"required_resources": {"CPU": 8, "memory": "1.5Gi", "cpu_architecture": "arm64"}},
            {
                "required_resources": {"CPU": 7, "memory": "12Gi", "TPU": 4, "tpu_hosts": 1},
                "required_labels": {
                    "ray.io/accelerator-type": "TPU-V6E",
                    "ray.io/tpu-topology": "2x2",
                },
            },
        ],
    },
    "a node group in another place": {
        "head_node": {"instance_type": "m5.large"},
        "worker_nodes": [
            {
                "instance_type": "m5.large",
                "cloud_deployment": {"provider": "aws", "region": "us-east-1"},
            }
        ],
    },
}
MULTI_RESOURCE: JsonObject = {
    "flags": {"common": 1, "shared": "outer"},
    "configs": [
        {
            "cloud_resource": "one",
            "head_node": {"instance_type": "m5.large"},
            "worker_nodes": [],
            "flags": {"shared": "inner"},
        },
        {"cloud_resource": "two", "head_node": {"instance_type": "m6i.large"}, "worker_nodes": []},
    ],
}


def sent_by_anyscale(config: JsonObject) -> JsonObject:
    """The deployment config that Anyscale's client would send."""
    sdk = PrivateComputeConfigSDK.__new__(PrivateComputeConfigSDK)
    model = sdk._convert_single_deployment_compute_config_to_api_model(
        "cld_x", ComputeConfig.from_dict(copy.deepcopy(config))
    )
    return ApiClient().sanitize_for_serialization(model)


def without_injected_zeros(entry: JsonObject) -> JsonObject:
    head = entry["head_node_type"]
    if head.get("resources") == {"cpu": 0, "gpu": 0}:
        head = {key: value for key, value in head.items() if key != "resources"}
    return {**entry, "head_node_type": head}


@pytest.mark.parametrize("config", ANYSCALE_CONFIGS.values(), ids=ANYSCALE_CONFIGS.keys())
class TestAgainstAnyscale:
    def test_we_send_what_anyscale_sends(self, config: JsonObject) -> None:
        theirs = compose({}, [without_injected_zeros(sent_by_anyscale(config))])
        assert normalize(to_api(config)) == normalize(theirs)

    def test_anyscale_accepts_what_we_write_and_reads_the_same(self, config: JsonObject) -> None:
        written = to_yaml_schema(compose({"cloud_id": "cld_x"}, [sent_by_anyscale(config)]), "demo")
        accepted = ComputeConfig.from_dict(copy.deepcopy(written))
        assert accepted.cloud == "demo"
        assert same_config(
            compose({}, [sent_by_anyscale(config)]), compose({}, [sent_by_anyscale(written)])
        )

    def test_the_round_trip_loses_nothing(self, config: JsonObject) -> None:
        assert normalize(to_api(to_yaml_schema(to_api(config), "demo"))) == normalize(
            to_api(config)
        )


class TestMultiResource:
    def test_each_resource_becomes_a_deployment_config(self) -> None:
        body = to_api(MULTI_RESOURCE)
        assert [entry["cloud_deployment"] for entry in body["deployment_configs"]] == ["one", "two"]
        assert [entry["flags"] for entry in body["deployment_configs"]] == [
            {"common": 1, "shared": "inner"},
            MULTI_RESOURCE["flags"],
        ]

    def test_the_first_is_repeated_at_the_top_level(self) -> None:
        assert to_api(MULTI_RESOURCE)["head_node_type"] == {"instance_type": "m5.large"}

    def test_anyscale_accepts_what_we_write(self) -> None:
        written = to_yaml_schema(to_api(MULTI_RESOURCE), "demo")
        assert isinstance(
            compute_config_type_from_dict(copy.deepcopy(written)), MultiResourceComputeConfig
        )
        assert normalize(to_api(written)) == normalize(to_api(MULTI_RESOURCE))

    def test_one_resource_has_one_config(self) -> None:
        with pytest.raises(InputError, match="same cloud_resource more than once"):
            to_api({"configs": [{"cloud_resource": "one"}, {"cloud_resource": "one"}]})


def test_only_the_given_keys_are_translated() -> None:
    assert to_api({"cloud": "demo", "zones": ["a"], "flags": None})["deployment_configs"] == [
        {"allowed_azs": ["a"]}
    ]


def test_worker_nodes_switch_automatic_selection_off() -> None:
    assert to_api({"worker_nodes": []})["auto_select_worker_config"] is False


@pytest.mark.parametrize(
    ("quantity", "size"),
    [
        ("8Gi", 8 * GIB),
        ("1.5Gi", 1536 * 1024**2),
        ("512Mi", 512 * 1024**2),
        ("2G", 2 * 10**9),
        ("4096", 4096),
        (4096, 4096),
    ],
)
def test_memory_is_sent_in_bytes(quantity: str | int, size: int) -> None:
    body = to_api({"head_node": {"required_resources": {"CPU": 1, "memory": quantity}}})
    assert body["head_node_type"]["required_resources"]["memory"] == size


BAD_CONFIGS: list[tuple[str, t.Any, str]] = [
    (
        "an unknown key at the top",
        {"head": {}},
        "config has an unknown key: 'head'. The valid keys are .*head_node",
    ),
    (
        "idle termination, which the schema has not",
        {"idle_termination_minutes": 5},
        "config has an unknown key: 'idle_termination_minutes'",
    ),
    (
        "an unknown key of a group",
        {"worker_nodes": [{"instance_typ": "x"}]},
        r"config.worker_nodes\[0\] has an unknown key: 'instance_typ'",
    ),
    (
        "an unknown key in configs",
        {"configs": [{"zone": 1}]},
        r"config.configs\[0\] has an unknown key: 'zone'",
    ),
    ("no configs", {"configs": []}, "config.configs is .*at least one"),
    ("not a mapping", ["head_node"], "config is .*must be a mapping"),
    (
        "a head node by name",
        {"head_node": "m5.large"},
        "config.head_node is 'm5.large'. It must be a mapping",
    ),
    ("workers that are no list", {"worker_nodes": {}}, "config.worker_nodes is .*a list"),
    (
        "a number in quotes",
        {"worker_nodes": [{"instance_type": "x", "min_nodes": "1"}]},
        r"min_nodes is '1'.*a number",
    ),
    (
        "true as a number",
        {"worker_nodes": [{"instance_type": "x", "min_nodes": True}]},
        "min_nodes is True.*a number",
    ),
    (
        "no nodes at most",
        {"worker_nodes": [{"instance_type": "x", "max_nodes": 0}]},
        "max_nodes is 0.*at least 1",
    ),
    (
        "fewer at most than at least",
        {"worker_nodes": [{"name": "x", "min_nodes": 3, "max_nodes": 2}]},
        "max_nodes below",
    ),
    (
        "an unknown market",
        {"worker_nodes": [{"instance_type": "x", "market_type": "CHEAP"}]},
        "one of ON_DEMAND, SPOT, PREFER_SPOT",
    ),
    (
        "a group without any name",
        {"worker_nodes": [{"min_nodes": 1}]},
        "does not identify a worker group",
    ),
    (
        "two groups of one name",
        {"worker_nodes": [{"name": "x"}, {"instance_type": "x"}]},
        "more than one group named x",
    ),
    ("zones that are empty", {"zones": []}, "config.zones is .*availability zones"),
    (
        "a boolean in quotes",
        {"enable_cross_zone_scaling": "yes"},
        "enable_cross_zone_scaling is 'yes'.*true or false",
    ),
    (
        "a fraction of a processor",
        {"head_node": {"resources": {"CPU": 0.5}}},
        "resources.CPU is 0.5.*whole number",
    ),
    ("negative resources", {"max_resources": {"CPU": -1}}, "max_resources.CPU is -1"),
    (
        "memory in words",
        {"head_node": {"required_resources": {"memory": "8 gigs"}}},
        "memory is '8 gigs'.*8Gi",
    ),
    ("a number as label", {"head_node": {"labels": {"team": 7}}}, "labels.team is 7.*string"),
    (
        "an unknown architecture",
        {"head_node": {"required_resources": {"cpu_architecture": "vax"}}},
        "x86_64 or arm64",
    ),
    (
        "a type and a shape",
        {"head_node": {"instance_type": "m5", "required_resources": {"CPU": 1}}},
        "mutually exclusive",
    ),
    (
        "workers both ways",
        {"worker_nodes": [], "auto_select_worker_config": True},
        "mutually exclusive",
    ),
    (
        "an instance configuration as text",
        {"advanced_instance_config": "{}"},
        "advanced_instance_config is '{}'.*mapping",
    ),
]


@pytest.mark.parametrize(
    ("config", "words"), [case[1:] for case in BAD_CONFIGS], ids=[case[0] for case in BAD_CONFIGS]
)
def test_wrong_input_is_named_by_its_path(config: t.Any, words: str) -> None:
    with pytest.raises(InputError) as error:
        to_api(config)
    assert re.search(words, error.value.failure()["msg"]), error.value.failure()["msg"]
