# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that offboards takes a role's access once none of its clouds needs it, whatever the batches
are, and whichever clouds the engine leaves to tasks of their own.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet import engine as engines
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.run import RunOptions
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._fleet.fleet_in_memory import (
    KINDS,
    World,
    cloud_of,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._fleet.test_run import (
    DENIED,
    Fleet,
    batches_in,
)

pytestmark = pytest.mark.core


@pytest.fixture(autouse=True)
def _in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "KINDS", KINDS)


ROLE_STAGES = ["trust", "bucket", "compute_config"]


def offboarding(
    world: World,
    clouds: t.Sequence[Cloud],
    options: RunOptions | None = None,
    for_tasks: t.Sequence[Cloud] = (),
) -> Fleet:
    """A run that takes the access of roles, of which nothing is done yet."""
    options = options or RunOptions(serial=1)
    stages = {"state": "absent", "stages": ROLE_STAGES}
    return Fleet(world, clouds, options, for_tasks=for_tasks, **stages)


def shared_world(*names: str) -> World:
    """A world in which clouds of these names have the role ray, and the bucket of that name."""
    world = World(trust__ray=["ray"], bucket__ray=["ray"])
    world.documents |= {f"compute_config {name}": ["ray"] for name in names}
    return world


def sharing(name: str, folder: t.Any, **settings: t.Any) -> Cloud:
    """One of these clouds."""
    return cloud_of(name, folder, **{"role": "ray", "bucket": "ray", **settings})


FAILING: dict[str, tuple[str, dict[str, str], bool]] = {
    "none": ("", dict.fromkeys("abc", "changed"), False),
    "one of the role": (
        "compute_config a",
        {"a": "failed", "b": "failed", "c": "changed"},
        True,
    ),
    "another one": ("compute_config c", {"a": "changed", "b": "changed", "c": "failed"}, False),
}


@pytest.mark.parametrize("case", FAILING)
def test_clouds_with_one_role_are_in_one_batch(tmp_path: Path, case: str) -> None:
    """However small the batches are: the role loses what it has once no cluster starts with it, and not
    at all if one of its clouds fails.
    """
    failing, states, keeps = FAILING[case]
    world = shared_world("a")
    world.documents |= {"compute_config b": ["own"]}
    world.documents |= {f"{stage} c": ["c"] for stage in ROLE_STAGES}
    world.errors["write", failing] = DENIED
    further = {"role": "own", "node_group_roles": {"gpu": "ray"}}
    clouds = [sharing("a", tmp_path), cloud_of("c", tmp_path), sharing("b", tmp_path, **further)]
    fleet = offboarding(world, clouds)
    fleet.finish()
    assert fleet.states == states
    assert batches_in(fleet.events) == [2, 1]
    kept = ["ray"] if keeps else []
    assert (world.documents["trust ray"], world.documents["bucket ray"]) == (kept, kept)


LEFT: dict[str, tuple[list[str], list[str], list[str], list[str]]] = {
    "one of two clouds": (["a"], ["x"], ["a", "x"], []),
    "both": ([], ["x", "y"], ["x", "y"], []),
    "the only one that is to lose it": (["in sync"], ["x"], [], ["x"]),
    "the only one": ([], ["x"], [], ["x"]),
}


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("case", LEFT)
def test_a_role_is_not_taken_from_a_cloud_that_is_left_to_tasks(
    tmp_path: Path, case: str, check_mode: bool
) -> None:
    """These come later, and each for itself. Clouds with other roles are offboarded."""
    by_engine, by_tasks, failed, left = LEFT[case]
    world = shared_world("a")
    world.documents |= {f"{stage} c": ["c"] for stage in ROLE_STAGES}
    if "in sync" in by_engine:
        world.documents["trust ray"] = world.documents["bucket ray"] = []
    clouds = [*(sharing(name, tmp_path) for name in by_engine), cloud_of("c", tmp_path)]
    tasks = [sharing(name, tmp_path) for name in by_tasks]
    fleet = offboarding(world, clouds, RunOptions(check_mode=check_mode), tasks)
    plan = fleet.finish()
    assert sorted(name for name, state in fleet.states.items() if state == "failed") == failed
    assert plan["counts"]["failed"] == len(failed)
    assert fleet.run.role_clouds == left
    assert fleet.states["c"] == ("would_change" if check_mode else "changed")
    for name in failed:
        message = fleet.run.outcomes[name]["msg"]
        assert message.startswith(
            f"Role ray is that of {', '.join(failed)}. They can be offboarded"
        )
        assert "because the connection is ssh" in message
        assert "offboard_shared_role=true" in message


def test_a_cloud_that_is_left_to_tasks_keeps_the_role_of_a_refused_one(tmp_path: Path) -> None:
    world = shared_world("a")
    world.errors["load", "compute_config a"] = DENIED
    fleet = offboarding(world, [sharing("a", tmp_path)], None, [sharing("x", tmp_path)])
    fleet.finish()
    assert fleet.states == {"a": "failed", "x": "failed"}
    assert fleet.run.outcomes["x"]["msg"].startswith("Role ray is also that of a, which cannot be")
