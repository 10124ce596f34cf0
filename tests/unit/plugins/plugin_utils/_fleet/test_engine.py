# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet engine plans everything before the first write, writes each resource once for all clouds
that want it, and fails the clouds of what failed, and no others.
"""

from __future__ import annotations

import dataclasses
import json
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.registration import (
    registration_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AwsError,
    InputError,
    RefusedError,
    TaskError,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet import engine as subject
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.engine import Engine
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.done import Done
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.shared_roles import (
    refuse_with_others_of_role,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import (
    BUCKET,
    OF_BUCKET,
    PASS_ROLE,
    PROFILE,
    TRUST,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._fleet.fleet_in_memory import (
    ACCOUNT,
    CALLER,
    KINDS,
    STAGES,
    InMemory,
    World,
    arn_of,
    cloud_of,
    document,
    in_sync_world,
    stages_of,
)

pytestmark = pytest.mark.core

SETTLED_SECONDS = 3.0
RESTORATIONS = 3


@pytest.fixture(autouse=True)
def _in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "KINDS", KINDS)


def engine_of(world: World, **options: t.Any) -> Engine:
    """An engine for a world, in one thread unless a test is about threads."""
    options = {"state": "present", "stages": STAGES, "threads": 1, **options}
    return Engine(InMemory(world), clock=world.clock, **options)


def converged(world: World, clouds: list[Cloud], **options: t.Any) -> list[Done]:
    """Plan and converge these clouds."""
    engine = engine_of(world, **options)
    engine.plan(clouds)
    return engine.converge(dict.fromkeys(cloud for cloud in clouds if cloud.is_pending))


def failures(clouds: list[Cloud]) -> dict[str, str]:
    """What happened to the clouds that failed."""
    return {cloud.name: cloud.error.message for cloud in clouds if cloud.error}


# --- plan -----------------------------------------------------------------------------------------


def test_everything_is_planned_and_nothing_written(tmp_path: Path) -> None:
    """Each resource is read once."""
    world, clouds = World(), [cloud_of(name, tmp_path) for name in ("a", "b")]
    engine_of(world).plan(clouds)
    assert all(cloud.is_pending and set(stages_of(cloud)) == set(STAGES) for cloud in clouds)
    assert sorted(world.names("load")) == sorted(
        f"{stage} {name}" for stage in STAGES for name in ("a", "b")
    )
    assert world.names("write") == []


def test_clouds_in_sync_are_not_pending(tmp_path: Path) -> None:
    """What only a change needs is not read for them."""
    world, cloud = in_sync_world("a"), cloud_of("a", tmp_path)
    engine_of(world).plan([cloud])
    assert not cloud.is_pending
    assert world.names("guard") == []


def test_a_shared_resource_is_read_once(tmp_path: Path) -> None:
    world = World()
    clouds = [cloud_of(name, tmp_path, bucket="data") for name in ("a", "b", "c")]
    engine_of(world).plan(clouds)
    assert world.names("load").count("bucket data") == 1
    assert (
        len(
            {resource for cloud in clouds for resource in cloud.plans if resource.stage == "bucket"}
        )
        == 1
    )


FURTHER: dict[str, dict[str, t.Any]] = {
    "of node groups": {"node_group_roles": {"gpu": "ml", "cpu": "etl"}},
    "of the rules of a mapping": {
        "assign": "iam_mapping",
        "mapping_rules": [{"selector": "project=x", "role": role} for role in ("ml", "etl", "ml")],
    },
}


@pytest.mark.parametrize("case", FURTHER)
def test_each_role_of_a_cloud_gets_what_the_own_role_gets(tmp_path: Path, case: str) -> None:
    """Trust, access and an instance profile; the bucket's policy is still written once."""
    world = World()
    cloud = cloud_of("a", tmp_path, **FURTHER[case])
    converged(world, [cloud], stages=[TRUST, BUCKET, PROFILE])
    assert failures([cloud]) == {}
    of_each = [f"{stage} {role}" for stage in (TRUST, PROFILE) for role in ("a", "ml", "etl")]
    assert sorted(world.names("write")) == sorted([*of_each, "bucket a"])
    assert sorted(world.documents["bucket a"]) == ["a", "etl", "ml"]


MOVES: dict[str, tuple[str, dict[str, list[str]], list[str]]] = {
    "to the role's own policy": (
        "role_policy",
        {"bucket__a": ["a", "x"]},
        ["role_policy a", "bucket a"],
    ),
    "to the bucket's policy": (
        "bucket_policy",
        {"former_role_policy__a": ["a", "x"]},
        ["bucket a", "former_role_policy a"],
    ),
    "none, with access by the role's own policy": (
        "role_policy",
        {"role_policy__a": ["a"], "bucket__a": ["x"]},
        [],
    ),
    "none, with access by the bucket's policy": (
        "bucket_policy",
        {"bucket__a": ["a"]},
        [],
    ),
    "none, with access to take away": (
        "role_policy",
        {"role_policy__a": ["a"], "bucket__a": ["a", "x"]},
        ["bucket a"],
    ),
}


@pytest.mark.parametrize("case", MOVES)
def test_a_role_moves_from_one_way_to_its_bucket_to_the_other(tmp_path: Path, case: str) -> None:
    """What grants access is written first, and counts before what granted it goes."""
    grant, documents, writes = MOVES[case]
    world = World(**documents)
    cloud = cloud_of("a", tmp_path, bucket_grant=grant)
    converged(world, [cloud], stages=OF_BUCKET)
    assert failures([cloud]) == {}
    assert world.names("write") == writes
    assert world.clock.slept >= 10 * (len(writes) == 2)


def test_a_role_that_could_not_get_its_own_policy_keeps_the_bucket_s(tmp_path: Path) -> None:
    world = World(bucket__a=["a", "x"])
    world.errors["write", "role_policy a"] = AwsError("Denied.", code="AccessDenied", status=403)
    cloud = cloud_of("a", tmp_path, bucket_grant="role_policy")
    converged(world, [cloud], stages=OF_BUCKET)
    assert failures([cloud]) == {"a": "Denied."}
    assert world.documents == {"bucket a": ["a", "x"]}


def test_with_the_roles_of_rules_the_default_role_is_not_revoked(tmp_path: Path) -> None:
    """It is the role of all clusters that no rule is for."""
    mapping: dict[str, t.Any] = FURTHER["of the rules of a mapping"]
    cloud = cloud_of("a", tmp_path, role=None, **mapping)
    cloud.registered_role = arn_of("default")
    world = World(
        bucket__a=["default", "ml", "etl"], trust__ml=["ml", "x"], trust__default=["default"]
    )
    converged(world, [cloud], stages=[TRUST, BUCKET], state="absent")
    assert failures([cloud]) == {}
    assert world.documents == {
        "bucket a": ["default"],
        "trust ml": ["x"],
        "trust default": ["default"],
    }


def test_the_own_role_comes_first_whatever_is_read_first(tmp_path: Path) -> None:
    """Threads read the roles of a cloud, and the own one may be the slowest."""
    world, is_read = World(), threading.Event()

    def hold_up(step: str, name: str) -> None:
        if (step, name) == ("guard", "instance_profile ml"):
            is_read.set()

    world.meanwhile = hold_up
    world.before_load["instance_profile a"] = lambda: (is_read.wait(5), time.sleep(0.05))
    cloud = cloud_of("a", tmp_path, node_group_roles={"gpu": "ml"})
    engine_of(world, stages=[PROFILE], threads=2).plan([cloud])
    assert is_read.is_set()
    plans = [plan.result["role_arn"] for _resource, plan in cloud.planned(PROFILE)]
    assert plans == [arn_of("a"), arn_of("ml")]


