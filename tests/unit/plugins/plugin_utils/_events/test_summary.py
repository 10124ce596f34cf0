# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run says what was changed, by whom, and what it can do nothing about."""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.summary import (
    lines_of,
    not_looked_up_warning,
    warnings_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import Invocation

ADMIN = "arn:aws:iam::222222222222:role/Admin"
SHELL = Invocation(("fleet.yml",))
IN_AWX = Invocation(in_awx=True, template_prefix="Anyscale")


def touched(name: str, **fields: t.Any) -> dict[str, t.Any]:
    """A cloud whose trust policy was changed."""
    return {
        "name": name,
        "documents": ["role ray in 222222222222"],
        "calls": ["UpdateAssumeRolePolicy"],
        "principals": [ADMIN],
        "managed": True,
        **fields,
    }


def test_what_was_changed_by_whom_and_what_was_left_out() -> None:
    clouds = [touched("speech"), touched("vision", principals=[])]
    counts = {"changes": 3, "of_clouds": 2, "own": 1}
    assert lines_of(clouds, counts, {"not_json": 1, "other_call": 7}) == [
        "3 changes in the events: 2 of clouds, 1 by runs themselves",
        f"speech: role ray in 222222222222: UpdateAssumeRolePolicy by {ADMIN}",
        "vision: role ray in 222222222222: UpdateAssumeRolePolicy by an unknown caller",
        "Left out of the events: 1 not_json, 7 other_call",
    ]


def test_of_many_clouds_some_are_named() -> None:
    clouds = [touched(f"cloud-{number}", managed=False) for number in range(21)]
    lines = lines_of(clouds, {"changes": 1, "of_clouds": 1, "own": 0}, {})
    assert lines[0].startswith("1 change in the events")
    assert (len(lines), lines[-1]) == (22, "and 1 other cloud")
    [warning] = warnings_of(clouds, {}, SHELL)
    assert "cloud-9 and 11 more. To see what that breaks" in warning


def test_what_a_run_puts_back_is_no_warning() -> None:
    assert warnings_of([touched("speech")], {}, SHELL) == []
    clouds = [touched("speech"), touched("lab", managed=False)]
    [warning] = warnings_of(clouds, {}, SHELL)
    assert (
        "no run puts back: lab. To see what that breaks: ansible-playbook -i fleet.yml" in warning
    )
    assert warning.endswith(" rayfleet.anyscale.audit -e fleet_clouds=lab")
    [warning] = warnings_of(clouds, {}, IN_AWX)
    assert warning.endswith(": launch the job template Anyscale audit with lab for Clouds")


def test_events_that_were_not_read_are_a_warning() -> None:
    """Among them may be those of a drift."""
    assert warnings_of([], {"not_json": 1}, SHELL) == []
    [warning] = warnings_of([], {"too_large": 1}, SHELL)
    assert warning.endswith("events: ansible-playbook -i fleet.yml rayfleet.anyscale.onboard")
    [warning] = warnings_of([], {"too_large": 1}, IN_AWX)
    assert warning.endswith("launch the job template Anyscale onboard with apply for Mode")


def test_policies_that_were_not_looked_up_are_a_warning() -> None:
    assert not_looked_up_warning(50, 50, SHELL) == []
    [warning] = not_looked_up_warning(51, 50, IN_AWX)
    assert "Of 51 managed policies that have changed, the roles of 50 were looked up." in warning
    assert warning.endswith("launch the job template Anyscale audit")
