# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a compute config must become: the profile on every node, the declared state, and nothing
else.
"""

from __future__ import annotations

import copy
import dataclasses
import typing as t

import pytest
from hypothesis import example, given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_shape import (
    compose,
    deployments,
    json_copy,
    normalize,
    same_config,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_declared import (
    UNSUPPORTED_KEYS,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_observed import (
    Observed,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_plan import (
    ConfigPlan,
    Wanted,
    decide,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    RefusedError,
)

JsonObject = dict[str, t.Any]

ACCOUNT = "arn:aws:iam::210987654321:"
ARN = f"{ACCOUNT}instance-profile/team-a"
ROLE_ARN = f"{ACCOUNT}role/team-a"
OTHER_ARN = f"{ACCOUNT}instance-profile/other"
OURS = {"IamInstanceProfile": {"Arn": ARN}}
OTHERS = {"IamInstanceProfile": {"Arn": OTHER_ARN}}
DISK = {"BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 200}}]}

VM = {
    "name": "vm-west",
    "cloud_resource_id": "cldrsrc_1",
    "provider": "AWS",
    "compute_stack": "VM",
    "is_default": True,
}
VM_EAST = {**VM, "name": "vm-east", "cloud_resource_id": "cldrsrc_2", "is_default": False}
K8S = {
    **VM,
    "name": "eks",
    "cloud_resource_id": "cldrsrc_3",
    "compute_stack": "K8S",
    "is_default": False,
}
GCP = {
    **VM,
    "name": "gcp",
    "cloud_resource_id": "cldrsrc_4",
    "provider": "GCP",
    "is_default": False,
}
ALL_RESOURCES = (VM, VM_EAST, K8S, GCP)


def node(
    name: str = "head-node", instance_config: JsonObject | None = None, **keys: t.Any
) -> JsonObject:
    return {
        "name": name,
        "instance_type": "m5.large",
        "advanced_configurations_json": instance_config,
        **keys,
    }


def config(
    cluster: JsonObject | None = None,
    head: JsonObject | None = None,
    *workers: JsonObject,
    **keys: t.Any,
) -> JsonObject:
    """An API config by the instance configurations of its cluster and head, and its worker groups."""
    return {
        "cloud_id": "cld_x",
        "head_node_type": node("head-node", head),
        "worker_node_types": list(workers),
        "advanced_configurations_json": cluster,
        **keys,
    }


def observed(
    live: JsonObject | None, resources: t.Sequence[JsonObject] = (VM,), **keys: t.Any
) -> Observed:
    template = (
        None
        if live is None
        else {"id": "cpt_3", "name": "team-a", "version": 3, "archived_at": None, "config": live}
    )
    return Observed("team-a", "cld_x", template, resources, **keys)


def archived(before: Observed) -> Observed:
    return dataclasses.replace(
        before, template={**(before.template or {}), "archived_at": "2026-01-01T00:00:00Z"}
    )


def from_server(body: JsonObject) -> JsonObject:
    """What the service returns for a published config: as sent, with its defaults and nulls,
    decorated.
    """
    nulls = dict.fromkeys(
        (
            "max_workers",
            "region",
            "maximum_uptime_minutes",
            "aws_advanced_configurations_json",
            "gcp_advanced_configurations_json",
        )
    )
    entries = [
        {
            "cloud_deployment": None,
            "cloud_resource_id": None,
            "flags": None,
            **entry,
            "allowed_azs": entry.get("allowed_azs") or ["any"],
        }
        for entry in copy.deepcopy(body["deployment_configs"])
    ]
    for entry in entries:
        for group in entry.get("worker_node_types") or []:
            group["name"] = group.get("name") or group["instance_type"]
            group.setdefault("min_workers", None)
    return {
        **nulls,
        "idle_termination_minutes": 120,
        **copy.deepcopy(body),
        "allowed_azs": body.get("allowed_azs") or ["any"],
        "deployment_configs": entries,
        "cloud": {"id": "cld_x", "name": "demo"},
    }


def again(before: Observed, wanted: Wanted, plan: ConfigPlan) -> ConfigPlan:
    """Decide again, on what the service returns after the plan was applied."""
    assert plan.config is not None
    template = {
        "id": "cpt_4",
        "name": before.name,
        "version": 4,
        "archived_at": None,
        "config": from_server(plan.config),
    }
    return decide(
        Observed(before.name, before.cloud_id, template, before.resources, before.default_config),
        wanted,
    )


def check_settled(before: Observed, wanted: Wanted, plan: ConfigPlan) -> None:
    """What holds for every plan: a change is one that shows and that a second decision does not
    repeat.
    """
    assert plan.changed == (plan.before != plan.after)
    second = again(before, wanted, plan)
    assert second.reasons == ()
    assert second.before == second.after == plan.after


PRESENT: dict[str, tuple[JsonObject, tuple[str, ...], JsonObject | None, JsonObject | None]] = {
    # live config, reasons, and then the instance configurations of the cluster and of the first
    # worker group
    "no instance configuration": (config(None, None, node("w")), ("profile_missing",), OURS, None),
    "in sync already": (config(OURS, None, node("w")), (), OURS, None),
    "in sync on every node": (config(OURS, OURS, node("w", OURS)), (), OURS, OURS),
    "siblings are kept": (config(DISK), ("profile_missing",), {**DISK, **OURS}, None),
    "another profile": (config(OTHERS), ("profile_differs",), OURS, None),
    "a role's ARN": (
        config({"IamInstanceProfile": {"Arn": ROLE_ARN}}),
        ("wrong_arn_kind",),
        OURS,
        None,
    ),
    "a profile by name": (
        config({"IamInstanceProfile": {"Name": "team-a"}}),
        ("profile_by_name",),
        OURS,
        None,
    ),
    "an empty profile": (config({"IamInstanceProfile": {}}), ("profile_missing",), OURS, None),
    "a group hides the profile": (
        config(OURS, None, node("w", DISK)),
        ("node_group_hides_profile",),
        OURS,
        {**DISK, **OURS},
    ),
    "a group has another profile": (
        config(OURS, None, node("w", OTHERS)),
        ("node_group_profile_differs",),
        OURS,
        OURS,
    ),
    "a group has a role's ARN": (
        config(OURS, None, node("w", {"IamInstanceProfile": {"Arn": ROLE_ARN}})),
        ("wrong_arn_kind",),
        OURS,
        OURS,
    ),
    "a group's empty configuration inherits": (config(OURS, None, node("w", {})), (), OURS, None),
    "a legacy key at the cluster": (
        config(aws_advanced_configurations_json=DISK),
        ("profile_missing",),
        {**DISK, **OURS},
        None,
    ),
    "a legacy key in sync": (config(aws_advanced_configurations_json=OURS), (), OURS, None),
    "a legacy key of a group": (
        config(OURS, None, node("w", aws_advanced_configurations_json=DISK)),
        ("node_group_hides_profile",),
        OURS,
        {**DISK, **OURS},
    ),
    "everything at once": (
        config(OTHERS, DISK, node("w", OTHERS)),
        ("profile_differs", "node_group_hides_profile", "node_group_profile_differs"),
        OURS,
        OURS,
    ),
}


@pytest.mark.parametrize(
    ("live", "reasons", "cluster", "worker"), PRESENT.values(), ids=PRESENT.keys()
)
class TestPresent:
    def test_reasons(
        self, live: JsonObject, reasons: tuple[str, ...], cluster: JsonObject, worker: JsonObject
    ) -> None:
        before, wanted = observed(live), Wanted(ARN)
        plan = decide(before, wanted)
        assert plan.reasons == reasons
        check_settled(before, wanted, plan)

    def test_both_places(
        self, live: JsonObject, reasons: tuple[str, ...], cluster: JsonObject, worker: JsonObject
    ) -> None:
        body = decide(observed(live), Wanted(ARN)).config
        assert body is not None
        for level in (body, body["deployment_configs"][0]):
            assert level.get("advanced_configurations_json") == cluster
            if worker is not None or level.get("worker_node_types"):
                assert level["worker_node_types"][0].get("advanced_configurations_json") == worker
        assert "aws_advanced_configurations_json" not in str(body)


def test_overrides_name_each_group_and_what_it_had() -> None:
    plan = decide(observed(config(OURS, DISK, node("w", OTHERS), node("plain"))), Wanted(ARN))
    assert plan.result == {
        "previous_version": 3,
        "not_applicable": [],
        "overrides": [
            {
                "node_group": "head_node",
                "deployment": "vm-west",
                "before": None,
                "after": ARN,
                "reason": "node_group_hides_profile",
            },
            {
                "node_group": "w",
                "deployment": "vm-west",
                "before": OTHER_ARN,
                "after": ARN,
                "reason": "node_group_profile_differs",
            },
        ],
    }


def test_the_role_s_arn_can_be_wanted_too() -> None:
    assert decide(observed(config(OURS)), Wanted(ROLE_ARN)).reasons == ("wrong_arn_kind",)


ABSENT: dict[str, tuple[JsonObject, tuple[str, ...], JsonObject | None]] = {
    # live config, reasons, and then the instance configuration of the cluster
    "nothing there": (config(), (), None),
    "ours alone": (config(OURS), ("profile_present",), None),
    "ours among siblings": (config({**DISK, **OURS}), ("profile_present",), DISK),
    "the role's ARN is ours too": (
        config({"IamInstanceProfile": {"Arn": ROLE_ARN}}),
        ("profile_present",),
        None,
    ),
    "the profile's name is ours too": (
        config({"IamInstanceProfile": {"Name": "team-a"}}),
        ("profile_present",),
        None,
    ),
    "ours under both keys": (
        config(OURS, aws_advanced_configurations_json=OURS),
        ("profile_present",),
        None,
    ),
    "ours in a group": (
        config(None, None, node("w", {**DISK, **OURS})),
        ("profile_present",),
        None,
    ),
    "another's": (config(OTHERS), (), OTHERS),
    "the same name in another account": (
        config({"IamInstanceProfile": {"Arn": ARN.replace("210987654321", "111122223333")}}),
        (),
        {"IamInstanceProfile": {"Arn": ARN.replace("210987654321", "111122223333")}},
    ),
}


@pytest.mark.parametrize(("live", "reasons", "cluster"), ABSENT.values(), ids=ABSENT.keys())
def test_absent(live: JsonObject, reasons: tuple[str, ...], cluster: JsonObject | None) -> None:
    before, wanted = observed(live), Wanted(ARN, state="absent")
    plan = decide(before, wanted)
    assert plan.reasons == reasons
    assert plan.config is not None
    assert plan.config.get("advanced_configurations_json") == cluster
    assert ARN not in str(plan.config)
    assert ROLE_ARN not in str(plan.config)
    check_settled(before, wanted, plan)


def test_absent_says_whose_profile_stays() -> None:
    (warning,) = decide(
        observed(config(None, None, node("w", OTHERS))), Wanted(ARN, state="absent")
    ).warnings
    assert "'w'" in warning
    assert OTHER_ARN in warning


@pytest.mark.parametrize("state", ["absent", "archived"])
@pytest.mark.parametrize(
    "before", [observed(None), archived(observed(config(OURS)))], ids=["none there", "archived"]
)
def test_nothing_to_do(state: str, before: Observed) -> None:
    plan = decide(before, Wanted(ARN, state=state))
    assert (plan.reasons, plan.config) == ((), None)
    assert plan.before == plan.after == {"compute_config": None}


def test_archiving_is_wanted() -> None:
    plan = decide(observed(config()), Wanted(ARN, state="archived"))
    assert plan.reasons == ("not_archived",)
    assert plan.before == {"compute_config": normalize(config())}
    assert plan.after == {"compute_config": None}


ARCHIVED: dict[str, tuple[JsonObject, tuple[str, ...], bool]] = {
    "in sync": (config(OURS), ("compute_config_archived",), False),
    "without the profile": (config(), ("compute_config_archived", "profile_missing"), True),
}


@pytest.mark.parametrize(("live", "reasons", "publishes"), ARCHIVED.values(), ids=ARCHIVED)
def test_an_archived_one_comes_out_of_the_archive(
    live: JsonObject, reasons: tuple[str, ...], publishes: bool
) -> None:
    """With a new version only if its content differs."""
    plan = decide(archived(observed(live)), Wanted(ARN))
    assert (plan.reasons, plan.publishes) == (reasons, publishes)
    assert (plan.before, plan.live) == ({"compute_config": None}, None)
    assert plan.after == {"compute_config": normalize(config(OURS))}


def test_an_archived_one_is_not_touched_where_none_may_be_created() -> None:
    with pytest.raises(RefusedError, match="is archived") as error:
        decide(archived(observed(config(OURS))), Wanted(ARN, may_create=False))
    assert "cloud_iam_create_compute_config" in error.value.remedy


MANY = [f"ray-{number:02}" for number in range(12)]
NEW: dict[str, tuple[list[str], str]] = {
    "a misspelled name": (
        ["team-aa", "gpu"],
        "'team-a' of cloud cld_x does not exist yet; the cloud has 'gpu', 'team-aa'. Did you mean "
        "'team-aa'?",
    ),
    "no name like it": (["gpu"], "does not exist yet; the cloud has 'gpu'."),
    "many": (MANY, f"the cloud has {', '.join(map(repr, MANY[:10]))} and 2 more."),
    "a name with a control character": (["a\x1b[2J"], "the cloud has 'a\\x1b[2J'."),
}


@pytest.mark.parametrize(("others", "words"), NEW.values(), ids=NEW)
def test_the_other_names_are_told_before_one_is_created(others: list[str], words: str) -> None:
    """In the same words as a warning and as an error."""
    before = observed(None, default_config=config(), others=others)
    (warning,) = decide(before, Wanted(ARN)).warnings
    assert warning.endswith(words)
    with pytest.raises(RefusedError) as error:
        decide(before, Wanted(ARN, may_create=False))
    assert error.value.message == warning
    assert "cloud_iam_create_compute_config" in error.value.remedy


def test_the_first_one_of_a_cloud_needs_no_warning_but_may_be_refused() -> None:
    before = observed(None, default_config=config())
    assert decide(before, Wanted(ARN)).warnings == ()
    with pytest.raises(RefusedError, match="does not exist yet; the cloud has no other"):
        decide(before, Wanted(ARN, may_create=False))


def test_one_that_exists_needs_no_creation() -> None:
    assert decide(observed(config()), Wanted(ARN, may_create=False)).reasons == ("profile_missing",)


class TestMissing:
    def test_from_the_default_config(self) -> None:
        before, wanted = (
            observed(None, default_config=config(None, None, node("w", DISK), cloud_id=None)),
            Wanted(ARN),
        )
        plan = decide(before, wanted)
        assert plan.reasons == ("compute_config_missing",)
        assert plan.before == {"compute_config": None}
        assert plan.config is not None
        assert plan.config["cloud_id"] == "cld_x"
        assert plan.config["worker_node_types"][0]["advanced_configurations_json"] == {
            **DISK,
            **OURS,
        }
        assert plan.result["previous_version"] is None
        check_settled(before, wanted, plan)

    def test_from_the_declared_config(self) -> None:
        declared = {
            "head_node": {"instance_type": "m5.2xlarge"},
            "worker_nodes": [{"instance_type": "m5.large"}],
        }
        before, wanted = observed(None), Wanted(ARN, declared)
        plan = decide(before, wanted)
        assert plan.config is not None
        assert plan.config["head_node_type"] == {
            "name": "head-node",
            "instance_type": "m5.2xlarge",
            "resources": {"cpu": 0, "gpu": 0},
        }
        check_settled(before, wanted, plan)

    def test_a_head_node_alone_does_the_work(self) -> None:
        plan = decide(
            observed(None),
            Wanted(ARN, {"head_node": {"instance_type": "m5.large"}, "worker_nodes": []}),
        )
        assert plan.config is not None
        assert "resources" not in plan.config["head_node_type"]

    def test_an_undeclared_head_node_comes_from_the_default_config(self) -> None:
        default = {"head_node_type": node(instance_type="m6i.large", resources={"cpu": 8})}
        plan = decide(
            observed(None, default_config=default), Wanted(ARN, {"auto_select_worker_config": True})
        )
        assert plan.config is not None
        assert plan.config["head_node_type"]["instance_type"] == "m6i.large"
        assert plan.config["head_node_type"]["resources"] == {"cpu": 0, "gpu": 0}

    def test_from_nothing(self) -> None:
        with pytest.raises(InputError, match="does not exist"):
            decide(observed(None), Wanted(ARN))

    def test_a_name_with_a_version(self) -> None:
        with pytest.raises(InputError, match="team-a:3"):
            decide(Observed("team-a:3", "cld_x"), Wanted(ARN))


def entry(resource: str | None, cluster: JsonObject | None = None, **keys: t.Any) -> JsonObject:
    return {
        "cloud_deployment": resource,
        "head_node_type": node(),
        "worker_node_types": None,
        "advanced_configurations_json": cluster,
        **keys,
    }


class TestResources:
    def test_every_deployment_on_aws_virtual_machines_is_treated_and_no_other(self) -> None:
        pod = {"spec": {"nodeSelector": {"a": "b"}}}
        live = config(
            deployment_configs=[
                entry(None),
                entry("vm-east", OTHERS),
                entry("eks", pod),
                entry("gcp"),
            ]
        )
        before, wanted = observed(live, ALL_RESOURCES), Wanted(ARN)
        plan = decide(before, wanted)
        assert plan.reasons == ("profile_missing", "profile_differs")
        assert plan.config is not None
        assert [
            one.get("advanced_configurations_json") for one in plan.config["deployment_configs"]
        ] == [OURS, OURS, pod, None]
        assert plan.result["not_applicable"] == [
            {"deployment": "eks", "reason": "eks is K8S on AWS"},
            {"deployment": "gcp", "reason": "gcp is VM on GCP"},
        ]
        check_settled(before, wanted, plan)

    def test_the_top_level_follows_the_first(self) -> None:
        live = config(DISK, deployment_configs=[entry("eks"), entry("vm-west")])
        plan = decide(observed(live, ALL_RESOURCES), Wanted(ARN))
        assert plan.config is not None
        assert plan.config["advanced_configurations_json"] == DISK

    @pytest.mark.parametrize("resource", [K8S, GCP], ids=["Kubernetes", "GCP"])
    def test_no_virtual_machines_of_aws_at_all(self, resource: JsonObject) -> None:
        with pytest.raises(RefusedError, match="does not run on AWS virtual machines"):
            decide(observed(config(), [{**resource, "is_default": True}]), Wanted(ARN))

    def test_absent_where_it_cannot_be(self) -> None:
        assert not decide(observed(config(), [K8S]), Wanted(ARN, state="absent")).changed

    def test_a_stack_that_is_not_given_is_virtual_machines(self) -> None:
        assert decide(observed(config(), [{**VM, "compute_stack": None}]), Wanted(ARN)).changed

    def test_a_resource_that_the_cloud_has_no_longer(self) -> None:
        plan = decide(
            observed(config(deployment_configs=[entry(None), entry("gone")])), Wanted(ARN)
        )
        assert plan.result["not_applicable"] == [
            {"deployment": "gone", "reason": "the cloud has no resource 'gone'"}
        ]

    @pytest.mark.parametrize(
        "defaults", [(False, False), (True, True)], ids=["no primary", "two primaries"]
    )
    def test_there_is_one_primary_resource(self, defaults: tuple[bool, bool]) -> None:
        resources = [{**VM, "is_default": defaults[0]}, {**VM_EAST, "is_default": defaults[1]}]
        with pytest.raises(RefusedError, match="primary resources"):
            decide(observed(config(), resources), Wanted(ARN))

    def test_a_resource_by_its_id(self) -> None:
        live = config(
            deployment_configs=[entry(None, cloud_resource_id="cldrsrc_3"), entry("vm-west")]
        )
        plan = decide(observed(live, ALL_RESOURCES), Wanted(ARN))
        assert [one["deployment"] for one in plan.result["not_applicable"]] == ["eks"]


DECLARED: dict[str, tuple[JsonObject, JsonObject, bool]] = {
    # declared config, what its deployment config then has, whether that is a change
    "a head node as it is": ({"head_node": {"instance_type": "m5.large"}}, {}, False),
    "another head node": (
        {"head_node": {"instance_type": "m5.4xlarge"}},
        {"head_node_type": node(instance_type="m5.4xlarge")},
        True,
    ),
    "zones": ({"zones": ["us-west-2a"]}, {"allowed_azs": ["us-west-2a"]}, True),
    "a limit beside another": (
        {"max_resources": {"GPU": 4}},
        {"flags": {"max_resources": {"CPU": 8, "GPU": 4}}},
        True,
    ),
    "the limit there is": ({"max_resources": {"CPU": 8}}, {}, False),
    "instance configuration beside another": (
        {"advanced_instance_config": {"EbsOptimized": True}},
        {"advanced_configurations_json": {**DISK, **OURS, "EbsOptimized": True}},
        True,
    ),
    "the groups there are, in another order": (
        {"worker_nodes": [{"name": "b"}, {"name": "a"}]},
        {},
        False,
    ),
    "a group less": ({"worker_nodes": [{"name": "a"}]}, {"worker_node_types": [node("a")]}, True),
    "no groups": ({"worker_nodes": []}, {"worker_node_types": []}, True),
    "more nodes in a group, which keeps the rest": (
        {"worker_nodes": [{"name": "a", "max_nodes": 20}, {"name": "b"}]},
        {"worker_node_types": [node("a", max_workers=20), node("b")]},
        True,
    ),
    "automatic workers": (
        {"auto_select_worker_config": True},
        {"worker_node_types": None, "auto_select_worker_config": True},
        True,
    ),
    "the cloud resource that it has": ({"cloud_resource": "vm-west"}, {}, False),
    "another cloud resource": (
        {"cloud_resource": "vm-east"},
        {"cloud_deployment": "vm-east"},
        True,
    ),
    "nothing": ({}, {}, False),
}


@pytest.mark.parametrize(("declared", "then", "changed"), DECLARED.values(), ids=DECLARED.keys())
def test_declared_keys_are_enforced_and_others_left_alone(
    declared: JsonObject, then: JsonObject, changed: bool
) -> None:
    live = config(
        {**DISK, **OURS},
        None,
        node("a"),
        node("b"),
        flags={"max_resources": {"CPU": 8}},
        idle_termination_minutes=30,
    )
    before, wanted = observed(live, ALL_RESOURCES), Wanted(ARN, declared)
    plan = decide(before, wanted)
    assert plan.reasons == (("config_differs",) if changed else ())
    assert plan.config is not None
    expected = {**deployments(live)[0], **then}
    assert normalize({"deployment_configs": plan.config["deployment_configs"]}) == normalize(
        {"deployment_configs": [expected]}
    )
    assert plan.config["idle_termination_minutes"] == 30
    check_settled(before, wanted, plan)


def test_another_cloud_resource_has_another_id() -> None:
    live = config(OURS, deployment_configs=[entry("vm-west", OURS, cloud_resource_id="cldrsrc_1")])
    plan = decide(observed(live, ALL_RESOURCES), Wanted(ARN, {"cloud_resource": "vm-east"}))
    assert plan.config is not None
    assert plan.config["deployment_configs"][0]["cloud_deployment"] == "vm-east"
    assert "cloud_resource_id" not in plan.config["deployment_configs"][0]


def test_a_declared_instance_type_ends_a_shape() -> None:
    live = config(
        OURS,
        head_node_type=node(instance_type="custom", required_resources={"cpu": 4, "memory": 2**33}),
    )
    plan = decide(observed(live), Wanted(ARN, {"head_node": {"instance_type": "m5.large"}}))
    assert plan.config is not None
    assert "required_resources" not in plan.config["head_node_type"]


class TestDeclaredDeployments:
    LIVE = config(
        deployment_configs=[entry(None, OURS), entry("vm-east", OURS, allowed_azs=["us-east-1a"])]
    )

    def test_one_of_them(self) -> None:
        declared = {"cloud_resource": "vm-east", "head_node": {"instance_type": "m6i.large"}}
        plan = decide(observed(self.LIVE, ALL_RESOURCES), Wanted(ARN, declared))
        assert plan.config is not None
        kinds = [
            one["head_node_type"]["instance_type"] for one in plan.config["deployment_configs"]
        ]
        assert kinds == ["m5.large", "m6i.large"]
        assert plan.config["deployment_configs"][1]["allowed_azs"] == ["us-east-1a"]

    def test_unnamed_is_the_primary(self) -> None:
        plan = decide(observed(self.LIVE, ALL_RESOURCES), Wanted(ARN, {"zones": ["us-west-2a"]}))
        assert plan.config is not None
        assert plan.config["allowed_azs"] == ["us-west-2a"]

    def test_one_that_is_not_there(self) -> None:
        with pytest.raises(InputError, match="does not say to which one"):
            decide(observed(self.LIVE, ALL_RESOURCES), Wanted(ARN, {"cloud_resource": "gcp"}))

    def test_one_that_the_cloud_has_not(self) -> None:
        with pytest.raises(InputError, match="'nowhere', which does not exist in cloud cld_x"):
            decide(observed(self.LIVE, ALL_RESOURCES), Wanted(ARN, {"cloud_resource": "nowhere"}))

    def test_all_of_them(self) -> None:
        head = {"instance_type": "m5.large"}
        declared = {
            "configs": [
                {"cloud_resource": "vm-west", "head_node": head},
                {"cloud_resource": "eks", "head_node": head},
            ]
        }
        before, wanted = observed(self.LIVE, ALL_RESOURCES), Wanted(ARN, declared)
        plan = decide(before, wanted)
        assert plan.reasons == ("config_differs",)
        assert plan.config is not None
        assert [one.get("cloud_deployment") for one in plan.config["deployment_configs"]] == [
            None,
            "eks",
        ]
        check_settled(before, wanted, plan)


@pytest.mark.parametrize("place", ["cluster", "head", "worker"])
@pytest.mark.parametrize("key", sorted(UNSUPPORTED_KEYS))
def test_what_anyscale_sets_itself_is_refused(place: str, key: str) -> None:
    own = {"advanced_instance_config": {key: 1}}
    declared = {
        "cluster": own,
        "head": {"head_node": own},
        "worker": {"worker_nodes": [{"name": "w", **own}]},
    }[place]
    with pytest.raises(InputError, match=f"{key}, which Anyscale sets itself"):
        decide(observed(config()), Wanted(ARN, declared))


@pytest.mark.parametrize(
    "profile",
    [{"Arn": OTHER_ARN}, {"Arn": ROLE_ARN}, {"Name": "team-a"}],
    ids=["another", "role", "name"],
)
def test_a_contradicting_profile_in_config_is_refused(profile: JsonObject) -> None:
    with pytest.raises(InputError, match="another IamInstanceProfile"):
        decide(
            observed(config()),
            Wanted(ARN, {"advanced_instance_config": {"IamInstanceProfile": profile}}),
        )


# --- node groups that run with a role of their own -------------------------------------------------

GROUP_ARN = f"{ACCOUNT}instance-profile/team-a-gpu"
GROUP_ROLE_ARN = f"{ACCOUNT}role/team-a-gpu"
GROUPS = {"IamInstanceProfile": {"Arn": GROUP_ARN}}
KEEP = Wanted(ARN, node_groups="keep")
NAMED = Wanted(ARN, group_arns={"gpu": GROUP_ARN})
BOTH = dataclasses.replace(NAMED, node_groups="keep")
HEAD_NAMED = Wanted(ARN, group_arns={"head_node": GROUP_ARN})

OF_GROUPS: dict[
    str,
    tuple[Wanted, JsonObject, tuple[str, ...], list[JsonObject | None]],
] = {
    # what is wanted, the live config, the reasons, and then the instance configurations of the
    # cluster, of the head and of each worker group
    "keep: a group's own profile stays": (
        KEEP,
        config(OURS, None, node("w", OTHERS)),
        (),
        [OURS, None, OTHERS],
    ),
    "keep: a group's own profile by name stays": (
        KEEP,
        config(OURS, None, node("w", {"IamInstanceProfile": {"Name": "other"}})),
        (),
        [OURS, None, {"IamInstanceProfile": {"Name": "other"}}],
    ),
    "keep: the head's own profile stays": (
        KEEP,
        config(OURS, OTHERS, node("w")),
        (),
        [OURS, OTHERS, None],
    ),
    "keep: a group's own profile is the cloud's, by another kind": (
        KEEP,
        config(OURS, None, node("w", {"IamInstanceProfile": {"Arn": ROLE_ARN}})),
        ("wrong_arn_kind",),
        [OURS, None, OURS],
    ),
    "keep: a group that loses the cluster's profile gets it": (
        KEEP,
        config(OURS, None, node("w", DISK)),
        ("node_group_hides_profile",),
        [OURS, None, {**DISK, **OURS}],
    ),
    "keep: a group with an empty profile gets it": (
        KEEP,
        config(OURS, None, node("w", {"IamInstanceProfile": {}})),
        ("node_group_hides_profile",),
        [OURS, None, OURS],
    ),
    "keep: another profile of the cluster does not stay": (
        KEEP,
        config(OTHERS, None, node("w", OTHERS)),
        ("profile_differs",),
        [OURS, None, OTHERS],
    ),
    "named: a group that inherits": (
        NAMED,
        config(OURS, None, node("w"), node("gpu")),
        ("node_group_profile_differs",),
        [OURS, None, None, GROUPS],
    ),
    "named: a group that inherits keeps what else the cluster has": (
        NAMED,
        config({**DISK, **OURS}, None, node("gpu")),
        ("node_group_profile_differs",),
        [{**DISK, **OURS}, None, {**DISK, **GROUPS}],
    ),
    "named: nothing is set yet": (
        NAMED,
        config(None, None, node("gpu")),
        ("profile_missing", "node_group_profile_differs"),
        [OURS, None, GROUPS],
    ),
    "named: a group with the cloud's profile": (
        NAMED,
        config(OURS, None, node("gpu", {**DISK, **OURS})),
        ("node_group_profile_differs",),
        [OURS, None, {**DISK, **GROUPS}],
    ),
    "named: a group with another profile": (
        NAMED,
        config(OURS, None, node("gpu", OTHERS)),
        ("node_group_profile_differs",),
        [OURS, None, GROUPS],
    ),
    "named: a group with its role's ARN": (
        NAMED,
        config(OURS, None, node("gpu", {"IamInstanceProfile": {"Arn": GROUP_ROLE_ARN}})),
        ("wrong_arn_kind",),
        [OURS, None, GROUPS],
    ),
    "named: in sync": (NAMED, config(OURS, None, node("gpu", GROUPS)), (), [OURS, None, GROUPS]),
    "named: two groups of the name": (
        NAMED,
        config(OURS, None, node("gpu"), node("gpu", GROUPS)),
        ("node_group_profile_differs",),
        [OURS, None, GROUPS, GROUPS],
    ),
    "named: the head": (
        HEAD_NAMED,
        config(OURS, None, node("w")),
        ("node_group_profile_differs",),
        [OURS, GROUPS, None],
    ),
    "named with the cloud's own role: it may inherit": (
        Wanted(ARN, group_arns={"gpu": ARN}),
        config(OURS, None, node("gpu")),
        (),
        [OURS, None, None],
    ),
    "named no longer": (
        Wanted(ARN),
        config(OURS, None, node("gpu", GROUPS)),
        ("node_group_profile_differs",),
        [OURS, None, OURS],
    ),
    "both: what is named is set, what is not named is kept": (
        BOTH,
        config(OURS, None, node("w", OTHERS), node("gpu", OTHERS)),
        ("node_group_profile_differs",),
        [OURS, None, OTHERS, GROUPS],
    ),
}


@pytest.mark.parametrize(
    ("wanted", "live", "reasons", "then"), OF_GROUPS.values(), ids=OF_GROUPS.keys()
)
def test_node_groups(
    wanted: Wanted, live: JsonObject, reasons: tuple[str, ...], then: list[JsonObject | None]
) -> None:
    before = observed(live)
    plan = decide(before, wanted)
    assert plan.reasons == reasons
    assert instance_configs_of(plan) == then
    check_settled(before, wanted, plan)


def instance_configs_of(plan: ConfigPlan) -> list[JsonObject | None]:
    """The instance configurations of the cluster, the head and each worker group."""
    assert plan.config is not None
    found = plan.config["deployment_configs"][0]
    levels_found = [found, found["head_node_type"], *found["worker_node_types"]]
    return [level.get("advanced_configurations_json") for level in levels_found]


OUT_OF_GROUPS: dict[str, tuple[Wanted, JsonObject, list[JsonObject | None], int]] = {
    # what is wanted, the live config, what each level then has, and how many warnings there are
    "out of a named group": (NAMED, config(OURS, None, node("gpu", GROUPS)), [None, None, None], 0),
    "the cloud's, out of a named group": (
        NAMED,
        config(OURS, None, node("gpu", OURS)),
        [None, None, None],
        0,
    ),
    "not out of a group that is not named": (
        NAMED,
        config(OURS, None, node("w", GROUPS), node("gpu")),
        [None, None, GROUPS, None],
        1,
    ),
    "not another one out of a named group": (
        NAMED,
        config(OURS, None, node("gpu", OTHERS)),
        [None, None, OTHERS],
        1,
    ),
    "not one that is kept, and none is warned of": (
        KEEP,
        config(OURS, None, node("w", OTHERS)),
        [None, None, OTHERS],
        0,
    ),
    "of a named group that is gone": (NAMED, config(OURS, None, node("w")), [None, None, None], 0),
}


@pytest.mark.parametrize(
    ("wanted", "live", "then", "warnings"), OUT_OF_GROUPS.values(), ids=OUT_OF_GROUPS.keys()
)
def test_absent_from_node_groups(
    wanted: Wanted, live: JsonObject, then: list[JsonObject | None], warnings: int
) -> None:
    before, absent = observed(live), dataclasses.replace(wanted, state="absent")
    plan = decide(before, absent)
    assert instance_configs_of(plan) == then
    assert len(plan.warnings) == warnings
    check_settled(before, absent, plan)


def test_an_override_of_a_named_group_says_what_it_inherited() -> None:
    (override,) = decide(observed(config(OURS, None, node("gpu"))), NAMED).result["overrides"]
    assert override == {
        "node_group": "gpu",
        "deployment": "vm-west",
        "before": ARN,
        "after": GROUP_ARN,
        "reason": "node_group_profile_differs",
    }


UNKNOWN_GROUPS: dict[str, tuple[JsonObject, str]] = {
    "of other names": (config(OURS, None, node("gpu-2"), node("w")), "head_node, gpu-2, w"),
    "only the head": (config(OURS), "head_node"),
    "workers that Anyscale selects": (
        config(OURS, auto_select_worker_config=True, worker_node_types=None),
        "head_node",
    ),
    "the group is on Kubernetes": (
        config(
            deployment_configs=[
                entry("vm-west"),
                {**entry("eks"), "worker_node_types": [node("gpu")]},
            ]
        ),
        "head_node",
    ),
}


@pytest.mark.parametrize(("live", "names"), UNKNOWN_GROUPS.values(), ids=UNKNOWN_GROUPS.keys())
def test_a_named_group_must_exist(live: JsonObject, names: str) -> None:
    with pytest.raises(InputError, match="'gpu', which the compute config 'team-a'") as found:
        decide(observed(live, ALL_RESOURCES), NAMED)
    assert f"Its node groups are {names}." in str(found.value.remedy)


def test_a_declared_group_is_one_that_may_be_named() -> None:
    declared = {"worker_nodes": [{"name": "gpu", "instance_type": "g5.xlarge"}]}
    wanted = dataclasses.replace(NAMED, config=declared)
    before = observed(config(OURS))
    plan = decide(before, wanted)
    assert instance_configs_of(plan) == [OURS, None, GROUPS]
    check_settled(before, wanted, plan)


DECLARED_PROFILES: dict[str, tuple[Wanted, str, str | None]] = {
    # what is wanted, the ARN that config declares for the group gpu, and words of the error
    "the cloud's": (Wanted(ARN), ARN, None),
    "another": (Wanted(ARN), OTHER_ARN, "another IamInstanceProfile"),
    "another that is kept": (KEEP, OTHER_ARN, None),
    "the named one": (NAMED, GROUP_ARN, None),
    "the cloud's, of a named group": (NAMED, ARN, "another IamInstanceProfile"),
    "another, of a named group that would be kept": (BOTH, OTHER_ARN, "another IamInstanceProfile"),
}


@pytest.mark.parametrize(
    ("wanted", "arn", "words"), DECLARED_PROFILES.values(), ids=DECLARED_PROFILES.keys()
)
def test_a_declared_profile_of_a_group(wanted: Wanted, arn: str, words: str | None) -> None:
    own = {"advanced_instance_config": {"IamInstanceProfile": {"Arn": arn}}}
    declared = {"worker_nodes": [{"name": "gpu", "instance_type": "g5.xlarge", **own}]}
    wanted = dataclasses.replace(wanted, config=declared)
    if words is not None:
        with pytest.raises(InputError, match=words):
            decide(observed(config(OURS)), wanted)
        return
    plan = decide(observed(config(OURS)), wanted)
    assert instance_configs_of(plan)[2] == {"IamInstanceProfile": {"Arn": arn}}


# --- any config -----------------------------------------------------------------------------------

profiles = st.sampled_from(
    [
        {"Arn": ARN},
        {"Arn": OTHER_ARN},
        {"Arn": ROLE_ARN},
        {"Name": "team-a"},
        {"Name": "other"},
        {"Arn": ARN, "Name": "x"},
        {},
        None,
        "?",
    ]
)
instance_configs: st.SearchStrategy[JsonObject | None] = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "IamInstanceProfile": profiles,
        "EbsOptimized": st.booleans(),
        "TagSpecifications": st.just([]),
    },
)
levels = st.fixed_dictionaries(
    {},
    optional={
        "advanced_configurations_json": instance_configs,
        "aws_advanced_configurations_json": instance_configs,
        "flags": st.none()
        | st.dictionaries(st.sampled_from(["x", "allow-cross-zone-autoscaling"]), st.booleans()),
    },
)
nodes = st.builds(
    lambda level, name, more: {"name": name, "instance_type": "m5.large", **level, **more},
    levels,
    st.sampled_from(["a", "b", "c", None]),
    st.fixed_dictionaries(
        {},
        optional={
            "resources": st.sampled_from(
                [
                    None,
                    {"cpu": 0, "gpu": 0},
                    {"cpu": 2, "memory": None, "custom_resources": {"x": 1}},
                ]
            ),
            "min_workers": st.sampled_from([None, 0, 1]),
            "use_spot": st.booleans(),
            "fallback_to_ondemand": st.booleans(),
            "labels": st.sampled_from([None, {}, {"team": "a"}]),
        },
    ),
)
bodies = st.builds(
    lambda level, head, workers, more: {**level, "head_node_type": head, **workers, **more},
    levels,
    nodes,
    st.fixed_dictionaries(
        {}, optional={"worker_node_types": st.none() | st.lists(nodes, max_size=3)}
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "allowed_azs": st.sampled_from([None, [], ["any"], ["us-west-2b", "us-west-2a"]]),
            "auto_select_worker_config": st.sampled_from([None, False]),
        },
    ),
)
entries = st.builds(
    lambda body, resource: {
        **{key: value for key, value in body.items() if key != "aws_advanced_configurations_json"},
        "cloud_deployment": resource,
    },
    bodies,
    st.sampled_from([None, "vm-west", "vm-east", "eks"]),
)
configs = st.builds(
    lambda top, several, more: {"cloud_id": "cld_x", **top, **several, **more},
    bodies,
    st.fixed_dictionaries(
        {}, optional={"deployment_configs": st.none() | st.lists(entries, max_size=3)}
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "idle_termination_minutes": st.sampled_from([None, 0, 120]),
            "novelty": st.just({"x": None}),
        },
    ),
)
declarations = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "zones": st.just(["us-west-2a"]),
        "head_node": st.just(
            {"instance_type": "m5.large", "advanced_instance_config": {"EbsOptimized": True}}
        ),
        "worker_nodes": st.sampled_from(
            [
                [],
                [{"name": "a"}],
                [{"name": "new", "instance_type": "m5.large", "market_type": "SPOT"}],
            ]
        ),
        "max_resources": st.just({"CPU": 8.0}),
    },
)


def without_instance_configs(value: t.Any) -> t.Any:
    """A normalised config with everything in it but instance configurations."""
    if isinstance(value, dict):
        return {
            key: without_instance_configs(part)
            for key, part in value.items()
            if key != "advanced_configurations_json"
        }
    return [without_instance_configs(part) for part in value] if isinstance(value, list) else value


@given(
    live=st.none() | configs,
    declared=declarations,
    state=st.sampled_from(["present", "absent"]),
    of_groups=st.sampled_from([Wanted(ARN), KEEP, HEAD_NAMED, BOTH]),
)
def test_deciding_twice_is_deciding_once(
    live: JsonObject | None, declared: JsonObject | None, state: str, of_groups: Wanted
) -> None:
    default = {"head_node_type": node()}
    before, wanted = (
        observed(live, ALL_RESOURCES, default_config=default),
        dataclasses.replace(of_groups, config=declared, state=state),
    )
    untouched = copy.deepcopy((before, wanted))
    try:
        plan = decide(before, wanted)
    except (InputError, RefusedError):
        return
    finally:
        assert (before, wanted) == untouched
    if plan.config is not None:
        check_settled(before, wanted, plan)


@given(
    live=configs,
    declared=declarations,
    of_groups=st.sampled_from([Wanted(ARN), KEEP, HEAD_NAMED, BOTH]),
)
def test_what_is_published_by_a_rollback_means_what_there_was(
    live: JsonObject, declared: JsonObject | None, of_groups: Wanted
) -> None:
    """And what its own rollback publishes means what the run had published."""
    try:
        plan = decide(
            observed(live, ALL_RESOURCES), dataclasses.replace(of_groups, config=declared)
        )
    except (InputError, RefusedError):
        return
    assert plan.live is not None
    backed_up = json_copy(compose(plan.live, deployments(plan.live)))
    published = compose(backed_up, deployments(backed_up))
    assert same_config(published, live)
    assert plan.config is not None
    again = compose(plan.config, deployments(plan.config))
    assert same_config(again, plan.config)
    assert same_config(plan.config, live) is not plan.publishes


_TWINS = [node("a", OTHERS), node("a", OURS, resources={"cpu": 0, "gpu": 0})]


@given(live=configs, state=st.sampled_from(["present", "absent"]))
@example(
    live={"cloud_id": "cld_x", "head_node_type": node(), "worker_node_types": _TWINS},
    state="present",
)
def test_nothing_else_changes(live: JsonObject, state: str) -> None:
    before = observed(live, ALL_RESOURCES)
    try:
        plan = decide(before, Wanted(ARN, state=state))
    except RefusedError:
        return
    assert plan.config is not None
    assert without_instance_configs(plan.after) == without_instance_configs(plan.before)
    assert plan.config.get("novelty") == live.get("novelty")
    assert plan.config.get("idle_termination_minutes") == live.get("idle_termination_minutes")


@given(live=configs)
def test_then_every_node_has_the_profile(live: JsonObject) -> None:
    """A node has its group's instance configuration if there is one, else the cluster's."""
    try:
        plan = decide(observed(live), Wanted(ARN))
    except RefusedError:
        return
    assert plan.config is not None
    for deployment in plan.config["deployment_configs"]:
        if deployment.get("cloud_deployment") not in (None, "vm-west"):
            continue
        cluster = deployment["advanced_configurations_json"]
        for group in (deployment["head_node_type"], *deployment.get("worker_node_types", [])):
            effective = group.get("advanced_configurations_json") or cluster
            assert effective["IamInstanceProfile"] == {"Arn": ARN}


def effective_configs(entry: JsonObject) -> list[tuple[str, JsonObject]]:
    """What each node group launches with: its own instance configuration, else the cluster's."""
    cluster = entry.get("advanced_configurations_json") or {}
    groups = [("head_node", entry["head_node_type"])] if "head_node_type" in entry else []
    groups += [
        (one.get("name") or one["instance_type"], one)
        for one in entry.get("worker_node_types") or []
    ]
    return [(name, one.get("advanced_configurations_json") or cluster) for name, one in groups]


