# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The outcome of a cloud that the role cloud_iam has converged, from what its tasks registered.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

RESULTS = (
    "cloud_iam_trust_result",
    "cloud_iam_bucket_access_result",
    "cloud_iam_compute_config_result",
)

Json = dict[str, t.Any]


def role_outcome(variables: t.Mapping[str, t.Any]) -> Json:
    """The outcome in the form of those of the fleet engine. variables: those of the host."""
    results = [found for name in RESULTS if isinstance(found := variables.get(name), dict)]
    ran = [result for result in results if not result.get("skipped")]
    changed = [result for result in ran if result.get("changed")]
    outcome: Json = {
        "changed": bool(changed),
        "reasons": list(
            dict.fromkeys(reason for result in changed for reason in result.get("reasons", ()))
        ),
        "backup_files": [result["backup_file"] for result in ran if "backup_file" in result],
    }
    failed = [result for result in ran if result.get("failed")]
    if failed:
        return {**outcome, "state": "failed", "msg": str(failed[0].get("msg", ""))}
    if not results:
        return {**outcome, "state": "not_reached"}
    return {**outcome, "state": "changed" if changed else "in_sync"}
