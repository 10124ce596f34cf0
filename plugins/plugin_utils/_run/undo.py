# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command that undoes a run, for the operator to copy, and others like it, each also in the words
of AWX, whose operator sees job templates and the questions of their surveys.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import shlex

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import (
    Invocation,
    inventory_options,
)

PLAYBOOK = "rayfleet.anyscale.rollback"


def undo_command(
    run_id: str, invocation: Invocation, *, backup_dir: str | None = None, forced: bool = False
) -> str:
    """How to restore the documents that a run replaced. A limit of the run is not repeated: its
    backups are of its clouds alone.

    backup_dir: the directory with the backups, if it is not the default one. forced: whether the
    rollback gives access again, which has to be forced.
    """
    if invocation.in_awx:
        force = ", and yes for Force, since it gives access again" if forced else ""
        return f"launch the job template {_template(invocation)} with {run_id} for Run{force}"
    words = ["ansible-playbook", *inventory_options(invocation)]
    words += [PLAYBOOK, "-e", f"rollback_run={run_id}"]
    words += ["-e", f"cloud_iam_backup_dir={backup_dir}"] if backup_dir else []
    words += ["-e", "rollback_force=true"] if forced else []
    return " ".join(shlex.quote(word) for word in words)


def how_to_choose_a_run(invocation: Invocation) -> str:
    """What to do with a list of runs to roll back one of them."""
    if invocation.in_awx:
        return f"Launch the job template {_template(invocation)} with one of these runs for Run"
    return "Set rollback_run to one of these runs"


def how_to_find_a_run(invocation: Invocation) -> str:
    """What to check if there are no backups of a run."""
    if invocation.in_awx:
        return (
            "Check the answer for Run, the IDs of jobs. Without an answer, the job template "
            f"{_template(invocation)} lists the runs."
        )
    return (
        "Check rollback_run, rollback_paths and cloud_iam_backup_dir (options run_ids, paths and "
        "backup_dir). Without rollback_run and rollback_paths, the playbook lists the runs."
    )


def onboard_one(cloud: str, invocation: Invocation) -> str:
    """How to onboard one cloud alone."""
    if invocation.in_awx:
        template = invocation.job_template("onboard")
        return f"launch the job template {template} with apply for Mode and {cloud} for Clouds"
    return f"run the playbook onboard with -e fleet_clouds={cloud}"


def _template(invocation: Invocation) -> str:
    return invocation.job_template("rollback")
