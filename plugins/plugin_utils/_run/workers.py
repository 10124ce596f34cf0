# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The threads of an engine, which begin nothing more once they are stopped.

This plugin util is private to the collection.
"""

from __future__ import annotations

import threading
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.threads import for_each

Item = t.TypeVar("Item")


class Workers:
    """Threads that work until they are stopped."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let no work for another item begin."""
        self._stopped.set()

    @property
    def is_stopped(self) -> bool:
        """Whether what was begun last may be incomplete."""
        return self._stopped.is_set()

    def each(
        self,
        work: t.Callable[[Item], None],
        items: t.Sequence[Item],
        guard: t.Callable[[Item], t.ContextManager[None]],
    ) -> None:
        """Do something for each item, by threads, until they are stopped. guard: what an error of
        an item is caught by, so that it does not end the work for the others.
        """

        def guarded(item: Item) -> None:
            if not self.is_stopped:
                with guard(item):
                    work(item)

        for_each(guarded, items, self._threads)
