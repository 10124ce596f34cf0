# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command that undoes a run, for the operator to copy, and others like it, each also in the words
of AWX, whose operator sees job templates and the questions of their surveys.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import shlex
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import (
    Invocation,
    inventory_options,
    variable,
)

PLAYBOOK = "rayfleet.anyscale.rollback"
_MOST_NAMED = 10


def undo_command(run_id: str, invocation: Invocation, *, backup_dir: str | None = None) -> str:
    """How to restore the documents that a run replaced. A limit of the run is not repeated: its
    backups are of its clouds alone.

    backup_dir: the directory with the backups, if it is not the default one.
    """
    if invocation.in_awx:
        return f"launch the job template {_template(invocation)} with {run_id} for Run"
    words = ["ansible-playbook", *inventory_options(invocation)]
    words += [PLAYBOOK, "-e", f"rollback_run={run_id}"]
    words += ["-e", f"cloud_iam_backup_dir={backup_dir}"] if backup_dir else []
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


def how_to_list_runs(invocation: Invocation) -> str:
    """How to see the last runs, with what they changed, such as to find one that published nothing."""
    if invocation.in_awx:
        how = f"launch the job template {_template(invocation)} without an answer for Run"
    else:
        words = ["ansible-playbook", *inventory_options(invocation), PLAYBOOK]
        how = f"run {' '.join(shlex.quote(word) for word in words)}"
    return f"{how}, which lists the last runs"


def how_to_onboard(clouds: t.Sequence[str], invocation: Invocation) -> str:
    """How to converge clouds; with all others of the fleet, if they are too many to be named."""
    return _run("onboard", {"Mode": "apply"}, clouds, invocation)


def how_to_audit(clouds: t.Sequence[str], invocation: Invocation) -> str:
    """How to audit clouds, in the same way."""
    return _run("audit", {}, clouds, invocation)


def _run(
    playbook: str, answers: dict[str, str], clouds: t.Sequence[str], invocation: Invocation
) -> str:
    """How to run a playbook for clouds. answers: to other questions of its survey."""
    named = ",".join(clouds) if len(clouds) <= _MOST_NAMED else ""
    if invocation.in_awx:
        answers = {**answers, **({"Clouds": named} if named else {})}
        told = " and ".join(f"{answer} for {question}" for question, answer in answers.items())
        template = invocation.job_template(playbook)
        return f"launch the job template {template}{f' with {told}' if told else ''}"
    words = ["ansible-playbook", *inventory_options(invocation), f"rayfleet.anyscale.{playbook}"]
    words += ["-e", variable("fleet_clouds", named)] if named else []
    return " ".join(shlex.quote(word) for word in words)


def _template(invocation: Invocation) -> str:
    return invocation.job_template("rollback")
