# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Share out the documents of a run among the hosts that are to put them back. Its documentation is
in plugins/modules.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible.errors import AnsibleError

from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    DIRECTORY,
    check_directory,
    check_run_id,
    files_in,
    read,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_once import (
    FleetAction,
    host_variable,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.rollback import (
    VARIABLES,
    Cloud,
    Restorable,
    assign,
    cloud_of,
    documents_of,
    with_dependents,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import summarize_names

_RULES = {
    "argument_spec": {
        "run_id": {"type": "str"},
        "paths": {"type": "list", "elements": "path"},
        "backup_dir": {"type": "path", "default": DIRECTORY},
        "own": {"type": "bool", "default": False},
        "fleet": {"type": "list", "elements": "str", "default": []},
    },
    "required_one_of": [["run_id", "paths"]],
    "mutually_exclusive": [["run_id", "paths"]],
}


class ActionModule(FleetAction):
    """Runs once for all hosts of the batch."""

    rules = _RULES

    def run_for(
        self, names: list[str], hostvars: t.Any, arguments: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        """Read the backups, and say who is to put back what."""
        # The folder in which a local connection runs modules.
        with contextlib.chdir(self._loader.get_basedir()):
            documents = _documents(arguments)
        hosts = {name: _cloud(hostvars[name]) for name in names}
        clouds = (
            sorted({cloud.cloud_id for cloud in hosts.values() if cloud.cloud_id})
            if arguments["own"]
            else None
        )
        of_the_run = {cloud for document in documents for cloud in document.clouds}
        beside = {
            name: _cloud(hostvars[name])
            for name in arguments["fleet"]
            if name not in hosts and name in hostvars
        }
        documents = with_dependents(
            documents,
            dict(sorted({**hosts, **beside}.items())),
            of_the_run if clouds is None else clouds,
        )
        shares = assign(documents, hosts, arguments["own"])
        unassigned = [document.first.resource for document in shares.unassigned]
        if unassigned and not arguments["own"]:
            raise AnsibleError(
                f"No host of the play is a cloud of the account of "
                f"{summarize_names(unassigned)}. Add one, or set own to true to leave them out."
            )
        if not shares.by_host:
            raise AnsibleError(
                f"No document that was found is a cloud's of the play. Found: {summarize_names(unassigned)}. "
                "Add their clouds to the play, or set own to false so that any cloud of their "
                "account puts them back."
            )
        return {
            "warnings": [
                f"Not put back, since no cloud of the play names it: {summarize_names(unassigned)}."
            ]
            if unassigned
            else [],
            "hosts": list(shares.by_host),
            "documents": {
                name: [document.as_item(clouds) for document in share]
                for name, share in shares.by_host.items()
            },
            "left_out": unassigned,
        }


def _documents(arguments: t.Mapping[str, t.Any]) -> list[Restorable]:
    """The documents that the backups that are asked for are of."""
    paths = _paths(arguments)
    if not paths:
        what = (
            f"{arguments['backup_dir']} of run {arguments['run_id']}"
            if arguments["run_id"]
            else ", ".join(arguments["paths"])
        )
        raise AnsibleError(f"There is no backup in {what}.")
    return documents_of({path: read(path) for path in paths})


def _paths(arguments: t.Mapping[str, t.Any]) -> list[str]:
    """The backups that are asked for, without those that are asked for twice."""
    if arguments["paths"] is None:
        return files_in(check_directory(arguments["backup_dir"]), check_run_id(arguments["run_id"]))
    given = [os.path.abspath(path) for path in arguments["paths"]]
    return list(
        dict.fromkeys(
            file for path in given for file in (files_in(path) if os.path.isdir(path) else [path])
        )
    )


def _cloud(variables: t.Mapping[str, t.Any]) -> Cloud:
    return cloud_of({name: host_variable(variables, name) for name in VARIABLES})
