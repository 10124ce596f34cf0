# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Confirm what was written, and restore what another writer overwrote.

This plugin util is private to the collection.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import threading
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.converge import (
    Unconfirmed,
    confirm,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    PolicyReconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    TaskError,
    UnsettledError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import Clock
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.writer import (
    OptionsAtWrite,
    Writer,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.done import Done
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import refusing
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.services import Services
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import BUCKET
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.workers import Workers

# How often what another writer overwrote is converged again.
_MOST_RESTORATIONS = 3
# How much later than it could be something is confirmed while the run waits.
_LONGEST_SLEEP_SECONDS = 1.0


class Confirmation:
    """Reads policies back some time after they were written: those of buckets, which are read one by
    one, while the run goes on, and those that are read in bulk at the end of a batch.

    The sooner, the better: what another controller has revoked at the same moment may look lost by
    accident. That controller looks once more, a few seconds later, whether it was put back.
    """

    def __init__(
        self,
        services: Services,
        workers: Workers,
        writer: Writer,
        clock: Clock,
        seconds: float,
    ) -> None:
        """seconds: how old the last write has to be. What was revoked may also be restored by another
        controller, as if it had been lost by accident.
        """
        self._services = services
        self._workers = workers
        self._writer = writer
        self._clock = clock
        self._seconds = seconds
        self._lock = threading.Lock()
        self._early: collections.deque[Done] = collections.deque()

    def expect(self, one: Done) -> None:
        """Note what was written just now, to confirm it while the run goes on if that costs nothing
        more.
        """
        if one.unconfirmed and one.resource.stage == BUCKET:
            with self._lock:
                self._early.append(one)

    def confirm_due(self) -> None:
        """Confirm what was written long enough ago. Threads do so before each write."""
        while one := self._next_due():
            with refusing(one.clouds):
                self._confirm_early(one)

    def confirm(self, done: t.Iterable[Done]) -> None:
        """Read back what was written, after the time that another controller needs to write what
        it had planned before. What was overwritten is converged again, and read back again.
        """
        self._early.clear()
        waiting = list(done)
        while waiting := [one for one in waiting if one.unconfirmed]:
            if self._workers.is_stopped:
                return
            self._wait_until_settled(waiting)
            self._workers.each(self._confirm, waiting, lambda one: refusing(one.clouds))

    def wait(self, until: t.Callable[[], float]) -> None:
        """Wait for a time, and confirm meanwhile what is due, which may put the time off."""
        while not self._workers.is_stopped and (rest := until() - self._clock.now()) > 0:
            self._clock.sleep(min(rest, _LONGEST_SLEEP_SECONDS))
            due = list(iter(self._next_due, None))
            self._workers.each(self._confirm_early, due, lambda one: refusing(one.clouds))

    def _confirm_early(self, one: Done) -> None:
        self._confirm(one)
        self.expect(one)

    def _next_due(self) -> Done | None:
        with self._lock:
            if self._workers.is_stopped or not self._early:
                return None
            is_due = self._settled_at(self._early[0]) <= self._clock.now()
            return self._early.popleft() if is_due else None

    def _settled_at(self, one: Done) -> float:
        return one.written_at + self._seconds

    def _wait_until_settled(self, waiting: t.Sequence[Done]) -> None:
        """Wait until the last write is old enough. What was read before that is forgotten: one page
        of a bulk read has the documents of many clouds.
        """
        settled_at = max(map(self._settled_at, waiting))
        self._clock.sleep(max(0.0, settled_at - self._clock.now()))
        self._services.forget_reads()
        for one in waiting:
            with contextlib.suppress(TaskError):
                self._services.expect_reads(one.clouds[0].settings)

    def _confirm(self, one: Done) -> None:
        unconfirmed = t.cast(Unconfirmed, one.unconfirmed)
        one.unconfirmed = None
        with self._writer.recording(one):
            if _is_visible(one, unconfirmed) or self._workers.is_stopped:
                one.plan = self._writer.kept(one.plan)
                return
            if one.restorations == _MOST_RESTORATIONS:
                raise _kept_overwriting(unconfirmed.live.resource)
            # What was written for a cloud that has failed since is put back as well.
            reconciler = self._writer.reconciler_of(one)
            params = OptionsAtWrite(lambda: one.wanting)
            again = confirm(reconciler, unconfirmed, params, one.journal)
        one.found = dataclasses.replace(
            one.found,
            reasons=tuple(dict.fromkeys((*one.found.reasons, *again.reasons))),
            warnings=tuple(dict.fromkeys((*one.found.warnings, *again.warnings))),
        )
        if again.changed:
            one.restorations, one.written_at = one.restorations + 1, self._clock.now()
            one.plan = dataclasses.replace(one.plan, after=again.after)
            one.unconfirmed = dataclasses.replace(unconfirmed, plan=again)


def _kept_overwriting(resource: str) -> UnsettledError:
    return UnsettledError(
        f"Another writer keeps overwriting the {resource}. It was restored {_MOST_RESTORATIONS} "
        "times, and overwritten again each time.",
        "Find the other writer in CloudTrail, then run again.",
    )


def _is_visible(one: Done, unconfirmed: Unconfirmed) -> bool:
    """Whether what was written is there."""
    reconciler = t.cast(PolicyReconciler[t.Any], one.resource.reconciler(one.wanting))
    return reconciler.shows(reconciler.load(), unconfirmed.plan)
