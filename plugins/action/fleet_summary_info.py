# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Summarize a run of the fleet engine. The documentation is in plugins/modules."""

from __future__ import annotations

import typing as t

from ansible import context
from ansible.utils.display import Display

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_once import (
    FleetAction,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.awx_artifacts import (
    published,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.of_run import (
    outcomes_of_run,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.summary import (
    Outcomes,
    backups_of,
    closing_lines,
    counts_of,
    failed_clouds,
    lines_of,
    lines_to_add,
    not_in_recap,
    written_in_part,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import RunFolder
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import invocation_of

display = Display()


class ActionModule(FleetAction):
    """Runs once for all hosts."""

    rules: t.ClassVar[dict[str, t.Any]] = {
        "argument_spec": {"run": {"type": "str", "required": True}}
    }

    def run_for(
        self, names: list[str], hostvars: t.Any, arguments: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        """Count the outcomes, those of the role's tasks included."""
        folder = RunFolder(arguments["run"])
        run = folder.read("run", {"step": "", "left_to_tasks": []})
        outcomes = outcomes_of_run(folder, run["left_to_tasks"], hostvars, self._task.check_mode)
        selection = folder.read("selection", {})
        not_permitted = selection.get("not_permitted", [])
        counts = counts_of(outcomes, not_permitted)
        to_add = lines_to_add(outcomes)
        # No host of the play is left if all clouds failed.
        invocation = invocation_of(context.CLIARGS, hostvars["localhost"])
        of_run = (outcomes, self._task.check_mode, invocation, not_permitted)
        of_none = [selection["none"]] if not outcomes and "none" in selection else []
        instead = run.get("lines") or of_none
        closing = instead or closing_lines(*of_run)
        of_plan = [run["of_plan"]] if run.get("of_plan") else []
        # As they stand: in the result of a task they would be quoted, and could not be pasted.
        more = [run[name] for name in ("batches", "kept") if run.get(name)]
        unseen = not_in_recap(outcomes)
        told = [*([to_add] if to_add else []), *closing, *unseen, *more, *of_plan]
        display.display("\n".join(["", *told]))
        result: dict[str, t.Any] = {
            "counts": counts,
            "failed_clouds": failed_clouds(outcomes),
            "lines": (instead or lines_of(*of_run)) + more,
            "lines_to_add": to_add,
        }
        if run.get("failure"):
            result |= {"failed": True, "msg": run["failure"]}
        if not run.get("is_published"):
            artifact = _artifact(run["step"], counts, outcomes)
            result["ansible_stats"] = published(artifact, hostvars["localhost"].get("awx_job_id"))
        return result


def _artifact(step: str, counts: dict[str, int], outcomes: Outcomes) -> dict[str, t.Any]:
    """What a run that is no audit leaves to the next jobs of a workflow."""
    return {
        "step": step,
        "counts": counts,
        "failed_clouds": failed_clouds(outcomes),
        "written_in_part": written_in_part(outcomes),
        "runs": sorted({backup["run"] for backup in backups_of(outcomes)}),
    }
