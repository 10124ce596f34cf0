# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables of playbooks are what the specification says, or the error names the variable and a
value to set.
"""

from __future__ import annotations

import re
import typing as t

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.modules import playbook_variables_info
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.playbook_variables import (
    COLLECTION,
    load_playbook,
    playbook_names,
)

pytestmark = pytest.mark.core


def parse(playbook: str, given: dict[str, t.Any]) -> dict[str, t.Any]:
    """The values of a playbook's variables in a run with these."""
    loaded = load_playbook(playbook)
    loaded.refuse_names(given, given)
    return loaded.parse(given.__getitem__, given)


def test_without_variables_all_have_their_defaults() -> None:
    found = parse("onboard", {})
    assert found["onboard_hosts"] == ["anyscale_clouds"]
    assert found["fleet_threads"] == 16
    assert found["onboard_rings"] == []
    assert found["onboard_serial"] is None


@pytest.mark.parametrize(
    ("playbook", "name", "value", "expected"),
    [
        pytest.param("onboard", "onboard_canary_percent", "10", 10, id="a number of the command"),
        pytest.param("onboard", "onboard_canary_percent", 100, 100, id="the largest"),
        pytest.param("onboard", "onboard_max_fail_percentage", "0.5", 0.5, id="a fraction"),
        pytest.param("onboard", "onboard_read_back", "no", False, id="a bool of the command"),
        pytest.param("onboard", "onboard_rings", "a,b", ["a", "b"], id="a text is a list"),
        pytest.param("onboard", "onboard_serial", None, None, id="null is not set"),
        pytest.param("audit", "fleet_clouds", "", None, id="so is an empty answer of a survey"),
        pytest.param("audit", "audit_label", "", None, id="of a text as well"),
        pytest.param("audit", "audit_label", "a_-9", "a_-9", id="a label"),
        pytest.param("rollback", "rollback_run", 4711, ["4711"], id="an ID in digits"),
        pytest.param("offboard", "offboard_confirm", "12", 12, id="a number of clouds"),
        pytest.param("offboard", "offboard_confirm", "", None, id="a number that nobody gave"),
        pytest.param("audit", "audit_formats", "json,sarif", ["json", "sarif"], id="names"),
    ],
)
def test_a_value_is(playbook: str, name: str, value: t.Any, expected: t.Any) -> None:
    """In the type of the variable."""
    assert parse(playbook, {name: value})[name] == expected


@pytest.mark.parametrize(
    ("playbook", "name", "value", "message"),
    [
        (
            "onboard",
            "onboard_serial",
            "ten",
            "not a whole number For example: -e onboard_serial=50",
        ),
        ("onboard", "onboard_serial", 0, "not a number of at least 1"),
        ("onboard", "onboard_serial", True, "not a whole number"),
        ("onboard", "onboard_canary_percent", 101, "not a number from 0 to 100"),
        ("onboard", "onboard_canary_percent", -1, "not a number from 0 to 100"),
        ("onboard", "onboard_max_fail_percentage", "nan", "not a number from 0 to 100"),
        ("onboard", "onboard_read_back", "maybe", "not true or false"),
        ("audit", "audit_formats", "json,sarff", "not one of json, csv, html, sarif, ocsf"),
        ("offboard", "offboard_confirm", True, "not a whole number"),
        ("onboard", "onboard_only", "cannary", "not one of all, canary"),
        ("onboard", "fleet_mode", "", "not one of check, apply"),
        ("onboard", "fleet_threads", "", "not a whole number"),
        ("onboard", "onboard_rings", {"a": 1}, "not a list"),
        ("audit", "audit_label", "two words", "not 1 to 40 letters"),
        ("audit", "audit_label", "a\n", "not 1 to 40 letters"),
        ("audit", "audit_label", "x" * 41, "not 1 to 40 letters"),
        ("audit", "audit_report_dir", ["a"], "not a path"),
    ],
)
def test_an_invalid_value_is_refused(playbook: str, name: str, value: t.Any, message: str) -> None:
    """With its variable, its value, and an example."""
    with pytest.raises(InputError) as caught:
        parse(playbook, {name: value})
    text = f"{caught.value.message} {caught.value.remedy}"
    assert text.startswith(f"{name} is ")
    assert message in text
    assert "For example: -e " in text
    assert name in caught.value.remedy


