# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Do something for many documents or clouds at once.

This plugin util is private to the collection.
"""

from __future__ import annotations

import concurrent.futures
import contextvars
import typing as t

Item = t.TypeVar("Item")


def for_each(work: t.Callable[[Item], None], items: t.Sequence[Item], threads: int) -> None:
    """Do the work for each item, and wait for all. Raises the first error, in the order of the
    items.
    """
    pool = concurrent.futures.ThreadPoolExecutor(threads)
    try:
        # Which task the writes are of is in the context.
        context = contextvars.copy_context
        for future in [pool.submit(context().run, work, item) for item in items]:
            future.result()
    finally:
        # A task that has timed out does not wait for the other clouds.
        pool.shutdown(wait=False, cancel_futures=True)