def test_a_cloud_of_which_one_role_is_refused_is_not_written_at_all(tmp_path: Path) -> None:
    """Half of its roles would be worth nothing."""
    world = World()
    world.errors["plan", "ml"] = RefusedError("No.")
    cloud = cloud_of("a", tmp_path, node_group_roles={"gpu": "ml"})
    converged(world, [cloud], stages=[TRUST, BUCKET, PROFILE])
    assert failures([cloud]) == {"a": "No."}
    assert world.names("write") == []


@pytest.mark.parametrize("stages", [["trust"], ["bucket"], ["instance_profile", "compute_config"]])
def test_only_the_chosen_parts_are_planned(tmp_path: Path, stages: list[str]) -> None:
    """By the tags of the run."""
    world, cloud = World(), cloud_of("a", tmp_path)
    engine_of(world, stages=stages).plan([cloud])
    assert stages_of(cloud) == stages
    assert {name.partition(" ")[0] for name in world.names("load")} == set(stages)


@pytest.mark.parametrize(
    ("switch", "stages"),
    [
        ("manage_trust", {"trust"}),
        ("manage_bucket_access", {"bucket"}),
        ("manage_compute_config", {"instance_profile", "compute_config"}),
    ],
)
def test_a_cloud_has_only_the_parts_that_it_wants(
    tmp_path: Path, switch: str, stages: set[str]
) -> None:
    """By its variables; another one has all."""
    world, clouds = World(), [cloud_of("a", tmp_path, **{switch: False}), cloud_of("b", tmp_path)]
    engine_of(world).plan(clouds)
    assert set(stages_of(clouds[0])) == set(STAGES) - stages
    assert set(stages_of(clouds[1])) == set(STAGES)


@pytest.mark.parametrize(
    ("switches", "stages"),
    [
        ({}, {"instance_profile", "iam_mapping"}),
        ({"manage_compute_config": False}, {"instance_profile", "iam_mapping"}),
        ({"manage_iam_mapping": False}, set()),
    ],
    ids=["by default", "of a resource that is not primary", "switched off"],
)
def test_a_mapping_is_of_the_resource_and_a_compute_config_of_the_cloud(
    tmp_path: Path, switches: dict[str, bool], stages: set[str]
) -> None:
    """So each has a switch of its own."""
    cloud = cloud_of("a", tmp_path, **switches, **FURTHER["of the rules of a mapping"])
    engine_of(World(), stages=["instance_profile", "compute_config", "iam_mapping"]).plan([cloud])
    assert failures([cloud]) == {}
    assert set(stages_of(cloud)) == stages


@pytest.mark.parametrize("stages", [["trust"], ["iam_mapping"]], ids=["trust", "the mapping"])
def test_a_rule_for_all_clusters_needs_a_role(tmp_path: Path, stages: list[str]) -> None:
    """Which the operator names. What is not converged needs none."""
    cloud = cloud_of("a", tmp_path, role=None, assign="iam_mapping")
    cloud.registered_role = arn_of("default")
    engine_of(World(), stages=stages).plan([cloud])
    refused = failures([cloud]).get("a", "")
    needs_one = stages == ["iam_mapping"]
    assert refused.startswith("Neither cloud_iam_mapping_rules nor") is needs_one


def test_a_cloud_without_a_role_has_the_registered_one(tmp_path: Path) -> None:
    """Which a cloud without a registered one has not, and fails alone."""
    world, clouds = World(), [cloud_of(name, tmp_path, role=None) for name in ("a", "b")]
    clouds[0].registered_role = arn_of("of-a")
    engine_of(world).plan(clouds)
    assert "trust of-a" in world.names("load")
    assert failures(clouds) == {
        "b": "Neither cloud_iam_role nor cloud_iam_cloud_id is set.",
    }
    assert clouds[1].plans == {}


def test_the_role_that_was_read_is_not_read_again(tmp_path: Path) -> None:
    """The steps after the trust policy get its ARN."""
    cloud = cloud_of("a", tmp_path)
    engine_of(World()).plan([cloud])
    assert cloud.settings.role == arn_of("a")


def test_a_cloud_is_planned_anew(tmp_path: Path) -> None:
    """From what is there then, without what was planned before."""
    world, cloud = World(), cloud_of("a", tmp_path)
    engine = engine_of(world)
    engine.plan([cloud])
    world.documents |= in_sync_world("a").documents
    engine.plan([cloud])
    assert not cloud.is_pending
    engine_of(world, stages=["trust"]).plan([cloud])
    assert stages_of(cloud) == ["trust"]


def test_invalid_variables_fail_their_cloud_alone(tmp_path: Path) -> None:
    world = World()
    clouds = [cloud_of("a", tmp_path, bucket=None), cloud_of("b", tmp_path)]
    converged(world, clouds)
    assert failures(clouds) == {"a": "cloud_iam_bucket is not set."}
    assert all(" a" not in name for name in world.names("write"))
    assert len(world.names("write")) == len(STAGES)


def test_invalid_options_of_a_connection_fail_their_cloud_alone(tmp_path: Path) -> None:
    """And nothing is read of it."""
    world, clouds = World(), [cloud_of("a", tmp_path), cloud_of("b", tmp_path)]
    world.errors["connect", "cld_a"] = InputError("account_id is '12'.")
    converged(world, clouds)
    assert failures(clouds) == {"a": "account_id is '12'."}
    assert {name[-2:] for name in world.names("load")} == {" b"}
    assert len(world.names("write")) == len(STAGES)


# --- errors ---------------------------------------------------------------------------------------

