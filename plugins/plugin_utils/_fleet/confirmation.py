# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Confirm what was written, and restore what another writer overwrote.

This plugin util is private to the collection.
"""

from __future__ import annotations

import contextlib
import dataclasses
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
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.workers import Workers

# How often what another writer overwrote is converged again.
_MOST_RESTORATIONS = 3


class Confirmation:
    """Reads policies back some time after they were written."""

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

    def confirm(self, done: t.Iterable[Done]) -> None:
        """Read back what was written, after the time that another controller needs to write what
        it had planned before. What was overwritten is converged again, and read back again.
        """
        waiting = [one for one in done if one.unconfirmed]
        for _round in range(_MOST_RESTORATIONS):
            if not waiting or self._workers.is_stopped:
                return
            self._wait_until_settled(waiting)
            self._workers.each(self._confirm, waiting, lambda one: refusing(one.clouds))
            waiting = [one for one in waiting if one.unconfirmed]
        if waiting:
            self._wait_until_settled(waiting)
            self._workers.each(self._give_up, waiting, lambda one: refusing(one.clouds))

    def _wait_until_settled(self, waiting: t.Sequence[Done]) -> None:
        """Wait until the last write is old enough. What was read before that is forgotten: one page
        of a bulk read has the documents of many clouds.
        """
        settled_at = max(one.written_at for one in waiting) + self._seconds
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
            one.overwritten, one.written_at = True, self._clock.now()
            one.plan = dataclasses.replace(one.plan, after=again.after)
            one.unconfirmed = dataclasses.replace(unconfirmed, plan=again)

    def _give_up(self, one: Done) -> None:
        unconfirmed = t.cast(Unconfirmed, one.unconfirmed)
        with self._writer.recording(one):
            if not _is_visible(one, unconfirmed):
                raise UnsettledError(
                    f"Another writer keeps overwriting the {unconfirmed.live.resource}. It was "
                    f"restored {_MOST_RESTORATIONS} times, and overwritten again each time.",
                    "Find the other writer in CloudTrail, then run again.",
                )


def _is_visible(one: Done, unconfirmed: Unconfirmed) -> bool:
    """Whether what was written is there."""
    reconciler = t.cast(PolicyReconciler[t.Any], one.resource.reconciler(one.wanting))
    return reconciler.shows(reconciler.load(), unconfirmed.plan)
