# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a task are rules, unless they would heal never, or without end."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.rules import Rules, rules_of

OPTIONS: dict[str, t.Any] = {
    "quiet_seconds": 1.0,
    "longest_wait_seconds": 2.0,
    "run_seconds": 3.0,
    "most_heals": 4,
    "window_seconds": 5.0,
    "max_clouds": 6,
}


def test_each_option_is_a_rule() -> None:
    expected = Rules(quiet=1, longest_wait=2, run_seconds=3, most_heals=4, window=5, max_clouds=6)
    assert rules_of({"step": "begin", **OPTIONS}) == expected


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("most_heals", 0),
        ("max_clouds", -1),
        ("quiet_seconds", -1.0),
        ("run_seconds", 1e9),
        ("window_seconds", float("nan")),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(option: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{option} is "):
        rules_of({**OPTIONS, option: value})