DENIED = AwsError("Denied.", code="AccessDenied", status=403)
BUG = KeyError("no such key")
ERRORS: dict[str, tuple[str, Exception, str]] = {
    "a read that is denied": ("load", DENIED, "Denied."),
    "a change that is refused": ("guard", RefusedError("No."), "No."),
    "a bug": ("load", BUG, "KeyError: 'no such key'"),
    "a bug in the check of a change": ("guard", BUG, "KeyError: 'no such key'"),
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("case", ERRORS)
def test_a_refused_cloud_is_not_written_at_all(tmp_path: Path, case: str, stage: str) -> None:
    """Also the resources of it that could be written. Another cloud is."""
    step, error, message = ERRORS[case]
    world, clouds = World(), [cloud_of("a", tmp_path), cloud_of("b", tmp_path)]
    world.errors[step, f"{stage} a"] = error
    done = converged(world, clouds)
    assert failures(clouds) == {"a": message}
    assert sorted(world.names("write")) == sorted(f"{stage} b" for stage in STAGES)
    assert len(done) == len(STAGES)


def test_a_bug_asks_to_be_reported(tmp_path: Path) -> None:
    """As an error of its cloud."""
    world, cloud = World(), cloud_of("a", tmp_path)
    world.errors["load", "trust a"] = BUG
    engine_of(world).plan([cloud])
    assert t.cast(TaskError, cloud.error).remedy == "Report this as a bug."


def test_a_shared_resource_that_fails_fails_all_that_want_it(tmp_path: Path) -> None:
    """And no other cloud."""
    world = World()
    clouds = [cloud_of(name, tmp_path, bucket="data") for name in ("a", "b")]
    clouds.append(cloud_of("c", tmp_path))
    world.errors["load", "bucket data"] = DENIED
    converged(world, clouds)
    assert failures(clouds) == {"a": "Denied.", "b": "Denied."}
    assert sorted(world.names("write")) == sorted(f"{stage} c" for stage in STAGES)


OF_THE_BUCKET = (["bucket"], ("plan", "a"))
OF_ANOTHER_RESOURCE = (STAGES, ("load", "compute_config a"))
WHY = pytest.mark.parametrize(
    ("stages", "where"),
    [OF_THE_BUCKET, OF_ANOTHER_RESOURCE],
    ids=["for what it wants of it", "for anything else"],
)


@WHY
def test_a_refused_cloud_wants_nothing_of_a_shared_resource(
    tmp_path: Path, stages: list[str], where: tuple[str, str]
) -> None:
    """The others do."""
    world = World(bucket__data=["other"])
    clouds = [cloud_of(name, tmp_path, bucket="data") for name in ("a", "b")]
    world.errors[where] = RefusedError("No.")
    converged(world, clouds, stages=stages)
    assert failures(clouds) == {"a": "No."}
    assert world.documents["bucket data"] == ["other", "b"]


@WHY
def test_a_refused_cloud_leaves_its_room_to_others(
    tmp_path: Path, stages: list[str], where: tuple[str, str]
) -> None:
    """What it wants is not counted."""
    world = World()
    world.limit = 1
    clouds = [cloud_of(name, tmp_path, bucket="data") for name in ("a", "b")]
    world.errors[where] = RefusedError("No.")
    converged(world, clouds, stages=stages)
    assert failures(clouds) == {"a": "No."}
    assert world.documents["bucket data"] == ["b"]


def test_what_is_too_much_together_is_refused_before_any_write(tmp_path: Path) -> None:
    """Each of two clouds would fit alone. One in sync is not refused, nor is one elsewhere."""
    world = in_sync_world("c")
    world.documents["bucket data"], world.limit = ["c"], 2
    clouds = [cloud_of(name, tmp_path, bucket="data") for name in ("a", "b", "c")]
    clouds.append(cloud_of("d", tmp_path))
    converged(world, clouds)
    assert failures(clouds) == dict.fromkeys("ab", "bucket data has room for 2 roles.")
    assert sorted(world.names("write")) == sorted(f"{stage} d" for stage in STAGES)


def test_what_is_too_much_by_several_connections_is_refused_too(tmp_path: Path) -> None:
    """They lead to one document."""
    world = World()
    world.limit = 1
    clouds = [
        cloud_of(name, tmp_path, bucket="data", connection={"profile": name}) for name in ("a", "b")
    ]
    converged(world, clouds, stages=["bucket"])
    assert failures(clouds) == dict.fromkeys("ab", "bucket data has room for 1 roles.")
    assert world.names("write") == []


@pytest.mark.parametrize(
    ("state", "refused"), [("present", ["b"]), ("absent", ["a", "b"])], ids=["present", "absent"]
)
def test_a_role_of_a_refused_cloud_keeps_what_it_has(
    tmp_path: Path, state: str, refused: list[str]
) -> None:
    """With state absent: the clusters of that cloud would lose it. With present, both get it."""
    world = World() if state == "present" else in_sync_world("a", "b", "c")
    clouds = [cloud_of(name, tmp_path, role="ray") for name in ("a", "b")]
    clouds.append(cloud_of("c", tmp_path))
    world.errors["load", "compute_config b"] = DENIED
    converged(world, clouds, state=state)
    assert list(failures(clouds)) == refused
    if state == "absent":
        assert failures(clouds)["a"].startswith("Role ray is also that of b, which cannot be")
    assert any(name.endswith(" c") for name in world.names("write"))


def test_a_role_keeps_what_a_cloud_needs_that_fails_meanwhile(tmp_path: Path) -> None:
    """Its compute config still names the instance profile of the role."""
    world = in_sync_world("a", "b", "shared")
    world.documents = {name: ["shared"] for name in world.documents}
    clouds = [cloud_of(name, tmp_path, role="shared") for name in ("a", "b")]
    world.errors["write", "compute_config a"] = DENIED
    converged(world, clouds, state="absent")
    assert failures(clouds).keys() == {"a", "b"}
    assert failures(clouds)["b"] == "Role shared is also that of a, which cannot be offboarded."
    assert "trust shared" not in world.names("write")


REFUSED_WITH: dict[str, tuple[dict[str, t.Any], dict[str, t.Any]]] = {
    "the role in other letters and by its ARN": (
        {"role": "ray"},
        {"role": f"arn:aws:iam::{ACCOUNT}:role/team/Ray"},
    ),
    "by way of a third cloud": (
        {"role": "first"},
        {"role": "last", "node_group_roles": {"cpu": "mid-z"}},
    ),
    "in an account that is not known": ({"role": "ray", "account_id": ""}, {"role": "ray"}),
    "in what is no account": ({"role": "ray", "account_id": "12345"}, {"role": "ray"}),
    "the role of that name of the cloud": (
        {"role": None},
        {"role": "cld_a234567890-cluster_node_role"},
    ),
}


@pytest.mark.parametrize("case", REFUSED_WITH)
def test_which_cloud_has_the_role_of_a_refused_one(case: str, tmp_path: Path) -> None:
    """It is refused as well. One with another role is not."""
    refused, sharing = REFUSED_WITH[case]
    clouds = [
        cloud_of("b", tmp_path, **sharing),
        cloud_of("m", tmp_path, role="mid-z", node_group_roles={"cpu": "mid-a"}),
        cloud_of("n", tmp_path, role="first", node_group_roles={"cpu": "mid-a"}),
        cloud_of("a", tmp_path, cloud_id="cld_a234567890", **refused),
        cloud_of("o", tmp_path, role="ray-c"),
        cloud_of("p", tmp_path, role="ray", account_id="210987654321"),
    ]
    clouds[3].error = RefusedError("No.")
    refuse_with_others_of_role(clouds)
    found = failures(clouds)
    assert "which cannot be offboarded" in found["b"]
    assert "o" not in found
    assert ("p" in found) == ("account" in case)


TOLD: dict[str, tuple[dict[str, t.Any], bool]] = {
    "read with the inventory": ({"registered": "other"}, True),
    "read for its plan": ({"asked": "other"}, True),
    "the role of its variables": ({"registered": "a"}, False),
    "not known": ({}, False),
    "of a cloud that is refused": ({"registered": "other", "refused": True}, False),
    "to offboard": ({"registered": "other", "state": "absent"}, False),
    "of other parts": ({"registered": "other", "stages": [TRUST]}, False),
}


@pytest.mark.parametrize("case", TOLD)
def test_that_a_role_may_not_be_passed_is_told_of_a_planned_cloud(
    case: str, tmp_path: Path
) -> None:
    """With what is known of the registered role, and no further read."""
    given, is_told = TOLD[case]
    world, cloud = World(), cloud_of("a", tmp_path)
    if "registered" in given:
        cloud.registered_role = arn_of(given["registered"])
    if "asked" in given:
        world.asked["cld_a"] = arn_of(given["asked"])
    cloud.error = RefusedError("No.") if given.get("refused") else None
    cloud.notices = ("cloud_iam_region is another one.",)
    options = {"stages": [TRUST, PASS_ROLE]}
    options |= {name: given[name] for name in ("state", "stages") if name in given}
    first, *notices = engine_of(world, **options).notices(cloud)
    assert first == "cloud_iam_region is another one."
    assert [one.split()[0] for one in notices] == (["cloud_iam_role"] if is_told else [])


FOUND: dict[str, tuple[dict[str, t.Any], bool]] = {
    "another one": ({}, True),
    "the registered one": ({"connection": {"region": "eu-west-1"}}, False),
    "of another bucket": ({"bucket": "data-sets"}, False),
    "of a resource that is not the primary one": ({"mapping_resource": "east"}, False),
}


@pytest.mark.parametrize("case", FOUND)
def test_a_region_is_compared_with_what_was_read_for_the_plan(case: str, tmp_path: Path) -> None:
    """Where the inventory does not say what is registered."""
    settings, is_told = FOUND[case]
    given = {"connection": {"region": "us-east-1"}, **settings}
    world, cloud = World(), cloud_of("a-data", tmp_path, **given)
    storage = {"bucket_name": "s3://a-data", "region": "eu-west-1"}
    row = {"region": "us-west-2", "object_storage": storage}
    world.registrations["cld_a-data"] = registration_of([row])
    notices = engine_of(world, stages=[TRUST]).notices(cloud)
    assert [one.split(".")[0] for one in notices] == (
        [
            "cloud_iam_region, or else AWS_REGION, is us-east-1; the region registered for this "
            "cloud's bucket at Anyscale is eu-west-1"
        ]
        if is_told
        else []
    )


def test_no_secret_is_told(tmp_path: Path) -> None:
    cloud = cloud_of("a", tmp_path, connection={"secret_key": "s3cr3t-key"})
    cloud.notices = ("cloud_iam_region is s3cr3t-key.",)
    assert engine_of(World()).notices(cloud) == ["cloud_iam_region is ********."]


# --- predict --------------------------------------------------------------------------------------


def test_a_prediction_is_what_would_be_done(tmp_path: Path) -> None:
    """Resource by resource, each once, and nothing is written."""
    world = in_sync_world("a")
    world.documents["bucket data"] = ["other"]
    clouds = [cloud_of(name, tmp_path, bucket="data") for name in ("a", "b")]
    engine = engine_of(world)
    engine.plan(clouds)
    predicted = engine.predict(dict.fromkeys(clouds))
    assert (world.names("write"), list(tmp_path.iterdir())) == ([], [])
    done = converged(world, clouds)
    assert [one.resource.stage for one in predicted] == [*STAGES]
    for one, other in zip(predicted, done, strict=True):
        assert (one.plan.before, one.plan.after, one.plan.reasons) == (
            other.plan.before,
            other.plan.after,
            other.plan.reasons,
        )
        assert [cloud.name for cloud in one.clouds] == [cloud.name for cloud in other.clouds]


def test_a_prediction_includes_the_errors_of_backups(tmp_path: Path) -> None:
    """Of the cloud with the directory that cannot be used."""
    (tmp_path / "file").write_text("")
    clouds = [cloud_of("a", tmp_path, backup_dir=f"{tmp_path}/file"), cloud_of("b", tmp_path)]
    engine = engine_of(World())
    engine.plan(clouds)
    engine.predict(dict.fromkeys(clouds))
    assert list(failures(clouds)) == ["a"]
    assert "backup cannot be written" in failures(clouds)["a"]


def test_a_prediction_goes_on_from_the_batch_before(tmp_path: Path) -> None:
    """Of a shared bucket. What all want alike is only changed once."""
    world = World(bucket__data=["other"])
    clouds = [cloud_of(name, tmp_path, bucket="data") for name in ("a", "b")]
    clouds[1].settings = dataclasses.replace(clouds[1].settings, compute_config="a")
    engine = engine_of(world, stages=["bucket", "compute_config"])
    engine.plan(clouds)
    first, second = (
        {one.resource.stage: one.plan for one in engine.predict([cloud])} for cloud in clouds
    )
    assert set(first) == {"bucket", "compute_config"}
    assert set(second) == {"bucket"}
    assert second["bucket"].before == first["bucket"].after == document("other", "a")
    assert second["bucket"].after == document("other", "a", "b")


@pytest.mark.parametrize("step", ["plan", "judge"])
def test_what_a_prediction_leads_to_may_be_refused(tmp_path: Path, step: str) -> None:
    """For a cloud of a later batch, which was in sync before, and for no other."""
    world = World(bucket__data=["b"])
    clouds = [cloud_of(name, tmp_path, bucket="data") for name in ("a", "b")]
    engine = engine_of(world, stages=["bucket"])
    engine.plan(clouds)
    (resource,) = clouds[0].resources
    resource.live = dataclasses.replace(t.cast(t.Any, resource.live), document=document("other"))
    world.errors[step, "b"] = RefusedError("No.")
    assert [one.clouds for one in engine.predict([clouds[0]])] == [[clouds[0]]]
    assert failures(clouds) == {"b": "No."}


# --- converge -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "stages"),
    [("present", list(STAGES)), ("absent", list(reversed(STAGES)))],
)
def test_the_order_of_the_writes(tmp_path: Path, state: str, stages: list[str]) -> None:
    """Kind by kind: with absent, first no new cluster starts with the role."""
    world = World() if state == "present" else in_sync_world("a", "b")
    clouds = [cloud_of("a", tmp_path), cloud_of("b", tmp_path)]
    done = converged(world, clouds, state=state)
    assert [name.partition(" ")[0] for name in world.names("write")] == [
        stage for stage in stages for _cloud in clouds
    ]
    assert [one.resource.stage for one in done] == [stage for stage in stages for _cloud in clouds]
    wanted = {"a": ["a"], "b": ["b"]} if state == "present" else {"a": [], "b": []}
    assert all(
        world.documents[f"{stage} {name}"] == wanted[name] for stage in STAGES for name in "ab"
    )


