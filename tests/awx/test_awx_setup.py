# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook awx makes what it says, changes nothing the second time, and takes away what it made
and nothing else.
"""

from __future__ import annotations

import datetime
import json
import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.playbook_variables import (
    load_playbook,
)
from ansible_collections.rayfleet.anyscale.tests.awx.conftest import (
    ANYSCALE_TOKEN,
    BACKUP_KEY,
    VARIABLES,
    Run,
    RunAwx,
)
from ansible_collections.rayfleet.anyscale.tests.awx.stand_in import APPROVAL, StandIn
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

PROJECT = ROOT / "examples/awx_project"
MADE = {
    "organizations": {"Platform"},
    "execution_environments": {"Anyscale"},
    "credential_types": {"Anyscale", "Anyscale backups"},
    "credentials": {"Anyscale", "Anyscale backups"},
    "projects": {"Anyscale fleet"},
    "inventories": {"Anyscale clouds"},
    "inventory_sources": {"Anyscale clouds"},
    "job_templates": {
        f"Anyscale {name}"
        for name in (
            "audit",
            "nightly audit",
            "audit before rollout",
            "audit after rollout",
            "onboard",
            "offboard",
            "rollback",
            "verify",
            "report",
            "heal",
        )
    },
    "workflow_job_templates": {"Anyscale rollout"},
    "workflow_job_template_nodes": {
        "audit-before",
        "approve",
        "canary",
        "rest",
        "audit-after",
        "report",
    },
    "workflow_approval_templates": {"Anyscale approval"},
    "schedules": {"Anyscale nightly audit"},
}
LINKS = {
    ("audit-before", "success_nodes"): "approve",
    ("approve", "success_nodes"): "canary",
    ("canary", "success_nodes"): "rest",
    ("rest", "always_nodes"): "audit-after",
    ("audit-after", "always_nodes"): "report",
}
MANAGED: dict[str, t.Any] = {
    "awx_setup_make_organization": True,
    "awx_setup_execution_environment_image": "registry.example.com/anyscale-ee:1",
    "awx_setup_audit_assume_role_arn": "arn:aws:iam::{account_id}:role/anyscale-audit",
    "awx_setup_slices": 4,
    "awx_setup_notify_of_failure": ["On call"],
    "awx_setup_heal": True,
    "awx_setup_heal_user": "eda",
}
AUDITS = {name for name in MADE["job_templates"] if "audit" in name}
# A template of AWX's jobs: where the fleet file does not permit a cloud, only Anyscale has its account.
AUDIT_ROLE = (
    "arn:aws:iam::{{ cloud_iam_account_id | default(anyscale_account_id) }}:role/anyscale-audit"
)
TEAMS = {"audit": ["Security"], "rollout": ["Operators"], "approval": ["Leads"]}

RELEASED = datetime.date(2026, 11, 1)

Names = dict[str, set[str]]


class Cycle(t.NamedTuple):
    """Set up twice and removed twice, with the names of all objects after each pair and before."""

    awx: StandIn
    runs: list[Run]
    before: Names
    standing: Names
    after: Names
    templates: dict[str, dict[str, t.Any]]
    surveys: dict[str, list[dict[str, t.Any]]]
    links: dict[tuple[str, str], str]
    node_answers: dict[str, dict[str, t.Any]]
    objects: dict[str, dict[str, t.Any]]
    credentials: dict[str, list[int]]
    notified: set[str]
    users: dict[str, list[str]]


@pytest.fixture(scope="module")
def cycle(awx: StandIn, run_awx: RunAwx) -> Cycle:
    """In an AWX with another team's organization and its objects."""
    others = awx.add("organizations", name="Others", description="")
    project = awx.add(
        "projects", name="Others fleet", organization=others["id"], status="successful"
    )
    awx.add("notification_templates", name="On call", organization=others["id"])
    awx.add("users", username="eda")
    inventory = awx.add("inventories", name="Anyscale clouds", organization=others["id"])
    awx.add(
        "job_templates",
        name="Anyscale audit of another team",
        organization=others["id"],
        project=project["id"],
        inventory=inventory["id"],
    )
    before = awx.names()
    runs = [run_awx(**MANAGED), run_awx(**MANAGED)]
    assert runs[0].exit_status == 0, runs[0].output
    objects = {
        "credential_type": awx.named("credential_types", "Anyscale"),
        "credential": awx.named("credentials", "Anyscale"),
        "backup_type": awx.named("credential_types", "Anyscale backups"),
        "backup_credential": awx.named("credentials", "Anyscale backups"),
        "schedule": awx.named("schedules", "Anyscale nightly audit"),
        "source": awx.named("inventory_sources", "Anyscale clouds"),
        "workflow": awx.named("workflow_job_templates", "Anyscale rollout"),
    }
    templates = {name: dict(awx.named("job_templates", name)) for name in MADE["job_templates"]}
    credentials = {
        name: list(awx.linked("job_templates", name, "credentials")) for name in templates
    }
    notified = {
        name
        for kind in ("job_templates", "workflow_job_templates")
        for name in MADE[kind]
        if awx.linked(kind, name, "notification_templates_error")
    }
    users = {
        name: [awx.store["users"][number]["username"] for number in numbers]
        for name, template in templates.items()
        if (numbers := awx.associations.get(("roles", template["id"], "users")))
    }
    surveys = {
        name: awx.surveys.get(template["id"], {}).get("spec", [])
        for name, template in templates.items()
    }
    surveys["Anyscale rollout"] = awx.surveys[objects["workflow"]["id"]]["spec"]
    nodes = {node["id"]: node for node in awx.store["workflow_job_template_nodes"].values()}
    links = {
        (nodes[owner]["identifier"], association): nodes[target]["identifier"]
        for (kind, owner, association), targets in awx.associations.items()
        for target in targets
        if kind == "workflow_job_template_nodes"
    }
    answers = {node["identifier"]: node["extra_data"] for node in nodes.values()}
    standing = awx.names()
    runs += [
        run_awx(**MANAGED, awx_setup_state="absent"),
        run_awx(**MANAGED, awx_setup_state="absent"),
    ]
    return Cycle(
        awx,
        runs,
        before,
        standing,
        awx.names(),
        templates,
        surveys,
        links,
        answers,
        objects,
        credentials,
        notified,
        users,
    )


