# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A value that hosts have for themselves is an error where a playbook would not read it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.host_values import Lot
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.playbook_variables import (
    load_playbook,
    playbook_names,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.read_once import (
    refuse_differing,
    refuse_other_pattern,
    refuse_pattern_of_hosts,
)

pytestmark = pytest.mark.core

Json = dict[str, t.Any]
GROUPS = {
    "all": ["lab", "speech", "vision", "web"],
    "account_111111111111": ["speech", "vision", "not in the run"],
}


def lots_of(speech_and_vision: Json, lab: Json) -> list[Lot]:
    return [Lot(["speech", "vision"], speech_and_vision), Lot(["lab"], lab)]


BOTH = {"offboard_hosts": "account_111111111111"}
PATTERNS: dict[str, tuple[Json, Json, list[str], str]] = {
    "none": ({}, {}, [], ""),
    "of a play, or of the command": (BOTH, BOTH, ["offboard_hosts"], ""),
    "an empty one": ({"offboard_hosts": ""}, {}, [], ""),
    "of the inventory": (BOTH, BOTH, [], "lab, speech, vision"),
    "of a group": (BOTH, {}, [], "the group account_111111111111"),
    "of a host": ({}, BOTH, [], "lab"),
}


@pytest.mark.parametrize("case", PATTERNS)
def test_a_pattern_that_has_not_selected_the_hosts(case: str) -> None:
    """The playbook would offboard clouds that it seems to leave out."""
    some, lab, of_play, label = PATTERNS[case]
    groups = {name: hosts for name, hosts in GROUPS.items() if name != "all"}
    arguments = (load_playbook("offboard"), of_play, lots_of(some, lab), groups)
    if not label:
        refuse_pattern_of_hosts(*arguments, in_awx=False)
        return
    with pytest.raises(InputError) as caught:
        refuse_pattern_of_hosts(*arguments, in_awx=False)
    assert caught.value.message.startswith(f"offboard_hosts is a variable of hosts ({label}), ")
    assert "by -e, such as -e offboard_hosts=vision-lab, or use --limit." in caught.value.remedy


def test_a_pattern_that_heals_nothing_less() -> None:
    """In AWX there is no command line. What leaves clouds out from then on is named."""
    lots = [Lot(["lab"], {"heal_hosts": "all,!web"})]
    with pytest.raises(InputError) as caught:
        refuse_pattern_of_hosts(load_playbook("heal"), [], lots, GROUPS, in_awx=True)
    assert caught.value.remedy == (
        "Take it out of the inventory. Set it in the extra variables of the job template. "
        "For some clouds alone, set heal_excluded=true for them in the inventory."
    )


SELECTED: dict[str, tuple[list[str], list[str], bool]] = {
    "one": (["lab"], ["lab"], True),
    "in one text": (["all", "!lab"], ["all, !lab"], True),
    "without a group that is not there": (
        ["anyscale_clouds", "anyscale_uncovered"],
        ["anyscale_clouds"],
        True,
    ),
    "the default": (["lab"], ["anyscale_clouds"], False),
}


@pytest.mark.parametrize("case", SELECTED)
def test_a_template_that_only_hosts_have_the_variables_of(case: str) -> None:
    """Ansible has taken the default for it, which is all clouds."""
    given, selected, is_same = SELECTED[case]
    offboard = load_playbook("offboard")
    if is_same:
        refuse_other_pattern(offboard, given, selected)
        return
    words = "offboard_hosts is lab for a host, but this run is for anyscale_clouds: "
    with pytest.raises(InputError, match=words):
        refuse_other_pattern(offboard, given, selected)


GROUP = "the group account_111111111111"
DIFFERING: dict[str, tuple[str, Json, Json, str]] = {
    "one value": ("heal", {"heal_paused": True}, {"heal_paused": True}, ""),
    "in two spellings": ("heal", {"heal_most": 5}, {"heal_most": "5"}, ""),
    "the default and none": ("heal", {"heal_paused": False}, {}, ""),
    "none and an empty one": ("audit", {"audit_label": ""}, {"audit_label": None}, ""),
    "one that is read for each host": ("offboard", {"offboard_running": "warn"}, {}, ""),
    "some have it": (
        "heal",
        {"heal_paused": True},
        {},
        f"heal_paused {{}}it is set for {GROUP}, and not for the others",
    ),
    "another value": (
        "heal",
        {"heal_max_clouds": 7},
        {"heal_max_clouds": 8},
        "heal_max_clouds {}lab and the others have different values of it",
    ),
    "templates": (
        "onboard",
        {"onboard_serial": "{{ a }}"},
        {"onboard_serial": "{{ b }}"},
        "onboard_serial {}lab and the others have different values of it",
    ),
}


@pytest.mark.parametrize("case", DIFFERING)
def test_values_that_differ_between_hosts(case: str) -> None:
    """The first host's would be that of the run: a pause of a group would be none, or one of all."""
    playbook, some, lab, words = DIFFERING[case]
    arguments = (load_playbook(playbook), lots_of(some, lab), GROUPS)
    if not words:
        refuse_differing(*arguments, in_awx=False)
        return
    with pytest.raises(InputError) as caught:
        refuse_differing(*arguments, in_awx=False)
    assert caught.value.message == words.format("is read once for all hosts of a run, but ")
    assert "in group_vars/all.yml or by -e." in caught.value.remedy
    assert ("heal_excluded=true" in caught.value.remedy) == ("heal_paused" in words)


def test_each_playbook_for_hosts_has_a_pattern_of_them() -> None:
    """Those of AWX are for localhost."""
    without = [name for name in playbook_names() if not load_playbook(name).hosts_variable]
    assert without == ["awx", "awx_report"]
