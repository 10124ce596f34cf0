# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Audit all hosts of a batch at once. The documentation is in plugins/modules."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.utils.display import Display

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.shared_clients import (
    SharedClients,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.account_sessions import (
    AccountSessions,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    variable_rules,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.in_worker import (
    run_cache,
    warm_up_workers,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_once import FleetAction
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.audit import (
    Elsewhere,
    FleetAudit,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.audit_results import (
    AuditResults,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.host_variables import (
    HostVariables,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.run_folder import (
    RunFolder,
    new_token,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.events import AUDIT
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.feed import Feed

_RULES = {
    "argument_spec": {
        "hosts": {"type": "list", "elements": "str"},
        "engine": {"type": "bool", "default": True},
        "threads": {"type": "int", "default": 16},
        "bulk_reads": {"type": "bool", "default": True},
    }
}

warm_up_workers()


class ActionModule(FleetAction):
    """Runs once for all hosts of the batch. It fails for none of them: a host that it cannot audit
    is left to a task of its own.
    """

    rules = _RULES

    def run_for(
        self, names: list[str], hostvars: t.Any, arguments: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        """Audit, and return where the results are and which hosts are left."""
        threads = arguments["threads"]
        if threads < 1:
            raise AnsibleError(f"threads is {threads}. Give a positive number.")
        names = names if arguments["hosts"] is None else arguments["hosts"]
        token = new_token()
        left = (
            self._audit(names, arguments, RunFolder(token))
            if arguments["engine"]
            else dict.fromkeys(names, "fleet_engine is false")
        )
        return {
            "run": token if len(left) < len(names) else None,
            "left": [name for name in names if name in left],
            "obstacles": left,
        }

    def _audit(
        self, names: list[str], arguments: dict[str, t.Any], run: RunFolder
    ) -> dict[str, str]:
        """Audit, and return the hosts that are left, each with the reason."""
        threads = arguments["threads"]
        sessions = AccountSessions(run_cache(), threads, arguments["bulk_reads"])
        clients = SharedClients(configs_wanted=len(names))
        fleet = FleetAudit(self._variables_of(), sessions.session, clients.client)
        left: dict[str, str] = {}
        with AuditResults(run) as results, Feed(run.path, Display().display) as feed:
            feed.stage(AUDIT, len(names))
            for audited in fleet.audit(names, threads):
                if audited.result is None:
                    left[audited.name] = audited.elsewhere
                else:
                    results.add(audited.name, audited.result)
                event = audited.event()
                feed.done(event.cloud, event.account, event.result, event.reasons, event.message)
        return left

    def _variables_of(self) -> t.Callable[[str], t.Mapping[str, t.Any]]:
        hosts, names = HostVariables(self), tuple(variable_rules())
        connection = self._task.get_play().connection

        def of_host(name: str) -> t.Mapping[str, t.Any]:
            known = hosts.of(name)
            obstacle = hosts.obstacle(known, connection)
            if obstacle:
                raise Elsewhere(obstacle)
            return hosts.templated(known, names)

        return of_host