def without_profile(instance_config: JsonObject) -> JsonObject:
    return {key: value for key, value in instance_config.items() if key != "IamInstanceProfile"}


@given(live=configs, keeps=st.booleans(), named=st.sets(st.sampled_from(["a", "b", "head_node"])))
def test_each_group_gets_its_profile_and_keeps_what_else_it_launches_with(
    live: JsonObject, keeps: bool, named: set[str]
) -> None:
    """Also a group that inherited, and whose own instance configuration now hides the cluster's."""
    there = {
        name
        for entry_of in deployments(live)
        if entry_of.get("cloud_deployment") in (None, "vm-west")
        for name, _config in effective_configs(entry_of)
    }
    wanted = Wanted(
        ARN,
        node_groups="keep" if keeps else "all",
        group_arns=dict.fromkeys(named & there, GROUP_ARN),
    )
    try:
        plan = decide(observed(live), wanted)
    except RefusedError:
        return
    assert plan.config is not None
    entries = zip(deployments(live), plan.config["deployment_configs"], strict=True)
    for before, after in entries:
        if after.get("cloud_deployment") not in (None, "vm-west"):
            assert normalize({"deployment_configs": [before]}) == normalize(
                {"deployment_configs": [after]}
            )
            continue
        pairs = zip(effective_configs(before), effective_configs(after), strict=True)
        for (name, old), (_name, new) in pairs:
            assert without_profile(new) == without_profile(old)
            profile = new["IamInstanceProfile"]
            if name in wanted.group_arns:
                assert profile == {"Arn": GROUP_ARN}
            elif profile != {"Arn": ARN}:
                assert keeps
                assert profile == old["IamInstanceProfile"]