def test_a_shared_resource_is_written_once_for_all(tmp_path: Path) -> None:
    """With one backup, of what was there before, which names the clouds."""
    world = World(bucket__data=["other"])
    clouds = [cloud_of(name, tmp_path, bucket="data") for name in ("a", "b", "c")]
    done = converged(world, clouds, stages=["bucket"], threads=8)
    assert world.names("write") == ["bucket data"]
    assert world.documents["bucket data"] == ["other", "a", "b", "c"]
    [one] = done
    assert (one.clouds, len(one.journal.backups)) == (clouds, 1)
    assert one.writes == [{"operation": "fake:Put", "request_id": "request bucket data"}]
    recorded = (tmp_path / "backups/aws_writes.jsonl").read_text(encoding="utf-8")
    assert '"request_id": "request bucket data"' in recorded
    assert f'"principal": "{one.principal}"' in recorded
    backup = Path(one.journal.last_backup["backup_file"]).read_text(encoding="utf-8")
    assert '"other"' in backup
    assert all(f'"cld_{name}"' in backup for name in "abc")


def test_a_cloud_in_sync_keeps_what_it_wants_of_a_shared_resource(tmp_path: Path) -> None:
    """If it is in the batch. What is done is done for the others."""
    world = in_sync_world("a")
    world.documents["bucket data"] = ["a"]
    clouds = [cloud_of(name, tmp_path, bucket="data") for name in ("a", "b")]
    engine = engine_of(world, stages=["bucket"])
    engine.plan(clouds)
    world.documents["bucket data"] = []
    [one] = engine.converge(dict.fromkeys(clouds))
    assert one.clouds == [clouds[1]]
    assert world.documents["bucket data"] == ["a", "b"]


