# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Note for healing what an audit has found: no event tells of what is changed at Anyscale, and some of those
of AWS are lost.

This plugin util is private to the collection. Like an event, a finding says only when to look: a run of
heal reads the documents, and changes what differs from the variables of the cloud.
"""

from __future__ import annotations

import time
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import is_drift
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events import messages
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.excluded import (
    without_excluded,
)
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

Json = dict[str, t.Any]


def drift_of(report: Json) -> dict[str, list[str]]:
    """What onboarding would put back, by cloud: the drift that a command fixes, and no person has to."""
    drift = {
        cloud["name"]: [
            found(check["id"]) for check in cloud["checks"] if is_drift(check) and check["command"]
        ]
        for cloud in report["clouds"]
    }
    return {name: list(dict.fromkeys(checks)) for name, checks in drift.items() if checks}


def note_drift(action: ActionBase, drift: Touched, given_directory: str | None) -> Json:
    """Note what heal may put back. Returns the clouds that are ``noted``, those that were ``pending``
    already, and ``warnings``: an audit does not fail for what cannot be noted.
    """
    nothing: Json = {"noted": [], "pending": [], "warnings": []}
    try:
        state = StateFile(state_directory(given_directory), Rules())
        onboarded = state.read().onboarded
        asked = [name for name in drift if name in onboarded]
        if not asked or not (asked := without_excluded(action, asked)):
            return nothing
        return {**nothing, **_note(state, scope_of(action, asked, asked, True), drift)}
    except TaskError as error:
        return {**nothing, "warnings": [messages.found_and_not_noted(error)]}


def _note(state: StateFile, scope: Scope, drift: Touched) -> Json:
    """Of clouds that onboard has converged, with the variables that they have now."""
    with state.update() as healing:
        permitted = [name for name in scope.permitted(healing) if name not in scope.invalid]
        noted = healing.note_found({name: drift[name] for name in permitted}, time.time())
    return {"noted": noted, "pending": [name for name in permitted if name not in noted]}
