# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the operator reads at the end of an AWX workflow: the steps, what failed in them, where the
reports are, and how to undo it.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_control_chars
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.console import (
    clouds_by_state,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import (
    counted,
    summarize_names,
)

_MOST_NAMES = 20
_SLICED = "onboard"  # the step that AWX may divide into several jobs
_CLOUDS = {"failed_clouds": "Failed", "written_in_part": "Of these, a part was written for"}

Steps = t.Mapping[str, t.Mapping[str, t.Any]]


def expected_slices(configured: int, hosts: int) -> int:
    """How many jobs AWX makes of a sliced one. No job knows it: AWX passes neither the number of its
    slice nor their count.

    hosts: of the inventory, of which each slice has one at least.
    """
    return min(configured, hosts or configured)


def workflow_lines(
    steps: Steps, undo: t.Callable[[str], str], slices: int, list_runs: str
) -> list[str]:
    """The steps in their order, and how to undo all of them.

    undo: how the runs with these IDs are undone. slices: the jobs that the onboarding should have.
    list_runs: how to find the others.
    """
    missing = _missing_slices(steps, (), slices)
    lines: list[str] = []
    for name, step in steps.items():
        jobs = counted(step["jobs"], "job")
        if missing and name == _SLICED:
            jobs = f"{step['jobs']} of {counted(slices, 'job')}"
        lines.append(f"{name} ({jobs}): {_counted(step['counts'])}")
        lines += [
            f"  {title}: {summarize_names(step[kind], _MOST_NAMES)}"
            for kind, title in _CLOUDS.items()
            if step[kind]
        ]
        lines += [f"  Report: {path}" for path in step["reports"]]
    runs = [run for step in steps.values() for run in step["runs"]]
    # What was written last is undone first, whatever the order of the answer.
    lines += [f"To undo what was changed: {undo(', '.join(runs))}"] if runs else []
    lines += [_of_missing(missing, slices, list_runs)] if missing else []
    lines = lines or ["No earlier job of the workflow published its counts."]
    return [escape_control_chars(line) for line in lines]


def workflow_problems(
    steps: Steps, required: t.Collection[str], slices: int, list_runs: str
) -> list[str]:
    """Why the workflow has failed: each required step in which clouds failed, or that is missing, and
    the missing jobs of a step. The other arguments are those of the lines.
    """
    missing = _missing_slices(steps, required, slices)
    problems = [
        f"{counted(len(steps[name]['failed_clouds']), 'cloud')} failed in step {name}."
        if name in steps
        else f"No job of step {name} published its counts. Check the jobs of the workflow."
        for name in required
        if name not in steps or steps[name]["failed_clouds"]
    ]
    return [*problems, _of_missing(missing, slices, list_runs)] if missing else problems


def _missing_slices(steps: Steps, required: t.Container[str], slices: int) -> int:
    """How many slices of the onboarding published nothing."""
    if _SLICED not in steps and _SLICED not in required:
        return 0
    return max(0, slices - (steps[_SLICED]["jobs"] if _SLICED in steps else 0))


def _of_missing(missing: int, slices: int, list_runs: str) -> str:
    return (
        f"{missing} of {counted(slices, 'job')} of step {_SLICED} published nothing, such as one that "
        f"timed out or was canceled, and may have changed clouds all the same: {list_runs}."
    )


def _counted(counts: t.Mapping[str, t.Any]) -> str:
    """The counts of an audit, which are by the state of clouds, or of an onboarding."""
    if isinstance(counts.get("clouds"), dict):
        states = clouds_by_state(counts["clouds"]) or "no clouds"
        # Drifted clouds are in several of these states.
        return f"{states}; {counts['drifted']} drifted" if counts.get("drifted") else states
    told = (
        f"{count} {kind.replace('_', ' ')}"
        for kind, count in counts.items()
        if count or kind == "selected"
    )
    return ", ".join(told)
