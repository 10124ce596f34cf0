# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clouds of a run, from the variables of hosts."""

from __future__ import annotations

import re
import types
import typing as t

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play import Play
from ansible.template import Templar, trust_as_template
from ansible.vars.manager import VariableManager

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.clouds import CloudVariables
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import Invocation

ARN = "arn:aws:iam::123456789012:role/{}"


def action_of(**hosts: dict[str, t.Any]) -> t.Any:
    """An action in a play of hosts with these variables."""
    loader = DataLoader()
    inventory = InventoryManager(loader, sources=[",".join(hosts) + ","])
    for name, variables in hosts.items():
        for variable, value in variables.items():
            inventory.hosts[name].set_variable(variable, value)
    manager = VariableManager(loader, inventory)
    play = Play.load({"name": "Converge", "hosts": "all"}, manager, loader)
    task = types.SimpleNamespace(get_play=lambda: play, get_variable_manager=lambda: manager)
    return types.SimpleNamespace(_task=task, _templar=Templar(loader, variables={}))


def test_the_control_plane_roles_of_the_whole_inventory_are_known() -> None:
    """Also of hosts that a limit leaves out. What is no ARN names no role."""
    variable = "anyscale_control_plane_role_arn"
    values = (ARN.format("control-a"), None, "{{ other }}", ARN.format("control-b"), 7)
    hosts = {f"cloud-{index}": {variable: value} for index, value in enumerate(values)}
    action = action_of(**hosts, other={})
    action._task.get_variable_manager()._inventory.subset("other")
    clouds = CloudVariables(action, "local").read([], True, {})
    assert clouds.control_planes == {ARN.format("control-a"), ARN.format("control-b")}


COVERED = {"covered": True, "listed": True, "listed_by_id": True}
VOTES: dict[str, tuple[dict[str, t.Any], bool]] = {
    "covered and listed by its ID": ({"anyscale_authority": COVERED}, True),
    "listed by its name alone": ({"anyscale_authority": {**COVERED, "listed_by_id": False}}, False),
    "not listed": (
        {"anyscale_authority": {**COVERED, "listed": False, "listed_by_id": False}},
        False,
    ),
    "not covered": ({"anyscale_authority": {**COVERED, "covered": False}}, False),
    "not applicable": ({}, False),
    "written by hand": ({"anyscale_cloud_id": None}, True),
}


@pytest.mark.parametrize("case", VOTES)
def test_who_can_say_that_a_role_is_a_control_plane_role(case: str) -> None:
    """Else a cloud could be registered with the role of another team's clusters for its control
    plane, to have that team's cloud refused.
    """
    variables, has_vote = VOTES[case]
    arn = ARN.format("nodes")
    host = {
        "anyscale_cloud_id": "cld_1",
        "anyscale_control_plane_role_arn": arn,
        **variables,
    }
    clouds = CloudVariables(action_of(other=host), "local").read([], True, {})
    assert clouds.control_planes == ({arn} if has_vote else set())


READ_PROFILE = "arn:aws:iam::123456789012:instance-profile/ray"
OF_THE_INVENTORY = {
    "anyscale_default_role_arn": ARN.format("ray"),
    "anyscale_instance_profile_arn": READ_PROFILE,
    "anyscale_cloud_id": "cld_1",
}
READ = (ARN.format("ray"), READ_PROFILE)
NAMED: dict[str, tuple[dict[str, t.Any], tuple[str | None, str | None]]] = {
    "the cloud that was read": ({"cloud_iam_cloud_id": "cld_1"}, READ),
    "another cloud": ({"cloud_iam_cloud_id": "cld_2"}, (None, None)),
    "no cloud": ({}, READ),
    "a cloud, by hand": ({"cloud_iam_cloud_id": "cld_2", "anyscale_cloud_id": None}, READ),
}


@pytest.mark.parametrize("case", NAMED)
def test_what_was_read_is_that_of_the_cloud_that_is_named(case: str) -> None:
    """Else Anyscale is asked for it."""
    named, read = NAMED[case]
    given = {**OF_THE_INVENTORY, "cloud_iam_account_id": "123456789012", **named}
    clouds = CloudVariables(action_of(vision=given), "local").read(["vision"], True, {})
    cloud = clouds.for_engine["vision"]
    assert (cloud.registered_role, cloud.registered_profile) == read