def test_every_run_succeeds(cycle: Cycle) -> None:
    """With the real modules, which refuse any option that they do not have."""
    assert [run.exit_status for run in cycle.runs] == [0, 0, 0, 0], "\n".join(
        run.output for run in cycle.runs
    )


def test_the_first_run_makes_exactly_this(cycle: Cycle) -> None:
    assert {
        kind: names - cycle.before[kind]
        for kind, names in cycle.standing.items()
        if names - cycle.before[kind]
    } == {
        kind: names - cycle.before[kind]
        for kind, names in MADE.items()
        if names - cycle.before[kind]
    }
    assert (
        sum(item["name"] == "Anyscale clouds" for item in cycle.awx.store["inventories"].values())
        == 1
    ), "the one of the other team"


@pytest.mark.parametrize("second", [pytest.param(1, id="set up"), pytest.param(3, id="taken away")])
def test_the_second_run_changes_nothing(cycle: Cycle, second: int) -> None:
    """By its own account, and by that of the server."""
    assert cycle.runs[second].changed == 0
    assert cycle.runs[second].writes == []


def test_what_it_made_is_taken_away_and_nothing_else(cycle: Cycle) -> None:
    assert cycle.after == cycle.before


def test_the_token_is_kept_as_a_secret_and_never_shown(cycle: Cycle) -> None:
    """It reaches jobs as the variables that the plugins and Anyscale's CLI read."""
    assert cycle.objects["credential"]["inputs"] == {
        "host": "https://console.anyscale.com",
        "token": ANYSCALE_TOKEN,
    }
    fields = {field["id"]: field for field in cycle.objects["credential_type"]["inputs"]["fields"]}
    assert fields["token"]["secret"] is True
    injected = cycle.objects["credential_type"]["injectors"]["env"]
    assert injected == {"ANYSCALE_HOST": "{{ host }}", "ANYSCALE_CLI_TOKEN": "{{ token }}"}
    assert not any(ANYSCALE_TOKEN in run.output for run in cycle.runs)


