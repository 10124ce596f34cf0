# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validate the variables of a playbook. The documentation is in plugins/modules."""

from __future__ import annotations

import json
import typing as t

from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    TaskError,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.playbook_variables import (
    load_playbook,
    playbook_names,
)

Json = dict[str, t.Any]


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
        try:
            playbook.refuse_tags(_given_tags(), self._task.tags)
            playbook.refuse_names(variables, load_extra_vars(self._loader))
            found = playbook.parse(lambda name: self._value(name, variables), variables)
        except TaskError as error:
            raise AnsibleError(error.failure()["msg"]) from None
        return {**result, "changed": False, "variables": found}

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
