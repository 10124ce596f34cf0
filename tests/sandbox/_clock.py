# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Times in the form of the Anyscale API, each later than the one before it."""

from __future__ import annotations

import datetime


class Clock:
    """Two things made one after the other never have the same time, so sorting by time is sorting
    by age.
    """

    def __init__(self) -> None:
        self._last = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)

    def now(self) -> str:
        """The time, as ISO 8601 with offset and microseconds."""
        now = datetime.datetime.now(datetime.timezone.utc)
        self._last = max(now, self._last + datetime.timedelta(microseconds=1))
        return self._last.isoformat(timespec="microseconds")