def test_the_roles_that_are_assumed_for_the_clouds_are_known() -> None:
    """Also of one that is left to tasks of its own, but of none that is not converged."""
    account = {"cloud_iam_account_id": "123456789012"}
    hosts: dict[str, dict[str, t.Any]] = {
        "vision": {**account, "cloud_iam_assume_role_arn": ARN.format("onboarding")},
        "speech": {"cloud_iam_assume_role_arn": ARN.format("of-an-invalid-cloud")},
        "lab": {
            **account,
            "ansible_connection": "ssh",
            "cloud_iam_assume_role_arn": ARN.format("of-the-lab"),
        },
        "search": account,
    }
    clouds = CloudVariables(action_of(**hosts), "local").read(list(hosts), True, {})
    assert clouds.assumed_roles == {ARN.format("onboarding"), ARN.format("of-the-lab")}


REGISTERED = {"anyscale_bucket": "vision-data", "anyscale_cloud_id": "cld_1"}
IS_REGISTERED = "the bucket registered for this cloud at Anyscale is vision-data."
BUCKETS: dict[str, tuple[dict[str, t.Any], str]] = {
    "the registered one": ({**REGISTERED, "cloud_iam_bucket": "vision-data"}, ""),
    "the registered one, by its URI": ({**REGISTERED, "cloud_iam_bucket": "s3://vision-data/"}, ""),
    "none": (REGISTERED, ""),
    "one that is registered for no cloud": (
        {**REGISTERED, "cloud_iam_bucket": "data-sets"},
        f"cloud_iam_bucket is data-sets; {IS_REGISTERED}",
    ),
    "another cloud's": (
        {**REGISTERED, "cloud_iam_bucket": "dev-data"},
        "cloud_iam_bucket is dev-data, the bucket registered for vision-dev, vision-lab; "
        f"{IS_REGISTERED}",
    ),
    "another one, whose access is not managed": (
        {**REGISTERED, "cloud_iam_bucket": "dev-data", "cloud_iam_manage_bucket_access": False},
        "",
    ),
    "another one, of a cloud that was not read": ({"cloud_iam_bucket": "dev-data"}, ""),
    "another one, of another cloud than was read": (
        {**REGISTERED, "cloud_iam_bucket": "dev-data", "cloud_iam_cloud_id": "cld_2"},
        "",
    ),
    "what is no bucket, which is an error later": (
        {**REGISTERED, "cloud_iam_bucket": "s3://data/prefix"},
        "",
    ),
}


@pytest.mark.parametrize("case", BUCKETS)
def test_a_bucket_that_is_not_the_registered_one_is_said(case: str) -> None:
    """Of a cloud of the engine with its outcome, and of one that is left to tasks of its own."""
    named, words = BUCKETS[case]
    dev = {"anyscale_bucket": "dev-data"}
    vision = {"cloud_iam_account_id": "123456789012", **named}
    action = action_of(**{"vision": vision, "vision-lab": dev, "vision-dev": dev})
    read = CloudVariables(action, "local").read
    by_engine, by_tasks = read(["vision"], True, {}), read(["vision"], False, {})
    for cloud in (by_engine.for_engine["vision"], by_tasks.for_tasks["vision"]):
        notices = cloud.notices
        assert [words] == [notice[: len(words)] for notice in notices] if words else not notices


def test_all_that_is_said_of_the_variables_of_a_cloud() -> None:
    """Of the registered bucket and region, and of variables without effect; nothing of what was read
    for another cloud.
    """
    given = {
        **REGISTERED,
        "anyscale_bucket_region": "us-west-2",
        "cloud_iam_account_id": "123456789012",
        "cloud_iam_bucket": "vision-data",
        "cloud_iam_region": "us-east-1",
        "cloud_iam_assign": "cloud_role",
        "cloud_iam_compute_config": "ray",
    }
    hosts = {"vision": given, "other": {**given, "cloud_iam_cloud_id": "cld_2"}}
    clouds = CloudVariables(action_of(**hosts), "local").read(list(hosts), True, {}).for_engine
    first = {
        name: [one.split()[0].rstrip(",") for one in cloud.notices]
        for name, cloud in clouds.items()
    }
    assert first == {
        "vision": ["cloud_iam_region", "cloud_iam_compute_config"],
        "other": ["cloud_iam_compute_config"],
    }


