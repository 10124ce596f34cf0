# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The flow for a policy document that has other writers: replace the whole document without losing
their statements.

This module util is private to the collection. IAM and S3 have no version or ETag for a policy. The
only way to find out whether a write was overwritten, or overwrote another one, is to read back and
compare.
"""

from __future__ import annotations

import abc
import dataclasses
import time
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.task import Task
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError, TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    RawStatement,
    describe_statement,
    statements_of,
    with_statements,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    missing_statements,
    policies_equal,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import backoff

_CONFLICTS = (
    "OperationAborted",
    "ConcurrentModification",
    "ConcurrentModificationException",
    "EntityTemporarilyUnmodifiable",
)
_BUSY_SECONDS = 60.0
# Half of it on average, so that there are about a dozen attempts.
_LONGEST_PAUSE = 16.0
_VISIBLE_SECONDS = 30.0
# A document read longer ago than this is read again before it is overwritten, since this process
# may have been suspended.
_FRESH_SECONDS = 2.0
# After this time, which includes one second for the call itself, another controller has written
# what it had planned before.
SETTLED_SECONDS = _FRESH_SECONDS + 1.0


class PolicyTask(Task):
    """A task whose resource is a policy document."""

    _is_written = False
    _may_be_written = False
    _restored: t.Sequence[RawStatement] = ()
    _read_at = 0.0

    @abc.abstractmethod
    def read(self) -> Document:
        """The live document."""

    @abc.abstractmethod
    def write(self, document: Document) -> None:
        """Replace the live document."""

    @abc.abstractmethod
    def decide(self, document: Document) -> Plan:
        """Plan the document."""

    def arns(self, document: Document) -> t.Mapping[str, str]:
        """The ARNs of existing principals that a document shows as unique ids, by unique id."""
        return {}

    def guard(self, plan: Plan) -> None:
        """Raise if a change is not permitted or not possible. Called in check mode too, which
        predicts the error.
        """

    def is_transient(self, error: AwsError) -> bool:
        """Whether AWS will accept the same write later."""
        return error.is_transient or error.code in _CONFLICTS

    def plan(self) -> Plan:
        """Plan from the live document."""
        return self._guarded(self.decide(self._read_and_record_time()))

    def apply(self, plan: Plan) -> None:
        """Write the wanted document. Retry on transient errors, and if it is unknown whether the
        write took effect.

        Before a retry, or if the plan is old, the document is read again: another writer may have
        changed it, and then the plan must not be applied.
        """
        self._is_written = self._may_be_written = False
        refusals: list[AwsError] = []
        for _attempt in backoff(_BUSY_SECONDS, first=0.2, longest=_LONGEST_PAUSE):
            if refusals or self._is_outdated():
                live, arns = self._read_again(plan, refusals)
                if not policies_equal(live, plan.before, arns):
                    if any(error.outcome_unknown for error in refusals):
                        self._record_uncertain_write(policies_equal(live, plan.after, arns))
                    return  # verify plans again, from the live document
            try:
                self.write(plan.after)
                self._is_written = self._may_be_written = True
                self.written.append(self.resource)
                return
            except AwsError as error:
                if not self.is_transient(error):
                    raise
                refusals.append(error)
        raise refusals[-1]

    def _read_and_record_time(self) -> Document:
        """Read the live document and record the time."""
        document = self.read()
        self._read_at = time.monotonic()
        return document

    def _is_outdated(self) -> bool:
        return time.monotonic() - self._read_at > _FRESH_SECONDS

    def _arns_of(self, plan: Plan, live: Document) -> dict[str, str]:
        """The ARNs for all documents of a plan and the live one: AWS may show a principal as its id
        in one and as its ARN in another.
        """
        return {
            unique_id: arn
            for document in (plan.before, plan.after, live)
            for unique_id, arn in self.arns(document).items()
        }

    def _read_again(
        self, plan: Plan, refusals: t.Sequence[AwsError]
    ) -> tuple[Document, t.Mapping[str, str]]:
        """The live document before a retry, with the ARNs of its principals. If reading fails, the
        error that caused the retry is raised.
        """
        try:
            live = self._read_and_record_time()
            return live, self._arns_of(plan, live)
        except TaskError as error:
            if not refusals:
                raise
            raise refusals[-1] from error

    def _record_uncertain_write(self, is_visible: bool) -> None:
        """Record a write of unknown outcome: if it is visible now, it took effect.

        If the document changed in another way, the write may have taken effect and been overwritten
        since, which is recorded too.
        """
        self._is_written, self._may_be_written = is_visible, True
        self.written.append(self.resource if is_visible else f"{self.resource} (possibly)")

    def replaced_by(self, plan: Plan) -> Document:
        """The document that a plan replaces, for a backup. It includes the unmanaged statements
        that the plan restores, so that restoring the backup does not remove them.
        """
        document: Document = plan.before
        return (
            with_statements(document, [*statements_of(document), *self._restored])
            if self._restored
            else document
        )

    def verify(self, plan: Plan) -> Plan:
        """Read until the write is visible. If the document has changed in another way, plan again
        from it.
        """
        self._restored = ()
        for _attempt in backoff(_VISIBLE_SECONDS):
            live = self._read_and_record_time()
            arns = self._arns_of(plan, live)
            if policies_equal(live, plan.after, arns):
                return dataclasses.replace(plan, reasons=(), warnings=())
            if not policies_equal(live, plan.before, arns):
                break
        return self._guarded(self._plan_again(plan, live))

    def _plan_again(self, written: Plan, live: Document) -> Plan:
        """If another writer kept our change, it removed other statements on purpose. If it
        overwrote our change, it may have overwritten other statements by accident, which are
        restored.

        If it is unknown whether our change was written, missing statements are only reported.
        """
        plan = self.decide(live)
        if not self._may_be_written:
            return plan
        lost = _lost(written, live, self._arns_of(written, live))
        if not lost:
            return plan
        if not (plan.changed and self._is_written):
            places = statements_of(written.after)
            names = ", ".join(describe_statement(raw, places.index(raw)) for raw in lost)
            return dataclasses.replace(
                plan,
                warnings=(*plan.warnings, f"While this task ran, another writer removed {names}."),
            )
        self._restored = lost
        restored = self.decide(with_statements(live, [*statements_of(live), *lost]))
        return dataclasses.replace(
            restored, before=live, reasons=(*plan.reasons, "unmanaged_statement_lost")
        )

    def _guarded(self, plan: Plan) -> Plan:
        if plan.changed:
            self.guard(plan)
        return plan


def _lost(written: Plan, live: Document, arns: t.Mapping[str, str]) -> list[RawStatement]:
    """The unmanaged statements that were written and are missing now. One whose Sid still exists
    was changed, not lost.
    """
    others = missing_statements(statements_of(written.after), written.before)
    kept = [raw for raw in statements_of(written.after) if raw not in others]
    sids = {raw.get("Sid") for raw in statements_of(live) if raw.get("Sid")}
    return [raw for raw in missing_statements(kept, live, arns) if raw.get("Sid") not in sids]
