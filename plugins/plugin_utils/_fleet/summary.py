# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Summarize an onboarding: which clouds changed and why, which failed, which were deferred.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import run_of

Json = dict[str, t.Any]
Variables = t.Mapping[str, t.Mapping[str, t.Any]]


def outcome(plan: t.Mapping[str, t.Any], variables: Variables, failed: t.Collection[str]) -> Json:
    """The counts of clouds, the failed ones, the outcome of each that was converged and was not in
    sync, and the directories of the backups.

    plan: the result of fleet_plan_info, empty if no cloud was selected. variables: those of each host.
    failed: the hosts for which a task failed.
    """
    went_on = sorted(plan.get("hosts", ()))
    clouds = {name: _of_cloud(variables[name], name in failed) for name in went_on}
    states = [cloud["state"] for cloud in clouds.values()]
    in_sync = plan.get("right", 0) + states.count("in_sync")
    counts = {state: states.count(state) for state in ("changed", "failed", "not_reached")}
    deferred = plan.get("later", 0)
    return {
        "counts": {
            "selected": plan.get("right", 0) + len(went_on) + deferred,
            **counts,
            "in_sync": in_sync,
            "deferred": deferred,
        },
        "failed_clouds": [name for name in went_on if name in failed],
        "clouds": {name: cloud for name, cloud in clouds.items() if cloud["state"] != "in_sync"},
        "backups": _backups([variables[name] for name in went_on]),
    }


def _of_cloud(known: t.Mapping[str, t.Any], is_failed: bool) -> Json:
    """The outcome of a cloud. The first change counts, not a later one that restored it."""
    last = known.get("cloud_iam_result") or {}
    first = known.get("onboard_result") or last
    if is_failed:
        return {"state": "failed", "msg": last.get("msg", "its message is above")}
    if "changed" not in first:
        return {"state": "not_reached"}
    if first["changed"]:
        return {
            "state": "changed",
            "reasons": first.get("reasons", []),
            "overwritten": bool(known.get("onboard_overwritten")),
        }
    return {"state": "in_sync"}


def _backups(clouds: t.Iterable[t.Mapping[str, t.Any]]) -> list[dict[str, str]]:
    """The directories with the backups and the ID of their run: one, unless clouds have settings of
    their own.
    """
    results = [
        known.get(name) or {} for known in clouds for name in ("cloud_iam_result", "onboard_result")
    ]
    parts = [part for result in results for part in result.values() if isinstance(part, dict)]
    files = [
        file
        for part in parts
        for file in (*part.get("backup_files", ()), part.get("backup_file"))
        if file
    ]
    places = sorted({(os.path.dirname(file), run_of(file)) for file in files})
    return [{"folder": folder, "run": run} for folder, run in places]