def test_jobs_that_write_or_restore_backups_share_a_secret_key(cycle: Cycle) -> None:
    """And no others have it."""
    made, kind = cycle.objects["backup_credential"], cycle.objects["backup_type"]
    assert made["inputs"] == {"key": BACKUP_KEY}
    assert [field["secret"] for field in kind["inputs"]["fields"]] == [True]
    assert kind["injectors"]["env"] == {"RAYFLEET_BACKUP_KEY": "{{ key }}"}
    assert not any(BACKUP_KEY in run.output for run in cycle.runs)
    assert {name for name, ids in cycle.credentials.items() if made["id"] in ids} == {
        "Anyscale onboard",
        "Anyscale offboard",
        "Anyscale rollback",
        "Anyscale heal",
    }


def test_audits_assume_a_role_of_their_own_in_the_account_of_each_cloud(cycle: Cycle) -> None:
    """And no other job, of which the inventory says what it assumes."""
    assumed = {
        name: variables["cloud_iam_assume_role_arn"]
        for name, template in cycle.templates.items()
        if "cloud_iam_assume_role_arn" in (variables := json.loads(template["extra_vars"] or "{}"))
    }
    assert assumed == dict.fromkeys(AUDITS, AUDIT_ROLE)


def test_each_template_passes_on_the_prefix_by_which_its_jobs_name_the_others(cycle: Cycle) -> None:
    passed = [json.loads(template["extra_vars"]) for template in cycle.templates.values()]
    assert {variables["awx_setup_prefix"] for variables in passed} == {"Anyscale"}


def test_the_rulebook_launches_the_job_template_that_heals(cycle: Cycle) -> None:
    """With the names that the guide sets for it, and with its events, which it passes as a variable
    that no survey could ask for.
    """
    [rules] = yaml.safe_load((ROOT / "extensions/eda/rulebooks/heal_sqs_awx.yml").read_text())
    guide = (ROOT / "docs/docsite/rst/awx.rst").read_text()
    snippet = re.search(r":caption: eda/vars.yml\n\n((?: {6}.*\n)+)", guide)
    assert snippet
    given = yaml.safe_load(snippet[1])
    launches = [rule["action"]["run_job_template"] for rule in rules["rules"]]
    [(name, organization)] = {(one["name"], one["organization"]) for one in launches}
    template = cycle.templates[given[name.strip("{ }")]]
    assert given[organization.strip("{ }")] == VARIABLES["awx_setup_organization"]
    assert template["playbook"] == "playbooks/heal.yml"
    assert template["ask_variables_on_launch"] is True
    assert cycle.surveys["Anyscale heal"] == []


def test_what_is_onboarded_and_undone_shares_a_memory_with_what_heals(cycle: Cycle) -> None:
    """Else an event would undo what an operator offboarded or rolled back."""
    shared = {
        name.removeprefix("Anyscale "): json.loads(template["extra_vars"]).get("heal_state_dir")
        for name, template in cycle.templates.items()
    }
    directories = {name: path for name, path in shared.items() if path}
    wanted = ("onboard", "offboard", "rollback", "heal", "audit", "nightly audit")
    assert directories == dict.fromkeys(wanted, "/var/lib/anyscale/healing")


