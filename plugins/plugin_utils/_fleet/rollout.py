# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In which order clouds are converged: ring by ring, so that a mistake shows on a few before it is
made on all.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import math
import typing as t


def by_ring(clouds: t.Mapping[str, str | None], rings: t.Sequence[str]) -> list[list[str]]:
    """The clouds of each ring, in the order of the rings; a ring without clouds is left out.

    ``clouds`` tells the ring of each. Those of no ring, or of one that is not among ``rings``, come
    last, together.
    """
    places = {ring: place for place, ring in enumerate(rings)}
    grouped: dict[int, list[str]] = {}
    for name, ring in clouds.items():
        grouped.setdefault(places.get(str(ring), len(places)), []).append(name)
    return [grouped[place] for place in sorted(grouped)]


def cut(batches: t.Sequence[t.Sequence[str]], most: int) -> list[list[str]]:
    """The same clouds in batches of so many at the most, none of which has clouds of two."""
    return [
        list(batch[start : start + most])
        for batch in batches
        for start in range(0, len(batch), most)
    ]


def canary_of(batches: t.Sequence[t.Sequence[str]], percent: int) -> list[list[str]]:
    """The first clouds of the batches, so many percent of all, but one at the least; with 0
    percent, none.

    A batch of them is never of two rings.
    """
    count = math.ceil(sum(map(len, batches)) * percent / 100)
    canary = []
    for batch in batches:
        first = list(batch[:count])
        if first:
            canary.append(first)
        count -= len(first)
    return canary


def canary_first(batches: t.Sequence[t.Sequence[str]], percent: int) -> list[list[str]]:
    """The batches with those of the canary before the rest, which is as it was but for them."""
    canary = canary_of(batches, percent)
    taken = {name for batch in canary for name in batch}
    rest = [[name for name in batch if name not in taken] for batch in batches]
    return [*canary, *(batch for batch in rest if batch)]
