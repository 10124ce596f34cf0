# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Try again, for a while: pauses that grow, bounded in total, with full jitter.

This module util is private to the collection.
"""

from __future__ import annotations

import random
import time
import typing as t

# Even the smallest share of a bound is a pause: chance alone must not make a busy loop.
_SHORTEST = 0.01


def backoff(
    seconds: float,
    first: float = 0.1,
    longest: float = 3.0,
    sleep: t.Callable[[float], None] = time.sleep,
    clock: t.Callable[[], float] = time.monotonic,
) -> t.Iterator[int]:
    """Number attempts from 0, pausing before each but the first, until the seconds are used up.

    Each pause is a random part of a bound that doubles from ``first`` to ``longest``, anything from
    next to nothing to all of it, so that many who were refused together do not come back together.
    There are always at least two attempts.
    """
    end = clock() + seconds
    number, bound = 0, first
    yield number
    while number < 1 or clock() < end:
        sleep(min(random.uniform(min(_SHORTEST, bound), bound), max(0.0, end - clock()) + first))
        number, bound = number + 1, min(2 * bound, longest)
        yield number
