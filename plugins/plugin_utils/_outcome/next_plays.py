# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plays after the fleet engine: which hosts they are for, and what they know of its run.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import (
    RunFolder,
    passed_on,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.states import (
    CHANGED,
    FAILED,
    WOULD_CHANGE,
)

TASKS, REPORT = "tasks", "report"
# How many of the clouds that failed fail in the report. Ansible looks up each host of a play in the
# list of those that have failed, and does so for each task of each host: of 5,000, that is minutes.
MOST_FAILED = 1000
# The group to which playbooks add the clouds for which tasks of their own failed.
FAILED_GROUP = "fleet_{run}_failed"
_FACTS, _HOSTS = "facts", "hosts"

Json = dict[str, t.Any]


def pass_on(
    folder: RunFolder,
    outcomes: t.Mapping[str, Json],
    for_tasks: t.Sequence[str],
    selected: t.Sequence[str],
    facts: Json,
) -> None:
    """Leave a run to the plays after it, with the facts that they need."""
    folder.write(_FACTS, {**facts, "run": folder.token})
    folder.write(_HOSTS, hosts_of_next_plays(outcomes, for_tasks, selected))
    folder.pass_on()


def facts_of_run() -> Json:
    """The facts of the run that was passed on last. Empty if there is none, as with --list-tasks."""
    folder = passed_on()
    return t.cast(Json, folder.read(_FACTS)) if folder else {}


def hosts_of_play(play: str) -> tuple[str, list[str]]:
    """The group of a play, TASKS or REPORT, of that run, and its hosts."""
    folder = passed_on()
    if folder is None:
        return f"fleet__{play}", []
    return f"fleet_{folder.token}_{play}", folder.read(_HOSTS)[play]


def hosts_of_next_plays(
    outcomes: t.Mapping[str, t.Mapping[str, t.Any]],
    for_tasks: t.Sequence[str],
    selected: t.Sequence[str],
) -> dict[str, list[str]]:
    """The hosts of the play with tasks for single clouds, and of the report.

    The report is for the clouds that changed or failed, the latter at its end, and at most
    MOST_FAILED of them. Those with tasks of their own join it if they fail. A play without hosts
    would be skipped, and one in which all hosts fail would end the run: one cloud that did not fail
    stands by.
    """
    failed = _in_state(outcomes, FAILED)
    may_fail = {*failed, *for_tasks}
    healthy = [name for name in selected if name not in may_fail]
    standby = (healthy or list(selected))[:1]
    reported = _in_state(outcomes, CHANGED, WOULD_CHANGE)
    if not reported and not (for_tasks and not healthy):
        reported = [name for name in standby if name not in failed[:MOST_FAILED]]
    return {TASKS: list(for_tasks) or standby, REPORT: reported + failed[:MOST_FAILED]}


def _in_state(outcomes: t.Mapping[str, t.Mapping[str, t.Any]], *states: str) -> list[str]:
    return [name for name, outcome in outcomes.items() if outcome["state"] in states]
