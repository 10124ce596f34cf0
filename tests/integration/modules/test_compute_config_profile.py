# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module compute_config_profile against IAM and the Anyscale control plane as the sandbox plays
them.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import pathlib
import typing as t

import pytest
import yaml
from anyscale.compute_config.models import ComputeConfig, MultiResourceComputeConfig

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import (
    compute_config_reconciler,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._compute_templates import ComputeTemplates
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    OTHER_ACCOUNT,
    REGION,
    ROLE,
    ROLE_ARN,
    Json,
    make_role,
)
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import (
    Run,
    after,
    before,
    converge,
    documented_reasons,
    failure,
    refused,
    settled,
    write_operations,
)

MODULE = "compute_config_profile"
CREATE = "POST /api/v2/compute_templates/"
SEARCH = "POST /api/v2/compute_templates/search"
ARCHIVE = "POST /api/v2/compute_templates/{id}/archive"
MAKE_PROFILE = ["CreateInstanceProfile", "AddRoleToInstanceProfile"]
NOT_IN_CHECK_MODE = ["compute_config_id"]

CLOUD = Cloud("vision", ACCOUNT, role=ROLE, trust="manual_page", profile="filled")
NAME = CLOUD.compute_config_name
PROFILE_ARN = CLOUD.instance_profile_arn
OTHER_PROFILE_ARN = f"arn:aws:iam::{ACCOUNT}:instance-profile/ray-autoscaler-v1"
PRIMARY = f"vm-aws-{REGION}"
SECOND = "k8s-east"
GIVEN: Json = {"name": NAME, "cloud_id": CLOUD.cloud_id, "role": ROLE}
DISK = {
    "BlockDeviceMappings": [
        {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 500, "VolumeType": "gp3"}}
    ]
}


def seed(sandbox: Sandbox, **changes: t.Any) -> Cloud:
    """The cloud with its role, and its other parts in these states."""
    cloud = dataclasses.replace(CLOUD, **changes)
    sandbox.seed((cloud,))
    return cloud


def profile(arn: str = PROFILE_ARN) -> Json:
    return {"IamInstanceProfile": {"Arn": arn}}


def group(name: str, **more: t.Any) -> Json:
    return {
        "name": name,
        "instance_type": "m5.4xlarge",
        "min_workers": 0,
        "max_workers": 10,
        **more,
    }


def compute(*workers: Json, advanced: Json | None = None, **more: t.Any) -> Json:
    """The config of one deployment."""
    head = {"name": "head-node", "instance_type": "m5.2xlarge"}
    return {
        "head_node_type": head,
        "worker_node_types": list(workers),
        "advanced_configurations_json": advanced,
        **more,
    }


def publish(
    sandbox: Sandbox,
    *deployments: Json,
    name: str = NAME,
    cloud_id: str = CLOUD.cloud_id,
    **more: t.Any,
) -> Json:
    """Publish a version behind the module's back, in the form in which Anyscale's CLI does it."""
    first = {key: value for key, value in deployments[0].items() if key != "cloud_deployment"}
    config = {"cloud_id": cloud_id, **first, "deployment_configs": list(deployments), **more}
    return sandbox.organization.create_template(
        {"name": name, "anonymous": False, "new_version": True, "config": config}
    )


def versions(sandbox: Sandbox, name: str = NAME) -> list[Json]:
    """All versions of the compute config, the oldest first."""
    found = sandbox.organization.templates.search(
        {"name": {"equals": name}, "version": -2, "archive_status": "ALL"}
    )
    return sorted(found, key=lambda template: int(template["version"]))


def newest(sandbox: Sandbox) -> Json:
    """The newest version's config."""
    return t.cast(Json, versions(sandbox)[-1]["config"])


def instance_configs(deployment: Json) -> dict[str, Json]:
    """The instance configuration of each level that has one."""
    levels = {"cluster": deployment, "head": deployment["head_node_type"]}
    levels.update({worker["name"]: worker for worker in deployment["worker_node_types"] or []})
    return {
        name: level["advanced_configurations_json"]
        for name, level in levels.items()
        if level["advanced_configurations_json"]
    }


