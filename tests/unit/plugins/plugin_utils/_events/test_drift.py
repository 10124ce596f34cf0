# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an audit finds is noted for healing: what a run of heal may put back, and nothing else."""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path
from unittest import mock

import pytest

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events import drift as subject
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.drift import (
    Noted,
    drift_of,
    note_drift,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.rules import Rules
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.scope import Scope
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.state_file import StateFile

Json = dict[str, t.Any]

FIX = "ansible-playbook rayfleet.anyscale.onboard --limit a"
FOUND = {
    "a failed check that onboard fixes": (
        {"status": "fail", "command": FIX},
        ["what audits find (x)"],
    ),
    "one that a person has to fix": ({"status": "fail", "command": ""}, None),
    "a warning about a document": (
        {"status": "warn", "command": FIX, "evidence": {"after": {}}},
        ["what audits find (x)"],
    ),
    "a warning about something else": ({"status": "warn", "command": FIX}, None),
    "one that passes": ({"status": "pass", "command": ""}, None),
    "one of a host that no command line can name": (
        {"status": "fail", "command": "", "remedy": f"Run '{FIX}', or the module x."},
        ["what audits find (x)"],
    ),
    "one that is acknowledged": (
        {"status": "fail", "command": FIX, "acknowledged": {"reason": "ours"}},
        None,
    ),
}


def report_of(*checks: Json, state: str = "fail") -> Json:
    """The report of a cloud."""
    return {
        "clouds": [{"name": "a", "state": state, "checks": [{"id": "x", **one} for one in checks]}]
    }


@pytest.mark.parametrize(("check", "documents"), FOUND.values(), ids=FOUND)
def test_what_onboard_would_put_back_is_noted(check: Json, documents: list[str] | None) -> None:
    report = report_of({"remedy": "", **check})
    assert drift_of(report) == ({"a": documents} if documents else {})


FAILED = {"status": "fail", "command": FIX, "remedy": ""}


def test_a_check_of_several_roles_is_one_document() -> None:
    assert drift_of(report_of(FAILED, FAILED)) == {"a": ["what audits find (x)"]}


def test_what_anybody_can_register_is_not_noted() -> None:
    assert drift_of(report_of(FAILED, state="not_permitted")) == {}


NAMES = ["a", "changed", "broken", "roleless", "by_tasks"]
DRIFT = {name: ["what audits find (x)"] for name in [*NAMES, "theirs", "new"]}


@pytest.fixture(name="state")
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateFile:
    """After a run of onboard for all clouds but one. One has other variables since, and one is left to its
    owner.
    """
    settings = {**dict.fromkeys(NAMES, "1"), "changed": "2"}
    del settings["broken"]
    scope = Scope(NAMES, settings, {"broken"}, {}, {"by_tasks"}, {"roleless"})
    monkeypatch.setattr(subject, "scope_of", lambda *_given: scope)
    monkeypatch.setattr(
        subject,
        "without_excluded",
        lambda _action, names: [one for one in names if one != "theirs"],
    )
    state = StateFile(str(tmp_path / "healing"), Rules())
    with state.update() as healing:
        healing.note_onboarded(dict.fromkeys([*NAMES, "theirs"], "1"), 0, 0)
    return state


def test_only_what_was_rolled_out_is_noted(state: StateFile) -> None:
    found = note_drift(mock.Mock(), DRIFT, state.directory)
    assert found == Noted(
        ["a"],
        [],
        {
            f"no run of onboard is noted in {state.directory}": ["new"],
            "the variables are not those of the last run of onboard": ["changed", "broken"],
            "no variable names the role, and any one could be registered at Anyscale": ["roleless"],
            "needs tasks of its own": ["by_tasks"],
        },
    )
    assert state.read().pending == {"a"}


def test_what_is_pending_already_is_told_and_waits_as_before(state: StateFile) -> None:
    """A run failed for it, and it is tried again when its time comes."""
    with state.update() as healing:
        healing.note("a", "role ray", 0)
        healing.claim("1", 100)
        healing.finish("1", [], [], 100)
        before = json.dumps(healing.state)
    found = note_drift(mock.Mock(), DRIFT, state.directory)
    assert (found.clouds, found.pending) == ([], ["a"])
    assert json.dumps(state.read().state) == before


def test_what_a_run_of_heal_has_is_not_told(state: StateFile) -> None:
    with state.update() as healing:
        healing.note("a", "role ray", 0)
        healing.claim("1", time.time())
    found = note_drift(mock.Mock(), DRIFT, state.directory)
    assert (found.clouds, found.pending) == ([], [])


def test_nothing_is_written_where_nothing_was_onboarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that was mistyped is told."""
    monkeypatch.setattr(subject, "without_excluded", lambda _action, names: names)
    elsewhere = str(tmp_path / "healing")
    found = note_drift(mock.Mock(), DRIFT, elsewhere)
    assert found.left == {f"no run of onboard is noted in {elsewhere}": list(DRIFT)}
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_cannot_be_used_is_a_warning(state: StateFile) -> None:
    (Path(state.directory) / "healing.json").write_text("{}")
    [warning] = note_drift(mock.Mock(), DRIFT, state.directory).warnings
    assert "cannot be used: it is not a state that this release wrote" in warning
    assert warning.endswith("No run of heal puts back what this audit has found.")
