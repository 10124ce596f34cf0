# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validate the variables of a cloud. The documentation is in plugins/modules."""

from __future__ import annotations

import typing as t

from ansible import context
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    TaskError,
    naming_variables,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._survey import JOB_OF_AWX
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.clouds import CloudVariables
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.notices import (
    grouped,
    pass_role_notice_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.parts import stages_of_role
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.registered_roles import (
    read_for_notices,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.required_variables import (
    refuse_incomplete,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import PASS_ROLE

_STATE = {"type": "str", "choices": ["present", "absent"], "default": "present"}


class ActionModule(ActionBase):
    """Reads the variables of its host."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Fail for the first variable that is invalid, unknown or missing."""
        variables = task_vars or {}
        result = super().run(tmp, variables)
        _validation, arguments = self.validate_argument_spec(argument_spec={"state": _STATE})
        name = variables["inventory_hostname"]
        cloud = CloudVariables(self, None).of_task(name, variables)
        is_told = not _is_of_playbook(variables)
        warnings = self._notices(cloud, cloud.notices if is_told else ())
        told = {"changed": False, "warnings": warnings}
        try:
            if cloud.error:
                raise cloud.error
            refuse_incomplete(cloud, self._stages(), arguments["state"])
            if is_told and arguments["state"] == "present" and PASS_ROLE in self._stages():
                read_for_notices([cloud])
                notice = pass_role_notice_of(cloud, cloud.registered_role)
                warnings += self._notices(cloud, [notice] if notice else [])
        except TaskError as error:
            with naming_variables(JOB_OF_AWX in variables):  # the reader's, whose role this is
                message = error.failure()["msg"]
            # It may quote a secret, in another variable.
            failure = {**told, "failed": True, "msg": message}
            return {**result, **remove_values(failure, cloud.settings.secrets)}
        return {**result, **told}

    @staticmethod
    def _notices(cloud: Cloud, notices: t.Iterable[str]) -> list[str]:
        """What the operator is told of the variables, as the playbooks tell it for all clouds."""
        told = remove_values(grouped({cloud.name: notices}), cloud.settings.secrets)
        return t.cast("list[str]", told)

    def _stages(self) -> list[str]:
        """The kinds of resources that the tasks after this one converge."""
        chosen = context.CLIARGS.get("tags") or ("all",)
        own = {tag for tag in self._task.tags if tag != "always"}
        return stages_of_role(own, chosen, context.CLIARGS.get("skip_tags") or ())


def _is_of_playbook(variables: dict[str, t.Any]) -> bool:
    """Whether a playbook of this collection runs the role, and has told it for all clouds: its play has
    this variable.
    """
    return "fleet_run" in variables
