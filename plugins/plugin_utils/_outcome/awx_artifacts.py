# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The artifacts of the jobs of a workflow: how they are named, and added up step by step. A sliced step
has one job per slice.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

Json = dict[str, t.Any]

_REQUIRED: dict[str, type] = {"step": str, "counts": dict, "failed_clouds": list}
# The report of an audit; of an onboarding the failed clouds of which a part was written, and the runs whose
# backups undo it.
_OPTIONAL: dict[str, type] = {"paths": dict, "written_in_part": list, "runs": list}
_CLOUDS = ("failed_clouds", "written_in_part")
_LISTS = (*_CLOUDS, "runs", "reports")


def artifact_name(step: str, job_id: t.Any) -> str:
    """The name under which a job publishes. Each slice of a job has an ID of its own: of several artifacts
    with the same name, an AWX workflow passes on only one.
    """
    of_job = () if job_id is None else (str(job_id),)
    return "_".join(("anyscale", step.split()[0], *of_job))


def published(artifact: Json, job_id: t.Any) -> Json:
    """What set_stats returns for the artifact of a job, which a task returns without one of its own, whose
    events each slice would have again. Of a task that fails, Ansible publishes nothing.
    """
    name = artifact_name(artifact["step"], job_id)
    return {"data": {name: artifact}, "per_host": False, "aggregate": True}


def merge_artifacts(artifacts: t.Mapping[str, t.Any]) -> dict[str, Json]:
    """For each step the number of its jobs, the sums of their counts, their failed clouds and those of which
    a part was written, the runs that replaced documents, and the reports. The steps are in the order of
    their jobs.

    ``artifacts`` are by name; each job publishes under a unique name.
    """
    merged: dict[str, Json] = {}
    for name in sorted(artifacts, key=_job_id):
        artifact = _checked(name, artifacts[name])
        step = merged.setdefault(
            str(artifact["step"]), {"jobs": 0, "counts": {}, **{kind: [] for kind in _LISTS}}
        )
        step["jobs"] += 1
        step["counts"] = _sum(name, step["counts"], artifact["counts"])
        for kind in _CLOUDS:
            step[kind] = sorted({*step[kind], *map(str, artifact.get(kind, ()))})
        step["runs"] += map(str, artifact.get("runs", []))
        paths = artifact.get("paths", {})
        step["reports"] += [str(path) for kind, path in paths.items() if kind == _shown(paths)]
    return merged


def _job_id(name: str) -> tuple[int, str]:
    """Jobs in the order in which AWX created them."""
    number = name.rpartition("_")[2]
    return (int(number) if number.isdecimal() else 0), name


def _shown(paths: t.Mapping[str, t.Any]) -> str:
    """The format of a report that people read, or else its first one."""
    return "html" if "html" in paths else next(iter(paths), "")


def _checked(name: str, artifact: t.Any) -> Json:
    if not isinstance(artifact, dict) or not all(
        isinstance(artifact.get(key, kind() if key in _OPTIONAL else None), kind)
        for key, kind in {**_REQUIRED, **_OPTIONAL}.items()
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
