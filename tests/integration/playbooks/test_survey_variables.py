# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is answered to a survey of AWX is validated in the play, before any call, and does what it
says.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import (
    SCIENCE_ACCOUNT,
    VISION_ACCOUNT,
)
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    Run,
    inventory_file,
    run_playbook,
)
from ansible_collections.rayfleet.anyscale.tests.support.rows import LONG, few_of

Json = dict[str, t.Any]

# The role of the cloud that is taken off is its default role, and EC2 is the only one to assume it.
OFFBOARD: Json = {"offboard_default_role": "yes", "cloud_iam_manage_trust": False}
EVERYWHERE = {cloud.name for cloud in FLEET}
OF_SCIENCE = {cloud.name for cloud in FLEET if cloud.account_id == SCIENCE_ACCOUNT}
NEED_SOMETHING = sorted(EVERYWHERE - {"genomics-prod"})


class _OfAwx(yaml.SafeDumper):
    """Writes answers as AWX does: no text of them is a template."""


_OfAwx.add_representer(str, lambda dumper, text: dumper.represent_scalar("!unsafe", text))


@pytest.fixture(name="play")
def _play(running_sandbox: Sandbox, tmp_path: Path) -> t.Callable[..., Run]:
    """Run a playbook on the seeded fleet with answers, as AWX hands them over."""
    running_sandbox.reset()
    running_sandbox.seed(FLEET)
    inventory = inventory_file(tmp_path, running_sandbox, FLEET)

    def run(playbook: str, *options: str, **answers: t.Any) -> Run:
        path = tmp_path / "answers.yml"
        path.write_text(yaml.dump(answers, Dumper=_OfAwx))
        return run_playbook(running_sandbox, playbook, inventory, "-e", f"@{path}", *options)

    return run


Play = t.Callable[..., Run]


def acted_on(run: Run) -> set[str]:
    """The clouds that changed, would change or failed."""
    return {name for name, outcome in run.outcomes.items() if outcome["state"] != "in_sync"}


def published(run: Run, name: str) -> Json:
    """What the run published by that name."""
    of_audit = name.startswith("anyscale_audit")
    [result] = run.named("Write the report" if of_audit else "Summarize the run")
    return result["ansible_stats"]["data"][name]


class Wrong(t.NamedTuple):
    """An answer that means nothing, and what the message names."""

    playbooks: tuple[str, ...]
    answers: Json
    named: str


ALL = ("audit", "onboard", "offboard")
WRONG = {
    "a mode that is none": Wrong(
        ("onboard", "offboard", "rollback"),
        {"fleet_mode": "dry-run", "rollback_run": "1", "offboard_confirm": "12"},
        "fleet_mode is 'dry-run', which is not one of check, apply",
    ),
    "an account that is none": Wrong(ALL, {"fleet_accounts": "1234"}, "fleet_accounts has '1234'"),
    "one of two accounts": Wrong(
        ALL, {"fleet_accounts": f"{VISION_ACCOUNT},x"}, "fleet_accounts has 'x'"
    ),
    "a region that is none": Wrong(ALL, {"fleet_regions": "Oregon"}, "fleet_regions has 'Oregon'"),
    "a template": Wrong(ALL, {"fleet_clouds": "{{ lookup('pipe', 'id') }}"}, "fleet_clouds has "),
    "a command": Wrong(ALL, {"fleet_clouds": "$(id)"}, "fleet_clouds has '$(id)'"),
    "a name of no cloud": Wrong(
        ALL, {"fleet_clouds": "visoin-*"}, "None of the 12 clouds is selected by clouds visoin-*"
    ),
    "nothing, where something is needed": Wrong(
        ALL, {"fleet_require_selection": True, "fleet_clouds": ""}, "No cloud is selected"
    ),
    "a number of clouds that is not theirs": Wrong(
        ("offboard",), {"offboard_confirm": "10"}, "12 clouds are selected to be offboarded, but"
    ),
    "a canary of more than all": Wrong(
        ("onboard",), {"onboard_canary_percent": 101}, "onboard_canary_percent is 101"
    ),
    "a canary of less than none": Wrong(
        ("onboard",), {"onboard_canary_percent": -1}, "onboard_canary_percent is -1"
    ),
    "a canary that is no number": Wrong(
        ("onboard",), {"onboard_canary_percent": "some"}, "onboard_canary_percent is "
    ),
    "a part that is none": Wrong(
        ("onboard",),
        {"onboard_only": "half"},
        "onboard_only is 'half', which is not one of all, canary",
    ),
    "the canary of none": Wrong(
        ("onboard",), {"onboard_only": "canary"}, "only is canary, but canary_percent is 0"
    ),
    "a budget that is no number": Wrong(
        ("onboard",), {"onboard_max_fail_percentage": "few"}, "onboard_max_fail_percentage is "
    ),
    "a label with a folder in it": Wrong(("audit",), {"audit_label": "../etc"}, "audit_label is "),
    "a label with a line break": Wrong(("audit",), {"audit_label": "nightly\n"}, "audit_label is "),
    "an audit that fails for something else": Wrong(
        ("audit",), {"audit_fail_on": "always"}, "audit_fail_on is "
    ),
}


