# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shorten lists of names in messages, because a fleet may have thousands.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

_NAMED = 10


def summarize_names(names: t.Sequence[str], most: int = _NAMED) -> str:
    """The first names, and the number of the others."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
