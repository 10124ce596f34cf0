# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Note for healing what an audit has found: no event tells of what is changed at Anyscale, and some of those
of AWS are lost.

This plugin util is private to the collection. Like an event, a finding says only when to look: a run of
heal reads the documents, and changes what differs from the variables of the cloud.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    command_of,
    is_drift,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events import messages
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.excluded import (
    without_excluded,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.healing import Healing
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.rules import Rules, found
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.scope import (
    Scope,
    Touched,
    scope_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.state_file import (
    StateFile,
    state_directory,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.model import NOT_PERMITTED

Json = dict[str, t.Any]


@dataclasses.dataclass
class Noted:
    """The clouds with drift that an audit has noted for healing; those of which something was pending
    before; those that are left, by the reason; and warnings.
    """

    clouds: list[str] = dataclasses.field(default_factory=list)
    pending: list[str] = dataclasses.field(default_factory=list)
    left: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    warnings: list[str] = dataclasses.field(default_factory=list)


def drift_of(report: Json) -> dict[str, list[str]]:
    """What onboarding would put back, by cloud: the drift that a command fixes, and no person has to."""
    drift = {
        cloud["name"]: [found(check["id"]) for check in cloud["checks"] if _is_put_back(check)]
        for cloud in report["clouds"]
        if cloud["state"] != NOT_PERMITTED
    }
    return {name: list(dict.fromkeys(checks)) for name, checks in drift.items() if checks}


def _is_put_back(check: Json) -> bool:
    """The remedy has the command also where no command line, or no survey, can name the host."""
    return is_drift(check) and bool(check["command"] or command_of(check["remedy"] or ""))


def note_drift(action: ActionBase, drift: Touched, given_directory: str | None) -> Noted:
    """Note what heal may put back. An audit does not fail for what cannot be noted."""
    if not drift:
        return Noted()
    try:
        state = StateFile(state_directory(given_directory), Rules())
        names = without_excluded(action, list(drift))
        onboarded = state.read().onboarded
        asked = [name for name in names if name in onboarded]
        others = [name for name in names if name not in onboarded]
        noted = _note(state, scope_of(action, asked, asked, True), drift) if asked else Noted()
        if others:
            noted.left = {
                messages.NOT_ONBOARDED.format(directory=state.directory): others
            } | noted.left
        return noted
    except TaskError as error:
        return Noted(warnings=[messages.found_and_not_noted(error)])


def _note(state: StateFile, scope: Scope, drift: Touched) -> Noted:
    """Of clouds that onboard has converged, with the variables that they have now."""
    with state.update() as healing:
        left = _left(scope, healing)
        not_noted = {name for names in left.values() for name in names}
        permitted = {name: drift[name] for name in scope.names if name not in not_noted}
        noted = healing.note_found(permitted, time.time())
        pending = healing.pending.intersection(permitted).difference(noted)
    return Noted(noted, scope.in_order(pending), left)


def _left(scope: Scope, healing: Healing) -> dict[str, list[str]]:
    """The clouds that heal would not converge, or would converge to what nobody rolled out."""
    permitted = set(scope.permitted(healing)).difference(scope.invalid)
    reasons = {
        messages.NOT_ROLLED_OUT: [name for name in scope.names if name not in permitted],
        messages.ROLELESS: [name for name in scope.names if name in permitted & {*scope.roleless}],
        messages.BY_TASKS: [name for name in scope.names if name in permitted & {*scope.by_tasks}],
    }
    return {why: names for why, names in reasons.items() if names}
