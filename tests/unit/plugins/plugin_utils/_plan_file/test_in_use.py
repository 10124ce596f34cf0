# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run is bound to a plan file only as a whole, and only within a time."""

from __future__ import annotations

import contextlib
import datetime
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.clouds import Clouds
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.in_use import (
    PlanInUse,
    refuse_old,
)

pytestmark = pytest.mark.core


def test_clouds_that_are_left_to_tasks_cannot_be_bound(tmp_path: Path) -> None:
    clouds = Clouds(obstacles={"a": "the connection is ssh"})
    with pytest.raises(InputError, match=r"a \(the connection is ssh\)"):
        PlanInUse(str(tmp_path / "plan.json"), clouds, check_mode=True, max_age_hours=1)


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
