# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run takes the clouds of its events, waits for another run that has them, and takes no more than
it may.
"""

from __future__ import annotations

import threading
import time
import types
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.plugins.action import fleet_healing
from ansible_collections.rayfleet.anyscale.plugins.action.fleet_healing import ActionModule
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.clouds import NEEDS_TASKS
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.healing import Rules
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.state_file import (
    healing_state,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run import folder as run_folder
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import RunFolder

Json = dict[str, t.Any]
NAMES = ["speech", "vision", "lab"]
QUICK = Rules(quiet=0.0, longest_wait=60, run_seconds=600, most_heals=1)
DEFAULTS: Json = {
    name: rule["default"]
    for name, rule in ActionModule.rules["argument_spec"].items()
    if "default" in rule
}


class Runs:
    """Runs that share a state."""

    def __init__(self, folder: Path) -> None:
        self.directory = str(folder / "healing")
        self.told: list[str] = []

    def step(self, *clouds: str, check: bool = False, **options: t.Any) -> Json:
        """The first step of a run whose events touch these clouds."""
        action = ActionModule.__new__(ActionModule)
        action._task = types.SimpleNamespace(check_mode=check)
        touched = [{"name": cloud, "documents": [f"role {cloud}"]} for cloud in clouds]
        given = {"step": "begin", "clouds": touched, "quiet_seconds": 0.0, "most_heals": 1}
        arguments = {**DEFAULTS, "run": None, "state_dir": self.directory, **given, **options}
        return action.run_for(NAMES, None, arguments)

    def end(self, run: str, *changed: str) -> None:
        """The end of a run that failed for no cloud."""
        in_sync = {name: {"state": "in_sync", "changed": False} for name in NAMES}
        changes = {name: {"state": "changed", "changed": True} for name in changed}
        self.finish(run, {**in_sync, **changes})

    def finish(self, run: str, outcomes: dict[str, Json], **options: t.Any) -> Json:
        """The last step of a run with these outcomes."""
        if outcomes:
            RunFolder(run).write_outcomes(outcomes)
        return self.step(step="finish", run=run, **options)

    def skip(self, seconds: float) -> None:
        """Let time pass for the clouds that are tried again."""
        with healing_state(self.directory, QUICK) as healing:
            for cloud in healing.state["clouds"].values():
                cloud["retry"]["at"] -= seconds


@pytest.fixture(name="runs")
def _runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    monkeypatch.setattr(fleet_healing, "_POLL_SECONDS", 0.02)
    monkeypatch.setattr(run_folder, "run_directory", lambda: str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    runs = Runs(tmp_path)
    monkeypatch.setattr(fleet_healing.display, "display", runs.told.append)
    return runs


def test_the_clouds_come_in_the_order_of_the_play(runs: Runs) -> None:
    assert runs.step("lab", "speech")["hosts"] == ["speech", "lab"]


def test_it_waits_until_a_cloud_is_quiet(runs: Runs) -> None:
    started = time.monotonic()
    assert runs.step("lab", quiet_seconds=0.3)["hosts"] == ["lab"]
    assert time.monotonic() - started >= 0.3


def test_it_waits_for_a_run_that_has_the_cloud(runs: Runs) -> None:
    first = runs.step("lab")
    timer = threading.Timer(0.3, runs.end, [first["run"]])
    timer.start()
    second = runs.step("lab")
    timer.join()
    assert (second["hosts"], second["left"]) == (["lab"], [])


def test_it_does_not_hold_up_other_clouds_for_it(runs: Runs) -> None:
    runs.step("lab")
    second = runs.step("lab", "speech")
    assert (second["hosts"], second["left"]) == (["speech"], ["lab"])


def test_a_lost_run_does_not_hold_up_all_events(runs: Runs) -> None:
    """A rulebook starts one run after the other. The cloud is taken later, by a run without events."""
    runs.step("lab")
    started = time.monotonic()
    second = runs.step("lab", longest_wait_seconds=0.3)
    assert 0.3 <= time.monotonic() - started < 5
    assert (second["hosts"], second["left"]) == ([], ["lab"])
    assert second["warnings"] == [
        "Another run has lab, or was lost with it. A later run of heal takes what has changed since."
    ]


def test_what_was_put_back_too_often_is_refused_and_said(runs: Runs) -> None:
    """Of the clouds of the events: that of others was said before."""
    runs.end(runs.step("lab")["run"], "lab")
    found = runs.step("lab", "speech")
    assert (found["hosts"], found["left"]) == (["speech", "lab"], [])
    assert [(one["cloud"], one["document"]) for one in found["stopped"]] == [("lab", "role lab")]
    assert (list(found["refused"]), found["warnings"]) == (["lab"], [])
    message = found["refused"]["lab"]
    assert "lab: role lab was put back once within 3600 s, and has changed again." in message
    assert "run the playbook onboard with -e fleet_clouds=lab" in message
    runs.end(found["run"])
    found = runs.step("vision")
    assert (found["hosts"], found["stopped"], found["refused"]) == (["vision"], [], {})


def test_another_document_of_such_a_cloud_is_put_back(runs: Runs) -> None:
    """With a warning, since a run converges all of a cloud. That counts for the other one."""
    runs.end(runs.step("lab")["run"], "lab")
    both = [{"name": "lab", "documents": ["role lab", "bucket lab"]}]
    found = runs.step(clouds=both)
    assert (found["hosts"], found["refused"]) == (["lab"], {})
    assert "lab: role lab was put back once" in found["warnings"][0]
    runs.end(found["run"], "lab")
    assert set(runs.step(clouds=both)["refused"]) == {"lab"}


FAILED: Json = {"state": "failed", "changed": False, "msg": "It is throttled."}


@pytest.mark.parametrize(
    "outcomes",
    [
        pytest.param({"lab": FAILED}, id="it failed"),
        pytest.param({"lab": {"state": "not_reached", "changed": False}}, id="it was not reached"),
        pytest.param({}, id="the run ended before it had outcomes"),
    ],
)
def test_a_later_run_takes_a_cloud_that_failed(runs: Runs, outcomes: dict[str, Json]) -> None:
    found = runs.finish(runs.step("lab")["run"], outcomes)
    [retry] = found["retries"]
    assert retry["cloud"] == "lab"
    assert "lab" in found["warnings"][0]
    assert f"after {retry['at']}" in found["warnings"][0]
    # Not at once, and no other run waits for it
    started = time.monotonic()
    assert runs.step()["hosts"] == []
    assert time.monotonic() - started < 1
    runs.skip(301)
    later = runs.step("speech")
    assert (later["hosts"], later["retried"]) == (["speech", "lab"], ["lab"])
    runs.end(later["run"])
    runs_left = runs.step()
    assert (runs_left["hosts"], runs_left["retried"]) == ([], [])


def test_a_cloud_that_no_run_of_it_can_converge_is_not_taken_again(runs: Runs) -> None:
    """The message names the command that can."""
    refused = {**FAILED, "error": {"reason": NEEDS_TASKS}}
    found = runs.finish(runs.step("lab")["run"], {"lab": refused})
    assert (found["retries"], found["warnings"]) == ([], [])


def test_what_an_operator_offboards_is_not_tried_again(runs: Runs) -> None:
    runs.finish(runs.step("lab", "speech")["run"], {"lab": FAILED, "speech": FAILED})
    assert runs.step(step="forget", hosts=["lab", "vision"], mode="check") == {"forgotten": []}
    assert runs.step(step="forget", hosts=["speech", "vision"]) == {"forgotten": ["speech"]}
    assert f"healing forgets 1 of 2 clouds, in {runs.directory}: speech" in runs.told[-1]
    runs.skip(301)
    assert runs.step()["hosts"] == ["lab"]


def test_forgetting_makes_no_state_and_fails_for_none(runs: Runs) -> None:
    assert runs.step(step="forget", hosts=["lab"]) == {"forgotten": []}
    assert f"healing forgets 0 of 1 cloud, in {runs.directory}" in runs.told[-1]
    folder = Path(runs.directory)
    assert not folder.exists()
    folder.mkdir(mode=0o700)
    (folder / "healing.json").write_text("{")
    [warning] = runs.step(step="forget", hosts=["lab"])["warnings"]
    assert "cannot be used" in warning
    assert "A run of heal may converge these clouds again." in warning


def test_the_end_of_a_preview_notes_nothing(runs: Runs) -> None:
    found = runs.finish(runs.step("lab", check=True)["run"], {"lab": FAILED}, mode="check")
    assert found["retries"] == []
    assert not Path(runs.directory).exists()


def test_a_preview_takes_nothing(runs: Runs) -> None:
    for options in ({"check": True}, {"mode": "check"}):
        assert runs.step("lab", **options)["hosts"] == ["lab"]
    assert not Path(runs.directory).exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("most_heals", 0),
        ("quiet_seconds", -1.0),
        ("run_seconds", 1e9),
        ("window_seconds", float("nan")),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(runs: Runs, option: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{option} is "):
        runs.step("lab", **{option: value})
    assert not Path(runs.directory).exists()