# Which values are refused is tested with the selection and with the modules; here is one answer of
# each variable in one of its playbooks.
ONE_EACH = {
    "a mode that is none": "offboard",
    "an account that is none": "audit",
    "a region that is none": "onboard",
    "a template": "onboard",
    "a name of no cloud": "offboard",
    "nothing, where something is needed": "audit",
    "a number of clouds that is not theirs": "offboard",
    "a canary of more than all": "onboard",
    "a part that is none": "onboard",
    "a budget that is no number": "onboard",
    "a label with a folder in it": "audit",
    "an audit that fails for something else": "audit",
}


# An audit is read before it fails; what still runs, before anything is offboarded.
READ_FIRST = {
    ("audit", "an audit that fails for something else"),
    ("offboard", "a mode that is none"),
}


@pytest.mark.parametrize(
    ("playbook", "case"),
    [
        pytest.param(playbook, case, marks=() if ONE_EACH.get(case) == playbook else (LONG,))
        for case in WRONG
        for playbook in WRONG[case].playbooks
    ],
)
def test_an_answer_that_means_nothing_is_refused(play: Play, playbook: str, case: str) -> None:
    """By its name, and before anything is written."""
    run = play(playbook, **WRONG[case].answers)
    assert run.exit_status != 0, run.output
    assert WRONG[case].named in run.output, run.output
    assert "Traceback" not in run.output
    assert "uid=" not in run.output
    assert run.writes == []
    if (playbook, case) not in READ_FIRST:
        assert run.operations == {}


class Chosen(t.NamedTuple):
    """Answers, and the clouds that they mean."""

    answers: Json
    clouds: set[str]


CHOSEN = {
    "an account": Chosen({"fleet_accounts": SCIENCE_ACCOUNT}, OF_SCIENCE),
    "both accounts, as a list": Chosen(
        {"fleet_accounts": [SCIENCE_ACCOUNT, VISION_ACCOUNT]}, EVERYWHERE
    ),
    "names, but for one": Chosen(
        {"fleet_clouds": "search-*, !search-lab"}, {"search-prod", "search-dev"}
    ),
    "an account and a name": Chosen(
        {"fleet_accounts": SCIENCE_ACCOUNT, "fleet_clouds": "*-prod"},
        {name for name in OF_SCIENCE if name.endswith("-prod")},
    ),
    "empty answers": Chosen(
        {"fleet_accounts": "", "fleet_regions": "", "fleet_clouds": ""}, EVERYWHERE
    ),
}


@pytest.mark.parametrize("case", few_of(CHOSEN, "an account and a name"))
def test_an_audit_is_for_the_selected_clouds(play: Play, case: str, tmp_path: Path) -> None:
    """Its report has no others; and no cloud has a task of its own."""
    run = play(
        "audit",
        **CHOSEN[case].answers,
        audit_report_dir=str(tmp_path / "report"),
        audit_label="before",
        awx_job_id=4711,
    )
    assert run.exit_status == 0, run.output
    report = json.loads((tmp_path / "report/report.json").read_text())
    assert {cloud["name"] for cloud in report["clouds"]} == CHOSEN[case].clouds
    assert published(run, "anyscale_audit_4711")["step"] == "audit before"


