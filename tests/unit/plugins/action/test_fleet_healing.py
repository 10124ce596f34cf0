# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run takes the clouds of its events, waits for another run that has them, and takes no more than
it may.
"""

from __future__ import annotations

import collections
import shutil
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
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events import taking
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.rules import Rules
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.scope import Scope
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.state_file import (
    StateFile,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run import folder as run_folder
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import RunFolder
from ansible_collections.rayfleet.anyscale.tests.support.growth import LINEAR, growth

Json = dict[str, t.Any]
NAMES = ["speech", "vision", "lab"]
QUICK = Rules(quiet=0.0, longest_wait=60, run_seconds=600, most_heals=1)
IN_SYNC: Json = {"state": "in_sync", "changed": False}
CHANGED: Json = {"state": "changed", "changed": True}
FAILED: Json = {"state": "failed", "changed": False, "msg": "It is throttled."}
NOT_REACHED: Json = {"state": "not_reached", "changed": False}
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
        self.localhost: Json = {}
        self.settings: collections.defaultdict[str, str] = collections.defaultdict(lambda: "first")
        self.invalid: set[str] = set()
        self.excluded: set[str] = set()
        self.accounts: collections.defaultdict[str, str] = collections.defaultdict(lambda: "1")

    def onboard(
        self, outcomes: dict[str, Json], *, to_role: Json | None = None, **options: t.Any
    ) -> Json:
        """The end of a run of onboard with these outcomes, of the engine and of the role."""
        folder = RunFolder("0ab0a4d1")
        folder.write_outcomes(outcomes)
        left = list(to_role or {})
        run = {"step": "onboard", "began": time.time(), "whole": True, "left_to_tasks": left}
        folder.write("run", {**run, **options})
        folder.write("settings", {name: self.settings[name] for name in [*outcomes, *left]})
        return self.step(step="onboarded", run=folder.token, hostvars=to_role, **options)

    def step(
        self, *clouds: str, check: bool = False, hostvars: Json | None = None, **options: t.Any
    ) -> Json:
        """The first step of a run whose events touch these clouds."""
        action = ActionModule.__new__(ActionModule)
        action._task = types.SimpleNamespace(check_mode=check)
        touched = [{"name": cloud, "documents": [f"role {cloud}"]} for cloud in clouds]
        given = {"step": "begin", "clouds": touched, "quiet_seconds": 0.0, "most_heals": 1}
        arguments = {**DEFAULTS, "run": None, "state_dir": self.directory, **given, **options}
        return action.run_for(NAMES, {"localhost": self.localhost, **(hostvars or {})}, arguments)

    def scope_of(
        self, _action: ActionModule, names: list[str], asked: list[str], only_onboarded: bool
    ) -> Scope:
        """What the variables of the clouds make of it."""
        accounts = {name: self.accounts[name] for name in asked}
        if not only_onboarded:
            return Scope(names, accounts=accounts)
        invalid = self.invalid.intersection(asked)
        settings = {name: self.settings[name] for name in asked if name not in invalid}
        return Scope(names, settings, invalid, accounts)

    def without_excluded(self, _action: ActionModule, names: list[str]) -> list[str]:
        return [name for name in names if name not in self.excluded]

    def end(self, run: str, *changed: str) -> None:
        """The end of a run that failed for no cloud."""
        self.finish(run, {**dict.fromkeys(NAMES, IN_SYNC), **dict.fromkeys(changed, CHANGED)})

    def finish(self, run: str, outcomes: dict[str, Json], **options: t.Any) -> Json:
        """The last step of a run with these outcomes."""
        if outcomes:
            RunFolder(run).write_outcomes(outcomes)
        return self.step(step="finish", run=run, **options)

    @property
    def state(self) -> str:
        """What the file has."""
        return (Path(self.directory) / "healing.json").read_text()

    def skip(self, seconds: float) -> None:
        """Let time pass for the clouds that are tried again."""
        with StateFile(self.directory, QUICK).update() as healing:
            for cloud in healing.state["clouds"].values():
                if cloud["retry"]:
                    cloud["retry"]["at"] -= seconds


@pytest.fixture(name="fresh")
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Before any run of onboard."""
    monkeypatch.setattr(taking, "_POLL_SECONDS", 0.02)
    monkeypatch.setattr(run_folder, "run_directory", lambda: str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    runs = Runs(tmp_path)
    monkeypatch.setattr(fleet_healing, "scope_of", runs.scope_of)
    monkeypatch.setattr(fleet_healing, "without_excluded", runs.without_excluded)
    monkeypatch.setattr(fleet_healing.display, "display", runs.told.append)
    return runs


@pytest.fixture(name="runs")
def _runs(fresh: Runs) -> Runs:
    """After a run of onboard has converged all clouds."""
    fresh.onboard(dict.fromkeys(NAMES, IN_SYNC))
    return fresh


def test_only_clouds_that_were_onboarded_are_healed(fresh: Runs) -> None:
    """Also by a preview. The others are left and told, until a run of onboard has converged them."""
    told = (
        "2 clouds were left, since no run of onboard has converged them, or they were rolled back or "
        f"offboarded since, as {fresh.directory} tells: speech, lab. Onboard them."
    )
    for options in ({}, {"check": True}, {"mode": "check"}):
        found = fresh.step("lab", "speech", **options)
        assert (found["hosts"], found["not_onboarded"]) == ([], ["speech", "lab"])
        assert fresh.told.pop() == told
    fresh.onboard({"lab": CHANGED, "speech": FAILED, "vision": IN_SYNC})
    for options in ({"check": True}, {}):
        found = fresh.step("lab", "speech", **options)
        assert (found["hosts"], found["not_onboarded"]) == (["lab"], ["speech"])
    fresh.end(found["run"])
    found = fresh.step("speech", only_onboarded=False)
    assert (found["hosts"], found["not_onboarded"]) == (["speech"], [])


def test_a_cloud_that_is_excluded_stays_pending(runs: Runs) -> None:
    """Whatever is noted of it, and whether or not only onboarded clouds are healed."""
    runs.step("lab", paused=True)
    runs.excluded = {"lab"}
    for options in ({"check": True}, {"only_onboarded": False}, {}):
        found = runs.step("speech", **options)
        assert (found["hosts"], found["left"]) == (["speech"], [])
        if not options.get("check"):
            runs.end(found["run"])
    assert runs.step(paused=True)["pending"] == []
    runs.excluded = set()
    assert runs.step()["hosts"] == ["lab"]


NOT_ROLLED_OUT = (
    "1 cloud was left, since its variables are not those that onboard has converged it with: lab. What "
    "has changed of it stays pending. To roll its variables out first: "
)


def test_a_cloud_is_healed_with_the_variables_that_were_rolled_out(runs: Runs) -> None:
    """Also by a run without events, and by a preview."""
    runs.settings["lab"] = "second"
    for options in ({"check": True}, {"mode": "check"}, {}):
        found = runs.step("lab", "speech", **options)
        assert (found["hosts"], found["not_rolled_out"]) == (["speech"], ["lab"])
        assert (found["not_onboarded"], found["left"]) == ([], [])
        assert found["warnings"] == [
            f"{NOT_ROLLED_OUT}ansible-playbook rayfleet.anyscale.onboard -e fleet_clouds=lab"
        ]
    runs.end(found["run"])
    found = runs.step()
    assert (found["hosts"], found["not_rolled_out"]) == ([], ["lab"])
    runs.localhost = {"awx_job_id": 7, "awx_job_template_name": "Anyscale heal"}
    [warning] = runs.step(paused=True)["warnings"]
    assert warning == (
        f"{NOT_ROLLED_OUT}launch the job template Anyscale onboard with apply for Mode and lab for "
        "Clouds"
    )


ENDINGS: dict[str, tuple[Json, str]] = {
    "converged": ({"outcomes": {"lab": CHANGED}}, "done"),
    "found in sync": ({"outcomes": {"lab": IN_SYNC}}, "done"),
    "converged by the role": (
        {"outcomes": {}, "to_role": {"lab": {"cloud_iam_trust_result": {"changed": True}}}},
        "done",
    ),
    "not converged, as the run failed": ({"outcomes": {"lab": FAILED}}, "left"),
    "not reached": ({"outcomes": {"lab": NOT_REACHED}}, "left"),
    "converged in a part": ({"outcomes": {"lab": CHANGED}, "whole": False}, "left"),
    "only previewed": ({"outcomes": {"lab": IN_SYNC}, "check": True}, "left"),
}


@pytest.mark.parametrize(("ending", "expected"), ENDINGS.values(), ids=ENDINGS)
def test_changed_variables_count_once_onboard_has_converged_the_cloud(
    runs: Runs, ending: Json, expected: str
) -> None:
    """What was pending before is done by that run."""
    runs.settings["lab"] = "second"
    assert runs.step("lab")["not_rolled_out"] == ["lab"]
    runs.onboard(**ending)
    assert runs.step()["not_rolled_out"] == ([] if expected == "done" else ["lab"])
    hosts = runs.step("lab")["hosts"]
    assert hosts == (["lab"] if expected == "done" else [])


def test_variables_that_are_changed_back_have_the_cloud_healed(runs: Runs) -> None:
    """Nothing of what happened meanwhile is forgotten."""
    runs.settings["lab"] = "second"
    assert runs.step("lab")["hosts"] == []
    runs.settings["lab"] = "first"
    assert runs.step()["hosts"] == ["lab"]


def test_a_cloud_whose_variables_are_invalid_fails_rather_than_being_left(runs: Runs) -> None:
    """A run takes it, so that the engine says what is wrong, and converges it in no case: nobody knows
    whether what it will read then was rolled out.
    """
    runs.invalid = {"lab", "vision"}
    for options in ({"check": True}, {}):
        found = runs.step("lab", **options)
        assert (found["hosts"], found["not_rolled_out"], found["warnings"]) == (["lab"], [], [])
        assert list(found["refused"]) == ["lab"]
        assert "could not be read when the run began" in found["refused"]["lab"]
    runs.finish(found["run"], {"lab": FAILED})
    runs.skip(301)
    runs.invalid = set()
    found = runs.step()
    assert (found["hosts"], found["refused"]) == (["lab"], {})


def test_whatever_was_rolled_out_where_that_does_not_count(runs: Runs) -> None:
    runs.settings["lab"] = "second"
    found = runs.step("lab", only_onboarded=False)
    assert (found["hosts"], found["not_rolled_out"], found["warnings"]) == (["lab"], [], [])


ONBOARDINGS: dict[str, tuple[Json, set[str]]] = {
    "of all parts": ({}, {"lab", "speech", "vision"}),
    "of a part, by its tags": ({"whole": False}, set()),
    "as a check": ({"check": True}, set()),
}


@pytest.mark.parametrize(("options", "expected"), ONBOARDINGS.values(), ids=ONBOARDINGS)
def test_which_clouds_a_run_of_onboard_notes(
    fresh: Runs, options: Json, expected: set[str]
) -> None:
    """Those that the role has converged too."""
    by_role = {
        "vision": {"cloud_iam_trust_result": {"changed": True}},
        "fourth": {
            "cloud_iam_trust_result": {"failed": True},
            "group_names": ["fleet_0ab0a4d1_failed"],
        },
        "fifth": {},
    }
    outcomes = {"lab": IN_SYNC, "speech": CHANGED, "third": FAILED, "sixth": NOT_REACHED}
    assert not fresh.onboard(outcomes, to_role=by_role, **options).get("warnings")
    assert Path(fresh.directory).exists() == bool(expected)
    if expected:
        with StateFile(fresh.directory, QUICK).update() as healing:
            assert set(healing.onboarded) == expected


def test_a_note_that_cannot_be_written_fails_no_onboarding(fresh: Runs) -> None:
    Path(fresh.directory).write_text("")
    [warning] = fresh.onboard({"lab": IN_SYNC})["warnings"]
    assert "cannot be used" in warning
    assert "No event heals the clouds of this run, until a run of onboard can note them." in warning


TOO_MANY = (
    "More clouds of account 1 are due at once than heal_max_clouds (option max_clouds), which is 1, so "
    "that 2 clouds are not converged: "
)
GO_ON = (
    "They stay pending. To onboard them, with a canary: ansible-playbook rayfleet.anyscale.onboard -e "
    "fleet_clouds=speech,vision. Else set a higher limit in the inventory."
)


@pytest.mark.parametrize("only_onboarded", [True, False])
def test_too_many_clouds_of_one_account_hold_up_no_other(runs: Runs, only_onboarded: bool) -> None:
    """They are named, and make a run fail that has no other cloud. A preview says the same."""
    runs.accounts["lab"] = "2"
    given = {"max_clouds": 1, "only_onboarded": only_onboarded}
    for options in ({"check": True}, {}):
        found = runs.step(*NAMES, **given, **options)
        assert (found["hosts"], found["left"]) == (["lab"], [])
        assert found["warnings"] == [f"{TOO_MANY}speech, vision. {GO_ON}"]
    runs.end(found["run"])
    for events, options in (["speech", "vision"], {"check": True}), ([], {}):
        with pytest.raises(InputError) as caught:
            runs.step(*events, **given, **options)
        assert caught.value.failure()["msg"] == f"{TOO_MANY}speech, vision. {GO_ON}"
    assert runs.step(max_clouds=2)["hosts"] == ["speech", "vision"]


def test_a_pause_converges_nothing_and_forgets_nothing(runs: Runs) -> None:
    """However many clouds it is that are pending at its end."""
    runs.finish(runs.step("vision")["run"], {"vision": FAILED})
    before = runs.state
    assert runs.step("lab", "fourth", paused=True, check=True)["pending"] == ["vision", "lab"]
    assert runs.state == before
    found = runs.step("lab", "speech", "fourth", paused=True, max_clouds=1)
    assert (found["hosts"], found["pending"]) == ([], NAMES)
    assert found["not_onboarded"] == []
    assert _closing(found) == (
        "Healing is paused (heal_paused), and 3 clouds are pending: speech, vision, lab."
    )
    assert runs.step(paused=True)["pending"] == NAMES
    runs.skip(301)
    assert runs.step()["hosts"] == NAMES
    assert runs.step(paused=True)["pending"] == []


def test_what_was_offboarded_or_rolled_back_is_not_healed_again(runs: Runs) -> None:
    assert runs.step(step="forget", hosts=["lab", "fourth"])["forgotten"] == ["lab"]
    assert runs.step("lab", "speech")["hosts"] == ["speech"]


def test_what_onboard_found_while_it_was_offboarded_is_not_healed_either(fresh: Runs) -> None:
    """It may have read the cloud before it was offboarded, and have noted it before that ended."""
    fresh.step(step="forget", hosts=["lab"])
    fresh.onboard({"lab": IN_SYNC})
    told = list(fresh.told)
    assert fresh.step(step="forgotten", hosts=["lab"], check=True) == {"forgotten": []}
    assert fresh.step(step="forgotten", hosts=["lab"]) == {"forgotten": ["lab"]}
    assert fresh.told == told
    assert fresh.step("lab")["hosts"] == []


@pytest.mark.parametrize("known", [True, False], ids=["onboarded before", "new"])
def test_a_run_of_onboard_that_ends_later_does_not_have_it_healed(
    request: pytest.FixtureRequest, known: bool
) -> None:
    """The first run of all, too."""
    runs: Runs = request.getfixturevalue("runs" if known else "fresh")
    began = time.time()
    runs.step(step="forget", hosts=["lab"])
    found = runs.onboard({"lab": CHANGED, "speech": CHANGED}, began=began)
    assert found["warnings"] == [
        "1 cloud was offboarded or rolled back while this run was going on, so that no event heals it: "
        "lab. To converge it again, and have events heal it: ansible-playbook "
        "rayfleet.anyscale.onboard -e fleet_clouds=lab"
    ]
    assert runs.step("lab", "speech")["hosts"] == ["speech"]
    assert runs.onboard({"lab": CHANGED})["warnings"] == []
    assert runs.step("lab")["hosts"] == ["lab"]


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


def _closing(found: Json) -> str:
    """What the run ends with if it has no cloud."""
    return str(RunFolder(found["run"]).read("selection")["none"])


def test_a_run_of_the_clock_says_that_nothing_was_due(runs: Runs) -> None:
    assert _closing(runs.step()) == "Nothing was due."


def test_what_was_put_back_too_often_is_refused_and_said(runs: Runs) -> None:
    """Of the clouds of the events: that of others was said before."""
    runs.end(runs.step("lab")["run"], "lab")
    found = runs.step("lab", "speech")
    assert (found["hosts"], found["left"]) == (["speech", "lab"], [])
    assert [(one["cloud"], one["document"]) for one in found["stopped"]] == [("lab", "role lab")]
    assert (list(found["refused"]), found["warnings"]) == (["lab"], [])
    message = found["refused"]["lab"]
    [stop] = found["stopped"]
    assert message == (
        "lab: role lab was put back once within 3600 s, and has changed again. Until "
        f"{stop['until']}, runs of heal put back nothing of this cloud. Find the other "
        "writer (for AWS, in CloudTrail). To converge it now: ansible-playbook "
        "rayfleet.anyscale.onboard -e fleet_clouds=lab"
    )
    runs.end(found["run"])
    found = runs.step("vision")
    assert (found["hosts"], found["stopped"], found["refused"]) == (["vision"], [], {})


def test_in_awx_it_is_said_which_job_template_puts_it_back(runs: Runs) -> None:
    runs.localhost = {"awx_job_id": 7, "awx_job_template_name": "Anyscale heal"}
    runs.end(runs.step("lab")["run"], "lab")
    message = runs.step("lab")["refused"]["lab"]
    assert "launch the job template Anyscale onboard with apply for Mode and lab for" in message


def test_nothing_of_such_a_cloud_is_put_back(runs: Runs) -> None:
    """A run converges all of a cloud, so one for another document would do what its message denies."""
    runs.end(runs.step("lab")["run"], "lab")
    found = runs.step(clouds=[{"name": "lab", "documents": ["role lab", "bucket lab"]}])
    assert (list(found["refused"]), found["warnings"]) == (["lab"], [])
    assert runs.step()["hosts"] == []


def test_a_cloud_that_ever_other_documents_change_of_is_refused_and_said(runs: Runs) -> None:
    for number in range(4):
        found = runs.step(clouds=[{"name": "lab", "documents": [f"policy arn {number}"]}])
        runs.end(found["run"], "lab")
    assert "lab: the cloud was put back 3 times within 3600 s" in found["refused"]["lab"]


@pytest.mark.parametrize(
    "outcomes",
    [
        pytest.param({"lab": FAILED}, id="it failed"),
        pytest.param({"lab": NOT_REACHED}, id="it was not reached"),
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
    assert runs.step(step="forget", hosts=["speech", "vision"]) == {
        "forgotten": ["speech", "vision"]
    }
    assert f"healing forgets 2 of 2 clouds, in {runs.directory}: speech, vision" in runs.told[-1]
    runs.skip(301)
    assert runs.step()["hosts"] == ["lab"]


def _break_file(folder: Path) -> None:
    (folder / "healing.json").write_text("{")


def _let_others_write(folder: Path) -> None:
    folder.chmod(0o770)


@pytest.mark.parametrize("break_state", [_break_file, _let_others_write])
def test_a_state_that_cannot_be_used_keeps_no_cloud_from_being_offboarded(
    runs: Runs, break_state: t.Callable[[Path], None]
) -> None:
    break_state(Path(runs.directory))
    found = runs.step(step="forget", hosts=["lab"])
    assert found["forgotten"] == []
    [warning] = found["warnings"]
    assert runs.directory in warning
    assert "A run of heal may converge these clouds again." in warning


def test_a_cloud_that_nothing_is_known_of_is_forgotten_too(fresh: Runs) -> None:
    """A run of onboard may be about to note it. Without clouds, no state is made."""
    assert fresh.step(step="forget", hosts=[]) == {"forgotten": []}
    assert not Path(fresh.directory).exists()
    assert fresh.step(step="forget", hosts=["lab"]) == {"forgotten": []}
    assert f"healing forgets 0 of 1 cloud, in {fresh.directory}" in fresh.told[-1]
    assert '"forgotten": {"lab": ' in fresh.state


def test_the_end_of_a_preview_notes_nothing(runs: Runs) -> None:
    before = runs.state
    found = runs.finish(runs.step("lab", check=True)["run"], {"lab": FAILED}, mode="check")
    assert found["retries"] == []
    assert runs.state == before


def test_a_preview_takes_nothing(runs: Runs) -> None:
    before = runs.state
    for options in ({"check": True}, {"mode": "check"}):
        assert runs.step("lab", **options)["hosts"] == ["lab"]
    assert _closing(runs.step(check=True)) == "Nothing was due."
    assert runs.state == before


def test_ten_times_the_clouds_take_ten_times_as_long(
    fresh: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All steps together."""

    def steps(clouds: int) -> None:
        names = [f"cloud-{number}" for number in range(clouds)]
        monkeypatch.setattr(f"{__name__}.NAMES", names)
        fresh.onboard(dict.fromkeys(names, IN_SYNC))
        assert len(fresh.step(*names, paused=True)["pending"]) == clouds
        with pytest.raises(InputError):
            fresh.step()
        assert len(fresh.step(max_clouds=clouds)["hosts"]) == clouds
        assert len(fresh.step(step="forget", hosts=names)["forgotten"]) == clouds
        shutil.rmtree(fresh.directory)

    assert growth(steps, 1000) < LINEAR
