# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The newest versions of compute configs, for many tasks of one run: by the page where that needs fewer
calls than a search for each.

This module util is private to the collection. I/O.
"""

from __future__ import annotations

import threading
import typing as t
import zlib

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_versions import (
    PAGE,
    SEARCH,
    JsonObject,
    missing_key,
    newest_of_all,
    rank,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AnyscaleError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import SYSTEM_CLOCK

# At most one page is read per this many requested reads, however many compute configs there are.
_READS_PER_PAGE = 10

_Key = tuple[str, str]  # the cloud's id and the name, which is unique there


class _Snapshot:
    """The newest version of each compute config on all pages, read between two moments.

    Kept as compressed JSON: the objects would need many times the memory, and each caller gets its
    own.
    """

    def __init__(self, began_at: float) -> None:
        self.began_at = began_at
        self.ended_at = began_at
        self.pages = 0
        self.answers = 0
        self._newest: dict[_Key, tuple[tuple[bool, int], bytes]] = {}

    def add(self, rows: t.Iterable[JsonObject]) -> None:
        """Add a page. A version without what callers rely on is left to the search for it, which
        says what is wrong.
        """
        self.pages += 1
        for template in rows:
            if missing_key(template) is not None:
                continue
            cloud_id, name = template["config"].get("cloud_id"), template.get("name")
            if isinstance(cloud_id, str) and isinstance(name, str):
                key = cloud_id, name
                entry = (
                    rank(template),
                    zlib.compress(_json.dumps(template).encode(), zlib.Z_BEST_SPEED),
                )
                self._newest[key] = max(self._newest.get(key, entry), entry)

    def answer(self, key: _Key) -> str | None:
        """The newest version that a page showed, as JSON."""
        if key not in self._newest:
            return None
        self.answers += 1
        return zlib.decompress(self._newest[key][1]).decode()

    def is_younger(self, max_age: float | None, now: float) -> bool:
        """Whether all of it was read within so many seconds."""
        return max_age is None or now - self.began_at <= max_age


class ComputeConfigPages:
    """Reads the newest versions of compute configs for all threads of a run."""

    def __init__(
        self, client: AnyscaleClient, clock: t.Callable[[], float] = SYSTEM_CLOCK.now
    ) -> None:
        self._client = client
        self._clock = clock
        self._lock = threading.Lock()
        self._snapshot: _Snapshot | None = None
        self._reads = 0
        self._pages = 0
        self._pages_needed = 1
        self._is_refused = False

    def newest(
        self, name: str, cloud_id: str, names_wanted: int, max_age: float | None = None
    ) -> JsonObject | None:
        """The newest version of a compute config, as ``AnyscaleClient.newest_compute_config``
        returns it.

        names_wanted: how many compute configs the caller is going to ask for, this one included.
        max_age: what was read earlier than so many seconds ago is not used. ``None``: anything is.
        """
        found = self._from_pages((cloud_id, name), names_wanted, max_age)
        if found is not None:
            return t.cast(JsonObject, _json.loads(found))
        # It may be there all the same: published meanwhile, or with a name that Anyscale gave it.
        return self._client.newest_compute_config(name, cloud_id)

    def _from_pages(self, key: _Key, names_wanted: int, max_age: float | None) -> str | None:
        with self._lock:
            self._reads += 1
            if self._usable(max_age) is None:
                pages = max(self._reads, names_wanted) // _READS_PER_PAGE - self._pages
                if pages >= self._pages_needed and self._may_help(max_age):
                    self._read(pages)
            usable = self._usable(max_age)
            return None if usable is None else usable.answer(key)

    def _usable(self, max_age: float | None) -> _Snapshot | None:
        known = self._snapshot
        return known if known and known.is_younger(max_age, self._clock()) else None

    def _may_help(self, max_age: float | None) -> bool:
        """Whether pages are likely to answer more reads than they cost, judged by the last ones:
        they did, and took less time than they may be old.
        """
        known = self._snapshot
        if self._is_refused or (max_age is not None and max_age <= 0):
            return False
        return known is None or (
            known.answers > known.pages
            and (max_age is None or known.ended_at - known.began_at < max_age)
        )

    def _read(self, most_pages: int) -> None:
        """Read all pages; none of them is used where there are too many. Where they are refused,
        each config is searched for.
        """
        fresh = _Snapshot(self._clock())
        try:
            for page in self._client.api.pages("POST", SEARCH, PAGE, newest_of_all()):
                self._pages += 1
                fresh.add(page.rows)
                if page.next_token is None:
                    fresh.ended_at = self._clock()
                    self._snapshot = fresh
                    return
                self._pages_needed = _pages_in_all(page.total, len(page.rows), fresh.pages)
                if self._pages_needed > most_pages:
                    return
        except AnyscaleError:
            self._pages += 1
            self._is_refused = True


def _pages_in_all(total: int | None, rows: int, pages_read: int) -> int:
    """How many pages there are where one with so many rows is not the last; twice as many as were
    read where nobody can tell.
    """
    if total is None or not rows:
        return 2 * pages_read
    return max(-(-total // rows), pages_read + 1)
