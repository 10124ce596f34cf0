# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whichever way clusters got a role, and a role its bucket: the playbook offboard takes what the run
granted and nothing else, and the playbook rollback puts all back.
"""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_stages import (
    PROPAGATION_SECONDS,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.pass_role_plan import (
    POLICY_NAME as PASS_ROLE_POLICY,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    policies_identical,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import REGION
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    bucket_policy_of,
    make_role,
    trust_of,
)
from ansible_collections.rayfleet.anyscale.tests.support.cloud_ways import (
    OTHER_RULE,
    OWN_POLICY,
    add_rule_of_others,
    further_role_of,
    give_own_access,
    inline_policy,
    make_further_role,
    make_managed_policy,
    managed_policy_of,
    mapping_rules,
    put_our_statement,
)
from ansible_collections.rayfleet.anyscale.tests.support.fleets import fresh, in_sync, inventory_of
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import Run, run_playbook

Json = dict[str, t.Any]

CONTROL_PLANE = "control-plane-of-two"
# Lambda may assume the roles too, so that EC2's statement can go.
NEW: Json = {"trust": "lambda_only", "bucket_policy": "foreign_reader"}
BY_OWN, BY_MANAGED, BY_GROUP, BY_RULES, PASSED = CLOUDS = tuple(
    in_sync(name, role=f"{name}-ray", **NEW)
    for name in ("by-own", "by-managed", "by-group", "by-rules", "passed")
)
# It shares the policy of the control plane, a bucket, and the managed policy that grants it.
STAYS = in_sync("stays", role="stays-ray", bucket=BY_MANAGED.bucket_name, **NEW)
PASS_ROLE: Json = {
    "cloud_iam_manage_pass_role": True,
    "cloud_iam_control_plane_role": CONTROL_PLANE,
}
OWN_POLICY_GRANTS: Json = {"cloud_iam_bucket_grant": "role_policy"}
RULE: Json = {"selector": "project=vision", "role": further_role_of(BY_RULES)}
MANAGED_POLICY_GRANTS: Json = {
    **OWN_POLICY_GRANTS,
    "cloud_iam_bucket_policy_arn": managed_policy_of(BY_MANAGED),
}
VARIABLES: dict[str, Json] = {
    BY_OWN.name: OWN_POLICY_GRANTS,
    BY_MANAGED.name: MANAGED_POLICY_GRANTS,
    BY_GROUP.name: {"cloud_iam_node_group_roles": {"cpu": further_role_of(BY_GROUP)}},
    BY_RULES.name: {"cloud_iam_assign": "iam_mapping", "cloud_iam_mapping_rules": [RULE]},
    PASSED.name: PASS_ROLE,
    STAYS.name: {**PASS_ROLE, **MANAGED_POLICY_GRANTS},
}


def state_of(sandbox: Sandbox, cloud: Cloud) -> dict[str, t.Any]:
    """All documents that decide what the roles of a cloud may do, and who gets them."""
    iam = sandbox.client("iam", cloud.account_id)
    roles = [cloud.role_name]
    if cloud in (BY_GROUP, BY_RULES):
        roles.append(further_role_of(cloud))
    attached = iam.list_attached_role_policies(RoleName=cloud.role_name)["AttachedPolicies"]
    return {
        **{f"trust of {role}": trust_of(sandbox, role) for role in roles},
        "bucket": bucket_policy_of(sandbox, cloud.bucket_name),
        "own policy": inline_policy(sandbox, cloud, OWN_POLICY),
        "attached": sorted(one["PolicyArn"] for one in attached),
        "rules": mapping_rules(sandbox, cloud),
        "profiles": profiles_in_config(sandbox, cloud),
    }


def profiles_in_config(sandbox: Sandbox, cloud: Cloud) -> list[str]:
    """The instance profiles in the newest version of the compute config."""
    name = {"name": {"equals": cloud.compute_config_name}}
    found = sandbox.organization.templates.search(name, 0.0)
    config = max(found, key=lambda template: template["version"])["config"]
    groups = [config, *config["worker_node_types"]]
    advanced = [group.get("advanced_configurations_json") or {} for group in groups]
    return [one["IamInstanceProfile"]["Arn"] for one in advanced if "IamInstanceProfile" in one]


def passed_roles(sandbox: Sandbox) -> str:
    """The policy by which the control-plane role may pass roles, as JSON."""
    return json.dumps(inline_policy(sandbox, PASSED, PASS_ROLE_POLICY, CONTROL_PLANE))


class States(t.NamedTuple):
    """All clouds before the onboarding, after it, after they were offboarded, after that was rolled
    back, and after the onboarding was; what may be passed at each of these; the runs, and the
    offboarding by the role, in check mode.
    """

    states: list[dict[str, Json]]
    passed: list[str]
    runs: list[Run]
    by_role: list[Run]


@pytest.fixture(scope="module")
def history(running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> States:
    """Each run has an ID by which it is rolled back."""
    clouds = [*CLOUDS, STAYS]
    fresh(running_sandbox, clouds)
    make_role(running_sandbox, CONTROL_PLANE)
    make_managed_policy(running_sandbox, BY_MANAGED)
    for cloud in (BY_GROUP, BY_RULES):
        make_further_role(running_sandbox, cloud)
    add_rule_of_others(running_sandbox, BY_RULES)
    inventory = inventory_of(tmp_path_factory.mktemp("ways"), running_sandbox, clouds, VARIABLES)
    history = States([], [], [], [])

    def look() -> None:
        history.states.append({cloud.name: state_of(running_sandbox, cloud) for cloud in clouds})
        history.passed.append(passed_roles(running_sandbox))

    look()
    own_roles = ("-e", "offboard_default_role=true")
    undo = ("--limit", "all:!stays")
    for playbook, run_id, options in (
        ("onboard", "up", ()),
        ("offboard", "down", ("--limit", "all:!stays", *own_roles)),
        ("rollback", "back", (*undo, "-e", "rollback_run=down")),
        ("rollback", "undone", ("-e", "rollback_run=up")),
    ):
        arguments = (*options, "-e", f"cloud_iam_run_id={run_id}")
        if playbook == "offboard":
            by_role = (*options, "--check", "-e", "fleet_engine=false")
            history.by_role.append(run_playbook(running_sandbox, playbook, inventory, *by_role))
        history.runs.append(run_playbook(running_sandbox, playbook, inventory, *arguments))
        look()
    return history


BEFORE, ONBOARDED, OFFBOARDED, BACK, UNDONE = range(5)


def same(one: t.Any, other: t.Any) -> bool:
    """Whether two parts of a state are the same."""
    if isinstance(one, dict) and isinstance(other, dict):
        return policies_identical(one, other)
    return bool(one == other)


def differing(one: Json, other: Json) -> list[str]:
    """The parts in which two states of a cloud differ."""
    return [part for part in one if not same(one[part], other[part])]


def test_each_playbook_does_all_that_it_is_to_do(history: States) -> None:
    """No cloud is refused."""
    assert [run.exit_status for run in history.runs] == [0, 0, 0, 0], [
        run.output[-3000:] for run in history.runs if run.exit_status
    ]


ONBOARDED_PARTS = {
    BY_OWN: ["trust of by-own-ray", "own policy"],
    BY_MANAGED: ["trust of by-managed-ray", "attached"],
    BY_GROUP: ["trust of by-group-ray", "trust of by-group-gpu", "bucket", "profiles"],
    BY_RULES: ["trust of by-rules-ray", "trust of by-rules-gpu", "bucket", "rules"],
    PASSED: ["trust of passed-ray", "bucket"],
}


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.name)
def test_what_was_granted_goes_and_nothing_else(history: States, cloud: Cloud) -> None:
    """The role of a cloud with rules keeps what it has: it is that of clusters that no rule selects.
    No profile is left in the compute config, which was the role's before.
    """
    before, onboarded, offboarded = (state[cloud.name] for state in history.states[:3])
    assert differing(before, onboarded) == ONBOARDED_PARTS[cloud]
    if cloud is BY_RULES:
        assert differing(before, offboarded) == ["trust of by-rules-ray", "bucket"]
        assert not differing(
            {"own": onboarded["trust of by-rules-ray"]},
            {"own": offboarded["trust of by-rules-ray"]},
        )
        granted = json.dumps(offboarded["bucket"])
        assert (BY_RULES.role_arn in granted, further_role_of(BY_RULES) in granted) == (True, False)
        assert offboarded["rules"] == [(OTHER_RULE["selector"], OTHER_RULE["value"])]
        return
    assert differing(before, offboarded) == ["profiles"]
    assert offboarded["profiles"] == []


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.name)
def test_the_engine_offboards_what_the_role_does(history: States, cloud: Cloud) -> None:
    """For the same reasons, as the role predicts them."""
    [role] = history.by_role
    by_role = {reason for task in role.tasks_of_role(cloud.name) for reason in task["reasons"]}
    assert by_role == history.runs[1].reasons(cloud.name)
    assert by_role
    assert role.writes == []


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.name)
def test_a_rollback_puts_all_back(history: States, cloud: Cloud) -> None:
    """Of the offboarding, and then of the onboarding."""
    states = [state[cloud.name] for state in history.states]
    assert differing(states[ONBOARDED], states[BACK]) == []
    assert differing(states[BEFORE], states[UNDONE]) == []


def test_the_control_plane_may_pass_the_role_of_the_cloud_that_stays(history: States) -> None:
    """Which is in the same policy."""
    roles = (PASSED.role_arn, STAYS.role_arn)
    assert [tuple(role in text for role in roles) for text in history.passed] == [
        (False, False),
        (True, True),
        (False, True),
        (True, True),
        (False, False),
    ]


def test_each_run_ends_with_the_command_that_undoes_it(history: States) -> None:
    """Also where that gives roles access again of which nothing is left: no force is needed."""
    commands = [
        run.output.rpartition("To undo this run: ")[2].splitlines()[0] for run in history.runs
    ]
    ends = [command.rpartition(" -e ")[2] for command in commands]
    assert ends == [f"rollback_run={name}" for name in ("up", "down", "back", "undone")]


def test_a_cloud_that_shares_policies_with_those_offboarded_keeps_all(history: States) -> None:
    states = [state[STAYS.name] for state in history.states]
    assert differing(states[BEFORE], states[ONBOARDED]) == ["trust of stays-ray", "attached"]
    for later in (OFFBOARDED, BACK):
        assert differing(states[ONBOARDED], states[later]) == []


# What lets clusters start with a role, and what they need when they do.
_STARTS = ("POST /api/v2/compute_templates/", "PUT /")


def places(run: Run) -> tuple[list[int], list[int]]:
    """At which places of a run's writes clusters may start with a role, and may use what they need."""
    names = [str(call["operation"]) for call in run.writes]
    starts = [place for place, name in enumerate(names) if name.startswith(_STARTS)]
    rest = [place for place in range(len(names)) if place not in starts]
    return starts, rest


