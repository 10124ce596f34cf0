# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The outcome of a cloud that the role cloud_iam has converged, from what its tasks registered.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.next_plays import (
    FAILED_GROUP,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.states import (
    CHANGED,
    FAILED,
    IN_SYNC,
    NOT_REACHED,
    WOULD_CHANGE,
)

RESULTS = (
    "cloud_iam_trust_result",
    "cloud_iam_further_trust_result",
    "cloud_iam_bucket_access_result",
    "cloud_iam_further_bucket_access_result",
    "cloud_iam_instance_profile_result",
    "cloud_iam_instance_profiles_result",
    "cloud_iam_pass_role_result",
    "cloud_iam_further_pass_role_result",
    "cloud_iam_compute_config_result",
    "cloud_iam_mapping_result",
)

Json = dict[str, t.Any]


def role_outcome(variables: t.Mapping[str, t.Any], run: str, check_mode: bool) -> Json:
    """The outcome in the form of those of the fleet engine.

    variables: those of the host. run: whose failures count: a playbook may import others twice.
    """
    found = [one for name in RESULTS if isinstance(one := variables.get(name), dict)]
    # Of a task with a loop, those of its items.
    results = [result for one in found for result in one.get("results", [one])]
    ran = [result for result in results if not result.get("skipped")]
    changed = [result for result in ran if result.get("changed")]
    outcome: Json = {
        "changed": bool(changed),
        "reasons": list(
            dict.fromkeys(reason for result in changed for reason in result.get("reasons", ()))
        ),
        "backup_files": [
            file
            for result in ran
            if "backup_file" in result
            for file in result.get("backup_files", [result["backup_file"]])
        ],
    }
    if FAILED_GROUP.format(run=run) in variables.get("group_names", ()):
        failed = [result for result in ran if result.get("failed") or result.get("unreachable")]
        message = failed[0].get("msg", "") if failed else "Its message is above."
        return {**outcome, "state": FAILED, "msg": str(message)}
    if not results:
        return {**outcome, "state": NOT_REACHED}
    would_change = WOULD_CHANGE if check_mode else CHANGED
    return {**outcome, "state": would_change if changed else IN_SYNC}
