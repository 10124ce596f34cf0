# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cloud costs the fleet engine, and a task each module, as many calls as its budget says,
whatever state it is found in, and a cloud in sync the fewest.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    EVERY_WORKLOAD,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.support import engine_runs
from ansible_collections.rayfleet.anyscale.tests.support.accounts import Json
from ansible_collections.rayfleet.anyscale.tests.support.call_budgets import (
    ALL_SCENES,
    GIVEN,
    IN_SYNC,
    MAPPING,
    RESOURCES,
    SCENES,
    SEARCH,
    TOOLING,
)
from ansible_collections.rayfleet.anyscale.tests.support.cloud_ways import (
    OWN_POLICY,
    give_own_access,
    put_mapping,
)
from ansible_collections.rayfleet.anyscale.tests.support.fake_clock import QuickTime, pass_quickly
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import Run

CONVERGED = [name for name, scene in SCENES.items() if scene.options.get("state") != "absent"]


@pytest.fixture(autouse=True, name="clock")
def _clock(monkeypatch: pytest.MonkeyPatch) -> QuickTime:
    """The engine waits before it confirms what it has written."""
    return pass_quickly(monkeypatch)


def spent(sandbox: Sandbox) -> dict[str, int]:
    """The calls since they were last forgotten, by operation."""
    return dict(collections.Counter(call["operation"] for call in sandbox.calls()))


@pytest.mark.parametrize("name", ALL_SCENES)
def test_a_cloud_costs_its_budget(sandbox: Sandbox, run_module: Run, name: str) -> None:
    """Each operation so many times, and no other."""
    scene = ALL_SCENES[name]
    scene.prepare(sandbox)
    result = scene.run(run_module)
    assert result["changed"] is scene.changes_something, result.get("msg")
    assert spent(sandbox) == scene.calls


@pytest.mark.parametrize("name", CONVERGED)
def test_what_is_settled_costs_no_more_than_it_takes_to_see_it(
    sandbox: Sandbox, run_module: Run, name: str
) -> None:
    """After a change as well: by default four reads; whose account it is, and which role is
    registered.
    """
    scene = SCENES[name]
    scene.prepare(sandbox)
    for _run in range(2):
        sandbox.clear_calls()
        result = scene.run(run_module)
    assert result["changed"] is False
    calls = collections.Counter(spent(sandbox)) - collections.Counter(scene.settled)
    assert set(calls) <= {"AssumeRole", "GetCallerIdentity", RESOURCES}
    assert calls.total() <= (1 if "role" not in scene.options else 2)


MANY = 12
# Of a policy that AWS manages: once, but that threads that need it at the same time each read it.
_OF_AWS = {"GetPolicy", "GetPolicyVersion"}
# By the way of its clouds: how each is found, its variables, and what the fleet costs in sync.
FLEETS: dict[str, tuple[Json, Json, t.Callable[[Sandbox, Cloud], None], dict[str, int]]] = {
    "the bucket's policy, and a compute config": (
        {},
        {},
        lambda _sandbox, _cloud: None,
        {SEARCH: 1},
    ),
    "the role's own policy": (
        {"bucket_policy": "none"},
        {"bucket_grant": "role_policy"},
        lambda sandbox, cloud: give_own_access(sandbox, cloud, OWN_POLICY),
        {SEARCH: 1},
    ),
    "a rule of the Cloud IAM mapping": (
        {},
        {"assign": "iam_mapping"},
        lambda sandbox, cloud: put_mapping(
            sandbox, cloud, [{"selector": EVERY_WORKLOAD, "value": cloud.role_name}]
        ),
        {RESOURCES: MANY, MAPPING: MANY},
    ),
}


@pytest.mark.parametrize("way", FLEETS)
def test_a_fleet_in_sync_is_read_by_the_page(sandbox: Sandbox, way: str, tmp_path: Path) -> None:
    """Whatever gives its roles their buckets: of each cloud by itself only its bucket's policy is
    read, and its mapping, for which Anyscale has no pages. One more of these costs no more.
    """
    changes, variables, spoil, calls = FLEETS[way]
    clouds = [
        dataclasses.replace(IN_SYNC, name=f"orbit-{number}", role=f"ray-{number}", **changes)
        for number in range(MANY)
    ]
    sandbox.reset()
    sandbox.seed(clouds)
    for cloud in clouds:
        spoil(sandbox, cloud)
    sandbox.clear_calls()
    outcomes = engine_runs.converge(
        {
            cloud.name: {
                **{**GIVEN, **TOOLING, **variables, "lock_dir": str(tmp_path)},
                **{"cloud_id": cloud.cloud_id, "role": cloud.role_name},
                **{"bucket": cloud.bucket_name, "compute_config": cloud.compute_config_name},
            }
            for cloud in clouds
        }
    )
    assert {outcome["state"] for outcome in outcomes.values()} == {"in_sync"}, outcomes
    shared = {"AssumeRole": 1, "GetAccountAuthorizationDetails": 1, "GetBucketPolicy": MANY}
    found = spent(sandbox)
    of_aws = [found.pop(name) for name in _OF_AWS.intersection(found)]
    assert found == {**shared, **calls}
    assert max(of_aws, default=0) <= engine_runs.THREADS


@pytest.mark.parametrize("name", ALL_SCENES)
def test_check_mode_costs_no_more(sandbox: Sandbox, run_module: Run, name: str) -> None:
    """Not one write, and of the reads those that it takes to decide."""
    scene = ALL_SCENES[name]
    scene.prepare(sandbox)
    result = scene.run(run_module, check=True)
    assert result["changed"] is scene.changes_something, result.get("msg")
    assert sandbox.writes() == []
    assert not collections.Counter(spent(sandbox)) - collections.Counter(scene.calls)
