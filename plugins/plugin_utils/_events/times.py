# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Times as the operator reads them.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import datetime


def utc(seconds: float) -> str:
    """A time of the clock, such as 2026-11-29T10:00:00Z."""
    at = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