def test_a_batch_writes_nothing_for_clouds_of_later_batches(tmp_path: Path) -> None:
    """Also of a resource that they share: a canary must not change what is not one."""
    world = World()
    clouds = [cloud_of(name, tmp_path, bucket="data") for name in ("a", "b")]
    engine = engine_of(world)
    engine.plan(clouds)
    [one] = [one for one in engine.predict([clouds[0]]) if one.resource.stage == "bucket"]
    assert (one.clouds, one.plan.reasons) == ([clouds[0]], ("bucket_without_a",))
    done = engine.converge([clouds[0]])
    assert world.documents["bucket data"] == ["a"]
    assert all(one.clouds == [clouds[0]] for one in done)


REFUSED = RefusedError("No.")
ROLE_OF_A = "Role ray is also that of a, which cannot be offboarded."
ORDERS = pytest.mark.parametrize("names", ["abc", "cba"])


@ORDERS
@pytest.mark.parametrize("read_back", [False, True], ids=["confirmed later", "read back"])
def test_a_cloud_that_is_refused_at_the_write_fails_alone(
    tmp_path: Path, names: str, read_back: bool
) -> None:
    """Since it was planned, its role has become one that no cluster may run with."""
    world = World(bucket__data=["other"])
    clouds = {name: cloud_of(name, tmp_path, bucket="data") for name in names}
    engine = engine_of(world, stages=["bucket"])
    engine.plan(list(clouds.values()))
    world.errors["judge", "a"] = REFUSED
    [one] = engine.converge(dict.fromkeys(clouds.values()), read_back)
    assert failures(list(clouds.values())) == {"a": "No."}
    assert one.clouds == one.wanting == [clouds[name] for name in names if name != "a"]
    assert sorted(world.documents["bucket data"]) == ["b", "c", "other"]
    backup = json.loads(Path(one.journal.last_backup["backup_file"]).read_text(encoding="utf-8"))
    left = [name for name in names if name != "a"]
    assert backup["cloud_names"] == left
    assert backup["clouds"] == [f"cld_{name}" for name in left]


@pytest.mark.parametrize("read_back", [False, True], ids=["confirmed later", "read back"])
def test_a_backup_that_only_a_refused_cloud_wants_is_not_made(
    tmp_path: Path, read_back: bool
) -> None:
    world = World(bucket__data=["other"])
    clouds = [cloud_of(name, tmp_path, bucket="data", backup=name == "a") for name in "abc"]
    engine = engine_of(world, stages=["bucket"])
    engine.plan(clouds)
    world.errors["judge", "a"] = REFUSED
    [one] = engine.converge(dict.fromkeys(clouds), read_back)
    assert (len(one.journal.written), one.journal.backups) == (1, [])


def test_if_all_that_need_it_are_refused_nothing_is_written(tmp_path: Path) -> None:
    """Each with its own error. Nor for one that was in sync, and needs it only since."""
    world = World(bucket__data=["c"])
    clouds = [cloud_of(name, tmp_path, bucket="data") for name in "abc"]
    engine = engine_of(world, stages=["bucket"])
    engine.plan(clouds)
    world.documents.clear()
    for name in "ab":
        world.errors["judge", name] = RefusedError(f"{name}: no.")
    engine.converge(dict.fromkeys(clouds))
    assert failures(clouds) == {"a": "a: no.", "b": "b: no."}
    assert (world.names("write"), world.documents) == ([], {})


@ORDERS
def test_a_cloud_in_sync_is_not_judged_for_what_others_need(tmp_path: Path, names: str) -> None:
    """Of a document that they share, where it needs a change of another one."""
    world = World(bucket__data=["a"])
    world.errors["judge", "a"] = REFUSED
    clouds = [cloud_of(name, tmp_path, bucket="data") for name in names]
    converged(world, clouds, stages=["bucket"])
    assert failures(clouds) == {}
    assert sorted(world.documents["bucket data"]) == ["a", "b", "c"]


@ORDERS
def test_what_a_cloud_loses_meanwhile_is_judged_before_it_gets_it_again(
    tmp_path: Path, names: str
) -> None:
    """It was in sync when the run was planned, and was not judged then."""
    world = World(bucket__data=["a"])
    clouds = [cloud_of(name, tmp_path, bucket="data") for name in names]
    engine = engine_of(world, stages=["bucket"])
    engine.plan(clouds)
    world.documents["bucket data"] = []
    world.errors["judge", "a"] = REFUSED
    engine.converge(dict.fromkeys(clouds))
    assert failures(clouds) == {"a": "No."}
    assert sorted(world.documents["bucket data"]) == ["b", "c"]


def offboarding_with_a_shared_role(tmp_path: Path, names: str) -> tuple[World, list[Cloud], Engine]:
    """Clouds that share a bucket, planned; a and b have the same role."""
    world = World(bucket__data=["ray", "c", "other"])
    roles = {"a": "ray", "b": "ray", "c": "c"}
    clouds = [cloud_of(name, tmp_path, bucket="data", role=roles[name]) for name in names]
    engine = engine_of(world, state="absent", stages=["bucket"])
    engine.plan(clouds)
    return world, clouds, engine


@ORDERS
@pytest.mark.parametrize("read_back", [False, True], ids=["confirmed later", "read back"])
def test_a_role_keeps_what_a_cloud_needs_that_is_refused_at_the_write(
    tmp_path: Path, names: str, read_back: bool
) -> None:
    """Also where it is another cloud that is to lose it. Those with another role lose theirs."""
    world, clouds, engine = offboarding_with_a_shared_role(tmp_path, names)
    world.errors["judge", "a"] = REFUSED
    [one] = engine.converge(dict.fromkeys(clouds), read_back)
    assert failures(clouds) == {"a": "No.", "b": ROLE_OF_A}
    assert [cloud.name for cloud in one.clouds] == ["c"]
    assert world.documents["bucket data"] == ["ray", "other"]


def test_documents_are_dropped_if_nobody_needs_them(tmp_path: Path) -> None:
    """Those of a fleet need much memory. Each write is planned from a read of its own."""
    world, cloud = World(bucket__a=["other"]), cloud_of("a", tmp_path)
    engine = engine_of(world, keeps_documents=False)
    engine.plan([cloud])
    kept = {resource.stage: plan.after is not None for resource, plan in cloud.plans.items()}
    assert kept == {stage: stage == "instance_profile" for stage in STAGES}
    done = engine.converge([cloud])
    engine.confirm(done)
    assert world.documents["bucket a"] == ["other", "a"]
    assert [one.plan.reasons for one in done] == [(f"{stage}_without_a",) for stage in STAGES]
    assert {one.plan.after for one in done} == {None}


def test_policies_can_be_read_back_at_once(tmp_path: Path) -> None:
    """Then there is nothing to confirm."""
    world, cloud = World(), cloud_of("a", tmp_path)
    engine = engine_of(world, stages=["trust", "bucket"])
    engine.plan([cloud])
    done = engine.converge([cloud], read_back=True)
    assert [one.unconfirmed for one in done] == [None, None]
    assert world.calls[-1] == ("caller", "cld_a")
    assert world.names("load")[-1] == "bucket a"
    assert world.names("load").count("bucket a") == 3, "to plan, to write, and to read back"


