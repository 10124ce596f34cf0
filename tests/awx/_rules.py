# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the stand-in for AWX knows of each kind of object: defaults, what is refused, and what is
removed with it.
"""

from __future__ import annotations

import typing as t

Json = dict[str, t.Any]
Store = dict[str, dict[int, Json]]

TYPES = {
    "organizations": "organization",
    "execution_environments": "execution_environment",
    "credential_types": "credential_type",
    "credentials": "credential",
    "projects": "project",
    "project_updates": "project_update",
    "inventories": "inventory",
    "inventory_sources": "inventory_source",
    "inventory_updates": "inventory_update",
    "job_templates": "job_template",
    "workflow_job_templates": "workflow_job_template",
    "workflow_job_template_nodes": "workflow_job_template_node",
    "workflow_approval_templates": "workflow_approval_template",
    "schedules": "schedule",
    "notification_templates": "notification_template",
    "teams": "team",
    "users": "user",
}
ALL_TEMPLATES = (
    "job_templates",
    "workflow_job_templates",
    "workflow_approval_templates",
    "projects",
    "inventory_sources",
)
# What AWX fills in, where a module would otherwise see a difference.
DEFAULTS: dict[str, Json] = {
    "organizations": {"description": ""},
    "credential_types": {"managed": False},
    "credentials": {"inputs": {}, "organization": None},
    "projects": {"scm_revision": "", "organization": None, "status": "never updated"},
    "inventory_sources": {"status": "never updated"},
    "inventories": {"kind": "", "host_filter": None},
    "job_templates": {
        "ask_variables_on_launch": False,
        "ask_job_slice_count_on_launch": False,
        "extra_vars": "",
    },
    "workflow_job_template_nodes": {
        "all_parents_must_converge": False,
        "extra_data": {},
        "unified_job_template": None,
    },
}
# What each kind refers to, and whose end it does not outlive.
_CONTAINERS = {
    "inventory_sources": ("inventory",),
    "workflow_job_template_nodes": ("workflow_job_template",),
    "schedules": ("unified_job_template",),
}
# The playbooks of a project that was synchronized.
PLAYBOOKS = {
    f"playbooks/{name}.yml"
    for name in ("audit", "onboard", "offboard", "rollback", "verify", "report", "heal")
}
_QUESTION_TYPES: dict[str, type] = {
    "text": str,
    "textarea": str,
    "password": str,
    "multiplechoice": str,
    "integer": int,
}


class Refused(Exception):
    """An answer of AWX other than success."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(body)
        self.status = status
        self.body = body


def validate(store: Store, surveys: dict[int, Json], kind: str, item: Json) -> None:
    """Raise for an object that AWX would not keep."""
    if kind == "job_templates":
        if item.get("inventory") is None and not item.get("ask_inventory_on_launch"):
            raise Refused(
                400,
                {"inventory": ["Job Template must provide 'inventory' or allow prompting for it."]},
            )
        project = store["projects"].get(item.get("project") or 0)
        if project is None or item.get("playbook") not in playbooks_of(project):
            raise Refused(400, {"playbook": ["Playbook not found for project."]})
    template = store["job_templates"].get(item.get("unified_job_template") or 0)
    if kind in ("workflow_job_template_nodes", "schedules") and template:
        _validate_prompts(surveys.get(template["id"], {}), template, item)


def playbooks_of(project: Json) -> list[str]:
    """The playbooks that AWX has found in a project: none before it was synchronized."""
    return sorted(PLAYBOOKS) if project["status"] == "successful" else []


def _validate_prompts(survey: Json, template: Json, item: Json) -> None:
    """What a step or a schedule answers has to be asked for."""
    questions = {question["variable"]: question for question in survey.get("spec", [])}
    for name, value in (item.get("extra_data") or {}).items():
        if name not in questions and not template["ask_variables_on_launch"]:
            raise Refused(400, {"extra_vars": [f"Variables {name} are not allowed on launch."]})
        choices = questions.get(name, {}).get("choices")
        if choices and value not in choices:
            raise Refused(
                400,
                {
                    "variables_needed_to_start": [
                        f"Value {value} for '{name}' expected to be one of {choices}."
                    ]
                },
            )
    if item.get("job_slice_count") and not template["ask_job_slice_count_on_launch"]:
        raise Refused(400, {"job_slice_count": ["Field is not configured to prompt on launch."]})


def validate_survey(survey: Json) -> None:
    """Raise for a survey that AWX would not keep."""
    if not {"name", "description", "spec"} <= set(survey) or not survey["spec"]:
        raise Refused(400, {"error": "A field is missing from survey spec."})
    variables = [question["variable"] for question in survey["spec"]]
    if len(set(variables)) != len(variables):
        raise Refused(400, {"error": "'variable' duplicated."})
    for question in survey["spec"]:
        missing = {"type", "question_name", "variable", "required"} - set(question)
        default, wanted = question.get("default", ""), _QUESTION_TYPES[question["type"]]
        limits = [question[key] for key in ("min", "max") if key in question]
        wrong = (default != "" and not isinstance(default, wanted)) or not all(
            isinstance(limit, int) for limit in limits
        )
        if (
            missing
            or wrong
            or (default and "choices" in question and default not in question["choices"])
        ):
            raise Refused(400, {"error": f"Survey question {question} is not valid."})


def deletable(store: Store, kind: str, item: Json) -> None:
    """Raise for what AWX does not remove."""
    if kind == "credential_types" and any(
        each["credential_type"] == item["id"] for each in store["credentials"].values()
    ):
        raise Refused(403, {"detail": "Credential types that are in use cannot be deleted."})


def taken_along(store: Store, kind: str, item: Json) -> list[tuple[str, Json]]:
    """What is removed with an object. With an organization, that is everything in it."""
    within = {
        (other, number): each
        for other, fields in _CONTAINERS.items()
        for number, each in store[other].items()
        if any(each.get(field) == item["id"] for field in fields)
    }
    if (
        kind == "workflow_job_template_nodes"
        and item["unified_job_template"] in store["workflow_approval_templates"]
    ):
        number = item["unified_job_template"]
        within["workflow_approval_templates", number] = store["workflow_approval_templates"][number]
    if kind == "organizations":
        owned = {
            (other, number): each
            for other, items in store.items()
            for number, each in items.items()
        }
        within |= {
            key: each for key, each in owned.items() if each.get("organization") == item["id"]
        }
    return [(other, each) for (other, _number), each in within.items()]


def shown(store: Store, kind: str, item: Json) -> Json:
    """An object without its secrets."""
    if kind != "credentials":
        return item
    fields = store["credential_types"][item["credential_type"]].get("inputs", {}).get("fields", [])
    secret = {field["id"] for field in fields if field.get("secret")}
    return {
        **item,
        "inputs": {
            name: "$encrypted$" if name in secret else value
            for name, value in item["inputs"].items()
        },
    }
