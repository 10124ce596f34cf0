# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validate the variables of a playbook. The documentation is in plugins/modules."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.first_task import validated
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.playbook_variables import (
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
        found, warnings = validated(self, arguments["playbook"], variables)
        return {**result, "changed": False, "variables": found, "warnings": warnings}
