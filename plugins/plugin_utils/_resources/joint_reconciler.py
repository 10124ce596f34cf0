# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge what several clouds want of one resource, each of which is judged by its own guard.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Live,
    Reconciler,
    Saved,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import Backup
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import (
    Cloud,
    Resource,
    refusing,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.shared_roles import (
    refuse_with_others_of_role,
)

# Those of clouds that a run may write nothing for any more, and why.
Withheld = t.Callable[[t.Sequence[Cloud]], t.Mapping[Cloud, TaskError]]


class JointReconciler(Reconciler[t.Any]):
    """A resource and what several clouds want of it. Each cloud's guard judges what that cloud needs by
    itself, as it did when the run was planned: a cloud that is refused fails alone, and what it wants
    is left out. So does one for which the run may write nothing any more, whatever it needs. With state
    absent, nothing is taken from a role that is also that of a refused cloud.
    """

    def __init__(
        self,
        resource: Resource,
        clouds: t.Sequence[Cloud],
        leave_out: t.Callable[[t.Sequence[Cloud]], None],
        withheld: Withheld | None = None,
    ) -> None:
        """leave_out: what to do with clouds that are refused. Raises if nothing is left to do."""
        self._resource = resource
        self._leave_out = leave_out
        self._withheld = withheld
        self._own = {cloud: resource.reconciler([cloud], fresh=True) for cloud in clouds}
        self._put_together()

    def load(self) -> Live:
        """Read the live state for all clouds."""
        return t.cast(Live, self._together.load())

    def plan(self, live: Live) -> Plan:
        """Plan what the clouds want together."""
        return self._together.plan(live)

    def guard(self, live: Live, plan: Plan) -> None:
        """Each cloud's guard has judged the cloud's own plan before this one was made."""

    def checked(self, live: Live) -> Plan:
        """The plan for the clouds whose own change is permitted."""
        self._judge(live)
        return self.plan(live)

    def save(self, live: Live, plan: Plan, written: list[str]) -> Saved:
        """Make the write calls."""
        return self._together.save(live, plan, written)

    def read_back(self, live: Live, plan: Plan, saved: Saved) -> tuple[Live, Plan]:
        """Read back. What is to be done again is judged like any change."""
        found, again = self._together.read_back(live, plan, saved)
        if again.changed and self._judge(found):
            found, again = self._together.read_back(live, plan, saved)
        return found, again

    def backup(self, live: Live, plan: Plan) -> Backup | None:
        """The backup of what a plan replaces."""
        return self._together.backup(live, plan)

    def display(self, document: t.Any) -> t.Any:
        """A document as the user sees it."""
        return self._together.display(document)

    def _judge(self, live: Live) -> bool:
        """Leave out the clouds whose own change is not possible or not permitted, and those that would
        take away what these need. Returns whether there are any.
        """
        withheld = self._withheld(list(self._own)) if self._withheld else {}
        for cloud, error in withheld.items():
            cloud.error = cloud.error or error
        refused = [
            cloud for cloud in self._own if cloud in withheld or not self._is_permitted(cloud, live)
        ]
        if self._resource.state == "absent":
            refused += refuse_with_others_of_role(self._own, refused)
        if refused:
            self._leave_out(refused)
            self._own = {cloud: own for cloud, own in self._own.items() if cloud not in refused}
            self._put_together()
        return bool(refused)

    def _is_permitted(self, cloud: Cloud, live: Live) -> bool:
        """Whether a cloud's own change is. Else the reason is the cloud's error."""
        with refusing([cloud]):
            self._own[cloud].checked(live)
            return True
        return False

    def _put_together(self) -> None:
        self._together = self._resource.reconciler(list(self._own), fresh=True)
        self.clouds = self._together.clouds