def test_nothing_starts_with_a_role_that_lacks_something(history: States) -> None:
    """A rollback of an offboarding gives roles all that they had before clusters start with them
    again; one of an onboarding lets none start before it takes anything.
    """
    up, down, back, undone = (places(run) for run in history.runs)
    for starts, rest in (up, back):
        assert max(rest) < min(starts)
    for starts, rest in (down, undone):
        assert max(starts) < min(rest)


@pytest.mark.long
@pytest.mark.parametrize("grant", ["role_policy", "bucket_policy"])
def test_a_move_between_the_ways_is_rolled_back(
    running_sandbox: Sandbox, tmp_path: Path, grant: str
) -> None:
    """What gives the role its bucket is written first, and some time before what takes it away."""
    cloud = in_sync("moves", role="moves-ray", bucket_policy="none")
    fresh(running_sandbox, [cloud])
    if grant == "role_policy":
        put_our_statement(running_sandbox, cloud)
    else:
        give_own_access(running_sandbox, cloud, OWN_POLICY)
    before = state_of(running_sandbox, cloud)
    own = {cloud.name: {"cloud_iam_bucket_grant": grant}}
    inventory = inventory_of(tmp_path, running_sandbox, [cloud], own)
    there = run_playbook(running_sandbox, "onboard", inventory, "-e", "cloud_iam_run_id=there")
    assert differing(before, state_of(running_sandbox, cloud)) == ["bucket", "own policy"]
    begin = time.monotonic()
    undo = ("-e", "rollback_run=there")
    assert " ".join(undo) in there.output
    back = run_playbook(running_sandbox, "rollback", inventory, *undo)
    assert time.monotonic() - begin > PROPAGATION_SECONDS, back.output
    assert (there.exit_status, back.exit_status) == (0, 0), back.output
    assert differing(before, state_of(running_sandbox, cloud)) == []
    of_bucket = [str(call["operation"]).endswith("BucketPolicy") for call in back.writes]
    assert of_bucket == ([True, False] if grant == "role_policy" else [False, True])