def test_the_audits_of_a_rollout_have_nothing_healed(cycle: Cycle) -> None:
    """Whatever the inventory says: an approval is about what the first of them finds."""
    heals = {
        name.removeprefix("Anyscale "): json.loads(template["extra_vars"]).get("audit_heal")
        for name, template in cycle.templates.items()
        if template["playbook"] == "playbooks/audit.yml"
    }
    not_told = dict.fromkeys(["audit", "nightly audit"])
    assert heals == {"audit before rollout": False, "audit after rollout": False, **not_told}


def test_its_user_may_launch_that_job_template_and_no_other(cycle: Cycle) -> None:
    assert cycle.users == {"Anyscale heal": ["eda"]}
    prompting = {name for name, one in cycle.templates.items() if one["ask_variables_on_launch"]}
    assert prompting == {"Anyscale heal"}


def test_the_workflow_goes_step_by_step(cycle: Cycle) -> None:
    assert cycle.links == LINKS
    assert cycle.node_answers["canary"] == {"fleet_mode": "apply", "onboard_only": "canary"}
    assert cycle.node_answers["rest"] == {"fleet_mode": "apply", "onboard_only": "all"}


def test_a_failed_rollout_is_one_notification(cycle: Cycle) -> None:
    """Of the workflow, and not of each of its steps as well."""
    assert cycle.notified == {"Anyscale rollout"} | {
        f"Anyscale {name}"
        for name in ("audit", "nightly audit", "offboard", "rollback", "verify", "heal")
    }


def test_the_last_audit_of_a_rollout_compares_with_its_first_one(cycle: Cycle) -> None:
    """And the first one with none: the rollout before it was of other clouds."""
    before, after = (
        json.loads(cycle.templates[f"Anyscale audit {when} rollout"]["extra_vars"])
        for when in ("before", "after")
    )
    assert after["audit_previous_report"] == before["audit_report_dir"] + "/report.json"
    assert "audit_previous_report" not in before
    assert (before["audit_label"], before["audit_fail_on"]) == ("before", "never")
    assert (after["audit_label"], after["audit_fail_on"]) == ("after", "drift")


def test_an_audit_without_a_cloud_fails(cycle: Cycle) -> None:
    """The nightly one would be green otherwise, and that of a rollout would ask for an approval."""
    for name in ("audit", "audit before rollout", "audit after rollout"):
        variables = json.loads(cycle.templates[f"Anyscale {name}"]["extra_vars"])
        assert variables["audit_min_clouds"] == 1


def test_a_slice_may_have_none_of_the_selected_clouds(cycle: Cycle) -> None:
    """However many slices were asked for at the launch, and no job that is not sliced."""
    variables = json.loads(cycle.templates["Anyscale onboard"]["extra_vars"])
    assert variables["fleet_allow_empty_selection"] == (
        "{{ awx_workflow_job_name | default('') == awx_job_template_name }}"
    )


def test_only_the_onboarding_is_sliced(cycle: Cycle) -> None:
    slices = {name: template["job_slice_count"] for name, template in cycle.templates.items()}
    assert slices == {**dict.fromkeys(MADE["job_templates"], 1), "Anyscale onboard": 4}
    report = json.loads(cycle.templates["Anyscale report"]["extra_vars"])
    assert int(report["awx_report_slices"]) == 4


def test_the_inventory_is_read_anew_before_jobs(cycle: Cycle) -> None:
    source = cycle.objects["source"]
    assert source["update_on_launch"] is True
    assert source["overwrite"] is True
    assert source["overwrite_vars"] is True
    assert (PROJECT / source["source_path"]).is_file()


def test_the_schedule_is_a_literal_rule(cycle: Cycle) -> None:
    rule = re.fullmatch(
        r"DTSTART;TZID=UTC:(\d{8})T\d{6} RRULE:FREQ=DAILY;INTERVAL=1",
        cycle.objects["schedule"]["rrule"],
    )
    assert rule, cycle.objects["schedule"]["rrule"]
    assert datetime.datetime.strptime(rule[1], "%Y%m%d").date() < RELEASED, "it begins at once"
    nightly = cycle.templates["Anyscale nightly audit"]
    assert cycle.objects["schedule"]["unified_job_template"] == nightly["id"]
    variables = json.loads(nightly["extra_vars"])
    assert (variables["audit_label"], variables["audit_fail_on"]) == ("nightly", "drift")