@pytest.mark.parametrize("extra", [True, False], ids=["of the command", "of the inventory"])
@pytest.mark.parametrize(
    ("playbook", "name", "nearest"),
    [
        ("onboard", "onboard_cannary_percent", "onboard_canary_percent"),
        ("onboard", "fleet_acounts", "fleet_accounts"),
        ("offboard", "offboard_runing", "offboard_running"),
        ("rollback", "rollback_path", "rollback_paths"),
        ("audit", "audit_failon", "audit_fail_on"),
        ("verify_cluster", "verify_expected_roles", "verify_expected_role"),
        ("awx", "awx_setup_organisation", "awx_setup_organization"),
        ("awx_report", "awx_report_required_step", "awx_report_required_steps"),
    ],
)
def test_a_misspelt_name_is_refused(playbook: str, name: str, nearest: str, extra: bool) -> None:
    """It would be ignored."""
    with pytest.raises(InputError) as caught:
        load_playbook(playbook).refuse_names([name], [name] if extra else [])
    assert caught.value.message == f"{name} is not a variable of the playbook {playbook}"
    assert caught.value.remedy.startswith(f"Did you mean {nearest}? ")


@pytest.mark.parametrize("name", ["onboard_dry_run", "fleet_owner", "onboard_only_check"])
def test_an_unknown_name_of_the_command_is_refused(name: str) -> None:
    """An inventory may have it, for the user's own use."""
    onboard = load_playbook("onboard")
    with pytest.raises(InputError) as caught:
        onboard.refuse_names([name], [name])
    assert caught.value.remedy.startswith("Its variables are on https://")
    assert caught.value.remedy.endswith("/docs/docsite/rst/playbook_onboard.rst.")
    onboard.refuse_names([name], [])


@pytest.mark.parametrize(
    ("playbook", "name", "nearest"),
    [
        pytest.param("onboard", "plan_file", "onboard_plan_file", id="the option of a module"),
        pytest.param("onboard", "accounts", "fleet_accounts", id="without the prefix of all"),
        pytest.param("audit", "report_dir", "audit_report_dir", id="of an audit"),
        pytest.param("onboard", "onbord_plan_file", "onboard_plan_file", id="a misspelt prefix"),
        pytest.param("onboard", "on_board_rings", "onboard_rings", id="a prefix in two words"),
        pytest.param("onboard", "fleet-accounts", "fleet_accounts", id="a hyphen"),
        pytest.param("onboard", "FLEET_ACCOUNTS", "fleet_accounts", id="as of the environment"),
        pytest.param("onboard", "ticket", "", id="a name of the user's own"),
        pytest.param("onboard", "onboarding_ticket", "", id="one that begins as a prefix does"),
        pytest.param("onboard", "audit_report_dir", "", id="a variable of another playbook"),
        pytest.param("onboard", "cloud_iam_bucket", "", id="a variable of clouds"),
        pytest.param("onboard", "anyscale_onboard", "", id="the artifact of an earlier job"),
        pytest.param("onboard", "ansible_limit", "", id="a variable of Ansible"),
    ],
)
def test_a_name_of_the_command_that_is_nearly_a_variable(
    playbook: str, name: str, nearest: str
) -> None:
    """It would be ignored: a run that was to be bound by a plan would be bound to nothing."""
    found = load_playbook(playbook).ignored([name], [name])
    words = f"{name} is set, which is not a variable of the playbook {playbook}"
    assert [(error.message, error.remedy) for error in found] == (
        [(words, f"Did you mean {nearest}?")] if nearest else []
    )


def test_what_is_passed_on_as_a_variable_is_not_ignored() -> None:
    """By a playbook of the user's own, that imports one of the collection."""
    found = load_playbook("onboard").ignored(["accounts"], ["accounts", "fleet_accounts"])
    assert found == []


@pytest.mark.parametrize("playbook", ["offboard", "rollback"])
def test_a_plan_file_is_not_ignored(playbook: str) -> None:
    """Who sets it expects a run that it binds."""
    with pytest.raises(InputError) as caught:
        load_playbook(playbook).refuse_names(["onboard_plan_file"], [])
    assert caught.value.message == f"onboard_plan_file is set, but not for {playbook}"
    assert caught.value.remedy == "A plan file binds runs of onboard alone. Leave it out."


@pytest.mark.parametrize(
    ("playbook", "name"),
    [
        pytest.param("onboard", "onboarding_ticket", id="another prefix"),
        pytest.param("onboard", "audit_owner", id="the prefix of another playbook"),
        pytest.param("audit", "fleet_mode", id="a variable of another playbook"),
        pytest.param("audit", "onboard_plan_file", id="a plan file, where nothing is written"),
        pytest.param("onboard", "fleet_summary", id="what an earlier playbook has registered"),
    ],
)
def test_a_name_is_no_mistake(playbook: str, name: str) -> None:
    load_playbook(playbook).refuse_names([name], [name])


