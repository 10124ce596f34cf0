# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge several resources one after the other, as one task.

This module util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.converge import (
    Journal,
    Json,
    Params,
    execute,
    result_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Reconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import SYSTEM_CLOCK, Clock


class Step(t.NamedTuple):
    """A resource; and whether what is wanted of it takes something away that an earlier one gives."""

    reconciler: Reconciler[t.Any]
    takes_away: bool = False


def converge_in_order(
    steps: t.Iterable[Step],
    params: Params,
    check_mode: bool,
    propagation_seconds: float,
    clock: Clock = SYSTEM_CLOCK,
) -> list[Json]:
    """Converge each resource once the ones before it are. Returns their results. All are planned before
    the first write, so that nothing is written if one of them is refused.

    propagation_seconds: how long to wait between a change that grants and one that takes away.
    """
    planned = [
        (step, live := step.reconciler.load(), step.reconciler.checked(live)) for step in steps
    ]
    journal, results = Journal(), []
    has_granted = False
    for (reconciler, takes_away), live, plan in planned:
        if plan.changed and takes_away and has_granted and not check_mode:
            clock.sleep(propagation_seconds)
            has_granted = False
        noted = len(journal.written)
        done = execute(reconciler, live, plan, params, check_mode, journal)
        has_granted = has_granted or (not takes_away and len(journal.written) > noted)
        results.append(result_of(reconciler, live.resource, done))
    return results