def warned(result: Json, *phrases: str) -> bool:
    """Whether one warning has all phrases."""
    return any(all(phrase in warning for phrase in phrases) for warning in result["warnings"])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that the client would make, in their order; none is made, but its clock has them."""
    pauses: list[float] = []
    keywords = t.cast(t.Any, AnyscaleClient.__init__).__kwdefaults__
    monkeypatch.setitem(keywords, "sleep", pauses.append)
    monkeypatch.setitem(keywords, "clock", lambda: sum(pauses))
    return pauses


# --- the cycle ------------------------------------------------------------------------------------

Change = t.Callable[[Sandbox], object]


def unchanged(sandbox: Sandbox) -> None:
    """No writer changes anything."""


MODIFICATIONS: dict[str, tuple[Change, Json, list[str]]] = {
    "another head node": (
        unchanged,
        {"config": {"head_node": {"instance_type": "m5.8xlarge"}}},
        ["config_differs"],
    ),
    "a worker group that hides it": (
        lambda sandbox: publish(
            sandbox, compute(group("gpu", advanced_configurations_json=DISK), advanced=profile())
        ),
        {},
        ["node_group_hides_profile"],
    ),
}


@pytest.mark.parametrize("modification", MODIFICATIONS)
def test_create_modify_delete_archive(sandbox: Sandbox, run_module: Run, modification: str) -> None:
    seed(sandbox, profile="missing")
    options = {**GIVEN, "account_id": ACCOUNT}
    made = converge(
        sandbox,
        run_module,
        MODULE,
        ["instance_profile_missing", "compute_config_missing"],
        NOT_IN_CHECK_MODE,
        **options,
    )
    assert (made["compute_config"], made["previous_version"]) == (f"{NAME}:1", None)
    assert made["compute_config_id"] == versions(sandbox)[0]["id"]
    assert made["instance_profile_arn"] == PROFILE_ARN
    assert (
        before(made)
        == made["previous"]
        == {"instance_profile": None, "compute_config": None, "file": None}
    )
    assert after(made)["instance_profile"] == {
        "name": ROLE,
        "arn": PROFILE_ARN,
        "role_arn": ROLE_ARN,
    }
    assert instance_configs(newest(sandbox)) == {"cluster": profile()}

    change, changes, reasons = MODIFICATIONS[modification]
    change(sandbox)
    modified = converge(
        sandbox, run_module, MODULE, reasons, NOT_IN_CHECK_MODE, **options, **changes
    )
    last = versions(sandbox)[-1]
    assert modified["compute_config"] == f"{NAME}:{last['version']}"
    assert all(
        found["IamInstanceProfile"] == {"Arn": PROFILE_ARN}
        for found in instance_configs(last["config"]).values()
    )

    gone = converge(
        sandbox,
        run_module,
        MODULE,
        ["profile_present"],
        NOT_IN_CHECK_MODE,
        state="absent",
        **options,
    )
    assert gone["previous_version"] == last["version"]
    assert all(
        "IamInstanceProfile" not in found for found in instance_configs(newest(sandbox)).values()
    )
    assert sandbox.client("iam", ACCOUNT).get_instance_profile(InstanceProfileName=ROLE)

    archived = converge(sandbox, run_module, MODULE, ["not_archived"], state="archived", **options)
    assert (archived["compute_config"], archived["compute_config_id"]) == (None, None)
    assert all(version["archived_at"] for version in versions(sandbox))


def test_the_write_calls_in_their_order(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox, profile="missing")
    run_module(MODULE, **GIVEN)
    assert write_operations(sandbox) == [*MAKE_PROFILE, CREATE]


# --- the states in which compute configs are found ------------------------------------------------

SEEDED: dict[str, tuple[list[str], dict[str, Json]]] = {
    "other_profile": (["profile_differs"], {"cluster": {**profile(), **DISK}}),
    "hidden_by_worker": (
        ["node_group_hides_profile"],
        {"cluster": profile(), "gpu": {**profile(), **DISK}},
    ),
}


@pytest.mark.parametrize("state", SEEDED)
def test_each_seeded_state(sandbox: Sandbox, run_module: Run, state: str) -> None:
    seed(sandbox, compute_config=state)
    older = versions(sandbox)
    reasons, wanted = SEEDED[state]
    result = converge(sandbox, run_module, MODULE, reasons, NOT_IN_CHECK_MODE, **GIVEN)
    assert (
        instance_configs(newest(sandbox))
        == instance_configs(newest(sandbox)["deployment_configs"][0])
        == wanted
    )
    assert result["overrides"] == [
        {
            "node_group": name,
            "deployment": PRIMARY,
            "reason": reasons[0],
            "before": None,
            "after": PROFILE_ARN,
        }
        for name in wanted
        if name != "cluster"
    ]
    assert versions(sandbox)[:-1] == older


def test_the_seeded_state_that_is_in_sync(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox, compute_config="in_sync")
    result = settled(sandbox, run_module, MODULE, **GIVEN)
    assert (result["compute_config"], result["compute_config_id"]) == (
        f"{NAME}:1",
        versions(sandbox)[0]["id"],
    )


OTHER_STATES: dict[str, tuple[Json, list[str], dict[str, Json]]] = {
    "a worker group with another profile": (
        compute(
            group("cpu"),
            group("gpu", advanced_configurations_json=profile(OTHER_PROFILE_ARN)),
            advanced=profile(),
        ),
        ["node_group_profile_differs"],
        {"cluster": profile(), "gpu": profile()},
    ),
}


@pytest.mark.parametrize("state", OTHER_STATES)
def test_other_states(sandbox: Sandbox, run_module: Run, state: str) -> None:
    found, reasons, wanted = OTHER_STATES[state]
    seed(sandbox)
    deployment = {
        key: value for key, value in found.items() if key != "aws_advanced_configurations_json"
    }
    legacy = {
        key: value for key, value in found.items() if key == "aws_advanced_configurations_json"
    }
    publish(sandbox, deployment, **legacy)
    converge(sandbox, run_module, MODULE, reasons, NOT_IN_CHECK_MODE, **GIVEN)
    assert instance_configs(newest(sandbox)) == wanted


IN_SYNC: dict[str, Json] = {
    "in the legacy field": {"aws_advanced_configurations_json": profile()},
}


@pytest.mark.parametrize("state", IN_SYNC)
def test_a_config_in_sync_in_an_old_form_is_left_alone(
    sandbox: Sandbox, run_module: Run, state: str
) -> None:
    seed(sandbox)
    publish(sandbox, compute(), **IN_SYNC[state])
    settled(sandbox, run_module, MODULE, **GIVEN)


def test_all_else_is_kept(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox)
    zones = [f"{REGION}a", f"{REGION}b"]
    worker = group(
        "cpu",
        labels={"team": "vision"},
        use_spot=True,
        resources={"cpu": 4, "custom_resources": {"slot": 2}},
    )
    publish(
        sandbox,
        compute(
            worker, allowed_azs=zones, flags={"allow-cross-zone-autoscaling": True, "max-cpus": 100}
        ),
        idle_termination_minutes=45,
        maximum_uptime_minutes=600,
    )
    found = newest(sandbox)
    run_module(MODULE, **GIVEN)
    published = newest(sandbox)
    for level in (published, *published["deployment_configs"]):
        assert level.pop("advanced_configurations_json") == profile()
    for level in (found, *found["deployment_configs"]):
        level.pop("advanced_configurations_json")
    assert published == found


def test_the_newest_of_many_versions_counts(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox)
    for _version in range(11):
        publish(sandbox, compute(advanced=profile()))
    publish(sandbox, compute())
    older = versions(sandbox)
    result = run_module(MODULE, **GIVEN)
    assert (result["compute_config"], result["previous_version"]) == (f"{NAME}:13", 12)
    assert versions(sandbox)[:-1] == older


def test_the_same_name_in_another_cloud_is_another_compute_config(
    sandbox: Sandbox, run_module: Run
) -> None:
    seed(sandbox)
    elsewhere = sandbox.organization.add_cloud("elsewhere")
    publish(sandbox, compute(advanced=profile()), cloud_id=elsewhere)
    assert run_module(MODULE, **GIVEN)["reasons"] == ["compute_config_missing"]
    assert [version["config"]["cloud_id"] for version in versions(sandbox)].count(elsewhere) == 1


# --- the instance profile -------------------------------------------------------------------------


def test_an_empty_profile_gets_its_role(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox, profile="empty", compute_config="in_sync")
    converge(sandbox, run_module, MODULE, ["instance_profile_without_role"], **GIVEN)
    held = sandbox.client("iam", ACCOUNT).get_instance_profile(InstanceProfileName=ROLE)[
        "InstanceProfile"
    ]["Roles"]
    assert [role["Arn"] for role in held] == [ROLE_ARN]


def test_a_role_with_a_path(sandbox: Sandbox, run_module: Run) -> None:
    cloud = seed(sandbox, role_path="/ray/lab/", profile="missing")
    made = converge(
        sandbox,
        run_module,
        MODULE,
        ["instance_profile_missing", "compute_config_missing"],
        NOT_IN_CHECK_MODE,
        **{**GIVEN, "role": cloud.role_arn},
    )
    found = sandbox.client("iam", ACCOUNT).get_instance_profile(InstanceProfileName=ROLE)[
        "InstanceProfile"
    ]["Arn"]
    assert (
        made["instance_profile_arn"]
        == found
        == newest(sandbox)["advanced_configurations_json"]["IamInstanceProfile"]["Arn"]
    )


def test_a_profile_of_another_name(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox, compute_config="in_sync")
    result = run_module(MODULE, instance_profile="ray-fleet", **GIVEN)
    assert result["reasons"] == ["instance_profile_missing", "profile_differs"]
    assert instance_configs(newest(sandbox)) == {
        "cluster": profile(f"arn:aws:iam::{ACCOUNT}:instance-profile/ray-fleet")
    }


def register_profile(sandbox: Sandbox, held: str) -> str:
    """Register a profile that contains this role; returns its ARN."""
    iam = sandbox.client("iam", ACCOUNT)
    made = iam.create_instance_profile(InstanceProfileName="registered", Path="/anyscale/")
    iam.add_role_to_instance_profile(InstanceProfileName="registered", RoleName=held)
    arn = str(made["InstanceProfile"]["Arn"])
    [resource] = sandbox.organization.resources[CLOUD.cloud_id]
    resource["aws_config"]["cluster_instance_profile_id"] = arn
    return arn


def test_the_registered_profile_is_used_where_it_holds_the_role(
    sandbox: Sandbox, run_module: Run
) -> None:
    """None is made beside it, and revoking finds it too."""
    seed(sandbox, profile="missing")
    arn = register_profile(sandbox, ROLE)
    made = converge(
        sandbox, run_module, MODULE, ["compute_config_missing"], NOT_IN_CHECK_MODE, **GIVEN
    )
    assert made["instance_profile_arn"] == arn
    assert instance_configs(newest(sandbox)) == {"cluster": profile(arn)}
    gone = converge(
        sandbox, run_module, MODULE, ["profile_present"], NOT_IN_CHECK_MODE, state="absent", **GIVEN
    )
    assert gone["instance_profile_arn"] == arn


OTHERS: dict[str, tuple[Change, Json]] = {
    "it holds another role": (
        lambda sandbox: (make_role(sandbox, "ray-team-b"), register_profile(sandbox, "ray-team-b")),
        {},
    ),
    "Anyscale is not asked": (lambda sandbox: register_profile(sandbox, ROLE), {"publish": False}),
    "another one is named": (
        lambda sandbox: register_profile(sandbox, ROLE),
        {"instance_profile": "ray-fleet"},
    ),
}


@pytest.mark.parametrize("case", OTHERS)
def test_the_registered_profile_is_not_used_where(
    sandbox: Sandbox, run_module: Run, case: str
) -> None:
    arrange, options = OTHERS[case]
    seed(sandbox, profile="missing")
    arrange(sandbox)
    result = run_module(MODULE, **GIVEN, **options)
    name = options.get("instance_profile", ROLE)
    assert result["instance_profile_arn"] == f"arn:aws:iam::{ACCOUNT}:instance-profile/{name}"
    assert "instance_profile_missing" in result["reasons"]


def test_the_default_role_of_the_cloud(sandbox: Sandbox, run_module: Run) -> None:
    cloud = seed(sandbox, role="", profile="missing")
    result = run_module(MODULE, name=NAME, cloud_id=cloud.cloud_id)
    assert result["instance_profile_arn"].endswith(
        f":instance-profile/{cloud.cloud_id}-cluster_node_role"
    )


def test_the_role_in_the_place_of_the_profile(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox, compute_config="in_sync")
    result = converge(
        sandbox, run_module, MODULE, ["wrong_arn_kind"], NOT_IN_CHECK_MODE, arn_kind="role", **GIVEN
    )
    assert instance_configs(newest(sandbox)) == {"cluster": profile(ROLE_ARN)}
    assert result["instance_profile_arn"] == PROFILE_ARN
    converge(
        sandbox,
        run_module,
        MODULE,
        ["profile_present"],
        NOT_IN_CHECK_MODE,
        arn_kind="role",
        state="absent",
        **GIVEN,
    )


def test_nothing_is_published_before_the_profile_is_usable(
    sandbox: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(sandbox, profile="missing")
    read = Iam.instance_profile
    late = iter([True, True, True])

    def read_late(self: Iam, name: str) -> Json | None:
        found = read(self, name)
        return {**found, "Roles": []} if found and next(late, False) else found

    monkeypatch.setattr(Iam, "instance_profile", read_late)
    run_module(MODULE, **GIVEN)
    operations = [call["operation"] for call in sandbox.calls()]
    between = operations[operations.index("AddRoleToInstanceProfile") : operations.index(CREATE)]
    assert between.count("GetInstanceProfile") == 4


LOST_IN_IAM: dict[str, tuple[str, Json]] = {
    "the profile's answer is lost": ("CreateInstanceProfile", {"after": True, "drop": True}),
    "the role's answer is lost": ("AddRoleToInstanceProfile", {"after": True, "drop": True}),
    "throttled": ("AddRoleToInstanceProfile", {"status": 400, "code": "Throttling"}),
}


@pytest.mark.parametrize("fault", LOST_IN_IAM)
def test_a_passing_failure_of_iam_is_outlasted(
    sandbox: Sandbox, run_module: Run, fault: str
) -> None:
    seed(sandbox, profile="missing")
    operation, how = LOST_IN_IAM[fault]
    sandbox.fault(operation, **how)
    assert run_module(MODULE, **GIVEN)["compute_config"] == f"{NAME}:1"
    assert len(versions(sandbox)) == 1


# --- what the compute config must be apart from the profile ---------------------------------------


def test_a_new_one_starts_from_the_default_of_the_cloud(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox)
    run_module(MODULE, **GIVEN)
    assert newest(sandbox)["head_node_type"]["instance_type"] == "m5.2xlarge"
    assert newest(sandbox)["auto_select_worker_config"] is True


DECLARED: Json = {
    "head_node": {"instance_type": "m5.4xlarge"},
    "worker_nodes": [
        {"name": "gpu", "instance_type": "g5.4xlarge", "max_nodes": 4, "market_type": "SPOT"}
    ],
    "zones": [f"{REGION}a"],
    "advanced_instance_config": DISK,
}


def test_a_new_one_is_made_as_declared(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox)
    converge(
        sandbox,
        run_module,
        MODULE,
        ["compute_config_missing"],
        NOT_IN_CHECK_MODE,
        config=DECLARED,
        **GIVEN,
    )
    config = newest(sandbox)
    (worker,) = config["worker_node_types"]
    assert (config["head_node_type"]["instance_type"], config["allowed_azs"]) == (
        "m5.4xlarge",
        [f"{REGION}a"],
    )
    assert (worker["name"], worker["max_workers"], worker["use_spot"]) == ("gpu", 4, True)
    assert instance_configs(config) == {"cluster": {**DISK, **profile()}}


def test_declared_keys_are_enforced_and_others_left_alone(
    sandbox: Sandbox, run_module: Run
) -> None:
    seed(sandbox)
    publish(
        sandbox,
        compute(
            group("cpu", labels={"team": "vision"}),
            group("gpu"),
            advanced=profile(),
            allowed_azs=[f"{REGION}b"],
        ),
    )
    workers = [{"name": "gpu", "max_nodes": 3}, {"name": "cpu"}]
    converge(
        sandbox,
        run_module,
        MODULE,
        ["config_differs"],
        NOT_IN_CHECK_MODE,
        config={"worker_nodes": workers},
        **GIVEN,
    )
    config = newest(sandbox)
    groups = {worker["name"]: worker for worker in config["worker_node_types"]}
    assert (
        groups["gpu"]["max_workers"],
        groups["gpu"]["instance_type"],
        groups["cpu"]["labels"],
    ) == (3, "m5.4xlarge", {"team": "vision"})
    assert config["allowed_azs"] == [f"{REGION}b"]


def test_a_worker_group_that_is_declared_with_an_instance_configuration_gets_the_profile(
    sandbox: Sandbox, run_module: Run
) -> None:
    seed(sandbox, compute_config="in_sync")
    workers = [{"name": "gpu", "instance_type": "g5.4xlarge", "advanced_instance_config": DISK}]
    run_module(MODULE, config={"worker_nodes": workers}, **GIVEN)
    assert instance_configs(newest(sandbox)) == {"cluster": profile(), "gpu": {**DISK, **profile()}}
    settled(sandbox, run_module, MODULE, config={"worker_nodes": workers}, **GIVEN)


def test_what_makes_no_difference_is_no_difference(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox)
    publish(sandbox, compute(group("b"), group("a"), advanced=profile()))
    declared = {
        "zones": ["any"],
        "enable_cross_zone_scaling": False,
        "worker_nodes": [{"name": "a", "min_nodes": 0}, {"name": "b"}],
    }
    settled(sandbox, run_module, MODULE, config=declared, **GIVEN)


# --- clouds with several resources, and without virtual machines ----------------------------------


@pytest.fixture
def two_resources(sandbox: Sandbox) -> Sandbox:
    """A cloud whose second resource is on Kubernetes, with a compute config for both."""
    seed(sandbox)
    sandbox.organization.add_resource(CLOUD.cloud_id, SECOND)
    sandbox.organization.resources[CLOUD.cloud_id][1]["compute_stack"] = "K8S"
    publish(
        sandbox, compute(cloud_deployment=PRIMARY), compute(group("pods"), cloud_deployment=SECOND)
    )
    return sandbox


def test_each_deployment_on_virtual_machines_gets_the_profile(
    two_resources: Sandbox, run_module: Run
) -> None:
    result = converge(
        two_resources, run_module, MODULE, ["profile_missing"], NOT_IN_CHECK_MODE, **GIVEN
    )
    first, second = newest(two_resources)["deployment_configs"]
    assert (instance_configs(first), instance_configs(second)) == ({"cluster": profile()}, {})
    (other,) = result["not_applicable"]
    assert other["deployment"] == SECOND
    assert "K8S" in other["reason"]


def test_one_of_several_deployments_is_declared(two_resources: Sandbox, run_module: Run) -> None:
    config = {"cloud_resource": PRIMARY, "head_node": {"instance_type": "m5.8xlarge"}}
    run_module(MODULE, config=config, **GIVEN)
    first, second = newest(two_resources)["deployment_configs"]
    assert [entry["head_node_type"]["instance_type"] for entry in (first, second)] == [
        "m5.8xlarge",
        "m5.2xlarge",
    ]
    settled(two_resources, run_module, MODULE, config=config, **GIVEN)


NO_VIRTUAL_MACHINES: dict[str, Json] = {
    "Kubernetes": {"compute_stack": "K8S"},
    "another provider": {"provider": "GCP"},
}


@pytest.mark.parametrize(
    "declared",
    [None, {"head_node": {"instance_type": "8CPU-32GB"}}],
    ids=["from the default", "declared"],
)
@pytest.mark.parametrize("kind", NO_VIRTUAL_MACHINES)
def test_a_cloud_without_virtual_machines_of_aws_is_refused(
    sandbox: Sandbox, run_module: Run, kind: str, declared: Json | None
) -> None:
    seed(sandbox)
    cloud_id = sandbox.organization.add_cloud("pods", **NO_VIRTUAL_MACHINES[kind])
    config = {"config": declared} if declared else {}
    refused(
        sandbox,
        run_module,
        MODULE,
        NAME,
        cloud_id,
        "AWS virtual machines",
        **{**GIVEN, "cloud_id": cloud_id, **config},
    )
    assert versions(sandbox) == []


# --- absent, archived -----------------------------------------------------------------------------


def test_absent_leaves_other_profiles_with_a_warning(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox, compute_config="other_profile")
    result = settled(sandbox, run_module, MODULE, state="absent", **GIVEN)
    assert warned(result, OTHER_PROFILE_ARN)


@pytest.mark.parametrize("state", ["absent", "archived"])
def test_nothing_to_take_away(sandbox: Sandbox, run_module: Run, state: str) -> None:
    seed(sandbox)
    assert settled(sandbox, run_module, MODULE, state=state, **GIVEN)["compute_config"] is None


def test_only_what_was_asked_for_is_archived(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox, compute_config="in_sync")
    publish(sandbox, compute(), name="other")
    run_module(MODULE, state="archived", **GIVEN)
    assert write_operations(sandbox) == [ARCHIVE]
    assert versions(sandbox, "other")[0]["archived_at"] is None


# --- refusals -------------------------------------------------------------------------------------


def hold_another_role(sandbox: Sandbox) -> None:
    seed(sandbox, profile="missing")
    make_role(sandbox, "ray-team-b")
    iam = sandbox.client("iam", ACCOUNT)
    iam.create_instance_profile(InstanceProfileName=ROLE)
    iam.add_role_to_instance_profile(InstanceProfileName=ROLE, RoleName="ray-team-b")


def archive(sandbox: Sandbox) -> None:
    seed(sandbox, compute_config="in_sync")
    sandbox.organization.templates.set_archived(versions(sandbox)[0]["id"], True)


def name_twice(sandbox: Sandbox) -> None:
    seed(sandbox)
    sandbox.organization.add_cloud(CLOUD.name, cloud_id="cld_thesecond")


def several_deployments(sandbox: Sandbox) -> None:
    seed(sandbox)
    sandbox.organization.add_resource(CLOUD.cloud_id, "vm-east")
    publish(sandbox, compute(cloud_deployment=PRIMARY), compute(cloud_deployment="vm-east"))


HEAD = {"instance_type": "m5.2xlarge"}
REFUSALS: dict[str, tuple[Change, Json, tuple[str, ...]]] = {
    "role does not exist": (
        lambda sandbox: seed(sandbox, trust="", profile="missing"),
        {},
        (ROLE, "does not exist", "Create it first"),
    ),
    "role of another account": (
        seed,
        {"role": f"arn:aws:iam::{OTHER_ACCOUNT}:role/{ROLE}", "account_id": ACCOUNT},
        (OTHER_ACCOUNT, ACCOUNT, "must be in the AWS account of its cloud"),
    ),
    "ARN of another account than the caller's": (
        lambda sandbox: seed(sandbox, profile="missing"),
        {"role": f"arn:aws:iam::{OTHER_ACCOUNT}:role/{ROLE}"},
        (OTHER_ACCOUNT, ACCOUNT, "assume_role_arn"),
    ),
    "caller in another account": (
        seed,
        {"account_id": OTHER_ACCOUNT},
        (OTHER_ACCOUNT, ACCOUNT, "assume_role_arn"),
    ),
    "service-linked role": (
        lambda sandbox: seed(
            sandbox, role_path="/aws-service-role/batch.amazonaws.com/", profile="missing"
        ),
        {},
        (ROLE, "service-linked"),
    ),
    "profile holds another role": (
        hold_another_role,
        {},
        (ROLE, "ray-team-b", "never replaced", "instance_profile"),
    ),
    "profile must not be made": (
        lambda sandbox: seed(sandbox, profile="missing"),
        {"create_instance_profile": False},
        (ROLE, "does not exist", "create_instance_profile"),
    ),
    "archived and must not be created": (
        archive,
        {"create_compute_config": False},
        (NAME, "archived", "create_compute_config"),
    ),
    "missing and must not be created": (
        lambda sandbox: (seed(sandbox), publish(sandbox, compute(), name=f"{NAME}s")),
        {"create_compute_config": False},
        (NAME, "does not exist yet", f"Did you mean '{NAME}s'?", "create_compute_config"),
    ),
    "cloud is not known by this id": (
        seed,
        {"cloud_id": "cld_000000000000"},
        ("cld_000000000000", "404", "organization"),
    ),
    "cloud is not known by this name": (
        seed,
        {"cloud_id": None, "cloud": "visions"},
        ("visions", "organization"),
    ),
    "cloud's name is a part of another's": (
        seed,
        {"cloud_id": None, "cloud": "visio"},
        ("visio", "no cloud"),
    ),
    "cloud's name is ambiguous": (
        name_twice,
        {"cloud_id": None, "cloud": CLOUD.name},
        (CLOUD.name, CLOUD.cloud_id, "cld_thesecond", "Set cloud_id"),
    ),
    "name with a version": (seed, {"name": f"{NAME}:3"}, ("name", f"{NAME}:3", "Remove colons")),
    "wrong token": (seed, {"anyscale_token": "aph0_wrong"}, ("401", "anyscale_token", "expired")),
    "nothing to publish and absent": (
        seed,
        {"publish": False, "state": "absent"},
        ("publish", "absent"),
    ),
    "no role and no cloud id": (
        seed,
        {"publish": False, "role": None, "cloud_id": None, "cloud": "vision"},
        ("role", "cloud_id"),
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_it_refuses(sandbox: Sandbox, run_module: Run, case: str) -> None:
    arrange, options, phrases = REFUSALS[case]
    arrange(sandbox)
    given = {option: value for option, value in {**GIVEN, **options}.items() if value is not None}
    older = versions(sandbox)
    refused(sandbox, run_module, MODULE, *phrases, **given)
    assert versions(sandbox) == older


def test_it_refuses_without_a_token(
    sandbox: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(sandbox)
    monkeypatch.delenv("ANYSCALE_CLI_TOKEN")
    refused(sandbox, run_module, MODULE, "token", "anyscale_token", "ANYSCALE_CLI_TOKEN", **GIVEN)


def test_the_token_may_be_in_the_credentials_file(
    sandbox: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    seed(sandbox, compute_config="in_sync")
    monkeypatch.delenv("ANYSCALE_CLI_TOKEN")
    (tmp_path / ".anyscale").mkdir()
    (tmp_path / ".anyscale" / "credentials.json").write_text(f'{{"cli_token": "{sandbox.token}"}}')
    settled(sandbox, run_module, MODULE, **GIVEN)


ANSWERS: dict[str, tuple[int, tuple[str, ...]]] = {
    "not allowed": (403, ("collaborator",)),
    "not found": (404, ("organization",)),
    "too many requests": (429, ("forks",)),
    "asleep": (599, ("hibernated", "run again in")),
    "broken": (500, ()),
    "not available": (503, ()),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_refusal_of_a_read_is_explained(
    sandbox: Sandbox, run_module: Run, quick: list[float], answer: str
) -> None:
    seed(sandbox)
    status, phrases = ANSWERS[answer]
    sandbox.fault(SEARCH, status=status, message="Said by the service.", times=100)
    result = refused(
        sandbox, run_module, MODULE, str(status), "Said by the service", *phrases, **GIVEN
    )
    assert len(result["error"].pop("trace_id")) == 32
    assert result["error"] == {
        "method": "POST",
        "path": "/api/v2/compute_templates/search",
        "status": status,
    }


@pytest.mark.parametrize("status", [400, 403, 409, 422, 599])
def test_a_refusal_of_the_publication_is_explained(
    sandbox: Sandbox, run_module: Run, quick: list[float], status: int
) -> None:
    seed(sandbox)
    sandbox.fault(CREATE, status=status, message="Said by the service.", times=100)
    result = failure(run_module(MODULE, **GIVEN))
    assert str(status) in result["msg"]
    assert "Said by the service" in result["msg"]
    assert (result["error"]["status"], result["error"]["method"]) == (status, "POST")
    assert result["error"]["trace_id"]
    assert write_operations(sandbox) == [CREATE]
    assert versions(sandbox) == []


def test_a_refusal_of_iam_is_explained(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox, profile="missing")
    sandbox.fault(
        "CreateInstanceProfile", status=403, code="AccessDenied", message="is not authorized"
    )
    result = failure(run_module(MODULE, **GIVEN))
    assert "iam:CreateInstanceProfile" in result["msg"]
    assert ROLE in result["msg"]
    error = result["error"]
    assert (error["operation"], error["code"], error["status"]) == (
        "CreateInstanceProfile",
        "AccessDenied",
        403,
    )
    assert error["request_id"]
    assert versions(sandbox) == []


# --- lost and late answers ------------------------------------------------------------------------

LOST: dict[str, Json] = {
    "made, and no answer": {"after": True, "drop": True},
    "made, and half an answer": {"cut": True},
    "made, and an error": {"after": True, "status": 500},
    "made, and a gateway's error": {"after": True, "status": 504},
    "too many requests": {"status": 429, "retry_after": 1},
    "too many requests, several times": {"status": 429, "times": 3},
}
NOT_MADE: dict[str, Json] = {
    "no answer": {"drop": True},
    "an error": {"status": 500},
    "a gateway's error": {"status": 502},
}


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("state", ["missing", "role_arn"])
def test_a_lost_answer_makes_no_second_version(
    sandbox: Sandbox, run_module: Run, quick: list[float], fault: str, state: str
) -> None:
    seed(sandbox, compute_config=state)
    count = len(versions(sandbox))
    sandbox.fault(CREATE, **LOST[fault])
    result = run_module(MODULE, **GIVEN)
    assert len(versions(sandbox)) == count + 1
    assert (result["compute_config"], result["compute_config_id"]) == (
        f"{NAME}:{count + 1}",
        versions(sandbox)[-1]["id"],
    )
    settled(sandbox, run_module, MODULE, **GIVEN)


@pytest.mark.parametrize("fault", NOT_MADE)
@pytest.mark.parametrize("state", ["missing", "role_arn"])
def test_what_may_have_been_made_is_not_made_again(
    sandbox: Sandbox, run_module: Run, quick: list[float], fault: str, state: str
) -> None:
    """The module polls for it for about a minute; then the next run finds it, or makes it."""
    seed(sandbox, compute_config=state)
    older = versions(sandbox)
    sandbox.fault(CREATE, **NOT_MADE[fault])
    result = failure(run_module(MODULE, **GIVEN))
    assert "may have been published all the same" in result["msg"]
    assert "run again" in result["msg"]
    assert (versions(sandbox), write_operations(sandbox)) == (older, [CREATE])
    assert 60 <= sum(quick) < 80
    assert run_module(MODULE, **GIVEN)["compute_config"] == f"{NAME}:{len(older) + 1}"
    settled(sandbox, run_module, MODULE, **GIVEN)


def test_a_lost_answer_among_versions_of_other_writers(
    sandbox: Sandbox, run_module: Run, quick: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version of the create is found. Another one has what that of the other writer set."""
    seed(sandbox, compute_config="role_arn")
    send = AnyscaleClient.publish_compute_config

    def send_second(self: AnyscaleClient, *arguments: t.Any, **more: t.Any) -> Json:
        if len(versions(sandbox)) == 1:
            publish(sandbox, compute(advanced=profile(OTHER_PROFILE_ARN)))
        return send(self, *arguments, **more)

    monkeypatch.setattr(AnyscaleClient, "publish_compute_config", send_second)
    sandbox.fault(CREATE, after=True, drop=True)
    result = run_module(MODULE, **GIVEN)
    assert [version["version"] for version in versions(sandbox)] == [1, 2, 3, 4]
    assert (result["compute_config"], result["compute_config_id"]) == (
        f"{NAME}:4",
        versions(sandbox)[-1]["id"],
    )


