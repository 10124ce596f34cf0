# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cloud that the plan refuses is a failure of its batch: a rollout in rings or with a canary ends
there, as it does for a cloud that fails while it is converged. Each cloud has an outcome.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.clouds import Clouds
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.run import Run, RunOptions
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.feed import Feed
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._fleet.fleet_in_memory import (
    planned_resource,
)

RINGS = {"a": "canary", "b": "canary", "c": "early"}


class _Engine:
    """Refuses clouds as it is told, finds the others pending, and converges all that it is given.

    refused: from the first plan on. vanished: from the second one.
    """

    is_stopped = False

    def __init__(self, refused: t.Collection[str], vanished: t.Collection[str] = ()) -> None:
        self._refused = refused
        self._vanished = vanished
        self.planned: list[list[str]] = []
        self.converged: list[str] = []

    def plan(self, clouds: t.Sequence[Cloud]) -> None:
        """Plan, or refuse."""
        self.planned.append([cloud.name for cloud in clouds])
        for cloud in clouds:
            cloud.plans.clear()
            if cloud.name in self._refused or (self.planned[1:] and cloud.name in self._vanished):
                cloud.error = RefusedError("No such role.")
            else:
                plan = Plan(None, {}, ("ec2_trust_missing",))
                cloud.plans[planned_resource("trust")] = plan

    def refuse_left_to_tasks(self, *_clouds: t.Any) -> None:
        """None are."""

    def groups(self, _clouds: t.Collection[Cloud]) -> list[list[Cloud]]:
        """Each is for itself."""
        return []

    def notices(self, _cloud: Cloud) -> list[str]:
        """Nothing is told."""
        return []

    def converge(self, clouds: t.Collection[Cloud], read_back: bool = False) -> list[t.Any]:
        """Record what would be written."""
        self.converged += [cloud.name for cloud in clouds]
        return []

    def confirm(self, done: t.Any) -> None:
        """Nothing was written."""


@pytest.mark.parametrize(
    ("refused", "options", "converged", "failed"),
    [
        pytest.param("", {}, "abc", "", id="none"),
        pytest.param("b", {}, "ac", "b", id="without rings it stops nothing"),
        pytest.param("b", {"rings": ["canary", "early"]}, "a", "b", id="in the first ring"),
        pytest.param("c", {"rings": ["canary", "early"]}, "ab", "c", id="in the last ring"),
        pytest.param("a", {"canary_percent": 10}, "", "a", id="all of the canary"),
        pytest.param(
            "b",
            {"rings": ["canary", "early"], "max_fail_percentage": 50.0},
            "ac",
            "b",
            id="within the budget",
        ),
        pytest.param(
            "c", {"canary_percent": 10, "only": "canary"}, "a", "", id="left to another run"
        ),
    ],
)
def test_a_refused_cloud_counts_as_a_failure_of_its_batch(
    tmp_path: Path, refused: str, options: dict[str, t.Any], converged: str, failed: str
) -> None:
    """With the default budget, one failure ends a rollout in steps."""
    engine = _Engine(refused)
    outcomes = _outcomes(engine, options, tmp_path)
    assert "".join(engine.converged) == converged
    assert "".join(n for n, one in outcomes.items() if one["state"] == "failed") == failed
    assert sorted(outcomes) == sorted(RINGS)


def test_a_cloud_that_fails_when_it_is_planned_again_has_an_outcome(tmp_path: Path) -> None:
    """As one whose role was deleted since. A cloud that was refused before is not planned again."""
    engine = _Engine(refused="b", vanished="c")
    options = {"rings": ["canary", "early"], "max_fail_percentage": 50.0}
    outcomes = _outcomes(engine, options, tmp_path)
    assert {name: outcome["state"] for name, outcome in outcomes.items()} == {
        "a": "not_reached",  # nothing was written, as the engine is none
        "b": "failed",
        "c": "failed",
    }
    assert engine.planned == [["a", "b", "c"], ["c"]]


def _outcomes(
    engine: _Engine, options: dict[str, t.Any], folder: Path
) -> dict[str, dict[str, t.Any]]:
    """The outcomes of a run to its end."""
    clouds = {name: Cloud(name, CloudSettings("123456789012")) for name in RINGS}
    run = Run(
        t.cast(t.Any, engine),
        RunOptions(**options),
        Clouds(clouds, rings=dict(RINGS)),
        Feed(str(folder), lambda *_args, **_kwargs: None),
    )
    run.plan()
    while not run.is_finished:
        run.converge_next()
    run.end()
    return run.outcomes