def test_the_caller_is_named_for_writes(tmp_path: Path) -> None:
    """A caller that is not known is no failure, since it was written."""
    world, clouds = World(), [cloud_of("a", tmp_path), cloud_of("b", tmp_path)]
    world.errors["caller", "cld_b"] = DENIED
    done = converged(world, clouds, stages=["trust"])
    assert [one.principal for one in done] == [CALLER, None]
    assert failures(clouds) == {}


def test_the_caller_is_not_asked_for_without_writes(tmp_path: Path) -> None:
    world, cloud = World(), cloud_of("a", tmp_path)
    engine = engine_of(world)
    engine.plan([cloud])
    world.documents |= in_sync_world("a").documents
    engine.converge([cloud])
    assert world.names("caller") == []


def test_writes_are_planned_from_fresh_reads(tmp_path: Path) -> None:
    """Not from those that many clouds share."""
    world = World()
    engine = engine_of(world)
    engine.plan([cloud := cloud_of("a", tmp_path)])
    assert world.names("fresh") == []
    engine.converge([cloud])
    assert sorted(world.names("fresh")) == sorted(f"{stage} a" for stage in STAGES)


def test_what_another_writer_has_done_meanwhile_is_not_written(tmp_path: Path) -> None:
    world, cloud = World(), cloud_of("a", tmp_path)
    engine = engine_of(world)
    engine.plan([cloud])
    world.documents |= in_sync_world("a").documents
    done = engine.converge([cloud])
    assert world.names("write") == []
    assert not any(one.plan.changed for one in done)


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("failed", STAGES)
def test_a_write_that_fails_is_the_last_one_of_its_cloud(
    tmp_path: Path, state: str, failed: str
) -> None:
    """The steps after it are not taken. Other clouds are converged."""
    world = World() if state == "present" else in_sync_world("a", "b")
    clouds = [cloud_of("a", tmp_path), cloud_of("b", tmp_path)]
    world.errors["write", f"{failed} a"] = DENIED
    done = converged(world, clouds, state=state)
    order = list(STAGES if state == "present" else reversed(STAGES))
    before = order[: order.index(failed) + 1]
    assert [name for name in world.names("write") if name.endswith(" a")] == [
        f"{stage} a" for stage in before
    ]
    assert len([name for name in world.names("write") if name.endswith(" b")]) == len(STAGES)
    assert failures(clouds) == {"a": "Denied."}
    own = [one for one in done if clouds[0] in one.clouds]
    assert [one.resource.stage for one in own] == before
    assert [one.plan.changed for one in own] == [True] * (len(before) - 1) + [False]


PLACES: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], str]] = {
    "other backups": ({"backup_dir": "/one"}, {"backup_dir": "/two"}, "cloud_iam_backup_dir"),
    "another key": ({"backup_key": "k" * 16}, {"backup_key": "o" * 16}, "cloud_iam_backup_key"),
    "a key of one": ({"backup_key": "k" * 16}, {}, "cloud_iam_backup_key"),
    "other locks": ({"lock_dir": "/one"}, {"lock_dir": "/two"}, "cloud_iam_lock_dir"),
    "other locks, without backups": (
        {"lock_dir": "/one", "backup": False},
        {"lock_dir": "/two", "backup": False},
        "cloud_iam_lock_dir",
    ),
    "other backups, of which one is not made": (
        {"backup_dir": "/one"},
        {"backup_dir": "/two", "backup": False},
        "",
    ),
    "the same in other words": ({"lock_dir": "/one/"}, {"lock_dir": "/one"}, ""),
}


@pytest.mark.parametrize("case", PLACES)
@pytest.mark.parametrize("connection", [{}, {"profile": "b"}], ids=["alike", "each its own way"])
def test_clouds_of_one_document_have_one_backup_and_one_lock(
    case: str, connection: dict[str, str], tmp_path: Path
) -> None:
    """Also those that are in sync: a later run writes for all of them."""
    one, other, variable = PLACES[case]
    clouds = [
        cloud_of("a", tmp_path, bucket="data", **one),
        cloud_of("b", tmp_path, bucket="data", connection=connection, **other),
        cloud_of("c", tmp_path, bucket="else", **other),
    ]
    engine_of(World(bucket__data=["b"]), stages=["bucket"]).plan(clouds)
    assert list(failures(clouds)) == (["a", "b"] if variable else [])
    for message in failures(clouds).values():
        assert all(text in message for text in ("a, b", "bucket data", variable))
        assert not any(value in message for value in ("k" * 16, "o" * 16))


def test_who_failed_before_wants_nothing_of_a_shared_resource(tmp_path: Path) -> None:
    """It is written for the others, without it."""
    world = World()
    clouds = [cloud_of(name, tmp_path, bucket="data") for name in ("a", "b")]
    world.errors["write", "trust a"] = DENIED
    converged(world, clouds)
    assert world.documents["bucket data"] == ["b"]


def test_a_shared_write_that_fails_fails_who_needed_it(tmp_path: Path) -> None:
    """One in sync needed nothing."""
    world = in_sync_world("c")
    world.documents["bucket data"] = ["c"]
    clouds = [cloud_of(name, tmp_path, bucket="data") for name in ("a", "b", "c")]
    world.errors["write", "bucket data"] = DENIED
    converged(world, clouds)
    assert failures(clouds) == {"a": "Denied.", "b": "Denied."}


def test_a_bug_in_a_write_fails_its_cloud_alone(tmp_path: Path) -> None:
    world, clouds = World(), [cloud_of("a", tmp_path), cloud_of("b", tmp_path)]
    world.errors["write", "trust a"] = BUG
    converged(world, clouds)
    assert failures(clouds) == {"a": "KeyError: 'no such key'"}
    assert world.documents["trust b"] == ["b"]


def test_a_backup_is_made_if_one_of_the_clouds_wants_one(tmp_path: Path) -> None:
    world = World(bucket__data=["other"])
    clouds = [
        cloud_of("a", tmp_path, bucket="data", backup=False),
        cloud_of("b", tmp_path, bucket="data"),
    ]
    [one] = converged(world, clouds, stages=["bucket"])
    assert len(one.journal.backups) == 1
    [one] = converged(World(), [cloud_of("c", tmp_path, backup=False)], stages=["bucket"])
    assert one.journal.backups == []


def test_no_new_save_begins_after_a_stop(tmp_path: Path) -> None:
    """The one that is being made is finished, and the clouds have no error."""
    world, clouds = World(), [cloud_of(name, tmp_path) for name in ("a", "b", "c")]
    engine = engine_of(world)
    engine.plan(clouds)
    world.meanwhile = lambda step, _name: engine.stop() if step == "write" else None
    done = engine.converge(dict.fromkeys(clouds))
    assert world.names("write") == ["trust a"]
    assert [one.clouds for one in done] == [[clouds[0]]]
    assert failures(clouds) == {}


def test_nothing_is_read_after_a_stop(tmp_path: Path) -> None:
    """Of the plan of a large fleet. What was begun is incomplete."""
    world, clouds = World(), [cloud_of(name, tmp_path) for name in ("a", "b", "c")]
    engine = engine_of(world)
    world.meanwhile = lambda step, _name: engine.stop() if step == "load" else None
    assert not engine.is_stopped
    engine.plan(clouds)
    assert (world.names("load"), engine.is_stopped) == (["trust a"], True)


