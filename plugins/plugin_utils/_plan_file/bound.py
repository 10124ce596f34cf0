# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bind a run to a plan file: every change is compared with it when it is planned, and again just before
it is written.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    LivePolicy,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Live,
    Reconciler,
    Saved,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import Backup
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.binding import Binding
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.digests import Step
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.done import Done
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import (
    Cloud,
    refusing,
)

Check = t.Callable[[Live, Plan], None]


class Bound(Reconciler[t.Any]):
    """A reconciler that writes only what a check permits, whatever another writer did meanwhile."""

    def __init__(
        self, reconciler: Reconciler[t.Any], check: Check, on_made: t.Callable[[str], None]
    ) -> None:
        """on_made: what to do when the resource of a name was written."""
        self._reconciler = reconciler
        self._check = check
        self._on_made = on_made
        self.clouds = reconciler.clouds

    def load(self) -> Live:
        """Read the live state."""
        return t.cast(Live, self._reconciler.load())

    def plan(self, live: Live) -> Plan:
        """Plan from the live state."""
        return self._reconciler.plan(live)

    def guard(self, live: Live, plan: Plan) -> None:
        """The plan file permits nothing: it only refuses more."""
        self._reconciler.guard(live, plan)
        self._check(live, plan)

    def checked(self, live: Live) -> Plan:
        """The plan, of which a change is permitted and shown."""
        plan = self._reconciler.checked(live)
        if plan.changed:
            self._check(live, plan)
        return plan

    def save(self, live: Live, plan: Plan, written: list[str]) -> Saved:
        """Write what the check permits."""
        self._check(live, plan)
        saved = self._reconciler.save(live, plan, written)
        if saved.is_written:
            self._on_made(live.resource)
        return saved

    def read_back(self, live: Live, plan: Plan, saved: Saved) -> tuple[Live, Plan]:
        """Read until what was saved is visible."""
        return t.cast("tuple[Live, Plan]", self._reconciler.read_back(live, plan, saved))

    def backup(self, live: Live, plan: Plan) -> Backup | None:
        """The backup of what a plan replaces."""
        return self._reconciler.backup(live, plan)

    def display(self, document: t.Any) -> t.Any:
        """A document as the user sees it."""
        return self._reconciler.display(document)


def bound(reconciler: Reconciler[t.Any], binding: Binding, one: Done) -> Bound:
    """A reconciler that writes only what the plan shows for the clouds that need it and are not refused
    until then.
    """

    def check(live: Live, plan: Plan) -> None:
        binding.check(step_of(live, plan, _names(one.pending)), _names(one.wanting))

    return Bound(reconciler, check, lambda document: binding.on_made(document, _names(one.pending)))


def refuse_unplanned(clouds: t.Iterable[Cloud], binding: Binding) -> None:
    """Refuse the clouds that need what the plan does not show for them."""
    for cloud in clouds:
        if not cloud.error:
            with refusing([cloud]):
                for step in own_steps(cloud):
                    binding.check(step)


def own_steps(cloud: Cloud) -> list[Step]:
    """What a planned cloud needs by itself."""
    return [
        step_of(t.cast(Live, resource.live), plan, (cloud.name,))
        for resource, plan in cloud.plans.items()
        if plan.changed
    ]


def step_of(live: Live, plan: Plan, clouds: tuple[str, ...]) -> Step:
    """A plan of a resource as a step of a plan file."""
    arns = live.arns if isinstance(live, LivePolicy) else {}
    return Step(live.resource, clouds, plan.before, plan.after, arns)


def _names(clouds: t.Iterable[Cloud]) -> tuple[str, ...]:
    return tuple(cloud.name for cloud in clouds)
