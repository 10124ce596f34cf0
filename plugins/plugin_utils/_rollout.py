# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In which order clouds are converged: ring by ring, so that a mistake shows on a few before it is made on all.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t


def by_ring(clouds: t.Mapping[str, str | None], rings: t.Sequence[str]) -> list[list[str]]:
    """The clouds of each ring, in the order of the rings; a ring without clouds is left out.

    ``clouds`` tells the ring of each. Those of no ring, or of one that is not among ``rings``, come last, together.
    """
    places = {ring: place for place, ring in enumerate(rings)}
    grouped: dict[int, list[str]] = {}
    for name, ring in clouds.items():
        grouped.setdefault(places.get(str(ring), len(places)), []).append(name)
    return [grouped[place] for place in sorted(grouped)]