OF_HOSTS: dict[str, dict[str, t.Any]] = {
    "vision": {"anyscale_ring": "canary", "cloud_iam_account_id": "123456789012"},
    "speech": {"anyscale_ring": trust_as_template("{{ stage }}"), "stage": "early"},
    "lab": {"anyscale_ring": trust_as_template("{{ undefined_here }}")},
    "search": {},
}
HAS_CANRY = "onboard_rings (option rings) has 'canry', but no host of the inventory has such"
RINGS: dict[str, tuple[list[str], str]] = {
    "none": ([], ""),
    "those of the run": (["canary"], ""),
    "one of a host that the limit leaves out": (["canary", "early"], ""),
    "a misspelt one": (["canry", "early"], HAS_CANRY),
}


@pytest.mark.parametrize("case", RINGS)
def test_a_ring_that_no_host_of_the_whole_inventory_has_is_an_error(case: str) -> None:
    """In a job of AWX a warning, since a slice has a part of the inventory."""
    rings, words = RINGS[case]
    action = action_of(**OF_HOSTS)
    manager = action._task.get_variable_manager()
    manager._inventory.subset("vision")
    variables = CloudVariables(action, "local")
    clouds = variables.read(["vision"], True, {})
    if words:
        with pytest.raises(InputError, match=re.escape(words)) as found:
            variables.check_rings(rings, clouds)
        assert found.value.remedy == "The rings of its hosts are: canary, early."
    else:
        assert variables.check_rings(rings, clouds) == []
    manager._extra_vars = {"awx_job_id": 7}
    assert [notice[: len(words)] for notice in variables.check_rings(rings, clouds)] == (
        [words] if words else []
    )


def test_without_any_ring_the_error_says_so() -> None:
    variables = CloudVariables(action_of(search={}), "local")
    with pytest.raises(InputError) as found:
        variables.check_rings(["canary"], variables.read(["search"], True, {}))
    assert found.value.remedy.startswith("None of its hosts has a ring.")


PLUGINS = {"anyscale_resource_id": "cldrsrc_1", "cloud_iam_account_id": "123456789012"}
MERGED: dict[str, tuple[dict[str, t.Any], dict[str, list[str]], str]] = {
    "a host of another source": (
        {**PLUGINS, "ansible_host": "10.0.0.5", "ansible_connection": "ssh"},
        {},
        "has the name of a host of another inventory source, which sets ansible_connection, ansible_host",
    ),
    "what compose sets": (
        {
            **PLUGINS,
            "ansible_connection": "local",
            "anyscale_connection_variables": ["ansible_connection"],
        },
        {},
        "",
    ),
    "a constructed variable": ({**PLUGINS, "cloud_iam_dest": "/srv/vision.yml"}, {}, ""),
    "a group of other hosts": (PLUGINS, {"vision": ["web"]}, "has the name of a group"),
    "a group without hosts": (PLUGINS, {"vision": []}, "has the name of a group"),
    "a group of clouds": (PLUGINS, {"vision": ["vision"]}, ""),
    "a group of another name": (PLUGINS, {"web": ["web"]}, ""),
    "written by hand": (
        {"cloud_iam_account_id": "123456789012", "ansible_host": "10.0.0.5"},
        {"vision": ["web"]},
        "",
    ),
}


@pytest.mark.parametrize("case", MERGED)
def test_a_cloud_that_became_one_with_a_host_or_group_of_a_later_source_is_an_error(
    case: str,
) -> None:
    """Of that cloud alone."""
    variables, groups, message = MERGED[case]
    action = action_of(vision=variables, web={}, speech=PLUGINS)
    inventory = action._task.get_variable_manager()._inventory
    for group, hosts in groups.items():
        inventory.add_group(group)
        for host in hosts:
            inventory.add_host(host, group)
    for uses_engine in (True, False):
        clouds = CloudVariables(action, "local").read(["vision", "speech"], uses_engine, {})
        read = clouds.for_engine.get("vision")
        error = read.error if read else None
        assert message in (error.message if error else "")
        assert bool(error) is bool(message)
        assert "speech" in (clouds.for_engine if uses_engine else clouds.obstacles)


