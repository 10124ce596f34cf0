# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order in which clouds are converged: ring by ring, so that a mistake affects a few clouds
before it affects all.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import math
import typing as t


def by_ring(clouds: t.Mapping[str, str | None], rings: t.Sequence[str]) -> list[list[str]]:
    """The clouds of each ring by name, in the order of the rings; a ring without clouds is left out.
    The order of an inventory is not the same in each job of AWX.

    ``clouds`` maps each cloud to its ring. Clouds without a ring, or with one that is not in
    ``rings``, form the last group.
    """
    places = {ring: place for place, ring in enumerate(rings)}
    grouped: dict[int, list[str]] = {}
    for name, ring in sorted(clouds.items()):
        grouped.setdefault(places.get(str(ring), len(places)), []).append(name)
    return [grouped[place] for place in sorted(grouped)]


def unknown_rings(rings: t.Iterable[str], of_hosts: t.Iterable[t.Any]) -> list[str]:
    """The listed rings that no host has, each once."""
    known = {str(ring) for ring in of_hosts if ring is not None}
    return [ring for ring in dict.fromkeys(rings) if ring not in known]


def cut(
    batches: t.Sequence[t.Sequence[str]], most: int, groups: t.Sequence[t.Sequence[str]] = ()
) -> list[list[str]]:
    """The same clouds in batches of at most this size, each from a single batch. A group of clouds is
    not divided: one that is larger is a batch by itself.
    """
    of_name = {name: tuple(group) for group in groups for name in group}
    found: list[list[str]] = []
    for batch in batches:
        room = 0
        for unit in dict.fromkeys(of_name.get(name, (name,)) for name in batch):
            if len(unit) > room:
                found.append([])
                room = most
            found[-1] += unit
            room -= len(unit)
    return found


def gathered(
    batches: t.Sequence[t.Sequence[str]], groups: t.Sequence[t.Sequence[str]]
) -> list[list[str]]:
    """The batches with each group of clouds as a whole in the last one that has any of it; in none, if
    any of it is in none.
    """
    places = {name: place for place, batch in enumerate(batches) for name in batch}
    found: list[list[str]] = [[] for _batch in batches]
    of_group: dict[str, int | None] = {}
    for group in groups:
        is_whole = all(name in places for name in group)
        last = max(places[name] for name in group) if is_whole else None
        of_group |= dict.fromkeys(group, last)
    for name, own in places.items():
        place = of_group.get(name, own)
        if place is not None:
            found[place].append(name)
    return found


def canary_of(batches: t.Sequence[t.Sequence[str]], percent: int) -> list[list[str]]:
    """The first clouds of the batches, so many percent of all, rounded up; with 0 percent, none.

    Each batch of the canary is from a single ring.
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
    """The batches of the canary, then the given batches without the canary's clouds."""
    canary = canary_of(batches, percent)
    taken = {name for batch in canary for name in batch}
    rest = [[name for name in batch if name not in taken] for batch in batches]
    return [*canary, *(batch for batch in rest if batch)]


def batches_of(
    clouds: t.Mapping[str, str | None],
    rings: t.Sequence[str],
    canary_percent: int,
    only: str,
    serial: int | None,
    groups: t.Sequence[t.Sequence[str]] = (),
) -> list[list[str]]:
    """The clouds, each with its ring, in the batches of a rollout. ``only``: ``canary`` leaves out
    all others. groups: clouds that are in one batch, or left out, together.
    """
    by_rings = by_ring(clouds, rings)
    chosen = canary_of if only == "canary" else canary_first
    batches = gathered(chosen(by_rings, canary_percent), groups)
    return cut(batches, serial or len(clouds) or 1, groups)
