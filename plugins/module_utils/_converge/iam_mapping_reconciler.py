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

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.answer import (
    HIBERNATED,
    NO_ANSWER,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iam_mapping_plan import (
    MappingPlan,
    mapping_of,
    rules_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iam_mapping_store import (
    IamMappingStore,
    LiveMapping,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    NOT_SAVED,
    Reconciler,
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
    backoff,
)

_BUSY_SECONDS = 60.0
_LONGEST_PAUSE = 16.0
_VISIBLE_SECONDS = 30.0
# Each may last as long as a call waits for its answer.
_UNANSWERED_WRITES = 4
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


class IamMappingReconciler(Reconciler[LiveMapping]):
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
        self._store = store
        self._planner = planner
        self._account_id = account_id
        self._clock = clock
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

    def save(self, live: LiveMapping, plan: Plan, written: list[str]) -> Saved:
        """Write the config, unless it is not the one any more that was planned from. Retry while the
        service cannot write it, and if it is unknown whether it did.
        """
        refusals: list[AnyscaleError] = []
        for _attempt in self._pauses(_BUSY_SECONDS, first=0.2, longest=_LONGEST_PAUSE):
            now = self._load_again(refusals)
            if now.spec != live.spec:
                return _uncertain(now, t.cast(MappingPlan, plan), refusals, written)
            try:
                self._store.write(live, t.cast(MappingPlan, plan).spec)
                written.append(live.resource)
                return Saved()
            except AnyscaleError as error:
                if not _is_transient(error):
                    raise
                refusals.append(error)
            if [error.status for error in refusals].count(NO_ANSWER) == _UNANSWERED_WRITES:
                break
        now = self._load_again(refusals)
        if now.spec != live.spec:
            return _uncertain(now, t.cast(MappingPlan, plan), refusals, written)
        raise refusals[-1]

    def read_back(
        self, live: LiveMapping, plan: Plan, saved: Saved
    ) -> tuple[LiveMapping, MappingPlan]:
        """Read until the write is visible. If the mapping has changed in another way, plan again
        from it.
        """
        written = t.cast(MappingPlan, plan)
        for _attempt in self._pauses(_VISIBLE_SECONDS):
            now = self.load()
            if mapping_of(now.spec) == plan.after:
                return now, dataclasses.replace(written, reasons=(), warnings=())
            if mapping_of(now.spec) != plan.before:
                break
        again = self._plan_again(live, written, saved, now)
        if again.changed:
            self.guard(now, again)
        return now, again

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

    def _load_again(self, refusals: t.Sequence[AnyscaleError]) -> LiveMapping:
        """The config right before a write. If reading fails, the error that caused the retry is
        raised.
        """
        try:
            return self.load()
        except TaskError as error:
            if not refusals:
                raise
            raise refusals[-1] from error

    def _pauses(self, seconds: float, **bounds: float) -> t.Iterator[int]:
        return backoff(seconds, clock=self._clock, **bounds)


def _is_transient(error: AnyscaleError) -> bool:
    """Whether the same write may succeed later, or may have taken effect."""
    return error.status in (_CONFLICT, _TOO_MANY) or _is_outcome_unknown(error)


def _is_outcome_unknown(error: AnyscaleError) -> bool:
    """Whether a write may have taken effect. The service also fails after it has written: it then
    could not tell all machine pools.
    """
    return error.status < 300 or 500 <= error.status < HIBERNATED


def _uncertain(
    now: LiveMapping, plan: MappingPlan, refusals: t.Sequence[AnyscaleError], written: list[str]
) -> Saved:
    """The outcome if the config is not the one any more that was planned from: if it is the wanted
    one, a write of unknown outcome took effect.
    """
    if not any(map(_is_outcome_unknown, refusals)):
        return NOT_SAVED
    is_visible = mapping_of(now.spec) == plan.after
    written.append(now.resource if is_visible else f"{now.resource} (possibly)")
    return Saved(is_written=is_visible)
