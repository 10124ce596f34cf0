# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cloud costs the fleet engine, and a task each module, as many calls as its budget says,
whatever state it is found in, and a cloud in sync the fewest.
"""

from __future__ import annotations

import collections

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox
from ansible_collections.rayfleet.anyscale.tests.support.call_budgets import (
    ALL_SCENES,
    RESOURCES,
    SCENES,
    SEARCH,
)
from ansible_collections.rayfleet.anyscale.tests.support.fake_clock import QuickTime, pass_quickly
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import Run

CONVERGED = [name for name, scene in SCENES.items() if scene.options.get("state") != "absent"]
LEAST = {"GetRole": 1, "GetInstanceProfile": 1, "GetBucketPolicy": 1, SEARCH: 1}


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
    """After a change as well: four reads, whose account it is, and which role is registered."""
    scene = SCENES[name]
    scene.prepare(sandbox)
    for _run in range(2):
        sandbox.clear_calls()
        result = scene.run(run_module)
    assert result["changed"] is False
    calls = collections.Counter(spent(sandbox)) - collections.Counter(LEAST)
    assert set(calls) <= {"AssumeRole", "GetCallerIdentity", RESOURCES}
    assert calls.total() <= (1 if "role" not in scene.options else 2)


@pytest.mark.parametrize("name", ALL_SCENES)
def test_check_mode_costs_no_more(sandbox: Sandbox, run_module: Run, name: str) -> None:
    """Not one write, and of the reads those that it takes to decide."""
    scene = ALL_SCENES[name]
    scene.prepare(sandbox)
    result = scene.run(run_module, check=True)
    assert result["changed"] is scene.changes_something, result.get("msg")
    assert sandbox.writes() == []
    assert not collections.Counter(spent(sandbox)) - collections.Counter(scene.calls)
