# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run is bound to a plan file only as a whole, and only within a time."""

from __future__ import annotations

import contextlib
import datetime
import errno
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files import signed_lines
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.clouds import Clouds
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.in_use import (
    PlanInUse,
    refuse_old,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.recorder import (
    PlanRecorder,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.store import PlanStore
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._fleet.fleet_in_memory import (
    cloud_of,
)

pytestmark = pytest.mark.core

KEY = "a key of the tests, long enough"


def test_clouds_that_are_left_to_tasks_cannot_be_bound(tmp_path: Path) -> None:
    clouds = Clouds(obstacles={"a": "the connection is ssh"})
    with pytest.raises(InputError, match=r"a \(the connection is ssh\)"):
        PlanInUse(str(tmp_path / "plan.json"), clouds, check_mode=True, max_age_hours=1)


@pytest.mark.parametrize("is_full", [False, True])
def test_a_change_that_cannot_be_recorded_as_made_is_told(
    is_full: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run would make it again."""
    path, cloud = str(tmp_path / "plan.json"), cloud_of("a", tmp_path, backup_key=KEY)
    PlanStore(path, [cloud]).write({"a": {"state": "would_change"}}, PlanRecorder())
    plan = PlanInUse(path, Clouds(for_engine={"a": cloud}), check_mode=False, max_age_hours=1)
    assert plan.binding is not None
    if is_full:
        monkeypatch.setattr(signed_lines, "append", _fail)
    plan.binding.on_made("trust policy of role ray", ("a",))
    assert ["trust policy of role ray" in text for text in plan.warnings()] == [True] * is_full


def _fail(*_arguments: t.Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


MADE = "2027-01-05T09:00:00+00:00"
AGES = {
    "at once": ("2027-01-05T09:00:00+00:00", 1, False),
    "at the end of the time": ("2027-01-12T09:00:00+00:00", 168, False),
    "a little later": ("2027-01-12T09:00:01+00:00", 168, True),
    "in another time zone": ("2027-01-05T12:30:00+02:00", 1, True),
    "by a clock that is behind": ("2027-01-05T08:00:00+00:00", 1, False),
}


@pytest.mark.parametrize("case", AGES)
def test_a_plan_is_applied_within_a_time(case: str) -> None:
    now, hours, is_old = AGES[case]
    with pytest.raises(InputError) if is_old else contextlib.nullcontext() as caught:
        refuse_old(MADE, hours, datetime.datetime.fromisoformat(now))
    if is_old:
        message = t.cast("pytest.ExceptionInfo[InputError]", caught).value
        assert f"made at {MADE}" in message.message
        assert "onboard_plan_max_age_hours" in message.message
        assert "--check" in message.remedy
