# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which clouds of a play are meant, by account, region and name. Whoever answers a survey is taken
at his word, or refused.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import fnmatch
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError


class _Rule(t.NamedTuple):
    """What an item of an answer is, in words and as a pattern."""

    noun: str
    pattern: re.Pattern[str]
    remedy: str


_RULES = {
    "accounts": _Rule(
        "AWS account",
        re.compile(r"[0-9]{12}"),
        "Give the twelve digits of each, separated by commas.",
    ),
    "regions": _Rule(
        "region",
        re.compile(r"[a-z]{2}(-[a-z]{2,12}){1,3}-[0-9]{1,2}"),
        "Give names such as us-west-2, separated by commas.",
    ),
    "clouds": _Rule(
        "pattern for names of clouds",
        re.compile(r"!?[\w.*?][\w .*?@+-]*"),
        "Give names with * and ?, separated by commas; one that begins with ! is left out.",
    ),
}


class Place(t.NamedTuple):
    """Where a cloud is, as far as its variables tell."""

    account: str | None = None
    region: str | None = None


class Selection(t.NamedTuple):
    """What was answered. An empty answer means all."""

    accounts: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    clouds: tuple[str, ...] = ()

    @property
    def is_everything(self) -> bool:
        """Whether nothing narrows the play."""
        return not any(self)

    @property
    def asks_for_places(self) -> bool:
        """Whether it has to be known where clouds are."""
        return bool(self.accounts or self.regions)

    def names(self, cloud: str) -> bool:
        """Whether a cloud is meant by its name: by one of the patterns, if there are any, and by
        none of those with ``!``.
        """
        wanted = [pattern for pattern in self.clouds if not pattern.startswith("!")]
        unwanted = [pattern[1:] for pattern in self.clouds if pattern.startswith("!")]
        is_wanted = not wanted or _matches(cloud, wanted)
        return is_wanted and not _matches(cloud, unwanted)

    def covers(self, place: Place) -> bool:
        """Whether a cloud is meant by its place. One whose place is not known is not."""
        in_account = not self.accounts or place.account in self.accounts
        return in_account and (not self.regions or place.region in self.regions)

    def __str__(self) -> str:
        given = {
            "accounts": sorted(self.accounts),
            "regions": sorted(self.regions),
            "clouds": self.clouds,
        }
        return "; ".join(f"{name} {', '.join(items)}" for name, items in given.items() if items)


def parse_selection(**answers: t.Sequence[str]) -> Selection:
    """The selection that ``accounts``, ``regions`` and ``clouds`` make. Raises InputError for an
    item that can mean nothing.
    """
    parsed = {
        name: [item.strip() for item in items if item.strip()] for name, items in answers.items()
    }
    for name, items in parsed.items():
        for item in items:
            _refuse_meaningless(name, item)
    return Selection(
        frozenset(parsed["accounts"]), frozenset(parsed["regions"]), tuple(parsed["clouds"])
    )


def _refuse_meaningless(name: str, item: str) -> None:
    rule = _RULES[name]
    if not rule.pattern.fullmatch(item):
        raise InputError(f"fleet_{name} has {item!r}, which is no {rule.noun}", rule.remedy)


def _matches(cloud: str, patterns: t.Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(cloud, pattern) for pattern in patterns)
