# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run asks right before each write whether it still has its clouds, and writes nothing for one that it
has lost.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    RefusedError,
    TaskError,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet import engine as subject
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.engine import Engine
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._fleet.fleet_in_memory import (
    KINDS,
    STAGES,
    InMemory,
    World,
    cloud_of,
)

pytestmark = pytest.mark.core

Event = tuple[str, str]


@pytest.fixture(autouse=True)
def _in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "KINDS", KINDS)


def converge(world: World, clouds: list[Cloud], at: Event, read_back: bool = False) -> None:
    """Converge clouds, while the first one is offboarded by another run at a step: what that one finds of
    it is taken away, and the run has lost the cloud since.
    """
    lost: dict[Cloud, TaskError] = {}

    def offboard(step: str, name: str) -> None:
        if (step, name) == at and not lost:
            lost[clouds[0]] = RefusedError("It was offboarded.")
            for roles in world.documents.values():
                roles[:] = [role for role in roles if role != clouds[0].name]

    engine = Engine(
        InMemory(world),
        state="present",
        stages=STAGES,
        threads=1,
        withheld=lambda asked: {cloud: lost[cloud] for cloud in asked if cloud in lost},
        clock=world.clock,
    )
    engine.plan(clouds)
    world.meanwhile = offboard
    engine.confirm(engine.converge(dict.fromkeys(clouds), read_back=read_back))


@pytest.mark.parametrize("read_back", [False, True], ids=["confirmed later", "read back"])
@pytest.mark.parametrize("shared", [False, True], ids=["own bucket", "shared bucket"])
@pytest.mark.parametrize(
    "at", ["load trust a", "written trust a", "written bucket", "written instance_profile a"]
)
def test_nothing_is_written_for_a_cloud_that_is_lost(
    tmp_path: Path, at: str, shared: bool, read_back: bool
) -> None:
    """Neither is what was written before restored, as if another writer had overwritten it. The others
    of a shared document have it written.
    """
    step, _space, name = at.partition(" ")
    name = {"bucket": "bucket data" if shared else "bucket a"}.get(name, name)
    world = World()
    clouds = [cloud_of(one, tmp_path, bucket="data" if shared else one) for one in ("a", "b")]
    converge(world, clouds, (step, name), read_back)
    written = {role for roles in world.documents.values() for role in roles}
    assert (written, [cloud.error and cloud.error.message for cloud in clouds]) == (
        {"b"},
        ["It was offboarded.", None],
    )


def test_what_it_has_of_a_shared_document_is_not_given_back(tmp_path: Path) -> None:
    """It needed no change of that when it was planned, and another cloud does."""
    world = World(bucket__data=["a"])
    clouds = [cloud_of(one, tmp_path, bucket="data") for one in ("a", "b")]
    converge(world, clouds, ("load", "bucket data"))
    assert world.documents["bucket data"] == ["b"]


def test_a_run_that_cannot_tell_writes_nothing(tmp_path: Path) -> None:
    def fail(_clouds: t.Sequence[Cloud]) -> t.Mapping[Cloud, TaskError]:
        raise RefusedError("The state cannot be read.")

    world, cloud = World(), cloud_of("a", tmp_path)
    engine = Engine(
        InMemory(world), state="present", stages=STAGES, threads=1, withheld=fail, clock=world.clock
    )
    engine.plan([cloud])
    engine.confirm(engine.converge(dict.fromkeys([cloud])))
    assert (world.documents, cloud.error and cloud.error.message) == (
        {},
        "The state cannot be read.",
    )