def test_clouds_are_announced_once_planned_and_once_written(tmp_path: Path) -> None:
    """When all of a cloud is written, not the first of its resources; a refused one is not."""
    world, clouds = World(), [cloud_of(name, tmp_path) for name in ("a", "b", "c")]
    world.errors = {("load", "trust b"): DENIED, ("write", "compute_config c"): DENIED}
    engine = engine_of(world)
    announced: list[str] = []
    engine.on_cloud = lambda cloud: announced.append(cloud.name)
    engine.plan(clouds)
    assert announced == ["a", "c"]
    announced.clear()
    world.meanwhile = lambda step, name: announced.append(name) if step == "written" else None
    engine.converge(dict.fromkeys(cloud for cloud in clouds if cloud.is_pending))
    assert [name for name in announced if name.endswith("a")] == [
        *(f"{stage} a" for stage in STAGES),
        "a",
    ]
    assert "c" not in announced


def test_threads_work_at_the_same_time(tmp_path: Path) -> None:
    """As many as there are to be, in reads and in writes."""
    clouds = [cloud_of(name, tmp_path) for name in ("a", "b", "c")]
    barrier = threading.Barrier(3, timeout=20)

    class Meeting(World):
        def step(self, step: str, name: str) -> None:
            if (step, name.partition(" ")[0]) in (("load", "trust"), ("write", "trust")):
                barrier.wait()
            super().step(step, name)

    world = Meeting()
    converged(world, clouds, threads=3, stages=["trust"])
    assert failures(clouds) == {}
    assert sorted(world.names("write")) == ["trust a", "trust b", "trust c"]


# --- confirm --------------------------------------------------------------------------------------


def confirmed(
    world: World, clouds: list[Cloud], name: str = "", times: int = 0
) -> tuple[list[Done], InMemory]:
    """Converge clouds, and confirm it, while another writer overwrites a resource so often: first
    after the save, which is not read back at once, then after each restoration was read back.
    """
    engine = engine_of(world)
    engine.plan(clouds)
    done = engine.converge(dict.fromkeys(clouds))
    if times:
        world.documents[name] = ["Theirs"]
    reads = dict.fromkeys(world.documents, 0)

    def overwrite(step: str, one: str) -> None:
        nonlocal times  # the second read after a write is that of the next confirmation
        if one != name:
            return
        if step == "written":
            reads[name] = 1
        elif step == "load" and reads[name]:
            reads[name] += 1
            if reads[name] == 3 and times > 1:
                times -= 1
                world.documents[name] = ["Theirs"]

    world.meanwhile = overwrite
    world.calls.clear()
    world.clock.slept = 0.0
    services = t.cast(InMemory, engine._confirmation._services)
    services.forgotten = 0
    engine.confirm(done)
    return done, services


def test_what_is_there_is_confirmed(tmp_path: Path) -> None:
    """By one read of each policy, once another controller has written what it had planned. What is
    never overwritten by whole documents is not read again.
    """
    world, clouds = World(), [cloud_of("a", tmp_path)]
    done, services = confirmed(world, clouds)
    assert sorted(world.names("load")) == ["bucket a", "trust a"]
    assert world.names("write") == []
    assert world.clock.slept == pytest.approx(SETTLED_SECONDS)
    assert services.forgotten == 1
    assert not any(one.restorations for one in done)


def test_the_confirmation_waits_for_the_last_write(tmp_path: Path) -> None:
    """A page that is read before that may hide it."""
    world, clouds = World(), [cloud_of(name, tmp_path) for name in ("a", "b")]
    engine = engine_of(world, stages=["bucket"])
    engine.plan(clouds)

    def pass_time(step: str, _name: str) -> None:
        if step == "written":
            world.clock.seconds += 1.0

    world.meanwhile = pass_time
    engine.confirm(engine.converge(dict.fromkeys(clouds)))
    assert world.clock.slept == pytest.approx(SETTLED_SECONDS)


def test_what_was_not_written_is_not_confirmed(tmp_path: Path) -> None:
    world = in_sync_world("a")
    confirmed(world, [cloud_of("a", tmp_path)])
    assert (world.calls, world.clock.slept) == ([], 0.0)


@pytest.mark.parametrize("times", range(1, RESTORATIONS + 1))
def test_what_was_overwritten_is_restored(tmp_path: Path, times: int) -> None:
    """And read back again after the time, up to three times. Nothing of the other writer is lost."""
    world, clouds = World(), [cloud_of("a", tmp_path), cloud_of("b", tmp_path)]
    done, _services = confirmed(world, clouds, "bucket a", times)
    assert failures(clouds) == {}
    assert world.names("write") == ["bucket a"] * times
    assert world.documents["bucket a"] == ["Theirs", "a"]
    [one] = [one for one in done if one.restorations]
    assert (one.plan.before, one.plan.after) == (document(), document("Theirs", "a"))
    assert one.found.reasons == ("bucket_without_a",)
    assert (one.clouds, len(one.writes), len(one.journal.backups)) == (
        [clouds[0]],
        times + 1,
        times + 1,
    )
    assert world.clock.slept >= (times + 1) * SETTLED_SECONDS - 0.01


def test_what_is_overwritten_again_and_again_fails(tmp_path: Path) -> None:
    """After three restorations; the cloud, and not the other one."""
    world, clouds = World(), [cloud_of("a", tmp_path), cloud_of("b", tmp_path)]
    confirmed(world, clouds, "bucket a", RESTORATIONS + 1)
    assert world.names("write") == ["bucket a"] * RESTORATIONS
    assert list(failures(clouds)) == ["a"]
    assert "restored 3 times, and overwritten again each time" in failures(clouds)["a"]


@pytest.mark.parametrize("step", ["load", "write"])
@pytest.mark.parametrize("error", [DENIED, BUG], ids=["an error", "a bug"])
def test_a_confirmation_that_fails_fails_the_clouds_of_the_resource(
    tmp_path: Path, step: str, error: Exception
) -> None:
    """The others are confirmed."""
    world, clouds = World(), [cloud_of("a", tmp_path), cloud_of("b", tmp_path)]
    engine = engine_of(world)
    engine.plan(clouds)
    done = engine.converge(dict.fromkeys(clouds))
    world.documents |= {"trust a": ["Theirs"], "trust b": ["Theirs"]}
    world.errors[step, "trust a"] = error
    engine.confirm(done)
    assert list(failures(clouds)) == ["a"]
    assert world.documents["trust b"] == ["Theirs", "b"]


def test_what_was_written_for_a_cloud_that_failed_is_restored_too(tmp_path: Path) -> None:
    """It is there, and its outcome says so."""
    world, clouds = World(), [cloud_of("a", tmp_path)]
    world.errors["write", "bucket a"] = DENIED
    engine = engine_of(world)
    engine.plan(clouds)
    done = engine.converge(dict.fromkeys(clouds))
    world.documents["trust a"] = ["Theirs"]
    engine.confirm(done)
    assert world.documents["trust a"] == ["Theirs", "a"]
    assert failures(clouds) == {"a": "Denied."}


