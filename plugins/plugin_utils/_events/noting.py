# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs note in the state of healing at their end: how clouds were left, which were onboarded, and
which are to be healed no more.

This plugin util is private to the collection.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.clouds import NEEDS_TASKS
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events import messages
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.state_file import StateFile
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.times import utc
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import Invocation
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.states import CHANGED, IN_SYNC
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.undo import how_to_onboard

Json = dict[str, t.Any]
Outcomes = t.Mapping[str, Json]


def note_end(state: StateFile, run: str, outcomes: Outcomes) -> Json:
    """A run of heal has ended: keep the clouds that failed for a later one."""
    done = {name for name, outcome in outcomes.items() if _is_done(outcome)}
    with state.update() as healing:
        times = healing.finish(run, healed_of(outcomes), done, time.time())
    retries = [{"cloud": name, "at": utc(at)} for name, at in times.items()]
    return {"retries": retries, "warnings": messages.not_converged(retries)}


def healed_of(outcomes: Outcomes) -> list[str]:
    """The clouds that had to be changed."""
    return [name for name, outcome in outcomes.items() if outcome.get("changed")]


def note_onboarded(
    state: StateFile,
    outcomes: Outcomes,
    settings: t.Mapping[str, str],
    began: float,
    invocation: Invocation,
) -> list[str]:
    """Let events heal the clouds that a run of onboard has converged, to what it converged them to. What
    cannot be noted is said, and fails no onboarding.

    settings: the digests of the settings of the clouds.
    """
    converged = {
        name: settings[name] for name, outcome in outcomes.items() if _is_converged(outcome)
    }
    if not converged:
        return []
    try:
        with state.update() as healing:
            noted = healing.note_onboarded(converged, began, time.time())
    except TaskError as error:
        return [messages.not_noted(error)]
    left = [name for name in converged if name not in noted]
    return messages.forgotten_since(left, how_to_onboard(left, invocation))


def forget(state: StateFile, clouds: t.Sequence[str]) -> Json:
    """Let no later run do what is pending of clouds, and no event heal them, and no run of onboard that
    has begun change that. What cannot be forgotten is said, and keeps no cloud from being offboarded.
    """
    if not clouds:
        return {"forgotten": []}
    try:
        with state.update() as healing:
            return {"forgotten": healing.forget(clouds, time.time())}
    except TaskError as error:
        return {"forgotten": [], "warnings": [messages.not_forgotten(error)]}


def _is_converged(outcome: Json) -> bool:
    return outcome["state"] in (IN_SYNC, CHANGED)


def _is_done(outcome: Json) -> bool:
    """Whether no later run is to take the cloud: it is in sync, or no run of this playbook can
    converge it, as its message says.
    """
    reason = (outcome.get("error") or {}).get("reason")
    return _is_converged(outcome) or reason == NEEDS_TASKS