def test_events_stay_few_and_runs_do_not_meet(cycle: Cycle) -> None:
    for name, template in cycle.templates.items():
        assert template["verbosity"] == 0, name
        assert template["allow_simultaneous"] is False, name


def test_templates_leave_what_jobs_know_to_the_jobs(cycle: Cycle) -> None:
    """The label of an audit is a template of its job, not of the set-up."""
    variables = json.loads(cycle.templates["Anyscale audit"]["extra_vars"])
    assert variables["audit_report_dir"] == "/var/lib/anyscale/reports/audits/{{ audit_label }}"
    assert variables["audit_previous_report"] == variables["audit_report_dir"] + "/report.json"


def test_no_answer_replaces_the_report_of_a_rollout_or_of_a_night(cycle: Cycle) -> None:
    """A label, which can have no slash, is the last folder of one place; and each rollout has its own."""
    folders = {
        name: json.loads(cycle.templates[name]["extra_vars"])["audit_report_dir"] for name in AUDITS
    }
    asked = folders.pop("Anyscale audit")
    assert not any(folder.startswith(asked.partition("{{")[0]) for folder in folders.values())
    assert not any(cycle.surveys[name] for name in ("Anyscale nightly audit", "Anyscale report"))
    rollout = "/var/lib/anyscale/reports/rollouts/{{ awx_workflow_job_id | default('none') }}/"
    assert folders == {
        "Anyscale nightly audit": "/var/lib/anyscale/reports/nightly",
        "Anyscale audit before rollout": f"{rollout}before",
        "Anyscale audit after rollout": f"{rollout}after",
    }


@pytest.mark.parametrize("name", sorted(MADE["job_templates"]))
def test_the_project_has_the_playbook(cycle: Cycle, name: str) -> None:
    assert (PROJECT / cycle.templates[name]["playbook"]).is_file()


@pytest.mark.parametrize("name", sorted(MADE["job_templates"]))
def test_what_is_asked_and_set_is_what_the_playbook_documents(cycle: Cycle, name: str) -> None:
    """Each variable is on the documentation's page for the playbook, or one of the role's."""
    playbook = _imported(PROJECT / cycle.templates[name]["playbook"])
    asked = {question["variable"] for question in cycle.surveys[name]} | set(
        json.loads(cycle.templates[name]["extra_vars"] or "{}")
    )
    of_roles = {"cloud_iam_backup_dir", "cloud_iam_assume_role_arn", "awx_setup_prefix"}
    assert asked - {*load_playbook(playbook).variables, *of_roles} == set()


def test_what_the_workflow_asks_its_jobs_understand(cycle: Cycle) -> None:
    """The workflow's answers are handed to every job, so that each name has one meaning."""
    asked = {question["variable"] for question in cycle.surveys["Anyscale rollout"]}
    assert asked <= {question["variable"] for question in cycle.surveys["Anyscale onboard"]}


def _imported(playbook: Path) -> str:
    """The name of the collection's playbook that one of the project imports."""
    [play] = yaml.safe_load(playbook.read_text())
    return str(play["ansible.builtin.import_playbook"]).removeprefix("rayfleet.anyscale.")