@pytest.mark.parametrize(
    ("playbook", "tags", "own", "message"),
    [
        pytest.param(
            "audit", {"trust"}, [], "'trust' is not a tag of the playbook audit", id="none"
        ),
        pytest.param("onboard", {"trusts"}, [], "'trusts' is not a tag of", id="a misspelt one"),
        pytest.param("onboard", {"trust", "all"}, [], "", id="a part"),
        pytest.param("audit", {"all", "untagged"}, [], "", id="Ansible's own"),
        pytest.param("audit", {"nightly"}, ["nightly", "always"], "", id="that of an import"),
    ],
)
def test_a_tag_that_means_nothing_is_refused(
    playbook: str, tags: set[str], own: list[str], message: str
) -> None:
    """The playbook would do all that it does without."""
    loaded = load_playbook(playbook)
    if not message:
        loaded.refuse_tags(tags, own)
        return
    with pytest.raises(InputError) as caught:
        loaded.refuse_tags(tags, own)
    assert caught.value.message.startswith(message)


def test_values_for_each_host_are_left_to_the_task_that_reads_them() -> None:
    assert "offboard_running" not in parse("offboard", {"offboard_running": "perhaps"})


def test_the_module_has_the_playbooks_of_the_specification() -> None:
    options = yaml.safe_load(playbook_variables_info.DOCUMENTATION)["options"]
    assert tuple(options["playbook"]["choices"]) == playbook_names()


def answers_by_default() -> t.Iterator[t.Any]:
    """The survey of each job template of AWX, with the answers that it begins with."""
    path = COLLECTION / "roles/awx_setup/vars/main.yml"
    # The tag is of Ansible alone: a text that is no template.
    text = path.read_text(encoding="utf-8").replace("!unsafe ", "")
    variables = yaml.safe_load(text)
    for template in [*variables["awx_setup_fleet_templates"], variables["awx_setup_heal_template"]]:
        names = re.findall(r"awx_setup_ask_\w+", str(template["ask"]))
        questions = [question for name in names for question in variables[name]]
        answers = {question["variable"]: question.get("default") for question in questions}
        # Those that the operator of the role chooses are numbers.
        known = {name: 5 if str(one).startswith("{{") else one for name, one in answers.items()}
        if known:
            playbook = template.get("playbook", template["name"])
            yield pytest.param(playbook, known, id=template["name"])


@pytest.mark.parametrize(("playbook", "answers"), list(answers_by_default()))
def test_the_answers_that_a_survey_begins_with_are_valid(
    playbook: str, answers: dict[str, t.Any]
) -> None:
    """Also those that are empty: AWX passes them on."""
    parse({"verify": "verify_cluster", "report": "awx_report"}.get(playbook, playbook), answers)


OF_AWX = {"awx_job_id": 7, "tower_job_id": 7, "awx_user_name": "eda"}
OF_HEAL = {"ansible_eda": {}, "heal_state_dir": "/x", "cloud_iam_backup_dir": "/y"}
LAUNCHED: dict[str, tuple[str, dict[str, t.Any], str]] = {
    "what the rulebook and the template set": ("heal", {**OF_AWX, **OF_HEAL}, ""),
    "a variable of the role": ("heal", {**OF_AWX, "cloud_iam_role": "x"}, "cloud_iam_role"),
    "a limit of the playbook": ("heal", {**OF_AWX, "heal_max_clouds": 9}, "heal_max_clouds"),
    "a job of a workflow by a schedule": (
        "heal",
        {**OF_AWX, "awx_workflow_job_id": 6, "tower_parent_job_schedule_name": "nightly"},
        "",
    ),
    "a name that only looks like one of AWX": ("heal", {**OF_AWX, "awx_mode": 1}, "awx_mode"),
    "what a webhook passes on": (
        "heal",
        {**OF_AWX, "tower_webhook_payload": {}},
        "tower_webhook_payload",
    ),
    "a setting of Ansible": ("heal", {**OF_AWX, "ansible_host": "x"}, "ansible_host"),
    "a command line": ("heal", {"cloud_iam_role": "x", "heal_max_clouds": 9}, ""),
    "a job whose template has a survey": ("onboard", {**OF_AWX, "cloud_iam_role": "x"}, ""),
}


@pytest.mark.parametrize("case", LAUNCHED)
def test_a_launch_of_what_prompts_for_variables_sets_few_of_them(case: str) -> None:
    """A rulebook passes its events as a variable, so that its user could set any other one."""
    playbook, extra, refused = LAUNCHED[case]
    loaded = load_playbook(playbook)
    if not refused:
        loaded.refuse_launched(extra)
        return
    with pytest.raises(InputError, match=f"{refused} is an extra variable") as caught:
        loaded.refuse_launched(extra)
    assert "group_vars" in caught.value.remedy


def test_the_job_template_that_heals_sets_what_its_launch_may_set() -> None:
    text = (COLLECTION / "roles/awx_setup/vars/main.yml").read_text()
    [template] = re.findall(r"^awx_setup_heal_template:\n((?: .*\n)+)", text, re.MULTILINE)
    variables = yaml.safe_load(template)["extra_vars"]
    load_playbook("heal").refuse_launched({**OF_AWX, **variables})
