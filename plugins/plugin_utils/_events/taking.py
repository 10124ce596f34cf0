# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which clouds a run of heal takes: those that are due, once nothing of them changes any more. In check
mode and in a pause it takes none.

This plugin util is private to the collection.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events import messages
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.healing import (
    Claim,
    Healing,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.rules import Rules
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.scope import (
    Scope,
    Touched,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.state_file import StateFile
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.times import utc
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import Invocation
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.undo import how_to_onboard

_POLL_SECONDS = 2.0

Json = dict[str, t.Any]


def asked_for(
    names: t.Iterable[str], healing: Healing, events: Touched, only_onboarded: bool = True
) -> list[str]:
    """The clouds that a run could take, so that it depends on their variables."""
    open_clouds = events.keys() | healing.unfinished
    if only_onboarded:
        open_clouds &= healing.onboarded
    return [name for name in names if name in open_clouds]


def preview(
    scope: Scope, healing: Healing, touched: Touched, rules: Rules, invocation: Invocation
) -> Json:
    """What the events of a run would have it take, which is not noted."""
    due = [name for name in scope.permitted(healing) if name in touched]
    too_many = rules.too_many(due, scope.accounts)
    left = {name for names in too_many.values() for name in names}
    hosts = [name for name in due if name not in left]
    warnings = _too_many(scope, too_many, rules, hosts, invocation)
    return {**_nothing(), "hosts": hosts, "refused": scope.refused(hosts), "warnings": warnings}


def hold(state: StateFile, scope: Scope, touched: Touched) -> Json:
    """Keep what events say for a run after the pause."""
    with state.update() as healing:
        _note(healing, touched)
    return _held(scope, healing)


def preview_hold(state: StateFile, scope: Scope, touched: Touched) -> Json:
    """What such a run would keep."""
    healing = state.read()
    _note(healing, touched)
    return _held(scope, healing)


def take(
    run: str, state: StateFile, scope: Scope, touched: Touched, invocation: Invocation
) -> Json:
    """Take the clouds that are due; wait for those that are still changing, or that another run
    has.
    """
    with state.update() as healing:
        failed, permitted = healing.failed, scope.permitted(healing)
        _note(healing, touched)
    taken, claim = _wait_and_claim(run, state, scope)
    stopped = [
        one for one in _stopped(claim) if one["cloud"] in touched and one["cloud"] not in taken
    ]
    refused = {
        name: messages.left_as_it_is(one, state.rules, how_to_onboard([name], invocation))
        for one in sorted(stopped, key=lambda one: str(one["until"]))
        for name in [one["cloud"]]
    }
    hosts = scope.in_order([*taken, *refused])
    too_many = _too_many(scope, claim.too_many, state.rules, hosts, invocation)
    waiting = {name for names in claim.too_many.values() for name in names}
    left = sorted((set(permitted) & touched.keys()) - taken - refused.keys() - waiting)
    return {
        "hosts": hosts,
        "refused": {**refused, **scope.refused(taken)},
        "retried": scope.in_order(failed & taken),
        "stopped": stopped,
        "left": left,
        "warnings": [*too_many, *messages.had_by_another_run(left)],
    }


def _too_many(
    scope: Scope,
    too_many: t.Mapping[str, t.Sequence[str]],
    rules: Rules,
    hosts: t.Sequence[str],
    invocation: Invocation,
) -> list[str]:
    """The warnings of accounts with more clouds than a run takes. Raises without other clouds: a later run
    of the clock fails at the latest, since a person has to act.
    """
    found = [
        messages.too_many(account, scope.in_order(names), rules)
        for account, names in too_many.items()
    ]
    if not found:
        return []
    names = scope.in_order(name for of_account in too_many.values() for name in of_account)
    go_on = messages.pending_until(how_to_onboard(names, invocation))
    if not hosts:
        raise InputError(" ".join(found), go_on)
    return [" ".join([*found, go_on])]


def _wait_and_claim(run: str, state: StateFile, scope: Scope) -> tuple[set[str], Claim]:
    """Take the clouds that are due, and wait for those that are still changing, or that another run
    has: no longer than for the former, since that run may be lost, and events of others wait behind
    this one.
    """
    longest_wait = state.rules.longest_wait
    taken: set[str] = set()
    deadline = time.time() + longest_wait
    while True:
        with state.update() as healing:
            permitted = set(scope.permitted(healing))
            claim = healing.claim(run, time.time(), permitted, scope.accounts)
        taken |= set(claim.clouds)
        taken -= {name for names in claim.too_many.values() for name in names}
        if claim.wait is None or time.time() > deadline:
            return taken, claim
        # What is due need not wait for a run of another cloud.
        if taken and claim.wait > longest_wait:
            return taken, claim
        time.sleep(min(claim.wait, _POLL_SECONDS))


def _nothing() -> Json:
    return {"hosts": [], "refused": {}, "retried": [], "stopped": [], "left": [], "warnings": []}


def _note(healing: Healing, touched: Touched) -> None:
    for name, documents in touched.items():
        for document in documents:
            healing.note(name, str(document), time.time())


def _held(scope: Scope, healing: Healing) -> Json:
    return {**_nothing(), "pending": scope.in_order(healing.pending)}


def _stopped(claim: Claim) -> list[Json]:
    return [
        {"cloud": cloud, "document": document, "until": utc(until)}
        for cloud, documents in claim.stopped.items()
        for document, until in documents.items()
    ]
