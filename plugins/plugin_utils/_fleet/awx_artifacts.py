# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Add up the artifacts of the jobs of a workflow, step by step. A sliced step has one job per
slice.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

Json = dict[str, t.Any]


def merge_artifacts(artifacts: t.Mapping[str, t.Any]) -> dict[str, Json]:
    """For each step the number of its jobs, the sums of their counts, and their failed clouds.

    ``artifacts`` are by name; each job publishes under a unique name.
    """
    merged: dict[str, Json] = {}
    for name in sorted(artifacts):
        artifact = _checked(name, artifacts[name])
        step = merged.setdefault(
            str(artifact["step"]), {"jobs": 0, "counts": {}, "failed_clouds": []}
        )
        step["jobs"] += 1
        step["counts"] = _sum(name, step["counts"], artifact["counts"])
        step["failed_clouds"] = sorted(
            {*step["failed_clouds"], *map(str, artifact["failed_clouds"])}
        )
    return merged


def _checked(name: str, artifact: t.Any) -> Json:
    wanted = {"step": str, "counts": dict, "failed_clouds": list}
    if not isinstance(artifact, dict) or not all(
        isinstance(artifact.get(key), kind) for key, kind in wanted.items()
    ):
        raise InputError(
            f"{name} is not an artifact of a playbook of this collection",
            "Run all jobs with the same release of the collection.",
        )
    return artifact


def _sum(name: str, one: Json, other: Json) -> Json:
    """Add up the numbers at any depth."""
    total = dict(one)
    for key, value in other.items():
        if isinstance(value, dict):
            total[key] = _sum(name, total.get(key, {}), value)
        elif isinstance(value, int) and not isinstance(value, bool):
            total[key] = total.get(key, 0) + value
        else:
            raise InputError(
                f"{name} has {value!r} as the count of {key}, which is not a number",
                "Run all jobs with the same release of the collection.",
            )
    return total
