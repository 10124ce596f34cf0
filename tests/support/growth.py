# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the time of some work grows with its size, which says the same on any machine, busy or not."""

from __future__ import annotations

import time
import typing as t

# Of ten times as much: what is linear takes ten times as long, and what is quadratic up to a hundred times.
LINEAR = 20.0
_TRIES = 2


def growth(work: t.Callable[[int], object], size: int) -> float:
    """How many times as much processor time ten times the size takes, by the least of some tries each."""
    small, large = (
        min(_processor_seconds(work, times * size) for _try in range(_TRIES)) for times in (1, 10)
    )
    return large / small


def _processor_seconds(work: t.Callable[[int], object], size: int) -> float:
    started = time.process_time()
    work(size)
    return time.process_time() - started
