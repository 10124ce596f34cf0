# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an audit finds is noted for healing: what a run of heal may put back, and nothing else."""

from __future__ import annotations

import typing as t
from pathlib import Path
from unittest import mock

import pytest

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events import drift as subject
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.drift import (
    drift_of,
    note_drift,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.healing import Healing
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.rules import Rules
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.scope import Scope
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.state_file import StateFile

Json = dict[str, t.Any]

FIX = "ansible-playbook rayfleet.anyscale.onboard --limit a"
FOUND = {
    "a failed check that onboard fixes": ({"status": "fail", "command": FIX}, ["drift x"]),
    "one that a person has to fix": ({"status": "fail", "command": ""}, None),
    "a warning about a document": (
        {"status": "warn", "command": FIX, "evidence": {"after": {}}},
        ["drift x"],
    ),
    "a warning about something else": ({"status": "warn", "command": FIX}, None),
    "one that passes": ({"status": "pass", "command": ""}, None),
    "one that is acknowledged": (
        {"status": "fail", "command": FIX, "acknowledged": {"reason": "ours"}},
        None,
    ),
}


@pytest.mark.parametrize(("check", "documents"), FOUND.values(), ids=FOUND)
def test_what_onboard_would_put_back_is_noted(check: Json, documents: list[str] | None) -> None:
    report = {"clouds": [{"name": "a", "checks": [{"id": "x", **check}]}]}
    assert drift_of(report) == ({"a": documents} if documents else {})


def test_a_check_of_several_roles_is_one_document() -> None:
    check = {"id": "x", "status": "fail", "command": FIX}
    report = {"clouds": [{"name": "a", "checks": [check, check]}, {"name": "b", "checks": []}]}
    assert drift_of(report) == {"a": ["drift x"]}


@pytest.fixture(name="state")
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateFile:
    """After a run of onboard for three clouds, of which one has other variables since, and one is left to
    its owner.
    """
    scope = Scope(["a", "changed", "broken"], {"a": "1", "changed": "2"}, {"broken"})
    monkeypatch.setattr(subject, "scope_of", lambda *_given: scope)
    monkeypatch.setattr(
        subject,
        "without_excluded",
        lambda _action, names: [one for one in names if one != "theirs"],
    )
    state = StateFile(str(tmp_path / "healing"), Rules())
    with state.update() as healing:
        healing.note_onboarded(dict.fromkeys(["a", "changed", "broken", "theirs"], "1"), 0, 0)
    return state


DRIFT = {name: ["drift x"] for name in ("a", "changed", "broken", "theirs", "new")}


def test_only_what_was_rolled_out_is_noted(state: StateFile) -> None:
    found = note_drift(mock.Mock(), DRIFT, state.directory)
    assert found == {"noted": ["a"], "pending": [], "warnings": []}
    assert state.read().pending == {"a"}


def test_what_is_pending_already_is_told_and_waits_as_before(state: StateFile) -> None:
    """A run failed for it, and it is tried again when its time comes."""
    with state.update() as healing:
        healing.note("a", "role ray", 0)
        healing.claim("1", 100)
        healing.finish("1", [], [], 100)
        before = Healing(healing.state).state
    found = note_drift(mock.Mock(), DRIFT, state.directory)
    assert found == {"noted": [], "pending": ["a"], "warnings": []}
    assert state.read().state == before


def test_nothing_is_written_where_nothing_was_onboarded(tmp_path: Path) -> None:
    found = note_drift(mock.Mock(), DRIFT, str(tmp_path / "healing"))
    assert (found["noted"], list(tmp_path.iterdir())) == ([], [])


def test_a_state_that_cannot_be_used_is_a_warning(state: StateFile) -> None:
    (Path(state.directory) / "healing.json").write_text("{}")
    [warning] = note_drift(mock.Mock(), DRIFT, state.directory)["warnings"]
    assert "cannot be used: it is not a state that this release wrote" in warning
    assert warning.endswith("No run of heal puts back what this audit has found.")
