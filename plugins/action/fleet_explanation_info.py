# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Explain clouds that were audited. The documentation is in plugins/modules."""

from __future__ import annotations

import typing as t

from ansible import context
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_once import (
    FleetAction,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.host_results import (
    not_permitted,
    results_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.explanation import explain
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.explanation_text import (
    lines_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.model import make_report
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import RunFolder
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import (
    connected_by,
    inventory_options,
    invocation_of,
    not_repeated,
    variable_options,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.states import FAILED, IN_SYNC

Json = dict[str, t.Any]
display = Display()


class ActionModule(FleetAction):
    """Runs once, for clouds that need not be hosts of the play."""

    rules: t.ClassVar[Json] = {
        "argument_spec": {
            "run": {"type": "str", "required": True},
            "hosts": {"type": "list", "elements": "str", "required": True},
            "results": {"type": "str", "default": "cloud_iam_info_result"},
        }
    }

    def run_for(self, names: list[str], hostvars: t.Any, arguments: Json) -> Json:
        """Display the explanations, and return them. The outcomes say which clouds were not read."""
        run, hosts = arguments["run"], arguments["hosts"]
        results = results_of(hosts, hostvars, arguments["results"], run)
        extra_vars = load_extra_vars(self._loader)
        options = inventory_options(invocation_of(context.CLIARGS, hostvars["localhost"]))
        options += variable_options(extra_vars)
        strangers = not_permitted(hosts, hostvars)
        report = make_report(results, "", "", not_permitted=strangers, options=options)
        clouds = report["clouds"]
        lacking = (not_repeated(extra_vars), connected_by(extra_vars))
        explanations = [explain(cloud, *lacking) for cloud in clouds]
        lines = [line for one in explanations for line in ("", *lines_of(one, display.columns))]
        # As they stand: in the result of a task they would be quoted, and could not be pasted.
        display.display("\n".join(lines))
        folder = RunFolder(run)
        folder.write_outcomes({cloud["name"]: _outcome(cloud) for cloud in clouds})
        folder.write("run", {"left_to_tasks": []})
        return {"explanations": explanations, "lines": lines}


def _outcome(cloud: Json) -> Json:
    """What the last task does for the cloud: it fails if nothing of it was read."""
    if cloud["state"] != "error":
        return {"state": IN_SYNC, "changed": False}
    message = "Nothing of this cloud could be read. Its explanation says why."
    return {"state": FAILED, "changed": False, "msg": message}
