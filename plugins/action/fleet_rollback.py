# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restore the documents of a run in this worker process. The documentation is in plugins/modules."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible import context
from ansible.module_utils.common.parameters import remove_values
from ansible.utils.display import Display

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.account_sessions import (
    AccountSessions,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CloudSettings,
    parse_settings,
    variable_rules,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import run_of
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.in_worker import (
    run_cache,
    warm_up_workers,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_id import run_id
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_once import FleetAction
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.host_variables import (
    HostVariables,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.next_plays import pass_on
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.recording import (
    recording_outcomes,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.feed import Feed
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.assignment import (
    assigned_hosts,
    hosts_of_item,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.engine import (
    RollbackEngine,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.kept_profiles import (
    kept_line,
    kept_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.restoration import (
    Restoration,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import RunFolder
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import invocation_of
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.signals import (
    finishing_on_signals,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.states import (
    DEFERRED,
    IN_SYNC,
    NOT_REACHED,
    PENDING,
)

_RULES = {
    "argument_spec": {
        "plan": {"type": "dict", "required": True},
        "force": {"type": "bool", "default": False},
        "accept_unsigned": {"type": "bool", "default": False},
        "mode": {"type": "str", "choices": ["check", "apply"], "default": "apply"},
        "threads": {"type": "int", "default": 16},
        "max_fail_percentage": {"type": "float", "default": 100.0},
        "confirm": {"type": "bool", "default": True},
    }
}
_NAME = "rollback"

Json = dict[str, t.Any]
display = Display()

warm_up_workers()


class ActionModule(FleetAction):
    """Runs once for all hosts. It does not fail for what happens to clouds: their outcomes say so."""

    rules = _RULES

    def run_for(self, names: list[str], hostvars: t.Any, arguments: Json) -> Json:
        """Plan, restore, and record the outcomes."""
        plan = arguments["plan"]
        folder = RunFolder(plan["run"])
        check_mode = self._task.check_mode or arguments["mode"] == "check"
        # The directory in which a local connection runs modules.
        with contextlib.chdir(self._loader.get_basedir()):
            hosts = _Hosts(HostVariables(self), names, arguments, plan["documents"])
            engine = RollbackEngine(
                [
                    hosts.restoration(name, item)
                    for name in plan["documents"]
                    for item in plan["documents"][name]
                ],
                AccountSessions(run_cache(), arguments["threads"], bulk_reads=False).session,
                threads=arguments["threads"],
                wait_seconds=plan["wait_seconds"],
            )
            rollback = _Rollback(engine, hosts, check_mode, bool(self._task.diff))
            with (
                Feed(folder.create(), display.display) as feed,
                finishing_on_signals(engine.stop),
            ):
                rollback.run(names, feed, arguments["max_fail_percentage"], arguments["confirm"])
        outcomes = rollback.outcomes(names)
        kept = kept_line(rollback.kept(plan["kept"]))
        run = {"step": _NAME, "left_to_tasks": [], "lines": plan["lines"], "kept": kept}
        invocation = invocation_of(context.CLIARGS, hostvars["localhost"])
        with recording_outcomes(folder, outcomes, invocation, display.display):
            folder.write_outcomes(outcomes)
            folder.write("run", run)
            pass_on(folder, outcomes, [], names, {"check_mode": check_mode})
        states = [outcome["state"] for outcome in outcomes.values()]
        return {"counts": {state: states.count(state) for state in dict.fromkeys(states)}}


@dataclasses.dataclass(frozen=True)
class _Rollback:
    """Plans and restores, and tells what happened to each cloud."""

    engine: RollbackEngine
    hosts: _Hosts
    check_mode: bool
    diff: bool

    def run(
        self, names: t.Sequence[str], feed: Feed, max_fail_percentage: float, confirm: bool
    ) -> None:
        """Plan, and restore unless too many clouds are refused. names: the hosts of the play. confirm:
        whether restored policies are read again after a time.
        """
        engine = self.engine
        feed.stage("Plan", len(names))
        engine.plan()
        engine.stop_if_more_failed_than(max_fail_percentage)
        writes = not (self.check_mode or engine.is_stopped)
        pending = engine.pending_hosts() if writes else []
        for name, outcome in self.outcomes(names).items():
            if name in pending:
                outcome = {**outcome, "state": PENDING, "reasons": []}
            self._show(feed, name, outcome)
        if not pending:
            return
        feed.stage("Restore", len(pending))
        engine.restore()
        if confirm:
            engine.confirm()
        for name, outcome in self.outcomes(pending).items():
            self._show(feed, name, outcome)

    def outcomes(self, names: t.Sequence[str]) -> dict[str, Json]:
        """The outcomes of hosts. Of a cloud of which the run wrote nothing, all is in sync. If nothing
        was asked for, clouds are left to another run.
        """
        concerned = set(self.engine.hosts)
        untouched = IN_SYNC if concerned else DEFERRED
        return {
            name: self._outcome(name)
            if name in concerned
            else {"state": untouched, "changed": False, "reasons": []}
            for name in names
        }

    def kept(self, kept: t.Sequence[Json]) -> list[str]:
        """What is kept of the clouds that are rolled back."""
        if self.engine.rolls_back_nothing(self.check_mode):
            return []
        others = {*self.engine.hosts} - {*self.engine.rolled_back_hosts(self.check_mode)}
        return kept_of(kept, [self.hosts.cloud_of(host) for host in others])

    def _outcome(self, name: str) -> Json:
        outcome = {
            "account_id": self.hosts.account_of(name),
            **self.engine.outcome_of(name, self.check_mode),
        }
        if self.diff:
            outcome["diff"] = self.engine.diffs_of(name, self.check_mode)
        return t.cast(Json, remove_values(outcome, self.hosts.secrets))

    def _show(self, feed: Feed, name: str, outcome: Json) -> None:
        if outcome["state"] != NOT_REACHED:
            account, message = self.hosts.account_of(name), outcome.get("msg", "")
            feed.done(name, account, outcome["state"], outcome["reasons"], message)


class _Hosts:
    """What the variables of the hosts say: how to connect, and which cloud each is."""

    def __init__(
        self, variables: HostVariables, names: t.Sequence[str], overrides: Json, documents: Json
    ) -> None:
        """overrides: the options that say what documents are restored in spite of. documents: those of
        each host.
        """
        self._assigned = assigned_hosts(documents)
        self._overrides = {name: overrides[name] for name in ("force", "accept_unsigned")}
        self._settings: dict[str, CloudSettings] = {}
        self._errors: dict[str, TaskError] = {}
        self._run_ids: dict[str, str] = {}
        # One after the other, because the templar is not for several threads.
        for name in names:
            own = variables.of(name)
            self._run_ids[name] = run_id(own)
            try:
                self._settings[name] = parse_settings(variables.templated(own, variable_rules()))
            except TaskError as error:
                self._errors[name] = error
        self._of_cloud: dict[str, list[str]] = {}
        for name, settings in self._settings.items():
            self._of_cloud.setdefault(settings.cloud_id or "", []).append(name)

    @property
    def secrets(self) -> set[str]:
        """The values that no output may show."""
        return {secret for settings in self._settings.values() for secret in settings.secrets}

    def account_of(self, host: str) -> str:
        """The account of a host; empty if a variable of it is not valid."""
        return self._settings[host].account_id if host in self._settings else ""

    def cloud_of(self, host: str) -> str:
        """The ID of the cloud of a host; empty if it is not known."""
        return (self._settings[host].cloud_id or "") if host in self._settings else ""

    def restoration(self, name: str, item: Json) -> Restoration:
        """A document that a host restores, for the clouds of all hosts that it concerns."""
        hosts = hosts_of_item(name, item, self._of_cloud, self._assigned)
        if name in self._errors:
            return Restoration(
                item["resource"], item["kind"], item["step"], hosts, {}, error=self._errors[name]
            )
        settings = self._settings[name]
        params = {
            **settings.shared_options(),
            "account_id": item["account_id"],
            "files": item["files"],
            "clouds": item["clouds"],
            "needed_by": item["needed_by"],
            **self._overrides,
            "backup": True,
            "run_id": settings.run_id or self._run_ids[name],
            "run_name": _NAME,
            "rolls_back": ",".join(dict.fromkeys(map(run_of, item["files"]))),
            "cloud_names": hosts,
        }
        return Restoration(item["resource"], item["kind"], item["step"], hosts, params)
