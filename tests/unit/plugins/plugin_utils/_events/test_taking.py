# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run takes clouds that were onboarded, to what they were onboarded with, and says which it leaves."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.healing import Healing
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.rules import Rules
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.scope import Scope
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.state_file import StateFile
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.taking import (
    asked_for,
    take,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import Invocation

NAMES = ["speech", "vision", "lab", "new"]
# Of events: the first was onboarded as it is, the second with other settings, the last never.
EVENTS = {"speech": ["role s"], "vision": ["role v"], "new": ["role n"], "elsewhere": ["role e"]}
SETTINGS = dict.fromkeys(NAMES, "1")


def onboarded() -> Healing:
    """The state in which something of a cloud without events is pending, too."""
    healing = Healing()
    healing.note_onboarded({"speech": "1", "vision": "2", "lab": "2", "idle": "1"}, 0, 0)
    healing.note("lab", "role l", 10)
    return healing


def test_which_clouds_of_a_play_are_healed() -> None:
    scope, healing = Scope(NAMES, SETTINGS), onboarded()
    assert scope.permitted(healing) == ["speech"]
    assert scope.not_onboarded(healing, EVENTS) == ["new"]
    assert scope.not_rolled_out(healing, EVENTS) == ["vision", "lab"]
    assert set(scope.noted(healing, EVENTS)) == {"speech", "vision"}


def test_all_are_if_it_does_not_count_what_was_onboarded() -> None:
    scope, healing = Scope(NAMES, None), onboarded()
    assert scope.permitted(healing) == NAMES
    assert scope.not_onboarded(healing, EVENTS) == []
    assert scope.not_rolled_out(healing, EVENTS) == []
    assert set(scope.noted(healing, EVENTS)) == {"speech", "vision", "new"}


def test_a_cloud_whose_settings_are_unknown_is_left() -> None:
    """Such as one whose variables are invalid by now."""
    assert Scope(NAMES, {}).not_rolled_out(onboarded(), EVENTS) == ["speech", "vision", "lab"]


def test_settings_are_read_of_few_clouds() -> None:
    """A run without events reads no variables where nothing is due. A lost run may give a cloud back."""
    healing = onboarded()
    assert asked_for(["idle", *NAMES], healing, EVENTS) == ["speech", "vision", "lab"]
    healing.claim("1", 1000)
    assert asked_for(["idle", *NAMES], healing, {}) == ["lab"]
    healing.finish("1", [], ["lab"], 1001)
    assert asked_for(["idle", *NAMES], healing, {}) == []


def test_what_onboard_rolls_out_while_a_run_waits_is_not_undone(tmp_path: Path) -> None:
    """The settings of the run are older. The cloud is compared when it is taken."""
    state = StateFile(str(tmp_path / "healing"), Rules(quiet=0))
    with state.update() as healing:
        healing.note_onboarded({"speech": "2", "lab": "1"}, 0, 0)
    events = {"speech": ["role s"], "lab": ["role l"]}
    found = take("1", state, Scope(NAMES, SETTINGS), events, Invocation())
    assert (found["hosts"], found["left"]) == (["lab"], [])
    assert state.read().pending == {"speech"}
