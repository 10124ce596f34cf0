# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Save a document that has other writers, and that an API replaces as a whole, without a version or an
ETag.

This module util is private to the collection. Before a retry, the document is read again: another
writer may have changed it, and then the plan must not be applied. A write whose outcome is unknown is
looked for, and is never forgotten.
"""

from __future__ import annotations

import abc
import contextlib
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    NOT_SAVED,
    Live,
    Reconciler,
    Saved,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.written import (
    may_be_written,
    possibly,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import Clock, backoff

_BUSY_SECONDS = 60.0
# Half of it on average, so that there are about a dozen attempts.
_LONGEST_PAUSE = 16.0
_VISIBLE_SECONDS = 30.0

State = t.TypeVar("State", bound=Live)


class OverwritingReconciler(Reconciler[State]):
    """A document that a save replaces as a whole."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def reload(self, live: State) -> State:
        """The document read again, as far as it is compared with the one that was planned from."""
        return self.load()

    @abc.abstractmethod
    def write(self, live: State, plan: Plan) -> None:
        """Replace the live document. Raises a transient error if that was read too long ago at the
        moment when the request would leave.
        """

    @abc.abstractmethod
    def is_fresh(self, live: State) -> bool:
        """Whether the document was read just now, so that it can be overwritten without another
        read.
        """

    @abc.abstractmethod
    def is_unchanged(self, now: State, planned: State, plan: Plan) -> bool:
        """Whether the document is still the one that was planned from."""

    @abc.abstractmethod
    def shows(self, live: State, plan: Plan) -> bool:
        """Whether the live document is the one that a plan wanted."""

    @abc.abstractmethod
    def is_transient(self, error: TaskError) -> bool:
        """Whether the same write may succeed later."""

    def save(self, live: State, plan: Plan, written: list[str]) -> Saved:
        """Write the wanted document. Retry on transient errors, and if it is unknown whether the
        write took effect.
        """
        refusals: list[TaskError] = []
        newest = live
        for _attempt in backoff(_BUSY_SECONDS, 0.2, _LONGEST_PAUSE, self.clock):
            if refusals or not self.is_fresh(newest):
                try:
                    newest = self.reload(live)
                    is_unchanged = self.is_unchanged(newest, live, plan)
                except TaskError:
                    if not refusals:
                        raise
                    break  # the error of the write says more
                if not is_unchanged:
                    return self._overtaken(newest, plan, refusals, written)
            try:
                self.write(newest, plan)
                written.append(live.resource)
                return Saved()
            except TaskError as error:
                refusals.append(error)
                if not self.is_transient(error):
                    break
        return self._given_up(live, plan, refusals, written)

    def pauses_until_visible(self) -> t.Iterator[int]:
        """The attempts to read back what was written."""
        return backoff(_VISIBLE_SECONDS, clock=self.clock)

    def _overtaken(
        self, now: State, plan: Plan, refusals: t.Sequence[TaskError], written: list[str]
    ) -> Saved:
        """The outcome if the document has changed since it was planned: if a write of unknown outcome
        is visible now, it took effect.

        If the document changed in another way, the write may have taken effect and been overwritten
        since, which is recorded too.
        """
        if not may_be_written(refusals):
            return NOT_SAVED
        is_visible = self.shows(now, plan)
        written.append(now.resource if is_visible else possibly(now.resource))
        return Saved(is_written=is_visible)

    def _given_up(
        self, live: State, plan: Plan, refusals: t.Sequence[TaskError], written: list[str]
    ) -> Saved:
        """The outcome after the last attempt, if an earlier one or this one took effect after all. Else
        the last error is raised; that the document may be written yet is recorded: what was read
        may have been old.
        """
        if may_be_written(refusals):
            with contextlib.suppress(TaskError):
                now = self.reload(live)
                if not self.is_unchanged(now, live, plan):
                    return self._overtaken(now, plan, refusals, written)
            written.append(possibly(live.resource))
        raise refusals[-1]
