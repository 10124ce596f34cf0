# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was done to a resource, or would be: what outcomes and plan files are made from.

This plugin util is private to the collection.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.requests import Write
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.converge import (
    Journal,
    Unconfirmed,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import (
    Cloud,
    Resource,
)


@dataclasses.dataclass(eq=False)
class Done:
    """What was done to a resource, or would be, for the clouds that needed it.

    wanting: all clouds whose wants are written. plan: from what was there first to what is there
    now; without a change if that failed. principal: the ARN of the caller, if it is known.
    restorations: how often another writer overwrote it, so that it was converged again; found: the
    reasons and warnings of that.
    """

    resource: Resource
    clouds: list[Cloud]
    wanting: list[Cloud] = dataclasses.field(default_factory=list)
    plan: Plan = Plan(None, None)
    journal: Journal = dataclasses.field(default_factory=Journal)
    writes: list[Write] = dataclasses.field(default_factory=list)
    principal: str | None = None
    unconfirmed: Unconfirmed | None = None
    written_at: float = 0.0
    restorations: int = 0
    found: Plan = Plan(None, None)

    @property
    def pending(self) -> list[Cloud]:
        """The clouds that needed it and have not been refused since."""
        return [cloud for cloud in self.clouds if cloud in self.wanting]

    def leave_out(self, refused: t.Sequence[Cloud]) -> None:
        """Go on without clouds that are refused. Raises if no other one needs it. What was written
        before remains something that was done for them.
        """
        if all(cloud in refused for cloud in self.pending):
            raise t.cast(TaskError, refused[0].error)
        self.wanting = [cloud for cloud in self.wanting if cloud not in refused]
        if not self.journal.written:
            self.clouds = self.pending
