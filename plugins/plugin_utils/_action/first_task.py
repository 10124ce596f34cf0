# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first task of a playbook, which validates the playbook's variables before anything else.

This plugin util is private to the collection. A task for that alone would have events of its own in each
job of AWX, and in each slice of one.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    TaskError,
    naming_variables,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._survey import JOB_OF_AWX
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.host_values import (
    HostValues,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.playbook_variables import (
    COLLECTION,
    Playbook,
    load_playbook,
    playbook_names,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.read_once import (
    refuse_differing,
    refuse_other_pattern,
    refuse_pattern_of_hosts,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_id import (
    refuse_other_job,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_once import FleetAction

Json = dict[str, t.Any]
_COLLECTION_NAME = "rayfleet.anyscale"
# The rule of the argument that names the playbook.
PLAYBOOK: Json = {"playbook": {"type": "str"}}


class FirstTask(FleetAction):
    """An action that is the first task of a playbook, if its argument ``playbook`` names one."""

    def run(self, tmp: None = None, task_vars: Json | None = None) -> Json:
        """Validate the variables, and run."""
        warnings: list[str] = []
        if "playbook" in self._task.args:
            _found, warnings = validated(self, self._task.args["playbook"], task_vars or {})
        result = super().run(tmp, task_vars)
        return {**result, "warnings": [*warnings, *result.get("warnings", ())]}


def validated(action: ActionBase, playbook: str, variables: Json) -> tuple[Json, list[str]]:
    """The variables of a playbook among those of a host, in their types, and warnings. Raises for an
    invalid one.
    """
    if playbook not in playbook_names():
        raise AnsibleError(f"playbook is {playbook!r}. Give one of {', '.join(playbook_names())}.")
    refuse_other_job(variables)
    specified = load_playbook(playbook)
    extra = load_extra_vars(action._loader)
    ignored = specified.ignored(extra, variables)
    try:
        specified.refuse_launched(extra)
        specified.refuse_tags(_given_tags(), action._task.tags)
        specified.refuse_names(variables, extra)
        if ignored and not _has_own_plays():
            raise ignored[0]
        is_for_all = action._task.run_once or action.BYPASS_HOST_LOOP
        if is_for_all:
            _refuse_of_hosts(action, specified, extra, variables)
        with naming_variables(JOB_OF_AWX in variables):
            found = specified.parse(lambda name: _value(action, name, variables), variables)
        if is_for_all and specified.hosts_variable in variables:
            selected = action._task.get_play().hosts
            refuse_other_pattern(specified, found[specified.hosts_variable], selected)
    except TaskError as error:
        raise AnsibleError(error.failure()["msg"]) from None
    return found, [f"{error.message}. {error.remedy}" for error in ignored]


def _refuse_of_hosts(
    action: ActionBase, playbook: Playbook, extra: t.Container[str], variables: Json
) -> None:
    """Refuse values that hosts have for themselves and that a task for all of them would not read."""
    names = [name for name in playbook.read_once if name not in extra]
    values = HostValues(action, action._task)
    lots = values.of_hosts(variables["ansible_play_hosts_all"], names)
    groups, in_awx = variables["groups"], JOB_OF_AWX in variables
    refuse_pattern_of_hosts(playbook, values.of_play(), lots, groups, in_awx)
    refuse_differing(playbook, lots, groups, in_awx)


def _value(action: ActionBase, name: str, variables: Json) -> t.Any:
    """A variable, templated, in plain types: Ansible's carry tags."""
    try:
        value = action._templar.template(variables[name])
    except AnsibleError as error:
        raise InputError(f"{name} has no value: {error}", "Correct it.") from error
    return json.loads(json.dumps(value, default=str))


def _given_tags() -> set[str]:
    """The tags of the command line, those to be skipped included."""
    names = ("tags", "skip_tags")
    return {tag for name in names for tag in context.CLIARGS.get(name) or ()}


def _has_own_plays() -> bool:
    """Whether the command line runs a playbook of the user's own, which imports this one, and may read
    any variable.
    """
    own = (COLLECTION / "playbooks").resolve()
    return any(
        not name.startswith(f"{_COLLECTION_NAME}.") and Path(name).resolve().parent != own
        for name in context.CLIARGS.get("args") or ()
    )
