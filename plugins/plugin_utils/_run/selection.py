# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which clouds of a play are selected, by account, region and name. An answer that cannot match
anything is refused, so that a misspelling does not silently select nothing.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import fnmatch
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import Invocation
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.undo import how_to_confirm


class _Rule(t.NamedTuple):
    """What an item of an answer has to be, in words and as a pattern."""

    noun: str
    pattern: re.Pattern[str]
    remedy: str


_RULES = {
    "accounts": _Rule(
        "an AWS account ID",
        re.compile(r"[0-9]{12}"),
        "Give twelve digits for each account, separated by commas.",
    ),
    "regions": _Rule(
        "an AWS region",
        re.compile(r"[a-z]{2}(-[a-z]{2,12}){1,3}-[0-9]{1,2}"),
        "Give names such as us-west-2, separated by commas.",
    ),
    "clouds": _Rule(
        "a pattern for names of clouds",
        re.compile(r"!?[\w.*?][\w .*?@+-]*"),
        "Give names, separated by commas. * and ? are wildcards; ! before a name leaves it out.",
    ),
}


class Location(t.NamedTuple):
    """The account and region of a cloud, as far as its variables contain them."""

    account: str | None = None
    region: str | None = None


class Selection(t.NamedTuple):
    """The answers. An empty answer selects all clouds."""

    accounts: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    clouds: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether no answer was given, which selects all clouds."""
        return not any(self)

    @property
    def needs_locations(self) -> bool:
        """Whether the accounts and regions of clouds have to be known."""
        return bool(self.accounts or self.regions)

    def matches_name(self, cloud: str) -> bool:
        """Whether a cloud is selected by its name: by one of the patterns, if there are any, and by
        none of those with ``!``.
        """
        included = [pattern for pattern in self.clouds if not pattern.startswith("!")]
        excluded = [pattern[1:] for pattern in self.clouds if pattern.startswith("!")]
        is_included = not included or _matches(cloud, included)
        return is_included and not _matches(cloud, excluded)

    def matches_location(self, location: Location) -> bool:
        """Whether a cloud is selected by its location. An unknown location matches no answer."""
        in_account = not self.accounts or location.account in self.accounts
        return in_account and (not self.regions or location.region in self.regions)

    def __str__(self) -> str:
        given = {
            "accounts": sorted(self.accounts),
            "regions": sorted(self.regions),
            "clouds": self.clouds,
        }
        return "; ".join(f"{name} {', '.join(items)}" for name, items in given.items() if items)


def parse_selection(**answers: t.Sequence[str]) -> Selection:
    """The selection for ``accounts``, ``regions`` and ``clouds``. Raises InputError for an item
    that cannot match anything.
    """
    parsed = {
        name: [item.strip() for item in items if item.strip()] for name, items in answers.items()
    }
    for name, items in parsed.items():
        for item in items:
            _validate(name, item)
    return Selection(
        frozenset(parsed["accounts"]), frozenset(parsed["regions"]), tuple(parsed["clouds"])
    )


def refuse_unconfirmed(
    selected: int, confirm_above: int | None, confirmed: int | None, invocation: Invocation
) -> None:
    """Raise if so many clouds are selected that their number has to be confirmed, and it is not; or
    if another number is. ``confirm_above``: ``None`` if nothing has to be confirmed.
    """
    if confirm_above is None or (confirmed is None and selected <= confirm_above):
        return
    if confirmed == selected:
        return
    noun = "1 cloud is" if selected == 1 else f"{selected} clouds are"
    given = f", but offboard_confirm is {confirmed}" if confirmed is not None else ""
    raise InputError(
        f"{noun} selected to be offboarded{given}. Nothing was read or written",
        how_to_confirm(selected, invocation),
    )


def _validate(name: str, item: str) -> None:
    rule = _RULES[name]
    if not rule.pattern.fullmatch(item):
        raise InputError(f"fleet_{name} has {item!r}, which is not {rule.noun}", rule.remedy)


def _matches(cloud: str, patterns: t.Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(cloud, pattern) for pattern in patterns)
