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
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import Invocation
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.undo import (
    how_to_audit,
    how_to_onboard,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import (
    counted,
    summarize_names,
)

Json = t.Mapping[str, t.Any]

_MOST_CLOUDS = 20


def lines_of(clouds: t.Sequence[Json], counts: Json, dropped: Json) -> list[str]:
    """What was changed and by whom, cloud by cloud, and what was left out."""
    changes = counted(counts["changes"], "change")
    lines = [
        f"{changes} in the events: {counts['of_clouds']} of clouds, {counts['own']} by runs themselves"
    ]
    lines += [_line(cloud) for cloud in clouds[:_MOST_CLOUDS]]
    if len(clouds) > _MOST_CLOUDS:
        lines.append(f"and {counted(len(clouds) - _MOST_CLOUDS, 'other cloud')}")
    if dropped:
        told = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
        lines.append(f"Left out of the events: {told}")
    return lines


def warnings_of(clouds: t.Sequence[Json], dropped: Json, invocation: Invocation) -> list[str]:
    """What to do about changes that no run puts back, and about events that were not read."""
    return [*_unmanaged(clouds, invocation), *_too_large(dropped, invocation)]


def not_looked_up_warning(policies: int, looked_up: int, invocation: Invocation) -> list[str]:
    """What to do about changed policies of which it was not asked which roles have them."""
    if policies <= looked_up:
        return []
    return [
        f"Of {policies} managed policies that have changed, the roles of {looked_up} were looked up. "
        f"To see what the others break: {how_to_audit([], invocation)}"
    ]


def _unmanaged(clouds: t.Sequence[Json], invocation: Invocation) -> list[str]:
    names = [cloud["name"] for cloud in clouds if not cloud["managed"]]
    if not names:
        return []
    return [
        "A permissions boundary or the encryption of a bucket was changed, which no run puts back: "
        f"{summarize_names(names)}. To see what that breaks: {how_to_audit(names, invocation)}"
    ]


def _too_large(dropped: Json, invocation: Invocation) -> list[str]:
    if not dropped.get(TOO_LARGE):
        return []
    return [
        "There were too many events, or too large ones, and some were not read. Look at who sends to "
        f"the queue. To converge all clouds without events: {how_to_onboard([], invocation)}"
    ]


def _line(cloud: Json) -> str:
    callers = ", ".join(cloud["principals"]) or "an unknown caller"
    return f"{cloud['name']}: {', '.join(cloud['documents'])}: {', '.join(cloud['calls'])} by {callers}"