@pytest.mark.parametrize("case", few_of(CHOSEN, "an account and a name"))
def test_an_onboarding_is_for_the_selected_clouds(play: Play, case: str) -> None:
    """It counts no others, by the engine and by the role."""
    clouds = CHOSEN[case].clouds
    checked = play("onboard", **CHOSEN[case].answers, fleet_mode="check")
    assert acted_on(checked) == clouds & set(NEED_SOMETHING)
    assert published(checked, "anyscale_onboard")["counts"]["selected"] == len(clouds)
    by_role = play("onboard", **CHOSEN[case].answers, fleet_engine=False, fleet_mode="check")
    assert {name for name in EVERYWHERE if by_role.tasks_of_role(name)} == clouds
    assert (
        published(by_role, "anyscale_onboard")["counts"]
        == published(checked, "anyscale_onboard")["counts"]
    )


def test_an_offboarding_is_for_the_selected_clouds(play: Play) -> None:
    """And counts the others as clouds that may share a role."""
    run = play("offboard", fleet_clouds="vision-dev", **OFFBOARD)
    assert acted_on(run) == {"vision-dev"}, run.output


def test_a_default_role_is_taken_off_only_where_that_is_the_answer(play: Play) -> None:
    run = play("offboard", fleet_clouds="vision-dev", **{**OFFBOARD, "offboard_default_role": "no"})
    assert run.failed() == {"vision-dev"}, run.output
    assert run.writes == [], run.output


@pytest.mark.parametrize("playbook", few_of(ALL, "onboard"))
def test_a_slice_may_have_none_of_them(play: Play, playbook: str, tmp_path: Path) -> None:
    """Which is no failure, and costs no call, but is said: it may be a misspelling."""
    run = play(
        playbook,
        fleet_clouds="elsewhere",
        fleet_allow_empty_selection=True,
        audit_report_dir=str(tmp_path / "report"),
    )
    assert run.exit_status == 0, run.output
    assert "None of the 12 clouds is selected by clouds elsewhere" in run.output
    assert run.operations == {}
    if playbook == "onboard":
        assert set(published(run, "anyscale_onboard")["counts"].values()) == {0}


@pytest.mark.parametrize(
    ("variables", "remedy"),
    [
        pytest.param(
            {}, "Set cloud_iam_account_id and cloud_iam_region for this host", id="written"
        ),
        pytest.param({"anyscale_not_read": "It was deleted."}, "It was deleted.", id="not read"),
    ],
)
def test_a_cloud_in_no_known_region_is_left_out_with_a_warning(
    running_sandbox: Sandbox, tmp_path: Path, variables: Json, remedy: str
) -> None:
    """With what there is to do about it: of a cloud that is not read, nothing that is set counts."""
    cloud = FLEET[0]
    given = {"cloud_iam_region": None, **variables}
    inventory = inventory_file(tmp_path, running_sandbox, [cloud], **given)
    answers = ("-e", "fleet_regions=us-west-2", "-e", "fleet_allow_empty_selection=true")
    run = run_playbook(running_sandbox, "onboard", inventory, *answers)
    [selection] = run.named("Select clouds")
    told = f"{cloud.name} is left out, because its account or region is unknown. {remedy}"
    assert told in selection["warnings"][0]
    assert (selection["hosts"], run.operations) == ([], {})


def test_the_mode_check_predicts_and_writes_nothing(play: Play) -> None:
    """Just as --check does."""
    answered = play("onboard", fleet_mode="check", fleet_clouds="search-*")
    asked = play("onboard", "--check", fleet_clouds="search-*")
    assert answered.writes == asked.writes == []
    assert answered.named("Summarize the run") == asked.named("Summarize the run")
    assert "3 would change, 0 in sync, 0 failed" in answered.output


@pytest.mark.long
def test_the_mode_apply_does_not_undo_a_check(play: Play) -> None:
    """--check on the command line wins over the answer of a survey."""
    for playbook, answers in {
        "onboard": {},
        "offboard": {"fleet_clouds": "vision-dev", **OFFBOARD},
    }.items():
        assert play(playbook, "--check", fleet_mode="apply", **t.cast(Json, answers)).writes == []


