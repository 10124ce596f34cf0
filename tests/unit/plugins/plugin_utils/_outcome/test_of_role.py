# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cloud that the role has converged has an outcome like those of the fleet engine."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.of_role import (
    RESULTS,
    role_outcome,
)

pytestmark = pytest.mark.core

TRUST, BUCKET, CONFIG = (
    f"cloud_iam_{name}_result" for name in ("trust", "bucket_access", "compute_config")
)
FURTHER = "cloud_iam_further_trust_result"
RUN = "0f3a9c41"
FAILED = {"group_names": ["clouds", f"fleet_{RUN}_failed"]}
Json = dict[str, t.Any]

IN_SYNC: Json = {"changed": False, "reasons": []}
SKIPPED: Json = {"changed": False, "skipped": True, "skip_reason": "Conditional result was False"}
CASES: dict[str, tuple[Json, Json]] = {
    "in sync": (dict.fromkeys(RESULTS, IN_SYNC), {"state": "in_sync", "changed": False}),
    "changed by one task": (
        {TRUST: IN_SYNC, BUCKET: {"changed": True, "reasons": ["a", "b"]}, CONFIG: IN_SYNC},
        {"state": "changed", "changed": True, "reasons": ["a", "b"]},
    ),
    "changed by several tasks, in their order": (
        {
            CONFIG: {"changed": True, "reasons": ["c", "a"]},
            TRUST: {"changed": True, "reasons": ["a"]},
            BUCKET: {"changed": False, "reasons": ["not one of a change"]},
        },
        {"state": "changed", "changed": True, "reasons": ["a", "c"]},
    ),
    "changed for one of several further roles": (
        {
            TRUST: IN_SYNC,
            FURTHER: {
                "changed": True,
                "results": [IN_SYNC, {"changed": True, "reasons": ["a"], "backup_file": "/one"}],
            },
        },
        {"state": "changed", "changed": True, "reasons": ["a"], "backup_files": ["/one"]},
    ),
    "failed for one of several further roles": (
        {
            **FAILED,
            TRUST: IN_SYNC,
            FURTHER: {
                "failed": True,
                "msg": "One or more items failed",
                "results": [IN_SYNC, {"failed": True, "msg": "Denied."}],
            },
        },
        {"state": "failed", "changed": False, "msg": "Denied."},
    ),
    "with several backups of one task": (
        {
            BUCKET: {
                "changed": True,
                "reasons": ["a"],
                "backup_file": "/b",
                "backup_files": ["/a", "/b"],
            }
        },
        {"state": "changed", "changed": True, "reasons": ["a"], "backup_files": ["/a", "/b"]},
    ),
    "with backups": (
        {
            TRUST: {"changed": True, "reasons": ["a"], "backup_file": "/one"},
            BUCKET: {"changed": True, "reasons": ["b"], "backup_file": "/other"},
            CONFIG: {"changed": True, "reasons": ["c"]},
        },
        {
            "state": "changed",
            "changed": True,
            "reasons": ["a", "b", "c"],
            "backup_files": ["/one", "/other"],
        },
    ),
    "a part that it does not want": (
        {TRUST: IN_SYNC, BUCKET: SKIPPED, CONFIG: SKIPPED},
        {"state": "in_sync", "changed": False},
    ),
    "parts without their tags": ({TRUST: IN_SYNC}, {"state": "in_sync", "changed": False}),
    "failed before any change": (
        {**FAILED, TRUST: {"failed": True, "changed": False, "msg": "Denied."}},
        {"state": "failed", "changed": False, "msg": "Denied."},
    ),
    "failed after a change": (
        {
            **FAILED,
            TRUST: {"changed": True, "reasons": ["a"], "backup_file": "/one"},
            BUCKET: {"failed": True, "msg": "Denied."},
        },
        {
            "state": "failed",
            "changed": True,
            "reasons": ["a"],
            "backup_files": ["/one"],
            "msg": "Denied.",
        },
    ),
    "unreachable": (
        {**FAILED, TRUST: {"unreachable": True, "changed": False, "msg": "No route."}},
        {"state": "failed", "changed": False, "msg": "No route."},
    ),
    "failed without a result": (
        FAILED,
        {"state": "failed", "changed": False, "msg": "Its message is above."},
    ),
    "failed in another run of this playbook": (
        {**dict.fromkeys(RESULTS, IN_SYNC), "group_names": ["fleet_ffffffff_failed"]},
        {"state": "in_sync", "changed": False},
    ),
    "no task was for it": ({}, {"state": "not_reached", "changed": False}),
    "variables that are no results": (
        {TRUST: None, BUCKET: "text"},
        {"state": "not_reached", "changed": False},
    ),
    "a variable of another use": (
        {"cloud_iam_result": {"changed": True}},
        {"state": "not_reached", "changed": False},
    ),
}


@pytest.mark.parametrize(("variables", "expected"), CASES.values(), ids=CASES)
def test_the_outcome(variables: Json, expected: Json) -> None:
    outcome = role_outcome(variables, RUN, check_mode=False)
    assert outcome == {"reasons": [], "backup_files": [], **expected}


def test_check_mode_predicts() -> None:
    variables = {TRUST: {"changed": True, "reasons": ["a"]}}
    assert role_outcome(variables, RUN, check_mode=True)["state"] == "would_change"
    assert role_outcome({TRUST: IN_SYNC}, RUN, check_mode=True)["state"] == "in_sync"
