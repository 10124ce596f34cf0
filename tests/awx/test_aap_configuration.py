# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the playbook awx exports for infra.aap_configuration are the objects that it would create
itself. That collection is on no package index: that it makes the same objects of them was tried in
development.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.tests.awx.conftest import (
    ANYSCALE_TOKEN,
    BACKUP_KEY,
    RunAwx,
)
from ansible_collections.rayfleet.anyscale.tests.awx.test_awx_setup import (
    AUDIT_ROLE,
    AUDITS,
    LINKS,
    MADE,
    MANAGED,
    TEAMS,
)
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

Json = dict[str, t.Any]

# The kind of each of that collection's variables.
KINDS = {
    "aap_organizations": "organizations",
    "controller_execution_environments": "execution_environments",
    "controller_credential_types": "credential_types",
    "controller_credentials": "credentials",
    "controller_projects": "projects",
    "controller_inventories": "inventories",
    "controller_inventory_sources": "inventory_sources",
    "controller_templates": "job_templates",
    "controller_workflows": "workflow_job_templates",
    "controller_schedules": "schedules",
}
PERMISSIONS = "controller_roles"


class _Loader(yaml.SafeLoader):
    """Marks a text that Ansible does not take for a template."""


_Loader.add_constructor("!unsafe", lambda loader, node: f"unsafe: {loader.construct_scalar(node)}")


@pytest.fixture(scope="module", name="exported")
def _exported(run_awx: RunAwx, tmp_path_factory: pytest.TempPathFactory) -> Json:
    path = tmp_path_factory.mktemp("export") / "aap_configuration.yml"
    given = {**MANAGED, "awx_setup_teams": TEAMS, "awx_setup_state": "export"}
    run = run_awx(**given, awx_setup_export_file=str(path))
    assert run.exit_status == 0, run.output
    assert run.writes == []
    return t.cast(Json, yaml.load(Path(path).read_text(), _Loader))


def test_it_has_all_objects_and_no_others(exported: Json) -> None:
    assert {
        KINDS[name]: {item["name"] for item in items}
        for name, items in exported.items()
        if name != PERMISSIONS
    } == {kind: names for kind, names in MADE.items() if kind in KINDS.values()}


def test_the_user_of_the_rulebook_may_launch_what_heals(exported: Json) -> None:
    permission = {
        "users": ["eda"],
        "role": "execute",
        "job_templates": ["Anyscale heal"],
        "lookup_organization": "Platform",
    }
    assert exported[PERMISSIONS][0] == permission
    prompting = [
        item for item in exported["controller_templates"] if item["ask_variables_on_launch"]
    ]
    assert [item["name"] for item in prompting] == permission["job_templates"]


def test_teams_may_launch_and_approve_what_they_are_set_for(exported: Json) -> None:
    """And nobody may launch what writes without an approval."""
    of_organization = {"lookup_organization": "Platform"}
    launch_rollout = {"role": "execute", "workflows": ["Anyscale rollout"]}
    approve = {"role": "approval", "workflows": ["Anyscale rollout"]}
    audit = {"role": "execute", "job_templates": ["Anyscale audit"]}
    assert sorted(exported[PERMISSIONS][1:], key=lambda item: str(item["teams"])) == [
        {"teams": ["Leads"], **approve, **of_organization},
        {"teams": ["Operators"], **launch_rollout, **of_organization},
        {"teams": ["Security"], **audit, **of_organization},
    ]


def test_the_nodes_of_the_workflow_and_their_links(exported: Json) -> None:
    [workflow] = exported["controller_workflows"]
    nodes = {node["identifier"]: node for node in workflow["simplified_workflow_nodes"]}
    assert set(nodes) == MADE["workflow_job_template_nodes"]
    assert {
        (name, kind): target
        for name, node in nodes.items()
        for kind in ("success_nodes", "always_nodes")
        for target in node[kind]
    } == LINKS
    assert nodes["canary"]["extra_data"] == {"fleet_mode": "apply", "onboard_only": "canary"}
    templates = {item["name"] for item in exported["controller_templates"]}
    run = {node["unified_job_template"] for node in nodes.values() if "approval_node" not in node}
    assert run <= templates


def test_what_jobs_know_is_left_to_the_jobs(exported: Json) -> None:
    """Templates of AWX are none of that collection's run."""
    templates = {item["name"]: item for item in exported["controller_templates"]}
    assert templates["Anyscale audit"]["extra_vars"]["audit_report_dir"] == (
        "unsafe: /var/lib/anyscale/reports/audits/{{ audit_label }}"
    )
    [anyscale, backups] = exported["controller_credential_types"]
    assert anyscale["injectors"]["env"]["ANYSCALE_CLI_TOKEN"] == "unsafe: {{ token }}"
    assert backups["injectors"]["env"] == {"RAYFLEET_BACKUP_KEY": "unsafe: {{ key }}"}


def test_audits_assume_a_role_of_their_own(exported: Json) -> None:
    assert {
        item["name"]: item["extra_vars"]["cloud_iam_assume_role_arn"]
        for item in exported["controller_templates"]
        if "cloud_iam_assume_role_arn" in item.get("extra_vars", {})
    } == dict.fromkeys(AUDITS, f"unsafe: {AUDIT_ROLE}")


def test_each_template_passes_on_the_prefix(exported: Json) -> None:
    passed = {item["extra_vars"]["awx_setup_prefix"] for item in exported["controller_templates"]}
    assert passed == {"unsafe: Anyscale"}


def test_the_secrets_are_left_to_the_vault(exported: Json) -> None:
    inputs = {item["name"]: item["inputs"] for item in exported["controller_credentials"]}
    assert inputs["Anyscale"]["token"] == "{{ awx_setup_anyscale_token }}"
    assert inputs["Anyscale backups"] == {"key": "{{ awx_setup_backup_key }}"}
    assert ANYSCALE_TOKEN not in str(exported)
    assert BACKUP_KEY not in str(exported)


def test_a_file_of_which_the_place_is_unknown_is_refused(run_awx: RunAwx) -> None:
    """The environment of the tests has no working directory."""
    run = run_awx(awx_setup_state="export", awx_setup_export_file="aap.yml")
    assert run.exit_status == 2
    assert "Set an absolute path" in run.output
    assert not (ROOT / "playbooks/aap.yml").exists()
