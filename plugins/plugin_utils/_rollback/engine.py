# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restore the documents of a run in one process: plan all of them, refuse whole clouds, and only then
write, step by step.

This plugin util is private to the collection. A document that is refused keeps all that its clouds
have: a cloud is rolled back as a whole or not at all, and with it the clouds that share a document with
it. What was decided is decided again at each write, under the lock of the document.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import operator
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import (
    Connect,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    RESTORED_SECONDS,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    RefusedError,
    TaskError,
    as_task_error,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_control_chars
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import SYSTEM_CLOCK, Clock
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.diffs import document_diff
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.documents import (
    GIVES,
    TAKES,
    place_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.restoration import (
    Restoration,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.states import (
    CHANGED,
    FAILED,
    IN_SYNC,
    NOT_REACHED,
    WOULD_CHANGE,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.workers import Workers

Json = dict[str, t.Any]


class RollbackEngine:
    """Plans and restores documents. ``errors``: why the clouds of hosts are not rolled back, or not
    any further.
    """

    def __init__(
        self,
        restorations: t.Sequence[Restoration],
        connect: Connect,
        *,
        threads: int,
        wait_seconds: float = 0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """wait_seconds: between the documents that give something back and those that take something,
        if a role moves from one way to its bucket to the other.
        """
        self._restorations = restorations
        self._connect = connect
        self._workers = Workers(threads)
        self._wait_seconds = wait_seconds
        self._clock = clock
        self._by_host: dict[str, list[Restoration]] = collections.defaultdict(list)
        for one in restorations:
            for host in one.hosts:
                self._by_host[host].append(one)
        self.errors: dict[str, TaskError] = {}

    @property
    def hosts(self) -> list[str]:
        """The hosts whose clouds have any of the documents."""
        return list(self._by_host)

    @property
    def is_stopped(self) -> bool:
        """Whether nothing more is written."""
        return self._workers.is_stopped

    def stop(self) -> None:
        """Let no new write begin."""
        self._workers.stop()

    def stop_if_more_failed_than(self, percentage: float) -> None:
        """Let no write begin if more clouds are refused than is tolerated."""
        if len(self.errors) * 100 > percentage * len(self.hosts):
            self.stop()

    def pending_hosts(self) -> list[str]:
        """The hosts of which a document is to be written."""
        return [
            host
            for host, found in self._by_host.items()
            if host not in self.errors and any(one.is_pending for one in found)
        ]

    # --- plan -------------------------------------------------------------------------------------

    def plan(self) -> None:
        """Read and plan all documents, also those of clouds that are refused for another one: with
        whom they share them has to be known. Nothing is written.
        """
        possible = [one for one in self._restorations if not one.error]
        self._each(lambda one: one.make_plan(self._connect), possible)
        self._refuse_sharing_clouds()

    def _refuse_sharing_clouds(self) -> None:
        """Refuse the clouds that share a document, still to be written, with one that is refused: with
        the document they would be rolled back in part, without it too.
        """
        refused = collections.deque(self.errors)
        while refused:
            host = refused.popleft()
            for one in self._by_host[host]:
                for other in one.hosts if one.is_pending else ():
                    if other not in self.errors:
                        self.errors[other] = _shared(one, host)
                        refused.append(other)

    # --- write ------------------------------------------------------------------------------------

    def restore(self) -> None:
        """Write what is pending, of the clouds without an error."""
        waits = self._wait_seconds > 0
        by_place = operator.attrgetter("place")
        pending = sorted((one for one in self._restorations if one.is_pending), key=by_place)
        for place, group in itertools.groupby(pending, key=by_place):
            if waits and place >= place_of(TAKES, "") and self._has_given():
                self._clock.sleep(self._wait_seconds)
                waits = False
            self._refuse_sharing_clouds()
            self._each(Restoration.write, [one for one in group if not self._is_refused(one)])
        self._refuse_sharing_clouds()

    def _has_given(self) -> bool:
        return any(one.step == GIVES and one.journal.written for one in self._restorations)

    def _is_refused(self, one: Restoration) -> bool:
        return any(host in self.errors for host in one.hosts)

    def _each(
        self, work: t.Callable[[Restoration], None], restorations: t.Sequence[Restoration]
    ) -> None:
        """Do something for each document, by threads, until it is stopped. An error is that of all
        clouds of the document.
        """
        self._workers.each(work, restorations, _failing)
        # In the order of the documents, whichever thread was first.
        for one in self._restorations:
            for host in one.hosts if one.error else ():
                self.errors.setdefault(host, t.cast(TaskError, one.error))

    def confirm(self) -> None:
        """Read restored policies again, after the time that another controller needs to write what it
        had planned before, and to restore what it took for lost. What it has overwritten is not written
        again: there is more in it, which nobody has decided to remove.
        """
        written = [one for one in self._restorations if one.is_confirmable]
        if written and not self.is_stopped:
            self._clock.sleep(RESTORED_SECONDS)
            self._each(Restoration.confirm, written)

    # --- outcomes ---------------------------------------------------------------------------------

    def outcome_of(self, host: str, check_mode: bool) -> Json:
        """What happened to the cloud of a host, in the form of the outcomes of the fleet engine."""
        found, error = self._by_host[host], self.errors.get(host)
        changed = self._changed(host, check_mode)
        backups = [backup["backup_file"] for one in found for backup in one.journal.backups]
        return {
            "state": self._state(found, error, changed, check_mode),
            "changed": bool(changed) or any(one.journal.written for one in found),
            "reasons": list(dict.fromkeys(r for one in changed for r in one.plan.reasons)),
            "resources": [one.resource for one in changed],
            "warnings": [
                escape_control_chars(f"{one.resource}: {text}")
                for one in found
                for text in one.plan.warnings
            ],
            "backup_files": backups,
            **(_failure(error, found) if error else {}),
        }

    def _changed(self, host: str, check_mode: bool) -> list[Restoration]:
        """The documents of a host that were changed, or would be."""
        is_predicted = check_mode and host not in self.errors and not self.is_stopped
        return [
            one
            for one in self._by_host[host]
            if one.plan.changed and (is_predicted or one.is_attempted)
        ]

    def _state(
        self,
        found: t.Sequence[Restoration],
        error: TaskError | None,
        changed: t.Sequence[Restoration],
        check_mode: bool,
    ) -> str:
        if error:
            return FAILED
        is_predicted = check_mode and not self.is_stopped
        if any(one.live is None or (one.is_pending and not is_predicted) for one in found):
            return NOT_REACHED
        if not changed:
            return IN_SYNC
        return WOULD_CHANGE if check_mode else CHANGED

    def rolled_back_hosts(self, check_mode: bool) -> list[str]:
        """The hosts whose clouds are in their earlier state, or would be."""
        return [
            host
            for host in self.hosts
            if self.outcome_of(host, check_mode)["state"] not in (FAILED, NOT_REACHED)
        ]

    def rolls_back_nothing(self, check_mode: bool) -> bool:
        """Whether all clouds are refused, or the rollback as a whole."""
        return bool(self.hosts) and not self.rolled_back_hosts(check_mode)

    def diffs_of(self, host: str, check_mode: bool) -> list[Json]:
        """What changed, document by document."""
        return [
            document_diff(host, one.hosts[0], one.resource, one.displayed)
            for one in self._changed(host, check_mode)
        ]


@contextlib.contextmanager
def _failing(one: Restoration) -> t.Iterator[None]:
    """An error is one of this document, and of no other."""
    try:
        yield
    except Exception as error:  # a bug must not end the rollback of the other clouds
        one.error = as_task_error(error)


def _shared(one: Restoration, host: str) -> RefusedError:
    return RefusedError(
        f"It is not rolled back, because the {one.resource} is also that of {host}, which cannot be.",
        f"See the message of {host}.",
    )


def _failure(error: TaskError, found: t.Sequence[Restoration]) -> Json:
    """The error, with what was restored before it."""
    failure = error.failure()
    written = [one for one in found if one.plan.changed and one.is_attempted and not one.error]
    if restored := ", ".join(one.resource for one in written):
        failure["msg"] = f"{failure['msg']} Already restored: {restored}."
    return failure
