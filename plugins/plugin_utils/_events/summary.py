# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Say what events said, for the people who read a run.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.cloudtrail import (
    TOO_LARGE,
)

Json = t.Mapping[str, t.Any]

_MOST_CLOUDS = 20


def lines_of(clouds: t.Sequence[Json], counts: Json, dropped: Json) -> list[str]:
    """What was changed and by whom, cloud by cloud, and what was left out."""
    changes = _counted(counts["changes"], "change")
    lines = [
        f"{changes} in the events: {counts['of_clouds']} of clouds, {counts['own']} by runs themselves"
    ]
    lines += [_line(cloud) for cloud in clouds[:_MOST_CLOUDS]]
    if len(clouds) > _MOST_CLOUDS:
        lines.append(f"and {_counted(len(clouds) - _MOST_CLOUDS, 'other cloud')}")
    if dropped:
        told = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
        lines.append(f"Left out of the events: {told}")
    return lines


def unmanaged_warning(clouds: t.Sequence[Json]) -> list[str]:
    """What to do about changes that no run puts back."""
    names = [cloud["name"] for cloud in clouds if not cloud["managed"]]
    if not names:
        return []
    shown = ", ".join(names[:_MOST_CLOUDS]) + (" and others" if len(names) > _MOST_CLOUDS else "")
    return [
        "A permissions boundary or the encryption of a bucket was changed, which no run puts back: "
        f"{shown}. Run the playbook audit for what that breaks."
    ]


def too_large_warning(dropped: Json) -> list[str]:
    """What to do about events that were not read because there were too many."""
    if not dropped.get(TOO_LARGE):
        return []
    return [
        "There were too many events, or too large ones, and some were not read. Run the playbook "
        "onboard, which needs no events. Look at who sends to the queue."
    ]


def _line(cloud: Json) -> str:
    callers = ", ".join(cloud["principals"]) or "an unknown caller"
    return f"{cloud['name']}: {', '.join(cloud['documents'])}: {', '.join(cloud['calls'])} by {callers}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
