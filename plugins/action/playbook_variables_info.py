# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validate the variables of a playbook. The documentation is in plugins/modules."""

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
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.playbook_variables import (
    COLLECTION,
    load_playbook,
    playbook_names,
)

Json = dict[str, t.Any]

_COLLECTION_NAME = "rayfleet.anyscale"


class ActionModule(ActionBase):
    """Reads the variables of its host, and calls nothing."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: None = None, task_vars: Json | None = None) -> Json:
        """Validate, and return the values. Invalid input fails the task."""
        variables = task_vars or {}
        result = super().run(tmp, variables)
        choices = {"type": "str", "required": True, "choices": list(playbook_names())}
        _validation, arguments = self.validate_argument_spec(argument_spec={"playbook": choices})
        playbook = load_playbook(arguments["playbook"])
        extra = load_extra_vars(self._loader)
        ignored = playbook.ignored(extra, variables)
        try:
            playbook.refuse_tags(_given_tags(), self._task.tags)
            playbook.refuse_names(variables, extra)
            if ignored and not _has_own_plays():
                raise ignored[0]
            found = playbook.parse(lambda name: self._value(name, variables), variables)
        except TaskError as error:
            raise AnsibleError(error.failure()["msg"]) from None
        warnings = [f"{error.message}. {error.remedy}" for error in ignored]
        return {**result, "changed": False, "variables": found, "warnings": warnings}

    def _value(self, name: str, variables: Json) -> t.Any:
        """A variable, templated, in plain types: Ansible's carry tags."""
        try:
            value = self._templar.template(variables[name])
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
