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

from ansible_collections.rayfleet.anyscale.plugins.module_utils._survey import (
    QUESTIONS,
    answer,
)
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
        return (
            f"launch the job template {_template(invocation)} with {answer('rollback_run', run_id)}"
        )
    words = ["ansible-playbook", *inventory_options(invocation)]
    words += [PLAYBOOK, "-e", f"rollback_run={run_id}"]
    words += ["-e", f"cloud_iam_backup_dir={backup_dir}"] if backup_dir else []
    return " ".join(shlex.quote(word) for word in words)


def how_to_choose_a_run(invocation: Invocation) -> str:
    """What to do with a list of runs to roll back one of them."""
    if invocation.in_awx:
        runs = answer("rollback_run", "one of these runs")
        return f"Launch the job template {_template(invocation)} with {runs}"
    return "Set rollback_run to one of these runs"


def how_to_find_a_run(invocation: Invocation) -> str:
    """What to check if there are no backups of a run."""
    if invocation.in_awx:
        return (
            f"Check the answer for {QUESTIONS['rollback_run']}, the IDs of jobs. Without an answer, the "
            f"job template {_template(invocation)} lists the runs."
        )
    return (
        "Check rollback_run, rollback_paths and cloud_iam_backup_dir (options run_ids, paths and "
        "backup_dir). Without rollback_run and rollback_paths, the playbook lists the runs."
    )


def how_to_list_runs(invocation: Invocation) -> str:
    """How to see the last runs, with what they changed, such as to find one that published nothing."""
    if invocation.in_awx:
        question = QUESTIONS["rollback_run"]
        how = f"launch the job template {_template(invocation)} without an answer for {question}"
    else:
        words = ["ansible-playbook", *inventory_options(invocation), PLAYBOOK]
        how = f"run {' '.join(shlex.quote(word) for word in words)}"
    return f"{how}, which lists the last runs"


def how_to_preview(invocation: Invocation) -> str:
    """What shows which documents onboarding would change."""
    if invocation.in_awx:
        return f"{invocation.job_template('onboard')} with {answer('fleet_mode', 'check')}"
    return "onboard --check"


def how_to_confirm(selected: int, invocation: Invocation) -> str:
    """What to do if the number of clouds to be offboarded has to be confirmed."""
    if invocation.in_awx:
        check, number = answer("fleet_mode", "check"), answer("offboard_confirm", selected)
        return (
            f"Look at what would change with {check}, which needs no number. Then launch the job "
            f"template again with {number}."
        )
    return (
        "Look at what would change with --check (or fleet_mode=check), which needs no number. Then run "
        f"the same again with -e offboard_confirm={selected}."
    )


def how_to_select(invocation: Invocation) -> str:
    """What to do if a selection is required."""
    if invocation.in_awx:
        *others, last = (QUESTIONS[f"fleet_{name}"] for name in ("clouds", "accounts", "regions"))
        return f"Answer {', '.join(others)} or {last}; {answer('fleet_clouds', '*')} selects all clouds."
    return (
        "Use --limit, or set fleet_clouds, fleet_accounts or fleet_regions; fleet_clouds=* selects all "
        "clouds."
    )


def how_to_take_all(invocation: Invocation) -> str:
    """What to do if a run that is about all clouds may have been limited to some."""
    if invocation.in_awx:
        return "If answers or a limit have selected clouds, launch the job template without them."
    return "If this run used --limit, run the audit without it."


def how_to_set(variable_name: str, invocation: Invocation) -> str:
    """How to set a variable of a playbook to true for one cloud."""
    if invocation.in_awx:
        yes = answer(variable_name, "yes")
        return f"launch the job template for this cloud alone, with {yes}"
    return f"set {variable_name}=true for this cloud (in host_vars, or with --limit and -e)"


def where_the_hosts_are(invocation: Invocation) -> str:
    """Where the names of the clouds of this run are."""
    if invocation.in_awx:
        return "Compare the spelling with the hosts of the inventory in AWX."
    return "Compare the spelling with the inventory (ansible-inventory --graph)."


def what_selects_hosts(variable_name: str, invocation: Invocation) -> str:
    """What to check if a pattern matches no host. variable_name: the one that sets the pattern."""
    if invocation.in_awx:
        return (
            "Check the hosts of the inventory in AWX, the limit of the job template, and "
            f"{variable_name}, if it is set."
        )
    return f"Check the inventory (ansible-inventory --graph), --limit, and {variable_name}."


def how_to_have_hosts(invocation: Invocation) -> str:
    """What to do about an inventory without hosts."""
    if invocation.in_awx:
        return "Check the inventory in AWX, and the last job of its source."
    return "Pass an inventory with -i, and check it with: ansible-inventory --graph"


def how_to_onboard(clouds: t.Sequence[str], invocation: Invocation) -> str:
    """How to converge clouds; with all others of the fleet, if they are too many to be named."""
    return _run("onboard", {"fleet_mode": "apply"}, clouds, invocation)


def how_to_audit(clouds: t.Sequence[str], invocation: Invocation) -> str:
    """How to audit clouds, in the same way."""
    return _run("audit", {}, clouds, invocation)


def _run(
    playbook: str, answers: dict[str, str], clouds: t.Sequence[str], invocation: Invocation
) -> str:
    """How to run a playbook for clouds. answers: to other questions of its survey, by
    their variables.
    """
    named = ",".join(clouds) if len(clouds) <= _MOST_NAMED else ""
    if invocation.in_awx:
        answers = {**answers, **({"fleet_clouds": named} if named else {})}
        told = " and ".join(answer(*one) for one in answers.items())
        template = invocation.job_template(playbook)
        return f"launch the job template {template}{f' with {told}' if told else ''}"
    words = ["ansible-playbook", *inventory_options(invocation), f"rayfleet.anyscale.{playbook}"]
    words += ["-e", variable("fleet_clouds", named)] if named else []
    return " ".join(shlex.quote(word) for word in words)


def _template(invocation: Invocation) -> str:
    return invocation.job_template("rollback")
