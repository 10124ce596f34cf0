# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Explain a cloud of a report: whether its clusters can start, what to do about what is wrong, and
what was found in each layer.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.layers import (
    LAYERS,
    judge_clusters,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    FAIL,
    UNKNOWN,
    WARN,
    after_command,
    effective_status,
)

_PROBLEMS = (FAIL, UNKNOWN, WARN)  # the worst first

Json = dict[str, t.Any]


def explain(
    cloud: t.Mapping[str, t.Any],
    needs: t.Sequence[str] = (),
    connected_by: t.Sequence[str] = (),
) -> Json:
    """The explanation of a cloud of a report, as data.

    needs: the extra variables of this run that the commands need, but do not name. connected_by: those
    by which this run connects, which the commands leave to who runs them.
    """
    name, checks = cloud["name"], cloud["checks"]
    if not checks:
        return {
            "name": name,
            "answer": UNKNOWN,
            "sentence": "This cloud could not be read.",
            "error": cloud["error"],
            "cloud": cloud["cloud"],
            "steps": [],
            "needs": [],
            "connected_by": [],
            "layers": [],
        }
    verdict = judge_clusters(checks)
    steps = _steps(checks)
    has_command = any(step["command"] for step in steps)
    return {
        "name": name,
        "answer": verdict.answer,
        "sentence": verdict.sentence,
        "error": None,
        "cloud": cloud["cloud"],
        "steps": steps,
        "needs": list(needs) if has_command else [],
        "connected_by": list(connected_by) if has_command else [],
        "layers": _layers(checks, steps),
    }


def _steps(checks: t.Sequence[Json]) -> list[Json]:
    """What to do, with the findings that each step is for: one step for each command, one for each
    decision.
    """
    steps: dict[str, Json] = {}
    for check in sorted(filter(_is_problem, checks), key=_urgency):
        command = check["command"]
        decide = "" if command else check["remedy"]
        step = steps.setdefault(
            command or decide or check["reason"],
            {"command": command, "decide": decide, "findings": []},
        )
        step["findings"].append(
            {
                **{key: check[key] for key in ("id", "status", "title", "reason")},
                "note": after_command(check["remedy"]) if command else "",
            }
        )
    return list(steps.values())


def _is_problem(check: Json) -> bool:
    return effective_status(check) in _PROBLEMS


def _urgency(check: Json) -> tuple[bool, int]:
    """What is wrong first. Without the operator's permission, no command writes anything."""
    return check["id"] != "authority", _PROBLEMS.index(check["status"])


def _layers(checks: t.Sequence[Json], steps: t.Sequence[Json]) -> list[Json]:
    """The outcomes by layers, each problem with the number of the step that is for it."""
    step_of = {
        finding["id"]: number
        for number, step in enumerate(steps, 1)
        for finding in step["findings"]
    }
    found = {check["id"]: check for check in checks}
    return [
        {
            "title": layer.title,
            "checks": [
                {
                    **{key: found[name][key] for key in ("id", "status", "reason")},
                    "step": step_of.get(name),
                    "acknowledged": found[name].get("acknowledged"),
                }
                for name in layer.checks
                if name in found
            ],
        }
        for layer in LAYERS
    ]
