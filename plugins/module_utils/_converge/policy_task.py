# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The flow for a policy document that others write to as well: write it whole, lose nobody's
statement.

This module util is private to the collection. Neither IAM nor S3 has a version or an ETag for a
policy, so the only way to know that a write was not overwritten, and did not overwrite, is to read
back and compare.
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
# Half of it on average: whoever waits for so long need not ask more than a dozen times.
_LONGEST_PAUSE = 16.0
_VISIBLE_SECONDS = 30.0
# What was seen longer ago than this is looked at again before it is written over: this process may
# have been held up.
_FRESH_SECONDS = 2.0
# After so many seconds, with one more for the call itself, what another controller had decided on
# before is written.
SETTLED_SECONDS = _FRESH_SECONDS + 1.0


class PolicyTask(Task):
    """A task whose resource is one policy document."""

    _is_written = False
    _may_be_written = False
    _put_back: t.Sequence[RawStatement] = ()
    _seen_at = 0.0

    @abc.abstractmethod
    def read(self) -> Document:
        """The live document."""

    @abc.abstractmethod
    def write(self, document: Document) -> None:
        """Replace the live document."""

    @abc.abstractmethod
    def decide(self, document: Document) -> Plan:
        """What the document must become."""

    def arns(self, document: Document) -> t.Mapping[str, str]:
        """The ARNs of existing principals that a document shows by their unique ids: both stand for
        the same.
        """
        return {}

    def guard(self, plan: Plan) -> None:
        """Refuse a change that must not or cannot be made. Called for check mode too, so that it
        predicts the refusal.
        """

    def is_transient(self, error: AwsError) -> bool:
        """Whether AWS will take the same write a little later."""
        return error.is_transient or error.code in _CONFLICTS

    def plan(self) -> Plan:
        """Decide on the live document."""
        return self._guarded(self.decide(self._look()))

    def apply(self, plan: Plan) -> None:
        """Write the wanted document, again while AWS will not take it yet, or where it may not have
        taken it.

        Meanwhile, and where it took long to come to this, somebody else may have written: what was
        decided before that must not be written after it.
        """
        self._is_written = self._may_be_written = False
        refusals: list[AwsError] = []
        for _attempt in backoff(_BUSY_SECONDS, first=0.2, longest=_LONGEST_PAUSE):
            if refusals or self._is_seen_long_ago():
                live, arns = self._look_again(plan, refusals)
                if not policies_equal(live, plan.before, arns):
                    if any(error.outcome_unknown for error in refusals):
                        self._note_doubtful_write(policies_equal(live, plan.after, arns))
                    return  # verify decides anew, on what is there now
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

    def _look(self) -> Document:
        """The live document; when that was is kept."""
        document = self.read()
        self._seen_at = time.monotonic()
        return document

    def _is_seen_long_ago(self) -> bool:
        return time.monotonic() - self._seen_at > _FRESH_SECONDS

    def _arns_of(self, plan: Plan, live: Document) -> dict[str, str]:
        """Of all that a plan and the live document show: AWS shows one principal now by its id, now
        by its ARN.
        """
        return {
            unique_id: arn
            for document in (plan.before, plan.after, live)
            for unique_id, arn in self.arns(document).items()
        }

    def _look_again(
        self, plan: Plan, refusals: t.Sequence[AwsError]
    ) -> tuple[Document, t.Mapping[str, str]]:
        """The live document before another attempt, with whom it names. Where that fails, what
        counts is why it was looked for.
        """
        try:
            live = self._look()
            return live, self._arns_of(plan, live)
        except TaskError as error:
            if not refusals:
                raise
            raise refusals[-1] from error

    def _note_doubtful_write(self, shows: bool) -> None:
        """Note what a look tells of a write whose answer was lost: where it shows, it was done.

        Where something else shows than before, it may have been done and overwritten since: that is
        to be said as well.
        """
        self._is_written, self._may_be_written = shows, True
        self.written.append(self.resource if shows else f"{self.resource} (possibly)")

    def replaced_by(self, plan: Plan) -> Document:
        """What a plan replaces, for a backup: with what it puts back of others, since to restore
        must not take that out.
        """
        document: Document = plan.before
        return (
            with_statements(document, [*statements_of(document), *self._put_back])
            if self._put_back
            else document
        )

    def verify(self, plan: Plan) -> Plan:
        """Read until the write shows. Where something else shows, decide anew on that."""
        self._put_back = ()
        for _attempt in backoff(_VISIBLE_SECONDS):
            live = self._look()
            arns = self._arns_of(plan, live)
            if policies_equal(live, plan.after, arns):
                return dataclasses.replace(plan, reasons=(), warnings=())
            if not policies_equal(live, plan.before, arns):
                break
        return self._guarded(self._decided_anew(plan, live))

    def _decided_anew(self, written: Plan, live: Document) -> Plan:
        """Whoever kept our change knew what they took out; whoever wiped it out may have wiped out
        more with it.

        Where it is not known that there was a change of ours to be wiped out, it is only told what
        is gone.
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
                plan, warnings=(*plan.warnings, f"While this ran, somebody took out {names}.")
            )
        self._put_back = lost
        restored = self.decide(with_statements(live, [*statements_of(live), *lost]))
        return dataclasses.replace(
            restored, before=live, reasons=(*plan.reasons, "unmanaged_statement_lost")
        )

    def _guarded(self, plan: Plan) -> Plan:
        if plan.changed:
            self.guard(plan)
        return plan


def _lost(written: Plan, live: Document, arns: t.Mapping[str, str]) -> list[RawStatement]:
    """The statements of others that were written back and are gone; one with a Sid that is still
    there was changed.
    """
    others = missing_statements(statements_of(written.after), written.before)
    kept = [raw for raw in statements_of(written.after) if raw not in others]
    sids = {raw.get("Sid") for raw in statements_of(live) if raw.get("Sid")}
    return [raw for raw in missing_statements(kept, live, arns) if raw.get("Sid") not in sids]
