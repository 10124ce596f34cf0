# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What changes say of each cloud that they touch. Those of one thing are summarized before they are
told of its clouds: thousands of clouds may share a bucket, and a burst may have thousands of its
changes.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.cloudtrail import Change

_MOST_PRINCIPALS = 10

Json = dict[str, t.Any]


def by_target(changes: t.Iterable[Change]) -> list[list[Change]]:
    """The changes, without repeated ones, in groups that touch the same."""
    groups: dict[tuple[str, ...], list[Change]] = {}
    for change in dict.fromkeys(changes):
        target = (change.account_id, *(f"{kind} {name}" for kind, name in change.targets.items()))
        groups.setdefault(target, []).append(change)
    return list(groups.values())


@dataclasses.dataclass(frozen=True)
class Summary:
    """What was called and by whom. principals: the first of them."""

    calls: frozenset[str]
    principals: tuple[str, ...]
    managed: bool

    @classmethod
    def of(cls, changes: t.Sequence[Change]) -> Summary:
        """The summary of changes."""
        principals = dict.fromkeys(change.principal for change in changes if change.principal)
        return cls(
            frozenset(change.call for change in changes),
            tuple(principals)[:_MOST_PRINCIPALS],
            any(change.is_managed for change in changes),
        )


@dataclasses.dataclass
class Touch:
    """What touched a cloud."""

    documents: dict[str, None] = dataclasses.field(default_factory=dict)
    calls: set[str] = dataclasses.field(default_factory=set)
    principals: dict[str, None] = dataclasses.field(default_factory=dict)
    managed: bool = False

    def add(self, document: str, summary: Summary) -> None:
        """Changes of a document."""
        self.documents[document] = None
        self.calls |= summary.calls
        self.managed |= summary.managed
        for principal in summary.principals:
            if len(self.principals) < _MOST_PRINCIPALS:
                self.principals[principal] = None

    def result(self) -> Json:
        """What the result of the task says of it."""
        return {
            "documents": list(self.documents),
            "calls": sorted(self.calls),
            "principals": list(self.principals),
            "managed": self.managed,
        }
