# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command that undoes a run, for the operator to copy.

This plugin util is private to the collection. Pure, but for the look at the command line.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import typing as t

from ansible import constants as C

PLAYBOOK = "rayfleet.anyscale.rollback"


@dataclasses.dataclass(frozen=True)
class Invocation:
    """How this run was started: what its command line has for ``-i``, and whether it is a job of
    AWX, whose operator has no command line.
    """

    inventories: tuple[str, ...] = ()
    in_awx: bool = False


def invocation_of(arguments: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]) -> Invocation:
    """From Ansible's own arguments, which have absolute paths, or the configured inventory if none is
    given, and from the variables of a host.
    """
    given = [str(one) for one in arguments.get("inventory") or ()]
    configured = [str(one) for one in C.DEFAULT_HOST_LIST or ()]
    inventories = [] if given == configured else [_as_typed(one) for one in given]
    return Invocation(tuple(inventories), "awx_job_id" in variables)


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
        return f"launch the job template rollback with {run_id} for Run{force}"
    words = ["ansible-playbook", *inventory_options(invocation)]
    words += [PLAYBOOK, "-e", f"rollback_run={run_id}"]
    words += ["-e", f"cloud_iam_backup_dir={backup_dir}"] if backup_dir else []
    words += ["-e", "rollback_force=true"] if forced else []
    return " ".join(shlex.quote(word) for word in words)


def inventory_options(invocation: Invocation) -> list[str]:
    """The options of a command for the clouds of this run."""
    return [word for one in invocation.inventories for word in ("-i", one)]


def _as_typed(inventory: str) -> str:
    """A path below the current directory as it is most likely typed."""
    here = os.path.join(os.getcwd(), "")
    return inventory.removeprefix(here) if os.path.isabs(inventory) else inventory