def test_what_was_there_before_stays(awx: StandIn, run_awx: RunAwx, cycle: Cycle) -> None:
    """An organization with its teams, which get permissions, an execution environment and the type
    of another user's credential; also a project that was added later. Of two objects of one name,
    the one of the organization is used.
    """
    platform = awx.add("organizations", name="Platform", description="Ours since 2019")
    operator, _of_others = (
        awx.add("credentials", name="Same", credential_type=awx.aws_type, organization=owner["id"])
        for owner in (platform, awx.named("organizations", "Others"))
    )
    on_call = awx.add("notification_templates", name="On call", organization=platform["id"])["id"]
    awx.add("execution_environments", name="Anyscale", image="another/image:2")
    for name in {name for names in TEAMS.values() for name in names}:
        awx.add("teams", name=name, organization=platform["id"])
    names = {"awx_setup_aws_credential": "Same", "awx_setup_notify_of_failure": ["On call"]}
    run = run_awx(**names, awx_setup_teams=TEAMS)
    assert run.exit_status == 0, run.output
    assert _permitted(awx) == TEAMS
    assert operator["id"] in awx.linked("job_templates", "Anyscale offboard", "credentials")
    told = awx.linked("job_templates", "Anyscale offboard", "notification_templates_error")
    assert told == [on_call]
    awx.add("projects", name="Added later", organization=platform["id"])
    kind = awx.named("credential_types", "Anyscale")["id"]
    awx.add("credentials", name="Added later", credential_type=kind, organization=platform["id"])
    image = {"awx_setup_execution_environment_image": "registry.example.com/anyscale-ee:1"}
    assert run_awx(**image, awx_setup_state="absent").exit_status == 0
    assert awx.named("organizations", "Platform")["description"] == "Ours since 2019"
    assert awx.named("execution_environments", "Anyscale")["image"] == "another/image:2"
    assert "Added later" in awx.names()["projects"]
    assert "Added later" in awx.names()["credentials"]
    assert "Anyscale" in awx.names()["credential_types"]
    assert awx.names()["job_templates"] == cycle.before["job_templates"]


def _permitted(awx: StandIn) -> dict[str, list[str]]:
    """The teams with permissions: by what they may launch, and who may approve."""
    workflow = awx.named("workflow_job_templates", "Anyscale rollout")["id"]
    roles = {item["id"]: item["name"] for item in awx.store["job_templates"].values()}
    roles |= {workflow: "Anyscale rollout", workflow + APPROVAL: "Anyscale approval"}
    return {
        roles[role].removeprefix("Anyscale "): [awx.store["teams"][one]["name"] for one in teams]
        for (kind, role, actors), teams in awx.associations.items()
        if kind == "roles" and actors == "teams" and teams
    }


def test_a_failed_synchronization_is_repaired_by_running_again(
    awx: StandIn, run_awx: RunAwx
) -> None:
    """AWX itself begins one only for a new project."""
    organization = {"awx_setup_organization": "Repaired", "awx_setup_prefix": "Repaired"}
    given = {**MANAGED, **organization, "awx_setup_notify_of_failure": []}
    awx.broken = {"projects", "inventory_sources"}
    try:
        failed = run_awx(**given)
        awx.broken.remove("projects")
        unread = run_awx(**given)
    finally:
        awx.broken = set()
    assert failed.exit_status == 2
    assert "The project Repaired fleet could not be synchronized" in failed.output
    # The image is tried by the first reading of the inventory.
    assert unread.exit_status == 2
    assert "could not be read in the execution environment Repaired" in " ".join(
        unread.output.split()
    )
    again = run_awx(**given)
    assert again.exit_status == 0, again.output
    assert "Repaired audit" in awx.names()["job_templates"]
    assert awx.named("inventory_sources", "Repaired clouds")["status"] == "successful"


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        pytest.param(
            {"awx_setup_slices": "many"}, "awx_setup_slices", id="slices that are no number"
        ),
        pytest.param({"awx_setup_state": "gone"}, "awx_setup_state", id="an unknown state"),
        pytest.param(
            {"awx_setup_teams": {"heal": ["Operators"]}}, "heal", id="a team for the rulebook's job"
        ),
    ],
)
def test_a_wrong_variable_is_refused_before_anything(
    run_awx: RunAwx, variables: dict[str, t.Any], named: str
) -> None:
    run = run_awx(**variables)
    assert run.exit_status == 2
    assert named in run.output
    assert run.writes == []
