# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Return a cloud's own outcome of a run of the fleet engine. The documentation is in
plugins/modules.
"""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.of_role import role_outcome
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import RunFolder
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.states import FAILED
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import first_sentence

_RULES = {"argument_spec": {"run": {"type": "str", "required": True}}}

Json = dict[str, t.Any]


class ActionModule(ActionBase):
    """Fails for a cloud that failed, so that the run's recap and exit status say so."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: None = None, task_vars: Json | None = None) -> Json:
        """Return the outcome."""
        variables = task_vars or {}
        result = super().run(tmp, variables)
        _validation, arguments = self.validate_argument_spec(**_RULES)
        name = str(variables["inventory_hostname"])
        try:
            folder = RunFolder(arguments["run"])
        except TaskError as error:
            raise AnsibleError(error.failure()["msg"]) from None
        outcome = folder.read_outcome(name)
        if outcome is None:
            # The cloud's own tasks have shown what they changed.
            outcome = role_outcome(variables, arguments["run"], self._task.check_mode)
            outcome["changed"] = False
        if not self._task.diff:
            outcome.pop("diff", None)
        has_failed = outcome["state"] == FAILED
        if outcome.pop("displayed", has_failed) and "awx_job_id" in variables:
            outcome["msg"] = _in_short(name, outcome["msg"])
        return {**result, **outcome, "failed": has_failed}


def _in_short(name: str, message: str) -> str:
    """What on-call reads first of a host in AWX, of a message that was displayed when the cloud failed:
    Ansible itself displays that of a failed task twice.
    """
    cause = first_sentence(message)
    return cause if cause == message else f"{cause} The rest is above, where {name} failed first."