@pytest.mark.long
def test_an_offboarding_and_a_rollback_can_be_checked(play: Play, tmp_path: Path) -> None:
    """They write nothing, and would."""
    kept = {"cloud_iam_backup_dir": str(tmp_path / "backups"), "cloud_iam_run_id": "4711"}
    play("onboard", **kept)
    offboard: Json = {"fleet_clouds": "vision-dev", **OFFBOARD}
    rollback: Json = {"rollback_run": "4711", "cloud_iam_backup_dir": kept["cloud_iam_backup_dir"]}
    for playbook, answers in {"offboard": offboard, "rollback": rollback}.items():
        run = play(playbook, fleet_mode="check", **answers)
        assert run.exit_status == 0, run.output
        assert run.writes == []
        assert any(run.changed(name) for name in EVERYWHERE)


@pytest.mark.core
def test_the_canary_comes_alone_and_then_the_rest(play: Play) -> None:
    """Of those that need something: a quarter of eleven is three. Each job publishes its counts
    under a name of its own, by which the report of a workflow distinguishes its steps.
    """
    job = play("onboard", onboard_canary_percent=25, onboard_only="canary", awx_job_id=1)
    rest = play("onboard", onboard_canary_percent=25, onboard_only="all", awx_job_id=2)
    assert acted_on(job) == set(NEED_SOMETHING[:3])
    assert "3 changed, 1 in sync, 0 failed, 8 deferred" in job.output
    assert acted_on(rest) == set(NEED_SOMETHING[3:])
    assert "8 changed, 4 in sync, 0 failed" in rest.output
    first_counts, rest_counts = (
        published(run, f"anyscale_onboard_{number}") for number, run in ((1, job), (2, rest))
    )
    assert (first_counts["step"], rest_counts["step"]) == ("onboard canary", "onboard")
    assert first_counts["counts"] == {
        "selected": 12,
        "changed": 3,
        "failed": 0,
        "not_reached": 0,
        "in_sync": 1,
        "deferred": 8,
        "not_permitted": 0,
    }
    assert rest_counts["counts"] == {
        "selected": 12,
        "changed": 8,
        "failed": 0,
        "not_reached": 0,
        "in_sync": 4,
        "deferred": 0,
        "not_permitted": 0,
    }


@pytest.mark.long
def test_a_failure_in_the_canary_stops_the_rest(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """Unless a budget lets it continue."""
    for budget, reached in ({}, 3), ({"onboard_max_fail_percentage": 50}, 11):
        running_sandbox.reset()
        running_sandbox.seed(FLEET)
        inventory = inventory_file(tmp_path, running_sandbox, FLEET)
        content = yaml.safe_load(inventory.read_text())
        content["all"]["children"]["anyscale_clouds"]["hosts"][NEED_SOMETHING[0]][
            "cloud_iam_bucket"
        ] = "no-such-bucket"
        inventory.write_text(yaml.safe_dump(content))
        answers = {"onboard_canary_percent": 25, **t.cast(Json, budget)}
        run = run_playbook(running_sandbox, "onboard", inventory, "-e", json.dumps(answers))
        assert run.exit_status != 0
        assert len(acted_on(run)) == reached, run.output


def test_the_progress_counts_only_the_selected_clouds(
    running_sandbox: Sandbox, tmp_path: Path
) -> None:
    """No cloud counts as in sync that was not read, and none that is deferred."""
    running_sandbox.reset()
    running_sandbox.seed(FLEET)
    answers = {
        "fleet_clouds": "search-*,genomics-*",
        "onboard_canary_percent": 1,
        "onboard_only": "canary",
    }
    inventory = inventory_file(tmp_path, running_sandbox, FLEET)
    callback = {"ANSIBLE_STDOUT_CALLBACK": "rayfleet.anyscale.fleet"}
    run = run_playbook(
        running_sandbox, "onboard", inventory, "-e", json.dumps(answers), variables=callback
    )
    assert "clouds=2 in_sync=1 changed=1 failed=0 unreachable=0" in run.output
