# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rollouts of the playbook onboard: rings, canary and batches come in their order, a failure stops
what comes after it, and the next run does only what is left.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.support.fleets import (
    ONE_STEP,
    fresh,
    in_sync,
    inventory_of,
)
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import Run, run_playbook

Json = dict[str, t.Any]

RINGS: Json = {"onboard_rings": ["canary", "early"]}
MISSING = {"cloud_iam_role": "missing"}
OF_ROLE = {"anyscale_in_worker": False}


def _drifted(**own: Json) -> tuple[list[Cloud], dict[str, Json]]:
    """Clouds whose trust policies lack EC2, and their own variables."""
    variables = {name.replace("_", "-"): one for name, one in own.items()}
    return [in_sync(name, trust="lambda_only") for name in variables], variables


def _ring(name: str, **more: t.Any) -> Json:
    return {"anyscale_ring": name, **more}


def _converged(run: Run, clouds: t.Iterable[Cloud]) -> list[str]:
    """The clouds in the order in which their trust policies were written."""
    names = {cloud.role_name: cloud.name for cloud in clouds}
    written = [call for call in run.writes if call["operation"] == "UpdateAssumeRolePolicy"]
    return [names[call["resource"]] for call in written]


def _onboard(sandbox: Sandbox, inventory: Path, answers: Json, *options: str) -> Run:
    return run_playbook(sandbox, "onboard", inventory, "-e", json.dumps(answers), *options)


class Rollout(t.NamedTuple):
    """A rollout that stopped in its second ring, and its end after that was fixed."""

    stopped: Run
    resumed: Run
    clouds: list[Cloud]


@pytest.fixture(scope="module")
def rollout(running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Rollout:
    """Three rings, the second of which has a cloud that is refused, and a cloud of the role."""
    clouds, own = _drifted(
        no_ring={},
        early_1=_ring("early", **MISSING),
        canary_1=_ring("canary"),
        mars=_ring("mars"),
        canary_2=_ring("{{ 'can' ~ 'ary' }}"),
        early_2=_ring("early"),
        by_role=_ring("canary", **OF_ROLE),
    )
    fresh(running_sandbox, clouds)
    folder = tmp_path_factory.mktemp("rollout")
    inventory = inventory_of(folder, running_sandbox, clouds, own, **ONE_STEP)
    stopped = _onboard(running_sandbox, inventory, RINGS)
    own["early-1"] = _ring("early")
    inventory = inventory_of(folder, running_sandbox, clouds, own, **ONE_STEP)
    return Rollout(stopped, _onboard(running_sandbox, inventory, RINGS), clouds)


@pytest.mark.core
def test_a_failure_stops_the_run_before_the_next_ring(rollout: Rollout) -> None:
    """The ring before it is converged, and the rest of its own; the role's clouds come last."""
    written = _converged(rollout.stopped, rollout.clouds)
    assert (set(written[:2]), written[2:]) == ({"canary-1", "canary-2"}, ["early-2"])
    assert rollout.stopped.failed() == {"early-1"}
    assert rollout.stopped.tasks_of_role("by-role") == []
    assert rollout.stopped.lines[0] == "3 changed, 0 in sync, 1 failed, 3 not reached"
    assert {f"{name} was not reached" for name in ("no-ring", "mars", "by-role")} <= set(
        rollout.stopped.lines
    )
    assert rollout.stopped.exit_status == 2


@pytest.mark.core
def test_the_next_run_does_only_what_is_left(rollout: Rollout) -> None:
    """A cloud of no ring, or of an unknown one, comes after the rings."""
    written = _converged(rollout.resumed, rollout.clouds)
    assert (written[0], set(written[1:3]), written[3:]) == (
        "early-1",
        {"no-ring", "mars"},
        ["by-role"],
    )
    assert rollout.resumed.lines[0] == "4 changed, 3 in sync, 0 failed"
    assert (rollout.resumed.failed(), rollout.resumed.exit_status) == (set(), 0)


def test_a_budget_lets_the_rings_go_on(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """With half of a ring failed, which is no more than was allowed. The canary comes from the first
    ring, in a batch of its own, and a batch is never larger than onboard_serial.
    """
    clouds, own = _drifted(
        early_1=_ring("early"),
        early_2=_ring("early"),
        canary_1=_ring("canary"),
        canary_2=_ring("canary"),
        canary_3=_ring("canary", **MISSING),
    )
    fresh(running_sandbox, clouds)
    inventory = inventory_of(tmp_path, running_sandbox, clouds, own, **ONE_STEP)
    budget = {"onboard_max_fail_percentage": 50, "onboard_canary_percent": 20, "onboard_serial": 2}
    run = _onboard(running_sandbox, inventory, {**RINGS, **budget})
    assert run.failed() == {"canary-3"}
    written = _converged(run, clouds)
    assert (written[:2], set(written[2:])) == (["canary-1", "canary-2"], {"early-1", "early-2"})
    batches = [line for line in run.output.splitlines() if line.startswith("Converge, ")]
    assert batches == [
        "Converge, batch 1 of 3: 1 cloud",
        "Converge, batch 2 of 3: 1 cloud",  # and the one that the plan refused
        "Converge, batch 3 of 3: 2 clouds",
    ]


def test_the_clouds_of_the_role_keep_to_the_rollout(
    running_sandbox: Sandbox, tmp_path: Path
) -> None:
    """Where the engine is switched off: ring by ring, until one has failed, in check mode too. The
    ring is a number, as YAML gives it.
    """
    clouds, own = _drifted(
        third=_ring("x"), second=_ring("2", **MISSING), first=_ring("1"), also_second=_ring("2")
    )
    for variables, ring in zip(own.values(), (3, 2, 1, 2), strict=True):
        variables["anyscale_ring"] = ring
    fresh(running_sandbox, clouds)
    inventory = inventory_of(tmp_path, running_sandbox, clouds, own, **ONE_STEP)
    answers = {"onboard_rings": [1, 2], "fleet_engine": False}
    misspelt = _onboard(running_sandbox, inventory, {"onboard_rings": [1, "two"]})
    assert "onboard_rings (option rings) has 'two'" in misspelt.output
    check = _onboard(running_sandbox, inventory, answers, "--check")
    assert "Clouds of each batch, in order: 1, 2, 1." in check.lines
    run = _onboard(running_sandbox, inventory, answers)
    assert _converged(run, clouds) == ["first", "also-second"]
    for one in (check, run):
        assert [len(one.tasks_of_role(cloud.name)) for cloud in clouds] == [0, 1, 1, 1]
        assert one.failed() == {"second"}
        assert one.exit_status == 2
    assert run.lines[0] == "2 changed, 0 in sync, 1 failed, 1 not reached"
    assert check.lines[0] == "2 would change, 0 in sync, 1 failed, 1 not reached"


def test_clouds_in_sync_fill_no_batch(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """Nor do they count for a canary, which is of the clouds that need something."""
    clouds, own = _drifted(one={}, two={}, three={})
    good = [in_sync(f"good-{number}") for number in range(4)]
    fresh(running_sandbox, [*good, *clouds])
    inventory = inventory_of(tmp_path, running_sandbox, [*good, *clouds], own, **ONE_STEP)
    answers = {"onboard_canary_percent": 30, "onboard_only": "canary"}
    run = _onboard(running_sandbox, inventory, answers)
    assert _converged(run, clouds) == ["one"]
    assert run.lines[0] == "1 changed, 4 in sync, 0 failed, 2 deferred"
    assert run.exit_status == 0
