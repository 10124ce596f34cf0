# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cloud that the role has converged has an outcome like those of the fleet engine."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.role_outcome import (
    ERROR,
    RESULTS,
    role_outcome,
)

TRUST, BUCKET, CONFIG = RESULTS
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
        {ERROR: "Denied.", TRUST: {"failed": True, "changed": False, "msg": "Denied."}},
        {"state": "failed", "changed": False, "msg": "Denied."},
    ),
    "failed after a change": (
        {
            ERROR: "Denied.",
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
    "failed without a result": (
        {ERROR: "The role was not found."},
        {"state": "failed", "changed": False, "msg": "The role was not found."},
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
    assert role_outcome(variables) == {"reasons": [], "backup_files": [], **expected}
