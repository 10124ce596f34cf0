# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Add up what the jobs of an AWX workflow published. The documentation is in plugins/modules."""

from __future__ import annotations

import functools
import json
import typing as t

from ansible import context
from ansible.utils.display import Display

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_once import (
    FleetAction,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.awx_artifacts import (
    merge_artifacts,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.workflow import (
    expected_slices,
    workflow_lines,
    workflow_problems,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import invocation_of
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.undo import (
    how_to_list_runs,
    undo_command,
)

display = Display()


class ActionModule(FleetAction):
    """Runs once, on the controller."""

    rules: t.ClassVar[dict[str, t.Any]] = {
        "argument_spec": {
            "artifacts": {"type": "dict", "required": True},
            "required_steps": {"type": "list", "elements": "str", "default": []},
            "slices": {"type": "int", "default": 1},
        }
    }

    def run_for(
        self, names: list[str], hostvars: t.Any, arguments: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        """Add up, and display the sums."""
        # Plain types: Ansible's carry tags.
        steps = merge_artifacts(json.loads(json.dumps(arguments["artifacts"])))
        invocation = invocation_of(context.CLIARGS, hostvars["localhost"])
        # Of a job of AWX, which is not sliced, all that its inventory has.
        slices = expected_slices(arguments["slices"], len(hostvars._inventory.hosts))
        jobs = (slices, how_to_list_runs(invocation))
        lines = workflow_lines(steps, functools.partial(undo_command, invocation=invocation), *jobs)
        # As they stand: in the result of a task they would be quoted.
        display.display("\n".join(["", *lines]))
        return {
            "steps": steps,
            "lines": lines,
            "problems": workflow_problems(steps, arguments["required_steps"], *jobs),
        }
