# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Audit all hosts of a batch at once. The documentation is in plugins/modules."""

from __future__ import annotations

import contextlib
import gc
import typing as t

from ansible.utils.display import Display

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.shared_clients import (
    SharedClients,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.account_sessions import (
    AccountSessions,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.in_worker import (
    run_cache,
    warm_up_workers,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_once import FleetAction
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.clouds import CloudVariables
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.audit import FleetAudit
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.audit_results import (
    AuditResults,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.host_results import (
    not_permitted,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.next_plays import pass_on
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.recording import recording
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.events import AUDIT
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.feed import Feed
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.model import (
    FAIL_ON,
    failed_clouds,
    make_report,
    standing_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import RunFolder
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.states import FAILED

_RULES = {
    "argument_spec": {
        "run": {"type": "str", "required": True},
        "hosts": {"type": "list", "elements": "str", "required": True},
        "engine": {"type": "bool", "default": True},
        "threads": {"type": "int", "default": 16},
        "bulk_reads": {"type": "bool", "default": True},
        "fail_on": {"type": "str", "choices": list(FAIL_ON), "default": "error"},
    }
}

Json = dict[str, t.Any]

warm_up_workers()


class ActionModule(FleetAction):
    """Runs once for all hosts. It does not fail for what happens to clouds: their results say so."""

    rules = _RULES

    def run_for(self, names: list[str], hostvars: t.Any, arguments: Json) -> Json:
        """Audit, and return the hosts that are left."""
        gc.freeze()
        if arguments["threads"] < 1:
            raise InputError(f"threads is {arguments['threads']}.", "Give a positive number.")
        folder = RunFolder(arguments["run"])
        # The directory in which a local connection runs modules.
        with recording(folder), contextlib.chdir(self._loader.get_basedir()):
            found = self._audit(arguments, folder, not_permitted(names, hostvars))
            left = {name: found[name] for name in arguments["hosts"] if name in found}
            folder.write("run", {"left_to_tasks": list(left)})
            facts = {
                "hosts": arguments["hosts"],
                "left": list(left),
                "check_mode": self._task.check_mode,
            }
            pass_on(folder, folder.read_outcomes(), list(left), names, facts)
        return {"left": list(left), "obstacles": left}

    def _audit(
        self, arguments: Json, folder: RunFolder, strangers: t.Container[str]
    ) -> dict[str, str]:
        """Audit, and return the hosts that are left, each with the reason."""
        names, threads = arguments["hosts"], arguments["threads"]
        variables = CloudVariables(self, self._task.get_play().connection, reads_only=True)
        sessions = AccountSessions(run_cache(), threads, arguments["bulk_reads"])
        fleet = FleetAudit(
            lambda name: variables.read([name], arguments["engine"], {}),
            sessions.session,
            SharedClients(configs_wanted=len(names)).client,
        )
        left: dict[str, str] = {}
        outcomes: dict[str, Json] = {}
        with AuditResults(folder) as results, Feed(folder.path, Display().display) as feed:
            feed.stage(AUDIT, len(names))
            for audited in fleet.audit(names, threads):
                if audited.result is None:
                    left[audited.name] = audited.obstacle
                    feed.done(audited.name, "", "pending", (audited.obstacle,))
                    continue
                results.add(audited.name, audited.result)
                report = make_report([(audited.name, audited.result)], "", "", None, strangers)
                outcomes[audited.name] = _outcome(report, arguments["fail_on"])
                _show(feed, report["clouds"][0])
        folder.write_outcomes(outcomes)
        return left


def _show(feed: Feed, cloud: Json) -> None:
    """Show what a cloud of a report counts as."""
    account = str((cloud["cloud"] or {}).get("account_id") or "")
    standing, drift = standing_of(cloud)
    message = str(cloud["error"]) if standing == "failed" else ""
    feed.done(cloud["name"], account, standing, drift, message)


def _outcome(report: Json, fail_on: str) -> Json:
    """Whether the audit fails for a cloud: then the play that writes the report is for it."""
    return {"state": FAILED if failed_clouds(report, fail_on) else report["clouds"][0]["state"]}
