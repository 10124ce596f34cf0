# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plays after the fleet engine are for the clouds that they are about, and never for none, nor only
for clouds that fail.
"""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.next_plays import (
    MOST_FAILED,
    REPORT,
    TASKS,
    hosts_of_next_plays,
)

pytestmark = pytest.mark.core

STATES = ("changed", "would_change", "failed", "in_sync", "not_reached", "deferred")
CASES: dict[str, tuple[dict[str, str], list[str], list[str], list[str]]] = {
    "all in sync": ({"a": "in_sync", "b": "in_sync"}, [], ["a"], ["a"]),
    "some changed": ({"a": "in_sync", "b": "changed", "c": "changed"}, [], ["a"], ["b", "c"]),
    "some would change": ({"a": "in_sync", "b": "would_change"}, [], ["a"], ["b"]),
    "one failed": ({"a": "failed", "b": "in_sync"}, [], ["b"], ["b", "a"]),
    "one failed, and one changed": (
        {"a": "failed", "b": "in_sync", "c": "changed"},
        [],
        ["b"],
        ["c", "a"],
    ),
    "all failed": ({"a": "failed", "b": "failed"}, [], ["a"], ["a", "b"]),
    "not reached, and deferred": ({"a": "not_reached", "b": "deferred"}, [], ["a"], ["a"]),
    "one for tasks": ({"a": "in_sync"}, ["b"], ["b"], ["a"]),
    "one for tasks, and one changed": ({"a": "changed"}, ["b"], ["b"], ["a"]),
    "one for tasks, and one failed": ({"a": "failed"}, ["b"], ["b"], ["a"]),
    "all for tasks": ({}, ["a", "b"], ["a", "b"], []),
}


@pytest.mark.parametrize(("states", "for_tasks", "tasks", "report"), CASES.values(), ids=CASES)
def test_the_hosts(
    states: dict[str, str], for_tasks: list[str], tasks: list[str], report: list[str]
) -> None:
    """Of the play with tasks for single clouds, and of the report."""
    outcomes = {name: {"state": state} for name, state in states.items()}
    found = hosts_of_next_plays(outcomes, for_tasks, sorted({*states, *for_tasks}))
    assert found == {TASKS: tasks, REPORT: report}


@given(states=st.lists(st.sampled_from([*STATES, "for tasks"]), min_size=1, max_size=8))
def test_no_play_is_skipped_or_ends_the_run(states: list[str]) -> None:
    """Ansible ends a run in which all hosts of a play have failed. In the report those fail that
    failed before. Each batch of the role adds a cloud that did not fail, and those that did.
    """
    names = {f"c{place}": state for place, state in enumerate(states)}
    for_tasks = [name for name, state in names.items() if state == "for tasks"]
    outcomes = {name: {"state": one} for name, one in names.items() if name not in for_tasks}
    found = hosts_of_next_plays(outcomes, for_tasks, list(names))
    assert found[TASKS]
    assert found[TASKS] == for_tasks or len(found[TASKS]) == 1
    assert len(set(found[REPORT])) == len(found[REPORT])
    failing = {name for name, state in names.items() if state == "failed"} | set(for_tasks)
    if set(names) - failing:
        assert set(found[REPORT]) - failing
    assert found[REPORT] or for_tasks
    told = {name for name, state in names.items() if state in ("changed", "would_change", "failed")}
    assert told <= set(found[REPORT])
    assert len(found[REPORT]) <= len(told) + 1


@pytest.mark.parametrize("others", [{}, {"changed": "changed"}, {"in sync": "in_sync"}], ids=str)
def test_of_many_clouds_that_failed_the_first_fail_in_the_report(others: dict[str, str]) -> None:
    """Beside the clouds that changed, or one that stands by."""
    failed = [f"c{number}" for number in range(MOST_FAILED + 5)]
    states = {**dict.fromkeys(failed, "failed"), **others}
    outcomes = {name: {"state": state} for name, state in states.items()}
    found = hosts_of_next_plays(outcomes, [], list(states))
    assert found[REPORT] == [*others, *failed[:MOST_FAILED]]
