# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Assign the documents of a run to the hosts that are to restore them, or list the runs. The
documentation is in plugins/modules.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible import context
from ansible.errors import AnsibleError

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_stages import (
    PROPAGATION_SECONDS,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    refuse_unknown_variables,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError, option
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    Backup,
    StoredBackup,
    backup_directory,
    check_run_id,
    files_in,
    read,
    run_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.first_task import (
    PLAYBOOK,
    FirstTask,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_once import (
    host_variable,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds import authority
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.authority import (
    is_uncovered,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.assignment import (
    VARIABLES,
    Assignment,
    Host,
    assign,
    host_of,
    restored_for,
    why_unassigned,
    with_dependents,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.documents import (
    documents_of,
    moves_roles,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.kept_profiles import (
    kept_profiles,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.past_runs import (
    lines_of,
    past_runs,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import new_token
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import (
    Invocation,
    invocation_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.undo import (
    how_to_choose_a_run,
    how_to_find_a_run,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import summarize_names

_RULES = {
    "argument_spec": {
        **PLAYBOOK,
        "run_ids": {"type": "list", "elements": "str"},
        "paths": {"type": "list", "elements": "path"},
        "backup_dir": {"type": "path"},
        "only_named_documents": {"type": "bool", "default": False},
        "fleet": {"type": "list", "elements": "str", "default": []},
    },
    "mutually_exclusive": [["run_ids", "paths"]],
}
_MOST_RUNS = 20


class ActionModule(FirstTask):
    """Runs once for all hosts of the batch."""

    rules = _RULES

    def run_for(
        self, names: list[str], hostvars: t.Any, arguments: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        """Read the backups, and assign the documents to hosts."""
        for name in names:
            refuse_unknown_variables(hostvars[name], name)
        # The directory in which a local connection runs modules.
        with contextlib.chdir(self._loader.get_basedir()):
            invocation = invocation_of(context.CLIARGS, hostvars["localhost"])
            backups = _backups(arguments, invocation) if _is_given(arguments) else None
            if backups is None:
                _refuse_empty(arguments["run_ids"], invocation)
                known = _names_of_clouds(names, hostvars)
                return _list_of_runs(arguments["backup_dir"], known, invocation)
        hosts = {name: _host(hostvars[name]) for name in names}
        only_named: bool = arguments["only_named_documents"]
        documents = documents_of(backups)
        clouds = _cloud_ids(hosts) if only_named else None
        fleet = {**_rest_of_fleet(arguments["fleet"], hosts, hostvars), **hosts}
        documents = with_dependents(documents, dict(sorted(fleet.items())), clouds)
        assignment = assign(documents, hosts, only_named)
        left_out = [document.first.resource for document in assignment.unassigned]
        if (left_out and not only_named) or (documents and not assignment.by_host):
            uncovered = _uncovered(hosts, hostvars)
            raise AnsibleError(why_unassigned(left_out, only_named, uncovered, invocation))
        kept = kept_profiles(backups.values(), clouds)
        return {
            **_plan(assignment, clouds, left_out),
            "restored_for": restored_for(assignment, fleet, clouds),
            "kept": kept,
        }


def _plan(
    assignment: Assignment, clouds: list[str] | None, left_out: list[str]
) -> dict[str, t.Any]:
    """The result, with a warning of the documents that are left out."""
    warning = (
        "Not restored, because these documents belong to no cloud of the play: "
        f"{summarize_names(left_out)}."
    )
    assigned = [document for found in assignment.by_host.values() for document in found]
    return {
        "run": new_token(),
        "warnings": [warning] if left_out else [],
        "hosts": list(assignment.by_host),
        "documents": {
            name: [document.as_item(clouds) for document in found]
            for name, found in assignment.by_host.items()
        },
        "wait_seconds": int(PROPAGATION_SECONDS) if moves_roles(assigned) else 0,
        "left_out": left_out,
        "runs": [],
        "lines": [],
    }


def _is_given(arguments: t.Mapping[str, t.Any]) -> bool:
    """Whether it is said what to roll back."""
    return bool(_run_ids(arguments)) or arguments["paths"] is not None


def _refuse_empty(run_ids: list[str] | None, invocation: Invocation) -> None:
    """Raise for an ID that is empty, as a variable that a pipeline has not set is. In a job of AWX it
    is a question of the survey that was left out.
    """
    if run_ids is not None and not invocation.in_awx:
        raise AnsibleError(
            f"{option('run_ids', 'rollback_run')} is set, but contains no ID of a run. Set it to the ID "
            "of the run to roll back, or leave it out: then the runs are listed."
        )


def _run_ids(arguments: t.Mapping[str, t.Any]) -> list[str]:
    """The IDs of the runs, each once. The answer of a survey may have spaces after its commas."""
    stripped = (run_id.strip() for run_id in arguments["run_ids"] or ())
    return list(dict.fromkeys(filter(None, stripped)))


def _list_of_runs(
    backup_dir: str | None, names: t.Mapping[str, str], invocation: Invocation
) -> dict[str, t.Any]:
    """The result without a run: the last runs, and nothing to restore."""
    directory = backup_directory(backup_dir)
    paths: dict[str, list[str]] = {}
    for path in files_in(directory) if os.path.isdir(directory) else ():
        paths.setdefault(run_of(path), []).append(path)
    # The newest first, by their first backups.
    newest = sorted(paths, key=lambda run: os.path.basename(paths[run][0]), reverse=True)
    stored: dict[str, list[StoredBackup]] = {run: [] for run in newest[:_MOST_RUNS]}
    unreadable = dict.fromkeys(stored, 0)
    for run, found in stored.items():
        for path in paths[run]:
            try:
                found.append(read(path))
            except InputError:
                unreadable[run] += 1
    runs = past_runs(stored, unreadable, names)
    more = len(newest) - len(runs)
    head = f"Nothing was rolled back. {how_to_choose_a_run(invocation)}, of {directory}:"
    lines = [head, *lines_of(runs, more)]
    return {
        "run": new_token(),
        "hosts": [],
        "restored_for": [],
        "documents": {},
        "wait_seconds": 0,
        "left_out": [],
        "kept": [],
        "runs": [run.as_item() for run in runs],
        "lines": lines
        if runs
        else [f"Nothing was rolled back: there is no backup in {directory}."],
    }


def _names_of_clouds(names: t.Iterable[str], hostvars: t.Any) -> dict[str, str]:
    """The names of the hosts by the IDs of their clouds."""
    hosts = {name: host_variable(hostvars[name], "cloud_iam_cloud_id") for name in names}
    return {str(cloud_id): name for name, cloud_id in hosts.items() if cloud_id}


def _cloud_ids(hosts: t.Mapping[str, Host]) -> list[str]:
    return sorted({host.cloud.cloud_id for host in hosts.values() if host.cloud.cloud_id})


def _rest_of_fleet(
    fleet: t.Iterable[str], hosts: t.Collection[str], hostvars: t.Any
) -> dict[str, Host]:
    """The hosts of a fleet that are in the inventory, without those of the play."""
    return {name: _host(hostvars[name]) for name in fleet if name not in hosts and name in hostvars}


def _uncovered(hosts: t.Mapping[str, Host], hostvars: t.Any) -> list[str]:
    """The hosts without an account of the operator's, since the fleet file does not cover them."""
    return [
        name
        for name, host in hosts.items()
        if not host.account_id and is_uncovered(host_variable(hostvars[name], authority.VARIABLE))
    ]


def _backups(arguments: t.Mapping[str, t.Any], invocation: Invocation) -> dict[str, Backup]:
    """The selected backups, by their paths."""
    return {path: read(path).backup for path in _paths(arguments, invocation)}


def _paths(arguments: t.Mapping[str, t.Any], invocation: Invocation) -> list[str]:
    """The selected backups, each once. Raises if there are none of a run."""
    if arguments["paths"] is None:
        directory = backup_directory(arguments["backup_dir"])
        of_runs = {
            run_id: files_in(directory, check_run_id(run_id)) for run_id in _run_ids(arguments)
        }
        if without := [run_id for run_id, files in of_runs.items() if not files]:
            noun = "run" if len(without) == 1 else "runs"
            raise _no_backup(f"{directory} of {noun} {summarize_names(without)}", invocation)
        return [path for files in of_runs.values() for path in files]
    paths = _paths_below(arguments["paths"])
    if not paths:
        raise _no_backup(", ".join(arguments["paths"]), invocation)
    return paths


def _no_backup(where: str, invocation: Invocation) -> AnsibleError:
    return AnsibleError(f"There is no backup in {where}. {how_to_find_a_run(invocation)}")


def _paths_below(paths: t.Iterable[str]) -> list[str]:
    """Files, and those in directories, each once."""
    given = [os.path.abspath(path) for path in paths]
    return list(
        dict.fromkeys(
            file for path in given for file in (files_in(path) if os.path.isdir(path) else [path])
        )
    )


def _host(variables: t.Mapping[str, t.Any]) -> Host:
    return host_of({name: host_variable(variables, name) for name in VARIABLES})
