# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge a Cloud IAM mapping that has other writers.

This module util is private to the collection. The API replaces the config of the resource as a whole,
and has no version of it. So it is read again right before each write, a write whose outcome is
unknown is looked for instead of sent again, and what was written is read back.
"""

from __future__ import annotations

import abc
import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.api import UnsentError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iam_mapping_plan import (
    MappingPlan,
    mapping_of,
    rules_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iam_mapping_store import (
    IamMappingStore,
    LiveMapping,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.overwriting import (
    OverwritingReconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Saved,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AnyscaleError,
    ConflictError,
    TaskError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    IAM_MAPPING,
    Backup,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import (
    SYSTEM_CLOCK,
    Clock,
)

_CONFLICT, _TOO_MANY = 409, 429


class MappingPlanner(abc.ABC):
    """What is wanted of a mapping. ``replaces_all``: rules that it does not know are removed."""

    replaces_all: bool = False

    @abc.abstractmethod
    def plan(self, live: LiveMapping) -> MappingPlan:
        """Plan the mapping. Pure."""

    @abc.abstractmethod
    def guard(self, live: LiveMapping, plan: Plan) -> None:
        """Raise if the change is not permitted."""


class IamMappingReconciler(OverwritingReconciler[LiveMapping]):
    """A Cloud IAM mapping, and what is wanted of it."""

    def __init__(
        self,
        store: IamMappingStore,
        planner: MappingPlanner,
        account_id: str = "",
        clouds: t.Iterable[str] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """``account_id``: of the roles, for the backup; if it is not known, the one of the
        resource.
        """
        super().__init__(clock)
        self._store = store
        self._planner = planner
        self._account_id = account_id
        self.clouds = tuple(clouds) or (store.cloud_id,)

    def load(self) -> LiveMapping:
        """Read the config of the resource."""
        return self._store.load()

    def plan(self, live: LiveMapping) -> MappingPlan:
        """Plan the mapping."""
        return self._planner.plan(live)

    def guard(self, live: LiveMapping, plan: Plan) -> None:
        """As the planner permits it, and for owners alone."""
        self._planner.guard(live, plan)
        self._store.refuse_others_than_owners()

    def backup(self, live: LiveMapping, plan: Plan) -> Backup:
        """The whole config that a plan replaces."""
        target = {"cloud_id": self._store.cloud_id, "resource_id": live.resource_id}
        after = t.cast(MappingPlan, plan).spec
        account_id = self._account_id or "".join(live.registered.accounts)
        return Backup(IAM_MAPPING, target, account_id, live.spec, after, self.clouds)

    def is_fresh(self, live: LiveMapping) -> bool:
        """It is always read again: the config has more writers than its mapping."""
        return False

    def is_unchanged(self, now: LiveMapping, planned: LiveMapping, plan: Plan) -> bool:
        """Whether the whole config is still the one that was planned from."""
        return now.spec == planned.spec

    def shows(self, live: LiveMapping, plan: Plan) -> bool:
        """Whether the live mapping is the one that a plan wanted."""
        return bool(mapping_of(live.spec) == plan.after)

    def write(self, live: LiveMapping, plan: Plan) -> None:
        """Replace the config."""
        self._store.write(live, t.cast(MappingPlan, plan).spec)

    def is_transient(self, error: TaskError) -> bool:
        """Also if another change holds the lock of the service, or if it cannot be reached now."""
        return isinstance(error, UnsentError) or (
            isinstance(error, AnyscaleError)
            and (error.status in (_CONFLICT, _TOO_MANY) or error.outcome_unknown)
        )

    def read_back(
        self, live: LiveMapping, plan: Plan, saved: Saved
    ) -> tuple[LiveMapping, MappingPlan]:
        """Read until the write is visible. If the mapping has changed in another way, plan again
        from it.
        """
        written = t.cast(MappingPlan, plan)
        for _attempt in self.pauses_until_visible():
            now = self.load()
            if self.shows(now, plan):
                return now, dataclasses.replace(written, reasons=(), warnings=())
            if mapping_of(now.spec) != plan.before:
                break
        return now, self._plan_again(live, written, saved, now)

    def _plan_again(
        self, before: LiveMapping, written: MappingPlan, saved: Saved, now: LiveMapping
    ) -> MappingPlan:
        """Plan on what another writer left. Rules that this writer removed stay removed, with a
        warning. What would end in two writers who undo each other's changes is an error.
        """
        again = self.plan(now)
        seen, found = rules_of(before.spec), rules_of(now.spec)
        known = [*seen, *rules_of(written.spec)]
        is_replaced = saved.is_written and bool(seen) and not any(rule in found for rule in seen)
        would_remove = self._planner.replaces_all and any(rule not in known for rule in found)
        if again.changed and (is_replaced or would_remove):
            raise ConflictError(
                f"Another writer changed the {now.resource} while this task did. It was left as it "
                "is now.",
                "Compare error.found with error.expected, and find the other writer. If the mapping "
                "is as it should be, run again, which starts from it as it is now.",
                expected=written.after,
                found=mapping_of(now.spec),
            )
        kept = [rule for rule in seen if rule in rules_of(written.spec)]
        removed = [rule for rule in kept if rule not in found]
        if not removed or not saved.may_be_written:
            return again
        names = ", ".join(f"{rule.get('selector')!r}" for rule in removed)
        warning = f"While this task ran, another writer removed or changed the rules {names}."
        return dataclasses.replace(again, warnings=(*again.warnings, warning))