@ORDERS
@pytest.mark.parametrize("read_back", [False, True], ids=["confirmed later", "read back"])
def test_what_was_overwritten_is_restored_without_what_is_refused_now(
    tmp_path: Path, names: str, read_back: bool
) -> None:
    """And with what another writer has lost by accident. What was done before was done for all."""
    world = World(bucket__data=["lost", "kept"])
    clouds = [cloud_of(name, tmp_path, bucket="data") for name in names]
    engine = engine_of(world, stages=["bucket"])
    engine.plan(clouds)

    def overwrite(step: str, name: str) -> None:
        if step == "written" and len(world.names("write")) == 1:
            world.documents["bucket data"] = ["kept", "Theirs"]
            world.errors["judge", "a"] = REFUSED

    world.meanwhile = overwrite
    done = engine.converge(dict.fromkeys(clouds), read_back)
    engine.confirm(done)
    assert failures(clouds) == {"a": "No."}
    assert sorted(world.documents["bucket data"]) == ["Theirs", "b", "c", "kept", "lost"]
    [one] = done
    assert one.clouds == clouds
    assert one.wanting == [cloud for cloud in clouds if cloud.name != "a"]
    backups = [
        json.loads(Path(backup["backup_file"]).read_text(encoding="utf-8"))["cloud_names"]
        for backup in one.journal.backups
    ]
    assert backups == [[*names], [name for name in names if name != "a"]]


@ORDERS
@pytest.mark.parametrize("read_back", [False, True], ids=["confirmed later", "read back"])
def test_what_another_writer_gave_a_role_again_is_left_to_a_cloud_that_is_refused_now(
    tmp_path: Path, names: str, read_back: bool
) -> None:
    """It may need it. Those with another role lose theirs."""
    world, clouds, engine = offboarding_with_a_shared_role(tmp_path, names)

    def overwrite(step: str, name: str) -> None:
        if step == "written" and len(world.names("write")) == 1:
            world.documents["bucket data"] = ["ray", "c", "other", "Theirs"]
            world.errors["judge", "a"] = REFUSED

    world.meanwhile = overwrite
    engine.confirm(engine.converge(dict.fromkeys(clouds), read_back))
    assert failures(clouds) == {"a": "No.", "b": ROLE_OF_A}
    assert world.documents["bucket data"] == ["ray", "other", "Theirs"]


def test_what_was_revoked_for_clouds_that_failed_since_is_revoked_again(tmp_path: Path) -> None:
    """Their roles have lost it, and one of them is refused by nothing that the policy needs."""
    world = World(bucket__data=["ray", "other"], trust__ray=["ray"])
    clouds = [cloud_of(name, tmp_path, bucket="data", role="ray") for name in "ab"]
    engine = engine_of(world, state="absent", stages=["trust", "bucket"])
    engine.plan(clouds)
    world.errors["write", "trust ray"] = DENIED
    done = engine.converge(dict.fromkeys(clouds))
    world.documents["bucket data"] = ["ray", "other", "Theirs"]
    engine.confirm(done)
    assert failures(clouds) == dict.fromkeys("ab", "Denied.")
    assert world.documents["bucket data"] == ["other", "Theirs"]


def converged_slowly(
    world: World, clouds: list[Cloud], happens: t.Callable[[], object] = lambda: None
) -> list[Done]:
    """The same, where another controller has time enough to write while an instance profile is
    written. happens: what it does.
    """

    def pass_time(step: str, name: str) -> None:
        if (step, name) == ("written", "instance_profile a"):
            world.clock.seconds += SETTLED_SECONDS
            happens()

    world.meanwhile = pass_time
    return converged(world, clouds)


def test_a_bucket_policy_is_confirmed_as_soon_as_it_is_old_enough(tmp_path: Path) -> None:
    """Before the next write, by its only read; the others, which are read in bulk, at the end."""
    world, clouds = World(), [cloud_of(name, tmp_path) for name in "ab"]
    done = converged_slowly(world, clouds)
    order = [call for call in world.calls if call[0] == "write" or call == ("load", "bucket a")]
    first = order.index(("write", "instance_profile a"))
    assert order[first:][:3] == [
        ("write", "instance_profile a"),
        ("load", "bucket a"),
        ("write", "instance_profile b"),
    ]
    world.calls.clear()
    engine_of(world).confirm(done)
    assert sorted(world.names("load")) == ["trust a", "trust b"]


def test_what_was_overwritten_is_restored_before_the_next_write(tmp_path: Path) -> None:
    world, clouds = World(), [cloud_of(name, tmp_path) for name in "ab"]
    done = converged_slowly(world, clouds, lambda: world.documents.update({"bucket a": ["T"]}))
    assert world.documents["bucket a"] == ["T", "a"]
    assert [one.resource.stage for one in done if one.restorations] == ["bucket"]


def test_a_cloud_whose_bucket_policy_cannot_be_confirmed_gets_no_compute_config(
    tmp_path: Path,
) -> None:
    """The other one does."""
    world, clouds = World(), [cloud_of(name, tmp_path) for name in "ab"]

    converged_slowly(world, clouds, lambda: world.errors.update({("load", "bucket a"): DENIED}))
    assert failures(clouds) == {"a": "Denied."}
    assert "compute_config a" not in world.names("write")
    assert "compute_config b" in world.names("write")


def moved_to_the_bucket_policy(
    tmp_path: Path, happens: t.Callable[[World], object]
) -> tuple[World, list[tuple[float, str]], list[Done]]:
    """A role that gets its bucket by the bucket policy now, and loses its own policy ten seconds later.
    Returns the writes with their times. happens: what another writer does after the first one.
    """
    world, writes = World(former_role_policy__a=["a"]), list[tuple[float, str]]()

    def note(step: str, name: str) -> None:
        if step == "written":
            writes.append((world.clock.seconds - 1000.0, name))
            if len(writes) == 1:
                happens(world)

    world.meanwhile = note
    clouds = [cloud_of("a", tmp_path, bucket_grant="bucket_policy")]
    return world, writes, converged(world, clouds, stages=["bucket", "former_role_policy"])


def test_bucket_policies_are_confirmed_while_a_run_waits(tmp_path: Path) -> None:
    """For a grant to count everywhere, before the other way to the bucket is taken away."""
    _world, writes, done = moved_to_the_bucket_policy(tmp_path, lambda _world: None)
    assert writes == [(0.0, "bucket a"), (10.0, "former_role_policy a")]
    assert [one.unconfirmed for one in done] == [None, None]


def test_a_grant_that_was_restored_is_waited_for_anew(tmp_path: Path) -> None:
    _world, writes, _done = moved_to_the_bucket_policy(
        tmp_path, lambda world: world.documents.update({"bucket a": ["Theirs"]})
    )
    assert writes == [(0.0, "bucket a"), (3.0, "bucket a"), (13.0, "former_role_policy a")]


def test_a_role_whose_grant_cannot_be_confirmed_keeps_the_other_one(tmp_path: Path) -> None:
    world, writes, done = moved_to_the_bucket_policy(
        tmp_path, lambda world: world.errors.update({("load", "bucket a"): DENIED})
    )
    assert (writes, world.documents["former_role_policy a"]) == ([(0.0, "bucket a")], ["a"])
    assert failures(done[0].clouds) == {"a": "Denied."}


def test_a_run_that_is_stopped_confirms_nothing_more(tmp_path: Path) -> None:
    world, clouds = World(), [cloud_of(name, tmp_path) for name in "ab"]
    engine = engine_of(world)
    engine.plan(clouds)
    world.before_load["instance_profile a"] = engine.stop
    engine.converge(dict.fromkeys(clouds))
    world.clock.seconds += SETTLED_SECONDS
    world.calls.clear()
    engine._confirmation.confirm_due()
    assert world.calls == []