def test_something_still_runs_with_a_role_of_a_rule(
    running_sandbox: Sandbox, tmp_path: Path
) -> None:
    """Which is offboarded with the cloud; the cloud's own role, with which something runs too, keeps
    what it has.
    """
    fresh(running_sandbox, [BY_RULES])
    gpu = further_role_of(BY_RULES)
    make_further_role(running_sandbox, BY_RULES)
    running_sandbox.accounts.add_instance_profile(BY_RULES.account_id, gpu, gpu)
    for profile in (gpu, BY_RULES.role_name, BY_RULES.role_name):
        where = (BY_RULES.account_id, REGION, BY_RULES.cloud_id)
        running_sandbox.accounts.add_instance(*where, profile)
    own = {BY_RULES.name: VARIABLES[BY_RULES.name]}
    inventory = inventory_of(tmp_path, running_sandbox, [BY_RULES], own)
    run = run_playbook(running_sandbox, "offboard", inventory)
    assert (run.exit_status, run.failed()) == (2, {BY_RULES.name}), run.output
    assert run.lines[0] == "0 changed, 0 in sync, 1 failed", "also if all clouds failed"
    words = " ".join(run.output.split())
    assert f"{gpu}, and so losing access: 1 instance (1 in {REGION})." in words
    assert run.writes == []
