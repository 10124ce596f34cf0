# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run whose outcomes cannot be recorded still tells what it changed, and how to undo that."""

from __future__ import annotations

import errno
import os
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.recording import (
    recording_outcomes,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import RunFolder
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import Invocation

Outcomes = dict[str, dict[str, t.Any]]

BACKUP = "/var/b/20270105T090000-000000Z.4711.trust_policy.ray-6f93b71c3b65.json"
WRITTEN = {"changed": True, "reasons": ["access_missing"], "backup_files": [BACKUP]}
IN_SYNC = {"state": "in_sync", "changed": False, "reasons": []}
CASES: dict[str, tuple[Outcomes, tuple[str, ...], bool]] = {
    "changed": (
        {"a": {**WRITTEN, "state": "changed"}, "b": IN_SYNC},
        ("Run 4711 changed 1 cloud: a.", "are in /var/b", "No space left"),
        True,
    ),
    "changed, and failed after a part": (
        {"a": {**WRITTEN, "state": "changed"}, "b": {**WRITTEN, "state": "failed", "msg": "No."}},
        ("Run 4711 changed 2 clouds: a, b.", "are in /var/b", "No space left"),
        True,
    ),
    "changed, without backups": (
        {"a": {**WRITTEN, "state": "changed", "backup_files": []}},
        ("The run changed 1 cloud: a.", "No space left"),
        False,
    ),
    "predicted": (
        {"a": {**WRITTEN, "state": "would_change", "backup_files": []}},
        ("It changed no cloud", "No space left"),
        False,
    ),
    "nothing": ({}, ("It changed no cloud", "No space left"), False),
}


@pytest.mark.parametrize("case", CASES)
def test_a_full_disk(case: str) -> None:
    outcomes, phrases, is_undone = CASES[case]
    folder = RunFolder("0123abcd")
    shown: list[str] = []
    with (
        pytest.raises(TaskError) as caught,
        recording_outcomes(folder, outcomes, Invocation(), shown.append),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    told = caught.value.failure()["msg"]
    assert all(phrase in told for phrase in (*phrases, folder.path))
    assert ("-e rollback_run=4711" in "".join(shown)) is is_undone
    assert ("displayed above" in told) is is_undone
