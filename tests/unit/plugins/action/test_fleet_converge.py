# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that has changed clouds tells of them, also if its outcomes cannot be recorded."""

from __future__ import annotations

import errno
import os
import types
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.plugins.action import fleet_converge
from ansible_collections.rayfleet.anyscale.plugins.action.fleet_converge import ActionModule
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import RunFolder

TOKEN = "0f3a9c41"
CHANGED = {"state": "changed", "changed": True, "reasons": ["ec2_trust_missing"]}


def _run() -> t.Any:
    """A run that has changed a cloud."""
    return types.SimpleNamespace(
        plan=dict,
        is_finished=True,
        stop=lambda: None,
        end=lambda: None,
        outcomes={"a": CHANGED},
        role_clouds=[],
        role_batches=[],
        options=types.SimpleNamespace(tolerated_percentage=100.0, check_mode=False),
        batches_told="",
        warnings=[],
        stopped=False,
        was_interrupted=False,
    )


@pytest.mark.parametrize("method", ["write_outcomes", "write", "pass_on"])
def test_a_full_disk_after_the_changes(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: t.Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    action = t.cast(t.Any, ActionModule.__new__(ActionModule))
    action._loader = types.SimpleNamespace(get_basedir=lambda: str(tmp_path))
    action._task = types.SimpleNamespace(args={})
    monkeypatch.setattr(action, "_new_run", lambda *_arguments: (_run(), None))
    monkeypatch.setattr(fleet_converge.context, "CLIARGS", {})
    monkeypatch.setattr(RunFolder, method, fail)
    arguments = {"run": TOKEN, "plan_file": None, "step": "onboard"}
    with pytest.raises(TaskError, match="changed 1 cloud: a") as caught:
        action.run_for(["a"], {"localhost": {}}, arguments)
    assert "No space left" in caught.value.remedy
