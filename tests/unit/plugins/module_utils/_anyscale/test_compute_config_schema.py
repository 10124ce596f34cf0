# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two forms of a compute config: translation, what makes no difference, and Anyscale's own
classes as the judge.
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
    deployments,
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


@pytest.mark.parametrize("read", [deployments, normalize], ids=["deployments", "normalise"])
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


def test_deployments_are_copies() -> None:
    config = changed()
    deployments(config)[0]["flags"]["max_resources"]["CPU"] = 99
    assert config == BASE


def test_an_instance_type_wins_over_a_shape_beside_it() -> None:
    node = {
        "name": "head",
        "instance_type": "m5.large",
        "required_resources": {"cpu": 2, "memory": GIB},
    }
    written = to_yaml_schema(changed(head_node_type=node), "demo")
    assert written["head_node"] == {"instance_type": "m5.large"}
    ComputeConfig.from_dict(copy.deepcopy(written))
