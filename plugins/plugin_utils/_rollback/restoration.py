# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A document that is restored: planned, written, and confirmed after a time.

This plugin util is private to the collection.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.requests import recorded_writes
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import (
    AwsSession,
    Connect,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.converge import (
    Journal,
    execute,
    noting_what_was_written,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    LivePolicy,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Live,
    Reconciler,
    Saved,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.restore import (
    RestoreModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    ConflictError,
    RefusedError,
    TaskError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    BUCKET_POLICY,
    ROLE_POLICY,
    TRUST_POLICY,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.write_record import (
    record_own_writes,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    Statement,
    canonical,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._survey import check_mode
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.documents import place_of

# What is replaced as a whole, so that a writer that has read it before takes a restoration back.
_POLICIES = (TRUST_POLICY, BUCKET_POLICY, ROLE_POLICY)


@dataclasses.dataclass(eq=False)
class Restoration:
    """A document, and the hosts whose clouds it is restored for, the one that restores it first.

    params: those of the module backup_restore. plan: from the live document to the earlier one, and
    once it is written, what was written. error: why that is not possible. is_attempted: whether its
    write was begun. session: that of its account.
    """

    resource: str
    kind: str
    step: str
    hosts: tuple[str, ...]
    params: t.Mapping[str, t.Any]
    plan: Plan = Plan(None, None)
    live: Live | None = None
    reconciler: Reconciler[t.Any] | None = None
    journal: Journal = dataclasses.field(default_factory=Journal)
    error: TaskError | None = None
    is_attempted: bool = False
    session: AwsSession | None = None

    @property
    def is_pending(self) -> bool:
        """Whether it is still to be written."""
        return self.plan.changed and not self.is_attempted

    @property
    def is_confirmable(self) -> bool:
        """Whether it was restored, and can have been taken back."""
        return self.kind in _POLICIES and bool(self.journal.written) and not self.error

    @property
    def place(self) -> tuple[int, int]:
        """Its place in the order in which documents are restored."""
        return place_of(self.step, self.kind)

    def make_plan(self, connect: Connect) -> None:
        """Read the document, and plan it. Raises if it cannot be restored. Nothing is written."""
        module = RestoreModule(self.params, connect)
        self.reconciler, self.session = module.reconciler(), module.session
        self.live = self.reconciler.load()
        plan = self.reconciler.checked(self.live)
        # Whether its backup could be written, too.
        self.plan = execute(self.reconciler, self.live, plan, self.params, True, self.journal)

    def write(self) -> None:
        """Restore the document, as planned."""
        self.is_attempted = True
        reconciler, live = t.cast("Reconciler[t.Any]", self.reconciler), t.cast(Live, self.live)
        try:
            with noting_what_was_written(self.journal), self._recording():
                self.plan = execute(reconciler, live, self.plan, self.params, False, self.journal)
        except Exception:  # also a bug
            self.plan = dataclasses.replace(self.plan, after=self.plan.before, reasons=())
            raise

    def confirm(self) -> None:
        """Raise if another writer took back what it gave or took. That it added something is no harm."""
        reconciler, live = t.cast("Reconciler[t.Any]", self.reconciler), t.cast(Live, self.live)
        with noting_what_was_written(self.journal):
            try:
                live, again = reconciler.read_back(live, self.plan, Saved())
                is_other = again.changed
            except RefusedError:
                live, is_other = reconciler.load(), True
        if is_other and not (isinstance(live, LivePolicy) and is_kept(self.plan, live)):
            raise ConflictError(
                f"The {self.resource} was restored, and then overwritten by another writer, which had "
                "read it before. It was left as it is now.",
                "Wait until that writer has ended, such as another job for the same clouds, then run "
                f"the rollback again. With {check_mode()} it says first what is left to restore.",
            )

    def displayed(self) -> tuple[t.Any, t.Any]:
        """The document before and after it, as the user sees it."""
        display = t.cast("Reconciler[t.Any]", self.reconciler).display
        return display(self.plan.before), display(self.plan.after)

    @contextlib.contextmanager
    def _recording(self) -> t.Iterator[None]:
        """Record the requests that write, so that no event has them undone."""
        with recorded_writes() as writes:
            try:
                yield
            finally:
                if writes:
                    session = t.cast(AwsSession, self.session)
                    with contextlib.suppress(TaskError):
                        record_own_writes(writes, session.caller_arn(), self.params)


def is_kept(plan: Plan, live: LivePolicy) -> bool:
    """Whether a live policy has all that a plan led to, and nothing of what it removed. Each
    combination of a principal, an action and a resource counts by itself: another cloud may have been
    added to a statement meanwhile.
    """
    before, after, now = (
        _combinations(document, live.arns) for document in (plan.before, plan.after, live.document)
    )
    return after <= now and not (before - after) & now


def _combinations(document: Document, arns: t.Mapping[str, str]) -> set[Statement]:
    """The statements of a policy, each divided into one for each combination of what it lists."""
    found = set[Statement]()
    for raw in statements_of(document):
        one = canonical(raw, arns)
        lists = (one.principals, one.actions, one.resources)
        for principals, actions, resources in itertools.product(*map(_divided, lists)):
            found.add(
                dataclasses.replace(
                    one, principals=principals, actions=actions, resources=resources
                )
            )
    return found


def _divided(values: frozenset[t.Any] | None) -> list[frozenset[t.Any] | None]:
    return [values] if not values else [frozenset([value]) for value in values]
