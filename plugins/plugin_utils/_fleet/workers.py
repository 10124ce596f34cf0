# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The threads of the engine.

This plugin util is private to the collection. A failure fails the clouds that it is of, and no others.
"""

from __future__ import annotations

import threading
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import (
    Cloud,
    refusing,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.threads import for_each

Item = t.TypeVar("Item")


class Workers:
    """Threads that work until they are stopped."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let no new save begin, and nothing be read any more."""
        self._stopped.set()

    @property
    def is_stopped(self) -> bool:
        """Whether what was begun last may be incomplete."""
        return self._stopped.is_set()

    def each(
        self,
        work: t.Callable[[Item], None],
        items: t.Sequence[Item],
        clouds_of: t.Callable[[Item], t.Sequence[Cloud]],
    ) -> None:
        """Do something for each item, by threads, until they are stopped. An error fails the
        clouds of the item.
        """

        def guarded(item: Item) -> None:
            if not self.is_stopped:
                with refusing(clouds_of(item)):
                    work(item)

        for_each(guarded, items, self._threads)
