# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Record what a run in check mode would do, for a plan file and its summary.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.parameters import remove_values

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import Live
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.bound import (
    own_steps,
    step_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.digests import Step
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.summary import Shown
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.done import Done
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import (
    Cloud,
    Resource,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import CONFIG


class PlanRecorder:
    """What each cloud needs by itself, what is written for batches, and what of it is displayed."""

    def __init__(self) -> None:
        self.own: list[Step] = []
        self.joint: list[Step] = []
        self.notices: list[str] = []
        self._shown: dict[Resource, Shown] = {}

    def planned(self, clouds: t.Iterable[Cloud], notices: t.Iterable[str] = ()) -> None:
        """Note what clouds need by themselves, and what the operator is told of their variables."""
        self.notices += notices
        for cloud in clouds:
            if cloud.is_pending:
                self.own += own_steps(cloud)

    def predicted(self, done: t.Iterable[Done]) -> None:
        """Note what would be written for a batch."""
        for one in done:
            if one.plan.changed:
                live = t.cast(Live, one.resource.live)
                names = tuple(cloud.name for cloud in one.clouds)
                step = step_of(live, one.plan, names)
                self.joint.append(step)
                self._show(one, step)

    @property
    def shown(self) -> list[Shown]:
        """What the summary displays: a document of several batches once."""
        return list(self._shown.values())

    def _show(self, one: Done, step: Step) -> None:
        display = one.resource.reconciler(one.clouds).display
        secrets = set[str]().union(*(cloud.settings.secrets for cloud in one.clouds))
        before, after = (
            remove_values(display(found), secrets) for found in (step.before, step.after)
        )
        earlier = self._shown.get(one.resource)
        self._shown[one.resource] = Shown(
            step.document,
            (*(earlier.clouds if earlier else ()), *step.clouds),
            earlier.before if earlier else before,
            after,
            hides_values=one.resource.stage == CONFIG,
            warnings=tuple(remove_values(list(one.plan.warnings), secrets)),
        )