def test_what_an_overtaken_version_set_is_kept(
    sandbox: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another writer publishes between our read and our write."""
    seed(sandbox, compute_config="other_profile")
    send = AnyscaleClient.publish_compute_config

    def send_second(self: AnyscaleClient, *arguments: t.Any, **more: t.Any) -> Json:
        if len(versions(sandbox)) == 1:
            other = compute(advanced=profile(OTHER_PROFILE_ARN))
            publish(sandbox, other, idle_termination_minutes=15)
        return send(self, *arguments, **more)

    monkeypatch.setattr(AnyscaleClient, "publish_compute_config", send_second)
    result = run_module(MODULE, **GIVEN)
    assert result["compute_config"] == f"{NAME}:4"
    assert versions(sandbox)[-1]["config"]["idle_termination_minutes"] == 15
    assert any("published version 2 at the same time" in warning for warning in result["warnings"])
    assert "concurrent_version_lost" in result["reasons"]
    settled(sandbox, run_module, MODULE, **GIVEN)


def test_a_value_that_the_service_does_not_keep_makes_one_version(
    sandbox: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions stay for ever: the same one is not published over and over."""
    seed(sandbox, compute_config="in_sync")
    monkeypatch.setattr(compute_config_reconciler, "_VISIBLE_SECONDS", 0.2)
    look = AnyscaleClient.newest_compute_config

    def without_flags(self: AnyscaleClient, *arguments: t.Any) -> Json | None:
        found = copy.deepcopy(look(self, *arguments))
        for entry in (
            [found["config"], *(found["config"]["deployment_configs"] or [])] if found else []
        ):
            entry["flags"] = None
        return found

    monkeypatch.setattr(AnyscaleClient, "newest_compute_config", without_flags)
    result = failure(run_module(MODULE, **GIVEN, config={"max_resources": {"CPU": 64}}))
    assert "still differs" in result["msg"]
    assert "config_differs" in result["msg"]
    assert [version["version"] for version in versions(sandbox)] == [1, 2]


def test_a_first_version_that_does_not_show_is_published_once(
    sandbox: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that lags behind is no reason for a second version."""
    seed(sandbox)
    monkeypatch.setattr(compute_config_reconciler, "_VISIBLE_SECONDS", 0.2)
    monkeypatch.setattr(AnyscaleClient, "newest_compute_config", lambda *arguments: None)
    result = failure(run_module(MODULE, **GIVEN))
    assert "Version 1 " in result["msg"]
    assert "was published" in result["msg"]
    assert [version["version"] for version in versions(sandbox)] == [1]


def test_a_control_plane_that_never_answers_is_an_error(
    sandbox: Sandbox, run_module: Run, quick: list[float]
) -> None:
    seed(sandbox)
    sandbox.fault(CREATE, drop=True, times=100)
    result = failure(run_module(MODULE, **GIVEN))
    assert sandbox.anyscale_url in result["msg"]
    assert write_operations(sandbox) == [CREATE]
    assert versions(sandbox) == []


def test_a_version_without_a_number_is_an_error(
    sandbox: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of whatever answers in the control plane's place."""
    seed(sandbox, compute_config="in_sync")
    search = ComputeTemplates.search

    def without_versions(self: ComputeTemplates, *arguments: t.Any, **more: t.Any) -> list[Json]:
        return [
            {key: value for key, value in found.items() if key != "version"}
            for found in search(self, *arguments, **more)
        ]

    monkeypatch.setattr(ComputeTemplates, "search", without_versions)
    refused(sandbox, run_module, MODULE, "without its version", "anyscale_host", **GIVEN)


def test_the_pause_that_the_service_asks_for_is_made(
    sandbox: Sandbox, run_module: Run, quick: list[float]
) -> None:
    seed(sandbox, compute_config="in_sync")
    sandbox.fault(SEARCH, status=429, retry_after=17)
    run_module(MODULE, **GIVEN)
    assert len(quick) == 1
    assert 17 <= quick[0] < 40


def test_the_cloud_by_its_name(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox, compute_config="in_sync")
    settled(sandbox, run_module, MODULE, name=NAME, cloud=CLOUD.name, role=ROLE)


def test_older_versions_stay_as_they_are(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox, compute_config="other_profile")
    older = copy.deepcopy(versions(sandbox))
    for options in (
        {},
        {"config": {"head_node": {"instance_type": "m5.8xlarge"}}},
        {"state": "absent"},
    ):
        run_module(MODULE, **GIVEN, **options)
        assert versions(sandbox)[: len(older)] == older
        older = copy.deepcopy(versions(sandbox))
    assert len(older) == 4


# --- the file -------------------------------------------------------------------------------------


def test_the_file_is_one_that_anyscales_cli_reads(
    sandbox: Sandbox, run_module: Run, tmp_path: pathlib.Path
) -> None:
    seed(sandbox, compute_config="hidden_by_worker")
    dest = tmp_path / "team-a.yaml"
    made = converge(
        sandbox,
        run_module,
        MODULE,
        ["node_group_hides_profile", "dest_differs"],
        NOT_IN_CHECK_MODE,
        dest=str(dest),
        **GIVEN,
    )
    assert made["file"] == str(dest)
    written = ComputeConfig.from_dict(yaml.safe_load(dest.read_text()))
    assert written.cloud == CLOUD.name
    assert written.advanced_instance_config == profile()
    assert [(worker.name, worker.max_nodes) for worker in written.worker_nodes] == [
        ("cpu", 10),
        ("gpu", 4),
    ]
    assert written.worker_nodes[1].advanced_instance_config == {**DISK, **profile()}


def test_the_file_of_several_deployments(
    two_resources: Sandbox, run_module: Run, tmp_path: pathlib.Path
) -> None:
    dest = tmp_path / "team-a.yaml"
    run_module(MODULE, dest=str(dest), **GIVEN)
    written = MultiResourceComputeConfig.from_dict(yaml.safe_load(dest.read_text()))
    assert [config.cloud_resource for config in written.configs] == [PRIMARY, SECOND]
    settled(two_resources, run_module, MODULE, dest=str(dest), **GIVEN)


def test_check_mode_writes_no_file(
    sandbox: Sandbox, run_module: Run, tmp_path: pathlib.Path
) -> None:
    seed(sandbox)
    run_module(MODULE, check=True, dest=str(tmp_path / "team-a.yaml"), **GIVEN)
    assert not (tmp_path / "team-a.yaml").exists()


def test_a_file_that_says_the_same_is_kept(
    sandbox: Sandbox, run_module: Run, tmp_path: pathlib.Path
) -> None:
    seed(sandbox, compute_config="in_sync")
    dest = tmp_path / "team-a.yaml"
    run_module(MODULE, dest=str(dest), **GIVEN)
    dest.write_text("# a comment\n" + dest.read_text())
    found = dest.stat()
    settled(sandbox, run_module, MODULE, dest=str(dest), **GIVEN)
    assert (dest.stat().st_ino, dest.stat().st_mtime_ns) == (found.st_ino, found.st_mtime_ns)


def test_a_file_that_differs_is_replaced_at_once(
    sandbox: Sandbox, run_module: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(sandbox, compute_config="in_sync")
    folder = tmp_path / "files"
    folder.mkdir()
    dest = folder / "team-a.yaml"
    dest.write_text("cloud: other\n")
    dest.chmod(0o600)

    def no_space(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", no_space)
        result = failure(run_module(MODULE, dest=str(dest), **GIVEN))
    assert "dest" in result["msg"]
    assert "No space left" in result["msg"]
    assert dest.read_text() == "cloud: other\n"
    result = run_module(MODULE, dest=str(dest), **GIVEN)
    assert result["reasons"] == ["dest_differs"]
    assert before(result)["file"] == {"cloud": "other"}
    assert dest.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in folder.iterdir()] == ["team-a.yaml"]


GARBAGE: dict[str, bytes] = {
    "another kind of document": b"apiVersion: v1\nkind: Secret\ndata: {}\n",
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_a_file_that_holds_something_else_is_not_touched(
    sandbox: Sandbox, run_module: Run, tmp_path: pathlib.Path, kind: str
) -> None:
    seed(sandbox)
    dest = tmp_path / "precious"
    dest.write_bytes(GARBAGE[kind])
    refused(sandbox, run_module, MODULE, "dest", str(dest), dest=str(dest), **GIVEN)
    assert dest.read_bytes() == GARBAGE[kind]


@pytest.mark.parametrize("place", ["missing/team-a.yaml", ".", "/dev/full/team-a.yaml"])
def test_a_file_that_cannot_be_written_is_refused(
    sandbox: Sandbox, run_module: Run, place: str
) -> None:
    seed(sandbox)
    refused(sandbox, run_module, MODULE, "dest", dest=place, **GIVEN)


def test_a_folder_that_cannot_be_written_to_is_refused(
    sandbox: Sandbox, run_module: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a version is published that the file would have to follow."""
    seed(sandbox)
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(tmp_path))
    refused(
        sandbox,
        run_module,
        MODULE,
        "dest",
        "cannot write to",
        dest=str(tmp_path / "team-a.yaml"),
        **GIVEN,
    )


def test_without_publication_no_token_is_needed(
    sandbox: Sandbox, run_module: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(sandbox, profile="missing")
    monkeypatch.delenv("ANYSCALE_CLI_TOKEN")
    dest = tmp_path / "team-a.yaml"
    options = {
        "name": NAME,
        "cloud": "vision",
        "role": ROLE,
        "publish": False,
        "dest": str(dest),
        "config": {"head_node": HEAD},
    }
    made = converge(
        sandbox, run_module, MODULE, ["instance_profile_missing", "dest_differs"], **options
    )
    assert "compute_config" not in made
    assert all(call["service"] != "anyscale" for call in sandbox.calls())
    written = ComputeConfig.from_dict(yaml.safe_load(dest.read_text()))
    assert (written.cloud, written.advanced_instance_config) == ("vision", profile())
    assert versions(sandbox) == []


# --- each reason that is documented ---------------------------------------------------------------


def with_config(*workers: Json, **more: t.Any) -> Change:
    def arrange(sandbox: Sandbox) -> None:
        seed(sandbox)
        publish(sandbox, compute(*workers, **more))

    return arrange


REASONS: dict[str, tuple[Change, Json]] = {
    "instance_profile_missing": (lambda sandbox: seed(sandbox, profile="missing"), {}),
    "instance_profile_without_role": (lambda sandbox: seed(sandbox, profile="empty"), {}),
    "compute_config_missing": (seed, {}),
    "compute_config_archived": (archive, {}),
    "profile_missing": (with_config(), {}),
    "profile_differs": (with_config(advanced=profile(OTHER_PROFILE_ARN)), {}),
    "profile_by_name": (with_config(advanced={"IamInstanceProfile": {"Name": ROLE}}), {}),
    "wrong_arn_kind": (with_config(advanced=profile(ROLE_ARN)), {}),
    "node_group_hides_profile": (with_config(group("gpu", advanced_configurations_json=DISK)), {}),
    "node_group_profile_differs": (
        with_config(group("gpu", advanced_configurations_json=profile(OTHER_PROFILE_ARN))),
        {},
    ),
    "config_differs": (
        with_config(advanced=profile()),
        {"config": {"head_node": {"instance_type": "m5.8xlarge"}}},
    ),
    "dest_differs": (with_config(advanced=profile()), {"dest": "team-a.yaml"}),
    "profile_present": (with_config(advanced=profile()), {"state": "absent"}),
    "not_archived": (with_config(), {"state": "archived"}),
}


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_occurs(sandbox: Sandbox, run_module: Run, reason: str) -> None:
    arrange, options = REASONS[reason]
    arrange(sandbox)
    assert reason in run_module(MODULE, check=True, **GIVEN, **options)["reasons"]


def test_each_documented_reason_has_a_case() -> None:
    """The other one needs another writer: ``test_what_an_overtaken_version_set_is_kept``."""
    assert documented_reasons(MODULE) == {*REASONS, "concurrent_version_lost"}


# --- node groups with a role of their own -----------------------------------------------------------

GPU_ROLE = f"{ROLE}-gpu"
GPU_PROFILE_ARN = f"arn:aws:iam::{ACCOUNT}:instance-profile/{GPU_ROLE}"
OF_GPU: Json = {**GIVEN, "account_id": ACCOUNT, "node_group_roles": {"gpu": GPU_ROLE}}


def test_the_cycle_of_a_node_group_with_its_own_role(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox)
    make_role(sandbox, GPU_ROLE)
    publish(
        sandbox,
        compute(
            group("cpu", advanced_configurations_json=profile(OTHER_PROFILE_ARN)),
            group("gpu"),
            advanced={**DISK, **profile()},
        ),
    )
    made = converge(
        sandbox,
        run_module,
        MODULE,
        ["instance_profile_missing", "node_group_profile_differs"],
        NOT_IN_CHECK_MODE,
        **OF_GPU,
        node_groups="keep",
    )
    assert made["instance_profile_arn"] == PROFILE_ARN
    assert made["node_group_instance_profiles"] == {"gpu": GPU_PROFILE_ARN}
    assert made["previous"]["node_group_instance_profiles"] == {GPU_ROLE: None}
    assert instance_configs(newest(sandbox)) == {
        "cluster": {**DISK, **profile()},
        "cpu": profile(OTHER_PROFILE_ARN),
        "gpu": {**DISK, **profile(GPU_PROFILE_ARN)},
    }
    converge(
        sandbox,
        run_module,
        MODULE,
        ["profile_present"],
        NOT_IN_CHECK_MODE,
        **OF_GPU,
        node_groups="keep",
        state="absent",
    )
    assert instance_configs(newest(sandbox)) == {
        "cluster": DISK,
        "cpu": profile(OTHER_PROFILE_ARN),
        "gpu": DISK,
    }


def test_the_file_of_a_node_group_with_its_own_role(
    sandbox: Sandbox, run_module: Run, tmp_path: pathlib.Path
) -> None:
    """Anyscale's own CLI reads it."""
    seed(sandbox)
    make_role(sandbox, GPU_ROLE)
    publish(sandbox, compute(group("gpu"), advanced={**DISK, **profile()}))
    dest = tmp_path / "team-a.yaml"
    run_module(MODULE, **OF_GPU, dest=str(dest))
    written = ComputeConfig.from_dict(yaml.safe_load(dest.read_text()))
    assert written.advanced_instance_config == {**DISK, **profile()}
    (worker,) = t.cast("list[t.Any]", written.worker_nodes)
    assert worker.advanced_instance_config == {**DISK, **profile(GPU_PROFILE_ARN)}


REFUSED_GROUPS: dict[str, tuple[Json, str]] = {
    "no such node group": ({"gpu-2": GPU_ROLE}, "'gpu-2', which the compute config"),
    "no such role": ({"gpu": "ray-gone"}, "Role ray-gone does not exist"),
    "a role of another account": (
        {"gpu": f"arn:aws:iam::{OTHER_ACCOUNT}:role/ray-gpu"},
        f"is in account {OTHER_ACCOUNT}",
    ),
    "no text": ({"gpu": ["ray-gpu"]}, "node_group_roles"),
}


@pytest.mark.parametrize(("roles", "words"), REFUSED_GROUPS.values(), ids=REFUSED_GROUPS.keys())
def test_what_node_groups_are_refused(
    sandbox: Sandbox, run_module: Run, roles: Json, words: str
) -> None:
    seed(sandbox)
    make_role(sandbox, GPU_ROLE)
    publish(sandbox, compute(group("gpu"), advanced=profile()))
    refused(sandbox, run_module, MODULE, words, **{**OF_GPU, "node_group_roles": roles})


@pytest.mark.parametrize("has_profile", [False, True], ids=["no profile yet", "a profile"])
def test_a_node_group_gets_no_administrator(
    sandbox: Sandbox, run_module: Run, has_profile: bool
) -> None:
    """Unless the operator permits that: each user of a cluster would be one."""
    seed(sandbox)
    make_role(sandbox, GPU_ROLE)
    iam = sandbox.client("iam", ACCOUNT)
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    iam.put_role_policy(RoleName=GPU_ROLE, PolicyName="all", PolicyDocument=document)
    if has_profile:
        iam.create_instance_profile(InstanceProfileName=GPU_ROLE)
        iam.add_role_to_instance_profile(InstanceProfileName=GPU_ROLE, RoleName=GPU_ROLE)
    publish(sandbox, compute(group("gpu"), advanced=profile()))
    refused(sandbox, run_module, MODULE, GPU_ROLE, "allow_privileged", **OF_GPU)
    made = run_module(MODULE, **OF_GPU, allow_privileged=True)
    assert made["node_group_instance_profiles"] == {"gpu": GPU_PROFILE_ARN}
