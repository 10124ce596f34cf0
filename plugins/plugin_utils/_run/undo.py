# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command that undoes a run, for the operator to copy.

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
        return (
            f"launch the job template {invocation.rollback_template} with {run_id} for Run{force}"
        )
    words = ["ansible-playbook", *inventory_options(invocation)]
    words += [PLAYBOOK, "-e", f"rollback_run={run_id}"]
    words += ["-e", f"cloud_iam_backup_dir={backup_dir}"] if backup_dir else []
    words += ["-e", "rollback_force=true"] if forced else []
    return " ".join(shlex.quote(word) for word in words)
