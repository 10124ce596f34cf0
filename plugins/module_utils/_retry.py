# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Retry with exponential backoff and full jitter, for a limited time.

This module util is private to the collection.
"""

from __future__ import annotations

import random
import time
import typing as t

# The shortest pause: a random delay close to zero must not turn the retries into a busy loop.
_MIN_PAUSE = 0.01


class Clock:
    """The time that waits and limits are measured with. Injected, so that tests need not wait."""

    def now(self) -> float:
        """Seconds since some moment; it never goes back, and goes on while the machine is suspended."""
        # On Linux, time.monotonic() stands still then: what was read before would seem to be new.
        boot = getattr(time, "CLOCK_BOOTTIME", None)
        return time.monotonic() if boot is None else time.clock_gettime(boot)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


SYSTEM_CLOCK = Clock()


def backoff(
    seconds: float, first: float = 0.1, longest: float = 3.0, clock: Clock = SYSTEM_CLOCK
) -> t.Iterator[int]:
    """Yield attempt numbers from 0, with a pause before each but the first, until the time is up.

    Each pause is a random part of a bound that doubles from ``first`` to ``longest``, so that
    callers that were throttled together do not retry together. There are always at least two
    attempts.
    """
    end = clock.now() + seconds
    number, bound = 0, first
    yield number
    while number < 1 or clock.now() < end:
        rest = max(0.0, end - clock.now()) + first
        clock.sleep(min(random.uniform(min(_MIN_PAUSE, bound), bound), rest))
        number, bound = number + 1, min(2 * bound, longest)
        yield number
