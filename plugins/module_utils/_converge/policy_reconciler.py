# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge a policy document that has other writers: replace the whole document without losing
their statements.

This module util is private to the collection. IAM and S3 have no version or ETag for a policy. The
only way to find out whether a write was overwritten, or overwrote another one, is to read back and
compare.
"""

from __future__ import annotations

import abc
import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_arn
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.sending import (
    noted_sendings,
    sent_by,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.overwriting import (
    OverwritingReconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Live,
    Saved,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AwsError,
    ConflictError,
    TaskError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import Backup
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    RawStatement,
    describe_statement,
    statements_of,
    with_statements,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    canonical,
    missing_statements,
    policies_equal,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import (
    SYSTEM_CLOCK,
    Clock,
)

_CONFLICTS = (
    "OperationAborted",
    "ConcurrentModification",
    "ConcurrentModificationException",
    "EntityTemporarilyUnmodifiable",
)
# The reason code of a restoration.
STATEMENT_LOST = "unmanaged_statement_lost"
# A document read longer ago than this is read again before it is overwritten, since this process
# may have been suspended, or its call may have waited for its turn.
_FRESH_SECONDS = 2.0
# After this time, which includes one second for the call itself, another controller has written
# what it had planned before.
SETTLED_SECONDS = _FRESH_SECONDS + 1.0
# After this time, another controller whose write was overwritten has also restored what it took for
# lost with it: it has waited, and has then made up to five calls.
RESTORED_SECONDS = SETTLED_SECONDS + 5.0


@dataclasses.dataclass(frozen=True)
class LivePolicy(Live):
    """A live policy document.

    arns: the ARNs of existing principals that the document shows as unique ids, by unique id.
    read_at: the time on the reconciler's clock when the request for it left.
    """

    document: Document
    arns: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    read_at: float = 0.0


@dataclasses.dataclass(frozen=True)
class _Restoring(Plan):
    """A plan that also restores statements that another writer overwrote."""

    restored: tuple[RawStatement, ...] = ()


PolicyState = t.TypeVar("PolicyState", bound=LivePolicy)


class PolicyStore(abc.ABC, t.Generic[PolicyState]):
    """Where one policy document is kept: its reads and its write."""

    @abc.abstractmethod
    def load(self) -> PolicyState:
        """The live document."""

    def read_document(self, live: PolicyState) -> Document:
        """The live document read again, without anything else that the plan needs: by the last call
        that this makes.
        """
        return self.load().document

    @abc.abstractmethod
    def write(self, live: PolicyState, document: Document) -> None:
        """Replace the live document."""

    @abc.abstractmethod
    def principals(self, *documents: Document) -> t.Mapping[str, str]:
        """The ARNs of the account's principals by unique id. They are listed only if one of the
        documents contains a unique id.
        """

    @abc.abstractmethod
    def owner_of(self, live: PolicyState) -> str:
        """The account that the document belongs to."""

    @abc.abstractmethod
    def backup(self, live: PolicyState, before: Document, after: Document) -> Backup:
        """The backup of the document, without the clouds."""

    def check_owner(self, live: PolicyState) -> None:
        """Raise if the document is not where it is wanted. ``load()`` has found that out unless there
        is no document yet.
        """

    def is_transient(self, error: AwsError) -> bool:
        """Whether AWS will accept the same write later."""
        return error.is_transient or error.code in _CONFLICTS

    def display(self, document: t.Any) -> t.Any:
        """A document as the user sees it; ``None`` if it means that there is none."""
        return document


class PolicyPlanner(abc.ABC, t.Generic[PolicyState]):
    """What is wanted of a policy document. Who may want it is up to a guard: what several clouds want
    can be put together, but each of them is judged for itself.
    """

    @abc.abstractmethod
    def plan(self, live: PolicyState) -> Plan:
        """Plan the document. Pure."""


# Raises if a change of the live document is not permitted.
PolicyGuard = t.Callable[[PolicyState, Plan], None]


class PolicyReconciler(OverwritingReconciler[PolicyState]):
    """A policy document, and all that is wanted of it: the planners plan one after the other."""

    def __init__(
        self,
        store: PolicyStore[PolicyState],
        planners: t.Sequence[PolicyPlanner[PolicyState]],
        guards: t.Sequence[PolicyGuard[PolicyState]],
        clouds: t.Iterable[str] = (),
        compared: t.Sequence[Document] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """``compared``: other documents that the planners compare the live one with."""
        super().__init__(clock)
        self._store = store
        self._planners = planners
        self._guards = guards
        self.clouds = tuple(clouds)
        self._compared = compared

    def load(self) -> PolicyState:
        """Read the live document and record the time."""
        begun_at = self.clock.now()
        with noted_sendings(self.clock) as sent_at:
            live = self._store.load()
        arns = self._store.principals(live.document, *self._compared)
        return dataclasses.replace(live, arns=arns, read_at=sent_at[0] if sent_at else begun_at)

    def reload(self, live: PolicyState) -> PolicyState:
        """Read the document alone: reading all that the plan needs may take longer than a document is
        fresh.
        """
        begun_at = self.clock.now()
        with noted_sendings(self.clock) as sent_at:
            document = self._store.read_document(live)
        read_at = sent_at[-1] if sent_at else begun_at
        return dataclasses.replace(live, document=document, read_at=read_at)

    def plan(self, live: PolicyState) -> Plan:
        """Plan the document for everything that is wanted of it."""
        first, *others = self._planners
        plan = first.plan(live)
        for planner in others:
            plan = _followed_by(plan, planner.plan(dataclasses.replace(live, document=plan.after)))
        return plan

    def guard(self, live: PolicyState, plan: Plan) -> None:
        """As the store and all guards permit it."""
        self._store.check_owner(live)
        for guard in self._guards:
            guard(live, plan)

    def backup(self, live: PolicyState, plan: Plan) -> Backup:
        """The document that a plan replaces. It includes the unmanaged statements that the plan
        restores, so that restoring the backup does not remove them.
        """
        backup = self._store.backup(live, _replaced(plan), plan.after)
        return dataclasses.replace(backup, clouds=self.clouds or backup.clouds)

    def display(self, document: t.Any) -> t.Any:
        """As the store displays it."""
        return self._store.display(document)

    def is_fresh(self, live: PolicyState) -> bool:
        """Whether it was asked for so short a time ago that it may be overwritten."""
        return self.clock.now() <= _fresh_until(live)

    def is_unchanged(self, now: PolicyState, planned: PolicyState, plan: Plan) -> bool:
        """Whether the document still means the same as the one that was planned from."""
        return policies_equal(now.document, plan.before, self._arns_of(now, plan))

    def write(self, live: PolicyState, plan: Plan) -> None:
        """Replace the document."""
        with sent_by(_fresh_until(live), self.clock):
            self._store.write(live, plan.after)

    def is_transient(self, error: TaskError) -> bool:
        """As the store knows it."""
        return isinstance(error, AwsError) and self._store.is_transient(error)

    def read_back(self, live: PolicyState, plan: Plan, saved: Saved) -> tuple[PolicyState, Plan]:
        """Read until the write is visible. If the document has changed in another way, plan again
        from it.
        """
        for _attempt in self.pauses_until_visible():
            live = self.load()
            if self.shows(live, plan):
                return live, dataclasses.replace(plan, reasons=(), warnings=())
            if not self.is_unchanged(live, live, plan):
                break
        return live, self._plan_again(live, plan, saved)

    def shows(self, live: PolicyState, plan: Plan) -> bool:
        """Whether the live document is the one that a plan wanted."""
        return policies_equal(live.document, plan.after, self._arns_of(live, plan))

    def _plan_again(self, live: PolicyState, written: Plan, saved: Saved) -> Plan:
        """Plan on what another writer left. If it kept our change, it knew what it removed. If it
        overwrote our change, it wrote what it had read before, and lost by accident what had been
        added since; these statements are restored as they were before our change.

        If it is unknown whether our change was written, missing statements are only reported.
        """
        plan, arns = self.plan(live), self._arns_of(live, written)
        if not (plan.changed and saved.is_written):
            kept = _unchanged(written) if saved.may_be_written else []
            return _with_warning(plan, written.after, _lost(kept, live.document, arns))
        seen = _replaced(written)
        lost = _lost(statements_of(seen), live.document, arns)
        if not lost:
            return plan
        if len(lost) == len(statements_of(seen)):
            raise _replaced_as_a_whole(live, written)
        account_id = self._store.owner_of(live)
        restored = [raw for raw in lost if _is_restorable(raw, account_id, arns)]
        left_out = [raw for raw in lost if raw not in restored]
        complete = dataclasses.replace(live, document=_with_more(live.document, restored))
        again = self.plan(complete)
        restoring = _Restoring(
            before=live.document,
            after=again.after,
            reasons=(*plan.reasons, *([STATEMENT_LOST] if restored else [])),
            warnings=again.warnings,
            result=again.result,
            restored=tuple(restored),
        )
        why = f" It was not restored, because it allows principals outside account {account_id}."
        return _with_warning(restoring, seen, left_out, why)

    def _arns_of(self, live: PolicyState, plan: Plan) -> t.Mapping[str, str]:
        """The ARNs for all documents of a plan and the live one: AWS may show a principal as its id
        in one and as its ARN in another.
        """
        return self._store.principals(plan.before, plan.after, live.document)


def _fresh_until(live: LivePolicy) -> float:
    return live.read_at + _FRESH_SECONDS


def _followed_by(one: Plan, other: Plan) -> Plan:
    """Two plans of a document, of which the second starts from the result of the first."""
    return dataclasses.replace(
        other,
        before=one.before,
        after=other.after if other.changed else one.after,
        reasons=tuple(dict.fromkeys((*one.reasons, *other.reasons))),
        warnings=tuple(dict.fromkeys((*one.warnings, *other.warnings))),
    )


def _replaced(plan: Plan) -> Document:
    """The document that a plan replaces, with the unmanaged statements that it restores."""
    return _with_more(plan.before, plan.restored if isinstance(plan, _Restoring) else ())


def _with_more(document: Document, raws: t.Sequence[RawStatement]) -> Document:
    return with_statements(document, [*statements_of(document), *raws]) if raws else document


def _unchanged(written: Plan) -> list[RawStatement]:
    """The unmanaged statements that a write left as they were."""
    ours = missing_statements(statements_of(written.after), written.before)
    return [raw for raw in statements_of(written.after) if raw not in ours]


def _lost(
    raws: t.Sequence[RawStatement], live: Document, arns: t.Mapping[str, str]
) -> list[RawStatement]:
    """The statements that are missing now. One whose Sid still exists was changed, not lost."""
    sids = {raw.get("Sid") for raw in statements_of(live) if raw.get("Sid")}
    return [raw for raw in missing_statements(raws, live, arns) if raw.get("Sid") not in sids]


def _is_restorable(raw: RawStatement, account_id: str, arns: t.Mapping[str, str]) -> bool:
    """Whether a statement gives nobody outside the account access. An incident responder may have
    removed such a statement, and not known of our write.
    """
    statement = canonical(raw, arns)
    if statement.effect == "Deny":
        return True
    return statement.not_principals is None and all(
        kind == "Service" or _is_in_account(name, account_id)
        for kind, name in statement.principals or ()
    )


def _is_in_account(principal: str, account_id: str) -> bool:
    arn = parse_arn(principal)
    return (arn.account_id if arn else principal) == account_id


def _replaced_as_a_whole(live: LivePolicy, written: Plan) -> ConflictError:
    """The error if nothing is left of what was there before our change."""
    what = "replaced as a whole" if statements_of(live.document) else "removed"
    return ConflictError(
        f"The {live.resource} was {what} by another writer just after this task had written it. It "
        "was left as it is now.",
        "Compare it with the backup, and find the other writer (in CloudTrail). If the policy is as "
        "it should be, run again, which adds to the policy as it is now.",
        expected=written.after,
        found=live.document,
    )


def _with_warning(
    plan: Plan, seen: Document, removed: t.Sequence[RawStatement], why: str = ""
) -> Plan:
    """The plan with a warning of the statements of a document that another writer removed."""
    if not removed:
        return plan
    places = statements_of(seen)
    names = ", ".join(describe_statement(raw, places.index(raw)) for raw in removed)
    warning = f"While this task ran, another writer removed {names}.{why}"
    return dataclasses.replace(plan, warnings=(*plan.warnings, warning))