def test_a_playbook_without_tasks_refuses_the_clouds_that_need_some() -> None:
    """And says how they are converged."""
    account = {"cloud_iam_account_id": "123456789012"}
    hosts = {"vision": account, "lab": {**account, "ansible_connection": "ssh"}}
    clouds = CloudVariables(action_of(**hosts), "local").read(list(hosts), True, {})
    assert (set(clouds.for_engine), set(clouds.obstacles)) == ({"vision"}, {"lab"})
    clouds.refuse_tasks(Invocation())
    assert not clouds.obstacles
    assert clouds.for_engine["vision"].error is None
    error = clouds.for_engine["lab"].error
    assert error is not None
    assert "because the connection is ssh" in error.failure()["msg"]
    assert "rayfleet.anyscale.onboard -e fleet_clouds=lab" in error.failure()["msg"]


@pytest.mark.parametrize("reads_only", [False, True])
@pytest.mark.parametrize("uses_engine", [False, True])
def test_a_cloud_that_there_is_nothing_to_read_of_is_refused(
    reads_only: bool, uses_engine: bool
) -> None:
    """Whatever is set for its host, and without a task of its own, which would not say why."""
    given = {
        **OF_THE_INVENTORY,
        "cloud_iam_account_id": "123456789012",
        "cloud_iam_cloud_id": "cld_1",
        "anyscale_not_read": "Anyscale does not return it: {{ 7 * 7 }}.",
    }
    variables = CloudVariables(action_of(vision=given), "local", reads_only=reads_only)
    clouds = variables.read(["vision"], uses_engine, {})
    assert not clouds.obstacles
    error = clouds.for_engine["vision"].error
    assert error is not None
    assert error.failure()["msg"] == given["anyscale_not_read"]


GROUPS = {"cloud_iam_node_group_roles": {"gpu": "ml"}}
RULES = [{"selector": "project=x", "role": "etl"}]
INVALID: dict[str, tuple[dict[str, t.Any], set[str]]] = {
    "a misspelt variable": ({"cloud_iam_thraeds": 3}, {"ray", "ml"}),
    "a value that is not valid": ({"cloud_iam_quota_chars": "many"}, {"ray", "ml"}),
    "a variable without a value": (
        {"cloud_iam_bucket": trust_as_template("{{ a }}")},
        {"ray", "ml"},
    ),
    "no account": ({"cloud_iam_account_id": None}, {"ray", "ml"}),
    "not read": ({"anyscale_not_read": "It is not returned."}, {"ray", "ml"}),
    "not covered by the fleet file": ({"anyscale_authority": {"covered": False}}, {"ray", "ml"}),
    "the role that is registered": (
        {
            "cloud_iam_role": None,
            "anyscale_default_role_arn": ARN.format("team/nodes"),
            "cloud_iam_x": 1,
        },
        {"nodes", "ml"},
    ),
    "rules": (
        {"cloud_iam_assign": "iam_mapping", "cloud_iam_mapping_rules": RULES, "cloud_iam_x": 1},
        {"etl"},
    ),
    "rules or node groups": (
        {"cloud_iam_assign": "iam-mapping", "cloud_iam_mapping_rules": RULES},
        {"ray", "ml", "etl"},
    ),
}


@pytest.mark.parametrize("case", INVALID)
def test_the_roles_of_a_cloud_with_invalid_variables_are_known(case: str) -> None:
    """Else another cloud that has one of them could be offboarded with it."""
    invalid, roles = INVALID[case]
    account = {"cloud_iam_account_id": "123456789012", "cloud_iam_cloud_id": "cld_1"}
    given = {**account, "cloud_iam_role": "ray", **GROUPS, **invalid}
    read = CloudVariables(action_of(vision=given), "local").read(["vision"], True, {})
    cloud = read.for_engine["vision"]
    assert cloud.error
    assert set(cloud.revoked_roles) == roles
