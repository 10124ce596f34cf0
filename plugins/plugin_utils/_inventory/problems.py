# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with an inventory, and how the user is told: one message for each kind of problem.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_control_chars

_MOST_NAMED = 50


@dataclasses.dataclass(frozen=True)
class Problem:
    """A gap in the inventory, which ``strict`` turns into an error, or something to warn about."""

    what: str
    who: str
    remedy: str
    is_error: bool = True


def summaries(problems: t.Iterable[Problem]) -> list[tuple[str, bool]]:
    """One message for each kind of problem, with the names that it concerns, and whether ``strict``
    turns it into an error.
    """
    kinds: dict[tuple[str, str, bool], list[str]] = collections.defaultdict(list)
    for problem in problems:
        kinds[problem.what, problem.remedy, problem.is_error].append(problem.who)
    return [
        (escape_control_chars(f"{what}: {_enumerated(who)}. {remedy}".strip()), is_error)
        for (what, remedy, is_error), who in kinds.items()
    ]


def _enumerated(who: t.Sequence[str]) -> str:
    """Names for a message, because there may be thousands."""
    more = f", and {len(who) - _MOST_NAMED} more" if len(who) > _MOST_NAMED else ""
    return ", ".join(who[:_MOST_NAMED]) + more
